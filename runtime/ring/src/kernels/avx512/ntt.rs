//! Negacyclic transforms as in the portable backend, with Montgomery's product in place of Shoup's.
//!
//! With w̃ = 2^52·w mod q and w̃' = w̃·q^−1 mod 2^52, the numbers y·w̃ and (y·w̃' mod 2^52)·q agree in their low 52 bits,
//! so the difference of their high parts is y·w up to a multiple of q, and lies in (−q,q) for every y < 2^52. That is
//! three multiply-adds and a subtraction; nothing has to be masked. The table holds w̃ and w̃' in place of w and its
//! Shoup quotient.
//!
//! Strides of eight and more are vertical: two stages are one pass. The last three or four stages are done on two
//! vectors at a time; a perfect shuffle between stages brings the partners into corresponding lanes, and leaves the
//! twiddles of a stage in the order of the table, repeated.

#[cfg(test)]
mod tests;

use core::arch::x86_64::*;

use super::{
    Field, LANES, LOW, RADIX_BITS, add_if_negative, inverse_of_q, load, multiply_high, multiply_low, radix,
    splat, store, subtract_once,
};
use crate::Modulus;
use crate::kernels::NttTable;

/// Bytes of a block that stays in the first-level cache.
const CACHE_BYTES: usize = 1 << 15;

/// The positions that interleave the first halves of two vectors, and the second halves.
const INTERLEAVE: [[u64; LANES]; 2] = [[0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]];
/// The even and the odd positions of two vectors.
const SEPARATE: [[u64; LANES]; 2] = [[0, 2, 4, 6, 8, 10, 12, 14], [1, 3, 5, 7, 9, 11, 13, 15]];
/// [`SEPARATE`] backwards.
const SEPARATE_REVERSED: [[u64; LANES]; 2] = [[14, 12, 10, 8, 6, 4, 2, 0], [15, 13, 11, 9, 7, 5, 3, 1]];

/// w̃ and w̃'.
type Twiddle = (__m512i, __m512i);

/// (w̃, w̃') of w in [0,q).
fn montgomery(m: &Modulus<u64>, radix: u64, inverse_of_q: u64, w: u64) -> [u64; 2] {
    let scaled = m.mul(w, radix);
    [scaled, scaled.wrapping_mul(inverse_of_q) & LOW]
}

/// Roots to the table of this backend.
pub(in crate::kernels) fn prepare_roots(m: &Modulus<u64>, roots: &mut [u64], quotients: &mut [u64]) {
    let (radix, inverse_of_q) = (radix(m), inverse_of_q(m.value()));
    for (root, quotient) in roots.iter_mut().zip(quotients) {
        [*root, *quotient] = montgomery(m, radix, inverse_of_q, *root);
    }
}

impl Field {
    /// y·w, a number in (−q,q); y < 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn twist(&self, y: __m512i, (w, w_low): Twiddle) -> __m512i {
        let low = multiply_low(splat(0), y, w_low);
        let high = multiply_high(splat(0), y, w);
        _mm512_sub_epi64(high, multiply_high(splat(0), low, self.q))
    }

    /// y·w in [0,q); y < 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn twist_reduced(&self, y: __m512i, w: Twiddle) -> __m512i {
        add_if_negative(self.twist(y, w), self.q)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi64(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn sub(a: __m512i, b: __m512i) -> __m512i {
    _mm512_sub_epi64(a, b)
}

/// The twiddles of `count` neighbouring blocks from block `first` on, as scalars; `first` counts from the stage's own
/// start.
fn twiddles<'a>(
    table: &NttTable<'a, u64>,
    first: usize,
    count: usize,
) -> impl DoubleEndedIterator<Item = (u64, u64)> + ExactSizeIterator + use<'a> {
    let roots = table.roots.get(first..first + count).unwrap_or(&[]);
    let quotients = table.quotients.get(first..first + count).unwrap_or(&[]);
    roots.iter().copied().zip(quotients.iter().copied())
}

