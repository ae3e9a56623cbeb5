//! Bootstraps, measured: time by phase, levels left, precision, memory.

use std::fmt;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use cipherloom_compiler::params::search::Choice;
use cipherloom_compiler::params::{BootstrapSet, Bootstrapping, SETS};
use cipherloom_compiler::pipeline::study::{Study, search_parameters};
use cipherloom_compiler::report::Profile;
use cipherloom_compiler::target::Target;
use cipherloom_host::{
    EvaluationKeys, Inputs, PlanFile, Run, RunOptions, RunReport, SecretSeed, Silent, Tensor,
    decrypt_outputs, encrypt_inputs, forget_peak_memory, generate_evaluation_keys, generate_seed,
};
use cipherloom_plan::{KeyKind, Op, Plan};
use serde::Serialize;

use crate::error::{CliError, Result};

/// Vectors whose errors are measured.
const VECTORS: u32 = 8;

type Data = std::collections::BTreeMap<String, Tensor>;

/// A part of a bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    SlotsToCoeffs,
    ModRaise,
    CoeffsToSlots,
    EvalMod,
}

/// One set on so many threads: a line of the report, in JSON as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Name of the set.
    pub set: &'static str,
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Slots of a vector.
    pub slots: u32,
    /// `real` or `complex`.
    pub kind: &'static str,
    /// Threads.
    pub threads: usize,
    /// Seconds of a bootstrap, mean over the vectors, without the encoding of plaintexts, which is done once.
    pub seconds: f64,
    /// Of them in SlotsToCoeffs.
    pub slots_to_coeffs_seconds: f64,
    /// Of them in the modulus raise and the switches to the ephemeral secret and back.
    pub mod_raise_seconds: f64,
    /// Of them in CoeffsToSlots.
    pub coeffs_to_slots_seconds: f64,
    /// Of them in EvalMod.
    pub eval_mod_seconds: f64,
    /// Levels left.
    pub usable_levels: u32,
    /// log2 of their scale.
    pub log_scale: u32,
    /// −log2 of the mean error of values in [−1, 1].
    pub precision_mean_bits: f64,
    /// −log2 of the largest error.
    pub precision_worst_bits: f64,
    /// log2 of the probability that a bootstrap fails.
    pub log2_failure: f64,
    /// Bytes of all switching keys, expanded.
    pub key_bytes: u64,
    /// Bytes of the encoded diagonals.
    pub plaintext_bytes: u64,
    /// Most memory of the process.
    pub peak_memory_bytes: u64,
    /// What each kind of operation took in the whole run.
    #[serde(skip)]
    pub profile: Profile,
}

impl Line {
    /// The titles of the columns.
    pub fn header() -> String {
        format!(
            "{:<16} {:>3} {:>6} {:>8} {:>3} {:>8}  {:>6} {:>6} {:>6} {:>6}  {:>6} {:>5} {:>11} {:>8} {:>6} {:>6} {:>6}",
            "set",
            "N",
            "slots",
            "kind",
            "thr",
            "seconds",
            "StC",
            "raise",
            "CtS",
            "mod",
            "levels",
            "scale",
            "bits",
            "failure",
            "keys",
            "plain",
            "peak"
        )
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gigabytes = |bytes: u64| format!("{:.1}G", bytes as f64 / 1e9);
        write!(
            f,
            "{:<16} {:>3} {:>6} {:>8} {:>3} {:>8.3}  {:>6.3} {:>6.3} {:>6.3} {:>6.3}  {:>6} {:>5} {:>5.1}/{:<5.1} {:>8} {:>6} {:>6} {:>6}",
            self.set,
            self.log_n,
            self.slots,
            self.kind,
            self.threads,
            self.seconds,
            self.slots_to_coeffs_seconds,
            self.mod_raise_seconds,
            self.coeffs_to_slots_seconds,
            self.eval_mod_seconds,
            self.usable_levels,
            self.log_scale,
            self.precision_mean_bits,
            self.precision_worst_bits,
            format!("2^{:.0}", self.log2_failure),
            gigabytes(self.key_bytes),
            gigabytes(self.plaintext_bytes),
            gigabytes(self.peak_memory_bytes),
        )
    }
}

