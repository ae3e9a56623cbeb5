//! AVX-512 with 52-bit multiply-adds (IFMA) and permutations of bytes (VBMI), eight 64-bit words at a time, for moduli below
//! 2^50.
//!
//! The instructions multiply the low 52 bits of two words and add the low or the high 52 bits of the product to a third
//! word. So 52 takes the place of the word's 64 bits in every reduction, and a lazy value may grow to 2^52 > 4q.
//!
//! The vector functions carry the target features they need and call one another safely; the entries of the table are
//! the only way in.

#![allow(unsafe_code)]

mod basis;
mod inner;
mod ntt;
mod packed;
mod permute;
mod pointwise;
mod sample;

use core::arch::x86_64::*;

use super::Kernels;
use crate::Modulus;

/// Words in a vector.
const LANES: usize = 8;
/// Moduli are below 2^MAX_BITS.
pub(super) const MAX_BITS: u32 = 50;
/// Bits of a factor of the multiply-adds.
const RADIX_BITS: u32 = 52;
/// 2^52 − 1.
const LOW: u64 = (1 << RADIX_BITS) - 1;

/// A vector function as an entry of the table.
macro_rules! entry {
    ($module:ident::$name:ident($($argument:ident),* $(,)?)) => {
        // SAFETY: the table that holds this entry is handed out only where the processor has these features.
        |$($argument),*| unsafe { $module::$name($($argument),*) }
    };
}

/// The table of this backend; for moduli below 2^MAX_BITS and degrees from
/// [`MIN_VECTOR_LOG_DEGREE`](super::MIN_VECTOR_LOG_DEGREE) on.
pub(super) static KERNELS: Kernels<u64> = Kernels {
    prepare_roots: ntt::prepare_roots,
    ntt_forward_outer: entry!(ntt::forward_outer(table, limb)),
    ntt_forward_block: entry!(ntt::forward_block(table, index, block, ahead)),
    ntt_inverse_block: entry!(ntt::inverse_block(table, index, block)),
    ntt_inverse_outer: entry!(ntt::inverse_outer(table, limb)),
    add: entry!(pointwise::add(m, dst, a, b)),
    add_assign: entry!(pointwise::add_assign(m, dst, a)),
    sub: entry!(pointwise::sub(m, dst, a, b)),
    sub_assign: entry!(pointwise::sub_assign(m, dst, a)),
    neg: entry!(pointwise::neg(m, dst, a)),
    neg_assign: entry!(pointwise::neg_assign(m, dst)),
    mul: entry!(pointwise::mul(m, dst, a, b)),
    mul_assign: entry!(pointwise::mul_assign(m, dst, a)),
    mul_add_assign: entry!(pointwise::mul_add_assign(m, dst, a, b)),
    mul_scalar: entry!(pointwise::mul_scalar(m, dst, a, s)),
    mul_scalar_assign: entry!(pointwise::mul_scalar_assign(m, dst, s)),
    mul_scalar_add_assign: entry!(pointwise::mul_scalar_add_assign(m, dst, a, s)),
    sub_from_mul_scalar_assign: entry!(pointwise::sub_from_mul_scalar_assign(m, dst, a, s)),
    add_scalar_assign: entry!(pointwise::add_scalar_assign(m, dst, s)),
    inner_product: entry!(inner::inner_product(m, dst, terms, accumulate)),
    inner_product_2: entry!(inner::inner_product_2(m, dst, terms, start)),
    inner_product_2_packed: entry!(inner::inner_product_2_packed(m, first, dst, terms, start)),
    reduce: entry!(pointwise::reduce(m, dst, a)),
    lift_signed: entry!(pointwise::lift_signed(m, dst, a)),
    permute: entry!(permute::permute(log_n, element, start, dst, src)),
    permute_add_assign: entry!(permute::permute_add_assign(m, log_n, element, start, dst, src)),
    prefetch: super::avx2::prefetch,
    stream: entry!(pointwise::stream(dst, a)),
    combine: entry!(basis::combine(combinations, source)),
    count_wraps: entry!(basis::count_wraps(wraps, rows, reciprocals)),
    keep_below: entry!(sample::keep_below(m, numbers, dst)),
};

/// One modulus in all lanes.
#[derive(Clone, Copy)]
struct Field {
    q: __m512i,
    two_q: __m512i,
    /// 2^52 − q, which as a factor is −q modulo 2^52.
    minus_q: __m512i,
    /// ⌊2^52/q⌋: the Shoup quotient of 1.
    reciprocal: __m512i,
    /// 2^52 mod q, and its Shoup quotient.
    radix: __m512i,
    radix_shoup: __m512i,
}

