//! Slot values in the words that become, in place, the coefficients of a polynomial, and back.

use super::fourier::{coefficients_to_slots, rounded, slots_to_coefficients};
use super::prime::reverse;
use super::{Encoding, Factors};
use crate::CkksError;
use cipherloom_ring::Modulus;
use zeroize::Zeroize;

/// log2 of the largest slot, in units of the fixed point.
const SLOT_BITS: i32 = 29;
/// Largest log2 of a bound, and least.
const EXPONENTS: core::ops::RangeInclusive<i32> = -60..=60;
/// Bits of a double's fraction, and the exponent of 1.
const FRACTION_BITS: u32 = 52;
const BIAS: i32 = 1023;

/// N/2 real slots of a declared size, or N coefficients, in the first third of a client's memory; zeroised on drop.
///
/// Slots are held in fixed point, in units of 2^−29 of the next power of 2 above the bound.
pub struct Slots<'m> {
    pub(super) log_n: u32,
    bound: f64,
    /// The smallest e with bound ≤ 2^e.
    exponent: i32,
    /// What a decrypted word is worth.
    unit: f64,
    /// N words of values, then two limbs.
    pub(super) work: &'m mut [u32],
}

impl<'m> Slots<'m> {
    /// Words of memory: N for the slots and 2N for limbs.
    pub const fn memory_words(log_n: u32) -> usize {
        3 << log_n
    }

    /// All slots 0, and none ever above `bound` in absolute value: 2^−60 to 2^60.
    pub fn new(log_n: u32, bound: f64, memory: &'m mut [u32]) -> Result<Self, CkksError> {
        super::checked_degree(log_n)?;
        let work = crate::error::at_least("memory for slots", memory, Self::memory_words(log_n))?;
        let fraction = bound.to_bits() & ((1 << FRACTION_BITS) - 1);
        let exponent = exponent(bound) + i32::from(fraction != 0);
        if !bound.is_finite() || bound.is_sign_negative() || !EXPONENTS.contains(&exponent) {
            return Err(CkksError::TooLarge);
        }
        work.fill(0);
        Ok(Self {
            log_n,
            bound,
            exponent,
            unit: 0.0,
            work,
        })
    }

    /// N/2.
    pub fn slots(&self) -> usize {
        1 << (self.log_n - 1)
    }

    /// Sets the real part of a slot. Fails where there is no such slot, and above the bound.
    pub fn set(&mut self, slot: usize, value: f64) -> Result<(), CkksError> {
        // Doubles without a sign are ordered as integers; NaN comes last.
        let (magnitude, negative) = (value.to_bits() << 1 >> 1, value.to_bits() >> 63 == 1);
        if magnitude > self.bound.to_bits() {
            return Err(CkksError::TooLarge);
        }
        let fraction = magnitude & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
        // fraction·2^(e − 52) in units of 2^(exponent − 29): a shift to the right, as |value| ≤ 2^exponent.
        let shift = FRACTION_BITS as i32 - SLOT_BITS + self.exponent - exponent(value);
        let fixed = rounded(fraction as i64, shift.clamp(1, 63) as u32);
        let sign = -i32::from(negative);
        let (slots, at) = (self.slots(), reverse(slot as u32, self.log_n - 1));
        match self.work.get_mut(at) {
            Some(word) if slot < slots => *word = ((fixed ^ sign) - sign) as u32,
            _ => {
                return Err(CkksError::Length {
                    what: "slots",
                    expected: slots,
                    actual: slot.saturating_add(1),
                });
            }
        }
        Ok(())
    }

    /// The real part of a slot that was decrypted; 0 where there is none.
    pub fn get(&self, slot: usize) -> f64 {
        match self.work.get(reverse(slot as u32, self.log_n - 1)) {
            Some(&word) if slot < self.slots() => f64::from(word as i32) * self.unit,
            _ => 0.0,
        }
    }

    /// Slots → coefficients times the scale, rounded, as signed words.
    pub(super) fn encode(&mut self, factors: &Factors<'_>, encoding: Encoding) -> Result<(), CkksError> {
        let scale = encoding.scale;
        crate::encode::check_scale(scale)?;
        if !encoding.holds(self.bound) {
            return Err(CkksError::TooLarge);
        }
        let unit_exponent = self.exponent - SLOT_BITS;
        let (re, im) = self.halves();
        slots_to_coefficients(factors, re, im);
        // scale = mantissa·2^(e − 62).
        let mantissa =
            (scale.to_bits() & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS) << (62 - FRACTION_BITS);
        let (high, low) = ((mantissa >> 32) as i64, (mantissa & 0xffff_ffff) as i64);
        let shift = (62 - 32 - unit_exponent - exponent(scale)).clamp(1, 63) as u32;
        for x in re.iter_mut().chain(im) {
            let fixed = i64::from(*x as i32);
            *x = rounded(fixed * high + ((fixed * low) >> 32), shift) as u32;
        }
        Ok(())
    }

    /// Residues modulo one prime, in place of the coefficients, → slots.
    pub(super) fn decode(
        &mut self,
        factors: &Factors<'_>,
        modulus: &Modulus<u32>,
        scale: f64,
    ) -> Result<(), CkksError> {
        crate::encode::check_scale(scale)?;
        // As many bits as there are between the largest slot, with as much again for errors, and 2^30; may be less than 0.
        let headroom = SLOT_BITS - self.exponent - exponent(scale) - 1;
        let (up, down) = (headroom.clamp(0, 29) as u32, (-headroom).clamp(0, 29) as u32);
        self.unit = libm::scalbn(1.0 / scale, down as i32 - up as i32);
        let half = modulus.value() >> 1;
        let (re, im) = self.halves();
        for x in re.iter_mut().chain(im.iter_mut()) {
            let negative = half.wrapping_sub(*x) >> 31;
            let centred = x.wrapping_sub(modulus.value() & negative.wrapping_neg()) as i32;
            *x = (centred.wrapping_shl(up) >> down) as u32;
        }
        coefficients_to_slots(factors, re, im);
        Ok(())
    }

    /// Real and imaginary parts.
    fn halves(&mut self) -> (&mut [u32], &mut [u32]) {
        let slots = self.slots();
        let words = self.work.get_mut(..2 * slots).unwrap_or_default();
        words.split_at_mut(slots)
    }
}

impl Drop for Slots<'_> {
    fn drop(&mut self) {
        self.work.zeroize();
    }
}

/// ⌊log2 |x|⌋ of a normal number; below all others for 0.
fn exponent(x: f64) -> i32 {
    (x.to_bits() >> FRACTION_BITS & 0x7ff) as i32 - BIAS
}
