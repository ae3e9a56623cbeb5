//! Which array is meant by which port of a plan, and whether it fits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use cipherloom_host::{HostError, Tensor, check_tensor};
use cipherloom_plan::{Plan, PortKind, PortView};

use super::scale::{fitting, is_scalable};
use super::{Array, Arrays, Data, declared, describe, find};
use crate::error::{CliError, Result};

/// What a port asks for.
#[derive(Clone, Debug)]
struct Wanted {
    name: String,
    kind: PortKind,
    shape: Vec<usize>,
    one_hot: bool,
}

/// Finds the tensor of every port through which data come in; a state takes an array of exactly its name, if there is one.
///
/// Rows of streams that no training step would see are left out.
///
/// # Errors
/// An array that is missing or does not fit: its shape, or values that are outside the declared range or no one-hot rows.
pub fn bind(plan: &Plan<'_>, data: &Data) -> Result<BTreeMap<String, Tensor>> {
    let Data { file, arrays, .. } = data;
    let steps = plan.parameters().steps() as usize;
    let mut tensors = BTreeMap::new();
    let mut first_stream: Option<(String, usize)> = None;
    for port in plan.ports() {
        let wanted = Wanted {
            name: port.name().to_owned(),
            kind: port.kind(),
            shape: port.shape().iter().map(|&extent| extent as usize).collect(),
            one_hot: port.one_hot(),
        };
        match wanted.kind {
            PortKind::Output | PortKind::Reveal => continue,
            PortKind::State if !arrays.contains_key(&wanted.name) => continue,
            PortKind::Input | PortKind::Stream | PortKind::State => {}
        }
        let mut tensor = wanted.take(arrays, file)?;
        if let (PortKind::Stream, Some(&batch)) = (wanted.kind, wanted.shape.first()) {
            let rows = tensor.shape[0];
            let (other, expected) = first_stream.get_or_insert_with(|| (wanted.name.clone(), rows));
            if rows != *expected {
                return Err(CliError::new(
                    format!(
                        "{}: {rows} rows for stream `{}`, but {expected} for stream `{other}`",
                        file.display(),
                        wanted.name
                    ),
                    "row i of every stream belongs to the same example: give equally many",
                ));
            }
            truncate(&mut tensor, batch * steps.max(1));
        }
        check_tensor(&port, &tensor).map_err(|error| refused(error, plan, &port, data))?;
        tensors.insert(wanted.name, tensor);
    }
    Ok(tensors)
}

/// Keeps the first rows.
fn truncate(tensor: &mut Tensor, rows: usize) {
    if rows < tensor.shape[0] {
        let width: usize = tensor.shape[1..].iter().product();
        tensor.values.truncate(rows * width);
        tensor.shape[0] = rows;
    }
}

/// What is wrong with the values of a port; for those outside its range, with the factor that brings them into it.
fn refused(error: HostError, plan: &Plan<'_>, port: &PortView<'_>, data: &Data) -> CliError {
    let problem = format!("{}: {error}", data.file.display());
    let HostError::Range { .. } = error else {
        return CliError::new(problem, "change the data");
    };
    let scale = match factor(plan, port, data) {
        Some((name, factor)) => format!("scale the data with `--scale {name}={factor}`"),
        None => "change the data".to_owned(),
    };
    let remedy = format!(
        "{scale}, or declare another range for `{}` in the graph",
        port.name()
    );
    CliError::new(problem, remedy)
}

/// The factor that brings the data of a port, and of all that share its factor, into their ranges, and whose it is. It is what
/// they are scaled by already times a power of two.
fn factor<'a>(plan: &Plan<'a>, port: &PortView<'a>, data: &'a Data) -> Option<(&'a str, f64)> {
    let declared = declared(plan);
    let (name, present) = data.scales.of(port.name(), &declared);
    let owner = declared.iter().find(|declared| declared.name == name)?;
    let ports = plan.ports().filter(|port| {
        let takes = matches!(port.kind(), PortKind::Input | PortKind::Stream);
        takes && data.scales.of(port.name(), &declared).0 == name
    });
    let values = |port: PortView<'a>| {
        let (_, array) = find(&data.arrays, port.name(), port.kind() == PortKind::Stream)?;
        Some((array.values.as_slice(), (port.low(), port.high())))
    };
    let shared: Vec<_> = ports.filter_map(values).collect();
    let factor = fitting(&shared).filter(|_| is_scalable(owner, &data.arrays))?;
    Some((name, present * factor))
}

