//! Residues out of packed limbs ([`crate::pack`]).

use core::arch::x86_64::*;

use crate::pack::unpack_words;

/// Residues that begin with a byte and end with one, whatever their bits.
const GROUP: usize = 8;

/// As [`unpack_words`], for residues of at most 50 bits from a multiple of [`GROUP`] on.
#[target_feature(enable = "avx2")]
pub(super) fn unpack(packed: &[u64], bits: u32, first: usize, dst: &mut [u64]) {
    let bytes = bits as usize;
    // Two residues at a time lie in 16 bytes from this one on; of them each takes eight bytes, less than a byte too early.
    let start = |pair: usize| 2 * pair * bytes / 8;
    let places = |half: usize| {
        let pair = |pair: usize| {
            let bit = 2 * pair * bytes % 8;
            let second = bit + bytes;
            (second / 8, [bit as i64, (second % 8) as i64])
        };
        let (low, high) = (pair(2 * half), pair(2 * half + 1));
        let eight = |from: usize| (0x0706_0504_0302_0100 + 0x0101_0101_0101_0101 * from as u64).cast_signed();
        (
            _mm256_setr_epi64x(eight(0), eight(low.0), eight(0), eight(high.0)),
            _mm256_setr_epi64x(low.1[0], low.1[1], high.1[0], high.1[1]),
        )
    };
    let places = [places(0), places(1)];
    let mask = _mm256_set1_epi64x((1 << bits) - 1);
    let mut done = 0;
    for (index, group) in dst.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let base = (first / GROUP + index) * bytes;
        if base + start(3) + size_of::<__m128i>() > size_of_val(packed) {
            break;
        }
        for (half, &(bytes, shifts)) in places.iter().enumerate() {
            // SAFETY: 16 bytes from the beginning of the last pair on are there, so they are from the others, and half of a group
            // is as long as a vector.
            unsafe {
                let pair = |pair| packed.as_ptr().cast::<u8>().add(base + start(pair)).cast();
                let pairs = _mm256_loadu2_m128i(pair(2 * half + 1), pair(2 * half));
                let spread = _mm256_srlv_epi64(_mm256_shuffle_epi8(pairs, bytes), shifts);
                let to = group.as_mut_ptr().add(half * GROUP / 2);
                _mm256_storeu_si256(to.cast(), _mm256_and_si256(spread, mask));
            }
        }
        done += GROUP;
    }
    unpack_words(packed, bits, first + done, &mut dst[done..]);
}
