//! NEON: the kernels in double precision on 64-bit ARM, two registers to a vector.

#![allow(unsafe_code)]

use core::arch::aarch64::*;

use super::double::{LANES, Quad, basis, ntt, pointwise};
use super::{Kernels, portable};
use crate::pack::unpack_words;

/// The table of this backend; for moduli below 2^[`MAX_BITS`](super::double::MAX_BITS) and degrees from
/// [`MIN_VECTOR_LOG_DEGREE`](super::MIN_VECTOR_LOG_DEGREE) on.
pub(super) static KERNELS: Kernels<u64> = Kernels {
    prepare_roots: ntt::prepare_roots,
    ntt_forward_outer: ntt::forward_outer::<Registers>,
    ntt_forward_block: ntt::forward_block::<Registers>,
    ntt_inverse_block: ntt::inverse_block::<Registers>,
    ntt_inverse_outer: ntt::inverse_outer::<Registers>,
    add: pointwise::add::<Registers>,
    add_assign: pointwise::add_assign::<Registers>,
    sub: pointwise::sub::<Registers>,
    sub_assign: pointwise::sub_assign::<Registers>,
    mul: pointwise::mul::<Registers>,
    mul_assign: pointwise::mul_assign::<Registers>,
    mul_add_assign: pointwise::mul_add_assign::<Registers>,
    mul_scalar: pointwise::mul_scalar::<Registers>,
    mul_scalar_assign: pointwise::mul_scalar_assign::<Registers>,
    mul_scalar_add_assign: pointwise::mul_scalar_add_assign::<Registers>,
    sub_from_mul_scalar_assign: pointwise::sub_from_mul_scalar_assign::<Registers>,
    inner_product: pointwise::inner_product::<Registers>,
    inner_product_2: pointwise::inner_product_2::<Registers>,
    inner_product_2_packed: |m, first, dst, terms, start| {
        portable::pointwise::inner_product_2_packed_with(
            unpack_words,
            KERNELS.inner_product_2,
            m,
            first,
            dst,
            terms,
            start,
        );
    },
    combine: basis::combine::<Registers>,
    ..portable::kernels()
};

/// Two registers of two doubles.
#[derive(Clone, Copy)]
struct Registers(float64x2_t, float64x2_t);

/// Calls intrinsics.
///
/// SAFETY, of all blocks here: every 64-bit ARM processor that this crate is compiled for has NEON; memory is reached
/// through references to as many bytes as are read or written.
impl Quad for Registers {
    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: see above.
        let x = unsafe { vdupq_n_f64(x) };
        Self(x, x)
    }

    #[inline(always)]
    fn load(x: &[u64; LANES]) -> Self {
        // SAFETY: see above.
        unsafe { Self(vld1q_f64(x.as_ptr().cast()), vld1q_f64(x.as_ptr().add(2).cast())) }
    }

    #[inline(always)]
    fn store(self, to: &mut [u64; LANES]) {
        // SAFETY: see above.
        unsafe {
            vst1q_f64(to.as_mut_ptr().cast(), self.0);
            vst1q_f64(to.as_mut_ptr().add(2).cast(), self.1);
        }
    }

    #[inline(always)]
    fn load_integers(x: &[u64; LANES]) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(
                vcvtq_f64_u64(vld1q_u64(x.as_ptr())),
                vcvtq_f64_u64(vld1q_u64(x.as_ptr().add(2))),
            )
        }
    }

    #[inline(always)]
    fn store_integers(self, to: &mut [u64; LANES]) {
        // SAFETY: see above.
        unsafe {
            vst1q_u64(to.as_mut_ptr(), vcvtq_u64_f64(self.0));
            vst1q_u64(to.as_mut_ptr().add(2), vcvtq_u64_f64(self.1));
        }
    }

    #[inline(always)]
    fn add(self, rhs: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vaddq_f64(self.0, rhs.0), vaddq_f64(self.1, rhs.1)) }
    }

    #[inline(always)]
    fn sub(self, rhs: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vsubq_f64(self.0, rhs.0), vsubq_f64(self.1, rhs.1)) }
    }

    #[inline(always)]
    fn mul(self, rhs: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vmulq_f64(self.0, rhs.0), vmulq_f64(self.1, rhs.1)) }
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vfmaq_f64(self.0, a.0, b.0), vfmaq_f64(self.1, a.1, b.1)) }
    }

    #[inline(always)]
    fn product_less(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vnegq_f64(self.0), vnegq_f64(self.1)) }.add_product(a, b)
    }

    #[inline(always)]
    fn sub_product(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vfmsq_f64(self.0, a.0, b.0), vfmsq_f64(self.1, a.1, b.1)) }
    }

    #[inline(always)]
    fn round(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vrndnq_f64(self.0), vrndnq_f64(self.1)) }
    }

    #[inline(always)]
    fn add_if_negative(self, bound: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(
                vbslq_f64(vcltzq_f64(self.0), vaddq_f64(self.0, bound.0), self.0),
                vbslq_f64(vcltzq_f64(self.1), vaddq_f64(self.1, bound.1), self.1),
            )
        }
    }

    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: see above.
        unsafe {
            [
                Self(vtrn1q_f64(a.0, b.0), vtrn1q_f64(c.0, d.0)),
                Self(vtrn2q_f64(a.0, b.0), vtrn2q_f64(c.0, d.0)),
                Self(vtrn1q_f64(a.1, b.1), vtrn1q_f64(c.1, d.1)),
                Self(vtrn2q_f64(a.1, b.1), vtrn2q_f64(c.1, d.1)),
            ]
        }
    }

    #[inline(always)]
    fn separate(x: Self, y: Self) -> [Self; 2] {
        // SAFETY: see above.
        unsafe {
            [
                Self(vuzp1q_f64(x.0, x.1), vuzp1q_f64(y.0, y.1)),
                Self(vuzp2q_f64(x.0, x.1), vuzp2q_f64(y.0, y.1)),
            ]
        }
    }
}
