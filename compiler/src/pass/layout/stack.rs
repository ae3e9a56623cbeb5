//! Which axes are stacked: several blocks of them in one tile, so that what is computed element by element costs fewer
//! ciphertexts.
//!
//! Tensors that are combined element by element, or that are one port or state at different times, keep one form. It is worth
//! stacking an axis where such a group holds a polynomial, a bootstrap or a state; products of matrices want one block a tile,
//! so the form changes there and only there. A place that no tensor of the group uses holds the number of the block.
//!
//! Inputs that are factors of products of matrices alone can have two blocks in a tile without any place: as real and imaginary
//! part ([`super::atom`]).

use std::collections::BTreeMap;

use petgraph::unionfind::UnionFind;

use super::axes::{Axes, Axis, states};
use super::frame::Frame;
use crate::dialect::tensor::{permutation, reduced_axes};
use crate::ir::{Graph, OpData, Opcode, Secrecy, Value};

/// The stacked axes of every tensor, each with the place that holds the numbers of its blocks, and the paired one.
pub struct Stacks {
    of: Vec<Vec<(Axis, usize)>>,
    paired: Vec<Option<Axis>>,
}

impl Stacks {
    /// Stacks every axis of which a group gains by it, and pairs inputs along one place, if the frame does.
    pub fn choose(graph: &Graph, axes: &Axes, frame: &Frame) -> Self {
        let mut stacks = Self {
            of: vec![Vec::new(); graph.value_count()],
            paired: vec![None; graph.value_count()],
        };
        if !frame.stacked && frame.paired.is_none() {
            return stacks;
        }
        let mut groups = Groups::new(graph, axes);
        for op in graph.walk() {
            groups.op(graph, graph.op(op));
        }
        let factors = factors(graph);
        for group in groups.collect() {
            if frame.stacked {
                stacks.group(graph, axes, frame, &group);
            }
            let (axis, group) = group;
            if frame.paired == Some(axes.place[axis])
                && frame.tiles(axes, axis) > 1
                && group.iter().all(|value| factors[value.index()])
            {
                group
                    .iter()
                    .for_each(|value| stacks.paired[value.index()] = Some(axis));
            }
        }
        if !stacks.agree(graph, axes, frame) {
            stacks.paired.fill(None);
        }
        stacks
    }

    /// Whether inputs and what goes on in a number are paired along one place, the number not in tiles of its own in both parts of
    /// another axis' pair.
    fn agree(&self, graph: &Graph, axes: &Axes, frame: &Frame) -> bool {
        let ops = graph.walk().into_iter().map(|op| graph.op(op));
        let mut continued = ops.filter(|op| op.opcode == Opcode::TensorConcat);
        continued.all(|op| {
            let [part, whole] = [op.operands[0], op.results[0]];
            match (self.paired(part), self.paired(whole)) {
                (None, None) => true,
                (Some(a), Some(b)) => {
                    let along = op.int("axis").unwrap_or(0) as usize;
                    let tiles = |value: Value| frame.tiles(axes, axes.of(value)[along]);
                    axes.place[a] == axes.place[b] && (a != b || tiles(part) == tiles(whole))
                }
                _ => false,
            }
        })
    }

    /// The stacked axes of a tensor.
    pub fn of(&self, value: Value) -> &[(Axis, usize)] {
        &self.of[value.index()]
    }

    /// The axis along which the blocks of an input are paired.
    pub fn paired(&self, value: Value) -> Option<Axis> {
        self.paired[value.index()]
    }

    /// Whether something is stacked.
    pub fn stacks(&self) -> bool {
        self.of.iter().any(|stacks| !stacks.is_empty())
    }

    /// Whether something is paired.
    pub fn pairs(&self) -> bool {
        self.paired.iter().any(Option::is_some)
    }

    /// `group` are the tensors that keep one form along an axis.
    fn group(&mut self, graph: &Graph, axes: &Axes, frame: &Frame, (axis, group): &(Axis, Vec<Value>)) {
        let own = axes.place[*axis];
        let tiles = frame.tiles(axes, *axis);
        if tiles == 1 || !group.iter().any(|&value| gains(graph, value)) {
            return;
        }
        let is_free = |place: usize| {
            let lies_along = |&axis: &Axis| axes.place[axis] == place;
            let is_taken = |value: &Value| {
                axes.of(*value).iter().any(lies_along)
                    || self.of[value.index()].iter().any(|&(_, other)| other == place)
            };
            place != own && frame.places[place].block > 1 && !group.iter().any(is_taken)
        };
        // The place that needs fewest tiles; of those one that a sum leaves the same everywhere.
        let place = (0..frame.places.len())
            .filter(|&place| is_free(place))
            .min_by_key(|&place| (tiles.div_ceil(frame.places[place].block), !frame.is_cyclic(place)));
        if let Some(place) = place {
            for value in group {
                self.of[value.index()].push((*axis, place));
            }
        }
    }
}

/// Whether a tensor is one of those that make stacking worth while.
fn gains(graph: &Graph, value: Value) -> bool {
    use Opcode::{TensorBootstrap, TensorPoly, TensorPolynomial, TensorState};
    graph.defining_op(value).is_some_and(|op| {
        matches!(
            graph.op(op).opcode,
            TensorBootstrap | TensorPoly | TensorPolynomial | TensorState
        )
    })
}

