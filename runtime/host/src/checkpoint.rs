//! Checkpoints: everything that a run needs to go on where it was, in one file.
//!
//! A checkpoint is taken at a `checkpoint` instruction. It holds where the run is, the buffers that are read later, the states
//! and the results so far; encoded constants are encoded again. The file is complete and on the disk before it takes the
//! place of the one before, so that whenever a run is killed, the last checkpoint is there.

use crate::encrypt::Inputs;
use crate::error::{HostError, Result};
use crate::files::{CiphertextHeader, Container, Form, Kind, Owner, Writer, ciphertext_place, sweep};
use crate::keys::EvaluationKeys;
use crate::live::{Live, live_at};
use crate::memory::Words;
use crate::outputs::Results;
use crate::plan_file::PlanFile;
use crate::run::{Best, Kept};
use cipherloom_ckks::Parameters;
use cipherloom_exec::{Executor, Snapshot, context_parameters};
use cipherloom_plan::{MAX_LOOP_DEPTH, Op, Plan, PortKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes of the first record.
const HEADER_BYTES: usize = 112;
/// Bytes before the words of a buffer or state: index or port, and tile.
const PLACE_BYTES: usize = 8;
/// `step` of the header before the first step.
const NO_STEP: u32 = u32::MAX;

/// Writes the checkpoints of one run.
pub(crate) struct Checkpoints {
    path: PathBuf,
    /// Training steps between one and the next.
    every: u32,
    /// Training steps that had begun at the last one.
    saved: u32,
    owner: Owner,
    source: Source,
    /// By position.
    live: BTreeMap<usize, Live>,
}

/// What the run is made with: a run goes on with the same bits only if it has the same keys and inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Source {
    keys: [u8; 32],
    inputs: [u8; 32],
}

impl Source {
    fn of(keys: &EvaluationKeys, inputs: &Inputs) -> Self {
        Self {
            keys: keys.identity(),
            inputs: inputs.ciphertexts().identity(),
        }
    }
}

impl Checkpoints {
    /// Checkpoints of a run of this plan with these keys and inputs, written to `path` every so many training steps. The run is
    /// in training step `step`.
    pub(crate) fn new(
        path: &Path,
        every: u32,
        plan: &PlanFile,
        keys: &EvaluationKeys,
        inputs: &Inputs,
        step: Option<u32>,
    ) -> Self {
        sweep(path);
        let view = plan.plan();
        let places = (1..).zip(view.instructions());
        let places = places.filter(|(_, instruction)| instruction.op == Op::Checkpoint);
        let places = places.map(|(at, _)| at);
        Self {
            path: path.to_owned(),
            every,
            saved: begun(step),
            owner: keys.owner(),
            source: Source::of(keys, inputs),
            live: live_at(&view, places),
        }
    }

    /// Passes a `checkpoint` instruction: writes the state of the run where the last one is old enough, or an epoch ended.
    pub(crate) fn pass(
        &mut self,
        executor: &Executor<'_, u64, EvaluationKeys>,
        kept: &Kept,
        epoch_ended: bool,
    ) -> Result<()> {
        let begun = begun(executor.step());
        if epoch_ended || begun >= self.saved.saturating_add(self.every) {
            self.save(executor, kept)?;
            self.saved = begun;
        }
        Ok(())
    }

    fn save(&self, executor: &Executor<'_, u64, EvaluationKeys>, kept: &Kept) -> Result<()> {
        let snapshot = executor.snapshot();
        let no_place = || HostError::Mismatch("a checkpoint is taken at a checkpoint instruction".into());
        let live = self.live.get(&snapshot.position).ok_or_else(no_place)?;
        let mut writer = Writer::create(&self.path, Kind::Checkpoint, self.owner)?;
        let best = kept.best.as_ref();
        let counts = Counts {
            buffers: live.kept.len(),
            states: kept.states.len(),
            results: kept.results.len(),
            best: best.map_or(0, |best| best.results.len()),
            best_epoch: best.map_or(0, |best| best.epoch),
        };
        writer.record(&header(&snapshot, &self.source, counts))?;
        let mut record = Vec::new();
        for &buffer in &live.kept {
            let missing = || HostError::Mismatch(format!("the plan has no buffer {buffer}"));
            let words = executor.buffer(buffer as usize).ok_or_else(missing)?;
            words_record([buffer, 0], words, &mut record);
            writer.record(&record)?;
        }
        for (&(port, tile), words) in &kept.states {
            words_record([port as u32, tile], words, &mut record);
            writer.record(&record)?;
        }
        let best = best.into_iter().flat_map(|best| best.results.values());
        for result in kept.results.values().chain(best) {
            writer.record(result)?;
        }
        writer.finish()
    }
}

