//! Polynomials in the monomial and the Chebyshev basis.

use crate::ir::{Attributes, Builder, OpData, Opcode};

/// How coefficients are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolynomialBasis {
    /// Σ cᵢ xⁱ of the argument itself.
    Monomial,
    /// Σ cᵢ Tᵢ(t), t = (2x − low − high) / (high − low).
    Chebyshev,
}

/// A polynomial with the interval that it was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    /// Meaning of the coefficients.
    pub basis: PolynomialBasis,
    /// Coefficients, degree 0 first.
    pub coefficients: Vec<f64>,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Polynomial {
    /// The polynomial of a `tensor.polynomial` or, on the whole line, of a `tensor.poly`.
    pub fn of(op: &OpData) -> Option<Self> {
        let basis = match (op.opcode, op.text("basis")) {
            (Opcode::TensorPoly, _) | (Opcode::TensorPolynomial, Some("monomial")) => {
                PolynomialBasis::Monomial
            }
            (Opcode::TensorPolynomial, Some("chebyshev")) => PolynomialBasis::Chebyshev,
            _ => return None,
        };
        Some(Self {
            basis,
            coefficients: op.floats("coefficients").to_vec(),
            low: op.float("low").unwrap_or(f64::NEG_INFINITY),
            high: op.float("high").unwrap_or(f64::INFINITY),
        })
    }

    /// Attributes of a `tensor.polynomial`; `error` is the largest on the interval.
    pub fn attributes(&self, error: f64) -> Attributes {
        let basis = match self.basis {
            PolynomialBasis::Monomial => "monomial",
            PolynomialBasis::Chebyshev => "chebyshev",
        };
        Builder::attributes([
            ("basis", basis.into()),
            ("coefficients", self.coefficients.clone().into()),
            ("low", self.low.into()),
            ("high", self.high.into()),
            ("error", error.into()),
        ])
    }

    /// Largest index of a coefficient that is not zero.
    pub fn degree(&self) -> usize {
        self.coefficients
            .iter()
            .rposition(|&coefficient| coefficient != 0.0)
            .unwrap_or(0)
    }

    /// Levels of an evaluation by Paterson–Stockmeyer: ⌈log2(degree + 1)⌉, and one more to bring the argument of a
    /// Chebyshev series to [−1, 1].
    pub fn depth(&self) -> u32 {
        let unit = (self.low, self.high) == (-1.0, 1.0) || self.basis == PolynomialBasis::Monomial;
        depth_of_degree(self.degree()) + u32::from(!unit && self.degree() > 0)
    }

    /// Products of ciphertexts that a dense polynomial of its degree takes, by Paterson–Stockmeyer with the best number
    /// of low powers.
    pub fn products(&self) -> u32 {
        let levels = depth_of_degree(self.degree());
        (1..=levels)
            .map(|low| (1 << low) - 2 + (levels - low) + (1 << (levels - low)) - 1)
            .min()
            .unwrap_or(0)
    }

    /// Value at `x`: Horner's rule, or Clenshaw's.
    pub fn value(&self, x: f64) -> f64 {
        match self.basis {
            PolynomialBasis::Monomial => horner(&self.coefficients, x),
            PolynomialBasis::Chebyshev => clenshaw(
                &self.coefficients,
                (2.0 * x - self.low - self.high) / (self.high - self.low),
            ),
        }
    }

    /// The same function of y, where x = scale·y.
    pub fn of_scaled_argument(mut self, scale: f64) -> Self {
        if self.basis == PolynomialBasis::Monomial {
            let mut power = 1.0;
            for coefficient in &mut self.coefficients {
                *coefficient *= power;
                power *= scale;
            }
        } else if scale < 0.0 {
            // The interval turns round, and T_k(−t) = (−1)^k T_k(t).
            self.coefficients
                .iter_mut()
                .skip(1)
                .step_by(2)
                .for_each(|coefficient| *coefficient = -*coefficient);
        }
        let (a, b) = (self.low / scale, self.high / scale);
        (self.low, self.high) = (a.min(b), a.max(b));
        self
    }

    /// Interval that holds every value on `[from, to]` (a finite interval): the largest deviation at 64 Chebyshev nodes
    /// for each degree bounds the polynomial up to 1/cos(π/128) (Ehlich and Zeller, 1964).
    pub fn image(&self, from: f64, to: f64) -> (f64, f64) {
        let nodes = 64 * (self.degree() + 1);
        let (middle, radius) = (0.5 * (from + to), 0.5 * (to - from));
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for node in 0..nodes {
            let angle = std::f64::consts::PI * (node as f64 + 0.5) / nodes as f64;
            let y = self.value(middle + radius * libm::cos(angle));
            (low, high) = (low.min(y), high.max(y));
        }
        let slack = 0.5 * (high - low) * (1.0 / libm::cos(std::f64::consts::PI / 128.0) - 1.0);
        (low - slack, high + slack)
    }
}

