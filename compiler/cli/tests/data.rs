//! Data whose sizes and scale are not those of the graph, against the same data prepared by hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use ndarray::{Array1, Array2, ArrayD};
use ndarray_npy::{NpzReader, NpzWriter};
use serde_json::Value;

/// Sums of each class' rows, whose products with a row say how near it is: a loop that closes without bootstraps.
const HEAD: &str = "graph head {
    const batch = 16;
    const features = 64;
    const classes = 10;
    const validation = 512;
    stream x: secret [batch, features] in [-2, 2];
    stream y: secret [batch, classes] one_hot;
    input x_val: secret [validation, features] in [-2, 2];
    state w: secret [classes, features] in [-64, 64] = 0;
    train {
        step { update w = w + 0.1 * (transpose(y) @ x); }
        epoch { reveal validation = x_val @ transpose(w); }
    }
    output w;
}";

const LINEAR: &str = "graph linear {
    const rows = 16;
    const features = 64;
    stream x: secret [rows, features] in [-2, 2];
    stream y: secret [rows] in [-4, 4];
    state w: secret [features] in [-4, 4] = 0;
    fn error(x) = x @ w - y;
    train { step { minimize mean(error(x) * error(x)) over w with sgd(rate: 0.125); } }
    output w;
}";

const TOY: [&str; 5] = ["--log-n", "11", "--insecure-toy", "--precision", "0.01"];
const FEATURES: usize = 5;
const CLASSES: usize = 3;

