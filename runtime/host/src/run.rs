//! The loop around the executor: brings inputs, keeps states, collects outputs.

use crate::ciphertexts::Ciphertexts;
use crate::encrypt::Inputs;
use crate::error::{HostError, Result};
use crate::files::{CiphertextHeader, Form, Kind, Owner, full_record};
use crate::keys::EvaluationKeys;
use crate::memory::{Words, peak_memory_bytes, zeroed};
use crate::plan_file::PlanFile;
use crate::progress::{Progress, phase};
use cipherloom_ckks::{Context, Encoder};
use cipherloom_exec::{Event, Executor, Memory, Options, context_parameters};
use cipherloom_plan::{Plan, PortKind};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// How to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Worker threads; 0 for as many as the machine has. Outputs are the same bit for bit for any number.
    pub threads: usize,
    /// Run plans with toy parameters, which protect nothing.
    pub allow_toy: bool,
}

/// What a run took.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Seconds of each training step.
    pub step_seconds: Vec<f64>,
    /// Seconds of the whole run, with building tables and without reading files.
    pub total_seconds: f64,
    /// Bytes of the arena.
    pub arena_bytes: u64,
    /// The most memory that this process has had resident so far; 0 where the system does not say.
    pub peak_memory_bytes: u64,
    /// Worker threads that were used.
    pub threads: usize,
}

/// The encrypted outputs and reveals of a run, in memory or in a mapped file.
pub struct Outputs(Ciphertexts);

impl Outputs {
    /// Opens a file of outputs; it must have been made by this plan.
    pub fn open(path: impl AsRef<Path>, plan: &PlanFile) -> Result<Self> {
        let set = Ciphertexts::open(path.as_ref(), Kind::Outputs, plan)?;
        let wanted: Vec<u32> = result_ports(&plan.plan()).collect();
        if !set.contents().iter().map(|contents| contents.port).eq(wanted)
            || set.contents().iter().any(|contents| contents.batches != 1)
        {
            return Err(set.wrong_ports("not the outputs and reveals of the plan"));
        }
        Ok(Self(set))
    }

    /// Writes the outputs to a file.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        self.0.write(path.as_ref())
    }

    /// Packed bytes of all ciphertexts.
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    pub(crate) fn ciphertexts(&self) -> &Ciphertexts {
        &self.0
    }
}

/// Ports whose values are handed to the key holder.
fn result_ports(plan: &Plan<'_>) -> impl Iterator<Item = u32> {
    let is_result = |kind| matches!(kind, PortKind::Output | PortKind::Reveal);
    (0u32..)
        .zip(plan.ports())
        .filter(move |(_, port)| is_result(port.kind()))
        .map(|(index, _)| index)
}

/// Runs a plan to its end on `options.threads` threads. A tile that is revealed more than once is kept as it
/// was last. A stream's batch in training step t is t modulo the number of batches that were encrypted.
pub fn run(
    plan: &PlanFile,
    keys: &EvaluationKeys,
    inputs: &Inputs,
    options: RunOptions,
    progress: &mut dyn Progress,
) -> Result<(Outputs, RunReport)> {
    if keys.owner().plan != plan.hash() {
        return Err(HostError::Mismatch(
            "the evaluation keys are for another plan".into(),
        ));
    }
    inputs
        .ciphertexts()
        .check_owner(keys.owner(), "the evaluation keys")?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(HostError::Threads)?;
    let threads = pool.current_num_threads();
    let steps = u64::from(plan.plan().parameters().steps());
    let (outputs, step_seconds, total_seconds, arena_bytes) = pool.install(|| {
        phase(progress, "training steps", steps, |progress| {
            execute(plan, keys, inputs, options, progress)
        })
    })?;
    let report = RunReport {
        step_seconds,
        total_seconds,
        arena_bytes,
        peak_memory_bytes: peak_memory_bytes(),
        threads,
    };
    Ok((outputs, report))
}

/// Packed ciphertexts by port and tile.
type Records = BTreeMap<(usize, u32), Vec<u8>>;

