//! The main job at full size: 128-bit parameters, the bundled messages, every file of the two-party way. Takes minutes
//! and 6 GiB, so it has to be asked for:
//!
//! ```text
//! cargo test --release --package cipherloom-cli --test spam -- --ignored
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/spam")
        .join(name)
}

/// Runs the command, which has to succeed, and reads the last line of its standard output as JSON.
fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_cipherloom"))
        .args(arguments)
        .arg("--json")
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
#[ignore = "minutes and 6 GiB"]
fn a_spam_filter_trains_on_encrypted_messages() {
    let folder = tempfile::tempdir().unwrap();
    let (graph, data) = (example("spam.loom"), example("sms.npz"));
    let report = json(
        folder.path(),
        &["train", graph.to_str().unwrap(), "--data", data.to_str().unwrap()],
    );
    let number = |name: &str| {
        report[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name} in {report}"))
    };
    assert!(number("accuracy_encrypted") >= 92.0, "{report}");
    assert!(
        (number("accuracy_encrypted") - number("accuracy_clear")).abs() <= 0.7,
        "{report}"
    );
    assert!(number("max_weight_error") < 1e-3, "{report}");
    assert!(
        number("max_weight_error_approximated") < 4.0 * number("predicted_weight_error"),
        "{report}"
    );
    assert!(
        number("steps") >= 5.0 && number("security_bits") >= 128.0,
        "{report}"
    );
    assert!(number("peak_memory_bytes") < 24e9, "{report}");
}
