//! The rewriting: a copy of the graph in which pairs of states are joined.

use std::collections::HashMap;

use super::{BiasedProduct, Pair, biased_product};
use crate::dialect::tensor::Elements;
use crate::ir::{BlockId, Builder, Graph, OpData, OpId, Opcode, Secrecy, TensorType, Type, Value};
use crate::pass::rewrite::Rewriter;

/// The graph with these pairs of states joined; `None` if something carries on a matrix without its bias.
pub(super) fn run(graph: &Graph, states: HashMap<Value, usize>, pairs: Vec<Pair>) -> Option<Graph> {
    let mut join = Join {
        rewriter: Rewriter::new(graph),
        states,
        pairs,
        parts: HashMap::new(),
    };
    let body = join.rewriter.new.body();
    join.block(graph.body(), body)?;
    Some(join.rewriter.new)
}

/// What a value of the old graph is a part of.
#[derive(Clone, Copy)]
struct Part {
    /// The joined state, in the new graph.
    whole: Value,
    axis: usize,
    is_bias: bool,
}

struct Join<'g> {
    rewriter: Rewriter<'g>,
    states: HashMap<Value, usize>,
    pairs: Vec<Pair>,
    parts: HashMap<Value, Part>,
}

impl Join<'_> {
    /// Copies a block; `None` if something carries on a matrix without its bias.
    fn block(&mut self, from: BlockId, to: BlockId) -> Option<()> {
        let old = self.rewriter.old;
        for &id in &old.block(from).ops {
            let op = old.op(id);
            let product = biased_product(old, op, &self.states);
            match (
                op.opcode,
                product.filter(|product| self.pairs.contains(&product.pair)),
            ) {
                (Opcode::TrainLoop, _) => self.train_loop(id, to)?,
                (Opcode::TrainMinimize, _) => self.minimize(id, to),
                (Opcode::TrainYield, _) if !op.operands.is_empty() => self.carry_on(op, to)?,
                (_, Some(product)) => self.product(id, to, &product),
                _ => {
                    self.take_apart(id, to);
                    self.rewriter.copy(id, to);
                }
            }
        }
        Some(())
    }

    fn train_loop(&mut self, id: OpId, to: BlockId) -> Option<()> {
        let old = self.rewriter.old;
        let train = old.op(id);
        let pairs = self.pairs.clone();
        let mut first = self.rewriter.get_all(&train.operands);
        let mut builder = self.rewriter.builder(to, id);
        for pair in &pairs {
            let mut column = builder.shape(first[pair.matrix]);
            column[pair.axis] = 1;
            let bias = builder.reshape(first[pair.bias], &column);
            first[pair.matrix] = concat(&mut builder, first[pair.matrix], bias, pair.axis);
        }
        let new = self.append(train, to, kept(&pairs, &first), &pairs);
        for &region in &train.regions {
            let arguments = &old.block(region).arguments;
            let block = self.rewriter.new.new_block(self.types(arguments, &pairs));
            let copies = self.rewriter.new.block(block).arguments.clone();
            self.set_all(arguments, &copies, &pairs);
            self.rewriter.new.op_mut(new).regions.push(block);
            self.block(region, block)?;
        }
        let results = self.rewriter.new.op(new).results.clone();
        self.set_all(&train.results, &results, &pairs);
        Some(())
    }

    fn minimize(&mut self, id: OpId, to: BlockId) {
        let op = self.rewriter.old.op(id);
        let (parameters, scalars) = op.operands[1..].split_at(op.results.len());
        // The pairs by position among the parameters.
        let position = |state: usize| {
            let mut parameters = parameters.iter();
            parameters.position(|parameter| self.states.get(parameter) == Some(&state))
        };
        let pairs = self.pairs.iter().filter_map(|pair| {
            Some(Pair {
                matrix: position(pair.matrix)?,
                bias: position(pair.bias)?,
                axis: pair.axis,
            })
        });
        let pairs: Vec<Pair> = pairs.collect();
        let read = kept(&pairs, parameters);
        let read = [&op.operands[..1], &read, scalars].concat();
        let operands = read.iter().map(|&value| self.current(value)).collect();
        let new = self.append(op, to, operands, &pairs);
        let results = self.rewriter.new.op(new).results.clone();
        self.set_all(&op.results, &results, &pairs);
    }

    /// The end of a region: what is carried on.
    fn carry_on(&mut self, op: &OpData, to: BlockId) -> Option<()> {
        let whole = |position: usize| self.parts.get(&op.operands[position]).map(|part| part.whole);
        let is_whole = |pair: &Pair| whole(pair.matrix).is_some() && whole(pair.matrix) == whole(pair.bias);
        if !self.pairs.iter().all(is_whole) {
            return None;
        }
        let kept = kept(&self.pairs, &op.operands);
        let operands = kept.iter().map(|&value| self.current(value)).collect();
        self.rewriter.new.append(
            to,
            OpData {
                operands,
                ..op.clone()
            },
            [],
        );
        Some(())
    }

    /// x·w + b as one product.
    fn product(&mut self, id: OpId, to: BlockId, product: &BiasedProduct) {
        let (x, whole) = (self.rewriter.get(product.x), self.current(product.matrix));
        let mut builder = self.rewriter.builder(to, id);
        let mut column = builder.shape(x);
        let last = column.len() - 1;
        column[last] = 1;
        let ones = builder.constant(&column, Elements::Splat(1.0));
        let x = concat(&mut builder, x, ones, last);
        let factor = match product.pair.axis {
            1 => builder.transpose(whole),
            _ => whole,
        };
        let sum = builder.matmul(x, factor);
        self.rewriter.set(self.rewriter.old.op(id).results[0], sum);
    }

    /// Makes the matrix or the bias that an operation reads by itself.
    fn take_apart(&mut self, id: OpId, to: BlockId) {
        let old = self.rewriter.old;
        for &value in &old.op(id).operands {
            let Some(&part) = self.parts.get(&value) else {
                continue;
            };
            let mut builder = self.rewriter.builder(to, id);
            let end = builder.shape(part.whole)[part.axis];
            let made = if part.is_bias {
                let column = builder.slice(part.whole, part.axis as u32, end - 1, end);
                let mut shape = builder.shape(column);
                shape.remove(part.axis);
                builder.reshape(column, &shape)
            } else {
                builder.slice(part.whole, part.axis as u32, 0, end - 1)
            };
            self.rewriter.set(value, made);
        }
    }

    /// What an old value is now: of a matrix or a bias, the joined state.
    fn current(&self, value: Value) -> Value {
        match self.parts.get(&value) {
            Some(part) => part.whole,
            None => self.rewriter.get(value),
        }
    }

    /// Says what states became, of which `pairs` are joined.
    fn set_all(&mut self, old: &[Value], new: &[Value], pairs: &[Pair]) {
        self.rewriter.set_all(&kept(pairs, old), new);
        for pair in pairs.iter().filter(|_| !old.is_empty()) {
            let whole = self.rewriter.get(old[pair.matrix]);
            for (position, is_bias) in [(pair.matrix, false), (pair.bias, true)] {
                let axis = pair.axis;
                self.parts.insert(old[position], Part { whole, axis, is_bias });
            }
        }
    }

    /// Types of states of which `pairs` are joined; a region that does nothing has none.
    fn types(&self, states: &[Value], pairs: &[Pair]) -> Vec<Type> {
        let mut types: Vec<Type> = states
            .iter()
            .map(|&state| self.rewriter.old.ty(state).clone())
            .collect();
        for pair in pairs.iter().filter(|_| !states.is_empty()) {
            if let (Type::Tensor(matrix), Type::Tensor(bias)) = (&types[pair.matrix], &types[pair.bias]) {
                types[pair.matrix] = Type::Tensor(whole(matrix, bias, pair.axis));
            }
        }
        kept(pairs, &types)
    }

    /// An operation whose results, and names, are states of which `pairs` are joined.
    fn append(&mut self, op: &OpData, to: BlockId, operands: Vec<Value>, pairs: &[Pair]) -> OpId {
        let mut names = op.texts("names").to_vec();
        for pair in pairs {
            // No state of the user's has such a name.
            names[pair.matrix] = format!("{}+{}", names[pair.matrix], names[pair.bias]);
        }
        let mut attributes = op.attributes.clone();
        attributes.insert("names", kept(pairs, &names).into());
        let data = OpData {
            opcode: op.opcode,
            operands,
            results: Vec::new(),
            attributes,
            regions: Vec::new(),
            span: op.span,
        };
        self.rewriter.new.append(to, data, self.types(&op.results, pairs))
    }
}

/// Of one entry for each state those of the states that stay: a bias goes into its matrix.
fn kept<T: Clone>(pairs: &[Pair], entries: &[T]) -> Vec<T> {
    let stays = |position: &usize| !pairs.iter().any(|pair| pair.bias == *position);
    let stay = (0..entries.len()).filter(stays);
    stay.map(|position| entries[position].clone()).collect()
}

/// The type of a matrix with its bias.
fn whole(matrix: &TensorType, bias: &TensorType, axis: usize) -> TensorType {
    let mut shape = matrix.shape.clone();
    shape[axis] += 1;
    let ranges = matrix.range.zip(bias.range);
    TensorType {
        shape,
        secrecy: Secrecy::Secret,
        range: ranges.map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))),
    }
}

fn concat(builder: &mut Builder<'_>, first: Value, second: Value, axis: usize) -> Value {
    let attributes = Builder::attributes([("axis", (axis as u32).into())]);
    builder.tensor(Opcode::TensorConcat, &[first, second], attributes)
}
