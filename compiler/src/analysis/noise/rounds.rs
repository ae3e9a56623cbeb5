//! The walk through a program, round by round where it has a closed loop.

use std::collections::BTreeMap;

use super::functions::{Functions, Inside, shared_functions};
use super::{Estimate, NoiseModel};
use crate::analysis::coherence::{self, Coherence};
use crate::ir::{ClosedLoop, Graph, OpId, Opcode, Value};

/// Rounds that are followed one by one where all states are carried on by sums.
const STEADY_ROUNDS: u32 = 64;
/// The same for other loops, whose every operation is followed in every round.
const OTHER_ROUNDS: u32 = 24;
/// Rounds of a steady loop after which only what carries states on is followed: all else adds the same in every round.
const WHOLE_ROUNDS: u32 = 2;
/// A variance that grows faster than this power of the rounds does not add up but multiply: no law says where it ends.
const STEEPEST: f64 = 6.0;

/// Standard deviation of the error of each tile written: (port, tile, deviation), in program order; infinite where it cannot be
/// said.
///
/// Where a loop carries all its states on by sums, as training does, what their errors do through products is left out: a
/// gradient brings the error of a weight back with the opposite sign. This is what training does in the typical case and no
/// proof: a step that is too long for its loss, or a rule that drives values apart, would make errors grow as it makes
/// differences of any two runs grow.
pub fn outputs(graph: &Graph, model: &NoiseModel<'_>) -> Vec<(u32, u32, f64)> {
    let closed = ClosedLoop::find(graph, &graph.walk());
    let steady = closed.and_then(|_| followed(graph, model, true));
    steady
        .or_else(|| followed(graph, model, false))
        .unwrap_or_default()
}

/// The same; if `steady`, without what the errors of states do through products, and `None` if a state is not carried on by
/// sums.
fn followed(graph: &Graph, model: &NoiseModel<'_>, steady: bool) -> Option<Vec<(u32, u32, f64)>> {
    let mut estimates = vec![Estimate::default(); graph.value_count()];
    let mut functions = Functions::default();
    let mut outputs = Vec::new();
    let order = graph.walk();
    let closed = ClosedLoop::find(graph, &order);
    let most = if steady { STEADY_ROUNDS } else { OTHER_ROUNDS };
    let mut states = States::new(most);
    // What runs after the rounds is followed once, after the last: no error is larger.
    let rounds = closed.map(|closed| ClosedLoop {
        count: closed.count.min(most),
        every: None,
        ..closed
    });
    let mut coherence = closed.map(|_| Coherence::new(graph));
    let carries = closed.filter(|_| steady).map(|_| carrying(graph, &order));
    for (position, round) in ClosedLoop::run(rounds.as_ref(), order.len()) {
        let op = graph.op(order[position]);
        let inside = closed.is_some_and(|closed| closed.holds(position));
        let settled = inside && round >= WHOLE_ROUNDS;
        if settled && carries.as_ref().is_some_and(|carries| !carries[position]) {
            continue;
        }
        let tile = (
            op.int("port").unwrap_or(0) as u32,
            op.int("tile").unwrap_or(0) as u32,
        );
        if op.opcode == Opcode::CkksOutput {
            let mut estimate = estimates[op.operands[0].index()];
            if op.flag("state") {
                if let Some(coherence) = &mut coherence {
                    let (variance, carried) = coherence.write(tile, op.operands[0], estimate.variance);
                    if steady && !carried && inside {
                        return None;
                    }
                    estimate.variance = variance;
                }
                states.write(tile, estimate);
            } else {
                outputs.push((tile.0, tile.1, estimate.variance.sqrt()));
            }
        }
        let begins = round == 0 && closed.is_some_and(|closed| closed.start == position);
        if begins || op.opcode == Opcode::CkksEnd {
            coherence.iter_mut().for_each(Coherence::end_round);
        }
        if let Some(closed) = closed.filter(|closed| closed.end == position) {
            states.end_round(closed.count);
        }
        let Some(&result) = op.results.first() else {
            continue;
        };
        let mut estimate = match states.now.get(&tile).filter(|_| op.flag("state")) {
            Some(&state) if steady && inside => Estimate {
                variance: 0.0,
                empty: 0.0,
                ..state
            },
            Some(&state) => state,
            None => model.op(graph, op, |value| estimates[value.index()]),
        };
        estimate.inside = shared_functions(graph, op, &estimates).map(|function, _| {
            let alone = model.op(graph, op, |value| {
                let estimate = estimates[value.index()];
                let variance = estimate.inside.of(function).unwrap_or(estimate.variance);
                Estimate {
                    variance,
                    empty: variance,
                    ..estimate
                }
            });
            Some(alone.variance)
        });
        if let Some(bound) = op.float("bound") {
            estimate = estimate.capped(bound);
        }
        functions.leave(op, &mut estimate);
        if let Some(bias) = op.float("bias") {
            // The same in every round, so that rounds add amplitudes where they add variances of the rest.
            let rounds = closed.filter(|_| inside).map_or(1, |closed| closed.count);
            let more = bias * bias * f64::from(rounds);
            estimate.variance += more;
            estimate.inside = estimate.inside.map(|_, variance| Some(variance + more));
        }
        if let Some(coherence) = coherence.as_mut().filter(|_| inside) {
            estimate = coherence.follow(model, op, tile, round, steady, estimate, &estimates);
        }
        functions.enter(op, &mut estimate);
        estimates[result.index()] = estimate;
    }
    Some(outputs)
}

