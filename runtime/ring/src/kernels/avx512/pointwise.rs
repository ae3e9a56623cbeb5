//! Coefficient-wise arithmetic on one limb. What is left after the last whole vector is the portable backend's.

use core::arch::x86_64::*;

use super::{
    Field, LANES, RADIX_BITS, add_if_negative, load, low_bits, multiply_high, multiply_low, splat, store,
    subtract_once,
};
use crate::Modulus;
use crate::kernels::portable::pointwise as portable;

/// dst = f(dst) by vectors; returns what is left.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn map1(dst: &mut [u64], f: impl Fn(__m512i) -> __m512i) -> &mut [u64] {
    let (dst, rest) = dst.as_chunks_mut();
    for d in dst {
        store(d, f(load(d)));
    }
    rest
}

/// dst = f(dst, a) by vectors; returns what is left.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn map2<'a>(
    dst: &'a mut [u64],
    a: &'a [u64],
    f: impl Fn(__m512i, __m512i) -> __m512i,
) -> (&'a mut [u64], &'a [u64]) {
    debug_assert_eq!(dst.len(), a.len());
    let ((dst, rest), (a, a_rest)) = (dst.as_chunks_mut(), a.as_chunks());
    for (d, a) in dst.iter_mut().zip(a) {
        store(d, f(load(d), load(a)));
    }
    (rest, a_rest)
}

/// dst = f(dst, a, b) by vectors; returns what is left.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn map3<'a>(
    dst: &'a mut [u64],
    a: &'a [u64],
    b: &'a [u64],
    f: impl Fn(__m512i, __m512i, __m512i) -> __m512i,
) -> (&'a mut [u64], &'a [u64], &'a [u64]) {
    debug_assert!(dst.len() == a.len() && dst.len() == b.len());
    let ((dst, rest), (a, a_rest), (b, b_rest)) = (dst.as_chunks_mut(), a.as_chunks(), b.as_chunks());
    for ((d, a), b) in dst.iter_mut().zip(a).zip(b) {
        store(d, f(load(d), load(a), load(b)));
    }
    (rest, a_rest, b_rest)
}

