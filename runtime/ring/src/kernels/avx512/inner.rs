//! Inner products: sums of products of residues, in two halves, reduced once for many products.

use core::arch::x86_64::*;

use super::packed::{Packed, Places};
use super::{
    Field, LANES, RADIX_BITS, load, low_bits, multiply_high, multiply_low, prefetch_line, splat, store,
};
use crate::Modulus;
use crate::kernels::{Start, Term, Term2};

/// Vectors of a sum handled side by side: as many pairs of sums as hide the latency of a multiply-add.
const VECTORS: usize = 4;

/// Products of residues below 2^bits that may be added to a sum whose high half is below 2q: 2^52 − 2q divided by
/// 2^(2·bits−52), and one less for the carries of the low halves.
fn lazy_products(m: &Modulus<u64>) -> usize {
    if m.bits() == super::MAX_BITS { 7 } else { 47 }
}

#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
pub(super) fn inner_product(m: &Modulus<u64>, dst: &mut [u64], terms: &[Term<'_, u64>], accumulate: bool) {
    let start = if accumulate {
        Start::Destination
    } else {
        Start::Zero
    };
    sums_of_products(m, [dst], terms.iter().map(|&(a, b)| (a, [b])), [start]);
}

#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
pub(super) fn inner_product_2(
    m: &Modulus<u64>,
    dst: [&mut [u64]; 2],
    terms: &[Term2<'_, u64>],
    start: [Start<'_, u64>; 2],
) {
    sums_of_products(m, dst, terms.iter().copied(), start);
}

#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
pub(super) fn inner_product_2_packed(
    m: &Modulus<u64>,
    first: usize,
    dst: [&mut [u64]; 2],
    terms: &[Term2<'_, u64>],
    start: [Start<'_, u64>; 2],
) {
    let places = Places::new(m.bits());
    let packed = |words| Packed::new(words, &places, first);
    sums_of_products(m, dst, terms.iter().map(|&(a, b)| (a, b.map(packed))), start);
}

/// One side of a product.
pub(super) trait Factor: Copy {
    /// VECTORS vectors from number `first` on; none past the end. Only where the processor has what this backend needs.
    fn vectors<const VECTORS: usize>(self, first: usize) -> Option<[__m512i; VECTORS]>;

    /// One number.
    fn word(self, index: usize) -> Option<u64>;
}

impl Factor for &[u64] {
    #[inline(always)]
    fn vectors<const VECTORS: usize>(self, first: usize) -> Option<[__m512i; VECTORS]> {
        let words = columns::<VECTORS>(self, first)?;
        Some(words.each_ref().map(|words| {
            // SAFETY: the trait asks for the processor.
            unsafe {
                prefetch_line(words);
                load(words)
            }
        }))
    }

    #[inline(always)]
    fn word(self, index: usize) -> Option<u64> {
        self.get(index).copied()
    }
}

/// Some inner products with one side in common.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
fn sums_of_products<'a, B: Factor, const SUMS: usize>(
    m: &Modulus<u64>,
    dst: [&mut [u64]; SUMS],
    terms: impl Iterator<Item = (&'a [u64], [B; SUMS])> + Clone,
    start: [Start<'_, u64>; SUMS],
) {
    let field = Field::new(m);
    let lazy = lazy_products(m);
    let beginning = start.map(|start| match start {
        Start::Zero => Beginning::Zero,
        Start::Destination => Beginning::Destination,
        Start::Scaled(a, s) => Beginning::Scaled(a, splat(s)),
    });
    let len = dst.iter().map(|dst| dst.len()).min().unwrap_or(0);
    let blocks_end = len - len % (VECTORS * LANES);
    let vectors_end = len - len % LANES;
    let mut dst = dst;
    for first in (0..blocks_end).step_by(VECTORS * LANES) {
        sums_block::<B, SUMS, VECTORS>(&field, lazy, &mut dst, terms.clone(), &beginning, first);
    }
    for first in (blocks_end..vectors_end).step_by(LANES) {
        sums_block::<B, SUMS, 1>(&field, lazy, &mut dst, terms.clone(), &beginning, first);
    }
    for column in vectors_end..len {
        for (k, (dst, start)) in dst.iter_mut().zip(start).enumerate() {
            let product = |a: &[u64], b: B| Some((*a.get(column)?, b.word(column)?));
            let Some(d) = dst.get_mut(column) else { return };
            let sum = match start {
                Start::Zero => 0,
                Start::Destination => *d,
                Start::Scaled(a, s) => a.get(column).map_or(0, |&a| m.mul(a, s)),
            };
            let products = terms.clone().filter_map(|(a, b)| product(a, b[k]));
            *d = products.fold(sum, |sum, (a, b)| m.mul_add(a, b, sum));
        }
    }
}

/// [`Start`] with the scalar in all lanes.
enum Beginning<'a> {
    Zero,
    Destination,
    Scaled(&'a [u64], __m512i),
}

/// VECTORS vectors of a slice from word `first` on.
#[inline]
fn columns<const VECTORS: usize>(x: &[u64], first: usize) -> Option<&[[u64; LANES]; VECTORS]> {
    x.get(first..first + VECTORS * LANES)?.as_chunks().0.first_chunk()
}

/// VECTORS vectors of some inner products from column `first` on, with their sums in registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
fn sums_block<'a, B: Factor, const SUMS: usize, const VECTORS: usize>(
    field: &Field,
    lazy: usize,
    dst: &mut [&mut [u64]; SUMS],
    terms: impl Iterator<Item = (&'a [u64], [B; SUMS])>,
    start: &[Beginning<'_>; SUMS],
    first: usize,
) {
    let mut high = [[splat(0); VECTORS]; SUMS];
    let mut low = high;
    for ((start, dst), (high, low)) in start.iter().zip(&*dst).zip(high.iter_mut().zip(&mut low)) {
        match start {
            Beginning::Zero => {}
            Beginning::Destination => {
                let Some(d) = columns::<VECTORS>(dst, first) else {
                    return;
                };
                for (low, d) in low.iter_mut().zip(d) {
                    *low = load(d);
                }
            }
            Beginning::Scaled(a, s) => {
                let Some(a) = columns::<VECTORS>(a, first) else {
                    return;
                };
                for ((high, low), a) in high.iter_mut().zip(low).zip(a) {
                    prefetch_line(a);
                    *high = multiply_high(*high, load(a), *s);
                    *low = multiply_low(*low, load(a), *s);
                }
            }
        }
    }
    // The beginning counts as a product.
    let mut room = lazy - 1;
    for (a, b) in terms {
        if room == 0 {
            room = lazy;
            for (high, low) in high.iter_mut().zip(&mut low) {
                for (high, low) in high.iter_mut().zip(low) {
                    let carry = _mm512_srli_epi64::<RADIX_BITS>(*low);
                    *low = low_bits(*low);
                    *high = field.reduce_lazy(_mm512_add_epi64(*high, carry));
                }
            }
        }
        room -= 1;
        let Some(a) = columns::<VECTORS>(a, first) else {
            return;
        };
        for a in a {
            prefetch_line(a);
        }
        for ((high, low), b) in high.iter_mut().zip(&mut low).zip(b) {
            let Some(b) = b.vectors::<VECTORS>(first) else {
                return;
            };
            for (((high, low), a), b) in high.iter_mut().zip(low).zip(a).zip(b) {
                let a = load(a);
                *high = multiply_high(*high, a, b);
                *low = multiply_low(*low, a, b);
            }
        }
    }
    for ((dst, high), low) in dst.iter_mut().zip(&high).zip(&low) {
        let Some(dst) = dst.get_mut(first..first + VECTORS * LANES) else {
            return;
        };
        for ((d, &high), &low) in dst.as_chunks_mut().0.iter_mut().zip(high).zip(low) {
            store(d, field.reduce_sum(high, low));
        }
    }
}
