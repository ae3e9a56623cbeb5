//! The key holder's answer in a file, for a server that runs elsewhere.

use crate::error::{HostError, Result};
use crate::files::{Container, Kind, Writer};
use crate::outputs::Outputs;
use crate::plan_file::PlanFile;
use crate::run::Answer;
use std::path::Path;

/// Bytes of the one record: the seal of what is answered, and two flags.
const RECORD_BYTES: usize = 34;

/// Writes the answer to what an epoch handed out. An existing file is replaced in one piece.
pub fn write_answer(path: impl AsRef<Path>, outputs: &Outputs, answer: Answer) -> Result<()> {
    let set = outputs.ciphertexts();
    let mut record = [0; RECORD_BYTES];
    record[..32].copy_from_slice(&set.identity());
    record[32..].copy_from_slice(&[answer.best.into(), answer.stop.into()]);
    let mut writer = Writer::create(path.as_ref(), Kind::Answer, set.owner())?;
    writer.record(&record)?;
    writer.finish()
}

/// Reads the answer to what an epoch handed out; none if the file answers something else, such as an epoch of an earlier run.
///
/// # Errors
/// [`HostError`] where there is no such file, or it is no answer.
pub fn read_answer(path: impl AsRef<Path>, plan: &PlanFile, outputs: &Outputs) -> Result<Option<Answer>> {
    let file = match Container::open(path.as_ref(), Kind::Answer, &plan.hash()) {
        Err(HostError::WrongPlan { .. }) => return Ok(None),
        file => file?,
    };
    let malformed = || file.malformed(0, "not an answer");
    let record: &[u8; RECORD_BYTES] = match (file.len(), file.record(0)?.try_into()) {
        (1, Ok(record)) => record,
        _ => return Err(malformed()),
    };
    let flag = |byte: u8| match byte {
        0 | 1 => Ok(byte == 1),
        _ => Err(malformed()),
    };
    let answer = Answer {
        best: flag(record[32])?,
        stop: flag(record[33])?,
    };
    let set = outputs.ciphertexts();
    let is_to_this = file.owner() == set.owner() && record[..32] == set.identity();
    Ok(is_to_this.then_some(answer))
}
