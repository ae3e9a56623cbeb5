//! Minimax fits: the multiple-exchange algorithm of Remez (1934) in the Chebyshev basis.
//!
//! Works on t ∈ [from, 1] with a chosen set of basis functions T_k, so that an odd function is fitted by odd k and an
//! even one by even k on [0, 1] alone: half the unknowns, and an alternation that is not degenerate.

use super::polynomial::clenshaw;

/// A basis {T_k : k ∈ `indices`} on [`from`, 1] in which every function is determined by as many points as there are
/// indices (a Haar space).
pub struct Space {
    /// Degrees of the basis functions, increasing.
    pub indices: Vec<usize>,
    /// Lower end: −1, or 0 for odd or even indices.
    pub from: f64,
}

impl Space {
    /// All degrees up to `degree` on [−1, 1].
    pub fn full(degree: usize) -> Self {
        Self {
            indices: (0..=degree).collect(),
            from: -1.0,
        }
    }

    /// Odd degrees up to `degree` on [0, 1].
    pub fn odd(degree: usize) -> Self {
        Self {
            indices: (1..=degree).step_by(2).collect(),
            from: 0.0,
        }
    }

    /// Even degrees up to `degree` on [0, 1].
    pub fn even(degree: usize) -> Self {
        Self {
            indices: (0..=degree).step_by(2).collect(),
            from: 0.0,
        }
    }

    /// Extremal points of the Chebyshev polynomial that follows the basis, decreasing: the alternation for a function
    /// whose series goes on with it.
    fn first_reference(&self) -> Vec<f64> {
        let count = self.indices.len();
        let degree = match (self.from < 0.0, self.indices.first()) {
            (true, _) => count,
            (false, Some(1)) => 2 * count + 1,
            _ => 2 * count,
        };
        (0..=count)
            .map(|j| libm::cos(std::f64::consts::PI * j as f64 / degree as f64))
            .collect()
    }

    /// Coefficients by degree, zero where the basis has none.
    fn spread(&self, solution: &[f64]) -> Vec<f64> {
        let mut coefficients = vec![0.0; self.indices.last().map_or(0, |last| last + 1)];
        for (&index, &value) in self.indices.iter().zip(solution) {
            coefficients[index] = value;
        }
        coefficients
    }
}

/// Rounds of exchange; convergence is quadratic, so that ten are rare.
const ROUNDS: usize = 40;
/// Points of the search grid for each unknown.
const DENSITY: usize = 24;

/// Chebyshev coefficients of the function in `space` whose largest deviation from `f` is least, to a relative 1e-9 of
/// that deviation or to rounding.
pub fn minimax(f: &dyn Fn(f64) -> f64, space: &Space) -> Vec<f64> {
    weighted(f, &|_| 1.0, space)
}

/// As [`minimax`], for the deviation times a positive `weight`.
pub fn weighted(f: &dyn Fn(f64) -> f64, weight: &dyn Fn(f64) -> f64, space: &Space) -> Vec<f64> {
    let mut reference = space.first_reference();
    let mut best: Option<(f64, Vec<f64>)> = None;
    for _ in 0..ROUNDS {
        let Some((coefficients, levelled)) = interpolate(f, weight, space, &reference) else {
            break;
        };
        let error = |t: f64| weight(t) * (f(t) - clenshaw(&coefficients, t));
        let extremes = extremes(&error, space);
        let largest = extremes.iter().map(|&(_, e)| e.abs()).fold(0.0, f64::max);
        if best.as_ref().is_none_or(|(least, _)| largest < *least) {
            best = Some((largest, coefficients));
        }
        if largest - levelled.abs() <= 1e-9 * largest {
            break;
        }
        match alternation(extremes, reference.len()) {
            Some(next) => reference = next,
            // Fewer sign changes than unknowns: the deviation is rounding noise.
            None => break,
        }
    }
    best.map(|(_, coefficients)| coefficients).unwrap_or_default()
}

