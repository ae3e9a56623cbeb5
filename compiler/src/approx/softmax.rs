//! Softmax of rows by normalising and squaring (after Cho and others, CCS 2024), rearranged to take fewer levels.
//!
//! y₀ = exp(z/2^k) with |z|/2^k small, so that one polynomial does. Then softmax(z) = (y₀/Σy₀)^(2^k), normalised after each square so
//! that sums keep away from zero. What multiplies a whole row cancels in the next normalisation: the factors r ≈ 1/s² in between may
//! be coarse, and only the last inverse has to be exact. Two things save levels:
//!
//! - y ← y²·r(s) instead of a product for the normalisation and another one for the square;
//! - each row is scaled so that the sums lie in an interval of length 2: a shift alone brings them to [−1, 1].
//!
//! Where the sum of the new y would take a level, because a mask must come before or after it, the layout takes (Σy²)·r(s) for it: the
//! sum of the squares, and its mask, are ready while r(s) is computed.
//!
//! A step then takes 1 + log2(degree of r + 1) levels, four for ten classes. After the first step s ∈ [1/c, 1] up to a factor,
//! because Σy² lies between (Σy)²/c and (Σy)².
//!
//! **Error.** If |P/exp − 1| ≤ ε, exponents are off by at most ½·ln((1+ε)/(1−ε)) each, 2^k times that at the end, and a probability
//! by at most tanh(δ/4) with δ = 2^k·ln((1+ε)/(1−ε)); the last inverse adds its relative error.

use std::collections::HashMap;

use super::algebra::{Algebra, Cost};
use super::polynomial::{Polynomial, PolynomialBasis, to_monomial};
use super::relative::{Relative, inverse_error};
use super::{DEFAULT_ERROR, FitError, MAX_MONOMIAL_DEGREE};

/// Degrees that fill their levels: the exponential, the factors between squares, the last inverse.
const EXP_DEGREES: [usize; 3] = [3, 7, 15];
const FACTOR_DEGREES: [usize; 4] = [3, 7, 15, 31];
const LAST_DEGREES: [usize; 6] = [3, 7, 15, 31, 63, 127];
/// The exponential is taken of at most ±this: beyond, the first sum has too wide a range.
const WIDEST: f64 = 4.0;
/// Below this another halving gains nothing.
const NARROWEST: f64 = 0.5;
/// Rows that slopes are looked for in: how many classes lead, and by how many distances.
const LEADING: usize = 6;
const DISTANCES: u32 = 24;
/// Factors between squares that are worse than this leave the next sum too wide a range.
const COARSEST: f64 = 0.9;

/// A way to compute softmax.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// k: halvings of the exponents, and squares.
    pub squarings: u32,
    /// exp(z/2^k), scaled.
    pub exp: Polynomial,
    /// Multiples of 1/s² after each sum, of s less the middle.
    pub factors: Vec<Polynomial>,
    /// 1/s after the last square, of s less the middle.
    pub last: Polynomial,
    /// Middle of the sum before each factor and before the last inverse.
    pub middles: Vec<f64>,
    /// How much larger an error of y comes out of each stage, a square with its factor or the last product: those from a stage
    /// on multiply to the steepest way from its y to a probability.
    pub slopes: Vec<f64>,
    /// Largest error of a probability, bounded.
    pub error: f64,
}

impl Softmax {
    /// The cheapest way for rows of `classes` elements in `[low, high]`: fewest levels, then fewest products.
    pub fn design(classes: u32, low: f64, high: f64, error: Option<f64>) -> Result<Self, FitError> {
        if !(low < high && low.is_finite() && high.is_finite()) {
            return Err(FitError::Interval);
        }
        let mut fits = Fits {
            classes: f64::from(classes.max(2)),
            low,
            high,
            known: HashMap::new(),
        };
        let wanted = error.unwrap_or(DEFAULT_ERROR);
        let mut shapes = Shape::all(0.5 * (high - low));
        shapes.sort_by_key(Shape::cost);
        let mut least = f64::INFINITY;
        for shape in shapes {
            if let Some((plan, error)) = fits.plan(&shape) {
                if error <= wanted {
                    return Ok(fits.build(&shape, &plan, error));
                }
                least = least.min(error);
            }
        }
        Err(FitError::Error(least))
    }

