//! From values to coefficients.
//!
//! A stage doubles the range of its sums, while its products are in [0,2) whatever went in. Where the room would not do,
//! sums are brought to [0,2). Between passes all numbers are in [0,RANGE), and in a pass a half of the products is made
//! larger by 2 from the start, which spares a subtraction of two products its own.

use super::*;

/// The even and the odd positions of two vectors, backwards.
const SEPARATE: [[u64; LANES]; 2] = [[0, 2, 4, 6, 8, 10, 12, 14], [1, 3, 5, 7, 9, 11, 13, 15]];
/// [`SEPARATE`] backwards.
const SEPARATE_REVERSED: [[u64; LANES]; 2] = [[14, 12, 10, 8, 6, 4, 2, 0], [15, 13, 11, 9, 7, 5, 3, 1]];

/// How much room there is, as far as it matters: from 32 on, from 8 on, or from 4 on.
pub(super) type Room = u8;
pub(super) const WIDE: Room = 0;
pub(super) const MEDIUM: Room = 1;
pub(super) const TIGHT: Room = 2;

fn class(m: &Modulus<u64>) -> Room {
    match room(m) {
        32.. => WIDE,
        8.. => MEDIUM,
        _ => TIGHT,
    }
}

/// The stages inside block `index`.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(in crate::kernels::avx512) fn inverse_block(table: &NttTable<'_, u64>, index: usize, block: &mut [u64]) {
    match class(&table.modulus) {
        WIDE => inverse_block_within::<WIDE>(table, index, block),
        MEDIUM => inverse_block_within::<MEDIUM>(table, index, block),
        _ => inverse_block_within::<TIGHT>(table, index, block),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_block_within<const ROOM: Room>(table: &NttTable<'_, u64>, index: usize, block: &mut [u64]) {
    let field = &Field::new(&table.modulus);
    // Blocks are numbered backwards: block i of m has twiddle m + (m − 1 − i).
    let first = 2 * table.blocks - 1 - index;
    let mut count = block.len() >> LOG_TAIL;
    inverse_tail::<ROOM>(field, table, 2 * first * count, 2 * count, block);
    while count > 1 {
        count /= 4;
        inverse_pass::<ROOM, false>(field, table, first * count, count, block);
    }
}

/// The stages in which blocks meet, with the factor 1/N, to [0,1).
#[target_feature(enable = "avx512f,avx512ifma")]
pub(in crate::kernels::avx512) fn inverse_outer(table: &NttTable<'_, u64>, limb: &mut [u64]) {
    match class(&table.modulus) {
        WIDE => inverse_outer_within::<WIDE>(table, limb),
        MEDIUM => inverse_outer_within::<MEDIUM>(table, limb),
        _ => inverse_outer_within::<TIGHT>(table, limb),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_outer_within<const ROOM: Room>(table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let mut blocks = table.blocks;
    let field = &Field::new(&table.modulus);
    while blocks > 4 {
        blocks /= 4;
        inverse_pass::<ROOM, true>(field, table, blocks, blocks, limb);
    }
    if blocks == 4 {
        inverse_last_pass::<ROOM>(field, table, limb);
    } else {
        inverse_last_stage::<ROOM>(field, table, limb);
    }
}

/// The range of numbers between passes, times q: [0,6) if the room is wide, else [0,2).
#[inline]
#[target_feature(enable = "avx512f")]
fn between_passes<const ROOM: Room>(field: &Field) -> __m512i {
    let two_q = field.two_q;
    if ROOM == WIDE {
        _mm512_add_epi64(two_q, _mm512_add_epi64(two_q, two_q))
    } else {
        two_q
    }
}

/// x in [0,2) if the room is tight.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn correct_if_tight<const ROOM: Room>(field: &Field, x: __m512i) -> __m512i {
    if ROOM == TIGHT { field.correct(x) } else { x }
}

/// The first four stages, from [0,1): strides 1, 2 and 4 of `count` blocks of eight, and 8; `first` is the smallest table
/// index of the stride-4 stage, that of the last block.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_tail<const ROOM: Room>(
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
    let bounds @ [_, two_q, four_q, _] = tail_bounds::<ROOM>(field);
    let eight = twiddles(table, first / 2, count / 2).rev();
    let four = twiddle_groups::<2>(table, first, count).rev();
    let two = twiddle_groups::<4>(table, 2 * first, 2 * count).rev();
    let one = twiddle_groups::<8>(table, 4 * first, 4 * count).rev();
    let (data, _) = data.as_chunks_mut::<LANES>();
    let (pairs, _) = data.as_chunks_mut::<2>();
    for ((([x, y], eight), four), (two, one)) in pairs.iter_mut().zip(eight).zip(four).zip(two.zip(one)) {
        // The next block comes right behind this one, and its twiddles right before.
        let words = count.cast_signed();
        for line in [&*x, y] {
            ask_for(line, LANES.cast_signed() * words);
        }
        for line in [one.0, one.1] {
            ask_for(line, -4 * words);
        }
        for line in [two.0, two.1] {
            ask_for(line, -2 * words);
        }
        let xy = (load(x), load(y));
        let xy = (
            _mm512_permutex2var_epi64(xy.0, even_reversed, xy.1),
            _mm512_permutex2var_epi64(xy.0, odd_reversed, xy.1),
        );
        // Sums to 2, from there to 4, from there to 8, as far as there is room.
        let xy = field.inverse_stage(xy, field.q, (load(one.0), load(one.1)));
        let xy = field.inverse_stage(shuffle(xy), two_q, (repeat_4(two.0), repeat_4(two.1)));
        let xy = (correct_if_tight::<ROOM>(field, xy.0), xy.1);
        let xy = field.inverse_stage(shuffle(xy), four_q, (repeat_2(four.0), repeat_2(four.1)));
        let xy = if ROOM == WIDE {
            xy
        } else {
            (field.correct(xy.0), xy.1)
        };
        let xy = field.inverse_stage(shuffle(xy), bounds[3], all_lanes(eight));
        store(x, field.correct(xy.0));
        store(y, xy.1);
    }
}

/// The ranges before the stages of the tail, times q: 1, 2, 4 and 8 as far as there is room, else 2.
#[inline]
#[target_feature(enable = "avx512f")]
fn tail_bounds<const ROOM: Room>(field: &Field) -> [__m512i; 4] {
    let two_q = field.two_q;
    let four_q = if ROOM == TIGHT {
        two_q
    } else {
        _mm512_add_epi64(two_q, two_q)
    };
    let last = if ROOM == WIDE {
        _mm512_add_epi64(four_q, four_q)
    } else {
        two_q
    };
    [field.q, two_q, four_q, last]
}

/// Two stages, up to a factor 4; `first` is the smallest table index of the blocks' upper stage, that of the last block.
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_pass<const ROOM: Room, const OUTER: bool>(
    field: &Field,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    let upper = twiddles(table, first, count).rev();
    let lower = twiddle_groups::<2>(table, 2 * first, 2 * count).rev();
    for ((block, w), (v, quotients)) in data.chunks_exact_mut(data.len() / count).zip(upper).zip(lower) {
        let twiddles = [w, (v[1], quotients[1]), (v[0], quotients[0])].map(|w| all_lanes(w));
        let [a, b, c, d] = quarters(block);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            if OUTER {
                for x in [&*a, b, c, d] {
                    prefetch_line(x);
                }
            }
            let x = [load(a), load(b), load(c), load(d)];
            let [y0, y1, y2, y3] = inverse_two_stages::<ROOM>(field, x, twiddles);
            store(a, y0);
            store(b, y1);
            store(c, y2);
            store(d, y3);
        }
    }
}

