//! Training at the shapes of HETAL (Lee and others, ICML 2023), measured: a few steps on generated features.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use cipherloom_compiler::options::Options;
use cipherloom_compiler::pipeline::compile;
use cipherloom_compiler::report::Profile;
use cipherloom_compiler::source::Source;
use cipherloom_compiler::target::Target;
use cipherloom_host::{
    PlanFile, Run, RunOptions, RunReport, Silent, Tensor, encrypt_inputs, forget_peak_memory,
    generate_evaluation_keys, generate_seed, peak_memory_bytes,
};
use cipherloom_plan::{Instruction, Op, Plan};
use serde::Serialize;

use crate::error::{CliError, Result};

/// The graph that is measured.
const GRAPH: &str = include_str!("../../../../examples/hetal/head.loom");
/// Steps that are run; the last one, in which the epoch ends, is not timed.
const STEPS: u32 = 3;
/// Features beside the bias, as in HETAL's 769 columns.
const FEATURES: u32 = 768;
/// Above the levels that a program computes on primes are close to 2^50.
const LARGE_PRIME: u64 = 1 << 48;
/// Transforms at the bottom of a bootstrap lie at most so high.
const TRANSFORMS_BELOW: u8 = 5;

/// One data set of the paper, by the shape of its steps.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Name.
    pub name: &'static str,
    batch: u32,
    classes: u32,
    /// Seconds of a step on an NVIDIA A40, as published.
    published: f64,
}

/// The shapes of the paper.
pub const SHAPES: [Shape; 5] = [
    Shape::new("mnist", 1024, 10, 9.46),
    Shape::new("cifar10", 2048, 10, 15.72),
    Shape::new("facemask", 512, 3, 4.29),
    Shape::new("derma", 1024, 7, 7.06),
    Shape::new("snips", 1024, 7, 6.95),
];

impl Shape {
    const fn new(name: &'static str, batch: u32, classes: u32, published: f64) -> Self {
        Self {
            name,
            batch,
            classes,
            published,
        }
    }
}

/// Names of the shapes.
pub fn names() -> Vec<&'static str> {
    SHAPES.iter().map(|shape| shape.name).collect()
}

/// A part of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Products of matrices.
    Matmul,
    /// Softmax and what the loss makes of it.
    Softmax,
    /// Bootstraps.
    Bootstrap,
    /// New weights.
    Update,
}

/// One shape: a line of the report, in JSON as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Name of the shape.
    pub shape: &'static str,
    /// Rows of a mini-batch.
    pub batch: u32,
    /// Features and the bias.
    pub columns: u32,
    /// Classes.
    pub classes: u32,
    /// Seconds of a step, mean.
    pub seconds_per_step: f64,
    /// HETAL's, on a GPU.
    pub published_seconds: f64,
    /// Seconds of a step that the plan predicted.
    pub predicted_seconds: f64,
    /// Bootstraps in a step.
    pub bootstraps_per_step: u64,
    /// Share of the time in products of matrices.
    pub share_matmul: f64,
    /// In softmax.
    pub share_softmax: f64,
    /// In bootstraps.
    pub share_bootstrap: f64,
    /// In the update of the weights.
    pub share_update: f64,
    /// The most memory of the whole process so far, client and server.
    pub peak_memory_bytes: u64,
    /// What each kind of operation took in the whole run.
    #[serde(skip)]
    pub profile: Profile,
}

impl Line {
    /// Names of the columns.
    pub fn header() -> String {
        "shape     batch columns classes  s/step published predicted boots matmul softmax bootstrap update    peak".to_owned()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<9} {:>5} {:>7} {:>7} {:>7.2} {:>9.2} {:>9.2} {:>5} {:>5.0}% {:>6.0}% {:>8.0}% {:>5.0}% {:>6.1}G",
            self.shape,
            self.batch,
            self.columns,
            self.classes,
            self.seconds_per_step,
            self.published_seconds,
            self.predicted_seconds,
            self.bootstraps_per_step,
            100.0 * self.share_matmul,
            100.0 * self.share_softmax,
            100.0 * self.share_bootstrap,
            100.0 * self.share_update,
            self.peak_memory_bytes as f64 / 1e9,
        )
    }
}