    /// Softmax of each row of z.
    pub fn apply<A: Algebra>(&self, algebra: &mut A, z: &A::Value) -> A::Value {
        let top = |middle: f64| middle + 1.0;
        let mut y = algebra.polynomial(z, &self.exp, "exp in softmax");
        let mut sum = algebra.row_sum(&y);
        for (stage, middle) in self.middles.iter().enumerate() {
            algebra.within(&y, 0.0, top(*middle));
            algebra.within(&sum, middle - 1.0, top(*middle));
            let t = algebra.shifted(&sum, -middle);
            let Some(factor) = self.factors.get(stage) else {
                let inverse = algebra.polynomial(&t, &self.last, "inverse in softmax");
                let p = algebra.mul(&y, &inverse);
                algebra.stage(&y, &[&sum], &[&p], self.slopes[stage]);
                y = p;
                break;
            };
            let squares = algebra.mul(&y, &y);
            let r = algebra.polynomial(&t, factor, "inverse square in softmax");
            let next = algebra.mul(&squares, &r);
            let next_sum = algebra.row_sum(&next);
            algebra.stage(&y, &[&sum, &r], &[&next, &next_sum], self.slopes[stage]);
            (y, sum) = (next, next_sum);
        }
        algebra.within(&y, -self.error, 1.0 + self.error);
        y
    }

    /// The slope of each stage, over rows of every shape: some classes lead by the same distance, the others lie evenly below
    /// them. No row is the steepest in all stages, so the ways from each stage to the end are compared, and not the stages.
    fn steepest(&self, classes: usize) -> Vec<f64> {
        let (low, high) = (self.exp.low, self.exp.high);
        let mut ways = vec![0.0f64; self.middles.len()];
        let between =
            |part: u32, low: f64, high: f64| low + (high - low) * f64::from(part) / f64::from(DISTANCES);
        for leading in 1..=classes.min(LEADING) {
            for (top, below) in (0..=DISTANCES).flat_map(|top| (0..=DISTANCES).map(move |below| (top, below)))
            {
                let top = between(top, low, high);
                let below = between(below, low, top);
                for spread in [0.0, 0.5] {
                    let row = (0..classes).map(|class| match class.checked_sub(leading) {
                        None => top,
                        Some(rest) => below - spread * (below - low) * rest as f64 / classes as f64,
                    });
                    self.ways_of(&row.collect::<Vec<_>>(), &mut ways);
                }
            }
        }
        let later = ways.iter().skip(1).chain(&[1.0]);
        ways.iter().zip(later).map(|(way, later)| way / later).collect()
    }

    /// Raises the slope of each way from a stage to the end to that of one row: how much larger independent errors of its y
    /// come out in a probability. With m = 2^(squares left) this is p_i = y_i^m/Σ_j y_j^m, whatever the factors of the row, so that
    /// ∂p_i/∂y_j = m·p_i·(δ_ij − p_j)/y_j.
    fn ways_of(&self, row: &[f64], ways: &mut [f64]) {
        let mut y: Vec<f64> = row.iter().map(|&z| self.exp.value(z)).collect();
        for (stage, (middle, way)) in self.middles.iter().zip(ways).enumerate() {
            let power = 2f64.powi((self.middles.len() - 1 - stage) as i32);
            let total: f64 = y.iter().map(|y| y.powf(power)).sum();
            // p_j/y_j, which is finite where y_j is zero.
            let steep: Vec<f64> = y.iter().map(|y| power * y.powf(power - 1.0) / total).collect();
            let own: f64 = steep.iter().map(|steep| steep * steep).sum();
            for (y, steep) in y.iter().zip(&steep) {
                let p = y.powf(power) / total;
                // (δ − p)² is 1 − 2p + p² for the class itself and p² for all others.
                *way = way.max((steep * steep * (1.0 - 2.0 * p) + p * p * own).max(0.0).sqrt());
            }
            if let Some(factor) = self.factors.get(stage) {
                let r = factor.value(y.iter().sum::<f64>() - middle);
                y.iter_mut().for_each(|y| *y = *y * *y * r);
            }
        }
    }

