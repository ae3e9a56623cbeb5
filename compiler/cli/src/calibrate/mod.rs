//! The cost table of this machine: operations measured, and the times of their elementary work fitted.

mod fit;

use std::collections::BTreeMap;

use cipherloom_compiler::analysis::cost::Work;
use cipherloom_compiler::target::{Costs, Term, TermCosts, ThreadTimes};
use cipherloom_host::Backend;

use self::fit::{Sample, fit, predict};
use crate::bench::kit::{self, Kit};
use crate::bench::on_threads;
use crate::bench::operation::Operation;
use crate::bench::set::Chain;
use crate::bench::timing::Effort;
use crate::error::Result;
use crate::machine;

/// Bits of primes that SIMD kernels take, and of such that they do not.
const NARROW: u32 = 49;
const WIDE: u32 = 59;
/// log2 N, limbs and limbs of a digit of the rings that are measured: such as the compiler chooses.
const RINGS: [(u32, usize, u32); 6] = [
    (12, 3, 1),
    (13, 5, 2),
    (14, 9, 3),
    (15, 16, 6),
    (16, 25, 5),
    (16, 33, 11),
];
/// Of them those that large primes are measured on too: no plan of this compiler has such.
const WIDE_RINGS: std::ops::Range<usize> = 1..4;
/// As little as tells anything.
const FEW_RINGS: [(u32, usize, u32); 2] = [(11, 3, 1), (12, 5, 2)];
/// Operands are spread over so many bytes for each word of a limb, as far as in a plan: large rings come from memory.
const SPREAD: usize = 1 << 13;

/// A measured operation.
#[derive(Clone, Debug)]
pub struct Measurement {
    pub operation: Operation,
    pub prime_bits: u32,
    pub threads: usize,
    pub log_n: u32,
    pub level: usize,
    pub special: u32,
    pub digit_limbs: u32,
    work: Work,
    /// Nanoseconds.
    pub measured: f64,
    /// Nanoseconds that the fitted table gives.
    pub fitted: f64,
}

/// Measures this machine. Tells how many rings are measured, then each that is done.
pub fn run(
    quick: bool,
    command: String,
    mut progress: impl FnMut(usize) + Send,
) -> Result<(Costs, Vec<Measurement>)> {
    let effort = if quick { Effort::QUICK } else { Effort::CALIBRATE };
    let mut all = Vec::new();
    let mut class = |prime_bits| -> Result<TermCosts> {
        let mut measurements = Vec::new();
        for &(log_n, limbs, digit_limbs) in rings_for(prime_bits, quick) {
            let chain = Chain {
                log_n,
                limbs,
                bits: prime_bits,
                digit_limbs,
            };
            let spread = if quick { 0 } else { SPREAD << log_n };
            Kit::with(chain, spread, |kit| {
                measure(kit, prime_bits, effort, &mut measurements)
            })?;
            progress(1);
        }
        let costs = table(&mut measurements);
        all.append(&mut measurements);
        Ok(costs)
    };
    let costs = Costs {
        machine: machine::name(),
        backend: Backend::active().to_string(),
        command,
        narrow: class(NARROW)?,
        wide: class(WIDE)?,
    };
    Ok((costs, all))
}

/// Rings that a run measures.
pub fn rings(quick: bool) -> usize {
    [NARROW, WIDE]
        .map(|bits| rings_for(bits, quick).len())
        .iter()
        .sum()
}

fn rings_for(prime_bits: u32, quick: bool) -> &'static [(u32, usize, u32)] {
    match (quick, prime_bits) {
        (true, _) => &FEW_RINGS,
        (false, WIDE) => &RINGS[WIDE_RINGS],
        _ => &RINGS,
    }
}

