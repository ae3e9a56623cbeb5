//! The two loops of base conversion, for primes below 2^50 on both sides.

use core::arch::x86_64::*;

use super::pointwise::{TERMS, VECTORS};
use super::{Field, LANES, load, multiply_high, multiply_low, splat, store};
use crate::Modulus;
use crate::kernels::{Reciprocal, Rows};

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn combine(
    m: &Modulus<u64>,
    dst: &mut [u64],
    source: &Rows<'_, u64>,
    factors: &[u64],
    wrap_factor: u64,
) {
    let field = Field::new(m);
    let (vectors, _) = dst.as_chunks_mut();
    let (blocks, single) = vectors.as_chunks_mut::<VECTORS>();
    let mut start = 0;
    for block in blocks {
        combine_block(&field, block, source, factors, wrap_factor, start);
        start += VECTORS * LANES;
    }
    for vector in single {
        combine_block(
            &field,
            core::array::from_mut(vector),
            source,
            factors,
            wrap_factor,
            start,
        );
        start += LANES;
    }
}

/// The columns `start`… of [`combine`], as many as `dst` has, with their sums in registers.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn combine_block<const VECTORS: usize>(
    field: &Field,
    dst: &mut [[u64; LANES]; VECTORS],
    source: &Rows<'_, u64>,
    factors: &[u64],
    wrap_factor: u64,
    start: usize,
) {
    let columns = start..start + VECTORS * LANES;
    let Some(wraps) = source.wraps.get(columns.clone()) else {
        return;
    };
    let mut high = [splat(0); VECTORS];
    let mut low = high;
    let multiply_add = |high: &mut [__m512i; VECTORS], low: &mut [__m512i; VECTORS], row: &[u64], factor| {
        let factor = splat(factor);
        for ((high, low), row) in high.iter_mut().zip(low).zip(row.as_chunks().0) {
            let row = load(row);
            *high = multiply_high(*high, row, factor);
            *low = multiply_low(*low, row, factor);
        }
    };
    multiply_add(&mut high, &mut low, wraps, wrap_factor);
    // A group: TERMS − 1 products of residues, and either a product with a wrap count or a reduced carry.
    let groups = source.rows.chunks(TERMS - 1).zip(factors.chunks(TERMS - 1));
    for (i, (rows, factors)) in groups.enumerate() {
        if i > 0 {
            for (high, low) in high.iter_mut().zip(&mut low) {
                *low = field.reduce_sum(*high, *low);
                *high = splat(0);
            }
        }
        for (row, &factor) in rows.iter().zip(factors) {
            let Some(row) = row.get(columns.clone()) else {
                return;
            };
            multiply_add(&mut high, &mut low, row, factor);
        }
    }
    for ((d, high), low) in dst.iter_mut().zip(high).zip(low) {
        store(d, field.reduce_sum(high, low));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn count_wraps(wraps: &mut [u64], rows: &[&[u64]], reciprocals: &[Reciprocal<u64>]) {
    let (vectors, _) = wraps.as_chunks_mut::<LANES>();
    let mut start = 0;
    for vector in vectors {
        // 32 fraction bits, from one half: the integer part is rounded.
        let mut sum = splat(1 << 31);
        for (row, reciprocal) in rows.iter().zip(reciprocals) {
            let Some(row) = row.get(start..).and_then(|row| row.first_chunk()) else {
                return;
            };
            // y·scaled / 2^shift, as (y·2^(51−shift))·(2·scaled) / 2^52: the factors are below 2^52 and 2^33.
            let shift = _mm_cvtsi64_si128(i64::from(51u32.saturating_sub(reciprocal.shift)));
            let y = _mm512_sll_epi64(load(row), shift);
            sum = multiply_high(sum, y, splat(2 * reciprocal.scaled));
        }
        store(vector, _mm512_srli_epi64::<32>(sum));
        start += LANES;
    }
}
