//! The sums of base conversion, for primes below 2^50 on both sides.

use core::iter::once;

use super::pointwise::{VECTORS, add_split_product};
use super::{Field, LANES, Quad, factor};
use crate::MAX_PRIMES;
use crate::kernels::{Combination, Rows};

/// Products of a residue and a factor of at most q/2 in one lazy sum: the multiples of 2^50 in it stay below 2^103.
const TERMS: usize = 14;
/// Columns that are made doubles at once, for all combinations.
const TILE: usize = 64;

/// The columns of a tile: the wraps, then the rows.
type Doubles = [[u64; TILE]; MAX_PRIMES + 1];

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
    let mut doubles = [[0; TILE]; MAX_PRIMES + 1];
    for start in (0..source.wraps.len()).step_by(TILE) {
        for (doubles, row) in doubles.iter_mut().zip(once(&source.wraps).chain(source.rows)) {
            let (row, _) = row.get(start..).unwrap_or_default().as_chunks();
            for (double, integer) in doubles.as_chunks_mut().0.iter_mut().zip(row) {
                V::load_integers(integer).store(double);
            }
        }
        for combination in combinations.iter_mut() {
            combine_tile::<V>(combination, &doubles, start);
        }
    }
}

/// The columns of a tile that starts at `start`; the factors are the bits of doubles.
#[inline(always)]
fn combine_tile<V: Quad>(combination: &mut Combination<'_, u64>, doubles: &Doubles, start: usize) {
    let field = Field::<V>::new(&combination.modulus);
    let dst = combination.dst.get_mut(start..).unwrap_or_default();
    let end = usize::min(TILE, dst.len());
    let (wrap_factor, factors) = (combination.wrap_factor, &combination.factors[..]);
    let (vectors, _) = dst[..end].as_chunks_mut();
    let (blocks, single) = vectors.as_chunks_mut::<VECTORS>();
    let mut column = 0;
    for block in blocks {
        combine_block::<V, VECTORS>(&field, block, doubles, wrap_factor, factors, column);
        column += VECTORS * LANES;
    }
    for vector in single {
        let vector = core::array::from_mut(vector);
        combine_block::<V, 1>(&field, vector, doubles, wrap_factor, factors, column);
        column += LANES;
    }
}

/// The columns of the tile from `column` on, as many as `dst` has, with their sums in registers.
#[inline(always)]
fn combine_block<V: Quad, const VECTORS: usize>(
    field: &Field<V>,
    dst: &mut [[u64; LANES]; VECTORS],
    doubles: &Doubles,
    wrap_factor: u64,
    factors: &[u64],
    column: usize,
) {
    let mut high = [V::splat(0.0); VECTORS];
    let mut low = high;
    // The wraps are one row more.
    let factors = once(&wrap_factor).chain(factors);
    for (i, (row, &factor)) in doubles.iter().zip(factors).enumerate() {
        if i > 0 && i % TERMS == 0 {
            for (high, low) in high.iter_mut().zip(&mut low) {
                *low = field.reduce_sum(*high, *low);
                *high = V::splat(0.0);
            }
        }
        let Some(row) = row.get(column..column + VECTORS * LANES) else {
            return;
        };
        let factor = V::splat(f64::from_bits(factor));
        for ((high, low), row) in high.iter_mut().zip(&mut low).zip(row.as_chunks().0) {
            add_split_product(high, low, V::load(row), factor);
        }
    }
    for ((d, &high), &low) in dst.iter_mut().zip(&high).zip(&low) {
        field.residue(field.reduce_sum(high, low)).store_integers(d);
    }
}
