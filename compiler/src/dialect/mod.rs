//! What the operations mean, dialect by dialect. The table that lists them is [`Opcode`](crate::ir::Opcode); the
//! rules that hold for all are in [`verify`](crate::ir::verify()).
//!
//! - [`tensor`]: mathematics on tensors, and the training structure around it (`tensor.*`, `train.*`);
//! - [`slot`]: packed vectors (`slot.*`);
//! - [`ckks`]: ciphertexts with level, scale, degree and basis (`ckks.*`).

mod build;
pub mod ckks;
mod contents;
pub mod slot;
pub mod tensor;