/// As [`twiddles`], `WIDTH` blocks at a time.
fn twiddle_groups<'a, const WIDTH: usize>(
    table: &NttTable<'a, u64>,
    first: usize,
    count: usize,
) -> impl DoubleEndedIterator<Item = (&'a [u64; WIDTH], &'a [u64; WIDTH])> + ExactSizeIterator + use<'a, WIDTH>
{
    let roots = table.roots.get(first..first + count).unwrap_or(&[]);
    let quotients = table.quotients.get(first..first + count).unwrap_or(&[]);
    roots.as_chunks().0.iter().zip(quotients.as_chunks().0)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn all_lanes((w, w_low): (u64, u64)) -> Twiddle {
    (splat(w), splat(w_low))
}

/// Two numbers, four times.
#[inline]
#[target_feature(enable = "avx512f")]
fn repeat_2(x: &[u64; 2]) -> __m512i {
    // SAFETY: the reference is to as many bytes as are read, and no alignment is asked for.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(x.as_ptr().cast()) })
}

/// Four numbers, twice.
#[inline]
#[target_feature(enable = "avx512f")]
fn repeat_4(x: &[u64; 4]) -> __m512i {
    // SAFETY: the reference is to as many bytes as are read, and no alignment is asked for.
    _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(x.as_ptr().cast()) })
}

/// The quarters of a block, by vectors.
#[inline]
fn quarters(block: &mut [u64]) -> [&mut [[u64; LANES]]; 4] {
    let (low, high) = block.split_at_mut(block.len() / 2);
    let (a, b) = low.split_at_mut(low.len() / 2);
    let (c, d) = high.split_at_mut(high.len() / 2);
    [a, b, c, d].map(|quarter| quarter.as_chunks_mut().0)
}

/// log2 of the words that the last stages of a transform work on: the rest is an even number of stages.
fn log_tail(len: usize) -> u32 {
    if len.trailing_zeros().is_multiple_of(2) {
        4
    } else {
        3
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn forward(table: &NttTable<'_, u64>, limb: &mut [u64]) {
    // How far values may grow between passes: the multiple of q that 2^52 holds.
    match (1 << RADIX_BITS) / table.modulus.value() {
        8.. => forward_within::<8>(table, limb),
        6..8 => forward_within::<6>(table, limb),
        _ => forward_within::<4>(table, limb),
    }
}

/// The transform with values in [0, ROOM·q) between passes; ROOM·q ≤ 2^52.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_within<const ROOM: u64>(table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let field = &Field::new(&table.modulus);
    let n = limb.len();
    let log_tail = log_tail(n);
    let mut blocks = 1;
    while n / blocks * size_of::<u64>() > CACHE_BYTES {
        forward_pass::<ROOM>(field, table, blocks, blocks, limb);
        blocks *= 4;
    }
    for (i, block) in limb.chunks_exact_mut(n / blocks).enumerate() {
        let (mut first, mut count) = (blocks + i, 1);
        while block.len() > count << log_tail {
            forward_pass::<ROOM>(field, table, first, count, block);
            first *= 4;
            count *= 4;
        }
        if log_tail == 4 {
            forward_tail::<ROOM, true>(field, table, 2 * first, 2 * count, block);
        } else {
            forward_tail::<ROOM, false>(field, table, first, count, block);
        }
    }
}

/// Two stages on `data`, which is `count` blocks of the transform whose first is number `first`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_pass<const ROOM: u64>(
    field: &Field,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    let upper = twiddles(table, first, count);
    let lower = twiddle_groups::<2>(table, 2 * first, 2 * count);
    for ((block, w), (v, v_low)) in data.chunks_exact_mut(data.len() / count).zip(upper).zip(lower) {
        let twiddles = [w, (v[0], v_low[0]), (v[1], v_low[1])].map(|w| all_lanes(w));
        let [a, b, c, d] = quarters(block);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let x = [load(a), load(b), load(c), load(d)];
            let [y0, y1, y2, y3] = forward_two_stages::<ROOM>(field, x, twiddles);
            store(a, y0);
            store(b, y1);
            store(c, y2);
            store(d, y3);
        }
    }
}

