//! The same graph in f64: the oracle of every test.
//!
//! [`Reference`] runs a graph of the tensor dialect after differentiation, rolled, unrolled or closed. Before the approximate
//! pass functions are exact, after it they are polynomials: the difference is what approximation costs.
//! [`Predictor`] evaluates what the loss compares with its target, for accuracy of trained states.

mod evaluate;
mod predict;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use evaluate::evaluate;
pub use predict::Predictor;

use crate::approx::{Function, Polynomial};
use crate::dialect::tensor::Elements;
use crate::grad::nesterov_gamma;
use crate::ir::{BlockId, ClosedLoop, Graph, OpData, OpId, Opcode, Value};
use crate::options::TensorData;
use crate::source::Span;

/// Where the batches of a stream come from. Any `FnMut(&str, usize) -> Option<Vec<f64>>` is one.
pub trait Batches {
    /// The batch of stream `name` in step `step` (counted from 0 over all epochs), row-major, or `None` if there is none.
    fn batch(&mut self, name: &str, step: usize) -> Option<Vec<f64>>;
}

impl<F: FnMut(&str, usize) -> Option<Vec<f64>>> Batches for F {
    fn batch(&mut self, name: &str, step: usize) -> Option<Vec<f64>> {
        self(name, step)
    }
}

/// The range of arguments that a function met.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Name of the function.
    pub function: String,
    /// Where the user wrote it.
    pub span: Span,
    /// Declared interval.
    pub declared: (f64, f64),
    /// Smallest and largest argument.
    pub met: (f64, f64),
}

/// What a run gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Outputs by name.
    pub outputs: BTreeMap<String, TensorData>,
    /// Reveals in the order in which they happened: one of each name for each epoch.
    pub reveals: Vec<(String, TensorData)>,
    /// Outputs and reveals by name as they were after each epoch.
    pub epochs: Vec<BTreeMap<String, TensorData>>,
    /// States by name after the last epoch, or of a closed graph after its last step, those that an optimiser added
    /// included; empty for an unrolled graph.
    pub states: BTreeMap<String, TensorData>,
    /// Arguments of functions, one entry for each place in the source.
    pub observed: Vec<Observed>,
}

/// Why a graph could not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// An input or stream of that name was not given, or had the wrong number of elements.
    Missing(String),
    /// An operation has no meaning here: it is of another dialect, or not yet differentiated.
    Operation(&'static str),
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "`{name}` is not given or has another shape"),
            Self::Operation(name) => write!(f, "{name} cannot be interpreted"),
        }
    }
}

impl std::error::Error for ReferenceError {}

/// How long a rolled loop runs. An unrolled or closed graph has its length in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Steps of one epoch.
    pub steps: usize,
    /// Epochs.
    pub epochs: usize,
}

/// An interpreter of one graph.
pub struct Reference<'g> {
    graph: &'g Graph,
}

impl<'g> Reference<'g> {
    /// An interpreter of `graph`.
    pub fn new(graph: &'g Graph) -> Self {
        Self { graph }
    }

    /// Runs the graph. `inputs` holds the elements of inputs, and of states without initial values, by name.
    pub fn run(
        &self,
        inputs: &BTreeMap<String, Vec<f64>>,
        batches: &mut dyn Batches,
        length: Length,
    ) -> Result<Outcome, ReferenceError> {
        let mut run = Run {
            graph: self.graph,
            inputs,
            batches,
            length,
            values: vec![None; self.graph.value_count()],
            step: 0,
            round: 0,
            round_begins: 0,
            outcome: Outcome::default(),
            observed: BTreeMap::new(),
        };
        run.block(self.graph.body())?;
        run.outcome.observed = run.observed.into_values().collect();
        Ok(run.outcome)
    }
}

struct Run<'g, 'i> {
    graph: &'g Graph,
    inputs: &'i BTreeMap<String, Vec<f64>>,
    batches: &'i mut dyn Batches,
    length: Length,
    values: Vec<Option<TensorData>>,
    step: usize,
    /// Of a closed loop: the round, and its first step.
    round: usize,
    round_begins: usize,
    outcome: Outcome,
    observed: BTreeMap<(Span, String), Observed>,
}

