//! Unrolls training loops.
//!
//! **In:** a differentiated tensor graph. **Out:** a flat one, without `train.loop`: `train.step {index}`, the
//! step's operations on the values that the step before it gave, and so on `steps` times, then the epoch's operations
//! once. Streams carry the `step` that they belong to; `step_index` and `schedule` became public constants. States
//! start as the loop's operands, so that a public initial value stays public, and a first step can be folded.
//!
//! A loop whose carried values all come back without consuming a level, and whose step does not look at t, stays
//! rolled: it gets the attribute `count` and nothing else changes. See [`is_linear`].
//!
//! ```text
//! %0 = tensor.constant {value = 0.0} : tensor<scalar, public>
//! %1 = train.loop %0 {names = texts["s"]} : tensor<scalar, secret> (%2: tensor<scalar, secret>) {
//!   %3 = tensor.stream {name = "x"} : tensor<scalar, secret>
//!   %4 = tensor.mul %2, %3 : tensor<scalar, secret>
//!   train.yield %4
//! } () {
//! }
//! ```
//! becomes, with two steps,
//! ```text
//! %0 = tensor.constant {value = 0.0} : tensor<scalar, public>
//! train.step {index = 0}
//! %1 = tensor.stream {name = "x", step = 0} : tensor<scalar, secret>
//! %2 = tensor.mul %0, %1 : tensor<scalar, secret>
//! train.step {index = 1}
//! %3 = tensor.stream {name = "x", step = 1} : tensor<scalar, secret>
//! %4 = tensor.mul %2, %3 : tensor<scalar, secret>
//! ```

use crate::analysis::depth::Depths;
use crate::grad::nesterov_gamma;
use crate::ir::{BlockId, Builder, Graph, OpId, Opcode, Type, Value};
use crate::pass::rewrite::Rewriter;

/// Unrolls every loop that is not linear `steps` times.
pub fn run(graph: &Graph, steps: u32) -> Graph {
    let mut rewriter = Rewriter::new(graph);
    let body = rewriter.new.body();
    rewriter.block(graph.body(), body, &mut |rewriter, op, to| {
        let unrolled = graph.op(op).opcode == Opcode::TrainLoop && !is_linear(graph, op);
        if unrolled {
            unroll(rewriter, op, to, steps);
        }
        unrolled
    });
    for op in rewriter.new.walk() {
        let op = rewriter.new.op_mut(op);
        if op.opcode == Opcode::TrainLoop {
            op.attributes.insert("count".to_owned(), steps.into());
        }
    }
    rewriter.new
}

/// Unrolls every loop, linear ones too.
pub fn flat(graph: &Graph, steps: u32) -> Graph {
    let mut rewriter = Rewriter::new(graph);
    let body = rewriter.new.body();
    rewriter.block(graph.body(), body, &mut |rewriter, op, to| {
        let is_loop = graph.op(op).opcode == Opcode::TrainLoop;
        if is_loop {
            unroll(rewriter, op, to, steps);
        }
        is_loop
    });
    rewriter.new
}

/// Whether a graph has a training loop.
pub fn has_loop(graph: &Graph) -> bool {
    graph
        .walk()
        .into_iter()
        .any(|op| graph.op(op).opcode == Opcode::TrainLoop)
}

/// Whether a graph has a loop that must be unrolled: only then does the number of steps bear on its depth.
pub fn needs_unrolling(graph: &Graph) -> bool {
    graph
        .walk()
        .into_iter()
        .any(|op| graph.op(op).opcode == Opcode::TrainLoop && !is_linear(graph, op))
}

/// Whether every carried value of a `train.loop` comes back without a product on its way, and nothing in its step
/// depends on the number of the step.
pub fn is_linear(graph: &Graph, op: OpId) -> bool {
    let step = graph.op(op).regions[0];
    let looks_at_time = |&op: &OpId| {
        matches!(
            graph.op(op).opcode,
            Opcode::TensorStepIndex | Opcode::TensorSchedule
        )
    };
    if graph.block(step).ops.iter().any(looks_at_time) {
        return false;
    }
    let depths = Depths::from_arguments(graph, step);
    let yielded = graph
        .terminator(step)
        .map(|last| last.operands.as_slice())
        .unwrap_or_default();
    yielded
        .iter()
        .all(|&value| depths.of(value).is_none_or(|depth| depth == 0))
}

fn unroll(rewriter: &mut Rewriter<'_>, op: OpId, to: BlockId, steps: u32) {
    let old = rewriter.old;
    let train = old.op(op);
    let mut carried = rewriter.get_all(&train.operands);
    for step in 0..steps {
        rewriter.builder(to, op).op(
            Opcode::TrainStep,
            &[],
            Builder::attributes([("index", step.into())]),
            Vec::new(),
        );
        carried = inline(rewriter, train.regions[0], to, carried, step);
    }
    carried = inline(rewriter, train.regions[1], to, carried, steps.saturating_sub(1));
    rewriter.set_all(&train.results, &carried);
}

/// Copies a region's operations with `carried` in place of its arguments; gives what it yields, or `carried`.
fn inline(
    rewriter: &mut Rewriter<'_>,
    region: BlockId,
    to: BlockId,
    carried: Vec<Value>,
    step: u32,
) -> Vec<Value> {
    let old = rewriter.old;
    let arguments = &old.block(region).arguments;
    rewriter.set_all(arguments, &carried);
    for &id in &old.block(region).ops {
        let op = old.op(id);
        match op.opcode {
            Opcode::TrainYield if op.operands.is_empty() => {}
            Opcode::TrainYield => {
                let next = rewriter.get_all(&op.operands);
                for (&value, &argument) in next.iter().zip(arguments) {
                    declare(&mut rewriter.new, value, old.ty(argument));
                }
                return next;
            }
            Opcode::TensorStepIndex | Opcode::TensorSchedule => {
                let schedule = op.opcode == Opcode::TensorSchedule;
                let value = if schedule {
                    nesterov_gamma(step as usize)
                } else {
                    f64::from(step)
                };
                let constant = rewriter.builder(to, id).scalar(value);
                rewriter.set(op.results[0], constant);
            }
            Opcode::TensorStream => {
                let copy = rewriter.copy(id, to);
                rewriter
                    .new
                    .op_mut(copy)
                    .attributes
                    .insert("step".to_owned(), step.into());
            }
            _ => drop(rewriter.copy(id, to)),
        }
    }
    carried
}

/// A carried value keeps the range that its state declares, where it has none of its own.
fn declare(graph: &mut Graph, value: Value, state: &Type) {
    if let (Type::Tensor(own), Type::Tensor(state)) = (graph.ty(value).clone(), state)
        && own.range.is_none()
    {
        graph.set_type(value, Type::tensor(own.shape, own.secrecy, state.range));
    }
}
