//! What a run took beside what was predicted, operation by operation.

use std::collections::BTreeMap;

use cipherloom_plan::{Op, Plan};
use serde::Serialize;

use super::table;
use super::text::row;
use crate::analysis::cost::CostModel;
use crate::target::Target;

/// The time of all instructions of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProfileLine {
    /// The operation.
    pub operation: &'static str,
    /// How many instructions the plan has of it.
    pub instructions: usize,
    /// Seconds that they took.
    pub seconds: f64,
    /// Seconds that were predicted for them.
    pub predicted_seconds: f64,
}

/// Where the time of a run went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// One line for each kind of instruction, the longest first.
    pub lines: Vec<ProfileLine>,
}

impl Profile {
    /// From the seconds of each instruction in all its rounds, measured in a whole run of the plan, and a target to predict
    /// them for.
    pub fn new(plan: &Plan<'_>, target: &Target, instruction_seconds: &[f64]) -> Self {
        let mut lines: BTreeMap<Op, ProfileLine> = BTreeMap::new();
        let predicted = CostModel::instructions(plan, target);
        let times = instruction_seconds.iter().zip(predicted);
        for (instruction, (seconds, predicted)) in plan.instructions().zip(times) {
            let line = lines.entry(instruction.op).or_insert(ProfileLine {
                operation: instruction.op.mnemonic(),
                instructions: 0,
                seconds: 0.0,
                predicted_seconds: 0.0,
            });
            line.instructions += 1;
            line.seconds += seconds;
            line.predicted_seconds += predicted;
        }
        let mut lines: Vec<ProfileLine> = lines.into_values().collect();
        lines.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        Self { lines }
    }

    /// Seconds of all instructions.
    pub fn seconds(&self) -> f64 {
        self.lines.iter().map(|line| line.seconds).sum()
    }

    /// A table for people: what takes a thousandth of the time or more.
    pub fn to_text(&self) -> String {
        let all = self.seconds();
        let mut rows = vec![row([
            "operation",
            "instructions",
            "seconds",
            "share",
            "predicted",
            "predicted / measured",
        ])];
        let shown = self.lines.iter().filter(|line| line.seconds >= 1e-3 * all);
        rows.extend(shown.map(|line| {
            vec![
                line.operation.to_owned(),
                line.instructions.to_string(),
                format!("{:.3}", line.seconds),
                format!("{:.1} %", 100.0 * line.seconds / all),
                format!("{:.3}", line.predicted_seconds),
                format!("{:.2}", line.predicted_seconds / line.seconds),
            ]
        }));
        table(&rows, "<>>>>>")
    }
}