fn command(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cipherloom"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Standard output and standard error of a command that succeeds; a line of words without blanks.
fn succeeds(folder: &Path, line: &str) -> (String, String) {
    let output = command(folder, line);
    let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{line}: {error}");
    (out, error)
}

/// Standard error of a command that fails.
fn fails(folder: &Path, line: &str) -> String {
    let output = command(folder, line);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{line}: {error}");
    error
}

/// The summary of a training, and what it said on standard error.
fn trains(folder: &Path, graph: &str, data: &str, options: &str) -> (Value, String) {
    let toy = TOY.join(" ");
    let (out, error) = succeeds(
        folder,
        &format!("train {graph} --data {data} {options} {toy} --json"),
    );
    (serde_json::from_str(out.lines().last().unwrap()).unwrap(), error)
}

/// Rows of features around the mean of their class, up to 9.5 times `factor`, with the classes.
fn rows(count: usize, factor: f64) -> (Array2<f64>, Array1<i64>) {
    let classes = Array1::from_shape_fn(count, |row| (row % CLASSES) as i64);
    // Multiples of 1/32, so that halving is exact, from a Weyl sequence.
    let noise = |row: usize, column: usize| ((row * FEATURES + column) as f64 * 0.618_034).fract() - 0.5;
    let features = Array2::from_shape_fn((count, FEATURES), |(row, column)| {
        let mean = if row % CLASSES == column { 7.0 } else { 0.0 };
        factor * (32.0 * (mean + 5.0 * noise(row, column))).round() / 32.0
    });
    (features, classes)
}

/// Writes `head.loom` and its data: 40 rows to train, some to validate and 11 to test.
fn head(folder: &Path, data: &str, factor: f64, validation: usize) {
    std::fs::write(folder.join("head.loom"), HEAD).unwrap();
    let file = std::fs::File::create(folder.join(data)).unwrap();
    let mut npz = NpzWriter::new(file);
    for (part, count) in [("train", 40), ("val", validation), ("test", 11)] {
        let (x, y) = rows(count, factor);
        npz.add_array(format!("x_{part}"), &x).unwrap();
        npz.add_array(format!("y_{part}"), &y).unwrap();
    }
    npz.finish().unwrap();
}

/// Arrays of a file.
fn read(path: &Path) -> BTreeMap<String, ArrayD<f64>> {
    let mut npz = NpzReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let names = npz.names().unwrap();
    names
        .into_iter()
        .map(|name| (name.clone(), npz.by_name(&name).unwrap()))
        .collect()
}

#[test]
fn sizes_and_scale_are_those_of_data_prepared_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    head(root, "raw.npz", 1.0, 7);
    head(root, "prepared.npz", 0.125, 7);
    let sizes = "--set features=5 --set classes=3 --set validation=7";

    let epochs = "--epochs 3 --patience 3";
    let (raw, said) = trains(
        root,
        "head.loom",
        "raw.npz",
        &format!("{epochs} --scale x=0.125 --keep raw"),
    );
    assert!(
        said.contains("sizes from the data: features = 5, classes = 3, validation = 7"),
        "{said}"
    );
    let (prepared, said) = trains(
        root,
        "head.loom",
        "prepared.npz",
        &format!("{epochs} {sizes} --keep prepared"),
    );
    assert!(!said.contains("sizes from the data"), "{said}");
    let plan = |kept: &str| std::fs::read(root.join(kept).join("graph.plan")).unwrap();
    assert!(plan("raw") == plan("prepared"), "the same graph");
    // In the clear both are the same numbers; encryption is random.
    for field in ["planned", "run", "best_clear", "validation_clear"] {
        assert_eq!(raw["epochs"][field], prepared["epochs"][field], "{field}");
    }
    let validation = raw["epochs"]["validation"].as_array().unwrap();
    assert_eq!(validation.len(), 3);
    for (encrypted, clear) in validation
        .iter()
        .zip(raw["epochs"]["validation_clear"].as_array().unwrap())
    {
        let difference = encrypted["loss"].as_f64().unwrap() - clear["loss"].as_f64().unwrap();
        assert!(difference.abs() < 1e-3, "{encrypted} {clear}");
    }
    assert_eq!(validation[0]["accuracy"], 100.0, "the classes are far apart");
    let [trained, expected] = ["raw", "prepared"].map(|kept| read(&root.join(kept).join("weights.npz")));
    let (trained, expected) = (&trained["w"], &expected["w"]);
    assert_eq!(trained.shape(), [CLASSES, FEATURES]);
    let close = |a: &ArrayD<f64>| a.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(close(trained), "{trained} {expected}");
    assert!(expected[[0, 0]] > 1.0, "{expected}");

    // Two parties: the server compiles without data, the key holder scales.
    let toy = TOY.join(" ");
    let run = |line: &str| succeeds(root, line);
    run(&format!(
        "compile head.loom {sizes} --epochs 3 --steps-per-epoch 2 {toy}"
    ));
    run("keygen head.plan --out-dir keys");
    let encrypt = "encrypt head.plan --key keys/secret.key --data raw.npz -o inputs.ct";
    run(&format!("{encrypt} --scale x=0.125"));
    run("run head.plan --keys keys/evaluation.keys --inputs inputs.ct -o outputs.ct --insecure-toy");
    run("decrypt head.plan --key keys/secret.key --outputs outputs.ct -o weights.npz");
    let alone = &read(&root.join("weights.npz"))["w"];
    assert_eq!(raw["epochs"]["best"], 3, "the weights of all epochs");
    assert!(close(alone), "{alone} {expected}");
}

#[test]
fn any_number_of_validation_rows_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    for count in [1, 9, 17, 700] {
        head(folder.path(), "head.npz", 0.125, count);
        let (summary, said) = trains(folder.path(), "head.loom", "head.npz", "--epochs 1");
        assert!(said.contains(&format!("validation = {count}\n")), "{said}");
        let epochs = &summary["epochs"];
        let [encrypted, clear] = ["validation", "validation_clear"].map(|name| &epochs[name][0]);
        let [loss, expected] = [encrypted, clear].map(|measure| measure["loss"].as_f64().unwrap());
        assert!((loss - expected).abs() < 1e-3, "{count}: {epochs}");
        assert_eq!(encrypted["accuracy"], 100.0, "{count}: {epochs}");
    }
}

