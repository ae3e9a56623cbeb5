//! Multiplicative depth of the tensor dialect: levels that a ciphertext loses on its way.
//!
//! A product costs one level if its result is secret, by ±1 and among public values none. A polynomial of degree d
//! costs ⌈log2(d + 1)⌉; a function that is not approximated yet is taken to have degree 7, unless it states one, a comparison to
//! take three polynomials, and softmax four levels for each halving of its range. After a bootstrap counting starts anew. Masks
//! that a layout may need are not counted.

use crate::approx::{Function, Polynomial, depth_of_degree};
use crate::dialect::tensor::Elements;
use crate::ir::{BlockId, Graph, OpData, Opcode, Secrecy, Value};

/// Degree assumed of a function before the approximate pass.
const ASSUMED_DEGREE: usize = 7;
/// Levels assumed of a comparison before the approximate pass, and of what is made of it.
const ASSUMED_COMPARISON: u32 = 9;

/// Levels that one operation costs.
pub fn levels(graph: &Graph, op: &OpData) -> u32 {
    let secret = |value: &Value| {
        graph
            .ty(*value)
            .as_tensor()
            .is_some_and(|tensor| tensor.secrecy == Secrecy::Secret)
    };
    if !op.results.iter().any(secret) {
        return 0;
    }
    match op.opcode {
        Opcode::TensorMul | Opcode::TensorDiv => {
            let unit = op.operands.iter().any(|&operand| is_unit(graph, operand));
            u32::from(!unit)
        }
        Opcode::TensorMatmul
        | Opcode::TensorMean
        | Opcode::TensorConv1d
        | Opcode::TensorConv2d
        | Opcode::TensorAvgPool
        | Opcode::TensorCrossEntropy => 1,
        Opcode::TensorPoly | Opcode::TensorPolynomial => {
            Polynomial::of(op).map_or(0, |polynomial| polynomial.depth())
        }
        Opcode::TensorMax | Opcode::TensorCompare => ASSUMED_COMPARISON,
        Opcode::TensorSign | Opcode::TensorRelu if !op.attributes.contains_key("degree") => {
            ASSUMED_COMPARISON
        }
        Opcode::TensorSoftmax => softmax_levels(op),
        _ if Function::of(op).is_some() => {
            let degree = op.int("degree").and_then(|degree| usize::try_from(degree).ok());
            depth_of_degree(degree.unwrap_or(ASSUMED_DEGREE))
        }
        _ => 0,
    }
}

/// Levels assumed of a softmax: an exponential on [−2, 2], as many squares as that takes, an inverse and a product.
fn softmax_levels(op: &OpData) -> u32 {
    let reach = 0.5 * (op.float("high").unwrap_or(2.0) - op.float("low").unwrap_or(-2.0));
    let squares = libm::ceil(libm::log2(0.5 * reach)).clamp(0.0, 32.0) as u32;
    depth_of_degree(ASSUMED_DEGREE) + 4 * squares + depth_of_degree(2 * ASSUMED_DEGREE + 1) + 1
}

/// What counts of the levels on one side of an operation on its other side: a bootstrap starts anew.
pub fn below(op: &OpData, levels: u32) -> u32 {
    if op.opcode == Opcode::TensorBootstrap {
        0
    } else {
        levels
    }
}

/// Levels that the longest way takes at least, however the graph is laid out: products of secrets, and for a polynomial of degree d
/// ⌈log2 d⌉. Nothing else is certain, as public factors may become one or whole numbers.
pub fn least(graph: &Graph) -> u32 {
    let is_secret = |value: &Value| {
        let tensor = graph.ty(*value).as_tensor();
        tensor.is_some_and(|tensor| tensor.secrecy == Secrecy::Secret)
    };
    let certain = |op: &OpData| match op.opcode {
        Opcode::TensorMul | Opcode::TensorMatmul => u32::from(op.operands.iter().all(is_secret)),
        Opcode::TensorPoly | Opcode::TensorPolynomial if op.operands.iter().any(is_secret) => {
            let degree = Polynomial::of(op).map_or(0, |polynomial| {
                let last = polynomial.coefficients.iter().rposition(|&c| c != 0.0);
                last.unwrap_or(0)
            });
            degree.next_power_of_two().trailing_zeros()
        }
        _ => 0,
    };
    let mut depth = vec![0; graph.value_count()];
    let mut most = 0;
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        let deepest = op.operands.iter().map(|operand| depth[operand.index()]).max();
        let reached = below(op, deepest.unwrap_or(0)) + certain(op);
        most = most.max(reached);
        for result in &op.results {
            depth[result.index()] = reached;
        }
    }
    most
}

