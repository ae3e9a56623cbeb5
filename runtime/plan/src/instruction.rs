//! One instruction: 16 bytes, every field's role given by the operation's [`Signature`](crate::Signature).

use crate::model::Basis;
use crate::op::{AUX_DEGREE_2, AUX_INIT, AUX_QP, Aux, Op};

/// One instruction. Fields without a role are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// The operation.
    pub op: Op,
    /// The level of the result (of the source, where there is no result).
    pub level: u8,
    /// Flags ([`AUX_QP`], [`AUX_INIT`], [`AUX_DEGREE_2`]) or a tile.
    pub aux: u16,
    /// The destination buffer.
    pub dst: u32,
    /// The first operand.
    pub a: u32,
    /// The second operand.
    pub b: u32,
}

impl Instruction {
    /// An instruction with every field but the operation zero.
    pub const fn new(op: Op) -> Self {
        Instruction {
            op,
            level: 0,
            aux: 0,
            dst: 0,
            a: 0,
            b: 0,
        }
    }

    /// Whether `aux` holds flags and this one is set.
    const fn flag(&self, flag: u16) -> bool {
        matches!(self.op.signature().aux, Aux::Flags(_)) && self.aux & flag != 0
    }

    /// The basis that the flag names: of the plaintext made by `encode`, of all operands of the linear operations.
    /// (`rotate_acc` and `lift_acc` always write basis qp, and `mod_down` always reads it, without the flag.)
    pub const fn basis(&self) -> Basis {
        if self.flag(AUX_QP) { Basis::Qp } else { Basis::Q }
    }

    /// Whether an accumulating instruction overwrites its destination.
    pub const fn init(&self) -> bool {
        self.flag(AUX_INIT)
    }

    /// The degree of the ciphertext that is read as `a` by a linear operation, `rescale` or `drop` (1 or 2): the
    /// result's degree too.
    pub const fn degree(&self) -> u8 {
        if self.flag(AUX_DEGREE_2) { 2 } else { 1 }
    }
}
