//! The loop around the executor: brings inputs, keeps states, collects outputs, asks the key holder.

use crate::checkpoint::{self, Checkpoints};
use crate::encrypt::Inputs;
use crate::error::{HostError, Result};
use crate::files::{CiphertextHeader, Form, full_record};
use crate::keys::EvaluationKeys;
use crate::memory::{Region, Words, peak_memory_bytes};
use crate::outputs::{Outputs, Results};
use crate::plan_file::PlanFile;
use crate::prefetch::{Closing, Request, Shelf};
use crate::progress::{Progress, phase};
use crate::step_clock::StepClock;
use cipherloom_ckks::{Context, Encoder};
use cipherloom_exec::{Event, Executor, Memory, Options, context_parameters};
use cipherloom_plan::PortKind;
use cipherloom_ring::parallel;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunReport {
    /// Seconds of each training step that began in this run (a step in which a checkpoint was taken is not timed when the run is
    /// resumed from it), with what its epoch does at its end.
    pub step_seconds: Vec<f64>,
    /// Epochs that ended, those before a checkpoint included; 0 for a plan without epochs.
    pub epochs: u32,
    /// The epoch, from 0, that the outputs are of, where the key holder called one the best.
    pub best_epoch: Option<u32>,
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

/// What the key holder says when an epoch has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The epoch is the best so far: its outputs are those of the run, unless a later one is better.
    pub best: bool,
    /// The run ends here.
    pub stop: bool,
}

/// Answers for the key holder: gets the number of the epoch, from 0, and what it handed out.
pub type AskKeyHolder<'a> = dyn FnMut(u32, &Outputs) -> std::result::Result<Answer, BoxedError> + Send + 'a;

