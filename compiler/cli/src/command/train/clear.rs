//! The same training in f64, and how models score on rows held out.

use std::collections::BTreeMap;

use cipherloom_compiler::diagnostic::{Code, Diagnostic, Diagnostics};
use cipherloom_compiler::ir::Graph;
use cipherloom_compiler::options::TensorData;
use cipherloom_compiler::pipeline::Compiled;
use cipherloom_compiler::reference::{Length, Observed, Outcome, Predictor, Reference};
use cipherloom_host::Tensor;
use cipherloom_plan::{Plan, PortKind};

use super::summary::Scores;
use crate::data::{Array, Data};
use crate::error::{CliError, Result};
use crate::validation::{EarlyStopping, Validation};

/// Results by name: outputs, and reveals as they were last.
pub type Results = BTreeMap<String, Vec<f64>>;

/// Results after each epoch, at least one.
pub struct Epochs(Vec<Results>);

impl Epochs {
    /// The results of an epoch, from 0; those of the last where there are not as many.
    pub fn after(&self, epoch: usize) -> &Results {
        &self.0[epoch.min(self.0.len() - 1)]
    }
}

/// Two trainings in the clear.
pub struct Clear {
    /// With the exact functions.
    pub exact: Epochs,
    /// With the polynomials that the encrypted run evaluates.
    pub approximated: Epochs,
    observed: Vec<Observed>,
    predictor: Option<Predictor>,
    inputs: BTreeMap<String, Vec<f64>>,
    shapes: BTreeMap<String, Vec<u32>>,
}

/// Trains on the batches that the encrypted run sees.
pub fn train(compiled: &Compiled, plan: &Plan<'_>, tensors: &BTreeMap<String, Tensor>) -> Result<Clear> {
    let streams: BTreeMap<&str, usize> = plan
        .ports()
        .filter(|port| port.kind() == PortKind::Stream)
        .map(|port| (port.name(), port.values()))
        .collect();
    let inputs: BTreeMap<String, Vec<f64>> = tensors
        .iter()
        .filter(|(name, _)| !streams.contains_key(name.as_str()))
        .map(|(name, tensor)| (name.clone(), tensor.values.clone()))
        .collect();
    let epochs = plan.epochs().max(1);
    let length = Length {
        steps: (plan.parameters().steps() / epochs) as usize,
        epochs: epochs as usize,
    };
    let run = |graph: &Graph| -> Result<Outcome> {
        // Batch t modulo the number of batches, as in the encrypted run.
        let mut batches = |name: &str, step: usize| {
            let values = &tensors.get(name)?.values;
            let size = *streams.get(name)?;
            let batch = step.checked_rem(values.len() / size.max(1))?;
            Some(values[batch * size..][..size].to_vec())
        };
        Reference::new(graph)
            .run(&inputs, &mut batches, length)
            .map_err(|error| CliError::new(format!("training in the clear: {error}"), ""))
    };
    let exact = run(&compiled.exact)?;
    let approximated = run(&compiled.approximated)?;
    Ok(Clear {
        shapes: exact
            .outputs
            .iter()
            .map(|(name, data)| (name.clone(), data.shape.clone()))
            .collect(),
        observed: exact.observed.clone(),
        exact: results(exact),
        approximated: results(approximated),
        predictor: Predictor::new(&compiled.source_graph),
        inputs,
    })
}

fn results(outcome: Outcome) -> Epochs {
    let last = outcome.reveals.into_iter().chain(outcome.outputs).collect();
    // An unrolled graph has no epochs.
    let epochs = match outcome.epochs {
        epochs if epochs.is_empty() => vec![last],
        epochs => epochs,
    };
    let values = |results: BTreeMap<String, TensorData>| {
        let results = results.into_iter();
        results.map(|(name, data)| (name, data.values)).collect()
    };
    Epochs(epochs.into_iter().map(values).collect())
}

/// The largest difference of a value in both.
pub fn largest_difference(encrypted: &BTreeMap<String, Tensor>, clear: &Results) -> f64 {
    encrypted
        .iter()
        .filter_map(|(name, tensor)| Some(tensor.values.iter().zip(clear.get(name)?)))
        .flatten()
        .map(|(a, b)| (a - b).abs())
        // Not `f64::max`, which passes over a NaN.
        .fold(0.0, |largest, difference| {
            if difference <= largest {
                largest
            } else {
                difference
            }
        })
}

