//! Which factor a tensor had best leave outside its slots.
//!
//! A polynomial on [−R, R] wants its argument divided by R. Wherever the argument is made by sums and products whose
//! factors are free to choose, the division costs no level if it is asked for early enough: this walk carries the wish
//! from the polynomial back to the sums and inputs.

use std::collections::BTreeMap;

use crate::approx::{Polynomial, PolynomialBasis};
use crate::dialect::tensor::Elements;
use crate::ir::{Graph, OpData, Opcode, Secrecy, Value};

/// Rounds in which the factors of states settle, if they do.
const MOST_ROUNDS: usize = 64;
/// Factors beyond, or below one by this, are on their way to infinity: each round multiplies them.
const FARTHEST: f64 = 1e9;

/// The wish for each value, by index. A state has one factor wherever it is read or written, for which what is written
/// wishes: that which its first read then wishes for, if there is such a one, or else what it wished for by itself.
pub fn scale_hints(graph: &Graph) -> Vec<Option<f64>> {
    let hints = wishes(graph, &BTreeMap::new());
    let states: Vec<&OpData> = graph
        .walk()
        .into_iter()
        .map(|op| graph.op(op))
        .filter(|op| op.opcode == Opcode::TensorState)
        .collect();
    if states.is_empty() {
        return hints;
    }
    let first_reads = |hints: &[Option<f64>]| {
        let mut factors = BTreeMap::new();
        for state in &states {
            let own = exact(hints[state.results[0].index()].unwrap_or(1.0));
            factors
                .entry(state.text("name").unwrap_or_default())
                .or_insert(own);
        }
        factors
    };
    let alone = first_reads(&hints);
    let in_reach = |factor: &f64| (1.0 / FARTHEST..=FARTHEST).contains(factor);
    let rounds = std::iter::successors(Some(alone.clone()), |factors| {
        let next = first_reads(&wishes(graph, factors));
        next.values().all(in_reach).then_some(next)
    });
    let rounds: Vec<_> = rounds.take(MOST_ROUNDS).collect();
    let settled = rounds.windows(2).find(|rounds| rounds[0] == rounds[1]);
    let factors = settled.map_or(alone, |rounds| rounds[1].clone());
    let mut hints = wishes(graph, &factors);
    for state in &states {
        hints[state.results[0].index()] = factors.get(state.text("name").unwrap_or_default()).copied();
    }
    hints
}

/// A power of two where only rounding keeps a factor from it: squares double that error each time, until it costs a product.
fn exact(factor: f64) -> f64 {
    let power = factor.log2().round().exp2();
    if (factor / power - 1.0).abs() < 1e-12 {
        power
    } else {
        factor
    }
}

fn wishes(graph: &Graph, states: &BTreeMap<&str, f64>) -> Vec<Option<f64>> {
    use Opcode::*;
    let mut hints = vec![None; graph.value_count()];
    // Streams and inputs that are used as data keep their own scale; a wish goes to what is computed or carried.
    let mut data = vec![false; graph.value_count()];
    let secret = |value: Value| {
        graph
            .ty(value)
            .as_tensor()
            .is_some_and(|ty| ty.secrecy == Secrecy::Secret)
    };
    let ops = graph.walk();
    for &op in &ops {
        let op = graph.op(op);
        let is_data = match op.opcode {
            TensorStream => true,
            TensorInput => graph
                .ty(op.results[0])
                .as_tensor()
                .is_some_and(|ty| ty.shape.len() > 1),
            TensorTranspose | TensorBroadcast | TensorConcat => data[op.operands[0].index()],
            _ => false,
        };
        if is_data {
            data[op.results[0].index()] = true;
        }
    }
    // The walk goes backwards, so the wish of the first use is the last to be noted: the first use makes the tensor.
    let wish = |hints: &mut Vec<Option<f64>>, value: Value, hint: f64| hints[value.index()] = Some(hint);
    for &op in ops.iter().rev() {
        let op = graph.op(op);
        if matches!(op.opcode, TensorPolynomial) {
            if let Some(polynomial) = Polynomial::of(op) {
                let half = match polynomial.basis {
                    PolynomialBasis::Chebyshev => 0.5 * (polynomial.high - polynomial.low),
                    PolynomialBasis::Monomial => polynomial.high.abs().max(polynomial.low.abs()),
                };
                if half.is_finite() && half > 0.0 {
                    wish(&mut hints, op.operands[0], half);
                }
            }
            continue;
        }
        if op.opcode == TensorStore {
            if let Some(&factor) = states.get(op.text("name").unwrap_or_default()) {
                wish(&mut hints, op.operands[0], factor);
            }
            continue;
        }
        let Some(hint) = op.results.first().and_then(|result| hints[result.index()]) else {
            continue;
        };
        match op.opcode {
            TensorAdd | TensorSub | TensorNeg | TensorBroadcast | TensorTranspose | TensorSum
            | TensorMean | TensorBootstrap => {
                for &operand in op.operands.iter().filter(|operand| !data[operand.index()]) {
                    wish(&mut hints, operand, hint);
                }
            }
            // c·v is wanted divided by the hint: then v divided by hint/|c| needs no further product.
            TensorMul | TensorDiv if op.operands.iter().any(|&value| splat(graph, value).is_some()) => {
                let constant = op
                    .operands
                    .iter()
                    .find_map(|&value| splat(graph, value))
                    .unwrap_or(1.0)
                    .abs();
                let own = if op.opcode == TensorMul {
                    hint / constant
                } else {
                    hint * constant
                };
                let factor = op
                    .operands
                    .iter()
                    .find(|value| secret(**value) && !data[value.index()]);
                if let Some(&factor) = factor.filter(|_| own.is_finite() && own > 0.0) {
                    wish(&mut hints, factor, own);
                }
            }
            // Both factors of a square are the same.
            TensorMul if op.operands[0] == op.operands[1] && hint > 0.0 => {
                wish(&mut hints, op.operands[0], hint.sqrt());
            }
            TensorMul | TensorMatmul => {
                let factor = op
                    .operands
                    .iter()
                    .rev()
                    .find(|value| secret(**value) && !data[value.index()]);
                if let Some(&factor) = factor {
                    wish(&mut hints, factor, hint);
                }
            }
            _ => {}
        }
    }
    hints
}

/// The number that a public value consists of, if it is a constant.
fn splat(graph: &Graph, value: Value) -> Option<f64> {
    match Elements::of(graph.op(graph.defining_op(value)?))? {
        Elements::Splat(number) => Some(number),
        Elements::Each(_) | Elements::Steps(_) => None,
    }
}