/// An error of the caller's.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

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
/// A tile that is handed out more than once is kept as it was last, or as it was after the best epoch. A stream's batch in
/// training step t is t modulo the number of batches that were encrypted.
pub struct Run<'a> {
    plan: &'a PlanFile,
    keys: &'a EvaluationKeys,
    inputs: &'a Inputs,
    options: RunOptions,
    checkpoint: Option<(PathBuf, u32)>,
    resume: Option<PathBuf>,
    ask: Option<&'a mut AskKeyHolder<'a>>,
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
            ask: None,
            profile: false,
        }
    }

    /// Measures every instruction, with what the host does for it. Of some that are carried out together, the first has the
    /// time of all.
    pub fn profile(mut self) -> Self {
        self.profile = true;
        self
    }

    /// Asks after each epoch whether it was the best, and whether to go on.
    pub fn ask(mut self, ask: &'a mut AskKeyHolder<'a>) -> Self {
        self.ask = Some(ask);
        self
    }

    /// Saves the run to a file at the plan's `checkpoint` instructions: after each epoch, and when `every` training steps have
    /// begun since the one saved last (zero: at each). The file is replaced in one piece: a run that is killed at any time
    /// leaves the last whole checkpoint. It is left there when the run ends, too.
    pub fn checkpoint_to(mut self, path: impl AsRef<Path>, every: u32) -> Self {
        self.checkpoint = Some((path.as_ref().to_owned(), every));
        self
    }

    /// Begins where the checkpoint in a file was taken; the outputs will be the same bit for bit as of a run that was not
    /// interrupted. The checkpoint must be of this plan and of a run with the same evaluation keys and the same inputs.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Self {
        self.resume = Some(path.as_ref().to_owned());
        self
    }

    /// Runs to the end of the plan, or until the key holder stops it. Progress counts training steps; those before a
    /// checkpoint count at once.
    ///
    /// # Errors
    /// [`HostError`] where plan, keys, inputs and checkpoint do not belong together, files cannot be read or written, or
    /// there is not enough memory; [`HostError::KeyHolder`] with what was said instead of an answer.
    pub fn start(mut self, progress: &mut dyn Progress) -> Result<(Outputs, RunReport)> {
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
        let pool = threads(self.options.threads)?;
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

    fn execute(&mut self, progress: &mut dyn Progress) -> Result<(Outputs, RunReport)> {
        let start = Instant::now();
        let (plan, keys, inputs) = (self.plan, self.keys, self.inputs);
        let view = plan.plan();
        let parameters = context_parameters(&view)?;
        let memory = Memory::of::<u64>(&view)?;
        let mut tables = Words::zeroed("ring tables", memory.context_words)?;
        let mut roots = Region::zeroed("encoder table", memory.encoder_f64s)?;
        let mut arena = Words::zeroed("arena", memory.arena_words)?;
        arena.touch();
        let mut slots = Region::zeroed("slots", memory.slot_f64s)?;
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
        if let Some(path) = &self.resume {
            checkpoint::load(path, plan, keys, inputs, &mut executor, &mut kept)?;
            progress.advance(executor.step().map_or(0, |step| u64::from(step) + 1));
        }
        if self.profile {
            executor = executor.pausing();
        }
        let shelf = Shelf::new(&view, context.degree())?;
        let from = executor.snapshot();
        let ahead = threads(1)?;
        ahead.broadcast(|_| ());
        let report = ahead.in_place_scope(|scope| {
            scope.spawn(|_| shelf.fill(&view, inputs, &context, &from));
            let _closing = Closing(&shelf);
            self.follow(&mut executor, &mut kept, &context, &shelf, progress)
        })?;
        let (best_epoch, results) = match kept.best {
            Some(best) => (Some(best.epoch), best.results),
            None => (None, kept.results),
        };
        let outputs = Outputs::collect(plan, keys.owner(), results)?;
        let report = RunReport {
            best_epoch,
            total_seconds: start.elapsed().as_secs_f64(),
            arena_bytes,
            ..report
        };
        Ok((outputs, report))
    }

    /// Answers the executor until the run is over.
    fn follow(
        &mut self,
        executor: &mut Executor<'_, u64, EvaluationKeys>,
        kept: &mut Kept,
        context: &Context<'_, u64>,
        shelf: &Shelf,
        progress: &mut dyn Progress,
    ) -> Result<RunReport> {
        let (plan, keys, inputs) = (self.plan, self.keys, self.inputs);
        let view = plan.plan();
        let mut clock = StepClock::of(view.parameters().steps());
        let mut checkpoints = self
            .checkpoint
            .as_ref()
            .map(|(path, every)| Checkpoints::new(path, *every, plan, keys, inputs, executor.step()));
        let mut report = RunReport::default();
        if self.profile {
            report.instruction_seconds.resize(view.instructions().len(), 0.0);
        }
        let mut epoch_ended = false;
        loop {
            let (position, began) = (executor.position(), Instant::now());
            let event = executor.next()?;
            match event {
                Event::NeedInput {
                    port,
                    tile,
                    step,
                    level,
                    destination,
                } => {
                    let level = usize::from(level);
                    let request = Request::new(inputs, port, tile, step, level);
                    let is_state = view.port(port).is_some_and(|port| port.kind() == PortKind::State);
                    match kept.states.get(&(port, tile)) {
                        Some(state) => lower(state, context.degree(), level, destination)?,
                        None if is_state => request.expand(inputs, &view, context, destination)?,
                        None => shelf.take(request, destination)?,
                    }
                }
                Event::StoreState {
                    port,
                    tile,
                    ciphertext,
                    ..
                } => {
                    let state = kept.states.entry((port, tile)).or_default();
                    if state.len() != ciphertext.len() {
                        *state = Words::zeroed("state", ciphertext.len())?;
                    }
                    parallel::copy(state, ciphertext);
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
                    full_record(context, header, ciphertext, record);
                }
                Event::StepStarted { .. } => {
                    if clock.begin() {
                        progress.advance(1);
                    }
                }
                Event::EpochEnded { epoch } => {
                    if clock.end() {
                        progress.advance(1);
                    }
                    (report.epochs, epoch_ended) = (epoch + 1, true);
                    if self.epoch(epoch, kept)?.stop {
                        break;
                    }
                }
                Event::Checkpoint => {
                    if let Some(checkpoints) = &mut checkpoints {
                        checkpoints.pass(executor, kept, epoch_ended)?;
                    }
                    epoch_ended = false;
                }
                Event::Advanced => {}
                Event::Done => break,
            }
            if let Some(seconds) = report.instruction_seconds.get_mut(position) {
                *seconds += began.elapsed().as_secs_f64();
            }
        }
        if clock.end() {
            progress.advance(1);
        }
        report.step_seconds = clock.seconds();
        Ok(report)
    }

    /// Asks the key holder about an epoch, and keeps the best.
    fn epoch(&mut self, epoch: u32, kept: &mut Kept) -> Result<Answer> {
        let Some(ask) = &mut self.ask else {
            return Ok(Answer::default());
        };
        let outputs = Outputs::collect(self.plan, self.keys.owner(), kept.results.clone())?;
        let answer = ask(epoch, &outputs).map_err(HostError::KeyHolder)?;
        if answer.best {
            let results = kept.results.clone();
            kept.best = Some(Best { epoch, results });
        }
        Ok(answer)
    }
}

/// A pool of so many threads; 0 for as many as the machine has.
fn threads(count: usize) -> Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
    pool.map_err(HostError::Threads)
}

/// What a run has handed out so far.
#[derive(Default)]
pub(crate) struct Kept {
    /// The ciphertexts of states that were stored last, by port and tile.
    pub(crate) states: BTreeMap<(usize, u32), Words>,
    /// Outputs and reveals as they were handed out last.
    pub(crate) results: Results,
    /// Those of the best epoch.
    pub(crate) best: Option<Best>,
}

/// The best epoch so far.
pub(crate) struct Best {
    pub(crate) epoch: u32,
    pub(crate) results: Results,
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
        parallel::copy(to, from);
    }
    Ok(())
}
