//! Sums of rotations.

use super::Lowering;
use crate::ir::{Attribute, Attributes, Basis, Builder, CipherType, Opcode, Type, Value};

impl Lowering<'_> {
    /// Sum of rotations of a ciphertext; from two amounts on they share one decomposition and one mod-down.
    pub(super) fn rotations(&mut self, x: Value, by: &[i64], disjoint: bool) -> Value {
        let ty = self.cipher(x);
        let by_attribute = |by: i64| {
            let mut attributes = Builder::attributes([("by", Attribute::Int(by))]);
            if disjoint {
                attributes.insert("disjoint".to_owned(), true.into());
            }
            attributes
        };
        let turning: Vec<i64> = by.iter().copied().filter(|&by| by != 0).collect();
        let resting = by.len() - turning.len();
        let mut sum = match turning.as_slice() {
            [] => return self.mul_scalar(x, vec![resting as f64], 1.0),
            &[by] => self.same(Opcode::CkksRotate, &[x], by_attribute(by)),
            _ => {
                let digits = match self.digits.get(&x) {
                    Some(&digits) => digits,
                    None => {
                        let ty = Type::Digits {
                            level: ty.level,
                            scale: ty.scale,
                        };
                        let digits = self.push(Opcode::CkksDecompose, &[x], Attributes::new(), ty);
                        self.digits.insert(x, digits);
                        digits
                    }
                };
                let raised = Type::Cipher(CipherType {
                    basis: Basis::Qp,
                    ..ty.clone()
                });
                let mut sum: Option<Value> = None;
                for &by in &turning {
                    let operands: Vec<Value> = [digits].into_iter().chain(sum).collect();
                    sum = Some(self.push(Opcode::CkksRotateAcc, &operands, by_attribute(by), raised.clone()));
                }
                for _ in 0..resting {
                    let operands: Vec<Value> = [x].into_iter().chain(sum).collect();
                    let attributes = if disjoint {
                        Builder::attributes([("disjoint", true.into())])
                    } else {
                        Attributes::new()
                    };
                    sum = Some(self.push(Opcode::CkksLiftAcc, &operands, attributes, raised.clone()));
                }
                let operands: Vec<Value> = sum.into_iter().collect();
                return self.push(
                    Opcode::CkksModDown,
                    &operands,
                    Attributes::new(),
                    Type::Cipher(ty),
                );
            }
        };
        for _ in 0..resting {
            let attributes = if disjoint {
                Builder::attributes([("disjoint", true.into())])
            } else {
                Attributes::new()
            };
            sum = self.same(Opcode::CkksAdd, &[sum, x], attributes);
        }
        sum
    }
}
