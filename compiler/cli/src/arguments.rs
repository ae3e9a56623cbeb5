//! What several commands take: a graph, and how to compile it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cipherloom_compiler::diagnostic::Diagnostics;
use cipherloom_compiler::ir::Opcode;
use cipherloom_compiler::options::{Options, TensorData};
use cipherloom_compiler::pipeline::{Compiled, compile};
use cipherloom_compiler::report;
use cipherloom_compiler::sema::{self, Given};
use cipherloom_compiler::source::Source;
use cipherloom_compiler::target::{Costs, Target};
use clap::Args;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser};

use crate::data::{self, Arrays, Data, Declared};
use crate::error::{CliError, Result};
use crate::ui::Ui;

/// The data in the clear, and how they are scaled.
#[derive(Clone, Debug, Args)]
pub struct DataOptions {
    /// The data: .npz, .npy, .csv or .safetensors
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Multiply the data of an input or stream by a number other than 0; may be repeated
    #[arg(long, value_name = "NAME=FACTOR", value_parser = scale)]
    scale: Vec<(String, f64)>,
}

impl DataOptions {
    /// Reads the file.
    pub fn load(&self) -> Result<Arrays> {
        data::load(&self.data)
    }

    /// Scales what was read from the file, for the inputs and streams of a graph.
    pub fn scaled(&self, arrays: Arrays, declared: &[Declared<'_>]) -> Result<Data> {
        Data::scaled(self.data.clone(), arrays, &self.scale, declared)
    }
}

/// Options that change what is compiled.
#[derive(Clone, Debug, Args)]
pub struct GraphOptions {
    /// Give a const of the graph another value; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, f64)>,
    /// Values of the graph's `weight` declarations: .npz, .npy or .safetensors
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// Options that change how it is compiled.
#[derive(Clone, Debug, Args)]
pub struct PlanOptions {
    #[command(flatten)]
    graph: GraphOptions,
    /// Training steps [default: as many as the modulus chain allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Epochs: after each, the graph's epoch block runs, and training may end
    #[arg(long, value_name = "N", conflicts_with = "steps", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Training steps of an epoch [default: rows of the data divided by the batch, where the data are known]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps_per_epoch: Option<u32>,
    /// log2 of the ring degree [default: the cheapest]
    #[arg(long, value_name = "BITS")]
    log_n: Option<u32>,
    /// log2 of the scale: more bits, more precision, fewer levels [default: the least that is precise enough]
    #[arg(long, value_name = "BITS")]
    log_scale: Option<u32>,
    /// Largest predicted error of an output that is accepted
    #[arg(long, value_name = "ERROR", default_value_t = Options::default().precision, value_parser = positive)]
    precision: f64,
    /// Memory of the server that will run the plan: the fastest plan is made whose keys, arena and inputs fit it [default: 20GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// The machine that will run the plan: its times, and the memory that a microcontroller has
    #[arg(long, value_name = "MACHINE", default_value = "server-avx512", value_parser = PossibleValuesParser::new(Target::names()))]
    target: String,
    /// Bits of a machine word: 64, or 32 so that microcontrollers can encrypt and decrypt too [default: the target's]
    #[arg(long, value_name = "BITS")]
    word_bits: Option<u32>,
    /// Allow parameters below 128-bit security, for tests: the plan is stamped, and protects nothing
    #[arg(long)]
    insecure_toy: bool,
    /// Times of the machine that will run the plan: a file that `calibrate` wrote [default: the target's]
    #[arg(long, value_name = "FILE")]
    costs: Option<PathBuf>,
}

impl GraphOptions {
    /// The compiler's options, all others at their defaults.
    pub fn options(&self) -> Result<Options> {
        let weights = match &self.weights {
            Some(path) => weights(path)?,
            None => BTreeMap::new(),
        };
        Ok(Options {
            set: self.set.iter().cloned().collect(),
            weights,
            ..Options::default()
        })
    }
}

impl PlanOptions {
    /// Whether the user gives a const its value.
    pub fn is_set(&self, name: &str) -> bool {
        self.graph.set.iter().any(|(set, _)| set == name)
    }

