//! EvalMod: takes away the integers from numbers that lie near them.
//!
//! Of x = z/A + I, with |z| ≤ 1, a small integer I and a large amplitude A, it makes z. The tool is the sine, as
//! A/2π·sin(2πx) = z·(1 − (2πz/A)²/6 + …) (Cheon, Han, Kim, Kim, Song 2018). Two shapes:
//!
//! - **sine**: an odd polynomial. All x lie on [−K′, K′], yet only within 1/A of integers does it matter what the
//!   polynomial is: it is fitted there alone, which takes a lower degree than the whole interval would (Han and Ki
//!   2020; Lee, Lee, Kim, No 2020).
//! - **cosine**: cos(2π(x − ¼)/2^r), then r double angles c ↦ 2c² − 1 (Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux
//!   2021). It is even about ¼, so it is a polynomial of half the degree in (x − ¼)²; fewer products, one level more.
//!   But every square loses bits, as near the vertex of a parabola different x have nearly the same image; an odd
//!   polynomial loses fewer.
//!
//! No product is spent on the amplitude. With t_i = 2s_i·c_i the double angle is t_{i+1} = t_i² − 2s_{i+1} with
//! s_{i+1} = s_i², and s_r = A/4π makes t_r = A/2π·sin(2πx): the polynomial is fitted to t_0.
//!
//! At N = 2^16, with scales of 2^50 falling to 2^40, z uniform and h = 32 (simulated, 2^15 slots):
//!
//! | shape | K | degree | r | arcsine | levels | relinearisations | A | bits, mean / worst |
//! |---|---|---|---|---|---|---|---|---|
//! | sine | 15 | 103 | 0 | no | 7 | 15 | 2^11 | 21.2 / 18.5 |
//! | sine | 17 | 115 | 0 | no | 7 | 16 | 2^11 | 20.9 / 18.2 |
//! | cosine | 14 | 28 | 3 | no | 8 | 10 | 2^10 | 20.1 / 17.4 |
//! | sine | 15 | 103 | 0 | yes | 9 | 17 | 2^8 | 24.3 / 21.6 |
//!
//! The cubic term of the sine is met in one of two ways. The slope is raised by 3/5 of (2π/A)²/6, which
//! leaves least mean squared error for z uniform on [−1, 1]: at most (2π/A)²/15. Or two more levels take the
//! **arcsine**, v + v³·(2π/A)²/6.

use std::f64::consts::PI;
use std::ops::RangeInclusive;

use super::polynomial::clenshaw;
use super::remez::{chebyshev_values, solve};

/// Largest degree that is tried: seven levels.
pub const MAX_DEGREE: u32 = 127;
/// Standard deviation of the error that the evaluation leaves in each Chebyshev polynomial, of the size of a
/// rescale's rounding at N = 2^16 and scale 2^50: large coefficients that cancel would make it worse than the fit
/// makes good.
const POWER_ERROR: f64 = 1.5e-11;
/// Points near each integer at which is fitted, and at which errors are measured.
const NODES: (u32, u32) = (6, 33);

/// A polynomial and what follows it, which make z·factor of x = z/A + I.
#[derive(Clone, Debug, PartialEq)]
pub struct Modular {
    /// A: what lies between two neighbouring multiples, in units of the largest |z|.
    pub amplitude: f64,
    /// The largest |z| after EvalMod.
    pub factor: f64,
    /// K: |I| < K, and for the cosine I = K too.
    pub integers: u32,
    /// Double angles after the polynomial: 0 for the sine.
    pub doublings: u32,
    /// Height of the sine, about A·factor/2π.
    pub height: f64,
    /// K′: no |x| of the sine, no |x − ¼| of the cosine is larger.
    pub bound: f64,
    /// Coefficients of T_k(u), u = x/K′, for the sine; of T_k(2u² − 1), u = (x − ¼)/K′, for the cosine.
    pub coefficients: Vec<f64>,
    /// What each double angle t ↦ t² − c subtracts, in order.
    pub constants: Vec<f64>,
    /// κ of v + κ·v³ at the end, where there is an arcsine.
    pub cube: Option<f64>,
}

