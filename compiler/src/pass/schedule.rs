//! Orders operations so that few ciphertexts live at one time.
//!
//! Each training step is made from its sinks (what later steps and outputs read) backwards: an operation comes right
//! before the first that needs it, and of its operands those that are computed come before those that are only loaded.
//! So inputs and plaintexts are loaded just before their use. What reads a stream stays in that stream's step. A few sums of
//! products of the same ciphertexts come right behind each other: the runtime makes them in one pass over these. So do a few
//! products of two ciphertexts that one sum takes, behind all that they are made of: the sum then goes through memory once.
//!
//! Of a closed loop, what stands before the body, in each step of it and after it stays there; a state is written when all
//! that reads its present value has read it.

use std::collections::BTreeMap;

use crate::ir::Opcode::{CkksMul, CkksMulAcc};
use crate::ir::{ClosedLoop, Graph, OpData, OpId, Opcode, Value};

/// The same program in another order, in which up to `products` of two ciphertexts are added to a sum together; one where
/// memory is too dear to hold the factors of more.
pub fn run(old: &Graph, products: usize) -> Graph {
    let ops = old.walk();
    let closed = ClosedLoop::find(old, &ops);
    let steps = segments(old, &ops);
    let mut together = sums_together(old, &ops);
    let parts = closed.map(|closed| Parts::of(old, &ops, closed));
    let part = |position: usize, op: OpId| match &parts {
        Some(parts) => Some(parts.part(position, old.op(op))),
        None => steps[op.index()],
    };
    together.extend(products_together(old, &ops, part, products));
    let mut emitter = Emitter {
        old,
        new: Graph::new(old.name.clone()),
        map: vec![None; old.value_count()],
        done: vec![false; ops.len()],
        together,
    };
    if let Some(parts) = &parts {
        emitter.parts(&ops, parts);
        return emitter.new;
    }
    // A sink is read by a later segment than its own, or by an output.
    let mut sinks: Vec<(usize, OpId)> = Vec::new();
    let mut last_use: Vec<usize> = vec![0; old.value_count()];
    for &op in &ops {
        let data = old.op(op);
        let reader = if data.opcode == Opcode::CkksOutput {
            usize::MAX
        } else {
            steps[op.index()].unwrap_or(0)
        };
        for &operand in &data.operands {
            last_use[operand.index()] = last_use[operand.index()].max(reader);
        }
    }
    for &op in &ops {
        let (Some(step), Some(&result)) = (steps[op.index()], old.op(op).results.first()) else {
            continue;
        };
        if last_use[result.index()] > step {
            sinks.push((step, op));
        }
    }
    let mut step = 0;
    let close = |emitter: &mut Emitter<'_>, step: usize| {
        for &(_, op) in sinks.iter().filter(|(own, _)| *own == step) {
            emitter.emit(op);
        }
    };
    for &op in &ops {
        if old.op(op).opcode == Opcode::CkksStep {
            close(&mut emitter, step);
            step += 1;
            emitter.emit(op);
        }
    }
    close(&mut emitter, step);
    for &op in ops.iter().filter(|op| old.op(**op).opcode == Opcode::CkksOutput) {
        emitter.emit(op);
    }
    emitter.new
}

/// For each operation by index, the step that it belongs to, counted from 1: the latest of the streams that it depends
/// on. `None` if it depends on no stream.
fn segments(graph: &Graph, ops: &[OpId]) -> Vec<Option<usize>> {
    let count = ops.iter().map(|op| op.index() + 1).max().unwrap_or(0);
    let mut segments = vec![None; count];
    // Which number a step's index has among the markers.
    let indices: Vec<Option<i64>> = ops
        .iter()
        .filter(|op| graph.op(**op).opcode == Opcode::CkksStep)
        .map(|op| graph.op(*op).int("index"))
        .collect();
    for &op in ops {
        let data = graph.op(op);
        let own = data.int("step").filter(|_| data.opcode == Opcode::CkksInput);
        let own = own
            .and_then(|step| indices.iter().position(|index| *index == Some(step)))
            .map(|at| at + 1);
        let before = data
            .operands
            .iter()
            .filter_map(|&operand| graph.defining_op(operand));
        segments[op.index()] = before.filter_map(|op| segments[op.index()]).chain(own).max();
    }
    segments
}

