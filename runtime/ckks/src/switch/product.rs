//! The product of digits with a switching key.

use crate::context::Context;
use cipherloom_ring::limb::{self, Start};
use cipherloom_ring::{MAX_PRIMES, Word, automorphism};
use core::ops::Range;

/// Columns that are multiplied, permuted and passed on while they are in the first-level cache.
const TILE: usize = 512;

/// A switching key for all levels up to its cap.
#[derive(Clone, Copy)]
pub(super) struct Key<'a, W> {
    pub words: &'a [W],
    pub cap: usize,
}

/// What is multiplied with the key at one position of basis qp, and what becomes of it: φ(Σ_d digit_d·key_d + P·addend)
/// for each of the two polynomials.
pub(super) struct Product<'a, W> {
    prime: usize,
    /// The key's packed limbs (b, a) for each digit.
    key: heapless::Vec<[&'a [W]; 2], MAX_PRIMES>,
    /// The limb of c_0 and c_1 that is added, and P; P is 0 modulo its own primes.
    addends: [Option<&'a [W]>; 2],
    special_product: W,
    /// The automorphism φ, if any, and its inverse.
    element: Option<(u32, u32)>,
}

impl<'a, W: Word> Product<'a, W> {
    /// The product at a position. The addends are polynomials in basis q.
    pub fn new(
        ctx: &Context<'_, W>,
        level: usize,
        position: usize,
        key: Key<'a, W>,
        element: Option<u32>,
        addends: [Option<&'a [W]>; 2],
    ) -> Self {
        let prime = ctx.prime_at(level, position);
        let polynomial_words = ctx.parameters.packed_words::<W>(key.cap);
        let key_position = if position <= level {
            position
        } else {
            position + key.cap - level
        };
        let key_words = ctx.packed_limb(key.cap, key_position);
        let key_limb = |polynomial| &key.words[polynomial * polynomial_words..][key_words.clone()];
        let addend = |addend: Option<&'a [W]>| addend.map(|addend| ctx.limb(addend, position));
        Self {
            prime,
            key: (0..ctx.parameters.digits(level))
                .map(|digit| [key_limb(2 * digit), key_limb(2 * digit + 1)])
                .collect(),
            addends: if position <= level {
                addends.map(addend)
            } else {
                [None, None]
            },
            special_product: ctx.special_product(ctx.modulus(prime)),
            element: element.map(|g| (g, automorphism::inverse_element(ctx.parameters.log_n, g))),
        }
    }

    /// Where φ takes an aligned part of a limb.
    pub fn destination(&self, ctx: &Context<'_, W>, columns: &Range<usize>) -> Range<usize> {
        let start = self.element.map_or(columns.start, |(_, inverse)| {
            automorphism::part_source(ctx.parameters.log_n, inverse, columns.start, columns.len())
        });
        start..start + columns.len()
    }

    /// The key's words for a digit in a block of [`cipherloom_ring::Ring::ntt_forward_block`], none after the last.
    pub fn key_block(&self, ctx: &Context<'_, W>, digit: usize, index: usize) -> [&'a [W]; 2] {
        let Range { start, end } = ctx.block(index);
        let bits = ctx.modulus(self.prime).bits() as usize;
        let word = |residue: usize| residue * bits / W::BITS as usize;
        let part = |limb: &'a [W]| limb.get(word(start)..word(end)).unwrap_or(&[]);
        self.key.get(digit).map_or([&[]; 2], |&key| key.map(part))
    }

    /// Calls `f(polynomial, columns, words)` for every tile of the result that comes from some columns, a power of two of
    /// them. `digits` are the words of all digits in these columns.
    pub fn for_each_tile<'d>(
        &self,
        ctx: &Context<'_, W>,
        columns: Range<usize>,
        digits: impl Iterator<Item = &'d [W]> + Clone,
        mut f: impl FnMut(usize, Range<usize>, &[W]),
    ) {
        let modulus = ctx.modulus(self.prime);
        let (mut sum0, mut sum1, mut moved) = ([W::ZERO; TILE], [W::ZERO; TILE], [W::ZERO; TILE]);
        let size = TILE.min(columns.len());
        for start in (0..columns.len()).step_by(size) {
            let inside = start..start + size;
            let tile = columns.start + start..columns.start + start + size;
            let terms: heapless::Vec<(&[W], [&[W]; 2]), MAX_PRIMES> = digits
                .clone()
                .zip(&self.key)
                .map(|(digit, &key)| (&digit[inside.clone()], key))
                .collect();
            let starts = self.addends.map(|addend| match addend {
                Some(addend) => Start::Scaled(&addend[tile.clone()], self.special_product),
                None => Start::Zero,
            });
            let sums = [&mut sum0[..size], &mut sum1[..size]];
            limb::inner_product_2_packed(modulus, tile.start, sums, &terms, starts);
            let to = self.destination(ctx, &tile);
            for (polynomial, sum) in [&sum0[..size], &sum1[..size]].into_iter().enumerate() {
                if let Some((element, _)) = self.element {
                    let moved = &mut moved[..size];
                    automorphism::apply_ntt_part(ctx.parameters.log_n, element, to.start, moved, sum);
                    f(polynomial, to.clone(), moved);
                } else {
                    f(polynomial, to.clone(), sum);
                }
            }
        }
    }
}
