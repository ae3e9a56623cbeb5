//! The two loops of base conversion.

use core::ops::Range;

use super::LANES;
use crate::Word;
use crate::kernels::{Combination, Reciprocal, Rows, tiles};

pub(super) fn combine<W: Word>(combinations: &mut [Combination<'_, W>], source: &Rows<'_, W>) {
    for tile in tiles(source.wraps.len()) {
        for combination in combinations.iter_mut() {
            combine_tile(combination, source, tile.clone());
        }
    }
}

fn combine_tile<W: Word>(combination: &mut Combination<'_, W>, source: &Rows<'_, W>, tile: Range<usize>) {
    let m = &combination.modulus;
    let (Some(dst), Some(wraps)) = (
        combination.dst.get_mut(tile.clone()),
        source.wraps.get(tile.clone()),
    ) else {
        return;
    };
    let (dst, _) = dst.as_chunks_mut::<LANES>();
    let (wraps, _) = wraps.as_chunks::<LANES>();
    for (start, (dst, wraps)) in tile.step_by(LANES).zip(dst.iter_mut().zip(wraps)) {
        let mut sums = wraps.map(|wrap| wrap.wide_mul(combination.wrap_factor));
        // A group: LAZY_PRODUCTS products of residues, and either a product with a wrap count or a reduced carry.
        let groups = source
            .rows
            .chunks(W::LAZY_PRODUCTS)
            .zip(combination.factors.chunks(W::LAZY_PRODUCTS));
        for (i, (rows, factors)) in groups.enumerate() {
            if i > 0 {
                sums = sums.map(|sum| m.reduce_wide(sum).to_wide());
            }
            for (row, &factor) in rows.iter().zip(factors) {
                let Some(row) = row.get(start..start + LANES) else {
                    return;
                };
                for (sum, &y) in sums.iter_mut().zip(row) {
                    *sum += y.wide_mul(factor);
                }
            }
        }
        *dst = sums.map(|sum| m.reduce_wide(sum));
    }
}

pub(super) fn count_wraps<W: Word>(wraps: &mut [W], rows: &[&[W]], reciprocals: &[Reciprocal<W>]) {
    let (wraps, _) = wraps.as_chunks_mut::<LANES>();
    for (block, wraps) in wraps.iter_mut().enumerate() {
        let columns = block * LANES..(block + 1) * LANES;
        // 32 fraction bits, from one half: the integer part is rounded.
        let mut sums = [1u64 << 31; LANES];
        for (row, reciprocal) in rows.iter().zip(reciprocals) {
            let Some(row) = row.get(columns.clone()) else {
                return;
            };
            for (sum, &y) in sums.iter_mut().zip(row) {
                *sum += reciprocal.fraction(y);
            }
        }
        *wraps = sums.map(|sum| W::from_u64(sum >> 32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_PRIMES, Modulus};

    /// The largest sum there is: all rows, factors and wraps at their upper ends.
    fn check<W: Word>(rows: usize) {
        let q = (1 << W::MAX_PRIME_BITS) - 1;
        let m = Modulus::<W>::new(q).unwrap();
        let row = [W::from_u64(q - 1); 8];
        let factors = [W::from_u64(q - 1); MAX_PRIMES];
        let source = Rows {
            rows: &[&row[..]; MAX_PRIMES][..rows],
            wraps: &[W::from_u64(MAX_PRIMES as u64); 8],
            bits: W::MAX_PRIME_BITS,
        };
        let mut found = [W::ZERO; 8];
        let combination = Combination {
            modulus: m,
            factors: factors.into_iter().take(rows).collect(),
            wrap_factor: W::from_u64(q - 1),
            dst: &mut found,
        };
        combine(&mut [combination], &source);
        // Every product of rows is (−1)·(−1), and every wrap counts −1.
        let expected = (rows as u64 + q - MAX_PRIMES as u64) % q;
        assert_eq!(found.map(W::to_u64), [expected; 8], "{rows} rows");
    }

    #[test]
    fn largest_sums_do_not_overflow() {
        for rows in [1, 14, 15, 16, 30, 31, 62, 63, 64] {
            check::<u32>(rows);
            check::<u64>(rows);
        }
    }
}
