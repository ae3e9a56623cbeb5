//! Residues out of packed limbs ([`crate::pack`]).

use core::arch::x86_64::*;

use super::inner::Factor;
use super::{AHEAD, LANES, splat};
use crate::pack::unpack_words;

/// Where eight packed residues lie in the as many bytes as each has bits.
pub(super) struct Places {
    bits: u32,
    /// For each residue, the eight bytes that hold it.
    bytes: __m512i,
    /// How many bits before it these begin with, below 8; so a residue has at most 57 bits.
    shifts: __m512i,
    /// The bits of a residue.
    mask: __m512i,
}

impl Places {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
    pub(super) fn new(bits: u32) -> Self {
        debug_assert!(bits <= super::MAX_BITS);
        let b = i64::from(bits);
        let starts = _mm512_setr_epi64(0, b, 2 * b, 3 * b, 4 * b, 5 * b, 6 * b, 7 * b);
        // The number of the first byte in all eight bytes, and then 0 … 7 added.
        let first = _mm512_srli_epi64::<3>(starts);
        let first = _mm512_or_epi64(first, _mm512_slli_epi64::<8>(first));
        let first = _mm512_or_epi64(first, _mm512_slli_epi64::<16>(first));
        let first = _mm512_or_epi64(first, _mm512_slli_epi64::<32>(first));
        Self {
            bits,
            bytes: _mm512_add_epi64(first, splat(0x0706_0504_0302_0100)),
            shifts: _mm512_and_epi64(starts, splat(7)),
            mask: splat((1 << bits) - 1),
        }
    }
}

/// A packed limb from a residue on.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    words: &'a [u64],
    places: &'a Places,
    /// A multiple of 8, whose bytes begin with it.
    first: usize,
}

impl<'a> Packed<'a> {
    pub(super) fn new(words: &'a [u64], places: &'a Places, first: usize) -> Self {
        Self { words, places, first }
    }
}

impl Factor for Packed<'_> {
    #[inline(always)]
    fn vectors<const VECTORS: usize>(self, first: usize) -> Option<[__m512i; VECTORS]> {
        let bytes = self.places.bits as usize;
        let start = (self.first + first) / LANES * bytes;
        if start + VECTORS * bytes > size_of_val(self.words) {
            return None;
        }
        Some(core::array::from_fn(|vector| {
            // SAFETY: the trait asks for the processor. The mask lets through only as many bytes as were checked to be there.
            unsafe {
                let from = self.words.as_ptr().cast::<u8>().add(start + vector * bytes);
                _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(AHEAD * size_of::<u64>()).cast());
                let packed = _mm512_maskz_loadu_epi8((1 << bytes) - 1, from.cast());
                let spread = _mm512_permutexvar_epi8(self.places.bytes, packed);
                _mm512_and_epi64(_mm512_srlv_epi64(spread, self.places.shifts), self.places.mask)
            }
        }))
    }

    #[inline(always)]
    fn word(self, index: usize) -> Option<u64> {
        let mut word = [0];
        unpack_words(self.words, self.places.bits, self.first + index, &mut word);
        Some(word[0])
    }
}
