//! Polynomials in place of functions.
//!
//! A function on a declared interval becomes the polynomial of least largest error (Remez), or of least squared error
//! where asked. Parity is kept: sigmoid − ½ is odd, so that every other coefficient is zero. Up to degree 7 the result
//! is in monomials of the argument itself, so that the interval costs no level; above, in Chebyshev polynomials of the
//! argument brought to [−1, 1], which stay well conditioned.
//!
//! What one polynomial does not follow, or not as cheaply, is a [`composite::Composite`]: softmax, comparisons, and inverses on wide
//! intervals. Which method and which degrees is decided by cost: fewest levels, then fewest products.

pub mod algebra;
pub mod composite;
mod function;
mod least_squares;
pub mod modular;
mod polynomial;
pub mod reciprocal;
mod relative;
mod remez;
pub mod softmax;
pub mod step;
pub mod tournament;

pub use function::{Elementary, Function, Symmetry};
pub use polynomial::{Polynomial, PolynomialBasis, clenshaw, depth_of_degree, horner, to_monomial};

use remez::Space;

/// Largest error that is accepted where the user states none.
pub const DEFAULT_ERROR: f64 = 1e-3;
/// Largest degree that is tried: seven levels.
pub const MAX_DEGREE: usize = 127;
/// Largest degree that is given in monomials.
pub const MAX_MONOMIAL_DEGREE: usize = 7;

/// What a fit minimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// The largest error.
    #[default]
    Minimax,
    /// The mean squared error over the interval.
    LeastSquares,
}

/// What the user asks of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Largest error wanted; [`DEFAULT_ERROR`] if `None`.
    pub error: Option<f64>,
    /// Degree wanted; the cheapest that meets the error if `None`.
    pub degree: Option<usize>,
    /// What is minimised.
    pub method: Method,
}

/// A fitted polynomial.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The polynomial.
    pub polynomial: Polynomial,
    /// Largest error on the interval, measured.
    pub error: f64,
}

/// Why there is no fit.
#[derive(Clone, Debug, PartialEq)]
pub enum FitError {
    /// The interval is empty, infinite, or holds a pole or jump of the function.
    Interval,
    /// The wanted degree is above [`MAX_DEGREE`].
    Degree,
    /// No degree up to [`MAX_DEGREE`] meets the wanted error; the best does this.
    Error(f64),
}

/// Fits `function` on `[low, high]`. Without a wanted degree: the least number of levels that meets the wanted error,
/// and the largest degree of that many levels.
pub fn fit(function: Function, low: f64, high: f64, wish: Wish) -> Result<Fit, FitError> {
    let finite = low.is_finite() && high.is_finite() && low < high;
    if !finite || !function.is_smooth_on(low, high) {
        return Err(FitError::Interval);
    }
    if let Some(degree) = wish.degree {
        return if degree <= MAX_DEGREE {
            Ok(of_degree(function, low, high, degree, wish.method))
        } else {
            Err(FitError::Degree)
        };
    }
    let wanted = wish.error.unwrap_or(DEFAULT_ERROR);
    let mut least = f64::INFINITY;
    for depth in 1..=MAX_DEGREE.ilog2() + 1 {
        let fit = of_degree(function, low, high, (1 << depth) - 1, wish.method);
        if fit.error <= wanted {
            return Ok(fit);
        }
        least = least.min(fit.error);
    }
    Err(FitError::Error(least))
}

fn of_degree(function: Function, low: f64, high: f64, degree: usize, method: Method) -> Fit {
    let (middle, radius) = (0.5 * (low + high), 0.5 * (high - low));
    let symmetry = if low == -high {
        function.symmetry()
    } else {
        Symmetry::None
    };
    // The part that is fitted, and what is added to it: a constant and a slope in t.
    let (space, offset, slope) = match symmetry {
        Symmetry::Odd { offset } if degree >= 1 => (Space::odd(degree), offset, 0.0),
        Symmetry::Even { slope } if degree >= 1 => (Space::even(degree), 0.0, slope * radius),
        _ => (Space::full(degree), 0.0, 0.0),
    };
    let part = |t: f64| function.value(middle + radius * t) - offset - slope * t;
    let mut coefficients = match method {
        Method::Minimax => remez::minimax(&part, &space),
        Method::LeastSquares => least_squares::fit(&part, &space),
    };
    coefficients.resize(coefficients.len().max(if slope == 0.0 { 1 } else { 2 }), 0.0);
    coefficients[0] += offset;
    if slope != 0.0 {
        coefficients[1] += slope;
    }
    let polynomial = if degree <= MAX_MONOMIAL_DEGREE {
        let coefficients = to_monomial(&coefficients, low, high);
        Polynomial {
            basis: PolynomialBasis::Monomial,
            coefficients,
            low,
            high,
        }
    } else {
        Polynomial {
            basis: PolynomialBasis::Chebyshev,
            coefficients,
            low,
            high,
        }
    };
    let error = largest_error(&polynomial, function);
    Fit { polynomial, error }
}

/// Largest |polynomial − function| at 4096 Chebyshev extremes of the interval, ends included.
pub fn largest_error(polynomial: &Polynomial, function: Function) -> f64 {
    let (middle, radius) = (
        0.5 * (polynomial.low + polynomial.high),
        0.5 * (polynomial.high - polynomial.low),
    );
    (0..=4096)
        .map(|node| {
            let x = middle + radius * libm::cos(std::f64::consts::PI * f64::from(node) / 4096.0);
            (polynomial.value(x) - function.value(x)).abs()
        })
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests;
