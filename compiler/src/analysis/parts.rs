//! Which vectors are real: two inputs may share one as real and imaginary part, and only real ones can be bootstrapped or written.

use crate::ir::{Graph, OpData, Opcode, Value};

/// Where the slots of a vector lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// On the real line.
    #[default]
    Real,
    /// On the imaginary line.
    Imaginary,
    /// Anywhere.
    Both,
}

impl Part {
    fn plus(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }

    fn times(self, other: Self) -> Self {
        match (self, other) {
            (Self::Both, _) | (_, Self::Both) => Self::Both,
            (a, b) if a == b => Self::Real,
            _ => Self::Imaginary,
        }
    }
}

/// The part of every vector, by index; `complex` says which ports hold both.
pub fn derive(graph: &Graph, complex: &[bool]) -> Vec<Part> {
    let mut parts = vec![Part::Real; graph.value_count()];
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        if let &[result] = op.results.as_slice() {
            parts[result.index()] = transfer(graph, op, complex, |value| parts[value.index()]);
        }
    }
    parts
}

fn transfer(graph: &Graph, op: &OpData, complex: &[bool], of: impl Fn(Value) -> Part) -> Part {
    use Opcode::*;
    let operands = || op.operands.iter().map(|&operand| of(operand));
    match op.opcode {
        SlotInput => match op.int("port").and_then(|port| complex.get(port as usize)) {
            Some(true) => Part::Both,
            _ => Part::Real,
        },
        SlotAdd if is_conjugate(graph, op) => Part::Real,
        SlotSub if is_conjugate(graph, op) => Part::Imaginary,
        SlotMulI => operands().fold(Part::Imaginary, Part::times),
        SlotMul | SlotMulPlain => operands().fold(Part::Real, Part::times),
        SlotAddScalar => operands().fold(Part::Real, Part::plus),
        SlotBootstrap => Part::Real,
        _ => operands().reduce(Part::plus).unwrap_or_default(),
    }
}

/// Whether the second operand is the conjugate of the first.
fn is_conjugate(graph: &Graph, op: &OpData) -> bool {
    let second = op.operands.get(1).and_then(|&value| graph.defining_op(value));
    second.map(|op| graph.op(op)).is_some_and(|second| {
        second.opcode == Opcode::SlotConjugate && second.operands.first() == op.operands.first()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::slot::Vectors;

    #[test]
    fn a_sum_with_the_conjugate_is_real() {
        let mut vectors = Vectors::new("parts", 4);
        let x = vectors.input(0, 0, None);
        let z = vectors.input(1, 0, None);
        let product = vectors.mul(z, x);
        let conjugate = vectors.conjugate(product);
        let real = vectors.add(product, conjugate);
        let difference = vectors.sub(product, conjugate);
        let imaginary = vectors.mul_i(difference, -1);
        let turned = vectors.mul_i(x, 1);
        let paired = vectors.sub(x, turned);
        let shifted = vectors.add_scalar(turned, 1.0);
        let parts = derive(&vectors.graph, &[false, true]);
        let of = |value: Value| parts[value.index()];
        assert_eq!([x, real, imaginary].map(of), [Part::Real; 3]);
        assert_eq!([difference, turned].map(of), [Part::Imaginary; 2]);
        assert_eq!([z, product, conjugate, paired, shifted].map(of), [Part::Both; 5]);
    }
}
