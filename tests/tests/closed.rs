//! Closed loops on ciphertexts: one compiled body for all steps, against the f64 reference of the same graph.

use cipherloom_compiler::options::Options;
use cipherloom_host::{
    Answer, Outputs, PlanFile, Run, RunOptions, SecretSeed, Silent, decrypt_outputs, encrypt_inputs,
    generate_evaluation_keys,
};
use cipherloom_plan::Op;
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

/// No value is further from what is expected than six predicted deviations.
fn keeps(what: &str, found: &[f64], expected: &[f64], predicted: f64) {
    let (_, largest) = differences(found, expected);
    println!("{what}: largest {largest:.2e}, predicted {predicted:.2e}");
    assert!(
        largest < 6.0 * predicted,
        "{what}: {largest:e} exceeds {predicted:e}"
    );
}

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
            keeps(
                &format!("{steps} steps, {name}"),
                &encrypted.results[name].values,
                &expected.values,
                predicted,
            );
            assert!(predicted < 1e-4, "{name}: {predicted:e}");
        }
        bytes.push(compiled.plan.len());
    }
    // The body is there once: only the schedule, one number for each step, grows.
    assert!(bytes[2] < bytes[1] + 17 * 8 * 4, "{bytes:?}");
}

/// Logistic regression with a bootstrap in each step; after each epoch the validation logits and the weights come out.
#[test]
fn epochs_of_a_bootstrapped_training_come_out_right() {
    let text = "graph head {
        const batch = 16;
        stream x: secret [batch, 8] in [-1, 1];
        stream y: secret [batch] in [0, 1];
        input x_val: secret [12, 8] in [-1, 1];
        state w: secret [8] in [-4, 4] = 0;
        fn score(x) = sigmoid(x @ w, range: 6, degree: 3);
        train {
            step { update w = bootstrap(w - (2 / (1 + t)) * (transpose(x) @ (score(x) - y)) / batch, range: 4); }
            epoch { reveal validation = x_val @ w; }
        }
        output w;
    }";
    let (epochs, epoch) = (3, 2);
    let mut numbers = Numbers::new(5);
    let rows = 2 * 16;
    let labels = (0..rows).map(|row| f64::from(row % 2)).collect();
    let mut x = numbers.tensor(&[rows as usize, 8], -0.6, 0.6);
    for (row, values) in x.values.chunks_mut(8).enumerate() {
        values[0] += if row % 2 == 1 { 0.4 } else { -0.4 };
    }
    let data = Data::from([
        ("x".to_owned(), x),
        (
            "y".to_owned(),
            cipherloom_host::Tensor::new(vec![rows as usize], labels).expect("as many"),
        ),
        ("x_val".to_owned(), numbers.tensor(&[12, 8], -1.0, 1.0)),
    ]);
    let options = Options {
        precision: 1e-2,
        steps_per_epoch: Some(epoch),
        ..toy(11, epochs * epoch)
    };
    let compiled = compiled(text, &options);
    let clear = run_clear(&compiled.approximated, &data, 1, 16);
    assert_eq!(clear.epochs.len(), epochs as usize);
    let plan = PlanFile::from_bytes(compiled.plan.clone()).expect("verified");
    assert_eq!(plan.plan().epochs(), epochs);
    let secret = SecretSeed::from_bytes([7; 32]);
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent).expect("keys");
    let inputs = encrypt_inputs(&plan, &secret, &data, &mut Silent).expect("encryption");
    let options = RunOptions {
        threads: 2,
        allow_toy: true,
    };
    let mut ask = |number: u32, outputs: &Outputs| {
        let results = decrypt_outputs(&plan, &secret, outputs)?;
        for (name, expected) in &clear.epochs[number as usize] {
            let port = plan
                .plan()
                .ports()
                .find(|port| port.name() == name && port.error() > 0.0);
            let predicted = port.expect("a result").error();
            keeps(
                &format!("epoch {number}, {name}"),
                &results[name].values,
                &expected.values,
                predicted,
            );
        }
        let (best, stop) = (number == 1, number == 2);
        Ok(Answer { best, stop })
    };
    let run = Run::new(&plan, &keys, &inputs, options).ask(&mut ask);
    let (outputs, report) = run.start(&mut Silent).expect("a run");
    assert_eq!((report.epochs, report.best_epoch), (3, Some(1)));
    let results = decrypt_outputs(&plan, &secret, &outputs).expect("decryption");
    let (_, largest) = differences(&results["w"].values, &clear.epochs[1]["w"].values);
    let (_, others) = differences(&results["w"].values, &clear.epochs[2]["w"].values);
    assert!(largest < others / 10.0, "{largest:e} {others:e}");
}

/// A step that is shallow shares its bootstrap with others: rounds of several steps, in epochs, with schedules and Nesterov's
/// momentum, whose states are carried from step to step. One checkpoint a round.
#[test]
fn shallow_steps_share_a_bootstrap() {
    let text = "graph line {
        const batch = 16;
        stream x: secret [batch, 8] in [-1, 1];
        stream y: secret [batch] in [-2, 2];
        state w: secret [8] in [-2, 2] = 0;
        state seen: secret [8] in [-64, 64] = 0;
        train {
            step {
                update seen = seen + mean(x, axis: 0) / (1 + t);
                update w = w - (0.8 / (2 + t)) * (transpose(x) @ (x @ w - y)) / batch;
            }
        }
        output w, seen;
    }";
    let (epochs, epoch) = (2, 6);
    let mut numbers = Numbers::new(11);
    let rows = 5 * 16;
    let data = Data::from([
        ("x".to_owned(), numbers.tensor(&[rows, 8], -1.0, 1.0)),
        ("y".to_owned(), numbers.tensor(&[rows], -1.0, 1.0)),
    ]);
    let options = Options {
        precision: 1e-2,
        steps_per_epoch: Some(epoch),
        ..toy(11, epochs * epoch)
    };
    let compiled = compiled(text, &options);
    let plan = PlanFile::from_bytes(compiled.plan.clone()).expect("verified");
    let ops: Vec<Op> = plan
        .plan()
        .instructions()
        .map(|instruction| instruction.op)
        .collect();
    let begins = ops.iter().rposition(|&op| op == Op::Loop).expect("a loop");
    let body: Vec<Op> = ops[begins..]
        .iter()
        .copied()
        .take_while(|&op| op != Op::End)
        .collect();
    let count = |wanted: Op| body.iter().filter(|&&op| op == wanted).count();
    assert!(count(Op::Step) > 1, "{body:?}");
    assert!((1..=2).contains(&count(Op::ModRaise)), "{body:?}");
    assert_eq!(count(Op::Checkpoint), 1);
    let clear = run_clear(&compiled.approximated, &data, 1, 16);
    let encrypted = run_encrypted(&compiled, &data, 2);
    assert_eq!(encrypted.report.step_seconds.len() as u32, epochs * epoch);
    for (name, expected) in &clear.outputs {
        let predicted = encrypted.predicted[name];
        keeps(
            &format!("rounds, {name}"),
            &encrypted.results[name].values,
            &expected.values,
            predicted,
        );
        assert!(predicted < 1e-2, "{name}: {predicted:e}");
    }
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
