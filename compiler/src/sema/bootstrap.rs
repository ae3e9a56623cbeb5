//! Refreshing a value.

use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Attributes, Builder, Opcode, Secrecy};

use super::call::Call;
use super::checker::{Checked, Checker, Operand};

impl<'a> Checker<'a> {
    /// `bootstrap(x)`: the same values at a higher level.
    pub fn bootstrap(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let argument = call.positional[0];
        let operand = self.expression(argument)?;
        let described = self.describe(&operand);
        let value = self.tensor(operand, argument.span)?;
        let ty = self.ty(value);
        if ty.secrecy == Secrecy::Public {
            return Err(self.report(
                Diagnostic::new(Code::Type, "`bootstrap` of a public value")
                    .label(argument.span, format!("is {described}"))
                    .note("a bootstrap gives a ciphertext room for further products; public values need none")
                    .remedy("leave it out"),
            ));
        }
        let mut attributes = Attributes::new();
        if let Some(range) = call.named("range") {
            let (low, high) = self.interval(range)?;
            attributes = Builder::attributes([("low", low.into()), ("high", high.into())]);
        }
        self.emit(
            call.span,
            Opcode::TensorBootstrap,
            &[value],
            attributes,
            &ty.shape,
            ty.secrecy,
        )
        .map(Operand::Tensor)
    }
}
