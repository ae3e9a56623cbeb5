//! Constructors of tensor operations.

use super::tensor::{Elements, infer};
use crate::ir::{Attribute, Attributes, Builder, Opcode, Secrecy, TensorType, Type, Value};

fn ints(values: &[u32]) -> Attribute {
    Attribute::Ints(values.iter().map(|&value| i64::from(value)).collect())
}

/// Constructors of tensor operations; the type of the result is inferred.
///
/// They panic when operands do not fit: passes call them on what is already checked. The frontend checks with
/// [`Builder::try_tensor`].
impl Builder<'_> {
    /// Any operation whose type can be inferred.
    pub fn try_tensor(
        &mut self,
        opcode: Opcode,
        operands: &[Value],
        attributes: Attributes,
    ) -> Result<Value, String> {
        let types: Option<Vec<&TensorType>> = operands
            .iter()
            .map(|&operand| self.graph.ty(operand).as_tensor())
            .collect();
        let types = types.ok_or_else(|| "operands must be tensors".to_owned())?;
        let ty = infer(opcode, &attributes, &types)?;
        Ok(self.value(opcode, operands, attributes, Type::Tensor(ty)))
    }

    /// Any operation whose type can be inferred, on operands known to fit.
    pub fn tensor(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes) -> Value {
        match self.try_tensor(opcode, operands, attributes) {
            Ok(value) => value,
            Err(message) => unreachable!("{}: {message}", opcode.name()),
        }
    }

    /// Shape of a tensor value.
    pub fn shape(&self, value: Value) -> Vec<u32> {
        self.graph
            .ty(value)
            .as_tensor()
            .map(|tensor| tensor.shape.clone())
            .unwrap_or_default()
    }

    /// A public constant.
    pub fn constant(&mut self, shape: &[u32], elements: Elements) -> Value {
        let attributes = match elements {
            Elements::Splat(value) => Self::attributes([("value", value.into())]),
            Elements::Each(values) => Self::attributes([("values", values.into())]),
            Elements::Steps(values) => Self::attributes([("steps", values.into())]),
        };
        self.value(
            Opcode::TensorConstant,
            &[],
            attributes,
            Type::tensor(shape, Secrecy::Public, None),
        )
    }

    /// A public scalar.
    pub fn scalar(&mut self, value: f64) -> Value {
        self.constant(&[], Elements::Splat(value))
    }

    /// a + b.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.tensor(Opcode::TensorAdd, &[a, b], Attributes::new())
    }

    /// a − b.
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.tensor(Opcode::TensorSub, &[a, b], Attributes::new())
    }

    /// a·b, element by element.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.tensor(Opcode::TensorMul, &[a, b], Attributes::new())
    }

    /// −a.
    pub fn neg(&mut self, a: Value) -> Value {
        self.tensor(Opcode::TensorNeg, &[a], Attributes::new())
    }

    /// Matrix product.
    pub fn matmul(&mut self, a: Value, b: Value) -> Value {
        self.tensor(Opcode::TensorMatmul, &[a, b], Attributes::new())
    }

    /// Dimensions in reverse order.
    pub fn transpose(&mut self, a: Value) -> Value {
        self.tensor(Opcode::TensorTranspose, &[a], Attributes::new())
    }

    /// Sum over axes; nothing is added where there are none.
    pub fn sum(&mut self, a: Value, axes: &[u32]) -> Value {
        if axes.is_empty() {
            return a;
        }
        self.tensor(Opcode::TensorSum, &[a], Self::attributes([("axes", ints(axes))]))
    }

    /// Repeats `a` so that its dimension i becomes dimension `axes[i]` of `shape`.
    pub fn broadcast(&mut self, a: Value, shape: &[u32], axes: &[u32]) -> Value {
        if self.shape(a) == shape {
            return a;
        }
        let attributes = Self::attributes([("axes", ints(axes)), ("shape", ints(shape))]);
        self.tensor(Opcode::TensorBroadcast, &[a], attributes)
    }

    /// Repeats `a` along leading dimensions.
    pub fn broadcast_tail(&mut self, a: Value, shape: &[u32]) -> Value {
        let rank = self.shape(a).len();
        let axes: Vec<u32> = (shape.len() - rank..shape.len())
            .map(|axis| axis as u32)
            .collect();
        self.broadcast(a, shape, &axes)
    }

    /// The same elements in another shape.
    pub fn reshape(&mut self, a: Value, shape: &[u32]) -> Value {
        self.tensor(
            Opcode::TensorReshape,
            &[a],
            Self::attributes([("shape", ints(shape))]),
        )
    }

    /// `start ≤ i < end` of one axis.
    pub fn slice(&mut self, a: Value, axis: u32, start: u32, end: u32) -> Value {
        let attributes = Self::attributes([
            ("axis", axis.into()),
            ("start", start.into()),
            ("end", end.into()),
        ]);
        self.tensor(Opcode::TensorSlice, &[a], attributes)
    }
}
