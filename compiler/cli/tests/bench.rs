//! `bench` and `calibrate`, as quickly as they can be: what they print and write is checked, not how fast the machine is.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs the command in a folder and gives standard output.
fn cipherloom(folder: &Path, line: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_cipherloom"))
        .args(line.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn number(line: &Value, field: &str) -> f64 {
    line[field].as_f64().unwrap_or_else(|| panic!("{field}: {line}"))
}

/// The lines of a bench, after checking what holds for each.
fn lines(text: &str) -> Vec<Value> {
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &lines {
        assert!(line["name"].is_string() && line["set"].is_string(), "{line}");
        let [min, median, max] = ["min_us", "median_us", "max_us"].map(|field| number(line, field));
        assert!(0.0 < min && min <= median && median <= max, "{line}");
        assert!(number(line, "ntt_us") > 0.0, "{line}");
    }
    lines
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["name"].as_str()).collect()
}

#[test]
fn operations_of_a_set() {
    let folder = tempfile::tempdir().unwrap();
    let text = cipherloom(folder.path(), "bench ops --json --quick --set toy --threads 1,2");
    let lines = lines(&text);
    let shown = [
        "encode",
        "encrypt",
        "decrypt",
        "add",
        "mul_plain",
        "mul_relin_rescale",
        "rescale",
        "rotate",
        "rotate8_hoisted",
        "mod_up",
        "key_switch",
        "base_conversion",
    ];
    assert_eq!(names(&lines), shown.repeat(2));
    for line in &lines {
        assert_eq!(line["set"], "Toy");
        assert!([1, 2].contains(&line["threads"].as_u64().unwrap()));
        // A machine at work on other things makes operations slower than their kernels, and seldom faster.
        assert!(number(line, "roofline_ratio") > 0.3, "{line}");
    }
    let rotate = lines.iter().find(|line| line["name"] == "rotate").unwrap();
    // Two digits of two limbs, two special primes: 4 back and 2·6 − 4 forward, 2·2 back and 2·4 forward.
    assert_eq!(number(rotate, "ntts"), 24.0);
    // Converted up 2·2·4 and down 2·2·4, multiplied with the key 2·2·6, and with an inverse 2·4.
    assert_eq!(
        number(rotate, "multiply_adds"),
        (16.0 + 16.0 + 24.0 + 8.0) * 2048.0
    );
}

#[test]
fn transforms_of_every_size_and_prime() {
    let folder = tempfile::tempdir().unwrap();
    let text = cipherloom(folder.path(), "bench ntt --json --quick --threads 1 --no-peers");
    let lines = lines(&text);
    assert_eq!(names(&lines), ["ntt_forward", "ntt_inverse"].repeat(15));
    let sets: Vec<&str> = lines
        .iter()
        .step_by(2)
        .filter_map(|line| line["set"].as_str())
        .collect();
    assert_eq!(sets.first(), Some(&"2^12/30"));
    assert_eq!(sets.last(), Some(&"2^16/59"));
    for line in lines.iter().step_by(2) {
        assert_eq!(number(line, "roofline_ratio"), 1.0, "{line}");
    }
}

#[test]
fn a_table_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let text = cipherloom(
        folder.path(),
        "bench ops --quick --set toy --threads 1 --backend portable",
    );
    let mut lines = text.lines();
    assert!(lines.next().unwrap().ends_with("portable kernels"), "{text}");
    let header = lines.next().unwrap();
    assert!(
        header.starts_with("µs") && header.ends_with("NTT alone"),
        "{text}"
    );
    assert!(
        lines.all(|line| line.chars().count() == header.chars().count()),
        "{text}"
    );
}

#[test]
fn a_measured_cost_table_changes_the_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let text = cipherloom(folder.path(), "calibrate --quick --output here.json");
    assert!(
        text.contains("butterfly, N = 2^12") && text.contains("key product"),
        "{text}"
    );
    let csv = std::fs::read_to_string(folder.path().join("here.csv")).unwrap();
    assert!(
        csv.starts_with("# cipherloom calibrate --quick --output here.json; "),
        "{csv}"
    );
    assert!(
        csv.lines().any(|line| line.starts_with("rotate,49,12,4,2,2,1,")),
        "{csv}"
    );

    let linear = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/linear/linear.loom");
    let seconds = |machine: &str| {
        let graph = linear.display();
        let toy = "--steps 2 --log-n 10 --insecure-toy --json";
        let text = cipherloom(folder.path(), &format!("inspect {graph} {toy} {machine}"));
        let report: Value = serde_json::from_str(&text).unwrap();
        let predictions = report["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), 2);
        assert_eq!(predictions[1]["seconds"], report["seconds"]);
        number(&predictions[0], "seconds")
    };
    let (shipped, portable, here) = (
        seconds("--target server-avx512"),
        seconds("--target server-portable"),
        seconds("--costs here.json"),
    );
    assert!(0.0 < shipped && shipped < portable, "{shipped} s, {portable} s");
    assert!(here > 0.0 && here != shipped && here != portable, "{here} s");

    let wrong = folder.path().join("wrong.json");
    std::fs::write(&wrong, "{}").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cipherloom"))
        .args([
            "inspect",
            &linear.display().to_string(),
            "--costs",
            &wrong.display().to_string(),
        ])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("not a cost table") && error.contains("cipherloom calibrate"),
        "{error}"
    );
}
