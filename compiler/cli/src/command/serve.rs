//! `cipherloom serve`.

use std::path::PathBuf;

use cipherloom_compiler::report::{bytes, seconds};
use cipherloom_host::{
    Answer, BoxedError, EvaluationKeys, Inputs, Outputs, PlanFile, Run, RunOptions, read_answer,
};
use clap::Args;
use serde_json::json;

use super::run::seconds_per_step;
use crate::error::{CliError, Result};
use crate::folder::{Folder, wait_for};
use crate::ui::{Ui, count, say};

/// Train over a shared folder, the server's side (needs no secret)
#[derive(Debug, Args)]
#[command(after_help = "\
Waits for graph.plan, evaluation.keys and inputs.ct in the folder and runs the plan. After each epoch it puts what the \
epoch reveals there, encrypted, and waits for the key holder's answer: go on or stop, and whether the epoch was the best. \
At the end outputs.ct holds the encrypted outputs of the best epoch.

The other side is `cipherloom hold`. Either may start first, and each may be interrupted and started again: the run goes \
on from the checkpoint in the folder. Files appear there whole; whoever copies some there should do the same, by giving \
them their name last.

Example:
  cipherloom serve shared --threads 8")]
pub struct Serve {
    /// The folder that both sides see
    folder: PathBuf,
    /// Training steps between checkpoints; there is one after each epoch, too
    #[arg(long, value_name = "N", default_value_t = 1)]
    checkpoint_every: u32,
    /// Worker threads [default: as many as the machine has]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Run a plan with toy parameters, which protect nothing
    #[arg(long)]
    insecure_toy: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Serve {
    pub fn run(self) -> Result<()> {
        let ui = Ui::new(self.json);
        let mut progress = ui.progress();
        let lines = progress.lines();
        let folder = Folder::make(&self.folder)?;
        // What an earlier run left would end the key holder's side.
        let outputs = folder.outputs();
        if outputs.exists() {
            std::fs::remove_file(&outputs).map_err(CliError::io(&outputs, "remove"))?;
        }
        for path in [folder.plan(), folder.keys(), folder.inputs()] {
            wait_for(&path, &lines);
        }
        let plan = PlanFile::open(folder.plan())?;
        let inputs = Inputs::open(folder.inputs(), &plan)?;
        let keys = EvaluationKeys::read(folder.keys(), &plan, &mut progress)?;
        let mut ask = |epoch: u32, outputs: &Outputs| -> std::result::Result<Answer, BoxedError> {
            outputs.write(folder.epoch(epoch))?;
            let path = folder.answer(epoch);
            loop {
                wait_for(&path, &lines);
                // An answer to an earlier run is replaced sooner or later.
                if let Some(answer) = read_answer(&path, &plan, outputs)? {
                    return Ok(answer);
                }
                crate::folder::pause();
            }
        };
        let options = RunOptions {
            threads: self.threads,
            allow_toy: self.insecure_toy,
        };
        let checkpoint = folder.checkpoint();
        let mut run = Run::new(&plan, &keys, &inputs, options).ask(&mut ask);
        if checkpoint.exists() {
            run = run.resume(&checkpoint);
        }
        let run = run.checkpoint_to(&checkpoint, self.checkpoint_every);
        let (outputs, report) = run.start(&mut progress)?;
        outputs.write(folder.outputs())?;
        if self.json {
            say!(
                "{}",
                json!({
                    "output": folder.outputs().display().to_string(),
                    "output_bytes": outputs.bytes(),
                    "epochs": report.epochs,
                    "best_epoch": report.best_epoch.map(|epoch| epoch + 1),
                    "seconds": report.total_seconds,
                    "seconds_per_step": seconds_per_step(&report),
                    "steps": report.step_seconds.len(),
                    "threads": report.threads,
                    "peak_memory_bytes": report.peak_memory_bytes,
                })
            );
            return Ok(());
        }
        say!(
            "{}, {} on {}",
            count(report.epochs, "epoch"),
            seconds(report.total_seconds),
            count(report.threads as u64, "thread")
        );
        say!(
            "{}: {}, for the key holder",
            folder.outputs().display(),
            bytes(outputs.bytes())
        );
        Ok(())
    }
}
