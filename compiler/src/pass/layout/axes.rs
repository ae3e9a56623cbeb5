//! Which dimensions of which tensors are the same axis, and which axes may share a place in the slots.

use std::collections::BTreeMap;

use petgraph::unionfind::UnionFind;

use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::tensor::{permutation, reduced_axes};
use crate::ir::{Graph, OpData, Opcode, Secrecy, Value};

/// An axis: a set of dimensions that operations tie together, such as the batch or the features.
pub type Axis = usize;

/// The axes of a graph.
#[derive(Clone, Debug)]
pub struct Axes {
    /// Extent of each axis.
    pub extents: Vec<u32>,
    /// Place of each axis: axes of one place never meet in a tensor, so they use the same bits of the slot number.
    pub place: Vec<usize>,
    /// Largest extent in each place.
    pub place_extents: Vec<u32>,
    of: Vec<Vec<Axis>>,
    /// The first of the axes that share a place because one is a part of the other.
    kin: Vec<Axis>,
}

impl Axes {
    /// The axis of each dimension of a tensor.
    pub fn of(&self, value: Value) -> &[Axis] {
        &self.of[value.index()]
    }

    /// Unifies the dimensions of all tensors and gives every axis a place.
    pub fn unify(graph: &Graph) -> Result<Self, Diagnostic> {
        let mut union = Union::new(graph);
        for op in graph.walk() {
            union.op(graph, graph.op(op));
        }
        let mut axes = union.axes(graph);
        axes.colour(graph)?;
        Ok(axes)
    }

    /// Axes that a product spans before it is summed: those of both factors.
    pub fn product(&self, a: Value, b: Value) -> Vec<Axis> {
        let mut axes: Vec<Axis> = self.of(a).iter().chain(self.of(b)).copied().collect();
        axes.sort_unstable();
        axes.dedup();
        axes
    }

    /// Greedy colouring, largest axis first, of the graph whose edges join axes that occur in one secret tensor. Axes of which
    /// one is a part of the other count as one.
    fn colour(&mut self, graph: &Graph) -> Result<(), Diagnostic> {
        let count = self.extents.len();
        let mut extents = vec![0; count];
        for (axis, &kin) in self.kin.iter().enumerate() {
            extents[kin] = self.extents[axis].max(extents[kin]);
        }
        let mut meets = vec![vec![false; count]; count];
        let mut used = vec![false; count];
        for op in graph.walk() {
            let op = graph.op(op);
            let secret = |value: &Value| {
                graph
                    .ty(*value)
                    .as_tensor()
                    .is_some_and(|ty| ty.secrecy == Secrecy::Secret)
            };
            if !op.results.iter().chain(&op.operands).any(secret) {
                continue;
            }
            let mut groups: Vec<Vec<Axis>> = op
                .results
                .iter()
                .chain(&op.operands)
                .map(|&v| self.of(v).to_vec())
                .collect();
            if op.opcode == Opcode::TensorMatmul {
                groups.push(self.product(op.operands[0], op.operands[1]));
            }
            for group in &mut groups {
                group.iter_mut().for_each(|axis| *axis = self.kin[*axis]);
                for (position, &axis) in group.iter().enumerate() {
                    used[axis] = true;
                    if group[..position].contains(&axis) {
                        return Err(Diagnostic::new(
                            Code::Unsupported,
                            "two dimensions of one tensor are the same axis, as in a square matrix that is applied twice",
                        )
                        .label(op.span, "here both dimensions would need the same slots")
                        .remedy("pad one of the two dimensions to another extent"));
                    }
                    for &other in &group[..position] {
                        meets[axis][other] = true;
                        meets[other][axis] = true;
                    }
                }
            }
        }
        let mut order: Vec<Axis> = (0..count).filter(|&axis| used[axis]).collect();
        order.sort_by_key(|&axis| (std::cmp::Reverse(extents[axis]), axis));
        let mut coloured: Vec<Option<usize>> = vec![None; count];
        for axis in order {
            let place = (0..)
                .find(|&place| (0..count).all(|other| !meets[axis][other] || coloured[other] != Some(place)))
                .unwrap_or(0);
            coloured[axis] = Some(place);
            if place == self.place_extents.len() {
                self.place_extents.push(1);
            }
            self.place_extents[place] = self.place_extents[place].max(extents[axis]);
        }
        self.place = self.kin.iter().map(|&kin| coloured[kin].unwrap_or(0)).collect();
        Ok(())
    }
}

