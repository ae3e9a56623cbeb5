//! The command as people use it, on the smallest example and a toy ring.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const TOY: [&str; 5] = ["--steps", "2", "--log-n", "10", "--insecure-toy"];

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/linear")
        .join(name)
}

/// Runs the command in a folder.
fn cipherloom<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cipherloom"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// As [`cipherloom`], and gives standard output if the command succeeds.
fn succeeds<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> String {
    let output = cipherloom(folder, arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// As [`cipherloom`], and gives standard error if the command fails with `code`.
fn fails<S: AsRef<std::ffi::OsStr>>(
    folder: &Path,
    code: i32,
    arguments: impl IntoIterator<Item = S>,
) -> String {
    let output = cipherloom(folder, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    error
}

fn linear(folder: &Path) -> String {
    std::fs::copy(example("linear.loom"), folder.join("linear.loom")).unwrap();
    example("iris.csv").display().to_string()
}

#[test]
fn training_on_one_machine_agrees_with_training_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let data = linear(folder.path());
    let arguments = [
        "train",
        "linear.loom",
        "--data",
        &data,
        "--json",
        "--keep",
        "kept",
    ]
    .into_iter()
    .chain(TOY);
    let output = succeeds(folder.path(), arguments);
    let summary: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    let number = |field: &str| {
        summary[field]
            .as_f64()
            .unwrap_or_else(|| panic!("{field}: {summary}"))
    };
    assert_eq!(
        (number("steps"), number("bootstraps"), number("log_n")),
        (2.0, 0.0, 10.0)
    );
    assert_eq!(summary["toy"], true);
    assert_eq!(number("test_rows"), 30.0);
    assert!(
        summary["accuracy_encrypted"].is_null(),
        "petal widths are no classes"
    );
    // A linear model has no approximated function: both clear runs are the same, and the encrypted one is off by its
    // noise. Weights are below 1, so that the squared error moves by a few times that at most.
    assert!(number("max_weight_error") < 1e-3, "{summary}");
    assert!(
        (number("max_weight_error") - number("max_weight_error_approximated")).abs() < 1e-9,
        "{summary}"
    );
    assert!(
        (number("squared_error_encrypted") - number("squared_error_clear")).abs() < 1e-2,
        "{summary}"
    );
    assert!(
        number("squared_error_clear") < 0.5,
        "two steps explain half of the variance: {summary}"
    );

    // What was kept is what was trained.
    let kept = folder.path().join("kept");
    let decrypted = [
        "decrypt",
        "graph.plan",
        "--key",
        "secret.key",
        "--outputs",
        "outputs.ct",
        "-o",
        "again.npz",
    ];
    succeeds(&kept, decrypted);
    assert_eq!(
        std::fs::read(kept.join("again.npz")).unwrap(),
        std::fs::read(kept.join("weights.npz")).unwrap()
    );
    let again = ["train", "linear.loom", "--data", &data, "--keep", "kept"]
        .into_iter()
        .chain(TOY);
    assert!(fails(folder.path(), 1, again).contains("secret key already"));
}

#[test]
fn two_parties_need_nothing_but_files() {
    let folder = tempfile::tempdir().unwrap();
    let data = linear(folder.path());
    let run = |line: &str| succeeds(folder.path(), line.split(' '));
    run(&format!("compile linear.loom {}", TOY.join(" ")));
    run("keygen linear.plan --out-dir keys");
    let encrypt = [
        "encrypt",
        "linear.plan",
        "--key",
        "keys/secret.key",
        "--data",
        &data,
        "-o",
        "inputs.ct",
    ];
    assert!(succeeds(folder.path(), encrypt).contains("stream x: 120 rows, 1 batch of 1 ciphertext"));
    let refused = "run linear.plan --keys keys/evaluation.keys --inputs inputs.ct -o outputs.ct";
    assert!(fails(folder.path(), 1, refused.split(' ')).contains("toy"));
    let report = run(&format!("{refused} --insecure-toy --threads 2 --json"));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["steps"], &report["threads"]), (&2.into(), &2.into()));
    let decrypted =
        run("decrypt linear.plan --key keys/secret.key --outputs outputs.ct -o weights.npz --json");
    let decrypted: Value = serde_json::from_str(&decrypted).unwrap();
    assert_eq!(decrypted["tensors"]["w"]["shape"], serde_json::json!([3]));
    assert!(folder.path().join("weights.npz").exists());

    // A secret key is not lost by mistake, and a key of another plan is refused.
    let key = std::fs::read(folder.path().join("keys/secret.key")).unwrap();
    let error = fails(folder.path(), 1, "keygen linear.plan --out-dir keys".split(' '));
    assert!(
        error.contains("secret key already") && error.contains("--force"),
        "{error}"
    );
    assert_eq!(std::fs::read(folder.path().join("keys/secret.key")).unwrap(), key);
    run("keygen linear.plan --out-dir keys --force");
    assert_ne!(std::fs::read(folder.path().join("keys/secret.key")).unwrap(), key);
    run("compile linear.loom --steps 1 --log-n 10 --insecure-toy -o other.plan");
    let other = [
        "encrypt",
        "other.plan",
        "--key",
        "keys/secret.key",
        "--data",
        &data,
        "-o",
        "other.ct",
    ];
    assert!(fails(folder.path(), 1, other).contains("secret.key"));
    assert!(!folder.path().join("other.ct").exists());
}

