//! What happens at which level, step by step.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use cipherloom_plan::{Dst, Instruction, Op, Plan};
use serde::Serialize;

use super::Place;
use crate::source::{Source, Span};

/// What a run does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// Every kind of operation in the whole run; the body of a loop counts as often as it runs.
    pub operations: Vec<OperationCount>,
    /// The training steps; a plan without any is one step.
    pub steps: Vec<StepReport>,
    /// Level by level, what comes before the first step.
    pub before: Vec<Stage>,
    /// Which of `steps` is typical: as many instructions as the median step of the run. The first is not, because what
    /// starts from public values is folded away; the last is not, because what leaves the plan is counted with it.
    pub typical: usize,
    /// Level by level from high to low, what the typical step does, in the order of the plan: work that is done early for
    /// the step after it counts here, as its own early work counts with the step before.
    pub stages: Vec<Stage>,
}

/// How often an operation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OperationCount {
    /// Its mnemonic.
    pub operation: &'static str,
    /// How often.
    pub count: u64,
}

/// A training step, in the order of the plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// Its number, counted from 1; of the first of its runs if there are several.
    pub number: u64,
    /// How often it runs.
    pub runs: u64,
    /// Steps from one of its runs to the next: as many as a round of its loop has.
    pub every: u64,
    /// Its first instruction.
    pub first_instruction: usize,
    /// Its number of instructions.
    pub instructions: usize,
    /// The highest level of a value in it.
    pub highest_level: u8,
    /// The lowest level of a value in it.
    pub lowest_level: u8,
    /// Products of two ciphertexts.
    pub products: u64,
    /// Products of a ciphertext and a public value.
    pub plain_products: u64,
    /// Key switches: rotations and relinearisations.
    pub key_switches: u64,
}

/// The instructions of a step that have the same level and come from the same line of the source, or from the same bytes
/// where the source is not at hand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// The level.
    pub level: u8,
    /// log2 of the scale of the last ciphertext made.
    pub log_scale: Option<f64>,
    /// Where the instructions come from: all that they come from, on that line.
    pub place: Place,
    /// The first of them.
    pub first_instruction: usize,
    /// What they do.
    pub operations: Vec<OperationCount>,
}

impl Timeline {
    pub(super) fn new(plan: &Plan<'_>, source: Option<&Source>) -> Self {
        let scales = log_scales(plan);
        let runs = runs(plan);
        let instructions: Vec<_> = plan.instructions().collect();
        let mut operations = Counter::default();
        instructions
            .iter()
            .zip(&runs)
            .for_each(|(instruction, &runs)| operations.add(instruction.op, runs));

        let mut starts: Vec<usize> = (0..instructions.len())
            .filter(|&index| instructions[index].op == Op::Step)
            .collect();
        let first = starts.first().copied().unwrap_or(0);
        if starts.is_empty() {
            starts.push(0);
        }
        let ends = starts[1..].iter().copied().chain([instructions.len()]);
        let segments: Vec<_> = starts
            .iter()
            .copied()
            .zip(ends)
            .map(|(start, end)| start..end)
            .collect();
        let stages = |range| stages(plan, source, &instructions, &scales, range);
        // The steps of one round of a loop follow each other without the beginning or end of another loop.
        let is_one_round = |a: &Range<usize>, _: &Range<usize>| {
            let loops = instructions[a.clone()]
                .iter()
                .any(|i| matches!(i.op, Op::Loop | Op::End));
            runs.get(a.start).is_some_and(|&runs| runs > 1) && !loops
        };
        let mut begun = 1;
        let mut steps: Vec<StepReport> = Vec::new();
        for round in segments.chunk_by(is_one_round) {
            let every = round.len() as u64;
            for (number, range) in (begun..).zip(round) {
                steps.push(StepReport::new(
                    &instructions,
                    &runs,
                    range.clone(),
                    number,
                    every,
                ));
            }
            begun += every * steps.last().map_or(1, |step| step.runs);
        }
        let typical = typical(&steps);
        Self {
            operations: operations.list(),
            before: stages(0..first),
            stages: stages(segments[typical].clone()),
            typical,
            steps,
        }
    }
}

/// The step with the median number of instructions, each counted as often as it runs.
fn typical(steps: &[StepReport]) -> usize {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|&index| (steps[index].instructions, index));
    let half = steps.iter().map(|step| step.runs).sum::<u64>().div_ceil(2);
    let mut passed = 0;
    let median = order.into_iter().find(|&index| {
        passed += steps[index].runs;
        passed >= half
    });
    median.unwrap_or(0)
}

