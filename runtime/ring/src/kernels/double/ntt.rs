//! Negacyclic transforms as in the portable backend, in signed doubles.
//!
//! Between passes a limb holds the bits of doubles; the table holds roots in [−q/2, q/2] and their quotients by q.

use super::{Factor, Field, LANES, Quad, factor, splat_factor};
use crate::Modulus;
use crate::kernels::NttTable;

/// Roots to the table of this backend.
pub(in crate::kernels) fn prepare_roots(m: &Modulus<u64>, roots: &mut [u64], quotients: &mut [u64]) {
    for (root, quotient) in roots.iter_mut().zip(quotients) {
        let (w, w_quotient) = factor(m, *root);
        (*root, *quotient) = (w.to_bits(), w_quotient.to_bits());
    }
}

/// The tables' entries of `count` neighbouring blocks from block `first` on.
#[inline(always)]
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
#[inline(always)]
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

#[inline(always)]
fn splat<V: Quad>((w, quotient): (u64, u64)) -> Factor<V> {
    (V::splat(f64::from_bits(w)), V::splat(f64::from_bits(quotient)))
}

/// The quarters of a block, by vectors.
#[inline(always)]
fn quarters(block: &mut [u64]) -> [&mut [[u64; LANES]]; 4] {
    let (low, high) = block.split_at_mut(block.len() / 2);
    let (a, b) = low.split_at_mut(low.len() / 2);
    let (c, d) = high.split_at_mut(high.len() / 2);
    [
        a.as_chunks_mut().0,
        b.as_chunks_mut().0,
        c.as_chunks_mut().0,
        d.as_chunks_mut().0,
    ]
}

#[inline(always)]
pub(in crate::kernels) fn forward_outer<V: Quad>(table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let field = &Field::<V>::new(&table.modulus);
    let mut done = first_blocks(table.blocks);
    if done == 2 {
        forward_first_stage(field, table, limb);
    } else {
        forward_pass::<V, INTEGERS>(field, table, 1, 1, limb);
    }
    while done < table.blocks {
        forward_pass_from(field, table, reduces(table.blocks, done), done, done, limb);
        done *= 4;
    }
}

/// The blocks after the first pass: it has one stage if their number is odd, else two.
fn first_blocks(blocks: usize) -> usize {
    if blocks.trailing_zeros().is_multiple_of(2) {
        4
    } else {
        2
    }
}

/// Whether the pass on `done` blocks reduces: every other one, and not the second.
fn reduces(blocks: usize, done: usize) -> bool {
    (done / first_blocks(blocks)).trailing_zeros() % 4 == 2
}

#[inline(always)]
pub(in crate::kernels) fn forward_block<V: Quad>(
    table: &NttTable<'_, u64>,
    index: usize,
    block: &mut [u64],
    _: [&[u64]; 2],
) {
    let field = &Field::<V>::new(&table.modulus);
    let (mut first, mut count) = (table.blocks + index, 1);
    while block.len() > 4 * count {
        let reduce = reduces(table.blocks, table.blocks * count);
        forward_pass_from(field, table, reduce, first, count, block);
        first *= 4;
        count *= 4;
    }
    forward_last_pass(field, table, first, count, block);
}

/// The first stage alone, from integers in [0,q) to 1.7 units.
#[inline(always)]
fn forward_first_stage<V: Quad>(field: &Field<V>, table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let (low, high) = limb.split_at_mut(limb.len() / 2);
    for w in twiddles(table, 1, 1) {
        let w = splat(w);
        for (x, y) in low.as_chunks_mut().0.iter_mut().zip(high.as_chunks_mut().0) {
            let (a, b) = (V::load_integers(x), field.multiply(V::load_integers(y), w));
            a.add(b).store(x);
            a.sub(b).store(y);
        }
    }
}

/// What a pass finds in the limb: integers in [0,q), doubles in 2.6 units, or doubles in 4.4 units.
const INTEGERS: u8 = 0;
const SMALL: u8 = 1;
const LARGE: u8 = 2;

/// [`forward_pass`] from [`LARGE`] numbers, which it reduces, or from [`SMALL`] ones.
#[inline(always)]
fn forward_pass_from<V: Quad>(
    field: &Field<V>,
    table: &NttTable<'_, u64>,
    reduce: bool,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    if reduce {
        forward_pass::<V, LARGE>(field, table, first, count, data);
    } else {
        forward_pass::<V, SMALL>(field, table, first, count, data);
    }
}

/// Two stages on `data`, which is `count` blocks of the transform whose first is number `first`: from integers or large
/// numbers to small ones, from small ones to large ones.
#[inline(always)]
fn forward_pass<V: Quad, const FROM: u8>(
    field: &Field<V>,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    let upper = twiddles(table, first, count);
    let lower = twiddle_groups::<2>(table, 2 * first, 2 * count);
    for ((block, w), (v, v_quotient)) in data.chunks_exact_mut(data.len() / count).zip(upper).zip(lower) {
        let w = splat(w);
        let (v0, v1) = (splat((v[0], v_quotient[0])), splat((v[1], v_quotient[1])));
        let [a, b, c, d] = quarters(block);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let x = if FROM == INTEGERS {
                [
                    V::load_integers(a),
                    V::load_integers(b),
                    V::load_integers(c),
                    V::load_integers(d),
                ]
            } else {
                [V::load(a), V::load(b), V::load(c), V::load(d)]
            };
            let x = if FROM == LARGE {
                reduce_addends(field, x)
            } else {
                x
            };
            let [y0, y1, y2, y3] = forward_two_stages(field, x, [w, v0, v1]);
            y0.store(a);
            y1.store(b);
            y2.store(c);
            y3.store(d);
        }
    }
}

