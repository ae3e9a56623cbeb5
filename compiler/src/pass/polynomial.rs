//! Evaluates a polynomial of a packed vector in ⌈log2(degree + 1)⌉ levels.
//!
//! Paterson–Stockmeyer in either basis: p = q·X^m + r (or q·T_m + r) with m a power of two, again and again, down to
//! linear combinations of a few low powers. A sum of products costs one relinearisation however many terms it has, so
//! the number to keep small is that of powers and of sums that are multiplied again. Powers are made on demand: an odd
//! polynomial never makes the even ones that it does not use.
//!
//! ```text
//! %1 = tensor.polynomial %0 {basis = "monomial", coefficients = floats[0.5, 0.2, 0.0, -0.004], …}
//! ```
//! becomes, up to order,
//! ```text
//! %1 = slot.mul %0, %0                  // X²
//! %2 = slot.mul_scalar %0 {-0.004}
//! %3 = slot.mul %2, %1
//! %4 = slot.mul_scalar %0 {0.2}
//! %5 = slot.add %4, %3
//! %6 = slot.add_scalar %5 {0.5}
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::slot::Vectors;
use crate::ir::Value;

/// What coefficient k belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Powers {
    /// X^k.
    Monomial,
    /// The Chebyshev polynomial T_k, for arguments in [−1, 1].
    Chebyshev,
    /// 1 and, for k ≥ 1, the Vieta–Lucas polynomial 2·T_k(X/2), for arguments in [−2, 2].
    Lucas,
}

/// Coefficients this much smaller than the largest are rounding errors of a fit.
const NEGLIGIBLE: f64 = 1e-13;

/// Levels that a polynomial takes, leading zeros not counted.
pub fn levels(coefficients: &[f64]) -> u32 {
    let degree = trimmed(coefficients).len().saturating_sub(1) as u32;
    (degree + 1).next_power_of_two().trailing_zeros()
}

/// A vector and a number whose sum is p(x): the caller adds the number, on the slots where it belongs.
pub fn evaluate(
    vectors: &mut Vectors,
    x: Value,
    powers: Powers,
    coefficients: &[f64],
) -> (Option<Value>, f64) {
    let coefficients = trimmed(coefficients);
    let degree = coefficients.len().saturating_sub(1) as u32;
    let budget = levels(&coefficients);
    let plan = (0..=degree.max(1).ilog2())
        .map(|log| plan(&coefficients, budget, powers, 1 << log))
        .min_by_key(Plan::cost);
    match plan {
        Some(plan) => Emitter {
            vectors,
            powers,
            made: BTreeMap::from([(1, x)]),
        }
        .node(&plan),
        None => (None, 0.0),
    }
}

/// p at a number.
pub fn value_at(powers: Powers, coefficients: &[f64], x: f64) -> f64 {
    let (mut before, mut now) = (if powers == Powers::Lucas { 2.0 } else { 1.0 }, x);
    let mut sum = coefficients.first().copied().unwrap_or(0.0);
    for &c in coefficients.iter().skip(1) {
        sum += c * now;
        let next = match powers {
            Powers::Monomial => now * x,
            Powers::Chebyshev => 2.0 * x * now - before,
            Powers::Lucas => x * now - before,
        };
        (before, now) = (now, next);
    }
    sum
}

/// The steepest slope on [−reach, reach], between neighbours of a grid fine enough for the degree.
pub fn largest_slope(powers: Powers, coefficients: &[f64], reach: f64) -> f64 {
    let count = 64 * coefficients.len();
    let values: Vec<f64> = (0..=count)
        .map(|at| {
            value_at(
                powers,
                coefficients,
                reach * (2.0 * at as f64 / count as f64 - 1.0),
            )
        })
        .collect();
    let step = 2.0 * reach / count as f64;
    values
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs() / step)
        .fold(0.0, f64::max)
}

fn trimmed(coefficients: &[f64]) -> Vec<f64> {
    let largest = coefficients
        .iter()
        .fold(0.0f64, |largest, c| largest.max(c.abs()));
    let mut kept: Vec<f64> = coefficients
        .iter()
        .map(|&c| if c.abs() <= largest * NEGLIGIBLE { 0.0 } else { c })
        .collect();
    while kept.last() == Some(&0.0) {
        kept.pop();
    }
    kept
}

