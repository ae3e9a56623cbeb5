//! Inputs and mini-batches expanded ahead of their use, by a thread of its own: while the run computes, the next ciphertexts
//! are read from the mapped file and expanded. What a plan asks for next, and in which order, follows from its instructions.

use crate::encrypt::Inputs;
use crate::error::{HostError, Result};
use crate::memory::Words;
use cipherloom_ckks::Context;
use cipherloom_exec::{Cursor, Snapshot};
use cipherloom_plan::{Op, Plan};
use cipherloom_ring::parallel;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Memory for ciphertexts that wait; two at least.
const BUDGET_BYTES: usize = 256 << 20;
/// The most ciphertexts that wait, however small.
const MOST: usize = 64;

/// What a plan asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Port, batch and tile.
    pub(crate) place: (usize, u32, u32),
    /// The level that it is wanted at.
    pub(crate) level: usize,
}

impl Request {
    /// The request of an `input` or `stream` in a training step: a stream's batch in step t is t modulo the number of batches.
    pub(crate) fn new(inputs: &Inputs, port: usize, tile: u32, step: u32, level: usize) -> Self {
        let batches = inputs.ciphertexts().batches(port).unwrap_or(1);
        let batch = step.checked_rem(batches).unwrap_or(0);
        Self {
            place: (port, batch, tile),
            level,
        }
    }

    /// 2·(level+1)·N words.
    fn words(&self, degree: usize) -> usize {
        2 * (self.level + 1) * degree
    }

    /// Expands the ciphertext.
    pub(crate) fn expand(
        &self,
        inputs: &Inputs,
        plan: &Plan<'_>,
        context: &Context<'_, u64>,
        destination: &mut [u64],
    ) -> Result<()> {
        let port = plan.port(self.place.0);
        let name = port.as_ref().map_or("", |port| port.name());
        inputs.expand(context, name, self.place, self.level, destination)
    }
}

/// The ciphertexts that wait, and the memory for others.
pub(crate) struct Shelf {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    filled: VecDeque<(Request, Result<Words>)>,
    /// Memory for the largest ciphertext each.
    empty: Vec<Words>,
    /// Nobody takes, or nobody fills any more.
    closed: bool,
}

impl Shelf {
    /// A shelf for what a plan asks for, with all its memory.
    pub(crate) fn new(plan: &Plan<'_>, degree: usize) -> Result<Self> {
        let is_wanted = |op| matches!(op, Op::Input | Op::Stream);
        let levels = plan
            .instructions()
            .filter(|instruction| is_wanted(instruction.op));
        let largest = levels
            .map(|instruction| 2 * (usize::from(instruction.level) + 1) * degree)
            .max();
        let count = largest.map_or(0, |words| (BUDGET_BYTES / (8 * words)).clamp(2, MOST));
        let empty = (0..count).map(|_| {
            let mut words = Words::zeroed("inputs that wait", largest.unwrap_or(0))?;
            words.touch();
            Ok(words)
        });
        let empty = empty.collect::<Result<_>>()?;
        Ok(Self {
            state: Mutex::new(State {
                filled: VecDeque::with_capacity(count + 1),
                empty,
                closed: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// Copies the next ciphertext, which must be the one that is asked for, waiting for it if need be.
    pub(crate) fn take(&self, request: Request, destination: &mut [u64]) -> Result<()> {
        let mut state = self.lock();
        let (found, words) = loop {
            if let Some(next) = state.filled.pop_front() {
                break next;
            }
            if state.closed {
                return Err(out_of_step());
            }
            state = self.wait(state);
        };
        drop(state);
        let words = words?;
        let ciphertext = words.get(..destination.len());
        let ciphertext = ciphertext.filter(|_| found == request).ok_or_else(out_of_step)?;
        parallel::copy(destination, ciphertext);
        self.lock().empty.push(words);
        self.changed.notify_all();
        Ok(())
    }

    /// Fills the shelf with everything that the plan asks for after a snapshot, in order, until it is closed.
    pub(crate) fn fill(&self, plan: &Plan<'_>, inputs: &Inputs, context: &Context<'_, u64>, from: &Snapshot) {
        let _closing = Closing(self);
        let Some(mut cursor) = Cursor::at(plan, from) else {
            return;
        };
        while let Some(instruction) = plan.instruction(cursor.position()) {
            if matches!(instruction.op, Op::Input | Op::Stream) {
                let (port, step) = (instruction.a as usize, cursor.step().unwrap_or(0));
                let request = Request::new(inputs, port, instruction.b, step, instruction.level.into());
                let Some(mut words) = self.memory() else {
                    return;
                };
                let expanded = match words.get_mut(..request.words(context.degree())) {
                    Some(ciphertext) => request.expand(inputs, plan, context, ciphertext),
                    None => Err(out_of_step()),
                };
                let failed = expanded.is_err();
                self.lock().filled.push_back((request, expanded.map(|()| words)));
                self.changed.notify_all();
                if failed {
                    return;
                }
            }
            if cursor.pass(&instruction).is_err() {
                return;
            }
        }
    }

    /// Memory for the next ciphertext, when there is some; none when the shelf is closed.
    fn memory(&self) -> Option<Words> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(words) = state.empty.pop() {
                return Some(words);
            }
            state = self.wait(state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What a thread that panicked leaves is whole: each change is one push or pop.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, state: MutexGuard<'g, State>) -> MutexGuard<'g, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes a shelf when it goes out of scope, whatever the reason.
pub(crate) struct Closing<'s>(pub(crate) &'s Shelf);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

fn out_of_step() -> HostError {
    HostError::Mismatch("the run asks for other inputs than its plan".into())
}