/// Brings the first two, which are not multiplied, to ½.
#[inline(always)]
fn reduce_addends<V: Quad>(field: &Field<V>, [a, b, c, d]: [V; 4]) -> [V; 4] {
    [field.reduce(a), field.reduce(b), c, d]
}

/// Two stages. A number of r units becomes a product of ½ + r/8, so that
/// from 1 and 1 units come sums of 1 + 0.63 and then 1.63 + 0.71 < 2.6;
/// from ½ and 4.4 units ½ + 1.05 and 1.55 + 0.7 < 2.6;
/// from 2.6 and 2.6 units 2.6 + 0.83 and 3.43 + 0.93 < 4.4.
#[inline(always)]
fn forward_two_stages<V: Quad>(
    field: &Field<V>,
    [a, b, c, d]: [V; 4],
    [w, v0, v1]: [Factor<V>; 3],
) -> [V; 4] {
    let (c, d) = (field.multiply(c, w), field.multiply(d, w));
    let (x0, x2) = (a.add(c), a.sub(c));
    let (x1, x3) = (field.multiply(b.add(d), v0), field.multiply(b.sub(d), v1));
    [x0.add(x1), x0.sub(x1), x2.add(x3), x2.sub(x3)]
}

/// As [`forward_pass`] for blocks of four, to integers in [0,q).
#[inline(always)]
fn forward_last_pass<V: Quad>(
    field: &Field<V>,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    let upper = twiddle_groups::<4>(table, first, count);
    let lower = twiddle_groups::<8>(table, 2 * first, 2 * count);
    let (vectors, _) = data.as_chunks_mut();
    let (blocks, _) = vectors.as_chunks_mut::<4>();
    for (([a, b, c, d], upper), lower) in blocks.iter_mut().zip(upper).zip(lower) {
        let (w, v0, v1) = lane_twiddles(upper, lower);
        let x = V::transpose([V::load(a), V::load(b), V::load(c), V::load(d)]);
        let x = reduce_addends(field, x);
        let [y0, y1, y2, y3] = forward_two_stages(field, x, [w, v0, v1]);
        let [y0, y1, y2, y3] = V::transpose([
            field.residue(y0),
            field.residue(y1),
            field.residue(y2),
            field.residue(y3),
        ]);
        y0.store_integers(a);
        y1.store_integers(b);
        y2.store_integers(c);
        y3.store_integers(d);
    }
}

/// The twiddles of four neighbouring blocks of four, one block per lane: of their upper stage, and of the lower stage the
/// first and the second.
#[inline(always)]
fn lane_twiddles<V: Quad>(
    upper: (&[u64; 4], &[u64; 4]),
    lower: (&[u64; 8], &[u64; 8]),
) -> (Factor<V>, Factor<V>, Factor<V>) {
    let separate = |x: &[u64; 8]| match x.as_chunks().0 {
        [low, high] => V::separate(V::load(low), V::load(high)),
        _ => [V::splat(0.0); 2],
    };
    let ([v0, v1], [v0_quotient, v1_quotient]) = (separate(lower.0), separate(lower.1));
    (
        (V::load(upper.0), V::load(upper.1)),
        (v0, v0_quotient),
        (v1, v1_quotient),
    )
}

#[inline(always)]
pub(in crate::kernels) fn inverse_block<V: Quad>(table: &NttTable<'_, u64>, index: usize, block: &mut [u64]) {
    let field = &Field::<V>::new(&table.modulus);
    // Blocks are numbered backwards: block i of m has twiddle m + (m − 1 − i).
    let first = 2 * table.blocks - 1 - index;
    let mut count = block.len() / 4;
    inverse_first_pass(field, table, first * count, count, block);
    while count > 1 {
        count /= 4;
        inverse_pass(field, table, first * count, count, block);
    }
}

#[inline(always)]
pub(in crate::kernels) fn inverse_outer<V: Quad>(table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let field = &Field::<V>::new(&table.modulus);
    let mut blocks = table.blocks;
    while blocks > 4 {
        blocks /= 4;
        inverse_pass(field, table, blocks, blocks, limb);
    }
    if blocks == 4 {
        inverse_last_pass(field, table, limb);
    } else {
        inverse_last_stage(field, table, limb);
    }
}

