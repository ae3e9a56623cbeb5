//! What a run still needs at a place of its plan: the buffers whose values are read later.

use cipherloom_plan::{Dst, Instruction, Op, Plan};

/// What must be there to go on from a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    /// Buffers whose values must be kept, by increasing index.
    pub(crate) kept: Vec<u32>,
    /// Instructions that encode the constants in all other buffers that are read later: nothing else ever writes those, so
    /// that they need not be kept.
    pub(crate) encoded: Vec<u32>,
}

/// What must be there before the instruction at `position`, for any number of runs of the loops around it.
pub(crate) fn live_at(plan: &Plan<'_>, position: usize) -> Live {
    let instructions: Vec<Instruction> = plan.instructions().collect();
    let live = buffers_live_at(&instructions, plan.buffers().len(), position);
    let mut writers = vec![Writers::None; live.len()];
    for (index, instruction) in (0..).zip(&instructions) {
        if let Some(writers) = instruction.writes().and_then(|dst| writers.get_mut(dst as usize)) {
            *writers = match *writers {
                Writers::None if instruction.op == Op::Encode => Writers::Encode(index),
                _ => Writers::Others,
            };
        }
    }
    let mut needed = Live::default();
    for ((buffer, _), writers) in (0..).zip(live).zip(writers).filter(|((_, live), _)| *live) {
        match writers {
            Writers::Encode(at) => needed.encoded.push(at),
            Writers::None | Writers::Others => needed.kept.push(buffer),
        }
    }
    needed
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
fn buffers_live_at(instructions: &[Instruction], buffers: usize, position: usize) -> Vec<bool> {
    // What is live at the first instruction of each loop's body, by the order in which loops end.
    let mut heads: Vec<Vec<bool>> = Vec::new();
    loop {
        let mut live = vec![false; buffers];
        let mut found = live.clone();
        let (mut open, mut seen, mut changed) = (Vec::new(), 0, false);
        for (index, instruction) in instructions.iter().enumerate().rev() {
            match instruction.op {
                Op::End => {
                    match heads.get(seen) {
                        Some(head) => unite(&mut live, head),
                        None => heads.push(vec![false; buffers]),
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
            if index == position {
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
