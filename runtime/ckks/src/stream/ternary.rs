//! Ternary polynomials at two bits a coefficient.

use super::prime::Prime;
use crate::CkksError;
use crate::seed::derive_seed;
use chacha20::ChaCha20Rng;
use cipherloom_ring::sample;
use rand_core::{CryptoRng, SeedableRng};
use zeroize::{Zeroize, Zeroizing};

/// Coefficients in a word.
const PER_WORD: usize = u32::BITS as usize / 2;

/// A polynomial of coefficients −1, 0, 1, such as the secret; zeroised on drop.
pub struct Ternary<'m> {
    log_n: u32,
    /// Coefficient i, plus 1, in bits 2(i mod 16) and above of word ⌊i/16⌋.
    packed: &'m mut [u32],
}

impl<'m> Ternary<'m> {
    /// Words of memory: N/16.
    pub const fn memory_words(log_n: u32) -> usize {
        (1 << log_n) / PER_WORD
    }

    /// Memory for a polynomial that is sampled later.
    pub fn empty(log_n: u32, memory: &'m mut [u32]) -> Result<Self, CkksError> {
        super::checked_degree(log_n)?;
        crate::error::exactly(
            "memory of a ternary polynomial",
            memory,
            Self::memory_words(log_n),
        )?;
        Ok(Self {
            log_n,
            packed: memory,
        })
    }

    /// The secret of a seed, as [`crate::SecretKey::from_seed`].
    pub fn secret(log_n: u32, seed: &[u8; 32], memory: &'m mut [u32]) -> Result<Self, CkksError> {
        let mut secret = Self::empty(log_n, memory)?;
        let seed = Zeroizing::new(derive_seed(seed, crate::secret::TERNARY_LABEL));
        secret.sample(&mut ChaCha20Rng::from_seed(*seed));
        Ok(secret)
    }

    pub(super) fn log_n(&self) -> u32 {
        self.log_n
    }

    /// Uniform coefficients.
    pub(super) fn sample(&mut self, rng: &mut impl CryptoRng) {
        let mut piece = Zeroizing::new([0i8; PER_WORD]);
        for word in self.packed.iter_mut() {
            sample::ternary(rng, &mut *piece);
            let digits = piece.iter().rev().map(|&coefficient| (coefficient + 1) as u32);
            *word = digits.fold(0, |word, digit| word << 2 | digit);
        }
    }

    /// The residues of the coefficients modulo a prime, without a branch on them.
    pub(super) fn lift(&self, prime: &Prime, limb: &mut [u32]) {
        let q = prime.modulus.value();
        for (residues, &word) in limb.chunks_exact_mut(PER_WORD).zip(self.packed.iter()) {
            for (i, residue) in residues.iter_mut().enumerate() {
                let digit = word >> (2 * i) & 3;
                // 0, 1, 2 → q − 1, 0, 1.
                let negative = digit.wrapping_sub(1) >> 31;
                *residue = digit.wrapping_sub(1).wrapping_add(q & negative.wrapping_neg());
            }
        }
    }
}

impl Drop for Ternary<'_> {
    fn drop(&mut self) {
        self.packed.zeroize();
    }
}
