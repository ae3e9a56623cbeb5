//! Slot values in the memory of 2N words that becomes, in place, a rounded polynomial, and back.
//!
//! The same arithmetic in the same order as [`crate::Encoder`]'s, so the same coefficients bit for bit. A double is held
//! as its two halves, as the memory serves as residues afterwards.

use super::Factors;
use super::prime::reverse;
use crate::CkksError;
use crate::encode::{power_of_5, unit_root};
use cipherloom_ring::Modulus;
use zeroize::Zeroize;

/// Rounded coefficients stay below this, so that the error still fits a signed word.
const COEFFICIENT_BOUND: f64 = ((1u32 << 31) - 64) as f64;

/// N/2 slots, or N coefficients, in the first 2N words of a client's memory; zeroised on drop.
pub struct Slots<'m> {
    pub(super) log_n: u32,
    /// Doubles: N/2 real parts, then N/2 imaginary parts. Coefficients: N words, then a limb of N words.
    pub(super) work: &'m mut [u32],
}

impl<'m> Slots<'m> {
    /// Words of memory: 2N for the slots and N for a limb.
    pub const fn memory_words(log_n: u32) -> usize {
        3 << log_n
    }

    /// All slots 0.
    pub fn new(log_n: u32, memory: &'m mut [u32]) -> Result<Self, CkksError> {
        let work = crate::error::at_least("memory for slots", memory, Self::memory_words(log_n))?;
        work.fill(0);
        Ok(Self { log_n, work })
    }

    /// N/2.
    pub fn slots(&self) -> usize {
        1 << (self.log_n - 1)
    }

    /// Sets the real part of a slot; a slot that does not exist is ignored.
    pub fn set(&mut self, slot: usize, value: f64) {
        let log_slots = self.log_n - 1;
        if slot < self.slots() {
            let (doubles, _) = self.work.as_chunks_mut();
            if let Some(double) = doubles.get_mut(reverse(slot as u32, log_slots)) {
                store(double, value);
            }
        }
    }

    /// The real part of a slot that was decrypted; 0 where there is none.
    pub fn get(&self, slot: usize) -> f64 {
        let (doubles, _) = self.work.as_chunks();
        match doubles.get(reverse(slot as u32, self.log_n - 1)) {
            Some(double) if slot < self.slots() => load(double),
            _ => 0.0,
        }
    }

    /// Slots → coefficients times the scale, rounded, as signed words in the first N.
    pub(super) fn round(&mut self, factors: &Factors<'_>, scale: f64) -> Result<(), CkksError> {
        crate::encode::check_scale(scale)?;
        let (n, slots) = (1usize << self.log_n, self.slots());
        let (doubles, _) = self.work.as_chunks_mut::<2>();
        let (re, im) = doubles.split_at_mut(slots);
        let im = im.get_mut(..slots).unwrap_or_default();
        if !re.iter().all(|double| load(double).is_finite()) {
            return Err(CkksError::NotFinite);
        }
        for depth in (0..slots.ilog2()).rev() {
            // At the leaves there are no imaginary parts yet: their products would be zeros.
            let first = 1 << depth == slots / 2;
            for_each_node(factors, depth, re, im, |u_re, u_im, low, high| {
                let (low_re, high_re) = (load(low.0), load(high.0));
                let d_re = low_re - high_re;
                store(low.0, low_re + high_re);
                if first {
                    store(high.0, d_re * u_re);
                    store(high.1, -(d_re * u_im));
                } else {
                    let (low_im, high_im) = (load(low.1), load(high.1));
                    let d_im = low_im - high_im;
                    store(low.1, low_im + high_im);
                    store(high.0, d_re * u_re + d_im * u_im);
                    store(high.1, d_im * u_re - d_re * u_im);
                }
            });
        }
        let factor = scale / slots as f64;
        for k in 0..n {
            let (doubles, _) = self.work.as_chunks::<2>();
            let rounded = libm::rint(doubles.get(k).map_or(0.0, load) * factor);
            if !rounded.is_finite() || libm::fabs(rounded) >= COEFFICIENT_BOUND {
                return Err(CkksError::TooLarge);
            }
            // Word k has been read already: it is half of double ⌊k/2⌋ ≤ k.
            if let Some(word) = self.work.get_mut(k) {
                *word = rounded as i32 as u32;
            }
        }
        Ok(())
    }

