//! Largest absolute values of packed vectors.
//!
//! What layout has noted (`bound`) and the ranges of ports are taken at their word; in between, bounds follow from the
//! operations. Both speak of the slots that hold elements: what stands beside them is masked away before it matters.

use crate::dialect::slot::Contents;
use crate::ir::{Graph, OpData, Opcode, Value};

/// Bound of every vector, by index, where there is one; `ports` holds those of the ports.
pub fn derive(graph: &Graph, ports: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut bounds = vec![None; graph.value_count()];
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        let port = op
            .int("port")
            .and_then(|port| ports.get(port as usize).copied())
            .flatten();
        if let &[result] = op.results.as_slice() {
            let derived = transfer(op, port, |value: Value| bounds[value.index()]);
            bounds[result.index()] = lesser(derived, op.float("bound")).filter(|bound| bound.is_finite());
        } else if op.opcode == Opcode::SlotOutput && op.flag("state") {
            // What a state declares, it promises of everything that is written to it.
            let written = &mut bounds[op.operands[0].index()];
            *written = lesser(*written, port);
        }
    }
    bounds
}

fn lesser(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::min)
}

fn transfer(op: &OpData, port: Option<f64>, of: impl Fn(Value) -> Option<f64>) -> Option<f64> {
    use Opcode::*;
    let operand = |index: usize| of(*op.operands.get(index)?);
    let largest = |values: &[f64]| values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    match op.opcode {
        SlotInput => port,
        SlotConstant => match Contents::of(op) {
            Contents::Boxes { value, .. } => Some(value.abs()),
            Contents::Slots(values) => Some(largest(&values)),
            Contents::Diagonal(_) => None,
        },
        SlotAdd | SlotSub | SlotAddPlain => Some(operand(0)? + operand(1)?),
        SlotMul | SlotMulPlain => Some(operand(0)? * operand(1)?),
        SlotMulScalar => Some(operand(0)? * largest(op.floats("values"))),
        SlotAddScalar => Some(operand(0)? + largest(op.floats("values"))),
        SlotNeg | SlotRotate | SlotConjugate | SlotMulI => operand(0),
        SlotBootstrap => operand(usize::from(op.flag("second"))),
        SlotSumRotations if op.flag("disjoint") => operand(0),
        SlotSumRotations => Some(operand(0)? * op.ints("by").len() as f64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::slot::Vectors;

    #[test]
    fn bounds_follow_operations_and_notes() {
        let mut vectors = Vectors::new("bounds", 4);
        let x = vectors.input(0, 0, None);
        let y = vectors.input(1, 0, None);
        let z = vectors.mul(x, x);
        let sum = vectors.sum_rotations(z, vec![0, 1], false);
        let half = vectors.mul_scalar(sum, -0.5);
        let noted = vectors.add(half, y);
        vectors.note_bound(noted, 2.0);
        let next = vectors.add(half, noted);
        vectors.store(2, 0, next);
        let bounds = derive(&vectors.graph, &[Some(3.0), None, Some(5.0)]);
        let of = |value: Value| bounds[value.index()];
        assert_eq!((of(z), of(sum), of(half)), (Some(9.0), Some(18.0), Some(9.0)));
        assert_eq!((of(y), of(noted), of(next)), (None, Some(2.0), Some(5.0)));
    }
}
