//! Least squares with coefficients that are not negative.

/// A measurement: what went into it, and what came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Units of each kind.
    pub units: Vec<f64>,
    /// Their sum, each times its coefficient.
    pub measured: f64,
    /// How much it counts.
    pub weight: f64,
}

/// Sweeps over the coefficients; what is not settled by then never matters.
const SWEEPS: usize = 20_000;
/// A sweep that changes no coefficient by more than this part is the last.
const SETTLED: f64 = 1e-10;

/// The coefficients whose sums are nearest to what was measured, relative to it: the weighted
/// sum of (fitted/measured − 1)² is least.
/// By coordinate descent on the normal equations (Franc, Hlaváč and Navara, "Sequential coordinate-wise algorithm for the
/// non-negative least squares problem", 2005). A kind that no sample has gets 0.
pub fn fit(samples: &[Sample], kinds: usize) -> Vec<f64> {
    let mut matrix = vec![vec![0.0; kinds]; kinds];
    let mut target = vec![0.0; kinds];
    for sample in samples {
        let row: Vec<f64> = sample.units.iter().map(|units| units / sample.measured).collect();
        for (i, &a) in row.iter().enumerate() {
            target[i] += sample.weight * a;
            for (j, &b) in row.iter().enumerate() {
                matrix[i][j] += sample.weight * a * b;
            }
        }
    }
    let mut coefficients = vec![0.0; kinds];
    for _ in 0..SWEEPS {
        let mut change = 0.0f64;
        for i in 0..kinds {
            if matrix[i][i] == 0.0 {
                continue;
            }
            let product: f64 = matrix[i].iter().zip(&coefficients).map(|(a, b)| a * b).sum();
            let next = (coefficients[i] + (target[i] - product) / matrix[i][i]).max(0.0);
            change = change.max((next - coefficients[i]).abs() / next.max(f64::MIN_POSITIVE));
            coefficients[i] = next;
        }
        if change < SETTLED {
            break;
        }
    }
    coefficients
}

/// What the coefficients make of some units.
pub fn predict(units: &[f64], coefficients: &[f64]) -> f64 {
    units
        .iter()
        .zip(coefficients)
        .map(|(units, coefficient)| units * coefficient)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(coefficients: &[f64]) -> Vec<Sample> {
        let rows = [
            [1.0, 0.0, 0.0],
            [0.0, 2.0, 1.0],
            [3.0, 1.0, 0.0],
            [1.0, 1.0, 1.0],
            [0.0, 0.0, 5.0],
        ];
        let sample = |row: &[f64; 3]| Sample {
            units: row.to_vec(),
            measured: predict(row, coefficients),
            weight: 1.0,
        };
        rows.iter().map(sample).collect()
    }

    #[test]
    fn exact_samples_give_their_coefficients_back() {
        let wanted = [0.25, 4.0, 1e-3];
        for (found, wanted) in fit(&samples(&wanted), 3).iter().zip(wanted) {
            assert!((found / wanted - 1.0).abs() < 1e-6, "{found} for {wanted}");
        }
    }

    #[test]
    fn nothing_is_negative_and_nothing_comes_of_nothing() {
        let row = |units: [f64; 2], measured| Sample {
            units: units.to_vec(),
            measured,
            weight: 1.0,
        };
        // The second kind would have to be −1.
        let found = fit(&[row([1.0, 0.0], 2.0), row([1.0, 1.0], 1.0)], 2);
        assert_eq!(found[1], 0.0);
        assert!((1.0..2.0).contains(&found[0]), "{found:?}");
        assert_eq!(fit(&[row([1.0, 0.0], 3.0)], 2), [3.0, 0.0]);
    }

    #[test]
    fn heavy_samples_win() {
        let row = |measured, weight| Sample {
            units: vec![1.0],
            measured,
            weight,
        };
        let found = fit(&[row(1.0, 1e6), row(2.0, 1.0)], 1);
        assert!((found[0] - 1.0).abs() < 1e-5, "{found:?}");
    }
}
