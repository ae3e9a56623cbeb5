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

mod explain;
mod insert;
mod problem;
mod setting;
mod solve;

use crate::analysis::bounds;
use crate::analysis::parts::{self, Part};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::Graph;
use crate::pass::layout::Packed;
use crate::pass::levels;
use crate::source::Span;
pub use explain::{Refreshed, explain};
use insert::Inserter;
use problem::reduce;
pub use setting::Setting;

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
pub fn needed(graph: &Graph, setting: &Setting) -> bool {
    levels::open_state(graph, setting.floor).is_some()
        || levels::run(graph, setting.lowest, setting.floor)
            .into_iter()
            .flatten()
            .any(|level| level > setting.usable)
}

/// Places bootstraps in a program whose vectors repeat after `period` slots. Errors: E-RANGE if there are only values left without bounds, E-DEPTH if nothing helps.
pub fn run(packed: &Packed, period: u32, setting: &Setting) -> Result<Placement, Diagnostic> {
    let ports: Vec<Option<f64>> = packed.ports.iter().map(|port| port.bound()).collect();
    let bounds = bounds::derive(&packed.graph, &ports);
    let complex: Vec<bool> = packed
        .ports
        .iter()
        .map(|port| port.layout.view().is_complex())
        .collect();
    let parts = parts::derive(&packed.graph, &complex);
    let reduced = reduce(&packed.graph, &bounds, &parts, setting, false);
    let Some(solution) = solve::solve(&reduced.problem) else {
        return Err(refuse(&packed.graph, &bounds, &parts, setting));
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
        period,
        refreshed: &refreshed,
        bounds: &bounds,
        states: &reduced.states,
        solution: &solution,
    };
    Ok(Placement {
        packed: Packed {
            graph: inserter.run(),
            ports: packed.ports.clone(),
        },
        seconds: solution.seconds,
        exact: solution.exact,
    })
}

/// Why there is no solution: what would have to be refreshed has no bound, or nothing would help.
fn refuse(graph: &Graph, bounds: &[Option<f64>], parts: &[Part], setting: &Setting) -> Diagnostic {
    let reduced = reduce(graph, bounds, parts, setting, true);
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

#[cfg(test)]
mod tests;
