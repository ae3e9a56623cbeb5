//! How probable it is that a bootstrap fails: that a coefficient holds a larger multiple of q_0 than EvalMod takes
//! away.
//!
//! Modulo q_0 the message is m = c_0 + c_1·s. Over the integers, with residues in (−q_0/2, q_0/2), the right-hand
//! side is m + q_0·I. A coefficient of c_1·s is a sum of h residues with signs, h being the Hamming weight of s; c_1
//! is uniform, so that it is q_0 times a sum of h independent numbers uniform on (−1/2, 1/2); and c_0 brings the
//! whole to the nearest value that is m modulo q_0. So I is that sum less m/q_0, rounded, and
//!
//! P(I = k) = ∫ over |t| ≤ 1/2 of f_h(k + m/q_0 + t) = f_{h+1}(k + m/q_0),
//!
//! where f_n is the density of a sum of n such numbers, the centred cardinal B-spline of degree n − 1 (Irwin 1927,
//! Hall 1927; Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux 2021). It is computed by the recurrence of
//! B-splines, whose terms are all positive: every probability is exact to some n roundings, however small it is,
//! where the usual alternating sum cancels.

use std::ops::RangeInclusive;

/// |m|/q_0 is at most this: EvalMod needs far less.
const MESSAGE: f64 = 1.0 / 128.0;

/// log2 of a bound on the probability that any of `coefficients` coefficients holds a multiple of q_0 outside
/// `multiples`, under a secret of Hamming weight `weight`. At most 0; −∞ where the probability is zero or below the
/// smallest f64.
///
/// The coefficients are not independent; their failures are added up. The message is taken to lie where it does most
/// harm.
pub fn log2_failure(weight: u32, coefficients: u64, multiples: &RangeInclusive<i32>) -> f64 {
    let reach = f64::from(weight + 1) / 2.0;
    // Beyond the limit, at distances limit + 1, limit + 2, … from zero.
    let tail = |limit: i32| -> f64 {
        (1..)
            .map(|step| f64::from(limit) + f64::from(step) - MESSAGE)
            .take_while(|&x| x < reach)
            .map(|x| density(weight + 1, x))
            .sum()
    };
    let each = tail(*multiples.end()) + tail(-*multiples.start());
    (each.log2() + (coefficients as f64).log2()).min(0.0)
}

/// Density at x of a sum of `count` ≥ 1 independent numbers that are uniform on (−1/2, 1/2).
fn density(count: u32, x: f64) -> f64 {
    // b[i] is the B-spline of the current order on knots 0, 1, … at y − i.
    let y = x + f64::from(count) / 2.0;
    let mut b: Vec<f64> = (0..count)
        .map(|i| {
            let t = y - f64::from(i);
            if (0.0..1.0).contains(&t) { 1.0 } else { 0.0 }
        })
        .collect();
    for order in 2..=count {
        let order = f64::from(order);
        b = b
            .windows(2)
            .enumerate()
            .map(|(i, pair)| {
                let t = y - i as f64;
                if t <= 0.0 || t >= order {
                    0.0
                } else {
                    (t * pair[0] + (order - t) * pair[1]) / (order - 1.0)
                }
            })
            .collect();
    }
    b.first().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// f_3 is three parabolas, f_4 at 0 is 2/3, and the tail of f_n is (n/2 − x)^(n−1)/(n−1)!.
    #[test]
    fn densities_in_closed_form() {
        for (count, x, wanted) in [
            (1, 0.25, 1.0),
            (2, 0.25, 0.75),
            (3, 0.0, 0.75),
            (3, 1.0, 0.125),
            (4, 0.0, 2.0 / 3.0),
            (33, 16.0, 0.5f64.powi(32) / 2.631_308_369_336_935e35),
        ] {
            let found = density(count, x);
            assert!((found / wanted - 1.0).abs() < 1e-13, "f_{count}({x}) = {found}");
        }
        // Whole steps of the lattice hold all of the probability.
        for (count, shift) in [(5, 0.0), (33, 0.007), (193, -0.3)] {
            let sum: f64 = (-100..=100).map(|k| density(count, f64::from(k) + shift)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{count}: {sum}");
        }
    }

    /// Counts over all sums of four residues modulo 31, of which c_0 brings the rest to zero.
    #[test]
    fn exhaustive_count() {
        let (half, mut outside, mut all) = (15i32, 0u32, 0u32);
        for a in -half..=half {
            for b in -half..=half {
                for c in -half..=half {
                    for d in -half..=half {
                        all += 1;
                        let sum = f64::from(a - b + c + d) / 31.0;
                        outside += u32::from(sum.round().abs() >= 2.0);
                    }
                }
            }
        }
        let counted = f64::from(outside) / f64::from(all);
        let bound = log2_failure(4, 1, &(-1..=1)).exp2();
        // The exact probability is 2·f_5(2) = 1/192; the bound lets the message move by 1/128.
        assert!((density(5, 2.0) - 1.0 / 384.0).abs() < 1e-15);
        assert!(counted < bound && bound < 1.25 * counted, "{counted} {bound}");
    }

    #[test]
    fn probabilities_fall_with_the_range_and_rise_with_the_weight() {
        let of = |weight, k: i32| log2_failure(weight, 1 << 16, &(-k..=k));
        for k in 7..15 {
            assert!(of(32, k) > of(32, k + 1) + 3.0);
            assert!(of(32, k) < of(64, k));
        }
        // All of 32 uniform numbers at their ends: 16 never occurs.
        assert_eq!(of(32, 17), f64::NEG_INFINITY);
        assert!(of(32, 15) < -130.0);
        assert_eq!(of(192, 1), 0.0);
    }

    /// What 32 coefficients need: one multiple more on one side is half of the failures.
    #[test]
    fn ranges_for_the_sparse_secret() {
        let of = |log: u32, range: RangeInclusive<i32>| log2_failure(32, 1 << log, &range);
        assert!((-60.0..-59.0).contains(&of(15, -13..=13)));
        assert!((-61.0..-60.0).contains(&of(15, -13..=14)));
        assert!((-83.0..-82.0).contains(&of(15, -14..=14)));
    }
}
