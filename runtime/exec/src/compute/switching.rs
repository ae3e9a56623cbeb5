//! Everything that divides by the special primes or uses a key.

use super::{Machine, SwitchingKey};
use crate::Keys;
use crate::arena::take;
use crate::error::Fault;
use cipherloom_ckks::{Basis, switch};
use cipherloom_plan::{Instruction, Op};
use cipherloom_ring::Word;

impl<W: Word, K: Keys<W>> Machine<'_, W, K> {
    pub(super) fn hoisted(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let Instruction { op, dst, a, .. } = instruction;
        let (context, level) = (self.context, usize::from(instruction.level));
        let init = instruction.init();
        let from = usize::from(instruction.source_level());
        let to = match op {
            Op::Decompose => self.range(dst, context.parameters.decomposed_words(level))?,
            Op::ModDown | Op::ModDownRescale => self.value(dst, level, 1, Basis::Q)?,
            _ if init => self.value(dst, level, 1, Basis::Qp)?,
            _ => self.operand(dst, level, 1, Basis::Qp)?,
        };
        let a = match op {
            Op::ModDown | Op::ModDownRescale => self.operand(a, from, 1, Basis::Qp)?,
            _ => self.operand(a, level, 1, Basis::Q)?,
        };
        let (dst, sources) = take(self.buffers, to)?;
        let src = sources.get(a)?;
        match op {
            Op::Decompose => switch::decompose(context, level, dst, src, self.scratch)?,
            Op::LiftAcc => switch::lift_acc(context, level, dst, src, init)?,
            Op::ModDownRescale => switch::mod_down_rescale(context, from, dst, src, self.scratch)?,
            _ => switch::mod_down(context, level, dst, src, self.scratch)?,
        }
        Ok(())
    }

    pub(super) fn switched(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let Instruction { op, level, .. } = instruction;
        let (context, level) = (self.context, usize::from(level));
        let from = usize::from(instruction.source_level());
        let degree = match op {
            Op::Relinearize | Op::RelinearizeRescale => 2,
            _ => 1,
        };
        let to = self.value(instruction.dst, level, 1, Basis::Q)?;
        let a = self.operand(instruction.a, from, degree, Basis::Q)?;
        let SwitchingKey {
            words,
            element,
            cap,
            special,
        } = self.key(instruction.b)?;
        let (dst, sources) = take(self.buffers, to)?;
        let src = sources.get(a)?;
        let scratch = &mut *self.scratch;
        match op {
            Op::Relinearize => switch::relinearize(context, level, dst, src, words, cap, scratch)?,
            Op::RelinearizeRescale => {
                switch::relinearize_rescale(context, from, dst, src, words, cap, scratch)?;
            }
            Op::SwitchSecret if special < context.parameters.special() => {
                let few = context.with_special(special, cap)?;
                switch::switch_secret(&few, level, dst, src, words, cap, scratch)?;
            }
            Op::SwitchSecret => switch::switch_secret(context, level, dst, src, words, cap, scratch)?,
            _ => switch::rotate(context, level, element, dst, src, words, cap, scratch)?,
        }
        Ok(())
    }
}