/// Whether a value is the constant 1 or −1.
fn is_unit(graph: &Graph, value: Value) -> bool {
    let elements = graph.defining_op(value).and_then(|op| Elements::of(graph.op(op)));
    matches!(elements, Some(Elements::Splat(splat)) if splat.abs() == 1.0)
}

/// Depths of all values of a graph.
#[derive(Clone, Debug)]
pub struct Depths {
    depth: Vec<Option<u32>>,
    height: Vec<u32>,
}

impl Depths {
    /// Depths from the leaves: inputs, streams, constants and arguments of regions have 0.
    pub fn of_graph(graph: &Graph) -> Self {
        Self::compute(graph, |_| Some(0))
    }

    /// Depths from the arguments of `block` alone; what does not depend on them has none.
    pub fn from_arguments(graph: &Graph, block: BlockId) -> Self {
        let arguments = &graph.block(block).arguments;
        Self::compute(graph, |value| arguments.contains(&value).then_some(0))
    }

    fn compute(graph: &Graph, start: impl Fn(Value) -> Option<u32>) -> Self {
        let count = graph.value_count();
        let mut depth: Vec<Option<u32>> = (0..count).map(|value| start(Value(value as u32))).collect();
        let walk = graph.walk();
        for op in walk
            .iter()
            .map(|&op| graph.op(op))
            .filter(|op| !op.operands.is_empty())
        {
            let deepest = op
                .operands
                .iter()
                .filter_map(|operand| depth[operand.index()])
                .max();
            let reached = deepest.map(|deepest| below(op, deepest) + levels(graph, op));
            for result in &op.results {
                depth[result.index()] = reached;
            }
        }
        let mut height = vec![0; count];
        for op in walk.iter().rev().map(|&op| graph.op(op)) {
            let above = op.results.iter().map(|result| height[result.index()]).max();
            let above = below(op, above.unwrap_or(0)) + levels(graph, op);
            for operand in &op.operands {
                height[operand.index()] = height[operand.index()].max(above);
            }
        }
        Self { depth, height }
    }

    /// Levels on the longest way from where depths start to a value; none if no way leads there.
    pub fn of(&self, value: Value) -> Option<u32> {
        self.depth[value.index()]
    }

    /// Levels on the longest way from a value to what reads it last.
    pub fn height(&self, value: Value) -> u32 {
        self.height[value.index()]
    }

    /// The largest depth of any value.
    pub fn total(&self) -> u32 {
        self.depth.iter().flatten().copied().max().unwrap_or(0)
    }

    /// Whether a value lies on a longest way: another level there is another level of the whole graph.
    pub fn is_critical(&self, value: Value) -> bool {
        self.of(value)
            .is_some_and(|depth| depth + self.height(value) >= self.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    #[test]
    fn longest_ways() {
        let graph = parse(
            "graph @g {
               %0 = tensor.input {name = \"x\"} : tensor<4, secret>
               %1 = tensor.constant {value = 2.0} : tensor<scalar, public>
               %2 = tensor.mul %0, %1 : tensor<4, secret>
               %3 = tensor.mul %2, %0 : tensor<4, secret>
               %4 = tensor.sigmoid %3 {degree = 15, high = 4.0, low = -4.0} : tensor<4, secret>
               %5 = tensor.mul %1, %1 : tensor<scalar, public>
               %6 = tensor.add %2, %4 : tensor<4, secret>
               tensor.output %6 {name = \"y\"}
             }",
        )
        .unwrap();
        let depths = Depths::of_graph(&graph);
        let of: Vec<_> = (0..7).map(|value| depths.of(Value(value)).unwrap()).collect();
        assert_eq!(of, [0, 0, 1, 2, 6, 0, 6]);
        assert_eq!(depths.height(Value(0)), 6);
        assert_eq!(depths.total(), 6);
        assert!(depths.is_critical(Value(2)) && !depths.is_critical(Value(5)));
    }
}
