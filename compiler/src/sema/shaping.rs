//! Functions that sum, move or combine elements.

use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Attributes, Builder, Opcode, TensorType, Value};
use crate::source::Span;
use crate::syntax::ast::{Expression, ExpressionKind};

use super::call::Call;
use super::checker::{Checked, Checker, Operand, Reported};
use super::expression::integers;
use super::shape;

impl<'a> Checker<'a> {
    /// The first argument as a tensor, its type and its place.
    fn subject(&mut self, call: &Call<'a>) -> Checked<(Value, TensorType, Span)> {
        self.tensor_argument(call.positional[0])
    }

    fn tensor_argument(&mut self, expression: &'a Expression) -> Checked<(Value, TensorType, Span)> {
        let operand = self.expression(expression)?;
        let value = self.tensor(operand, expression.span)?;
        Ok((value, self.ty(value), expression.span))
    }

    /// An axis of a tensor of `rank` dimensions; negative ones count from the end.
    fn axis(&mut self, expression: &'a Expression, rank: usize) -> Checked<usize> {
        let axis = self.integer(expression, "an axis")?;
        let counted = if axis < 0 { axis + rank as i64 } else { axis };
        if (0..rank as i64).contains(&counted) {
            return Ok(counted as usize);
        }
        let valid = match rank {
            0 => "a scalar has no axis".to_owned(),
            1 => "a vector has axis 0 only".to_owned(),
            _ => format!("the axes are 0 to {}, or -1 for the last", rank - 1),
        };
        Err(self.report(
            Diagnostic::new(Code::Shape, format!("there is no axis {axis}"))
                .label(expression.span, "out of bounds")
                .note(valid),
        ))
    }

    fn optional_axis(&mut self, call: &Call<'a>, rank: usize) -> Checked<usize> {
        call.named("axis")
            .map_or(Ok(0), |expression| self.axis(expression, rank))
    }

    /// One axis, or a list of different ones.
    fn axes(&mut self, expression: &'a Expression, rank: usize) -> Checked<Vec<usize>> {
        let items: Vec<&Expression> = match &expression.node {
            ExpressionKind::List(items) => items.iter().collect(),
            _ => vec![expression],
        };
        let mut axes = Vec::new();
        for item in items {
            let axis = self.axis(item, rank)?;
            if axes.contains(&axis) {
                return Err(self.report(
                    Diagnostic::new(Code::Shape, format!("the axis {axis} is named twice"))
                        .label(item.span, "a second time"),
                ));
            }
            axes.push(axis);
        }
        Ok(axes)
    }

    /// `sum` and `mean`: over all axes, or those named.
    pub fn reduction(&mut self, call: &Call<'a>, opcode: Opcode) -> Checked<Operand> {
        let (value, ty, _) = self.subject(call)?;
        let rank = ty.shape.len();
        let mut axes = match call.named("axis") {
            Some(expression) => self.axes(expression, rank)?,
            None => (0..rank).collect(),
        };
        if axes.is_empty() {
            return Ok(Operand::Tensor(value));
        }
        axes.sort_unstable();
        let shape: Vec<u32> = (0..rank)
            .filter(|axis| !axes.contains(axis))
            .map(|axis| ty.shape[axis])
            .collect();
        let attributes = Builder::attributes([("axes", indices(&axes).into())]);
        self.emit(call.span, opcode, &[value], attributes, &shape, ty.secrecy)
            .map(Operand::Tensor)
    }

