//! Rotations and their sums.

use super::Lowering;
use crate::ir::{Attribute, Attributes, Basis, Builder, CipherType, Opcode, Type, Value};

impl Lowering<'_> {
    /// Sum of rotations of a ciphertext; from two amounts on they share one decomposition and one mod-down.
    pub(super) fn rotations(&mut self, x: Value, by: &[i64], disjoint: bool) -> Value {
        let ty = self.cipher(x);
        let turning: Vec<i64> = by.iter().copied().filter(|&by| by != 0).collect();
        let resting = by.len() - turning.len();
        let noted = |mut attributes: Attributes| {
            attributes.extend(disjoint.then(|| ("disjoint", Attribute::from(true))));
            attributes
        };
        match turning.as_slice() {
            [] => self.mul_scalar(x, vec![resting as f64], 1.0),
            &[by] => {
                let by = Builder::attributes([("by", Attribute::Int(by))]);
                let mut sum = self.same(Opcode::CkksRotate, &[x], noted(by));
                for _ in 0..resting {
                    sum = self.same(Opcode::CkksAdd, &[sum, x], noted(Attributes::new()));
                }
                sum
            }
            _ => {
                let digits = match self.digits.get(&x) {
                    Some(&digits) => digits,
                    None => {
                        let digits = self.decompose(x);
                        self.digits.insert(x, digits);
                        digits
                    }
                };
                let raised = CipherType {
                    basis: Basis::Qp,
                    ..ty.clone()
                };
                let mut sum: Option<Value> = None;
                for &by in &turning {
                    let attributes = noted(Builder::attributes([("by", Attribute::Int(by))]));
                    sum = Some(self.rotate_acc(digits, attributes, sum, &raised));
                }
                for _ in 0..resting {
                    let operands: Vec<Value> = [x].into_iter().chain(sum).collect();
                    let raised = Type::Cipher(raised.clone());
                    let attributes = noted(Attributes::new());
                    sum = Some(self.push(Opcode::CkksLiftAcc, &operands, attributes, raised));
                }
                let operands: Vec<Value> = sum.into_iter().collect();
                self.push(
                    Opcode::CkksModDown,
                    &operands,
                    Attributes::new(),
                    Type::Cipher(ty),
                )
            }
        }
    }

    /// The digits of a ciphertext.
    pub(super) fn decompose(&mut self, x: Value) -> Value {
        let CipherType { level, scale, .. } = self.cipher(x);
        let digits = Type::Digits { level, scale };
        self.push(Opcode::CkksDecompose, &[x], Attributes::new(), digits)
    }

    /// A rotation of decomposed digits, in basis qp, alone or added to a sum.
    pub(super) fn rotate_acc(
        &mut self,
        digits: Value,
        attributes: Attributes,
        sum: Option<Value>,
        ty: &CipherType,
    ) -> Value {
        let operands: Vec<Value> = [digits].into_iter().chain(sum).collect();
        self.push(
            Opcode::CkksRotateAcc,
            &operands,
            attributes,
            Type::Cipher(ty.clone()),
        )
    }
}
