//! Reverse-mode differentiation and optimisers.
//!
//! **In:** a graph as the frontend gives it, with `train.minimize` in the step region and `train.grad` anywhere.
//! **Out:** the same graph without them. Each became the backward pass of its loss and the update of its optimiser;
//! what an optimiser remembers was added to the carried values of the loop, after the user's, under these names:
//!
//! | optimiser | scalars | update of a parameter w with gradient g | carried beside w |
//! |---|---|---|---|
//! | `sgd` | `rate` α | w⁺ = w − α·g(w) | |
//! | `momentum` | `rate` α, `momentum` μ (0.9) | v⁺ = μ·v + g(w); w⁺ = w − α·v⁺ | `w.velocity` = v, first 0 |
//! | `nesterov` | `rate` α, `momentum` μ (scheduled) | w⁺ = v − α·g(v); v⁺ = (1 − γ)·w⁺ + γ·w | `w.lookahead` = v, first w |
//!
//! For `nesterov` the gradient is taken at the lookahead v, and the user's state is the sequence w. γ is −μ, or without
//! μ the schedule γ_t = (1 − λ_t)/λ_{t+1}, λ_{t+1} = (1 + √(1 + 4λ_t²))/2 (Nesterov 1983; HETAL, ICML 2023), counted
//! so that the first step has λ = 1 and γ = 0: it is a plain step.
//!
//! ```text
//! %8 = train.minimize %7, %3, %2 {names = texts["w"], optimizer = "sgd", scalars = texts["rate"]} : …
//! ```
//! becomes the backward pass of `%7` down to a gradient `%20` of `%3`, and
//! ```text
//! %21 = tensor.mul %20, %2
//! %22 = tensor.sub %3, %21
//! ```

mod optimizer;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

pub use optimizer::nesterov_gamma;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::{BlockId, Builder, Graph, OpData, OpId, Opcode, Value};
use crate::pass::rewrite::{Rewriter, without_dead_code};

/// Replaces `train.minimize` and `train.grad`. Errors: E-UNSUPPORTED for operations and optimisers without a rule.
pub fn differentiate(graph: &Graph) -> Result<Graph, Diagnostics> {
    let mut pass = Pass {
        rewriter: Rewriter::new(graph),
        diagnostics: Diagnostics::new(),
    };
    let body = pass.rewriter.new.body();
    pass.block(graph.body(), body, &mut Memories::default());
    if pass.diagnostics.has_errors() {
        Err(pass.diagnostics)
    } else {
        Ok(without_dead_code(&pass.rewriter.new))
    }
}

struct Pass<'g> {
    rewriter: Rewriter<'g>,
    diagnostics: Diagnostics,
}

/// What optimisers carry through one loop: `train.minimize` and position of the parameter → memory.
#[derive(Default)]
struct Memories {
    list: Vec<optimizer::Memory>,
}

impl Memories {
    fn of(&mut self, op: OpId, position: usize) -> Option<&mut optimizer::Memory> {
        self.list
            .iter_mut()
            .find(|memory| (memory.minimize, memory.position) == (op, position))
    }
}

