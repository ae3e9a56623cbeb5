//! One instruction: 16 bytes, every field's role given by the operation's [`Signature`](crate::Signature).

use crate::model::Basis;
use crate::op::{
    AUX_COMPACT, AUX_DEGREE_2, AUX_INIT, AUX_QP, Aux, Dst, Op, Operand, aux_count, aux_log_compact,
};

/// One instruction. Fields without a role are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// The operation.
    pub op: Op,
    /// The level of the result (of the source, where there is no result).
    pub level: u8,
    /// Flags ([`AUX_QP`], [`AUX_INIT`], [`AUX_DEGREE_2`]), perhaps with how compact plaintexts are
    /// ([`aux_compact`](crate::aux_compact)) and a number of terms ([`aux_sum`](crate::aux_sum)), or a tile.
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
        matches!(self.op.signature().aux, Aux::Flags(_) | Aux::Sum(_)) && self.aux & flag != 0
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

    /// log2 of how many equal words in a row one word of the plaintexts that are made or read stands for.
    pub const fn compact(&self) -> u8 {
        if self.flag(AUX_COMPACT) {
            aux_log_compact(self.aux)
        } else {
            0
        }
    }

    /// The terms of a sum; 1 for every other instruction.
    pub const fn terms(&self) -> u16 {
        match self.op.signature().aux {
            Aux::Sum(_) => aux_count(self.aux),
            _ => 1,
        }
    }

    /// The level of the ciphertext that is read: one more than `level` where a rescale is part of the instruction. (`drop`
    /// and `mod_raise` name it themselves.)
    pub const fn source_level(&self) -> u8 {
        match self.op {
            Op::Rescale | Op::RelinearizeRescale | Op::ModDownRescale => self.level.saturating_add(1),
            _ => self.level,
        }
    }

    /// The buffers that are read, in the order `a`, `b`, then `dst` where it is added to. One may occur more than once.
    pub fn reads(&self) -> impl Iterator<Item = u32> + use<> {
        let signature = self.op.signature();
        let count = u32::from(self.terms());
        let run = move |operand: Operand, first: u32| {
            let length = match operand {
                Operand::Read | Operand::Consume => 1,
                Operand::Run => count,
                _ => 0,
            };
            first..first.saturating_add(length)
        };
        let added_to = signature.dst == Dst::Accumulate && !self.init();
        run(signature.a, self.a)
            .chain(run(signature.b, self.b))
            .chain(added_to.then_some(self.dst))
    }

    /// The buffer that is written, wholly or by adding to it.
    pub fn writes(&self) -> Option<u32> {
        (self.op.signature().dst != Dst::None).then_some(self.dst)
    }
}
