//! Unrolls training loops, or closes them.
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
//!
//! A step that refreshes what it carries runs any number of times, so its body is compiled once: [`closed`] leaves one
//! copy of it, between `train.step` with a `count` and `train.end`. What is carried is then read and written by name, and
//! numbers that depend on t are constants with one value for each step:
//! ```text
//! %0 = tensor.constant {value = 0.0} : tensor<scalar, public>
//! tensor.store %0 {name = "s"}
//! train.step {count = 2, index = 0}
//! %1 = tensor.state {name = "s"} : tensor<scalar, secret>
//! %2 = tensor.stream {name = "x"} : tensor<scalar, secret>
//! %3 = tensor.mul %1, %2 : tensor<scalar, secret>
//! tensor.store %3 {name = "s"}
//! train.end
//! %4 = tensor.state {name = "s"} : tensor<scalar, secret>
//! ```
//! With epochs, `every` beside the count is their length: what follows `train.end` then runs after each of them.
//!
//! A round of a body can be several steps: copies of it with `train.step {index}` between them, the first with the number
//! of them, `steps`. Count and `every` are rounds then. What one copy hands to the next needs no refresh if levels are left.

use crate::analysis::depth::Depths;
use crate::dialect::tensor::Elements;
use crate::grad::nesterov_gamma;
use crate::ir::{BlockId, Builder, Graph, OpData, OpId, Opcode, Secrecy, Type, Value};
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
            op.attributes.insert("count", steps.into());
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

/// Closes every loop: one body of `round` steps, which runs as often as makes `steps` on states that are read and written by
/// name. What follows it, the epoch's operations first, runs after every `epoch` steps, or once. Rounds fill both. A graph has
/// one loop at most.
pub fn closed(graph: &Graph, steps: u32, epoch: Option<u32>, round: u32) -> Graph {
    let mut rewriter = Rewriter::new(graph);
    let body = rewriter.new.body();
    rewriter.block(graph.body(), body, &mut |rewriter, op, to| {
        let is_loop = graph.op(op).opcode == Opcode::TrainLoop;
        if is_loop {
            close(rewriter, op, to, steps, epoch, round);
        }
        is_loop
    });
    rewriter.new
}

/// Whether a graph has a loop whose step bootstraps.
pub fn bootstraps(graph: &Graph) -> bool {
    let step_bootstraps = |op: &OpData| {
        let step = graph.block(op.regions[0]);
        step.ops
            .iter()
            .any(|&op| graph.op(op).opcode == Opcode::TensorBootstrap)
    };
    graph
        .walk()
        .into_iter()
        .map(|op| graph.op(op))
        .any(|op| op.opcode == Opcode::TrainLoop && step_bootstraps(op))
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
        carried = inline(rewriter, train.regions[0], to, carried, Time::Step(step));
    }
    let last = Time::Step(steps.saturating_sub(1));
    carried = inline(rewriter, train.regions[1], to, carried, last);
    rewriter.set_all(&train.results, &carried);
}

fn close(rewriter: &mut Rewriter<'_>, op: OpId, to: BlockId, steps: u32, epoch: Option<u32>, round: u32) {
    let old = rewriter.old;
    let train = old.op(op);
    let names = train.texts("names");
    let mark = |rewriter: &mut Rewriter<'_>, opcode: Opcode, attributes| {
        rewriter.builder(to, op).op(opcode, &[], attributes, Vec::new());
    };
    let load = |rewriter: &mut Rewriter<'_>| -> Vec<Value> {
        let types = train.results.iter().map(|&result| old.ty(result));
        let states = names.iter().zip(types).map(|(name, ty)| {
            let attributes = Builder::attributes([("name", name.as_str().into())]);
            rewriter
                .builder(to, op)
                .value(Opcode::TensorState, &[], attributes, secret(ty))
        });
        states.collect()
    };
    let store = |rewriter: &mut Rewriter<'_>, name: &str, value: Value| {
        let attributes = Builder::attributes([("name", name.into())]);
        rewriter
            .builder(to, op)
            .op(Opcode::TensorStore, &[value], attributes, Vec::new());
    };
    for (name, first) in names.iter().zip(rewriter.get_all(&train.operands)) {
        store(rewriter, name, first);
    }
    let rounds = steps / round;
    let mut counts = Builder::attributes([("index", 0u32.into()), ("count", rounds.into())]);
    counts.extend(epoch.map(|epoch| ("every".to_owned(), (epoch / round).into())));
    counts.extend((round > 1).then(|| ("steps".to_owned(), round.into())));
    mark(rewriter, Opcode::TrainStep, counts);
    let states = load(rewriter);
    let mut next = states.clone();
    for index in 0..round {
        if index > 0 {
            let attributes = Builder::attributes([("index", index.into())]);
            mark(rewriter, Opcode::TrainStep, attributes);
        }
        let time = Time::Every {
            rounds,
            steps: round,
            index,
        };
        next = inline(rewriter, train.regions[0], to, next, time);
    }
    for ((name, next), state) in names.iter().zip(next).zip(states) {
        if next != state {
            store(rewriter, name, next);
        }
    }
    mark(rewriter, Opcode::TrainEnd, Default::default());
    let states = load(rewriter);
    let time = match epoch {
        Some(_) => Time::Every {
            rounds,
            steps: round,
            index: round - 1,
        },
        None => Time::Step(steps.saturating_sub(1)),
    };
    let states = inline(rewriter, train.regions[1], to, states, time);
    rewriter.set_all(&train.results, &states);
}

/// The type of a state while it is carried: a ciphertext, whatever it was at first.
fn secret(ty: &Type) -> Type {
    match ty {
        Type::Tensor(tensor) => Type::tensor(tensor.shape.clone(), Secrecy::Secret, tensor.range),
        other => other.clone(),
    }
}

/// When a copy of a region runs.
#[derive(Clone, Copy)]
enum Time {
    /// In this step.
    Step(u32),
    /// In each of so many rounds of so many steps, in the step of this index.
    Every { rounds: u32, steps: u32, index: u32 },
}

/// Copies a region's operations with `carried` in place of its arguments; gives what it yields, or `carried`.
fn inline(
    rewriter: &mut Rewriter<'_>,
    region: BlockId,
    to: BlockId,
    carried: Vec<Value>,
    time: Time,
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
                let value = |step: u32| {
                    if schedule {
                        nesterov_gamma(step as usize)
                    } else {
                        f64::from(step)
                    }
                };
                let elements = match time {
                    Time::Step(step) => Elements::Splat(value(step)),
                    Time::Every { rounds: 1, index, .. } => Elements::Splat(value(index)),
                    Time::Every { rounds, steps, index } => {
                        Elements::Steps((0..rounds).map(|round| value(round * steps + index)).collect())
                    }
                };
                let constant = rewriter.builder(to, id).constant(&[], elements);
                rewriter.set(op.results[0], constant);
            }
            Opcode::TensorStream => {
                let copy = rewriter.copy(id, to);
                // In every round: which of its steps, if there are several.
                let step = match time {
                    Time::Step(step) => Some(step),
                    Time::Every { steps, index, .. } => (steps > 1).then_some(index),
                };
                let attributes = &mut rewriter.new.op_mut(copy).attributes;
                attributes.extend(step.map(|step| ("step".to_owned(), step.into())));
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
