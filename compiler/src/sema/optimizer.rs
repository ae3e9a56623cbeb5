//! Optimisers and their public scalars.

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::ir::{Secrecy, Value};
use crate::source::Span;
use crate::syntax::ast::{Argument, Expression, Name};

use super::builtin::Signature;
use super::checker::{Checked, Checker, Operand};

/// An optimiser and its public scalars, in operand order, with the value of those that may be left out.
struct Optimizer {
    signature: Signature,
    scalars: &'static [(&'static str, IfAbsent)],
}

/// What an argument is if it is left out.
#[derive(Clone, Copy)]
enum IfAbsent {
    /// It cannot be.
    Required,
    /// This number.
    Number(f64),
    /// Nothing: the optimiser then has no such scalar.
    Absent,
}

const fn optimizer(
    name: &'static str,
    named: &'static [&'static str],
    usage: &'static str,
    scalars: &'static [(&'static str, IfAbsent)],
) -> Optimizer {
    Optimizer {
        signature: Signature {
            name,
            positional: (0, 0),
            named,
            usage,
        },
        scalars,
    }
}

static OPTIMIZERS: [Optimizer; 4] = [
    optimizer(
        "sgd",
        &["rate"],
        "sgd(rate: 0.1)",
        &[("rate", IfAbsent::Required)],
    ),
    optimizer(
        "momentum",
        &["rate", "momentum"],
        "momentum(rate: 0.1, momentum: 0.9)",
        &[("rate", IfAbsent::Required), ("momentum", IfAbsent::Number(0.9))],
    ),
    // Without a momentum, Nesterov's own sequence γ_t.
    optimizer(
        "nesterov",
        &["rate", "momentum"],
        "nesterov(rate: 1.0)",
        &[("rate", IfAbsent::Required), ("momentum", IfAbsent::Absent)],
    ),
    optimizer(
        "adam",
        &["rate", "beta1", "beta2", "epsilon"],
        "adam(rate: 0.001)",
        &[
            ("rate", IfAbsent::Required),
            ("beta1", IfAbsent::Number(0.9)),
            ("beta2", IfAbsent::Number(0.999)),
            ("epsilon", IfAbsent::Number(1e-8)),
        ],
    ),
];

impl<'a> Checker<'a> {
    /// The public scalars of an optimiser.
    pub fn optimizer(
        &mut self,
        name: &'a Name,
        arguments: &'a [Argument],
        span: Span,
    ) -> Checked<(&'static str, Vec<(&'static str, Value)>)> {
        let Some(optimizer) = OPTIMIZERS.iter().find(|known| known.signature.name == name.node) else {
            let known = OPTIMIZERS.iter().map(|known| known.signature.name);
            let near = nearest(&name.node, known.clone()).map(|near| format!("did you mean `{near}`?"));
            let all: Vec<String> = known.map(|name| format!("`{name}`")).collect();
            return Err(self.report(
                Diagnostic::new(Code::Name, format!("there is no optimiser `{}`", name.node))
                    .label(name.span, "not known")
                    .note(format!("the optimisers are {}", all.join(", ")))
                    .remedy_if(near),
            ));
        };
        let place = name
            .span
            .join(arguments.last().map_or(name.span, |last| last.value.span));
        let call = self.match_arguments(
            &optimizer.signature,
            arguments,
            if arguments.is_empty() { span } else { place },
        )?;
        let mut scalars = Vec::new();
        for &(scalar, default) in optimizer.scalars {
            let value = match (call.named(scalar), default) {
                (Some(expression), _) => self.schedule(expression, scalar)?,
                (None, IfAbsent::Number(number)) => self.splat(name.span, number, &[])?,
                (None, IfAbsent::Absent) => continue,
                (None, IfAbsent::Required) => {
                    return Err(self.report(
                        Diagnostic::new(Code::Type, format!("`{}` needs a `{scalar}:`", name.node))
                            .label(name.span, format!("has no `{scalar}:`"))
                            .remedy(format!("write it like `{}`", optimizer.signature.usage)),
                    ));
                }
            };
            scalars.push((scalar, value));
        }
        Ok((optimizer.signature.name, scalars))
    }

    /// An argument of an optimiser: a public scalar, constant or a function of `t`.
    fn schedule(&mut self, expression: &'a Expression, what: &str) -> Checked<Value> {
        let operand = self.expression(expression)?;
        let bounds = if what == "rate" || what == "epsilon" {
            (0.0, f64::INFINITY)
        } else {
            (0.0, 1.0)
        };
        if let Operand::Number(number) = operand {
            let inside = number < bounds.1 && (number > 0.0 || (number == 0.0 && bounds.1 == 1.0));
            if !inside {
                let wanted = if bounds.1 == 1.0 {
                    "at least 0 and below 1"
                } else {
                    "positive"
                };
                return Err(self.report(
                    Diagnostic::new(Code::Range, format!("`{what}:` must be {wanted}"))
                        .label(expression.span, format!("is {number}")),
                ));
            }
        }
        let described = self.describe(&operand);
        let value = self.tensor(operand, expression.span)?;
        let ty = self.ty(value);
        if ty.secrecy == Secrecy::Secret {
            return Err(self.report(
                Diagnostic::new(Code::Secret, format!("`{what}:` cannot be secret"))
                    .label(expression.span, format!("is {described}"))
                    .note("schedules are part of the plan, which is made before any data is seen")
                    .remedy("use constants and the step counter: `rate: 1 / (1 + t / 50)`"),
            ));
        }
        if !ty.shape.is_empty() {
            return Err(self.report(
                Diagnostic::new(Code::Shape, format!("`{what}:` must be a scalar"))
                    .label(expression.span, format!("is {described}")),
            ));
        }
        Ok(value)
    }
}
