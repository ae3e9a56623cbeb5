//! The key holder on a small machine: encryption and decryption limb by limb, in 3N words, for 32-bit words.
//!
//! [`encrypt_symmetric`](crate::encrypt::encrypt_symmetric) and its siblings hold whole polynomials: several limbs of
//! message, secret and ciphertext, and transform tables. A [`Client`] holds one limb of each, makes the uniform
//! polynomial while it uses it, keeps ternary polynomials at two bits a coefficient, and hands the packed ciphertext out
//! piece by piece. From the same seed and generator it gives the same bytes as the functions there, whatever their word width.
//!
//! | memory                  | words  | holds                                                              |
//! |-------------------------|--------|--------------------------------------------------------------------|
//! | [`Slots`], first third  | N      | slots as doubles; then message + error, signed                      |
//! | second third            | N      | slots as doubles; then the limb of message + error                  |
//! | last third              | N      | the limb of the secret, or of the ephemeral polynomial              |
//! | [`Ternary`]             | N/16   | the secret, or the ephemeral polynomial of a public encryption      |
//!
//! Tables are optional: [`Roots`] and [`Factors`] say whether they are computed along the way or lie somewhere, in flash
//! or in memory. Either gives the same bytes.

mod fourier;
mod prime;
mod slots;
mod ternary;

pub use fourier::fill_factors;
pub use slots::Slots;
pub use ternary::Ternary;

use crate::CkksError;
use crate::seed::uniform_stream;
use cipherloom_ring::pack::{pack, packed_bytes, unpack};
use cipherloom_ring::{RingError, sample};
use heapless::Vec;
use prime::Prime;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Most primes of a client's chain.
pub const MAX_PRIMES: usize = 16;
/// Residues that are made, packed and handed out together. A multiple of 8, so that a piece is whole bytes.
const PIECE: usize = 64;
/// Smallest log2 of the ring degree: a piece is at most a limb.
const MIN_LOG_N: u32 = PIECE.ilog2();

/// Where the roots that a number-theoretic transform multiplies with come from.
#[derive(Clone, Copy)]
pub enum Roots<'t> {
    /// Computed along the way: one product more for every root, N for N/2·log2 N butterflies.
    Computed,
    /// N words for each prime, as [`fill_roots`] makes them.
    Stored(&'t [u32]),
}

/// Where the factors of the special FFT come from.
#[derive(Clone, Copy)]
pub enum Factors<'t> {
    /// Computed along the way: N/2 sines and cosines.
    Computed,
    /// N words, as [`fill_factors`] makes them.
    Stored(&'t [i32]),
}

/// Fills N words with what [`Roots::Stored`] takes for one prime.
pub fn fill_roots(log_n: u32, prime: u64, table: &mut [u32]) -> Result<(), CkksError> {
    let prime = checked_degree(log_n).and_then(|()| Prime::new(log_n, prime))?;
    crate::error::exactly("table of roots", table, 1 << log_n)?;
    table.fill(0);
    prime.fill_roots(table);
    Ok(())
}

/// The ring degree, the primes and the tables of a key holder.
pub struct Client<'t> {
    log_n: u32,
    primes: Vec<u64, MAX_PRIMES>,
    roots: Roots<'t>,
    factors: Factors<'t>,
}

/// A value to encrypt: what its slots are multiplied with, and its level.
#[derive(Clone, Copy)]
pub struct Encoding {
    /// The scale.
    pub scale: f64,
    /// The level: one less than the number of limbs.
    pub level: usize,
}

impl Encoding {
    /// Whether slots of absolute value up to `bound` can be encoded so: coefficients are signed words, with room for the error.
    pub fn holds(&self, bound: f64) -> bool {
        bound * self.scale <= f64::from(i32::MAX - 64)
    }
}

impl<'t> Client<'t> {
    /// A client for the chain q_0 … q_L of a verified plan: primes below 2^30, 1 modulo 2N. N is 2^6 to 2^17.
    pub fn new(
        log_n: u32,
        primes: impl IntoIterator<Item = u64>,
        roots: Roots<'t>,
        factors: Factors<'t>,
    ) -> Result<Self, CkksError> {
        checked_degree(log_n)?;
        let mut chain = Vec::new();
        for prime in primes {
            chain
                .push(prime)
                .map_err(|_| CkksError::Parameters("too many primes"))?;
        }
        if let Factors::Stored(table) = factors {
            crate::error::exactly("table of factors", table, 1 << log_n)?;
        }
        Ok(Self {
            log_n,
            primes: chain,
            roots,
            factors,
        })
    }

