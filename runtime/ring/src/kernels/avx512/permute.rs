//! Automorphisms as permutations of NTT values, as in the portable backend: a block is one vector.

use core::arch::x86_64::*;

use super::{LANES, load, splat, store, subtract_once};
use crate::Modulus;
use crate::kernels::portable::permute::{for_each_block, patterns};

/// Calls `f(dst, permuted source)` for every vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn for_each(log_n: u32, element: u32, dst: &mut [u64], src: &[u64], f: impl Fn(&mut [u64; LANES], __m512i)) {
    let patterns = patterns(element).map(|pattern| load(&pattern.map(u64::from)));
    for_each_block(log_n, element, dst, src, |dst, src, pattern| {
        f(
            dst,
            _mm512_permutexvar_epi64(patterns[pattern % LANES], load(src)),
        );
    });
}

#[target_feature(enable = "avx512f")]
pub(super) fn permute(log_n: u32, element: u32, dst: &mut [u64], src: &[u64]) {
    for_each(log_n, element, dst, src, |d, s| store(d, s));
}

#[target_feature(enable = "avx512f")]
pub(super) fn permute_add_assign(m: &Modulus<u64>, log_n: u32, element: u32, dst: &mut [u64], src: &[u64]) {
    let q = splat(m.value());
    for_each(log_n, element, dst, src, |d, s| {
        store(d, subtract_once(_mm512_add_epi64(load(d), s), q));
    });
}
