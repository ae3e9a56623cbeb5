//! Public scalars: how they move through sums and products.

use super::{Fold, Place};
use crate::ir::{Attribute, Attributes, Opcode, Secrecy, TensorType, Value};

use Opcode::{TensorAdd, TensorConstant, TensorMul, TensorNeg, TensorPoly, TensorPolynomial, TensorSub};

impl Fold<'_> {
    /// s and u of s·u with a public scalar s; a negation counts as −1·u.
    pub(super) fn scaled(&self, value: Value) -> Option<(f64, Value)> {
        let op = self.op_of(value)?;
        match (op.opcode, op.operands.as_slice()) {
            (TensorNeg, &[u]) => Some((-1.0, u)),
            (TensorMul, &[u, s]) if self.shape(u) == self.shape(value) => Some((self.splat(s)?, u)),
            _ => None,
        }
    }

    /// s·u through the rules.
    pub(super) fn times(&mut self, place: Place, u: Value, s: f64) -> Value {
        let s = self.scalar(place, s);
        self.binary(place, TensorMul, u, s)
    }

    /// Whether a scalar in front costs nothing: each term of the value takes it up.
    pub(super) fn absorbs(&self, value: Value) -> bool {
        let Some(op) = self.op_of(value) else { return false };
        match op.opcode {
            TensorConstant | TensorNeg => true,
            TensorMul => self.scaled(value).is_some(),
            TensorPolynomial | TensorPoly => self.is_single_use(value),
            TensorAdd | TensorSub => {
                self.is_single_use(value) && op.operands.iter().all(|&operand| self.absorbs(operand))
            }
            _ => false,
        }
    }

    /// Whether a scalar in front of the value can be taken up by terms so that the depth is at most `limit`.
    pub(super) fn can_distribute(&self, value: Value, limit: u32) -> bool {
        if self.is_constant(value) || self.depth(value) < limit {
            return true;
        }
        let Some(op) = self.op_of(value) else { return false };
        match op.opcode {
            TensorNeg | TensorMul => self.scaled(value).is_some_and(|(_, u)| self.depth(u) < limit),
            TensorAdd | TensorSub => op
                .operands
                .iter()
                .all(|&operand| self.can_distribute(operand, limit)),
            _ => false,
        }
    }

    /// s·value, the scalar taken up by the terms of sums; those shallower than `limit` are left whole.
    pub(super) fn distribute(&mut self, place: Place, value: Value, s: f64, limit: u32) -> Value {
        let op = self
            .op_of(value)
            .map(|op| (op.opcode, op.operands.clone(), op.attributes.clone()));
        match op {
            Some((opcode @ (TensorAdd | TensorSub), operands, _))
                if limit == 0 || self.depth(value) >= limit =>
            {
                let a = self.distribute(place, operands[0], s, limit);
                let b = self.distribute(place, operands[1], s, limit);
                self.binary(place, opcode, a, b)
            }
            Some((TensorPolynomial | TensorPoly, operands, mut attributes)) if limit == 0 => {
                if let Some(Attribute::Floats(coefficients)) = attributes.get_mut("coefficients") {
                    *coefficients = coefficients.iter().map(|coefficient| coefficient * s).collect();
                }
                if let Some(Attribute::Float(error)) = attributes.get_mut("error") {
                    *error *= s.abs();
                }
                let opcode = if attributes.contains_key("basis") {
                    TensorPolynomial
                } else {
                    TensorPoly
                };
                self.inferred(place, opcode, &operands, &attributes)
            }
            // A plain product: its own place is not asked again whether it should be distributed.
            _ => self.times(
                Place {
                    critical: false,
                    ..place
                },
                value,
                s,
            ),
        }
    }

    /// A product of two values that are not constant: a scalar of either side goes to the front where that costs no
    /// level, a sign always.
    pub(super) fn product(
        &mut self,
        place: Place,
        opcode: Opcode,
        a: Value,
        b: Value,
        shape: &[u32],
    ) -> Option<Value> {
        for (side, other) in [(0, b), (1, a)] {
            let value = [a, b][side];
            let Some((s, u)) = self.scaled(value) else {
                continue;
            };
            if s == -1.0 || self.depth(u) >= self.depth(other) {
                let operands = if side == 0 { [u, other] } else { [other, u] };
                let ty = TensorType {
                    shape: shape.to_vec(),
                    secrecy: Secrecy::Secret,
                    range: None,
                };
                let product = self.make(place, opcode, &operands, &Attributes::new(), &ty);
                return Some(self.times(place, product, s));
            }
        }
        None
    }
}
