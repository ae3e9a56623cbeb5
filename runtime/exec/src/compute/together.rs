//! Instructions that are carried out together, because what they have in common then comes from memory once: sums of plain
//! products of the same ciphertexts, rotations of one decomposed ciphertext, and products of two ciphertexts for one sum.
//!
//! They must stand one after the other, and none may write what another reads or writes; so the results are those of one
//! after the other. Where one that follows cannot join, for whatever reason, it has its own turn.

use super::{Machine, SwitchingKey, basis};
use crate::Keys;
use crate::arena::{take, take_all};
use crate::error::Fault;
use cipherloom_ckks::Basis;
use cipherloom_ckks::context::TOGETHER;
use cipherloom_ckks::evaluate::{self, PlainSum};
use cipherloom_ckks::switch::{self, Rotation, RotationSum};
use cipherloom_plan::{Instruction, MAX_SUM_TERMS, Op};
use cipherloom_ring::Word;
use core::ops::Range;

/// Up to as many as are done together.
type Few<T> = heapless::Vec<T, TOGETHER>;
/// One for each term of a sum.
type Terms<T> = heapless::Vec<T, { MAX_SUM_TERMS as usize }>;

/// What a `mul_plain_sum` touches.
struct Sum {
    dst: Range<usize>,
    init: bool,
    /// Ciphertexts and plaintexts.
    terms: Terms<(Range<usize>, Range<usize>)>,
}

/// What one or more `rotate_acc` with the same destination touch.
struct Rotations<'k, W> {
    dst: Range<usize>,
    init: bool,
    rotations: Few<Rotation<'k, W>>,
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

impl Sum {
    /// Whether it writes nothing that the other touches.
    fn spares(&self, other: &Self) -> bool {
        let read = other.terms.iter().flat_map(|(a, b)| [a, b]);
        !read.chain([&other.dst]).any(|range| overlap(range, &self.dst))
    }
}

impl<'a, W: Word, K: Keys<W>> Machine<'a, W, K> {
    /// The instruction at a position and those behind it that are like it.
    fn run_of(
        &self,
        position: usize,
        first: Instruction,
        alike: impl Fn(&Instruction) -> bool,
    ) -> impl Iterator<Item = Instruction> {
        let plan = self.plan;
        let following = (position + 1..position + TOGETHER)
            .map_while(|position| plan.instruction(position))
            .take_while(alike);
        core::iter::once(first).chain(following)
    }

    pub(super) fn products(&mut self, position: usize, first: Instruction) -> Result<usize, Fault> {
        let level = usize::from(first.level);
        let dst = match first.op {
            Op::MulAcc => self.operand(first.dst, level, 2, Basis::Q)?,
            _ => self.value(first.dst, level, 2, Basis::Q)?,
        };
        let alike =
            |next: &Instruction| (next.op, next.level, next.dst) == (Op::MulAcc, first.level, first.dst);
        let mut factors = Few::<[Range<usize>; 2]>::new();
        for instruction in self.run_of(position, first, alike) {
            let operand = |index| self.operand(index, level, 1, Basis::Q);
            let b = match instruction.op {
                Op::Square => instruction.a,
                _ => instruction.b,
            };
            match operand(instruction.a).and_then(|a| Ok([a, operand(b)?])) {
                Err(fault) if factors.is_empty() => return Err(fault),
                Ok(read) if factors.is_empty() || !read.iter().any(|read| overlap(read, &dst)) => {
                    factors.push(read).map_err(|_| Fault::Bounds)?;
                }
                _ => break,
            }
        }
        let (dst, sources) = take(self.buffers, dst)?;
        let mut terms = Few::<(&[W], &[W])>::new();
        for [a, b] in factors {
            let term = (sources.get(a)?, sources.get(b)?);
            terms.push(term).map_err(|_| Fault::Bounds)?;
        }
        evaluate::mul_sum(self.context, level, dst, first.op != Op::MulAcc, &terms)?;
        Ok(terms.len())
    }

