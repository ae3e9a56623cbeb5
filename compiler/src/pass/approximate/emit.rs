//! Composite functions as operations of the tensor dialect.

use crate::approx::Polynomial;
use crate::approx::algebra::Algebra;
use crate::dialect::tensor::joint_shape;
use crate::ir::{Attribute, Attributes, Builder, Opcode, Type, Value};

/// Writes operations where the builder stands. Numbers for each row have the shape of a tensor without its last axis.
pub struct Emitter<'b> {
    pub builder: Builder<'b>,
}

impl Emitter<'_> {
    fn last_axis(&self, x: Value) -> u32 {
        (self.builder.shape(x).len() as u32).saturating_sub(1)
    }

    /// Both operands, numbers for each row repeated along the rows of the other operand.
    fn aligned(&mut self, a: Value, b: Value) -> [Value; 2] {
        let (of_a, of_b) = (self.builder.shape(a), self.builder.shape(b));
        let is_row_of =
            |rows: &[u32], whole: &[u32]| whole.split_last().is_some_and(|(_, rest)| rest == rows);
        let repeated = |emitter: &mut Self, rows: Value, shape: &[u32]| {
            let axes: Vec<u32> = (0..shape.len() as u32 - 1).collect();
            emitter.builder.broadcast(rows, shape, &axes)
        };
        if is_row_of(&of_b, &of_a) && !of_b.is_empty() {
            [a, repeated(self, b, &of_a)]
        } else if is_row_of(&of_a, &of_b) && !of_a.is_empty() {
            [repeated(self, a, &of_b), b]
        } else {
            debug_assert!(joint_shape(&of_a, &of_b).is_ok());
            [a, b]
        }
    }

    fn binary(&mut self, opcode: Opcode, a: Value, b: Value) -> Value {
        let operands = self.aligned(a, b);
        self.builder.tensor(opcode, &operands, Attributes::new())
    }
}

impl Algebra for Emitter<'_> {
    type Value = Value;

    fn polynomial(&mut self, x: &Value, p: &Polynomial, name: &str) -> Value {
        let mut attributes = p.attributes(0.0);
        attributes.insert("function", name.into());
        self.builder.tensor(Opcode::TensorPolynomial, &[*x], attributes)
    }

    fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.binary(Opcode::TensorAdd, *a, *b)
    }

    fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.binary(Opcode::TensorSub, *a, *b)
    }

    fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.binary(Opcode::TensorMul, *a, *b)
    }

    fn scaled(&mut self, x: &Value, factor: f64) -> Value {
        if factor == 1.0 {
            return *x;
        }
        let factor = self.builder.scalar(factor);
        self.builder.mul(*x, factor)
    }

    fn shifted(&mut self, x: &Value, by: f64) -> Value {
        if by == 0.0 {
            return *x;
        }
        let by = self.builder.scalar(by);
        self.builder.add(*x, by)
    }

    fn row_sum(&mut self, x: &Value) -> Value {
        let axis = self.last_axis(*x);
        self.builder.sum(*x, &[axis])
    }

    fn rolled(&mut self, x: &Value, by: u32) -> Value {
        let attributes = Builder::attributes([("axis", self.last_axis(*x).into()), ("by", by.into())]);
        self.builder.tensor(Opcode::TensorRoll, &[*x], attributes)
    }

    fn within(&mut self, x: &Value, low: f64, high: f64) {
        if let Type::Tensor(tensor) = self.builder.graph.ty(*x).clone() {
            let ty = Type::tensor(tensor.shape, tensor.secrecy, Some((low, high)));
            self.builder.graph.set_type(*x, ty);
        }
    }

    fn stage(&mut self, argument: &Value, beside: &[&Value], images: &[&Value], slope: f64) {
        let function = i64::from(argument.0);
        let mut note = |value: Value, name: &str, note: Attribute| {
            if let Some(op) = self.builder.graph.defining_op(value) {
                let attributes = &mut self.builder.graph.op_mut(op).attributes;
                attributes.insert(name.to_owned(), note);
            }
        };
        note(*argument, "argument", function.into());
        for beside in beside {
            note(**beside, "beside", function.into());
        }
        for image in images {
            note(**image, "image", function.into());
            note(**image, "slope", slope.into());
        }
    }
}