impl Field {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new(m: &Modulus<u64>) -> Self {
        let q = m.value();
        let radix = radix(m);
        Self {
            q: splat(q),
            two_q: splat(2 * q),
            minus_q: splat((1 << RADIX_BITS) - q),
            reciprocal: splat(shoup(m, 1)),
            radix: splat(radix),
            radix_shoup: splat(shoup(m, radix)),
        }
    }

    /// x mod q in [0,2q), x < 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn reduce_lazy(&self, x: __m512i) -> __m512i {
        let quotient = multiply_high(splat(0), x, self.reciprocal);
        low_bits(multiply_low(x, quotient, self.minus_q))
    }

    /// high·2^52 + low mod q, for high and low below 2^52.
    ///
    /// Each part leaves a rest in [0,2q) (Shoup), and 4q ≤ 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn reduce(&self, high: __m512i, low: __m512i) -> __m512i {
        let quotient = multiply_high(splat(0), high, self.radix_shoup);
        let quotient = multiply_high(quotient, low, self.reciprocal);
        let rest = multiply_low(low, high, self.radix);
        let rest = low_bits(multiply_low(rest, quotient, self.minus_q));
        subtract_once(subtract_once(rest, self.two_q), self.q)
    }

    /// As [`Field::reduce`] for sums of products collected by halves, the high one below 2^52, carry of the other
    /// included.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn reduce_sum(&self, high: __m512i, low: __m512i) -> __m512i {
        let carry = _mm512_srli_epi64::<RADIX_BITS>(low);
        self.reduce(_mm512_add_epi64(high, carry), low_bits(low))
    }

    /// x·w in [0,q) for x < 2^52; (w, its Shoup quotient).
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn multiply(&self, x: __m512i, (w, w_shoup): (__m512i, __m512i)) -> __m512i {
        let quotient = multiply_high(splat(0), x, w_shoup);
        let rest = multiply_low(multiply_low(splat(0), x, w), quotient, self.minus_q);
        subtract_once(low_bits(rest), self.q)
    }

    /// A residue as the second factor of [`Field::multiply`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn factor(m: &Modulus<u64>, w: u64) -> (__m512i, __m512i) {
        (splat(w), splat(shoup(m, w)))
    }
}

/// 2^52 mod q.
fn radix(m: &Modulus<u64>) -> u64 {
    (1 << RADIX_BITS) - shoup(m, 1) * m.value()
}

/// ⌊w·2^52/q⌋ for w in [0,q).
fn shoup(m: &Modulus<u64>, w: u64) -> u64 {
    m.shoup(w) >> (u64::BITS - RADIX_BITS)
}

/// q^−1 mod 2^52 for odd q, by Newton's iteration: q is its own inverse modulo 8, and each step doubles the bits that
/// are right.
fn inverse_of_q(q: u64) -> u64 {
    (0..5).fold(q, |inverse, _| {
        inverse.wrapping_mul(2u64.wrapping_sub(q.wrapping_mul(inverse)))
    }) & LOW
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(x: u64) -> __m512i {
    _mm512_set1_epi64(x.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &[u64; LANES]) -> __m512i {
    // SAFETY: the reference is to as many bytes as are read, and no alignment is asked for.
    unsafe { _mm512_loadu_epi64(x.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(to: &mut [u64; LANES], x: __m512i) {
    // SAFETY: the reference is to as many bytes as are written, and no alignment is asked for.
    unsafe { _mm512_storeu_epi64(to.as_mut_ptr().cast(), x) }
}

/// Words ahead that memory is asked for: the hardware follows a stream only within a page.
const AHEAD: usize = 256;

/// Asks for the cache line [`AHEAD`] of this one; past the end of a slice nothing happens.
#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch_line(x: &[u64; LANES]) {
    _mm_prefetch::<_MM_HINT_T0>(x.as_ptr().wrapping_add(AHEAD).cast());
}

/// [`prefetch_line`] of some words of a slice.
#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch(x: &[u64], words: core::ops::Range<usize>) {
    for line in x.get(words).unwrap_or_default().as_chunks().0 {
        prefetch_line(line);
    }
}

/// sum + the low 52 bits of a·b.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_low(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_madd52lo_epu64(sum, a, b)
}

/// sum + ⌊a·b / 2^52⌋.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_high(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_madd52hi_epu64(sum, a, b)
}

/// x mod 2^52.
#[inline]
#[target_feature(enable = "avx512f")]
fn low_bits(x: __m512i) -> __m512i {
    _mm512_and_epi64(x, splat(LOW))
}

/// x − bound if x ≥ bound, else x.
#[inline]
#[target_feature(enable = "avx512f")]
fn subtract_once(x: __m512i, bound: __m512i) -> __m512i {
    _mm512_min_epu64(x, _mm512_sub_epi64(x, bound))
}

/// x + bound if x is negative, else x; |x| ≤ bound.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_if_negative(x: __m512i, bound: __m512i) -> __m512i {
    _mm512_min_epu64(x, _mm512_add_epi64(x, bound))
}