/// The first read of each state of a closed loop, by name: it stands for the state's type and place.
pub fn states(graph: &Graph) -> BTreeMap<String, Value> {
    let mut states = BTreeMap::new();
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        if op.opcode == Opcode::TensorState {
            let name = op.text("name").unwrap_or_default().to_owned();
            states.entry(name).or_insert(op.results[0]);
        }
    }
    states
}

/// The dimensions of a tensor that are longer than one, with their extents.
pub fn long(graph: &Graph, tensor: Value) -> Vec<(usize, u32)> {
    let shape = graph
        .ty(tensor)
        .as_tensor()
        .map(|tensor| tensor.shape.iter().copied());
    let dimensions = shape.into_iter().flatten().enumerate();
    dimensions.filter(|&(_, extent)| extent > 1).collect()
}

struct Union {
    /// The first read of each state.
    states: BTreeMap<String, Value>,
    /// The first read of each input and stream: all steps read one port.
    sources: BTreeMap<String, Value>,
    /// One set for each axis, of dimensions numbered over all tensors.
    dimensions: UnionFind<usize>,
    /// Number of the first dimension of each tensor.
    first: Vec<usize>,
    ranks: Vec<usize>,
    /// Dimensions of which one is a part of the other.
    kin: Vec<(usize, usize)>,
}

impl Union {
    fn new(graph: &Graph) -> Self {
        let ranks: Vec<usize> = (0..graph.value_count())
            .map(|index| {
                graph
                    .ty(Value(index as u32))
                    .as_tensor()
                    .map_or(0, |ty| ty.shape.len())
            })
            .collect();
        let first = ranks
            .iter()
            .scan(0, |next, rank| {
                let first = *next;
                *next += rank;
                Some(first)
            })
            .collect();
        Self {
            states: states(graph),
            sources: BTreeMap::new(),
            dimensions: UnionFind::new(ranks.iter().sum()),
            first,
            ranks,
            kin: Vec::new(),
        }
    }

    fn join(&mut self, a: (Value, usize), b: (Value, usize)) {
        self.dimensions
            .union(self.first[a.0.index()] + a.1, self.first[b.0.index()] + b.1);
    }

    fn rank(&self, value: Value) -> usize {
        self.ranks[value.index()]
    }

    /// Joins dimensions aligned at the end, as broadcasting does.
    fn tails(&mut self, a: Value, b: Value) {
        for back in 1..=self.rank(a).min(self.rank(b)) {
            self.join((a, self.rank(a) - back), (b, self.rank(b) - back));
        }
    }

