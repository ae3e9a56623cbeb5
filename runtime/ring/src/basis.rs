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

use crate::kernels::{Combination, Reciprocal, Rows, table};
use crate::parallel::{for_each_limb, for_each_limb_2, threads};
use crate::{MAX_PRIMES, Modulus, Ring, Word, limb};

/// At most one item per prime of a ring; ranges of primes lie inside the ring, so collecting never overflows.
type PerPrime<T> = heapless::Vec<T, MAX_PRIMES>;
/// Some primes of a ring by their indices: a range or any other list without repetition.
pub trait Primes: DoubleEndedIterator<Item = usize> + ExactSizeIterator + Clone + Send + Sync {}
impl<I: DoubleEndedIterator<Item = usize> + ExactSizeIterator + Clone + Send + Sync> Primes for I {}
/// A limb to be made, for a prime of the ring.
pub type Target<'a, W> = (usize, &'a mut [W]);

/// Columns whose wraps are counted together.
const TILE: usize = 4096;
/// Most limbs that [`combine_group`] makes. What it knows of each is on the stack: half a kilobyte, dear on a small machine.
pub const MAX_GROUP: usize = if cfg!(target_pointer_width = "64") { 32 } else { 2 };

/// How many of `limbs` limbs one thread best makes at once: the source is read once for all of them. At most
/// [`MAX_GROUP`], at least 1.
pub fn group(limbs: usize) -> usize {
    limbs.div_ceil(threads()).clamp(1, MAX_GROUP)
}

/// xᵢ → yᵢ in place in `src` (one limb per prime of `from`, coefficients) and the N counts v into `wraps`.
///
/// Lengths: `src` from.len()·N words, `wraps` N words.
pub fn scale<W: Word>(ring: &Ring<'_, W>, from: impl Primes, src: &mut [W], wraps: &mut [W]) {
    debug_assert!(src.len() == from.len() * ring.degree());
    for_each_limb(src, ring.degree(), |i, limb| {
        if let Some(prime) = from.clone().nth(i) {
            let factor = scaling_factor(ring, from.clone(), prime);
            limb::mul_scalar_assign(ring.modulus(prime), limb, factor);
        }
    });
    count_wraps(ring, from, src, wraps);
}

/// As [`scale`], in place from NTT form: the transform back to coefficients has the factor in it.
///
/// Lengths: `src` from.len()·N words, `wraps` N words.
pub fn scale_ntt<W: Word>(ring: &Ring<'_, W>, from: impl Primes, src: &mut [W], wraps: &mut [W]) {
    debug_assert!(src.len() == from.len() * ring.degree());
    for_each_limb(src, ring.degree(), |i, limb| {
        if let Some(prime) = from.clone().nth(i) {
            ring.ntt_inverse_scaled(prime, limb, scaling_factor(ring, from.clone(), prime));
        }
    });
    count_wraps(ring, from, src, wraps);
}

/// As [`scale_ntt`], from `src` to `dst`.
///
/// Lengths: `dst` and `src` from.len()·N words, `wraps` N words.
pub fn scale_ntt_from<W: Word>(
    ring: &Ring<'_, W>,
    from: impl Primes,
    dst: &mut [W],
    src: &[W],
    wraps: &mut [W],
) {
    debug_assert!(src.len() == from.len() * ring.degree() && dst.len() == src.len());
    for_each_limb_2(dst, src, ring.degree(), |i, limb, src| {
        if let Some(prime) = from.clone().nth(i) {
            ring.ntt_inverse_scaled_from(prime, limb, src, scaling_factor(ring, from.clone(), prime));
        }
    });
    count_wraps(ring, from, dst, wraps);
}

/// (Q/qᵢ)^−1 mod qᵢ, Q the product of the primes `from` and i one of them.
fn scaling_factor<W: Word>(ring: &Ring<'_, W>, from: impl Primes, prime: usize) -> W {
    let product = product_mod(ring, from.filter(|&other| other != prime), prime);
    // Distinct primes: the product is a unit.
    ring.modulus(prime).inv(product).unwrap_or(W::ONE)
}

/// The counts v of scaled limbs.
fn count_wraps<W: Word>(ring: &Ring<'_, W>, from: impl Primes, scaled: &[W], wraps: &mut [W]) {
    let n = ring.degree();
    debug_assert!(wraps.len() == n);
    let kernels = table::<W>(largest_bits(ring, from.clone()));
    let reciprocals: PerPrime<_> = from.map(|prime| Reciprocal::new(ring.modulus(prime))).collect();
    for_each_limb(wraps, TILE, |tile, wraps| {
        (kernels.count_wraps)(wraps, &tile_rows(scaled, n, tile), &reciprocals);
    });
}

/// Bits of the largest of some primes.
fn largest_bits<W: Word>(ring: &Ring<'_, W>, primes: impl Primes) -> u32 {
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
    from: impl Primes,
    scaled: &[W],
    wraps: &[W],
    to: &[usize],
    dst: &mut [W],
) {
    let n = ring.degree();
    debug_assert!(dst.len() == to.len() * n);
    let group = group(to.len());
    for_each_limb(dst, group * n, |index, limbs| {
        let targets = to.iter().copied().skip(index * group);
        let mut targets: heapless::Vec<_, MAX_GROUP> = targets.zip(limbs.chunks_exact_mut(n)).collect();
        combine_group(ring, from.clone(), scaled, wraps, &mut targets);
    });
}

