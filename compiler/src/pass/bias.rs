//! A bias becomes one more column of the matrix that it is added beside.
//!
//! **In:** a graph as the frontend gives it. **Out:** the same graph in which two states w and b of x·wᵀ + b, trained together,
//! are one state: b is the last column of it, and x goes on in a column of ones. What is computed for every element of a state
//! (its gradient, its update, its bootstrap) is then done once. What the user sees stays as it was: wherever w or b leaves the
//! program it is a part of the joined state.
//!
//! ```text
//! %7 = tensor.matmul %x, %w : tensor<8, secret>
//! %8 = tensor.broadcast %b {axes = ints[], shape = ints[8]} : tensor<8, secret>
//! %9 = tensor.add %7, %8 : tensor<8, secret>
//! ```
//! becomes, with w of four elements,
//! ```text
//! %5 = tensor.constant {value = 1.0} : tensor<8x1, public>
//! %6 = tensor.concat %x, %5 {axis = 1} : tensor<8x5, secret>
//! %7 = tensor.matmul %6, %wb : tensor<8, secret>
//! ```

mod join;

use std::collections::HashMap;

use crate::dialect::tensor::{Elements, permutation};
use crate::ir::{Graph, OpData, Opcode, Secrecy, Value};
use crate::pass::rewrite::without_dead_code;

/// The largest element of what ones are put beside: they are encoded with the same factor.
const COMPARABLE: std::ops::RangeInclusive<f64> = 1.0 / 64.0..=4096.0;

/// The graph with every bias joined to its matrix; `None` where there is none to join.
pub fn run(graph: &Graph) -> Option<Graph> {
    let train = graph.walk().into_iter().map(|op| graph.op(op));
    let train = train.into_iter().find(|op| op.opcode == Opcode::TrainLoop)?;
    let states = states(graph, train);
    let pairs = pairs(graph, train, &states);
    if pairs.is_empty() {
        return None;
    }
    let joined = without_dead_code(&join::run(graph, states, pairs)?);
    hands_out_parts_alone(&joined).then_some(joined)
}

/// Two carried states, by position, that become one.
#[derive(Clone, Copy, PartialEq)]
struct Pair {
    matrix: usize,
    bias: usize,
    /// The dimension of the matrix along which its product sums.
    axis: usize,
}

/// What an operation x·w + b reads.
struct BiasedProduct {
    x: Value,
    matrix: Value,
    pair: Pair,
}

/// The position of the state that each argument of the loop's regions and each of its results is.
fn states(graph: &Graph, train: &OpData) -> HashMap<Value, usize> {
    let arguments = train.regions.iter().map(|&region| &graph.block(region).arguments);
    let values = arguments.chain([&train.results]);
    values
        .flat_map(|values| values.iter().enumerate())
        .map(|(position, &value)| (value, position))
        .collect()
}

/// The pairs of states that are a matrix and its bias, and can be one state.
fn pairs(graph: &Graph, train: &OpData, states: &HashMap<Value, usize>) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        let Some(BiasedProduct { pair, .. }) = biased_product(graph, op, states) else {
            continue;
        };
        let is_taken = |position: usize| {
            pairs
                .iter()
                .any(|other| [other.matrix, other.bias].contains(&position))
        };
        if !is_taken(pair.matrix)
            && !is_taken(pair.bias)
            && start_public(graph, train, pair)
            && are_trained_together(graph, train, pair)
        {
            pairs.push(pair);
        }
    }
    pairs
}