    fn op(&mut self, graph: &Graph, op: &OpData) {
        use Opcode::*;
        let operand = |index: usize| op.operands[index];
        match op.opcode {
            TensorMatmul => {
                let (a, b, result) = (operand(0), operand(1), op.results[0]);
                let (rank_a, rank_b) = (self.rank(a), self.rank(b));
                self.join((a, rank_a - 1), (b, 0));
                if rank_a == 2 {
                    self.join((a, 0), (result, 0));
                }
                if rank_b == 2 {
                    self.join((b, 1), (result, self.rank(result) - 1));
                }
            }
            TensorTranspose => {
                if let Ok(axes) = permutation(op.ints("axes"), self.rank(operand(0))) {
                    for (to, from) in axes.into_iter().enumerate() {
                        self.join((operand(0), from), (op.results[0], to));
                    }
                }
            }
            TensorBroadcast => {
                for (from, &to) in op.ints("axes").iter().enumerate() {
                    self.join((operand(0), from), (op.results[0], to as usize));
                }
            }
            TensorSum | TensorMean => {
                if let Ok(axes) = reduced_axes(op.ints("axes"), self.rank(operand(0))) {
                    let kept = (0..self.rank(operand(0))).filter(|axis| !axes.contains(axis));
                    for (to, from) in kept.enumerate() {
                        self.join((operand(0), from), (op.results[0], to));
                    }
                }
            }
            TrainLoop => {
                for (position, &value) in op.operands.iter().enumerate() {
                    self.tails(value, op.results[position]);
                    for &region in &op.regions {
                        if let Some(&argument) = graph.block(region).arguments.get(position) {
                            self.tails(value, argument);
                        }
                        let yielded = graph.terminator(region).filter(|last| last.opcode == TrainYield);
                        if let Some(&next) = yielded.and_then(|last| last.operands.get(position)) {
                            self.tails(value, next);
                        }
                    }
                }
            }
            TensorState | TensorStore => {
                let value = op.results.first().or(op.operands.first());
                let first = self.states.get(op.text("name").unwrap_or_default());
                if let (Some(&value), Some(&first)) = (value, first)
                    // A public first value, which other states may share, goes where the state is.
                    && graph.ty(value).as_tensor().is_some_and(|ty| ty.secrecy == Secrecy::Secret)
                {
                    self.tails(value, first);
                }
            }
            TensorInput | TensorStream => {
                let name = op.text("name").unwrap_or_default().to_owned();
                let first = *self.sources.entry(name).or_insert(op.results[0]);
                self.tails(op.results[0], first);
            }
            TensorConcat | TensorSlice => {
                let axis = op.int("axis").unwrap_or(0) as usize;
                for &part in &op.operands {
                    for dimension in (0..self.rank(part)).filter(|&dimension| dimension != axis) {
                        self.join((part, dimension), (op.results[0], dimension));
                    }
                    let number = |value: Value| self.first[value.index()] + axis;
                    self.kin.push((number(part), number(op.results[0])));
                }
            }
            TensorReshape => {
                // Dimensions of extent one come and go; other shapes have nothing in common.
                let (from, to) = (long(graph, operand(0)), long(graph, op.results[0]));
                if from.iter().map(|long| long.1).eq(to.iter().map(|long| long.1)) {
                    for ((from, _), (to, _)) in from.into_iter().zip(to) {
                        self.join((operand(0), from), (op.results[0], to));
                    }
                }
            }
            TensorConv1d | TensorConv2d | TensorAvgPool => {}
            _ => {
                for &result in &op.results {
                    for &value in &op.operands {
                        self.tails(value, result);
                    }
                }
            }
        }
    }

    /// Axes are numbered as they first occur, whatever the order of joins.
    fn axes(self, graph: &Graph) -> Axes {
        let mut number = vec![None; self.dimensions.len()];
        let mut extents = Vec::new();
        let mut of = vec![Vec::new(); self.ranks.len()];
        for (index, of) in of.iter_mut().enumerate() {
            let Some(ty) = graph.ty(Value(index as u32)).as_tensor() else {
                continue;
            };
            for dimension in 0..self.ranks[index] {
                let root = self.dimensions.find(self.first[index] + dimension);
                let axis = *number[root].get_or_insert_with(|| {
                    extents.push(1);
                    extents.len() - 1
                });
                extents[axis] = extents[axis].max(ty.shape[dimension]);
                of.push(axis);
            }
        }
        let mut parts = UnionFind::new(extents.len());
        for &(part, whole) in &self.kin {
            let axis = |dimension: usize| number[self.dimensions.find(dimension)];
            if let (Some(part), Some(whole)) = (axis(part), axis(whole)) {
                parts.union(part, whole);
            }
        }
        let mut first = vec![None; extents.len()];
        let kin = (0..extents.len()).map(|axis| *first[parts.find(axis)].get_or_insert(axis));
        Axes {
            kin: kin.collect(),
            extents,
            place: Vec::new(),
            place_extents: Vec::new(),
            of,
        }
    }
}
