//! Tensors that go on in a public number, and parts of tensors.

use super::super::axes::{Axis, long};
use super::{Known, Lowering, unsupported};
use crate::diagnostic::Diagnostic;
use crate::ir::OpData;

impl Lowering<'_> {
    /// `tensor.concat` of a tensor and a public number.
    pub(super) fn concat(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let number = self.public(op, 1).and_then(|public| public.splat());
        let (&[first, _], Some(number)) = (op.operands.as_slice(), number) else {
            return Err(unsupported(op, "`concat` of secret tensors"));
        };
        let (part, whole) = (self.axis(op, first)?, self.axis(op, op.results[0])?);
        let (coefficient, atom) = self.factor(first, None)?;
        if atom.lanes[self.packer.axes.place[part]].axis() != Some(part) {
            return Err(unsupported(
                op,
                "`concat` of a tensor that is the same along the axis",
            ));
        }
        let atom = self.packer.continued(&atom, part, whole, number / coefficient);
        self.set_atom(op, coefficient, atom);
        Ok(())
    }

    /// `tensor.slice`.
    pub(super) fn slice(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let (whole, part) = (self.axis(op, op.operands[0])?, self.axis(op, op.results[0])?);
        let start = op.int("start").unwrap_or(0) as u32;
        let (coefficient, atom) = self.materialise(op.operands[0])?;
        let atom = self.atoms[atom].clone();
        let atom = self.packer.part(&atom, whole, part, start);
        let atom = atom.ok_or_else(|| unsupported(op, "`slice` from the middle of an axis"))?;
        self.set_atom(op, coefficient, atom);
        Ok(())
    }

    /// `tensor.reshape` that adds or takes away dimensions of extent one: they do not show in the slots.
    pub(super) fn reshape(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let extents = |value| long(self.graph, value).into_iter().map(|(_, extent)| extent);
        if !extents(op.operands[0]).eq(extents(op.results[0])) {
            return Err(unsupported(op, "another shape of a secret tensor"));
        }
        let mut form = self.form(op, 0)?;
        if let Some(constant) = &mut form.constant {
            constant.shape = self.tensor_type(op.results[0]).shape;
        }
        self.set(op, Known::Secret(form));
        Ok(())
    }

    /// The axis of a tensor that an operation names.
    fn axis(&self, op: &OpData, tensor: crate::ir::Value) -> Result<Axis, Diagnostic> {
        let axis = op.int("axis").and_then(|axis| usize::try_from(axis).ok());
        let axis = axis.and_then(|axis| self.dims(tensor).get(axis).copied());
        axis.ok_or_else(|| unsupported(op, "a dimension that is not there"))
    }
}
