//! `cipherloom train`.

mod clear;
mod run;
mod sizes;
mod summary;

use std::path::PathBuf;
use std::time::Instant;

use cipherloom_compiler::diagnostic::Diagnostics;
use cipherloom_compiler::report::Report;
use cipherloom_host::{PlanFile, RunOptions, peak_memory_bytes};
use clap::Args;

use crate::arguments::{DataOptions, PlanOptions, compile_graph, given, read_source, show};
use crate::data::{self, Declared};
use crate::error::{CliError, Result};
use crate::folder::Folder;
use crate::ui::{Ui, say};
use crate::validation::{EarlyStopping, Validation};
use run::{Encrypted, Trained};
use summary::{Epochs, Seconds, Summary};

/// Do everything on one machine with a fresh key, and compare with training in the clear
#[derive(Debug, Args)]
#[command(after_help = format!("\
Compiles the graph, makes a key, encrypts the data, trains on ciphertexts, decrypts the result, and trains twice \
more in the clear on the same batches: with the exact functions, and with the polynomials that stand for them under \
encryption. Nothing is written unless --keep says where.

A const that is a dimension of an input or stream takes the size that the data have there, unless --set says another: \
features, classes, validation rows. The batch, which is the first dimension of streams, stays as the graph or --set says.

With --epochs, the rows of the data make an epoch. After each one the validation predictions that the graph reveals are \
decrypted and compared with y_val: exact cross-entropy where the labels are classes, mean squared error where not. \
Training ends when it has not become smaller for --patience epochs, and the weights are those of the best epoch. \
What is kept with --keep can be taken up again with --resume after the program was interrupted, however that was: the \
outputs are the same bit for bit.

With x_test and y_test in the data, both models are tested: accuracy where the labels are classes (score ≥ 0.5 for \
two of them), mean squared error where they are other numbers.

{}

Examples:
  cipherloom train spam.loom --data sms.npz
  cipherloom train spam.loom --data sms.npz --steps 3 --set batch=512 --json
  cipherloom train head.loom --data head.npz --scale x=0.125
  cipherloom train head.loom --data head.npz --epochs 20 --keep run
  cipherloom train head.loom --data head.npz --epochs 20 --keep run --resume", data::CONVENTION))]
pub struct Train {
    /// The graph
    graph: PathBuf,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    options: PlanOptions,
    /// Worker threads [default: as many as the machine has]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Keep the plan, keys, inputs, checkpoints, outputs and weights in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Go on with the run that was begun in the folder of --keep, with the same graph, data and options
    #[arg(long, requires = "keep")]
    resume: bool,
    /// Training steps between checkpoints in the folder of --keep; there is one after each epoch, too
    #[arg(long, value_name = "N", default_value_t = 1, requires = "keep")]
    checkpoint_every: u32,
    /// Epochs without a smaller validation loss after which training ends
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    patience: u32,
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
        let given = given(&source, &ui)?;
        let declared: Vec<Declared<'_>> = given.iter().map(sizes::declared).collect();
        let data = self.data.scaled(self.data.load()?, &declared)?;
        let mut plan_options = self.options;
        let sizes = sizes::of_data(&given, &data.arrays, |name| plan_options.is_set(name));
        let sizes = sizes.map_err(|diagnostic| {
            show(&Diagnostics::from(*diagnostic), &source, &ui);
            CliError::Reported
        })?;
        if let Some(text) = sizes::text(&sizes) {
            progress.lines().say(&text);
        }
        plan_options.set(sizes.into_iter().map(|size| (size.name, size.extent as f64)));
        plan_options.epoch_of(&source, &data.arrays)?;
        let options = plan_options.options(self.threads)?;
        let folder = match &self.keep {
            Some(path) => {
                let folder = Folder::make(path)?;
                if !self.resume {
                    super::keygen::refuse_existing_key(
                        &folder.secret(),
                        "go on with that run with --resume, or keep this one in another folder",
                    )?;
                }
                Some(folder)
            }
            None => None,
        };

        let compiled = timed(&mut seconds.compile, || compile_graph(&source, &options, &ui))?;
        let plan = PlanFile::from_bytes(compiled.plan.clone())?;
        if let Some(folder) = &folder {
            folder.put_plan(&plan)?;
        }
        let mut report = Report::new(&plan.plan(), Some(&source), &[]);
        report.predict(&plan.plan(), &options.target);
        let tensors = data::bind(&plan.plan(), &data)?;
        let validation = match plan.plan().epochs() {
            0 => None,
            _ => Validation::new(&plan.plan(), &data)?,
        };
        let clear = ui.wait("training in the clear", || {
            clear::train(&compiled, &plan.plan(), &tensors)
        })?;
        show(&clear.range_warnings(), &source, &ui);
        let mut stopping = EarlyStopping::new(self.patience);
        let clear_epoch = clear.stop(validation.as_ref(), &mut stopping);

        let encrypted = Encrypted {
            plan: &plan,
            tensors: &tensors,
            options: RunOptions {
                threads: self.threads,
                allow_toy: options.insecure_toy,
            },
            folder: folder.as_ref(),
            checkpoint_every: self.checkpoint_every,
            validation: validation.as_ref(),
            patience: self.patience,
        };
        let Trained {
            results,
            report: run,
            measures,
        } = encrypted.run(&mut seconds, &mut progress)?;
        // The epoch that the weights are of, to be compared with the same in the clear.
        let epoch = run.best_epoch.or(run.epochs.checked_sub(1)).unwrap_or(0) as usize;

        let outputs = report.ports.iter().filter(|port| port.kind == "output");
        let summary = Summary {
            scores: clear.score(&results, clear_epoch, &data)?,
            max_weight_error: clear::largest_difference(&results, clear.exact.after(epoch)),
            max_weight_error_approximated: clear::largest_difference(
                &results,
                clear.approximated.after(epoch),
            ),
            predicted_weight_error: outputs.map(|port| port.error).fold(0.0, f64::max),
            steps: report.parameters.steps,
            epochs: (plan.plan().epochs() > 0).then(|| Epochs {
                planned: plan.plan().epochs(),
                run: run.epochs,
                best: epoch as u32 + 1,
                best_clear: clear_epoch as u32 + 1,
                validation: measures,
                validation_clear: stopping.measures().to_vec(),
            }),
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
