//! The intermediate representation: one SSA form for the three dialects `tensor`, `slot` and `ckks`.
//!
//! A [`Graph`] owns operations, values and blocks; everything refers to them by small indices. Operations may hold
//! regions (one block each), which is how `train.loop` and `slot.loop` carry their bodies. The text form of
//! [`print()`] parses back to the same graph with [`parse()`].

mod attributes;
mod builder;
mod closed;
mod entity;
mod graph;
mod op;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod types;
mod verify;

pub use attributes::{Attributes, Name};
pub use builder::Builder;
pub use closed::ClosedLoop;
pub use entity::{BlockId, OpId, Value};
pub use graph::{Attribute, BlockData, Definition, Graph, OpData, ValueData};
pub use op::{Arity, Dialect, Opcode};
pub use parse::{ParseError, parse};
pub use print::print;
pub use types::{Basis, CipherType, PlainType, Secrecy, TensorType, Type, VectorType};
pub use verify::{VerifyError, verify};
