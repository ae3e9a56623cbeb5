//! The digits of a polynomial in basis qp, and their products with a key.
//!
//! Raised digits are kept prime by prime: the limbs of all digits for the first prime, then those for the next, so that
//! one pass over memory meets everything that one limb of the result needs.

use crate::context::{Basis, Context};
use cipherloom_ring::{MAX_PRIMES, Word, basis, limb};

/// Columns multiplied with both polynomials of a key while the digits are in the first-level cache.
const TILE: usize = 1024;

/// Limbs that are kept for each prime: one per digit.
pub(super) fn limbs_per_prime<W: Word>(ctx: &Context<'_, W>, level: usize) -> usize {
    ctx.parameters.digits(level)
}

/// The digit that the limb at a position belongs to, and that limb of the polynomial; `None` for special primes.
pub(super) fn own<'a, W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    position: usize,
    polynomial: &'a [W],
) -> Option<(usize, &'a [W])> {
    let digit = position / ctx.parameters.digit_limbs as usize;
    (position <= level).then(|| (digit, ctx.limb(polynomial, position)))
}

/// Mod-up, except for transforms: the digits of a polynomial (NTT form, basis q) as coefficients modulo the primes of
/// basis qp, the centred representative modulo the digit's primes. A digit's own limbs are not written.
///
/// Lengths: `coefficients` l+1 limbs of scratch, `wraps` one.
pub(super) fn raise<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    raised: &mut [W],
    polynomial: &[W],
    coefficients: &mut [W],
    wraps: &mut [W],
) {
    let n = ctx.degree();
    let limbs = limbs_per_prime(ctx, level);
    for digit in 0..limbs {
        let own = ctx.digit(level, digit);
        let words = own.start * n..own.end * n;
        let (scaled, source) = (&mut coefficients[words.clone()], &polynomial[words]);
        basis::scale_ntt_from(&ctx.ring, own.clone(), scaled, source, wraps);
        let mut targets: heapless::Vec<basis::Target<'_, W>, MAX_PRIMES> = raised
            .chunks_exact_mut(limbs * n)
            .enumerate()
            .filter(|(position, _)| !own.contains(position))
            .map(|(position, raised)| {
                let limb = &mut raised[digit * n..(digit + 1) * n];
                (ctx.prime_at(level, position), limb)
            })
            .collect();
        basis::combine_limbs(&ctx.ring, own, scaled, wraps, &mut targets);
    }
}

/// Brings the raised limbs for the prime at a position to NTT form, except for the one that [`raise`] left out.
pub(super) fn transform<W: Word>(ctx: &Context<'_, W>, level: usize, position: usize, raised: &mut [W]) {
    for (digit, limb) in raised.chunks_exact_mut(ctx.degree()).enumerate() {
        if !ctx.digit(level, digit).contains(&position) {
            ctx.ring.ntt_forward(ctx.prime_at(level, position), limb);
        }
    }
}

/// The sums Σ_d digit_d · key_d of the limb at a position for both polynomials of a key (b, a). `own` takes the place of
/// the raised limb of its digit.
pub(super) fn key_products<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    position: usize,
    raised: &[W],
    own: Option<(usize, &[W])>,
    key: &[W],
    key_cap: usize,
    [sum0, sum1]: [&mut [W]; 2],
) {
    let modulus = ctx.modulus(ctx.prime_at(level, position));
    let key_limbs = ctx.limbs(key_cap, Basis::Qp);
    let key_position = if position <= level {
        position
    } else {
        position + key_cap - level
    };
    let sums = sum0.chunks_mut(TILE).zip(sum1.chunks_mut(TILE));
    for (tile, (sum0, sum1)) in sums.enumerate() {
        let columns = tile * TILE..tile * TILE + sum0.len();
        for (polynomial, sum) in [sum0, sum1].into_iter().enumerate() {
            let terms: heapless::Vec<(&[W], &[W]), MAX_PRIMES> = (0..limbs_per_prime(ctx, level))
                .map(|digit| {
                    let limb = match own {
                        Some((own, limb)) if own == digit => limb,
                        _ => ctx.limb(raised, digit),
                    };
                    let key_limb = ctx.limb(key, (2 * digit + polynomial) * key_limbs + key_position);
                    (&limb[columns.clone()], &key_limb[columns.clone()])
                })
                .collect();
            limb::inner_product(modulus, sum, &terms);
        }
    }
}
