//! Rejection of random numbers, eight at a time.

use core::arch::x86_64::*;

use super::{LANES, splat, store};
use crate::Modulus;
use crate::kernels::portable::sample as portable;

#[target_feature(enable = "avx512f")]
pub(super) fn keep_below(m: &Modulus<u64>, numbers: &[[u8; 8]], dst: &mut [u64]) -> usize {
    let (q, mask) = (splat(m.value()), splat(u64::MAX >> (u64::BITS - m.bits())));
    let (vectors, rest) = numbers.as_chunks::<LANES>();
    let mut kept = 0;
    for vector in vectors {
        // SAFETY: the array has as many bytes as are read, and no alignment is asked for.
        let draws = unsafe { _mm512_loadu_epi64(vector.as_ptr().cast()) };
        let draws = _mm512_and_epi64(draws, mask);
        let good = _mm512_cmplt_epu64_mask(draws, q);
        // There is room: `dst` is as long as the numbers, of which this many and those before were kept.
        let Some(words) = dst.get_mut(kept..).and_then(|rest| rest.first_chunk_mut()) else {
            return kept;
        };
        store(words, _mm512_maskz_compress_epi64(good, draws));
        kept += good.count_ones() as usize;
    }
    let rest_of_dst = dst.get_mut(kept..).unwrap_or_default();
    kept + portable::keep_below(m, rest, rest_of_dst)
}
