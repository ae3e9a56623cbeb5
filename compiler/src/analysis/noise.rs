//! Error of every ciphertext, forward through the program.
//!
//! Errors are variances of the real part of a slot, in units of the slot's value: a polynomial whose coefficients have
//! variance v at scale Δ puts N/2·v/Δ² into each slot. With secret coefficients uniform in {−1, 0, 1} and σ = 3.19:
//!
//! | source | variance of a coefficient |
//! |---|---|
//! | fresh encryption with the secret key | σ² + 1/12 (rounding of the encoding) |
//! | rescale, mod-down | (1 + 2N/3)/12, the rounding of c_0 and of c_1·s |
//! | key switch | N·σ²·Σ_d B_d²/12 / P², B_d the product of digit d |
//! | plaintext, scalar | 1/12, times the size of what it is multiplied by |
//!
//! The terms of a polynomial share the error of their argument, and mostly cancel it: p(x + e) ≈ p(x) + p'(x)·e. So what
//! a function adds by itself is followed apart, as if its argument were exact, and the argument's error is multiplied
//! by the slope at the end. Functions may hold others, and take what stands `beside` their argument as exact where its
//! error cancels later: the factors of rows in softmax. An argument that is refreshed is the argument from then on.
//!
//! What a polynomial leaves of the function that it stands for in a bootstrap is a `bias`: an error that is the same
//! whenever the value is.
//!
//! A mask leaves in the slots that it empties nothing but the rounding that follows. Copies of a masked value into its empty
//! slots (`disjoint` sums) therefore add that rounding, not the error of the value.
//!
//! Slots that hold two values as real and imaginary part have the size of both together, as each part of a product takes the errors of
//! both parts of either factor. What comes from such slots alone is a little overestimated.
//!
//! A closed loop is followed round by round ([`rounds`]), each with the errors that the one before it left in the states, and
//! with what these have in common ([`super::coherence`]). After some rounds the law by which errors grew goes on.
//!
//! A product has m_y²σ_x² + m_x²σ_y² + σ_x²σ_y². The sizes m² are mean squares over the slots that hold values: inputs are
//! taken as uniform on their declared range, terms of sums as independent, so that means add and variances add, and
//! known ranges cap the result.

mod functions;
mod rounds;
mod transfer;

use self::functions::Inside;
pub use self::rounds::outputs;
pub(super) use self::transfer::is_conjugate;
use crate::params::Chain;

/// σ of the error distribution.
const SIGMA: f64 = 3.19;

/// What the errors depend on beside the program.
#[derive(Clone, Debug)]
pub struct NoiseModel<'a> {
    /// The modulus chain.
    pub chain: &'a Chain,
    /// log2 of the product of the special primes.
    pub special_bits: f64,
    /// Limbs of a digit.
    pub digit_limbs: u32,
    /// Smallest and largest slot value of each input port.
    pub input_ranges: &'a [(f64, f64)],
}

/// What is known of a ciphertext.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Mean of the slots that hold values.
    pub mean: f64,
    /// Variance of those values.
    pub spread: f64,
    /// Variance of the error of a slot that holds a value.
    pub variance: f64,
    /// Variance of the error of a slot that a mask has made zero; that of the others where there are no such slots.
    pub empty: f64,
    /// The functions that it is inside of.
    pub(super) inside: Inside,
}

impl Estimate {
    /// Values of this mean and variance, without error.
    fn exact(mean: f64, spread: f64) -> Self {
        Self {
            mean,
            spread,
            ..Self::default()
        }
    }

    /// Mean square of the values.
    pub fn mean_square(&self) -> f64 {
        self.mean * self.mean + self.spread
    }

    /// The same, with a mean square of at most that of values uniform on [−bound, bound].
    fn capped(self, bound: f64) -> Self {
        let factor = (bound * bound / (3.0 * self.mean_square())).min(1.0);
        if factor.is_nan() {
            self
        } else {
            Self {
                mean: self.mean * factor.sqrt(),
                spread: self.spread * factor,
                ..self
            }
        }
    }

    /// Values times i: their sum with real ones is as large as both together.
    fn turned(self) -> Self {
        Self {
            mean: 0.0,
            spread: self.mean_square(),
            ..self
        }
    }

    /// Values multiplied by a number; the errors stay.
    fn sized(self, factor: f64) -> Self {
        Self {
            mean: self.mean * factor,
            spread: self.spread * factor * factor,
            ..self
        }
    }
}

impl NoiseModel<'_> {
    fn degree(&self) -> f64 {
        2f64.powi(self.chain.log_n as i32)
    }

    /// Variance of a slot from that of a coefficient.
    pub fn slot_variance(&self, coefficient: f64, scale: f64) -> f64 {
        0.5 * self.degree() * coefficient / (scale * scale)
    }

    /// Coefficient variance of a fresh encryption.
    pub fn fresh(&self) -> f64 {
        SIGMA * SIGMA + 1.0 / 12.0
    }

    /// Coefficient variance of a division with rounding: rescale or mod-down.
    pub fn rounding(&self) -> f64 {
        (1.0 + 2.0 * self.degree() / 3.0) / 12.0
    }

    /// Coefficient variance of one product with a switching key at a level, after the division by P.
    pub fn key_switch(&self, level: u32) -> f64 {
        let limbs = &self.chain.q[..=level as usize];
        let digits: f64 = limbs
            .chunks(self.digit_limbs.max(1) as usize)
            .map(|digit| {
                let bits: f64 = digit.iter().map(|&prime| (prime as f64).log2()).sum();
                2f64.powf(2.0 * (bits - self.special_bits))
            })
            .sum();
        self.degree() * SIGMA * SIGMA * digits / 12.0
    }
}

#[cfg(test)]
#[path = "noise_tests.rs"]
mod tests;
