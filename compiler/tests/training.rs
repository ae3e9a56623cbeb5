//! Programs with softmax and hidden layers, from source text to polynomials: what approximation changes in the trained states.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cipherloom_compiler::approx::DEFAULT_ERROR;
use cipherloom_compiler::diagnostic::Diagnostics;
use cipherloom_compiler::ir::{Graph, Opcode, verify};
use cipherloom_compiler::options::Options;
use cipherloom_compiler::pass::approximate::{self, Use};
use cipherloom_compiler::pass::{fold, unroll};
use cipherloom_compiler::reference::{Length, Outcome, Reference};
use cipherloom_compiler::source::Source;
use cipherloom_compiler::{grad, sema};

fn program(path: &str, set: &[(&str, f64)]) -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let source = Source::new(path.display().to_string(), fs::read_to_string(&path).unwrap());
    let mut options = Options::default();
    options
        .set
        .extend(set.iter().map(|&(name, value)| (name.to_owned(), value)));
    let mut diagnostics = Diagnostics::new();
    let graph = sema::check(&source, &options, &mut diagnostics);
    assert!(
        !diagnostics.has_errors(),
        "{}",
        diagnostics.render(&source, false)
    );
    grad::differentiate(&graph.unwrap()).unwrap()
}

/// Numbers in [−1, 1), the same on every run.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Rows x in [low, high] and the one-hot label of the largest of a few of their sums.
fn batch(
    name: &str,
    step: usize,
    rows: usize,
    columns: usize,
    classes: usize,
    (low, high): (f64, f64),
) -> Vec<f64> {
    let mut next = noise(step as u64 + 1);
    let x: Vec<f64> = (0..rows * columns)
        .map(|_| low + (high - low) * 0.5 * (1.0 + next()))
        .collect();
    if name == "x" {
        return x;
    }
    let mut labels = vec![0.0; rows * classes];
    for (row, label) in x.chunks(columns).zip(labels.chunks_mut(classes)) {
        let scores: Vec<f64> = (0..classes)
            .map(|class| row.iter().skip(class).step_by(classes).sum::<f64>())
            .collect();
        let largest = (0..classes)
            .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
            .unwrap();
        label[largest] = 1.0;
    }
    labels
}

fn run(
    graph: &Graph,
    steps: usize,
    inputs: &BTreeMap<String, Vec<f64>>,
    data: impl Fn(&str, usize) -> Vec<f64>,
) -> Outcome {
    let mut batches = |name: &str, step: usize| Some(data(name, step));
    Reference::new(graph)
        .run(inputs, &mut batches, Length { steps, epochs: 1 })
        .unwrap()
}

/// The program unrolled and folded, and the same with polynomials.
fn flat(graph: &Graph, steps: u32) -> (Graph, Graph, Vec<Use>) {
    let exact = fold::run(&unroll::flat(graph, steps));
    let (approximated, uses) = approximate::run(&exact).unwrap();
    let approximated = fold::run(&approximated);
    verify(&approximated).unwrap();
    let is_left = |opcode| {
        approximated
            .walk()
            .into_iter()
            .any(|op| approximated.op(op).opcode == opcode)
    };
    assert!(!is_left(Opcode::TensorSoftmax) && !is_left(Opcode::TensorGelu));
    (exact, approximated, uses)
}

fn largest_difference(a: &Outcome, b: &Outcome) -> f64 {
    let mut largest = 0.0f64;
    for (name, data) in &a.outputs {
        for (x, y) in data.values.iter().zip(&b.outputs[name].values) {
            largest = largest.max((x - y).abs());
        }
    }
    largest
}

#[test]
fn softmax_regression_follows_exact_training() {
    let graph = program(
        "tests/programs/softmax_head.loom",
        &[("batch", 16.0), ("features", 12.0), ("classes", 5.0)],
    );
    let inputs = BTreeMap::from([("x_val".to_owned(), vec![0.5; 512 * 12])]);
    let data = |name: &str, step| batch(name, step, 16, 12, 5, (-4.0, 4.0));
    let steps = 6;
    let (exact, approximated, uses) = flat(&graph, steps);
    assert_eq!(uses.len(), 1);
    assert_eq!(uses[0].function, "softmax");
    assert!(uses[0].error <= DEFAULT_ERROR && uses[0].interval == (-32.0, 32.0));
    let (exact, approximate) = (
        run(&exact, 1, &inputs, data),
        run(&approximated, 1, &inputs, data),
    );
    for seen in exact.observed.iter().chain(&approximate.observed) {
        let slack = 1e-9 + 1e-3 * (seen.declared.1 - seen.declared.0);
        assert!(
            seen.declared.0 - slack <= seen.met.0 && seen.met.1 <= seen.declared.1 + slack,
            "{seen:?}"
        );
    }
    let difference = largest_difference(&exact, &approximate);
    // A gradient is a mean of (p − y)·x, |x| ≤ 4, and no step makes the difference more than momentum does.
    let bound = f64::from(steps) * f64::from(steps) * 4.0 * uses[0].error;
    assert!(
        0.0 < difference && difference < bound,
        "{difference:e} for {bound:e}"
    );
}

#[test]
fn a_hidden_layer_follows_exact_training() {
    let graph = program("tests/programs/two_layers.loom", &[("batch", 8.0)]);
    let data = |name: &str, step| batch(name, step, 8, 64, 10, (0.0, 1.0));
    let steps = 3;
    let (exact, approximated, uses) = flat(&graph, steps);
    let mut functions: Vec<&str> = uses.iter().map(|used| used.function.as_str()).collect();
    functions.sort_unstable();
    assert_eq!(functions, ["derivative of gelu", "gelu", "softmax"]);
    let inputs = BTreeMap::new();
    let (exact, approximate) = (
        run(&exact, 1, &inputs, data),
        run(&approximated, 1, &inputs, data),
    );
    let difference = largest_difference(&exact, &approximate);
    let error = uses.iter().map(|used| used.error).fold(0.0, f64::max);
    // Rate 0.2; the error of a hidden value reaches a gradient through ten outputs.
    let bound = f64::from(steps) * 0.2 * 10.0 * error;
    assert!(
        0.0 < difference && difference < bound,
        "{difference:e} for {bound:e}"
    );
}

#[test]
fn the_digits_example_follows_exact_training() {
    let graph = program("../examples/digits/digits.loom", &[("batch", 16.0)]);
    let inputs = BTreeMap::from([("x_val".to_owned(), vec![0.5; 256 * 64])]);
    let data = |name: &str, step| batch(name, step, 16, 64, 10, (0.0, 1.0));
    let (exact, approximated, uses) = flat(&graph, 5);
    assert_eq!(uses.len(), 1);
    let (exact, approximate) = (
        run(&exact, 1, &inputs, data),
        run(&approximated, 1, &inputs, data),
    );
    let difference = largest_difference(&exact, &approximate);
    assert!(
        0.0 < difference && difference < 25.0 * uses[0].error,
        "{difference:e}"
    );
}
