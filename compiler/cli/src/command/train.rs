//! `cipherloom train`.

mod clear;
mod summary;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cipherloom_compiler::report::Report;
use cipherloom_host::{
    EvaluationKeys, Inputs, Outputs, PlanFile, RunOptions, SecretSeed, Tensor, decrypt_outputs,
    encrypt_inputs, generate_evaluation_keys, generate_seed, peak_memory_bytes, write_secret_key,
};
use clap::Args;

use crate::arguments::{PlanOptions, compile_graph, read_source, show};
use crate::data::{self, Readers};
use crate::error::{CliError, Result};
use crate::ui::{Bars, Ui, say};
use summary::{Seconds, Summary};

/// Do everything on one machine with a fresh key, and compare with training in the clear
#[derive(Debug, Args)]
#[command(after_help = format!("\
Compiles the graph, makes a key, encrypts the data, trains on ciphertexts, decrypts the result, and trains twice \
more in the clear on the same batches: with the exact functions, and with the polynomials that stand for them under \
encryption. Nothing is written unless --keep says where.

With x_test and y_test in the data, both models are tested: accuracy where the labels are classes (score ≥ 0.5 for \
two of them), mean squared error where they are other numbers.

{}

Examples:
  cipherloom train spam.loom --data sms.npz
  cipherloom train spam.loom --data sms.npz --steps 3 --set batch=512 --json", data::CONVENTION))]
pub struct Train {
    /// The graph
    graph: PathBuf,
    /// The data: .npz, .npy, .csv or .safetensors
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    options: PlanOptions,
    /// Worker threads [default: as many as the machine has]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Keep the plan, keys, inputs, outputs and weights in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// End with one JSON object on standard output instead of text
    #[arg(long)]
    json: bool,
}

impl Train {
    pub fn run(self) -> Result<()> {
        let ui = Ui::new(self.json);
        let mut progress = ui.progress();
        let mut seconds = Seconds::default();
        let source = read_source(&self.graph)?;
        let options = self.options.options(self.threads)?;
        let arrays = data::load(&self.data)?;
        if let Some(folder) = &self.keep {
            super::keygen::refuse_existing_key(
                &folder.join("secret.key"),
                "keep this run in another folder",
            )?;
        }

        let compiled = timed(&mut seconds.compile, || compile_graph(&source, &options, &ui))?;
        let plan = PlanFile::from_bytes(compiled.plan.clone())?;
        let mut report = Report::new(&plan.plan(), Some(&source), &[]);
        report.predict(&plan.plan(), &options.target);
        let tensors = data::bind(&plan.plan(), &arrays, &self.data)?;

        let clear = ui.wait("training in the clear", || {
            clear::train(&compiled, &plan.plan(), &tensors)
        })?;
        show(&clear.range_warnings(), &source, &ui);

        let secret = generate_seed()?;
        let keys = timed(&mut seconds.keygen, || {
            generate_evaluation_keys(&plan, &secret, &mut progress)
        })?;
        let inputs = timed(&mut seconds.encrypt, || {
            encrypt_inputs(&plan, &secret, &tensors, &mut progress)
        })?;
        let run_options = RunOptions {
            threads: self.threads,
            allow_toy: options.insecure_toy,
        };
        let (outputs, run) = timed(&mut seconds.run, || {
            cipherloom_host::run(&plan, &keys, &inputs, run_options, &mut progress)
        })?;
        let encrypted = timed(&mut seconds.decrypt, || decrypt_outputs(&plan, &secret, &outputs))?;
        if let Some(folder) = &self.keep {
            keep(
                folder,
                &Kept {
                    plan: &plan,
                    secret: &secret,
                    keys: &keys,
                    inputs: &inputs,
                    outputs: &outputs,
                    weights: &encrypted,
                },
                &mut progress,
            )?;
        }

        let summary = Summary {
            scores: clear.score(&encrypted, &arrays, &self.data)?,
            max_weight_error: clear::largest_difference(&encrypted, &clear.exact),
            max_weight_error_approximated: clear::largest_difference(&encrypted, &clear.approximated),
            predicted_weight_error: report.ports.iter().map(|port| port.error).fold(0.0, f64::max),
            steps: report.parameters.steps,
            seconds_per_step: super::run::seconds_per_step(&run),
            predicted_seconds_per_step: report.seconds_per_step,
            threads: run.threads,
            bootstraps: report.bootstraps,
            security_bits: report.parameters.security_bits,
            toy: report.parameters.toy,
            log_n: report.parameters.log_n,
            peak_memory_bytes: peak_memory_bytes(),
            plan_memory_bytes: report.memory.total_bytes,
            seconds,
        };
        if self.json {
            say!("{}", super::to_json(&summary));
        } else {
            say!("{}", summary.text(&ui).trim_end());
        }
        Ok(())
    }
}

/// Runs work and notes the seconds it took.
fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *seconds = start.elapsed().as_secs_f64();
    result
}

/// What `--keep` keeps.
struct Kept<'a> {
    plan: &'a PlanFile,
    secret: &'a SecretSeed,
    keys: &'a EvaluationKeys,
    inputs: &'a Inputs,
    outputs: &'a Outputs,
    weights: &'a BTreeMap<String, Tensor>,
}

fn keep(folder: &Path, kept: &Kept<'_>, progress: &mut Bars) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(CliError::io(folder, "make"))?;
    write_secret_key(folder.join("secret.key"), kept.plan, kept.secret)?;
    data::write_whole(&folder.join("graph.plan"), Readers::Everyone, |file| {
        file.write_all(kept.plan.bytes())
    })?;
    kept.keys
        .write(folder.join("evaluation.keys"), kept.plan, progress)?;
    kept.inputs.write(folder.join("inputs.ct"))?;
    kept.outputs.write(folder.join("outputs.ct"))?;
    data::write_npz(&folder.join("weights.npz"), kept.weights)
}
