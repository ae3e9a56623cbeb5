//! The sum of base conversion, for primes below 2^50 on both sides.

use core::ops::Range;

use super::pointwise::{VECTORS, add_split_product};
use super::{Field, LANES, Quad, factor};
use crate::kernels::{Combination, Rows, tiles};

/// Products of a residue and a factor of at most q/2 in one lazy sum: the multiples of 2^50 in it stay below 2^103.
const TERMS: usize = 14;

#[inline(always)]
pub(in crate::kernels) fn combine<V: Quad>(
    combinations: &mut [Combination<'_, u64>],
    source: &Rows<'_, u64>,
) {
    for combination in combinations.iter_mut() {
        for w in combination
            .factors
            .iter_mut()
            .chain([&mut combination.wrap_factor])
        {
            *w = factor(&combination.modulus, *w).0.to_bits();
        }
    }
    for tile in tiles(source.wraps.len()) {
        for combination in combinations.iter_mut() {
            combine_tile::<V>(combination, source, tile.clone());
        }
    }
}

/// The columns of a tile; the factors are the bits of doubles.
#[inline(always)]
fn combine_tile<V: Quad>(combination: &mut Combination<'_, u64>, source: &Rows<'_, u64>, tile: Range<usize>) {
    let field = Field::<V>::new(&combination.modulus);
    let mut start = tile.start;
    let Some(dst) = combination.dst.get_mut(tile) else {
        return;
    };
    let (wrap_factor, factors) = (combination.wrap_factor, &combination.factors[..]);
    let (vectors, _) = dst.as_chunks_mut();
    let (blocks, single) = vectors.as_chunks_mut::<VECTORS>();
    for block in blocks {
        combine_block::<V, VECTORS>(&field, block, source, wrap_factor, factors, start);
        start += VECTORS * LANES;
    }
    for vector in single {
        let vector = core::array::from_mut(vector);
        combine_block::<V, 1>(&field, vector, source, wrap_factor, factors, start);
        start += LANES;
    }
}

/// The columns `start`… of [`combine`], as many as `dst` has, with their sums in registers.
#[inline(always)]
fn combine_block<V: Quad, const VECTORS: usize>(
    field: &Field<V>,
    dst: &mut [[u64; LANES]; VECTORS],
    source: &Rows<'_, u64>,
    wrap_factor: u64,
    factors: &[u64],
    start: usize,
) {
    let mut high = [V::splat(0.0); VECTORS];
    let mut low = high;
    // The wraps are one row more.
    let rows = core::iter::once(&source.wraps).chain(source.rows);
    let factors = core::iter::once(&wrap_factor).chain(factors);
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
        let factor = V::splat(f64::from_bits(factor));
        for ((high, low), row) in high.iter_mut().zip(&mut low).zip(row.as_chunks().0) {
            add_split_product(high, low, V::load_integers(row), factor);
        }
    }
    for ((d, &high), &low) in dst.iter_mut().zip(&high).zip(&low) {
        field.residue(field.reduce_sum(high, low)).store_integers(d);
    }
}