    /// Gives consts their values, as `--set` does.
    pub fn set(&mut self, values: impl IntoIterator<Item = (String, f64)>) {
        self.graph.set.extend(values);
    }

    /// Takes the length of an epoch from the data, unless it is given: the rows of the first stream, divided by its batch.
    pub fn epoch_of(&mut self, source: &Source, arrays: &Arrays) -> Result<()> {
        if self.epochs.is_none() || self.steps_per_epoch.is_some() {
            return Ok(());
        }
        // What is wrong with the graph is for the compiler to say.
        let Some(graph) = sema::check(source, &self.graph.options()?, &mut Diagnostics::new()) else {
            self.steps_per_epoch = Some(1);
            return Ok(());
        };
        let walk = graph.walk();
        let streams = walk
            .iter()
            .map(|&op| graph.op(op))
            .filter(|op| op.opcode == Opcode::TensorStream);
        let mut steps = streams.filter_map(|stream| {
            let batch = *graph.ty(stream.results[0]).as_tensor()?.shape.first()?;
            let (_, array) = data::find(arrays, stream.text("name")?, true)?;
            u32::try_from(array.shape.first()? / batch.max(1) as usize).ok()
        });
        self.steps_per_epoch = Some(steps.next().unwrap_or(1).max(1));
        Ok(())
    }

    /// The machine that times are predicted for, with so many threads; 0 for as many as this one has.
    pub fn target(&self, threads: usize) -> Result<Target> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        } as u32;
        let target = Target::named(&self.target, threads).unwrap_or_else(|| Target::server(threads));
        let Some(path) = &self.costs else {
            return Ok(target);
        };
        let text = std::fs::read_to_string(path).map_err(CliError::io(path, "read"))?;
        let costs = Costs::parse(&text).map_err(|error| {
            CliError::new(
                format!("{}: {error}", path.display()),
                "make one with `cipherloom calibrate --output FILE`",
            )
        })?;
        Ok(Target { costs, ..target })
    }

    /// The compiler's options; times are predicted for so many threads, 0 for as many as this machine has.
    pub fn options(&self, threads: usize) -> Result<Options> {
        let steps =
            match (self.epochs, self.steps_per_epoch) {
                (None, _) => self.steps,
                (Some(epochs), Some(steps)) => Some(epochs.checked_mul(steps).ok_or_else(|| {
                    CliError::Usage(format!("{epochs} epochs of {steps} steps are too many"))
                })?),
                (Some(_), None) => {
                    return Err(CliError::Usage(
                        "--epochs needs --steps-per-epoch: rows of the data divided by the batch".to_owned(),
                    ));
                }
            };
        let target = self.target(threads)?;
        let defaults = self.graph.options()?;
        Ok(Options {
            steps,
            memory_bytes: self.memory.unwrap_or(defaults.memory_bytes),
            steps_per_epoch: self.steps_per_epoch,
            log_n: self.log_n,
            log_scale: self.log_scale,
            precision: self.precision,
            word_bits: self.word_bits.unwrap_or(target.word_bits()),
            insecure_toy: self.insecure_toy,
            target,
            ..defaults
        })
    }
}

/// Reads a graph's text.
pub fn read_source(path: &Path) -> Result<Source> {
    let text = std::fs::read_to_string(path).map_err(CliError::io(path, "read"))?;
    Ok(Source::new(path.display().to_string(), text))
}

/// The inputs and streams of a graph; says on standard error why it does not parse.
pub fn given(source: &Source, ui: &Ui) -> Result<Vec<Given>> {
    let mut diagnostics = Diagnostics::new();
    sema::given(source, &mut diagnostics).ok_or_else(|| {
        show(&diagnostics, source, ui);
        CliError::Reported
    })
}