    /// Levels and products.
    pub fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        self.apply(&mut cost, &0);
        cost
    }

    /// The method in words.
    pub fn describe(&self) -> String {
        let mut text = format!("exp of degree {}", self.exp.degree());
        if let Some(first) = self.factors.first() {
            let degrees: Vec<String> = [first]
                .into_iter()
                .chain(self.factors.get(1))
                .map(|factor| factor.degree().to_string())
                .collect();
            let plural = if self.squarings == 1 { "" } else { "s" };
            text += &format!(
                ", {} square{plural} normalised by 1/s² of degree {}",
                self.squarings,
                degrees.join(" then ")
            );
        }
        format!("{text}, 1/s of degree {}", self.last.degree())
    }
}

/// Degrees of the polynomials, and how often is squared.
#[derive(Clone, Copy, Debug)]
struct Shape {
    squarings: u32,
    exp: usize,
    first: usize,
    later: usize,
    last: usize,
}

impl Shape {
    /// Everything worth trying for |z| ≤ `reach`.
    fn all(reach: f64) -> Vec<Self> {
        let halvings = (0..32u32).filter(|&k| {
            let h = reach / f64::from(1u32 << k.min(31));
            h <= WIDEST && (h > NARROWEST || k == 0)
        });
        let mut shapes = Vec::new();
        for squarings in halvings {
            for exp in EXP_DEGREES {
                for (position, &first) in FACTOR_DEGREES.iter().enumerate() {
                    for (other, &later) in FACTOR_DEGREES.iter().enumerate() {
                        // Where there is no such factor its degree is not varied.
                        if (squarings < 1 && position > 0) || (squarings < 2 && other > 0) {
                            continue;
                        }
                        shapes.extend(LAST_DEGREES.map(|last| Self {
                            squarings,
                            exp,
                            first,
                            later,
                            last,
                        }));
                    }
                }
            }
        }
        shapes
    }

    fn degree(&self, stage: usize) -> usize {
        if stage == 0 { self.first } else { self.later }
    }

    /// Levels and products of what [`Softmax::apply`] does, from the degrees alone.
    fn cost(&self) -> Cost {
        let unit = |degree: usize| unit(vec![1.0; degree + 1]);
        let exp = Polynomial {
            basis: if self.exp <= MAX_MONOMIAL_DEGREE {
                PolynomialBasis::Monomial
            } else {
                PolynomialBasis::Chebyshev
            },
            coefficients: vec![1.0; self.exp + 1],
            low: -2.0,
            high: 2.0,
        };
        let shape = Softmax {
            squarings: self.squarings,
            exp,
            factors: (0..self.squarings as usize)
                .map(|stage| unit(self.degree(stage)))
                .collect(),
            last: unit(self.last),
            middles: vec![0.0; self.squarings as usize + 1],
            slopes: vec![1.0; self.squarings as usize + 1],
            error: 0.0,
        };
        shape.cost()
    }
}

/// Σ cᵢ Tᵢ on [−1, 1].
fn unit(coefficients: Vec<f64>) -> Polynomial {
    Polynomial {
        basis: PolynomialBasis::Chebyshev,
        coefficients,
        low: -1.0,
        high: 1.0,
    }
}

/// Ratio of the largest to the smallest sum before each factor and before the last inverse.
struct Plan {
    ratios: Vec<f64>,
}

/// What is fitted: of t ∈ [−1, 1] the exponential of a multiple, of an interval of sums the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Wanted {
    Exp,
    InverseSquare,
    Inverse,
}

struct Fits {
    classes: f64,
    low: f64,
    high: f64,
    known: HashMap<(Wanted, u64, usize), Relative>,
}

/// Up to the next eighth of an octave, so that few intervals occur.
fn rounded_up(ratio: f64) -> f64 {
    libm::exp2((8.0 * libm::log2(ratio)).ceil() / 8.0)
}

/// The interval of length 2 whose ends have this ratio.
fn interval(ratio: f64) -> (f64, f64) {
    let low = 2.0 / (ratio - 1.0);
    (low, low + 2.0)
}