    pub(super) fn plaintext_sums(&mut self, position: usize, first: Instruction) -> Result<usize, Fault> {
        let (basis, level) = (basis(first), usize::from(first.level));
        let alike = |next: &Instruction| {
            let kind = |it: &Instruction| (it.op, it.level, super::basis(*it));
            kind(next) == kind(&first)
        };
        let mut sums = Few::<Sum>::new();
        for instruction in self.run_of(position, first, alike) {
            match self.sum(instruction, basis) {
                Ok(sum) if sums.iter().all(|other| sum.spares(other) && other.spares(&sum)) => {
                    sums.push(sum).map_err(|_| Fault::Bounds)?;
                }
                Err(fault) if sums.is_empty() => return Err(fault),
                _ => break,
            }
        }
        let written: Few<Range<usize>> = sums.iter().map(|sum| sum.dst.clone()).collect();
        let (destinations, sources) = take_all(self.buffers, &written)?;
        let mut terms = Few::<Terms<(&[W], &[W])>>::new();
        for sum in &sums {
            let mut slices = Terms::new();
            for (a, b) in sum.terms.iter().cloned() {
                let term = (sources.get(a)?, sources.get(b)?);
                slices.push(term).map_err(|_| Fault::Bounds)?;
            }
            terms.push(slices).map_err(|_| Fault::Bounds)?;
        }
        let parts = destinations.into_iter().zip(&sums).zip(&terms);
        let mut parts: Few<PlainSum<'_, '_, W>> = parts
            .map(|((dst, sum), terms)| PlainSum {
                dst,
                init: sum.init,
                terms,
            })
            .collect();
        evaluate::mul_plain_sums(self.context, level, basis, &mut parts)?;
        Ok(sums.len())
    }

    /// Where a sum of plain products reads and writes.
    fn sum(&self, instruction: Instruction, basis: Basis) -> Result<Sum, Fault> {
        let (level, init) = (usize::from(instruction.level), instruction.init());
        let dst = match init {
            true => self.value(instruction.dst, level, 1, basis)?,
            false => self.operand(instruction.dst, level, 1, basis)?,
        };
        let mut terms = Terms::new();
        let operands = (instruction.a..).zip(instruction.b..);
        for (a, b) in operands.take(usize::from(instruction.terms())) {
            let term = (
                self.operand(a, level, 1, basis)?,
                self.plaintext_operand(b, instruction)?,
            );
            terms.push(term).map_err(|_| Fault::Bounds)?;
        }
        Ok(Sum { dst, init, terms })
    }

    pub(super) fn rotations(&mut self, position: usize, first: Instruction) -> Result<usize, Fault> {
        let level = usize::from(first.level);
        let alike = |next: &Instruction| (next.op, next.level, next.a) == (first.op, first.level, first.a);
        let digits = self.decomposed(first.a, level)?;
        let mut sums = Few::<Rotations<'a, W>>::new();
        let mut count = 0;
        for instruction in self.run_of(position, first, alike) {
            let (dst, rotation) = match self.rotation(instruction) {
                Err(fault) if count == 0 => return Err(fault),
                Err(_) => break,
                Ok(found) => found,
            };
            let init = instruction.init();
            let free = !sums.iter().any(|sum| overlap(&sum.dst, &dst)) && !overlap(&digits, &dst);
            if let Some(sum) = sums.iter_mut().find(|sum| sum.dst == dst && !init) {
                sum.rotations.push(rotation).map_err(|_| Fault::Bounds)?;
            } else if free || count == 0 {
                let rotations = [rotation].into_iter().collect();
                let sum = Rotations { dst, init, rotations };
                sums.push(sum).map_err(|_| Fault::Bounds)?;
            } else {
                break;
            }
            count += 1;
        }
        let written: Few<Range<usize>> = sums.iter().map(|sum| sum.dst.clone()).collect();
        let (destinations, sources) = take_all(self.buffers, &written)?;
        let mut parts: Few<RotationSum<'_, '_, W>> = (destinations.into_iter().zip(&sums))
            .map(|(acc, sum)| RotationSum {
                acc,
                init: sum.init,
                rotations: &sum.rotations,
            })
            .collect();
        switch::rotate_accs(self.context, level, &mut parts, sources.get(digits)?)?;
        Ok(count)
    }

    /// Where a rotation goes, and its key.
    fn rotation(&self, instruction: Instruction) -> Result<(Range<usize>, Rotation<'a, W>), Fault> {
        let level = usize::from(instruction.level);
        let dst = match instruction.init() {
            true => self.value(instruction.dst, level, 1, Basis::Qp)?,
            false => self.operand(instruction.dst, level, 1, Basis::Qp)?,
        };
        let SwitchingKey {
            words, element, cap, ..
        } = self.key(instruction.b)?;
        let rotation = Rotation {
            element,
            key: words,
            key_cap: cap,
        };
        Ok((dst, rotation))
    }
}