impl Clear {
    /// A warning for every function whose argument left its declared range in the exact run.
    pub fn range_warnings(&self) -> Diagnostics {
        let left = |observed: &&Observed| {
            observed.met.0 < observed.declared.0 || observed.met.1 > observed.declared.1
        };
        let warning = |observed: &Observed| {
            let Observed {
                function,
                declared,
                met,
                ..
            } = observed;
            let reach = met.0.abs().max(met.1.abs());
            Diagnostic::new(
                Code::RangeLeft,
                format!(
                    "in the clear run, the argument of `{function}` goes from {:.3} to {:.3}, outside its declared range",
                    met.0, met.1
                ),
            )
            .label(observed.span, format!("declared as [{}, {}]", declared.0, declared.1))
            .note("outside of the range the polynomial is no approximation, and the encrypted result is wrong")
            .remedy(format!("declare a wider range, at least {:.1}, or train with a smaller rate or fewer steps", reach))
        };
        Diagnostics(self.observed.iter().filter(left).map(warning).collect())
    }

    /// The epoch, from 0, that the exact training ends with by the rule of the encrypted one.
    pub fn stop(&self, validation: Option<&Validation>, stopping: &mut EarlyStopping) -> usize {
        let last = self.exact.0.len() - 1;
        let Some(validation) = validation else {
            return last;
        };
        for measure in self
            .exact
            .0
            .iter()
            .map_while(|results| validation.measure_clear(results))
        {
            if stopping.answer(measure).stop {
                break;
            }
        }
        stopping.best().unwrap_or(last)
    }

    /// How both models do on the rows held out, the clear one after an epoch; none without such rows, or where the graph
    /// predicts nothing.
    pub fn score(
        &self,
        encrypted: &BTreeMap<String, Tensor>,
        epoch: usize,
        data: &Data,
    ) -> Result<Option<Scores>> {
        let (Some(predictor), Some((_, labels))) = (&self.predictor, data.test_set()) else {
            return Ok(None);
        };
        let mut streams = BTreeMap::new();
        for (name, row) in predictor.streams() {
            let held_out = format!("{name}_test");
            let Some(array) = data.arrays.get(&held_out) else {
                return Ok(None);
            };
            let fits = array.shape.get(1..).is_some_and(|found| {
                found
                    .iter()
                    .eq(row.iter().map(|&e| e as usize).collect::<Vec<_>>().iter())
            });
            if !fits || array.shape[0] != labels.shape.first().copied().unwrap_or(0) {
                return Err(CliError::new(
                    format!(
                        "{}: array `{held_out}`: expected one row of shape {row:?} for each of the {:?} labels in y_test, found {:?}",
                        data.file.display(),
                        labels.shape,
                        array.shape
                    ),
                    "test rows look like training rows",
                ));
            }
            streams.insert(name, array.values.clone());
        }
        let predict = |weights: &dyn Fn(&str) -> Option<Vec<f64>>| {
            let states = self.shapes.iter().filter_map(|(name, shape)| {
                Some((
                    name.clone(),
                    TensorData {
                        shape: shape.clone(),
                        values: weights(name)?,
                    },
                ))
            });
            predictor.predict(&states.collect(), &streams, &self.inputs)
        };
        let encrypted = predict(&|name| Some(encrypted.get(name)?.values.clone()));
        let clear = predict(&|name| self.exact.after(epoch).get(name).cloned());
        Ok(encrypted
            .zip(clear)
            .map(|(encrypted, clear)| score(&encrypted, &clear, labels)))
    }
}

/// Accuracy if the labels are classes, mean squared error if not.
fn score(encrypted: &TensorData, clear: &TensorData, labels: &Array) -> Scores {
    let numbers = labels
        .one_hot_columns()
        .map(|classes| classes.into_iter().map(|class| class as f64).collect());
    let labels = numbers.as_ref().unwrap_or(&labels.values);
    let rows = labels.len();
    let classes = encrypted.shape.get(1).map_or(2, |&classes| classes as usize);
    let is_class = |label: &f64| label.fract() == 0.0 && (0.0..classes as f64).contains(label);
    if labels.iter().all(is_class) {
        let accuracy = |prediction: &TensorData| {
            let right = classify(prediction)
                .zip(labels)
                .filter(|(class, label)| *class as f64 == **label);
            100.0 * right.count() as f64 / rows.max(1) as f64
        };
        return Scores::Accuracy {
            rows,
            encrypted: accuracy(encrypted),
            clear: accuracy(clear),
        };
    }
    let error = |prediction: &TensorData| {
        let squares = prediction
            .values
            .iter()
            .zip(labels)
            .map(|(a, b)| (a - b) * (a - b));
        squares.sum::<f64>() / rows.max(1) as f64
    };
    Scores::SquaredError {
        rows,
        encrypted: error(encrypted),
        clear: error(clear),
    }
}

