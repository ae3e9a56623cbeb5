//! Bootstraps that the compiler places by itself, on small rings, against the f64 reference.

use cipherloom_compiler::ir::Opcode;
use cipherloom_compiler::pipeline::Compiled;
use cipherloom_tests::{Data, Numbers, compiled, differences, run_clear, run_encrypted, toy};

fn bootstraps(compiled: &Compiled) -> usize {
    let graph = &compiled.slot;
    let ops = graph.walk().into_iter().map(|op| graph.op(op).opcode);
    ops.filter(|&opcode| opcode == Opcode::SlotBootstrap).count()
}

/// Forty steps of logistic regression, of which seven fit without bootstraps.
#[test]
fn logistic_regression_bootstraps_by_itself() {
    let text = include_str!("../../examples/spam/spam.loom")
        .replace("batch = 1024", "batch = 32")
        .replace("features = 384", "features = 12")
        .replace("rate: 5.0", "rate: 0.5");
    let mut numbers = Numbers::new(5);
    let x = numbers.tensor(&[96, 12], -0.5, 0.5);
    let labels = x
        .values
        .chunks(12)
        .map(|row| f64::from(row[0] + row[1] - row[2] > 0.1));
    let y = cipherloom_host::Tensor::new(vec![96], labels.collect()).expect("96 labels");
    let data = Data::from([("x".to_owned(), x), ("y".to_owned(), y)]);
    let steps = 40;
    let compiled = compiled(&text, &toy(11, steps));
    assert!((1..=4).contains(&bootstraps(&compiled)));
    println!(
        "{} bootstraps a step, {:?}",
        bootstraps(&compiled),
        compiled.warnings
    );
    let clear = run_clear(&compiled.approximated, &data, steps, 32);
    let encrypted = run_encrypted(&compiled, &data, 2);
    for (name, expected) in &clear.outputs {
        let predicted = encrypted.predicted[name];
        let (_, largest) = differences(&encrypted.results[name].values, &expected.values);
        println!("{name}: largest {largest:.2e}, predicted {predicted:.2e}");
        assert!(predicted < 2e-2, "{name}: {predicted:e}");
        assert!(
            largest > 0.0 && largest < 6.0 * predicted,
            "{name}: {largest:e} exceeds {predicted:e}"
        );
    }
}
