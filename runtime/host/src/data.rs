//! Do the user's data fit a port: shape, finite, in the declared range, one-hot where the graph says so.

use crate::error::{HostError, Result};
use crate::tensor::Tensor;
use cipherloom_plan::{PortKind, PortView};

/// How a tensor feeds a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batches {
    /// Values of one batch.
    pub(crate) values: usize,
    /// Full batches.
    pub(crate) count: usize,
    /// Rows (extent of the leading dimension) of the tensor; 1 for a scalar.
    pub(crate) rows: usize,
    /// Rows at the end that do not fill a batch.
    pub(crate) unused_rows: usize,
}

/// Checks that a tensor can be encrypted for a port: shape, range, one-hot rows. Encrypting checks the same.
///
/// # Errors
/// [`HostError::Range`] for a value outside the declared range or no number, [`HostError::Data`] for everything else.
pub fn check_tensor(port: &PortView<'_>, tensor: &Tensor) -> Result<()> {
    check(port, tensor).map(|_| ())
}

/// Checks a tensor against its port and cuts it into batches: one for an input or a state, as many as fit for
/// a stream.
pub(crate) fn check(port: &PortView<'_>, tensor: &Tensor) -> Result<Batches> {
    let name = port.name();
    tensor.check(name)?;
    let wanted: Vec<usize> = port.shape().iter().map(|&extent| extent as usize).collect();
    let batches = batches(name, port.kind(), &wanted, &tensor.shape)?;
    for (index, &value) in tensor.values.iter().enumerate() {
        if !(port.low()..=port.high()).contains(&value) {
            return Err(HostError::Range {
                tensor: name.to_owned(),
                place: place(&tensor.shape, index),
                value,
                declared: (port.low(), port.high()),
            });
        }
    }
    match tensor.shape.last() {
        Some(&classes) if port.one_hot() => check_one_hot(name, &tensor.values, classes)?,
        _ => (),
    }
    Ok(batches)
}

fn batches(name: &str, kind: PortKind, wanted: &[usize], shape: &[usize]) -> Result<Batches> {
    let wrong = |problem: String| HostError::data(name, "", problem);
    let values = wanted.iter().product();
    match (kind, wanted.split_first(), shape.split_first()) {
        (PortKind::Stream, Some((&batch, wanted_rest)), Some((&rows, rest))) => {
            if wanted_rest != rest {
                return Err(wrong(format!(
                    "shape {shape:?} where [rows, …] = [at least {batch}, …] of {wanted:?} is needed"
                )));
            }
            if rows < batch {
                return Err(wrong(format!("{rows} rows do not fill one batch of {batch}")));
            }
            Ok(Batches {
                values,
                count: rows / batch,
                rows,
                unused_rows: rows % batch,
            })
        }
        _ if wanted == shape => {
            let rows = shape.first().copied().unwrap_or(1);
            Ok(Batches {
                values,
                count: 1,
                rows,
                unused_rows: 0,
            })
        }
        _ => Err(wrong(format!("shape {shape:?} where {wanted:?} is needed"))),
    }
}

/// Every row of `classes` values is a single 1 among zeros.
fn check_one_hot(name: &str, values: &[f64], classes: usize) -> Result<()> {
    for (row, values) in values.chunks(classes.max(1)).enumerate() {
        let ones = values.iter().filter(|&&value| value == 1.0).count();
        let zeros = values.iter().filter(|&&value| value == 0.0).count();
        if ones != 1 || zeros + ones != values.len() {
            return Err(HostError::data(
                name,
                format!("row {row}"),
                "is not one-hot: one 1, otherwise 0",
            ));
        }
    }
    Ok(())
}

/// Where the value at a flat index stands, as people count it: rows and columns from 0.
fn place(shape: &[usize], flat: usize) -> String {
    match shape {
        [] => String::new(),
        [_] => format!("row {flat}"),
        [_, columns] => format!("row {}, column {}", flat / columns, flat % columns),
        _ => {
            let mut rest = flat;
            let mut index: Vec<usize> = shape
                .iter()
                .rev()
                .map(|&extent| {
                    let here = rest % extent;
                    rest /= extent;
                    here
                })
                .collect();
            index.reverse();
            format!("index {index:?}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_row_major() {
        assert_eq!(place(&[], 0), "");
        assert_eq!(place(&[5], 3), "row 3");
        assert_eq!(place(&[5, 7], 20), "row 2, column 6");
        assert_eq!(place(&[2, 3, 4], 17), "index [1, 1, 1]");
    }

    #[test]
    fn streams_are_cut_into_whole_batches() {
        let cut = |shape: &[usize]| batches("x", PortKind::Stream, &[4, 3], shape);
        assert_eq!(
            cut(&[4, 3]).unwrap(),
            Batches {
                values: 12,
                count: 1,
                rows: 4,
                unused_rows: 0
            }
        );
        assert_eq!(
            cut(&[11, 3]).unwrap(),
            Batches {
                values: 12,
                count: 2,
                rows: 11,
                unused_rows: 3
            }
        );
        assert!(
            cut(&[3, 3])
                .unwrap_err()
                .to_string()
                .contains("3 rows do not fill one batch of 4")
        );
        assert!(cut(&[4, 2]).is_err());
        assert!(batches("x", PortKind::Input, &[4, 3], &[8, 3]).is_err());
        assert_eq!(batches("x", PortKind::Input, &[], &[]).unwrap().count, 1);
    }

    #[test]
    fn one_hot_rows_have_a_single_one() {
        assert!(check_one_hot("y", &[0.0, 1.0, 1.0, 0.0], 2).is_ok());
        assert!(
            check_one_hot("y", &[0.0, 1.0, 1.0, 1.0], 2)
                .unwrap_err()
                .to_string()
                .contains("row 1")
        );
        assert!(check_one_hot("y", &[0.5, 0.5], 2).is_err());
        assert!(check_one_hot("y", &[0.0, 0.0], 2).is_err());
    }
}
