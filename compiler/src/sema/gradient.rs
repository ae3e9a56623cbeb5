//! Losses, and gradients of them.

use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Attributes, Opcode, Value};
use crate::source::Span;
use crate::syntax::ast::{Expression, ExpressionKind, Name};

use super::call::Call;
use super::checker::{Checked, Checker, Operand};
use super::shape;

impl<'a> Checker<'a> {
    /// A loss: a scalar.
    pub fn loss(&mut self, expression: &'a Expression) -> Checked<Value> {
        let operand = self.expression(expression)?;
        let value = self.tensor(operand, expression.span)?;
        let ty = self.ty(value);
        if ty.shape.is_empty() {
            return Ok(value);
        }
        Err(self.report(
            Diagnostic::new(
                Code::Shape,
                format!("a loss is a scalar, not {}", shape::show(&ty.shape)),
            )
            .label(expression.span, format!("is {}", shape::show(&ty.shape)))
            .remedy("take the mean over the batch: `minimize mean(…)`"),
        ))
    }

    /// Gradients with respect to what a loss does not contain are zero: surely a mistake.
    pub fn check_dependence(
        &mut self,
        loss: Value,
        parameter: Value,
        name: &Name,
        span: Span,
    ) -> Checked<()> {
        let mut seen = vec![false; self.graph.value_count()];
        let mut open = vec![loss];
        while let Some(value) = open.pop() {
            if value == parameter {
                return Ok(());
            }
            if !std::mem::replace(&mut seen[value.index()], true)
                && let Some(op) = self.graph.defining_op(value)
            {
                open.extend(&self.graph.op(op).operands);
            }
        }
        Err(self.report(
            Diagnostic::new(Code::Type, format!("the loss does not depend on `{}`", name.node))
                .label(name.span, "its gradient is zero")
                .label(span, format!("`{}` does not occur in this", name.node))
                .remedy("use it in the loss, or leave it out here"),
        ))
    }

    /// `grad(loss, parameter)`
    pub fn grad(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let (loss, parameter) = (call.positional[0], call.positional[1]);
        let value = self.loss(loss)?;
        let ExpressionKind::Name(text) = &parameter.node else {
            return Err(self.report(
                Diagnostic::new(Code::Type, "a gradient is taken with respect to a name")
                    .label(parameter.span, "is an expression")
                    .remedy("name it with `let` first, and use the name in the loss"),
            ));
        };
        let operand = self.lookup(text, parameter.span)?;
        let described = self.describe(&operand);
        let Operand::Tensor(with_respect_to) = operand else {
            return Err(self.report(
                Diagnostic::new(
                    Code::Type,
                    format!("no gradient with respect to a constant, `{text}`"),
                )
                .label(parameter.span, format!("is {described}")),
            ));
        };
        let name = Name::new(text.clone(), parameter.span);
        self.check_dependence(value, with_respect_to, &name, loss.span)?;
        let ty = self.ty(with_respect_to);
        let secrecy = ty.secrecy.join(self.ty(value).secrecy);
        self.emit(
            call.span,
            Opcode::TrainGrad,
            &[value, with_respect_to],
            Attributes::new(),
            &ty.shape,
            secrecy,
        )
        .map(Operand::Tensor)
    }
}