/// The function in `space` whose weighted deviation from `f` is ±E alternately at the reference points, and E.
fn interpolate(
    f: &dyn Fn(f64) -> f64,
    weight: &dyn Fn(f64) -> f64,
    space: &Space,
    reference: &[f64],
) -> Option<(Vec<f64>, f64)> {
    let count = space.indices.len();
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(count + 1);
    for (position, &t) in reference.iter().enumerate() {
        let all = chebyshev_values(t, *space.indices.last()?);
        let mut row: Vec<f64> = space.indices.iter().map(|&index| all[index]).collect();
        row.push(if position % 2 == 0 { 1.0 } else { -1.0 } / weight(t));
        row.push(f(t));
        rows.push(row);
    }
    let solution = solve(rows)?;
    Some((space.spread(&solution[..count]), solution[count]))
}

/// T_0(t) … T_degree(t).
pub fn chebyshev_values(t: f64, degree: usize) -> Vec<f64> {
    let mut values = vec![1.0, t];
    for k in 2..=degree {
        values.push(2.0 * t * values[k - 1] - values[k - 2]);
    }
    values
}

/// Gaussian elimination with row pivoting; each row ends in its right-hand side.
pub fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let count = rows.len();
    for column in 0..count {
        let pivot =
            (column..count).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        if rows[pivot][column] == 0.0 || !rows[pivot][column].is_finite() {
            return None;
        }
        rows.swap(column, pivot);
        let (above, below) = rows.split_at_mut(column + 1);
        let pivot = &above[column];
        for row in below {
            let factor = row[column] / pivot[column];
            for (entry, from) in row.iter_mut().zip(pivot).skip(column) {
                *entry -= factor * from;
            }
        }
    }
    let mut solution = vec![0.0; count];
    for row in (0..count).rev() {
        let known: f64 = (row + 1..count)
            .map(|column| rows[row][column] * solution[column])
            .sum();
        solution[row] = (rows[row][count] - known) / rows[row][row];
    }
    Some(solution)
}

/// One extreme of the error between each pair of sign changes, t decreasing.
fn extremes(error: &dyn Fn(f64) -> f64, space: &Space) -> Vec<(f64, f64)> {
    // Equidistant in the angle, where extremes of a good fit are equidistant too.
    let last = if space.from < 0.0 {
        std::f64::consts::PI
    } else {
        std::f64::consts::FRAC_PI_2
    };
    let steps = DENSITY * (space.indices.len() + 2);
    let at = |angle: f64| libm::cos(angle.clamp(0.0, last)).max(space.from);
    let width = last / steps as f64;
    let mut found: Vec<(f64, f64)> = Vec::new();
    for step in 0..=steps {
        let angle = step as f64 * width;
        let e = error(at(angle));
        match found.last_mut() {
            Some(previous) if (previous.1 < 0.0) == (e < 0.0) => {
                if e.abs() > previous.1.abs() {
                    *previous = (angle, e);
                }
            }
            _ => found.push((angle, e)),
        }
    }
    found
        .into_iter()
        .map(|(angle, _)| refine(&|angle| error(at(angle)), angle, width))
        .map(|(a, e)| (at(a), e))
        .collect()
}

/// Golden-section search for the largest |error| within one grid step of `angle`.
fn refine(error: &dyn Fn(f64) -> f64, angle: f64, width: f64) -> (f64, f64) {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let (mut a, mut b) = (angle - width, angle + width);
    for _ in 0..40 {
        let (c, d) = (b - GOLDEN * (b - a), a + GOLDEN * (b - a));
        if error(c).abs() > error(d).abs() {
            b = d
        } else {
            a = c
        }
    }
    let refined = 0.5 * (a + b);
    if error(refined).abs() > error(angle).abs() {
        (refined, error(refined))
    } else {
        (angle, error(angle))
    }
}

/// `count` neighbouring extremes that hold the largest: ends are dropped, the smaller first.
fn alternation(mut extremes: Vec<(f64, f64)>, count: usize) -> Option<Vec<f64>> {
    while extremes.len() > count {
        let (first, last) = (extremes[0].1.abs(), extremes[extremes.len() - 1].1.abs());
        if first < last {
            extremes.remove(0);
        } else {
            extremes.pop();
        }
    }
    (extremes.len() == count).then(|| extremes.into_iter().map(|(t, _)| t).collect())
}
