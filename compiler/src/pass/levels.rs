//! Gives every vector a level, as late as possible: outputs lie at the lowest level, and a value lies just high enough
//! for the deepest of its uses. Inputs then enter at the level of their first use, and everything is computed with as few
//! limbs as it can be. The results of bootstraps lie at the level that they are pinned to.

use std::collections::BTreeMap;

use crate::dialect::slot::takes_level;
use crate::ir::{Graph, OpData, Opcode, Secrecy, Type, Value};

/// The level of each live secret vector, by index; `None` for public and dead ones. `floor` is the level from which
/// bootstraps that are not expanded yet start.
///
/// A state is written at the level at which it is read, the lowest that its uses allow. Where that cannot be
/// ([`open_state`]) the levels are of no use.
pub fn run(graph: &Graph, output_level: u32, floor: u32) -> Vec<Option<u32>> {
    closed(graph, output_level, floor).0
}

/// The port of a state that a step cannot write at the level at which it reads it: its loop is not closed.
pub fn open_state(graph: &Graph, floor: u32) -> Option<u32> {
    closed(graph, 0, floor).1
}

/// Levels, and the first port of a state that is read higher than it is written.
fn closed(graph: &Graph, output_level: u32, floor: u32) -> (Vec<Option<u32>>, Option<u32>) {
    let mut written = BTreeMap::new();
    let mut round = 0;
    loop {
        let levels = with_states(graph, output_level, floor, &written);
        let mut open = None;
        for op in graph.walk().into_iter().map(|op| graph.op(op)) {
            if let Some(read) = op.results.first().and_then(|&result| levels[result.index()])
                && op.flag("state")
            {
                let port = op.int("port").unwrap_or(0);
                let written = written.entry(port).or_insert(output_level);
                if *written < read {
                    *written = read;
                    open.get_or_insert(port as u32);
                }
            }
        }
        // What one state asks of another is passed on once a round, on a way that is no longer than their number.
        if open.is_none() || round > written.len() {
            return (levels, open);
        }
        round += 1;
    }
}

fn with_states(
    graph: &Graph,
    output_level: u32,
    floor: u32,
    written: &BTreeMap<i64, u32>,
) -> Vec<Option<u32>> {
    let lowest = |op: &OpData| match op.int("port").filter(|_| op.flag("state")) {
        Some(port) => written.get(&port).copied().unwrap_or(output_level),
        None => output_level,
    };
    let mut levels: Vec<Option<u32>> = vec![None; graph.value_count()];
    for op in graph.walk().into_iter().rev() {
        let op = graph.op(op);
        let below = match op.results.first() {
            Some(result) => levels[result.index()],
            None => (op.opcode == Opcode::SlotOutput).then(|| lowest(op)),
        };
        let Some(below) = below else { continue };
        // A pinned result lies where it must, and what is raised comes from the lowest level of all.
        let below = op.int("pin").map_or(below, |pin| pin as u32);
        if let Some(&result) = op.results.first() {
            levels[result.index()] = Some(below);
        }
        let level = match op.opcode {
            Opcode::SlotModRaise => 0,
            Opcode::SlotBootstrap => floor,
            _ => below + u32::from(takes_level(op)),
        };
        for &operand in &op.operands {
            if is_secret(graph, operand) {
                let own = &mut levels[operand.index()];
                *own = Some(own.map_or(level, |own| own.max(level)));
            }
        }
    }
    levels
}

/// Whether a vector is a ciphertext.
pub fn is_secret(graph: &Graph, value: Value) -> bool {
    matches!(graph.ty(value), Type::Vector(ty) if ty.secrecy == Secrecy::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The longest path of products from a value to an output, found by trying all.
    fn brute(graph: &Graph, value: Value) -> Option<u32> {
        graph
            .walk()
            .into_iter()
            .filter(|&op| graph.op(op).operands.contains(&value))
            .filter_map(|op| match graph.op(op).results.first() {
                None => Some(0),
                Some(&result) => {
                    brute(graph, result).map(|below| below + u32::from(takes_level(graph.op(op))))
                }
            })
            .max()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn levels_are_longest_paths(steps in prop::collection::vec((0u8..5, 0usize..100, 0usize..100), 1..9)) {
            let mut vectors = crate::dialect::slot::Vectors::new("random", 4);
            let mut values = vec![vectors.input(0, 0, None), vectors.input(0, 1, None)];
            for (kind, a, b) in steps {
                let (a, b) = (values[a % values.len()], values[b % values.len()]);
                values.push(match kind {
                    0 => vectors.add(a, b),
                    1 => vectors.mul(a, b),
                    2 => vectors.mul_scalar(a, 0.5),
                    3 => vectors.mul_scalar(a, 3.0),
                    _ => vectors.sum_rotations(a, vec![0, 1], false),
                });
            }
            vectors.output(1, 0, values[values.len() - 1]);
            let levels = run(&vectors.graph, 0, 0);
            for value in values {
                prop_assert_eq!(levels[value.index()], brute(&vectors.graph, value));
            }
        }
    }
}
