//! Bootstraps on small rings, against the values that went in.

use cipherloom_compiler::params::Bootstrapping;
use cipherloom_compiler::pipeline::study::Study;
use cipherloom_host::PlanFile;
use cipherloom_tests::{Data, Numbers, differences, run_plan};

/// Mean and worst error of a study's outputs.
fn errors(study: &Study) -> (f64, f64) {
    let (plan, _) = study.plan().unwrap_or_else(|refusal| panic!("{}", refusal.message));
    let plan = PlanFile::from_bytes(plan).expect("a compiled plan verifies");
    let mut numbers = Numbers::new(3);
    let parts: &[&str] = if study.complex { &["", "_imaginary"] } else { &[""] };
    let data: Data = parts
        .iter()
        .map(|part| {
            (
                format!("x{part}"),
                numbers.tensor(&[1 << study.log_slots], -1.0, 1.0),
            )
        })
        .collect();
    let encrypted = run_plan(&plan, &data, 2);
    let (mut mean, mut worst) = (0.0f64, 0.0f64);
    for part in parts {
        let (x, y) = (&data[&format!("x{part}")], &encrypted.results[&format!("y{part}")]);
        let (rms, largest) = differences(&x.values, &y.values);
        println!("{part}: rms 2^{:.2}, largest 2^{:.2}", rms.log2(), largest.log2());
        mean = mean.max(rms);
        worst = worst.max(largest);
    }
    (mean, worst)
}

fn small(log_n: u32, log_slots: u32, complex: bool) -> Study {
    Study {
        log_n,
        log_slots,
        complex,
        bootstraps: 1,
        bootstrapping: Bootstrapping::STANDARD,
        log_scale: 40,
        toy: true,
        threads: 1,
    }
}

#[test]
fn real_slots_come_back() {
    let (rms, worst) = errors(&small(11, 10, false));
    assert!(rms < 2f64.powi(-16) && worst < 2f64.powi(-14), "{rms:e} {worst:e}");
}

#[test]
fn complex_slots_come_back() {
    let (rms, worst) = errors(&small(11, 10, true));
    assert!(rms < 2f64.powi(-16) && worst < 2f64.powi(-14), "{rms:e} {worst:e}");
}

#[test]
fn few_slots_come_back() {
    let (rms, worst) = errors(&small(11, 7, false));
    assert!(rms < 2f64.powi(-16) && worst < 2f64.powi(-14), "{rms:e} {worst:e}");
}
