//! What a run still needs at a place of its plan: the buffers whose values are read later.

use cipherloom_plan::{Dst, Instruction, Op, Plan};
use std::collections::BTreeMap;

/// What must be there to go on from a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    /// Buffers whose values must be kept, by increasing index.
    pub(crate) kept: Vec<u32>,
    /// Instructions that encode the constants in all other buffers that are read later: nothing else ever writes those, so
    /// that they need not be kept.
    pub(crate) encoded: Vec<u32>,
}

/// What must be there before the instructions at some positions, for any number of runs of the loops around them.
pub(crate) fn live_at(plan: &Plan<'_>, positions: impl IntoIterator<Item = usize>) -> BTreeMap<usize, Live> {
    let instructions: Vec<Instruction> = plan.instructions().collect();
    let buffers = plan.buffers().len();
    let mut writers = vec![Writers::None; buffers];
    for (index, instruction) in (0..).zip(&instructions) {
        if let Some(writers) = instruction.writes().and_then(|dst| writers.get_mut(dst as usize)) {
            *writers = match *writers {
                Writers::None if instruction.op == Op::Encode => Writers::Encode(index),
                _ => Writers::Others,
            };
        }
    }
    let needed = |live: Vec<bool>| {
        let mut needed = Live::default();
        for ((buffer, _), &writers) in (0..).zip(live).zip(&writers).filter(|((_, live), _)| *live) {
            match writers {
                Writers::Encode(at) => needed.encoded.push(at),
                Writers::None | Writers::Others => needed.kept.push(buffer),
            }
        }
        needed
    };
    let live = buffers_live_at(&instructions, buffers, positions);
    live.into_iter().map(|(at, live)| (at, needed(live))).collect()
}

/// Which instructions write a buffer.
#[derive(Clone, Copy)]
enum Writers {
    None,
    /// Just this one, an `encode`.
    Encode(u32),
    Others,
}

/// Liveness by walking backwards: a buffer is live before what reads it, and not before what overwrites it. (Values belong to
/// buffers, not to ranges: the verifier sees to it that none is read after another buffer that overlaps it was written.) What
/// is live at a loop's head is live at its end too; walks are repeated until that holds.
fn buffers_live_at(
    instructions: &[Instruction],
    buffers: usize,
    positions: impl IntoIterator<Item = usize>,
) -> BTreeMap<usize, Vec<bool>> {
    // Nothing is live at the end.
    let nothing = vec![false; buffers];
    let mut found: BTreeMap<usize, Vec<bool>> =
        positions.into_iter().map(|at| (at, nothing.clone())).collect();
    // What is live at the first instruction of each loop's body, by the order in which loops end.
    let mut heads: Vec<Vec<bool>> = Vec::new();
    loop {
        let mut live = nothing.clone();
        let (mut open, mut seen, mut changed) = (Vec::new(), 0, false);
        for (index, instruction) in instructions.iter().enumerate().rev() {
            match instruction.op {
                Op::End => {
                    match heads.get(seen) {
                        Some(head) => unite(&mut live, head),
                        None => heads.push(nothing.clone()),
                    }
                    open.push(seen);
                    seen += 1;
                }
                Op::Loop => {
                    if let Some(head) = open.pop().and_then(|head| heads.get_mut(head))
                        && *head != live
                    {
                        head.clone_from(&live);
                        changed = true;
                    }
                }
                _ => step_back(&mut live, instruction),
            }
            if let Some(found) = found.get_mut(&index) {
                found.clone_from(&live);
            }
        }
        if !changed {
            return found;
        }
    }
}

fn step_back(live: &mut [bool], instruction: &Instruction) {
    if let Some(dst) = instruction.writes()
        && (instruction.op.signature().dst != Dst::Accumulate || instruction.init())
        && let Some(live) = live.get_mut(dst as usize)
    {
        *live = false;
    }
    for read in instruction.reads() {
        if let Some(live) = live.get_mut(read as usize) {
            *live = true;
        }
    }
}

fn unite(live: &mut [bool], others: &[bool]) {
    live.iter_mut()
        .zip(others)
        .for_each(|(live, &other)| *live |= other);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(op: Op, dst: u32, a: u32, b: u32) -> Instruction {
        Instruction {
            dst,
            a,
            b,
            ..Instruction::new(op)
        }
    }

    /// The live buffers of six before each instruction, and after the last.
    fn live(instructions: &[Instruction]) -> Vec<Vec<usize>> {
        let live = buffers_live_at(instructions, 6, 0..=instructions.len());
        live.values()
            .map(|live| (0..6).filter(|&buffer| live[buffer]).collect())
            .collect()
    }

    #[test]
    fn straight_code() {
        let found = live(&[
            op(Op::Input, 0, 0, 0),
            op(Op::Input, 1, 0, 0),
            op(Op::Add, 2, 0, 1),
            op(Op::MulAcc, 3, 2, 2),
            op(Op::Add, 2, 2, 3),
            op(Op::Output, 0, 2, 0),
        ]);
        // Buffer 3 is added to before it was written: it is live from the beginning.
        let expected: [&[usize]; 7] = [&[3], &[0, 3], &[0, 1, 3], &[2, 3], &[2, 3], &[2], &[]];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_loop_carries_is_live_at_its_end() {
        let found = live(&[
            op(Op::Input, 0, 0, 0),
            op(Op::Encode, 5, 0, 0),
            op(Op::Loop, 0, 3, 0),
            op(Op::MulPlain, 1, 0, 5),
            op(Op::Loop, 0, 2, 0),
            op(Op::Add, 0, 0, 1),
            op(Op::End, 0, 0, 0),
            op(Op::End, 0, 0, 0),
            op(Op::Output, 0, 0, 0),
        ]);
        let expected: [&[usize]; 10] = [
            &[],
            &[0],
            &[0, 5],
            &[0, 5],
            &[0, 1, 5],
            &[0, 1, 5],
            // At the end of the inner loop: its body, or the rest, may come next.
            &[0, 1, 5],
            &[0, 5],
            &[0],
            &[],
        ];
        assert_eq!(found, expected);
    }
}
