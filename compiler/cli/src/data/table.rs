//! `.csv`: one row per example, one column per feature, a header row with the columns' names.

use std::path::Path;

use super::{Array, Arrays};
use crate::error::{CliError, Result};

const LABELS: [&str; 3] = ["y", "label", "target"];
const SPLITS: [&str; 3] = ["train", "val", "test"];

/// What a column holds.
enum Column {
    Feature,
    Label,
    Split,
}

/// Rows of one part of the data: features and labels, row after row.
#[derive(Default)]
struct Part {
    features: Vec<f64>,
    labels: Vec<f64>,
    rows: usize,
}

/// Reads a table into `x_train`, `y_train`, `x_test`, `y_test` and, where a `split` column names them, `x_val`, `y_val`.
pub fn read_csv(path: &Path) -> Result<Arrays> {
    let malformed = |error: csv::Error| {
        CliError::new(
            format!("{}: {error}", path.display()),
            "every row needs as many fields as the header row",
        )
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(malformed)?;
    let header = reader.headers().map_err(malformed)?.clone();
    let columns = columns(path, &header)?;
    let width = columns
        .iter()
        .filter(|column| matches!(column, Column::Feature))
        .count();
    let labelled = columns.iter().any(|column| matches!(column, Column::Label));
    let split = columns.iter().any(|column| matches!(column, Column::Split));

    let mut parts: [Part; 3] = Default::default();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(malformed)?;
        let place = |column: usize| {
            format!(
                "{}: row {}, column `{}`",
                path.display(),
                row + 1,
                &header[column]
            )
        };
        let part = match columns.iter().position(|column| matches!(column, Column::Split)) {
            None => 0,
            Some(column) => SPLITS
                .iter()
                .position(|name| *name == &record[column])
                .ok_or_else(|| {
                    CliError::new(
                        format!("{}: `{}` is no part of the data", place(column), &record[column]),
                        "write train, val or test",
                    )
                })?,
        };
        let part = &mut parts[part];
        for (index, field) in record.iter().enumerate() {
            let into = match columns[index] {
                Column::Split => continue,
                Column::Feature => &mut part.features,
                Column::Label => &mut part.labels,
            };
            into.push(field.parse().map_err(|_| {
                let problem = format!("{}: `{field}` is not a number", place(index));
                CliError::new(
                    problem,
                    "encode words as numbers, and fill in missing values, before training",
                )
            })?);
        }
        part.rows += 1;
    }

    let [train, _, test] = &mut parts;
    if !split {
        let kept = train.rows * 4 / 5;
        test.rows = train.rows - kept;
        test.features = train.features.split_off(kept * width);
        test.labels = train.labels.split_off(if labelled { kept } else { 0 });
        train.rows = kept;
    }
    let mut arrays = Arrays::new();
    for (name, part) in SPLITS.iter().zip(parts).filter(|(_, part)| part.rows > 0) {
        arrays.insert(
            format!("x_{name}"),
            Array {
                shape: vec![part.rows, width],
                values: part.features,
                integer: false,
            },
        );
        if labelled {
            let integer = part.labels.iter().all(|label| label.fract() == 0.0);
            arrays.insert(
                format!("y_{name}"),
                Array {
                    shape: vec![part.rows],
                    values: part.labels,
                    integer,
                },
            );
        }
    }
    if arrays.is_empty() {
        return Err(CliError::new(
            format!("{}: no rows below the header", path.display()),
            "add one row per example",
        ));
    }
    Ok(arrays)
}

fn columns(path: &Path, header: &csv::StringRecord) -> Result<Vec<Column>> {
    let columns: Vec<Column> = header
        .iter()
        .map(|name| match name {
            "split" => Column::Split,
            name if LABELS.contains(&name) => Column::Label,
            _ => Column::Feature,
        })
        .collect();
    let labels: Vec<&str> = header.iter().filter(|name| LABELS.contains(name)).collect();
    if labels.len() > 1 {
        return Err(CliError::new(
            format!(
                "{}: two label columns, `{}` and `{}`",
                path.display(),
                labels[0],
                labels[1]
            ),
            "keep one of them, and rename the other if it is a feature",
        ));
    }
    if header.iter().filter(|name| *name == "split").count() > 1 {
        return Err(CliError::new(
            format!("{}: two `split` columns", path.display()),
            "keep one of them",
        ));
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Arrays> {
        let path = tempfile::Builder::new()
            .suffix(".csv")
            .tempfile()
            .unwrap()
            .into_temp_path();
        std::fs::write(&path, text).unwrap();
        read_csv(&path)
    }

    #[test]
    fn the_first_four_fifths_train_and_the_rest_tests() {
        let arrays = read("a, label, b\n1,0,2\n3,1,4\n5,0,6\n7,1,8\n9,1,10\n").unwrap();
        assert_eq!(
            arrays.keys().collect::<Vec<_>>(),
            ["x_test", "x_train", "y_test", "y_train"]
        );
        assert_eq!(arrays["x_train"].shape, [4, 2]);
        assert_eq!(arrays["x_train"].values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(
            arrays["y_train"],
            Array {
                shape: vec![4],
                values: vec![0.0, 1.0, 0.0, 1.0],
                integer: true
            }
        );
        assert_eq!(arrays["x_test"].values, [9.0, 10.0]);
        assert_eq!(arrays["y_test"].values, [1.0]);
    }

    #[test]
    fn a_split_column_decides() {
        let arrays = read("split,y,a\ntest,1.5,1\ntrain,2,2\nval,3,3\ntrain,4,4\n").unwrap();
        assert_eq!(arrays["x_train"].values, [2.0, 4.0]);
        assert_eq!(arrays["y_train"].values, [2.0, 4.0]);
        assert_eq!(arrays["x_val"].values, [3.0]);
        assert_eq!(arrays["x_test"].values, [1.0]);
        assert_eq!(
            arrays["y_test"],
            Array {
                shape: vec![1],
                values: vec![1.5],
                integer: false
            }
        );
    }

    #[test]
    fn a_table_without_labels_has_features_only() {
        let arrays = read("a,b\n1,2\n3,4\n").unwrap();
        assert_eq!(arrays.keys().collect::<Vec<_>>(), ["x_test", "x_train"]);
        assert_eq!(arrays["x_train"].shape, [1, 2]);
    }

    #[test]
    fn errors_name_row_and_column() {
        for (text, expected) in [
            ("a,y\n1,0\n2,spam\n", vec!["row 2", "`y`", "`spam`"]),
            ("a,y,split\n1,0,trian\n", vec!["row 1", "`split`", "`trian`"]),
            ("a,y\n1,0\n1\n", vec!["every row"]),
            ("a,y,label\n1,0,0\n", vec!["`y`", "`label`"]),
            ("a,y\n", vec!["no rows"]),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(expected.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}