/// Two stages, from 1 unit: the sums of all four, then the products: 4, 1½, 1, 0.7 units.
#[inline(always)]
fn inverse_two_stages<V: Quad>(
    field: &Field<V>,
    [a, b, c, d]: [V; 4],
    [w, v0, v1]: [Factor<V>; 3],
) -> [V; 4] {
    let (s0, s1) = (a.add(b), c.add(d));
    let (p0, p1) = (field.multiply(b.sub(a), v0), field.multiply(d.sub(c), v1));
    [
        s0.add(s1),
        p0.add(p1),
        field.multiply(s1.sub(s0), w),
        field.multiply(p1.sub(p0), w),
    ]
}

/// The first two stages, from integers in [0,q) to 1 unit; `first` is the smallest table index of the upper stage.
#[inline(always)]
fn inverse_first_pass<V: Quad>(
    field: &Field<V>,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    let upper = twiddle_groups::<4>(table, first, count).rev();
    let lower = twiddle_groups::<8>(table, 2 * first, 2 * count).rev();
    let (vectors, _) = data.as_chunks_mut();
    let (blocks, _) = vectors.as_chunks_mut::<4>();
    for (([a, b, c, d], upper), lower) in blocks.iter_mut().zip(upper).zip(lower) {
        let (w, v1, v0) = lane_twiddles(upper, lower);
        // Lanes hold the blocks backwards, as the table does.
        let [x0, x1, x2, x3] = V::transpose([
            V::load_integers(d),
            V::load_integers(c),
            V::load_integers(b),
            V::load_integers(a),
        ]);
        let [y0, y1, y2, y3] = inverse_two_stages(field, [x0, x1, x2, x3], [w, v0, v1]);
        let [y0, y1, y2, y3] = V::transpose([field.reduce(y0), field.reduce(y1), y2, y3]);
        y0.store(d);
        y1.store(c);
        y2.store(b);
        y3.store(a);
    }
}

/// Undoes [`forward_pass`] up to a factor 4, from and to 1 unit; `first` is the smallest table index of the blocks' upper
/// stage, that of the last block.
#[inline(always)]
fn inverse_pass<V: Quad>(
    field: &Field<V>,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
) {
    let upper = twiddles(table, first, count).rev();
    let lower = twiddle_groups::<2>(table, 2 * first, 2 * count).rev();
    for ((block, w), (v, v_quotient)) in data.chunks_exact_mut(data.len() / count).zip(upper).zip(lower) {
        let w = splat(w);
        let (v0, v1) = (splat((v[1], v_quotient[1])), splat((v[0], v_quotient[0])));
        let [a, b, c, d] = quarters(block);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let x = [V::load(a), V::load(b), V::load(c), V::load(d)];
            let [y0, y1, y2, y3] = inverse_two_stages(field, x, [w, v0, v1]);
            field.reduce(y0).store(a);
            field.reduce(y1).store(b);
            y2.store(c);
            y3.store(d);
        }
    }
}

/// Stages 2 and 1 with the factor 1/N, from 1 unit to integers in [0,q).
#[inline(always)]
fn inverse_last_pass<V: Quad>(field: &Field<V>, table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let (scale, root) = last_factors::<V>(table);
    let mut lower = twiddles(table, 2, 2).rev();
    let (Some(v0), Some(v1)) = (lower.next(), lower.next()) else {
        return;
    };
    let (v0, v1) = (splat(v0), splat(v1));
    let [a, b, c, d] = quarters(limb);
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        let x = [V::load(a), V::load(b), V::load(c), V::load(d)];
        let [y0, y1, y2, y3] = inverse_two_stages_with(field, x, [v0, v1, scale, root]);
        field.residue(y0).store_integers(a);
        field.residue(y1).store_integers(b);
        field.residue(y2).store_integers(c);
        field.residue(y3).store_integers(d);
    }
}

/// [`inverse_two_stages`] with a factor for the second stage's sums as well.
#[inline(always)]
fn inverse_two_stages_with<V: Quad>(
    field: &Field<V>,
    x: [V; 4],
    [v0, v1, scale, root]: [Factor<V>; 4],
) -> [V; 4] {
    let [y0, y1, y2, y3] = inverse_two_stages(field, x, [root, v0, v1]);
    [field.multiply(y0, scale), field.multiply(y1, scale), y2, y3]
}

/// Stage 1 with the factor 1/N, from 1 unit to integers in [0,q).
#[inline(always)]
fn inverse_last_stage<V: Quad>(field: &Field<V>, table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let (scale, root) = last_factors::<V>(table);
    let (low, high) = limb.split_at_mut(limb.len() / 2);
    for (x, y) in low.as_chunks_mut().0.iter_mut().zip(high.as_chunks_mut().0) {
        let (a, b) = (V::load(x), V::load(y));
        field.residue(field.multiply(a.add(b), scale)).store_integers(x);
        field.residue(field.multiply(b.sub(a), root)).store_integers(y);
    }
}

/// 1/N and ψ^(N/2)/N.
#[inline(always)]
fn last_factors<V: Quad>(table: &NttTable<'_, u64>) -> (Factor<V>, Factor<V>) {
    let m = &table.modulus;
    (
        splat_factor(m, table.degree_inverse[0]),
        splat_factor(m, table.degree_inverse_root[0]),
    )
}
