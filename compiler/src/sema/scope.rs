//! Names: declaring them and finding what they stand for.

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::ir::{Attributes, Builder, Opcode, Secrecy, TensorType};
use crate::source::Span;
use crate::syntax::ast::{Name, SectionKind};

use super::builtin;
use super::checker::{Binding, Checked, Checker, Entry, Operand, Place, Reported, Scope};

impl<'a> Checker<'a> {
    /// Declares a name in the innermost scope.
    pub fn declare(&mut self, name: &Name, what: &'static str, binding: Binding<'a>) -> Checked<()> {
        let text = name.node.as_str();
        if text == "t" || builtin::is_function(text) {
            let meaning = if text == "t" {
                "the step counter"
            } else {
                "a function of the language"
            };
            return Err(self.report(
                Diagnostic::new(Code::Name, format!("`{text}` is {meaning}"))
                    .label(name.span, "cannot be declared")
                    .remedy(format!("choose another name, such as `{text}_`")),
            ));
        }
        let local = self.locals.last().and_then(|scope| scope.get(text));
        if let Some(other) = local.or_else(|| self.globals.get(text)) {
            let (what, span) = (other.what, other.span);
            return Err(self.report(
                Diagnostic::new(Code::Name, format!("`{text}` is declared twice"))
                    .label(name.span, "declared again here")
                    .label(span, format!("first declared here, as {} {what}", article(what)))
                    .remedy("give one of them another name"),
            ));
        }
        let entry = Entry {
            binding,
            span: name.span,
            what,
            used: false,
        };
        self.locals
            .last_mut()
            .unwrap_or(&mut self.globals)
            .insert(text.to_owned(), entry);
        Ok(())
    }

    /// The entry of a name, which counts as used from now on.
    pub fn entry(&mut self, name: &str) -> Option<Entry<'a>> {
        let local = self.locals.last_mut().and_then(|scope| scope.get_mut(name));
        let entry = local.or_else(|| self.globals.get_mut(name))?;
        entry.used = true;
        Some(entry.clone())
    }

    /// The operand that a name stands for.
    pub fn lookup(&mut self, name: &str, span: Span) -> Checked<Operand> {
        let Some(entry) = self.entry(name) else {
            return match name {
                "t" => self.step_counter(span),
                _ => Err(self.undeclared(name, span)),
            };
        };
        match entry.binding {
            Binding::Operand(operand) => Ok(operand),
            Binding::Stream(ty, one_hot) => self.stream_value(name, ty, one_hot.node, span),
            Binding::State(position) if self.place == Place::Before => {
                let declared = self.states[position].span;
                Err(self.report(
                    Diagnostic::new(Code::Name, format!("the state `{name}` has no value here"))
                        .label(span, "used before `train`")
                        .label(declared, "a state has values inside `train` and after it")
                        .remedy(
                            "use it in `step` or `epoch`, after `train`, or inside a function that \
                            is called there",
                        )
                        .remedy(format!("declare `{name}` as an `input` if it is never trained")),
                ))
            }
            Binding::State(position) => Ok(Operand::Tensor(self.states[position].current)),
            Binding::Function(parameters, _) => {
                let names: Vec<&str> = parameters
                    .iter()
                    .map(|parameter| parameter.node.as_str())
                    .collect();
                Err(self.report(
                    Diagnostic::new(Code::Type, format!("`{name}` is a function, not a value"))
                        .label(span, "needs arguments")
                        .label(entry.span, "declared here")
                        .remedy(format!("call it: `{name}({})`", names.join(", "))),
                ))
            }
            Binding::Poison => Err(Reported),
        }
    }

    /// Reports a name that nothing declares.
    pub fn undeclared(&mut self, name: &str, span: Span) -> Reported {
        let diagnostic =
            Diagnostic::new(Code::Name, format!("`{name}` is not declared")).label(span, "not known here");
        if let Some(signature) = builtin::signature(name) {
            return self.report(
                Diagnostic::new(Code::Type, format!("`{name}` is a function, not a value"))
                    .label(span, "needs arguments")
                    .remedy(format!("write `{}`", signature.usage)),
            );
        }
        let remedy = {
            let locals = self.locals.last().into_iter().flat_map(Scope::keys);
            let known = locals.chain(self.globals.keys()).map(String::as_str);
            nearest(name, known).map(|near| format!("did you mean `{near}`?"))
        };
        let otherwise = "names are declared before they are used, with `const`, `input`, `stream`, \
            `state`, `weight` or `let`";
        self.report(diagnostic.remedy(remedy.unwrap_or_else(|| otherwise.to_owned())))
    }

    fn step_counter(&mut self, span: Span) -> Checked<Operand> {
        if self.place != Place::Inside(SectionKind::Step) {
            return Err(self.report(
                Diagnostic::new(Code::Name, "the step counter `t` has no value here")
                    .label(span, "used outside of `step`")
                    .note("`t` counts training steps from 0"),
            ));
        }
        if let Some(&value) = self.step_values.get("t") {
            return Ok(Operand::Tensor(value));
        }
        let value = self.emit(
            span,
            Opcode::TensorStepIndex,
            &[],
            Attributes::new(),
            &[],
            Secrecy::Public,
        )?;
        self.step_values.insert("t".to_owned(), value);
        Ok(Operand::Tensor(value))
    }

    fn stream_value(&mut self, name: &str, ty: TensorType, one_hot: bool, span: Span) -> Checked<Operand> {
        if self.place != Place::Inside(SectionKind::Step) {
            return Err(self.report(
                Diagnostic::new(Code::Name, format!("the stream `{name}` has no value here"))
                    .label(span, "used outside of `step`")
                    .note("a stream brings one mini-batch for each training step")
                    .remedy(format!("declare data that is given once as `input {name}: …`")),
            ));
        }
        if let Some(&value) = self.step_values.get(name) {
            return Ok(Operand::Tensor(value));
        }
        let mut attributes = Builder::attributes([("name", name.into())]);
        if one_hot {
            attributes.insert("one_hot", true.into());
        }
        let value = self.emit_typed(span, Opcode::TensorStream, &[], attributes, ty)?;
        self.step_values.insert(name.to_owned(), value);
        Ok(Operand::Tensor(value))
    }

    /// Warns of names that nothing uses, unless errors hide their uses.
    pub fn warn_unused(&mut self, scope: &Scope<'a>) {
        if self.has_errors() {
            return;
        }
        // States that nothing changes are reported with `train`.
        let after = self.place == Place::After;
        let idle = |entry: &Entry<'_>| !entry.used && (entry.what != "state" || !after);
        let unused: Vec<(&String, &Entry<'_>)> = scope.iter().filter(|(_, entry)| idle(entry)).collect();
        for (name, entry) in unused {
            self.report(
                Diagnostic::new(Code::Unused, format!("the {} `{name}` is never used", entry.what))
                    .label(entry.span, "has no effect")
                    .remedy("remove it"),
            );
        }
    }
}

/// `a` or `an`.
pub(super) fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    }
}
