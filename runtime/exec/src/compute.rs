//! The arithmetic of one instruction: operands from the arena, the rest by `cipherloom_ckks`.

use crate::Keys;
use crate::arena::{Sources, take};
use crate::error::Fault;
use cipherloom_ckks::{Basis, CkksError, Context, Encoder, evaluate, switch};
use cipherloom_plan::{Instruction, KeyKind, Op, Plan};
use cipherloom_ring::Word;
use core::ops::Range;

/// The plan, its memory and its keys, without any control state.
pub(crate) struct Machine<'a, W: Word, K: Keys<W>> {
    pub(crate) plan: &'a Plan<'a>,
    pub(crate) context: &'a Context<'a, W>,
    pub(crate) encoder: &'a Encoder<'a>,
    pub(crate) buffers: &'a mut [W],
    pub(crate) scratch: &'a mut [W],
    pub(crate) slots: &'a mut [f64],
    pub(crate) keys: &'a K,
    /// Whether operands are checked to be values at all: the plan was not verified.
    pub(crate) checked: bool,
}

/// A switching key with what the key table says of it.
struct SwitchingKey<'k, W> {
    words: &'k [W],
    element: u32,
    cap: usize,
}

impl<'a, W: Word, K: Keys<W>> Machine<'a, W, K> {
    /// Where the value of `words` words in buffer `index` lies.
    fn range(&self, index: u32, words: usize) -> Result<Range<usize>, Fault> {
        let buffer = self.plan.buffer(index as usize).ok_or(Fault::Missing("buffer"))?;
        let start = usize::try_from(buffer.offset).map_err(|_| Fault::Bounds)?;
        let end = start.checked_add(words).ok_or(Fault::Bounds)?;
        if words as u64 > buffer.words || end > self.buffers.len() {
            return Err(Fault::Bounds);
        }
        Ok(start..end)
    }

    /// Where the ciphertext of any degree and basis (degree 0 is a plaintext) in a buffer lies.
    fn value(&self, index: u32, level: usize, degree: usize, basis: Basis) -> Result<Range<usize>, Fault> {
        let parameters = &self.context.parameters;
        if level > parameters.max_level() {
            return Err(CkksError::Level {
                level,
                highest: parameters.max_level(),
            }
            .into());
        }
        let words = match basis {
            Basis::Q => parameters.ciphertext_words(level, degree),
            Basis::Qp => parameters.qp_words(level, degree),
        };
        self.range(index, words)
    }

    /// As [`Self::value`], to be read.
    fn operand(&self, index: u32, level: usize, degree: usize, basis: Basis) -> Result<Range<usize>, Fault> {
        let range = self.value(index, level, degree, basis)?;
        if self.checked {
            self.check_reduced(range.clone(), level, basis)?;
        }
        Ok(range)
    }

    /// Where the degree-1 ciphertext that is filled in from outside goes.
    pub(crate) fn input(&self, index: u32, level: u8) -> Result<Range<usize>, Fault> {
        self.value(index, usize::from(level), 1, Basis::Q)
    }

    /// Where the degree-1 ciphertext that is handed out lies.
    pub(crate) fn output(&self, index: u32, level: u8) -> Result<Range<usize>, Fault> {
        self.operand(index, usize::from(level), 1, Basis::Q)
    }

    /// Where the decomposed ciphertext in a buffer lies.
    fn decomposed(&self, index: u32, level: usize) -> Result<Range<usize>, Fault> {
        let parameters = &self.context.parameters;
        let c0 = self.value(index, level, 0, Basis::Q)?;
        let whole = self.range(index, parameters.decomposed_words(level))?;
        if self.checked {
            self.check_reduced(c0.clone(), level, Basis::Q)?;
            // Prime by prime: one limb of each digit.
            let digits = parameters.digits(level);
            self.check_limbs(c0.end..whole.end, level, Basis::Qp, digits)?;
        }
        Ok(whole)
    }

    /// Fails unless every residue of the polynomials in `range` is below its prime.
    pub(crate) fn check_reduced(&self, range: Range<usize>, level: usize, basis: Basis) -> Result<(), Fault> {
        self.check_limbs(range, level, basis, 1)
    }

