//! Fits of least *relative* error: what composite functions are made of. An error common to a whole row, or one that the
//! next stage takes away, matters by its share of the value, not by its size.

use super::polynomial::clenshaw;
use super::remez::{self, Space};

/// Chebyshev coefficients of a polynomial in t ∈ [−1, 1] and the largest |polynomial/f − 1| there.
#[derive(Clone, Debug, PartialEq)]
pub struct Relative {
    /// Σ cᵢ Tᵢ(t).
    pub coefficients: Vec<f64>,
    /// Largest relative error, measured.
    pub error: f64,
}

impl Relative {
    /// Fits a positive `f` of t ∈ [−1, 1].
    pub fn fit(f: &dyn Fn(f64) -> f64, degree: usize) -> Self {
        let coefficients = remez::weighted(f, &|t| 1.0 / f(t), &Space::full(degree));
        let nodes = 32 * (degree + 4);
        let error = (0..=nodes)
            .map(|node| {
                let t = libm::cos(std::f64::consts::PI * node as f64 / nodes as f64);
                (clenshaw(&coefficients, t) / f(t) - 1.0).abs()
            })
            .fold(0.0, f64::max);
        Self { coefficients, error }
    }

    /// Fits x ↦ `f`(x) for x between 1 and `ratio`, mapped to t ∈ [−1, 1].
    pub fn on_ratio(f: &dyn Fn(f64) -> f64, ratio: f64, degree: usize) -> Self {
        Self::fit(&|t| f(0.5 * ((ratio + 1.0) + (ratio - 1.0) * t)), degree)
    }
}

/// Least relative error of an inverse by a polynomial, on an interval whose ends have this ratio: 1 − x·q(x) is the Chebyshev
/// polynomial of one degree more that is 1 at x = 0.
pub fn inverse_error(ratio: f64, degree: usize) -> f64 {
    let at_zero = (ratio + 1.0) / (ratio - 1.0);
    1.0 / libm::cosh((degree + 1) as f64 * libm::acosh(at_zero))
}

/// Chebyshev coefficients on [−1, 1] of what is already a polynomial of that degree, by interpolation at Chebyshev nodes.
pub fn chebyshev_of(f: &dyn Fn(f64) -> f64, degree: usize) -> Vec<f64> {
    let count = degree + 1;
    let angle = |node: usize| std::f64::consts::PI * (node as f64 + 0.5) / count as f64;
    let values: Vec<f64> = (0..count).map(|node| f(libm::cos(angle(node)))).collect();
    (0..count)
        .map(|k| {
            let sum: f64 = values
                .iter()
                .enumerate()
                .map(|(node, value)| value * libm::cos(k as f64 * angle(node)))
                .sum();
            sum * if k == 0 { 1.0 } else { 2.0 } / count as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_inverse_is_known() {
        for ratio in [3.0, 10.0, 55.0] {
            for degree in [3usize, 7, 15] {
                let known = inverse_error(ratio, degree);
                let fit = Relative::on_ratio(&|x| 1.0 / x, ratio, degree);
                assert!(
                    (fit.error / known - 1.0).abs() < 1e-3,
                    "ratio {ratio}, degree {degree}: {} for {known}",
                    fit.error
                );
            }
        }
    }

    #[test]
    fn interpolation_gives_a_polynomial_back() {
        let wanted = [0.5, -1.0, 0.0, 0.25, 2.0];
        let found = chebyshev_of(&|t| clenshaw(&wanted, t), 4);
        assert!(
            found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-14),
            "{found:?}"
        );
    }
}
