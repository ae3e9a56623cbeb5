//! The encrypted run of `train`: keys and inputs made or found, the plan run, epochs measured.

use std::path::Path;

use cipherloom_host::{
    Answer, BoxedError, EvaluationKeys, Inputs, Outputs, PlanFile, Run, RunOptions, RunReport, SecretSeed,
    Tensor, decrypt_outputs, encrypt_inputs, generate_evaluation_keys, generate_seed, read_secret_key,
    write_evaluation_keys, write_inputs, write_secret_key,
};
use std::collections::BTreeMap;

use super::summary::Seconds;
use super::timed;
use crate::error::Result;
use crate::folder::Folder;
use crate::ui::{Bars, Lines};
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
    /// What is done after each epoch; nothing where there is nothing to measure.
    pub stopping: Option<(&'a Validation, &'a mut EarlyStopping)>,
}

/// What came out of it.
pub struct Trained {
    pub results: BTreeMap<String, Tensor>,
    pub report: RunReport,
}

impl Encrypted<'_> {
    /// Runs to the end, or goes on with what the folder has.
    pub fn run(self, seconds: &mut Seconds, progress: &mut Bars) -> Result<Trained> {
        let Self { plan, folder, .. } = self;
        let secret = secret(plan, folder)?;
        let keys = timed(&mut seconds.keygen, || keys(plan, &secret, folder, progress))?;
        let inputs = timed(&mut seconds.encrypt, || {
            inputs(plan, &secret, self.tensors, folder, progress)
        })?;
        let lines = progress.lines();
        let mut stopping = self.stopping;
        let mut ask = |epoch: u32, outputs: &Outputs| -> std::result::Result<Answer, BoxedError> {
            if let Some(folder) = folder {
                outputs.write(folder.epoch(epoch))?;
            }
            let Some((validation, stopping)) = &mut stopping else {
                return Ok(Answer::default());
            };
            if let Some(folder) = folder {
                replay(plan, &secret, folder, epoch, validation, stopping)?;
            }
            let measure = validation.measure(&decrypt_outputs(plan, &secret, outputs)?)?;
            let answer = stopping.answer(measure);
            say(&lines, epoch, measure, answer);
            Ok(answer)
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
            crate::data::write_npz(&folder.weights(), &results)?;
        }
        Ok(Trained { results, report })
    }
}

/// One line for an epoch.
fn say(lines: &Lines, epoch: u32, measure: Measure, answer: Answer) {
    let accuracy = measure.accuracy.map(|accuracy| format!(", accuracy {accuracy:.2} %"));
    let note = match answer {
        Answer { stop: true, .. } => ": no better for a while, training ends",
        Answer { best: true, .. } => ": the best so far",
        _ => "",
    };
    lines.say(&format!(
        "epoch {}: validation loss {:.5}{}{note}",
        epoch + 1,
        measure.loss,
        accuracy.unwrap_or_default()
    ));
}

/// Measures the epochs before this one again that were measured by a run that was interrupted.
fn replay(
    plan: &PlanFile,
    secret: &SecretSeed,
    folder: &Folder,
    epoch: u32,
    validation: &Validation,
    stopping: &mut EarlyStopping,
) -> Result<()> {
    stopping.rewind(epoch as usize);
    for earlier in stopping.measures().len() as u32..epoch {
        let outputs = Outputs::open(folder.epoch(earlier), plan)?;
        stopping.answer(validation.measure(&decrypt_outputs(plan, secret, &outputs)?)?);
    }
    Ok(())
}

fn secret(plan: &PlanFile, folder: Option<&Folder>) -> Result<SecretSeed> {
    let Some(path) = folder.map(Folder::secret) else {
        return Ok(generate_seed()?);
    };
    if path.exists() {
        return Ok(read_secret_key(&path, plan)?);
    }
    let secret = generate_seed()?;
    write_secret_key(&path, plan, &secret)?;
    Ok(secret)
}

fn keys(
    plan: &PlanFile,
    secret: &SecretSeed,
    folder: Option<&Folder>,
    progress: &mut Bars,
) -> Result<EvaluationKeys> {
    let Some(path) = folder.map(Folder::keys) else {
        return Ok(generate_evaluation_keys(plan, secret, progress)?);
    };
    if !path.exists() {
        write_evaluation_keys(&path, plan, secret, progress)?;
    }
    Ok(EvaluationKeys::read(&path, plan, progress)?)
}

fn inputs(
    plan: &PlanFile,
    secret: &SecretSeed,
    tensors: &BTreeMap<String, Tensor>,
    folder: Option<&Folder>,
    progress: &mut Bars,
) -> Result<Inputs> {
    let path = folder.map(Folder::inputs);
    let is_there = path.as_deref().is_some_and(Path::exists);
    Ok(match path {
        None => encrypt_inputs(plan, secret, tensors, progress)?,
        Some(path) if is_there => Inputs::open(path, plan)?,
        Some(path) => write_inputs(path, plan, secret, tensors, progress)?,
    })
}
