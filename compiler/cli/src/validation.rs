//! What the key holder does after an epoch: measures the loss on validation rows, and decides whether to go on.

use std::collections::BTreeMap;

use cipherloom_host::{Answer, Tensor};
use cipherloom_plan::{Plan, PortKind};
use serde::Serialize;

use crate::data::{Array, Data};
use crate::error::{CliError, Result};

/// Name of the reveal that is taken where several fit.
const PREFERRED: &str = "validation";

/// The labels of the rows whose predictions a plan reveals after each epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    reveal: String,
    labels: Labels,
}

/// What the predictions of each row are compared with.
#[derive(Clone, Debug, PartialEq)]
enum Labels {
    /// 0 or 1 for each row: one logit each.
    Binary(Vec<f64>),
    /// The number of the class: as many logits.
    Classes(usize, Vec<usize>),
    /// Numbers, as many for each row as are revealed.
    Numbers(Vec<f64>),
}

/// How a model does on the validation rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// Mean cross-entropy where the labels are classes, with the exact softmax or sigmoid; mean squared error where not.
    pub loss: f64,
    /// Percent of the rows put into the right class; none where the labels are no classes.
    pub accuracy: Option<f64>,
}

impl Validation {
    /// The labels `y_val` and the reveal that they are for; none if the data have no such labels, or the plan reveals nothing
    /// for as many rows. Then nothing is measured, and all epochs are run.
    pub fn new(plan: &Plan<'_>, data: &Data) -> Result<Option<Self>> {
        let Some(array) = data.arrays.get("y_val") else {
            return Ok(None);
        };
        let fits = |shape: &[u32]| shape.first().map(|&rows| rows as usize) == array.shape.first().copied();
        let reveals = || {
            plan.ports()
                .filter(|port| port.kind() == PortKind::Reveal && fits(port.shape()))
        };
        let preferred = reveals().find(|port| port.name() == PREFERRED);
        let Some(port) = preferred.or_else(|| reveals().next()) else {
            return Ok(None);
        };
        let shape: Vec<usize> = port.shape().iter().map(|&extent| extent as usize).collect();
        let labels = Labels::of(array, &shape).ok_or_else(|| {
            CliError::new(
                format!(
                    "{}: array `y_val` of shape {:?} does not fit the reveal `{}` of shape {shape:?}",
                    data.file.display(),
                    array.shape,
                    port.name()
                ),
                "give one class, or one row of numbers, for each row that is revealed",
            )
        })?;
        Ok(Some(Self {
            reveal: port.name().to_owned(),
            labels,
        }))
    }

    /// How the predictions among the results of an epoch do.
    pub fn measure(&self, results: &BTreeMap<String, Tensor>) -> Result<Measure> {
        // An output of the same name comes first, and the reveal has its kind before it then.
        let named = format!("reveal {}", self.reveal);
        let found = results.get(&named).or_else(|| results.get(&self.reveal));
        let found = found.ok_or_else(|| {
            CliError::new(
                format!("the plan does not reveal `{}`", self.reveal),
                "compile it again",
            )
        })?;
        Ok(self.labels.measure(&found.values))
    }

    /// The same of a run in the clear.
    pub fn measure_clear(&self, results: &BTreeMap<String, Vec<f64>>) -> Option<Measure> {
        Some(self.labels.measure(results.get(&self.reveal)?))
    }
}

impl Labels {
    fn of(array: &Array, shape: &[usize]) -> Option<Self> {
        let values = &array.values;
        let classes = match shape {
            [_] => 2,
            [_, classes] => *classes,
            _ => return None,
        };
        let is_class = |label: &f64| label.fract() == 0.0 && (0.0..classes as f64).contains(label);
        match (shape, array.shape.len()) {
            ([_], 1) if values.iter().all(is_class) => Some(Self::Binary(values.clone())),
            ([_, _], 1) if values.iter().all(is_class) => Some(Self::Classes(
                classes,
                values.iter().map(|&label| label as usize).collect(),
            )),
            _ if array.shape != shape => None,
            _ => Some(array.one_hot_columns().map_or_else(
                || Self::Numbers(values.clone()),
                |rows| Self::Classes(classes, rows),
            )),
        }
    }

    fn measure(&self, predictions: &[f64]) -> Measure {
        match self {
            Self::Binary(labels) => {
                // −log σ(z) for label 1 and −log(1 − σ(z)) for 0, without overflow.
                let loss = |(&z, &label): (&f64, &f64)| z.max(0.0) - z * label + (-z.abs()).exp().ln_1p();
                let right = |(&z, &label): (&f64, &f64)| (z >= 0.0) == (label == 1.0);
                mean(
                    predictions
                        .iter()
                        .zip(labels)
                        .map(|row| (loss(row), Some(right(row)))),
                )
            }
            Self::Classes(classes, labels) => {
                let rows = predictions.chunks(*classes).zip(labels);
                mean(rows.map(|(row, &label)| {
                    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = row.iter().map(|z| (z - largest).exp()).sum();
                    (largest + sum.ln() - row[label], Some(row[label] == largest))
                }))
            }
            Self::Numbers(labels) => mean(
                predictions
                    .iter()
                    .zip(labels)
                    .map(|(z, label)| ((z - label) * (z - label), None)),
            ),
        }
    }
}

