//! A whole key switch at once, with as few passes over memory as there can be.

use super::digits::Digits;
use super::product::{Key, Product};
use crate::context::Context;
use crate::division::Division;
use cipherloom_ring::{Word, basis, parallel};
use core::ops::Range;

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

impl<W: Word> Switch<'_, W> {
    /// Begins with the limb at a position of φ(sums of digits times keys + P·addends), whose raised digits are `raised`.
    fn begin(
        &self,
        ctx: &Context<'_, W>,
        digits: &Digits<'_, W>,
        position: usize,
        raised: &mut [W],
    ) -> Product<'_, W> {
        digits.begin_transform(ctx, position, raised);
        Product::new(ctx, self.level, position, self.key, self.element, self.addends)
    }

    /// Goes on with what [`Switch::begin`] began, for one block: calls `f(polynomial, columns, words)` for every tile of
    /// the result that comes from it.
    fn block(
        &self,
        ctx: &Context<'_, W>,
        digits: &Digits<'_, W>,
        product: &Product<'_, W>,
        position: usize,
        block: usize,
        raised: &mut [W],
        f: impl FnMut(usize, Range<usize>, &[W]),
    ) {
        // The key for the next block arrives while this one is transformed.
        let next = |digit| product.key_block(ctx, digit, block + 1);
        let words = digits.end_transform(ctx, position, block, raised, next);
        product.for_each_tile(ctx, ctx.block(block), words.iter().copied(), f);
    }
}

/// dst = the result of a key switch, degree 1, `kept` limbs in each polynomial.
///
/// First the limbs that are divided away, which the division needs as a whole; then, limb by limb, the others and what
/// becomes of them. Scratch, checked by the callers: [`crate::scratch::relinearize_scratch`].
pub(super) fn switch<W: Word>(ctx: &Context<'_, W>, job: Switch<'_, W>, dst: &mut [W], scratch: &mut [W]) {
    let n = ctx.degree();
    let Switch { level, kept, .. } = job;
    let limbs = ctx.parameters.digits(level);
    let dropped = ctx.primes_from(level, kept);
    let (raised, scratch) = scratch.split_at_mut(ctx.parameters.qp_words(level, limbs - 1));
    let (tails, scratch) = scratch.split_at_mut(PAIR * dropped.len() * n);
    let (wraps, scratch) = scratch.split_at_mut(PAIR * n);
    let digits = Digits::new(ctx, level, job.polynomial, scratch);

    let (tail0, tail1) = tails.split_at_mut(dropped.len() * n);
    let results = [tail0, tail1];
    for_each_share(
        ctx,
        limbs,
        dropped.len(),
        raised,
        results,
        |first, raised, [tail0, tail1]| {
            let first = kept + first;
            digits.raise(ctx, first, raised);
            let tails = tail0.chunks_exact_mut(n).zip(tail1.chunks_exact_mut(n));
            for ((position, raised), (tail0, tail1)) in
                (first..).zip(raised.chunks_exact_mut(limbs * n)).zip(tails)
            {
                let product = job.begin(ctx, &digits, position, raised);
                for block in 0..ctx.ring.ntt_blocks() {
                    job.block(
                        ctx,
                        &digits,
                        &product,
                        position,
                        block,
                        raised,
                        |polynomial, columns, words| {
                            let tail = if polynomial == 0 { &mut *tail0 } else { &mut *tail1 };
                            tail[columns].copy_from_slice(words);
                        },
                    );
                }
            }
        },
    );

    let division = Division::in_place(ctx, dropped, tails, wraps);
    let (dst0, dst1) = dst.split_at_mut(kept * n);
    let results = [dst0, dst1];
    for_each_share(
        ctx,
        limbs,
        kept,
        raised,
        results,
        |first, raised, [dst0, dst1]| {
            digits.raise(ctx, first, raised);
            division.remainders(ctx, 0, first, dst0);
            division.remainders(ctx, 1, first, dst1);
            let pairs = dst0.chunks_exact_mut(n).zip(dst1.chunks_exact_mut(n));
            for ((position, raised), (dst0, dst1)) in
                (first..).zip(raised.chunks_exact_mut(limbs * n)).zip(pairs)
            {
                ctx.ring.ntt_forward_outer(position, dst0);
                ctx.ring.ntt_forward_outer(position, dst1);
                let product = job.begin(ctx, &digits, position, raised);
                let own = digits.own(ctx, position).map_or(0, |(digit, _)| digit);
                for block in 0..ctx.ring.ntt_blocks() {
                    let to = product.destination(ctx, &ctx.block(block));
                    let index = to.start / to.len();
                    // The digit that needs no transform has its key asked for here.
                    let [next0, next1] = product.key_block(ctx, own, block + 1);
                    let (dst0, dst1) = (&mut *dst0, &mut *dst1);
                    ctx.ring
                        .ntt_forward_block_ahead(position, index, &mut dst0[to.clone()], [next0, &[]]);
                    ctx.ring
                        .ntt_forward_block_ahead(position, index, &mut dst1[to], [next1, &[]]);
                    job.block(
                        ctx,
                        &digits,
                        &product,
                        position,
                        block,
                        raised,
                        |polynomial, columns, words| {
                            let dst = if polynomial == 0 { &mut *dst0 } else { &mut *dst1 };
                            division.finish(ctx, position, &mut dst[columns], words);
                        },
                    );
                }
            }
        },
    );
}

/// Positions whose digits are raised at once: the more, the less often the digits are read; the fewer, the nearer a raised
/// limb still is when it is transformed.
pub(super) const GROUP: usize = if basis::MAX_GROUP < 9 { basis::MAX_GROUP } else { 9 };

/// Shares `count` positions of two results among the threads, and calls `f(first, raised, limbs of the results)` for a few
/// positions from the one that counts as `first` on. Each thread uses the same part of `raised`, with so many limbs for
/// each position, again and again, so that it stays in a cache.
fn for_each_share<W: Word>(
    ctx: &Context<'_, W>,
    limbs: usize,
    count: usize,
    raised: &mut [W],
    [results0, results1]: [&mut [W]; PAIR],
    f: impl Fn(usize, &mut [W], [&mut [W]; PAIR]) + Send + Sync,
) {
    let n = ctx.degree();
    let share = count.div_ceil(parallel::threads());
    let group = share.div_ceil(share.div_ceil(GROUP));
    let parts = [
        (raised, share * limbs * n),
        (results0, share * n),
        (results1, share * n),
    ];
    parallel::for_each_chunk_3(parts, |index, [raised, results0, results1]| {
        let groups = results0.chunks_mut(group * n).zip(results1.chunks_mut(group * n));
        for (i, (results0, results1)) in groups.enumerate() {
            let raised = &mut raised[..results0.len() * limbs];
            f(index * share + i * group, raised, [results0, results1]);
        }
    });
}
