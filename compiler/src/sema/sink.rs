//! `reveal` and `output`: what leaves the graph, to the key holder only.

use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Builder, Opcode, Secrecy};
use crate::syntax::ast::Sink;

use super::checker::{Checked, Checker, Operand};

impl<'a> Checker<'a> {
    /// The sinks of one statement; `opcode` says which.
    pub fn sinks(&mut self, sinks: &'a [Sink], opcode: Opcode) -> Checked<()> {
        let results: Vec<Checked<()>> = sinks.iter().map(|sink| self.sink(sink, opcode)).collect();
        results.into_iter().collect()
    }

    fn sink(&mut self, sink: &'a Sink, opcode: Opcode) -> Checked<()> {
        let (name, span) = (&sink.name, sink.name.span);
        let word = if opcode == Opcode::TensorReveal {
            "reveal"
        } else {
            "output"
        };
        let taken = if opcode == Opcode::TensorReveal {
            &mut self.reveals
        } else {
            &mut self.outputs
        };
        if let Some(first) = taken.insert(name.node.clone(), span) {
            return Err(self.report(
                Diagnostic::new(
                    Code::Name,
                    format!("two values leave the graph as `{}`", name.node),
                )
                .label(span, format!("a second `{word}` of this name"))
                .label(first, "the first")
                .remedy(format!("name it differently: `{word} {}_2 = …`", name.node)),
            ));
        }
        let (operand, place) = match &sink.value {
            Some(expression) => (self.expression(expression)?, expression.span),
            None => (self.lookup(&name.node, span)?, span),
        };
        let public = match &operand {
            Operand::Tensor(value) => self.ty(*value).secrecy == Secrecy::Public,
            _ => true,
        };
        if public {
            let described = self.describe(&operand);
            return Err(self.report(
                Diagnostic::new(Code::Type, format!("`{word}` of a public value"))
                    .label(place, format!("is {described}"))
                    .note("nothing secret went into it: everyone can compute it without encryption")
                    .remedy("remove it"),
            ));
        }
        let value = self.tensor(operand, place)?;
        let mut builder = Builder::new(&mut self.graph, self.block);
        builder.span = place;
        builder.op(
            opcode,
            &[value],
            Builder::attributes([("name", name.node.as_str().into())]),
            Vec::new(),
        );
        Ok(())
    }
}
