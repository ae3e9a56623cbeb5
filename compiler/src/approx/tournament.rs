//! Softmax of rows with their largest element subtracted first, as in HETAL (ICML 2023).
//!
//! The largest element comes from a tournament: each row meets itself turned by 1, 2, 4 … places, ⌈log2 c⌉ times. Only what is
//! subtracted from a *whole* row leaves softmax unchanged, so the mean of the row of winners is taken: then it does not matter that
//! they are coarse, up to some `slack`. exp(x) for x in [−width − slack, slack] is a polynomial of x/2^k squared k times (HETAL also bends
//! far negative x towards 0, at two levels for each factor of 2.6; two squares take two levels for a factor of 4), and the sum, between
//! e^−slack and c·e^slack, has a narrow inverse.
//!
//! Most levels go into the comparisons, and each takes a turn of the rows: [`super::softmax`] needs half as many and is the default.

use super::algebra::{Algebra, Cost};
use super::polynomial::{Polynomial, PolynomialBasis, to_monomial};
use super::reciprocal::Reciprocal;
use super::relative::Relative;
use super::step::{Comparison, Kind};
use super::{DEFAULT_ERROR, FitError, MAX_MONOMIAL_DEGREE};

/// Degrees of the exponential that fill their levels.
const DEGREES: [usize; 3] = [3, 7, 15];
/// How far the winners may be off, all rounds together.
const SLACKS: [f64; 4] = [0.25, 0.5, 1.0, 2.0];
/// The exponential is taken of an interval at most this long.
const WIDEST: f64 = 16.0;

/// A way to compute softmax.
#[derive(Clone, Debug, PartialEq)]
pub struct Tournament {
    /// Elements of a row.
    pub classes: u32,
    /// The ramp of a difference; none for rows of one element.
    pub ramp: Comparison,
    /// exp(x/2^k).
    pub exp: Polynomial,
    /// k.
    pub squarings: u32,
    /// The inverse of the sum.
    pub inverse: Reciprocal,
    /// Largest error of a probability, bounded.
    pub error: f64,
}

impl Tournament {
    /// The cheapest way for rows of `classes` elements in `[low, high]`.
    pub fn design(classes: u32, low: f64, high: f64, error: Option<f64>) -> Result<Self, FitError> {
        if !(low < high && low.is_finite() && high.is_finite()) {
            return Err(FitError::Interval);
        }
        let wanted = error.unwrap_or(DEFAULT_ERROR);
        let mut best: Option<(Cost, Self)> = None;
        let mut least = f64::INFINITY;
        for slack in SLACKS {
            let rounds = f64::from(rounds(classes).max(1));
            let width = high - low;
            let Ok(ramp) = Comparison::design(Kind::Ramp, width + 2.0 * slack, None, Some(slack / rounds))
            else {
                continue;
            };
            let largest = libm::exp(slack);
            let sums = (0.9 / largest, 1.1 * f64::from(classes) * largest);
            let Ok(inverse) = Reciprocal::design(false, sums.0, sums.1, Some(0.5 * wanted / largest)) else {
                continue;
            };
            let interval = (-width - slack, slack);
            for squarings in 0..24u32 {
                let scale = f64::from(1u32 << squarings);
                if (interval.1 - interval.0) / scale > WIDEST {
                    continue;
                }
                for degree in DEGREES {
                    let (exp, relative) = exponential(interval, scale, degree);
                    let delta = scale * ((1.0 + relative) / (1.0 - relative)).ln();
                    let bound = (0.25 * delta).tanh() + largest * inverse.error;
                    if relative > 0.5 || delta > 0.1 || bound > wanted {
                        least = if bound.is_finite() {
                            least.min(bound)
                        } else {
                            least
                        };
                        continue;
                    }
                    let found = Self {
                        classes,
                        ramp: ramp.clone(),
                        exp,
                        squarings,
                        inverse: inverse.clone(),
                        error: bound,
                    };
                    let cost = found.cost();
                    if best.as_ref().is_none_or(|(other, _)| cost < *other) {
                        best = Some((cost, found));
                    }
                }
                if (interval.1 - interval.0) / scale < 0.5 {
                    break;
                }
            }
        }
        best.map(|(_, found)| found).ok_or(FitError::Error(least))
    }

    /// Softmax of each row of z.
    pub fn apply<A: Algebra>(&self, algebra: &mut A, z: &A::Value) -> A::Value {
        let mut winner = z.clone();
        let mut met = 1;
        while met < self.classes {
            let by = met.min(self.classes - met);
            let other = algebra.rolled(&winner, by);
            let difference = algebra.sub(&other, &winner);
            let ramp = self.ramp.apply(algebra, &difference);
            winner = algebra.add(&winner, &ramp);
            met += by;
        }
        let total = algebra.row_sum(&winner);
        let mean = algebra.scaled(&total, 1.0 / f64::from(self.classes));
        let below = algebra.sub(z, &mean);
        let mut y = algebra.polynomial(&below, &self.exp, "exp in softmax");
        let mut top = libm::exp(self.exp.high / f64::from(1u32 << self.squarings));
        for _ in 0..self.squarings {
            y = algebra.mul(&y, &y);
            top *= top;
            algebra.within(&y, 0.0, 1.1 * top);
        }
        let sum = algebra.row_sum(&y);
        algebra.within(&sum, self.inverse.seed.low, self.inverse.seed.high);
        let inverse = self.inverse.apply(algebra, &sum);
        let p = algebra.mul(&y, &inverse);
        algebra.within(&p, -self.error, 1.0 + self.error);
        p
    }

    /// Levels and products.
    pub fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        self.apply(&mut cost, &0);
        cost
    }

    /// The method in words.
    pub fn describe(&self) -> String {
        format!(
            "a tournament of {} rounds by {}, exp of degree {} squared {} times, the inverse by {}",
            rounds(self.classes),
            self.ramp.describe(),
            self.exp.degree(),
            self.squarings,
            self.inverse.describe()
        )
    }
}

/// ⌈log2 classes⌉.
fn rounds(classes: u32) -> u32 {
    classes.next_power_of_two().trailing_zeros()
}

/// exp(x/scale) for x in the interval, and its largest relative error.
fn exponential((low, high): (f64, f64), scale: f64, degree: usize) -> (Polynomial, f64) {
    let (middle, radius) = (0.5 * (low + high) / scale, 0.5 * (high - low) / scale);
    let fit = Relative::fit(&|t| libm::exp(middle + radius * t), degree);
    let monomial = degree <= MAX_MONOMIAL_DEGREE;
    let polynomial = Polynomial {
        basis: if monomial {
            PolynomialBasis::Monomial
        } else {
            PolynomialBasis::Chebyshev
        },
        coefficients: if monomial {
            to_monomial(&fit.coefficients, low, high)
        } else {
            fit.coefficients
        },
        low,
        high,
    };
    (polynomial, fit.error)
}