impl Run<'_, '_> {
    fn get(&self, value: Value) -> Result<&TensorData, ReferenceError> {
        self.values[value.index()]
            .as_ref()
            .ok_or(ReferenceError::Operation("an undefined value"))
    }

    fn take_all(&self, values: &[Value]) -> Result<Vec<TensorData>, ReferenceError> {
        values.iter().map(|&value| self.get(value).cloned()).collect()
    }

    fn set_all(&mut self, values: &[Value], data: Vec<TensorData>) {
        for (value, data) in values.iter().zip(data) {
            self.values[value.index()] = Some(data);
        }
    }

    fn block(&mut self, block: BlockId) -> Result<(), ReferenceError> {
        let graph = self.graph;
        let ops = &graph.block(block).ops;
        let is_train = |op: &&OpId| graph.op(**op).opcode == Opcode::TrainLoop;
        if let Some(train) = ops.iter().find(is_train).map(|&op| graph.op(op)) {
            return self.train(train, ops);
        }
        let closed = ClosedLoop::find(graph, ops);
        for (position, round) in ClosedLoop::run(closed.as_ref(), ops.len()) {
            if let Some(closed) = closed.filter(|closed| closed.start == position) {
                (self.round, self.round_begins) = (round as usize, closed.step(round, 0) as usize);
                self.step = self.round_begins;
            }
            self.op(ops[position])?;
            if closed.is_some_and(|closed| (round + 1) % closed.rounds() == 0) && position + 1 == ops.len() {
                self.end_epoch();
            }
        }
        Ok(())
    }

    /// Notes what an epoch handed out.
    fn end_epoch(&mut self) {
        let mut results = self.outcome.outputs.clone();
        // Later reveals of a name replace earlier ones.
        results.extend(self.outcome.reveals.iter().cloned());
        self.outcome.epochs.push(results);
    }

    /// Runs a region on carried values and gives what it yields, or the values themselves if it yields nothing.
    fn region(
        &mut self,
        region: BlockId,
        carried: Vec<TensorData>,
    ) -> Result<Vec<TensorData>, ReferenceError> {
        let graph = self.graph;
        self.set_all(&graph.block(region).arguments, carried.clone());
        self.block(region)?;
        match graph.terminator(region) {
            Some(op) if op.opcode == Opcode::TrainYield && !op.operands.is_empty() => {
                self.take_all(&op.operands)
            }
            _ => Ok(carried),
        }
    }

    fn op(&mut self, id: OpId) -> Result<(), ReferenceError> {
        use Opcode::*;
        let graph = self.graph;
        let op = graph.op(id);
        let data = match op.opcode {
            TensorOutput => {
                let data = self.get(op.operands[0])?.clone();
                self.outcome.outputs.insert(named(op), data);
                return Ok(());
            }
            TensorReveal => {
                let data = self.get(op.operands[0])?.clone();
                self.outcome.reveals.push((named(op), data));
                return Ok(());
            }
            TrainYield | TrainEnd => return Ok(()),
            // The body of a closed loop has its step already.
            TrainStep if op.int("count").is_some() => return Ok(()),
            TrainStep => {
                self.step = self.round_begins + op.int("index").unwrap_or(0) as usize;
                return Ok(());
            }
            TensorStore => {
                let data = self.get(op.operands[0])?.clone();
                self.outcome.states.insert(named(op), data);
                return Ok(());
            }
            TensorState => {
                let name = named(op);
                let state = self.outcome.states.get(&name).cloned();
                state.ok_or(ReferenceError::Missing(name))?
            }
            TensorInput => {
                let name = named(op);
                let values = self.inputs.get(&name).cloned();
                self.leaf(op, name, values)?
            }
            TensorStream => {
                let name = named(op);
                let step = op.int("step");
                let step = step.map_or(self.step, |step| self.round_begins + step as usize);
                let values = self.batches.batch(&name, step);
                self.leaf(op, name, values)?
            }
            TensorConstant if op.attributes.contains_key("steps") => {
                let ty = op
                    .results
                    .first()
                    .and_then(|&result| graph.ty(result).as_tensor());
                let (ty, elements) = ty
                    .zip(Elements::of(op))
                    .ok_or(ReferenceError::Operation(op.opcode.name()))?;
                TensorData {
                    shape: ty.shape.clone(),
                    values: elements.at_step(self.round).expand(ty.elements()),
                }
            }
            TensorStepIndex => TensorData {
                shape: Vec::new(),
                values: vec![self.step as f64],
            },
            TensorSchedule => TensorData {
                shape: Vec::new(),
                values: vec![nesterov_gamma(self.step)],
            },
            _ => {
                self.observe(op)?;
                let operands = op
                    .operands
                    .iter()
                    .map(|&operand| self.get(operand))
                    .collect::<Result<Vec<_>, _>>()?;
                let shape = op
                    .results
                    .first()
                    .and_then(|&result| graph.ty(result).as_tensor());
                shape
                    .and_then(|tensor| evaluate(op, &operands, &tensor.shape))
                    .ok_or(ReferenceError::Operation(op.opcode.name()))?
            }
        };
        self.set_all(&op.results, vec![data]);
        Ok(())
    }

