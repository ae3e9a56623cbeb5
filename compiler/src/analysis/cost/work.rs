//! The elementary work of the runtime's operations, counted. Formulas follow `cipherloom_ckks`, whose documentation says
//! what each operation does.

use crate::target::Term;

/// Units of elementary work by [`Term`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work(pub [f64; Term::COUNT]);

/// Ring and digits: what the work of an operation depends on beside its level. A level is the result's, as in the
/// instructions of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// log2 N.
    pub log_n: u32,
    /// K, the number of special primes.
    pub special: u32,
    /// α, limbs of a digit.
    pub digit_limbs: u32,
}

impl Work {
    /// Both.
    pub fn plus(mut self, other: Self) -> Self {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(sum, units)| *sum += units);
        self
    }

    /// So many times as much.
    pub fn times(mut self, factor: f64) -> Self {
        self.0.iter_mut().for_each(|units| *units *= factor);
        self
    }

    /// Units of one kind.
    pub fn of(&self, term: Term) -> f64 {
        self.0[term as usize]
    }

    /// Multiply-adds: of base conversions, with keys, and others.
    pub fn multiply_adds(&self) -> f64 {
        self.of(Term::Convert) + self.of(Term::KeyProduct) + self.of(Term::Product)
    }

    /// Adds units of one kind.
    fn with(mut self, term: Term, units: f64) -> Self {
        self.0[term as usize] += units;
        self
    }
}

impl Shape {
    /// Limbs of a polynomial.
    pub fn limbs(&self, level: u32, special: bool) -> u32 {
        level + 1 + if special { self.special } else { 0 }
    }

    /// Butterflies of the transform of one limb.
    pub fn butterflies(&self) -> f64 {
        0.5 * self.words(1) * f64::from(self.log_n)
    }

    /// Transforms of a limb, forward or back.
    pub fn transforms(&self, limbs: u32) -> Work {
        Work::default().with(Term::Transform, f64::from(limbs) * self.butterflies())
    }

    /// Base conversion of so many limbs to so many others.
    pub fn convert(&self, from: u32, to: u32) -> Work {
        Work::default()
            .with(Term::Convert, f64::from(from) * self.words(to))
            .with(Term::Converted, self.words(to))
    }

    /// Products of so many limbs with something.
    pub fn products(&self, limbs: u32) -> Work {
        Work::default().with(Term::Product, self.words(limbs))
    }

    /// A ciphertext unpacked and expanded from its seed.
    pub fn input(&self, level: u32) -> Work {
        self.unpack(level + 1).plus(self.expand(level + 1))
    }

    /// Limbs unpacked from their bytes.
    pub fn unpack(&self, limbs: u32) -> Work {
        self.loops(1).with(Term::Unpack, self.words(limbs))
    }

    /// Limbs expanded from a seed.
    pub fn expand(&self, limbs: u32) -> Work {
        self.loops(1).with(Term::Expand, self.words(limbs))
    }

    /// A ciphertext packed; taken to be as long as unpacking.
    pub fn output(&self, level: u32) -> Work {
        self.unpack(2 * (level + 1))
    }

    /// A vector of slots encoded to so many limbs, one word of which stands for 2^`compact`.
    pub fn encode(&self, limbs: u32, compact: u32) -> Work {
        let butterflies = 0.25 * self.words(1) * f64::from(self.log_n - 1);
        let whole = self
            .transforms(limbs)
            .with(Term::Encode, butterflies)
            .with(Term::Reduce, self.words(limbs));
        whole.times(share(compact)).plus(self.loops(1))
    }

    /// Limbs copied.
    pub fn copy(&self, limbs: u32) -> Work {
        Work::default().with(Term::Copy, self.words(limbs))
    }

    /// Sum or difference of two values of so many limbs.
    pub fn add(&self, limbs: u32) -> Work {
        self.pass(limbs, 2, 1, 0)
    }

    /// Limbs negated.
    pub fn neg(&self, limbs: u32) -> Work {
        self.pass(limbs, 1, 1, 0)
    }

    /// Limbs times those of a plaintext, or such products added to a sum: a sum costs its memory no more than a result
    /// does. One word of the plaintext stands for 2^`compact`.
    pub fn mul_plain(&self, limbs: u32, compact: u32) -> Work {
        self.pass(limbs, 1, 1, 1).plus(self.plaintexts(limbs, compact))
    }

    /// The sum of so many products of a ciphertext with a plaintext, all of so many limbs a polynomial; one of `together`
    /// sums of the same ciphertexts, which are read once for all of them.
    pub fn mul_plain_sum(&self, limbs: u32, count: u32, compact: u32, together: u32) -> Work {
        let shared = self.moved(2 * count * limbs, 0).times(1.0 / f64::from(together));
        self.pass(limbs, 0, 2, 2 * count)
            .plus(self.plaintexts(count * limbs, compact))
            .plus(shared)
    }

    /// Limbs times a number.
    pub fn mul_scalar(&self, limbs: u32) -> Work {
        self.pass(limbs, 1, 1, 1)
    }

