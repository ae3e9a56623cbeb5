//! The encrypted run of `train`: keys and inputs made or found, the plan run, epochs measured.

use std::collections::BTreeMap;

use cipherloom_host::{
    Answer, BoxedError, Outputs, PlanFile, Run, RunOptions, RunReport, Tensor, decrypt_outputs,
};

use super::summary::Seconds;
use super::timed;
use crate::data;
use crate::error::Result;
use crate::folder::Folder;
use crate::holder::{self, KeyHolder};
use crate::ui::Bars;
use crate::validation::{EarlyStopping, Measure, Validation};

/// What a run is made with.
pub struct Encrypted<'a> {
    pub plan: &'a PlanFile,
    pub tensors: &'a BTreeMap<String, Tensor>,
    pub options: RunOptions,
    /// Where the run's files are; none to keep nothing.
    pub folder: Option<&'a Folder>,
    /// Training steps between checkpoints in the folder.
    pub checkpoint_every: u32,
    /// What each epoch is measured with.
    pub validation: Option<&'a Validation>,
    /// Epochs without a smaller loss after which training ends.
    pub patience: u32,
}

/// What came out of it.
pub struct Trained {
    pub results: BTreeMap<String, Tensor>,
    pub report: RunReport,
    /// Of each epoch.
    pub measures: Vec<Measure>,
}

impl Encrypted<'_> {
    /// Runs to the end, or goes on with what the folder has.
    pub fn run(self, seconds: &mut Seconds, progress: &mut Bars) -> Result<Trained> {
        let Self {
            plan,
            tensors,
            folder,
            ..
        } = self;
        let path = folder.map(Folder::secret);
        let secret = holder::secret(plan, path.as_deref())?;
        let keys = timed(&mut seconds.keygen, || {
            holder::evaluation_keys(plan, &secret, folder, progress)
        })?;
        let inputs = timed(&mut seconds.encrypt, || {
            holder::inputs(plan, &secret, tensors, folder, progress)
        })?;
        let mut key_holder = KeyHolder {
            plan,
            secret: &secret,
            validation: self.validation,
            stopping: EarlyStopping::new(self.patience),
            lines: progress.lines(),
        };
        key_holder.announce();
        let mut ask = |epoch: u32, outputs: &Outputs| -> std::result::Result<Answer, BoxedError> {
            if let Some(folder) = folder {
                outputs.write(folder.epoch(epoch))?;
                key_holder.replay(epoch, folder)?;
            }
            Ok(key_holder.answer(epoch, outputs)?)
        };
        let (outputs, report) = timed(&mut seconds.run, || {
            let mut run = Run::new(plan, &keys, &inputs, self.options).ask(&mut ask);
            if let Some(path) = folder.map(Folder::checkpoint) {
                if path.exists() {
                    run = run.resume(&path);
                }
                run = run.checkpoint_to(&path, self.checkpoint_every);
            }
            run.start(progress)
        })?;
        let results = timed(&mut seconds.decrypt, || decrypt_outputs(plan, &secret, &outputs))?;
        if let Some(folder) = folder {
            outputs.write(folder.outputs())?;
            data::write_npz(&folder.weights(), &results)?;
        }
        Ok(Trained {
            results,
            report,
            measures: key_holder.stopping.measures().to_vec(),
        })
    }
}
