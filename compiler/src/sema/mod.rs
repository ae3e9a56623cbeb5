//! Meaning: names, shapes, secrecy and ranges are checked while the syntax tree is lowered to the
//! `tensor` dialect.
//!
//! Checking and lowering are one walk, because functions have no types of their own: each call is inlined
//! and checked with the types of its arguments. Rules of the language that show here:
//!
//! - Names are declared before they are used, once. Parameters of a function hide other names in its body.
//! - A state means, inside `step`, the value at the beginning of the step: all updates of a step happen
//!   at its end. Inside `epoch` and after `train` it means the newest value.
//! - Numbers and constants are folded here; what depends on `t` or on tensors becomes operations.
//! - Operands of element-wise operations get the same shape by `tensor.broadcast`; public scalars stay
//!   scalars.

mod bootstrap;
mod builtin;
mod call;
mod checker;
mod declaration;
mod expression;
mod function;
mod given;
mod glorot;
mod gradient;
mod nonlinear;
mod optimizer;
mod scope;
mod shape;
mod shaping;
mod sink;
pub mod support;
mod train;

pub use given::{Given, given};
pub use glorot::glorot;

use crate::diagnostic::Diagnostics;
use crate::ir::Graph;
use crate::options::Options;
use crate::source::Source;
use crate::syntax;

/// Parses, checks and lowers a program to the `tensor` dialect. Gives nothing if there are errors, which
/// are in `diagnostics`.
///
/// The whole language is accepted; [`support::check`] says what later passes cannot compile yet.
pub fn check(source: &Source, options: &Options, diagnostics: &mut Diagnostics) -> Option<Graph> {
    let tree = syntax::parse(source, diagnostics);
    if diagnostics.has_errors() {
        return None;
    }
    let graph = checker::Checker::new(&tree, options, diagnostics).graph(&tree);
    (!diagnostics.has_errors()).then_some(graph)
}