#[test]
fn what_does_not_fit_is_told_with_what_would() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    head(root, "raw.npz", 1.0, 7);
    let toy = TOY.join(" ");
    let train = format!("train head.loom --data raw.npz --epochs 1 {toy}");

    let error = fails(root, &train);
    assert!(
        error.contains("raw.npz: tensor `x_val`, row 0, column 0: "),
        "{error}"
    );
    assert!(error.contains("outside the declared range [-2, 2]"), "{error}");
    assert!(error.contains("--scale x=0.125`"), "{error}");
    let error = fails(root, &format!("{train} --scale x=0.5"));
    assert!(error.contains("--scale x=0.125`"), "{error}");
    let error = fails(root, &format!("{train} --scale x=0.125 --scale x_val=1"));
    assert!(
        error.contains("tensor `x_val`") && error.contains("--scale x_val=0.125`"),
        "{error}"
    );

    let error = fails(root, &format!("{train} --scale z=0.5"));
    assert!(
        error.contains("--scale z=0.5: ") && error.contains("can be scaled: `x`, `x_val`"),
        "{error}"
    );
    let error = fails(root, &format!("{train} --scale y=0.5"));
    assert!(
        error.contains("--scale y=0.5: ") && error.contains("labels"),
        "{error}"
    );

    // What the user sets is left as it is, and has to fit.
    let error = fails(root, &format!("{train} --scale x=0.125 --set validation=8"));
    assert!(error.contains("expected shape [8, 5], found [7, 5]"), "{error}");

    let file = std::fs::File::create(root.join("odd.npz")).unwrap();
    let mut npz = NpzWriter::new(file);
    npz.add_array("x_train", &rows(40, 0.125).0).unwrap();
    npz.add_array("x_val", &Array2::<f64>::zeros((7, 6))).unwrap();
    npz.finish().unwrap();
    let error = fails(root, &format!("train head.loom --data odd.npz --epochs 1 {toy}"));
    assert!(
        error.contains("E-SHAPE") && error.contains("two sizes for the const `features`"),
        "{error}"
    );
    assert!(
        error.contains("is 5 in array `x_train`") && error.contains("is 6 in array `x_val`"),
        "{error}"
    );
}

#[test]
fn test_rows_are_scaled_like_training_rows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::write(root.join("linear.loom"), LINEAR).unwrap();
    let write = |name: &str, scale_x: f64, scale_y: f64| {
        let mut npz = NpzWriter::new(std::fs::File::create(root.join(name)).unwrap());
        for (part, count) in [("train", 16), ("test", 9)] {
            let (x, _) = rows(count, 1.0);
            // A sum of features and a little more, so that the model is not exact.
            let y = x.map_axis(ndarray::Axis(1), |row| {
                row[0] - 0.5 * row[1] + 0.25 * row[2] * row[2] / 8.0
            });
            npz.add_array(format!("x_{part}"), &(x * scale_x)).unwrap();
            npz.add_array(format!("y_{part}"), &(y * scale_y)).unwrap();
        }
        npz.finish().unwrap();
    };
    write("raw.npz", 1.0, 1.0);
    write("prepared.npz", 0.125, 0.25);
    let steps = "--steps 2";
    let (raw, said) = trains(
        root,
        "linear.loom",
        "raw.npz",
        &format!("{steps} --scale x=0.125 --scale y=0.25"),
    );
    assert!(said.contains("sizes from the data: features = 5"), "{said}");
    let (prepared, _) = trains(
        root,
        "linear.loom",
        "prepared.npz",
        &format!("{steps} --set features=5"),
    );
    assert_eq!(raw["test_rows"], 9);
    assert_eq!(raw["squared_error_clear"], prepared["squared_error_clear"]);
    let number = |field: &str| raw[field].as_f64().unwrap();
    assert!(number("squared_error_clear") > 0.0);
    assert!(
        (number("squared_error_encrypted") - number("squared_error_clear")).abs() < 1e-2,
        "{raw}"
    );
}
