//! The key holder: has the secret key, makes what the server needs, and answers after each epoch.

use std::collections::BTreeMap;
use std::path::Path;

use cipherloom_host::{
    Answer, EvaluationKeys, Inputs, Outputs, PlanFile, SecretSeed, Tensor, decrypt_outputs, encrypt_inputs,
    generate_evaluation_keys, generate_seed, read_secret_key, write_evaluation_keys, write_inputs,
    write_secret_key,
};

use crate::error::Result;
use crate::folder::Folder;
use crate::ui::{Bars, Lines};
use crate::validation::{EarlyStopping, Measure, Validation};

/// Who answers after each epoch.
pub struct KeyHolder<'a> {
    pub plan: &'a PlanFile,
    pub secret: &'a SecretSeed,
    /// What the epochs are measured with; without, the latest is the best, and none is the last.
    pub validation: Option<&'a Validation>,
    pub stopping: EarlyStopping,
    pub lines: Lines,
}

impl KeyHolder<'_> {
    /// Decrypts what an epoch revealed, measures it and decides.
    pub fn answer(&mut self, epoch: u32, outputs: &Outputs) -> Result<Answer> {
        let Some(measure) = self.measure(outputs)? else {
            return Ok(Answer {
                best: true,
                stop: false,
            });
        };
        let answer = self.stopping.answer(measure);
        self.say(epoch, measure, answer);
        Ok(answer)
    }

    /// Says that training will not end early, where nothing is measured.
    pub fn announce(&self) {
        if self.validation.is_none() && self.plan.plan().epochs() > 0 {
            self.lines
                .say("no y_val for what the epochs reveal: all of them are run, and the last one's outputs are kept");
        }
    }

    /// Measures the epochs before one again that a run measured before it was interrupted.
    pub fn replay(&mut self, epoch: u32, folder: &Folder) -> Result<()> {
        self.stopping.rewind(epoch as usize);
        for earlier in self.stopping.measures().len() as u32..epoch {
            let outputs = Outputs::open(folder.epoch(earlier), self.plan)?;
            let Some(measure) = self.measure(&outputs)? else {
                break;
            };
            self.stopping.answer(measure);
        }
        Ok(())
    }

    fn measure(&self, outputs: &Outputs) -> Result<Option<Measure>> {
        let measure = |validation: &Validation| {
            let results = decrypt_outputs(self.plan, self.secret, outputs)?;
            validation.measure(&results)
        };
        self.validation.map(measure).transpose()
    }

    /// One line for an epoch.
    fn say(&self, epoch: u32, measure: Measure, answer: Answer) {
        let accuracy = measure
            .accuracy
            .map(|accuracy| format!(", accuracy {accuracy:.2} %"));
        let note = match answer {
            Answer { stop: true, .. } => ": no better for a while, training ends",
            Answer { best: true, .. } => ": the best so far",
            _ => "",
        };
        self.lines.say(&format!(
            "epoch {}: validation loss {:.5}{}{note}",
            epoch + 1,
            measure.loss,
            accuracy.unwrap_or_default()
        ));
    }
}

/// The secret key in a file; a fresh one where there is none, in memory without a path.
pub fn secret(plan: &PlanFile, path: Option<&Path>) -> Result<SecretSeed> {
    match path {
        Some(path) if path.exists() => Ok(read_secret_key(path, plan)?),
        _ => {
            let secret = generate_seed()?;
            if let Some(path) = path {
                write_secret_key(path, plan, &secret)?;
            }
            Ok(secret)
        }
    }
}

/// The evaluation keys of a folder, made where there are none; in memory without a folder.
pub fn evaluation_keys(
    plan: &PlanFile,
    secret: &SecretSeed,
    folder: Option<&Folder>,
    progress: &mut Bars,
) -> Result<EvaluationKeys> {
    let Some(folder) = folder else {
        return Ok(generate_evaluation_keys(plan, secret, progress)?);
    };
    put_evaluation_keys(plan, secret, folder, progress)?;
    Ok(EvaluationKeys::read(folder.keys(), plan, progress)?)
}

/// Makes the evaluation keys of a folder where there are none.
pub fn put_evaluation_keys(
    plan: &PlanFile,
    secret: &SecretSeed,
    folder: &Folder,
    progress: &mut Bars,
) -> Result<()> {
    let path = folder.keys();
    if !path.exists() {
        write_evaluation_keys(&path, plan, secret, progress)?;
    }
    Ok(())
}

/// The encrypted inputs of a folder, made where there are none; in memory without a folder.
pub fn inputs(
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
