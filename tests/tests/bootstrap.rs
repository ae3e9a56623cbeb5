//! Bootstraps on small rings, against the values that went in.

use cipherloom_compiler::params::{Bootstrapping, SETS};
use cipherloom_compiler::pipeline::study::Study;
use cipherloom_host::PlanFile;
use cipherloom_tests::{Data, Numbers, differences, run_plan};

/// Root mean square and largest error of a study's outputs.
fn errors(study: &Study) -> (f64, f64) {
    let (rms, worst, _) = errors_and_prediction(study);
    (rms, worst)
}

/// Root mean square and largest error of a study's outputs, and what is predicted.
fn errors_and_prediction(study: &Study) -> (f64, f64, f64) {
    let (plan, choice) = study
        .plan()
        .unwrap_or_else(|refusal| panic!("{}", refusal.message));
    let predicted = choice.errors.iter().copied().fold(0.0, f64::max);
    let plan = PlanFile::from_bytes(plan).expect("a compiled plan verifies");
    let mut numbers = Numbers::new(3);
    let parts: &[&str] = if study.complex { &["", "_imaginary"] } else { &[""] };
    let data: Data = parts
        .iter()
        .map(|part| {
            (
                format!("x{part}"),
                numbers.tensor(&[study.vectors as usize, 1 << study.log_slots], -1.0, 1.0),
            )
        })
        .collect();
    let encrypted = run_plan(&plan, &data, 2);
    let (mut mean, mut worst) = (0.0f64, 0.0f64);
    for part in parts {
        let (x, y) = (
            &data[&format!("x{part}")],
            &encrypted.results[&format!("y{part}")],
        );
        let (rms, largest) = differences(&x.values, &y.values);
        println!(
            "{part}: rms 2^{:.2}, largest 2^{:.2}; {:.2} s in all, {:.1} GB",
            rms.log2(),
            largest.log2(),
            encrypted.report.total_seconds,
            encrypted.report.peak_memory_bytes as f64 / 1e9
        );
        mean = mean.max(rms);
        worst = worst.max(largest);
    }
    (mean, worst, predicted)
}

fn small(log_n: u32, log_slots: u32, complex: bool) -> Study {
    Study {
        log_n,
        log_slots,
        complex,
        vectors: 1,
        rounds: 1,
        bootstrapping: Bootstrapping::STANDARD,
        log_scale: 40,
        toy: true,
        threads: 1,
    }
}

#[test]
fn real_slots_come_back() {
    let (rms, worst) = errors(&small(11, 10, false));
    assert!(
        rms < 2f64.powi(-16) && worst < 2f64.powi(-14),
        "{rms:e} {worst:e}"
    );
}

#[test]
fn complex_slots_come_back() {
    let (rms, worst) = errors(&small(11, 10, true));
    assert!(
        rms < 2f64.powi(-16) && worst < 2f64.powi(-14),
        "{rms:e} {worst:e}"
    );
}

#[test]
fn few_slots_come_back() {
    let (rms, worst) = errors(&small(11, 7, false));
    assert!(
        rms < 2f64.powi(-16) && worst < 2f64.powi(-14),
        "{rms:e} {worst:e}"
    );
}

/// 200 rounds over one carried vector: the error grows no faster than independent errors would, and nothing fails.
#[test]
fn errors_of_many_rounds_add_up_as_predicted() {
    let one = errors(&small(10, 9, false)).0;
    let study = Study {
        rounds: 200,
        ..small(10, 9, false)
    };
    let (rms, worst, predicted) = errors_and_prediction(&study);
    println!("one {one:e}, 200 {rms:e}, predicted {predicted:e}");
    assert!(
        rms < predicted && worst < 6.0 * predicted,
        "{rms:e} {worst:e} {predicted:e}"
    );
}

/// N = 2^16 with 128-bit security; takes about a minute and 12 GB.
#[test]
#[ignore = "takes a minute and much memory"]
fn full_size() {
    let set = &SETS[0];
    let (rms, worst) = errors(&Study::of(set));
    let (mean_bits, worst_bits) = set.precision_bits;
    assert!(
        rms < (-mean_bits).exp2() && worst < (-worst_bits).exp2(),
        "{rms:e} {worst:e}"
    );
}
