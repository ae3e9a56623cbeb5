//! Folds constants and simplifies, without changing a value.
//!
//! **In and out:** any tensor graph, rolled or flat, differentiated or not. Afterwards
//! - what depends on constants alone is a constant, an even one a splat; a splat next to a tensor of the result's shape
//!   is a scalar, and the second operand of a product or sum (a difference `c − x` keeps its order);
//! - nothing is added to or multiplied by 0 or 1; `mean` is a scaled `sum`; `div` by a constant is a product;
//! - a public scalar stands after the linear operations it went through (`sum matmul mul broadcast transpose`), merged
//!   with its neighbours; in sums it is positive, `a − s·x` for `a + (−s)·x`;
//! - a scalar in front of a sum is distributed over it where that saves a level on a longest way, or where every term
//!   takes it up for nothing; scalars at the argument of a polynomial are in its coefficients;
//! - no transposition feeds a product with a vector; equal operations are one; nothing is unused.
//!
//! ```text
//! %3 = tensor.matmul %0, %1 : tensor<3, secret>          %3 = tensor.matmul %0, %1 : tensor<3, secret>
//! %4 = tensor.mul %3, %half : tensor<3, secret>     →    %4 = tensor.mul %3, %one_eighth : tensor<3, secret>
//! %5 = tensor.sub %2, %4 : tensor<3, secret>             %5 = tensor.mul %2, %quarter : tensor<3, secret>
//! %6 = tensor.mul %5, %quarter : tensor<3, secret>       %6 = tensor.sub %5, %4 : tensor<3, secret>
//! ```

mod rules;
mod scalar;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::analysis::depth::{Depths, below, levels};
use crate::dialect::tensor::Elements;
use crate::ir::{Attributes, BlockId, Dialect, Graph, OpData, OpId, Opcode, TensorType, Type, Value};
use crate::pass::rewrite::{Rewriter, without_dead_code};

/// Rounds until nothing changes; a round makes at least one step along every chain of operations.
const ROUNDS: usize = 16;

/// Simplifies until nothing changes.
pub fn run(graph: &Graph) -> Graph {
    let mut current = without_dead_code(graph);
    for _ in 0..ROUNDS {
        let next = without_dead_code(&round(&current));
        if next == current {
            break;
        }
        current = next;
    }
    current
}

fn round(graph: &Graph) -> Graph {
    let mut fold = Fold {
        depths: Depths::of_graph(graph),
        use_counts: graph.use_counts(),
        rewriter: Rewriter::new(graph),
        known: HashMap::new(),
        new_depths: HashMap::new(),
        new_uses: HashMap::new(),
    };
    let body = fold.rewriter.new.body();
    fold.block(graph.body(), body);
    fold.rewriter.new
}

/// One round: the graph is rebuilt, each operation through the rules.
struct Fold<'g> {
    rewriter: Rewriter<'g>,
    /// Depths and uses in the old graph.
    depths: Depths,
    use_counts: Vec<u32>,
    /// Operations seen in this block and around it, by hash.
    known: HashMap<u64, Vec<Value>>,
    new_depths: HashMap<Value, u32>,
    /// Uses in the old graph of what became a new value.
    new_uses: HashMap<Value, u32>,
}

/// Where a new operation goes and what it inherits.
#[derive(Clone, Copy)]
struct Place {
    block: BlockId,
    span: crate::source::Span,
    /// Whether a level saved here is a level saved for the whole graph.
    critical: bool,
}