/// Names of the sets.
pub fn names() -> Vec<&'static str> {
    SETS.iter().map(|set| set.name).collect()
}

/// Measures the sets of these names, all if there are none, and shows each line as soon as it is known.
pub fn run(
    names: &[String],
    threads: &[usize],
    quick: bool,
    show: &mut dyn FnMut(&Line) -> Result<()>,
) -> Result<()> {
    for set in SETS {
        if names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(set.name)) {
            measure(&set, threads, quick, show)?;
        }
    }
    Ok(())
}

/// A table of the best parameters for each set's ring and slots, by predicted seconds per usable level.
pub fn search(names: &[String]) -> Vec<String> {
    const SHOWN: usize = 12;
    let mut lines = Vec::new();
    for set in SETS {
        if !names.is_empty() && !names.iter().any(|name| name.eq_ignore_ascii_case(set.name)) {
            continue;
        }
        lines.push(format!(
            "{:<16} {:>4} {:>4} {:>7} {:>7} {:>9} {:>9} {:>6} {:>6} {:>6} {:>8} {:>8}",
            set.name,
            "StC",
            "CtS",
            "degree",
            "levels",
            "seconds",
            "per level",
            "bits",
            "alpha",
            "keys",
            "error",
            "failure"
        ));
        for candidate in search_parameters(&Study::of(&set)).iter().take(SHOWN) {
            let Bootstrapping {
                to_coefficients,
                to_slots,
                degree,
                usable,
                ..
            } = candidate.bootstrapping;
            lines.push(format!(
                "{:<16} {:>4} {:>4} {:>7} {:>7} {:>9.3} {:>9.4} {:>6.0} {:>6} {:>5.1}G {:>8} {:>8}",
                "",
                to_coefficients,
                to_slots,
                degree,
                usable,
                candidate.seconds,
                candidate.seconds_per_level(),
                candidate.modulus_bits,
                candidate.digit_limbs,
                candidate.key_bytes as f64 / 1e9,
                format!("2^{:.1}", candidate.error.log2()),
                format!("2^{:.0}", candidate.log2_failure),
            ));
        }
    }
    lines
}

/// A set's study: `vectors` of them, or one vector `rounds` times; for a look in a ring that protects nothing.
fn study(set: &BootstrapSet, vectors: u32, rounds: u32, quick: bool) -> Study {
    let smaller = if quick { set.log_n - 11 } else { 0 };
    Study {
        log_n: set.log_n - smaller,
        log_slots: set.log_slots - smaller,
        vectors,
        rounds,
        toy: quick,
        ..Study::of(set)
    }
}

/// A study's plan with keys and random inputs in [−1, 1].
struct Prepared {
    plan: PlanFile,
    choice: Choice,
    secret: SecretSeed,
    keys: EvaluationKeys,
    data: Data,
    inputs: Inputs,
    parts: &'static [(&'static str, &'static str)],
}

impl Prepared {
    fn new(set: &BootstrapSet, study: &Study) -> Result<Self> {
        let refused = |error: &dyn fmt::Display| CliError::new(format!("{}: {error}", set.name), "");
        let (plan, choice) = study.plan().map_err(|refusal| refused(&refusal.message))?;
        let plan = PlanFile::from_bytes(plan).map_err(|error| refused(&error))?;
        let secret = generate_seed()?;
        let keys = generate_evaluation_keys(&plan, &secret, &mut Silent)?;
        let shape = vec![study.vectors as usize, 1 << study.log_slots];
        let parts: &[(&str, &str)] = if set.complex {
            &[("x", "y"), ("x_imaginary", "y_imaginary")]
        } else {
            &[("x", "y")]
        };
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        // In [−1, 1).
        let mut number = || rng.next_u32().cast_signed() as f64 / 2f64.powi(31);
        let mut data = Data::new();
        for (input, _) in parts {
            let values = (0..shape.iter().product()).map(|_| number()).collect();
            data.insert((*input).to_owned(), Tensor::new(shape.clone(), values)?);
        }
        let inputs = encrypt_inputs(&plan, &secret, &data, &mut Silent)?;
        Ok(Self {
            plan,
            choice,
            secret,
            keys,
            data,
            inputs,
            parts,
        })
    }

