//! What is refused, with what words, and that files that are there stay as they are.

mod common;

use cipherloom_host::*;
use cipherloom_plan::data::*;
use common::*;
use std::path::{Path, PathBuf};

/// The message of an error that must be there.
fn message<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("this must be refused"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{message}` does not say `{part}`");
    }
}

/// Every kind of file of one plan.
struct Files {
    _folder: tempfile::TempDir,
    root: PathBuf,
    plan: PlanFile,
    secret: SecretSeed,
}

fn files() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let plan = plan("files");
    let secret = generate_seed().unwrap();
    write_secret_key(root.join("secret"), &plan, &secret).unwrap();
    write_evaluation_keys(root.join("keys"), &plan, &secret, &mut Silent).unwrap();
    let inputs = write_inputs(root.join("inputs"), &plan, &secret, &data(), &mut Silent).unwrap();
    let keys = EvaluationKeys::read(root.join("keys"), &plan, &mut Silent).unwrap();
    let (outputs, _) = run(&plan, &keys, &inputs, RUN, &mut Silent).unwrap();
    outputs.write(root.join("outputs")).unwrap();
    Files {
        _folder: folder,
        root,
        plan,
        secret,
    }
}

/// Opens a file of any kind, and says what is wrong with it.
fn open(name: &str, path: &Path, plan: &PlanFile) -> Result<()> {
    match name {
        "secret" => read_secret_key(path, plan).map(drop),
        "keys" => EvaluationKeys::read(path, plan, &mut Silent).map(drop),
        "inputs" => Inputs::open(path, plan).map(drop),
        _ => Outputs::open(path, plan).map(drop),
    }
}

const KINDS: [&str; 4] = ["secret", "keys", "inputs", "outputs"];

#[test]
fn files_of_another_plan_or_kind_or_none_at_all() {
    let files = files();
    let other = plan("other");
    for name in KINDS {
        let path = files.root.join(name);
        let file = path.display().to_string();
        open(name, &path, &files.plan).unwrap();
        assert_says(
            &message(open(name, &path, &other)),
            &[&file, "made for plan", "use the plan"],
        );
        let absent = files.root.join("absent");
        assert_says(
            &message(open(name, &absent, &files.plan)),
            &["absent", "cannot open the file"],
        );
        for wrong in KINDS.into_iter().filter(|&wrong| wrong != name) {
            let found = message(open(wrong, &path, &files.plan));
            assert_says(&found, &[&file, "header", "name the right file"]);
        }
    }
    let text = files.root.join("notes.txt");
    std::fs::write(&text, "x".repeat(1000)).unwrap();
    assert_says(
        &message(open("keys", &text, &files.plan)),
        &["notes.txt", "not a Cipherloom file"],
    );
    assert_says(
        &message(PlanFile::open(&text)),
        &["notes.txt", "compile the plan again"],
    );
}

#[test]
fn truncated_and_lengthened_files() {
    let files = files();
    let path = files.root.join("cut");
    for name in KINDS {
        let whole = std::fs::read(files.root.join(name)).unwrap();
        for keep in [
            0,
            1,
            50,
            95,
            96,
            whole.len() / 2,
            whole.len() - 33,
            whole.len() - 1,
        ] {
            std::fs::write(&path, &whole[..keep]).unwrap();
            let found = message(open(name, &path, &files.plan));
            assert_says(&found, &["cut", &format!("{keep} bytes"), "copy it again"]);
        }
        let mut longer = whole.clone();
        longer.push(0);
        std::fs::write(&path, &longer).unwrap();
        assert_says(&message(open(name, &path, &files.plan)), &["cut", "bytes"]);
    }
}

#[test]
fn every_flipped_bit_is_found_and_placed() {
    let files = files();
    let path = files.root.join("flipped");
    for name in KINDS {
        let whole = std::fs::read(files.root.join(name)).unwrap();
        // Every byte of the header and of the end, and a sample of the rest.
        let stride = (whole.len() / 150).max(1);
        let sampled = (0..whole.len()).step_by(stride);
        let ends = (0..96).chain(whole.len() - 40..whole.len());
        for (count, at) in ends.chain(sampled).enumerate() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (count % 8);
            std::fs::write(&path, &bytes).unwrap();
            let found = message(open(name, &path, &files.plan));
            assert_says(&found, &["flipped"]);
            let places = ["header", "length", "record", "not a Cipherloom file"];
            assert!(
                places.iter().any(|place| found.contains(place)),
                "byte {at} of {name}: {found}"
            );
        }
    }
    let mut bytes = std::fs::read(files.root.join("keys")).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_says(
        &message(open("keys", &path, &files.plan)),
        &["record 1, bytes", "does not match its BLAKE3 hash"],
    );
}

fn u64_at(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// Where the records of a file lie.
type Ranges<'a> = &'a [std::ops::Range<usize>];
/// A change to a file's bytes.
type Change<'a> = &'a dyn Fn(&mut [u8], Ranges<'_>);

/// Changes a file as somebody does who knows the format: with hashes that match.
fn forge(path: &Path, change: Change<'_>) {
    let mut bytes = std::fs::read(path).unwrap();
    let (records, table) = (u64_at(&bytes, 80), 96 + u64_at(&bytes, 88));
    let entry = |index: usize| table + 48 * index;
    let ranges: Vec<_> = (0..records)
        .map(|index| {
            let start = u64_at(&bytes, entry(index));
            start..start + u64_at(&bytes, entry(index) + 8)
        })
        .collect();
    change(&mut bytes, &ranges);
    for (index, range) in ranges.iter().enumerate() {
        let hash = blake3::hash(&bytes[range.clone()]);
        bytes[entry(index) + 16..entry(index + 1)].copy_from_slice(hash.as_bytes());
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..96]);
    hasher.update(&bytes[table..entry(records)]);
    let seal = hasher.finalize();
    bytes[entry(records)..].copy_from_slice(seal.as_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn forged_files_with_matching_hashes() {
    let files = files();
    let path = files.root.join("forged");
    let forged = |name: &str, change: Change<'_>| {
        std::fs::copy(files.root.join(name), &path).unwrap();
        forge(&path, change);
        open(name, &path, &files.plan)
    };
    for name in KINDS {
        // Nothing changed: the forger knows the format.
        forged(name, &|_, _| ()).unwrap();
        let table_lies = |bytes: &mut [u8], _: Ranges<'_>| {
            let table = 96 + u64_at(bytes, 88);
            bytes[table] ^= 1;
        };
        assert_says(
            &message(forged(name, &table_lies)),
            &["forged", "record table", "do not fill the body"],
        );
    }
    // Residues that are not below their prime.
    let all_ones = |bytes: &mut [u8], records: Ranges<'_>| {
        let end = records[1].end;
        bytes[end - 64..end].fill(0xFF);
    };
    assert_says(
        &message(forged("keys", &all_ones)),
        &["forged", "record 1", "not below the modulus"],
    );
    let (plan, secret) = (&files.plan, &files.secret);
    let keys = EvaluationKeys::read(files.root.join("keys"), plan, &mut Silent).unwrap();
    forged("inputs", &all_ones).unwrap();
    let inputs = Inputs::open(&path, plan).unwrap();
    let found = message(run(plan, &keys, &inputs, RUN, &mut Silent));
    assert_says(&found, &["forged", "record 1", "`x`", "not below the modulus"]);
    forged("outputs", &all_ones).unwrap();
    let outputs = Outputs::open(&path, plan).unwrap();
    let found = message(decrypt_outputs(plan, secret, &outputs));
    assert_says(&found, &["forged", "record 1", "`out`", "not below the modulus"]);
    // Another key, another level, another place.
    for at in [0, 4] {
        let relabelled = |bytes: &mut [u8], records: Ranges<'_>| bytes[records[1].start + at] ^= 1;
        assert_says(
            &message(forged("keys", &relabelled)),
            &["forged", "record 1", "not this key"],
        );
    }
    for at in [0, 4, 8, 12, 13, 14] {
        let relabelled = |bytes: &mut [u8], records: Ranges<'_>| bytes[records[2].start + at] ^= 1;
        assert_says(
            &message(forged("inputs", &relabelled)),
            &["forged", "record 2", "not the ciphertext"],
        );
    }
    // A list of ports that promises more than there is, ports that are not inputs, batches that do not exist.
    let listed = |at: usize, value: u8| {
        move |bytes: &mut [u8], records: Ranges<'_>| bytes[records[0].start + at] = value
    };
    assert!(forged("inputs", &listed(7, 0x7F)).is_err());
    assert!(forged("inputs", &listed(4, 0)).is_err());
    assert!(forged("inputs", &listed(0, 3)).is_err());
    assert!(forged("inputs", &listed(3, 0xFF)).is_err());
    assert!(forged("outputs", &listed(4, 2)).is_err());
}

#[test]
fn values_that_do_not_fit_their_port() {
    let files = files();
    let inputs = files.root.join("inputs");
    let before = std::fs::read(&inputs).unwrap();
    let refuse = |change: &dyn Fn(&mut std::collections::BTreeMap<String, Tensor>), parts: &[&str]| {
        let mut data = data();
        change(&mut data);
        let (plan, secret) = (&files.plan, &files.secret);
        assert_says(&message(encrypt_inputs(plan, secret, &data, &mut Silent)), parts);
        assert_says(
            &message(write_inputs(&inputs, plan, secret, &data, &mut Silent)),
            parts,
        );
        assert!(
            std::fs::read(&inputs).unwrap() == before,
            "the file that was there has changed"
        );
    };
    let set = |name: &'static str, index: usize, value: f64| {
        move |data: &mut std::collections::BTreeMap<String, Tensor>| {
            data.get_mut(name).unwrap().values[index] = value;
        }
    };
    refuse(
        &set("x", 3 * COLUMNS + 7, f64::NAN),
        &["`x`", "row 3, column 7", "NaN"],
    );
    refuse(&set("x", 205, f64::INFINITY), &["`x`", "row 2, column 5", "inf"]);
    refuse(&set("b", 99, -1.5), &["`b`", "row 99", "-1.5", "[-1, 1]"]);
    refuse(&|data| _ = data.remove("b"), &["`b`", "is missing"]);
    refuse(
        &|data| _ = data.insert("c".into(), tensor(&[3], 1)),
        &["`c`", "no input"],
    );
    refuse(
        &|data| _ = data.insert("b".into(), tensor(&[COLUMNS + 1], 1)),
        &["`b`", "[101]", "[100]"],
    );
    refuse(
        &|data| _ = data.insert("x".into(), tensor(&[3, COLUMNS], 1)),
        &["`x`", "3 rows"],
    );
    let ragged = Tensor {
        shape: vec![COLUMNS],
        values: vec![0.0; 7],
    };
    refuse(
        &|data| _ = data.insert("b".into(), ragged.clone()),
        &["`b`", "7 values"],
    );

    let (plan, secret) = (&files.plan, &files.secret);
    let nowhere = files.root.join("no such folder").join("inputs");
    let found = message(write_inputs(nowhere, plan, secret, &data(), &mut Silent));
    assert_says(&found, &["no such folder", "cannot create the file"]);
    let mut names: Vec<_> = std::fs::read_dir(&files.root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["inputs", "keys", "outputs", "secret"]);
}

#[test]
fn one_hot_ports_and_streams_of_different_lengths() {
    let mut two = plan_data("two streams");
    let mut labels = two.ports[0].clone();
    labels.name = "y".into();
    labels.one_hot = true;
    two.ports.push(labels);
    let plan = PlanFile::from_bytes(two.encode().unwrap()).unwrap();
    let secret = generate_seed().unwrap();
    let one_hot = |rows: usize| {
        let values = (0..rows * COLUMNS)
            .map(|i| f64::from(u8::from(i % COLUMNS == 4)))
            .collect();
        Tensor::new(vec![rows, COLUMNS], values).unwrap()
    };
    let mut data = data();
    data.insert("y".into(), one_hot(2 * BATCH + 1));
    encrypt_inputs(&plan, &secret, &data, &mut Silent).unwrap();
    data.insert("y".into(), one_hot(2 * BATCH));
    let found = message(encrypt_inputs(&plan, &secret, &data, &mut Silent));
    assert_says(&found, &["`y`", "8 rows", "`x` has 9"]);
    let mut double = one_hot(2 * BATCH + 1);
    double.values[5 * COLUMNS] = 1.0;
    data.insert("y".into(), double);
    assert_says(
        &message(encrypt_inputs(&plan, &secret, &data, &mut Silent)),
        &["`y`", "row 5", "one-hot"],
    );
}

#[test]
fn toy_plans_run_only_where_allowed() {
    let files = files();
    let keys = EvaluationKeys::read(files.root.join("keys"), &files.plan, &mut Silent).unwrap();
    let inputs = Inputs::open(files.root.join("inputs"), &files.plan).unwrap();
    let options = RunOptions {
        allow_toy: false,
        ..RUN
    };
    let refused = run(&files.plan, &keys, &inputs, options, &mut Silent);
    assert!(matches!(refused, Err(HostError::ToyPlan)));
}

#[test]
fn what_does_not_belong_together() {
    let files = files();
    let (plan, secret) = (&files.plan, &files.secret);
    let stranger = generate_seed().unwrap();
    let keys = EvaluationKeys::read(files.root.join("keys"), plan, &mut Silent).unwrap();
    let inputs = Inputs::open(files.root.join("inputs"), plan).unwrap();
    let outputs = Outputs::open(files.root.join("outputs"), plan).unwrap();

    let foreign = encrypt_inputs(plan, &stranger, &data(), &mut Silent).unwrap();
    let found = message(run(plan, &keys, &foreign, RUN, &mut Silent));
    assert_says(
        &found,
        &["encrypted inputs", "another secret key", "evaluation keys"],
    );
    let foreign = generate_evaluation_keys(plan, &stranger, &mut Silent).unwrap();
    let found = message(run(plan, &foreign, &inputs, RUN, &mut Silent));
    assert_says(&found, &["inputs", "another secret key"]);
    let found = message(decrypt_outputs(plan, &stranger, &outputs));
    assert_says(&found, &["outputs", "another secret key"]);

    let other = common::plan("other");
    assert_says(
        &message(run(&other, &keys, &inputs, RUN, &mut Silent)),
        &["evaluation keys", "another plan"],
    );
    assert_says(
        &message(decrypt_outputs(&other, secret, &outputs)),
        &["outputs", "another plan"],
    );
    assert_says(
        &message(keys.write(files.root.join("x"), &other, &mut Silent)),
        &["another plan"],
    );
    assert!(!files.root.join("x").exists());
}

#[test]
fn plans_that_the_verifier_refuses() {
    let mut broken = plan_data("broken");
    let buffers: Vec<Buffer> = broken.buffers.clone();
    // The sum of the two tiles now overwrites the state that is read next.
    broken.buffers[1].offset = buffers[0].offset;
    let found = message(PlanFile::from_bytes(broken.encode().unwrap()));
    assert_says(&found, &["instruction", "compile the plan again"]);
    let mut bytes = plan_data("flipped").encode().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert_says(&message(PlanFile::from_bytes(bytes)), &["plan"]);
}
