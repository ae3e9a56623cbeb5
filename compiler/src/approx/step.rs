//! Comparisons: sign, and what is made of it, by a composition of odd polynomials.
//!
//! Cheon, Kim and Kim (ASIACRYPT 2020) iterate fixed polynomials f∘…∘f∘g∘…∘g that drive x to its sign. Here every stage is the odd
//! polynomial of least deviation from the sign on the interval that the stage before leaves (Lee, Lee, No, Kim, 2021), so that no
//! stage of the same degree does better, f and g included. A stage of degree d is x·P(x²) with P(u) ≈ 1/√u of least relative error e:
//! it takes [a, 1] to [1 − e, 1 + e], scaled back to 1 for the next.
//!
//! - sign(x): within the error wherever |x| ≥ margin, between −1 and 1 nearer to 0, up to the error;
//! - step(x) = (1 + sign(x))/2, the ½ in the last stage;
//! - relu(x) = x·step(x) and max(a, b) = b + (a − b)·step(a − b): within the error everywhere, for x·(step(x) − 1) is small at 0.

use super::algebra::{Algebra, Cost, Rows};
use super::polynomial::{Polynomial, PolynomialBasis, to_monomial};
use super::relative::{Relative, chebyshev_of};
use super::{DEFAULT_ERROR, FitError, MAX_MONOMIAL_DEGREE};

/// Degrees of a stage: they fill two, three and four levels.
const DEGREES: [usize; 3] = [3, 7, 15];
/// Levels that are tried.
const MOST_LEVELS: u32 = 24;
/// Margin of a comparison where none is stated, as a share of the range.
pub const DEFAULT_MARGIN: f64 = 1.0 / 16.0;
/// Where a relu is allowed to be inexact around 0, in units of error/range: all that is worth trying.
const MARGINS: [f64; 5] = [2.0, 3.0, 4.0, 6.0, 8.0];

/// What is made of the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// −1 or 1, exact from the margin on.
    Sign,
    /// 0 or 1, exact from the margin on.
    Step,
    /// x·step(x), exact everywhere.
    Ramp,
}

/// A comparison with 0 on [−range, range].
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What it gives.
    pub kind: Kind,
    /// Largest |x|.
    pub range: f64,
    /// Smallest |x| at which the error is kept; 0 for a ramp.
    pub margin: f64,
    /// Odd polynomials, the first of x, the others on [−1, 1].
    pub stages: Vec<Polynomial>,
    /// Largest error, measured.
    pub error: f64,
}

impl Comparison {
    /// The cheapest way for |x| ≤ `range`. A ramp keeps its error everywhere and has no `margin`.
    pub fn design(kind: Kind, range: f64, margin: Option<f64>, error: Option<f64>) -> Result<Self, FitError> {
        let wanted = error.unwrap_or(DEFAULT_ERROR);
        let margin = margin.unwrap_or(range * DEFAULT_MARGIN);
        if !(range.is_finite() && 0.0 < margin && margin < range) {
            return Err(FitError::Interval);
        }
        let margins: Vec<f64> = match kind {
            Kind::Ramp => MARGINS
                .iter()
                .map(|share| share * wanted / range)
                .filter(|&share| share < 0.9)
                .collect(),
            _ => vec![margin / range],
        };
        let kept = if kind == Kind::Ramp { 0.0 } else { margin };
        let mut least = f64::INFINITY;
        for degrees in sequences() {
            for &share in &margins {
                let Some(stages) = stages(kind, range, share, &degrees) else {
                    continue;
                };
                let mut found = Self {
                    kind,
                    range,
                    margin: kept,
                    stages,
                    error: 0.0,
                };
                found.error = found.largest_error();
                if found.error <= wanted {
                    return Ok(found);
                }
                least = least.min(found.error);
            }
        }
        Err(FitError::Error(least))
    }

