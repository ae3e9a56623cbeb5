//! Ring degree, modulus chain and digits, checked once; and how many words each kind of value takes.

use crate::CkksError;
use cipherloom_ring::prime::is_prime;
use cipherloom_ring::{MAX_PRIMES, Word, pack};
use heapless::Vec;

/// Smallest log2 of the ring degree that is accepted. Security starts far above it: small rings are for tests.
pub const MIN_LOG_N: u32 = 4;
/// Largest log2 of the ring degree that is accepted.
pub const MAX_LOG_N: u32 = 17;

/// The parameters of a CKKS instance. Scales are not here: they belong to values.
///
/// A switching key splits a polynomial at level l into `digits(l)` digits; digit d covers the limbs
/// [d·α, min((d+1)·α, l+1)), α = `digit_limbs` (hybrid key switching, Han–Ki 2020).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// log2 of the ring degree N.
    pub log_n: u32,
    /// The modulus chain q_0 … q_L.
    pub q: Vec<u64, MAX_PRIMES>,
    /// The special primes; empty where no key is ever switched.
    pub p: Vec<u64, MAX_PRIMES>,
    /// α, limbs per digit.
    pub digit_limbs: u32,
}

impl Parameters {
    /// Checks and keeps the parameters: q not empty; all primes distinct and ≡ 1 mod 2N, at most [`MAX_PRIMES`]; and,
    /// where there are special primes, α ≥ 1 and the product of the special primes not below that of any digit (else
    /// the key-switching error would not be small).
    pub fn new(log_n: u32, q: &[u64], p: &[u64], digit_limbs: u32) -> Result<Self, CkksError> {
        let too_many = |_| CkksError::Parameters("too many primes");
        let parameters = Self {
            log_n,
            q: Vec::from_slice(q).map_err(too_many)?,
            p: Vec::from_slice(p).map_err(too_many)?,
            digit_limbs,
        };
        parameters.check()?;
        Ok(parameters)
    }

    /// What [`Parameters::new`] checks; the fields are public, so a context checks again.
    pub(crate) fn check(&self) -> Result<(), CkksError> {
        let wrong = |reason| Err(CkksError::Parameters(reason));
        if !(MIN_LOG_N..=MAX_LOG_N).contains(&self.log_n) {
            return wrong("the ring degree is out of range");
        }
        if self.q.is_empty() {
            return wrong("the modulus chain is empty");
        }
        if self.primes().count() > MAX_PRIMES {
            return wrong("too many primes");
        }
        for (i, prime) in self.primes().enumerate() {
            if prime % (2 << self.log_n) != 1 || !is_prime(prime) {
                return wrong("a modulus is not a prime that is 1 modulo 2N");
            }
            if self.primes().take(i).any(|earlier| earlier == prime) {
                return wrong("a prime occurs twice");
            }
        }
        if !self.p.is_empty() {
            if self.digit_limbs == 0 {
                return wrong("a digit has no limbs");
            }
            self.check_digits(self.max_level())?;
        }
        Ok(())
    }

    /// Fails where the special primes are smaller than a digit at a level.
    fn check_digits(&self, level: usize) -> Result<(), CkksError> {
        // A logarithm is exact enough: at equality the error is the same as just above it.
        let log2 = |primes: &[u64]| primes.iter().map(|&prime| libm::log2(prime as f64)).sum::<f64>();
        let special = log2(&self.p) + 1e-9;
        let limbs = &self.q[..(level + 1).min(self.q.len())];
        let mut digits = limbs.chunks(self.digit_limbs.max(1) as usize);
        if digits.all(|digit| log2(digit) <= special) {
            Ok(())
        } else {
            Err(CkksError::Parameters(
                "the special primes are smaller than a digit",
            ))
        }
    }

    /// These parameters with the first `count` special primes and digits of at most as many limbs, for keys up to the
    /// level `cap`.
    pub(crate) fn with_special(&self, count: usize, cap: usize) -> Result<Self, CkksError> {
        if count == 0 || count > self.special() {
            return Err(CkksError::Parameters("there are not so many special primes"));
        }
        let highest = self.max_level();
        if cap > highest {
            return Err(CkksError::Level { level: cap, highest });
        }
        let mut fewer = self.clone();
        fewer.p.truncate(count);
        fewer.digit_limbs = self.digit_limbs.min(count as u32);
        fewer.check_digits(cap)?;
        Ok(fewer)
    }

    /// All primes in the order of the ring: q, then p.
    pub fn primes(&self) -> impl Iterator<Item = u64> + '_ {
        self.q.iter().chain(&self.p).copied()
    }

    /// N, the number of coefficients; a ciphertext has N/2 slots.
    pub fn degree(&self) -> usize {
        1 << self.log_n
    }

    /// N/2, the number of complex slots.
    pub fn slots(&self) -> usize {
        self.degree() / 2
    }

    /// L, the level of a value that has all q-limbs.
    pub fn max_level(&self) -> usize {
        self.q.len().saturating_sub(1)
    }

    /// K, the number of special primes.
    pub fn special(&self) -> usize {
        self.p.len()
    }

    /// Digits of a polynomial at a level: ⌈(l+1)/α⌉.
    pub fn digits(&self, level: usize) -> usize {
        level.saturating_add(1).div_ceil(self.digit_limbs.max(1) as usize)
    }

    /// Words of one polynomial in basis q.
    pub fn plaintext_words(&self, level: usize) -> usize {
        self.words(level.saturating_add(1))
    }

    /// Words of a ciphertext of a degree (polynomials − 1) in basis q.
    pub fn ciphertext_words(&self, level: usize, degree: usize) -> usize {
        self.words(degree.saturating_add(1).saturating_mul(level.saturating_add(1)))
    }

    /// Words of a value of a degree (polynomials − 1) in basis qp.
    pub fn qp_words(&self, level: usize, degree: usize) -> usize {
        self.words(degree.saturating_add(1).saturating_mul(self.qp_limbs(level)))
    }

    /// Words of a decomposed ciphertext: c_0 in basis q and the digits of c_1 in basis qp.
    pub fn decomposed_words(&self, level: usize) -> usize {
        let digits = self.digits(level).saturating_mul(self.qp_limbs(level));
        self.words(digits.saturating_add(level).saturating_add(1))
    }

    /// Words of a switching key that serves the levels up to `cap`: a pair of packed polynomials for each digit.
    pub fn switching_key_words<W: Word>(&self, cap: usize) -> usize {
        self.digits(cap)
            .saturating_mul(2)
            .saturating_mul(self.packed_words::<W>(cap))
    }

    /// Words of a polynomial in basis qp at a level, packed ([`pack`](cipherloom_ring::pack)) limb by limb.
    pub fn packed_words<W: Word>(&self, level: usize) -> usize {
        let q = self.q.iter().take(level.saturating_add(1));
        q.chain(&self.p)
            .map(|&prime| self.packed_limb_words::<W>(prime))
            .sum()
    }

    /// Words of a packed limb modulo a prime.
    pub(crate) fn packed_limb_words<W: Word>(&self, prime: u64) -> usize {
        pack::packed_words::<W>(self.degree(), u64::BITS - prime.leading_zeros())
    }

    fn qp_limbs(&self, level: usize) -> usize {
        level.saturating_add(1).saturating_add(self.special())
    }

    /// Limbs to words. Saturates, so that a size beyond the address space fails a length check instead of wrapping.
    pub(crate) fn words(&self, limbs: usize) -> usize {
        limbs.saturating_mul(self.degree())
    }
}
