//! Places bootstraps where levels run out.
//!
//! A program that is deeper than its levels, or a loop whose states come back lower than they went in, gets a
//! `slot.bootstrap` on every path that would be too long, where the whole takes least time ([`solve`]): few ciphertexts
//! are refreshed, and what is not must not lie higher than it has to. Candidates are all values whose slots are bounded.
//! What needs no more than the lowest levels goes on reading the value as it was before.
//!
//! ```text
//! %1 = slot.mul %0, %0
//! %2 = slot.mul %1, %1
//! ```
//! becomes, with one usable level,
//! ```text
//! %1 = slot.mul %0, %0
//! %2 = slot.bootstrap %1 {bound = 1.0, log_slots = 11}
//! %3 = slot.mul %2, %2
//! ```

mod problem;
mod solve;

use crate::analysis::bounds;
use crate::analysis::cost::CostModel;
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::slot::{Vectors, takes_level};
use crate::ir::{Builder, Graph, OpData, Opcode, Type, Value};
use crate::pass::layout::Packed;
use crate::pass::levels;
use crate::source::Span;
use problem::reduce;
use solve::Solution;

/// What a program has to make do with.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// Lowest level at which a value can be refreshed.
    pub floor: u32,
    /// Level at which it comes back.
    pub usable: u32,
    /// Level of outputs.
    pub lowest: u32,
    /// Slots after which vectors repeat.
    pub period: u32,
    /// Time of operations.
    pub model: &'a CostModel,
    /// Seconds of a bootstrap.
    pub bootstrap: f64,
}

/// A program with its bootstraps, and what was found out.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The program.
    pub packed: Packed,
    /// Predicted seconds, a loop counted as often as it runs.
    pub seconds: f64,
    /// Whether it is certain that no other places take less.
    pub exact: bool,
}

/// Whether a program does not come through without (more) bootstraps.
pub fn needed(graph: &Graph, setting: &Setting<'_>) -> bool {
    levels::open_state(graph, setting.floor).is_some()
        || levels::run(graph, setting.lowest, setting.floor)
            .into_iter()
            .flatten()
            .any(|level| level > setting.usable)
}

/// Places bootstraps. Errors: E-RANGE if there are only values left without bounds, E-DEPTH if nothing helps.
pub fn run(packed: &Packed, setting: &Setting<'_>) -> Result<Placement, Diagnostic> {
    let ports: Vec<Option<f64>> = packed.ports.iter().map(|port| port.bound()).collect();
    let bounds = bounds::derive(&packed.graph, &ports);
    let reduced = reduce(&packed.graph, &bounds, setting, false);
    let Some(solution) = solve::solve(&reduced.problem) else {
        return Err(refuse(&packed.graph, &bounds, setting));
    };
    let mut refreshed = vec![false; packed.graph.value_count()];
    for &node in &solution.refreshed {
        for &value in &reduced.members[node] {
            refreshed[value.index()] = true;
        }
    }
    let inserter = Inserter {
        graph: &packed.graph,
        setting,
        refreshed: &refreshed,
        states: &reduced.states,
        solution: &solution,
    };
    Ok(Placement {
        packed: Packed {
            graph: inserter.run(&bounds),
            ports: packed.ports.clone(),
        },
        seconds: solution.seconds,
        exact: solution.exact,
    })
}

struct Inserter<'a> {
    graph: &'a Graph,
    setting: &'a Setting<'a>,
    refreshed: &'a [bool],
    states: &'a [i64],
    solution: &'a Solution,
}

