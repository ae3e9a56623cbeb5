//! Copying one graph into another, operation by operation: what every tensor pass is made of.

use crate::dialect::tensor::joint_secrecy;
use crate::ir::{BlockId, Builder, Dialect, Graph, OpData, OpId, Type, Value};

/// A new graph under construction, and what became of the values of the old one.
pub struct Rewriter<'g> {
    /// The graph that is read.
    pub old: &'g Graph,
    /// The graph that is made.
    pub new: Graph,
    map: Vec<Option<Value>>,
}

impl<'g> Rewriter<'g> {
    /// An empty copy.
    pub fn new(old: &'g Graph) -> Self {
        Self {
            old,
            new: Graph::new(old.name.clone()),
            map: vec![None; old.value_count()],
        }
    }

    /// What an old value became. Panics if it has not been copied: the old graph was not verified.
    pub fn get(&self, value: Value) -> Value {
        match self.map[value.index()] {
            Some(value) => value,
            None => unreachable!("a value is used before it is defined"),
        }
    }

    /// What several became.
    pub fn get_all(&self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|&value| self.get(value)).collect()
    }

    /// Says what an old value became.
    pub fn set(&mut self, old: Value, new: Value) {
        self.map[old.index()] = Some(new);
    }

    /// Says what several became.
    pub fn set_all(&mut self, old: &[Value], new: &[Value]) {
        for (&old, &new) in old.iter().zip(new) {
            self.set(old, new);
        }
    }

    /// A builder at the end of `block` of the new graph, with the span of an old operation.
    pub fn builder(&mut self, block: BlockId, op: OpId) -> Builder<'_> {
        let span = self.old.op(op).span;
        let mut builder = Builder::new(&mut self.new, block);
        builder.span = span;
        builder
    }

    /// Copies an operation without regions to the end of a new block. Results of tensor operations are as secret as the
    /// new operands make them.
    pub fn copy(&mut self, op: OpId, block: BlockId) -> OpId {
        let data = self.old.op(op);
        let operands = self.get_all(&data.operands);
        let types: Vec<Type> = data
            .results
            .iter()
            .map(|&result| self.result_type(data, &operands, result))
            .collect();
        let copy = OpData {
            operands,
            results: Vec::new(),
            regions: Vec::new(),
            ..data.clone()
        };
        let new = self.new.append(block, copy, types);
        let results = self.new.op(new).results.clone();
        self.set_all(&data.results, &results);
        new
    }

    fn result_type(&self, data: &OpData, operands: &[Value], result: Value) -> Type {
        match self.old.ty(result) {
            Type::Tensor(tensor) if data.opcode.dialect() == Dialect::Tensor && !operands.is_empty() => {
                let secrecy = joint_secrecy(
                    operands
                        .iter()
                        .filter_map(|&operand| self.new.ty(operand).as_tensor()),
                );
                Type::tensor(tensor.shape.clone(), secrecy, tensor.range)
            }
            ty => ty.clone(),
        }
    }

    /// A new block with arguments as those of `region`, which they stand for.
    pub fn region(&mut self, region: BlockId) -> BlockId {
        let arguments = &self.old.block(region).arguments;
        let block = self
            .new
            .new_block(arguments.iter().map(|&argument| self.old.ty(argument).clone()));
        let copies = self.new.block(block).arguments.clone();
        self.set_all(arguments, &copies);
        block
    }

    /// Copies a block, giving each operation to `op` first; one that `op` declines (false) is copied as it is.
    pub fn block(
        &mut self,
        from: BlockId,
        to: BlockId,
        op: &mut dyn FnMut(&mut Self, OpId, BlockId) -> bool,
    ) {
        let old = self.old;
        for &id in &old.block(from).ops {
            if op(self, id, to) {
                continue;
            }
            let copy = self.copy(id, to);
            for &region in &old.op(id).regions {
                let block = self.region(region);
                self.new.op_mut(copy).regions.push(block);
                self.block(region, block, op);
            }
        }
    }
}

/// The graph without operations whose results nothing uses.
pub fn without_dead_code(graph: &Graph) -> Graph {
    let mut live = vec![false; graph.value_count()];
    for id in graph.walk().into_iter().rev() {
        let op = graph.op(id);
        if op.opcode.has_effect() || op.results.iter().any(|result| live[result.index()]) {
            op.operands
                .iter()
                .for_each(|operand| live[operand.index()] = true);
        }
    }
    // In reverse program order a use comes before its definition, except that a region's uses of outer values come
    // after the operation that holds it, and yet before those values' definitions.
    let mut rewriter = Rewriter::new(graph);
    let body = rewriter.new.body();
    rewriter.block(graph.body(), body, &mut |rewriter, op, _| {
        let op = rewriter.old.op(op);
        !op.opcode.has_effect() && !op.results.iter().any(|result| live[result.index()])
    });
    rewriter.new
}
