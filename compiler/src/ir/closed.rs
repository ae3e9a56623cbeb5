//! Closed loops: a body that runs many times in a program without regions.
//!
//! The body stands between two markers, `step` with a `count` and `end`, in each dialect. What it carries from one round
//! to the next, it reads and writes by name or port. A round may be several training steps, `steps` beside the count: a marker
//! without a count stands between them, and a stream says which of them it belongs to. With `every = k` beside the count, what stands after the body is an
//! epoch's: it runs after every k rounds. Without, it runs once, after the last.

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
    /// Training steps of a round.
    pub steps: u32,
    /// Rounds of an epoch, a divisor of `count`: what follows the body is in a loop of epochs with it, be it of one. `None` if
    /// it runs once, after the last round.
    pub every: Option<u32>,
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
        let rounds = count(&order[start])? as u32;
        let number = |name: &str| graph.op(order[start]).int(name).map(|number| number as u32);
        Some(Self {
            start,
            end: start + order[start..].iter().position(is_end)?,
            count: rounds,
            steps: number("steps").unwrap_or(1),
            every: number("every"),
        })
    }

    /// How often the body runs before what follows it.
    pub fn rounds(&self) -> u32 {
        self.every.unwrap_or(self.count)
    }

    /// How often what follows the body runs.
    pub fn epochs(&self) -> u32 {
        self.count / self.rounds().max(1)
    }

    /// The training step, of all, that the operation of a step of the round belongs to.
    pub fn step(&self, round: u32, of_round: u32) -> u32 {
        round * self.steps + of_round
    }

    /// Whether the operation at a position runs in every round, markers included.
    pub fn holds(&self, position: usize) -> bool {
        (self.start..=self.end).contains(&position)
    }

    /// The last position at which a value from before the loop may still be needed, if it is read at `position`: every round
    /// of what is in a loop needs it. How often the loop runs does not matter, as a plan is verified without trip counts.
    pub fn needed_until(&self, position: usize, length: usize) -> usize {
        match self.every {
            _ if position < self.start => position,
            Some(_) => length.saturating_sub(1),
            None if self.holds(position) => self.end,
            None => position,
        }
    }

    /// How often the operation at a position runs.
    pub fn times(this: Option<&Self>, position: usize) -> u32 {
        match this {
            Some(closed) if closed.holds(position) => closed.count,
            Some(closed) if position > closed.end => closed.epochs(),
            _ => 1,
        }
    }

    /// Positions of a program of `length` operations as they run, each with its round: 0 before the body, the last one in
    /// what runs after it.
    pub fn run(this: Option<&Self>, length: usize) -> impl Iterator<Item = (usize, u32)> + use<> {
        let none = Self {
            start: length,
            end: length,
            count: 0,
            steps: 1,
            every: None,
        };
        let closed = this.copied().unwrap_or(none);
        let Self { start, end, .. } = closed;
        let epochs = (0..closed.epochs()).flat_map(move |epoch| {
            let rounds = epoch * closed.rounds()..(epoch + 1) * closed.rounds();
            let last = rounds.end - 1;
            let body = rounds.flat_map(move |round| (start..=end).map(move |position| (position, round)));
            body.chain((end + 1..length).map(move |position| (position, last)))
        });
        (0..start).map(|position| (position, 0)).chain(epochs)
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
                count: 2,
                steps: 1,
                every: None,
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

    #[test]
    fn an_epoch_ends_after_every_so_many_rounds() {
        let closed = ClosedLoop {
            start: 1,
            end: 2,
            count: 4,
            steps: 1,
            every: Some(2),
        };
        let run: Vec<_> = ClosedLoop::run(Some(&closed), 4).collect();
        let epoch = |first: u32| {
            [
                (1, first),
                (2, first),
                (1, first + 1),
                (2, first + 1),
                (3, first + 1),
            ]
        };
        assert_eq!(run, [&[(0, 0)][..], &epoch(0), &epoch(2)].concat());
        for position in 0..4 {
            let times = run.iter().filter(|(at, _)| *at == position).count();
            assert_eq!(ClosedLoop::times(Some(&closed), position) as usize, times);
        }
        assert_eq!([1, 2, 3].map(|read| closed.needed_until(read, 4)), [3, 3, 3]);
        // A loop of one epoch is a loop; what follows all rounds without one is not.
        let one = ClosedLoop {
            every: Some(4),
            ..closed
        };
        assert_eq!([0, 1, 2, 3].map(|read| one.needed_until(read, 5)), [0, 4, 4, 4]);
        let none = ClosedLoop {
            every: None,
            ..closed
        };
        assert_eq!([0, 1, 2, 3].map(|read| none.needed_until(read, 5)), [0, 2, 2, 3]);
    }
}
