//! `cipherloom hold`.

use std::path::PathBuf;
use std::time::SystemTime;

use cipherloom_host::{HostError, Outputs, PlanFile, SecretSeed, decrypt_outputs, write_answer};
use clap::Args;
use serde_json::json;

use crate::arguments::DataOptions;
use crate::data;
use crate::error::{CliError, Result};
use crate::folder::{Folder, pause, wait_for};
use crate::holder::{self, KeyHolder};
use crate::ui::{Ui, say};
use crate::validation::{EarlyStopping, Validation};

/// Train over a shared folder, the key holder's side
#[derive(Debug, Args)]
#[command(after_help = format!("\
Waits for graph.plan in the folder, puts evaluation.keys and inputs.ct there unless they are there, and answers after \
each epoch: what it revealed is decrypted and compared with y_val, and training ends when the loss has not become smaller \
for --patience epochs. At the end the outputs of the best epoch are decrypted.

The secret key never goes into the folder. The other side is `cipherloom serve`; either may start first, and each may be \
interrupted and started again.

{}

Example:
  cipherloom compile head.loom --epochs 20 --steps-per-epoch 15 -o shared/graph.plan
  cipherloom hold shared --key secret.key --data head.npz -o weights.npz", data::CONVENTION))]
pub struct Hold {
    /// The folder that both sides see
    folder: PathBuf,
    /// The secret key; a fresh one is made if the file does not exist
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    data: DataOptions,
    /// Epochs without a smaller validation loss after which training ends
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    patience: u32,
    /// Where to write the clear outputs, as .npz
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Hold {
    pub fn run(self) -> Result<()> {
        let ui = Ui::new(self.json);
        let mut progress = ui.progress();
        let lines = progress.lines();
        let arrays = self.data.load()?;
        let folder = Folder::make(&self.folder)?;
        wait_for(&folder.plan(), &lines);
        let plan = PlanFile::open(folder.plan())?;
        let data = self.data.scaled(arrays, &data::declared(&plan.plan()))?;
        let validation = Validation::new(&plan.plan(), &data)?;
        let tensors = data::bind(&plan.plan(), &data)?;
        let secret = holder::secret(&plan, Some(&self.key))?;
        holder::put_evaluation_keys(&plan, &secret, &folder, &mut progress)?;
        holder::inputs(&plan, &secret, &tensors, Some(&folder), &mut progress)?;

        let mut epochs = Epochs {
            folder: &folder,
            holder: KeyHolder {
                plan: &plan,
                secret: &secret,
                validation: validation.as_ref(),
                stopping: EarlyStopping::new(self.patience),
                lines,
            },
            answered: Vec::new(),
        };
        epochs.holder.announce();
        let outputs = loop {
            epochs.answer()?;
            if let Some(outputs) = own(&folder, &plan, &secret)? {
                break outputs;
            }
            pause();
        };
        data::write_npz(&self.output, &decrypt_outputs(&plan, &secret, &outputs)?)?;
        let stopping = epochs.holder.stopping;
        if self.json {
            say!(
                "{}",
                json!({
                    "output": self.output.display().to_string(),
                    "epochs": epochs.answered.len(),
                    "best_epoch": stopping.best().map(|epoch| epoch + 1),
                    "validation": stopping.measures(),
                })
            );
        } else {
            if let Some(best) = stopping.best() {
                say!("epoch {} of {} was the best", best + 1, stopping.measures().len());
            }
            say!("{}: the decrypted outputs", self.output.display());
        }
        Ok(())
    }
}

/// The final outputs, when they are there.
fn own(folder: &Folder, plan: &PlanFile, secret: &SecretSeed) -> Result<Option<Outputs>> {
    let path = folder.outputs();
    if !path.exists() {
        return Ok(None);
    }
    let outputs = Outputs::open(path, plan)?;
    Ok(outputs.is_under(plan, secret).then_some(outputs))
}

/// The epochs that are answered.
struct Epochs<'a> {
    folder: &'a Folder,
    holder: KeyHolder<'a>,
    /// When each epoch's file was written, and its length: what is written anew is answered anew.
    answered: Vec<(SystemTime, u64)>,
}

impl Epochs<'_> {
    /// Answers every epoch that is there and not answered yet, in order.
    fn answer(&mut self) -> Result<()> {
        for epoch in 0.. {
            let path = self.folder.epoch(epoch);
            let Ok(metadata) = path.metadata() else {
                return Ok(());
            };
            let written = metadata.modified().map_err(CliError::io(&path, "look at"))?;
            let stamp = (written, metadata.len());
            if self.answered.get(epoch as usize) == Some(&stamp) {
                continue;
            }
            let outputs = match Outputs::open(&path, self.holder.plan) {
                Ok(outputs) if outputs.is_under(self.holder.plan, self.holder.secret) => outputs,
                // What an earlier run left is replaced sooner or later.
                Ok(_) | Err(HostError::WrongPlan { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.answered.truncate(epoch as usize);
            self.holder.stopping.rewind(epoch as usize);
            let answer = self.holder.answer(epoch, &outputs)?;
            write_answer(self.folder.answer(epoch), &outputs, answer)?;
            self.answered.push(stamp);
        }
        Ok(())
    }
}
