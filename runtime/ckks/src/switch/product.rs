//! The product of digits with a switching key.

use crate::context::{Basis, Context};
use cipherloom_ring::{MAX_PRIMES, Word, limb};

/// Columns multiplied with both polynomials of a key while the digits are in the first-level cache.
const TILE: usize = 1024;

/// A switching key for all levels up to its cap.
#[derive(Clone, Copy)]
pub(super) struct Key<'a, W> {
    pub words: &'a [W],
    pub cap: usize,
}

impl<W: Word> Key<'_, W> {
    /// The limb at a position of both polynomials of Σ_d digit_d · key_d + P·(addend_0, addend_1). `digits` are the limbs
    /// of all digits at the position, `addends` polynomials in basis q.
    pub fn products<'d>(
        &self,
        ctx: &Context<'_, W>,
        level: usize,
        position: usize,
        digits: impl Iterator<Item = &'d [W]> + Clone,
        addends: [Option<&[W]>; 2],
        [sum0, sum1]: [&mut [W]; 2],
    ) {
        let modulus = ctx.modulus(ctx.prime_at(level, position));
        let p = ctx.special_product(modulus);
        let limbs = ctx.limbs(self.cap, Basis::Qp);
        let key_position = if position <= level {
            position
        } else {
            position + self.cap - level
        };
        // P is 0 modulo its own primes.
        let addends = addends.map(|addend| {
            addend
                .filter(|_| position <= level)
                .map(|addend| ctx.limb(addend, position))
        });
        let sums = sum0.chunks_mut(TILE).zip(sum1.chunks_mut(TILE));
        for (tile, (sum0, sum1)) in sums.enumerate() {
            let columns = tile * TILE..tile * TILE + sum0.len();
            for (polynomial, (sum, addend)) in [sum0, sum1].into_iter().zip(addends).enumerate() {
                let terms: heapless::Vec<(&[W], &[W]), MAX_PRIMES> = digits
                    .clone()
                    .enumerate()
                    .map(|(digit, limb)| {
                        let key = ctx.limb(self.words, (2 * digit + polynomial) * limbs + key_position);
                        (&limb[columns.clone()], &key[columns.clone()])
                    })
                    .collect();
                limb::inner_product(modulus, sum, &terms);
                if let Some(addend) = addend {
                    limb::mul_scalar_add_assign(modulus, sum, &addend[columns.clone()], p);
                }
            }
        }
    }
}