/// Puts a run that is at its beginning where the checkpoint in a file was taken. The file must be of this plan, and of a run
/// with these keys and inputs.
pub(crate) fn load(
    path: &Path,
    plan: &PlanFile,
    keys: &EvaluationKeys,
    inputs: &Inputs,
    executor: &mut Executor<'_, u64, EvaluationKeys>,
    kept: &mut Kept,
) -> Result<()> {
    let file = Container::open(path, Kind::Checkpoint, &plan.hash())?;
    let source = Source::of(keys, inputs);
    let other = |what: &str| {
        let name = path.display();
        HostError::Mismatch(format!("{name}: the checkpoint is of a run with other {what}"))
    };
    let (snapshot, found, counts) =
        read_header(file.record(0)?).ok_or_else(|| file.malformed(0, "not the header of a checkpoint"))?;
    if file.owner() != keys.owner() {
        return Err(other("secret key"));
    }
    if found.keys != source.keys {
        return Err(other("evaluation keys"));
    }
    if found.inputs != source.inputs {
        return Err(other("inputs"));
    }
    let view = plan.plan();
    let at_checkpoint = snapshot
        .position
        .checked_sub(1)
        .and_then(|before| view.instruction(before));
    if at_checkpoint.is_none_or(|instruction| instruction.op != Op::Checkpoint) {
        return Err(file.malformed(0, "the plan has no checkpoint there"));
    }
    executor
        .restore(&snapshot)
        .map_err(|error| file.malformed(0, error.to_string()))?;
    let live = live_at(&view, [snapshot.position]);
    let live = live.get(&snapshot.position).cloned().unwrap_or_default();
    let parameters = context_parameters(&view)?;
    let Counts {
        buffers,
        states,
        results,
        best,
        best_epoch,
    } = counts;
    if buffers != live.kept.len() || file.len() != 1 + buffers + states + results + best {
        return Err(file.malformed(
            0,
            "other numbers of buffers, states and results than the plan has there",
        ));
    }
    let mut index = 1;
    for &buffer in &live.kept {
        let words = executor.buffer_mut(buffer as usize);
        let read = words.and_then(|words| read_words(file.record(index).ok()?, [buffer, 0], words));
        read.ok_or_else(|| file.malformed(index, format!("not the contents of buffer {buffer}")))?;
        file.release(index);
        index += 1;
    }
    for _ in 0..states {
        let malformed = |file: &Container| file.malformed(index, "not a state of the plan");
        let record = file.record(index)?;
        let [port, tile] = place(record).ok_or_else(|| malformed(&file))?;
        let view = view
            .port(port as usize)
            .filter(|view| view.kind() == PortKind::State && tile < view.layout().tiles());
        let level = view.ok_or_else(|| malformed(&file))?.level();
        let mut words = Words::zeroed("state", parameters.ciphertext_words(usize::from(level), 1))?;
        read_words(record, [port, tile], &mut words).ok_or_else(|| malformed(&file))?;
        kept.states.insert((port as usize, tile), words);
        index += 1;
    }
    let mut read = |count: usize| -> Result<Results> {
        let mut read = Results::new();
        for _ in 0..count {
            let record = file.record(index)?;
            let place = result_place(&view, &parameters, record);
            let (port, tile) = place.ok_or_else(|| file.malformed(index, "not a result of the plan"))?;
            read.insert((port as usize, tile), record.to_vec());
            index += 1;
        }
        Ok(read)
    };
    kept.results = read(results)?;
    if best > 0 {
        let results = read(best)?;
        kept.best = Some(Best {
            epoch: best_epoch,
            results,
        });
    }
    for &at in &live.encoded {
        executor.encode(at as usize)?;
    }
    Ok(())
}

