//! Diagonals of the special FFT, computed from a description of a few bytes: what the linear maps of a bootstrap are made of.
//!
//! Decoding maps w (w_j = c_j + i·c_{j+n}, for the coefficients c of a polynomial in X^{N/2n}) to the n slots: bit reversal,
//! then the stages k = 1 … log2 n. With half = 2^(k−1), stage k is
//!
//! - out\[p] = in\[p] + ω_k(p)·in\[p + half] where bit k−1 of p is 0,
//! - out\[p] = in\[p − half] − ω_k(p − half)·in\[p] where it is 1,
//!
//! ω_k(p) = exp(2πi·5^(p mod half) / 2^(k+2)). The stages first+1 … last together make a matrix M, whose entry at row r and
//! column c is not zero only if r and c agree outside the bits first … last−1; it is then the product, over those k with bit
//! k−1 of c set, of exp(2πi·5^(r mod 2^(k−1)) / 2^(k+2)), negated where bit k−1 of r is set. A stage is √2 times a unitary
//! matrix, so the inverse of M has the entries 2^−(last−first)·conj(M(c, r)).

use core::f64::consts::{FRAC_PI_4, TAU};

/// A vector of n complex numbers: a diagonal of a product of stages (or of its inverse), times a factor, turned right.
/// Slot r holds factor · M(r', (r' + diagonal) mod n) with r' = (r − shift) mod n.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fourier {
    /// log2 of n, the length; the slots repeat it N/2/n times.
    pub log_slots: u8,
    /// How many stages come before those of the product.
    pub first: u8,
    /// The last stage of the product, `first` < `last` ≤ `log_slots`.
    pub last: u8,
    /// Whether it is the inverse product.
    pub inverse: bool,
    /// Which diagonal: column − row, a multiple of 2^`first`, between −2^`last` and 2^`last` (exclusive).
    pub diagonal: i32,
    /// By how many slots it is turned right, −n < `shift` < n: for a diagonal that is used before a rotation.
    pub shift: i32,
    /// What every entry is multiplied by, not 0.
    pub factor: f64,
}

impl Fourier {
    /// The numbers repeat after so many slots, a power of two: the butterflies of the last stage span as many.
    pub const fn period(&self) -> u32 {
        1 << if self.last > MAX_LOG_SLOTS {
            MAX_LOG_SLOTS
        } else {
            self.last
        }
    }
}

/// The largest log2 of n: rings have at most 2^17 coefficients.
const MAX_LOG_SLOTS: u8 = 16;

/// The number in slot `slot` (below n): real and imaginary part, correct to a few units in the last place; 0 for a description
/// that breaks the rules of [`Fourier`]'s fields.
pub fn entry(fourier: &Fourier, slot: u32) -> (f64, f64) {
    let Fourier {
        log_slots,
        first,
        last,
        ..
    } = *fourier;
    if first >= last || last > log_slots || log_slots > MAX_LOG_SLOTS {
        return (0.0, 0.0);
    }
    let mask = (1_u32 << log_slots) - 1;
    let row = slot.wrapping_sub(fourier.shift.cast_unsigned()) & mask;
    let column = row.wrapping_add(fourier.diagonal.cast_unsigned()) & mask;
    let (row, column) = if fourier.inverse {
        (column, row)
    } else {
        (row, column)
    };
    let within = (1_u32 << last) - (1_u32 << first);
    if (row ^ column) & !within != 0 {
        return (0.0, 0.0);
    }
    // The angle in units of 2π / 2^(last+2), summed exactly. 5^(r mod 2^(k−1)) grows by one factor from stage to stage.
    let (mut angle, mut power, mut square) = (0_u32, 1_u32, 5_u32);
    for stage in 1..=last {
        let bit = 1 << (stage - 1);
        if stage > first && column & bit != 0 {
            angle = angle.wrapping_add(power << (last - stage));
            if row & bit != 0 {
                angle = angle.wrapping_add(2 << last);
            }
        }
        if row & bit != 0 {
            power = power.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
    }
    let bits = u32::from(last) + 2;
    let (re, im) = unit_root(angle & ((1 << bits) - 1), bits);
    if fourier.inverse {
        let factor = fourier.factor / f64::from(1_u32 << (last - first));
        (factor * re, -factor * im)
    } else {
        (fourier.factor * re, fourier.factor * im)
    }
}

/// cos and sin of 2π·numerator / 2^bits, bits ≥ 3. The angle is brought into [0, π/4] in exact arithmetic first.
fn unit_root(numerator: u32, bits: u32) -> (f64, f64) {
    let eighth = 1_u32 << (bits - 3);
    let (octant, rest) = (numerator / eighth, numerator % eighth);
    let rest = if octant % 2 == 1 { eighth - rest } else { rest };
    let angle = if rest == eighth {
        FRAC_PI_4
    } else {
        TAU * (f64::from(rest) / (8.0 * f64::from(eighth)))
    };
    let (sin, cos) = libm::sincos(angle);
    match octant {
        0 => (cos, sin),
        1 => (sin, cos),
        2 => (-sin, cos),
        3 => (-cos, sin),
        4 => (-cos, -sin),
        5 => (-sin, -cos),
        6 => (sin, -cos),
        _ => (cos, -sin),
    }
}
