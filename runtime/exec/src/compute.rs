//! The arithmetic of one instruction: operands from the arena, the rest by `cipherloom_ckks`.

mod linear;
mod switching;
mod together;

use crate::Keys;
use crate::error::Fault;
use cipherloom_ckks::context::TOGETHER;
use cipherloom_ckks::{Basis, CkksError, Context, Encoder};
use cipherloom_plan::{Instruction, KeyKind, Op, Plan};
use cipherloom_ring::{Word, parallel};
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
    special: usize,
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

    /// Words of a ciphertext of any degree and basis; degree 0 is a plaintext. Never inlined: every operand of every
    /// instruction asks, and flash is scarce.
    #[inline(never)]
    fn words(&self, level: usize, degree: usize, basis: Basis) -> Result<usize, Fault> {
        let parameters = &self.context.parameters;
        if level > parameters.max_level() {
            return Err(CkksError::Level {
                level,
                highest: parameters.max_level(),
            }
            .into());
        }
        Ok(match basis {
            Basis::Q => parameters.ciphertext_words(level, degree),
            Basis::Qp => parameters.qp_words(level, degree),
        })
    }

    /// Where the ciphertext of any degree and basis in a buffer lies.
    fn value(&self, index: u32, level: usize, degree: usize, basis: Basis) -> Result<Range<usize>, Fault> {
        self.range(index, self.words(level, degree, basis)?)
    }

    /// As [`Self::value`], to be read.
    fn operand(&self, index: u32, level: usize, degree: usize, basis: Basis) -> Result<Range<usize>, Fault> {
        let range = self.value(index, level, degree, basis)?;
        if self.checked {
            self.check_reduced(range.clone(), level, basis)?;
        }
        Ok(range)
    }

    /// Where the plaintext that an instruction makes or reads lies, whole or compact.
    fn plaintext_at(&self, index: u32, instruction: Instruction) -> Result<Range<usize>, Fault> {
        let whole = self.words(usize::from(instruction.level), 0, basis(instruction))?;
        self.range(index, whole >> instruction.compact())
    }

    /// As [`Self::plaintext_at`], to be read.
    fn plaintext_operand(&self, index: u32, instruction: Instruction) -> Result<Range<usize>, Fault> {
        let range = self.plaintext_at(index, instruction)?;
        if self.checked {
            self.check_plaintext(range.clone(), instruction)?;
        }
        Ok(range)
    }

    /// As [`Self::check_reduced`] for the plaintext of an instruction.
    fn check_plaintext(&self, range: Range<usize>, instruction: Instruction) -> Result<(), Fault> {
        let limb_words = self.context.parameters.degree() >> instruction.compact();
        self.check_limbs(
            range,
            limb_words,
            usize::from(instruction.level),
            basis(instruction),
            1,
        )
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
            self.check_limbs(c0.end..whole.end, parameters.degree(), level, Basis::Qp, digits)?;
        }
        Ok(whole)
    }

    /// Fails unless every residue of the polynomials in `range` is below its prime.
    pub(crate) fn check_reduced(&self, range: Range<usize>, level: usize, basis: Basis) -> Result<(), Fault> {
        self.check_limbs(range, self.context.parameters.degree(), level, basis, 1)
    }

    /// As [`Self::check_reduced`] for limbs of so many words, of which every prime has so many, one after the other.
    fn check_limbs(
        &self,
        range: Range<usize>,
        limb_words: usize,
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
        let prime = |index: usize| match index / limbs_per_prime % limbs {
            position if position <= level => position,
            position => parameters.q.len() + position - level - 1,
        };
        let wrong = parallel::find_limb(words, limb_words.max(1), |index, limb| {
            let modulus = ring.modulus(prime(index)).value();
            limb.iter().any(|&residue| residue >= modulus)
        });
        match wrong {
            Some(index) => Err(Fault::NotReduced { prime: prime(index) }),
            None => Ok(()),
        }
    }

    fn key(&self, index: u32) -> Result<SwitchingKey<'a, W>, Fault> {
        let entry = self.plan.key(index as usize).ok_or(Fault::Missing("key"))?;
        let parameters = self.plan.parameters();
        let words = self.keys.key(index as usize).ok_or(Fault::Key(index))?;
        // Words of either size compute the same.
        let (q, p) = (parameters.q().iter(), parameters.p().iter());
        if words.len() as u64 != parameters.words().key(&entry, W::BITS, q, p) {
            return Err(Fault::Key(index));
        }
        let element = match entry.kind {
            KeyKind::Galois(element) => element,
            KeyKind::Relinearise | KeyKind::ToSparse | KeyKind::FromSparse => 0,
        };
        Ok(SwitchingKey {
            words,
            element,
            cap: usize::from(entry.level),
            special: usize::from(entry.kind.special(parameters.special())),
        })
    }

    /// Scalar `index` times its scale, in this step.
    fn scalar(&self, index: u32, step: u32) -> Result<f64, Fault> {
        let scalar = self.plan.scalar(index as usize).ok_or(Fault::Missing("scalar"))?;
        Ok(scalar.value(step) * scalar.scale())
    }

    /// Carries out the arithmetic instruction at a position, and those after it that are best done together with it;
    /// how many that was. Control flow and data in and out are the executor's.
    pub(crate) fn compute_run(
        &mut self,
        position: usize,
        instruction: Instruction,
        step: u32,
    ) -> Result<usize, Fault> {
        match instruction.op {
            Op::MulPlainSum => self.plaintext_sums(position, instruction),
            Op::RotateAcc => self.rotations(position, instruction),
            Op::Mul | Op::MulAcc | Op::Square if TOGETHER > 1 => self.products(position, instruction),
            _ => self.compute(instruction, step).map(|()| 1),
        }
    }

    /// Carries out an arithmetic instruction that is not among those done together.
    pub(crate) fn compute(&mut self, instruction: Instruction, step: u32) -> Result<(), Fault> {
        match instruction.op {
            Op::Encode => self.encode(instruction),
            Op::Trivial => self.trivial(instruction),
            Op::Add | Op::Sub | Op::Neg => self.linear(instruction),
            Op::AddPlain | Op::SubPlain | Op::MulPlain | Op::MulPlainAcc => self.plaintext(instruction),
            Op::AddScalar | Op::MulScalar => self.scalars(instruction, step),
            Op::MulI => self.mul_i(instruction),
            Op::Mul | Op::MulAcc | Op::Square => self.product(instruction),
            Op::Rescale | Op::Drop | Op::ModRaise => self.level(instruction),
            Op::Decompose | Op::LiftAcc | Op::ModDown | Op::ModDownRescale => self.hoisted(instruction),
            Op::Relinearize | Op::RelinearizeRescale | Op::Rotate | Op::SwitchSecret => {
                self.switched(instruction)
            }
            _ => Err(Fault::Missing("arithmetic operation")),
        }
    }
}

/// The basis that an instruction names.
fn basis(instruction: Instruction) -> Basis {
    match instruction.basis() {
        cipherloom_plan::Basis::Q => Basis::Q,
        cipherloom_plan::Basis::Qp => Basis::Qp,
    }
}