/// Measures the shapes of these names, all if there are none, and shows each line as soon as it is known.
pub fn run(names: &[String], quick: bool, show: &mut dyn FnMut(&Line) -> Result<()>) -> Result<()> {
    for shape in SHAPES {
        if names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(shape.name)) {
            show(&measure(shape, quick)?)?;
        }
    }
    Ok(())
}

/// A look takes a ring that protects nothing and a sixteenth of the features and rows.
fn measure(shape: Shape, quick: bool) -> Result<Line> {
    forget_peak_memory();
    let smaller = if quick { 16 } else { 1 };
    let (batch, features) = (shape.batch / smaller, FEATURES / smaller);
    let failed = |error: &dyn fmt::Display| CliError::new(format!("{}: {error}", shape.name), "");
    let source = Source::new("head.loom", GRAPH);
    let set = [
        ("batch", batch),
        ("features", features),
        ("classes", shape.classes),
        ("validation", batch),
    ];
    let options = Options {
        set: set
            .map(|(name, value)| (name.to_owned(), f64::from(value)))
            .into(),
        steps: Some(STEPS),
        steps_per_epoch: Some(STEPS),
        log_n: quick.then_some(12),
        insecure_toy: quick,
        precision: 1.0,
        ..Options::default()
    };
    let compiled = compile(&source, &options).map_err(|refusal| failed(&refusal.render(&source, false)))?;
    let plan = PlanFile::from_bytes(compiled.plan).map_err(|error| failed(&error))?;
    let secret = generate_seed()?;
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent)?;
    let inputs = encrypt_inputs(
        &plan,
        &secret,
        &features_of(batch, features, shape.classes)?,
        &mut Silent,
    )?;
    let run_options = RunOptions {
        threads: 0,
        allow_toy: quick,
    };
    let (_, report) = Run::new(&plan, &keys, &inputs, run_options)
        .profile()
        .start(&mut Silent)?;
    let view = plan.plan();
    let timed = &report.step_seconds[..STEPS as usize - 1];
    let body = body(&view);
    let shares = shares(&view, &report, body.clone());
    let bootstraps = view.instructions().skip(body.start).take(body.len());
    Ok(Line {
        shape: shape.name,
        batch,
        columns: features + 1,
        classes: shape.classes,
        seconds_per_step: timed.iter().sum::<f64>() / timed.len() as f64,
        published_seconds: shape.published,
        predicted_seconds: view.estimates().seconds_per_step,
        bootstraps_per_step: bootstraps
            .filter(|instruction| instruction.op == Op::ModRaise)
            .count() as u64,
        share_matmul: shares[Part::Matmul as usize],
        share_softmax: shares[Part::Softmax as usize],
        share_bootstrap: shares[Part::Bootstrap as usize],
        share_update: shares[Part::Update as usize],
        peak_memory_bytes: peak_memory_bytes(),
        profile: Profile::new(&view, &Target::default(), &report.instruction_seconds),
    })
}

/// A batch of random features, which stays the same, with labels that follow from them.
fn features_of(batch: u32, features: u32, classes: u32) -> Result<BTreeMap<String, Tensor>> {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    // In [−0.1, 0.1).
    let mut number = || 0.1 * f64::from(rng.next_u32().cast_signed()) / 2f64.powi(31);
    let rows = batch as usize;
    let mut matrix = |rows: usize| -> Result<Tensor> {
        let values = (0..rows * features as usize).map(|_| number()).collect();
        Ok(Tensor::new(vec![rows, features as usize], values)?)
    };
    let (x, x_val) = (matrix(rows)?, matrix(rows)?);
    let class = |row: usize| {
        (0..classes as usize).max_by(|&a, &b| {
            let first = |class: usize| x.values[row * features as usize + class];
            first(a).total_cmp(&first(b))
        })
    };
    let labels = (0..rows).flat_map(|row| {
        let own = class(row);
        (0..classes as usize).map(move |class| f64::from(u8::from(own == Some(class))))
    });
    let y = Tensor::new(vec![rows, classes as usize], labels.collect())?;
    Ok([("x", x), ("y", y), ("x_val", x_val)]
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .into())
}