/// ⌈log2(degree + 1)⌉.
pub fn depth_of_degree(degree: usize) -> u32 {
    (degree + 1).next_power_of_two().trailing_zeros()
}

/// Σ cᵢ xⁱ.
pub fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// Σ cᵢ Tᵢ(t).
pub fn clenshaw(coefficients: &[f64], t: f64) -> f64 {
    let (mut next, mut after) = (0.0, 0.0);
    for coefficient in coefficients.iter().skip(1).rev() {
        (next, after) = (2.0 * t * next - after + coefficient, next);
    }
    t * next - after + coefficients.first().copied().unwrap_or(0.0)
}

/// A Chebyshev series on `[low, high]` as Σ cᵢ xⁱ. Cancellation grows with the degree; meant for degrees up to 7.
pub fn to_monomial(chebyshev: &[f64], low: f64, high: f64) -> Vec<f64> {
    let count = chebyshev.len();
    // Powers of t: T_{k+1} = 2t·T_k − T_{k−1}.
    let mut in_t = vec![0.0; count];
    let mut last = vec![0.0; count];
    let mut current = vec![0.0; count];
    for (k, coefficient) in chebyshev.iter().enumerate() {
        let mut next = vec![0.0; count];
        if k == 0 {
            next[0] = 1.0;
        } else {
            let twice = if k == 1 { 1.0 } else { 2.0 };
            for power in 1..count {
                next[power] = twice * current[power - 1];
            }
            for power in 0..count {
                next[power] -= last[power];
            }
        }
        for (sum, term) in in_t.iter_mut().zip(&next) {
            *sum += coefficient * term;
        }
        last = if k == 0 { vec![0.0; count] } else { current };
        current = next;
    }
    // t = scale·x + shift, by Horner's rule on polynomials.
    let (scale, shift) = (2.0 / (high - low), -(low + high) / (high - low));
    let mut out = vec![0.0; count];
    for &coefficient in in_t.iter().rev() {
        for power in (0..count).rev() {
            let below = if power == 0 {
                coefficient
            } else {
                scale * out[power - 1]
            };
            out[power] = shift * out[power] + below;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn monomials_and_chebyshev_agree(
            coefficients in prop::collection::vec(-2.0..2.0f64, 1..8),
            low in -6.0..-0.5f64, width in 1.0..8.0f64, at in 0.0..1.0f64,
        ) {
            let high = low + width;
            let x = low + at * width;
            let series = Polynomial { basis: PolynomialBasis::Chebyshev, coefficients, low, high };
            let monomial = to_monomial(&series.coefficients, low, high);
            // The monomials of a narrow interval far from 0 cancel: terms of T_k reach (2·(|scale·x| + |shift|))^k.
            let reach = 2.0 * (2.0 * x.abs() + (low + high).abs()) / width;
            let terms = series.coefficients.iter().zip(0..);
            let largest: f64 = terms.map(|(coefficient, k)| coefficient.abs() * reach.max(2.0).powi(k)).sum();
            let difference = (series.value(x) - horner(&monomial, x)).abs();
            prop_assert!(difference <= 32.0 * f64::EPSILON * largest, "{difference:e}, terms of {largest:e}");
        }

        #[test]
        fn scaling_the_argument_keeps_the_value(
            coefficients in prop::collection::vec(-2.0..2.0f64, 1..12),
            scale in prop_oneof![-3.0..-0.2f64, 0.2..3.0f64], at in 0.0..1.0f64, chebyshev: bool,
        ) {
            let basis = if chebyshev { PolynomialBasis::Chebyshev } else { PolynomialBasis::Monomial };
            let polynomial = Polynomial { basis, coefficients, low: -1.5, high: 2.0 };
            let x = -1.5 + 3.5 * at;
            let scaled = polynomial.clone().of_scaled_argument(scale);
            prop_assert!((scaled.value(x / scale) - polynomial.value(x)).abs() < 1e-8);
        }

        #[test]
        fn images_hold_every_value(coefficients in prop::collection::vec(-2.0..2.0f64, 1..16), at in -1.0..1.0f64) {
            let series = Polynomial { basis: PolynomialBasis::Chebyshev, coefficients, low: -1.0, high: 1.0 };
            let (low, high) = series.image(-1.0, 1.0);
            prop_assert!(low - 1e-12 <= series.value(at) && series.value(at) <= high + 1e-12);
        }
    }

    #[test]
    fn depths() {
        let depths: Vec<u32> = [0, 1, 2, 3, 4, 7, 8, 15, 16]
            .into_iter()
            .map(depth_of_degree)
            .collect();
        assert_eq!(depths, [0, 1, 2, 2, 3, 3, 4, 4, 5]);
    }
}
