//! Coefficient-wise arithmetic on one limb.

use super::LANES;
use crate::kernels::{InnerProduct2, Start, Term, Term2};
use crate::pack::unpack_words;
use crate::{Modulus, Word};

#[inline(always)]
fn map1<W: Word>(dst: &mut [W], f: impl Fn(W) -> W) {
    for d in dst {
        *d = f(*d);
    }
}

#[inline(always)]
fn map2<W: Word>(dst: &mut [W], a: &[W], f: impl Fn(W, W) -> W) {
    debug_assert_eq!(dst.len(), a.len());
    for (d, &a) in dst.iter_mut().zip(a) {
        *d = f(*d, a);
    }
}

#[inline(always)]
fn map3<W: Word>(dst: &mut [W], a: &[W], b: &[W], f: impl Fn(W, W, W) -> W) {
    debug_assert!(dst.len() == a.len() && dst.len() == b.len());
    for ((d, &a), &b) in dst.iter_mut().zip(a).zip(b) {
        *d = f(*d, a, b);
    }
}

pub(in crate::kernels) fn add<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], b: &[W]) {
    map3(dst, a, b, |_, a, b| m.add(a, b));
}

pub(in crate::kernels) fn add_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    map2(dst, a, |d, a| m.add(d, a));
}

pub(in crate::kernels) fn sub<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], b: &[W]) {
    map3(dst, a, b, |_, a, b| m.sub(a, b));
}

pub(in crate::kernels) fn sub_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    map2(dst, a, |d, a| m.sub(d, a));
}

pub(in crate::kernels) fn neg<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    map2(dst, a, |_, a| m.neg(a));
}

pub(in crate::kernels) fn neg_assign<W: Word>(m: &Modulus<W>, dst: &mut [W]) {
    map1(dst, |d| m.neg(d));
}

pub(in crate::kernels) fn mul<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], b: &[W]) {
    map3(dst, a, b, |_, a, b| m.mul(a, b));
}

pub(in crate::kernels) fn mul_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    map2(dst, a, |d, a| m.mul(d, a));
}

pub(in crate::kernels) fn mul_add_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], b: &[W]) {
    map3(dst, a, b, |d, a, b| m.mul_add(a, b, d));
}

pub(in crate::kernels) fn mul_scalar<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], s: W) {
    let s_shoup = m.shoup(s);
    map2(dst, a, |_, a| m.mul_shoup(a, s, s_shoup));
}

pub(in crate::kernels) fn mul_scalar_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], s: W) {
    let s_shoup = m.shoup(s);
    map1(dst, |d| m.mul_shoup(d, s, s_shoup));
}

pub(in crate::kernels) fn mul_scalar_add_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], s: W) {
    let s_shoup = m.shoup(s);
    map2(dst, a, |d, a| m.add(d, m.mul_shoup(a, s, s_shoup)));
}

pub(in crate::kernels) fn sub_from_mul_scalar_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], s: W) {
    let s_shoup = m.shoup(s);
    // a − d + q is in (0,2q): Shoup's product takes any word.
    map2(dst, a, |d, a| m.mul_shoup(a + m.value() - d, s, s_shoup));
}

pub(in crate::kernels) fn add_scalar_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], s: W) {
    map1(dst, |d| m.add(d, s));
}

pub(in crate::kernels) fn reduce<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    map2(dst, a, |_, a| m.reduce(a));
}

pub(in crate::kernels) fn lift_signed<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[i8]) {
    debug_assert_eq!(dst.len(), a.len());
    for (d, &a) in dst.iter_mut().zip(a) {
        *d = m.negate_if(a < 0, W::from_u64(u64::from(a.unsigned_abs())));
    }
}

