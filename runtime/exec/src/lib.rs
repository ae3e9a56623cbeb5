//! Executes a plan in memory that the caller brings.
//!
//! [`Executor::next`] runs instructions until it needs something (an encrypted input) or has something (an
//! output, a reveal, a state to keep) and says so with an [`Event`]; the caller does the input and output and
//! calls again. So the same executor serves a server with files and threads and a microcontroller with a
//! radio.
//!
//! ```text
//! memory = Memory::of::<u64>(&plan)?     sizes of the four slices below
//! context = Context::new(context_parameters(&plan)?, words)?
//! encoder = Encoder::new(log_n, f64s)?
//! executor = Executor::new(&plan, &context, &encoder, arena, slots, &keys, options)?
//! loop { match executor.next()? { Event::NeedInput { .. } => …, Event::Done => break, … } }
//! ```
//!
//! At an [`Event::Checkpoint`] (or between any two events) a caller may keep [`Executor::snapshot`] and the buffers that are
//! read later; another executor of the same plan goes on from there after [`Executor::restore`].
//!
//! The plan should have passed [`cipherloom_plan::verify()`]; one that has not is run with every operand
//! checked ([`Options::verified`]). Whatever is wrong (a key is missing, an input is not reduced, a slice is
//! too short, the plan makes no sense) is an [`ExecError`] that names the instruction; nothing here panics,
//! allocates, or asks the operating system for anything. With the feature `parallel` limbs are spread over
//! rayon's threads; the results are the same bit for bit.
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]
#![deny(unsafe_code)]

mod arena;
mod compute;
mod cursor;
mod error;
mod event;
mod executor;
mod memory;
mod snapshot;

pub use cursor::Cursor;
pub use error::{ExecError, Fault};
pub use event::Event;
pub use executor::{Executor, Options};
pub use memory::{Memory, context_parameters};
pub use snapshot::Snapshot;

// Plans are made for what the ring can transform.
const _: () = assert!(cipherloom_plan::MIN_COMPACT_WORDS == 1 << cipherloom_ring::MIN_LOG_COMPACT);

/// Where the executor finds switching keys, and constants that were encoded before.
pub trait Keys<W> {
    /// The key at `index` of the plan's key table, expanded: as many words as
    /// [`WordCounts::key`](cipherloom_plan::WordCounts::key) says.
    fn key(&self, index: usize) -> Option<&[W]>;

    /// Constant `index` of the plan, encoded at a level and in a basis, if that was done before the run: the polynomial that
    /// [`Encoder::encode_in_place`](cipherloom_ckks::Encoder::encode_in_place) makes of it, as compact as the instruction says. Who has
    /// all of them needs no slots.
    fn constant(&self, _index: usize, _level: u8, _basis: cipherloom_plan::Basis) -> Option<&[W]> {
        None
    }
}

/// No keys at all, for plans that never switch one.
impl<W> Keys<W> for () {
    fn key(&self, _index: usize) -> Option<&[W]> {
        None
    }
}
