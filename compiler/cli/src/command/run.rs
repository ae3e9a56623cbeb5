//! `cipherloom run`.

use std::path::PathBuf;

use cipherloom_compiler::report::{Profile, bytes, seconds};
use cipherloom_compiler::target::Target;
use cipherloom_host::{EvaluationKeys, Inputs, PlanFile, RunOptions, RunReport};
use clap::Args;
use serde_json::json;

use crate::error::Result;
use crate::ui::{Ui, count, say};

/// Run a plan on encrypted inputs (server: needs no secret)
#[derive(Debug, Args)]
#[command(after_help = "\
The outputs are the same, bit for bit, for any number of threads.

A run with --checkpoint may be interrupted at any time, however that is: with --resume it goes on, and its outputs are \
the same.

Examples:
  cipherloom run spam.plan --keys evaluation.keys --inputs inputs.ct -o outputs.ct --threads 8
  cipherloom run head.plan --keys evaluation.keys --inputs inputs.ct -o outputs.ct --checkpoint saved --resume")]
pub struct Run {
    /// The plan
    plan: PathBuf,
    /// The evaluation keys
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The encrypted inputs
    #[arg(long, value_name = "FILE")]
    inputs: PathBuf,
    /// Where to write the encrypted outputs
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Save the run to this file after each epoch and every few training steps
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Training steps between checkpoints
    #[arg(long, value_name = "N", default_value_t = 1, requires = "checkpoint")]
    checkpoint_every: u32,
    /// Go on where the checkpoint was taken, if there is one
    #[arg(long, requires = "checkpoint")]
    resume: bool,
    /// Worker threads [default: as many as the machine has]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Show what each kind of operation took, beside what is predicted for it
    #[arg(long)]
    profile: bool,
    /// Run a plan with toy parameters, which protect nothing
    #[arg(long)]
    insecure_toy: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Run {
    pub fn run(self) -> Result<()> {
        let ui = Ui::new(self.json);
        let mut progress = ui.progress();
        let plan = PlanFile::open(&self.plan)?;
        let inputs = Inputs::open(&self.inputs, &plan)?;
        let keys = EvaluationKeys::read(&self.keys, &plan, &mut progress)?;
        let options = RunOptions {
            threads: self.threads,
            allow_toy: self.insecure_toy,
        };
        let mut run = cipherloom_host::Run::new(&plan, &keys, &inputs, options);
        if let Some(path) = &self.checkpoint {
            if self.resume && path.exists() {
                run = run.resume(path);
            }
            run = run.checkpoint_to(path, self.checkpoint_every);
        }
        if self.profile {
            run = run.profile();
        }
        let (outputs, report) = run.start(&mut progress)?;
        let profile = self.profile.then(|| {
            let target = Target::server(report.threads as u32);
            Profile::new(&plan.plan(), &target, &report.instruction_seconds)
        });
        outputs.write(&self.output)?;
        if self.json {
            say!(
                "{}",
                json!({
                    "output": self.output.display().to_string(),
                    "output_bytes": outputs.bytes(),
                    "seconds": report.total_seconds,
                    "seconds_per_step": seconds_per_step(&report),
                    "step_seconds": report.step_seconds,
                    "steps": report.step_seconds.len(),
                    "epochs": report.epochs,
                    "threads": report.threads,
                    "arena_bytes": report.arena_bytes,
                    "peak_memory_bytes": report.peak_memory_bytes,
                    "profile": profile.map(|profile| profile.lines),
                })
            );
            return Ok(());
        }
        let steps = match report.step_seconds.len() as u64 {
            0 => String::new(),
            steps => format!(
                ", {} of {}",
                count(steps, "step"),
                seconds(seconds_per_step(&report))
            ),
        };
        say!(
            "{} on {}{steps}",
            seconds(report.total_seconds),
            count(report.threads as u64, "thread")
        );
        say!(
            "peak memory {}, of which arena {}",
            bytes(report.peak_memory_bytes),
            bytes(report.arena_bytes)
        );
        say!(
            "{}: {}, for the key holder",
            self.output.display(),
            bytes(outputs.bytes())
        );
        if let Some(profile) = profile {
            say!("\n{}", profile.to_text().trim_end());
        }
        Ok(())
    }
}

/// The mean over the training steps; the whole run where there are none.
pub fn seconds_per_step(report: &RunReport) -> f64 {
    match report.step_seconds.len() {
        0 => report.total_seconds,
        count => report.step_seconds.iter().sum::<f64>() / count as f64,
    }
}