/// As [`combine`], to limbs anywhere; each of N words.
pub fn combine_limbs<W: Word>(
    ring: &Ring<'_, W>,
    from: impl Primes,
    scaled: &[W],
    wraps: &[W],
    targets: &mut [Target<'_, W>],
) {
    let group = group(targets.len());
    for_each_limb(targets, group, |_, targets| {
        combine_group(ring, from.clone(), scaled, wraps, targets)
    });
}

/// As [`combine_limbs`] for at most [`MAX_GROUP`] targets: reads the source once.
pub fn combine_group<W: Word>(
    ring: &Ring<'_, W>,
    from: impl Primes,
    scaled: &[W],
    wraps: &[W],
    targets: &mut [Target<'_, W>],
) {
    let n = ring.degree();
    debug_assert!(scaled.len() == from.len() * n && wraps.len() == n && targets.len() <= MAX_GROUP);
    let rows: PerPrime<&[W]> = scaled.chunks_exact(n).take(from.len()).collect();
    let source = Rows {
        rows: &rows,
        wraps,
        bits: largest_bits(ring, from.clone()),
    };
    let kernels = |m: &Modulus<W>| table::<W>(m.bits().max(source.bits));
    let mut combinations: heapless::Vec<_, MAX_GROUP> = targets
        .iter_mut()
        .map(|(prime, dst)| {
            let (factors, wrap_factor) = factors(ring, from.clone(), *prime);
            Combination {
                modulus: *ring.modulus(*prime),
                factors,
                wrap_factor,
                dst,
            }
        })
        .collect();
    // Neighbours with the same kernels are done together.
    let same = |a: &Combination<'_, W>, b: &Combination<'_, W>| {
        core::ptr::eq(kernels(&a.modulus), kernels(&b.modulus))
    };
    for run in combinations.chunk_by_mut(same) {
        if let Some(first) = run.first() {
            (kernels(&first.modulus).combine)(run, &source);
        }
    }
}

/// [`scale`] and [`combine`]: the centred representative of `src` (coefficients, clobbered) in the primes `to`.
///
/// Lengths: `src` from.len()·N, `dst` to.len()·N, `wraps` N words of scratch.
pub fn convert<W: Word>(
    ring: &Ring<'_, W>,
    from: impl Primes,
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
    dropped: impl Primes,
    dst: &mut [W],
    src: &[W],
    tail: &mut [W],
    wraps: &mut [W],
) {
    debug_assert!(src.len() == kept * ring.degree() && dst.len() == src.len());
    scale_ntt(ring, dropped.clone(), tail, wraps);
    divide_round_scaled(ring, 0, dropped, dst, src, tail, wraps);
}

/// The second half of [`divide_round`], after [`scale_ntt`] of the tail, for some of the limbs that are kept: `dst` and
/// `src` have those of the primes from `first` on.
///
/// Lengths: `dst` and `src` the same number of limbs, `scaled` dropped.len()·N, `wraps` N words.
pub fn divide_round_scaled<W: Word>(
    ring: &Ring<'_, W>,
    first: usize,
    dropped: impl Primes,
    dst: &mut [W],
    src: &[W],
    scaled: &[W],
    wraps: &[W],
) {
    let n = ring.degree();
    // One or two source limbs stay in the second-level cache: then a limb alone is best.
    let group = if dropped.len() <= 2 {
        1
    } else {
        group(dst.len() / n)
    };
    for_each_limb_2(dst, src, group * n, |index, dst, src| {
        let primes = first + index * group..;
        let mut targets: heapless::Vec<_, MAX_GROUP> = primes.zip(dst.chunks_exact_mut(n)).collect();
        combine_group(ring, dropped.clone(), scaled, wraps, &mut targets);
        for ((prime, rest), x) in targets.into_iter().zip(src.chunks_exact(n)) {
            finish_division(ring, dropped.clone(), prime, rest, x);
        }
    });
}

/// The last step of a division for one limb: from the coefficients of x mod D to (x − (x mod D))/D in NTT form, D the
/// product of the primes `dropped`; `x` in NTT form.
pub fn finish_division<W: Word>(
    ring: &Ring<'_, W>,
    dropped: impl Primes,
    prime: usize,
    rest: &mut [W],
    x: &[W],
) {
    let inverse = inverse_product(ring, dropped, prime);
    let m = ring.modulus(prime);
    let len = ring.degree() / ring.ntt_blocks();
    ring.ntt_forward_outer(prime, rest);
    // A block is subtracted from while it is in the first-level cache.
    for (index, (rest, x)) in rest.chunks_exact_mut(len).zip(x.chunks_exact(len)).enumerate() {
        ring.ntt_forward_block_ahead(prime, index, rest, [x, &[]]);
        limb::sub_from_mul_scalar_assign(m, rest, x, inverse);
    }
}

/// The inverse of the product of the ring's primes `factors` modulo its prime `prime`, which is none of them.
pub fn inverse_product<W: Word>(ring: &Ring<'_, W>, factors: impl Primes, prime: usize) -> W {
    // Distinct primes: the product is a unit.
    let product = product_mod(ring, factors, prime);
    ring.modulus(prime).inv(product).unwrap_or(W::ONE)
}

/// The product of the ring's primes `factors` modulo its prime `prime`.
pub fn product_mod<W: Word>(ring: &Ring<'_, W>, factors: impl Iterator<Item = usize>, prime: usize) -> W {
    let m = ring.modulus(prime);
    factors.fold(W::ONE, |product, factor| {
        m.mul(product, m.reduce(ring.modulus(factor).value()))
    })
}

/// Q/qᵢ mod the prime `to` for each i of `from`, and −Q mod the prime `to`.
fn factors<W: Word>(ring: &Ring<'_, W>, from: impl Primes, to: usize) -> (PerPrime<W>, W) {
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
