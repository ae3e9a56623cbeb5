//! Negacyclic number-theoretic transforms (Harvey, "Faster arithmetic for number-theoretic transforms", 2014; powers
//! of ψ merged into the twiddles as in Longa and Naehrig, 2016).
//!
//! Stage m of the forward transform has m blocks; block i multiplies by root m + i. Because
//! ψ^−bitrev(m+i) = −ψ^bitrev(m+(m−1−i)), the inverse reads the same table backwards within each stage and
//! subtracts the other way round.
//!
//! Two stages make one pass over memory.

use crate::kernels::NttTable;
use crate::{Modulus, Word};

/// A root and its Shoup quotient.
type Twiddle<W> = (W, W);

/// x, y in [0,4q) → x + wy, x − wy in [0,4q).
#[inline(always)]
fn forward_butterfly<W: Word>(m: &Modulus<W>, two_q: W, x: W, y: W, w: Twiddle<W>) -> (W, W) {
    let x = x.subtract_once(two_q);
    let y = m.mul_shoup_lazy(y, w.0, w.1);
    (x + y, x + two_q - y)
}

/// x, y in [0,2q) → x + y, (y − x)·w in [0,2q).
#[inline(always)]
fn inverse_butterfly<W: Word>(m: &Modulus<W>, two_q: W, x: W, y: W, w: Twiddle<W>) -> (W, W) {
    (
        (x + y).subtract_once(two_q),
        m.mul_shoup_lazy(y + two_q - x, w.0, w.1),
    )
}

/// The twiddles of `count` neighbouring blocks from block `first` on; `first` counts from the stage's own start m, so
/// that it is the index in the table.
#[inline(always)]
fn twiddles<'a, W: Word>(
    table: &NttTable<'a, W>,
    first: usize,
    count: usize,
) -> impl DoubleEndedIterator<Item = Twiddle<W>> + ExactSizeIterator + use<'a, W> {
    let roots = table.roots.get(first..first + count).unwrap_or(&[]);
    let quotients = table.quotients.get(first..first + count).unwrap_or(&[]);
    roots.iter().copied().zip(quotients.iter().copied())
}

/// Splits a slice into four quarters.
#[inline(always)]
fn quarters<W>(block: &mut [W]) -> [&mut [W]; 4] {
    let (low, high) = block.split_at_mut(block.len() / 2);
    let (a, b) = low.split_at_mut(low.len() / 2);
    let (c, d) = high.split_at_mut(high.len() / 2);
    [a, b, c, d]
}

/// The Shoup quotients of the roots.
pub(super) fn prepare_roots<W: Word>(m: &Modulus<W>, roots: &mut [W], quotients: &mut [W]) {
    for (quotient, &mut root) in quotients.iter_mut().zip(roots) {
        *quotient = m.shoup(root);
    }
}

pub(super) fn forward_outer<W: Word>(table: &NttTable<'_, W>, limb: &mut [W]) {
    let m = &table.modulus;
    let two_q = m.value() + m.value();
    let mut done = 1;
    if table.blocks.trailing_zeros() % 2 == 1 {
        for w in twiddles(table, 1, 1) {
            let (low, high) = limb.split_at_mut(limb.len() / 2);
            for (x, y) in low.iter_mut().zip(high) {
                (*x, *y) = forward_butterfly(m, two_q, *x, *y, w);
            }
        }
        done = 2;
    }
    while done < table.blocks {
        forward_pass(table, two_q, done, done, limb);
        done *= 4;
    }
}

pub(super) fn forward_block<W: Word>(table: &NttTable<'_, W>, index: usize, block: &mut [W], _: [&[W]; 2]) {
    let two_q = table.modulus.value() + table.modulus.value();
    let (mut first, mut count) = (table.blocks + index, 1);
    while block.len() > 4 * count {
        forward_pass(table, two_q, first, count, block);
        first *= 4;
        count *= 4;
    }
    forward_last_pass(table, two_q, first, count, block);
}