    /// A run, and the absolute errors of all slots.
    fn run(&self, threads: usize, toy: bool) -> Result<(RunReport, Errors)> {
        let options = RunOptions {
            threads,
            allow_toy: toy,
        };
        let (outputs, report) = Run::new(&self.plan, &self.keys, &self.inputs, options)
            .profile()
            .start(&mut Silent)?;
        let results = decrypt_outputs(&self.plan, &self.secret, &outputs)?;
        let mut errors = Errors::default();
        for (input, output) in self.parts {
            let (x, y) = (&self.data[*input].values, &results[*output].values);
            x.iter().zip(y).for_each(|(x, y)| errors.add((x - y).abs()));
        }
        Ok((report, errors))
    }
}

/// Absolute errors, summed up.
#[derive(Default)]
struct Errors {
    count: f64,
    sum: f64,
    squares: f64,
    worst: f64,
}

impl Errors {
    fn add(&mut self, error: f64) {
        self.count += 1.0;
        self.sum += error;
        self.squares += error * error;
        // What is no number is as wrong as can be.
        self.worst = if error.is_nan() {
            f64::INFINITY
        } else {
            self.worst.max(error)
        };
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    fn rms(&self) -> f64 {
        (self.squares / self.count).sqrt()
    }
}

fn measure(
    set: &BootstrapSet,
    threads: &[usize],
    quick: bool,
    show: &mut dyn FnMut(&Line) -> Result<()>,
) -> Result<()> {
    forget_peak_memory();
    let study = study(set, if quick { 2 } else { VECTORS }, 1, quick);
    let prepared = Prepared::new(set, &study)?;
    for &threads in threads {
        let (report, errors) = prepared.run(threads, quick)?;
        let view = prepared.plan.plan();
        let phases = phases(&view, &report, f64::from(study.vectors));
        let bits = |error: f64| -error.max(f64::MIN_POSITIVE).log2();
        show(&Line {
            set: set.name,
            log_n: study.log_n,
            slots: 1 << study.log_slots,
            kind: if set.complex { "complex" } else { "real" },
            threads,
            seconds: phases.iter().sum(),
            slots_to_coeffs_seconds: phases[Phase::SlotsToCoeffs as usize],
            mod_raise_seconds: phases[Phase::ModRaise as usize],
            coeffs_to_slots_seconds: phases[Phase::CoeffsToSlots as usize],
            eval_mod_seconds: phases[Phase::EvalMod as usize],
            usable_levels: set.bootstrapping.usable,
            log_scale: set.log_scale,
            precision_mean_bits: bits(errors.mean()),
            precision_worst_bits: bits(errors.worst),
            log2_failure: set.bootstrapping.log2_failure(study.log_slots, set.complex),
            key_bytes: prepared.choice.key_bytes,
            plaintext_bytes: plaintext_bytes(&view),
            peak_memory_bytes: report.peak_memory_bytes,
            profile: Profile::new(
                &view,
                &Target::server(threads as u32),
                &report.instruction_seconds,
            ),
        })?;
    }
    Ok(())
}

/// One vector bootstrapped again and again.
#[derive(Clone, Debug, Serialize)]
pub struct Rounds {
    /// Name of the set.
    pub set: &'static str,
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Bootstraps, one after the other.
    pub rounds: u32,
    /// Threads.
    pub threads: usize,
    /// Seconds of all.
    pub seconds: f64,
    /// Root mean square of the errors of values in [−1, 1] after the last.
    pub error_rms: f64,
    /// The largest of them.
    pub error_worst: f64,
    /// Predicted bound of the root mean square.
    pub error_predicted: f64,
    /// Most memory of the process.
    pub peak_memory_bytes: u64,
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} bootstraps in a row at N = 2^{}, {} threads: {:.1} s, error {:.2e} (largest {:.2e}, predicted {:.2e})",
            self.set,
            self.rounds,
            self.log_n,
            self.threads,
            self.seconds,
            self.error_rms,
            self.error_worst,
            self.error_predicted
        )
    }
}

