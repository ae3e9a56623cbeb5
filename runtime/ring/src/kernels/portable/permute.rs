//! Automorphisms as permutations of NTT values.
//!
//! Position j holds the value at ψ^e, e = 2·bitrev(j) + 1, and the automorphism of element g sends the value at
//! exponent e·g to exponent e. The high bits of a position are the low bits of its exponent, so an aligned block of
//! positions goes to an aligned block, and inside it by one of few patterns: with j = (high, low), B = 2^b the block
//! and R = 2N/B, e = R·bitrev(low) + e₀ with e₀ = 2·bitrev(high) + 1, so
//! e·g = R·(g·bitrev(low) + ⌊e₀g/R⌋) + (e₀g mod R).

use crate::{Modulus, Word};

/// log2 of the block length.
const LOG_BLOCK: u32 = 3;
pub(in crate::kernels) const BLOCK: usize = 1 << LOG_BLOCK;

/// Entry \[c\]\[low\] for one g: the low bits of the source of `low` when ⌊e₀g/R⌋ ≡ c modulo the block length.
pub(in crate::kernels) fn patterns(element: u32) -> [[u8; BLOCK]; BLOCK] {
    let mut patterns = [[0; BLOCK]; BLOCK];
    for (carry, pattern) in (0u32..).zip(&mut patterns) {
        for (low, source) in (0u32..).zip(pattern) {
            let exponent = element.wrapping_mul(reverse(low, LOG_BLOCK)).wrapping_add(carry);
            *source = reverse(exponent % BLOCK as u32, LOG_BLOCK) as u8;
        }
    }
    patterns
}

/// The low `bits` bits of x, reversed.
#[inline(always)]
fn reverse(x: u32, bits: u32) -> u32 {
    x.reverse_bits().checked_shr(u32::BITS - bits).unwrap_or(0)
}

/// Calls `f(dst_word, src_word)` for every position of an aligned part that starts at `start`; `src` is the part that it
/// comes from.
#[inline(always)]
fn for_each<W: Word>(
    log_n: u32,
    element: u32,
    start: usize,
    dst: &mut [W],
    src: &[W],
    f: impl Fn(&mut W, W),
) {
    let patterns = patterns(element);
    let log_blocks = log_n - LOG_BLOCK;
    let log_r = log_blocks + 1;
    let (src, _) = src.as_chunks::<BLOCK>();
    let (dst, _) = dst.as_chunks_mut::<BLOCK>();
    let inside = src.len().wrapping_sub(1);
    let first_block = (start / BLOCK) as u32;
    for (high, dst) in (first_block..).zip(dst) {
        let exponent = (2 * reverse(high, log_blocks) + 1).wrapping_mul(element);
        let from = reverse((exponent & ((1 << log_r) - 1)) >> 1, log_blocks);
        let (Some(src), Some(pattern)) = (
            src.get(from as usize & inside),
            patterns.get((exponent >> log_r) as usize % BLOCK),
        ) else {
            return;
        };
        for (d, &low) in dst.iter_mut().zip(pattern) {
            f(d, src[usize::from(low) % BLOCK]);
        }
    }
}

pub(in crate::kernels) fn permute<W: Word>(log_n: u32, element: u32, start: usize, dst: &mut [W], src: &[W]) {
    for_each(log_n, element, start, dst, src, |d, s| *d = s);
}

pub(in crate::kernels) fn permute_add_assign<W: Word>(
    m: &Modulus<W>,
    log_n: u32,
    element: u32,
    start: usize,
    dst: &mut [W],
    src: &[W],
) {
    for_each(log_n, element, start, dst, src, |d, s| *d = m.add(*d, s));
}
