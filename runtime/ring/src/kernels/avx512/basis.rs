//! The two loops of base conversion, for primes below 2^50 on both sides.
//!
//! A sum of products is collected by halves, Σ yᵢ·fᵢ = high·2^52 + low, and reduced once by Montgomery's rule: with
//! m = low·q^−1 mod 2^52 the numbers low and m·q agree in their low 52 bits, so
//! (Σ yᵢ·fᵢ − m·q)/2^52 = high + ⌊low/2^52⌋ − ⌊m·q/2^52⌋, exactly. The factors are made 2^52 times as large before.
//!

use core::arch::x86_64::*;
use core::ops::Range;

use super::{
    Field, LANES, RADIX_BITS, add_if_negative, inverse_of_q, load, multiply_high, multiply_low, prefetch,
    prefetch_line, radix, splat, store, subtract_once,
};
use crate::MAX_PRIMES;
use crate::kernels::{Combination, Reciprocal, Rows, tiles};

/// Combinations made at once, and vectors of each: so many sums, in two halves, and the vectors of a row fill the
/// registers.
const SUMS: usize = 3;
const VECTORS: usize = 4;
/// Products that may be added to a sum whose high half is below 2q < 2^51: each is below 2^50·q ≤ 2^48·2^52, and what
/// is left holds the carries of all low halves.
const LAZY_ROWS: usize = 7;

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn combine(combinations: &mut [Combination<'_, u64>], source: &Rows<'_, u64>) {
    for combination in combinations.iter_mut() {
        let m = &combination.modulus;
        let radix = radix(m);
        for w in combination
            .factors
            .iter_mut()
            .chain([&mut combination.wrap_factor])
        {
            *w = m.mul(*w, radix);
        }
    }
    let columns = source.wraps.len();
    let complete = |combination: &Combination<'_, u64>| {
        combination.dst.len() == columns && combination.factors.len() == source.rows.len()
    };
    if source.rows.iter().any(|row| row.len() != columns) || !combinations.iter().all(complete) {
        debug_assert!(false, "rows, factors and results of one conversion fit together");
        return;
    }
    let passes = combinations.len().div_ceil(SUMS);
    for tile in tiles(columns) {
        for (pass, group) in combinations.chunks_mut(SUMS).enumerate() {
            // All passes together ask for all rows.
            for row in source.rows.iter().skip(pass).step_by(passes) {
                prefetch(row, tile.clone());
            }
            // SAFETY: the rows and the results are as long as the tiles go, and there are as many factors as rows.
            unsafe {
                match group {
                    [a, b, c] => combine_tile([a, b, c], source, tile.clone()),
                    [a, b] => combine_tile([a, b], source, tile.clone()),
                    [a] => combine_tile([a], source, tile.clone()),
                    _ => {}
                }
            }
        }
    }
}

/// The columns of a tile in some combinations.
///
/// # Safety
/// Every row and every result has these columns, and every combination a factor for each row.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn combine_tile<const SUMS: usize>(
    mut combinations: [&mut Combination<'_, u64>; SUMS],
    source: &Rows<'_, u64>,
    tile: Range<usize>,
) {
    let reductions = combinations
        .each_ref()
        .map(|combination| Reduction::new(combination, source.bits));
    let blocks_end = tile.end - tile.len() % (VECTORS * LANES);
    let small = reductions.iter().all(|reduction| reduction.small);
    // SAFETY: as above.
    unsafe {
        for start in (tile.start..blocks_end).step_by(VECTORS * LANES) {
            if small {
                combine_block::<SUMS, VECTORS, true>(&mut combinations, &reductions, source, start);
            } else {
                combine_block::<SUMS, VECTORS, false>(&mut combinations, &reductions, source, start);
            }
        }
        for start in (blocks_end..tile.end).step_by(LANES) {
            combine_block::<SUMS, 1, false>(&mut combinations, &reductions, source, start);
        }
    }
}

/// How sums become residues.
struct Reduction {
    field: Field,
    /// q^−1 mod 2^52.
    inverse_of_q: __m512i,
    /// Whether every sum is below q·2^52.
    small: bool,
}

impl Reduction {
    /// For the sums of a combination with rows below 2^bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new(combination: &Combination<'_, u64>, bits: u32) -> Self {
        let m = &combination.modulus;
        let factors: u64 = combination.factors.iter().sum();
        let wraps = u128::from(combination.wrap_factor) * MAX_PRIMES as u128;
        Self {
            field: Field::new(m),
            inverse_of_q: splat(inverse_of_q(m.value())),
            small: (u128::from(factors) << bits) + wraps < u128::from(m.value()) << RADIX_BITS,
        }
    }

    /// The sum of two halves; `SMALL` if it is small, else high < 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn finish<const SMALL: bool>(&self, high: __m512i, low: __m512i) -> __m512i {
        let field = &self.field;
        let high = _mm512_add_epi64(high, _mm512_srli_epi64::<RADIX_BITS>(low));
        let quotient = multiply_low(splat(0), low, self.inverse_of_q);
        let taken = multiply_high(splat(0), quotient, field.q);
        if SMALL {
            add_if_negative(_mm512_sub_epi64(high, taken), field.q)
        } else {
            // In (−q,2q).
            let rest = _mm512_sub_epi64(field.reduce_lazy(high), taken);
            subtract_once(add_if_negative(rest, field.q), field.q)
        }
    }
}

