//! Training in epochs as people run it: early stopping, interruption and resumption, two processes over a folder.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Weights that only gain sums: a loop that closes without bootstraps, on a ring that is quick. As they grow along the
/// difference of the classes' means, the validation loss falls and rises again.
const GRAPH: &str = "graph head {
    const batch = 16;
    stream x: secret [batch, 4] in [-1, 1];
    stream y: secret [batch] in [0, 1];
    input x_val: secret [32, 4] in [-1, 1];
    state w: secret [4] in [-64, 64] = 0;
    train {
        step { update w = w + 0.075 * (transpose(x) @ (y - 0.5)); }
        epoch { reveal validation = x_val @ w; }
    }
    output w;
}";

const OPTIONS: [&str; 6] = ["--log-n", "11", "--insecure-toy", "--precision", "0.01", "--json"];

/// 64 rows to train and 32 to validate of two classes that overlap.
fn csv() -> String {
    let mut state = 1u64;
    let mut number = move || {
        // Knuth's MMIX generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / 2f64.powi(30) - 1.0
    };
    let mut text = "a,b,c,d,label,split\n".to_owned();
    for row in 0..96 {
        let label = row % 2;
        let shift = 0.25 * f64::from(2 * label - 1);
        let x: Vec<String> = [shift, 0.5 * shift, 0.0, 0.0]
            .iter()
            .map(|shift| format!("{:.4}", shift + 0.7 * number()))
            .collect();
        let split = if row < 64 { "train" } else { "val" };
        writeln!(text, "{},{label},{split}", x.join(",")).unwrap();
    }
    text
}

/// A folder with the graph and the data.
fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("head.loom"), GRAPH).unwrap();
    std::fs::write(folder.path().join("head.csv"), csv()).unwrap();
    folder
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cipherloom"));
    command.args(arguments).current_dir(folder);
    command
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    checked(command(folder, arguments).output().unwrap())
}

fn checked(output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(output: &str) -> Value {
    serde_json::from_str(output.lines().last().unwrap()).unwrap()
}

/// Arguments of a training in epochs that keeps its files.
fn training<'a>(keep: &'a str, epochs: &'a str) -> Vec<&'a str> {
    let train = [
        "train",
        "head.loom",
        "--data",
        "head.csv",
        "--keep",
        keep,
        "--epochs",
        epochs,
    ];
    train
        .into_iter()
        .chain(["--patience", "2"])
        .chain(OPTIONS)
        .collect()
}

#[test]
fn training_stops_when_the_loss_rises_and_keeps_the_best_epoch() {
    let folder = workplace();
    let summary = json(&succeeds(folder.path(), &training("kept", "30")));
    let epochs = &summary["epochs"];
    let number = |name: &str| epochs[name].as_u64().unwrap();
    let losses = |name: &str| -> Vec<f64> {
        let measures = epochs[name].as_array().unwrap().iter();
        measures
            .map(|measure| measure["loss"].as_f64().unwrap())
            .collect()
    };
    // Four batches make an epoch.
    assert_eq!((number("planned"), &summary["steps"]), (30, &Value::from(120)));
    let (best, run) = (number("best"), number("run"));
    assert!(best > 1 && run == best + 2 && run < 30, "{epochs}");
    assert_eq!(number("best_clear"), best);
    // Noise of 1e-4 in a logit moves the loss by less than that.
    let (encrypted, clear) = (losses("validation"), losses("validation_clear"));
    assert_eq!(encrypted.len() as u64, run);
    assert!(
        encrypted.iter().zip(&clear).all(|(a, b)| (a - b).abs() < 1e-3),
        "{epochs}"
    );
    assert!(summary["max_weight_error"].as_f64().unwrap() < 1e-3, "{summary}");

    // The outputs are those that the best epoch handed out.
    let kept = folder.path().join("kept");
    let read = |name: &str| std::fs::read(kept.join(name)).unwrap();
    assert!(read("outputs.ct") == read(&format!("epoch-{best:04}.ct")));
    assert!(!kept.join(format!("epoch-{:04}.ct", run + 1)).exists());
    // What is finished is resumed as finished; what is begun anew needs another folder.
    let before = read("outputs.ct");
    let resumed = [&training("kept", "30")[..], &["--resume"]].concat();
    assert_eq!(json(&succeeds(folder.path(), &resumed))["epochs"]["best"], best);
    assert!(read("outputs.ct") == before);
    let again = command(folder.path(), &training("kept", "30")).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("--resume"));
    let other = [&training("kept", "31")[..], &["--resume"]].concat();
    let other = command(folder.path(), &other).output().unwrap();
    assert!(String::from_utf8_lossy(&other.stderr).contains("another plan"));
}

/// Moments in [0, 1), evenly spread and in no order.
fn moments() -> impl Iterator<Item = f64> {
    (1..).map(|k| (0.618_034 * f64::from(k)).fract())
}

/// Starts a command again and again and kills it at a moment of its whole time, until it has been killed ten times and has
/// then come to its end; how often there was a checkpoint to go on from. What `reset` removes is made anew where the command
/// was quicker than its killer.
fn killed_ten_times(
    mut start: impl FnMut() -> Command,
    whole: Duration,
    checkpoint: &Path,
    mut reset: impl FnMut(),
) -> usize {
    let (mut killed, mut resumed) = (0, 0);
    for moment in moments().take(100) {
        resumed += usize::from(checkpoint.exists());
        let mut child = start()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(moment));
        // On Unix this is SIGKILL.
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            reset();
        } else {
            killed += 1;
        }
        if killed == 10 {
            checked(start().output().unwrap());
            return resumed;
        }
    }
    panic!("killed {killed} times only");
}

