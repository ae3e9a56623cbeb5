//! What the caller must bring: parameters and sizes that follow from a plan.

use crate::error::ExecError;
use cipherloom_ckks::{CkksError, Context, Encoder, Parameters, scratch};
use cipherloom_plan::{Op, Plan};
use cipherloom_ring::{MAX_PRIMES, Word};

/// The parameters of the context that runs a plan.
pub fn context_parameters(plan: &Plan<'_>) -> Result<Parameters, ExecError> {
    let view = plan.parameters();
    let mut q = heapless::Vec::<u64, MAX_PRIMES>::new();
    let mut p = heapless::Vec::<u64, MAX_PRIMES>::new();
    for (from, to) in [(view.q(), &mut q), (view.p(), &mut p)] {
        for prime in from.iter() {
            to.push(prime)
                .map_err(|_| ExecError::Parameters(CkksError::Parameters("too many primes")))?;
        }
    }
    let digit_limbs = u32::from(view.digit_limbs());
    Parameters::new(u32::from(view.log_n()), &q, &p, digit_limbs).map_err(ExecError::Parameters)
}

/// Elements of each slice that a run takes, and of each switching key that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Words of the context's tables.
    pub context_words: usize,
    /// `f64`s of the encoder's table.
    pub encoder_f64s: usize,
    /// Words of the arena: buffers, then scratch. As the compiler prints it.
    pub arena_words: usize,
    /// Words of the smallest arena that is accepted, where memory is dearer than time: with less scratch to rescale in.
    pub least_arena_words: usize,
    /// Words of the arena's buffers alone.
    pub buffer_words: usize,
    /// `f64`s to encode constants in: N/2 complex slot values.
    pub slot_f64s: usize,
}

impl Memory {
    /// The sizes for words of type `W`; fails when a size does not fit this machine's addresses.
    pub fn of<W: Word>(plan: &Plan<'_>) -> Result<Self, ExecError> {
        let parameters = context_parameters(plan)?;
        let memory = plan.memory();
        let size = |needed: u64| {
            usize::try_from(needed).map_err(|_| ExecError::Memory {
                what: "arena",
                needed,
                given: usize::MAX,
            })
        };
        let words = plan.parameters().words();
        let least_scratch = plan.instructions().map(|instruction| match instruction.op {
            Op::Rescale => scratch::least_rescale_scratch(&parameters) as u64,
            _ => words.scratch(&instruction),
        });
        let least_scratch = least_scratch.max().unwrap_or(0);
        Ok(Self {
            context_words: Context::<W>::memory_words(&parameters),
            encoder_f64s: Encoder::memory_f64(parameters.log_n),
            arena_words: size(memory.arena_words)?,
            least_arena_words: size(memory.buffer_words.saturating_add(least_scratch))?,
            buffer_words: size(memory.buffer_words)?,
            slot_f64s: 2 * parameters.slots(),
        })
    }
}