    /// The function of x.
    pub fn apply<A: Algebra>(&self, algebra: &mut A, x: &A::Value) -> A::Value {
        let name = match self.kind {
            Kind::Sign => "sign",
            Kind::Step | Kind::Ramp => "step",
        };
        let mut value = x.clone();
        for stage in &self.stages {
            value = algebra.polynomial(&value, stage, name);
        }
        let (low, high) = match self.kind {
            Kind::Sign => (-1.0, 1.0),
            Kind::Step | Kind::Ramp => (0.0, 1.0),
        };
        // Next to 0 a ramp's step may be off by more than the ramp.
        let slack = if self.kind == Kind::Ramp { 0.5 } else { self.error };
        algebra.within(&value, low - slack, high + slack);
        match self.kind {
            Kind::Ramp => algebra.mul(x, &value),
            _ => value,
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
        let degrees: Vec<String> = self
            .stages
            .iter()
            .map(|stage| stage.degree().to_string())
            .collect();
        let margin = if self.margin > 0.0 {
            format!(", exact from ±{} on", self.margin)
        } else {
            String::new()
        };
        format!("odd polynomials of degree {}{margin}", degrees.join(", then "))
    }

    /// Largest error where one is kept: at points that are dense near the margin, where stages swing fastest.
    fn largest_error(&self) -> f64 {
        let nodes = 4096;
        let smallest = if self.margin > 0.0 {
            self.margin
        } else {
            self.range * 1e-6
        };
        let geometric = (0..=nodes)
            .map(|node| smallest * (self.range / smallest).powf(f64::from(node) / f64::from(nodes)));
        let even =
            (0..=nodes).map(|node| smallest + (self.range - smallest) * f64::from(node) / f64::from(nodes));
        let points: Vec<f64> = geometric.chain(even).collect();
        let exact = |x: f64| match self.kind {
            Kind::Sign | Kind::Step => 1.0,
            Kind::Ramp => x,
        };
        // Odd stages: what is off on the right is off by as much on the left.
        let values = self.apply(&mut Rows, &points);
        let off = |(x, y): (&f64, f64)| (y - exact(*x)).abs();
        points.iter().zip(values).map(off).fold(0.0, f64::max)
    }
}

/// Degrees of the stages, cheapest first: lower degrees come first, where the interval is wide.
fn sequences() -> Vec<Vec<usize>> {
    let mut all: Vec<(u32, u32, Vec<usize>)> = Vec::new();
    let mut open: Vec<(u32, u32, Vec<usize>)> = vec![(0, 0, Vec::new())];
    while let Some((levels, products, degrees)) = open.pop() {
        for (log, degree) in (2u32..).zip(DEGREES) {
            if degrees.last().is_some_and(|&last| degree < last) || levels + log > MOST_LEVELS {
                continue;
            }
            let mut longer = degrees.clone();
            longer.push(degree);
            // The even powers up to half of the degree, and about as many sums.
            let next = (levels + log, products + log + (1 << (log / 2)), longer);
            all.push(next.clone());
            open.push(next);
        }
    }
    all.sort();
    all.into_iter().map(|(_, _, degrees)| degrees).collect()
}

/// The stages for |x| from share·range to range; none where a stage leaves nothing between 0 and 1.
fn stages(kind: Kind, range: f64, share: f64, degrees: &[usize]) -> Option<Vec<Polynomial>> {
    let mut low = share;
    let mut stages = Vec::new();
    for (position, &degree) in degrees.iter().enumerate() {
        let ratio = 1.0 / (low * low);
        let half = (degree - 1) / 2;
        let fit = Relative::on_ratio(&|u| 1.0 / u.sqrt(), ratio, half);
        if fit.error.is_nan() || fit.error >= 0.999 {
            return None;
        }
        let last = position + 1 == degrees.len();
        let scale = match (last, kind) {
            (false, _) => 1.0 / (1.0 + fit.error),
            (true, Kind::Sign) => 1.0,
            (true, Kind::Step | Kind::Ramp) => 0.5,
        };
        // P is fitted to 1/√u for u = ratio·x² in [1, ratio]: x·P(u)/low is the sign of x.
        let factor = scale / low;
        let reach = if position == 0 { range } else { 1.0 };
        let offset = if last && kind != Kind::Sign { 0.5 } else { 0.0 };
        stages.push(odd(&fit.coefficients, ratio, factor, reach, offset));
        low = (1.0 - fit.error) / (1.0 + fit.error);
    }
    Some(stages)
}

/// factor·t·P(ratio·t²) + offset for t = x/reach, where P is given on [1, ratio].
fn odd(p: &[f64], ratio: f64, factor: f64, reach: f64, offset: f64) -> Polynomial {
    let degree = 2 * p.len() - 1;
    let coefficients = if degree <= MAX_MONOMIAL_DEGREE {
        let even = to_monomial(p, 1.0, ratio);
        let mut coefficients = vec![0.0; degree + 1];
        for (power, c) in even.into_iter().enumerate() {
            coefficients[2 * power + 1] =
                factor * c * ratio.powi(power as i32) / reach.powi(2 * power as i32 + 1);
        }
        coefficients
    } else {
        let on_ratio = Polynomial {
            basis: PolynomialBasis::Chebyshev,
            coefficients: p.to_vec(),
            low: 1.0,
            high: ratio,
        };
        let mut coefficients = chebyshev_of(&|t| factor * t * on_ratio.value(ratio * t * t), degree);
        coefficients.iter_mut().step_by(2).for_each(|even| *even = 0.0);
        coefficients
    };
    let mut polynomial = Polynomial {
        basis: if degree <= MAX_MONOMIAL_DEGREE {
            PolynomialBasis::Monomial
        } else {
            PolynomialBasis::Chebyshev
        },
        coefficients,
        low: -reach,
        high: reach,
    };
    polynomial.coefficients[0] = offset;
    polynomial
}

#[cfg(test)]
mod tests {
    use super::*;