/// Which operations, by position, states are made of by sums alone, with the markers of rounds.
fn carrying(graph: &Graph, order: &[OpId]) -> Vec<bool> {
    let mut refreshed: BTreeMap<i64, Value> = BTreeMap::new();
    let mut needed = vec![false; graph.value_count()];
    for op in order.iter().map(|&op| graph.op(op)) {
        if let (Some(number), Some(&value)) = (op.int("refreshed"), op.results.first()) {
            refreshed.insert(number, value);
        }
    }
    let mut carries = vec![false; order.len()];
    for (position, op) in order.iter().map(|&op| graph.op(op)).enumerate().rev() {
        let stores = op.opcode == Opcode::CkksOutput && op.flag("state");
        let is_needed = op.results.iter().any(|result| needed[result.index()]);
        carries[position] = stores || is_needed || op.opcode == Opcode::CkksEnd;
        if stores {
            needed[op.operands[0].index()] = true;
        } else if is_needed {
            let before = op.int("refreshes").and_then(|number| refreshed.get(&number));
            let linear = coherence::linear(graph, op, 0).into_iter();
            for value in linear.map(|(value, _)| value).chain(before.copied()) {
                needed[value.index()] = true;
            }
        }
    }
    carries
}

/// What is known of the states of a closed loop.
struct States {
    now: BTreeMap<(u32, u32), Estimate>,
    rounds: u32,
    /// Rounds that are followed at most.
    most: u32,
    /// Variances after half of those.
    halfway: BTreeMap<(u32, u32), f64>,
}

impl States {
    fn new(most: u32) -> Self {
        Self {
            now: BTreeMap::new(),
            rounds: 0,
            most,
            halfway: BTreeMap::new(),
        }
    }

    fn write(&mut self, tile: (u32, u32), estimate: Estimate) {
        let estimate = Estimate {
            inside: Inside::default(),
            ..estimate
        };
        self.now.insert(tile, estimate);
    }

    /// After the last round that is followed, those up to `count` let a variance grow by the power of the rounds by which it grew
    /// while they doubled.
    fn end_round(&mut self, count: u32) {
        self.rounds += 1;
        for (tile, state) in &mut self.now {
            if self.rounds == self.most / 2 {
                self.halfway.insert(*tile, state.variance);
            }
            if self.rounds == self.most && count > self.most && state.variance > 0.0 {
                let before = self.halfway.get(tile).copied().unwrap_or(0.0);
                let power = (state.variance / before).log2().max(0.0);
                let growth = if power <= STEEPEST {
                    (f64::from(count) / f64::from(self.most)).powf(power)
                } else {
                    f64::INFINITY
                };
                state.variance *= growth;
                state.empty *= growth;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extrapolated(variance: impl Fn(u32) -> f64, count: u32) -> f64 {
        let mut states = States::new(STEADY_ROUNDS);
        for round in 1..=STEADY_ROUNDS {
            let estimate = Estimate {
                variance: variance(round),
                ..Estimate::default()
            };
            states.write((0, 0), estimate);
            states.end_round(count);
        }
        states.now[&(0, 0)].variance
    }

    /// Sums of independent errors grow with the rounds, those of momentum with their cube; what multiplies is not foretold.
    #[test]
    fn a_law_of_growth_goes_on() {
        let cube = |round: u32| f64::from(round).powi(3);
        for count in [STEADY_ROUNDS, 1000] {
            assert!((extrapolated(f64::from, count) / f64::from(count) - 1.0).abs() < 1e-9);
            assert!((extrapolated(cube, count) / cube(count) - 1.0).abs() < 1e-9);
        }
        assert_eq!(extrapolated(|_| 2.0, 1000), 2.0);
        assert_eq!(
            extrapolated(|round| 1.5f64.powi(round as i32), 1000),
            f64::INFINITY
        );
    }
}
