//! The automorphisms X → X^g of the ring, g odd modulo 2N.
//!
//! Slot j of a CKKS message is its value at ζ^(5^j), so g = 5^r moves slot j + r to slot j, and g = 2N − 1 conjugates.

use crate::kernels::table;
use crate::{Modulus, Word};

/// 5^rotation mod 2N: slot j of the result is slot j + rotation of the input (left rotation for rotation > 0).
/// Rotations are taken modulo N/2, the number of slots. 2 ≤ `log_n` < 31.
pub fn galois_element(log_n: u32, rotation: i64) -> u32 {
    let slots = 1i64 << (log_n - 1);
    power_mod_2n(log_n, 5, rotation.rem_euclid(slots) as u32)
}

/// 2N − 1, the element of complex conjugation.
pub fn conjugation_element(log_n: u32) -> u32 {
    (2u32 << log_n) - 1
}

/// The element g' with g·g' ≡ 1 (mod 2N); `element` is odd.
pub fn inverse_element(log_n: u32, element: u32) -> u32 {
    // The exponent of the group of odd residues modulo 2N divides N/2.
    power_mod_2n(log_n, element, (1u32 << (log_n - 1)) - 1)
}

fn power_mod_2n(log_n: u32, base: u32, mut exponent: u32) -> u32 {
    let (mut power, mut square) = (1u32, base);
    while exponent != 0 {
        if exponent & 1 == 1 {
            power = power.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        exponent >>= 1;
    }
    power & conjugation_element(log_n)
}

/// dst(X) = src(X^element) for one limb of N ≥ 8 words in NTT order: a permutation, the same for every prime.
pub fn apply_ntt<W: Word>(log_n: u32, element: u32, dst: &mut [W], src: &[W]) {
    debug_assert!(dst.len() == 1 << log_n && src.len() == 1 << log_n && element % 2 == 1);
    // A permutation serves words of any size.
    (table::<W>(0).permute)(log_n, element, 0, dst, src);
}

/// Where the part of a limb comes from that has `len` words and starts at `start`; `len` is a power of two, at least 8
/// and at most N, and divides `start`. Such a part comes from one such part: that is what makes it possible to permute a
/// limb part by part while a part is in a cache.
pub fn part_source(log_n: u32, element: u32, start: usize, len: usize) -> usize {
    debug_assert!(len.is_power_of_two() && len >= 8 && start.is_multiple_of(len));
    // The number of the part, backwards, is the low bits of the exponents 2·bitrev(j) + 1 of its positions j.
    let bits = log_n - len.trailing_zeros();
    let reverse = |x: u32| x.reverse_bits().checked_shr(u32::BITS - bits).unwrap_or(0);
    let exponent = (2 * reverse((start / len) as u32) + 1).wrapping_mul(element);
    reverse(exponent >> 1 & ((1 << bits) - 1)) as usize * len
}

/// The part of [`apply_ntt`] that starts at `start`, from `src`, the part that [`part_source`] names.
pub fn apply_ntt_part<W: Word>(log_n: u32, element: u32, start: usize, dst: &mut [W], src: &[W]) {
    debug_assert!(dst.len() == src.len() && dst.len().is_power_of_two() && dst.len() >= 8);
    (table::<W>(0).permute)(log_n, element, start, dst, src);
}

/// dst(X) = dst(X) + src(X^element) for one limb of N ≥ 8 words in NTT order.
pub fn apply_ntt_add_assign<W: Word>(m: &Modulus<W>, log_n: u32, element: u32, dst: &mut [W], src: &[W]) {
    debug_assert!(dst.len() == 1 << log_n && src.len() == 1 << log_n && element % 2 == 1);
    (table::<W>(m.bits()).permute_add_assign)(m, log_n, element, 0, dst, src);
}

/// dst(X) = src(X^element) for one limb of N coefficients, N a power of two: a permutation with signs.
pub fn apply_coefficients<W: Word>(m: &Modulus<W>, element: u32, dst: &mut [W], src: &[W]) {
    let n = src.len();
    debug_assert!(dst.len() == n && n.is_power_of_two() && element % 2 == 1);
    for (i, &coefficient) in src.iter().enumerate() {
        // X^N = −1: the exponent counts modulo 2N, and its top bit is the sign.
        let exponent = i.wrapping_mul(element as usize);
        if let Some(d) = dst.get_mut(exponent & (n - 1)) {
            *d = m.negate_if(exponent & n != 0, coefficient);
        }
    }
}