    /// f₃ and g₃ of Cheon, Kim and Kim.
    fn published(kind: char, x: f64) -> f64 {
        let square = x * x;
        match kind {
            'f' => x * (35.0 + square * (-35.0 + square * (21.0 - 5.0 * square))) / 16.0,
            _ => x * (4589.0 + square * (-16577.0 + square * (25614.0 - 12860.0 * square))) / 1024.0,
        }
    }

    /// For every margin at least as good, in at most the levels, as any f₃∘…∘f₃∘g₃∘…∘g₃.
    #[test]
    fn never_deeper_than_the_published_composition() {
        for log_margin in 1..=8 {
            let margin = 0.5f64.powi(log_margin);
            for (g, f) in [(0, 1), (1, 1), (2, 1), (3, 1), (2, 2), (3, 2)] {
                let worst = (0..=2000)
                    .map(|node| margin + (1.0 - margin) * f64::from(node) / 2000.0)
                    .map(|x| {
                        let x = (0..g).fold(x, |x, _| published('g', x));
                        (1.0 - (0..f).fold(x, |x, _| published('f', x))).abs()
                    })
                    .fold(0.0, f64::max);
                if !(1e-7..0.5).contains(&worst) {
                    continue;
                }
                let ours = Comparison::design(Kind::Sign, 1.0, Some(margin), Some(worst)).unwrap();
                assert!(
                    ours.cost().levels <= 3 * (f + g),
                    "margin {margin}, {g} g and {f} f: {worst:.1e} in {} levels, here {:?}",
                    3 * (f + g),
                    ours.cost()
                );
            }
        }
    }

    #[test]
    fn errors_are_kept_on_both_sides() {
        for kind in [Kind::Sign, Kind::Step, Kind::Ramp] {
            for (range, error) in [(1.0, 1e-2), (8.0, 1e-3), (0.25, 1e-4)] {
                let found = Comparison::design(kind, range, None, Some(error)).unwrap();
                assert!(found.error <= error && found.cost().levels <= 30, "{found:?}");
                for node in -1000..=1000 {
                    let x = range * f64::from(node) / 1000.0;
                    let y = found.apply(&mut Rows, &vec![x])[0];
                    let (exact, bounds) = match kind {
                        Kind::Sign => (x.signum(), (-1.0, 1.0)),
                        Kind::Step => (f64::from(u8::from(x > 0.0)), (0.0, 1.0)),
                        Kind::Ramp => (x.max(0.0), (0.0, range)),
                    };
                    assert!(
                        bounds.0 - error <= y && y <= bounds.1 + error,
                        "{kind:?} at {x}: {y}"
                    );
                    if x.abs() >= found.margin {
                        assert!((y - exact).abs() <= 1.001 * error, "{kind:?} at {x}: {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_met_is_refused() {
        assert_eq!(
            Comparison::design(Kind::Sign, 1.0, Some(2.0), None),
            Err(FitError::Interval)
        );
        assert!(matches!(
            Comparison::design(Kind::Sign, 1.0, Some(1e-9), Some(1e-6)),
            Err(FitError::Error(_))
        ));
    }

    #[test]
    #[ignore = "prints a table"]
    fn table() {
        for kind in [Kind::Sign, Kind::Ramp] {
            for (margin, error) in [
                (0.25, 1e-2),
                (0.0625, 1e-2),
                (0.0625, 1e-3),
                (0.0625, 1e-4),
                (0.01, 1e-3),
                (0.001, 1e-3),
            ] {
                let start = std::time::Instant::now();
                let found = Comparison::design(kind, 1.0, Some(margin), Some(error));
                match found {
                    Ok(found) => println!(
                        "{kind:?} margin {margin} error {error:.0e}: {:?} measured {:.1e} — {} [{:.0?}]",
                        found.cost(),
                        found.error,
                        found.describe(),
                        start.elapsed()
                    ),
                    Err(error) => println!("{kind:?} {margin}: {error:?}"),
                }
            }
        }
    }
}