/// Two stages on four vectors, from and to [0, ROOM·q).
///
/// A number that is not multiplied in the second stage need not be reduced between the two, as far as there is room.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_two_stages<const ROOM: u64>(
    field: &Field,
    [a, b, c, d]: [__m512i; 4],
    [w, v0, v1]: [Twiddle; 3],
) -> [__m512i; 4] {
    let (q, two_q) = (field.q, field.two_q);
    let four_q = add(two_q, two_q);
    let (c, d) = (field.twist(c, w), field.twist(d, w));
    let (x0, x2, x1, x3);
    if ROOM == 4 {
        // [q,3q) ± (−q,q) is in (0,4q), twice.
        let a = add(subtract_once(a, two_q), q);
        x0 = add(subtract_once(add(a, c), two_q), q);
        x2 = add(subtract_once(sub(a, c), two_q), q);
        let b = add(subtract_once(b, two_q), q);
        (x1, x3) = (add(b, d), sub(b, d));
    } else {
        // From [2q,4q) to (q,5q), or with the room from [2q,6q) to (q,7q).
        let a = subtract_once(a, four_q);
        let a = add(if ROOM == 8 { a } else { subtract_once(a, two_q) }, two_q);
        (x0, x2) = (add(a, c), sub(a, c));
        // From [q,5q) to (0,6q).
        let b = add(subtract_once(b, four_q), q);
        (x1, x3) = (add(b, d), sub(b, d));
    }
    let (y1, y3) = (field.twist(x1, v0), field.twist(x3, v1));
    [add(x0, y1), sub(x0, y1), add(x2, y3), sub(x2, y3)]
}

/// The last stages, from [0, ROOM·q) to [0,q): strides 4, 2 and 1 of `count` blocks of eight whose first is number
/// `first`, and before them stride 8 if `FOUR`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_tail<const ROOM: u64, const FOUR: bool>(
    field: &Field,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    let [low, high] = INTERLEAVE.map(|positions| load(&positions));
    let shuffle = |(x, y)| {
        (
            _mm512_permutex2var_epi64(x, low, y),
            _mm512_permutex2var_epi64(x, high, y),
        )
    };
    // Without stride 8 its twiddles are read for nothing.
    let eight = twiddles(table, first / 2, count / 2);
    let four = twiddle_groups::<2>(table, first, count);
    let two = twiddle_groups::<4>(table, 2 * first, 2 * count);
    let one = twiddle_groups::<8>(table, 4 * first, 4 * count);
    let (data, _) = data.as_chunks_mut::<LANES>();
    let (pairs, _) = data.as_chunks_mut::<2>();
    for ((([x, y], eight), four), (two, one)) in pairs.iter_mut().zip(eight).zip(four).zip(two.zip(one)) {
        let mut xy = (load(x), load(y));
        if FOUR {
            xy = forward_stage::<ROOM>(field, xy, all_lanes(eight));
        }
        xy = forward_stage::<ROOM>(field, shuffle(xy), (repeat_2(four.0), repeat_2(four.1)));
        xy = forward_stage::<ROOM>(field, shuffle(xy), (repeat_4(two.0), repeat_4(two.1)));
        xy = forward_last_stage::<ROOM>(field, shuffle(xy), (load(one.0), load(one.1)));
        let (x_out, y_out) = shuffle(xy);
        store(x, x_out);
        store(y, y_out);
    }
}

/// x + wy and x − wy in (0,6q), or in (0,4q) if that is all the room.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_stage<const ROOM: u64>(
    field: &Field,
    (x, y): (__m512i, __m512i),
    w: Twiddle,
) -> (__m512i, __m512i) {
    let bound = if ROOM == 4 {
        field.two_q
    } else {
        add(field.two_q, field.two_q)
    };
    let (x, y) = (add(subtract_once(x, bound), field.q), field.twist(y, w));
    (add(x, y), sub(x, y))
}

