//! What `train` ends with.

use cipherloom_compiler::report::{bytes, error_text, seconds, table};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::ui::{Ui, count};
use crate::validation::Measure;

/// How the model trained on ciphertexts and the one trained in the clear do on rows held out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scores {
    /// Percent of the rows put into the right class.
    Accuracy { rows: usize, encrypted: f64, clear: f64 },
    /// Mean squared error.
    SquaredError { rows: usize, encrypted: f64, clear: f64 },
}

/// Seconds of each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Seconds {
    pub compile: f64,
    pub keygen: f64,
    pub encrypt: f64,
    pub run: f64,
    pub decrypt: f64,
}

/// The epochs of a run, and of the exact training in the clear; numbers from 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epochs {
    pub planned: u32,
    pub run: u32,
    /// The epoch that the weights are of.
    pub best: u32,
    pub best_clear: u32,
    /// Loss and accuracy after each epoch, where there was something to measure.
    pub validation: Vec<Measure>,
    pub validation_clear: Vec<Measure>,
}

impl Epochs {
    /// The measure of the best epoch, as text.
    fn best(measures: &[Measure], best: u32) -> Option<String> {
        let Measure { loss, accuracy } = measures.get(best.checked_sub(1)? as usize)?;
        let accuracy = accuracy.map(|accuracy| format!(", accuracy {accuracy:.2} %"));
        Some(format!(
            "loss {loss:.5}{} after epoch {best}",
            accuracy.unwrap_or_default()
        ))
    }
}

/// Everything that `train` measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    #[serde(flatten, serialize_with = "scores")]
    pub scores: Option<Scores>,
    pub max_weight_error: f64,
    pub max_weight_error_approximated: f64,
    pub predicted_weight_error: f64,
    pub steps: u32,
    pub epochs: Option<Epochs>,
    pub seconds_per_step: f64,
    pub predicted_seconds_per_step: f64,
    pub threads: usize,
    pub bootstraps: u64,
    pub security_bits: u16,
    pub toy: bool,
    pub log_n: u8,
    pub peak_memory_bytes: u64,
    pub plan_memory_bytes: u64,
    pub seconds: Seconds,
}

/// The scores as fields of the summary; those that do not apply are null.
fn scores<S: serde::Serializer>(scores: &Option<Scores>, serializer: S) -> Result<S::Ok, S::Error> {
    let (rows, accuracy, error) = match *scores {
        Some(Scores::Accuracy {
            rows,
            encrypted,
            clear,
        }) => (Some(rows), Some((encrypted, clear)), None),
        Some(Scores::SquaredError {
            rows,
            encrypted,
            clear,
        }) => (Some(rows), None, Some((encrypted, clear))),
        None => (None, None, None),
    };
    let fields: Map<String, Value> = [
        ("test_rows", rows.into()),
        (
            "accuracy_encrypted",
            accuracy.map(|(encrypted, _)| encrypted).into(),
        ),
        ("accuracy_clear", accuracy.map(|(_, clear)| clear).into()),
        (
            "squared_error_encrypted",
            error.map(|(encrypted, _)| encrypted).into(),
        ),
        ("squared_error_clear", error.map(|(_, clear)| clear).into()),
    ]
    .into_iter()
    .map(|(name, value): (&str, Value)| (name.to_owned(), value))
    .collect();
    fields.serialize(serializer)
}

