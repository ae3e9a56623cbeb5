//! Division with rounding of the polynomials of a ciphertext: rescaling, mod-down, and both at once.
//!
//! The limbs that are divided away are brought to coefficients first, as [`basis`] wants them; then each limb that stays is
//! finished for all polynomials together, so that a transform's table is read once for all of them.

use crate::context::{Context, Primes};
use cipherloom_ring::{MAX_PRIMES, Word, basis, limb, parallel};

/// With as few limbs divided away as this they stay in a cache, and limbs are best finished one by one.
const FEW: usize = 2;

/// What is known of a division by the product D of some primes once the limbs for these are scaled.
pub(crate) struct Division<'a, W> {
    /// The primes of D.
    dropped: Primes,
    /// The scaled limbs of each polynomial, one polynomial after the other.
    scaled: &'a [W],
    /// One limb of counts for each polynomial.
    wraps: &'a [W],
    /// D^−1 modulo each prime of the ring, for what it is worth modulo those of D.
    inverses: heapless::Vec<W, MAX_PRIMES>,
}

impl<'a, W: Word> Division<'a, W> {
    /// Words of scratch that [`Division::new`] divides by `dropped` primes with.
    pub fn scratch(ctx: &Context<'_, W>, dropped: usize, polynomials: usize) -> usize {
        ctx.parameters.words(polynomials * (dropped + 1))
    }

    /// Scales the limbs (NTT form) of some polynomials that are divided away. Lengths: each of `tails` dropped·N words,
    /// `scratch` [`Division::scratch`].
    pub fn new<'s>(
        ctx: &Context<'_, W>,
        dropped: Primes,
        tails: impl ExactSizeIterator<Item = &'s [W]>,
        scratch: &'a mut [W],
    ) -> Self {
        let n = ctx.degree();
        let (scaled, wraps) = scratch.split_at_mut(tails.len() * dropped.len() * n);
        let limbs = scaled
            .chunks_exact_mut(dropped.len() * n)
            .zip(wraps.chunks_exact_mut(n));
        for ((scaled, wraps), tail) in limbs.zip(tails) {
            basis::scale_ntt_from(&ctx.ring, dropped.iter().copied(), scaled, tail, wraps);
        }
        Self::scaled(ctx, dropped, scaled, wraps)
    }

    /// As [`Division::new`], with the limbs in place: one polynomial after the other in `tails`, one limb for each in
    /// `wraps`.
    pub fn in_place(ctx: &Context<'_, W>, dropped: Primes, tails: &'a mut [W], wraps: &'a mut [W]) -> Self {
        let n = ctx.degree();
        for (tail, wraps) in tails
            .chunks_exact_mut(dropped.len() * n)
            .zip(wraps.chunks_exact_mut(n))
        {
            basis::scale_ntt(&ctx.ring, dropped.iter().copied(), tail, wraps);
        }
        Self::scaled(ctx, dropped, tails, wraps)
    }

    fn scaled(ctx: &Context<'_, W>, dropped: Primes, scaled: &'a [W], wraps: &'a [W]) -> Self {
        let inverse = |prime| {
            let product = basis::product_mod(&ctx.ring, dropped.iter().copied(), prime);
            // Distinct primes: the divisor is a unit.
            ctx.modulus(prime).inv(product).unwrap_or(W::ONE)
        };
        let inverses = (0..ctx.ring.primes()).map(inverse).collect();
        Self {
            dropped,
            scaled,
            wraps,
            inverses,
        }
    }

    /// How many limbs [`Division::remainders`] is best asked for at once; at most [`basis::MAX_GROUP`].
    pub fn group(&self, kept: usize) -> usize {
        if self.dropped.len() <= FEW {
            1
        } else {
            basis::group(kept)
        }
    }

    /// The remainder modulo D of a polynomial, as coefficients, for the primes from `first` on.
    pub fn remainders(&self, ctx: &Context<'_, W>, polynomial: usize, first: usize, limbs: &mut [W]) {
        let n = ctx.degree();
        let words = self.dropped.len() * n;
        let scaled = &self.scaled[polynomial * words..(polynomial + 1) * words];
        let wraps = ctx.limb(self.wraps, polynomial);
        let mut targets: heapless::Vec<_, { basis::MAX_GROUP }> =
            (first..).zip(limbs.chunks_exact_mut(n)).collect();
        basis::combine_group(
            &ctx.ring,
            self.dropped.iter().copied(),
            scaled,
            wraps,
            &mut targets,
        );
    }

    /// From some words of the remainder for a prime, in NTT form, to those of (x − remainder)/D.
    pub fn finish(&self, ctx: &Context<'_, W>, prime: usize, remainder: &mut [W], x: &[W]) {
        limb::sub_from_mul_scalar_assign(ctx.modulus(prime), remainder, x, self.inverses[prime]);
    }

    /// dst = round(src / D) for the first limbs of all polynomials: `src` has more limbs in each than `dst`.
    pub fn divide(&self, ctx: &Context<'_, W>, kept: usize, dst: &mut [W], src: &[W], src_limbs: usize) {
        let n = ctx.degree();
        let size = self.group(kept);
        for_each_group(dst, kept * n, size * n, |index, group| {
            let first = index * size;
            for (polynomial, limbs) in group.iter_mut().enumerate() {
                self.remainders(ctx, polynomial, first, limbs);
            }
            for i in 0..size.min(kept - first) {
                let prime = first + i;
                for (polynomial, limbs) in group.iter_mut().enumerate() {
                    let limb = &mut limbs[i * n..(i + 1) * n];
                    let x = ctx.limb(src, polynomial * src_limbs + prime);
                    ctx.ring.ntt_forward_outer(prime, limb);
                    for block in 0..ctx.ring.ntt_blocks() {
                        let columns = ctx.block(block);
                        let (words, x) = (&mut limb[columns.clone()], &x[columns]);
                        ctx.ring.ntt_forward_block_ahead(prime, block, words, [x, &[]]);
                        self.finish(ctx, prime, words, x);
                    }
                }
            }
        });
    }
}

/// f(i, the words of group i of every polynomial), in parallel with the feature of that name: `data` is up
/// to three polynomials of so many words, cut into groups of so many words.
pub(crate) fn for_each_group<W: Word>(
    data: &mut [W],
    polynomial: usize,
    group: usize,
    f: impl Fn(usize, &mut [&mut [W]]) + Send + Sync,
) {
    let mut parts = data.chunks_exact_mut(polynomial);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(a), Some(b), Some(c)) => {
            parallel::for_each_limb_triple(a, b, c, group, |i, a, b, c| f(i, &mut [a, b, c]));
        }
        (Some(a), Some(b), None) => parallel::for_each_limb_pair(a, b, group, |i, a, b| f(i, &mut [a, b])),
        (Some(a), None, None) => parallel::for_each_limb(a, group, |i, a| f(i, &mut [a])),
        _ => {}
    }
}