    /// Bytes of a polynomial: its limbs, packed.
    pub fn polynomial_bytes(&self, level: usize) -> usize {
        let bits = |prime: &u64| u64::BITS - prime.leading_zeros();
        let limbs = self.primes.iter().take(level.saturating_add(1));
        limbs
            .map(|prime| packed_bytes(1 << self.log_n, bits(prime)))
            .sum()
    }

    /// Encrypts with the secret key. The packed c_0, limb after limb, goes to `emit` in pieces; c_1 is `seed`, which must serve
    /// this ciphertext alone. As [`crate::encrypt::encrypt_symmetric`].
    pub fn encrypt_symmetric(
        &self,
        secret: &Ternary<'_>,
        mut message: Slots<'_>,
        encoding: Encoding,
        seed: &[u8; 32],
        rng: &mut impl CryptoRng,
        mut emit: impl FnMut(&[u8]),
    ) -> Result<(), CkksError> {
        self.check(secret, &message, encoding.level)?;
        message.encode(&self.factors, encoding)?;
        add_errors(self.degree(), message.work, rng);
        for index in 0..=encoding.level {
            let prime = self.prime(index)?;
            let (sum, factor) = self.transformed(&prime, index, message.work, secret)?;
            let mut uniform = uniform_stream(seed, 0, index);
            let mut c1 = [0; PIECE];
            for (sum, factor) in sum.chunks_exact_mut(PIECE).zip(factor.chunks_exact(PIECE)) {
                sample::uniform(&prime.modulus, &mut uniform, &mut c1);
                for ((sum, &factor), &c1) in sum.iter_mut().zip(factor).zip(&c1) {
                    *sum = prime.modulus.sub(*sum, prime.modulus.mul(c1, factor));
                }
                emit_piece(&prime, sum, &mut emit);
            }
        }
        Ok(())
    }

    /// Encrypts with a public key: 32 bytes from which its second half is expanded, then its first half, packed, at the top
    /// level. The packed c_0 and c_1 go to `emit` in pieces. `ephemeral` is overwritten with the ternary polynomial of this
    /// ciphertext. As [`crate::encrypt::encrypt_public`].
    pub fn encrypt_public(
        &self,
        public_key: &[u8],
        mut message: Slots<'_>,
        encoding: Encoding,
        ephemeral: &mut Ternary<'_>,
        rng: &mut impl CryptoRng,
        mut emit: impl FnMut(&[u8]),
    ) -> Result<(), CkksError> {
        let expected = 32 + self.polynomial_bytes(self.primes.len());
        let (seed, half) = public_key
            .split_first_chunk::<32>()
            .filter(|_| public_key.len() == expected)
            .ok_or(CkksError::Length {
                what: "public key",
                expected,
                actual: public_key.len(),
            })?;
        self.check(ephemeral, &message, encoding.level)?;
        message.encode(&self.factors, encoding)?;
        ephemeral.sample(rng);
        add_errors(self.degree(), message.work, rng);
        let mut packed = half;
        for index in 0..=encoding.level {
            let prime = self.prime(index)?;
            let (sum, factor) = self.transformed(&prime, index, message.work, ephemeral)?;
            for (sum, factor) in sum.chunks_exact_mut(PIECE).zip(factor.chunks_exact(PIECE)) {
                let key = take_piece(&prime, &mut packed)?;
                add_products(&prime, sum, factor, &key);
                emit_piece(&prime, sum, &mut emit);
            }
        }
        message.work.get_mut(..self.degree()).unwrap_or_default().fill(0);
        add_errors(self.degree(), message.work, rng);
        for index in 0..=encoding.level {
            let prime = self.prime(index)?;
            let (sum, factor) = self.transformed(&prime, index, message.work, ephemeral)?;
            let mut uniform = uniform_stream(seed, 0, index);
            let mut key = [0; PIECE];
            for (sum, factor) in sum.chunks_exact_mut(PIECE).zip(factor.chunks_exact(PIECE)) {
                sample::uniform(&prime.modulus, &mut uniform, &mut key);
                add_products(&prime, sum, factor, &key);
                emit_piece(&prime, sum, &mut emit);
            }
        }
        Ok(())
    }

