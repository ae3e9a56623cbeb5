//! Fits of least mean squared error over the interval.

use super::remez::{Space, chebyshev_values, solve};

/// Nodes of the quadrature for each unknown.
const DENSITY: usize = 64;

/// Chebyshev coefficients of the function in `space` whose mean squared deviation from `f` is least: the normal
/// equations, integrated at Chebyshev nodes with the weights that make the measure uniform in t.
pub fn fit(f: &dyn Fn(f64) -> f64, space: &Space) -> Vec<f64> {
    let count = space.indices.len();
    let degree = space.indices.last().copied().unwrap_or(0);
    let last = if space.from < 0.0 {
        std::f64::consts::PI
    } else {
        std::f64::consts::FRAC_PI_2
    };
    let nodes = DENSITY * (degree + 1);
    let mut rows = vec![vec![0.0; count + 1]; count];
    for node in 0..nodes {
        let angle = last * (node as f64 + 0.5) / nodes as f64;
        let (t, weight) = (libm::cos(angle), libm::sin(angle));
        let basis = chebyshev_values(t, degree);
        let value = f(t);
        for (row, &i) in rows.iter_mut().zip(&space.indices) {
            for (entry, &j) in row.iter_mut().zip(&space.indices) {
                *entry += weight * basis[i] * basis[j];
            }
            row[count] += weight * basis[i] * value;
        }
    }
    let mut coefficients = vec![0.0; degree + 1];
    if let Some(solution) = solve(rows) {
        for (&index, value) in space.indices.iter().zip(solution) {
            coefficients[index] = value;
        }
    }
    coefficients
}