/// Two stages on `data`, which is `count` blocks of the transform whose first is number `first`.
#[inline(always)]
fn forward_pass<W: Word>(table: &NttTable<'_, W>, two_q: W, first: usize, count: usize, data: &mut [W]) {
    let m = &table.modulus;
    let upper = twiddles(table, first, count);
    let mut lower = twiddles(table, 2 * first, 2 * count);
    for (block, w) in data.chunks_exact_mut(data.len() / count).zip(upper) {
        let (Some(v0), Some(v1)) = (lower.next(), lower.next()) else {
            return;
        };
        let [a, b, c, d] = quarters(block);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let (x0, x2) = forward_butterfly(m, two_q, *a, *c, w);
            let (x1, x3) = forward_butterfly(m, two_q, *b, *d, w);
            (*a, *b) = forward_butterfly(m, two_q, x0, x1, v0);
            (*c, *d) = forward_butterfly(m, two_q, x2, x3, v1);
        }
    }
}

/// As [`forward_pass`] for blocks of four, and from [0,4q) to [0,q).
#[inline(always)]
fn forward_last_pass<W: Word>(table: &NttTable<'_, W>, two_q: W, first: usize, count: usize, data: &mut [W]) {
    let m = &table.modulus;
    let upper = twiddles(table, first, count);
    let mut lower = twiddles(table, 2 * first, 2 * count);
    let (data, _) = data.as_chunks_mut::<4>();
    for (block, w) in data.iter_mut().zip(upper) {
        let (Some(v0), Some(v1)) = (lower.next(), lower.next()) else {
            return;
        };
        let [a, b, c, d] = *block;
        let (x0, x2) = forward_butterfly(m, two_q, a, c, w);
        let (x1, x3) = forward_butterfly(m, two_q, b, d, w);
        let (a, b) = forward_butterfly(m, two_q, x0, x1, v0);
        let (c, d) = forward_butterfly(m, two_q, x2, x3, v1);
        *block = [a, b, c, d].map(|x| x.subtract_once(two_q).subtract_once(m.value()));
    }
}

pub(super) fn inverse_block<W: Word>(table: &NttTable<'_, W>, index: usize, block: &mut [W]) {
    let two_q = table.modulus.value() + table.modulus.value();
    // Blocks are numbered backwards: block i of m has twiddle m + (m − 1 − i).
    let first = 2 * table.blocks - 1 - index;
    let mut count = block.len();
    while count > 1 {
        count /= 4;
        inverse_pass(table, two_q, first * count, count, block);
    }
}

pub(super) fn inverse_outer<W: Word>(table: &NttTable<'_, W>, limb: &mut [W]) {
    let two_q = table.modulus.value() + table.modulus.value();
    let mut blocks = table.blocks;
    while blocks > 4 {
        blocks /= 4;
        inverse_pass(table, two_q, blocks, blocks, limb);
    }
    // The last stage alone scales by 1/N, so a pass that has it is another.
    if blocks == 4 {
        inverse_last_pass(table, two_q, limb);
    } else {
        inverse_last_stage(table, two_q, limb);
    }
}

/// Undoes [`forward_pass`] up to a factor 4; `first` is the smallest table index of the blocks' upper stage, that of
/// the last block.
#[inline(always)]
fn inverse_pass<W: Word>(table: &NttTable<'_, W>, two_q: W, first: usize, count: usize, data: &mut [W]) {
    let m = &table.modulus;
    let upper = twiddles(table, first, count).rev();
    let mut lower = twiddles(table, 2 * first, 2 * count).rev();
    for (block, w) in data.chunks_exact_mut(data.len() / count).zip(upper) {
        let (Some(v0), Some(v1)) = (lower.next(), lower.next()) else {
            return;
        };
        let [a, b, c, d] = quarters(block);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let (x0, x1) = inverse_butterfly(m, two_q, *a, *b, v0);
            let (x2, x3) = inverse_butterfly(m, two_q, *c, *d, v1);
            (*a, *c) = inverse_butterfly(m, two_q, x0, x2, w);
            (*b, *d) = inverse_butterfly(m, two_q, x1, x3, w);
        }
    }
}