    /// Decrypts and decodes from the first limbs of c_0 and c_1, packed: enough for a ciphertext of any level as long as message
    /// times scale, and error, stay below q_0/2 in absolute value. At level 0 as [`crate::encrypt::decrypt`] and
    /// [`crate::Encoder::decode`]. The values carry the error of the computation: they are for the key holder.
    pub fn decrypt<'m>(
        &self,
        secret: &Ternary<'_>,
        [mut c0, mut c1]: [&[u8]; 2],
        scale: f64,
        mut memory: Slots<'m>,
    ) -> Result<Slots<'m>, CkksError> {
        self.check(secret, &memory, 0)?;
        let prime = self.prime(0)?;
        let n = self.degree();
        let roots = self.roots.of(self.log_n, 0)?;
        let limb = memory.work.get_mut(..n).unwrap_or_default();
        secret.lift(&prime, limb);
        prime.forward(roots, limb);
        for sum in limb.chunks_exact_mut(PIECE) {
            let (c0, c1) = (take_piece(&prime, &mut c0)?, take_piece(&prime, &mut c1)?);
            for ((sum, c0), c1) in sum.iter_mut().zip(c0).zip(c1) {
                *sum = prime.modulus.mul_add(*sum, c1, c0);
            }
        }
        prime.inverse(roots, limb);
        memory.decode(&self.factors, &prime.modulus, scale)?;
        Ok(memory)
    }

    fn degree(&self) -> usize {
        1 << self.log_n
    }

    fn prime(&self, index: usize) -> Result<Prime, CkksError> {
        let value = self.primes.get(index).copied().ok_or(CkksError::Prime(index))?;
        Prime::new(self.log_n, value)
    }

    fn check(&self, ternary: &Ternary<'_>, slots: &Slots<'_>, level: usize) -> Result<(), CkksError> {
        if ternary.log_n() != self.log_n || slots.log_n != self.log_n {
            return Err(CkksError::Parameters("memory for another ring degree"));
        }
        let highest = self.primes.len().saturating_sub(1);
        if level > highest {
            return Err(CkksError::Level { level, highest });
        }
        Ok(())
    }

    /// The coefficients in the first third of `work`, and a ternary polynomial, as limbs of one prime in the others.
    fn transformed<'w>(
        &self,
        prime: &Prime,
        index: usize,
        work: &'w mut [u32],
        ternary: &Ternary<'_>,
    ) -> Result<(&'w mut [u32], &'w [u32]), CkksError> {
        let n = self.degree();
        let roots = self.roots.of(self.log_n, index)?;
        let (coefficients, limbs) = work.split_at_mut_checked(n).unwrap_or_default();
        let (sum, factor) = limbs.split_at_mut_checked(n).unwrap_or_default();
        for (residue, &coefficient) in sum.iter_mut().zip(&*coefficients) {
            *residue = prime.modulus.reduce_i64(i64::from(coefficient as i32));
        }
        ternary.lift(prime, factor);
        prime.forward(roots, sum);
        prime.forward(roots, factor);
        Ok((sum, factor))
    }
}

fn checked_degree(log_n: u32) -> Result<(), CkksError> {
    if (MIN_LOG_N..=crate::parameters::MAX_LOG_N).contains(&log_n) {
        Ok(())
    } else {
        Err(RingError::Degree { log_n }.into())
    }
}

/// Adds Gaussian errors to N signed coefficients.
fn add_errors(n: usize, coefficients: &mut [u32], rng: &mut impl CryptoRng) {
    let mut piece = Zeroizing::new([0i8; PIECE]);
    for coefficients in coefficients.chunks_exact_mut(PIECE).take(n / PIECE) {
        sample::gaussian(rng, &mut *piece);
        for (coefficient, &error) in coefficients.iter_mut().zip(&*piece) {
            *coefficient = coefficient.wrapping_add(i32::from(error) as u32);
        }
    }
}

/// sum += factor·key.
fn add_products(prime: &Prime, sum: &mut [u32], factor: &[u32], key: &[u32; PIECE]) {
    for ((sum, &factor), &key) in sum.iter_mut().zip(factor).zip(key) {
        *sum = prime.modulus.mul_add(factor, key, *sum);
    }
}

fn emit_piece(prime: &Prime, residues: &[u32], emit: &mut impl FnMut(&[u8])) {
    let mut bytes = [0; size_of::<u32>() * PIECE];
    let bits = prime.modulus.bits();
    pack(residues, bits, &mut bytes);
    emit(
        bytes
            .get(..packed_bytes(residues.len(), bits))
            .unwrap_or_default(),
    );
}

/// The next residues of a packed limb.
fn take_piece(prime: &Prime, packed: &mut &[u8]) -> Result<[u32; PIECE], CkksError> {
    let mut residues = [0; PIECE];
    let bits = prime.modulus.bits();
    unpack(packed, bits, &prime.modulus, &mut residues)?;
    *packed = packed.get(packed_bytes(PIECE, bits)..).unwrap_or_default();
    Ok(residues)
}
