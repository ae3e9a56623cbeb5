//! Inner products: sums of products of residues, in two halves, reduced once for many products.

use core::arch::x86_64::*;

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

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn inner_product(m: &Modulus<u64>, dst: &mut [u64], terms: &[Term<'_, u64>], accumulate: bool) {
    let start = if accumulate {
        Start::Destination
    } else {
        Start::Zero
    };
    sums_of_products(m, [dst], terms.iter().map(|&(a, b)| (a, [b])), [start]);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn inner_product_2(
    m: &Modulus<u64>,
    dst: [&mut [u64]; 2],
    terms: &[Term2<'_, u64>],
    start: [Start<'_, u64>; 2],
) {
    sums_of_products(m, dst, terms.iter().copied(), start);
}

/// Some inner products with one side in common.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn sums_of_products<'a, const SUMS: usize>(
    m: &Modulus<u64>,
    dst: [&mut [u64]; SUMS],
    terms: impl Iterator<Item = (&'a [u64], [&'a [u64]; SUMS])> + Clone,
    start: [Start<'_, u64>; SUMS],
) {
    let field = Field::new(m);
    let lazy = lazy_products(m);
    let start = start.map(|start| match start {
        Start::Zero => Beginning::Zero,
        Start::Destination => Beginning::Destination,
        Start::Scaled(a, s) => Beginning::Scaled(a, splat(s)),
    });
    let len = dst.iter().map(|dst| dst.len()).min().unwrap_or(0);
    let blocks_end = len - len % (VECTORS * LANES);
    let mut dst = dst;
    for first in (0..blocks_end).step_by(VECTORS * LANES) {
        sums_block::<SUMS, VECTORS>(&field, lazy, &mut dst, terms.clone(), &start, first);
    }
    for first in (blocks_end..len).step_by(LANES) {
        sums_block::<SUMS, 1>(&field, lazy, &mut dst, terms.clone(), &start, first);
    }
}

/// [`Start`] with the scalar in all lanes.
enum Beginning<'a> {
    Zero,
    Destination,
    Scaled(&'a [u64], __m512i),
}

/// VECTORS vectors of a slice from word `first` on; zeros beyond its end.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_columns<const VECTORS: usize>(x: &[u64], first: usize) -> [__m512i; VECTORS] {
    let x = x.get(first..).unwrap_or_default();
    if let Some(x) = x.as_chunks().0.first_chunk::<VECTORS>() {
        return x.each_ref().map(|x| {
            prefetch_line(x);
            load(x)
        });
    }
    let mut words = x.iter();
    core::array::from_fn(|_| {
        let vector: [u64; LANES] = core::array::from_fn(|_| words.next().copied().unwrap_or(0));
        load(&vector)
    })
}

/// VECTORS vectors of some inner products from column `first` on, with their sums in registers.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn sums_block<'a, const SUMS: usize, const VECTORS: usize>(
    field: &Field,
    lazy: usize,
    dst: &mut [&mut [u64]; SUMS],
    terms: impl Iterator<Item = (&'a [u64], [&'a [u64]; SUMS])>,
    start: &[Beginning<'_>; SUMS],
    first: usize,
) {
    let mut high = [[splat(0); VECTORS]; SUMS];
    let mut low = high;
    for (k, start) in start.iter().enumerate() {
        match start {
            Beginning::Zero => {}
            Beginning::Destination => low[k] = load_columns(dst[k], first),
            Beginning::Scaled(a, s) => {
                let a: [_; VECTORS] = load_columns(a, first);
                high[k] = a.map(|a| multiply_high(splat(0), a, *s));
                low[k] = a.map(|a| multiply_low(splat(0), a, *s));
            }
        }
    }
    // The beginning counts as a product.
    let mut room = lazy - 1;
    for (a, b) in terms {
        if room == 0 {
            room = lazy;
            for (high, low) in high.iter_mut().flatten().zip(low.iter_mut().flatten()) {
                let carry = _mm512_srli_epi64::<RADIX_BITS>(*low);
                *low = low_bits(*low);
                *high = field.reduce_lazy(_mm512_add_epi64(*high, carry));
            }
        }
        room -= 1;
        let a: [_; VECTORS] = load_columns(a, first);
        for ((high, low), b) in high.iter_mut().zip(&mut low).zip(b) {
            let b: [_; VECTORS] = load_columns(b, first);
            for (((high, low), a), b) in high.iter_mut().zip(low).zip(a).zip(b) {
                *high = multiply_high(*high, a, b);
                *low = multiply_low(*low, a, b);
            }
        }
    }
    for ((dst, high), low) in dst.iter_mut().zip(high).zip(low) {
        let dst = dst.get_mut(first..).unwrap_or_default();
        let (vectors, rest) = dst.as_chunks_mut();
        let mut sums = high
            .into_iter()
            .zip(low)
            .map(|(high, low)| field.reduce_sum(high, low));
        for (d, sum) in vectors.iter_mut().zip(&mut sums) {
            store(d, sum);
        }
        if let Some(sum) = sums.next() {
            let mut words = [0; LANES];
            store(&mut words, sum);
            for (d, word) in rest.iter_mut().zip(words) {
                *d = word;
            }
        }
    }
}