impl Pass<'_> {
    fn block(&mut self, from: BlockId, to: BlockId, memories: &mut Memories) {
        let old = self.rewriter.old;
        for &id in &old.block(from).ops {
            match old.op(id).opcode {
                Opcode::TrainLoop => self.train_loop(id, to),
                Opcode::TrainMinimize => self.minimize(id, to, memories),
                Opcode::TrainGrad => self.gradient(id, to),
                _ => drop(self.rewriter.copy(id, to)),
            }
        }
    }

    /// Copies a loop with its optimisers' memories as further carried values.
    fn train_loop(&mut self, id: OpId, to: BlockId) {
        let old = self.rewriter.old;
        let op = old.op(id);
        let mut memories = Memories {
            list: optimizer::memories(old, op),
        };
        let mut operands = self.rewriter.get_all(&op.operands);
        let mut names = op.texts("names").to_vec();
        let mut types: Vec<_> = op.results.iter().map(|&result| old.ty(result).clone()).collect();
        let carried = types.len();
        for memory in &memories.list {
            let mut builder = self.rewriter.builder(to, id);
            operands.push(memory.first_value(&mut builder, &operands, &names));
            names.push(memory.name.clone());
            types.push(memory.ty.clone());
        }
        let mut attributes = op.attributes.clone();
        attributes.insert("names", names.into());
        let data = OpData {
            operands,
            attributes,
            results: Vec::new(),
            regions: Vec::new(),
            ..op.clone()
        };
        let new = self.rewriter.new.append(to, data, types);
        for (position, &region) in op.regions.iter().enumerate() {
            // An epoch that does nothing has no arguments and keeps none.
            let empty = position == 1 && old.block(region).arguments.is_empty();
            let block = self.rewriter.region(region);
            self.rewriter.new.op_mut(new).regions.push(block);
            for memory in memories.list.iter_mut().filter(|_| !empty) {
                memory.current = Some(self.rewriter.new.add_argument(block, memory.ty.clone()));
            }
            self.block(region, block, &mut memories);
            if let Some(&last) = self.rewriter.new.block(block).ops.last() {
                let last = self.rewriter.new.op_mut(last);
                let yields = last.opcode == Opcode::TrainYield && last.operands.len() == carried;
                if yields && (position == 0 || carried > 0) {
                    last.operands
                        .extend(memories.list.iter().filter_map(|memory| memory.current));
                }
            }
        }
        let results = self.rewriter.new.op(new).results.clone();
        self.rewriter.set_all(&op.results, &results);
    }

    fn minimize(&mut self, id: OpId, to: BlockId, memories: &mut Memories) {
        let op = self.rewriter.old.op(id);
        let count = op.results.len();
        let operands = self.rewriter.get_all(&op.operands);
        let (parameters, scalars) = operands[1..].split_at(count);
        let scalar = |name: &str| {
            op.texts("scalars")
                .iter()
                .position(|found| found == name)
                .map(|at| scalars[at])
        };
        let updates = match op.text("optimizer") {
            Some("sgd") => self.gradients(id, to, operands[0], parameters).map(|gradients| {
                let mut builder = self.rewriter.builder(to, id);
                let step = |(&w, g): (&Value, Value)| optimizer::sgd(&mut builder, w, g, scalar("rate"));
                parameters.iter().zip(gradients).map(step).collect::<Vec<_>>()
            }),
            Some("momentum") => self.gradients(id, to, operands[0], parameters).map(|gradients| {
                let mut builder = self.rewriter.builder(to, id);
                let mut updates = Vec::new();
                for (position, (&w, g)) in parameters.iter().zip(gradients).enumerate() {
                    let Some(memory) = memories.of(id, position) else {
                        continue;
                    };
                    let Some(v) = memory.current else { continue };
                    let (next, velocity) =
                        optimizer::momentum(&mut builder, w, v, g, scalar("rate"), scalar("momentum"));
                    memory.current = Some(velocity);
                    updates.push(next);
                }
                updates
            }),
            Some("nesterov") => {
                self.nesterov(id, to, &operands, scalar("rate"), scalar("momentum"), memories)
            }
            other => Err(Diagnostic::new(
                Code::Unsupported,
                format!("the optimizer `{}` is not compiled yet", other.unwrap_or("?")),
            )
            .label(op.span, "used here")
            .remedy("use `sgd`, `momentum` or `nesterov`")),
        };
        match updates {
            Ok(updates) if updates.len() == count => self.rewriter.set_all(&op.results, &updates),
            Ok(_) => self.fail(
                id,
                to,
                Diagnostic::new(Code::Unsupported, "`minimize` outside a training step"),
            ),
            Err(diagnostic) => self.fail(id, to, diagnostic),
        }
    }

    /// Records an error and lets the results stand for anything, so that more errors can be found.
    fn fail(&mut self, id: OpId, to: BlockId, diagnostic: Diagnostic) {
        self.diagnostics
            .push(diagnostic.label(self.rewriter.old.op(id).span, "asked for here"));
        self.rewriter.copy(id, to);
    }

    /// Takes the gradient at the lookahead: the loss is built again with v in place of w.
    fn nesterov(
        &mut self,
        id: OpId,
        to: BlockId,
        operands: &[Value],
        rate: Option<Value>,
        momentum: Option<Value>,
        memories: &mut Memories,
    ) -> Result<Vec<Value>, Diagnostic> {
        let old = self.rewriter.old;
        let count = old.op(id).results.len();
        let parameters = &operands[1..=count];
        let mut lookaheads = Vec::new();
        for (position, &parameter) in parameters.iter().enumerate() {
            let of_state = self.rewriter.new.defining_op(parameter).is_none();
            match memories
                .of(id, position)
                .and_then(|memory| memory.current)
                .filter(|_| of_state)
            {
                Some(lookahead) => lookaheads.push(lookahead),
                None => {
                    return Err(Diagnostic::new(
                        Code::Unsupported,
                        "`nesterov` needs a parameter that is a state, unchanged in this step",
                    )
                    .remedy("use `sgd` or `momentum`, or `minimize` before `update`"));
                }
            }
        }
        let substitution: HashMap<Value, Value> = parameters
            .iter()
            .copied()
            .zip(lookaheads.iter().copied())
            .collect();
        let loss = substituted(&mut self.rewriter.new, to, operands[0], substitution);
        let gradients = self.gradients(id, to, loss, &lookaheads)?;
        let mut builder = self.rewriter.builder(to, id);
        let mut updates = Vec::new();
        for (position, g) in gradients.into_iter().enumerate() {
            let (w, v) = (parameters[position], lookaheads[position]);
            let (next, lookahead) = optimizer::nesterov(&mut builder, w, v, g, rate, momentum);
            if let Some(memory) = memories.of(id, position) {
                memory.current = Some(lookahead);
            }
            updates.push(next);
        }
        Ok(updates)
    }

    fn gradient(&mut self, id: OpId, to: BlockId) {
        let op = self.rewriter.old.op(id);
        let operands = self.rewriter.get_all(&op.operands);
        match self.gradients(id, to, operands[0], &operands[1..]) {
            Ok(gradients) => self.rewriter.set_all(&op.results, &gradients),
            Err(diagnostic) => self.fail(id, to, diagnostic),
        }
    }

    fn gradients(
        &mut self,
        id: OpId,
        to: BlockId,
        loss: Value,
        parameters: &[Value],
    ) -> Result<Vec<Value>, Diagnostic> {
        gradients(&mut self.rewriter.builder(to, id), loss, parameters)
    }
}

