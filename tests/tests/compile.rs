//! What compiling the bundled examples promises.

use cipherloom_compiler::ir;
use cipherloom_compiler::options::Options;
use cipherloom_plan::{Plan, verify_alloc};
use cipherloom_tests::{compiled, toy};

const SPAM: &str = include_str!("../../examples/spam/spam.loom");
const LINEAR: &str = include_str!("../../examples/linear/linear.loom");

#[test]
fn spam_fits_at_least_five_secure_steps() {
    let compiled = compiled(SPAM, &Options::default());
    let plan = Plan::parse(&compiled.plan).unwrap();
    let parameters = plan.parameters();
    assert!(parameters.steps() >= 5, "{} steps", parameters.steps());
    assert_eq!((parameters.log_n(), parameters.toy()), (16, false));
    assert!(parameters.security_bits() >= 128);
    let modulus_bits: f64 = parameters
        .q()
        .iter()
        .chain(parameters.p().iter())
        .map(|prime| (prime as f64).log2())
        .sum();
    assert!(modulus_bits <= 1747.0, "{modulus_bits} bits");
    for port in plan.ports() {
        assert!(
            port.error() < 1e-4,
            "{}: predicted error {:e}",
            port.name(),
            port.error()
        );
    }
    verify_alloc(&plan).unwrap();
}

#[test]
fn every_dialect_prints_and_parses_back() {
    for text in [SPAM, LINEAR] {
        let compiled = compiled(
            text,
            &Options {
                steps: Some(2),
                ..Options::default()
            },
        );
        for dialect in ["tensor", "approximated", "slot", "ckks"] {
            let printed = compiled.dump(dialect).unwrap();
            let parsed = ir::parse(&printed).unwrap_or_else(|error| panic!("{dialect}: {error}"));
            ir::verify(&parsed).unwrap_or_else(|error| panic!("{dialect}: {error}"));
            assert_eq!(ir::print(&parsed), printed, "{dialect}");
        }
    }
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    for options in [
        toy(11, 3),
        Options {
            steps: Some(2),
            ..Options::default()
        },
    ] {
        assert_eq!(compiled(SPAM, &options).plan, compiled(SPAM, &options).plan);
    }
}
