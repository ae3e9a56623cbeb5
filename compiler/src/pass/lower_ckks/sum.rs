//! Sums of products: relinearised and rescaled once for all their terms.

use super::Lowering;
use crate::dialect::slot::takes_level;
use crate::ir::{Attributes, Basis, Builder, CipherType, OpData, Opcode, Type, Value};

/// A sum, taken apart. Signs are −1 or 1.
#[derive(Default)]
pub(super) struct Sum {
    products: Vec<(f64, Value, Value)>,
    plain_products: Vec<(f64, Value, Value)>,
    scalar_products: Vec<(Vec<f64>, Value)>,
    terms: Vec<(f64, Value)>,
    /// One number, or one for each step; none for zero.
    scalars: Vec<f64>,
    plains: Vec<(f64, Value)>,
}

/// `sum` plus or minus `terms`, each one number or one for each step.
fn added(sum: &[f64], sign: f64, terms: &[f64]) -> Vec<f64> {
    let at = |numbers: &[f64], step: usize| match numbers {
        [] => 0.0,
        [number] => *number,
        numbers => numbers[step],
    };
    (0..sum.len().max(terms.len()))
        .map(|step| at(sum, step) + sign * at(terms, step))
        .collect()
}

impl Lowering<'_> {
    /// Whether the operation can be a part of a larger sum.
    fn is_part(op: &OpData) -> bool {
        use Opcode::*;
        matches!(
            op.opcode,
            SlotAdd | SlotSub | SlotNeg | SlotAddScalar | SlotAddPlain
        ) || takes_level(op)
    }

    /// Values that are used once, in a sum of their own level: they are made as a part of it.
    pub(super) fn absorbed(&self) -> Vec<bool> {
        use Opcode::*;
        let mut absorbed = vec![false; self.old.value_count()];
        for op in self.old.walk() {
            let op = self.old.op(op);
            if !matches!(
                op.opcode,
                SlotAdd | SlotSub | SlotNeg | SlotAddScalar | SlotAddPlain
            ) {
                continue;
            }
            for &operand in &op.operands {
                // The ends of a function and of a bootstrap stay visible, for the noise analysis.
                let is_end = |op: &OpData| {
                    ["argument", "beside", "image", "refreshed"]
                        .iter()
                        .any(|end| op.attributes.contains_key(end))
                };
                let part = self
                    .definition(operand)
                    .is_some_and(|(_, op)| Self::is_part(op) && !is_end(op));
                let alone = self.uses[operand.index()] == 1;
                absorbed[operand.index()] = part && alone && self.level(operand) == self.level(op.results[0]);
            }
        }
        absorbed
    }

    pub(super) fn take_apart(&self, root: Value, absorbed: &[bool]) -> Sum {
        use Opcode::*;
        let mut sum = Sum::default();
        let mut stack = vec![(1.0, root)];
        while let Some((sign, value)) = stack.pop() {
            let part = self
                .definition(value)
                .filter(|_| value == root || absorbed[value.index()]);
            let Some((_, op)) = part else {
                sum.terms.push((sign, value));
                continue;
            };
            let (a, b) = (
                op.operands[0],
                op.operands.get(1).copied().unwrap_or(op.operands[0]),
            );
            match op.opcode {
                SlotAdd => stack.extend([(sign, b), (sign, a)]),
                SlotSub => stack.extend([(-sign, b), (sign, a)]),
                SlotNeg => stack.push((-sign, a)),
                SlotAddScalar => {
                    sum.scalars = added(&sum.scalars, sign, op.floats("values"));
                    stack.push((sign, a));
                }
                SlotAddPlain => {
                    sum.plains.push((sign, b));
                    stack.push((sign, a));
                }
                SlotMul => sum.products.push((sign, a, b)),
                SlotMulPlain => sum.plain_products.push((sign, a, b)),
                _ => sum
                    .scalar_products
                    .push((added(&[], sign, op.floats("values")), a)),
            }
        }
        sum
    }

    /// Makes a sum at a level.
    pub(super) fn sum(&mut self, sum: Sum, level: u32) -> Value {
        let products = self.products(&sum.products, level + 1);
        let raw_scale = self.chain.scale(level + 1).powi(2);
        let joins = |value: Value| {
            let high = if self.is_input(value) {
                self.input_level(value)
            } else {
                self.level(value)
            };
            high > level && !self.adjusted.contains_key(&(value, level))
        };
        // Where a rescale comes anyway, a value that lies too high joins it.
        let rescales =
            products.is_some() || !sum.plain_products.is_empty() || !sum.scalar_products.is_empty();
        let (joining, mut terms): (Vec<_>, Vec<_>) = sum
            .terms
            .into_iter()
            .partition(|&(_, value)| rescales && joins(value));
        let joining = joining.into_iter().map(|(sign, value)| (vec![sign], value));
        let scalar_products: Vec<(Vec<f64>, Value)> =
            sum.scalar_products.into_iter().chain(joining).collect();
        // Products alone are relinearised and rescaled in one division.
        let alone = sum.plain_products.is_empty() && scalar_products.is_empty();
        let mut rescaled = None;
        let mut raw = None;
        match products {
            Some(products) if alone => rescaled = Some(self.relinearize_rescale(products)),
            Some(products) => raw = Some(self.relinearize(products)),
            None => {}
        }
        for &(sign, a, constant) in &sum.plain_products {
            let a = self.loose(a, level + 1);
            let plain = self.encode(constant, sign, level + 1, raw_scale / self.cipher(a).scale);
            raw = Some(match raw {
                Some(raw) => self.same(Opcode::CkksMulPlainAcc, &[raw, a, plain], Attributes::new()),
                None => {
                    let ty = Type::cipher(level + 1, raw_scale);
                    self.push(Opcode::CkksMulPlain, &[a, plain], Attributes::new(), ty)
                }
            });
        }
        for (factors, a) in scalar_products {
            let a = self.loose(a, level + 1);
            let scale = raw_scale / self.cipher(a).scale;
            let term = self.mul_scalar(a, factors, scale);
            raw = Some(match raw {
                Some(raw) => self.same(Opcode::CkksAdd, &[raw, term], Attributes::new()),
                None => term,
            });
        }
        let mut total = rescaled.or_else(|| raw.map(|raw| self.rescale(raw)));
        terms.sort_by_key(|&(sign, _)| sign < 0.0);
        for (sign, value) in terms {
            let value = self.at(value, level);
            total = Some(match (total, sign < 0.0) {
                (Some(total), false) => self.same(Opcode::CkksAdd, &[total, value], Attributes::new()),
                (Some(total), true) => self.same(Opcode::CkksSub, &[total, value], Attributes::new()),
                (None, false) => value,
                (None, true) => self.same(Opcode::CkksNeg, &[value], Attributes::new()),
            });
        }
        let Some(mut total) = total else {
            unreachable!("a sum has a term")
        };
        if sum.scalars.iter().any(|&scalar| scalar != 0.0) {
            let attributes = Builder::attributes([("values", sum.scalars.into())]);
            total = self.same(Opcode::CkksAddScalar, &[total], attributes);
        }
        for (sign, constant) in sum.plains {
            let plain = self.encode(constant, sign, level, self.chain.scale(level));
            total = self.same(Opcode::CkksAddPlain, &[total, plain], Attributes::new());
        }
        total
    }

    /// Σ ±a·b at a level, of degree 2.
    fn products(&mut self, products: &[(f64, Value, Value)], level: u32) -> Option<Value> {
        let mut sides = [None, None];
        for &(sign, a, b) in products {
            let (a, b) = (self.at(a, level), self.at(b, level));
            let scale = self.cipher(a).scale * self.cipher(b).scale;
            let ty = Type::Cipher(CipherType {
                level,
                scale,
                degree: 2,
                basis: Basis::Q,
            });
            let side = &mut sides[usize::from(sign < 0.0)];
            let (opcode, operands) = match *side {
                Some(sum) => (Opcode::CkksMulAcc, vec![sum, a, b]),
                None if a == b => (Opcode::CkksSquare, vec![a]),
                None => (Opcode::CkksMul, vec![a, b]),
            };
            *side = Some(
                Builder {
                    block: self.new.body(),
                    graph: &mut self.new,
                    span: self.span,
                }
                .value(opcode, &operands, Attributes::new(), ty),
            );
        }
        let sum = match sides {
            [None, None] => return None,
            [Some(plus), None] => plus,
            [Some(plus), Some(minus)] => self.same(Opcode::CkksSub, &[plus, minus], Attributes::new()),
            [None, Some(minus)] => self.same(Opcode::CkksNeg, &[minus], Attributes::new()),
        };
        Some(sum)
    }

    fn relinearize(&mut self, sum: Value) -> Value {
        let ty = CipherType {
            degree: 1,
            ..self.cipher(sum)
        };
        self.push(
            Opcode::CkksRelinearize,
            &[sum],
            Attributes::new(),
            Type::Cipher(ty),
        )
    }

    fn relinearize_rescale(&mut self, sum: Value) -> Value {
        let lower = Type::Cipher(CipherType {
            degree: 1,
            ..self.rescaled(sum)
        });
        self.push(Opcode::CkksRelinearizeRescale, &[sum], Attributes::new(), lower)
    }
}
