//! The digits of a polynomial in basis qp.
//!
//! Raised digits are kept prime by prime: the limbs of all digits for the first prime, then those for the next, so that
//! one pass over memory meets everything that one limb of the result needs.

use crate::context::Context;
use cipherloom_ring::{MAX_PRIMES, Word, basis};

/// A polynomial cut into digits, its coefficients scaled for conversion to other primes.
pub(super) struct Digits<'a, W> {
    level: usize,
    /// The polynomial, in NTT form.
    polynomial: &'a [W],
    /// Its coefficients, each limb scaled as [`basis`] wants it.
    scaled: &'a [W],
    /// One limb of counts for each digit.
    wraps: &'a [W],
}

impl<'a, W: Word> Digits<'a, W> {
    /// Cuts a polynomial (NTT form, basis q at a level). `scratch`: (l+1)·N words and N for each digit.
    pub fn new(ctx: &Context<'_, W>, level: usize, polynomial: &'a [W], scratch: &'a mut [W]) -> Self {
        let n = ctx.degree();
        let digits = ctx.parameters.digits(level);
        let (scaled, wraps) = scratch.split_at_mut((level + 1) * n);
        for (digit, wraps) in wraps.chunks_exact_mut(n).enumerate().take(digits) {
            let own = ctx.digit(level, digit);
            let words = own.start * n..own.end * n;
            let (scaled, source) = (&mut scaled[words.clone()], &polynomial[words]);
            basis::scale_ntt_from(&ctx.ring, own, scaled, source, wraps);
        }
        Self {
            level,
            polynomial,
            scaled,
            wraps,
        }
    }

    /// Mod-up, except for transforms: the coefficients of the digits modulo the primes from position `first` on, as many
    /// as there is room for in `raised`, at most [`basis::MAX_GROUP`]. A digit's own limbs are not written.
    pub fn raise(&self, ctx: &Context<'_, W>, first: usize, raised: &mut [W]) {
        let n = ctx.degree();
        let digits = ctx.parameters.digits(self.level);
        for digit in 0..digits {
            let own = ctx.digit(self.level, digit);
            let mut targets: heapless::Vec<basis::Target<'_, W>, { basis::MAX_GROUP }> = (first..)
                .zip(raised.chunks_exact_mut(digits * n))
                .filter(|(position, _)| !own.contains(position))
                .map(|(position, raised)| {
                    let limb = &mut raised[digit * n..(digit + 1) * n];
                    (ctx.prime_at(self.level, position), limb)
                })
                .collect();
            let scaled = &self.scaled[own.start * n..own.end * n];
            let wraps = ctx.limb(self.wraps, digit);
            basis::combine_group(&ctx.ring, own, scaled, wraps, &mut targets);
        }
    }

    /// Begins to bring the raised limbs for the prime at a position to NTT form: the passes over whole limbs.
    pub fn begin_transform(&self, ctx: &Context<'_, W>, position: usize, raised: &mut [W]) {
        let own = self.own(ctx, position).map(|(digit, _)| digit);
        for (digit, limb) in raised.chunks_exact_mut(ctx.degree()).enumerate() {
            if own != Some(digit) {
                ctx.ring
                    .ntt_forward_outer(ctx.prime_at(self.level, position), limb);
            }
        }
    }

    /// Ends what [`Digits::begin_transform`] began for block `index` of [`cipherloom_ring::Ring::ntt_forward_block`]; the
    /// words of all digits in it. While a digit is worked on, the memory that `ahead` names for it is asked for.
    pub fn end_transform<'r>(
        &self,
        ctx: &Context<'_, W>,
        position: usize,
        index: usize,
        raised: &'r mut [W],
        ahead: impl Fn(usize) -> [&'r [W]; 2],
    ) -> heapless::Vec<&'r [W], MAX_PRIMES>
    where
        'a: 'r,
    {
        let own = self.own(ctx, position);
        let columns = ctx.block(index);
        let limbs = raised.chunks_exact_mut(ctx.degree()).enumerate();
        let finished = limbs.map(|(digit, limb)| match own {
            Some((own, limb)) if own == digit => &limb[columns.clone()],
            _ => {
                let block = &mut limb[columns.clone()];
                let prime = ctx.prime_at(self.level, position);
                ctx.ring
                    .ntt_forward_block_ahead(prime, index, block, ahead(digit));
                &*block
            }
        });
        finished.collect()
    }

    /// The digit that the limb at a position belongs to, and that limb of the polynomial; `None` for special primes.
    pub fn own(&self, ctx: &Context<'_, W>, position: usize) -> Option<(usize, &'a [W])> {
        let digit = position / ctx.parameters.digit_limbs as usize;
        (position <= self.level).then(|| (digit, ctx.limb(self.polynomial, position)))
    }
}