/// ⌈log2 k⌉: levels of power k.
fn power_levels(k: u32) -> u32 {
    k.next_power_of_two().trailing_zeros()
}

enum Plan {
    /// Σ c_k·(power k), constant included.
    Linear(Vec<f64>),
    /// q·(power m) + r.
    Split {
        m: u32,
        quotient: Box<Plan>,
        rest: Box<Plan>,
    },
}

/// Splits until what is left combines powers up to `baby` within the levels allowed.
fn plan(coefficients: &[f64], budget: u32, powers: Powers, baby: u32) -> Plan {
    let coefficients = trimmed(coefficients);
    let fits = (1u32..)
        .zip(coefficients.iter().skip(1))
        .all(|(k, &c)| c == 0.0 || (k <= baby && power_levels(k) < budget));
    if coefficients.len() < 2 || fits {
        return Plan::Linear(coefficients);
    }
    let m = 1usize << (coefficients.len() - 1).ilog2();
    let mut rest = coefficients[..m].to_vec();
    let mut quotient = coefficients[m..].to_vec();
    if powers != Powers::Monomial {
        // T_{m+j} = 2·T_m·T_j − T_{m−j}; without the 2 where both are doubled.
        for j in 1..quotient.len() {
            rest[m - j] -= quotient[j];
            if powers == Powers::Chebyshev {
                quotient[j] *= 2.0;
            }
        }
    }
    Plan::Split {
        m: m as u32,
        quotient: Box::new(plan(&quotient, budget - 1, powers, baby)),
        rest: Box::new(plan(&rest, budget, powers, baby)),
    }
}

impl Plan {
    /// Key switches first, then products of any kind.
    fn cost(&self) -> (usize, usize) {
        let mut used = BTreeSet::new();
        let (mut switches, mut products) = (0, 0);
        let multiplies = self.count(&mut used, &mut switches, &mut products);
        let mut all = BTreeSet::new();
        used.into_iter().for_each(|k| needed_powers(k, &mut all));
        (switches + usize::from(multiplies) + all.len(), products)
    }

    /// Whether the node is a sum that holds products of ciphertexts.
    fn count(&self, used: &mut BTreeSet<u32>, switches: &mut usize, products: &mut usize) -> bool {
        match self {
            Self::Linear(coefficients) => {
                for (k, _) in (1u32..)
                    .zip(coefficients.iter().skip(1))
                    .filter(|(_, c)| **c != 0.0)
                {
                    used.insert(k);
                    *products += 1;
                }
                false
            }
            Self::Split { m, quotient, rest } => {
                used.insert(*m);
                *products += 1;
                let inner = quotient.count(used, switches, products);
                *switches += usize::from(inner);
                let constant = matches!(&**quotient, Self::Linear(c) if c.len() < 2);
                let rest = rest.count(used, switches, products);
                !constant || rest
            }
        }
    }
}

/// Halves of a power: their sum is k and they differ by at most one.
fn halves(k: u32) -> (u32, u32) {
    (k.div_ceil(2), k / 2)
}

fn needed_powers(k: u32, into: &mut BTreeSet<u32>) {
    if k > 1 && into.insert(k) {
        let (high, low) = halves(k);
        needed_powers(high, into);
        needed_powers(low, into);
    }
}

struct Emitter<'v> {
    vectors: &'v mut Vectors,
    powers: Powers,
    made: BTreeMap<u32, Value>,
}

