use proptest::prelude::*;

use super::*;
use crate::ir::verify;
use crate::testing::{self, INPUTS, Recipe};

/// The loss of a graph again as output, and its gradients as outputs named after the inputs.
fn with_gradients(recipes: &[Recipe]) -> Graph {
    let (mut graph, inputs, loss) = testing::random(recipes);
    let body = graph.body();
    let mut builder = Builder::new(&mut graph, body);
    let gradients = gradients(&mut builder, loss, &inputs).unwrap();
    for (gradient, (name, _)) in gradients.into_iter().zip(INPUTS) {
        let attributes = Builder::attributes([("name", name.into())]);
        builder.op(Opcode::TensorOutput, &[gradient], attributes, Vec::new());
    }
    verify(&graph).unwrap();
    graph
}

fn outputs(
    graph: &Graph,
    inputs: &std::collections::BTreeMap<String, Vec<f64>>,
) -> crate::reference::Outcome {
    let length = crate::reference::Length { steps: 0, epochs: 0 };
    crate::reference::Reference::new(graph)
        .run(
            inputs,
            &mut |_: &str, _: usize| -> Option<Vec<f64>> { None },
            length,
        )
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Central differences with h = 1e-5 are off by about h²·f''' and 1e-16·|f|/h.
    #[test]
    fn gradients_agree_with_differences(
        recipes in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), -2.0..2.0f64), 1..14),
        seed in 1u64..1000,
    ) {
        let graph = with_gradients(&recipes);
        let inputs = testing::inputs(seed);
        let exact = outputs(&graph, &inputs).outputs;
        let size = exact["loss"].values[0].abs();
        for (name, values) in &inputs {
            let gradient = &exact[name].values;
            prop_assert_eq!(gradient.len(), values.len());
            for element in 0..values.len() {
                let shifted = |by: f64| {
                    let mut inputs = inputs.clone();
                    inputs.get_mut(name).unwrap()[element] += by;
                    testing::loss(&graph, &inputs)
                };
                let h = 1e-5;
                let difference = (shifted(h) - shifted(-h)) / (2.0 * h);
                let scale = 1.0 + size + gradient.iter().fold(0.0f64, |largest, g| largest.max(g.abs()));
                // Repeated products can make third derivatives large: graphs whose values explode are left out.
                prop_assume!(scale < 1e3);
                prop_assert!(
                    (difference - gradient[element]).abs() < 2e-6 * scale * scale,
                    "{name}[{element}]: {} by difference, {} by rule\n{}", difference, gradient[element], crate::ir::print(&graph),
                );
            }
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Mean gradient of the logistic loss by (w, b), five numbers, on the batch of a step.
fn logistic_gradient(parameters: &[f64], step: usize) -> Vec<f64> {
    let (x, y) = (
        testing::batch("x", step).unwrap(),
        testing::batch("y", step).unwrap(),
    );
    let mut gradient = vec![0.0; 5];
    for (row, label) in x.chunks(4).zip(y) {
        let score: f64 = row.iter().zip(parameters).map(|(x, w)| x * w).sum::<f64>() + parameters[4];
        let difference = (sigmoid(score) - label) / 8.0;
        for (sum, x) in gradient.iter_mut().zip(row.iter().chain(&[1.0])) {
            *sum += difference * x;
        }
    }
    gradient
}

fn trained(optimizer: &str, momentum: Option<f64>, steps: usize) -> Vec<f64> {
    let graph = differentiate(&testing::logistic(optimizer, momentum)).unwrap();
    verify(&graph).unwrap();
    let outcome = testing::run(&graph, steps);
    [
        outcome.outputs["w"].values.clone(),
        outcome.outputs["b"].values.clone(),
    ]
    .concat()
}

fn assert_close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-12, "{a} ≠ {b}");
    }
}

#[test]
fn gradient_descent_is_the_loop_by_hand() {
    let mut w = vec![0.0; 5];
    for step in 0..6 {
        let gradient = logistic_gradient(&w, step);
        w.iter_mut().zip(gradient).for_each(|(w, g)| *w -= 2.0 * g);
    }
    assert_close(&trained("sgd", None, 6), &w);
}

#[test]
fn momentum_is_the_loop_by_hand() {
    let (mut w, mut v) = (vec![0.0; 5], vec![0.0; 5]);
    for step in 0..6 {
        let gradient = logistic_gradient(&w, step);
        for ((w, v), g) in w.iter_mut().zip(&mut v).zip(gradient) {
            *v = 0.7 * *v + g;
            *w -= 2.0 * *v;
        }
    }
    assert_close(&trained("momentum", Some(0.7), 6), &w);
}

#[test]
fn nesterov_is_the_loop_by_hand() {
    for momentum in [None, Some(0.6)] {
        let (mut w, mut v, mut lambda) = (vec![0.0; 5], vec![0.0; 5], 1.0f64);
        for step in 0..6 {
            let gradient = logistic_gradient(&v, step);
            let next = (1.0 + (1.0 + 4.0 * lambda * lambda).sqrt()) / 2.0;
            let gamma = momentum.map_or((1.0 - lambda) / next, |momentum: f64| -momentum);
            lambda = next;
            for ((w, v), g) in w.iter_mut().zip(&mut v).zip(gradient) {
                let moved = *v - 2.0 * g;
                *v = (1.0 - gamma) * moved + gamma * *w;
                *w = moved;
            }
        }
        assert_close(&trained("nesterov", momentum, 6), &w);
    }
}

#[test]
fn schedule_starts_with_a_plain_step() {
    assert_eq!(nesterov_gamma(0), 0.0);
    let golden = (1.0 + 5f64.sqrt()) / 2.0;
    let after = (1.0 + (1.0 + 4.0 * golden * golden).sqrt()) / 2.0;
    assert!((nesterov_gamma(1) - (1.0 - golden) / after).abs() < 1e-15);
    assert!((1..100).all(|step| -1.0 < nesterov_gamma(step) && nesterov_gamma(step) < 0.0));
}

/// p − y: the gradient of the softmax cross-entropy by its logits, and by differences.
#[test]
fn softmax_cross_entropy() {
    let text = "graph @g {
        %0 = tensor.input {name = \"z\"} : tensor<2x3, secret>
        %1 = tensor.input {name = \"y\"} : tensor<2x3, secret>
        %2 = tensor.softmax %0 {high = 8.0, low = -8.0} : tensor<2x3, secret>
        %3 = tensor.cross_entropy %2, %1 : tensor<2, secret>
        %4 = tensor.sum %3 {axes = ints[]} : tensor<scalar, secret>
        %5 = train.grad %4, %0 : tensor<2x3, secret>
        tensor.output %4 {name = \"loss\"}
        tensor.output %5 {name = \"g\"}
    }";
    let graph = differentiate(&crate::ir::parse(text).unwrap()).unwrap();
    assert!(
        graph
            .walk()
            .iter()
            .all(|&op| graph.op(op).opcode != Opcode::TensorDerivative)
    );
    let y = vec![0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
    let z = testing::noise(3, 6);
    let at =
        |z: Vec<f64>| outputs(&graph, &[("z".to_owned(), z), ("y".to_owned(), y.clone())].into()).outputs;
    let gradient = at(z.clone())["g"].values.clone();
    for element in 0..6 {
        let loss = |by: f64| {
            let mut z = z.clone();
            z[element] += by;
            at(z)["loss"].values[0]
        };
        let difference = (loss(1e-5) - loss(-1e-5)) / 2e-5;
        assert!(
            (difference - gradient[element]).abs() < 1e-9,
            "{difference} ≠ {}",
            gradient[element]
        );
    }
}

#[test]
fn what_has_no_rule_is_refused_at_its_place() {
    let mut graph = testing::logistic("adam", None);
    for op in graph.walk() {
        graph.op_mut(op).span = crate::source::Span::new(op.index() + 1, op.index() + 2);
    }
    let diagnostics = differentiate(&graph).unwrap_err();
    assert_eq!(diagnostics.0[0].code, Code::Unsupported);
    assert!(diagnostics.0[0].message.contains("adam"));
    assert!(!diagnostics.0[0].labels.is_empty() && !diagnostics.0[0].remedies.is_empty());
}