#[test]
fn every_form_and_report_can_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    linear(folder.path());
    for (form, part) in [
        ("ast", "minimize mean"),
        ("tensor", "train.minimize"),
        ("approximated", "tensor.matmul"),
        ("slot", "slot.sum_rotations"),
        ("ckks", "ckks.rescale"),
        ("plan", "relinearize"),
    ] {
        let arguments = ["compile", "linear.loom", "--emit", form].into_iter().chain(TOY);
        let text = succeeds(folder.path(), arguments);
        assert!(text.contains(part), "{form}: {text}");
    }
    assert!(
        !folder.path().join("linear.plan").exists(),
        "--emit writes no plan"
    );

    let compile = |output: &str| {
        let arguments = ["compile", "linear.loom", "-o", output, "--json"]
            .into_iter()
            .chain(TOY);
        serde_json::from_str::<Value>(&succeeds(folder.path(), arguments)).unwrap()
    };
    let report = compile("a.plan");
    compile("b.plan");
    let plan = std::fs::read(folder.path().join("a.plan")).unwrap();
    assert_eq!(
        plan,
        std::fs::read(folder.path().join("b.plan")).unwrap(),
        "same source, same bytes"
    );

    let inspected = succeeds(
        folder.path(),
        ["inspect", "a.plan", "--source", "linear.loom", "--json"],
    );
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["hash"], report["hash"]);
    assert_eq!(
        inspected["timeline"], report["timeline"],
        "a plan and its source say what the compilation said"
    );
    let text = succeeds(
        folder.path(),
        ["inspect", "linear.loom", "--layouts"].into_iter().chain(TOY),
    );
    assert!(text.contains(" of 2, level by level"), "{text}");
    assert!(text.contains("layouts, slots of extent"), "{text}");
    assert!(text.lines().count() < 200, "a report is to be read");
    assert!(fails(folder.path(), 2, ["inspect", "a.plan", "--layouts"]).contains(".loom"));
    assert!(
        succeeds(folder.path(), ["inspect", "a.plan", "--all"])
            .lines()
            .count()
            > 50
    );
}

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let data = linear(folder.path());
    let text = std::fs::read_to_string(example("linear.loom")).unwrap();
    std::fs::write(folder.path().join("wrong.loom"), text.replace("x @ w", "x @ v")).unwrap();
    let error = fails(folder.path(), 1, ["check", "wrong.loom"]);
    assert!(
        error.contains("E-NAME") && error.contains("wrong.loom:10"),
        "{error}"
    );
    assert_eq!(fails(folder.path(), 1, ["compile", "wrong.loom"]), error);
    let json = cipherloom(folder.path(), ["check", "wrong.loom", "--json"]);
    assert_eq!(json.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&json["errors"], &json["diagnostics"][0]["code"]),
        (&1.into(), &"E-NAME".into())
    );

    assert!(succeeds(folder.path(), ["check", "linear.loom"]).contains("no errors"));
    assert!(fails(folder.path(), 1, ["check", "absent.loom"]).contains("absent.loom"));
    assert!(fails(folder.path(), 1, ["inspect", "linear.loom.gz"]).contains("linear.loom.gz"));
    assert!(fails(folder.path(), 2, ["train", "linear.loom"]).contains("--data"));

    let short = ["train", "linear.loom", "--data", &data, "--set", "rows=121"]
        .into_iter()
        .chain(TOY);
    let error = fails(folder.path(), 1, short);
    assert!(
        error.contains("expected shape [121 or more, 3], found [120, 3]"),
        "{error}"
    );
    std::fs::write(folder.path().join("wide.csv"), "a,b,c,y,split\n1,2,9,0,train\n").unwrap();
    let wide = ["train", "linear.loom", "--data", "wide.csv", "--set", "rows=1"]
        .into_iter()
        .chain(TOY);
    let error = fails(folder.path(), 1, wide);
    assert!(
        error.contains("row 0, column 2") && error.contains("[-4, 4]"),
        "{error}"
    );
}

#[test]
fn plans_for_small_machines() {
    let folder = tempfile::tempdir().unwrap();
    let firmware = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/firmware");
    for name in ["score.loom", "weights.npz"] {
        std::fs::copy(firmware.join(name), folder.path().join(name)).unwrap();
    }
    let compile = "compile score.loom --weights weights.npz --target";
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    succeeds(
        folder.path(),
        words(&format!("{compile} cortex-m4 -o small.plan")),
    );
    let error = fails(
        folder.path(),
        1,
        words(&format!("{compile} cortex-m4 --log-n 13 -o large.plan")),
    );
    assert!(
        error.contains("E-MEMORY") && error.contains("--target cortex-m7"),
        "{error}"
    );
    assert!(!folder.path().join("large.plan").exists());
    succeeds(
        folder.path(),
        words(&format!("{compile} cortex-m7 --log-n 13 -o large.plan")),
    );

    let text = succeeds(folder.path(), words("inspect large.plan"));
    let small = text
        .lines()
        .find(|line| line.trim_start().starts_with("cortex-m4"))
        .unwrap();
    assert!(
        small.matches("too much").count() == 1,
        "only executing it does not fit: {small}"
    );
    let report: Value = serde_json::from_str(&succeeds(
        folder.path(),
        words("inspect small.plan --target cortex-m4 --json"),
    ))
    .unwrap();
    assert_eq!(report["device"], "cortex-m4");
    let programs = report["devices"][0]["programs"].as_array().unwrap();
    assert_eq!(programs.len(), 12);
    for program in programs {
        let parts = program["ram"].as_array().unwrap().iter();
        let sum: u64 = parts.map(|part| part["bytes"].as_u64().unwrap()).sum();
        assert_eq!(program["ram_bytes"], sum);
        assert_eq!(program["fits"], true);
    }
    let text = succeeds(folder.path(), words("inspect small.plan --target cortex-m7"));
    assert!(text.contains("On a cortex-m7 (STM32F767)"), "{text}");
}
