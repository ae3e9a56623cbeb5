//! The functions that a value is inside of: what they add to the error by themselves.

use std::collections::BTreeMap;

use super::Estimate;
use crate::ir::{Graph, OpData, Type};

/// Most functions around a value: a bootstrap's polynomial in a polynomial in a stage of softmax.
const MOST_INSIDE: usize = 4;

/// Functions around a value by their numbers, each with the variance that there would be if its argument were exact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inside([Option<(i64, f64)>; MOST_INSIDE]);

impl Inside {
    /// Variance if the argument of a function were exact; none outside of it.
    pub fn of(&self, function: i64) -> Option<f64> {
        let mut functions = self.0.iter().flatten();
        functions
            .find(|(number, _)| *number == function)
            .map(|&(_, variance)| variance)
    }

    /// Enters a function, or leaves what does not fit unknown.
    pub fn set(&mut self, function: i64, variance: f64) {
        self.leave(function);
        if let Some(free) = self.0.iter_mut().find(|entry| entry.is_none()) {
            *free = Some((function, variance));
        }
    }

    /// Leaves a function.
    pub fn leave(&mut self, function: i64) {
        for entry in &mut self.0 {
            *entry = entry.filter(|&(number, _)| number != function);
        }
    }

    /// Each variance changed; functions without one are left.
    pub fn map(self, change: impl Fn(i64, f64) -> Option<f64>) -> Self {
        Self(self.0.map(|entry| {
            let (function, variance) = entry?;
            Some((function, change(function, variance)?))
        }))
    }
}

/// The functions on whose arguments alone all ciphertext operands depend.
pub fn shared_functions(graph: &Graph, op: &OpData, estimates: &[Estimate]) -> Inside {
    let mut secret = op
        .operands
        .iter()
        .filter(|operand| !matches!(graph.ty(**operand), Type::Plain(_)))
        .map(|operand| estimates[operand.index()].inside);
    let first = secret.next().unwrap_or_default();
    secret.fold(first, |shared, other| {
        shared.map(|function, variance| other.of(function).map(|_| variance))
    })
}

/// What is known of functions by the notes of operations.
#[derive(Default)]
pub struct Functions {
    /// What each function was last entered with.
    arguments: BTreeMap<i64, Estimate>,
    /// The functions that a value which is refreshed is the argument of, or stands beside it.
    refreshed: BTreeMap<i64, [Option<i64>; 2]>,
}

impl Functions {
    /// At the image of a function: its own error, and that of its argument times the slope.
    pub fn leave(&self, op: &OpData, estimate: &mut Estimate) {
        let (Some(image), Some(slope)) = (op.int("image"), op.float("slope")) else {
            return;
        };
        let (own, argument) = (estimate.inside.of(image), self.arguments.get(&image));
        estimate.inside.leave(image);
        if let (Some(own), Some(argument)) = (own, argument) {
            let gain = slope * slope;
            estimate.variance = gain * argument.variance + own;
            estimate.empty = estimate.variance;
            estimate.inside = estimate
                .inside
                .map(|function, _| Some(gain * argument.inside.of(function)? + own));
        }
    }

    /// At the argument of a function, and at what stands beside it: exact from here on. What either is once it is refreshed
    /// stands in its place, so that the error of a bootstrap goes the argument's way.
    pub fn enter(&mut self, op: &OpData, estimate: &mut Estimate) {
        let mut ends = [op.int("argument"), op.int("beside")];
        if let Some(before) = op.int("refreshes").and_then(|number| self.refreshed.get(&number)) {
            ends = [ends[0].or(before[0]), ends[1].or(before[1])];
        }
        if let Some(number) = op.int("refreshed") {
            self.refreshed.insert(number, ends);
        }
        if let Some(function) = ends[0] {
            self.arguments.insert(function, *estimate);
        }
        for function in ends.into_iter().flatten() {
            estimate.inside.set(function, 0.0);
        }
    }
}
