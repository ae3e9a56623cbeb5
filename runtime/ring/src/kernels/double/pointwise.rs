//! Coefficient-wise arithmetic on one limb. What is left after the last whole vector is the portable backend's, and so
//! are the entries on integers of any size.

use super::{Field, LANES, Quad, splat_factor};
use crate::Modulus;
use crate::kernels::portable::pointwise as portable;
use crate::kernels::{Start, Term, Term2};

/// Products of two residues in one lazy sum: the multiples of 2^50 in it stay below 2^103.
const TERMS: usize = 7;
/// Vectors of a sum of products handled side by side.
pub(super) const VECTORS: usize = 4;
/// 1.5·2^102: its last bit counts 2^50, so a sum with it is rounded to a multiple of 2^50.
const SPLITTER: f64 = 1.5 * (1u128 << 102) as f64;

/// dst = f(dst) by vectors of integers; returns what is left.
#[inline(always)]
fn map1<V: Quad>(dst: &mut [u64], f: impl Fn(V) -> V) -> &mut [u64] {
    let (dst, rest) = dst.as_chunks_mut();
    for d in dst {
        f(V::load_integers(d)).store_integers(d);
    }
    rest
}

/// dst = f(dst, a) by vectors of integers; returns what is left.
#[inline(always)]
fn map2<'a, V: Quad>(dst: &'a mut [u64], a: &'a [u64], f: impl Fn(V, V) -> V) -> (&'a mut [u64], &'a [u64]) {
    debug_assert_eq!(dst.len(), a.len());
    let ((dst, rest), (a, a_rest)) = (dst.as_chunks_mut(), a.as_chunks());
    for (d, a) in dst.iter_mut().zip(a) {
        f(V::load_integers(d), V::load_integers(a)).store_integers(d);
    }
    (rest, a_rest)
}

/// dst = f(a, b) by vectors of integers; returns what is left.
#[inline(always)]
fn zip<'a, V: Quad>(
    dst: &'a mut [u64],
    a: &'a [u64],
    b: &'a [u64],
    f: impl Fn(V, V) -> V,
) -> (&'a mut [u64], &'a [u64], &'a [u64]) {
    debug_assert!(dst.len() == a.len() && dst.len() == b.len());
    let ((dst, rest), (a, a_rest), (b, b_rest)) = (dst.as_chunks_mut(), a.as_chunks(), b.as_chunks());
    for ((d, a), b) in dst.iter_mut().zip(a).zip(b) {
        f(V::load_integers(a), V::load_integers(b)).store_integers(d);
    }
    (rest, a_rest, b_rest)
}

impl<V: Quad> Field<V> {
    /// a + b in [0,q).
    #[inline(always)]
    fn plus(&self, a: V, b: V) -> V {
        a.add(b).sub(self.q).add_if_negative(self.q)
    }

    /// a − b in [0,q).
    #[inline(always)]
    fn minus(&self, a: V, b: V) -> V {
        a.sub(b).add_if_negative(self.q)
    }

    /// The sum of `high`, multiples of 2^50 below 2^103 in size, and `low`, below 2^53 in size, modulo q, below 1.2 units
    /// in size.
    ///
    /// high's quotient by q is below 2^53 and off by at most 2 + ½: the rest is below 2^53. For the smallest moduli a
    /// rest is up to 0.7 units larger than [`Field::reduce`] says.
    #[inline(always)]
    pub(super) fn reduce_sum(&self, high: V, low: V) -> V {
        let quotient = high.mul(self.inverse).round();
        let rest = self.reduce(high.sub_product(quotient, self.q));
        rest.add(self.reduce(low))
    }
}

/// high + low += a·b, in multiples of 2^50 and the rest, at most 2^49 in size.
#[inline(always)]
pub(super) fn add_split_product<V: Quad>(high: &mut V, low: &mut V, a: V, b: V) {
    let splitter = V::splat(SPLITTER);
    let part = splitter.add_product(a, b).sub(splitter);
    *high = high.add(part);
    *low = low.add(part.product_less(a, b));
}

#[inline(always)]
pub(in crate::kernels) fn add<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], b: &[u64]) {
    let field = Field::<V>::new(m);
    let (dst, a, b) = zip::<V>(dst, a, b, |a, b| field.plus(a, b));
    portable::add(m, dst, a, b);
}

#[inline(always)]
pub(in crate::kernels) fn add_assign<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], a: &[u64]) {
    let field = Field::<V>::new(m);
    let (dst, a) = map2::<V>(dst, a, |d, a| field.plus(d, a));
    portable::add_assign(m, dst, a);
}

#[inline(always)]
pub(in crate::kernels) fn sub<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], b: &[u64]) {
    let field = Field::<V>::new(m);
    let (dst, a, b) = zip::<V>(dst, a, b, |a, b| field.minus(a, b));
    portable::sub(m, dst, a, b);
}

#[inline(always)]
pub(in crate::kernels) fn sub_assign<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], a: &[u64]) {
    let field = Field::<V>::new(m);
    let (dst, a) = map2::<V>(dst, a, |d, a| field.minus(d, a));
    portable::sub_assign(m, dst, a);
}

