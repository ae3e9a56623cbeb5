//! Updates of the optimisers and what they carry from step to step.

use crate::dialect::tensor::Elements;
use crate::ir::{Attributes, Builder, Graph, OpData, OpId, Opcode, Secrecy, Type, Value};

/// Momentum where the user states none.
const DEFAULT_MOMENTUM: f64 = 0.9;

/// A value that an optimiser carries for one parameter.
pub struct Memory {
    /// The `train.minimize` that it belongs to.
    pub minimize: OpId,
    /// Which of its parameters.
    pub position: usize,
    /// `w.velocity` or `w.lookahead`.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its value at this place of the new graph.
    pub current: Option<Value>,
}

impl Memory {
    /// What it is before the first step: the parameter's own first value for a lookahead, else 0. `operands` are the
    /// first values of the carried states `names`.
    pub fn first_value(&self, builder: &mut Builder<'_>, operands: &[Value], names: &[String]) -> Value {
        let state = self
            .name
            .strip_suffix(".lookahead")
            .and_then(|of| names.iter().position(|name| name == of));
        match (state, &self.ty) {
            (Some(position), _) => operands[position],
            (None, Type::Tensor(tensor)) => builder.constant(&tensor.shape, Elements::Splat(0.0)),
            (None, _) => unreachable!("a parameter is a tensor"),
        }
    }
}

/// What the optimisers in the step region of a loop carry.
pub fn memories(graph: &Graph, train: &OpData) -> Vec<Memory> {
    let mut memories = Vec::new();
    for &id in &graph.block(train.regions[0]).ops {
        let op = graph.op(id);
        let suffix = match (op.opcode, op.text("optimizer")) {
            (Opcode::TrainMinimize, Some("momentum")) => "velocity",
            (Opcode::TrainMinimize, Some("nesterov")) => "lookahead",
            _ => continue,
        };
        for (position, (name, &parameter)) in op.texts("names").iter().zip(&op.operands[1..]).enumerate() {
            let Some(tensor) = graph.ty(parameter).as_tensor() else {
                continue;
            };
            // v = w⁺ + |γ|·(w⁺ − w) with |γ| < 1 leaves the interval of w by less than its width.
            let range = tensor
                .range
                .filter(|_| suffix == "lookahead")
                .map(|(low, high)| (2.0 * low - high, 2.0 * high - low));
            let ty = Type::tensor(tensor.shape.clone(), Secrecy::Secret, range);
            memories.push(Memory {
                minimize: id,
                position,
                name: format!("{name}.{suffix}"),
                ty,
                current: None,
            });
        }
    }
    memories
}

/// γ of step `step`, counted from 0: λ_1 = 1 in step 0, so that γ is 0 there, and −1 < γ ≤ 0 always.
pub fn nesterov_gamma(step: usize) -> f64 {
    let next = |lambda: f64| 0.5 * (1.0 + (1.0 + 4.0 * lambda * lambda).sqrt());
    let lambda = (0..step).fold(1.0, |lambda, _| next(lambda));
    (1.0 - lambda) / next(lambda)
}

fn scaled(builder: &mut Builder<'_>, value: Value, scalar: Option<Value>) -> Value {
    match scalar {
        Some(scalar) => builder.mul(value, scalar),
        None => value,
    }
}

/// w − α·g.
pub fn sgd(builder: &mut Builder<'_>, w: Value, g: Value, rate: Option<Value>) -> Value {
    let change = scaled(builder, g, rate);
    builder.sub(w, change)
}

/// w⁺ and v⁺ of the momentum method.
pub fn momentum(
    builder: &mut Builder<'_>,
    w: Value,
    v: Value,
    g: Value,
    rate: Option<Value>,
    momentum: Option<Value>,
) -> (Value, Value) {
    let momentum = momentum.unwrap_or_else(|| builder.scalar(DEFAULT_MOMENTUM));
    let kept = builder.mul(v, momentum);
    let velocity = builder.add(kept, g);
    (sgd(builder, w, velocity, rate), velocity)
}

/// w⁺ and v⁺ of Nesterov's method; `g` is the gradient at `v`.
pub fn nesterov(
    builder: &mut Builder<'_>,
    w: Value,
    v: Value,
    g: Value,
    rate: Option<Value>,
    momentum: Option<Value>,
) -> (Value, Value) {
    let next = sgd(builder, v, g, rate);
    let gamma = match momentum {
        Some(momentum) => builder.neg(momentum),
        None => {
            let attributes = Builder::attributes([("kind", "nesterov".into())]);
            builder.value(
                Opcode::TensorSchedule,
                &[],
                attributes,
                Type::tensor([], Secrecy::Public, None),
            )
        }
    };
    let one = builder.scalar(1.0);
    let weight = builder.tensor(Opcode::TensorSub, &[one, gamma], Attributes::new());
    let ahead = builder.mul(next, weight);
    let behind = builder.mul(w, gamma);
    (next, builder.add(ahead, behind))
}