impl Wanted {
    fn take(&self, arrays: &Arrays, file: &Path) -> Result<Tensor> {
        let name = &self.name;
        let streamed = self.kind == PortKind::Stream;
        let (source, array) = find(arrays, name, streamed).ok_or_else(|| {
            let names = if streamed {
                format!("`{name}` or `{name}_train`")
            } else {
                format!("`{name}`")
            };
            CliError::new(
                format!(
                    "{}: no array for {} `{name}`: expected {names}, found {}",
                    file.display(),
                    self.kind.name(),
                    describe(arrays)
                ),
                format!("add an array {names} of shape {}", self.expected()),
            )
        })?;
        let place = format!("{}: array `{source}`", file.display());
        let array = match self.shape.split_last() {
            Some((&classes, rows)) if self.one_hot && array.shape.len() == rows.len() => {
                Cow::Owned(one_hot(array, classes, &place)?)
            }
            _ => Cow::Borrowed(array),
        };
        let fits = match self.shape.split_first() {
            Some((&batch, row)) if streamed => {
                array.shape.first().is_some_and(|&rows| rows >= batch) && array.shape[1..] == *row
            }
            _ => array.shape == self.shape,
        };
        if !fits {
            return Err(self.misfit(&place, &array));
        }
        let Array { shape, values, .. } = array.into_owned();
        Ok(Tensor { shape, values })
    }

    fn misfit(&self, place: &str, array: &Array) -> CliError {
        let Self { name, kind, .. } = self;
        let remedy = match (self.shape.first(), array.shape.first()) {
            (Some(batch), Some(rows))
                if *kind == PortKind::Stream && rows < batch && array.shape[1..] == self.shape[1..] =>
            {
                format!("give at least {batch} rows, or compile with a smaller batch (--set batch={rows})")
            }
            _ => format!("change the data, or the shape of `{name}` in the graph (--set for a const)"),
        };
        let problem = format!(
            "{place} does not fit {} `{name}`: expected shape {}, found {:?}",
            kind.name(),
            self.expected(),
            array.shape
        );
        CliError::new(problem, remedy)
    }

    /// The shape that is asked for, as text: a stream takes any number of rows from one batch on.
    fn expected(&self) -> String {
        let extents: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        match (self.kind, extents.split_first()) {
            (PortKind::Stream, Some((batch, []))) => format!("[{batch} or more]"),
            (PortKind::Stream, Some((batch, row))) => format!("[{batch} or more, {}]", row.join(", ")),
            _ => format!("[{}]", extents.join(", ")),
        }
    }
}