/// Means over losses, each with whether the row was put into the right class.
fn mean(rows: impl ExactSizeIterator<Item = (f64, Option<bool>)>) -> Measure {
    let count = rows.len().max(1) as f64;
    let (loss, right) = rows.fold((0.0, Some(0_usize)), |(sum, all), (loss, right)| {
        (
            sum + loss,
            all.zip(right).map(|(all, right)| all + usize::from(right)),
        )
    });
    Measure {
        loss: loss / count,
        accuracy: right.map(|right| 100.0 * right as f64 / count),
    }
}

/// Stops when the loss has not become smaller for so many epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStopping {
    patience: u32,
    measures: Vec<Measure>,
}

impl EarlyStopping {
    /// Nothing is measured yet.
    pub fn new(patience: u32) -> Self {
        Self {
            patience,
            measures: Vec::new(),
        }
    }

    /// The epochs measured so far.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// Forgets the epochs from this one on: they are run again.
    pub fn rewind(&mut self, epoch: usize) {
        self.measures.truncate(epoch);
    }

    /// The epoch with the smallest loss, the first of equal ones; none before the first, or where no loss is a number.
    pub fn best(&self) -> Option<usize> {
        let numbers = self
            .measures
            .iter()
            .enumerate()
            .filter(|(_, measure)| !measure.loss.is_nan());
        // `min_by` gives the first of equal ones.
        let best = numbers.min_by(|(_, a), (_, b)| a.loss.total_cmp(&b.loss));
        best.map(|(epoch, _)| epoch)
    }

    /// Takes in the next epoch, and decides.
    pub fn answer(&mut self, measure: Measure) -> Answer {
        self.measures.push(measure);
        let last = self.measures.len() - 1;
        let best = self.best();
        let since = self.measures.len() - best.map_or(0, |best| best + 1);
        Answer {
            best: best == Some(last),
            stop: since >= self.patience as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], values: &[f64]) -> Array {
        Array {
            shape: shape.to_vec(),
            values: values.to_vec(),
            integer: true,
        }
    }

    fn loss(loss: f64) -> Measure {
        Measure { loss, accuracy: None }
    }

    #[test]
    fn entropy_of_one_logit_and_of_two_is_the_same() {
        let binary = Labels::of(&array(&[3], &[1.0, 0.0, 1.0]), &[3]).unwrap();
        let classes = Labels::of(&array(&[3], &[1.0, 0.0, 1.0]), &[3, 2]).unwrap();
        let one_hot = array(&[3, 2], &[0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(Labels::of(&one_hot, &[3, 2]).unwrap(), classes);
        let (one, two) = (
            binary.measure(&[2.0, 0.5, -800.0]),
            classes.measure(&[0.0, 2.0, 0.0, 0.5, 0.0, -800.0]),
        );
        // −log σ(2), −log σ(−0.5), and −log σ(−800), which is 800.
        let wanted = ((1.0 + (-2.0f64).exp()).ln() + (1.0 + 0.5f64.exp()).ln() + 800.0) / 3.0;
        assert!((one.loss - wanted).abs() < 1e-12 && (two.loss - wanted).abs() < 1e-12);
        assert_eq!(
            (one.accuracy, two.accuracy),
            (Some(100.0 / 3.0), Some(100.0 / 3.0))
        );
    }

    #[test]
    fn other_labels_give_a_squared_error() {
        let labels = Labels::of(&array(&[2], &[1.5, -1.0]), &[2]).unwrap();
        assert_eq!(labels.measure(&[1.0, 1.0]), loss(2.125));
        assert_eq!(Labels::of(&array(&[3], &[1.5, -1.0, 0.0]), &[2]), None);
    }

    #[test]
    fn patience_ends_and_the_best_epoch_stays() {
        let mut stopping = EarlyStopping::new(2);
        let answers: Vec<Answer> = [3.0, 1.0, 1.0, 0.5, 2.0, 0.75]
            .map(|x| stopping.answer(loss(x)))
            .into();
        let best: Vec<bool> = answers.iter().map(|answer| answer.best).collect();
        assert_eq!(best, [true, true, false, true, false, false]);
        let stop: Vec<bool> = answers.iter().map(|answer| answer.stop).collect();
        assert_eq!(stop, [false, false, false, false, false, true]);
        assert_eq!(stopping.best(), Some(3));
        stopping.rewind(2);
        assert_eq!((stopping.best(), stopping.measures().len()), (Some(1), 2));
    }

    #[test]
    fn a_loss_that_is_no_number_is_never_the_best() {
        let mut stopping = EarlyStopping::new(2);
        let keep_on = Answer::default();
        assert_eq!(stopping.answer(loss(f64::NAN)), keep_on);
        assert_eq!(stopping.best(), None);
        assert!(stopping.answer(loss(1.0)).best);
        assert_eq!(stopping.answer(loss(f64::NAN)), keep_on);
        assert!(stopping.answer(loss(f64::NAN)).stop);
    }
}
