//! What people look at: everything that a plan's bytes say, as a value that prints as text and serialises as JSON.
//!
//! A report is made from the plan alone, never from the compiler's IR, so that it is true of any plan, whoever made it.
//! The source text, where it is at hand, only turns byte offsets into lines.

mod devices;
mod keys;
mod memory;
mod notes;
mod parameters;
mod ports;
mod profile;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod units;

use cipherloom_plan::{Op, Plan};
use serde::Serialize;

pub use devices::{DeviceReport, ProgramReport};
pub use keys::{KeyReport, KeysReport};
pub use memory::{MemoryReport, PeakGroup};
pub use notes::{approximations, assumptions, layouts, refreshed};
pub use parameters::ParametersReport;
pub use ports::{PortReport, error_text};
pub use profile::{Profile, ProfileLine};
pub use text::table;
pub use timeline::{OperationCount, Stage, StepReport, Timeline};
pub use units::{bytes, seconds};

use crate::analysis::cost::{CostModel, PlanCost};
use crate::source::{Source, Span};
use crate::target::Target;

/// A plan, described.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The graph's name.
    pub name: String,
    /// The plan's hash, in hexadecimal.
    pub hash: String,
    /// Ring, chain, security.
    pub parameters: ParametersReport,
    /// Where data come in and go out, with the predicted error of what goes out.
    pub ports: Vec<PortReport>,
    /// What happens at which level.
    pub timeline: Timeline,
    /// The switching keys.
    pub keys: KeysReport,
    /// The memory of a run.
    pub memory: MemoryReport,
    /// What microcontrollers can do with the plan.
    pub devices: Vec<DeviceReport>,
    /// The one of them that was asked for last.
    pub device: Option<&'static str>,
    /// Predicted seconds of the whole run, on the target that was asked for last.
    pub seconds: f64,
    /// Predicted seconds of one training step, the mean of all steps; of everything but the start where there is none.
    pub seconds_per_step: f64,
    /// The same for one thread, two threads and as many as the target has.
    pub predictions: Vec<Prediction>,
    /// Bytes of all encrypted inputs and of one mini-batch of every stream.
    pub input_bytes: u64,
    /// Bytes of all outputs and reveals.
    pub output_bytes: u64,
    /// Bootstraps of the run.
    pub bootstraps: u64,
    /// log2 of a bound on the probability that one of them fails; 0 where there are none.
    pub bootstrap_log2_failure: f64,
    /// log2 of a bound on the probability that any of the run fails.
    pub log2_failure: f64,
    /// What the compiler remarked when it made the plan; empty when the plan was read from a file.
    pub notes: Vec<String>,
}

impl Report {
    /// Describes a plan. `source` is the text that it was compiled from, if it is at hand; `notes` are the remarks of the
    /// compilation.
    pub fn new(plan: &Plan<'_>, source: Option<&Source>, notes: &[String]) -> Self {
        let estimates = plan.estimates();
        let bootstraps = bootstraps(plan);
        let mut report = Self {
            name: plan.name().to_owned(),
            hash: plan.hash().iter().map(|byte| format!("{byte:02x}")).collect(),
            parameters: ParametersReport::new(&plan.parameters()),
            ports: plan.ports().map(|port| PortReport::new(&port)).collect(),
            timeline: Timeline::new(plan, source),
            keys: KeysReport::new(plan),
            memory: MemoryReport::new(plan, source),
            devices: DeviceReport::all(plan),
            device: None,
            seconds: 0.0,
            seconds_per_step: 0.0,
            input_bytes: estimates.input_bytes,
            output_bytes: estimates.output_bytes,
            bootstraps,
            bootstrap_log2_failure: estimates.bootstrap_log2_failure,
            log2_failure: (estimates.bootstrap_log2_failure + (bootstraps.max(1) as f64).log2()).min(0.0),
            notes: notes.to_vec(),
            predictions: Vec::new(),
        };
        report.predict(plan, &Target::default());
        report
    }

    /// Predicts times anew, for a target other than the default one.
    pub fn predict(&mut self, plan: &Plan<'_>, target: &Target) {
        let on = |threads| {
            let target = Target {
                threads,
                ..target.clone()
            };
            let PlanCost {
                seconds,
                seconds_per_step,
            } = CostModel::plan(plan, &target);
            Prediction {
                threads,
                seconds,
                seconds_per_step,
            }
        };
        self.device = target.device.map(|device| device.name);
        let asked = on(target.threads);
        (self.seconds, self.seconds_per_step) = (asked.seconds, asked.seconds_per_step);
        self.predictions = match target.threads {
            1 if target.device.is_some() => vec![asked],
            1 | 2 => vec![on(1), on(2)],
            _ => vec![on(1), on(2), asked],
        };
    }

    /// Number of instructions of the plan.
    pub fn instructions(&self) -> usize {
        let steps = &self.timeline.steps;
        steps.first().map_or(0, |step| step.first_instruction)
            + steps.iter().map(|step| step.instructions).sum::<usize>()
    }
}

/// How often a plan raises a modulus: once in each bootstrap.
fn bootstraps(plan: &Plan<'_>) -> u64 {
    let mut times = vec![1u64];
    let mut raised = 0;
    for instruction in plan.instructions() {
        let now = times.last().copied().unwrap_or(1);
        match instruction.op {
            Op::Loop => times.push(now.saturating_mul(u64::from(instruction.a))),
            Op::End => drop(times.pop()),
            Op::ModRaise => raised += now,
            _ => {}
        }
    }
    raised
}

/// Predicted times on some number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Threads.
    pub threads: u32,
    /// Seconds of the whole run.
    pub seconds: f64,
    /// Seconds of one training step.
    pub seconds_per_step: f64,
}

/// The part of the source that instructions come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// First byte in the source text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Line of the first byte, counted from 1, where the source is at hand.
    pub line: Option<usize>,
    /// What stands there, on one line, where the source is at hand.
    pub text: Option<String>,
}

impl Place {
    /// A place in the source; line and text only where the source is at hand.
    fn new(span: Span, source: Option<&Source>) -> Self {
        let source = source.filter(|_| !span.is_none());
        Self {
            start: span.start,
            end: span.end,
            line: source.map(|source| source.position(span.start).0),
            text: source.map(|source| {
                source
                    .slice(span)
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
            }),
        }
    }

    /// Where instruction `index` comes from.
    fn of(plan: &Plan<'_>, source: Option<&Source>, index: usize) -> Self {
        let span = plan.span(index).map(|span| Span {
            start: span.start,
            end: span.end,
        });
        Self::new(span.unwrap_or_default(), source)
    }
}