/// The first of two stages: sums s₀ and s₁, then products p₀ and p₁, in ranges so that p₁ − p₀ is positive by itself if
/// the room is not tight: p₀ in [0,2), p₁ in [2,4).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_first_of_two<const ROOM: Room>(
    field: &Field,
    [a, b, c, d]: [__m512i; 4],
    [v0, v1]: [Twiddle; 2],
) -> [__m512i; 4] {
    let bound = between_passes::<ROOM>(field);
    let (s0, p0) = field.inverse_stage((a, b), bound, v0);
    let (s0, s1) = (
        correct_if_tight::<ROOM>(field, s0),
        correct_if_tight::<ROOM>(field, _mm512_add_epi64(c, d)),
    );
    let difference = _mm512_add_epi64(_mm512_sub_epi64(d, c), bound);
    let start = if ROOM == TIGHT { splat(0) } else { field.two_q };
    [s0, s1, p0, field.add_twisted(start, difference, v1)]
}

/// s₁ − s₀ and p₁ − p₀, made positive.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn second_differences<const ROOM: Room>(field: &Field, [s0, s1, p0, p1]: [__m512i; 4]) -> [__m512i; 2] {
    let bound = between_passes::<ROOM>(field);
    let bound = if ROOM == TIGHT {
        bound
    } else {
        _mm512_add_epi64(bound, bound)
    };
    let products = _mm512_sub_epi64(p1, p0);
    [
        _mm512_add_epi64(_mm512_sub_epi64(s1, s0), bound),
        if ROOM == TIGHT {
            _mm512_add_epi64(products, field.two_q)
        } else {
            products
        },
    ]
}