#[inline(always)]
pub(in crate::kernels) fn mul<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], b: &[u64]) {
    let field = Field::<V>::new(m);
    let (dst, a, b) = zip::<V>(dst, a, b, |a, b| field.product(a, b).add_if_negative(field.q));
    portable::mul(m, dst, a, b);
}

#[inline(always)]
pub(in crate::kernels) fn mul_assign<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], a: &[u64]) {
    let field = Field::<V>::new(m);
    let (dst, a) = map2::<V>(dst, a, |d, a| field.product(d, a).add_if_negative(field.q));
    portable::mul_assign(m, dst, a);
}

#[inline(always)]
pub(in crate::kernels) fn mul_scalar<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], s: u64) {
    let (field, factor) = (Field::<V>::new(m), splat_factor(m, s));
    let (dst, a) = map2::<V>(dst, a, |_, a| field.multiply(a, factor).add_if_negative(field.q));
    portable::mul_scalar(m, dst, a, s);
}

#[inline(always)]
pub(in crate::kernels) fn mul_scalar_assign<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], s: u64) {
    let (field, factor) = (Field::<V>::new(m), splat_factor(m, s));
    let dst = map1::<V>(dst, |d| field.multiply(d, factor).add_if_negative(field.q));
    portable::mul_scalar_assign(m, dst, s);
}

#[inline(always)]
pub(in crate::kernels) fn mul_scalar_add_assign<V: Quad>(
    m: &Modulus<u64>,
    dst: &mut [u64],
    a: &[u64],
    s: u64,
) {
    let (field, factor) = (Field::<V>::new(m), splat_factor(m, s));
    let (dst, a) = map2::<V>(dst, a, |d, a| field.residue(d.add(field.multiply(a, factor))));
    portable::mul_scalar_add_assign(m, dst, a, s);
}

#[inline(always)]
pub(in crate::kernels) fn sub_from_mul_scalar_assign<V: Quad>(
    m: &Modulus<u64>,
    dst: &mut [u64],
    a: &[u64],
    s: u64,
) {
    let (field, factor) = (Field::<V>::new(m), splat_factor(m, s));
    let (dst, a) = map2::<V>(dst, a, |d, a| {
        field.multiply(a.sub(d), factor).add_if_negative(field.q)
    });
    portable::sub_from_mul_scalar_assign(m, dst, a, s);
}

#[inline(always)]
pub(in crate::kernels) fn mul_add_assign<V: Quad>(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], b: &[u64]) {
    inner_product::<V>(m, dst, &[(a, b)], true);
}

#[inline(always)]
pub(in crate::kernels) fn inner_product<V: Quad>(
    m: &Modulus<u64>,
    dst: &mut [u64],
    terms: &[Term<'_, u64>],
    accumulate: bool,
) {
    let field = Field::<V>::new(m);
    let mut keep = accumulate;
    if !keep && terms.is_empty() {
        dst.fill(0);
    }
    // `dst` carries the sum between groups.
    for group in terms.chunks(TERMS) {
        let (vectors, rest) = dst.as_chunks_mut();
        let (blocks, single) = vectors.as_chunks_mut::<VECTORS>();
        let mut start = 0;
        for block in blocks {
            inner_product_block::<V, VECTORS>(&field, block, group, start, keep);
            start += VECTORS * LANES;
        }
        for vector in single {
            inner_product_block::<V, 1>(&field, core::array::from_mut(vector), group, start, keep);
            start += LANES;
        }
        for (j, d) in rest.iter_mut().enumerate() {
            portable::inner_product_block(m, core::array::from_mut(d), group, start + j, keep);
        }
        keep = true;
    }
}

#[inline(always)]
pub(in crate::kernels) fn inner_product_2<V: Quad>(
    m: &Modulus<u64>,
    dst: [&mut [u64]; 2],
    terms: &[Term2<'_, u64>],
    start: [Start<'_, u64>; 2],
) {
    portable::inner_product_2_with(mul_scalar::<V>, inner_product::<V>, m, dst, terms, start);
}

/// The columns `start`… of [`inner_product`], as many as `dst` has, with their sums in registers.
#[inline(always)]
fn inner_product_block<V: Quad, const VECTORS: usize>(
    field: &Field<V>,
    dst: &mut [[u64; LANES]; VECTORS],
    terms: &[Term<'_, u64>],
    start: usize,
    keep: bool,
) {
    let mut high = [V::splat(0.0); VECTORS];
    let mut low = high;
    if keep {
        for (low, d) in low.iter_mut().zip(dst.iter()) {
            *low = V::load_integers(d);
        }
    }
    for (a, b) in terms {
        let columns = start..start + VECTORS * LANES;
        let (Some(a), Some(b)) = (a.get(columns.clone()), b.get(columns)) else {
            return;
        };
        let factors = a.as_chunks().0.iter().zip(b.as_chunks().0);
        for ((high, low), (a, b)) in high.iter_mut().zip(&mut low).zip(factors) {
            add_split_product(high, low, V::load_integers(a), V::load_integers(b));
        }
    }
    for ((d, &high), &low) in dst.iter_mut().zip(&high).zip(&low) {
        field.residue(field.reduce_sum(high, low)).store_integers(d);
    }
}