    fn leaf(
        &self,
        op: &OpData,
        name: String,
        values: Option<Vec<f64>>,
    ) -> Result<TensorData, ReferenceError> {
        let ty = op
            .results
            .first()
            .and_then(|&result| self.graph.ty(result).as_tensor());
        match (ty, values) {
            (Some(ty), Some(values)) if values.len() == ty.elements() => Ok(TensorData {
                shape: ty.shape.clone(),
                values,
            }),
            _ => Err(ReferenceError::Missing(name)),
        }
    }

    /// Runs a block with a loop that is still rolled: what follows the loop runs after each epoch.
    fn train(&mut self, train: &OpData, ops: &[OpId]) -> Result<(), ReferenceError> {
        let graph = self.graph;
        let is_train = |op: &OpId| graph.op(*op).opcode == Opcode::TrainLoop;
        let mut parts = ops.split(is_train);
        let (before, after) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        before.iter().try_for_each(|&op| self.op(op))?;
        let mut carried = self.take_all(&train.operands)?;
        for epoch in 0..self.length.epochs {
            for step in 0..self.length.steps {
                self.step = epoch * self.length.steps + step;
                carried = self.region(train.regions[0], carried)?;
            }
            carried = self.region(train.regions[1], carried)?;
            let names = train.texts("names").iter().cloned();
            self.outcome.states = names.zip(carried.iter().cloned()).collect();
            self.set_all(&train.results, carried.clone());
            after.iter().try_for_each(|&op| self.op(op))?;
            self.end_epoch();
        }
        Ok(())
    }

    fn observe(&mut self, op: &OpData) -> Result<(), ReferenceError> {
        let name = match (Function::of(op), Polynomial::of(op)) {
            (Some(function), _) => function.name(),
            (_, Some(_)) => op.text("function").unwrap_or("polynomial").to_owned(),
            _ if op.opcode == Opcode::TensorSoftmax => "softmax".to_owned(),
            _ => return Ok(()),
        };
        let declared = (
            op.float("low").unwrap_or(f64::NEG_INFINITY),
            op.float("high").unwrap_or(f64::INFINITY),
        );
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let values = &self.get(op.operands[0])?.values;
        let met = values
            .iter()
            .fold(start, |(low, high), &x| (low.min(x), high.max(x)));
        let entry = self.observed.entry((op.span, name.clone())).or_insert(Observed {
            function: name,
            span: op.span,
            declared,
            met: start,
        });
        entry.met = (entry.met.0.min(met.0), entry.met.1.max(met.1));
        Ok(())
    }
}

fn named(op: &OpData) -> String {
    op.text("name").unwrap_or_default().to_owned()
}
