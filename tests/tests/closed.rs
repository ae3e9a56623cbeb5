//! Closed loops on ciphertexts: one compiled body for all steps, against the f64 reference of the same graph.

use cipherloom_compiler::options::Options;
use cipherloom_tests::{Data, Numbers, compiled, differences, run_clear, run_encrypted, toy};

/// Sums that are carried without losing a level, with first values that are public and given.
const SUMS: &str = "graph sums {
    stream x: secret [12, 5] in [-1, 1];
    input v: secret [5] in [-1, 1];
    state s: secret [5] in [-4, 4];
    state n: secret [5] in [-4, 4] = [0.5, -0.5, 1, -1, 0];
    train {
        step {
            update s = s + mean(x, axis: 0) / (1 + t);
            update n = n - s / 16;
        }
        epoch { reveal product = v * s; }
    }
    output s, n;
}";

#[test]
fn one_body_serves_all_steps() {
    let mut numbers = Numbers::new(9);
    let data = Data::from([
        ("x".to_owned(), numbers.tensor(&[60, 5], -1.0, 1.0)),
        ("v".to_owned(), numbers.tensor(&[5], -1.0, 1.0)),
        ("s".to_owned(), numbers.tensor(&[5], -1.0, 1.0)),
    ]);
    let mut bytes = Vec::new();
    for steps in [1, 3, 20] {
        let options = Options {
            closed_loop: true,
            ..toy(10, steps)
        };
        let compiled = compiled(SUMS, &options);
        let clear = run_clear(&compiled.approximated, &data, steps, 12);
        let encrypted = run_encrypted(&compiled, &data, 2);
        assert_eq!(encrypted.report.step_seconds.len(), steps as usize);
        let reveals = clear.reveals.iter().map(|(name, value)| (name, value));
        for (name, expected) in clear.outputs.iter().chain(reveals) {
            let predicted = encrypted.predicted[name];
            let (_, largest) = differences(&encrypted.results[name].values, &expected.values);
            println!("{steps} steps, {name}: largest {largest:.2e}, predicted {predicted:.2e}");
            assert!(
                largest < 6.0 * predicted,
                "{name}: {largest:e} exceeds {predicted:e}"
            );
            assert!(predicted < 1e-4, "{name}: {predicted:e}");
        }
        bytes.push(compiled.plan.len());
    }
    // The body is there once: only the schedule, one number for each step, grows.
    assert!(bytes[2] < bytes[1] + 17 * 8 * 4, "{bytes:?}");
}

/// Fifty squarings of a vector with a bootstrap after every ten.
#[test]
fn fifty_squarings_come_out_right() {
    let text = include_str!("../../examples/refresh/refresh.loom");
    let options = Options {
        precision: 1e-2,
        ..toy(11, 5)
    };
    let x: Vec<f64> = (0..512).map(|i| f64::from(i) / 255.5 - 1.0).collect();
    let tensor = cipherloom_host::Tensor::new(vec![512], x.clone()).expect("512 values");
    let data = Data::from([("x".to_owned(), tensor)]);
    let compiled = compiled(text, &options);
    assert!(compiled.warnings.is_empty(), "{:?}", compiled.warnings);
    assert!(compiled.assumptions.is_empty(), "{:?}", compiled.assumptions);
    let clear = run_clear(&compiled.approximated, &data, 5, 1);
    let encrypted = run_encrypted(&compiled, &data, 2);
    let (rms, largest) = differences(&encrypted.results["v"].values, &clear.outputs["v"].values);
    let predicted = encrypted.predicted["v"];
    println!("rms {rms:.2e}, largest {largest:.2e}, predicted {predicted:.2e}");
    assert!(
        rms < predicted && largest < 6.0 * predicted,
        "{rms:e} {largest:e} {predicted:e}"
    );
    assert!(predicted < 1e-4, "{predicted:e}");
    // Where the map comes to rest.
    for (x, v) in x.iter().zip(&encrypted.results["v"].values) {
        assert!((v - (1.0 - (1.5 - x).sqrt())).abs() < 6.0 * predicted, "{x}: {v}");
    }
}
