//! Conversion between residue bases, exact and centred, and division with rounding built on it.
//!
//! For x modulo Q = Π qᵢ with residues xᵢ let yᵢ = xᵢ·(Q/qᵢ)^−1 mod qᵢ. Then Σ yᵢ/qᵢ = x/Q + v for an integer v, and
//! with v = round(Σ yᵢ/qᵢ) the number Σ yᵢ·(Q/qᵢ) − v·Q is the representative of x in [−Q/2, Q/2) (Halevi, Polyakov
//! and Shoup, 2019). v is computed in integers with 32 fraction bits, the same in both word widths. Each term is low by
//! less than 3·2^−32, so with L source primes the result is *the* centred representative whenever
//! |x| < Q/2·(1 − 6L·2^−32), and for the others x or x ± Q, still of size at most Q/2·(1 + 6L·2^−32).
//!
//! Conversion is in two steps, so that a caller may convert to some primes now and to others later, or transform each
//! limb where it is made: [`scale`] turns xᵢ into yᵢ and finds v; [`combine`] makes limbs for other primes.

use core::ops::Range;

use crate::kernels::{Reciprocal, Rows, table};
use crate::parallel::{for_each_limb, for_each_limb_2};
use crate::{MAX_PRIMES, Ring, Word, limb};

/// At most one item per prime of a ring; ranges of primes lie inside the ring, so collecting never overflows.
type PerPrime<T> = heapless::Vec<T, MAX_PRIMES>;

/// Columns handled together, so that the source stays in the first-level cache for all targets of a group.
const TILE: usize = 256;
/// Target limbs handled together.
const GROUP: usize = 4;

/// xᵢ → yᵢ in place in `src` (one limb per prime of `from`, coefficients) and the N counts v into `wraps`.
///
/// Lengths: `src` from.len()·N words, `wraps` N words.
pub fn scale<W: Word>(ring: &Ring<'_, W>, from: Range<usize>, src: &mut [W], wraps: &mut [W]) {
    let n = ring.degree();
    debug_assert!(src.len() == from.len() * n && wraps.len() == n);
    for_each_limb(src, n, |i, limb| {
        let prime = from.start + i;
        let m = ring.modulus(prime);
        let others = from.clone().filter(|&other| other != prime);
        let product = product_mod(ring, others, prime);
        // Distinct primes: the product is a unit.
        let inverse = m.inv(product).unwrap_or(W::ONE);
        limb::mul_scalar_assign(m, limb, inverse);
    });
    let bits = largest_bits(ring, from.clone());
    let reciprocals: PerPrime<_> = from.map(|prime| Reciprocal::new(ring.modulus(prime))).collect();
    let (src, kernels) = (&*src, table::<W>(bits));
    for_each_limb(wraps, TILE, |tile, wraps| {
        (kernels.count_wraps)(wraps, &tile_rows(src, n, tile), &reciprocals);
    });
}

/// Bits of the largest of some primes.
fn largest_bits<W: Word>(ring: &Ring<'_, W>, primes: Range<usize>) -> u32 {
    primes.map(|prime| ring.modulus(prime).bits()).max().unwrap_or(0)
}

/// The columns of one tile in every row of a matrix with `n` columns.
fn tile_rows<W: Word>(matrix: &[W], n: usize, tile: usize) -> PerPrime<&[W]> {
    matrix
        .chunks_exact(n)
        .filter_map(|row| row.chunks(TILE).nth(tile))
        .collect()
}

