//! Everything around the executor that needs an operating system: files, memory mapping, threads, randomness.
//!
//! One module per thing that people do, in this order: [`PlanFile`] → [`generate_seed`] →
//! [`generate_evaluation_keys`] → [`encrypt_inputs`] → [`run`] → [`decrypt_outputs`]. The key holder does all
//! of them but `run`; the server does `run` with the plan, the evaluation keys and the inputs, none of which
//! tell it anything but sizes.
//!
//! A long run is a [`Run`] that saves itself to a file and is resumed from it.
//!
//! Keys, inputs and outputs live in memory or in files (`FORMATS.md` documents every byte). A file is written
//! beside its destination and renamed when it is complete, so that nothing that goes wrong harms an existing
//! file; it is checked whole when it is opened, and carries the hash of the plan that it belongs to.

mod answer;
mod checkpoint;
mod ciphertexts;
mod data;
mod decrypt;
mod encrypt;
mod error;
mod files;
mod keys;
mod live;
mod memory;
mod narrow;
mod outputs;
mod plan_file;
mod prefetch;
mod progress;
mod random;
mod run;
mod secret;
mod step_clock;
mod tasks;
mod tensor;

pub use answer::{read_answer, write_answer};
pub use cipherloom_ring::Backend;
pub use data::check_tensor;
pub use decrypt::decrypt_outputs;
pub use encrypt::{Inputs, PortSummary, encrypt_inputs, write_inputs};
pub use error::{HostError, Result};
pub use keys::{EvaluationKeys, generate_evaluation_keys, write_evaluation_keys};
pub use memory::{Region, Words, forget_peak_memory, peak_memory_bytes};
pub use outputs::Outputs;
pub use plan_file::PlanFile;
pub use progress::{Progress, Silent};
pub use run::{Answer, AskKeyHolder, BoxedError, Run, RunOptions, RunReport, run};
pub use secret::{SecretSeed, generate_seed, read_secret_key, write_secret_key};
pub use tensor::Tensor;
