//! Plans that run in a closed loop: bit-equal for any number of threads, saved and resumed after a kill.

mod common;

use cipherloom_host::*;
use cipherloom_plan::data::{Instruction, Op, PortKind};
use common::RUN;
use common::closed_loop::{STEPS, check, data, plan, plan_data};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that a run is made with, in files.
struct Files {
    _folder: tempfile::TempDir,
    root: PathBuf,
    plan: PlanFile,
    secret: SecretSeed,
}

fn files(name: &str, at_the_end: bool) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let plan = plan(name, at_the_end);
    let secret = generate_seed().unwrap();
    std::fs::write(root.join("plan"), plan.bytes()).unwrap();
    write_evaluation_keys(root.join("keys"), &plan, &secret, &mut Silent).unwrap();
    write_inputs(root.join("inputs"), &plan, &secret, &data(), &mut Silent).unwrap();
    Files {
        _folder: folder,
        root,
        plan,
        secret,
    }
}

/// Opens the files of a run in a folder and calls `body` with a run that is ready to start.
fn with_run<T>(root: &Path, body: impl FnOnce(Run<'_>) -> T) -> T {
    let plan = PlanFile::open(root.join("plan")).unwrap();
    let keys = EvaluationKeys::read(root.join("keys"), &plan, &mut Silent).unwrap();
    let inputs = Inputs::open(root.join("inputs"), &plan).unwrap();
    body(Run::new(&plan, &keys, &inputs, RUN))
}

/// The outputs of a run as bytes, and decrypted and checked.
fn finish(files: &Files, run: Run<'_>, progress: &mut dyn Progress) -> Vec<u8> {
    let (outputs, _) = run.start(progress).unwrap();
    check(&decrypt_outputs(&files.plan, &files.secret, &outputs).unwrap());
    let path = files.root.join("outputs");
    outputs.write(&path).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn bit_equal_for_any_number_of_threads() {
    let files = files("threads", true);
    let keys = EvaluationKeys::read(files.root.join("keys"), &files.plan, &mut Silent).unwrap();
    assert_eq!(keys.bytes(), 8 * files.plan.plan().memory().key_words);
    let inputs = Inputs::open(files.root.join("inputs"), &files.plan).unwrap();
    let results = [1, 2, 3].map(|threads| {
        let options = RunOptions { threads, ..RUN };
        finish(
            &files,
            Run::new(&files.plan, &keys, &inputs, options),
            &mut Silent,
        )
    });
    assert!(results[0] == results[1] && results[1] == results[2]);
}

#[test]
fn two_sets_of_keys_have_two_ephemeral_secrets() {
    let files = files("keys", true);
    let (plan, root) = (&files.plan, &files.root);
    let inputs = Inputs::open(root.join("inputs"), plan).unwrap();
    // Each set is right in itself, in memory as in the file.
    let keys = generate_evaluation_keys(plan, &files.secret, &mut Silent).unwrap();
    let again = finish(&files, Run::new(plan, &keys, &inputs, RUN), &mut Silent);
    let first = with_run(root, |run| finish(&files, run, &mut Silent));
    assert!(first != again);
}

/// Ends this process the hard way when so many steps are done.
struct Killer(u64);

impl Progress for Killer {
    fn begin(&mut self, _what: &str, _total: u64) {}

    fn advance(&mut self, by: u64) {
        self.0 = self.0.saturating_sub(by);
        if self.0 == 0 {
            std::process::abort();
        }
    }

    fn end(&mut self) {}
}

const FOLDER: &str = "CIPHERLOOM_TEST_FOLDER";
const KILLED_AFTER: &str = "CIPHERLOOM_TEST_STEPS";

/// The part of the test below that is killed.
#[test]
#[ignore = "another test starts it in a process of its own"]
fn run_that_is_killed() {
    let Ok(root) = std::env::var(FOLDER) else {
        return;
    };
    let root = PathBuf::from(root);
    let steps = std::env::var(KILLED_AFTER).unwrap().parse().unwrap();
    with_run(&root, |run| {
        let run = run.checkpoint_to(root.join("checkpoint"), 0);
        let _ = run.start(&mut Killer(steps));
    });
}

/// Counts steps.
#[derive(Default)]
struct Counter(Vec<u64>);

impl Progress for Counter {
    fn begin(&mut self, _what: &str, _total: u64) {}

    fn advance(&mut self, by: u64) {
        self.0.push(by);
    }

    fn end(&mut self) {}
}

#[test]
fn a_killed_run_is_resumed_with_the_same_bits() {
    for at_the_end in [true, false] {
        let files = files("killed", at_the_end);
        let path = files.root.join("checkpoint");
        let whole = with_run(&files.root, |run| finish(&files, run, &mut Silent));
        for killed_after in 1..u64::from(STEPS) {
            let _ = std::fs::remove_file(&path);
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "run_that_is_killed", "--ignored"])
                .env(FOLDER, &files.root)
                .env(KILLED_AFTER, killed_after.to_string())
                .output()
                .unwrap()
                .status;
            assert!(!status.success());
            let mut counter = Counter::default();
            let resumed = with_run(&files.root, |run| finish(&files, run.resume(&path), &mut counter));
            assert!(resumed == whole, "killed after {killed_after} steps");
            // Those before the checkpoint at once, then the others one by one.
            assert_eq!(counter.0[0], killed_after);
            assert_eq!(counter.0.len() as u64, u64::from(STEPS) - killed_after + 1);
        }
    }
}

