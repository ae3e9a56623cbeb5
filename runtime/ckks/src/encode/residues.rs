//! Integers to residues and back.

use crate::Parameters;
use crate::context::Context;
use cipherloom_ring::{Word, limb, parallel};

/// Integers below this in size fit a signed word of 64 bits.
const WORD_BOUND: f64 = (1u64 << 63) as f64;
/// Words that are copied out of a limb at a time.
const PIECE: usize = 64;
/// Bits of the modulus product that decoding reads; its half and twice fit a signed 128-bit integer.
const DECODED_BITS: u32 = 126;

/// Coefficients, integers below 2^120 in size, to a polynomial in NTT form, each limb while it is in a cache: N of them, or
/// fewer for a compact one. `largest` is the size of the largest.
pub(super) fn polynomial<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    integers: &[f64],
    largest: f64,
) {
    if W::BITS == u64::BITS && largest < WORD_BOUND {
        return polynomial_of_words(ctx, level, dst, integers);
    }
    parallel::for_each_limb(dst, integers.len(), |position, limb| {
        let prime = ctx.prime_at(level, position);
        let modulus = ctx.modulus(prime);
        for (word, &integer) in limb.iter_mut().zip(integers) {
            *word = modulus.reduce_i128(integer as i128);
        }
        ctx.ring.ntt_forward(prime, limb);
    });
}

/// [`polynomial`] for words of 64 bits and integers c that fit them: the first limb holds c + 2^63 while the others are made
/// from it.
fn polynomial_of_words<W: Word>(ctx: &Context<'_, W>, level: usize, dst: &mut [W], integers: &[f64]) {
    const OFFSET: u64 = 1 << 63;
    let n = integers.len();
    let (first, others) = dst.split_at_mut(n);
    for (word, &integer) in first.iter_mut().zip(integers) {
        *word = W::from_u64((integer as i64).cast_unsigned() ^ OFFSET);
    }
    let reduce = |prime: usize, limb: &mut [W], words: &[W]| {
        let modulus = ctx.modulus(prime);
        limb::reduce(modulus, limb, words);
        limb::add_scalar_assign(modulus, limb, modulus.neg(modulus.reduce_u64(OFFSET)));
    };
    parallel::for_each_limb(others, n, |i, limb| {
        let prime = ctx.prime_at(level, i + 1);
        reduce(prime, limb, first);
        ctx.ring.ntt_forward(prime, limb);
    });
    let mut piece = [W::ZERO; PIECE];
    for words in first.chunks_mut(PIECE) {
        let piece = &mut piece[..words.len()];
        piece.copy_from_slice(words);
        reduce(0, words, piece);
    }
    ctx.ring.ntt_forward(0, first);
}

/// How many limbs decoding reads at a level.
pub(crate) fn decoded_limbs(parameters: &Parameters, level: usize) -> usize {
    let bits = parameters
        .q
        .iter()
        .take(level.saturating_add(1))
        .scan(0, |sum, prime| {
            *sum += u64::BITS - prime.leading_zeros();
            Some(*sum)
        });
    bits.take_while(|&bits| bits <= DECODED_BITS).count().max(1)
}

/// Mixed-radix reconstruction (Garner) from the first limbs to a signed 128-bit integer.
pub(super) struct Garner<W> {
    limbs: usize,
    /// (q_0 … q_{i−1})^{−1} mod q_i.
    inverse: [W; MAX_GARNER],
    /// Q = q_0 … q_{limbs−1}.
    product: i128,
}

/// 126 bits of primes of at least 6 bits (the smallest that are 1 modulo 2^5).
const MAX_GARNER: usize = 21;

impl<W: Word> Garner<W> {
    pub fn new(ctx: &Context<'_, W>, limbs: usize) -> Self {
        let limbs = limbs.min(MAX_GARNER);
        let mut inverse = [W::ONE; MAX_GARNER];
        let mut product: i128 = 1;
        for (i, inverse) in inverse.iter_mut().enumerate().take(limbs) {
            let modulus = ctx.modulus(i);
            // The primes are distinct, so the product is invertible.
            *inverse = modulus.inv(modulus.reduce_i128(product)).unwrap_or(W::ONE);
            product *= i128::from(modulus.value_u64());
        }
        Self {
            limbs,
            inverse,
            product,
        }
    }

    /// Coefficient k in (−Q/2, Q/2), by arithmetic that does not depend on its value.
    pub fn centred(&self, ctx: &Context<'_, W>, residues: &[W], k: usize) -> i128 {
        let (mut value, mut radix) = (0i128, 1i128);
        for i in 0..self.limbs {
            let modulus = ctx.modulus(i);
            let residue = ctx.limb(residues, i)[k];
            let digit = modulus.mul(modulus.sub(residue, modulus.reduce_i128(value)), self.inverse[i]);
            value += i128::from(digit.to_u64()) * radix;
            radix *= i128::from(modulus.value_u64());
        }
        value - (self.product & (((self.product >> 1) - value) >> 127))
    }
}
