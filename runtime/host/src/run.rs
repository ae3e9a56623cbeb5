//! The loop around the executor: brings inputs, keeps states, collects outputs.

use crate::checkpoint::{self, Checkpoints};
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
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    /// Seconds of each training step that began in this run (a step in which a checkpoint was taken is not timed when the run is
    /// resumed from it).
    pub step_seconds: Vec<f64>,
    /// Seconds of the whole run, with building tables and without reading files.
    pub total_seconds: f64,
    /// Bytes of the arena.
    pub arena_bytes: u64,
    /// The most memory that this process has had resident so far; 0 where the system does not say.
    pub peak_memory_bytes: u64,
    /// Worker threads that were used.
    pub threads: usize,
    /// What each instruction took in all its rounds, by its place in the plan; empty without [`Run::profile`].
    pub instruction_seconds: Vec<f64>,
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

/// Runs a plan to its end on `options.threads` threads: [`Run`] without checkpoints.
pub fn run(
    plan: &PlanFile,
    keys: &EvaluationKeys,
    inputs: &Inputs,
    options: RunOptions,
    progress: &mut dyn Progress,
) -> Result<(Outputs, RunReport)> {
    Run::new(plan, keys, inputs, options).start(progress)
}

/// A run to be started, perhaps from a checkpoint, perhaps leaving checkpoints.
///
/// A tile that is revealed more than once is kept as it was last. A stream's batch in training step t is t modulo the number of
/// batches that were encrypted.
pub struct Run<'a> {
    plan: &'a PlanFile,
    keys: &'a EvaluationKeys,
    inputs: &'a Inputs,
    options: RunOptions,
    checkpoint: Option<(PathBuf, Duration)>,
    resume: Option<PathBuf>,
    profile: bool,
}

impl<'a> Run<'a> {
    /// A run of a plan from its beginning.
    pub fn new(
        plan: &'a PlanFile,
        keys: &'a EvaluationKeys,
        inputs: &'a Inputs,
        options: RunOptions,
    ) -> Self {
        Self {
            plan,
            keys,
            inputs,
            options,
            checkpoint: None,
            resume: None,
            profile: false,
        }
    }

    /// Measures every instruction.
    pub fn profile(mut self) -> Self {
        self.profile = true;
        self
    }

    /// Saves the run to a file at the plan's `checkpoint` instructions, at those that come at least `every` after the one
    /// saved last (zero: at each). The file is replaced in one piece: a run that is killed at any time leaves the last whole
    /// checkpoint. It is left there when the run ends, too.
    pub fn checkpoint_to(mut self, path: impl AsRef<Path>, every: Duration) -> Self {
        self.checkpoint = Some((path.as_ref().to_owned(), every));
        self
    }

