//! Calls: arguments are matched with the signature, then each function is lowered.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::ir::Opcode;
use crate::source::Span;
use crate::syntax::ast::{Argument, Expression, Name};

use super::builtin::{Signature, signature};
use super::checker::{Binding, Checked, Checker, Operand, Reported};
use super::scope::article;

/// A call of one of the language's functions, its arguments matched with the signature.
pub(super) struct Call<'a> {
    pub signature: &'static Signature,
    pub positional: Vec<&'a Expression>,
    pub named: BTreeMap<&'static str, &'a Expression>,
    pub span: Span,
}

impl<'a> Call<'a> {
    /// A named argument.
    pub fn named(&self, name: &str) -> Option<&'a Expression> {
        self.named.get(name).copied()
    }
}

impl<'a> Checker<'a> {
    /// A call of anything.
    pub fn call(&mut self, function: &'a Name, arguments: &'a [Argument], span: Span) -> Checked<Operand> {
        if let Some(entry) = self.entry(&function.node) {
            return match entry.binding {
                Binding::Function(parameters, body) => {
                    self.inline(function, parameters, body, arguments, span)
                }
                Binding::Poison => Err(Reported),
                _ => Err(self.report(
                    Diagnostic::new(Code::Type, format!("`{}` is no function", function.node))
                        .label(function.span, "called like a function")
                        .label(
                            entry.span,
                            format!("declared here, as {} {}", article(entry.what), entry.what),
                        )
                        .remedy("multiply with `*`"),
                )),
            };
        }
        let Some(signature) = signature(&function.node) else {
            return Err(self.no_such_function(function));
        };
        let call = self.match_arguments(signature, arguments, span)?;
        self.builtin(&call)
    }

    /// Matches the arguments of a call with a signature.
    pub fn match_arguments(
        &mut self,
        signature: &'static Signature,
        arguments: &'a [Argument],
        span: Span,
    ) -> Checked<Call<'a>> {
        let name = signature.name;
        let mut call = Call {
            signature,
            positional: Vec::new(),
            named: BTreeMap::new(),
            span,
        };
        for argument in arguments {
            let Some(label) = &argument.name else {
                call.positional.push(&argument.value);
                continue;
            };
            let Some(&known) = signature.named.iter().find(|known| **known == label.node) else {
                let near = nearest(&label.node, signature.named.iter().copied());
                return Err(self.report(
                    Diagnostic::new(Code::Type, format!("`{name}` takes no argument `{}`", label.node))
                        .label(label.span, "unknown argument")
                        .remedy_if(near.map(|near| format!("did you mean `{near}:`?")))
                        .remedy(format!("write it like `{}`", signature.usage)),
                ));
            };
            if call.named.insert(known, &argument.value).is_some() {
                return Err(self.report(
                    Diagnostic::new(Code::Type, format!("`{known}:` is given twice"))
                        .label(label.span, "a second time")
                        .remedy("remove one of them"),
                ));
            }
        }
        let (fewest, most) = signature.positional;
        if call.positional.len() < fewest || call.positional.len() > most {
            let wanted = if fewest == most {
                format!("{fewest}")
            } else {
                format!("at least {fewest}")
            };
            let plural = if wanted == "1" { "" } else { "s" };
            return Err(self.report(
                Diagnostic::new(
                    Code::Type,
                    format!(
                        "`{name}` takes {wanted} unnamed argument{plural}, not {}",
                        call.positional.len()
                    ),
                )
                .label(span, format!("called with {}", call.positional.len()))
                .remedy(format!("write it like `{}`", signature.usage)),
            ));
        }
        Ok(call)
    }

    fn builtin(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let opcode = match call.signature.name {
            "sigmoid" => Opcode::TensorSigmoid,
            "tanh" => Opcode::TensorTanh,
            "exp" => Opcode::TensorExp,
            "gelu" => Opcode::TensorGelu,
            "silu" => Opcode::TensorSilu,
            "softplus" => Opcode::TensorSoftplus,
            "relu" => Opcode::TensorRelu,
            "sign" => Opcode::TensorSign,
            "inverse" => Opcode::TensorInverse,
            "inverse_sqrt" => Opcode::TensorInverseSqrt,
            "softmax" => Opcode::TensorSoftmax,
            "less" | "greater" => return self.comparison(call),
            "max" | "min" => return self.extremum(call),
            "poly" => return self.poly(call),
            "bootstrap" => return self.bootstrap(call),
            "cross_entropy" => return self.cross_entropy(call),
            "sum" => return self.reduction(call, Opcode::TensorSum),
            "mean" => return self.reduction(call, Opcode::TensorMean),
            "transpose" => return self.transpose(call),
            "reshape" => return self.reshape(call),
            "slice" => return self.slice(call),
            "concat" => return self.concat(call),
            "conv1d" => return self.convolution(call, 1),
            "conv2d" => return self.convolution(call, 2),
            "avg_pool" => return self.avg_pool(call),
            "grad" => return self.grad(call),
            "sqrt" => return self.of_constant(call, f64::sqrt),
            "log" => return self.of_constant(call, f64::ln),
            _ => return Err(self.only_initial(call)),
        };
        self.nonlinear(call, opcode)
    }

    /// `glorot` needs the shape of what it fills.
    fn only_initial(&mut self, call: &Call<'a>) -> Reported {
        self.report(
            Diagnostic::new(
                Code::Type,
                format!(
                    "`{}` is the initial value of a state and nothing else",
                    call.signature.name
                ),
            )
            .label(call.span, "has no shape here")
            .remedy("write `state w: secret [10, 20] in [-1, 1] = glorot(seed: 1);`"),
        )
    }

    /// Functions that exist for constants only.
    fn of_constant(&mut self, call: &Call<'a>, function: fn(f64) -> f64) -> Checked<Operand> {
        let what = format!("the argument of `{}`", call.signature.name);
        let value = self.constant(call.positional[0], &what)?;
        self.finite(function(value), call.span)
    }
}
