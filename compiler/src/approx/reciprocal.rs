//! 1/x and 1/√x on wide intervals: a coarse polynomial made exact by iteration.
//!
//! - **Inverse** (Goldschmidt 1964): with e = 1 − x·q, 1/x = q·(1 + e)(1 + e²)(1 + e⁴)… Each factor is one level and squares the
//!   relative error.
//! - **Inverse square root** (Newton): y ← ½·y·(3 − x·y²), two levels; a relative error δ becomes ³⁄₂δ² + ½δ³. The halves are spared: with
//!   Y = α·y it reads Y·(3α² − x·Y²) = 2α³·y, and the first α is chosen so that the last is 1.
//!
//! The first polynomial has least relative error, as the error at the small end counts for the largest values.

use super::algebra::{Algebra, Cost, Rows};
use super::polynomial::{Polynomial, PolynomialBasis};
use super::relative::{Relative, inverse_error};
use super::{DEFAULT_ERROR, Elementary, FitError, Function};

/// Degrees of the first polynomial.
const DEGREES: [usize; 7] = [1, 3, 7, 15, 31, 63, 127];
/// Iterations that are tried.
const MOST_ROUNDS: u32 = 8;

/// 1/x or 1/√x on [`low`, `high`].
#[derive(Clone, Debug, PartialEq)]
pub struct Reciprocal {
    /// Whether it is 1/√x.
    pub root: bool,
    /// The first polynomial, on the interval; for a root times the first α.
    pub seed: Polynomial,
    /// Iterations.
    pub rounds: u32,
    /// Largest error, measured.
    pub error: f64,
}

impl Reciprocal {
    /// The cheapest way on `[low, high]`, which does not hold 0.
    pub fn design(root: bool, low: f64, high: f64, error: Option<f64>) -> Result<Self, FitError> {
        let sound = low < high && low.is_finite() && high.is_finite() && (low > 0.0 || (high < 0.0 && !root));
        if !sound {
            return Err(FitError::Interval);
        }
        let wanted = error.unwrap_or(DEFAULT_ERROR);
        let (near, far) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
        let ratio = far / near;
        let mut shapes: Vec<(Cost, usize, u32)> = DEGREES
            .iter()
            .flat_map(|&degree| (0..=MOST_ROUNDS).map(move |rounds| (degree, rounds)))
            .map(|(degree, rounds)| (Self::blank(root, degree, rounds).cost(), degree, rounds))
            .collect();
        shapes.sort_unstable();
        let largest = if root { 1.0 / near.sqrt() } else { 1.0 / near };
        let mut least = f64::INFINITY;
        for (_, degree, rounds) in shapes {
            // The error known beforehand spares most of the fits.
            if !root && inverse_error(ratio, degree).powi(1 << rounds) * largest > 1.5 * wanted {
                continue;
            }
            let found = Self::build(root, (low, high), degree, rounds);
            if found.error <= wanted {
                return Ok(found);
            }
            least = least.min(found.error);
        }
        Err(FitError::Error(least))
    }

    fn blank(root: bool, degree: usize, rounds: u32) -> Self {
        Self {
            root,
            seed: Polynomial {
                basis: PolynomialBasis::Chebyshev,
                coefficients: vec![1.0; degree + 1],
                low: 1.0,
                high: 2.0,
            },
            rounds,
            error: 0.0,
        }
    }

    fn build(root: bool, (low, high): (f64, f64), degree: usize, rounds: u32) -> Self {
        let (middle, radius) = (0.5 * (low + high), 0.5 * (high - low));
        let sign = if low < 0.0 { -1.0 } else { 1.0 };
        let f = |t: f64| {
            let x = (middle + radius * t).abs();
            if root { 1.0 / x.sqrt() } else { 1.0 / x }
        };
        let alpha = (0..rounds).fold(1.0, |next: f64, _| (0.5 * next).cbrt());
        let scale = if root { alpha } else { sign };
        let coefficients = Relative::fit(&f, degree).coefficients;
        let mut found = Self::blank(root, degree, rounds);
        found.seed = Polynomial {
            basis: PolynomialBasis::Chebyshev,
            coefficients: coefficients.into_iter().map(|c| c * scale).collect(),
            low,
            high,
        };
        let elementary = if root {
            Elementary::InverseSqrt
        } else {
            Elementary::Inverse
        };
        let nodes = 4096;
        let points: Vec<f64> = (0..=nodes)
            .map(|node| {
                middle + radius * libm::cos(std::f64::consts::PI * f64::from(node) / f64::from(nodes))
            })
            .collect();
        let off = |(x, y): (&f64, f64)| (y - Function::from(elementary).value(*x)).abs();
        found.error =
            points
                .iter()
                .zip(found.apply(&mut Rows, &points))
                .map(off)
                .fold(
                    0.0,
                    |largest: f64, e| if e.is_nan() { f64::INFINITY } else { largest.max(e) },
                );
        found
    }