pub(in crate::kernels) fn inner_product<W: Word>(
    m: &Modulus<W>,
    dst: &mut [W],
    terms: &[Term<'_, W>],
    accumulate: bool,
) {
    let mut keep = accumulate;
    if !keep && terms.is_empty() {
        dst.fill(W::ZERO);
    }
    // A group of products and one reduced word fit a double word; `dst` carries the sum between groups.
    for group in terms.chunks(W::LAZY_PRODUCTS) {
        let (blocks, rest) = dst.as_chunks_mut::<LANES>();
        let rest_start = blocks.len() * LANES;
        for (block, d) in blocks.iter_mut().enumerate() {
            inner_product_block(m, d, group, block * LANES, keep);
        }
        for (j, d) in rest.iter_mut().enumerate() {
            inner_product_block(m, core::array::from_mut(d), group, rest_start + j, keep);
        }
        keep = true;
    }
}

/// Columns of two inner products done one after the other while their common side is in the first-level cache.
const TILE: usize = 512;
/// Terms that are handed on at once.
const TERMS: usize = 32;

/// The tile of so many words with this number.
#[inline(always)]
fn tile_of<W>(x: &[W], size: usize, tile: usize) -> &[W] {
    x.chunks(size).nth(tile).unwrap_or_default()
}

pub(in crate::kernels) fn inner_product_2<W: Word>(
    m: &Modulus<W>,
    dst: [&mut [W]; 2],
    terms: &[Term2<'_, W>],
    start: [Start<'_, W>; 2],
) {
    inner_product_2_with(mul_scalar, inner_product, m, dst, terms, start);
}

/// Two inner products, tile by tile, from the single one of a backend.
#[inline(always)]
pub(in crate::kernels) fn inner_product_2_with<W: Word>(
    mul_scalar: impl Fn(&Modulus<W>, &mut [W], &[W], W),
    inner_product: impl Fn(&Modulus<W>, &mut [W], &[Term<'_, W>], bool),
    m: &Modulus<W>,
    [dst0, dst1]: [&mut [W]; 2],
    terms: &[Term2<'_, W>],
    start: [Start<'_, W>; 2],
) {
    let tiles = dst0.chunks_mut(TILE).zip(dst1.chunks_mut(TILE));
    for (tile, (dst0, dst1)) in tiles.enumerate() {
        for (k, dst) in [dst0, dst1].into_iter().enumerate() {
            match start[k] {
                Start::Zero => dst.fill(W::ZERO),
                Start::Destination => {}
                Start::Scaled(a, s) => mul_scalar(m, dst, tile_of(a, TILE, tile), s),
            }
            for terms in terms.chunks(TERMS) {
                let pairs = terms
                    .iter()
                    .map(|&(a, b)| (tile_of(a, TILE, tile), tile_of(b[k], TILE, tile)));
                let pairs: heapless::Vec<Term<'_, W>, TERMS> = pairs.collect();
                inner_product(m, dst, &pairs, true);
            }
        }
    }
}

/// Columns and terms whose packed sides are unpacked at once: they stay in the first-level cache.
const UNPACKED_COLUMNS: usize = 128;
const UNPACKED_TERMS: usize = 8;

pub(in crate::kernels) fn inner_product_2_packed<W: Word>(
    m: &Modulus<W>,
    first: usize,
    dst: [&mut [W]; 2],
    terms: &[Term2<'_, W>],
    start: [Start<'_, W>; 2],
) {
    inner_product_2_packed_with(unpack_words, inner_product_2, m, first, dst, terms, start);
}

/// Inner products with packed limbs from what a backend has to unpack some, as [`unpack_words`], and its entry for others.
pub(in crate::kernels) fn inner_product_2_packed_with<W: Word>(
    unpack: fn(&[W], u32, usize, &mut [W]),
    inner_product_2: InnerProduct2<W>,
    m: &Modulus<W>,
    first: usize,
    [dst0, dst1]: [&mut [W]; 2],
    terms: &[Term2<'_, W>],
    start: [Start<'_, W>; 2],
) {
    let mut space = [[[W::ZERO; UNPACKED_COLUMNS]; 2]; UNPACKED_TERMS];
    let tiles = dst0
        .chunks_mut(UNPACKED_COLUMNS)
        .zip(dst1.chunks_mut(UNPACKED_COLUMNS));
    for (tile, (dst0, dst1)) in tiles.enumerate() {
        let len = dst0.len().min(dst1.len());
        let mut start = start.map(|start| match start {
            Start::Scaled(a, s) => Start::Scaled(tile_of(a, UNPACKED_COLUMNS, tile), s),
            start => start,
        });
        let mut groups = terms.chunks(UNPACKED_TERMS);
        let mut group = groups.next().unwrap_or_default();
        loop {
            for (space, (_, packed)) in space.iter_mut().zip(group) {
                for (space, packed) in space.iter_mut().zip(packed) {
                    unpack(
                        packed,
                        m.bits(),
                        first + tile * UNPACKED_COLUMNS,
                        &mut space[..len],
                    );
                }
            }
            let factors = group.iter().zip(&space);
            let factors: heapless::Vec<Term2<'_, W>, UNPACKED_TERMS> = factors
                .map(|(&(a, _), [b0, b1])| (tile_of(a, UNPACKED_COLUMNS, tile), [&b0[..len], &b1[..len]]))
                .collect();
            inner_product_2(m, [&mut *dst0, &mut *dst1], &factors, start);
            let Some(next) = groups.next() else { break };
            (group, start) = (next, [Start::Destination; 2]);
        }
    }
}

/// The columns `start`… of [`inner_product`], as many as `dst` has, with their sums in registers.
#[inline(always)]
pub(in crate::kernels) fn inner_product_block<W: Word, const LANES: usize>(
    m: &Modulus<W>,
    dst: &mut [W; LANES],
    terms: &[Term<'_, W>],
    start: usize,
    keep: bool,
) {
    let mut sums = if keep {
        dst.map(W::to_wide)
    } else {
        [W::Wide::default(); LANES]
    };
    for (a, b) in terms {
        let columns = start..start + LANES;
        let (Some(a), Some(b)) = (a.get(columns.clone()), b.get(columns)) else {
            return;
        };
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a.wide_mul(b);
        }
    }
    *dst = sums.map(|sum| m.reduce_wide(sum));
}
