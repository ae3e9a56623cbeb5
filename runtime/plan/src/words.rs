//! Sizes of values and of scratch memory, in machine words.
//!
//! N is the ring degree, l the level, K the number of special primes, α the limbs per digit and D = ⌈(l+1)/α⌉ the
//! number of digits. Every polynomial takes N words per limb, but in switching keys, which are packed.

use crate::instruction::Instruction;
use crate::model::{Basis, Key};
use crate::op::Op;

/// Sizes under given parameters. All in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordCounts {
    degree: u64,
    special: u64,
    digit_limbs: u64,
}

impl WordCounts {
    /// Sizes for ring degree 2^`log_n` (at most 2^17 in a plan), `special` special primes and digits of `digit_limbs`.
    pub const fn new(log_n: u32, special: u32, digit_limbs: u32) -> Self {
        let digit_limbs = if digit_limbs == 0 { 1 } else { digit_limbs as u64 };
        WordCounts {
            degree: 1 << if log_n > 31 { 31 } else { log_n },
            special: special as u64,
            digit_limbs,
        }
    }

    /// D: the number of digits at this level.
    pub const fn digits(&self, level: u8) -> u64 {
        (level as u64 + 1).div_ceil(self.digit_limbs)
    }

    /// A polynomial: (l+1)·N in basis q, (l+1+K)·N in basis qp.
    pub const fn polynomial(&self, level: u8, basis: Basis) -> u64 {
        let special = match basis {
            Basis::Q => 0,
            Basis::Qp => self.special,
        };
        (level as u64 + 1 + special) * self.degree
    }

    /// A plaintext: one polynomial, one word of which stands for 2^`compact`.
    pub const fn plaintext(&self, level: u8, basis: Basis, compact: u8) -> u64 {
        self.polynomial(level, basis) >> compact
    }

    /// A ciphertext: degree + 1 polynomials.
    pub const fn ciphertext(&self, level: u8, degree: u8, basis: Basis) -> u64 {
        (degree as u64 + 1) * self.polynomial(level, basis)
    }

    /// A decomposed ciphertext: c0 in basis q and D polynomials in basis qp.
    pub const fn decomposed(&self, level: u8) -> u64 {
        self.polynomial(level, Basis::Q) + self.digits(level) * self.polynomial(level, Basis::Qp)
    }

    /// A switching key of the key table, in words of so many bits: D pairs of polynomials in basis qp, with the special primes
    /// that its kind uses, each limb packed into as many bits a residue as its prime has.
    pub fn key(
        &self,
        key: &Key,
        word_bits: u32,
        q: impl Iterator<Item = u64>,
        p: impl Iterator<Item = u64>,
    ) -> u64 {
        let special = key.kind.special(self.special as u8);
        let limb = |prime: u64| {
            let bits = u64::from(u64::BITS - prime.leading_zeros());
            (self.degree * bits).div_ceil(u64::from(word_bits.max(1)))
        };
        let primes = q
            .take(usize::from(key.level) + 1)
            .chain(p.take(usize::from(special)));
        2 * self.digits(key.level) * primes.map(limb).sum::<u64>()
    }

    /// The ring's tables for `primes` primes: the powers of a root and their Shoup quotients for each.
    pub const fn ring_tables(&self, primes: u64) -> u64 {
        2 * self.degree * primes
    }

    /// Scratch of `rescale`.
    pub const fn rescale_scratch(&self) -> u64 {
        6 * self.degree
    }

    /// The least scratch of `rescale` that an executor accepts, where memory is dearer than time.
    pub const fn least_rescale_scratch(&self) -> u64 {
        2 * self.degree
    }

    /// Scratch of `mod_raise`.
    pub const fn mod_raise_scratch(&self) -> u64 {
        4 * self.degree
    }

    /// Scratch of `decompose`: the coefficients of c1 and a limb for each digit.
    pub const fn decompose_scratch(&self, level: u8) -> u64 {
        self.polynomial(level, Basis::Q) + self.digits(level) * self.degree
    }

    /// Scratch of `mod_down`: for two polynomials, the limbs to divide by and one more.
    pub const fn mod_down_scratch(&self) -> u64 {
        2 * (self.special + 1) * self.degree
    }

    /// Scratch of `mod_down_rescale`: there is one more limb to divide by.
    pub const fn mod_down_rescale_scratch(&self) -> u64 {
        2 * (self.special + 2) * self.degree
    }

    /// Scratch of `relinearize`, `rotate` and `switch_secret` (with however many special primes), and of
    /// `relinearize_rescale` from this level: the digits, an accumulator, and a few limbs for the division.
    pub const fn switch_scratch(&self, level: u8) -> u64 {
        let digits = self.digits(level);
        (digits + 2) * self.polynomial(level, Basis::Qp) + (digits + self.special + 6) * self.degree
    }

    /// The scratch that an instruction needs.
    pub const fn scratch(&self, instruction: &Instruction) -> u64 {
        let level = instruction.source_level();
        match instruction.op {
            Op::Rescale => self.rescale_scratch(),
            Op::ModRaise => self.mod_raise_scratch(),
            Op::Decompose => self.decompose_scratch(level),
            Op::ModDown => self.mod_down_scratch(),
            Op::ModDownRescale => self.mod_down_rescale_scratch(),
            Op::Relinearize | Op::RelinearizeRescale | Op::Rotate | Op::SwitchSecret => {
                self.switch_scratch(level)
            }
            _ => 0,
        }
    }
}