    /// As [`Self::check_reduced`] where every prime has so many limbs, one after the other.
    fn check_limbs(
        &self,
        range: Range<usize>,
        level: usize,
        basis: Basis,
        limbs_per_prime: usize,
    ) -> Result<(), Fault> {
        let Context { parameters, ring } = self.context;
        let limbs = match basis {
            Basis::Q => level + 1,
            Basis::Qp => level + 1 + parameters.special(),
        };
        let words = self.buffers.get(range).ok_or(Fault::Bounds)?;
        for (index, limb) in words.chunks_exact(parameters.degree()).enumerate() {
            let position = index / limbs_per_prime % limbs;
            let prime = if position <= level {
                position
            } else {
                parameters.q.len() + position - level - 1
            };
            let modulus = ring.modulus(prime).value();
            if limb.iter().any(|&residue| residue >= modulus) {
                return Err(Fault::NotReduced { prime });
            }
        }
        Ok(())
    }

    fn key(&self, index: u32) -> Result<SwitchingKey<'a, W>, Fault> {
        let entry = self.plan.key(index as usize).ok_or(Fault::Missing("key"))?;
        let cap = usize::from(entry.level);
        let words = self.keys.key(index as usize).ok_or(Fault::Key(index))?;
        if words.len() != self.context.parameters.switching_key_words(cap) {
            return Err(Fault::Key(index));
        }
        let element = match entry.kind {
            KeyKind::Relinearise => 0,
            KeyKind::Galois(element) => element,
        };
        Ok(SwitchingKey { words, element, cap })
    }

    /// Scalar `index` times its scale, in this step.
    fn scalar(&self, index: u32, step: u32) -> Result<f64, Fault> {
        let scalar = self.plan.scalar(index as usize).ok_or(Fault::Missing("scalar"))?;
        Ok(scalar.value(step) * scalar.scale())
    }

    /// Carries out one arithmetic instruction; control flow and data in and out are the executor's.
    pub(crate) fn compute(&mut self, instruction: Instruction, step: u32) -> Result<(), Fault> {
        match instruction.op {
            Op::Encode => self.encode(instruction),
            Op::Add | Op::Sub | Op::Neg => self.linear(instruction),
            Op::AddPlain | Op::SubPlain | Op::MulPlain | Op::MulPlainAcc => self.plaintext(instruction),
            Op::AddScalar | Op::MulScalar => self.scalars(instruction, step),
            Op::MulI => self.mul_i(instruction),
            Op::Mul | Op::MulAcc | Op::Square => self.product(instruction),
            Op::Rescale | Op::Drop => self.level(instruction),
            Op::Decompose | Op::RotateAcc | Op::LiftAcc | Op::ModDown => self.hoisted(instruction),
            Op::Relinearize | Op::Rotate => self.switched(instruction),
            _ => Err(Fault::Missing("arithmetic operation")),
        }
    }

    fn encode(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let Instruction { level, dst, a, .. } = instruction;
        let basis = basis(instruction);
        let range = self.value(dst, usize::from(level), 0, basis)?;
        let constant = self.plan.constant(a as usize).ok_or(Fault::Missing("constant"))?;
        let slots = self.context.parameters.slots();
        let (values, scratch) = self.slots.split_at_mut_checked(slots).ok_or(Fault::Bounds)?;
        constant.fill(values);
        let dst = self.buffers.get_mut(range).ok_or(Fault::Bounds)?;
        let (context, scale) = (self.context, constant.scale());
        self.encoder
            .encode_real(context, values, scale, usize::from(level), basis, dst, scratch)?;
        Ok(())
    }

    fn linear(&mut self, instruction: Instruction) -> Result<(), Fault> {
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

    fn plaintext(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let (context, basis) = (self.context, basis(instruction));
        let (level, degree) = (usize::from(instruction.level), usize::from(instruction.degree()));
        let to = match instruction.op == Op::MulPlainAcc && !instruction.init() {
            true => self.operand(instruction.dst, level, degree, basis)?,
            false => self.value(instruction.dst, level, degree, basis)?,
        };
        let a = self.operand(instruction.a, level, degree, basis)?;
        let plaintext = self.operand(instruction.b, level, 0, basis)?;
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
                let c0 = dst.get_mut(..plaintext.len()).ok_or(Fault::Bounds)?;
                match op {
                    Op::AddPlain => evaluate::add_assign(context, level, 1, basis, c0, plaintext)?,
                    _ => evaluate::sub_assign(context, level, 1, basis, c0, plaintext)?,
                }
            }
        }
        Ok(())
    }

    fn scalars(&mut self, instruction: Instruction, step: u32) -> Result<(), Fault> {
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

    fn mul_i(&mut self, instruction: Instruction) -> Result<(), Fault> {
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

    fn product(&mut self, instruction: Instruction) -> Result<(), Fault> {
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

    fn level(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let (level, degree) = (usize::from(instruction.level), usize::from(instruction.degree()));
        let from = match instruction.op {
            Op::Rescale => level + 1,
            _ => usize::try_from(instruction.b).map_err(|_| Fault::Bounds)?,
        };
        let to = self.value(instruction.dst, level, degree, Basis::Q)?;
        let a = self.operand(instruction.a, from, degree, Basis::Q)?;
        let (dst, sources) = take(self.buffers, to)?;
        let src = sources.get(a)?;
        match instruction.op {
            Op::Rescale => evaluate::rescale(self.context, from, degree, dst, src, self.scratch)?,
            _ => evaluate::drop(self.context, from, level, degree, dst, src)?,
        }
        Ok(())
    }

    fn hoisted(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let Instruction { op, dst, a, .. } = instruction;
        let (context, level) = (self.context, usize::from(instruction.level));
        let init = instruction.init();
        let to = match op {
            Op::Decompose => self.range(dst, context.parameters.decomposed_words(level))?,
            Op::ModDown => self.value(dst, level, 1, Basis::Q)?,
            _ if init => self.value(dst, level, 1, Basis::Qp)?,
            _ => self.operand(dst, level, 1, Basis::Qp)?,
        };
        let a = match op {
            Op::RotateAcc => self.decomposed(a, level)?,
            Op::ModDown => self.operand(a, level, 1, Basis::Qp)?,
            _ => self.operand(a, level, 1, Basis::Q)?,
        };
        let key = match op {
            Op::RotateAcc => Some(self.key(instruction.b)?),
            _ => None,
        };
        let (dst, sources) = take(self.buffers, to)?;
        let src = sources.get(a)?;
        match (op, key) {
            (Op::Decompose, _) => switch::decompose(context, level, dst, src, self.scratch)?,
            (Op::LiftAcc, _) => switch::lift_acc(context, level, dst, src, init)?,
            (_, Some(SwitchingKey { words, element, cap })) => {
                switch::rotate_acc(context, level, element, words, cap, dst, src, init, self.scratch)?;
            }
            (_, None) => switch::mod_down(context, level, dst, src, self.scratch)?,
        }
        Ok(())
    }

    fn switched(&mut self, instruction: Instruction) -> Result<(), Fault> {
        let (context, level) = (self.context, usize::from(instruction.level));
        let degree = if instruction.op == Op::Relinearize { 2 } else { 1 };
        let to = self.value(instruction.dst, level, 1, Basis::Q)?;
        let a = self.operand(instruction.a, level, degree, Basis::Q)?;
        let SwitchingKey { words, element, cap } = self.key(instruction.b)?;
        let (dst, sources) = take(self.buffers, to)?;
        let src = sources.get(a)?;
        match instruction.op {
            Op::Relinearize => switch::relinearize(context, level, dst, src, words, cap, self.scratch)?,
            _ => switch::rotate(context, level, element, dst, src, words, cap, self.scratch)?,
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
    dst.copy_from_slice(source);
    Ok(())
}

fn basis(instruction: Instruction) -> Basis {
    match instruction.basis() {
        cipherloom_plan::Basis::Q => Basis::Q,
        cipherloom_plan::Basis::Qp => Basis::Qp,
    }
}