#[test]
fn a_checkpoint_can_be_resumed_from_again_and_may_be_rare() {
    let files = files("again", true);
    let path = files.root.join("checkpoint");
    let whole = with_run(&files.root, |run| {
        finish(&files, run.checkpoint_to(&path, 0), &mut Silent)
    });
    // The last checkpoint stands at the end of the last step.
    for _ in 0..2 {
        let run = |run: Run<'_>| finish(&files, run.resume(&path).checkpoint_to(&path, 0), &mut Silent);
        assert!(with_run(&files.root, run) == whole);
    }
    // Saved in the fourth of five steps only.
    let rare = files.root.join("rare");
    with_run(&files.root, |run| {
        finish(&files, run.checkpoint_to(&rare, 4), &mut Silent)
    });
    let mut counter = Counter::default();
    assert!(with_run(&files.root, |run| finish(&files, run.resume(&rare), &mut counter)) == whole);
    assert_eq!(counter.0, [4, 1]);
}

/// Encoded constants are not kept: the file holds little more than w, its state, and the reveal.
#[test]
fn a_checkpoint_holds_what_is_needed_and_no_more() {
    let files = files("small", false);
    let path = files.root.join("checkpoint");
    with_run(&files.root, |run| {
        run.checkpoint_to(&path, 0).start(&mut Silent).unwrap()
    });
    let words = files.plan.plan().parameters().words();
    let value = |level| 8 * words.ciphertext(level, 1, cipherloom_plan::Basis::Q);
    // w, the term that is added to it in the inner loop, the stored state of the step before; the reveal is packed.
    let (least, most) = (3 * value(1), 3 * value(1) + value(0) + 2000);
    let length = std::fs::metadata(&path).unwrap().len();
    assert!((least..most).contains(&length), "{length} not in {least}..{most}");
}