fn copy(from: &Path, to: &Path, names: &[&str]) {
    std::fs::create_dir_all(to).unwrap();
    for name in names {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[test]
fn a_run_that_is_killed_ten_times_gives_the_same_bits() {
    let folder = workplace();
    let root = folder.path();
    let patient = |keep: &'static str| -> Vec<&'static str> {
        let steady = training(keep, "30").into_iter();
        steady
            .map(|argument| if argument == "2" { "30" } else { argument })
            .collect()
    };
    let began = Instant::now();
    succeeds(root, &patient("whole"));
    let whole = began.elapsed();
    let expected = std::fs::read(root.join("whole/outputs.ct")).unwrap();

    // The whole training, with its key holder.
    let again = root.join("again");
    let made = ["graph.plan", "secret.key", "evaluation.keys", "inputs.ct"];
    copy(&root.join("whole"), &again, &made);
    let clean = || {
        std::fs::remove_dir_all(&again).unwrap();
        copy(&root.join("whole"), &again, &made);
    };
    let resumed = [&patient("again")[..], &["--resume"]].concat();
    let start = || command(root, &resumed);
    let resumptions = killed_ten_times(start, whole, &again.join("checkpoint"), clean);
    assert!(resumptions >= 3, "{resumptions}");
    assert!(std::fs::read(again.join("outputs.ct")).unwrap() == expected);

    // The server alone, which runs every epoch.
    let run = |output: &'static str, more: &[&'static str]| -> Vec<&'static str> {
        let files = [
            "run",
            "whole/graph.plan",
            "--keys",
            "whole/evaluation.keys",
            "--inputs",
        ];
        let files = files
            .into_iter()
            .chain(["whole/inputs.ct", "-o", output, "--insecure-toy"]);
        files.chain(more.iter().copied()).collect()
    };
    let began = Instant::now();
    succeeds(
        root,
        &run("whole.ct", &["--checkpoint", "first", "--checkpoint-every", "1"]),
    );
    let whole = began.elapsed();
    let expected = std::fs::read(root.join("whole.ct")).unwrap();
    let arguments = run("again.ct", &["--checkpoint", "saved", "--resume"]);
    let saved = root.join("saved");
    let clean = || _ = std::fs::remove_file(&saved);
    let resumptions = killed_ten_times(|| command(root, &arguments), whole, &saved, clean);
    assert!(resumptions >= 3, "{resumptions}");
    assert!(std::fs::read(root.join("again.ct")).unwrap() == expected);
}

/// One side of a training over a shared folder.
fn side(folder: &Path, arguments: &[&str]) -> Child {
    command(folder, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until a file is there, for a minute at most.
fn appears(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} does not appear",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_processes_train_over_a_folder() {
    let folder = workplace();
    let root = folder.path();
    let reference = json(&succeeds(root, &training("kept", "30")));
    let serve = ["serve", "shared", "--insecure-toy", "--json"];
    let hold = [
        "hold",
        "shared",
        "--key",
        "secret.key",
        "--data",
        "head.csv",
        "--patience",
        "2",
        "-o",
        "w.npz",
        "--json",
    ];
    let compile = |plan: &str| {
        let compile = [
            "compile",
            "head.loom",
            "--epochs",
            "30",
            "--steps-per-epoch",
            "4",
            "-o",
            plan,
        ];
        succeeds(root, &[&compile[..], &OPTIONS].concat());
    };
    std::fs::create_dir(root.join("shared")).unwrap();
    let shared = |name: &str| -> PathBuf { root.join("shared").join(name) };

    // The server is there first; the plan comes when both wait for it.
    let mut server = side(root, &serve);
    let mut holder = side(root, &hold);
    compile("whole.plan");
    std::fs::rename(root.join("whole.plan"), shared("graph.plan")).unwrap();
    // Each goes away once and comes back.
    appears(&shared("epoch-0001.answer"));
    holder.kill().unwrap();
    holder.wait().unwrap();
    appears(&shared("epoch-0002.ct"));
    server.kill().unwrap();
    server.wait().unwrap();
    let holder = side(root, &hold);
    let server = side(root, &serve);

    let served = json(&checked(server.wait_with_output().unwrap()));
    let held = json(&checked(holder.wait_with_output().unwrap()));
    let wanted = &reference["epochs"];
    assert_eq!(
        (&served["epochs"], &served["best_epoch"]),
        (&wanted["run"], &wanted["best"])
    );
    assert_eq!(
        (&held["epochs"], &held["best_epoch"]),
        (&wanted["run"], &wanted["best"])
    );
    assert!(root.join("w.npz").exists());
    let names = std::fs::read_dir(root.join("shared")).unwrap();
    let names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.iter().any(|name| name.contains("secret")), "{names:?}");
    // The secret key is in none of the files: it is 32 bytes that no other file has.
    let key = std::fs::read(root.join("secret.key")).unwrap();
    let seed = &key[96..128];
    for name in &names {
        let bytes = std::fs::read(shared(name)).unwrap();
        assert!(!bytes.windows(32).any(|window| window == seed), "{name}");
    }
}
