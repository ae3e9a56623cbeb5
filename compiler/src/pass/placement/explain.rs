//! Why each bootstrap is where it is.

use super::Setting;
use crate::dialect::slot::takes_level;
use crate::ir::{ClosedLoop, Graph, Opcode};
use crate::pass::levels::{self, is_secret};
use crate::source::Span;

/// Bootstraps of one place in the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Refreshed {
    /// Where the value that is refreshed comes from.
    pub span: Span,
    /// Ciphertexts, in one run of the body of a loop.
    pub vectors: u32,
    /// How often the body runs.
    pub times: u32,
    /// Training steps of one run of the body.
    pub steps: u32,
    /// Level that the uses of the value ask for.
    pub asked: u32,
    /// Level that it has without one at most.
    pub left: i64,
    /// Predicted seconds of them all, in one run of the body.
    pub seconds: f64,
}

impl Refreshed {
    /// Levels that are missing: with so many fewer on the way, they would not be needed.
    pub fn missing(&self) -> i64 {
        i64::from(self.asked) - self.left
    }
}

/// The bootstraps of a program, those of one place together, in the order of the program.
pub fn explain(graph: &Graph, setting: &Setting) -> Vec<Refreshed> {
    let asked = levels::run(graph, setting.lowest, setting.floor);
    let order = graph.walk();
    let closed = ClosedLoop::find(graph, &order);
    // The highest level that a value can have.
    let mut highest = vec![i64::from(setting.usable); graph.value_count()];
    let mut found: Vec<Refreshed> = Vec::new();
    for (position, &op) in order.iter().enumerate() {
        let op = graph.op(op);
        let Some(&result) = op.results.first() else {
            continue;
        };
        let secret = op.operands.iter().filter(|&&operand| is_secret(graph, operand));
        let operands = secret.map(|operand| highest[operand.index()]).min();
        let made = operands.map_or(i64::from(setting.usable), |level| {
            level - i64::from(takes_level(op))
        });
        highest[result.index()] = match op.opcode {
            Opcode::SlotInput if op.flag("state") => asked[result.index()].map_or(made, i64::from),
            Opcode::SlotBootstrap => i64::from(setting.usable),
            _ => made,
        };
        if op.opcode != Opcode::SlotBootstrap {
            continue;
        }
        let own = Refreshed {
            span: op.span,
            vectors: 1,
            times: ClosedLoop::times(closed.as_ref(), position),
            steps: closed.map_or(1, |closed| closed.steps),
            asked: asked[result.index()].unwrap_or(0),
            left: made,
            seconds: setting.seconds(op, 0),
        };
        match found
            .iter_mut()
            .find(|other| (other.span, other.times) == (own.span, own.times))
        {
            Some(other) => {
                other.vectors += 1;
                other.asked = other.asked.max(own.asked);
                other.left = other.left.min(own.left);
                other.seconds += own.seconds;
            }
            None => found.push(own),
        }
    }
    found
}
