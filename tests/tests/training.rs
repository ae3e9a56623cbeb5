//! Graphs trained on ciphertexts, against the f64 reference of the same graph within the predicted noise.

use cipherloom_tests::{Data, Numbers, compiled, differences, run_clear, run_encrypted, toy};

/// A predicted standard deviation bounds the measured one, and is not larger than it by more than 3 bits.
fn agrees(text: &str, log_n: u32, steps: u32, batch: usize, data: &Data) {
    let compiled = compiled(text, &toy(log_n, steps));
    let clear = run_clear(&compiled.approximated, data, steps, batch);
    let encrypted = run_encrypted(&compiled, data, 2);
    assert!(!clear.outputs.is_empty());
    for (name, expected) in &clear.outputs {
        let predicted = encrypted.predicted[name];
        let (rms, largest) = differences(&encrypted.results[name].values, &expected.values);
        println!("{name}: rms {rms:.2e}, largest {largest:.2e}, predicted {predicted:.2e}");
        assert!(expected.values.iter().any(|value| value.abs() > 1e-2), "{name} was not trained");
        assert!(largest < 6.0 * predicted, "{name}: {largest:e} exceeds what {predicted:e} admits");
        // A few values say little about a deviation; the vectors here have enough of them.
        assert!(expected.values.len() < 4 || rms < predicted, "{name}: {rms:e} exceeds {predicted:e}");
    }
}

fn rows(seed: u64, rows: usize, features: usize) -> Data {
    let mut numbers = Numbers::new(seed);
    let x = numbers.tensor(&[rows, features], -1.0, 1.0);
    // Labels that the features explain, so that training moves the weights.
    let labels = x.values.chunks(features).map(|row| f64::from(row.iter().step_by(2).sum::<f64>() > 0.1)).collect();
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
    agrees(&logistic(64, 12, "nesterov(rate: 1.0)"), 11, 4, 64, &rows(1, 64, 12));
}

#[test]
fn logistic_regression_with_momentum_and_sgd() {
    agrees(&logistic(32, 5, "momentum(rate: 0.5, momentum: 0.9)"), 11, 3, 32, &rows(2, 32, 5));
    agrees(&logistic(20, 7, "sgd(rate: 1 / (1 + t / 2))"), 11, 3, 20, &rows(3, 20, 7));
}

#[test]
fn batches_follow_each_other_and_start_again() {
    agrees(&logistic(16, 6, "sgd(rate: 1.0)"), 10, 3, 16, &rows(4, 40, 6));
}

#[test]
fn more_rows_and_columns_than_slots() {
    agrees(&logistic(200, 30, "sgd(rate: 1.0)"), 10, 2, 200, &rows(5, 200, 30));
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
    let data = Data::from([("x".to_owned(), Numbers::new(11).tensor(&[40, 4], -1.0, 1.0))]);
    let options = toy(10, 20);
    let long = compiled(text, &options);
    let short = compiled(text, &toy(10, 5));
    let instructions = |bytes: &[u8]| cipherloom_plan::Plan::parse(bytes).unwrap().instructions().len();
    assert_eq!(instructions(&long.plan), instructions(&short.plan), "the loop was unrolled");
    agrees(text, 10, 20, 8, &data);
}

#[test]
fn one_two_and_three_threads_give_the_same_bits() {
    let data = rows(12, 32, 8);
    let compiled = compiled(&logistic(32, 8, "nesterov(rate: 1.0)"), &toy(11, 2));
    let values = |threads| {
        let encrypted = run_encrypted(&compiled, &data, threads);
        assert_eq!(encrypted.report.threads, threads);
        encrypted.results["w"].values.clone()
    };
    // Encryption draws fresh randomness, so only the decrypted values can agree, and those within the noise; the same
    // ciphertexts on different numbers of threads are compared by the host's own tests.
    let one = values(1);
    for threads in [2, 3] {
        assert!(differences(&one, &values(threads)).1 < 1e-4);
    }
}