/// Two stages on four vectors, from and to the range between passes.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn inverse_two_stages<const ROOM: Room>(
    field: &Field,
    x: [__m512i; 4],
    [w, v0, v1]: [Twiddle; 3],
) -> [__m512i; 4] {
    let x @ [s0, s1, p0, p1] = inverse_first_of_two::<ROOM>(field, x, [v0, v1]);
    let [sums, products] = second_differences::<ROOM>(field, x);
    // At most 24 if the room is wide, 8 or 4; and 6 or 4.
    let (sum, product) = (_mm512_add_epi64(s0, s1), _mm512_add_epi64(p0, p1));
    [
        field.correct(sum),
        if ROOM == WIDE {
            product
        } else {
            field.correct(product)
        },
        field.add_twisted(splat(0), sums, w),
        field.add_twisted(splat(0), products, w),
    ]
}

/// 1/N and ψ^(N/2)/N.
#[inline]
#[target_feature(enable = "avx512f")]
fn last_factors(table: &NttTable<'_, u64>) -> [Twiddle; 2] {
    [table.degree_inverse, table.degree_inverse_root].map(|[w, _]| all_lanes((w, shoup(&table.modulus, w))))
}

/// x·w in [0,1), a word that is one.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn twist_to_residue(field: &Field, x: __m512i, w: Twiddle) -> __m512i {
    subtract_once(low_bits(field.add_twisted(splat(0), x, w)), field.q)
}

/// Stages 2 and 1 with the factor 1/N, to [0,1).
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_last_pass<const ROOM: Room>(field: &Field, table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let [scale, root] = last_factors(table);
    let mut lower = twiddles(table, 2, 2).rev();
    let (Some(v0), Some(v1)) = (lower.next(), lower.next()) else {
        return;
    };
    let lower = [all_lanes(v0), all_lanes(v1)];
    let [a, b, c, d] = quarters(limb);
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        for x in [&*a, b, c, d] {
            prefetch_line(x);
        }
        let x = [load(a), load(b), load(c), load(d)];
        let x @ [s0, s1, p0, p1] = inverse_first_of_two::<ROOM>(field, x, lower);
        let [sums, products] = second_differences::<ROOM>(field, x);
        store(a, twist_to_residue(field, _mm512_add_epi64(s0, s1), scale));
        store(b, twist_to_residue(field, _mm512_add_epi64(p0, p1), scale));
        store(c, twist_to_residue(field, sums, root));
        store(d, twist_to_residue(field, products, root));
    }
}

/// Stage 1 with the factor 1/N, to [0,1).
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_last_stage<const ROOM: Room>(field: &Field, table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let [scale, root] = last_factors(table);
    let bound = between_passes::<ROOM>(field);
    let [low, high] = halves(limb);
    for (x, y) in low.iter_mut().zip(high) {
        let (a, b) = (load(x), load(y));
        let difference = _mm512_add_epi64(_mm512_sub_epi64(b, a), bound);
        store(x, twist_to_residue(field, _mm512_add_epi64(a, b), scale));
        store(y, twist_to_residue(field, difference, root));
    }
}
