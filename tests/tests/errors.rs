//! Predicted errors of long trainings: largest weight errors, after every epoch, against the f64 reference of the same graph.
//!
//! A plan predicts the error after its last epoch, so the same body is compiled for each length, and run once, for the longest.

use cipherloom_compiler::options::Options;
use cipherloom_host::{
    Answer, Outputs, PlanFile, Run, RunOptions, SecretSeed, Silent, Tensor, decrypt_outputs, encrypt_inputs,
    generate_evaluation_keys,
};
use cipherloom_tests::{Data, Numbers, compiled, differences, run_clear, toy};

const BATCH: usize = 12;
const FEATURES: usize = 6;

fn softmax(classes: usize, optimizer: &str) -> String {
    format!(
        "graph softmax_regression {{
            stream x: secret [{BATCH}, {FEATURES}] in [0, 1];
            stream y: secret [{BATCH}, {classes}] one_hot;
            state w: secret [{classes}, {FEATURES}] in [-4, 4] = 0;
            state b: secret [{classes}] in [-4, 4] = 0;
            train {{
                step {{
                    minimize mean(cross_entropy(softmax(x @ transpose(w) + b, range: 12), y)) over w, b
                        with {optimizer};
                }}
                epoch {{ reveal bias = b; }}
            }}
            output w, b;
        }}"
    )
}

fn logistic(optimizer: &str) -> String {
    format!(
        "graph logistic_regression {{
            stream x: secret [{BATCH}, {FEATURES}] in [0, 1];
            stream y: secret [{BATCH}] in [0, 1];
            state w: secret [{FEATURES}] in [-4, 4] = 0;
            state b: secret [] in [-4, 4] = 0;
            train {{
                step {{ minimize mean(cross_entropy(sigmoid(x @ w + b, range: 6), y)) over w, b with {optimizer}; }}
                epoch {{ reveal bias = b; }}
            }}
            output w, b;
        }}"
    )
}

/// Random features; labels say which of the first ones is the largest, or whether the first is larger than the second.
fn data(classes: Option<usize>) -> Data {
    let mut numbers = Numbers::new(23);
    let x = numbers.tensor(&[2 * BATCH, FEATURES], 0.0, 1.0);
    let rows = x.values.chunks(FEATURES);
    let (shape, labels): (_, Vec<f64>) = match classes {
        Some(classes) => {
            let one_hot = rows.flat_map(|row| {
                let own = (0..FEATURES.min(classes)).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                (0..classes).map(move |class| f64::from(u8::from(own == Some(class))))
            });
            (vec![2 * BATCH, classes], one_hot.collect())
        }
        None => {
            let labels = rows.map(|row| f64::from(u8::from(row[0] > row[1])));
            (vec![2 * BATCH], labels.collect())
        }
    };
    let y = Tensor::new(shape, labels).expect("labels of each row");
    [("x", x), ("y", y)]
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .into()
}

/// Epochs of two steps each, in increasing numbers; the largest error of any weight stays below its prediction, which is above it
/// by so many bits at most: about two more than were seen, as encryption is random and rows are seldom as steep as the steepest.
fn stays_within_its_prediction(text: &str, data: &Data, epochs: &[u32], bits: f64) {
    let compile = |&epochs: &u32| {
        let options = Options {
            closed_loop: true,
            steps_per_epoch: Some(2),
            precision: 1.0,
            ..toy(11, 2 * epochs)
        };
        compiled(text, &options)
    };
    let mut lengths: Vec<_> = epochs.iter().map(compile).collect();
    let predict = |bytes: &[u8]| {
        let plan = PlanFile::from_bytes(bytes.to_vec()).expect("verified");
        let weights = plan
            .plan()
            .ports()
            .filter(|port| ["w", "b"].contains(&port.name()));
        weights.map(|port| port.error()).fold(0.0, f64::max)
    };
    let predictions: Vec<f64> = lengths.iter().map(|length| predict(&length.plan)).collect();
    let longest = lengths.pop().expect("a length");
    assert!(!longest.refreshed.is_empty(), "nothing is bootstrapped");
    let clear = run_clear(&longest.approximated, data, 1, BATCH);
    let plan = PlanFile::from_bytes(longest.plan).expect("verified");
    let secret = SecretSeed::from_bytes([7; 32]);
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent).expect("keys");
    let inputs = encrypt_inputs(&plan, &secret, data, &mut Silent).expect("encryption");
    let mut largest = Vec::new();
    let mut ask = |number: u32, outputs: &Outputs| {
        let results = decrypt_outputs(&plan, &secret, outputs)?;
        let weights = ["w", "b"].map(|name| {
            let expected = &clear.epochs[number as usize][name];
            differences(&results[name].values, &expected.values).1
        });
        largest.push(weights[0].max(weights[1]));
        Ok(Answer {
            best: true,
            stop: false,
        })
    };
    let options = RunOptions {
        threads: 2,
        allow_toy: true,
    };
    let run = Run::new(&plan, &keys, &inputs, options).ask(&mut ask);
    run.start(&mut Silent).expect("a run");
    for (&epochs, predicted) in epochs.iter().zip(predictions) {
        let measured = largest[epochs as usize - 1];
        println!(
            "{} steps: measured {measured:.1e}, predicted {predicted:.1e}",
            2 * epochs
        );
        assert!(
            measured > 0.0 && measured <= predicted,
            "{measured:e} {predicted:e}"
        );
        assert!(predicted <= bits.exp2() * measured, "{measured:e} {predicted:e}");
    }
}

#[test]
fn softmax_regression_with_nesterov() {
    let text = softmax(3, "nesterov(rate: 1.0)");
    stays_within_its_prediction(&text, &data(Some(3)), &[2, 5, 15], 8.0);
}

#[test]
fn softmax_regression_of_ten_classes_with_sgd() {
    let text = softmax(10, "sgd(rate: 1.0)");
    stays_within_its_prediction(&text, &data(Some(10)), &[2, 5], 9.0);
}

#[test]
fn logistic_regression_with_nesterov() {
    stays_within_its_prediction(&logistic("nesterov(rate: 1.0)"), &data(None), &[2, 5, 15], 7.0);
}