impl Modular {
    /// The sine (no doublings) or the cosine of a degree in x: the largest odd degree, or the largest even one, up to
    /// it.
    ///
    /// The polynomial has least mean squared error over all integers and z alike, in units of z, counting
    /// [`POWER_ERROR`] in each of its terms.
    pub fn design(
        integers: u32,
        amplitude: f64,
        factor: f64,
        degree: u32,
        doublings: u32,
        arcsine: bool,
    ) -> Self {
        let mut modular = Self::frame(integers, amplitude, factor, doublings, arcsine);
        modular.fit(degree);
        modular
    }

    /// The smallest degree up to [`MAX_DEGREE`] whose distance from the sine is at most `error` in units of the
    /// largest |z|.
    pub fn least_degree(integers: u32, amplitude: f64, doublings: u32, error: f64) -> Option<u32> {
        let mut modular = Self::frame(integers, amplitude, 1.0, doublings, false);
        let first = if doublings == 0 { 1 } else { 2 };
        (first..=MAX_DEGREE).step_by(2).find(|&degree| {
            modular.fit(degree);
            modular.distance() <= error
        })
    }

    fn frame(integers: u32, amplitude: f64, factor: f64, doublings: u32, arcsine: bool) -> Self {
        let cubic = (2.0 * PI / amplitude).powi(2) / 6.0;
        let largest = f64::from(integers) - if doublings == 0 { 1.0 } else { 0.25 };
        let height = amplitude * factor / (2.0 * PI) * if arcsine { 1.0 } else { 1.0 + 0.6 * cubic };
        // s_i = s_r^(2^(i − r)), 2·s_r = height.
        let constants = (0..doublings)
            .rev()
            .map(|left| 2.0 * (0.5 * height).powf(0.5f64.powi(left as i32)));
        Self {
            amplitude,
            factor,
            integers,
            doublings,
            height,
            bound: largest + 1.0 / amplitude,
            coefficients: Vec::new(),
            constants: constants.collect(),
            cube: arcsine.then_some(cubic / (factor * factor)),
        }
    }

    /// The I that are taken away.
    pub fn multiples(&self) -> RangeInclusive<i32> {
        Self::range(self.integers, self.doublings)
    }

    /// The I that the sine (no doublings) or the cosine takes away: |I| < K, and for the cosine I = K too.
    pub fn range(integers: u32, doublings: u32) -> RangeInclusive<i32> {
        let integers = integers as i32;
        1 - integers..=integers - i32::from(doublings == 0)
    }

    /// The middle of all x: ¼ for the cosine.
    pub fn centre(&self) -> f64 {
        if self.doublings == 0 { 0.0 } else { 0.25 }
    }

    /// Levels: ⌈log2(degree + 1)⌉ for the polynomial in x, one for each double angle, two for an arcsine.
    pub fn levels(&self) -> u32 {
        let square = u32::from(self.doublings > 0);
        let polynomial = self.coefficients.len().next_power_of_two().trailing_zeros();
        polynomial + square + self.doublings + 2 * u32::from(self.cube.is_some())
    }

    /// z·factor, near enough, of x = z/A + I.
    pub fn value(&self, x: f64) -> f64 {
        let sine = self.sine(x);
        sine + self.cube.unwrap_or(0.0) * sine.powi(3)
    }

    /// Largest |value/factor − z|, of all I and |z| ≤ 1: what the fit and the sine leave.
    pub fn error(&self) -> f64 {
        self.largest(|x, z| self.value(x) - self.factor * z)
    }

    /// Largest distance from the sine in units of z: what the fit leaves.
    fn distance(&self) -> f64 {
        self.largest(|x, _| self.sine(x) - self.height * libm::sin(2.0 * PI * x))
    }

    fn largest(&self, error: impl Fn(f64, f64) -> f64) -> f64 {
        let points = NODES.1 - 1;
        self.multiples()
            .flat_map(|multiple| {
                (0..=points).map(move |point| (multiple, 2.0 * f64::from(point) / f64::from(points) - 1.0))
            })
            .map(|(multiple, z)| error(f64::from(multiple) + z / self.amplitude, z).abs() / self.factor)
            .fold(0.0, f64::max)
    }

