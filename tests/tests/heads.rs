//! Networks with products of matrices and softmax, refreshed by the compiler, on small rings, against the f64 reference.

use cipherloom_compiler::options::Options;
use cipherloom_host::Tensor;
use cipherloom_plan::{Plan, PortKind};
use cipherloom_tests::{Data, Numbers, compiled, differences, run_clear, run_encrypted, toy};

const CLASSES: usize = 3;

/// Random features, and labels that say which of the first ones is the largest.
fn data(rows: usize, features: usize, range: (f64, f64)) -> Data {
    let mut numbers = Numbers::new(11);
    let x = numbers.tensor(&[rows, features], range.0, range.1);
    let labels = x.values.chunks(features).flat_map(|row| {
        let own = (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        (0..CLASSES).map(move |class| f64::from(u8::from(own == Some(class))))
    });
    let y = Tensor::new(vec![rows, CLASSES], labels.collect()).expect("a label for each row");
    let x_val = numbers.tensor(&[5, features], range.0, range.1);
    [("x", x), ("y", y), ("x_val", x_val)]
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .into()
}

/// Trains on ciphertexts and in the clear; errors are below what is predicted, and below `most`. Gives the names of the states.
fn agrees(text: &str, options: &Options, data: &Data, batch: usize, most: f64) -> Vec<String> {
    let compiled = compiled(text, options);
    assert!(!compiled.refreshed.is_empty(), "nothing is bootstrapped");
    let clear = run_clear(&compiled.approximated, data, compiled.steps, batch);
    let encrypted = run_encrypted(&compiled, data, 2);
    for (name, expected) in &clear.outputs {
        let predicted = encrypted.predicted[name];
        let (_, largest) = differences(&encrypted.results[name].values, &expected.values);
        println!("{name}: largest {largest:.2e}, predicted {predicted:.2e}");
        assert!(
            largest > 0.0 && largest < 6.0 * predicted && largest < most,
            "{name}: {largest:e} where {predicted:e} is predicted"
        );
    }
    // The graph as the user wrote it gives the same, whatever the compiler made of it.
    let written = run_clear(&compiled.exact, data, compiled.steps, batch);
    for (name, expected) in &written.outputs {
        let (_, largest) = differences(&encrypted.results[name].values, &expected.values);
        assert!(largest < most, "{name}: {largest:e}");
    }
    let plan = Plan::parse(&compiled.plan).expect("a plan");
    let states = plan.ports().filter(|port| port.kind() == PortKind::State);
    states.map(|state| state.name().to_owned()).collect()
}

#[test]
fn softmax_regression_in_epochs() {
    let text = include_str!("../../examples/digits/digits.loom")
        .replace("batch = 128", "batch = 12")
        .replace("pixels = 64", "pixels = 6")
        .replace("classes = 10", "classes = 3")
        .replace("[256, pixels]", "[5, pixels]");
    let options = Options {
        steps_per_epoch: Some(2),
        precision: 1.0,
        ..toy(11, 4)
    };
    let states = agrees(&text, &options, &data(24, 6, (0.0, 1.0)), 12, 0.05);
    // The bias is a column of the weights, with one bootstrap for both.
    assert_eq!(states, ["w+b", "w+b.lookahead"]);
}

#[test]
fn a_network_of_two_layers() {
    let text = include_str!("../../examples/two_layers/two_layers.loom")
        .replace("batch = 128", "batch = 12")
        .replace("pixels = 64", "pixels = 6")
        .replace("hidden = 16", "hidden = 4")
        .replace("classes = 10", "classes = 3");
    let options = Options {
        closed_loop: true,
        precision: 1.0,
        ..toy(11, 2)
    };
    let mut data = data(24, 6, (0.0, 1.0));
    data.remove("x_val");
    agrees(&text, &options, &data, 12, 0.05);
}

/// A batch of several ciphertexts, two blocks in each as real and imaginary part.
#[test]
fn softmax_regression_with_complex_inputs() {
    let text = include_str!("../../examples/digits/digits.loom")
        .replace("batch = 128", "batch = 96")
        .replace("pixels = 64", "pixels = 12")
        .replace("classes = 10", "classes = 3")
        .replace("[256, pixels]", "[5, pixels]");
    let options = Options {
        steps_per_epoch: Some(2),
        precision: 1.0,
        ..toy(11, 4)
    };
    let compiled = compiled(&text, &options);
    let plan = Plan::parse(&compiled.plan).expect("parses");
    let x = plan.ports().find(|port| port.name() == "x").expect("a port");
    assert!(x.layout().is_complex());
    agrees(&text, &options, &data(192, 12, (0.0, 1.0)), 96, 0.05);
}