/// The parts of a program with a closed loop: what stands before the body, in each step of it, and after it.
struct Parts {
    /// Positions of the markers between them.
    markers: Vec<usize>,
}

impl Parts {
    fn of(graph: &Graph, ops: &[OpId], closed: ClosedLoop) -> Self {
        let is_step = |&position: &usize| graph.op(ops[position]).opcode == Opcode::CkksStep;
        let markers = (closed.start..closed.end).filter(is_step).chain([closed.end]);
        Self {
            markers: markers.collect(),
        }
    }

    /// Which part an operation belongs to: a stream to the step that it is of, wherever it is first read.
    fn part(&self, position: usize, op: &OpData) -> usize {
        let own = op.int("step").filter(|_| op.opcode == Opcode::CkksInput);
        let after = self.markers.len();
        match self.markers.partition_point(|&marker| marker < position) {
            part if part == 0 || part == after => part,
            part => own.map_or(part, |step| 1 + step as usize),
        }
    }
}

/// Sums that are made in one pass at most: with more, what they have in common is a small part of what is read.
const SUMS_TOGETHER: usize = 4;

/// The sums of products of the same ciphertexts that each such sum is made together with.
fn sums_together(graph: &Graph, ops: &[OpId]) -> BTreeMap<OpId, Vec<OpId>> {
    let mut alike: BTreeMap<Value, Vec<OpId>> = BTreeMap::new();
    for &op in ops {
        let data = graph.op(op);
        let count = data.int("count").unwrap_or(0) as usize;
        // Plaintexts, the other half of its operands, depend on nothing. The last ciphertext tells: of the same ones, the
        // first giant step of a transform may leave out a few at the beginning.
        let last = count.checked_sub(1).and_then(|last| data.operands.get(last));
        if let Some(&last) = last.filter(|_| data.opcode == Opcode::CkksMulPlainSum) {
            alike.entry(last).or_default().push(op);
        }
    }
    by_member(alike.values().flat_map(|sums| sums.chunks(SUMS_TOGETHER)))
}