/// Which tensors are secret inputs, or transposes of them, or go on in a number behind them, that nothing but products of matrices
/// with what is computed reads.
fn factors(graph: &Graph) -> Vec<bool> {
    use Opcode::{TensorConcat, TensorInput, TensorMatmul, TensorStream, TensorTranspose};
    let mut factors = vec![false; graph.value_count()];
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        let is_input = match op.opcode {
            TensorInput | TensorStream => true,
            TensorTranspose => factors[op.operands[0].index()],
            TensorConcat => factors[op.operands[0].index()] && !is_secret(graph, op.operands[1]),
            _ => false,
        };
        if let (true, &[result]) = (is_input, op.results.as_slice()) {
            factors[result.index()] = is_secret(graph, result);
        }
    }
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        let is_factor = match op.opcode {
            TensorTranspose => true,
            TensorConcat => factors[op.results[0].index()],
            TensorMatmul => {
                let secret = op.operands.iter().all(|&operand| is_secret(graph, operand));
                secret && !op.operands.iter().all(|operand| factors[operand.index()])
            }
            _ => false,
        };
        if !is_factor {
            op.operands
                .iter()
                .for_each(|operand| factors[operand.index()] = false);
        }
    }
    factors
}

fn is_secret(graph: &Graph, value: Value) -> bool {
    graph
        .ty(value)
        .as_tensor()
        .is_some_and(|ty| ty.secrecy == Secrecy::Secret)
}

/// Dimensions of tensors that keep one form.
struct Groups<'a> {
    axes: &'a Axes,
    union: UnionFind<usize>,
    /// Number of the first dimension of each tensor.
    first: Vec<usize>,
    /// Tensor and axis of each dimension.
    dimensions: Vec<(Value, Axis)>,
    states: BTreeMap<String, Value>,
    /// The first read of each input and stream: all steps read one port.
    sources: BTreeMap<String, Value>,
}

impl<'a> Groups<'a> {
    fn new(graph: &Graph, axes: &'a Axes) -> Self {
        let (mut first, mut dimensions) = (Vec::new(), Vec::new());
        for index in 0..graph.value_count() {
            let value = Value(index as u32);
            first.push(dimensions.len());
            dimensions.extend(axes.of(value).iter().map(|&axis| (value, axis)));
        }
        Self {
            axes,
            union: UnionFind::new(dimensions.len()),
            first,
            dimensions,
            states: states(graph),
            sources: BTreeMap::new(),
        }
    }

    fn join(&mut self, a: (Value, usize), b: (Value, usize)) {
        self.union
            .union(self.first[a.0.index()] + a.1, self.first[b.0.index()] + b.1);
    }

    /// Joins dimensions aligned at the end, as broadcasting does.
    fn tails(&mut self, a: Value, b: Value) {
        let (rank_a, rank_b) = (self.axes.of(a).len(), self.axes.of(b).len());
        for back in 1..=rank_a.min(rank_b) {
            self.join((a, rank_a - back), (b, rank_b - back));
        }
    }

    fn op(&mut self, graph: &Graph, op: &OpData) {
        use Opcode::*;
        let is_secret = |value: &Value| is_secret(graph, *value);
        match op.opcode {
            // The form changes where a part is taken or added, if anywhere.
            TensorMatmul | TensorConcat | TensorSlice | TensorReshape => {}
            TensorInput | TensorStream => {
                let name = op.text("name").unwrap_or_default().to_owned();
                let first = *self.sources.entry(name).or_insert(op.results[0]);
                self.tails(op.results[0], first);
            }
            TensorTranspose => {
                let axes = permutation(op.ints("axes"), self.axes.of(op.operands[0]).len());
                for (to, from) in axes.into_iter().flatten().enumerate() {
                    self.join((op.operands[0], from), (op.results[0], to));
                }
            }
            TensorBroadcast => {
                for (from, &to) in op.ints("axes").iter().enumerate() {
                    self.join((op.operands[0], from), (op.results[0], to as usize));
                }
            }
            TensorSum | TensorMean => {
                let rank = self.axes.of(op.operands[0]).len();
                let summed = reduced_axes(op.ints("axes"), rank).unwrap_or_default();
                let kept = (0..rank).filter(|axis| !summed.contains(axis));
                for (to, from) in kept.enumerate() {
                    self.join((op.operands[0], from), (op.results[0], to));
                }
            }
            TensorState | TensorStore => {
                let value = op.results.first().or(op.operands.first()).copied();
                let first = self.states.get(op.text("name").unwrap_or_default()).copied();
                if let (Some(value), Some(first)) = (value.filter(is_secret), first) {
                    self.tails(value, first);
                }
            }
            _ => {
                for &result in &op.results {
                    for &operand in op.operands.iter().filter(|operand| is_secret(operand)) {
                        self.tails(operand, result);
                    }
                }
            }
        }
    }

    /// The groups, in the order of their first tensors.
    fn collect(self) -> Vec<(Axis, Vec<Value>)> {
        let mut groups: Vec<(Axis, Vec<Value>)> = Vec::new();
        let mut number = vec![None; self.dimensions.len()];
        for (index, &(value, axis)) in self.dimensions.iter().enumerate() {
            let root = self.union.find(index);
            let group = *number[root].get_or_insert_with(|| {
                groups.push((axis, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(value);
        }
        groups
    }
}