impl Field {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn add(&self, a: __m512i, b: __m512i) -> __m512i {
        subtract_once(_mm512_add_epi64(a, b), self.q)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn sub(&self, a: __m512i, b: __m512i) -> __m512i {
        add_if_negative(_mm512_sub_epi64(a, b), self.q)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn mul(&self, a: __m512i, b: __m512i) -> __m512i {
        self.reduce(multiply_high(splat(0), a, b), multiply_low(splat(0), a, b))
    }
}

/// Copies with stores that do not read the line they write, and leave it in no cache.
#[target_feature(enable = "avx512f")]
pub(super) fn stream(dst: &mut [u64], a: &[u64]) {
    // SAFETY: eight words are as good as a vector.
    let (before, lines, _) = unsafe { dst.align_to_mut::<__m512i>() };
    let (first, count) = (before.len(), lines.len());
    for (line, words) in lines
        .iter_mut()
        .zip(a.get(first..).unwrap_or_default().as_chunks().0)
    {
        // SAFETY: the line is a vector's place, and aligned as one.
        unsafe { _mm512_stream_si512(line, load(words)) };
    }
    // What comes later in this thread, such as telling another that this is done, comes after these stores.
    _mm_sfence();
    for words in [0..first, first + count * LANES..dst.len()] {
        if let (Some(dst), Some(a)) = (dst.get_mut(words.clone()), a.get(words)) {
            dst.copy_from_slice(a);
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn add(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], b: &[u64]) {
    let field = Field::new(m);
    let (dst, a, b) = map3(dst, a, b, |_, a, b| field.add(a, b));
    portable::add(m, dst, a, b);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn add_assign(m: &Modulus<u64>, dst: &mut [u64], a: &[u64]) {
    let field = Field::new(m);
    let (dst, a) = map2(dst, a, |d, a| field.add(d, a));
    portable::add_assign(m, dst, a);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn sub(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], b: &[u64]) {
    let field = Field::new(m);
    let (dst, a, b) = map3(dst, a, b, |_, a, b| field.sub(a, b));
    portable::sub(m, dst, a, b);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn sub_assign(m: &Modulus<u64>, dst: &mut [u64], a: &[u64]) {
    let field = Field::new(m);
    let (dst, a) = map2(dst, a, |d, a| field.sub(d, a));
    portable::sub_assign(m, dst, a);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn neg(m: &Modulus<u64>, dst: &mut [u64], a: &[u64]) {
    let field = Field::new(m);
    let (dst, a) = map2(dst, a, |_, a| field.sub(splat(0), a));
    portable::neg(m, dst, a);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn neg_assign(m: &Modulus<u64>, dst: &mut [u64]) {
    let field = Field::new(m);
    let dst = map1(dst, |d| field.sub(splat(0), d));
    portable::neg_assign(m, dst);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn mul(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], b: &[u64]) {
    let field = Field::new(m);
    let (dst, a, b) = map3(dst, a, b, |_, a, b| field.mul(a, b));
    portable::mul(m, dst, a, b);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn mul_assign(m: &Modulus<u64>, dst: &mut [u64], a: &[u64]) {
    let field = Field::new(m);
    let (dst, a) = map2(dst, a, |d, a| field.mul(d, a));
    portable::mul_assign(m, dst, a);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn mul_add_assign(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], b: &[u64]) {
    let field = Field::new(m);
    let (dst, a, b) = map3(dst, a, b, |d, a, b| {
        field.reduce_sum(multiply_high(splat(0), a, b), multiply_low(d, a, b))
    });
    portable::mul_add_assign(m, dst, a, b);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn mul_scalar(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], s: u64) {
    let (field, factor) = (Field::new(m), Field::factor(m, s));
    let (dst, a) = map2(dst, a, |_, a| field.multiply(a, factor));
    portable::mul_scalar(m, dst, a, s);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn mul_scalar_assign(m: &Modulus<u64>, dst: &mut [u64], s: u64) {
    let (field, factor) = (Field::new(m), Field::factor(m, s));
    let dst = map1(dst, |d| field.multiply(d, factor));
    portable::mul_scalar_assign(m, dst, s);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn mul_scalar_add_assign(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], s: u64) {
    let (field, factor) = (Field::new(m), Field::factor(m, s));
    let (dst, a) = map2(dst, a, |d, a| field.add(d, field.multiply(a, factor)));
    portable::mul_scalar_add_assign(m, dst, a, s);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn sub_from_mul_scalar_assign(m: &Modulus<u64>, dst: &mut [u64], a: &[u64], s: u64) {
    let (field, factor) = (Field::new(m), Field::factor(m, s));
    let (dst, a) = map2(dst, a, |d, a| {
        // In (0,2q): the product takes any word below 2^52.
        let difference = _mm512_sub_epi64(_mm512_add_epi64(a, field.q), d);
        field.multiply(difference, factor)
    });
    portable::sub_from_mul_scalar_assign(m, dst, a, s);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn add_scalar_assign(m: &Modulus<u64>, dst: &mut [u64], s: u64) {
    let (field, scalar) = (Field::new(m), splat(s));
    let dst = map1(dst, |d| field.add(d, scalar));
    portable::add_scalar_assign(m, dst, s);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn reduce(m: &Modulus<u64>, dst: &mut [u64], a: &[u64]) {
    let field = Field::new(m);
    let (dst, a) = map2(dst, a, |_, a| {
        field.reduce(_mm512_srli_epi64::<RADIX_BITS>(a), low_bits(a))
    });
    portable::reduce(m, dst, a);
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn lift_signed(m: &Modulus<u64>, dst: &mut [u64], a: &[i8]) {
    debug_assert_eq!(dst.len(), a.len());
    let field = Field::new(m);
    let ((dst, rest), (a, a_rest)) = (dst.as_chunks_mut(), a.as_chunks::<LANES>());
    for (d, a) in dst.iter_mut().zip(a) {
        let bytes = _mm_cvtsi64_si128(i64::from_le_bytes(a.map(i8::cast_unsigned)));
        store(d, add_if_negative(_mm512_cvtepi8_epi64(bytes), field.q));
    }
    portable::lift_signed(m, rest, a_rest);
}