/// Bootstraps one vector so often with each of the sets of these names, the first if there are none. An error if the
/// result is further off than predicted: root mean square, or six times that in any slot.
pub fn rounds(
    names: &[String],
    rounds: u32,
    threads: &[usize],
    quick: bool,
    show: &mut dyn FnMut(&Rounds) -> Result<()>,
) -> Result<()> {
    let wanted = |set: &&BootstrapSet| match names {
        [] => set.name == SETS[0].name,
        names => names.iter().any(|name| name.eq_ignore_ascii_case(set.name)),
    };
    for set in SETS.iter().filter(wanted) {
        let study = study(set, 1, rounds, quick);
        let prepared = Prepared::new(set, &study)?;
        let predicted = prepared.choice.errors.iter().copied().fold(0.0, f64::max);
        for &threads in threads {
            let (report, errors) = prepared.run(threads, quick)?;
            show(&Rounds {
                set: set.name,
                log_n: study.log_n,
                rounds,
                threads,
                seconds: report.total_seconds,
                error_rms: errors.rms(),
                error_worst: errors.worst,
                error_predicted: predicted,
                peak_memory_bytes: report.peak_memory_bytes,
            })?;
            if !(errors.rms() <= predicted && errors.worst <= 6.0 * predicted) {
                return Err(CliError::new(
                    format!(
                        "{}: after {rounds} bootstraps errors exceed what was predicted",
                        set.name
                    ),
                    "",
                ));
            }
        }
    }
    Ok(())
}

/// Seconds of each phase of one bootstrap. A phase begins where the secret is switched, where the conjugate is taken, and
/// where a ciphertext is decomposed again after EvalMod, which never decomposes.
fn phases(plan: &Plan<'_>, report: &RunReport, bootstraps: f64) -> [f64; 4] {
    let conjugation = (2u32 << plan.parameters().log_n()) - 1;
    let kind = |key: u32| plan.key(key as usize).map(|key| key.kind);
    let mut phase = Phase::SlotsToCoeffs;
    let mut raised = false;
    let mut seconds = [0.0; 4];
    for (instruction, &took) in plan.instructions().zip(&report.instruction_seconds) {
        match instruction.op {
            Op::Encode | Op::Input | Op::Output => continue,
            Op::SwitchSecret if kind(instruction.b) == Some(KeyKind::ToSparse) => phase = Phase::ModRaise,
            Op::SwitchSecret => raised = true,
            Op::Decompose if phase == Phase::EvalMod => phase = Phase::SlotsToCoeffs,
            _ if raised && phase == Phase::ModRaise => phase = Phase::CoeffsToSlots,
            _ => {}
        }
        if instruction.op == Op::Decompose && phase == Phase::SlotsToCoeffs {
            raised = false;
        }
        seconds[phase as usize] += took / bootstraps;
        if instruction.op == Op::Rotate && kind(instruction.b) == Some(KeyKind::Galois(conjugation)) {
            phase = Phase::EvalMod;
        }
    }
    seconds
}

/// Bytes of all plaintexts that are encoded.
fn plaintext_bytes(plan: &Plan<'_>) -> u64 {
    let words = plan.parameters().word_bits() as u64 / 8;
    let encodes = plan
        .instructions()
        .filter(|instruction| instruction.op == Op::Encode);
    encodes
        .filter_map(|instruction| plan.buffer(instruction.dst as usize))
        .map(|buffer| buffer.words * words)
        .sum()
}
