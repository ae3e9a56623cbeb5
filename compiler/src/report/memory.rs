//! The memory of a run, and what makes its peak.

use std::collections::BTreeMap;

use cipherloom_plan::{Dst, Op, Plan};
use serde::Serialize;

use super::Place;
use crate::source::Source;

/// The memory of a run, in bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryReport {
    /// The arena that the executor is given: buffers and scratch.
    pub arena_bytes: u64,
    /// The part of the arena where values lie.
    pub buffer_bytes: u64,
    /// The part of the arena that instructions work in.
    pub scratch_bytes: u64,
    /// The ring's tables.
    pub table_bytes: u64,
    /// The encoder's tables and vectors.
    pub encoder_bytes: u64,
    /// All switching keys.
    pub key_bytes: u64,
    /// All of the above.
    pub total_bytes: u64,
    /// Bytes of values that are alive at once, at most: no buffers can be smaller.
    pub peak_live_bytes: u64,
    /// The first instruction with that many.
    pub peak_instruction: usize,
    /// Where that instruction comes from.
    pub peak_place: Place,
    /// The values that are alive there, the largest group first.
    pub peak: Vec<PeakGroup>,
}

/// Values of the same origin and size that are alive at the peak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeakGroup {
    /// What made them: the mnemonic of the instruction.
    pub made_by: &'static str,
    /// Their level.
    pub level: u8,
    /// Where that instruction comes from.
    pub place: Place,
    /// How many.
    pub count: usize,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl MemoryReport {
    pub(super) fn new(plan: &Plan<'_>, source: Option<&Source>) -> Self {
        let memory = plan.memory();
        let word_bytes = u64::from(plan.parameters().word_bits() / 8);
        let encoder_bytes = memory.encoder_f64s * size_of::<f64>() as u64;
        let peak = Peak::find(plan);

        let mut groups: BTreeMap<(Place, Op, u8), (usize, u64)> = BTreeMap::new();
        for (buffer, writer) in peak.live {
            let instruction = writer.and_then(|index| plan.instruction(index));
            let place = writer
                .map(|index| Place::of(plan, source, index))
                .unwrap_or_default();
            // A value that is carried around a loop may have no writer above its peak.
            let (op, level) =
                instruction.map_or((Op::Loop, 0), |instruction| (instruction.op, instruction.level));
            let group = groups.entry((place, op, level)).or_default();
            group.0 += 1;
            group.1 += plan.buffer(buffer).map_or(0, |buffer| buffer.words * word_bytes);
        }
        let mut groups: Vec<PeakGroup> = groups
            .into_iter()
            .map(|((place, op, level), (count, bytes))| PeakGroup {
                made_by: op.mnemonic(),
                level,
                place,
                count,
                bytes,
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.bytes));

        Self {
            arena_bytes: memory.arena_words * word_bytes,
            buffer_bytes: memory.buffer_words * word_bytes,
            scratch_bytes: memory.scratch_words * word_bytes,
            table_bytes: memory.table_words * word_bytes,
            encoder_bytes,
            key_bytes: memory.key_words * word_bytes,
            total_bytes: (memory.arena_words + memory.table_words + memory.key_words) * word_bytes
                + encoder_bytes,
            peak_live_bytes: peak.words * word_bytes,
            peak_instruction: peak.instruction,
            peak_place: Place::of(plan, source, peak.instruction),
            peak: groups,
        }
    }
}

/// What an instruction does to buffers.
struct Access {
    reads: Vec<usize>,
    writes: Option<usize>,
}

impl Access {
    fn of(instruction: &cipherloom_plan::Instruction) -> Self {
        let reads: Vec<usize> = instruction.reads().map(|buffer| buffer as usize).collect();
        let target = instruction.writes().map(|buffer| buffer as usize);
        let adds = instruction.op.signature().dst == Dst::Accumulate && !instruction.init();
        Self {
            reads,
            writes: target.filter(|_| !adds),
        }
    }
}

/// The instruction during which the most words are alive.
struct Peak {
    instruction: usize,
    words: u64,
    /// The live buffers and the instruction that wrote each.
    live: Vec<(usize, Option<usize>)>,
}

impl Peak {
    fn find(plan: &Plan<'_>) -> Self {
        let buffers: Vec<_> = plan.buffers().collect();
        let instructions: Vec<_> = plan.instructions().collect();
        // What is alive at the head of each loop, by its first instruction; a fixed point, since it flows around the loop.
        let mut heads: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
        loop {
            let before = heads.clone();
            let mut best = Self {
                instruction: 0,
                words: 0,
                live: Vec::new(),
            };
            let mut best_live = Vec::new();
            let mut live = vec![false; buffers.len()];
            let mut open = Vec::new();
            for (index, instruction) in instructions.iter().enumerate().rev() {
                match instruction.op {
                    Op::End => {
                        let head = matching_loop(&instructions, index);
                        open.push(head);
                        if let Some(carried) = heads.get(&head) {
                            live.iter_mut()
                                .zip(carried)
                                .for_each(|(live, &carried)| *live |= carried);
                        }
                    }
                    Op::Loop => {
                        if let Some(head) = open.pop() {
                            heads.insert(head, live.clone());
                        }
                    }
                    _ => {}
                }
                let access = Access::of(instruction);
                let mut during = live.clone();
                access.writes.into_iter().for_each(|buffer| {
                    live[buffer] = false;
                    during[buffer] = true;
                });
                for buffer in access.reads {
                    live[buffer] = true;
                    // In place: one range under two names.
                    let same = access.writes.is_some_and(|target| {
                        target != buffer && buffers[target].offset == buffers[buffer].offset
                    });
                    during[buffer] |= !same;
                }
                let words = during
                    .iter()
                    .zip(&buffers)
                    .filter(|(live, _)| **live)
                    .map(|(_, b)| b.words)
                    .sum();
                if words >= best.words {
                    best = Self {
                        instruction: index,
                        words,
                        live: Vec::new(),
                    };
                    best_live = during;
                }
            }
            if heads == before {
                let mut writers = vec![None; buffers.len()];
                for (index, instruction) in instructions.iter().enumerate().take(best.instruction + 1) {
                    Access::of(instruction)
                        .writes
                        .into_iter()
                        .for_each(|buffer| writers[buffer] = Some(index));
                }
                best.live = (0..buffers.len())
                    .filter(|&b| best_live.get(b) == Some(&true))
                    .map(|b| (b, writers[b]))
                    .collect();
                return best;
            }
        }
    }
}

/// The `loop` that an `end` closes.
fn matching_loop(instructions: &[cipherloom_plan::Instruction], end: usize) -> usize {
    let mut depth = 0;
    for index in (0..end).rev() {
        match instructions[index].op {
            Op::End => depth += 1,
            Op::Loop if depth == 0 => return index,
            Op::Loop => depth -= 1,
            _ => {}
        }
    }
    0
}
