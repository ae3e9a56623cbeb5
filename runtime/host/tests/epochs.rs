//! Epochs: what each hands out, the key holder's answers, in one process and over files.

mod common;

use cipherloom_host::*;
use common::RUN;
use common::closed_loop::{EPOCHS, STEPS, check_after, data, epochs};
use std::path::Path;

/// Everything that a run is made with.
struct Parts {
    plan: PlanFile,
    secret: SecretSeed,
    keys: EvaluationKeys,
    inputs: Inputs,
}

fn parts(name: &str) -> Parts {
    let plan = epochs(name);
    let secret = generate_seed().unwrap();
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent).unwrap();
    let inputs = encrypt_inputs(&plan, &secret, &data(), &mut Silent).unwrap();
    Parts {
        plan,
        secret,
        keys,
        inputs,
    }
}

impl Parts {
    fn run(&self) -> Run<'_> {
        Run::new(&self.plan, &self.keys, &self.inputs, RUN)
    }

    fn check(&self, outputs: &Outputs, epochs: u32) {
        check_after(
            &decrypt_outputs(&self.plan, &self.secret, outputs).unwrap(),
            epochs * STEPS,
        );
    }
}

fn bytes(outputs: &Outputs, folder: &Path) -> Vec<u8> {
    let path = folder.join("outputs");
    outputs.write(&path).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn without_a_key_holder_all_epochs_run() {
    let parts = parts("all");
    let (outputs, report) = parts.run().start(&mut Silent).unwrap();
    assert_eq!((report.epochs, report.best_epoch), (EPOCHS, None));
    assert_eq!(report.step_seconds.len() as u32, EPOCHS * STEPS);
    parts.check(&outputs, EPOCHS);
}

#[test]
fn outputs_are_those_of_the_best_epoch() {
    let parts = parts("best");
    for (best, stop) in [(0, 2), (1, 2), (1, 1), (2, 2), (0, 0)] {
        let mut asked = Vec::new();
        let mut ask = |epoch: u32, outputs: &Outputs| {
            parts.check(outputs, epoch + 1);
            asked.push(epoch);
            Ok(Answer {
                best: epoch == best,
                stop: epoch == stop,
            })
        };
        let (outputs, report) = parts.run().ask(&mut ask).start(&mut Silent).unwrap();
        assert_eq!((report.epochs, report.best_epoch), (stop + 1, Some(best)));
        assert_eq!(report.step_seconds.len() as u32, (stop + 1) * STEPS);
        parts.check(&outputs, best + 1);
        assert_eq!(asked, (0..=stop).collect::<Vec<_>>());
    }
}

/// The key holder is lost at each epoch in turn; the run that is resumed knows the best epoch before.
#[test]
fn the_best_epoch_is_in_the_checkpoint() {
    let parts = parts("lost");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let answer = |epoch: u32| Answer {
        best: epoch == 0,
        stop: false,
    };
    let mut ask = |epoch: u32, _: &Outputs| Ok(answer(epoch));
    let (whole, _) = parts.run().ask(&mut ask).start(&mut Silent).unwrap();
    let whole = bytes(&whole, folder.path());
    // After each epoch only: what comes between is run again.
    for every in [0, u32::MAX] {
        for lost in 0..EPOCHS {
            let _ = std::fs::remove_file(&path);
            let mut ask = |epoch: u32, _: &Outputs| {
                let gone = || "gone away".into();
                (epoch < lost).then(|| answer(epoch)).ok_or_else(gone)
            };
            let run = parts.run().checkpoint_to(&path, every).ask(&mut ask);
            let error = run.start(&mut Silent).err().expect("no answer");
            assert!(error.to_string().contains("gone away"), "{error}");
            assert_eq!(path.exists(), every == 0 || lost > 0);

            let mut asked = Vec::new();
            let mut ask = |epoch: u32, _: &Outputs| {
                asked.push(epoch);
                Ok(answer(epoch))
            };
            let run = parts.run().ask(&mut ask);
            let run = if path.exists() { run.resume(&path) } else { run };
            let (outputs, report) = run.start(&mut Silent).unwrap();
            assert!(
                bytes(&outputs, folder.path()) == whole,
                "lost at {lost}, every {every}"
            );
            assert_eq!((report.epochs, report.best_epoch), (EPOCHS, Some(0)));
            assert_eq!(asked, (lost..EPOCHS).collect::<Vec<_>>());
        }
    }
}

#[test]
fn answers_in_files_are_to_one_epoch() {
    let parts = parts("answers");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer");
    let mut before: Option<Outputs> = None;
    let mut ask = |epoch: u32, outputs: &Outputs| {
        // The key holder has what the server wrote.
        let sent = folder.path().join(format!("epoch {epoch}"));
        outputs.write(&sent)?;
        let received = Outputs::open(&sent, &parts.plan)?;
        assert!(received.is_under(&parts.plan, &parts.secret));
        assert!(!received.is_under(&parts.plan, &generate_seed()?));
        let answer = Answer {
            best: epoch == 1,
            stop: epoch == 2,
        };
        write_answer(&path, &received, answer)?;
        if let Some(before) = &before {
            assert_eq!(read_answer(&path, &parts.plan, before)?, None);
        }
        before = Some(received);
        let read = read_answer(&path, &parts.plan, outputs)?;
        assert_eq!(read, Some(answer));
        Ok(read.unwrap())
    };
    let (_, report) = parts.run().ask(&mut ask).start(&mut Silent).unwrap();
    assert_eq!((report.epochs, report.best_epoch), (3, Some(1)));

    let outputs = before.expect("three epochs");
    assert_eq!(read_answer(&path, &epochs("another"), &outputs).unwrap(), None);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = read_answer(&path, &parts.plan, &outputs).unwrap_err();
    assert!(error.to_string().contains("BLAKE3"), "{error}");
    assert!(read_answer(folder.path().join("absent"), &parts.plan, &outputs).is_err());
}