/// Compiles a graph; says on standard error what the compiler has to say.
pub fn compile_graph(source: &Source, options: &Options, ui: &Ui) -> Result<Compiled> {
    let compiled = ui
        .wait("compiling", || compile(source, options))
        .map_err(|diagnostics| {
            show(&diagnostics, source, ui);
            CliError::Reported
        })?;
    show(&compiled.warnings, source, ui);
    Ok(compiled)
}

/// What the compiler chose, for a report; with the layouts that it weighed if they are asked for.
pub fn notes(compiled: &Compiled, source: &Source, with_layouts: bool) -> Vec<String> {
    let mut notes = report::approximations(&compiled.approximations, source);
    notes.extend(report::assumptions(&compiled.assumptions, source));
    notes.extend(report::refreshed(&compiled.refreshed, source));
    if with_layouts {
        notes.extend(report::layouts(&compiled.layouts));
    }
    notes
}

/// Shows diagnostics on standard error.
pub fn show(diagnostics: &Diagnostics, source: &Source, ui: &Ui) {
    if !diagnostics.is_empty() {
        eprintln!("{}\n", diagnostics.render(source, ui.color_errors()));
    }
}

fn weights(path: &Path) -> Result<BTreeMap<String, TensorData>> {
    let arrays = data::load(path)?;
    let convert = |(name, array): (String, data::Array)| {
        let shape: Option<Vec<u32>> = array.shape.iter().map(|&extent| extent.try_into().ok()).collect();
        let shape = shape.ok_or_else(|| {
            CliError::new(
                format!(
                    "{}: array `{name}`: shape {:?} is too large",
                    path.display(),
                    array.shape
                ),
                "an extent is less than 2^32",
            )
        })?;
        Ok((
            name,
            TensorData {
                shape,
                values: array.values,
            },
        ))
    };
    arrays.into_iter().map(convert).collect()
}

/// A number of threads, at least one.
pub fn threads() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1024)
}

fn assignment(text: &str) -> std::result::Result<(String, f64), String> {
    named_number(text, "NAME=VALUE, for example batch=256")
}

fn scale(text: &str) -> std::result::Result<(String, f64), String> {
    let scale = named_number(text, "NAME=FACTOR, for example x=0.125")?;
    match scale.1 {
        factor if factor == 0.0 || !factor.is_finite() => Err("write a number other than 0".to_owned()),
        _ => Ok(scale),
    }
}

/// A name and a number with `=` between them; `form` is for the error.
fn named_number(text: &str, form: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("write {form}"))?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name.trim().to_owned(), value))
}

/// Units of memory by their names, with their bytes.
const UNITS: [(&str, u64); 5] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("", 1),
];

/// A size of memory in bytes, as in `16GiB`.
fn size(text: &str) -> std::result::Result<u64, String> {
    let parts = UNITS
        .iter()
        .find_map(|&(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
    let size = parts.and_then(|(number, bytes)| Some(number.trim().parse::<f64>().ok()? * bytes as f64));
    match size {
        Some(size) if size >= 1.0 && size.is_finite() => Ok(size as u64),
        _ => Err("write a size, for example 16GiB".to_owned()),
    }
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(value) if value > 0.0 => Ok(value),
        _ => Err("write a positive number, for example 1e-4".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{assignment, scale, size};

    #[test]
    fn names_have_numbers() {
        assert_eq!(assignment("batch = 16"), Ok(("batch".to_owned(), 16.0)));
        assert_eq!(scale("x=-0.125"), Ok(("x".to_owned(), -0.125)));
        assert!(["x", "x=", "x=a"].iter().all(|text| assignment(text).is_err()));
        assert!(
            ["x", "x=a", "x=0", "x=-0", "x=inf", "x=NaN", "x=1e999"]
                .iter()
                .all(|text| scale(text).is_err())
        );
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("20GiB"), Ok(20 << 30));
        assert_eq!(size("1.5 GB"), Ok(1_500_000_000));
        assert_eq!(size("640MiB"), Ok(640 << 20));
        assert_eq!(size("4096"), Ok(4096));
        assert!(
            ["", "GiB", "0", "-1GB", "many"]
                .iter()
                .all(|text| size(text).is_err())
        );
    }
}