    /// Residues of one limb, in the second N words, → slots.
    pub(super) fn read(&mut self, factors: &Factors<'_>, modulus: &Modulus<u32>, scale: f64) -> Result<(), CkksError> {
        crate::encode::check_scale(scale)?;
        let (n, slots) = (1usize << self.log_n, self.slots());
        let half = modulus.value() >> 1;
        // Upwards, double k overwrites words 2k and 2k + 1; residue k stands at 2N + k, which is read before.
        for k in 0..n {
            let residue = self.work.get(2 * n + k).copied().unwrap_or(0);
            let negative = half.wrapping_sub(residue) >> 31;
            let centred = residue as i32 - (modulus.value() & negative.wrapping_neg()) as i32;
            let (doubles, _) = self.work.as_chunks_mut::<2>();
            if let Some(double) = doubles.get_mut(k) {
                store(double, f64::from(centred) / scale);
            }
        }
        let (doubles, _) = self.work.as_chunks_mut::<2>();
        let (re, im) = doubles.split_at_mut(slots);
        let im = im.get_mut(..slots).unwrap_or_default();
        for depth in 0..slots.ilog2() {
            for_each_node(factors, depth, re, im, |u_re, u_im, low, high| {
                let (high_re, high_im) = (load(high.0), load(high.1));
                let t_re = high_re * u_re - high_im * u_im;
                let t_im = high_re * u_im + high_im * u_re;
                let (low_re, low_im) = (load(low.0), load(low.1));
                store(high.0, low_re - t_re);
                store(high.1, low_im - t_im);
                store(low.0, low_re + t_re);
                store(low.1, low_im + t_im);
            });
        }
        Ok(())
    }
}

impl Drop for Slots<'_> {
    fn drop(&mut self) {
        self.work.zeroize();
    }
}

type Double = [u32; 2];

#[inline(always)]
fn load(double: &Double) -> f64 {
    f64::from_bits(u64::from(double[0]) | u64::from(double[1]) << 32)
}

#[inline(always)]
fn store(double: &mut Double, value: f64) {
    let bits = value.to_bits();
    *double = [bits as u32, (bits >> 32) as u32];
}

/// Visits the butterflies (u, low, high) of all nodes at one depth of the splitting tree, as [`crate::Encoder`] does.
#[inline(always)]
fn for_each_node(
    factors: &Factors<'_>,
    depth: u32,
    re: &mut [Double],
    im: &mut [Double],
    butterfly: impl Fn(f64, f64, (&mut Double, &mut Double), (&mut Double, &mut Double)),
) {
    let size = re.len() >> depth;
    let mut previous = (1.0, 0.0);
    for (place, (re, im)) in re.chunks_exact_mut(size).zip(im.chunks_exact_mut(size)).enumerate() {
        let (u_re, u_im) = match factors {
            Factors::Stored(table) => {
                let (cos, sin) = table.split_at(table.len() / 2);
                let node = (1 << depth) + place;
                (cos.get(node).copied().unwrap_or(0.0), sin.get(node).copied().unwrap_or(0.0))
            }
            // 5^(2^(depth−1)) is 1 + 2^(depth+1), plus 2^(depth+2) from depth 2 on, modulo 2^(depth+3): an odd node is its
            // left neighbour turned by a quarter, to the left at depth 1 and to the right below.
            Factors::Computed if place % 2 == 1 && depth == 1 => (-previous.1, previous.0),
            Factors::Computed if place % 2 == 1 => (previous.1, -previous.0),
            Factors::Computed => unit_root(power_of_5(reverse(place as u32, depth) as u64, depth + 3), depth + 3),
        };
        previous = (u_re, u_im);
        let (low_re, high_re) = re.split_at_mut(size / 2);
        let (low_im, high_im) = im.split_at_mut(size / 2);
        let low = low_re.iter_mut().zip(low_im);
        for (low, high) in low.zip(high_re.iter_mut().zip(high_im)) {
            butterfly(u_re, u_im, low, high);
        }
    }
}