    /// `transpose(x)` of a matrix, or with `axes:` of anything.
    pub fn transpose(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let (value, ty, span) = self.subject(call)?;
        let rank = ty.shape.len();
        let Some(expression) = call.named("axes") else {
            if rank != 2 {
                return Err(self.report(
                    Diagnostic::new(Code::Shape, format!("`transpose` of {}", shape::kind(&ty.shape)))
                        .label(span, format!("is {}", shape::show(&ty.shape)))
                        .note("a matrix is transposed without further arguments")
                        .remedy(match rank {
                            0 | 1 => "leave it out: a vector is a row or a column as `@` needs it",
                            _ => "say where the axes go: `transpose(x, axes: [0, 2, 1])`",
                        }),
                ));
            }
            let shape = [ty.shape[1], ty.shape[0]];
            return self
                .emit(
                    call.span,
                    Opcode::TensorTranspose,
                    &[value],
                    Attributes::new(),
                    &shape,
                    ty.secrecy,
                )
                .map(Operand::Tensor);
        };
        let axes = self.axes(expression, rank)?;
        if axes.len() != rank {
            return Err(self.report(
                Diagnostic::new(Code::Shape, format!("`axes:` must name all {rank} axes"))
                    .label(expression.span, format!("names {}", axes.len())),
            ));
        }
        let shape: Vec<u32> = axes.iter().map(|&axis| ty.shape[axis]).collect();
        let is_plain = axes == [1, 0];
        let attributes = match is_plain {
            true => Attributes::new(),
            false => Builder::attributes([("axes", indices(&axes).into())]),
        };
        self.emit(
            call.span,
            Opcode::TensorTranspose,
            &[value],
            attributes,
            &shape,
            ty.secrecy,
        )
        .map(Operand::Tensor)
    }

