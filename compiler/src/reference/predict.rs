//! What the loss compares with its target.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluate;
use crate::ir::{BlockId, Definition, Graph, OpId, Opcode, Value};
use crate::options::TensorData;

/// The prediction of a graph as a function of its states and streams.
///
/// Made from the graph as the frontend gives it, before differentiation: the prediction is the first operand of the
/// `cross_entropy` below the loss; without one, that side of a difference that depends on a state where the other
/// depends on streams and constants alone, as in a squared error.
pub struct Predictor {
    graph: Graph,
    step: BlockId,
    /// Names of the carried states, in the order of the step's arguments.
    names: Vec<String>,
    /// The predicting value.
    prediction: Value,
    /// Operations that the prediction needs, in program order.
    needed: Vec<OpId>,
    batch: usize,
}

impl Predictor {
    /// The predictor of the first `train.minimize`, if the loss has a prediction.
    pub fn new(graph: &Graph) -> Option<Self> {
        let walk = graph.walk();
        let train = walk
            .iter()
            .map(|&op| graph.op(op))
            .find(|op| op.opcode == Opcode::TrainLoop)?;
        let step = train.regions[0];
        let minimize = graph
            .block(step)
            .ops
            .iter()
            .map(|&op| graph.op(op))
            .find(|op| op.opcode == Opcode::TrainMinimize)?;
        let names = train.texts("names").to_vec();
        let prediction = prediction(graph, step, minimize.operands[0])?;
        let below = below(graph, prediction);
        let needed: Vec<OpId> = walk.into_iter().filter(|op| below.contains(op)).collect();
        let batch = graph
            .ty(prediction)
            .as_tensor()?
            .shape
            .first()
            .map_or(1, |&extent| extent as usize);
        Some(Self {
            graph: graph.clone(),
            step,
            names,
            prediction,
            needed,
            batch,
        })
    }

    /// Names and row shapes of the streams that the prediction reads, in program order.
    pub fn streams(&self) -> Vec<(String, Vec<u32>)> {
        let streams = self
            .needed
            .iter()
            .map(|&op| self.graph.op(op))
            .filter(|op| op.opcode == Opcode::TensorStream);
        streams
            .filter_map(|op| {
                let shape = &self.graph.ty(op.results[0]).as_tensor()?.shape;
                Some((
                    op.text("name")?.to_owned(),
                    shape.get(1..).unwrap_or_default().to_vec(),
                ))
            })
            .collect()
    }

    /// The exact prediction for any number of rows: `states` by name, `streams` by name with all their rows, `inputs` by
    /// name. One tensor whose first extent is the number of rows; `None` if something is not given or does not fit.
    pub fn predict(
        &self,
        states: &BTreeMap<String, TensorData>,
        streams: &BTreeMap<String, Vec<f64>>,
        inputs: &BTreeMap<String, Vec<f64>>,
    ) -> Option<TensorData> {
        let shapes = self.streams();
        let row = |shape: &[u32]| shape.iter().map(|&extent| extent as usize).product::<usize>();
        let rows = match shapes.first() {
            Some((name, shape)) => streams.get(name)?.len() / row(shape),
            None => self.batch,
        };
        if shapes.iter().any(|(name, shape)| {
            streams
                .get(name)
                .is_none_or(|data| data.len() != rows * row(shape))
        }) {
            return None;
        }
        let mut out = TensorData::default();
        for first in (0..rows).step_by(self.batch) {
            let used = self.batch.min(rows - first);
            // The last batch is filled up with zero rows, whose predictions are dropped.
            let batch = |name: &str, elements: usize| {
                let width = elements / self.batch;
                let mut values = streams.get(name)?[first * width..(first + used) * width].to_vec();
                values.resize(elements, 0.0);
                Some(values)
            };
            let prediction = self.batch(states, &batch, inputs)?;
            let width = prediction.values.len() / self.batch;
            out.values.extend(&prediction.values[..used * width]);
            out.shape = prediction.shape;
        }
        if let Some(first) = out.shape.first_mut() {
            *first = rows as u32;
        }
        Some(out)
    }

    fn batch(
        &self,
        states: &BTreeMap<String, TensorData>,
        batch: &dyn Fn(&str, usize) -> Option<Vec<f64>>,
        inputs: &BTreeMap<String, Vec<f64>>,
    ) -> Option<TensorData> {
        let mut values: Vec<Option<TensorData>> = vec![None; self.graph.value_count()];
        for (&argument, name) in self.graph.block(self.step).arguments.iter().zip(&self.names) {
            values[argument.index()] = states.get(name).cloned();
        }
        for &id in &self.needed {
            let op = self.graph.op(id);
            let ty = self.graph.ty(*op.results.first()?).as_tensor()?;
            let leaf = |values: Vec<f64>| {
                (values.len() == ty.elements()).then(|| TensorData {
                    shape: ty.shape.clone(),
                    values,
                })
            };
            let data = match op.opcode {
                Opcode::TensorStream => leaf(batch(op.text("name")?, ty.elements())?)?,
                Opcode::TensorInput => leaf(inputs.get(op.text("name")?)?.clone())?,
                _ => {
                    let operands: Option<Vec<&TensorData>> = op
                        .operands
                        .iter()
                        .map(|operand| values[operand.index()].as_ref())
                        .collect();
                    evaluate(op, &operands?, &ty.shape)?
                }
            };
            values[op.results[0].index()] = Some(data);
        }
        values[self.prediction.index()].take()
    }
}

/// Operations that `value` is made of.
fn below(graph: &Graph, value: Value) -> BTreeSet<OpId> {
    let mut seen = BTreeSet::new();
    let mut open = vec![value];
    while let Some(op) = open.pop().map(|value| graph.defining_op(value)) {
        let Some(op) = op else { continue };
        if seen.insert(op) {
            open.extend(&graph.op(op).operands);
        }
    }
    seen
}

/// Whether `value` depends on an argument of `step`.
fn depends_on_state(graph: &Graph, step: BlockId, value: Value) -> bool {
    let is_state = |value: &Value| matches!(graph.value(*value).definition, Definition::Argument(block, _) if block == step);
    is_state(&value)
        || below(graph, value)
            .into_iter()
            .any(|op| graph.op(op).operands.iter().any(is_state))
}

fn prediction(graph: &Graph, step: BlockId, loss: Value) -> Option<Value> {
    let ops: Vec<OpId> = below(graph, loss).into_iter().rev().collect();
    let entropy = ops
        .iter()
        .map(|&op| graph.op(op))
        .find(|op| op.opcode == Opcode::TensorCrossEntropy);
    if let Some(op) = entropy {
        return Some(op.operands[0]);
    }
    ops.into_iter()
        .map(|op| graph.op(op))
        .filter(|op| op.opcode == Opcode::TensorSub)
        .find_map(|op| {
            let learned = [0, 1].map(|side| depends_on_state(graph, step, op.operands[side]));
            match learned {
                [true, false] => Some(op.operands[0]),
                [false, true] => Some(op.operands[1]),
                _ => None,
            }
        })
}