/// Stages 2 and 1 with the factor 1/N, from [0,2q) to [0,q).
fn inverse_last_pass<W: Word>(table: &NttTable<'_, W>, two_q: W, limb: &mut [W]) {
    let m = &table.modulus;
    let mut lower = twiddles(table, 2, 2).rev();
    let (Some(v0), Some(v1)) = (lower.next(), lower.next()) else {
        return;
    };
    let [a, b, c, d] = quarters(limb);
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        let (x0, x1) = inverse_butterfly(m, two_q, *a, *b, v0);
        let (x2, x3) = inverse_butterfly(m, two_q, *c, *d, v1);
        (*a, *c) = inverse_last_butterfly(table, two_q, x0, x2);
        (*b, *d) = inverse_last_butterfly(table, two_q, x1, x3);
    }
}

/// Stage 1 with the factor 1/N, from [0,2q) to [0,q).
fn inverse_last_stage<W: Word>(table: &NttTable<'_, W>, two_q: W, limb: &mut [W]) {
    let (low, high) = limb.split_at_mut(limb.len() / 2);
    for (x, y) in low.iter_mut().zip(high) {
        (*x, *y) = inverse_last_butterfly(table, two_q, *x, *y);
    }
}

/// x, y in [0,2q) → (x + y)/N, (y − x)·w/N in [0,q).
#[inline(always)]
fn inverse_last_butterfly<W: Word>(table: &NttTable<'_, W>, two_q: W, x: W, y: W) -> (W, W) {
    let m = &table.modulus;
    let ([scale, scale_shoup], [root, root_shoup]) = (table.degree_inverse, table.degree_inverse_root);
    (
        m.mul_shoup(x + y, scale, scale_shoup),
        m.mul_shoup(y + two_q - x, root, root_shoup),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prime::primes_below;

    /// Both butterflies at the edges of their intervals, for the largest prime of the word.
    fn check<W: Word>() {
        let q = primes_below(1 << W::MAX_PRIME_BITS, 3).next().unwrap();
        let m = Modulus::<W>::new(q).unwrap();
        let two_q = m.value() + m.value();
        let wide = u128::from(q);
        for w in [1, 2, q / 2, q - 1] {
            let twiddle = (W::from_u64(w), m.shoup(W::from_u64(w)));
            let w = u128::from(w);
            let edges = |limit: u64| [0, 1, q - 1, q, q + 1, 2 * q - 1, limit - 1].map(W::from_u64);
            for x in edges(4 * q) {
                for y in edges(4 * q) {
                    let (sum, difference) = forward_butterfly(&m, two_q, x, y, twiddle);
                    let (x, y) = (u128::from(x.to_u64()), u128::from(y.to_u64()));
                    let (sum, difference) = (sum.to_u64(), difference.to_u64());
                    assert!(sum < 4 * q && difference < 4 * q);
                    assert_eq!(u128::from(sum) % wide, (x + w * (y % wide)) % wide);
                    assert_eq!(
                        u128::from(difference) % wide,
                        (x + wide * wide - w * (y % wide)) % wide
                    );
                }
            }
            for x in edges(2 * q) {
                for y in edges(2 * q) {
                    let (sum, difference) = inverse_butterfly(&m, two_q, x, y, twiddle);
                    let (x, y) = (u128::from(x.to_u64()), u128::from(y.to_u64()));
                    let (sum, difference) = (sum.to_u64(), difference.to_u64());
                    assert!(sum < 2 * q && difference < 2 * q);
                    assert_eq!(u128::from(sum) % wide, (x + y) % wide);
                    assert_eq!(
                        u128::from(difference) % wide,
                        (y + 2 * wide - x) % wide * w % wide
                    );
                }
            }
        }
    }

    #[test]
    fn butterflies_keep_their_intervals() {
        check::<u32>();
        check::<u64>();
    }
}
