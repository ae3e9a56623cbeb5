//! Functions of the user's: checked for names where they stand, for types where they are called.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Argument, Expression, ExpressionKind, Name};

use super::builtin;
use super::checker::{Binding, Checked, Checker, Entry, Operand, Reported, Scope};

impl<'a> Checker<'a> {
    /// `fn name(parameters) = body;`
    pub fn function(&mut self, name: &'a Name, parameters: &'a [Name], body: &'a Expression) -> Checked<()> {
        let mut seen = BTreeSet::new();
        let mut sound = true;
        for parameter in parameters {
            if !seen.insert(parameter.node.as_str()) {
                sound = false;
                self.report(
                    Diagnostic::new(
                        Code::Name,
                        format!(
                            "`{name}` has two parameters `{}`",
                            parameter.node,
                            name = name.node
                        ),
                    )
                    .label(parameter.span, "named like one before it"),
                );
            }
        }
        // Names are checked before the function is declared: it cannot call itself.
        sound &= self.body_names(name, &seen, body).is_ok();
        let binding = if sound {
            Binding::Function(parameters, body)
        } else {
            Binding::Poison
        };
        self.declare(name, "function", binding)
    }

    fn body_names(&mut self, function: &Name, parameters: &BTreeSet<&str>, body: &Expression) -> Checked<()> {
        let mut result = Ok(());
        let mut inner = |checker: &mut Self, expression: &Expression| {
            if let Err(reported) = checker.body_names(function, parameters, expression) {
                result = Err(reported);
            }
        };
        match &body.node {
            ExpressionKind::Number(_) => {}
            ExpressionKind::Name(name) => {
                if !parameters.contains(name.as_str()) && name != "t" && !self.globals.contains_key(name) {
                    return Err(self.undeclared(name, body.span));
                }
            }
            ExpressionKind::List(items) => items.iter().for_each(|item| inner(self, item)),
            ExpressionKind::Negate(operand) => inner(self, operand),
            ExpressionKind::Binary(_, left, right) => {
                inner(self, left);
                inner(self, right);
            }
            ExpressionKind::Call(callee, arguments) => {
                if callee.node == function.node {
                    return Err(self.report(
                        Diagnostic::new(Code::Name, format!("`{}` calls itself", callee.node))
                            .label(callee.span, "inside its own body")
                            .note("functions are inlined, so they cannot be recursive"),
                    ));
                }
                if !self.globals.contains_key(&callee.node) && !builtin::is_function(&callee.node) {
                    return Err(self.no_such_function(callee));
                }
                // The name of a method is a word, not a value.
                let values = arguments
                    .iter()
                    .filter(|argument| argument.name.as_ref().is_none_or(|name| name.node != "method"));
                values.for_each(|argument| inner(self, &argument.value));
            }
        }
        result
    }

    pub fn no_such_function(&mut self, name: &Name) -> Reported {
        let near = {
            let own = self
                .globals
                .iter()
                .filter(|(_, entry)| matches!(entry.binding, Binding::Function(..)));
            let known = own.map(|(name, _)| name.as_str()).chain(builtin::names());
            nearest(&name.node, known).map(|near| format!("did you mean `{near}`?"))
        };
        let otherwise = || "functions are declared before they are called: `fn f(x) = …;`".to_owned();
        self.report(
            Diagnostic::new(Code::Name, format!("there is no function `{}`", name.node))
                .label(name.span, "not known here")
                .remedy(near.unwrap_or_else(otherwise)),
        )
    }

    /// A call of a user's function: its body, with the arguments in place of the parameters.
    pub fn inline(
        &mut self,
        name: &Name,
        parameters: &'a [Name],
        body: &'a Expression,
        arguments: &'a [Argument],
        span: Span,
    ) -> Checked<Operand> {
        if let Some(named) = arguments.iter().find_map(|argument| argument.name.as_ref()) {
            return Err(self.report(
                Diagnostic::new(
                    Code::Type,
                    format!("arguments of `{}` are given without names", name.node),
                )
                .label(named.span, "named argument")
                .remedy("only functions of the language take named arguments"),
            ));
        }
        if arguments.len() != parameters.len() {
            let wanted: Vec<&str> = parameters
                .iter()
                .map(|parameter| parameter.node.as_str())
                .collect();
            let plural = if parameters.len() == 1 { "" } else { "s" };
            return Err(self.report(
                Diagnostic::new(
                    Code::Type,
                    format!(
                        "`{}` takes {} argument{plural}, not {}",
                        name.node,
                        parameters.len(),
                        arguments.len()
                    ),
                )
                .label(span, format!("called with {}", arguments.len()))
                .remedy(format!(
                    "it is declared as `fn {}({})`",
                    name.node,
                    wanted.join(", ")
                )),
            ));
        }
        let values: Vec<Checked<Operand>> = arguments
            .iter()
            .map(|argument| self.expression(&argument.value))
            .collect();
        let values = values.into_iter().collect::<Checked<Vec<_>>>()?;
        let scope: Scope<'a> = parameters
            .iter()
            .zip(values)
            .map(|(parameter, operand)| {
                let binding = Binding::Operand(operand);
                (
                    parameter.node.clone(),
                    Entry {
                        binding,
                        span: parameter.span,
                        what: "parameter",
                        used: false,
                    },
                )
            })
            .collect();
        self.locals.push(scope);
        self.calls.push((name.node.clone(), span));
        let result = self.expression(body);
        self.calls.pop();
        self.locals.pop();
        result
    }
}