/// One half of each sum.
type Sums<const SUMS: usize, const VECTORS: usize> = [[__m512i; VECTORS]; SUMS];

/// VECTORS·LANES columns from `start` on of some combinations, with the sums in registers.
///
/// # Safety
/// As [`combine_tile`]. Checks for each row would take a tenth of the time.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn combine_block<const SUMS: usize, const VECTORS: usize, const SMALL: bool>(
    combinations: &mut [&mut Combination<'_, u64>; SUMS],
    reductions: &[Reduction; SUMS],
    source: &Rows<'_, u64>,
    start: usize,
) {
    let columns = start..start + VECTORS * LANES;
    let mut high: Sums<SUMS, VECTORS> = [[splat(0); VECTORS]; SUMS];
    let mut low = high;
    let multiply_add =
        |high: &mut Sums<SUMS, VECTORS>, low: &mut Sums<SUMS, VECTORS>, row: &[u64], factors: [u64; SUMS]| {
            // SAFETY: the caller's.
            let (row, _) = unsafe { row.get_unchecked(columns.clone()) }.as_chunks();
            for ((high, low), factor) in high.iter_mut().zip(low).zip(factors) {
                let factor = splat(factor);
                for ((high, low), row) in high.iter_mut().zip(low).zip(row) {
                    let row = load(row);
                    *high = multiply_high(*high, row, factor);
                    *low = multiply_low(*low, row, factor);
                }
            }
        };
    let combined = combinations.each_ref();
    let wrap_factors = combined.map(|combination| combination.wrap_factor);
    multiply_add(&mut high, &mut low, source.wraps, wrap_factors);
    for (i, row) in source.rows.iter().enumerate() {
        if !SMALL && i > 0 && i % LAZY_ROWS == 0 {
            for (high, reduction) in high.iter_mut().zip(reductions) {
                *high = high.map(|high| reduction.field.reduce_lazy(high));
            }
        }
        // SAFETY: the caller's.
        let factors = combined.map(|combination| unsafe { *combination.factors.get_unchecked(i) });
        multiply_add(&mut high, &mut low, row, factors);
    }
    let sums = high.into_iter().zip(low).zip(reductions);
    for (combination, ((high, low), reduction)) in combinations.iter_mut().zip(sums) {
        // SAFETY: the caller's.
        let (dst, _) = unsafe { combination.dst.get_unchecked_mut(columns.clone()) }.as_chunks_mut();
        for ((d, high), low) in dst.iter_mut().zip(high).zip(low) {
            prefetch_line(d);
            store(d, reduction.finish::<SMALL>(high, low));
        }
    }
}

/// Vectors counted at once.
const COUNTS: usize = 4;

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn count_wraps(wraps: &mut [u64], rows: &[&[u64]], reciprocals: &[Reciprocal<u64>]) {
    let (vectors, _) = wraps.as_chunks_mut();
    let (blocks, single) = vectors.as_chunks_mut::<COUNTS>();
    let mut start = 0;
    for block in blocks {
        count_wraps_block(block, rows, reciprocals, start);
        start += COUNTS * LANES;
    }
    for vector in single {
        count_wraps_block(core::array::from_mut(vector), rows, reciprocals, start);
        start += LANES;
    }
}

/// The columns `start`… of [`count_wraps`], as many as `wraps` has.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn count_wraps_block<const VECTORS: usize>(
    wraps: &mut [[u64; LANES]; VECTORS],
    rows: &[&[u64]],
    reciprocals: &[Reciprocal<u64>],
    start: usize,
) {
    // 32 fraction bits, from one half: the integer part is rounded.
    let mut sums = [splat(1 << 31); VECTORS];
    for (row, reciprocal) in rows.iter().zip(reciprocals) {
        let Some(row) = row.get(start..start + VECTORS * LANES) else {
            return;
        };
        // y·scaled / 2^shift, as (y·2^(51−shift))·(2·scaled) / 2^52: the factors are below 2^52 and 2^33.
        let shift = _mm_cvtsi64_si128(i64::from(51u32.saturating_sub(reciprocal.shift)));
        let scaled = splat(2 * reciprocal.scaled);
        for (sum, row) in sums.iter_mut().zip(row.as_chunks().0) {
            *sum = multiply_high(*sum, _mm512_sll_epi64(load(row), shift), scaled);
        }
    }
    for (wraps, sum) in wraps.iter_mut().zip(sums) {
        store(wraps, _mm512_srli_epi64::<32>(sum));
    }
}
