//! Parameters of bootstrapping.

use crate::approx::modular::Modular;

/// How a program bootstraps; the chain, the keys and the levels follow from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrapping {
    /// Products of stages that SlotsToCoeffs consists of, one level each.
    pub to_coefficients: u32,
    /// Products of stages that CoeffsToSlots consists of, one level each.
    pub to_slots: u32,
    /// K: no coefficient holds a larger multiple of q_0, but with the probability that
    /// [`failure`](super::failure) states.
    pub integers: u32,
    /// Degree of the polynomial of EvalMod.
    pub degree: u32,
    /// Double angles after it.
    pub doublings: u32,
    /// Whether the arcsine is taken of the sine.
    pub arcsine: bool,
    /// Coefficients of the ephemeral secret that are not zero.
    pub weight: u32,
    /// Levels that a bootstrap leaves at least, whether the program needs them or not.
    pub usable: u32,
}

impl Bootstrapping {
    /// The set that is used where none is asked for.
    pub const STANDARD: Self = Self {
        to_coefficients: 3,
        to_slots: 4,
        integers: 14,
        degree: 31,
        doublings: 3,
        arcsine: false,
        weight: 32,
        usable: 0,
    };

    /// The polynomials of EvalMod for coefficients of at most 1 beside multiples of `amplitude`, which come out times
    /// `factor`.
    pub fn modular(&self, amplitude: f64, factor: f64) -> Modular {
        Modular::design(self.integers, amplitude, factor, self.degree, self.doublings, self.arcsine)
    }

    /// Levels of EvalMod, which do not depend on what it is scaled by.
    pub fn modular_levels(&self) -> u32 {
        self.modular(1024.0, 1.0).levels()
    }

    /// Levels between the result of a bootstrap and the top of the chain.
    pub fn levels_above(&self) -> u32 {
        self.modular_levels() + self.to_slots
    }
}