fn execute(
    plan: &PlanFile,
    keys: &EvaluationKeys,
    inputs: &Inputs,
    options: RunOptions,
    progress: &mut dyn Progress,
) -> Result<(Outputs, Vec<f64>, f64, u64)> {
    let start = Instant::now();
    let view = plan.plan();
    let parameters = context_parameters(&view)?;
    let memory = Memory::of::<u64>(&view)?;
    let mut tables = Words::zeroed("ring tables", memory.context_words)?;
    let mut roots = zeroed("encoder table", memory.encoder_f64s)?;
    let mut arena = Words::zeroed("arena", memory.arena_words)?;
    let mut slots = zeroed("slots", memory.slot_f64s)?;
    let encoder = Encoder::new(parameters.log_n, &mut roots).map_err(HostError::ckks("encoder"))?;
    let context = Context::new(parameters, &mut tables).map_err(HostError::ckks("ring tables"))?;
    let arena_bytes = size_of_val(&arena[..]) as u64;
    let executor_options = Options {
        allow_toy: options.allow_toy,
        verified: true,
    };
    let mut executor = Executor::new(
        &view,
        &context,
        &encoder,
        &mut arena,
        &mut slots,
        keys,
        executor_options,
    )?;

    let mut states: BTreeMap<(usize, u32), Vec<u64>> = BTreeMap::new();
    let mut results = Records::new();
    let mut clock = StepClock::default();
    loop {
        match executor.next()? {
            Event::NeedInput {
                port,
                tile,
                step,
                level,
                destination,
            } => {
                let level = usize::from(level);
                match states.get(&(port, tile)) {
                    Some(kept) => lower(kept, context.degree(), level, destination)?,
                    None => {
                        let batches = inputs.ciphertexts().batches(port).unwrap_or(1);
                        let batch = step.checked_rem(batches).unwrap_or(0);
                        let port_view = view.port(port);
                        let name = port_view.as_ref().map_or("", |port| port.name());
                        inputs.expand(&context, name, (port, batch, tile), level, destination)?;
                    }
                }
            }
            Event::StoreState {
                port,
                tile,
                ciphertext,
                ..
            } => {
                states.insert((port, tile), ciphertext.to_vec());
            }
            Event::Output {
                port,
                tile,
                level,
                ciphertext,
                ..
            }
            | Event::Reveal {
                port,
                tile,
                level,
                ciphertext,
                ..
            } => {
                let header = CiphertextHeader {
                    port: port as u32,
                    batch: 0,
                    tile,
                    level,
                    form: Form::Full,
                };
                results.insert((port, tile), full_record(&context, header, ciphertext));
            }
            Event::StepStarted { .. } => {
                if clock.begin() {
                    progress.advance(1);
                }
            }
            Event::Checkpoint => (),
            Event::Done => break,
        }
    }
    if clock.end() {
        progress.advance(1);
    }
    let outputs = collect(plan, keys.owner(), results)?;
    Ok((outputs, clock.seconds, start.elapsed().as_secs_f64(), arena_bytes))
}

/// Copies the limbs up to `level` of a kept ciphertext of degree 1.
fn lower(kept: &[u64], degree: usize, level: usize, destination: &mut [u64]) -> Result<()> {
    let words = (level + 1) * degree;
    let halves = kept
        .chunks_exact(kept.len() / 2)
        .zip(destination.chunks_exact_mut(words));
    for (from, to) in halves {
        let from = from.get(..words);
        let from = from.ok_or_else(|| HostError::Mismatch("a state is read above its level".into()))?;
        to.copy_from_slice(from);
    }
    Ok(())
}

/// Puts the results in the order of the plan's ports.
fn collect(plan: &PlanFile, owner: Owner, mut results: Records) -> Result<Outputs> {
    let view = plan.plan();
    let ports: Vec<(u32, u32, u64)> = result_ports(&view)
        .filter_map(|port| {
            let rows = view.port(port as usize)?.shape().first().copied().unwrap_or(1);
            Some((port, 1, u64::from(rows)))
        })
        .collect();
    let mut set = Ciphertexts::new(plan, Kind::Outputs, owner, &ports)?;
    let headers: Vec<_> = set.headers().collect();
    for CiphertextHeader { port, tile, .. } in headers {
        let record = results.remove(&(port as usize, tile));
        let missing = || HostError::Mismatch("the plan ended without writing one of its outputs".into());
        set.push(record.ok_or_else(missing)?);
    }
    Ok(Outputs(set))
}

/// Times training steps: from each step's start to the next one's, or to the end of the run.
#[derive(Default)]
struct StepClock {
    begun: Option<Instant>,
    seconds: Vec<f64>,
}

impl StepClock {
    /// A step begins; says whether one ended by that.
    fn begin(&mut self) -> bool {
        let ended = self.end();
        self.begun = Some(Instant::now());
        ended
    }

    /// The run is over; says whether a step ended by that.
    fn end(&mut self) -> bool {
        let Some(begun) = self.begun.take() else {
            return false;
        };
        self.seconds.push(begun.elapsed().as_secs_f64());
        true
    }
}
