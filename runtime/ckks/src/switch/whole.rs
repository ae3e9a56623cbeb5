//! A whole key switch at once, with as few passes over memory as there can be.

use super::digits;
use crate::context::Context;
use cipherloom_ring::{Word, automorphism, basis, limb, parallel};

/// Special limbs that share scratch. Small, since there are few to spread over threads.
const SPECIAL_GROUP: usize = 2;
/// Polynomials of a key, and of what is switched with it.
const PAIR: usize = 2;

/// dst = φ((b, a)-switched polynomial + addends), degree 1, φ the automorphism of `element` or the identity. The switched
/// polynomial decrypts to s_from · `polynomial` under s_to.
///
/// First the special limbs of the accumulator, which mod-down needs as a whole; then, limb by limb, the others and
/// what becomes of them. Scratch, checked by the callers: [`crate::scratch::relinearize_scratch`].
pub(super) fn switch<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    element: Option<u32>,
    dst: &mut [W],
    polynomial: &[W],
    addends: [Option<&[W]>; PAIR],
    key: &[W],
    key_cap: usize,
    scratch: &mut [W],
) {
    let n = ctx.degree();
    let log_n = ctx.parameters.log_n;
    let limbs = digits::limbs_per_prime(ctx, level);
    let (raised, scratch) = scratch.split_at_mut(ctx.parameters.qp_words(level, limbs - 1));
    let (wraps, scratch) = scratch.split_at_mut(PAIR * n);
    let (tails, scratch) = scratch.split_at_mut(PAIR * ctx.parameters.special() * n);
    // At least 4(l+1) + K − 2 limbs are left: l+1 serve at first, then two or three for each group of positions.
    let (coefficients, _) = scratch.split_at_mut(ctx.parameters.plaintext_words(level));
    digits::raise(ctx, level, raised, polynomial, coefficients, &mut wraps[..n]);

    let (raised_q, raised_p) = raised.split_at_mut((level + 1) * limbs * n);
    let (tail0, tail1) = tails.split_at_mut(ctx.parameters.special() * n);
    let parts = [
        (raised_p, SPECIAL_GROUP * limbs * n),
        (&mut *tail0, SPECIAL_GROUP * n),
        (&mut *tail1, SPECIAL_GROUP * n),
        (&mut *scratch, 2 * n),
    ];
    parallel::for_each_chunk_4(parts, |index, [raised, tail0, tail1, sums]| {
        let (sum0, sum1) = sums.split_at_mut(n);
        let tails = tail0.chunks_exact_mut(n).zip(tail1.chunks_exact_mut(n));
        for (i, ((tail0, tail1), raised)) in tails.zip(raised.chunks_exact_mut(limbs * n)).enumerate() {
            let position = level + 1 + index * SPECIAL_GROUP + i;
            digits::transform(ctx, level, position, raised);
            let Some(element) = element else {
                digits::key_products(ctx, level, position, raised, None, key, key_cap, [tail0, tail1]);
                continue;
            };
            digits::key_products(ctx, level, position, raised, None, key, key_cap, [sum0, sum1]);
            automorphism::apply_ntt(log_n, element, tail0, sum0);
            automorphism::apply_ntt(log_n, element, tail1, sum1);
        }
    });

    let special = ctx.special_primes();
    for (tail, wraps) in [&mut *tail0, &mut *tail1]
        .into_iter()
        .zip(wraps.chunks_exact_mut(n))
    {
        basis::scale_ntt(&ctx.ring, special.clone(), tail, wraps);
    }
    let (tails, wraps) = ([&*tail0, &*tail1], wraps.split_at(n));
    let wraps = [wraps.0, wraps.1];
    let (dst0, dst1) = dst.split_at_mut((level + 1) * n);
    let group = basis::GROUP;
    let parts = [
        (raised_q, group * limbs * n),
        (dst0, group * n),
        (dst1, group * n),
        (scratch, 3 * n),
    ];
    parallel::for_each_chunk_4(parts, |index, [raised, dst0, dst1, sums]| {
        let first = index * group;
        for (dst, (tail, wraps)) in [&mut *dst0, &mut *dst1]
            .into_iter()
            .zip(tails.into_iter().zip(wraps))
        {
            let mut targets: heapless::Vec<_, { basis::GROUP }> =
                (first..).zip(dst.chunks_exact_mut(n)).collect();
            basis::combine_group(&ctx.ring, special.clone(), tail, wraps, &mut targets);
        }
        let (sum0, sums) = sums.split_at_mut(n);
        let (sum1, moved) = sums.split_at_mut(n);
        let moved = &mut moved[..n];
        let pairs = dst0.chunks_exact_mut(n).zip(dst1.chunks_exact_mut(n));
        for (i, ((dst0, dst1), raised)) in pairs.zip(raised.chunks_exact_mut(limbs * n)).enumerate() {
            let position = first + i;
            let modulus = ctx.modulus(position);
            digits::transform(ctx, level, position, raised);
            let own = digits::own(ctx, level, position, polynomial);
            digits::key_products(ctx, level, position, raised, own, key, key_cap, [sum0, sum1]);
            for ((dst, sum), addend) in [(dst0, &*sum0), (dst1, &*sum1)].into_iter().zip(addends) {
                let addend = addend.map(|addend| ctx.limb(addend, position));
                if let Some(element) = element {
                    automorphism::apply_ntt(log_n, element, moved, sum);
                    basis::finish_division(&ctx.ring, special.clone(), position, dst, moved);
                    if let Some(addend) = addend {
                        automorphism::apply_ntt_add_assign(modulus, log_n, element, dst, addend);
                    }
                } else {
                    basis::finish_division(&ctx.ring, special.clone(), position, dst, sum);
                    if let Some(addend) = addend {
                        limb::add_assign(modulus, dst, addend);
                    }
                }
            }
        }
    });
}