    /// The polynomial and the double angles.
    fn sine(&self, x: f64) -> f64 {
        let polynomial = clenshaw(&self.coefficients, self.argument(x));
        self.constants
            .iter()
            .fold(polynomial, |t, constant| t * t - constant)
    }

    /// What the Chebyshev polynomials are taken of.
    fn argument(&self, x: f64) -> f64 {
        let u = (x - self.centre()) / self.bound;
        if self.doublings == 0 { u } else { 2.0 * u * u - 1.0 }
    }

    /// 2·s_0, the height of the function that the polynomial is fitted to.
    fn first_height(&self) -> f64 {
        2.0 * (0.5 * self.height).powf(0.5f64.powi(self.doublings as i32))
    }

    /// Angle of the cosine.
    fn angle(&self, x: f64) -> f64 {
        2.0 * PI * (x - 0.25) / 2f64.powi(self.doublings as i32)
    }

    /// How much larger an error of the polynomial is in the result, in units of z: d(s·cos 2^r·φ)/d(s_0·cos φ), near
    /// integers.
    fn gain(&self, x: f64) -> f64 {
        let parts = 2f64.powi(self.doublings as i32);
        let flat = if self.doublings == 0 {
            1.0
        } else {
            libm::sin(self.angle(x)).abs()
        };
        parts * self.height / (self.first_height() * flat * self.factor)
    }

    fn fit(&mut self, degree: u32) {
        let degrees: Vec<usize> = if self.doublings == 0 {
            (1..=degree as usize).step_by(2).collect()
        } else {
            (0..=degree as usize / 2).collect()
        };
        let last = degrees.last().copied().unwrap_or(0);
        let mut columns = vec![Vec::new(); degrees.len()];
        let (mut target, mut weights) = (Vec::new(), 0.0);
        for multiple in self.multiples() {
            for node in 0..NODES.0 {
                let z = libm::cos(PI * (f64::from(node) + 0.5) / f64::from(NODES.0));
                let x = f64::from(multiple) + z / self.amplitude;
                let weight = self.gain(x);
                let basis = chebyshev_values(self.argument(x), last);
                for (column, &k) in columns.iter_mut().zip(&degrees) {
                    column.push(weight * basis[k]);
                }
                target.push(weight * self.first_height() * libm::cos(self.angle(x)));
                weights += weight * weight;
            }
        }
        let nodes = target.len();
        target.resize(nodes + degrees.len(), 0.0);
        for (k, column) in columns.iter_mut().enumerate() {
            column.resize(nodes + degrees.len(), 0.0);
            column[nodes + k] = POWER_ERROR * weights.sqrt();
        }
        self.coefficients = vec![0.0; last + 1];
        for (k, coefficient) in degrees.into_iter().zip(least_squares(columns, target)) {
            self.coefficients[k] = coefficient;
        }
    }
}

/// The combination of the columns that is nearest to the target: modified Gram–Schmidt, which, unlike the normal
/// equations, does not square the condition (Björck 1967).
fn least_squares(mut columns: Vec<Vec<f64>>, mut target: Vec<f64>) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let count = columns.len();
    let mut triangle = vec![vec![0.0; count + 1]; count];
    for (i, row) in triangle.iter_mut().enumerate() {
        let (done, rest) = columns.split_at_mut(i + 1);
        let unit = &mut done[i];
        row[i] = dot(unit, unit).sqrt();
        unit.iter_mut().for_each(|entry| *entry /= row[i]);
        let rest = rest.iter_mut().chain(std::iter::once(&mut target));
        for (entry, column) in row.iter_mut().skip(i + 1).zip(rest) {
            *entry = dot(unit, column);
            column
                .iter_mut()
                .zip(&*unit)
                .for_each(|(value, unit)| *value -= *entry * unit);
        }
    }
    solve(triangle).unwrap_or_default()
}

#[cfg(test)]
#[path = "modular_tests.rs"]
mod tests;
