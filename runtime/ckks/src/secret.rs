//! The secret key.

use crate::context::{Basis, Context};
use crate::error::exactly;
use crate::seed::derive_seed;
use crate::small::fill_small;
use crate::{CkksError, Parameters};
use chacha20::ChaCha20Rng;
use cipherloom_ring::{Word, sample};
use rand_core::{Rng, SeedableRng};
use zeroize::{Zeroize, Zeroizing};

/// Label of the seed that the uniform ternary secret is drawn from, and of the one for sparse secrets.
pub(crate) const TERNARY_LABEL: u64 = 0;
const SPARSE_LABEL: u64 = 1;

/// A secret s, in NTT form modulo every prime of the ring, in memory of the caller that is zeroised on drop.
pub struct SecretKey<'m, W: Word> {
    limbs: &'m mut [W],
}

impl<'m, W: Word> SecretKey<'m, W> {
    /// Words of memory: (L+1+K)·N.
    pub fn memory_words(parameters: &Parameters) -> usize {
        parameters.qp_words(parameters.max_level(), 0)
    }

    /// The uniform ternary secret of a seed; the same for both word widths.
    pub fn from_seed(ctx: &Context<'_, W>, seed: &[u8; 32], memory: &'m mut [W]) -> Result<Self, CkksError> {
        Self::sampled(ctx, seed, TERNARY_LABEL, memory, |rng, piece| {
            sample::ternary(rng, piece)
        })
    }

    /// A ternary secret of a seed with exactly `weight` non-zero coefficients: the ephemeral secret of a bootstrap
    /// (Bossuat et al. 2022). Security then rests on the modulus being small while this secret is in use.
    pub fn sparse_from_seed(
        ctx: &Context<'_, W>,
        seed: &[u8; 32],
        weight: usize,
        memory: &'m mut [W],
    ) -> Result<Self, CkksError> {
        let n = ctx.degree();
        if weight == 0 || weight > n {
            return Err(CkksError::HammingWeight(weight));
        }
        // Selection sampling: coefficient i is non-zero with probability (still to place) / (coefficients left). The
        // multiply-high draw is biased by less than 2^-47, and nothing branches on what was drawn.
        let (mut left, mut to_place) = (n as u64, weight as u64);
        Self::sampled(ctx, seed, SPARSE_LABEL, memory, move |rng, piece| {
            for value in piece {
                let draw = ((u128::from(rng.next_u64()) * u128::from(left)) >> 64) as u64;
                let chosen = draw.wrapping_sub(to_place) >> 63;
                let sign = i64::from(rng.next_u32() & 1) * 2 - 1;
                *value = (sign * chosen as i64) as i8;
                to_place -= chosen;
                left -= 1;
            }
        })
    }

    fn sampled(
        ctx: &Context<'_, W>,
        seed: &[u8; 32],
        label: u64,
        memory: &'m mut [W],
        mut sampler: impl FnMut(&mut ChaCha20Rng, &mut [i8]),
    ) -> Result<Self, CkksError> {
        exactly("secret key memory", memory, Self::memory_words(&ctx.parameters))?;
        let seed = Zeroizing::new(derive_seed(seed, label));
        let mut rng = ChaCha20Rng::from_seed(*seed);
        let top = ctx.parameters.max_level();
        fill_small(ctx, top, Basis::Qp, memory, |piece| sampler(&mut rng, piece));
        Ok(Self { limbs: memory })
    }

    /// The limb for a prime of the ring.
    pub(crate) fn limb<'a>(&'a self, ctx: &Context<'_, W>, prime: usize) -> &'a [W] {
        ctx.limb(self.limbs, prime)
    }

    /// Fails if the key was made for other parameters; those of the context may have fewer special primes.
    pub(crate) fn check(&self, ctx: &Context<'_, W>) -> Result<(), CkksError> {
        let (expected, actual) = (Self::memory_words(&ctx.parameters), self.limbs.len());
        if actual >= expected && actual <= ctx.parameters.words(ctx.ring.primes()) {
            Ok(())
        } else {
            Err(CkksError::Length {
                what: "secret key",
                expected,
                actual,
            })
        }
    }
}

impl<W: Word> Drop for SecretKey<'_, W> {
    fn drop(&mut self) {
        self.limbs.iter_mut().zeroize();
    }
}
