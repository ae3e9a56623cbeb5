//! Automorphisms as permutations of NTT values, as in the portable backend: a block is one vector, and the sources of
//! sixteen blocks are computed at once.

use core::arch::x86_64::*;

use super::{LANES, load, splat, store, subtract_once};
use crate::Modulus;
use crate::kernels::portable::permute as portable;

/// Blocks whose sources are computed at once.
const GROUP: usize = 16;
/// A part of a limb of this length is whole groups.
const MIN_PART: usize = GROUP * LANES;

/// Calls `f(dst, permuted source)` for every vector of a part that starts at `start` and has at least MIN_PART words.
#[inline]
#[target_feature(enable = "avx512f")]
fn for_each(
    log_n: u32,
    element: u32,
    start: usize,
    dst: &mut [u64],
    src: &[u64],
    f: impl Fn(&mut [u64; LANES], __m512i),
) {
    let patterns = portable::patterns(element).map(|pattern| pattern.map(u64::from));
    let log_blocks = log_n - LANES.trailing_zeros();
    let log_r = log_blocks + 1;
    let reverse = |x: u32| x.reverse_bits() >> (u32::BITS - log_blocks);
    // (2·bitrev(high) + 1)·element is this much more for each block than for the first of its group.
    let steps: [u32; GROUP] = core::array::from_fn(|low| (2 * reverse(low as u32)).wrapping_mul(element));
    // SAFETY: the array has as many bytes as are read, and no alignment is asked for.
    let steps = unsafe { _mm512_loadu_epi32(steps.as_ptr().cast()) };
    let low_bits = _mm512_set1_epi32((1i32 << log_r) - 1);
    let place = _mm_cvtsi64_si128(i64::from(u32::BITS - log_blocks));
    let carry_place = _mm_cvtsi64_si128(i64::from(log_r));

    let (src, _) = src.as_chunks();
    let (dst, _) = dst.as_chunks_mut();
    let inside = src.len() - 1;
    let first_block = (start / LANES) as u32;
    for (high, dst) in (first_block..).step_by(GROUP).zip(dst.chunks_exact_mut(GROUP)) {
        let first = (2 * reverse(high) + 1).wrapping_mul(element);
        let exponents = _mm512_add_epi32(_mm512_set1_epi32(first.cast_signed()), steps);
        let halves = _mm512_srli_epi32::<1>(_mm512_and_epi32(exponents, low_bits));
        let sources = _mm512_srl_epi32(reverse_words(halves), place);
        let carries = _mm512_srl_epi32(exponents, carry_place);
        let (sources, carries) = (words(sources), words(carries));
        for ((dst, source), carry) in dst.iter_mut().zip(sources).zip(carries) {
            let Some(src) = src.get(source as usize & inside) else {
                return;
            };
            let pattern = load(&patterns[carry as usize % LANES]);
            f(dst, _mm512_permutexvar_epi64(pattern, load(src)));
        }
    }
}

/// The bits of every 32-bit lane backwards.
#[inline]
#[target_feature(enable = "avx512f")]
fn reverse_words(x: __m512i) -> __m512i {
    /// Bits from the first where the mask is set, else from the second.
    const CHOOSE: i32 = 0xca;
    let mask = |mask: u32| _mm512_set1_epi32(mask.cast_signed());
    let x = _mm512_ternarylogic_epi32::<CHOOSE>(
        mask(0x5555_5555),
        _mm512_srli_epi32::<1>(x),
        _mm512_slli_epi32::<1>(x),
    );
    let x = _mm512_ternarylogic_epi32::<CHOOSE>(
        mask(0x3333_3333),
        _mm512_srli_epi32::<2>(x),
        _mm512_slli_epi32::<2>(x),
    );
    let x = _mm512_ternarylogic_epi32::<CHOOSE>(
        mask(0x0f0f_0f0f),
        _mm512_srli_epi32::<4>(x),
        _mm512_slli_epi32::<4>(x),
    );
    // Bytes: a rotation by 8 brings two of the four into place, one by 24 the others.
    _mm512_ternarylogic_epi32::<CHOOSE>(
        mask(0x00ff_00ff),
        _mm512_rol_epi32::<8>(x),
        _mm512_rol_epi32::<24>(x),
    )
}

/// The sixteen lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn words(x: __m512i) -> [u32; GROUP] {
    let mut words = [0; GROUP];
    // SAFETY: the array has as many bytes as are written, and no alignment is asked for.
    unsafe { _mm512_storeu_epi32(words.as_mut_ptr().cast(), x) };
    words
}

#[target_feature(enable = "avx512f")]
pub(super) fn permute(log_n: u32, element: u32, start: usize, dst: &mut [u64], src: &[u64]) {
    if dst.len() < MIN_PART {
        return portable::permute(log_n, element, start, dst, src);
    }
    for_each(log_n, element, start, dst, src, |d, s| store(d, s));
}

#[target_feature(enable = "avx512f")]
pub(super) fn permute_add_assign(
    m: &Modulus<u64>,
    log_n: u32,
    element: u32,
    start: usize,
    dst: &mut [u64],
    src: &[u64],
) {
    if dst.len() < MIN_PART {
        return portable::permute_add_assign(m, log_n, element, start, dst, src);
    }
    let q = splat(m.value());
    for_each(log_n, element, start, dst, src, |d, s| {
        store(d, subtract_once(_mm512_add_epi64(load(d), s), q));
    });
}