/// Limbs for the primes `to` (indices into the ring, any order) from what [`scale`] left; coefficients in [0,q).
///
/// Lengths: `scaled` from.len()·N, `wraps` N, `dst` to.len()·N words.
pub fn combine<W: Word>(
    ring: &Ring<'_, W>,
    from: Range<usize>,
    scaled: &[W],
    wraps: &[W],
    to: &[usize],
    dst: &mut [W],
) {
    let n = ring.degree();
    debug_assert!(scaled.len() == from.len() * n && wraps.len() == n && dst.len() == to.len() * n);
    let bits = largest_bits(ring, from.clone());
    for_each_limb(dst, GROUP * n, |group, limbs| {
        let to = to.iter().skip(group * GROUP);
        let targets: heapless::Vec<_, GROUP> = to
            .take(GROUP)
            .map(|&prime| (ring.modulus(prime), factors(ring, from.clone(), prime)))
            .collect();
        for (tile, wraps) in wraps.chunks(TILE).enumerate() {
            let rows = Rows {
                rows: &tile_rows(scaled, n, tile),
                wraps,
            };
            for (limb, (m, (factors, wrap_factor))) in limbs.chunks_exact_mut(n).zip(&targets) {
                if let Some(dst) = limb.chunks_mut(TILE).nth(tile) {
                    (table::<W>(bits.max(m.bits())).combine)(m, dst, &rows, factors, *wrap_factor);
                }
            }
        }
    });
}

/// [`scale`] and [`combine`]: the centred representative of `src` (coefficients, clobbered) in the primes `to`.
///
/// Lengths: `src` from.len()·N, `dst` to.len()·N, `wraps` N words of scratch.
pub fn convert<W: Word>(
    ring: &Ring<'_, W>,
    from: Range<usize>,
    src: &mut [W],
    to: &[usize],
    dst: &mut [W],
    wraps: &mut [W],
) {
    scale(ring, from.clone(), src, wraps);
    combine(ring, from, src, wraps, to, dst);
}

/// dst = round(x / D), D the product of the primes `dropped`: rescaling (one prime) and mod-down (the special primes).
///
/// x is given modulo the primes 0…kept−1 by `src` and modulo `dropped` by `tail`, all in NTT form; `dst` has the limbs
/// 0…kept−1 in NTT form. `tail` is clobbered. The rounding error is at most ½ + 3L·2^−32 for L dropped primes.
///
/// Lengths: `dst` and `src` kept·N, `tail` dropped.len()·N, `wraps` N words of scratch.
pub fn divide_round<W: Word>(
    ring: &Ring<'_, W>,
    kept: usize,
    dropped: Range<usize>,
    dst: &mut [W],
    src: &[W],
    tail: &mut [W],
    wraps: &mut [W],
) {
    let n = ring.degree();
    debug_assert!(src.len() == kept * n && dst.len() == kept * n && tail.len() == dropped.len() * n);
    for_each_limb(tail, n, |i, limb| ring.ntt_inverse(dropped.start + i, limb));
    let to: [usize; MAX_PRIMES] = core::array::from_fn(|i| i);
    convert(
        ring,
        dropped.clone(),
        tail,
        to.get(..kept).unwrap_or(&[]),
        dst,
        wraps,
    );
    for_each_limb_2(dst, src, n, |i, rest, x| {
        let m = ring.modulus(i);
        ring.ntt_forward(i, rest);
        // Distinct primes: the divisor is a unit.
        let inverse = m.inv(product_mod(ring, dropped.clone(), i)).unwrap_or(W::ONE);
        limb::sub_from_mul_scalar_assign(m, rest, x, inverse);
    });
}

/// The product of the ring's primes `factors` modulo its prime `prime`.
pub fn product_mod<W: Word>(ring: &Ring<'_, W>, factors: impl Iterator<Item = usize>, prime: usize) -> W {
    let m = ring.modulus(prime);
    factors.fold(W::ONE, |product, factor| {
        m.mul(product, m.reduce(ring.modulus(factor).value()))
    })
}

/// Q/qᵢ mod the prime `to` for each i of `from`, and −Q mod the prime `to`.
fn factors<W: Word>(ring: &Ring<'_, W>, from: Range<usize>, to: usize) -> (PerPrime<W>, W) {
    let m = ring.modulus(to);
    let residue = |i: usize| m.reduce(ring.modulus(i).value());
    // First the product of the primes before i, then times those after i.
    let mut product = W::ONE;
    let before = from.clone().map(|i| {
        let before = product;
        product = m.mul(product, residue(i));
        before
    });
    let mut factors: PerPrime<W> = before.collect();
    let mut after = W::ONE;
    for (factor, i) in factors.iter_mut().zip(from).rev() {
        *factor = m.mul(*factor, after);
        after = m.mul(after, residue(i));
    }
    (factors, m.neg(product))
}
