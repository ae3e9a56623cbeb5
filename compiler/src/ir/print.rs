//! The text form. Values are numbered in program order, so equal programs print equally.
//!
//! ```text
//! graph @name {
//!   %0 = tensor.input {name = "x"} : tensor<4x3, secret, [-1.0, 1.0]>
//!   %1 = train.loop %0 {names = ["w"]} : tensor<4x3, secret> (%2: tensor<4x3, secret>) {
//!     train.yield %2
//!   } () {
//!   }
//! }
//! ```
//! Numbers print as the shortest text that reads back to the same value. Spans are not printed.

use std::fmt::{self, Display, Write};

use super::{Attribute, Basis, BlockId, Graph, OpData, Secrecy, Type, Value};

/// Prints a graph.
pub fn print(graph: &Graph) -> String {
    let mut printer = Printer {
        graph,
        names: vec![None; graph.value_count()],
        next: 0,
        text: String::new(),
    };
    let _ = writeln!(printer.text, "graph @{} {{", graph.name);
    printer.block(graph.body(), 1);
    printer.text.push_str("}\n");
    printer.text
}

struct Printer<'g> {
    graph: &'g Graph,
    names: Vec<Option<u32>>,
    next: u32,
    text: String,
}

impl Printer<'_> {
    fn define(&mut self, value: Value) -> String {
        self.names[value.index()] = Some(self.next);
        self.next += 1;
        format!("%{}", self.next - 1)
    }

    fn name(&self, value: Value) -> String {
        match self.names[value.index()] {
            Some(number) => format!("%{number}"),
            // A broken graph still prints, so that it can be looked at; the verifier refuses it.
            None => format!("%undefined{}", value.0),
        }
    }

    fn block(&mut self, block: BlockId, depth: usize) {
        for &op in &self.graph.block(block).ops {
            self.op(self.graph.op(op), depth);
        }
    }

    fn op(&mut self, op: &OpData, depth: usize) {
        let operands: Vec<String> = op.operands.iter().map(|&operand| self.name(operand)).collect();
        let results: Vec<String> = op.results.iter().map(|&result| self.define(result)).collect();
        self.text.extend(std::iter::repeat_n("  ", depth));
        if !results.is_empty() {
            let _ = write!(self.text, "{} = ", results.join(", "));
        }
        self.text.push_str(op.opcode.name());
        if !operands.is_empty() {
            let _ = write!(self.text, " {}", operands.join(", "));
        }
        if !op.attributes.is_empty() {
            let list: Vec<String> = op
                .attributes
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            let _ = write!(self.text, " {{{}}}", list.join(", "));
        }
        if !op.results.is_empty() {
            let types: Vec<String> = op
                .results
                .iter()
                .map(|&result| self.graph.ty(result).to_string())
                .collect();
            let _ = write!(self.text, " : {}", types.join(", "));
        }
        for &region in &op.regions {
            let arguments: Vec<String> = self
                .graph
                .block(region)
                .arguments
                .clone()
                .into_iter()
                .map(|argument| format!("{}: {}", self.define(argument), self.graph.ty(argument)))
                .collect();
            let _ = writeln!(self.text, " ({}) {{", arguments.join(", "));
            self.block(region, depth + 1);
            self.text.extend(std::iter::repeat_n("  ", depth));
            self.text.push('}');
        }
        self.text.push('\n');
    }
}

impl Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T>(f: &mut fmt::Formatter<'_>, items: &[T], show: impl Fn(&T) -> String) -> fmt::Result {
            write!(f, "[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        match self {
            Self::Flag(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Ints(values) => {
                f.write_str("ints")?;
                list(f, values, i64::to_string)
            }
            Self::Floats(values) => {
                f.write_str("floats")?;
                list(f, values, |value| format!("{value:?}"))
            }
            Self::Texts(values) => {
                f.write_str("texts")?;
                list(f, values, |value| format!("{value:?}"))
            }
        }
    }
}

impl Display for Secrecy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Secret => "secret",
        })
    }
}

impl Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Q => "q",
            Self::Qp => "qp",
        })
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor(tensor) => {
                let shape: Vec<String> = tensor.shape.iter().map(u32::to_string).collect();
                let shape = if shape.is_empty() {
                    "scalar".to_owned()
                } else {
                    shape.join("x")
                };
                write!(f, "tensor<{shape}, {}", tensor.secrecy)?;
                if let Some((low, high)) = tensor.range {
                    write!(f, ", [{low:?}, {high:?}]")?;
                }
                f.write_str(">")
            }
            Self::Vector(vector) => write!(f, "vec<{}, {}>", vector.slots, vector.secrecy),
            Self::Cipher(ct) => write!(f, "ct<{}, {:?}, {}, {}>", ct.level, ct.scale, ct.degree, ct.basis),
            Self::Plain(pt) => {
                write!(f, "pt<{}, {:?}, {}", pt.level, pt.scale, pt.basis)?;
                match pt.compact {
                    0 => f.write_str(">"),
                    log => write!(f, ", {log}>"),
                }
            }
            Self::Digits { level, scale } => write!(f, "digits<{level}, {scale:?}>"),
        }
    }
}