/// The class of every row: the largest score, or whether a single score is at least one half.
fn classify(prediction: &TensorData) -> impl Iterator<Item = usize> + '_ {
    let width = prediction.shape.get(1).map_or(1, |&classes| classes as usize);
    prediction.values.chunks(width.max(1)).map(|row| match row {
        [score] => usize::from(*score >= 0.5),
        row => (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cipherloom_compiler::source::Span;

    fn tensor(shape: &[u32], values: &[f64]) -> TensorData {
        TensorData {
            shape: shape.to_vec(),
            values: values.to_vec(),
        }
    }

    fn labels(values: &[f64]) -> Array {
        Array {
            shape: vec![values.len()],
            values: values.to_vec(),
            integer: true,
        }
    }

    #[test]
    fn two_classes_are_told_apart_at_one_half() {
        let clear = tensor(&[4], &[0.5, 0.49, 0.9, 0.1]);
        let encrypted = tensor(&[4], &[0.4999, 0.49, 0.9, 0.1]);
        let scores = score(&encrypted, &clear, &labels(&[1.0, 0.0, 1.0, 1.0]));
        assert_eq!(
            scores,
            Scores::Accuracy {
                rows: 4,
                encrypted: 50.0,
                clear: 75.0
            }
        );
    }

    #[test]
    fn of_many_classes_the_largest_score_wins() {
        let scores = tensor(&[2, 3], &[0.1, 0.7, 0.2, 0.9, 0.0, 0.1]);
        let half = Scores::Accuracy {
            rows: 2,
            encrypted: 50.0,
            clear: 50.0,
        };
        assert_eq!(score(&scores, &scores, &labels(&[1.0, 2.0])), half);
        let one_hot = Array {
            shape: vec![2, 3],
            values: vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            integer: false,
        };
        assert_eq!(score(&scores, &scores, &one_hot), half);
    }

    #[test]
    fn other_labels_give_a_squared_error() {
        let prediction = tensor(&[2], &[1.0, 2.5]);
        let result = score(&prediction, &prediction, &labels(&[1.5, 2.5]));
        assert_eq!(
            result,
            Scores::SquaredError {
                rows: 2,
                encrypted: 0.125,
                clear: 0.125
            }
        );
    }

    #[test]
    fn a_range_that_was_left_is_warned_of() {
        let observed = |low: f64, high: f64| Observed {
            function: "sigmoid".to_owned(),
            span: Span::new(3, 10),
            declared: (-3.0, 3.0),
            met: (low, high),
        };
        let clear = Clear {
            exact: Epochs(Vec::new()),
            approximated: Epochs(Vec::new()),
            observed: vec![observed(-3.0, 2.5), observed(-1.0, 4.25)],
            predictor: None,
            inputs: BTreeMap::new(),
            shapes: BTreeMap::new(),
        };
        let warnings = clear.range_warnings();
        assert_eq!(warnings.counts(), (0, 1));
        let warning = &warnings.0[0];
        assert!(
            warning.message.contains("`sigmoid`") && warning.message.contains("4.250"),
            "{warning:?}"
        );
        assert_eq!(warning.labels[0].0, Span::new(3, 10));
    }

    #[test]
    fn a_difference_that_is_no_number_is_not_hidden() {
        let results = |value: f64| Results::from([("w".to_owned(), vec![1.0, value])]);
        let encrypted = |value: f64| {
            BTreeMap::from([(
                "w".to_owned(),
                Tensor {
                    shape: vec![2],
                    values: vec![1.25, value],
                },
            )])
        };
        assert_eq!(largest_difference(&encrypted(2.0), &results(2.0)), 0.25);
        assert!(largest_difference(&encrypted(f64::NAN), &results(2.0)).is_nan());
    }
}