/// The instructions of a step: those of the innermost loop.
fn body(view: &Plan<'_>) -> Range<usize> {
    let ops: Vec<Op> = view.instructions().map(|instruction| instruction.op).collect();
    let end = ops.iter().position(|&op| op == Op::End).unwrap_or(ops.len());
    let start = ops[..end].iter().rposition(|&op| op == Op::Loop).unwrap_or(0);
    start..end
}

/// The share of each part in the time of the steps.
fn shares(view: &Plan<'_>, report: &RunReport, body: Range<usize>) -> [f64; 4] {
    let mut seconds = [0.0; 4];
    let parts = parts(view);
    for index in body {
        seconds[parts[index] as usize] += report.instruction_seconds[index];
    }
    let total: f64 = seconds.iter().sum();
    seconds.map(|seconds| seconds / total)
}

/// The part that each instruction belongs to: by where the user wrote what it comes from, and for bootstraps by their own
/// levels above those of the program, or by being near a transform of the same origin at the lowest levels.
fn parts(view: &Plan<'_>) -> Vec<Part> {
    let origins = origins(view);
    let instructions: Vec<Instruction> = view.instructions().collect();
    let primes: Vec<u64> = view.parameters().q().iter().collect();
    let usable = primes.iter().rposition(|&prime| prime < LARGE_PRIME).unwrap_or(0);
    let transformed: Vec<Option<&str>> = instructions
        .iter()
        .zip(&origins)
        .filter(|(instruction, _)| instruction.op == Op::MulPlainSum)
        .map(|(_, origin)| *origin)
        .collect();
    let part = |(instruction, origin): (&Instruction, &Option<&str>)| {
        let is_low = instruction.level <= TRANSFORMS_BELOW && transformed.contains(origin);
        match instruction.op {
            _ if usize::from(instruction.level) > usable => Part::Bootstrap,
            Op::MulPlainSum | Op::ModRaise | Op::SwitchSecret => Part::Bootstrap,
            Op::Decompose | Op::RotateAcc | Op::LiftAcc | Op::ModDown | Op::ModDownRescale if is_low => {
                Part::Bootstrap
            }
            _ => match origin.unwrap_or_default() {
                text if text.contains('@') && !text.contains("minimize") => Part::Matmul,
                text if text.starts_with("softmax") || text.starts_with("cross_entropy") => Part::Softmax,
                _ => Part::Update,
            },
        }
    };
    instructions.iter().zip(&origins).map(part).collect()
}

/// The text that each instruction comes from.
fn origins(view: &Plan<'_>) -> Vec<Option<&'static str>> {
    let text = |index| {
        let span = view.span(index)?;
        GRAPH.get(span.start as usize..span.end as usize)
    };
    (0..view.instructions().len()).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_shape_adds_up() {
        let mut lines = Vec::new();
        let mut show = |line: &Line| {
            lines.push(line.clone());
            Ok(())
        };
        run(&["facemask".to_owned()], true, &mut show).expect("measured");
        let [line] = lines.as_slice() else {
            panic!("one shape: {lines:?}")
        };
        let shares = [
            line.share_matmul,
            line.share_softmax,
            line.share_bootstrap,
            line.share_update,
        ];
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{line:?}");
        assert!(shares.iter().all(|&share| share > 0.0), "{line:?}");
        assert!(line.bootstraps_per_step >= 2 && line.seconds_per_step > 0.0);
        assert_eq!((line.batch, line.columns, line.classes), (32, 49, 3));
    }
}
