//! Graphs trained on ciphertexts, against the f64 reference of the same graph within the predicted noise.

use std::collections::BTreeMap;

use cipherloom_compiler::options::{Options, TensorData};
use cipherloom_tests::{Data, Numbers, compiled, differences, run_clear, run_encrypted, toy};

/// How much larger a predicted deviation may be than the measured one: 4 bits.
const LOOSEST: f64 = 16.0;

/// A predicted standard deviation bounds the measured one, and is not larger than it by more than 4 bits.
fn agrees(text: &str, log_n: u32, steps: u32, batch: usize, data: &Data) {
    agrees_with(text, &toy(log_n, steps), batch, data);
}

fn agrees_with(text: &str, options: &Options, batch: usize, data: &Data) {
    let compiled = compiled(text, options);
    let steps = compiled.steps;
    let clear = run_clear(&compiled.approximated, data, steps, batch);
    let encrypted = run_encrypted(&compiled, data, 2);
    let reveals = clear.reveals.iter().map(|(name, value)| (name, value));
    let results: BTreeMap<_, _> = clear.outputs.iter().chain(reveals).collect();
    assert_eq!(results.len(), encrypted.results.len());
    for (name, expected) in results {
        let predicted = encrypted.predicted[name];
        let (rms, largest) = differences(&encrypted.results[name].values, &expected.values);
        println!("{name}: rms {rms:.2e}, largest {largest:.2e}, predicted {predicted:.2e}");
        assert!(
            expected.values.iter().any(|value| value.abs() > 1e-2),
            "{name} was not trained"
        );
        assert!(
            largest < 6.0 * predicted,
            "{name}: {largest:e} exceeds what {predicted:e} admits"
        );
        // A few values say little about a deviation.
        let count = expected.values.len();
        assert!(
            count < 4 || rms < predicted,
            "{name}: {rms:e} exceeds {predicted:e}"
        );
        // The fewer they are, the smaller they are by chance: of nine, one run in eighty was below a sixteenth.
        let loosest = LOOSEST * (1.0 + 8.0 / count as f64);
        assert!(
            count < 8 || predicted < loosest * rms,
            "{name}: {predicted:e} is far above {rms:e}"
        );
    }
}

fn rows(seed: u64, rows: usize, features: usize) -> Data {
    let mut numbers = Numbers::new(seed);
    let x = numbers.tensor(&[rows, features], -1.0, 1.0);
    // Labels that the features explain, so that training moves the weights.
    let labels = x
        .values
        .chunks(features)
        .map(|row| f64::from(row.iter().step_by(2).sum::<f64>() > 0.1))
        .collect();
    let y = cipherloom_host::Tensor::new(vec![rows], labels).unwrap();
    Data::from([("x".to_owned(), x), ("y".to_owned(), y)])
}

fn logistic(batch: usize, features: usize, optimizer: &str) -> String {
    format!(
        "graph logistic {{
            stream x: secret [{batch}, {features}] in [-1, 1];
            stream y: secret [{batch}] in [0, 1];
            state w: secret [{features}] in [-4, 4] = 0;
            state b: secret [] in [-4, 4] = 0;
            fn score(x) = sigmoid(x @ w + b, range: 4);
            train {{ step {{ minimize mean(cross_entropy(score(x), y)) over w, b with {optimizer}; }} }}
            output w, b;
        }}"
    )
}

#[test]
fn logistic_regression_with_nesterov() {
    agrees(
        &logistic(64, 12, "nesterov(rate: 1.0)"),
        11,
        4,
        64,
        &rows(1, 64, 12),
    );
}

#[test]
fn logistic_regression_with_momentum_and_sgd() {
    agrees(
        &logistic(32, 5, "momentum(rate: 0.5, momentum: 0.9)"),
        11,
        3,
        32,
        &rows(2, 32, 5),
    );
    agrees(
        &logistic(20, 7, "sgd(rate: 1 / (1 + t / 2))"),
        11,
        3,
        20,
        &rows(3, 20, 7),
    );
}

#[test]
fn batches_follow_each_other_and_start_again() {
    agrees(&logistic(16, 6, "sgd(rate: 1.0)"), 10, 3, 16, &rows(4, 40, 6));
}

#[test]
fn more_rows_and_columns_than_slots() {
    agrees(
        &logistic(200, 30, "sgd(rate: 1.0)"),
        10,
        2,
        200,
        &rows(5, 200, 30),
    );
}

#[test]
fn least_squares_by_a_rule_written_by_hand() {
    let mut data = rows(6, 48, 9);
    data.insert("y".to_owned(), Numbers::new(9).tensor(&[48], -1.0, 1.0));
    let text = "graph rule {
        stream x: secret [48, 9] in [-1, 1];
        stream y: secret [48] in [-1, 1];
        state w: secret [9] in [-4, 4] = 0;
        train { step { let e = x @ w - y; update w = w - 0.5 * (transpose(x) @ e) / 48; } }
        output w;
    }";
    agrees(text, 11, 3, 48, &data);
}

