//! Gives every vector a level, as late as possible: outputs lie at the lowest level, and a value lies just high enough
//! for the deepest of its uses. Inputs then enter at the level of their first use, and everything is computed with as few
//! limbs as it can be.

use crate::dialect::slot::takes_level;
use crate::ir::{Graph, Opcode, Secrecy, Type, Value};

/// The level of each live secret vector, by index; `None` for public and dead ones.
pub fn run(graph: &Graph, output_level: u32) -> Vec<Option<u32>> {
    let mut levels: Vec<Option<u32>> = vec![None; graph.value_count()];
    for op in graph.walk().into_iter().rev() {
        let op = graph.op(op);
        let below = match op.results.first() {
            Some(result) => levels[result.index()],
            None => (op.opcode == Opcode::SlotOutput).then_some(output_level),
        };
        let Some(below) = below else { continue };
        let level = below + u32::from(takes_level(op));
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
            let levels = run(&vectors.graph, 0);
            for value in values {
                prop_assert_eq!(levels[value.index()], brute(&vectors.graph, value));
            }
        }
    }
}
