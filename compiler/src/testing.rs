//! Graphs for the tests of tensor passes.

use std::collections::BTreeMap;

use crate::dialect::tensor::Elements;
use crate::ir::{Attributes, Builder, Graph, Opcode, Secrecy, Type, Value, parse, verify};
use crate::reference::{Length, Outcome, Reference};

/// Logistic regression, 8 × 4, as the frontend gives it; `optimizer` with a rate of 2 and further scalars.
pub fn logistic(optimizer: &str, momentum: Option<f64>) -> Graph {
    let (more, scalars, operand) = match momentum {
        Some(value) => (
            format!("%17 = tensor.constant {{value = {value:?}}} : tensor<scalar, public>"),
            "\"rate\", \"momentum\"",
            ", %17",
        ),
        None => (String::new(), "\"rate\"", ""),
    };
    let (w, b) = (
        "tensor<4, secret, [-16.0, 16.0]>",
        "tensor<scalar, secret, [-16.0, 16.0]>",
    );
    let text = format!(
        "graph @logistic {{
           %0 = tensor.constant {{value = 0.0}} : tensor<4, public>
           %1 = tensor.constant {{value = 0.0}} : tensor<scalar, public>
           %2, %3 = train.loop %0, %1 {{names = texts[\"w\", \"b\"]}} : {w}, {b} (%4: {w}, %5: {b}) {{
             %6 = tensor.stream {{name = \"x\"}} : tensor<8x4, secret, [-1.0, 1.0]>
             %7 = tensor.stream {{name = \"y\"}} : tensor<8, secret, [0.0, 1.0]>
             %8 = tensor.matmul %6, %4 : tensor<8, secret>
             %9 = tensor.broadcast %5 {{axes = ints[], shape = ints[8]}} : tensor<8, secret>
             %10 = tensor.add %8, %9 : tensor<8, secret>
             %11 = tensor.sigmoid %10 {{degree = 7, high = 8.0, low = -8.0}} : tensor<8, secret>
             %12 = tensor.cross_entropy %11, %7 : tensor<8, secret>
             %13 = tensor.mean %12 {{axes = ints[0]}} : tensor<scalar, secret>
             %14 = tensor.constant {{value = 2.0}} : tensor<scalar, public>
             {more}
             %15, %16 = train.minimize %13, %4, %5, %14{operand} {{names = texts[\"w\", \"b\"], \
                optimizer = \"{optimizer}\", scalars = texts[{scalars}]}} : {w}, {b}
             train.yield %15, %16
           }} (%18: {w}, %19: {b}) {{
             tensor.reveal %18 {{name = \"peek\"}}
             train.yield
           }}
           tensor.output %2 {{name = \"w\"}}
           tensor.output %3 {{name = \"b\"}}
         }}"
    );
    let graph = parse(&text).unwrap();
    verify(&graph).unwrap();
    graph
}

/// Numbers in [−1, 1] that look random, the same on every run.
pub fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    for _ in 0..16 {
        next();
    }
    (0..count).map(|_| next()).collect()
}

/// Batch of the logistic regression: features for `x`, labels for `y`.
pub fn batch(name: &str, step: usize) -> Option<Vec<f64>> {
    match name {
        "x" => Some(noise(2 * step as u64 + 5, 32)),
        "y" => Some(
            noise(2 * step as u64 + 6, 8)
                .into_iter()
                .map(|z| f64::from(u8::from(z > 0.0)))
                .collect(),
        ),
        _ => None,
    }
}

/// Runs a graph on [`batch`].
pub fn run(graph: &Graph, steps: usize) -> Outcome {
    Reference::new(graph)
        .run(&BTreeMap::new(), &mut batch, Length { steps, epochs: 1 })
        .unwrap()
}

/// One random operation: a choice and two operands, all taken modulo what there is.
pub type Recipe = (u8, u8, u8, f64);

/// Inputs of [`random`]: a 3 × 4 matrix `x`, vectors `v` and `w` of 4, `u` of 3, a scalar `s`.
pub const INPUTS: [(&str, &[u32]); 5] = [("x", &[3, 4]), ("v", &[4]), ("w", &[4]), ("u", &[3]), ("s", &[])];

/// A graph of random operations over [`INPUTS`] and a few constants; its one output `loss` is the sum of all elements of
/// the last three values. Gives the values of the inputs too, and the loss.
pub fn random(recipes: &[Recipe]) -> (Graph, Vec<Value>, Value) {
    let mut graph = Graph::new("random");
    let body = graph.body();
    let mut builder = Builder::new(&mut graph, body);
    let mut pool = Vec::new();
    for (name, shape) in INPUTS {
        let attributes = Builder::attributes([("name", name.into())]);
        let ty = Type::tensor(shape, Secrecy::Secret, Some((-1.0, 1.0)));
        pool.push(builder.value(Opcode::TensorInput, &[], attributes, ty));
    }
    let inputs = pool.clone();
    for value in [0.0, 1.0, -1.0, 0.5] {
        pool.push(builder.scalar(value));
    }
    pool.push(builder.constant(&[4], Elements::Splat(0.0)));
    pool.push(builder.constant(&[4], Elements::Each(vec![0.5, -0.25, 0.0, 1.0])));
    for recipe in recipes {
        if let Some(value) = one(&mut builder, &pool, recipe) {
            pool.push(value);
        }
    }
    let mut loss = builder.scalar(0.0);
    for &value in pool[pool.len() - 3..].iter().chain(&inputs[..1]) {
        let rank = builder.shape(value).len() as u32;
        let all: Vec<u32> = (0..rank).collect();
        let total = builder.sum(value, &all);
        loss = builder.add(loss, total);
    }
    let attributes = Builder::attributes([("name", "loss".into())]);
    builder.op(Opcode::TensorOutput, &[loss], attributes, Vec::new());
    verify(&graph).unwrap();
    (graph, inputs, loss)
}

fn one(builder: &mut Builder<'_>, pool: &[Value], &(choice, a, b, c): &Recipe) -> Option<Value> {
    use Opcode::*;
    let (a, b) = (
        pool[usize::from(a) % pool.len()],
        pool[usize::from(b) % pool.len()],
    );
    let shape = builder.shape(a);
    let no = Attributes::new;
    let bounded = || Builder::attributes([("low", (-6.0).into()), ("high", 6.0.into())]);
    match choice % 18 {
        0 => builder.try_tensor(TensorAdd, &[a, b], no()),
        1 => builder.try_tensor(TensorSub, &[a, b], no()),
        2 => builder.try_tensor(TensorMul, &[a, b], no()),
        3 => builder.try_tensor(TensorNeg, &[a], no()),
        4 => builder.try_tensor(TensorMatmul, &[a, b], no()),
        5 => builder.try_tensor(TensorTranspose, &[a], no()),
        6 => builder.try_tensor(
            TensorSum,
            &[a],
            Builder::attributes([("axes", vec![0i64].into())]),
        ),
        7 => builder.try_tensor(
            TensorMean,
            &[a],
            Builder::attributes([("axes", Vec::<i64>::new().into())]),
        ),
        8 => {
            let c = builder.scalar(c);
            builder.try_tensor(TensorMul, &[c, a], no())
        }
        9 => {
            let c = builder.scalar(if c.abs() < 0.3 { 0.3 } else { c });
            builder.try_tensor(TensorDiv, &[a, c], no())
        }
        10 => {
            let rank = shape.len() as i64;
            let shape: Vec<i64> = [3]
                .into_iter()
                .chain(shape.iter().map(|&extent| i64::from(extent)))
                .collect();
            let axes: Vec<i64> = (1..=rank).collect();
            builder.try_tensor(
                TensorBroadcast,
                &[a],
                Builder::attributes([("axes", axes.into()), ("shape", shape.into())]),
            )
        }
        11 => builder.try_tensor(TensorSigmoid, &[a], bounded()),
        12 => builder.try_tensor(TensorTanh, &[a], bounded()),
        13 => builder.try_tensor(TensorGelu, &[a], bounded()),
        14 => builder.try_tensor(TensorSoftplus, &[a], bounded()),
        15 => builder.try_tensor(
            TensorPoly,
            &[a],
            Builder::attributes([("coefficients", vec![c, 0.5, -0.25].into())]),
        ),
        16 => {
            let tamed = builder.tensor(TensorTanh, &[a], bounded());
            builder.try_tensor(TensorExp, &[tamed], bounded())
        }
        _ => builder.try_tensor(TensorSoftmax, &[a], bounded()),
    }
    .ok()
}

/// The output `loss` of a graph over [`INPUTS`].
pub fn loss(graph: &Graph, inputs: &BTreeMap<String, Vec<f64>>) -> f64 {
    let outcome = Reference::new(graph)
        .run(
            inputs,
            &mut |_: &str, _: usize| -> Option<Vec<f64>> { None },
            Length { steps: 0, epochs: 0 },
        )
        .unwrap();
    outcome.outputs["loss"].values[0]
}

/// Values for [`INPUTS`].
pub fn inputs(seed: u64) -> BTreeMap<String, Vec<f64>> {
    let elements = |shape: &[u32]| shape.iter().map(|&extent| extent as usize).product();
    INPUTS
        .iter()
        .zip(seed..)
        .map(|(&(name, shape), seed)| (name.to_owned(), noise(seed, elements(shape))))
        .collect()
}
