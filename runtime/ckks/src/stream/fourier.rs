//! The special FFT in 32-bit integers, in place.
//!
//! The same splitting tree as [`crate::encode`], in fixed point: no floating-point unit, no branch on a value, and the same
//! bits on every machine.

use super::Factors;
use super::prime::reverse;
use crate::CkksError;
use crate::encode::power_of_5;

/// Bits of a factor's fraction. No factor is ±1, ±i: the angles are odd multiples of 2π/2^(depth + 3).
const FACTOR_BITS: u32 = 31;

/// A factor of the tree: cosine and sine.
#[derive(Clone, Copy)]
pub(super) struct Factor {
    cos: i32,
    sin: i32,
}

/// Fills N words with what [`Factors::Stored`] takes: cosine and sine of each node of the splitting tree; node 1 is the root,
/// 2h and 2h+1 are the children of h.
pub fn fill_factors(log_n: u32, table: &mut [i32]) -> Result<(), CkksError> {
    super::checked_degree(log_n)?;
    crate::error::exactly("table of factors", table, 1 << log_n)?;
    let (pairs, _) = table.as_chunks_mut();
    for (node, pair) in pairs.iter_mut().enumerate() {
        let Factor { cos, sin } = match node.checked_ilog2() {
            Some(depth) => factor((node - (1 << depth)) as u32, depth),
            None => Factor { cos: 0, sin: 0 },
        };
        *pair = [cos, sin];
    }
    Ok(())
}

/// Values x of the slots, bit-reversed, |x| ≤ 2^29 → coefficients of absolute value at most 2^29, in place: the inverse
/// transform, halved at each of log2(N/2) stages instead of divided by N/2. Words are signed.
///
/// A stage's rounding adds at most 1/2 to each part and the factors' at most as much again, and halving keeps errors from
/// growing: a coefficient is off by at most 2·log2(N/2), and by about 0.7 in the mean square.
pub(super) fn slots_to_coefficients(factors: &Factors<'_>, re: &mut [u32], im: &mut [u32]) {
    for depth in (0..re.len().ilog2()).rev() {
        for_each_node(factors, depth, re, im, |Factor { cos, sin }, low, high| {
            let (d_re, d_im) = (i64::from(low.0 - high.0), i64::from(low.1 - high.1));
            let (cos, sin) = (i64::from(cos), i64::from(sin));
            let mean = ((low.0 + high.0 + 1) >> 1, (low.1 + high.1 + 1) >> 1);
            let turned_re = rounded(d_re * cos + d_im * sin, FACTOR_BITS + 1);
            let turned_im = rounded(d_im * cos - d_re * sin, FACTOR_BITS + 1);
            (mean, (turned_re, turned_im))
        });
    }
}

/// Coefficients → slots, bit-reversed, in place, without a factor. Words are signed. The residues below each node are means
/// of slots, turned: where the slots stay below 2^30 in absolute value, so does everything on the way. Beyond that they wrap.
///
/// Rounding adds at most one to each part at each stage: at most N/2 to a slot in all, √N in the mean square.
pub(super) fn coefficients_to_slots(factors: &Factors<'_>, re: &mut [u32], im: &mut [u32]) {
    for depth in 0..re.len().ilog2() {
        for_each_node(factors, depth, re, im, |Factor { cos, sin }, low, high| {
            let (high_re, high_im) = (i64::from(high.0), i64::from(high.1));
            let (cos, sin) = (i64::from(cos), i64::from(sin));
            // Products of words that wrapped stay below 2^62: a sum of two may wrap as well.
            let turned_re = rounded((high_re * cos).wrapping_sub(high_im * sin), FACTOR_BITS);
            let turned_im = rounded((high_re * sin).wrapping_add(high_im * cos), FACTOR_BITS);
            let sum = (low.0.wrapping_add(turned_re), low.1.wrapping_add(turned_im));
            (
                sum,
                (low.0.wrapping_sub(turned_re), low.1.wrapping_sub(turned_im)),
            )
        });
    }
}

/// x / 2^shift to the nearest integer, halves upwards; 0 < shift.
#[inline(always)]
pub(super) fn rounded(x: i64, shift: u32) -> i32 {
    (x.wrapping_add(1 << (shift - 1)) >> shift) as i32
}

/// Real and imaginary part.
type Complex = (i32, i32);