impl Emitter<'_> {
    fn power(&mut self, k: u32) -> Value {
        if let Some(&made) = self.made.get(&k) {
            return made;
        }
        let (high, low) = halves(k);
        let (a, b) = (self.power(high), self.power(low));
        let product = self.vectors.mul(a, b);
        let value = match self.powers {
            Powers::Monomial => product,
            Powers::Chebyshev => {
                // T_{a+b} = 2·T_a·T_b − T_{a−b}, and a − b is 0 or 1.
                let twice = self.vectors.add(product, product);
                if high == low {
                    self.vectors.add_scalar(twice, -1.0)
                } else {
                    self.vectors.sub(twice, self.made[&1])
                }
            }
            Powers::Lucas if high == low => self.vectors.add_scalar(product, -2.0),
            Powers::Lucas => self.vectors.sub(product, self.made[&1]),
        };
        // |T_k| ≤ 1; the note is that of uniform values whose mean square is 1.
        match self.powers {
            Powers::Monomial => {}
            Powers::Chebyshev => self.vectors.note_bound(value, 3f64.sqrt()),
            Powers::Lucas => self.vectors.note_bound(value, 2.0 * 3f64.sqrt()),
        }
        self.made.insert(k, value);
        value
    }

    /// The node's value and the constant that is still to be added to it.
    fn node(&mut self, plan: &Plan) -> (Option<Value>, f64) {
        match plan {
            Plan::Linear(coefficients) => {
                let mut sum = None;
                for (k, &c) in (1u32..).zip(coefficients.iter().skip(1)) {
                    if c != 0.0 {
                        let power = self.power(k);
                        let term = self.vectors.mul_scalar(power, c);
                        sum = Some(self.plus(sum, term));
                    }
                }
                (sum, coefficients.first().copied().unwrap_or(0.0))
            }
            Plan::Split { m, quotient, rest } => {
                let power = self.power(*m);
                let product = match self.node(quotient) {
                    (None, constant) => self.vectors.mul_scalar(power, constant),
                    (Some(quotient), constant) => {
                        let quotient = self.vectors.add_scalar(quotient, constant);
                        self.vectors.mul(quotient, power)
                    }
                };
                let (sum, constant) = self.node(rest);
                (Some(self.plus(sum, product)), constant)
            }
        }
    }

    fn plus(&mut self, sum: Option<Value>, term: Value) -> Value {
        match sum {
            Some(sum) => self.vectors.add(sum, term),
            None => term,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::slot;
    use crate::ir::Opcode;

    fn run(powers: Powers, coefficients: &[f64]) -> (u32, usize) {
        let mut vectors = Vectors::new("p", 8);
        let x = vectors.input(0, 0, None);
        let (value, constant) = evaluate(&mut vectors, x, powers, coefficients);
        let value = value.expect("not constant");
        let depth = vectors.depth(value);
        vectors.output(1, 0, value);
        let xs: Vec<f64> = (0..8).map(|i| -0.9 + 0.25 * f64::from(i)).collect();
        let outputs = slot::evaluate(&vectors.graph, |_, _, _| xs.clone());
        for (x, y) in xs.iter().zip(&outputs[0].2) {
            let wanted = value_at(powers, coefficients, *x);
            assert!(
                (y + constant - wanted).abs() < 1e-9,
                "{powers:?} {coefficients:?}: {y} for {wanted}"
            );
        }
        let graph = &vectors.graph;
        (
            depth,
            graph
                .walk()
                .into_iter()
                .filter(|&op| graph.op(op).opcode == Opcode::SlotMul)
                .count(),
        )
    }

    #[test]
    fn every_degree_takes_its_levels_and_gives_its_value() {
        for degree in 1..=40usize {
            let coefficients: Vec<f64> = (0..=degree).map(|k| 0.3 + (k as f64 * 1.7).sin()).collect();
            for powers in [Powers::Monomial, Powers::Chebyshev, Powers::Lucas] {
                let (depth, _) = run(powers, &coefficients);
                assert_eq!(
                    depth,
                    (degree as u32 + 1).next_power_of_two().trailing_zeros(),
                    "degree {degree}"
                );
            }
        }
    }

    #[test]
    fn odd_polynomials_take_fewer_products() {
        for degree in [3usize, 5, 7, 9, 15, 31] {
            let odd: Vec<f64> = (0..=degree)
                .map(|k| if k % 2 == 1 { 1.0 / (k as f64 + 0.5) } else { 0.0 })
                .collect();
            let dense: Vec<f64> = (0..=degree).map(|k| 1.0 / (k as f64 + 0.5)).collect();
            for powers in [Powers::Monomial, Powers::Chebyshev] {
                let ((_, odd_products), (_, products)) = (run(powers, &odd), run(powers, &dense));
                assert!(
                    odd_products <= products,
                    "degree {degree}: {odd_products} for {products}"
                );
            }
        }
        // X², X⁴, one inner sum and the last: five products in four relinearisations.
        let sigmoid = [0.5, 1.73, 0.0, -4.19, 0.0, 5.43, 0.0, -2.5];
        assert_eq!(run(Powers::Monomial, &sigmoid), (3, 5));
    }
}