/// Port and tile of the packed ciphertext of an output or reveal; none if it is no such thing.
fn result_place(plan: &Plan<'_>, parameters: &Parameters, record: &[u8]) -> Option<(u32, u32)> {
    let (port, tile) = ciphertext_place(record)?;
    let view = plan.port(port as usize)?;
    let is_result = matches!(view.kind(), PortKind::Output | PortKind::Reveal);
    let header = CiphertextHeader {
        port,
        batch: 0,
        tile,
        level: view.level(),
        form: Form::Full,
    };
    (is_result && tile < view.layout().tiles() && header.matches(parameters, record)).then_some((port, tile))
}

/// How many training steps have begun.
fn begun(step: Option<u32>) -> u32 {
    step.map_or(0, |step| step.saturating_add(1))
}

/// Numbers of records, and the best epoch.
#[derive(Clone, Copy)]
struct Counts {
    buffers: usize,
    states: usize,
    results: usize,
    /// Results of the best epoch; 0 if there is none.
    best: usize,
    best_epoch: u32,
}

fn header(snapshot: &Snapshot, source: &Source, counts: Counts) -> [u8; HEADER_BYTES] {
    let mut left = [0; MAX_LOOP_DEPTH];
    left.iter_mut()
        .zip(&snapshot.left)
        .for_each(|(to, &from)| *to = from);
    let mut numbers = vec![
        snapshot.position as u32,
        snapshot.step.unwrap_or(NO_STEP),
        snapshot.left.len() as u32,
    ];
    numbers.extend(left);
    let Counts {
        buffers,
        states,
        results,
        best,
        best_epoch,
    } = counts;
    numbers.extend([buffers, states, results, best].map(|count| count as u32));
    numbers.push(best_epoch);
    let mut bytes = [0; HEADER_BYTES];
    let (fixed, rest) = bytes.split_at_mut(64);
    fixed[..32].copy_from_slice(&source.keys);
    fixed[32..].copy_from_slice(&source.inputs);
    for (bytes, number) in rest.chunks_exact_mut(4).zip(numbers) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn read_header(bytes: &[u8]) -> Option<(Snapshot, Source, Counts)> {
    let bytes: &[u8; HEADER_BYTES] = bytes.try_into().ok()?;
    let (keys, rest) = bytes.split_first_chunk()?;
    let (inputs, rest) = rest.split_first_chunk()?;
    let source = Source {
        keys: *keys,
        inputs: *inputs,
    };
    let mut numbers = rest
        .chunks_exact(4)
        .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let (position, step, depth) = (numbers.next()?, numbers.next()?, numbers.next()? as usize);
    let left: Vec<u32> = numbers.by_ref().take(MAX_LOOP_DEPTH).collect();
    let snapshot = Snapshot {
        position: position as usize,
        step: (step != NO_STEP).then_some(step),
        left: left.get(..depth)?.iter().copied().collect(),
    };
    let mut count = || numbers.next().map(|count| count as usize);
    let counts = Counts {
        buffers: count()?,
        states: count()?,
        results: count()?,
        best: count()?,
        best_epoch: numbers.next()?,
    };
    let is_clean = (counts.best > 0 || counts.best_epoch == 0) && left[depth..].iter().all(|&rest| rest == 0);
    is_clean.then_some((snapshot, source, counts))
}

/// The record of the words at a place.
fn words_record(place: [u32; 2], words: &[u64], record: &mut Vec<u8>) {
    record.clear();
    record.reserve(PLACE_BYTES + size_of_val(words));
    place
        .iter()
        .for_each(|number| record.extend_from_slice(&number.to_le_bytes()));
    words
        .iter()
        .for_each(|word| record.extend_from_slice(&word.to_le_bytes()));
}

fn place(record: &[u8]) -> Option<[u32; 2]> {
    let (first, rest) = record.split_first_chunk()?;
    let (second, _) = rest.split_first_chunk()?;
    Some([u32::from_le_bytes(*first), u32::from_le_bytes(*second)])
}

/// Reads words from the record of a place; none if it is of another place or length.
fn read_words(record: &[u8], expected: [u32; 2], words: &mut [u64]) -> Option<()> {
    let found = place(record)?;
    let bytes = record.get(PLACE_BYTES..)?;
    if found != expected || bytes.len() != size_of_val(words) {
        return None;
    }
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().ok()?);
    }
    Some(())
}
