//! A whole key switch at once, with as few passes over memory as there can be.

use super::digits::Digits;
use super::product::Key;
use crate::context::Context;
use crate::division::Division;
use cipherloom_ring::{Word, automorphism, basis, parallel};

/// Limbs that are divided away and handled together: few, since there are few to spread over threads.
const DROPPED_GROUP: usize = if cfg!(feature = "parallel") {
    2
} else {
    basis::GROUP
};
/// Polynomials of a key, and of what is switched with it.
const PAIR: usize = 2;

/// One key switch: φ(sums of digits times keys + P·addends) / D.
pub(super) struct Switch<'a, W> {
    /// Level of what is switched.
    pub level: usize,
    /// Limbs of the result; D is the product of all other primes of basis qp: P, or P·q_level.
    pub kept: usize,
    /// The automorphism φ, if any.
    pub element: Option<u32>,
    /// Decrypts, once switched, to s_from times itself under s_to.
    pub polynomial: &'a [W],
    /// What is added to the two polynomials of the result.
    pub addends: [Option<&'a [W]>; PAIR],
    pub key: Key<'a, W>,
}

/// dst = the result of a key switch, degree 1, `kept` limbs in each polynomial.
///
/// First the limbs that are divided away, which the division needs as a whole; then, limb by limb, the others and what
/// becomes of them. Scratch, checked by the callers: [`crate::scratch::relinearize_scratch`].
pub(super) fn switch<W: Word>(ctx: &Context<'_, W>, job: Switch<'_, W>, dst: &mut [W], scratch: &mut [W]) {
    let n = ctx.degree();
    let log_n = ctx.parameters.log_n;
    let Switch { level, kept, .. } = job;
    let limbs = ctx.parameters.digits(level);
    let dropped = ctx.primes_from(level, kept);
    let (raised, scratch) = scratch.split_at_mut(ctx.parameters.qp_words(level, limbs - 1));
    let (tails, scratch) = scratch.split_at_mut(PAIR * dropped.len() * n);
    let (wraps, scratch) = scratch.split_at_mut(PAIR * n);
    let (scaled, sums) = scratch.split_at_mut((level + 1 + limbs) * n);
    let digits = Digits::new(ctx, level, job.polynomial, scaled);
    let products = |position: usize, raised: &mut [W], sums: [&mut [W]; PAIR]| {
        digits.transform(ctx, position, raised);
        let factors = digits.limbs(ctx, position, raised);
        job.key.products(ctx, level, position, factors, job.addends, sums);
    };

    let (raised_kept, raised_dropped) = raised.split_at_mut(kept * limbs * n);
    let (tail0, tail1) = tails.split_at_mut(dropped.len() * n);
    let parts = [
        (raised_dropped, DROPPED_GROUP * limbs * n),
        (tail0, DROPPED_GROUP * n),
        (tail1, DROPPED_GROUP * n),
        (&mut *sums, PAIR * n),
    ];
    parallel::for_each_chunk_4(parts, |index, [raised, tail0, tail1, sums]| {
        let first = kept + index * DROPPED_GROUP;
        digits.raise(ctx, first, raised);
        let (sum0, sum1) = sums.split_at_mut(n);
        let tails = tail0.chunks_exact_mut(n).zip(tail1.chunks_exact_mut(n));
        for ((position, (tail0, tail1)), raised) in
            (first..).zip(tails).zip(raised.chunks_exact_mut(limbs * n))
        {
            let Some(element) = job.element else {
                products(position, raised, [tail0, tail1]);
                continue;
            };
            products(position, raised, [sum0, sum1]);
            automorphism::apply_ntt(log_n, element, tail0, sum0);
            automorphism::apply_ntt(log_n, element, tail1, sum1);
        }
    });

    let division = Division::in_place(ctx, dropped, tails, wraps);
    let (dst0, dst1) = dst.split_at_mut(kept * n);
    let group = basis::GROUP;
    let parts = [
        (raised_kept, group * limbs * n),
        (dst0, group * n),
        (dst1, group * n),
        (sums, 3 * n),
    ];
    parallel::for_each_chunk_4(parts, |index, [raised, dst0, dst1, sums]| {
        let first = index * group;
        digits.raise(ctx, first, raised);
        division.remainders(ctx, 0, first, dst0);
        division.remainders(ctx, 1, first, dst1);
        let (sum0, sums) = sums.split_at_mut(n);
        let (sum1, moved) = sums.split_at_mut(n);
        let pairs = dst0.chunks_exact_mut(n).zip(dst1.chunks_exact_mut(n));
        for ((position, (dst0, dst1)), raised) in (first..).zip(pairs).zip(raised.chunks_exact_mut(limbs * n))
        {
            products(position, raised, [sum0, sum1]);
            for (dst, sum) in [(dst0, &*sum0), (dst1, &*sum1)] {
                let result = match job.element {
                    Some(element) => {
                        let moved = &mut moved[..n];
                        automorphism::apply_ntt(log_n, element, moved, sum);
                        &*moved
                    }
                    None => sum,
                };
                division.finish(ctx, position, dst, result);
            }
        }
    });
}
