//! The Cipherloom plan format: instruction table, zero-copy view, verifier, disassembler, encoder; no_std.
//!
//! A plan is what the compiler makes of a training graph: parameters, ports, keys, constants, the arena's buffers and a
//! list of 16-byte instructions. FORMAT.md beside this crate describes every byte.
//!
//! - [`Plan::parse`] checks the structure once and gives a view that reads the bytes where they lie;
//! - [`verify()`] checks the meaning: it trusts no annotation and re-derives level, scale, degree and basis of every value,
//!   the life of every buffer, the use of every key and the closure of every loop from the instructions;
//! - [`disassemble()`] prints a plan for people;
//! - with the feature `encode`, [`data::PlanData`] is the owned form that a compiler fills in and encodes.
//!
//! ```
//! use cipherloom_plan::{Plan, PlanError};
//! assert!(matches!(Plan::parse(b"not a plan"), Err(PlanError::Truncated { .. })));
//! ```
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

#[cfg(feature = "encode")]
extern crate alloc;

mod check;
#[cfg(feature = "encode")]
pub mod data;
mod disassemble;
#[cfg(feature = "encode")]
mod encode;
mod error;
mod format;
pub mod fourier;
mod instruction;
mod layout;
mod model;
mod op;
mod parse;
mod parts;
mod prime;
mod record;
pub mod verify;
mod view;
mod words;

pub use crate::disassemble::disassemble;
#[cfg(feature = "encode")]
pub use crate::disassemble::disassemble_to_string;
#[cfg(feature = "encode")]
pub use crate::encode::EncodeError;
pub use crate::error::{Field, PlanError};
pub use crate::format::{HASH_BYTES, MAGIC, Section, VERSION};
pub use crate::fourier::Fourier;
pub use crate::instruction::Instruction;
pub use crate::layout::{LayoutError, LayoutView};
pub use crate::model::{
    Basis, Buffer, Estimates, Key, KeyKind, LayoutDim, MAX_LOOP_DEPTH, MAX_PRIMES, MAX_RANK, MAX_REPEATS,
    MIN_COMPACT_WORDS, PortKind, Repeat, Secret, SourceSpan,
};
pub use crate::op::{
    AUX_COMPACT, AUX_DEGREE_2, AUX_INIT, AUX_QP, Aux, Dst, MAX_SUM_TERMS, Op, Operand, Signature,
    aux_compact, aux_sum,
};
pub use crate::parts::{ConstantContents, ConstantView, PortView, ScalarView, period_of_boxes};
pub use crate::record::{Record, Table};
#[cfg(feature = "encode")]
pub use crate::verify::verify_alloc;
pub use crate::verify::{Fault, VerifyCell, VerifyError, verify};
pub use crate::view::{Memory, ParametersView, Plan};
pub use crate::words::WordCounts;
