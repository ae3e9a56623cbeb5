//! What an operation does to values and their errors.

use super::{Estimate, Inside, NoiseModel};
use crate::dialect::slot::Contents;
use crate::ir::{Graph, OpData, Opcode, Type, Value};

/// Whether the second operand is the conjugate of the first.
pub(in crate::analysis) fn is_conjugate(graph: &Graph, op: &OpData) -> bool {
    let second = op.operands.get(1).and_then(|&operand| graph.defining_op(operand));
    second
        .map(|op| graph.op(op))
        .is_some_and(|second| second.flag("conjugate") && second.operands.first() == op.operands.first())
}

/// Mean and variance of numbers.
fn moments<'v>(values: impl Iterator<Item = &'v f64>) -> (f64, f64) {
    let (count, sum, squares) = values.fold((0.0, 0.0, 0.0), |(count, sum, squares), value| {
        (count + 1.0, sum + value, squares + value * value)
    });
    if count == 0.0 {
        (0.0, 0.0)
    } else {
        (sum / count, (squares / count - (sum / count).powi(2)).max(0.0))
    }
}

impl NoiseModel<'_> {
    /// The result of an operation, of whose operands this is `known`.
    pub(in crate::analysis) fn op(
        &self,
        graph: &Graph,
        op: &OpData,
        known: impl Fn(Value) -> Estimate,
    ) -> Estimate {
        use Opcode::*;
        let of = |index: usize| known(op.operands[index]);
        let (level, scale) = match op.results.first().map(|&result| graph.ty(result)) {
            Some(Type::Cipher(ty)) => (ty.level, ty.scale),
            Some(Type::Plain(ty)) => (ty.level, ty.scale),
            Some(Type::Digits { level, scale }) => (*level, *scale),
            _ => (0, 1.0),
        };
        let plus = |a: Estimate, b: Estimate| Estimate {
            mean: a.mean + b.mean,
            spread: a.spread + b.spread,
            variance: a.variance + b.variance,
            empty: a.empty + b.empty,
            inside: Inside::default(),
        };
        let times = |a: Estimate, b: Estimate| {
            let (size_a, size_b) = (a.mean_square(), b.mean_square());
            Estimate {
                mean: a.mean * b.mean,
                spread: size_a * size_b - (a.mean * b.mean).powi(2),
                variance: size_a * b.variance + size_b * a.variance + a.variance * b.variance,
                empty: size_a * b.empty + size_b * a.empty + a.empty * b.empty,
                inside: Inside::default(),
            }
        };
        let noisier = |a: Estimate, coefficient: f64| Estimate {
            variance: a.variance + self.slot_variance(coefficient, scale),
            empty: a.empty + self.slot_variance(coefficient, scale),
            inside: Inside::default(),
            ..a
        };
        // Copies of values into empty slots do not add to them; the errors of empty slots do.
        let copied = |sum: Estimate, term: Estimate| Estimate {
            mean: sum.mean,
            spread: sum.spread,
            variance: sum.variance.max(term.variance) + sum.empty.max(term.empty),
            empty: sum.empty + term.empty,
            inside: Inside::default(),
        };
        // A product with a plaintext, which may be a mask.
        let masked = |index: usize| {
            let (a, plain) = (of(index), of(index + 1));
            let product = times(a, plain);
            let mask = graph
                .defining_op(op.operands[index + 1])
                .map(|op| Contents::of(graph.op(op)));
            match mask {
                Some(Contents::Boxes { .. }) => Estimate {
                    empty: (a.mean_square() + a.empty) * plain.variance,
                    ..product
                },
                _ => Estimate {
                    empty: product.variance,
                    ..product
                },
            }
        };
        match op.opcode {
            CkksInput => {
                let port = op.int("port").unwrap_or(0) as usize;
                let (low, high) = self.input_ranges.get(port).copied().unwrap_or((-1.0, 1.0));
                noisier(
                    Estimate::exact(0.5 * (low + high), (high - low).powi(2) / 12.0),
                    self.fresh(),
                )
            }
            CkksEncode => {
                let (mean, spread) = match Contents::of(op) {
                    Contents::Boxes { value, .. } => (value, 0.0),
                    Contents::Slots(values) => moments(values.iter().filter(|value| **value != 0.0)),
                    Contents::Diagonal(diagonal) => (0.0, diagonal.mean_square()),
                };
                noisier(Estimate::exact(mean, spread), 1.0 / 12.0)
            }
            CkksAdd if op.flag("disjoint") => copied(of(1), of(0)),
            CkksAdd if op.operands[0] == op.operands[1] => {
                let a = of(0).sized(2.0);
                Estimate {
                    variance: 4.0 * a.variance,
                    empty: 4.0 * a.empty,
                    inside: Inside::default(),
                    ..a
                }
            }
            // A sum with the conjugate doubles the real part, a difference the imaginary one, and its error with it; the switch of
            // the conjugate adds its own.
            CkksAdd | CkksSub if is_conjugate(graph, op) => {
                let (a, conjugate) = (of(0), of(1));
                Estimate {
                    variance: 3.0 * a.variance + conjugate.variance,
                    empty: 3.0 * a.empty + conjugate.empty,
                    inside: Inside::default(),
                    ..a.sized(2.0)
                }
            }
            CkksAdd | CkksAddPlain => plus(of(0), of(1)),
            CkksSub => plus(of(0), of(1).sized(-1.0)),
            // Values that are imaginary have no mean among those that are real.
            CkksMulI => Estimate {
                inside: Inside::default(),
                ..of(0).turned()
            },
            CkksNeg => Estimate {
                inside: Inside::default(),
                ..of(0).sized(-1.0)
            },
            CkksAddScalar => {
                let (mean, spread) = moments(op.floats("values").iter());
                plus(of(0), Estimate::exact(mean, spread))
            }
            CkksMulScalar => {
                let (mean, spread) = moments(op.floats("values").iter());
                let own = op.float("scale").unwrap_or(1.0);
                // An exact integer is not rounded.
                let rounding = if own == 1.0 { 0.0 } else { 1.0 / (12.0 * own * own) };
                times(
                    of(0),
                    Estimate {
                        variance: rounding,
                        empty: rounding,
                        ..Estimate::exact(mean, spread)
                    },
                )
            }
            CkksMul => times(of(0), of(1)),
            CkksMulAcc => plus(of(0), times(of(1), of(2))),
            CkksMulPlain => masked(0),
            CkksMulPlainAcc => plus(of(0), masked(1)),
            CkksMulPlainSum => {
                let terms = op.operands.len() / 2;
                (0..terms)
                    .map(|term| times(of(term), of(terms + term)))
                    .reduce(plus)
                    .unwrap_or_default()
            }
            CkksSquare => {
                let a = of(0);
                let size = a.mean_square();
                // Both factors carry the same error: twice the value times it.
                let variance = 4.0 * size * a.variance + 2.0 * a.variance * a.variance;
                // The fourth moment of a normal value is three times its squared second.
                Estimate {
                    variance,
                    empty: variance,
                    ..Estimate::exact(size, 2.0 * size * size)
                }
            }
            CkksRescale => noisier(of(0), self.rounding()),
            CkksRelinearize | CkksSwitchSecret => noisier(of(0), self.key_switch(level) + self.rounding()),
            // One division by P·q: the key's error is divided by q as well.
            CkksRelinearizeRescale | CkksModDownRescale => noisier(of(0), self.rounding()),
            CkksRotate => noisier(of(0), self.key_switch(level) + self.rounding()),
            CkksModDown => noisier(of(0), self.rounding()),
            CkksRotateAcc | CkksLiftAcc => {
                let mut term = Estimate {
                    inside: Inside::default(),
                    ..of(0)
                };
                if op.opcode == CkksRotateAcc {
                    term = noisier(term, self.key_switch(level));
                }
                match op.operands.get(1) {
                    None => term,
                    Some(&sum) if op.flag("disjoint") => copied(known(sum), term),
                    Some(&sum) => plus(known(sum), term),
                }
            }
            _ => match op.operands.first() {
                Some(&operand) => Estimate {
                    inside: Inside::default(),
                    ..known(operand)
                },
                None => Estimate::default(),
            },
        }
    }
}