#[test]
fn a_checkpoint_that_is_damaged_or_of_another_run_is_refused() {
    let files = files("refused", true);
    let path = files.root.join("checkpoint");
    with_run(&files.root, |run| {
        run.checkpoint_to(&path, 0).start(&mut Silent).unwrap()
    });
    let keys = EvaluationKeys::read(files.root.join("keys"), &files.plan, &mut Silent).unwrap();
    let inputs = Inputs::open(files.root.join("inputs"), &files.plan).unwrap();
    let message = |plan: &PlanFile, keys: &EvaluationKeys, inputs: &Inputs, path: &Path| match Run::new(
        plan, keys, inputs, RUN,
    )
    .resume(path)
    .start(&mut Silent)
    {
        Ok(_) => panic!("this must be refused"),
        Err(error) => error.to_string(),
    };
    let says =
        |message: String, part: &str| assert!(message.contains(part), "`{message}` does not say `{part}`");

    let bytes = std::fs::read(&path).unwrap();
    let damaged = files.root.join("damaged");
    for length in [0, 50, 96, 200, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&damaged, &bytes[..length]).unwrap();
        says(message(&files.plan, &keys, &inputs, &damaged), "damaged");
    }
    for at in [100, 300, bytes.len() / 2, bytes.len() - 100] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        std::fs::write(&damaged, &flipped).unwrap();
        says(message(&files.plan, &keys, &inputs, &damaged), "BLAKE3");
    }
    says(
        message(&files.plan, &keys, &inputs, &files.root.join("inputs")),
        "a checkpoint",
    );
    says(
        message(&files.plan, &keys, &inputs, &files.root.join("absent")),
        "cannot open",
    );

    // The same, but drawn anew.
    let other_keys = generate_evaluation_keys(&files.plan, &files.secret, &mut Silent).unwrap();
    says(
        message(&files.plan, &other_keys, &inputs, &path),
        "other evaluation keys",
    );
    let other_inputs = encrypt_inputs(&files.plan, &files.secret, &data(), &mut Silent).unwrap();
    says(message(&files.plan, &keys, &other_inputs, &path), "other inputs");

    let other = plan("foreign", true);
    let secret = &files.secret;
    let keys = generate_evaluation_keys(&other, secret, &mut Silent).unwrap();
    let inputs = encrypt_inputs(&other, secret, &data(), &mut Silent).unwrap();
    says(message(&other, &keys, &inputs, &path), "made for plan");
}

/// A plan may bring a state in through an input, or make it itself: then the key holder has none to give.
#[test]
fn a_state_that_is_stored_before_it_is_read_is_no_input() {
    let mut data_of_plan = plan_data("stored first", true);
    let mut input = data_of_plan.ports[1].clone();
    input.kind = PortKind::Input;
    data_of_plan.ports.push(input);
    let read = Instruction {
        level: 1,
        a: 4,
        ..Instruction::new(Op::Input)
    };
    let store = Instruction {
        level: 1,
        b: 1,
        ..Instruction::new(Op::StateStore)
    };
    // Both with buffer 0, which the load then reads again.
    data_of_plan.instructions.splice(0..0, [read, store]);
    let plan = PlanFile::from_bytes(data_of_plan.encode().unwrap()).unwrap();
    let secret = generate_seed().unwrap();
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent).unwrap();
    let inputs = encrypt_inputs(&plan, &secret, &data(), &mut Silent).unwrap();
    let kinds: Vec<PortKind> = inputs.summary(&plan).iter().map(|port| port.kind).collect();
    assert_eq!(kinds, [PortKind::Stream, PortKind::Input]);
    let (outputs, _) = run(&plan, &keys, &inputs, RUN, &mut Silent).unwrap();
    check(&decrypt_outputs(&plan, &secret, &outputs).unwrap());
}

/// In memory or in a file, inputs are the same inputs.
#[test]
fn inputs_are_known_by_what_they_hold() {
    let files = files("inputs", true);
    let path = files.root.join("checkpoint");
    let keys = EvaluationKeys::read(files.root.join("keys"), &files.plan, &mut Silent).unwrap();
    let inputs = encrypt_inputs(&files.plan, &files.secret, &data(), &mut Silent).unwrap();
    let run = Run::new(&files.plan, &keys, &inputs, RUN).checkpoint_to(&path, 0);
    run.start(&mut Silent).unwrap();
    inputs.write(files.root.join("inputs")).unwrap();
    with_run(&files.root, |run| finish(&files, run.resume(&path), &mut Silent));
}