/// A loop that only adds stays a loop in the plan, however long it runs.
#[test]
fn sums_stay_a_loop() {
    let text = "graph total {
        stream x: secret [8, 4] in [-1, 1];
        state total: secret [4] in [-100, 100] = 0;
        train { step { update total = total + sum(x, axis: 0); } }
        output total;
    }";
    let data = Data::from([("x".to_owned(), Numbers::new(11).tensor(&[160, 4], -1.0, 1.0))]);
    let long = compiled(text, &toy(10, 20));
    let short = compiled(text, &toy(10, 5));
    let instructions = |bytes: &[u8]| cipherloom_plan::Plan::parse(bytes).unwrap().instructions().len();
    assert_eq!(
        instructions(&long.plan),
        instructions(&short.plan),
        "the loop was unrolled"
    );
    agrees(text, 10, 20, 8, &data);
}

/// Weights that the key holder has already are encrypted like an input, and trained on.
#[test]
fn training_goes_on_from_encrypted_weights() {
    for optimizer in ["sgd(rate: 1.0)", "nesterov(rate: 1.0)"] {
        let text = logistic(32, 9, optimizer).replace(
            "state w: secret [9] in [-4, 4] = 0",
            "state w: secret [9] in [-2, 2]",
        );
        let mut data = rows(13, 32, 9);
        data.insert("w".to_owned(), Numbers::new(14).tensor(&[9], -1.0, 1.0));
        agrees(&text, 11, 2, 32, &data);
    }
}

/// The least graph with such weights: what is decrypted is what was given, moved by one rule.
#[test]
fn a_given_state_comes_back_as_the_rule_says() {
    let text = "graph given {
        stream x: secret [4, 3] in [-1, 1];
        state w: secret [3] in [-4, 4];
        train { step { update w = 0.5 * w + sum(x, axis: 0); } }
        output w;
    }";
    let x = Numbers::new(15).tensor(&[8, 3], -1.0, 1.0);
    let w = cipherloom_host::Tensor::new(vec![3], vec![4.0, -3.0, 0.25]).unwrap();
    let mut expected = w.values.clone();
    for batch in x.values.chunks(12) {
        for (column, value) in expected.iter_mut().enumerate() {
            *value = 0.5 * *value + batch.iter().skip(column).step_by(3).sum::<f64>();
        }
    }
    let data = Data::from([("x".to_owned(), x), ("w".to_owned(), w)]);
    let encrypted = run_encrypted(&compiled(text, &toy(10, 2)), &data, 2);
    let (_, largest) = differences(&encrypted.results["w"].values, &expected);
    assert!(largest < 6.0 * encrypted.predicted["w"], "{largest:e}");
    agrees(text, 10, 2, 4, &data);
}

#[test]
fn an_epoch_reveals_what_the_trained_weights_say() {
    let text = logistic(32, 6, "sgd(rate: 1.0)")
        .replace("state w", "input x_val: secret [10, 6] in [-1, 1];\n            state w")
        .replace("} }\n            output", "} epoch { reveal scores = x_val @ w + b; reveal level = mean(score(x_val)); } }\n            output");
    assert!(text.contains("reveal scores"), "{text}");
    let mut data = rows(16, 32, 6);
    data.insert("x_val".to_owned(), Numbers::new(17).tensor(&[10, 6], -1.0, 1.0));
    agrees(&text, 11, 2, 32, &data);
}

/// A graph without training: products with public matrices, sums and means along axes.
#[test]
fn inference_with_public_weights() {
    let text = "graph inference {
        weight a: public [8, 6];
        weight k: public [6];
        input x: secret [6] in [-1, 1];
        input m: secret [12, 8] in [-1, 1];
        output scores = a @ x;
        output columns = mean(m, axis: 0);
        output rows = sum(m, axis: 1);
        output weighted = sum(k * x);
        output level = mean(m);
    }";
    let mut numbers = Numbers::new(18);
    let mut weight = |shape: &[usize]| TensorData {
        shape: shape.iter().map(|&extent| extent as u32).collect(),
        values: numbers.tensor(shape, -1.0, 1.0).values,
    };
    let weights = BTreeMap::from([("a".to_owned(), weight(&[8, 6])), ("k".to_owned(), weight(&[6]))]);
    let data = Data::from([
        ("x".to_owned(), Numbers::new(19).tensor(&[6], -1.0, 1.0)),
        ("m".to_owned(), Numbers::new(20).tensor(&[12, 8], -0.8, 1.0)),
    ]);
    for log_n in [8, 11] {
        let options = Options {
            weights: weights.clone(),
            steps: None,
            ..toy(log_n, 1)
        };
        agrees_with(text, &options, 1, &data);
    }
}
