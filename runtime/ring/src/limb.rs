//! Pointwise operations on one limb.
//!
//! All slices of a call have the same length, N words or a part of a limb; residues are in [0,q) in and out.
//! Lengths that differ are the caller's bug: the operation covers the shortest.

pub use crate::kernels::Start;
use crate::kernels::table;
use crate::{Modulus, Word};

/// dst = a + b.
#[inline]
pub fn add<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], b: &[W]) {
    (table::<W>(m.bits()).add)(m, dst, a, b);
}

/// dst = dst + a.
#[inline]
pub fn add_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    (table::<W>(m.bits()).add_assign)(m, dst, a);
}

/// dst = a − b.
#[inline]
pub fn sub<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], b: &[W]) {
    (table::<W>(m.bits()).sub)(m, dst, a, b);
}

/// dst = dst − a.
#[inline]
pub fn sub_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    (table::<W>(m.bits()).sub_assign)(m, dst, a);
}

/// dst = −a.
#[inline]
pub fn neg<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    (table::<W>(m.bits()).neg)(m, dst, a);
}

/// dst = −dst.
#[inline]
pub fn neg_assign<W: Word>(m: &Modulus<W>, dst: &mut [W]) {
    (table::<W>(m.bits()).neg_assign)(m, dst);
}

/// dst = a·b.
#[inline]
pub fn mul<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], b: &[W]) {
    (table::<W>(m.bits()).mul)(m, dst, a, b);
}

/// dst = dst·a.
#[inline]
pub fn mul_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    (table::<W>(m.bits()).mul_assign)(m, dst, a);
}

/// dst = dst + a·b.
#[inline]
pub fn mul_add_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], b: &[W]) {
    (table::<W>(m.bits()).mul_add_assign)(m, dst, a, b);
}

/// dst = a·s, s in [0,q).
#[inline]
pub fn mul_scalar<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], s: W) {
    (table::<W>(m.bits()).mul_scalar)(m, dst, a, s);
}

/// dst = dst·s, s in [0,q).
#[inline]
pub fn mul_scalar_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], s: W) {
    (table::<W>(m.bits()).mul_scalar_assign)(m, dst, s);
}

/// dst = dst + a·s, s in [0,q).
#[inline]
pub fn mul_scalar_add_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], s: W) {
    (table::<W>(m.bits()).mul_scalar_add_assign)(m, dst, a, s);
}

/// dst = (a − dst)·s, s in [0,q): the last step of a division.
#[inline]
pub fn sub_from_mul_scalar_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W], s: W) {
    (table::<W>(m.bits()).sub_from_mul_scalar_assign)(m, dst, a, s);
}

/// dst = dst + s in every position, s in [0,q).
#[inline]
pub fn add_scalar_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], s: W) {
    (table::<W>(m.bits()).add_scalar_assign)(m, dst, s);
}

/// dst = a mod q; `a` holds words of any size, for instance residues of another modulus.
#[inline]
pub fn reduce<W: Word>(m: &Modulus<W>, dst: &mut [W], a: &[W]) {
    (table::<W>(m.bits()).reduce)(m, dst, a);
}

/// dst = Σ aᵢ·bᵢ over the pairs (aᵢ, bᵢ) of `terms`, with one reduction for many products.
#[inline]
pub fn inner_product<W: Word>(m: &Modulus<W>, dst: &mut [W], terms: &[(&[W], &[W])]) {
    (table::<W>(m.bits()).inner_product)(m, dst, terms, false);
}

/// dst = dst + Σ aᵢ·bᵢ over the pairs (aᵢ, bᵢ) of `terms`, with one reduction for many products.
#[inline]
pub fn inner_product_add_assign<W: Word>(m: &Modulus<W>, dst: &mut [W], terms: &[(&[W], &[W])]) {
    (table::<W>(m.bits()).inner_product)(m, dst, terms, true);
}

/// dstₖ = startₖ + Σ aᵢ·bᵢₖ, k = 0, 1, over the terms (aᵢ, \[bᵢ₀, bᵢ₁\]): two inner products with one side in common,
/// which is read once. Any number of terms, with one reduction for many products.
#[inline]
pub fn inner_product_2<W: Word>(
    m: &Modulus<W>,
    dst: [&mut [W]; 2],
    terms: &[(&[W], [&[W]; 2])],
    start: [Start<'_, W>; 2],
) {
    (table::<W>(m.bits()).inner_product_2)(m, dst, terms, start);
}

/// [`inner_product_2`] with bᵢₖ the residues from number `first` on, a multiple of 8, of packed limbs
/// ([`crate::pack::pack_words`]).
#[inline]
pub fn inner_product_2_packed<W: Word>(
    m: &Modulus<W>,
    first: usize,
    dst: [&mut [W]; 2],
    terms: &[(&[W], [&[W]; 2])],
    start: [Start<'_, W>; 2],
) {
    (table::<W>(m.bits()).inner_product_2_packed)(m, first, dst, terms, start);
}

/// Asks for memory that will be read soon; no more than advice, and nothing on the portable backend.
#[inline]
pub fn prefetch<W: Word>(words: &[W]) {
    (table::<W>(0).prefetch)(words);
}

/// dst = a, written past the caches where the machine can: for what will not be read soon. Then memory is not read only to
/// be overwritten, and what the caches hold stays.
#[inline]
pub fn stream<W: Word>(dst: &mut [W], a: &[W]) {
    (table::<W>(0).stream)(dst, a);
}

/// dst = the residues of small signed numbers, |x| < q, such as secrets and errors; without a branch on them.
#[inline]
pub fn lift_signed<W: Word>(m: &Modulus<W>, dst: &mut [W], small: &[i8]) {
    (table::<W>(m.bits()).lift_signed)(m, dst, small);
}
