//! The sum of base conversion, for primes below 2^50 on both sides.

use super::pointwise::{VECTORS, add_split_product};
use super::{Field, LANES, Quad, factor};
use crate::kernels::Rows;
use crate::{MAX_PRIMES, Modulus};

/// Products of a residue and a factor of at most q/2 in one lazy sum: the multiples of 2^50 in it stay below 2^103.
const TERMS: usize = 14;

#[inline(always)]
pub(in crate::kernels) fn combine<V: Quad>(
    m: &Modulus<u64>,
    dst: &mut [u64],
    source: &Rows<'_, u64>,
    factors: &[u64],
    wrap_factor: u64,
) {
    let field = Field::<V>::new(m);
    // The wraps are one row more.
    let mut signed_factors = [0.0; MAX_PRIMES + 1];
    for (signed, &w) in signed_factors.iter_mut().zip([wrap_factor].iter().chain(factors)) {
        *signed = factor(m, w).0;
    }
    let (vectors, _) = dst.as_chunks_mut();
    let (blocks, single) = vectors.as_chunks_mut::<VECTORS>();
    let mut start = 0;
    for block in blocks {
        combine_block::<V, VECTORS>(&field, block, source, &signed_factors, start);
        start += VECTORS * LANES;
    }
    for vector in single {
        combine_block::<V, 1>(
            &field,
            core::array::from_mut(vector),
            source,
            &signed_factors,
            start,
        );
        start += LANES;
    }
}

/// The columns `start`… of [`combine`], as many as `dst` has, with their sums in registers.
#[inline(always)]
fn combine_block<V: Quad, const VECTORS: usize>(
    field: &Field<V>,
    dst: &mut [[u64; LANES]; VECTORS],
    source: &Rows<'_, u64>,
    factors: &[f64; MAX_PRIMES + 1],
    start: usize,
) {
    let mut high = [V::splat(0.0); VECTORS];
    let mut low = high;
    let rows = core::iter::once(&source.wraps).chain(source.rows);
    for (i, (row, &factor)) in rows.zip(factors).enumerate() {
        if i > 0 && i % TERMS == 0 {
            for (high, low) in high.iter_mut().zip(&mut low) {
                *low = field.reduce_sum(*high, *low);
                *high = V::splat(0.0);
            }
        }
        let Some(row) = row.get(start..start + VECTORS * LANES) else {
            return;
        };
        let factor = V::splat(factor);
        for ((high, low), row) in high.iter_mut().zip(&mut low).zip(row.as_chunks().0) {
            add_split_product(high, low, V::load_integers(row), factor);
        }
    }
    for ((d, &high), &low) in dst.iter_mut().zip(&high).zip(&low) {
        field.residue(field.reduce_sum(high, low)).store_integers(d);
    }
}