    /// The function of x.
    pub fn apply<A: Algebra>(&self, algebra: &mut A, x: &A::Value) -> A::Value {
        if self.root {
            let mut y = algebra.polynomial(x, &self.seed, "inverse_sqrt");
            for round in (0..self.rounds).rev() {
                // α of this round: that of the seed is the last.
                let alpha = (0..=round).fold(1.0, |next: f64, _| (0.5 * next).cbrt());
                let (product, square) = (algebra.mul(x, &y), algebra.mul(&y, &y));
                let cube = algebra.mul(&product, &square);
                let thrice = algebra.scaled(&y, 3.0 * alpha * alpha);
                y = algebra.sub(&thrice, &cube);
            }
            return y;
        }
        let mut y = algebra.polynomial(x, &self.seed, "inverse");
        if self.rounds == 0 {
            return y;
        }
        // e = 1 − x·y as −e = x·y − 1, whose square is that of e.
        let product = algebra.mul(x, &y);
        let mut error = algebra.shifted(&product, -1.0);
        for round in 0..self.rounds {
            let correction = algebra.mul(&y, &error);
            if round == 0 {
                y = algebra.sub(&y, &correction);
            } else {
                y = algebra.add(&y, &correction);
            }
            if round + 1 < self.rounds {
                error = algebra.mul(&error, &error);
                algebra.within(&error, 0.0, 1.0);
            }
        }
        y
    }

    /// Levels and products.
    pub fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        self.apply(&mut cost, &0);
        cost
    }

    /// The method in words.
    pub fn describe(&self) -> String {
        let degree = self.seed.degree();
        let plural = if self.rounds == 1 { "" } else { "s" };
        match (self.rounds, self.root) {
            (0, _) => format!("a polynomial of degree {degree} of least relative error"),
            (rounds, false) => {
                format!("a polynomial of degree {degree} and {rounds} factor{plural} of Goldschmidt's")
            }
            (rounds, true) => {
                format!("a polynomial of degree {degree} and {rounds} step{plural} of Newton's")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_intervals_are_met() {
        for (root, low, high, error) in [
            (false, 0.01, 1.0, 1e-3),
            (false, 1e-4, 1.0, 1e-2),
            (false, -50.0, -0.1, 1e-4),
            (true, 1e-3, 1.0, 1e-3),
            (true, 0.5, 500.0, 1e-6),
        ] {
            let found = Reciprocal::design(root, low, high, Some(error)).unwrap();
            assert!(found.error <= error);
            for node in 0..=999 {
                let x = low + (high - low) * (f64::from(node) / 999.0).powi(3);
                let exact = if root { 1.0 / x.sqrt() } else { 1.0 / x };
                let y = found.apply(&mut Rows, &vec![x])[0];
                assert!(
                    (y - exact).abs() <= 1.01 * error,
                    "{}: 1/{x} is {y}",
                    found.describe()
                );
            }
        }
    }

    /// Each factor squares the error that the first polynomial leaves.
    #[test]
    fn goldschmidt_squares_the_error() {
        for rounds in 0..4 {
            let found = Reciprocal::build(false, (1.0, 30.0), 7, rounds);
            let wanted = inverse_error(30.0, 7).powi(1 << rounds);
            let relative = (0..=500)
                .map(|node| 1.0 + 29.0 * f64::from(node) / 500.0)
                .map(|x| (found.apply(&mut Rows, &vec![x])[0] * x - 1.0).abs())
                .fold(0.0, f64::max);
            assert!(
                (0.8..1.01).contains(&(relative / wanted)),
                "{relative} for {wanted}"
            );
        }
    }

    #[test]
    fn zero_is_refused() {
        assert_eq!(
            Reciprocal::design(false, -1.0, 1.0, None),
            Err(FitError::Interval)
        );
        assert_eq!(
            Reciprocal::design(true, -2.0, -1.0, None),
            Err(FitError::Interval)
        );
    }

    #[test]
    #[ignore = "prints a table"]
    fn table() {
        for root in [false, true] {
            for (ratio, error) in [(10.0, 1e-3), (100.0, 1e-3), (1e3, 1e-3), (1e4, 1e-3), (1e4, 1e-6)] {
                let start = std::time::Instant::now();
                match Reciprocal::design(root, 1.0 / ratio, 1.0, Some(error)) {
                    Ok(found) => println!(
                        "root {root} ratio {ratio} {error:.0e}: {:?} measured {:.1e} — {} [{:.0?}]",
                        found.cost(),
                        found.error,
                        found.describe(),
                        start.elapsed()
                    ),
                    Err(error) => println!("{root} {ratio}: {error:?}"),
                }
            }
        }
    }
}