fn stages(
    plan: &Plan<'_>,
    source: Option<&Source>,
    instructions: &[Instruction],
    scales: &[Option<f64>],
    range: Range<usize>,
) -> Vec<Stage> {
    struct Group {
        first_instruction: usize,
        bytes: Range<u32>,
        log_scale: Option<f64>,
        operations: Counter,
    }
    // By level and line; a place without a line has its bytes instead.
    let mut groups = BTreeMap::<_, Group>::new();
    for index in range {
        let instruction = &instructions[index];
        if !instruction.op.signature().level {
            continue;
        }
        let Place { start, end, line, .. } = Place::of(plan, source, index);
        let bytes = line.is_none().then_some((start, end));
        let group = groups
            .entry((instruction.level, line, bytes))
            .or_insert_with(|| Group {
                first_instruction: index,
                bytes: start..end,
                log_scale: None,
                operations: Counter::default(),
            });
        group.bytes = group.bytes.start.min(start)..group.bytes.end.max(end);
        group.log_scale = scales[index].or(group.log_scale);
        group.operations.add(instruction.op, 1);
    }
    let mut stages: Vec<Stage> = groups
        .into_iter()
        .map(|((level, ..), group)| Stage {
            level,
            log_scale: group.log_scale,
            place: Place::new(
                Span {
                    start: group.bytes.start,
                    end: group.bytes.end,
                },
                source,
            ),
            first_instruction: group.first_instruction,
            operations: group.operations.list(),
        })
        .collect();
    stages.sort_by_key(|stage| (Reverse(stage.level), stage.first_instruction));
    stages
}

impl StepReport {
    fn new(instructions: &[Instruction], runs: &[u64], range: Range<usize>, number: u64, every: u64) -> Self {
        let body = &instructions[range.clone()];
        let count = |wanted: fn(Op) -> bool| -> u64 { body.iter().filter(|i| wanted(i.op)).count() as u64 };
        let levels = || body.iter().filter(|i| i.op.signature().level).map(|i| i.level);
        Self {
            number,
            every,
            runs: runs.get(range.start).copied().unwrap_or(1),
            first_instruction: range.start,
            instructions: body.len(),
            highest_level: levels().max().unwrap_or(0),
            lowest_level: levels().min().unwrap_or(0),
            products: count(|op| matches!(op, Op::Mul | Op::MulAcc | Op::Square)),
            plain_products: count(|op| matches!(op, Op::MulPlain | Op::MulPlainAcc | Op::MulScalar)),
            key_switches: count(|op| matches!(op, Op::Relinearize | Op::Rotate | Op::RotateAcc)),
        }
    }
}

/// Counts by operation, listed in the order of the instruction table.
#[derive(Default)]
struct Counter(BTreeMap<Op, u64>);

impl Counter {
    fn add(&mut self, op: Op, count: u64) {
        *self.0.entry(op).or_default() += count;
    }

    fn list(&self) -> Vec<OperationCount> {
        self.0
            .iter()
            .map(|(op, &count)| OperationCount {
                operation: op.mnemonic(),
                count,
            })
            .collect()
    }
}

/// How often each instruction runs.
fn runs(plan: &Plan<'_>) -> Vec<u64> {
    let mut nest = vec![1_u64];
    plan.instructions()
        .map(|instruction| {
            let here = *nest.last().unwrap_or(&1);
            match instruction.op {
                Op::Loop => nest.push(here.saturating_mul(u64::from(instruction.a))),
                Op::End => drop(nest.pop()),
                _ => {}
            }
            here
        })
        .collect()
}

/// log2 of the scale of the ciphertext that each instruction makes, followed from the ports through one pass.
fn log_scales(plan: &Plan<'_>) -> Vec<Option<f64>> {
    let mut scales: Vec<Option<f64>> = vec![None; plan.buffers().len()];
    let q = plan.parameters().q();
    plan.instructions()
        .map(|instruction| {
            if instruction.op.signature().dst == Dst::None {
                return None;
            }
            let a = scales.get(instruction.a as usize).copied().flatten();
            let b = scales.get(instruction.b as usize).copied().flatten();
            let scalar = || {
                plan.scalar(instruction.b as usize)
                    .map(|scalar| scalar.scale().log2())
            };
            let scale = match instruction.op {
                Op::Input | Op::Stream | Op::StateLoad => {
                    plan.port(instruction.a as usize).map(|port| port.scale().log2())
                }
                Op::Encode => plan
                    .constant(instruction.a as usize)
                    .map(|constant| constant.scale().log2()),
                Op::Mul | Op::MulAcc | Op::MulPlain | Op::MulPlainAcc | Op::MulPlainSum => {
                    a.zip(b).map(|(a, b)| a + b)
                }
                Op::Square => a.map(|a| 2.0 * a),
                Op::MulScalar => a.zip(scalar()).map(|(a, b)| a + b),
                Op::Rescale | Op::RelinearizeRescale | Op::ModDownRescale => {
                    let prime = q.get(usize::from(instruction.level) + 1);
                    a.zip(prime).map(|(a, prime)| a - (prime as f64).log2())
                }
                _ => a,
            };
            if let Some(target) = scales.get_mut(instruction.dst as usize) {
                *target = scale;
            }
            scale.filter(|_| instruction.op != Op::Encode)
        })
        .collect()
}