/// Replaces the pairs (low, high) of all nodes at one depth of the splitting tree.
#[inline(always)]
fn for_each_node(
    factors: &Factors<'_>,
    depth: u32,
    re: &mut [u32],
    im: &mut [u32],
    butterfly: impl Fn(Factor, Complex, Complex) -> (Complex, Complex),
) {
    let size = re.len() >> depth;
    for (place, (re, im)) in re
        .chunks_exact_mut(size)
        .zip(im.chunks_exact_mut(size))
        .enumerate()
    {
        let u = factors.at(place as u32, depth);
        let (low_re, high_re) = re.split_at_mut(size / 2);
        let (low_im, high_im) = im.split_at_mut(size / 2);
        let low = low_re.iter_mut().zip(low_im);
        for (low, high) in low.zip(high_re.iter_mut().zip(high_im)) {
            let (new_low, new_high) = butterfly(
                u,
                (*low.0 as i32, *low.1 as i32),
                (*high.0 as i32, *high.1 as i32),
            );
            (*low.0, *low.1) = (new_low.0 as u32, new_low.1 as u32);
            (*high.0, *high.1) = (new_high.0 as u32, new_high.1 as u32);
        }
    }
}

impl Factors<'_> {
    #[inline(always)]
    fn at(&self, place: u32, depth: u32) -> Factor {
        match self {
            Self::Computed => factor(place, depth),
            Self::Stored(table) => {
                let (pairs, _) = table.as_chunks::<2>();
                let node = (1 << depth) + place as usize;
                let [cos, sin] = pairs.get(node).copied().unwrap_or_default();
                Factor { cos, sin }
            }
        }
    }
}

/// exp(2πi·5^r / 2^(depth+3)) for r the reversed place of a node at a depth.
fn factor(place: u32, depth: u32) -> Factor {
    let bits = depth + 3;
    let angle = power_of_5(reverse(place, depth) as u64, bits) as u32;
    let (octant, rest) = (angle >> depth, angle & ((1 << depth) - 1));
    // The angle within the octant or, in every other one, what is left of it, as a fraction of π/4.
    let rest = if octant % 2 == 1 {
        (1 << depth) - rest
    } else {
        rest
    };
    let (cos, sin) = first_octant((u64::from(rest) << (32 - depth)).min(u64::from(u32::MAX)) as u32);
    let (cos, sin) = match octant {
        0 => (cos, sin),
        1 => (sin, cos),
        2 => (-sin, cos),
        3 => (-cos, sin),
        4 => (-cos, -sin),
        5 => (-sin, -cos),
        6 => (sin, -cos),
        _ => (cos, -sin),
    };
    Factor { cos, sin }
}

/// 1 in units of 2^−32.
const ONE: u64 = 1 << 32;
/// π/4 in units of 2^−32.
const QUARTER_PI: u64 = 3_373_259_426;
/// Ratios of neighbouring terms of Taylor's series but for x², last first, in units of 2^−32. The first term that is left
/// out is below 2^−41.
const COS: [u64; 6] = reciprocals([132, 90, 56, 30, 12, 2]);
const SIN: [u64; 6] = reciprocals([156, 110, 72, 42, 20, 6]);

const fn reciprocals(mut values: [u64; 6]) -> [u64; 6] {
    let mut i = 0;
    while i < values.len() {
        values[i] = ONE / values[i];
        i += 1;
    }
    values
}

/// Cosine and sine of x/2^32·π/4 in units of 2^−31, each off by less than two.
fn first_octant(x: u32) -> (i32, i32) {
    let high = |a: u64, b: u64| (a * b) >> 32;
    let x = high(u64::from(x), QUARTER_PI);
    let square = high(x, x);
    // 1 − x²/n·(1 − x²/m·(1 − …)).
    let series = |ratios: &[u64]| {
        ratios
            .iter()
            .fold(ONE, |sum, &ratio| ONE - high(high(square, ratio), sum))
    };
    let to_factor = |value: u64| ((value + 1) >> 1).min(i32::MAX as u64) as i32;
    (to_factor(series(&COS)), to_factor(high(x, series(&SIN))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::f64::consts::TAU;

    #[test]
    fn factors_are_sines_and_cosines() {
        for depth in 0..16 {
            for place in 0..1u32 << depth {
                let angle =
                    power_of_5(reverse(place, depth) as u64, depth + 3) as f64 / f64::from(8 << depth) * TAU;
                let Factor { cos, sin } = factor(place, depth);
                let (sine, cosine) = libm::sincos(angle);
                for (fixed, exact) in [(cos, cosine), (sin, sine)] {
                    let error = f64::from(fixed) - exact * 2f64.powi(31);
                    assert!(error.abs() < 2.0, "depth {depth}, place {place}: {error}");
                }
            }
        }
    }
}