/// Rows with 1 in the label's column and 0 elsewhere.
fn one_hot(labels: &Array, classes: usize, place: &str) -> Result<Array> {
    let mut values = vec![0.0; labels.values.len() * classes];
    for (row, &label) in labels.values.iter().enumerate() {
        if label.fract() != 0.0 || !(0.0..classes as f64).contains(&label) {
            return Err(CliError::new(
                format!("{place}, row {row}: label {label} is no class"),
                format!("number the {classes} classes from 0 to {}", classes - 1),
            ));
        }
        values[row * classes + label as usize] = 1.0;
    }
    let shape = labels.shape.iter().copied().chain([classes]).collect();
    Ok(Array {
        shape,
        values,
        integer: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize]) -> Array {
        let count = shape.iter().product::<usize>();
        Array {
            shape: shape.to_vec(),
            values: (0..count).map(|v| v as f64).collect(),
            integer: false,
        }
    }

    fn wanted(name: &str, kind: PortKind, shape: &[usize]) -> Wanted {
        Wanted {
            name: name.into(),
            kind,
            shape: shape.to_vec(),
            one_hot: false,
        }
    }

    fn take(wanted: &Wanted, arrays: &Arrays) -> Result<Tensor> {
        wanted.take(arrays, Path::new("data.npz"))
    }

    #[test]
    fn an_exact_name_wins_over_the_convention() {
        let mut arrays = Arrays::from([("x_train".into(), array(&[6, 2]))]);
        let x = wanted("x", PortKind::Stream, &[4, 2]);
        assert_eq!(take(&x, &arrays).unwrap().shape, [6, 2]);
        arrays.insert("x".into(), array(&[5, 2]));
        assert_eq!(take(&x, &arrays).unwrap().shape, [5, 2]);
        arrays.insert("x_val".into(), array(&[3, 2]));
        assert_eq!(
            take(&wanted("x_val", PortKind::Input, &[3, 2]), &arrays)
                .unwrap()
                .shape,
            [3, 2]
        );
    }

    #[test]
    fn rows_that_no_step_sees_are_left_out() {
        let mut tensor = Tensor {
            shape: vec![3, 2],
            values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        };
        truncate(&mut tensor, 4);
        assert_eq!(tensor.shape, [3, 2]);
        truncate(&mut tensor, 2);
        assert_eq!(
            tensor,
            Tensor {
                shape: vec![2, 2],
                values: vec![0.0, 1.0, 2.0, 3.0]
            }
        );
    }

    #[test]
    fn an_input_is_not_filled_with_training_rows() {
        let arrays = Arrays::from([("x_train".into(), array(&[3, 2]))]);
        let error = take(&wanted("x", PortKind::Input, &[3, 2]), &arrays)
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected `x`, found x_train [3, 2]"), "{error}");
    }

    #[test]
    fn labels_become_one_hot_rows() {
        let labels = Array {
            shape: vec![3],
            values: vec![2.0, 0.0, 1.0],
            integer: true,
        };
        let port = Wanted {
            one_hot: true,
            ..wanted("y", PortKind::Stream, &[2, 3])
        };
        let tensor = take(&port, &Arrays::from([("y_train".into(), labels)])).unwrap();
        assert_eq!(tensor.shape, [3, 3]);
        assert_eq!(tensor.values, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn labels_outside_the_classes_are_refused() {
        for label in [3.0, -1.0, 0.5] {
            let labels = Array {
                shape: vec![2],
                values: vec![0.0, label],
                integer: false,
            };
            let port = Wanted {
                one_hot: true,
                ..wanted("y", PortKind::Stream, &[2, 3])
            };
            let error = take(&port, &Arrays::from([("y_train".into(), labels)]))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("row 1") && error.contains("from 0 to 2"),
                "{error}"
            );
        }
    }

    #[test]
    fn misfits_say_what_was_expected_and_found() {
        let x = wanted("x", PortKind::Stream, &[4, 2]);
        let few = take(&x, &Arrays::from([("x_train".into(), array(&[3, 2]))]))
            .unwrap_err()
            .to_string();
        assert!(
            few.contains("expected shape [4 or more, 2], found [3, 2]"),
            "{few}"
        );
        assert!(few.contains("--set batch=3"), "{few}");
        let wide = take(&x, &Arrays::from([("x_train".into(), array(&[8, 3]))]))
            .unwrap_err()
            .to_string();
        assert!(
            wide.contains("found [8, 3]") && !wide.contains("--set batch"),
            "{wide}"
        );
        let y = wanted("y", PortKind::Stream, &[4]);
        let deep = take(&y, &Arrays::from([("y_train".into(), array(&[8, 1]))]))
            .unwrap_err()
            .to_string();
        assert!(
            deep.contains("expected shape [4 or more], found [8, 1]"),
            "{deep}"
        );
        assert!(take(&y, &Arrays::from([("y".into(), array(&[]))])).is_err());
    }
}
