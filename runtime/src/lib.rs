//! Facade over the Cipherloom runtime crates: one name for all of them.
//!
//! - [`plan`]: the byte format of plans, its verifier and disassembler;
//! - [`ring`]: modular arithmetic, number-theoretic transforms, residue number systems;
//! - [`ckks`]: the scheme in memory that the caller brings;
//! - [`exec`]: a plan, memory and keys in, results out; no input or output of its own;
//! - [`host`]: files, threads and randomness of the operating system, with the feature `host` (on by default).
//!
//! Without default features everything here is `no_std` and allocates nothing: the same code serves a server and a
//! microcontroller.
#![no_std]

pub use cipherloom_ckks as ckks;
pub use cipherloom_exec as exec;
#[cfg(feature = "host")]
pub use cipherloom_host as host;
pub use cipherloom_plan as plan;
pub use cipherloom_ring as ring;
