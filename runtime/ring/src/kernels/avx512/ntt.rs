//! Negacyclic transforms as in the portable backend, on numbers modulo 2^52.
//!
//! The multiply-adds read the low 52 bits of their factors. So nothing has to be masked as long as the number that is
//! meant lies in [0,2^52): what is above its 52 bits in a word is of no account. Ranges in the comments are those of the
//! numbers that are meant, in units of q; `room` is ⌊2^52/q⌋, at least 4 and from 8 on for moduli below 2^49.
//!
//! Strides of sixteen and more are vertical: two stages are one pass. The last four stages are done on two vectors at a
//! time; a perfect shuffle between stages brings the partners into corresponding lanes, and leaves the twiddles of a
//! stage in the order of the table, repeated.

mod butterfly;
mod forward;
mod inverse;
#[cfg(test)]
mod tests;

use core::arch::x86_64::*;

use super::{
    Field, LANES, RADIX_BITS, load, low_bits, multiply_high, multiply_low, prefetch_line, shoup, splat,
    store, subtract_once,
};
use crate::Modulus;
use crate::kernels::NttTable;

pub(super) use forward::{forward_block, forward_outer};
pub(super) use inverse::{inverse_block, inverse_outer};

/// log2 of the words that the last stages of a transform work on.
const LOG_TAIL: u32 = 4;

/// A root w and its Shoup quotient ⌊w·2^52/q⌋.
type Twiddle = (__m512i, __m512i);

/// Roots to the table of this backend.
pub(in crate::kernels) fn prepare_roots(m: &Modulus<u64>, roots: &mut [u64], quotients: &mut [u64]) {
    for (root, quotient) in roots.iter().zip(quotients) {
        *quotient = shoup(m, *root);
    }
}

/// How many times q fits 2^52.
fn room(m: &Modulus<u64>) -> u64 {
    (1 << RADIX_BITS) / m.value()
}

/// The twiddles of `count` neighbouring blocks from block `first` on, as scalars; `first` counts from the stage's own
/// start.
fn twiddles<'a>(
    table: &NttTable<'a, u64>,
    first: usize,
    count: usize,
) -> impl DoubleEndedIterator<Item = (u64, u64)> + ExactSizeIterator + use<'a> {
    let roots = table.roots.get(first..first + count).unwrap_or(&[]);
    let quotients = table.quotients.get(first..first + count).unwrap_or(&[]);
    roots.iter().copied().zip(quotients.iter().copied())
}

/// As [`twiddles`], `WIDTH` blocks at a time.
fn twiddle_groups<'a, const WIDTH: usize>(
    table: &NttTable<'a, u64>,
    first: usize,
    count: usize,
) -> impl DoubleEndedIterator<Item = (&'a [u64; WIDTH], &'a [u64; WIDTH])> + ExactSizeIterator + use<'a, WIDTH>
{
    let roots = table.roots.get(first..first + count).unwrap_or(&[]);
    let quotients = table.quotients.get(first..first + count).unwrap_or(&[]);
    roots.as_chunks().0.iter().zip(quotients.as_chunks().0)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn all_lanes((w, quotient): (u64, u64)) -> Twiddle {
    (splat(w), splat(quotient))
}

/// Two numbers, four times.
#[inline]
#[target_feature(enable = "avx512f")]
fn repeat_2(x: &[u64; 2]) -> __m512i {
    // SAFETY: the reference is to as many bytes as are read, and no alignment is asked for.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(x.as_ptr().cast()) })
}

/// Four numbers, twice.
#[inline]
#[target_feature(enable = "avx512f")]
fn repeat_4(x: &[u64; 4]) -> __m512i {
    // SAFETY: the reference is to as many bytes as are read, and no alignment is asked for.
    _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(x.as_ptr().cast()) })
}

/// Asks for the memory so many words away from some twiddles, into the second-level cache: past the end of the table
/// nothing happens.
#[inline]
#[target_feature(enable = "avx512f")]
fn ask_for<const WIDTH: usize>(twiddles: &[u64; WIDTH], words: isize) {
    _mm_prefetch::<_MM_HINT_T1>(twiddles.as_ptr().wrapping_offset(words).cast());
}

/// The halves of a block, by vectors.
#[inline]
fn halves(block: &mut [u64]) -> [&mut [[u64; LANES]]; 2] {
    let (low, high) = block.split_at_mut(block.len() / 2);
    [low.as_chunks_mut().0, high.as_chunks_mut().0]
}

/// The quarters of a block, by vectors.
#[inline]
fn quarters(block: &mut [u64]) -> [&mut [[u64; LANES]]; 4] {
    let (low, high) = block.split_at_mut(block.len() / 2);
    let ([a, b], [c, d]) = (halves(low), halves(high));
    [a, b, c, d]
}