impl Inserter<'_> {
    /// The program with a bootstrap after every refreshed value, for all who ask for more than the lowest levels.
    fn run(&self, bounds: &[Option<f64>]) -> Graph {
        let made = self.made();
        let log_slots = self.setting.period.trailing_zeros().max(1);
        let mut vectors = Vectors::new(&self.graph.name, 2 * self.setting.period);
        let mut map: Vec<Option<(Value, Option<Value>)>> = vec![None; self.graph.value_count()];
        for op in self.graph.walk().into_iter().map(|op| self.graph.op(op)) {
            let level = op.results.first().map_or(0, |result| made[result.index()]);
            let high = self.asks(op, level) > self.setting.floor;
            let operands = op.operands.iter().filter_map(|operand| {
                let (plain, refreshed) = map[operand.index()]?;
                Some(refreshed.filter(|_| high).unwrap_or(plain))
            });
            let operands = operands.collect();
            let types: Vec<Type> = op.results.iter().map(|&result| self.graph.ty(result).clone()).collect();
            let copy = OpData {
                operands,
                ..op.clone()
            };
            let copy = vectors.graph.append(vectors.block, copy, types.clone());
            let Some(&result) = op.results.first() else { continue };
            let plain = vectors.graph.op(copy).results[0];
            let refreshed = self.refreshed[result.index()].then(|| {
                let bound = bounds[result.index()].unwrap_or(1.0);
                let attributes = Builder::attributes([("bound", bound.into()), ("log_slots", log_slots.into())]);
                let ty = types[0].clone();
                Builder {
                    graph: &mut vectors.graph,
                    block: vectors.block,
                    span: op.span,
                }
                .value(Opcode::SlotBootstrap, &[plain], attributes, ty)
            });
            map[result.index()] = Some((plain, refreshed));
        }
        vectors.graph
    }

    /// The level that every value is made at.
    fn made(&self) -> Vec<u32> {
        let mut made = vec![0; self.graph.value_count()];
        for op in self.graph.walk().into_iter().rev().map(|op| self.graph.op(op)) {
            let own = op.results.first().map_or(0, |result| {
                if self.refreshed[result.index()] {
                    made[result.index()] = self.setting.floor;
                }
                made[result.index()]
            });
            let asked = self.asks(op, own);
            for operand in &op.operands {
                made[operand.index()] = made[operand.index()].max(asked);
            }
        }
        made
    }

    /// The level that an operation whose result is made at `level` asks of its operands.
    fn asks(&self, op: &OpData, level: u32) -> u32 {
        let state = op
            .int("port")
            .filter(|_| op.flag("state"))
            .and_then(|port| self.states.iter().position(|&state| state == port));
        match op.opcode {
            Opcode::SlotBootstrap => self.setting.floor,
            Opcode::SlotOutput => state.map_or(self.setting.lowest, |state| self.solution.heads[state]),
            _ => level + u32::from(takes_level(op)),
        }
    }
}

/// Why there is no solution: what would have to be refreshed has no bound, or nothing would help.
fn refuse(graph: &Graph, bounds: &[Option<f64>], setting: &Setting<'_>) -> Diagnostic {
    let reduced = reduce(graph, bounds, setting, true);
    let solution = solve::solve(&reduced.problem);
    let unbounded = solution.iter().flat_map(|solution| {
        let values = solution.refreshed.iter().flat_map(|&node| &reduced.members[node]);
        values.copied().filter(|value| bounds[value.index()].is_none())
    });
    let place = unbounded
        .filter_map(|value| graph.defining_op(value))
        .map(|op| graph.op(op).span)
        .find(|span| *span != Span::none());
    match (place, solution) {
        (place, Some(_)) => {
            let mut refusal = Diagnostic::new(
                Code::Range,
                "levels run out where no value is known to stay within bounds",
            )
            .note("a bootstrap takes values of a known interval and gives wrong ones for all others")
            .remedy("give states a range, as in `in [-4, 4]`, and functions a `range:`");
            if let Some(place) = place {
                refusal = refusal.label(place, "which values can this take?");
            }
            refusal
        }
        (_, None) => Diagnostic::new(
            Code::Depth,
            format!(
                "no placement of bootstraps makes {} levels enough",
                setting.usable
            ),
        )
        .note(format!(
            "a bootstrap starts from level {} and leaves {} levels",
            setting.floor,
            setting.usable - setting.floor
        ))
        .remedy("use polynomials of lower degree"),
    }
}