/// Appends the backward pass of a scalar `loss` and gives its gradient by each of `parameters`, of their shapes.
/// Errors: E-UNSUPPORTED at an operation without a rule.
pub fn gradients(
    builder: &mut Builder<'_>,
    loss: Value,
    parameters: &[Value],
) -> Result<Vec<Value>, Diagnostic> {
    let order = dependent_ops(builder.graph, loss, parameters);
    let depends = |graph: &Graph, value: Value| {
        parameters.contains(&value) || graph.defining_op(value).is_some_and(|op| order.contains(&op))
    };
    let seed = builder.scalar(1.0);
    let shape = builder.shape(loss);
    let seed = builder.broadcast(seed, &shape, &[]);
    let mut adjoints: HashMap<Value, Value> = HashMap::from([(loss, seed)]);
    let mut sorted: Vec<OpId> = order.iter().copied().collect();
    sorted.sort_unstable();
    let span = builder.span;
    for id in sorted.into_iter().rev() {
        let op = builder.graph.op(id).clone();
        // A parameter may be the result of an operation: the gradient stops there.
        let result = op.results[0];
        let Some(&adjoint) = adjoints.get(&result).filter(|_| !parameters.contains(&result)) else {
            continue;
        };
        builder.span = op.span;
        for (value, contribution) in rules::contributions(builder, &op, adjoint, &depends)? {
            let sum = match adjoints.get(&value) {
                Some(&sum) => builder.add(sum, contribution),
                None => contribution,
            };
            adjoints.insert(value, sum);
        }
    }
    builder.span = span;
    let mut gradients = Vec::new();
    for parameter in parameters {
        gradients.push(match adjoints.get(parameter) {
            Some(&gradient) => gradient,
            None => {
                let shape = builder.shape(*parameter);
                builder.constant(&shape, crate::dialect::tensor::Elements::Splat(0.0))
            }
        });
    }
    Ok(gradients)
}

/// Operations between the parameters and `value`. Their numbers are in program order, because passes only append.
fn dependent_ops(graph: &Graph, value: Value, parameters: &[Value]) -> HashSet<OpId> {
    fn visit(
        graph: &Graph,
        value: Value,
        known: &mut HashMap<Value, bool>,
        into: &mut HashSet<OpId>,
    ) -> bool {
        if let Some(&depends) = known.get(&value) {
            return depends;
        }
        let mut depends = false;
        if let Some(op) = graph.defining_op(value) {
            for &operand in &graph.op(op).operands {
                depends |= visit(graph, operand, known, into);
            }
            if depends {
                into.insert(op);
            }
        }
        known.insert(value, depends);
        depends
    }
    let mut known = parameters.iter().map(|&parameter| (parameter, true)).collect();
    let mut ops = HashSet::new();
    visit(graph, value, &mut known, &mut ops);
    ops
}

/// `root` built again with other values in place of some; what does not depend on those is shared.
fn substituted(graph: &mut Graph, block: BlockId, root: Value, mut map: HashMap<Value, Value>) -> Value {
    let replaced: Vec<Value> = map.keys().copied().collect();
    let mut ops: Vec<OpId> = dependent_ops(graph, root, &replaced).into_iter().collect();
    ops.sort_unstable();
    for id in ops {
        let mut data = graph.op(id).clone();
        let results = std::mem::take(&mut data.results);
        for operand in &mut data.operands {
            *operand = map.get(operand).copied().unwrap_or(*operand);
        }
        let types: Vec<_> = results.iter().map(|&result| graph.ty(result).clone()).collect();
        let copy = graph.append(block, data, types);
        let copies = graph.op(copy).results.clone();
        map.extend(results.into_iter().zip(copies));
    }
    map.get(&root).copied().unwrap_or(root)
}