    /// Product of two ciphertexts, degree 2, or one added to a sum; one of `together` products that go to the sum at once.
    pub fn mul(&self, level: u32, together: u32) -> Work {
        let shared = self.moved(0, 3 * (level + 1)).times(1.0 / f64::from(together));
        self.pass(level + 1, 4, 0, 4).plus(shared)
    }

    /// Square of a ciphertext, degree 2.
    pub fn square(&self, level: u32) -> Work {
        self.pass(level + 1, 2, 3, 4)
    }

    /// Division of so many polynomials by the prime above `level`.
    pub fn rescale(&self, level: u32, polynomials: u32) -> Work {
        self.divide(level + 1, 1, polynomials)
            .plus(self.moved(polynomials * (level + 2), polynomials * (level + 1)))
    }

    /// Mod-up of a ciphertext.
    pub fn decompose(&self, level: u32) -> Work {
        let limbs = level + 1;
        // c_0 is copied; the digits' own limbs of c_1 are read, and all digits written.
        self.raise(level, self.special)
            .plus(self.copy(limbs))
            .plus(self.moved(limbs, limbs + self.digits(level) * self.limbs(level, true)))
    }

    /// Digits times a key, permuted and added to a sum; one of `together` rotations of the same digits, which are read once
    /// for all of them.
    pub fn rotate_acc(&self, level: u32, together: u32) -> Work {
        let raised = self.limbs(level, true);
        let shared = self.moved(self.digits(level) * raised + level + 1, 0);
        self.key_products(level, self.special)
            .plus(self.permute(2 * raised))
            .plus(self.moved(0, 2 * raised))
            .plus(shared.times(1.0 / f64::from(together)))
            .plus(self.loops(1))
    }

    /// P times a ciphertext, added to a sum.
    pub fn lift_acc(&self, level: u32) -> Work {
        self.pass(2 * (level + 1), 1, 1, 1)
    }

    /// Division of a sum by P.
    pub fn mod_down(&self, level: u32) -> Work {
        self.divide(level + 1, self.special, 2)
            .plus(self.moved(2 * self.limbs(level, true), 2 * (level + 1)))
    }

    /// Division of a sum by P and the prime above `level`.
    pub fn mod_down_rescale(&self, level: u32) -> Work {
        self.divide(level + 1, self.special + 1, 2)
            .plus(self.moved(2 * self.limbs(level + 1, true), 2 * (level + 1)))
    }

    /// A degree-2 ciphertext brought to degree 1.
    pub fn relinearize(&self, level: u32) -> Work {
        self.switch(level, self.special, 2)
    }

    /// As [`Shape::relinearize`], and divided by the prime above `level`.
    pub fn relinearize_rescale(&self, level: u32) -> Work {
        self.raise(level + 1, self.special)
            .plus(self.key_products(level + 1, self.special))
            .plus(self.divide(level + 1, self.special + 1, 2))
            .plus(self.moved(3 * (level + 2), 2 * (level + 1)))
    }

    /// An automorphism of a ciphertext.
    pub fn rotate(&self, level: u32) -> Work {
        self.switch(level, self.special, 1)
            .plus(self.permute(2 * self.limbs(level, true) + level + 1))
    }

    /// A ciphertext brought to another secret. At level 0, where it becomes sparse, the key has one special prime.
    pub fn switch_secret(&self, level: u32) -> Work {
        let special = if level == 0 {
            self.special.min(1)
        } else {
            self.special
        };
        self.switch(level, special, 1)
    }

    /// A ciphertext of level 0 read at a higher level.
    pub fn mod_raise(&self, level: u32) -> Work {
        self.transforms(2 * (level + 1))
            .plus(self.convert(1, 2 * level))
            .plus(self.moved(2, 2 * (level + 1)))
            .plus(self.loops(6))
    }

    /// Base conversion with the scaling before it.
    pub fn base_conversion(&self, from: u32, to: u32) -> Work {
        self.convert(from, to)
            .plus(self.products(from))
            .plus(self.loops(3))
    }

    /// What a run starts with: tables for so many primes, and so many words of memory touched.
    pub fn start(&self, primes: u32, words: f64) -> Work {
        Work::default()
            .with(Term::Table, self.words(primes))
            .with(Term::Touch, words)
    }

    /// Digits of a polynomial.
    fn digits(&self, level: u32) -> u32 {
        (level + 1).div_ceil(self.digit_limbs.max(1))
    }

    fn words(&self, limbs: u32) -> f64 {
        f64::from(limbs) * 2f64.powi(self.log_n as i32)
    }

    /// A pass over limbs in memory: words read, written and multiplied for each of their words.
    fn pass(&self, limbs: u32, read: u32, written: u32, products: u32) -> Work {
        self.moved(read * limbs, written * limbs)
            .plus(self.products(products * limbs))
            .plus(self.loops(1))
    }

    /// Limbs read and written. A word that is written counts twice: its cache line is read before.
    fn moved(&self, read: u32, written: u32) -> Work {
        Work::default().with(Term::Stream, self.words(read + 2 * written))
    }

    /// Limbs of plaintexts read, one word of which stands for 2^`compact`.
    fn plaintexts(&self, limbs: u32, compact: u32) -> Work {
        self.moved(limbs, 0).times(share(compact))
    }