/// x + wy and x − wy in [0,q).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_last_stage<const ROOM: u64>(
    field: &Field,
    (x, y): (__m512i, __m512i),
    w: Twiddle,
) -> (__m512i, __m512i) {
    let x = if ROOM == 4 {
        x
    } else {
        subtract_once(x, add(field.two_q, field.two_q))
    };
    let x = subtract_once(subtract_once(x, field.two_q), field.q);
    let y = field.twist_reduced(y, w);
    (
        subtract_once(add(x, y), field.q),
        add_if_negative(sub(x, y), field.q),
    )
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn inverse(table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let field = &Field::new(&table.modulus);
    let n = limb.len();
    let log_tail = log_tail(n);
    let mut blocks = 1;
    while n / blocks * size_of::<u64>() > CACHE_BYTES {
        blocks *= 4;
    }
    for (i, block) in limb.chunks_exact_mut(n / blocks).enumerate() {
        // Blocks are numbered backwards: block i of m has twiddle m + (m − 1 − i).
        let first = 2 * blocks - 1 - i;
        let mut count = block.len() >> log_tail;
        if log_tail == 4 {
            inverse_tail::<true>(field, table, 2 * first * count, 2 * count, block);
        } else {
            inverse_tail::<false>(field, table, first * count, count, block);
        }
        while count > 1 {
            count /= 4;
            // The very last pass is another.
            if blocks * count > 1 {
                inverse_pass(field, table, first * count, count, block);
            }
        }
    }
    while blocks > 4 {
        blocks /= 4;
        inverse_pass(field, table, blocks, blocks, limb);
    }
    inverse_last_pass(field, table, limb);
}

/// What makes a sum of two numbers of the same range nonnegative and below 2q again, by [`fold`].
///
/// A stage leaves sums in [0,2q) and products in (−q,q): the words of a block's first half and those of its second.
/// Partners always come from the same half of their blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn fold_by(field: &Field) -> [__m512i; 2] {
    [sub(splat(0), field.two_q), field.two_q]
}

/// x or x + by, the one in [0,2q): x in [0,4q) and by = −2q, or x in (−2q,2q) and by = 2q.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold(x: __m512i, by: __m512i) -> __m512i {
    _mm512_min_epu64(x, add(x, by))
}

/// The first stages, from [0,q): strides 1, 2 and 4, and 8 if `FOUR`, of `count` blocks of eight; `first` is the smallest
/// table index of the stride-4 stage, that of the last block.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_tail<const FOUR: bool>(
    field: &Field,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    let [even, odd] = SEPARATE.map(|positions| load(&positions));
    let [even_reversed, odd_reversed] = SEPARATE_REVERSED.map(|positions| load(&positions));
    // Lanes are in backward order until the last shuffle.
    let shuffle = |(x, y)| {
        (
            _mm512_permutex2var_epi64(x, odd, y),
            _mm512_permutex2var_epi64(x, even, y),
        )
    };
    let by = fold_by_halves(field);
    let eight = twiddles(table, first / 2, count / 2).rev();
    let four = twiddle_groups::<2>(table, first, count).rev();
    let two = twiddle_groups::<4>(table, 2 * first, 2 * count).rev();
    let one = twiddle_groups::<8>(table, 4 * first, 4 * count).rev();
    let (data, _) = data.as_chunks_mut::<LANES>();
    let (pairs, _) = data.as_chunks_mut::<2>();
    for ((([x, y], eight), four), (two, one)) in pairs.iter_mut().zip(eight).zip(four).zip(two.zip(one)) {
        let xy = (load(x), load(y));
        let (even, odd) = (
            _mm512_permutex2var_epi64(xy.0, even_reversed, xy.1),
            _mm512_permutex2var_epi64(xy.0, odd_reversed, xy.1),
        );
        // The sum is below 2q without folding.
        let difference = add(sub(odd, even), field.q);
        let mut xy = (
            add(even, odd),
            field.twist(difference, (load(one.0), load(one.1))),
        );
        xy = inverse_stage(field, shuffle(xy), by, (repeat_4(two.0), repeat_4(two.1)));
        xy = inverse_stage(field, shuffle(xy), by, (repeat_2(four.0), repeat_2(four.1)));
        xy = shuffle(xy);
        if FOUR {
            xy = inverse_stage(field, xy, by, all_lanes(eight));
        }
        store(x, xy.0);
        store(y, xy.1);
    }
}

