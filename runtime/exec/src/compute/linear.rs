//! Encoding, sums, products and levels: everything that needs no key.

use super::{Machine, basis};
use crate::Keys;
use crate::arena::{Sources, take};
use crate::error::Fault;
use cipherloom_ckks::{Basis, evaluate};
use cipherloom_plan::{Instruction, Op};
use cipherloom_ring::{Word, parallel};
use core::ops::Range;

impl<W: Word, K: Keys<W>> Machine<'_, W, K> {
    pub(super) fn encode(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let Instruction { level, dst, a, .. } = instruction;
        let basis = basis(instruction);
        let range = self.plaintext_at(dst, instruction)?;
        if let Some(encoded) = self.keys.constant(a as usize, level, instruction.basis()) {
            let to = self.buffers.get_mut(range.clone()).ok_or(Fault::Bounds)?;
            if encoded.len() != to.len() {
                return Err(Fault::Bounds);
            }
            parallel::copy(to, encoded);
            return self.check_plaintext(range, instruction);
        }
        let constant = self.plan.constant(a as usize).ok_or(Fault::Missing("constant"))?;
        let slots = self.context.parameters.slots() >> instruction.compact();
        let values = self.slots.get_mut(..2 * slots).ok_or(Fault::Bounds)?;
        let (re, im) = values.split_at_mut(slots);
        constant.fill(re, im);
        let dst = self.buffers.get_mut(range).ok_or(Fault::Bounds)?;
        let (context, level, scale) = (self.context, usize::from(level), constant.scale());
        self.encoder
            .encode_in_place(context, values, scale, level, basis, dst)?;
        Ok(())
    }

    pub(super) fn trivial(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let level = usize::from(instruction.level);
        let to = self.value(instruction.dst, level, 1, Basis::Q)?;
        let plaintext = self.plaintext_operand(instruction.a, instruction)?;
        let (dst, sources) = take(self.buffers, to)?;
        evaluate::trivial(self.context, level, dst, sources.get(plaintext)?)?;
        Ok(())
    }

    pub(super) fn linear(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let Instruction { op, a, b, .. } = instruction;
        let (context, basis) = (self.context, basis(instruction));
        let (level, degree) = (usize::from(instruction.level), usize::from(instruction.degree()));
        let to = self.value(instruction.dst, level, degree, basis)?;
        let b = self.operand(if op == Op::Neg { a } else { b }, level, degree, basis)?;
        let a = self.operand(a, level, degree, basis)?;
        let in_place = to == a;
        let (dst, sources) = take(self.buffers, to)?;
        let polynomials = degree + 1;
        match (op, in_place) {
            (Op::Neg, true) => evaluate::neg_assign(context, level, polynomials, basis, dst)?,
            (Op::Neg, false) => evaluate::neg(context, level, polynomials, basis, dst, sources.get(a)?)?,
            (Op::Add, true) => {
                evaluate::add_assign(context, level, polynomials, basis, dst, sources.get(b)?)?;
            }
            (Op::Add, false) => {
                let (a, b) = (sources.get(a)?, sources.get(b)?);
                evaluate::add(context, level, polynomials, basis, dst, a, b)?;
            }
            (_, true) => evaluate::sub_assign(context, level, polynomials, basis, dst, sources.get(b)?)?,
            (_, false) => {
                let (a, b) = (sources.get(a)?, sources.get(b)?);
                evaluate::sub(context, level, polynomials, basis, dst, a, b)?;
            }
        }
        Ok(())
    }

    pub(super) fn plaintext(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let (context, basis) = (self.context, basis(instruction));
        let (level, degree) = (usize::from(instruction.level), usize::from(instruction.degree()));
        let to = match instruction.op == Op::MulPlainAcc && !instruction.init() {
            true => self.operand(instruction.dst, level, degree, basis)?,
            false => self.value(instruction.dst, level, degree, basis)?,
        };
        let a = self.operand(instruction.a, level, degree, basis)?;
        let plaintext = self.plaintext_operand(instruction.b, instruction)?;
        let in_place = to == a;
        let (dst, sources) = take(self.buffers, to)?;
        let plaintext = sources.get(plaintext)?;
        match instruction.op {
            Op::MulPlain if in_place => {
                evaluate::mul_plain_assign(context, level, degree, basis, dst, plaintext)?;
            }
            Op::MulPlain => {
                evaluate::mul_plain(context, level, degree, basis, dst, sources.get(a)?, plaintext)?;
            }
            Op::MulPlainAcc => {
                let a = sources.get(a)?;
                match instruction.init() {
                    true => evaluate::mul_plain(context, level, degree, basis, dst, a, plaintext)?,
                    false => evaluate::mul_plain_acc(context, level, degree, basis, dst, a, plaintext)?,
                }
            }
            op => {
                copy_unless(in_place, dst, &sources, a)?;
                match op {
                    Op::AddPlain => evaluate::add_plain_assign(context, level, dst, plaintext)?,
                    _ => evaluate::sub_plain_assign(context, level, dst, plaintext)?,
                }
            }
        }
        Ok(())
    }

    pub(super) fn scalars(&mut self, instruction: Instruction, step: u32) -> Result<(), Fault> {
        let context = self.context;
        let (level, degree) = (usize::from(instruction.level), usize::from(instruction.degree()));
        let scalar = self.scalar(instruction.b, step)?;
        let to = self.value(instruction.dst, level, degree, Basis::Q)?;
        let a = self.operand(instruction.a, level, degree, Basis::Q)?;
        let in_place = to == a;
        let (dst, sources) = take(self.buffers, to)?;
        match (instruction.op, in_place) {
            (Op::MulScalar, true) => evaluate::mul_scalar_assign(context, level, degree, dst, scalar)?,
            (Op::MulScalar, false) => {
                evaluate::mul_scalar(context, level, degree, dst, sources.get(a)?, scalar)?;
            }
            _ => {
                copy_unless(in_place, dst, &sources, a)?;
                evaluate::add_scalar_assign(context, level, dst, scalar)?;
            }
        }
        Ok(())
    }

    pub(super) fn mul_i(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let (level, degree) = (usize::from(instruction.level), usize::from(instruction.degree()));
        let to = self.value(instruction.dst, level, degree, Basis::Q)?;
        let a = self.operand(instruction.a, level, degree, Basis::Q)?;
        let in_place = to == a;
        let (dst, sources) = take(self.buffers, to)?;
        match in_place {
            true => evaluate::mul_i_assign(self.context, level, degree, dst)?,
            false => evaluate::mul_i(self.context, level, degree, dst, sources.get(a)?)?,
        }
        Ok(())
    }

    pub(super) fn product(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let Instruction { op, a, b, .. } = instruction;
        let (context, level) = (self.context, usize::from(instruction.level));
        let to = match op {
            Op::MulAcc => self.operand(instruction.dst, level, 2, Basis::Q)?,
            _ => self.value(instruction.dst, level, 2, Basis::Q)?,
        };
        let b = self.operand(if op == Op::Square { a } else { b }, level, 1, Basis::Q)?;
        let a = self.operand(a, level, 1, Basis::Q)?;
        let (dst, sources) = take(self.buffers, to)?;
        let (a, b) = (sources.get(a)?, sources.get(b)?);
        match op {
            Op::Square => evaluate::square(context, level, dst, a)?,
            Op::Mul => evaluate::mul(context, level, dst, a, b)?,
            _ => evaluate::mul_acc(context, level, dst, a, b)?,
        }
        Ok(())
    }

    pub(super) fn level(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let (level, degree) = (usize::from(instruction.level), usize::from(instruction.degree()));
        let from = match instruction.op {
            Op::Rescale => usize::from(instruction.source_level()),
            _ => usize::try_from(instruction.b).map_err(|_| Fault::Bounds)?,
        };
        let to = self.value(instruction.dst, level, degree, Basis::Q)?;
        let a = self.operand(instruction.a, from, degree, Basis::Q)?;
        let (dst, sources) = take(self.buffers, to)?;
        let src = sources.get(a)?;
        match instruction.op {
            Op::Rescale => evaluate::rescale(self.context, from, degree, dst, src, self.scratch)?,
            Op::ModRaise => evaluate::mod_raise(self.context, level, dst, src, self.scratch)?,
            _ => evaluate::drop(self.context, from, level, degree, dst, src)?,
        }
        Ok(())
    }
}

/// Operations that exist only in place start from a copy.
fn copy_unless<W: Word>(
    in_place: bool,
    dst: &mut [W],
    sources: &Sources<'_, W>,
    a: Range<usize>,
) -> Result<(), Fault> {
    if in_place {
        return Ok(());
    }
    let source = sources.get(a)?;
    if source.len() != dst.len() {
        return Err(Fault::Bounds);
    }
    parallel::copy(dst, source);
    Ok(())
}