    /// Begins where the checkpoint in a file was taken; the outputs will be the same bit for bit as of a run that was not
    /// interrupted. The checkpoint must be of this plan and of a run with the same evaluation keys and the same inputs.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Self {
        self.resume = Some(path.as_ref().to_owned());
        self
    }

    /// Runs to the end of the plan. Progress counts training steps; those before a checkpoint count at once.
    ///
    /// # Errors
    /// [`HostError`] where plan, keys, inputs and checkpoint do not belong together, files cannot be read or written, or
    /// there is not enough memory.
    pub fn start(self, progress: &mut dyn Progress) -> Result<(Outputs, RunReport)> {
        let Self {
            plan, keys, inputs, ..
        } = self;
        if keys.owner().plan != plan.hash() {
            return Err(HostError::Mismatch(
                "the evaluation keys are for another plan".into(),
            ));
        }
        inputs
            .ciphertexts()
            .check_owner(keys.owner(), "the evaluation keys")?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.options.threads)
            .build()
            .map_err(HostError::Threads)?;
        let threads = pool.current_num_threads();
        // Wait for every thread to be up: the first step is as fast as the others, and allocates no thread's memory.
        pool.broadcast(|_| ());
        let steps = u64::from(plan.plan().parameters().steps());
        let (outputs, report) = pool.install(|| {
            phase(progress, "training steps", steps, |progress| {
                self.execute(progress)
            })
        })?;
        let report = RunReport {
            peak_memory_bytes: peak_memory_bytes(),
            threads,
            ..report
        };
        Ok((outputs, report))
    }

    fn execute(&self, progress: &mut dyn Progress) -> Result<(Outputs, RunReport)> {
        let start = Instant::now();
        let (plan, keys, inputs) = (self.plan, self.keys, self.inputs);
        let view = plan.plan();
        let parameters = context_parameters(&view)?;
        let memory = Memory::of::<u64>(&view)?;
        let mut tables = Words::zeroed("ring tables", memory.context_words)?;
        let mut roots = zeroed("encoder table", memory.encoder_f64s)?;
        let mut arena = Words::zeroed("arena", memory.arena_words)?;
        arena.touch();
        let mut slots = zeroed("slots", memory.slot_f64s)?;
        let encoder = Encoder::new(parameters.log_n, &mut roots).map_err(HostError::ckks("encoder"))?;
        let context = Context::new(parameters, &mut tables).map_err(HostError::ckks("ring tables"))?;
        let arena_bytes = size_of_val(&arena[..]) as u64;
        let executor_options = Options {
            allow_toy: self.options.allow_toy,
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

        let mut kept = Kept::default();
        let mut clock = StepClock::of(view.parameters().steps());
        if let Some(path) = &self.resume {
            checkpoint::load(path, plan, keys, inputs, &mut executor, &mut kept)?;
            progress.advance(executor.step().map_or(0, |step| u64::from(step) + 1));
        }
        let checkpoints = self.checkpoint.as_ref().map(|(path, every)| {
            let checkpoints = Checkpoints::new(path, plan, keys, inputs);
            (checkpoints, *every)
        });
        let mut saved: Option<Instant> = None;
        let mut instruction_seconds = vec![
            0.0;
            if self.profile {
                view.instructions().len()
            } else {
                0
            }
        ];
        if self.profile {
            executor = executor.pausing();
        }
        loop {
            let (position, began) = (executor.position(), Instant::now());
            let event = executor.next()?;
            if let Some(seconds) = instruction_seconds.get_mut(position) {
                *seconds += began.elapsed().as_secs_f64();
            }
            match event {
                Event::NeedInput {
                    port,
                    tile,
                    step,
                    level,
                    destination,
                } => {
                    let level = usize::from(level);
                    match kept.states.get(&(port, tile)) {
                        Some(state) => lower(state, context.degree(), level, destination)?,
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
                    let state = kept.states.entry((port, tile)).or_default();
                    state.clear();
                    state.extend_from_slice(ciphertext);
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
                    let record = kept.results.entry((port, tile)).or_default();
                    full_record(&context, header, ciphertext, record);
                }
                Event::StepStarted { .. } => {
                    if clock.begin() {
                        progress.advance(1);
                    }
                }
                Event::Checkpoint => {
                    if let Some((checkpoints, every)) = &checkpoints
                        && saved.is_none_or(|saved| saved.elapsed() >= *every)
                    {
                        checkpoints.save(&executor, &kept)?;
                        saved = Some(Instant::now());
                    }
                }
                Event::Advanced => {}
                Event::Done => break,
            }
        }
        if clock.end() {
            progress.advance(1);
        }
        let outputs = collect(plan, keys.owner(), kept.results)?;
        let report = RunReport {
            step_seconds: clock.seconds,
            total_seconds: start.elapsed().as_secs_f64(),
            arena_bytes,
            peak_memory_bytes: 0,
            threads: 0,
            instruction_seconds,
        };
        Ok((outputs, report))
    }
}

/// What a run has handed out so far, by port and tile.
#[derive(Default)]
pub(crate) struct Kept {
    /// The ciphertexts of states that were stored last.
    pub(crate) states: BTreeMap<(usize, u32), Vec<u64>>,
    /// Packed ciphertexts of outputs and reveals.
    pub(crate) results: BTreeMap<(usize, u32), Vec<u8>>,
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
fn collect(plan: &PlanFile, owner: Owner, mut results: BTreeMap<(usize, u32), Vec<u8>>) -> Result<Outputs> {
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
struct StepClock {
    begun: Option<Instant>,
    seconds: Vec<f64>,
}

impl StepClock {
    /// A clock that has room for so many steps.
    fn of(steps: u32) -> Self {
        Self {
            begun: None,
            // Steps may be billions; beyond the first million the list grows.
            seconds: Vec::with_capacity(steps.min(1 << 20) as usize),
        }
    }

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
