//! Parameters of bootstrapping.

use super::failure::log2_failure;
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
    /// Bits by which values are made smaller beside q_0 than the scale makes them: the sine follows them better, and the
    /// error of EvalMod stands out more.
    pub headroom: f64,
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
    /// EvalMod by one odd polynomial: a level less, and more precise.
    pub const SINE: Self = Self {
        to_coefficients: 3,
        to_slots: 4,
        integers: 15,
        headroom: 1.0,
        degree: 103,
        doublings: 0,
        arcsine: false,
        weight: 32,
        usable: 0,
    };
    /// EvalMod by an even polynomial and double angles: half the time.
    pub const COSINE: Self = Self {
        headroom: 0.4,
        degree: 28,
        doublings: 3,
        ..Self::SINE
    };
    /// What is used where nothing else is asked for.
    pub const STANDARD: Self = Self::COSINE;

    /// Every number of factors of the transforms with both shapes of EvalMod.
    pub fn alternatives() -> impl Iterator<Item = Self> {
        let factors =
            (2..=4).flat_map(|to_coefficients| (3..=5).map(move |to_slots| (to_coefficients, to_slots)));
        factors.flat_map(|(to_coefficients, to_slots)| {
            [Self::COSINE, Self::SINE].map(|shape| Self {
                to_coefficients,
                to_slots,
                ..shape
            })
        })
    }

    /// The polynomials of EvalMod for coefficients of at most 1 beside multiples of `amplitude`, which come out times
    /// `factor`.
    pub fn modular(&self, amplitude: f64, factor: f64) -> Modular {
        Modular::design(
            self.integers,
            amplitude,
            factor,
            self.degree,
            self.doublings,
            self.arcsine,
        )
    }

    /// Levels of EvalMod; see [`Modular::levels`].
    pub fn modular_levels(&self) -> u32 {
        (self.degree + 1).next_power_of_two().ilog2() + self.doublings + 2 * u32::from(self.arcsine)
    }

    /// log2 of a bound on the probability that a bootstrap of 2^`log_slots` slots fails because a coefficient holds a larger multiple
    /// of q_0 than EvalMod takes away.
    pub fn log2_failure(&self, log_slots: u32, complex: bool) -> f64 {
        let coefficients = 1u64 << (log_slots + u32::from(complex));
        log2_failure(
            self.weight,
            coefficients,
            &Modular::range(self.integers, self.doublings),
        )
    }

    /// Levels between the result of a bootstrap and the top of the chain.
    pub fn levels_above(&self) -> u32 {
        self.modular_levels() + self.to_slots
    }
}

/// A way to bootstrap at a ring degree, with what it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootstrapSet {
    /// What it is called.
    pub name: &'static str,
    /// log2 of the ring degree.
    pub log_n: u32,
    /// log2 of the slots of a vector.
    pub log_slots: u32,
    /// Whether slots are complex.
    pub complex: bool,
    /// log2 of the scale.
    pub log_scale: u32,
    /// How; `usable` is the number of levels left.
    pub bootstrapping: Bootstrapping,
    /// Bits of precision of values in [−1, 1], −log2 of the mean and of the largest error, that measurements reach at least:
    /// `cipherloom bench bootstrap`, 8 random vectors.
    pub precision_bits: (f64, f64),
}

const FIRST: BootstrapSet = BootstrapSet {
    name: "N16-real",
    log_n: 16,
    log_slots: 15,
    complex: false,
    log_scale: 40,
    bootstrapping: Bootstrapping {
        usable: 14,
        ..Bootstrapping::COSINE
    },
    precision_bits: (20.0, 16.0),
};

/// The sets that are measured, each leaving 14 levels of 2^40, at ring degree 2^16 (in smaller rings a secret of 32 coefficients does not hide under q_0 and
/// a special prime), all of 128 bits of security.
///
/// | set | failure | keys, expanded | verified by |
/// |---|---|---|---|
/// | N16-real | 2^−84 | 5.9 GB | `bench bootstrap`, and 200 in a row with `--rounds 200` |
/// | N16-complex | 2^−83 | 5.9 GB | `bench bootstrap` |
/// | N16-real-half | 2^−85 | 5.7 GB | `bench bootstrap` |
/// | N16-real-sine | below 2^−80 | – | `bench bootstrap` |
///
/// Precision is in each set's `precision_bits`; `bench bootstrap --search` ranks all that could be.
pub const SETS: [BootstrapSet; 4] = [
    FIRST,
    BootstrapSet {
        name: "N16-complex",
        complex: true,
        precision_bits: (20.0, 15.5),
        ..FIRST
    },
    BootstrapSet {
        name: "N16-real-half",
        log_slots: 14,
        ..FIRST
    },
    BootstrapSet {
        name: "N16-real-sine",
        bootstrapping: Bootstrapping {
            usable: 14,
            ..Bootstrapping::SINE
        },
        precision_bits: (20.5, 16.5),
        ..FIRST
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_polynomials() {
        for arcsine in [false, true] {
            for set in [Bootstrapping::SINE, Bootstrapping::COSINE] {
                let set = Bootstrapping { arcsine, ..set };
                assert_eq!(set.modular_levels(), set.modular(1024.0, 1.0).levels());
            }
        }
    }

    #[test]
    fn standard_sets_hardly_ever_fail() {
        assert!(Bootstrapping::SINE.log2_failure(15, true) < -80.0);
        assert!(Bootstrapping::COSINE.log2_failure(15, true) < -60.0);
    }
}