    /// Loops over limbs, and one limb for each that a thread may wait for at the end.
    fn loops(&self, count: u32) -> Work {
        Work::default()
            .with(Term::Loop, count.into())
            .with(Term::Wait, self.words(count))
    }

    fn permute(&self, limbs: u32) -> Work {
        Work::default().with(Term::Permute, self.words(limbs))
    }

    /// The digits of a polynomial in basis qp: each limb is transformed back once, and every digit goes to all primes but
    /// its own and forward again.
    fn raise(&self, level: u32, special: u32) -> Work {
        let limbs = level + 1;
        let raised = self.digits(level) * (limbs + special) - limbs;
        let converted = f64::from(limbs * (limbs + special)) - self.own_squared(level);
        self.transforms(limbs + raised)
            .with(Term::Convert, converted * self.words(1))
            .with(Term::Converted, self.words(raised))
            .plus(self.loops(3 * self.digits(level) + 1))
    }

    /// Σ (limbs of a digit)².
    fn own_squared(&self, level: u32) -> f64 {
        let (limbs, most) = (level + 1, self.digit_limbs.max(1));
        let rest = limbs % most;
        f64::from(limbs / most * most * most + rest * rest)
    }

    /// All digits times both polynomials of a key.
    fn key_products(&self, level: u32, special: u32) -> Work {
        let products = 2 * self.digits(level) * (level + 1 + special);
        Work::default().with(Term::KeyProduct, self.words(products))
    }

    /// A division with rounding of so many polynomials: `dropped` limbs back, converted to the `kept` ones, which go
    /// forward and are subtracted and multiplied.
    fn divide(&self, kept: u32, dropped: u32, polynomials: u32) -> Work {
        self.transforms(polynomials * (kept + dropped))
            .plus(self.convert(dropped, polynomials * kept))
            .plus(self.products(polynomials * kept))
            .plus(self.loops(3 * polynomials))
    }

    /// A whole key switch of one polynomial, added to so many others.
    fn switch(&self, level: u32, special: u32, addends: u32) -> Work {
        self.raise(level, special)
            .plus(self.key_products(level, special))
            .plus(self.divide(level + 1, special, 2))
            .plus(self.moved((1 + addends) * (level + 1), 2 * (level + 1)))
    }
}

/// The part of its words that a plaintext holds.
fn share(compact: u32) -> f64 {
    0.5f64.powi(compact as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: Shape = Shape {
        log_n: 16,
        special: 9,
        digit_limbs: 9,
    };

    fn limbs(shape: &Shape, work: Work) -> f64 {
        work.of(Term::Transform) / shape.butterflies()
    }

    #[test]
    fn transforms_of_a_key_switch() {
        // 25 back, 3·34 − 25 forward, 2·9 back, 2·25 forward.
        assert_eq!(limbs(&C, C.rotate(24)), 170.0);
        assert_eq!(limbs(&C, C.relinearize(24)), 170.0);
        // One division instead of two: the last limb comes back with the special ones.
        assert_eq!(limbs(&C, C.relinearize_rescale(23)), 170.0);
        assert_eq!(limbs(&C, C.relinearize(24).plus(C.rescale(23, 2))), 170.0 + 50.0);
    }

    #[test]
    fn a_rotation_is_its_parts() {
        let parts = C.decompose(24).plus(C.rotate_acc(24, 1)).plus(C.mod_down(24));
        let whole = C.rotate(24);
        for term in [Term::Transform, Term::Convert, Term::KeyProduct] {
            assert_eq!(parts.of(term), whole.of(term), "{term:?}");
        }
        assert!(whole.of(Term::Stream) < parts.of(Term::Stream));
    }

    #[test]
    fn compact_plaintexts_are_read_and_made_in_parts() {
        let n = 65536.0;
        let streamed = |work: Work| work.of(Term::Stream) / n;
        // Eight ciphertexts for two sums, eight plaintexts, and a sum that counts twice.
        assert_eq!(streamed(C.mul_plain_sum(34, 8, 0, 2)), 34.0 * (8.0 + 8.0 + 4.0));
        assert_eq!(streamed(C.mul_plain_sum(34, 8, 3, 2)), 34.0 * (8.0 + 1.0 + 4.0));
        assert_eq!(streamed(C.mul_plain(50, 2)), 50.0 * (1.0 + 0.25 + 2.0));
        assert_eq!(limbs(&C, C.encode(34, 1)), 17.0);
    }

    #[test]
    fn conversions_leave_out_a_digits_own_primes() {
        let n = 65536.0;
        // Digits of 9, 9 and 7 limbs, to 25, 25 and 27 others.
        let raised = 9.0 * 25.0 + 9.0 * 25.0 + 7.0 * 27.0;
        assert_eq!(C.decompose(24).of(Term::Convert), raised * n);
        assert_eq!(C.mod_down(24).of(Term::Convert), 2.0 * 9.0 * 25.0 * n);
        assert_eq!(C.rotate(24).of(Term::KeyProduct), 2.0 * 3.0 * 34.0 * n);
    }
}