    /// `reshape(x, [extents])`: same elements in row-major order.
    pub fn reshape(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let (value, ty, span) = self.subject(call)?;
        let list = call.positional[1];
        let ExpressionKind::List(items) = &list.node else {
            return Err(self.report(
                Diagnostic::new(Code::Type, "the new shape is a list of extents")
                    .label(list.span, "not a list")
                    .remedy(format!("write it like `{}`", call.signature.usage)),
            ));
        };
        let extents: Vec<Checked<u32>> = items.iter().map(|item| self.extent(item, "an extent")).collect();
        let extents = extents.into_iter().collect::<Checked<Vec<_>>>()?;
        self.check_size(&extents, list.span)?;
        let (before, after) = (shape::elements(&ty.shape), shape::elements(&extents));
        if before != after {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!(
                        "cannot reshape {} to {}",
                        shape::show(&ty.shape),
                        shape::show(&extents)
                    ),
                )
                .label(span, format!("has {before} elements"))
                .label(list.span, format!("would have {after}")),
            ));
        }
        let attributes = Builder::attributes([("shape", integers(&extents).into())]);
        self.emit(
            call.span,
            Opcode::TensorReshape,
            &[value],
            attributes,
            &extents,
            ty.secrecy,
        )
        .map(Operand::Tensor)
    }

    /// `slice(x, axis: a, start: s, end: e)`: the indices s … e−1 of an axis.
    pub fn slice(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let (value, ty, span) = self.subject(call)?;
        let axis = self.optional_axis(call, ty.shape.len())?;
        let Some(&extent) = ty.shape.get(axis) else {
            return Err(self.of_scalar(call, span));
        };
        let mut bound = |name: &str, otherwise: i64| match call.named(name) {
            Some(expression) => self.integer(expression, "a bound of a slice"),
            None => Ok(otherwise),
        };
        let (start, end) = (bound("start", 0)?, bound("end", i64::from(extent))?);
        if start < 0 || start >= end || end > i64::from(extent) {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("no slice {start} … {end} of an axis of extent {extent}"),
                )
                .label(call.span, "out of bounds or empty")
                .label(span, format!("is {}", shape::show(&ty.shape)))
                .note("a slice holds the indices from `start` up to, not including, `end`"),
            ));
        }
        let mut shape = ty.shape;
        shape[axis] = (end - start) as u32;
        let attributes = Builder::attributes([
            ("axis", (axis as i64).into()),
            ("start", start.into()),
            ("end", end.into()),
        ]);
        self.emit(
            call.span,
            Opcode::TensorSlice,
            &[value],
            attributes,
            &shape,
            ty.secrecy,
        )
        .map(Operand::Tensor)
    }

    /// `concat(a, b, …, axis: a)`: one after the other along an axis.
    pub fn concat(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let parts: Vec<Checked<_>> = call
            .positional
            .iter()
            .map(|expression| self.tensor_argument(expression))
            .collect();
        let parts = parts.into_iter().collect::<Checked<Vec<_>>>()?;
        let (_, first, first_span) = parts[0].clone();
        let axis = self.optional_axis(call, first.shape.len())?;
        if first.shape.is_empty() {
            return Err(self.of_scalar(call, first_span));
        }
        let mut result = first.clone();
        result.range = None;
        for (_, ty, span) in &parts[1..] {
            let fits = ty.shape.len() == first.shape.len()
                && (0..first.shape.len()).all(|index| index == axis || ty.shape[index] == first.shape[index]);
            if !fits {
                let (show_first, show) = (shape::show(&first.shape), shape::show(&ty.shape));
                return Err(self.report(
                    Diagnostic::new(
                        Code::Shape,
                        format!("cannot join {show_first} and {show} along axis {axis}"),
                    )
                    .label(*span, show)
                    .label(first_span, show_first)
                    .note("all extents but the joined one must be equal"),
                ));
            }
            result.shape[axis] = result.shape[axis].saturating_add(ty.shape[axis]);
            result.secrecy = result.secrecy.join(ty.secrecy);
        }
        let values: Vec<Value> = parts.iter().map(|(value, ..)| *value).collect();
        let attributes = Builder::attributes([("axis", (axis as i64).into())]);
        self.emit_typed(call.span, Opcode::TensorConcat, &values, attributes, result)
            .map(Operand::Tensor)
    }

    fn of_scalar(&mut self, call: &Call<'a>, span: Span) -> Reported {
        self.report(
            Diagnostic::new(Code::Shape, format!("`{}` of a scalar", call.signature.name))
                .label(span, "has no axis"),
        )
    }

    /// `conv1d` and `conv2d`: the last one or two dimensions correlated with a kernel of odd extents,
    /// zeros outside.
    pub fn convolution(&mut self, call: &Call<'a>, spatial: usize) -> Checked<Operand> {
        let (value, ty, span) = self.subject(call)?;
        let (kernel, kernel_ty, kernel_span) = self.tensor_argument(call.positional[1])?;
        let name = call.signature.name;
        let (show, show_kernel) = (shape::show(&ty.shape), shape::show(&kernel_ty.shape));
        if kernel_ty.shape.len() != spatial || ty.shape.len() < spatial {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("`{name}` of {show} with a kernel {show_kernel}"),
                )
                .label(kernel_span, format!("is {show_kernel}"))
                .label(span, format!("is {show}"))
                .note(format!(
                    "the kernel has {spatial} dimensions and slides over the last {spatial} of the data"
                )),
            ));
        }
        if kernel_ty.shape.iter().any(|extent| extent % 2 == 0) {
            return Err(self.report(
                Diagnostic::new(Code::Shape, format!("a kernel of `{name}` has odd extents"))
                    .label(kernel_span, format!("is {show_kernel}"))
                    .note("it is centred on each element, and zeros stand around the data")
                    .remedy("append zeros to the kernel"),
            ));
        }
        let opcode = if spatial == 1 {
            Opcode::TensorConv1d
        } else {
            Opcode::TensorConv2d
        };
        let secrecy = ty.secrecy.join(kernel_ty.secrecy);
        self.emit(
            call.span,
            opcode,
            &[value, kernel],
            Attributes::new(),
            &ty.shape,
            secrecy,
        )
        .map(Operand::Tensor)
    }

    /// `avg_pool(x, s)`: means of s neighbours along the last dimension, which they divide.
    pub fn avg_pool(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let (value, ty, span) = self.subject(call)?;
        let size = self.extent(call.positional[1], "the size of a pool")?;
        let Some(last) = ty.shape.len().checked_sub(1) else {
            return Err(self.of_scalar(call, span));
        };
        let extent = ty.shape[last];
        if extent % size != 0 {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("pools of {size} do not divide {extent} elements"),
                )
                .label(call.positional[1].span, format!("does not divide {extent}"))
                .label(span, format!("is {}", shape::show(&ty.shape))),
            ));
        }
        let mut shape = ty.shape;
        shape[last] = extent / size;
        let attributes = Builder::attributes([("size", size.into())]);
        self.emit(
            call.span,
            Opcode::TensorAvgPool,
            &[value],
            attributes,
            &shape,
            ty.secrecy,
        )
        .map(Operand::Tensor)
    }
}

fn indices(axes: &[usize]) -> Vec<i64> {
    axes.iter().map(|&axis| axis as i64).collect()
}