/// [`fold_by`] where a vector holds a whole block: in each half of the lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn fold_by_halves(field: &Field) -> __m512i {
    let [sums, products] = fold_by(field);
    _mm512_mask_blend_epi64(0xf0, sums, products)
}

/// x + y in [0,2q) and (y − x)·w in (−q,q).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_stage(field: &Field, (x, y): (__m512i, __m512i), by: __m512i, w: Twiddle) -> (__m512i, __m512i) {
    let difference = add(sub(y, x), field.two_q);
    (fold(add(x, y), by), field.twist(difference, w))
}

/// Undoes [`forward_pass`] up to a factor 4; `first` is the smallest table index of the blocks' upper stage, that of
/// the last block.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_pass(field: &Field, table: &NttTable<'_, u64>, first: usize, count: usize, data: &mut [u64]) {
    let upper = twiddles(table, first, count).rev();
    let lower = twiddle_groups::<2>(table, 2 * first, 2 * count).rev();
    for ((block, w), (v, v_low)) in data.chunks_exact_mut(data.len() / count).zip(upper).zip(lower) {
        let [w, v0, v1] = [w, (v[1], v_low[1]), (v[0], v_low[0])].map(|w| all_lanes(w));
        for_each_quarters(field, block, |[a, b, c, d], by| {
            let (x0, x1) = inverse_stage(field, (a, b), by, v0);
            let (x2, x3) = inverse_stage(field, (c, d), by, v1);
            let [sums, products] = fold_by(field);
            let (y0, y2) = inverse_stage(field, (x0, x2), sums, w);
            let (y1, y3) = inverse_stage(field, (x1, x3), products, w);
            [y0, y1, y2, y3]
        });
    }
}

/// Stages 2 and 1 with the factor 1/N, to [0,q).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_last_pass(field: &Field, table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let m = &table.modulus;
    let (radix, inverse_of_q) = (radix(m), inverse_of_q(m.value()));
    let scalar = |w: u64| {
        let [w, w_low] = montgomery(m, radix, inverse_of_q, w);
        all_lanes((w, w_low))
    };
    let (scale, root) = (
        scalar(table.degree_inverse[0]),
        scalar(table.degree_inverse_root[0]),
    );
    let mut lower = twiddles(table, 2, 2).rev();
    let (Some(v0), Some(v1)) = (lower.next(), lower.next()) else {
        return;
    };
    let (v0, v1) = (all_lanes(v0), all_lanes(v1));
    for_each_quarters(field, limb, |[a, b, c, d], by| {
        let (x0, x1) = inverse_stage(field, (a, b), by, v0);
        let (x2, x3) = inverse_stage(field, (c, d), by, v1);
        [
            // Sums are in [0,2q) and products in (−q,q).
            field.twist_reduced(add(x0, x2), scale),
            field.twist_reduced(add(add(x1, x3), field.two_q), scale),
            field.twist_reduced(add(sub(x2, x0), field.two_q), root),
            field.twist_reduced(add(sub(x3, x1), field.two_q), root),
        ]
    });
}

/// Replaces the four quarters of a block, vector by vector; `f` also takes what folds sums of its arguments.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn for_each_quarters(field: &Field, block: &mut [u64], f: impl Fn([__m512i; 4], __m512i) -> [__m512i; 4]) {
    let [a, b, c, d] = quarters(block);
    let half = a.len() / 2;
    // Quarters of one vector hold sums and products each.
    let by = if half == 0 {
        [fold_by_halves(field); 2]
    } else {
        fold_by(field)
    };
    let mut run = |range: core::ops::Range<usize>, by| {
        let parts = (
            a.get_mut(range.clone()),
            b.get_mut(range.clone()),
            c.get_mut(range.clone()),
            d.get_mut(range),
        );
        let (Some(a), Some(b), Some(c), Some(d)) = parts else {
            return;
        };
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let [y0, y1, y2, y3] = f([load(a), load(b), load(c), load(d)], by);
            store(a, y0);
            store(b, y1);
            store(c, y2);
            store(d, y3);
        }
    };
    run(0..half, by[0]);
    run(half..usize::max(2 * half, 1), by[1]);
}
