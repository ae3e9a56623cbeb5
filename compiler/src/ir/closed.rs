//! Closed loops: a body that runs many times in a program without regions.
//!
//! The body stands between two markers, `step` with a `count` and `end`, in each dialect. What it carries from one round
//! to the next, it reads and writes by name or port.

use super::{Graph, OpId, Opcode};

/// Where the closed loop of a program is, in positions of its walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedLoop {
    /// Position of the marker at the beginning.
    pub start: usize,
    /// Position of the marker at the end.
    pub end: usize,
    /// How often the body runs.
    pub count: u32,
}

impl ClosedLoop {
    /// The closed loop of a program whose operations are `order`, if it has one.
    pub fn find(graph: &Graph, order: &[OpId]) -> Option<Self> {
        let count = |&op: &OpId| {
            let op = graph.op(op);
            let is_step = matches!(op.opcode, Opcode::TrainStep | Opcode::SlotStep | Opcode::CkksStep);
            op.int("count").filter(|_| is_step)
        };
        let is_end = |&op: &OpId| {
            matches!(
                graph.op(op).opcode,
                Opcode::TrainEnd | Opcode::SlotEnd | Opcode::CkksEnd
            )
        };
        let start = order.iter().position(|op| count(op).is_some())?;
        Some(Self {
            start,
            end: start + order[start..].iter().position(is_end)?,
            count: count(&order[start])? as u32,
        })
    }

    /// Whether the operation at a position runs in every round, markers included.
    pub fn holds(&self, position: usize) -> bool {
        (self.start..=self.end).contains(&position)
    }

    /// How often the operation at a position runs.
    pub fn times(this: Option<&Self>, position: usize) -> u32 {
        match this {
            Some(closed) if closed.holds(position) => closed.count,
            _ => 1,
        }
    }

    /// Positions of a program of `length` operations as they run, each with its round, 0 outside of the body.
    pub fn run(this: Option<&Self>, length: usize) -> impl Iterator<Item = (usize, u32)> + use<> {
        let (start, end, count) = this.map_or((length, length, 0), |closed| {
            (closed.start, closed.end + 1, closed.count)
        });
        let before = (0..start).map(|position| (position, 0));
        let body = (0..count).flat_map(move |round| (start..end).map(move |position| (position, round)));
        let after = (end..length).map(|position| (position, 0));
        before.chain(body).chain(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    #[test]
    fn the_body_runs_as_often_as_it_says() {
        let graph = parse(
            "graph @g {
               %0 = tensor.input {name = \"x\"} : tensor<2, secret>
               tensor.store %0 {name = \"s\"}
               train.step {count = 2, index = 0}
               %1 = tensor.state {name = \"s\"} : tensor<2, secret>
               tensor.store %1 {name = \"s\"}
               train.end
               %2 = tensor.state {name = \"s\"} : tensor<2, secret>
               tensor.output %2 {name = \"s\"}
             }",
        )
        .expect("valid");
        let order = graph.walk();
        let closed = ClosedLoop::find(&graph, &order);
        assert_eq!(
            closed,
            Some(ClosedLoop {
                start: 2,
                end: 5,
                count: 2
            })
        );
        let run: Vec<_> = ClosedLoop::run(closed.as_ref(), order.len()).collect();
        assert_eq!(
            run.iter().map(|&(position, _)| position).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 7]
        );
        assert_eq!(run[7], (3, 1));
        assert_eq!(ClosedLoop::run(None, 2).collect::<Vec<_>>(), [(0, 0), (1, 0)]);
    }
}