/// All operations in a ring, from its top level, from half of it and from near the bottom, on one thread and two.
fn measure(kit: &mut Kit<'_>, prime_bits: u32, effort: Effort, into: &mut Vec<Measurement>) -> Result<()> {
    let top = kit.level;
    let mut levels = vec![top, top / 2, top / 6];
    levels.retain(|&level| level > 0);
    levels.dedup();
    for threads in [1, 2] {
        on_threads(threads, || {
            for &level in &levels {
                kit.level = level;
                let once = [Operation::Tables, Operation::Touch];
                let once = once.into_iter().filter(|_| level == top);
                for operation in Operation::FITTED.into_iter().chain(once) {
                    operation.run(kit).map_err(kit::impossible)?;
                    let timing = effort.time(|| operation.run(kit).unwrap_or(()));
                    let shape = kit.shape();
                    into.push(Measurement {
                        operation,
                        prime_bits,
                        threads,
                        log_n: shape.log_n,
                        level,
                        special: shape.special,
                        digit_limbs: shape.digit_limbs,
                        work: operation.work(kit),
                        measured: 1e9 * timing.quiet(),
                        fitted: 0.0,
                    });
                }
            }
            Ok(())
        })?;
        kit.level = top;
    }
    Ok(())
}

/// What a time is fitted for: a term, and for transforms the ring degree.
type Kind = (Term, u32);

/// The times of all terms that fit some measurements best, on one thread and on two.
fn table(measurements: &mut [Measurement]) -> TermCosts {
    let degrees: std::collections::BTreeSet<u32> = measurements.iter().map(|m| m.log_n).collect();
    let transforms = degrees.into_iter().map(|log_n| (Term::Transform, log_n));
    let others = Term::ALL.into_iter().filter(|&term| term != Term::Transform);
    let kinds: Vec<Kind> = transforms.chain(others.map(|term| (term, 0))).collect();
    let units = |measurement: &Measurement| -> Vec<f64> {
        let units = |&(term, log_n): &Kind| match term {
            Term::Transform if log_n != measurement.log_n => 0.0,
            term => measurement.work.of(term),
        };
        kinds.iter().map(units).collect()
    };
    let mut times: BTreeMap<Kind, ThreadTimes> = BTreeMap::new();
    for threads in [1, 2] {
        let mut chosen: Vec<&mut Measurement> =
            measurements.iter_mut().filter(|m| m.threads == threads).collect();
        let sample = |m: &&mut Measurement| Sample {
            units: units(m),
            measured: m.measured,
            weight: weight(m.log_n),
        };
        let samples: Vec<Sample> = chosen.iter().map(sample).collect();
        let coefficients = fit(&samples, kinds.len());
        for (measurement, sample) in chosen.iter_mut().zip(&samples) {
            measurement.fitted = predict(&sample.units, &coefficients);
        }
        for (&kind, time) in kinds.iter().zip(coefficients) {
            times.entry(kind).or_default().0[threads - 1] = time;
        }
    }
    let (transform, terms): (Vec<_>, Vec<_>) = times
        .into_iter()
        .partition(|((term, _), _)| *term == Term::Transform);
    TermCosts {
        transform: transform
            .into_iter()
            .map(|((_, log_n), times)| (log_n, times))
            .collect(),
        terms: terms
            .into_iter()
            .map(|((term, _), times)| (term, times))
            .collect(),
    }
}

/// How much a measurement counts: plans live in large rings, where operands come from memory, not from a cache.
fn weight(log_n: u32) -> f64 {
    4f64.powi(log_n as i32 - 15).min(1.0)
}

/// The measurements as a table that a spreadsheet reads, with the command that made them on its first line.
pub fn to_csv(costs: &Costs, measurements: &[Measurement]) -> String {
    let mut text = format!(
        "# {}; {}, {} kernels\noperation,prime_bits,log_n,level,special,digit_limbs,threads,measured_us,fitted_us\n",
        costs.command, costs.machine, costs.backend
    );
    for m in measurements {
        text += &format!(
            "{},{},{},{},{},{},{},{:.3},{:.3}\n",
            m.operation.name(),
            m.prime_bits,
            m.log_n,
            m.level,
            m.special,
            m.digit_limbs,
            m.threads,
            1e-3 * m.measured,
            1e-3 * m.fitted
        );
    }
    text
}