/// What an operation reads that is x·w + b for data x and states w and b.
fn biased_product(graph: &Graph, op: &OpData, states: &HashMap<Value, usize>) -> Option<BiasedProduct> {
    if op.opcode != Opcode::TensorAdd {
        return None;
    }
    let made_by = |value: Value, opcode: Opcode| {
        let op = graph.op(graph.defining_op(value)?);
        (op.opcode == opcode).then_some(op)
    };
    let shape = |value: Value| graph.ty(value).as_tensor().map(|tensor| tensor.shape.clone());
    [(0, 1), (1, 0)].into_iter().find_map(|(product, bias)| {
        let product = made_by(op.operands[product], Opcode::TensorMatmul)?;
        let (x, factor) = (product.operands[0], product.operands[1]);
        let (matrix, axis) = match made_by(factor, Opcode::TensorTranspose) {
            Some(transpose) if permutation(transpose.ints("axes"), 2) == Ok(vec![1, 0]) => {
                (transpose.operands[0], 1)
            }
            _ => (factor, 0),
        };
        let bias = op.operands[bias];
        let bias = match made_by(bias, Opcode::TensorBroadcast) {
            Some(broadcast) if repeats_rows(broadcast) => broadcast.operands[0],
            _ => bias,
        };
        let mut rest = shape(matrix)?;
        rest.remove(axis);
        let pair = Pair {
            matrix: *states.get(&matrix)?,
            bias: *states.get(&bias)?,
            axis,
        };
        let fits = pair.matrix != pair.bias && shape(bias)? == rest && is_data(graph, x);
        fits.then_some(BiasedProduct { x, matrix, pair })
    })
}

/// Whether a broadcast adds leading dimensions alone.
fn repeats_rows(broadcast: &OpData) -> bool {
    let (axes, rank) = (broadcast.ints("axes"), broadcast.ints("shape").len());
    let first = rank - axes.len();
    axes.iter().map(|&axis| axis as usize).eq(first..rank)
}

/// Whether a value is given by the key holder, and its elements are comparable with ones.
fn is_data(graph: &Graph, value: Value) -> bool {
    let is_leaf = graph
        .defining_op(value)
        .is_some_and(|op| matches!(graph.op(op).opcode, Opcode::TensorInput | Opcode::TensorStream));
    let range = graph.ty(value).as_tensor().and_then(|tensor| tensor.range);
    is_leaf && range.is_some_and(|(low, high)| COMPARABLE.contains(&low.abs().max(high.abs())))
}

/// Whether both states start as public numbers.
fn start_public(graph: &Graph, train: &OpData, pair: Pair) -> bool {
    [pair.matrix, pair.bias].into_iter().all(|position| {
        let first = graph.defining_op(train.operands[position]);
        first.and_then(|op| Elements::of(graph.op(op))).is_some()
    })
}

/// Whether one `train.minimize` takes both states from what they are in a step to what they are in the next.
fn are_trained_together(graph: &Graph, train: &OpData, pair: Pair) -> bool {
    let step = graph.block(train.regions[0]);
    let Some(last) = graph.terminator(train.regions[0]) else {
        return false;
    };
    let trainer = |position: usize| {
        let next = *last.operands.get(position)?;
        let id = graph.defining_op(next)?;
        let op = graph.op(id);
        let result = op.results.iter().position(|&result| result == next)?;
        let changes =
            op.opcode == Opcode::TrainMinimize && op.operands[1 + result] == step.arguments[position];
        changes.then_some(id)
    };
    trainer(pair.matrix).is_some() && trainer(pair.matrix) == trainer(pair.bias)
}

/// Whether parts of a joined state are handed out at most, and nothing is computed with them.
fn hands_out_parts_alone(graph: &Graph) -> bool {
    use Opcode::{TensorOutput, TensorReshape, TensorReveal, TensorSlice};
    let is_secret = |value: Value| {
        let tensor = graph.ty(value).as_tensor();
        tensor.is_some_and(|tensor| tensor.secrecy == Secrecy::Secret)
    };
    let is_part = |value: &Value| {
        let op = graph.defining_op(*value).map(|op| graph.op(op));
        op.is_some_and(|op| matches!(op.opcode, TensorSlice | TensorReshape)) && is_secret(*value)
    };
    let ops = graph.walk().into_iter().map(|op| graph.op(op));
    let mut readers = ops.filter(|op| op.operands.iter().any(is_part));
    readers.all(|op| matches!(op.opcode, TensorOutput | TensorReveal | TensorReshape))
}
