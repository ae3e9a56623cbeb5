//! AVX2 with fused multiply-adds: the kernels in double precision on x86-64.

#![allow(unsafe_code)]

mod packed;

use core::arch::x86_64::*;

use super::double::{LANES, Quad, basis, ntt, pointwise};
use super::{Combination, Kernels, NttTable, Rows, Start, Term, Term2, portable};
use crate::Modulus;

/// 2^52 as bits: with an integer below 2^52 in its low bits, the double of their sum.
const MAGIC: u64 = 0x4330_0000_0000_0000;

/// A generic function as an entry of the table, compiled for these processors.
macro_rules! entry {
    ($module:ident::$name:ident($($argument:ident: $type:ty),*)) => {{
        #[target_feature(enable = "avx2,fma")]
        fn entry($($argument: $type),*) {
            $module::$name::<__m256d>($($argument),*)
        }
        // SAFETY: the table that holds this entry is handed out only where the processor has these features.
        |$($argument),*| unsafe { entry($($argument),*) }
    }};
}

type M<'a> = &'a Modulus<u64>;
type Limb<'a> = &'a [u64];
type LimbMut<'a> = &'a mut [u64];

/// The table of this backend; for moduli below 2^[`MAX_BITS`](super::double::MAX_BITS) and degrees from
/// [`MIN_VECTOR_LOG_DEGREE`](super::MIN_VECTOR_LOG_DEGREE) on.
pub(super) static KERNELS: Kernels<u64> = Kernels {
    prepare_roots: ntt::prepare_roots,
    ntt_forward_outer: entry!(ntt::forward_outer(table: &NttTable<'_, u64>, limb: LimbMut<'_>)),
    ntt_forward_block: entry!(ntt::forward_block(
        table: &NttTable<'_, u64>, index: usize, block: LimbMut<'_>, ahead: [Limb<'_>; 2]
    )),
    ntt_inverse_block: entry!(ntt::inverse_block(table: &NttTable<'_, u64>, index: usize, block: LimbMut<'_>)),
    ntt_inverse_outer: entry!(ntt::inverse_outer(table: &NttTable<'_, u64>, limb: LimbMut<'_>)),
    add: entry!(pointwise::add(m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>, b: Limb<'_>)),
    add_assign: entry!(pointwise::add_assign(m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>)),
    sub: entry!(pointwise::sub(m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>, b: Limb<'_>)),
    sub_assign: entry!(pointwise::sub_assign(m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>)),
    mul: entry!(pointwise::mul(m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>, b: Limb<'_>)),
    mul_assign: entry!(pointwise::mul_assign(m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>)),
    mul_add_assign: entry!(pointwise::mul_add_assign(m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>, b: Limb<'_>)),
    mul_scalar: entry!(pointwise::mul_scalar(m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>, s: u64)),
    mul_scalar_assign: entry!(pointwise::mul_scalar_assign(m: M<'_>, dst: LimbMut<'_>, s: u64)),
    mul_scalar_add_assign: entry!(pointwise::mul_scalar_add_assign(
        m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>, s: u64
    )),
    sub_from_mul_scalar_assign: entry!(pointwise::sub_from_mul_scalar_assign(
        m: M<'_>, dst: LimbMut<'_>, a: Limb<'_>, s: u64
    )),
    inner_product: entry!(pointwise::inner_product(
        m: M<'_>, dst: LimbMut<'_>, terms: &[Term<'_, u64>], accumulate: bool
    )),
    inner_product_2: entry!(pointwise::inner_product_2(
        m: M<'_>, dst: [LimbMut<'_>; 2], terms: &[Term2<'_, u64>], start: [Start<'_, u64>; 2]
    )),
    inner_product_2_packed: |m, first, dst, terms, start| {
        // SAFETY: the table that holds this entry is handed out only where the processor has the feature.
        let unpack =
            |packed: &[_], bits, first, dst: &mut [_]| unsafe { packed::unpack(packed, bits, first, dst) };
        portable::pointwise::inner_product_2_packed_with(
            unpack,
            KERNELS.inner_product_2,
            m,
            first,
            dst,
            terms,
            start,
        );
    },
    prefetch,
    stream: |dst, a| {
        // SAFETY: the table that holds this entry is handed out only where the processor has the feature.
        unsafe { stream(dst, a) }
    },
    combine: entry!(basis::combine(
        combinations: &mut [Combination<'_, u64>], source: &Rows<'_, u64>
    )),
    ..portable::kernels()
};

/// Asks for every cache line of a slice, into the second level.
pub(super) fn prefetch(words: &[u64]) {
    for line in words.chunks(64 / size_of::<u64>()) {
        // SAFETY: every x86-64 processor has the instruction, and it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}

/// Copies with stores that do not read the line they write, and leave it in no cache.
#[target_feature(enable = "avx2")]
fn stream(dst: &mut [u64], a: &[u64]) {
    // SAFETY: four words are as good as a vector.
    let (before, lines, _) = unsafe { dst.align_to_mut::<__m256i>() };
    let (first, count) = (before.len(), lines.len());
    for (line, words) in lines
        .iter_mut()
        .zip(a.get(first..).unwrap_or_default().as_chunks::<LANES>().0)
    {
        // SAFETY: the line is a vector's place, aligned as one, and there are as many words as are read.
        unsafe { _mm256_stream_si256(line, _mm256_loadu_si256(words.as_ptr().cast())) };
    }
    // What comes later in this thread, such as telling another that this is done, comes after these stores.
    _mm_sfence();
    let ends = [0..first, first + count * LANES..dst.len()];
    for words in ends {
        if let (Some(dst), Some(a)) = (dst.get_mut(words.clone()), a.get(words)) {
            dst.copy_from_slice(a);
        }
    }
}

/// Calls intrinsics.
///
/// SAFETY, of all blocks here: [`Quad`] is used only in entries of the table above, which have the features; memory is
/// reached through references to as many bytes as are read or written, and no alignment is asked for.
impl Quad for __m256d {
    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_set1_pd(x) }
    }

    #[inline(always)]
    fn load(x: &[u64; LANES]) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_loadu_pd(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, to: &mut [u64; LANES]) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_pd(to.as_mut_ptr().cast(), self) }
    }

    #[inline(always)]
    fn load_integers(x: &[u64; LANES]) -> Self {
        // SAFETY: see above.
        unsafe {
            let magic = _mm256_set1_epi64x(MAGIC.cast_signed());
            let bits = _mm256_or_si256(_mm256_loadu_si256(x.as_ptr().cast()), magic);
            _mm256_sub_pd(_mm256_castsi256_pd(bits), _mm256_castsi256_pd(magic))
        }
    }

    #[inline(always)]
    fn store_integers(self, to: &mut [u64; LANES]) {
        // SAFETY: see above.
        unsafe {
            let magic = _mm256_castsi256_pd(_mm256_set1_epi64x(MAGIC.cast_signed()));
            let bits = _mm256_xor_pd(_mm256_add_pd(self, magic), magic);
            _mm256_storeu_pd(to.as_mut_ptr().cast(), bits);
        }
    }

    #[inline(always)]
    fn add(self, rhs: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_add_pd(self, rhs) }
    }

    #[inline(always)]
    fn sub(self, rhs: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_sub_pd(self, rhs) }
    }

    #[inline(always)]
    fn mul(self, rhs: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_mul_pd(self, rhs) }
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_fmadd_pd(a, b, self) }
    }

    #[inline(always)]
    fn product_less(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_fmsub_pd(a, b, self) }
    }

    #[inline(always)]
    fn sub_product(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_fnmadd_pd(a, b, self) }
    }

    #[inline(always)]
    fn round(self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self) }
    }

    #[inline(always)]
    fn add_if_negative(self, bound: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_blendv_pd(self, _mm256_add_pd(self, bound), self) }
    }

    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: see above.
        unsafe {
            let (ab_even, ab_odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            let (cd_even, cd_odd) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
            [
                _mm256_permute2f128_pd::<0x20>(ab_even, cd_even),
                _mm256_permute2f128_pd::<0x20>(ab_odd, cd_odd),
                _mm256_permute2f128_pd::<0x31>(ab_even, cd_even),
                _mm256_permute2f128_pd::<0x31>(ab_odd, cd_odd),
            ]
        }
    }

    #[inline(always)]
    fn separate(x: Self, y: Self) -> [Self; 2] {
        // SAFETY: see above.
        unsafe {
            [
                _mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_unpacklo_pd(x, y)),
                _mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_unpackhi_pd(x, y)),
            ]
        }
    }
}