/// The products that each `mul` or `mul_acc` is made together with: up to `most` that one sum takes one after the other, in
/// one part of the program. Nothing else reads the sum in between, so none of them can need what another made.
fn products_together(
    graph: &Graph,
    ops: &[OpId],
    part: impl Fn(usize, OpId) -> Option<usize>,
    most: usize,
) -> BTreeMap<OpId, Vec<OpId>> {
    let uses = graph.use_counts();
    let mut groups: Vec<(Option<usize>, Vec<OpId>)> = Vec::new();
    let mut group_of: BTreeMap<Value, usize> = BTreeMap::new();
    for (position, &op) in ops.iter().enumerate() {
        let data = graph.op(op);
        let (&[result], CkksMul | CkksMulAcc) = (&data.results[..], data.opcode) else {
            continue;
        };
        let part = part(position, op);
        let sum = data.operands.first().filter(|_| data.opcode == CkksMulAcc);
        let sum = sum.filter(|sum| uses[sum.index()] == 1);
        let group = sum.and_then(|sum| group_of.get(sum)).copied();
        let group = group.filter(|&group| groups[group].0 == part && groups[group].1.len() < most);
        let group = group.unwrap_or_else(|| {
            groups.push((part, Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(op);
        group_of.insert(result, group);
    }
    by_member(groups.iter().map(|(_, group)| &group[..]))
}

/// Groups of more than one operation, under each of their members.
fn by_member<'a>(groups: impl Iterator<Item = &'a [OpId]>) -> BTreeMap<OpId, Vec<OpId>> {
    groups
        .filter(|group| group.len() > 1)
        .flat_map(|group| group.iter().map(|&op| (op, group.to_vec())))
        .collect()
}

struct Emitter<'g> {
    old: &'g Graph,
    new: Graph,
    map: Vec<Option<Value>>,
    done: Vec<bool>,
    /// What is appended with an operation, itself included, where that is not only itself.
    together: BTreeMap<OpId, Vec<OpId>>,
}

impl Emitter<'_> {
    /// The parts of a program with a closed loop, each from its own sinks: what later parts read, then what leaves the
    /// program or is kept in states.
    fn parts(&mut self, ops: &[OpId], parts: &Parts) {
        let old = self.old;
        let part_of = |position: usize| parts.part(position, old.op(ops[position]));
        let mut first_use = vec![usize::MAX; old.value_count()];
        let mut last_use = vec![0; old.value_count()];
        let mut members = vec![Vec::new(); parts.markers.len() + 1];
        for (position, &op) in ops.iter().enumerate() {
            let part = part_of(position);
            for &operand in &old.op(op).operands {
                last_use[operand.index()] = part.max(last_use[operand.index()]);
                first_use[operand.index()] = part.min(first_use[operand.index()]);
            }
            if !parts.markers.contains(&position) {
                members[part].push(op);
            }
        }
        let after = parts.markers.len();
        for (part, members) in members.iter().enumerate() {
            if let Some(marker) = part.checked_sub(1) {
                self.emit(ops[parts.markers[marker]]);
            }
            // An input that only what follows the loop reads is asked for there: it takes no place in the loop.
            let is_read_later = |op: &OpId| {
                let op = old.op(*op);
                let is_input = op.opcode == Opcode::CkksInput && !op.flag("state");
                let uses = op.results.iter();
                let mut uses = uses.map(|result| (first_use[result.index()], last_use[result.index()]));
                uses.any(|(first, last)| last > part && !(is_input && first == after))
            };
            for &op in members.iter().filter(|op| is_read_later(op)) {
                self.emit(op);
            }
            let tile = |op: &OpData| (op.int("port"), op.int("tile"));
            let mut reads: BTreeMap<_, Vec<OpId>> = BTreeMap::new();
            for &op in members {
                if old.op(op).opcode == Opcode::CkksInput && old.op(op).flag("state") {
                    reads.entry(tile(old.op(op))).or_default().push(op);
                }
            }
            for &op in members {
                let data = old.op(op);
                if data.opcode != Opcode::CkksOutput {
                    continue;
                }
                for &read in reads
                    .get(&tile(data))
                    .into_iter()
                    .flatten()
                    .filter(|_| data.flag("state"))
                {
                    self.emit(read);
                }
                self.emit(op);
            }
        }
    }

    /// Emits what an operation needs and then itself. An explicit stack: programs are deep.
    fn emit(&mut self, root: OpId) {
        let mut stack = vec![(root, false)];
        while let Some((op, ready)) = stack.pop() {
            if self.is_done(op) {
                continue;
            }
            let group = self.together.get(&op).cloned().unwrap_or_else(|| vec![op]);
            if ready {
                group.into_iter().for_each(|op| self.append(op));
                continue;
            }
            stack.push((op, true));
            let operands = group.iter().flat_map(|&op| &self.old.op(op).operands);
            let mut before: Vec<OpId> = operands
                .filter_map(|&value| self.old.defining_op(value))
                .filter(|op| !group.contains(op))
                .collect();
            // Popped last to first: loads go to the bottom, so that they come last.
            before.reverse();
            before.sort_by_key(|&op| !self.old.op(op).operands.is_empty());
            stack.extend(
                before
                    .into_iter()
                    .filter(|&op| !self.is_done(op))
                    .map(|op| (op, false)),
            );
        }
    }

    fn is_done(&self, op: OpId) -> bool {
        self.done.get(op.index()).copied().unwrap_or(false)
    }

    fn append(&mut self, op: OpId) {
        let data = self.old.op(op);
        let operands = data
            .operands
            .iter()
            .filter_map(|operand| self.map[operand.index()])
            .collect();
        let types: Vec<_> = data
            .results
            .iter()
            .map(|&result| self.old.ty(result).clone())
            .collect();
        let block = self.new.body();
        let copy = self.new.append(
            block,
            OpData {
                operands,
                ..data.clone()
            },
            types,
        );
        for (&result, &own) in data.results.iter().zip(&self.new.op(copy).results) {
            self.map[result.index()] = Some(own);
        }
        if self.done.len() <= op.index() {
            self.done.resize(op.index() + 1, false);
        }
        self.done[op.index()] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Attributes, Builder, Type};
    use crate::source::Span;

    /// Two sums of some of the same ciphertexts, each with a use of its own: right behind each other all the same.
    #[test]
    fn sums_of_the_same_ciphertexts_stand_together() {
        let mut graph = Graph::new("sums");
        let block = graph.body();
        let mut builder = Builder {
            graph: &mut graph,
            block,
            span: Span::none(),
        };
        let ty = Type::cipher(1, 1.0);
        let mut push = |opcode, operands: &[Value], count: u32| {
            let attributes = match count {
                0 => Attributes::new(),
                count => Builder::attributes([("count", count.into())]),
            };
            builder.value(opcode, operands, attributes, ty.clone())
        };
        let [a, b] = [0; 2].map(|_| push(Opcode::CkksInput, &[], 0));
        let [p, q, r] = [0; 3].map(|_| push(Opcode::CkksEncode, &[], 0));
        let lower = |push: &mut dyn FnMut(Opcode, &[Value], u32) -> Value, terms: &[Value]| {
            let sum = push(Opcode::CkksMulPlainSum, terms, terms.len() as u32 / 2);
            push(Opcode::CkksModDown, &[sum], 0)
        };
        let [first, second] = [lower(&mut push, &[a, b, p, q]), lower(&mut push, &[b, r])];
        let total = push(Opcode::CkksAdd, &[first, second], 0);
        let attributes = Attributes::new();
        builder.op(Opcode::CkksOutput, &[total], attributes, vec![]);
        let made = run(&graph, 1);
        let order: Vec<Opcode> = made.walk().iter().map(|&op| made.op(op).opcode).collect();
        let [sum, down] = [Opcode::CkksMulPlainSum, Opcode::CkksModDown];
        assert!(
            order.ends_with(&[sum, sum, down, down, Opcode::CkksAdd, Opcode::CkksOutput]),
            "{order:?}"
        );
    }

    /// Four products for one sum, three at most together: each with factors of its own, which come before the first of
    /// them; and the sum of a sum that is read elsewhere, which is not taken for the same one.
    #[test]
    fn products_for_one_sum_stand_together_behind_their_factors() {
        let mut graph = Graph::new("products");
        let block = graph.body();
        let mut builder = Builder {
            graph: &mut graph,
            block,
            span: Span::none(),
        };
        let ty = Type::cipher(1, 1.0);
        let mut push =
            |opcode, operands: &[Value]| builder.value(opcode, operands, Attributes::new(), ty.clone());
        let mut sum: Option<Value> = None;
        for _ in 0..4 {
            let factor = push(Opcode::CkksInput, &[]);
            let operands: Vec<Value> = sum.into_iter().chain([factor, factor]).collect();
            sum = Some(push(if sum.is_some() { CkksMulAcc } else { CkksMul }, &operands));
        }
        let read = sum.expect("made");
        let factor = push(Opcode::CkksInput, &[]);
        let more = push(CkksMulAcc, &[read, factor, factor]);
        let total = push(Opcode::CkksAdd, &[read, more]);
        builder.op(Opcode::CkksOutput, &[total], Attributes::new(), vec![]);
        let made = run(&graph, 3);
        let order: Vec<Opcode> = made.walk().iter().map(|&op| made.op(op).opcode).collect();
        let input = Opcode::CkksInput;
        let first = [input, input, input, CkksMul, CkksMulAcc, CkksMulAcc];
        let second = [
            input,
            CkksMulAcc,
            input,
            CkksMulAcc,
            Opcode::CkksAdd,
            Opcode::CkksOutput,
        ];
        assert_eq!(order, [first, second].concat());
    }
}