impl Summary {
    /// The table that is printed.
    pub fn text(&self, ui: &Ui) -> String {
        let mut rows: Vec<[String; 2]> = Vec::new();
        let mut add = |name: &str, value: String| rows.push([name.to_owned(), value]);
        match self.scores {
            Some(Scores::Accuracy {
                rows,
                encrypted,
                clear,
            }) => {
                add(
                    "test accuracy, encrypted",
                    format!(
                        "{} of {}",
                        ui.good(&format!("{encrypted:.2} %")),
                        count(rows as u64, "row")
                    ),
                );
                add("test accuracy, clear", format!("{clear:.2} %"));
            }
            Some(Scores::SquaredError {
                rows,
                encrypted,
                clear,
            }) => {
                add(
                    "test squared error, encrypted",
                    format!(
                        "{}, mean of {}",
                        ui.good(&format!("{encrypted:.6}")),
                        count(rows as u64, "row")
                    ),
                );
                add("test squared error, clear", format!("{clear:.6}"));
            }
            None => {}
        }
        add(
            "largest weight difference",
            format!("{:.1e} from the clear run", self.max_weight_error),
        );
        add(
            "",
            format!(
                "{:.1e} from the clear run with the same polynomials",
                self.max_weight_error_approximated
            ),
        );
        add(
            "predicted error",
            format!("{} of a weight", error_text(self.predicted_weight_error)),
        );
        let predicted = format!("{} predicted", seconds(self.predicted_seconds_per_step));
        add(
            "time per step",
            format!(
                "{} on {}; {predicted}",
                seconds(self.seconds_per_step),
                count(self.threads as u64, "thread")
            ),
        );
        add("steps", self.steps.to_string());
        if let Some(epochs) = &self.epochs {
            add("epochs", format!("{} of {}", epochs.run, epochs.planned));
            if let Some(best) = Epochs::best(&epochs.validation, epochs.best) {
                add("validation, encrypted", best);
            }
            if let Some(best) = Epochs::best(&epochs.validation_clear, epochs.best_clear) {
                add("validation, clear", best);
            }
        }
        add("bootstraps", self.bootstraps.to_string());
        add(
            "security",
            match self.toy {
                true => "NONE: toy parameters".to_owned(),
                false => format!("{} bits, ring degree 2^{}", self.security_bits, self.log_n),
            },
        );
        let peak = match self.peak_memory_bytes {
            0 => "unknown on this system".to_owned(),
            count => bytes(count),
        };
        add(
            "peak memory",
            format!("{peak} of this process, client and server together"),
        );
        add(
            "plan memory",
            format!("{} of the server, as planned", bytes(self.plan_memory_bytes)),
        );
        let Seconds {
            compile,
            keygen,
            encrypt,
            run,
            decrypt,
        } = self.seconds;
        add(
            "phases",
            format!(
                "compile {}, keys {}, encrypt {}, run {}, decrypt {}",
                seconds(compile),
                seconds(keygen),
                seconds(encrypt),
                seconds(run),
                seconds(decrypt)
            ),
        );
        table(&rows.into_iter().map(Vec::from).collect::<Vec<_>>(), "<<")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(scores: Option<Scores>) -> Summary {
        Summary {
            scores,
            max_weight_error: 3.2e-4,
            max_weight_error_approximated: 1.1e-6,
            predicted_weight_error: 4.5e-7,
            steps: 5,
            epochs: None,
            seconds_per_step: 1.5,
            predicted_seconds_per_step: 1.25,
            threads: 2,
            bootstraps: 0,
            security_bits: 128,
            toy: false,
            log_n: 15,
            peak_memory_bytes: 3 << 30,
            plan_memory_bytes: 2 << 30,
            seconds: Seconds {
                compile: 0.5,
                keygen: 12.0,
                encrypt: 2.0,
                run: 7.5,
                decrypt: 0.01,
            },
        }
    }

    #[test]
    fn text_of_a_classifier() {
        let scores = Scores::Accuracy {
            rows: 298,
            encrypted: 97.65,
            clear: 97.99,
        };
        insta::assert_snapshot!(summary(Some(scores)).text(&Ui::new(true)));
    }

    #[test]
    fn json_has_every_field_flat() {
        let scores = Scores::SquaredError {
            rows: 30,
            encrypted: 0.25,
            clear: 0.5,
        };
        let json: Value = serde_json::from_str(&crate::command::to_json(&summary(Some(scores)))).unwrap();
        assert_eq!(json["squared_error_clear"], 0.5);
        assert!(json["accuracy_encrypted"].is_null());
        assert_eq!(json["seconds"]["keygen"], 12.0);
        for field in [
            "accuracy_clear",
            "max_weight_error",
            "steps",
            "bootstraps",
            "security_bits",
            "log_n",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
    }
}
