//! Which values live when, and which may take the place of another.

use cipherloom_plan::{Basis, WordCounts};

use crate::ir::{self, ClosedLoop, Graph, OpId, Opcode, Type, Value};
use crate::pass::memory::Lifetime;

/// Ranges of memory of a program: values that are made in place share one.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    /// The range of each value, by index.
    pub of: Vec<Option<usize>>,
    /// Size and life of each range; times are positions in the program.
    pub lifetimes: Vec<Lifetime>,
}

/// Words of a value.
pub fn words(ty: &Type, counts: &WordCounts) -> u64 {
    match ty {
        Type::Cipher(ty) => counts.ciphertext(ty.level as u8, ty.degree as u8, basis(ty.basis)),
        Type::Plain(ty) => counts.plaintext(ty.level as u8, basis(ty.basis), ty.compact as u8),
        Type::Digits { level, .. } => counts.decomposed(*level as u8),
        Type::Tensor(_) | Type::Vector(_) => 0,
    }
}

/// The same basis in the plan's terms.
pub fn basis(basis: ir::Basis) -> Basis {
    match basis {
        ir::Basis::Q => Basis::Q,
        ir::Basis::Qp => Basis::Qp,
    }
}

/// The operand whose memory the result takes over, if it is read for the last time.
fn taken(opcode: Opcode, operands: &[Value]) -> Option<Value> {
    use Opcode::*;
    match opcode {
        CkksAdd | CkksSub if operands[0] == operands[1] => None,
        CkksAdd | CkksSub | CkksNeg | CkksAddPlain | CkksMulPlain | CkksAddScalar | CkksMulScalar
        | CkksMulAcc | CkksMulPlainAcc => operands.first().copied(),
        CkksRotateAcc | CkksLiftAcc => operands.get(1).copied(),
        _ => None,
    }
}

/// Ranges of a program without regions. What is made before a closed loop and read in what runs again lives until that has
/// run for the last time.
pub fn ranges(graph: &Graph, order: &[OpId], counts: &WordCounts) -> Ranges {
    let mut last_use = vec![0; graph.value_count()];
    for (time, &op) in order.iter().enumerate() {
        graph
            .op(op)
            .operands
            .iter()
            .for_each(|operand| last_use[operand.index()] = time);
    }
    if let Some(closed) = ClosedLoop::find(graph, order) {
        for &op in &order[..closed.start] {
            for result in &graph.op(op).results {
                let last = &mut last_use[result.index()];
                *last = closed.needed_until(*last, order.len());
            }
        }
    }
    let mut ranges = Ranges {
        of: vec![None; graph.value_count()],
        lifetimes: Vec::new(),
    };
    for (time, &op) in order.iter().enumerate() {
        let op = graph.op(op);
        let Some(&result) = op.results.first() else {
            continue;
        };
        let size = words(graph.ty(result), counts);
        let end = last_use[result.index()].max(time);
        let over = taken(op.opcode, &op.operands).filter(|operand| last_use[operand.index()] == time);
        let over = over
            .and_then(|operand| ranges.of[operand.index()])
            .filter(|&range| ranges.lifetimes[range].words == size);
        ranges.of[result.index()] = Some(match over {
            Some(range) => {
                ranges.lifetimes[range].end = end;
                range
            }
            None => {
                ranges.lifetimes.push(Lifetime {
                    words: size,
                    start: time,
                    end,
                });
                ranges.lifetimes.len() - 1
            }
        });
    }
    ranges
}
