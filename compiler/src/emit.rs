//! Ciphertext operations → plan.

mod buffers;
mod instruction;

use cipherloom_plan::data::{Parameters, PlanData, Port};
use cipherloom_plan::{Buffer, Estimates, Instruction, Op, Plan, SourceSpan, verify_alloc};

use crate::analysis::liveness;
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{ClosedLoop, Value};
use crate::params::search::Choice;
use crate::pass::layout::Packed;
use crate::pass::{memory, roll};
use buffers::Buffers;
use instruction::Emitter;

/// What the plan says about itself beside its instructions.
#[derive(Clone, Copy, Debug)]
pub struct Claims {
    /// Bits of a machine word.
    pub word_bits: u32,
    /// Whether it is a toy.
    pub toy: bool,
    /// Training steps.
    pub steps: u32,
}

/// The plan as data and as bytes, parsed and verified.
pub fn run(packed: &Packed, choice: &Choice, claims: Claims) -> Result<(PlanData, Vec<u8>), Diagnostic> {
    let data = plan(packed, choice, claims)?;
    let bytes = data
        .encode()
        .map_err(|error| internal(format!("the plan was not encoded: {error}")))?;
    let plan =
        Plan::parse(&bytes).map_err(|error| internal(format!("the plan was not read back: {error}")))?;
    verify_alloc(&plan).map_err(|error| internal(format!("the plan was not verified: {error}")))?;
    Ok((data, bytes))
}

fn internal(message: String) -> Diagnostic {
    Diagnostic::new(Code::Internal, message).note("this is a mistake of the compiler, not of the program")
}

fn plan(packed: &Packed, choice: &Choice, claims: Claims) -> Result<PlanData, Diagnostic> {
    let parameters = Parameters {
        word_bits: claims.word_bits as u8,
        log_n: choice.chain.log_n as u8,
        log_scale: f64::from(choice.chain.log_scale),
        q: choice.chain.q.clone(),
        p: choice.special.clone(),
        digit_limbs: choice.digit_limbs as u8,
        security_bits: choice.security_bits,
        toy: claims.toy,
        steps: claims.steps,
        ephemeral_weight: choice
            .bootstrapping
            .map_or(0, |bootstrapping| bootstrapping.weight),
    };
    let counts = parameters.words();
    let ports: Vec<Port> = packed
        .ports
        .iter()
        .enumerate()
        .map(|(index, port)| {
            let (low, high) = port.range.unwrap_or((f64::MIN, f64::MAX));
            Port {
                name: port.name.clone(),
                kind: port.kind,
                shape: port.shape.clone(),
                layout: port.layout.clone(),
                level: choice.port_levels[index] as u8,
                scale: choice.chain.scale(choice.port_levels[index]),
                low,
                high,
                one_hot: port.one_hot,
                error: choice.errors[index],
            }
        })
        .collect();
    let graph = &choice.ckks;
    let order = graph.walk();
    let ranges = liveness::ranges(graph, &order, &counts);
    let memory = memory::plan(&ranges.lifetimes);
    let place = |value: Value| {
        let range = ranges.of[value.index()]?;
        Some(Buffer {
            offset: memory.offsets[range],
            words: liveness::words(graph.ty(value), &counts),
        })
    };
    let buffers = Buffers::new(graph, &order, place)?;
    let kinds = packed.ports.iter().map(|port| port.kind).collect();
    let closed = ClosedLoop::find(graph, &order);
    let steps_of_round = closed.map_or(1, |closed| closed.steps);
    let mut emitter = Emitter::new(
        graph,
        choice.chain.log_n,
        kinds,
        &choice.keys,
        buffers,
        steps_of_round,
    );
    let epochs = closed.filter(|closed| closed.every.is_some());
    let begin = |count: u32| Instruction {
        a: count,
        ..Instruction::new(Op::Loop)
    };
    let mut program = Vec::new();
    for (position, op) in order.iter().map(|&op| graph.op(op)).enumerate() {
        if let Some(closed) = closed.filter(|closed| closed.start == position) {
            let epochs = epochs.map(|epochs| (begin(epochs.epochs()), op.span));
            program.extend(epochs);
            program.push((begin(closed.rounds()), op.span));
        }
        program.push((emitter.instruction(op)?, op.span));
    }
    if let Some(epochs) = epochs {
        let span = graph.op(order[epochs.start]).span;
        let ending = [Op::Epoch, Op::Checkpoint, Op::End];
        program.extend(ending.map(|op| (Instruction::new(op), span)));
    }
    // The steps of a round may be equal by chance, but are none of a loop of their own: constants are told by the round.
    let program = match closed {
        Some(_) => program,
        None => roll::run(&program),
    };
    let program = checkpoints(program);
    let mut spans: Vec<SourceSpan> = Vec::new();
    for (index, (_, span)) in program.iter().enumerate() {
        if spans
            .last()
            .is_none_or(|last| (last.start, last.end) != (span.start, span.end))
        {
            spans.push(SourceSpan {
                instruction: index as u32,
                start: span.start,
                end: span.end,
            });
        }
    }
    let instructions = program.into_iter().map(|(instruction, _)| instruction).collect();
    let bytes_of = |index: usize, port: &Port| {
        let words = counts.ciphertext(choice.port_levels[index] as u8, 1, cipherloom_plan::Basis::Q);
        words * u64::from(claims.word_bits) / 8 * u64::from(port.layout.tiles)
    };
    let bytes = |sources: bool| {
        let wanted = ports
            .iter()
            .enumerate()
            .filter(|(index, _)| packed.ports[*index].is_source() == sources);
        wanted.map(|(index, port)| bytes_of(index, port)).sum()
    };
    let estimates = Estimates {
        seconds: choice.cost.seconds,
        seconds_per_step: choice.cost.seconds / f64::from(claims.steps.max(1)),
        input_bytes: bytes(true),
        output_bytes: bytes(false),
        arena_lower_bound_words: memory.lower_bound_words,
        bootstrap_log2_failure: choice.bootstrap_log2_failure(),
    };
    Ok(PlanData {
        name: graph.name.clone(),
        keys: choice.keys.clone(),
        constants: emitter.constants.items,
        scalars: emitter.scalars.items,
        buffers: emitter.buffers.into_items(),
        parameters,
        ports,
        instructions,
        spans,
        estimates,
    })
}

/// The program with a checkpoint where a training step is done: before the next one, or at the end of its loop; of the
/// steps of one round after the last.
fn checkpoints<T: Copy>(program: Vec<(Instruction, T)>) -> Vec<(Instruction, T)> {
    let mut marked = Vec::with_capacity(program.len());
    let (mut begun, mut loops) = (false, 0);
    for (instruction, tag) in program {
        match instruction.op {
            Op::Loop => loops += 1,
            Op::End => loops -= 1,
            _ => {}
        }
        let is_done = match instruction.op {
            Op::Step => loops == 0,
            op => matches!(op, Op::End | Op::Loop),
        };
        if begun && is_done {
            marked.push((Instruction::new(Op::Checkpoint), tag));
        }
        begun = instruction.op == Op::Step || (begun && !is_done);
        marked.push((instruction, tag));
    }
    marked
}