impl Fold<'_> {
    fn block(&mut self, from: BlockId, to: BlockId) {
        let old = self.rewriter.old;
        for &id in &old.block(from).ops {
            let op = old.op(id);
            if op.opcode.dialect() != Dialect::Tensor || op.results.is_empty() {
                self.keep(id, to);
                continue;
            }
            let result = op.results[0];
            let place = Place {
                block: to,
                span: op.span,
                critical: self.depths.is_critical(result),
            };
            let operands = self.rewriter.get_all(&op.operands);
            let Type::Tensor(ty) = old.ty(result) else {
                unreachable!("tensor operations give tensors")
            };
            let value = self.make(place, op.opcode, &operands, &op.attributes, ty);
            *self.new_uses.entry(value).or_default() += self.use_counts[result.index()];
            self.inherit_range(value, ty);
            self.rewriter.set(result, value);
        }
    }

    /// Copies an operation that has no rules, and folds inside its regions.
    fn keep(&mut self, id: OpId, to: BlockId) {
        let old = self.rewriter.old;
        let copy = self.rewriter.copy(id, to);
        for &region in &old.op(id).regions {
            let outside = self.known.clone();
            let block = self.rewriter.region(region);
            self.rewriter.new.op_mut(copy).regions.push(block);
            self.block(region, block);
            self.known = outside;
        }
    }

    /// A value keeps the range that was known of it.
    fn inherit_range(&mut self, value: Value, old: &TensorType) {
        let Type::Tensor(mut ty) = self.rewriter.new.ty(value).clone() else {
            return;
        };
        ty.range = match (ty.range, old.range) {
            (Some(a), Some(b)) if a.0.max(b.0) <= a.1.min(b.1) => Some((a.0.max(b.0), a.1.min(b.1))),
            (a, b) => a.or(b),
        };
        self.rewriter.new.set_type(value, Type::Tensor(ty));
    }

    /// An operation as it stands, or the same one made before.
    fn emit(
        &mut self,
        place: Place,
        opcode: Opcode,
        operands: &[Value],
        attributes: &Attributes,
        shape: &[u32],
        ty: Option<&TensorType>,
    ) -> Value {
        let commutes = matches!(opcode, Opcode::TensorAdd | Opcode::TensorMul | Opcode::TensorMax);
        let hash = hash_of(opcode, operands, attributes, commutes);
        let new = &mut self.rewriter.new;
        let reversed: Vec<Value> = operands.iter().rev().copied().collect();
        // A state has another value each time that it is read.
        let known = self.known.get(&hash).filter(|_| opcode != Opcode::TensorState);
        for &value in known.map(Vec::as_slice).unwrap_or_default() {
            let Some(op) = new.defining_op(value).map(|op| new.op(op)) else {
                continue;
            };
            let same_operands = op.operands == operands || (commutes && op.operands == reversed);
            let same_shape = new
                .ty(value)
                .as_tensor()
                .is_some_and(|tensor| tensor.shape == shape);
            if op.opcode == opcode && same_operands && same_shape && op.attributes == *attributes {
                return value;
            }
        }
        let secrecy = match ty {
            // Leaves say themselves how secret they are.
            Some(ty) if operands.is_empty() => ty.secrecy,
            _ => crate::dialect::tensor::joint_secrecy(
                operands.iter().filter_map(|&value| new.ty(value).as_tensor()),
            ),
        };
        let data = OpData {
            opcode,
            operands: operands.to_vec(),
            results: Vec::new(),
            attributes: attributes.clone(),
            regions: Vec::new(),
            span: place.span,
        };
        let op = new.append(place.block, data, [Type::tensor(shape, secrecy, None)]);
        let value = new.op(op).results[0];
        let deepest = operands
            .iter()
            .map(|operand| self.new_depths.get(operand).copied().unwrap_or(0))
            .max();
        let op = new.op(op);
        self.new_depths
            .insert(value, below(op, deepest.unwrap_or(0)) + levels(new, op));
        self.known.entry(hash).or_default().push(value);
        value
    }

    fn depth(&self, value: Value) -> u32 {
        self.new_depths.get(&value).copied().unwrap_or(0)
    }

    /// Whether at most one operation reads a value.
    fn is_single_use(&self, value: Value) -> bool {
        self.new_uses.get(&value).is_none_or(|&uses| uses <= 1)
    }

    fn op_of(&self, value: Value) -> Option<&OpData> {
        self.rewriter
            .new
            .defining_op(value)
            .map(|op| self.rewriter.new.op(op))
    }

    fn shape(&self, value: Value) -> Vec<u32> {
        self.rewriter
            .new
            .ty(value)
            .as_tensor()
            .map(|tensor| tensor.shape.clone())
            .unwrap_or_default()
    }

    fn elements(&self, value: Value) -> Option<Elements> {
        self.op_of(value).and_then(Elements::of)
    }

    fn splat(&self, value: Value) -> Option<f64> {
        let op = self.op_of(value)?;
        op.float("value").filter(|_| op.opcode == Opcode::TensorConstant)
    }

    /// Whether a value is a constant, the same in every step.
    fn is_constant(&self, value: Value) -> bool {
        self.elements(value)
            .is_some_and(|elements| !matches!(elements, Elements::Steps(_)))
    }
}

/// Hash of an operation; that of commuting ones does not depend on the order of operands.
fn hash_of(opcode: Opcode, operands: &[Value], attributes: &Attributes, commutes: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut operands = operands.to_vec();
    if commutes {
        operands.sort_unstable();
    }
    (opcode, operands).hash(&mut hasher);
    for (name, attribute) in attributes.iter() {
        name.hash(&mut hasher);
        attribute.add_to(&mut hasher);
    }
    hasher.finish()
}

/// Number of operations of a graph, of one kind or all: a measure for tests and reports.
pub fn count(graph: &Graph, opcode: Option<Opcode>) -> usize {
    graph
        .walk()
        .into_iter()
        .filter(|&op| opcode.is_none_or(|opcode| graph.op(op).opcode == opcode))
        .count()
}