impl Fits {
    fn fit(&mut self, wanted: Wanted, parameter: f64, degree: usize) -> &Relative {
        let key = (wanted, parameter.to_bits(), degree);
        self.known.entry(key).or_insert_with(|| match wanted {
            Wanted::Exp => Relative::fit(&|t| libm::exp(parameter * t), degree),
            Wanted::InverseSquare => Relative::on_ratio(&|x| 1.0 / (x * x), parameter, degree),
            Wanted::Inverse => Relative::on_ratio(&|x| 1.0 / x, parameter, degree),
        })
    }

    fn reach(&self, shape: &Shape) -> f64 {
        0.5 * (self.high - self.low) / f64::from(1u32 << shape.squarings)
    }

    /// The intervals of the sums and the bound of the error; none if some sum has too wide an interval.
    fn plan(&mut self, shape: &Shape) -> Option<(Plan, f64)> {
        let reach = self.reach(shape);
        let exp = self.fit(Wanted::Exp, reach, shape.exp).error;
        if exp >= COARSEST {
            return None;
        }
        let spread = (1.0 + exp) / (1.0 - exp);
        let mut ratios = vec![rounded_up(libm::exp(2.0 * reach) * spread)];
        for stage in 0..shape.squarings as usize {
            let error = self
                .fit(Wanted::InverseSquare, ratios[stage], shape.degree(stage))
                .error;
            if error >= COARSEST {
                return None;
            }
            let next = rounded_up(self.classes * (1.0 + error) / (1.0 - error));
            // The later factors are one polynomial if the first interval after a factor holds the others too.
            let settled = stage > 0 && next <= ratios[stage];
            ratios.push(if settled { ratios[stage] } else { next });
        }
        let delta = f64::from(1u32 << shape.squarings) * spread.ln();
        let last = inverse_error(ratios[shape.squarings as usize], shape.last);
        Some((Plan { ratios }, (0.25 * delta).tanh() + last))
    }

    fn build(&mut self, shape: &Shape, plan: &Plan, error: f64) -> Softmax {
        let scale = |coefficients: &[f64], factor: f64| coefficients.iter().map(|c| c * factor).collect();
        let middles: Vec<f64> = plan.ratios.iter().map(|&ratio| interval(ratio).0 + 1.0).collect();
        // The largest sum of exponentials is the upper end of the first interval.
        let reach = self.reach(shape);
        let fit = self.fit(Wanted::Exp, reach, shape.exp).clone();
        let largest = self.classes * libm::exp(reach) * (1.0 + fit.error);
        let coefficients: Vec<f64> = scale(&fit.coefficients, interval(plan.ratios[0]).1 / largest);
        let monomial = shape.exp <= MAX_MONOMIAL_DEGREE;
        let exp = Polynomial {
            basis: if monomial {
                PolynomialBasis::Monomial
            } else {
                PolynomialBasis::Chebyshev
            },
            coefficients: if monomial {
                to_monomial(&coefficients, self.low, self.high)
            } else {
                coefficients
            },
            low: self.low,
            high: self.high,
        };
        let mut factors = Vec::new();
        for stage in 0..shape.squarings as usize {
            let (low, _) = interval(plan.ratios[stage]);
            let (_, next) = interval(plan.ratios[stage + 1]);
            let fit = self.fit(Wanted::InverseSquare, plan.ratios[stage], shape.degree(stage));
            // The fit is of (low/s)²; s²·r reaches 1 + error, which becomes the upper end of the next interval.
            factors.push(unit(scale(
                &fit.coefficients,
                next / ((1.0 + fit.error) * low * low),
            )));
        }
        let ratio = plan.ratios[shape.squarings as usize];
        let fit = self.fit(Wanted::Inverse, ratio, shape.last);
        let mut softmax = Softmax {
            squarings: shape.squarings,
            exp,
            factors,
            last: unit(scale(&fit.coefficients, 1.0 / interval(ratio).0)),
            slopes: vec![1.0; middles.len()],
            middles,
            error,
        };
        softmax.slopes = softmax.steepest(self.classes as usize);
        softmax
    }
}

#[cfg(test)]
#[path = "softmax_tests.rs"]
mod tests;
