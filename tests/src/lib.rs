//! End-to-end tests of Cipherloom: a graph's text, compiled, run on ciphertexts and decrypted, against the f64
//! reference. This library is the harness; the tests are in `tests/`.

use std::collections::BTreeMap;

use cipherloom_compiler::ir::Graph;
use cipherloom_compiler::options::Options;
use cipherloom_compiler::pipeline::{Compiled, compile};
use cipherloom_compiler::reference::{Length, Outcome, Reference};
use cipherloom_compiler::source::Source;
use cipherloom_host::{
    PlanFile, RunOptions, RunReport, SecretSeed, Silent, Tensor, decrypt_outputs, encrypt_inputs,
    generate_evaluation_keys, run,
};

/// Arrays by the names that the graph uses.
pub type Data = BTreeMap<String, Tensor>;

/// Reproducible numbers, evenly spread over an interval.
pub struct Numbers(u64);

impl Numbers {
    /// A sequence for a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number in [low, high).
    pub fn next(&mut self, low: f64, high: f64) -> f64 {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (high - low) * ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A tensor of such numbers.
    ///
    /// # Panics
    /// Never: the number of values is that of the shape.
    pub fn tensor(&mut self, shape: &[usize], low: f64, high: f64) -> Tensor {
        let values = (0..shape.iter().product())
            .map(|_| self.next(low, high))
            .collect();
        Tensor::new(shape.to_vec(), values).expect("as many values as the shape holds")
    }
}

/// Options of quick tests: a ring too small to protect anything, and so many steps.
pub fn toy(log_n: u32, steps: u32) -> Options {
    Options {
        insecure_toy: true,
        log_n: Some(log_n),
        steps: Some(steps),
        ..Options::default()
    }
}

/// Compiles a text that has to compile.
///
/// # Panics
/// With the rendered diagnostics, if it does not.
pub fn compiled(text: &str, options: &Options) -> Compiled {
    let source = Source::new("test.loom", text);
    match compile(&source, options) {
        Ok(compiled) => compiled,
        Err(diagnostics) => panic!("{}", diagnostics.render(&source, false)),
    }
}

/// A graph run on ciphertexts.
pub struct Encrypted {
    /// Decrypted outputs and reveals by name.
    pub results: Data,
    /// Standard deviation of the error that the plan predicts for each.
    pub predicted: BTreeMap<String, f64>,
    /// Times and memory.
    pub report: RunReport,
}

/// Encrypts the data, runs the plan on `threads` threads and decrypts.
///
/// # Panics
/// If any of it fails.
pub fn run_encrypted(compiled: &Compiled, data: &Data, threads: usize) -> Encrypted {
    let plan = PlanFile::from_bytes(compiled.plan.clone()).expect("a compiled plan verifies");
    run_plan(&plan, data, threads)
}

/// Encrypts the data, runs a plan on `threads` threads and decrypts.
///
/// # Panics
/// If any of it fails.
pub fn run_plan(plan: &PlanFile, data: &Data, threads: usize) -> Encrypted {
    let secret = SecretSeed::from_bytes([7; 32]);
    let keys = generate_evaluation_keys(plan, &secret, &mut Silent).expect("keys");
    let inputs = encrypt_inputs(plan, &secret, data, &mut Silent).expect("encryption");
    let options = RunOptions {
        threads,
        allow_toy: true,
    };
    let (outputs, report) = run(plan, &keys, &inputs, options, &mut Silent).expect("a run");
    let results = decrypt_outputs(plan, &secret, &outputs).expect("decryption");
    let predicted = plan
        .plan()
        .ports()
        .filter(|port| results.contains_key(port.name()))
        .map(|port| (port.name().to_owned(), port.error()))
        .collect();
    Encrypted {
        results,
        predicted,
        report,
    }
}

/// Runs a graph in f64 on the same batches: batch t modulo the number of batches in step t.
///
/// # Panics
/// If the data does not fit the graph.
pub fn run_clear(graph: &Graph, data: &Data, steps: u32, batch_rows: usize) -> Outcome {
    let inputs = data
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.values.clone()))
        .collect();
    let mut batches = |name: &str, step: usize| {
        let tensor = data.get(name)?;
        let rows = *tensor.shape.first()?;
        let row = tensor.values.len() / rows;
        let batch = step % (rows / batch_rows);
        Some(tensor.values[batch * batch_rows * row..][..batch_rows * row].to_vec())
    };
    let length = Length {
        steps: steps as usize,
        epochs: 1,
    };
    Reference::new(graph)
        .run(&inputs, &mut batches, length)
        .expect("the data fits the graph")
}

/// Root mean square of the differences, and the largest.
pub fn differences(a: &[f64], b: &[f64]) -> (f64, f64) {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    let largest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    ((squares / a.len() as f64).sqrt(), largest)
}
