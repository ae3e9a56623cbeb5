//! Which array is meant by which name of a graph, and what its shape says.

use cipherloom_plan::{Plan, PortKind};

use super::{Array, Arrays};

/// Parts of the data: arrays that are called alike but for these endings belong together.
const PARTS: [&str; 3] = ["_train", "_val", "_test"];

/// An input or a stream, of a graph or of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a stream.
    pub streamed: bool,
    /// Whether its rows are `one_hot`.
    pub one_hot: bool,
}

/// The inputs and streams of a plan.
pub fn declared<'a>(plan: &Plan<'a>) -> Vec<Declared<'a>> {
    let ports = plan.ports();
    let ports = ports.filter(|port| matches!(port.kind(), PortKind::Input | PortKind::Stream));
    let declared = ports.map(|port| Declared {
        name: port.name(),
        streamed: port.kind() == PortKind::Stream,
        one_hot: port.one_hot(),
    });
    declared.collect()
}

/// The array that a name takes its values from, with the array's name: that of the same name, for a stream else its training
/// rows.
pub fn find<'a>(arrays: &'a Arrays, name: &str, streamed: bool) -> Option<(&'a str, &'a Array)> {
    let rows = || {
        arrays
            .get_key_value(&format!("{name}_train"))
            .filter(|_| streamed)
    };
    let (name, array) = arrays.get_key_value(name).or_else(rows)?;
    Some((name, array))
}

/// The name without the part of the data that it says.
pub fn stem(name: &str) -> &str {
    let stem = PARTS.iter().find_map(|part| name.strip_suffix(part));
    stem.unwrap_or(name)
}

/// The name of the array that a declaration takes its values from, and the extents that the data say for its dimensions;
/// none where there is no such array, or one of another number of dimensions.
///
/// Where labels are numbers, the classes of a `one_hot` declaration are as many as all parts of the data need.
pub fn extents<'a>(
    arrays: &'a Arrays,
    declared: &Declared<'_>,
    dimensions: usize,
) -> Option<(&'a str, Vec<Option<usize>>)> {
    let (source, array) = find(arrays, declared.name, declared.streamed)?;
    let mut extents: Vec<Option<usize>> = array.shape.iter().copied().map(Some).collect();
    if declared.one_hot && extents.len() + 1 == dimensions {
        extents.push(classes(arrays, source));
    }
    (extents.len() == dimensions).then_some((source, extents))
}

/// The number of classes of labels from 0: one more than the largest in any part of the data; none if they are no such labels.
fn classes(arrays: &Arrays, labels: &str) -> Option<usize> {
    let dimensions = arrays.get(labels)?.shape.len();
    let parts = arrays.iter().filter(|(name, _)| stem(name) == stem(labels));
    let parts = parts.filter(|(_, part)| part.shape.len() == dimensions);
    let mut labels = parts.flat_map(|(_, part)| &part.values);
    let largest = labels.try_fold(None, |largest: Option<f64>, &label| {
        let is_label = label >= 0.0 && label.fract() == 0.0;
        is_label.then(|| Some(largest.map_or(label, |largest| largest.max(label))))
    });
    Some(largest?? as usize + 1)
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

    fn arrays<const COUNT: usize>(arrays: [(&str, Array); COUNT]) -> Arrays {
        arrays.map(|(name, array)| (name.to_owned(), array)).into()
    }

    const STREAM: Declared<'_> = Declared {
        name: "y",
        streamed: true,
        one_hot: true,
    };
    const INPUT: Declared<'_> = Declared {
        name: "y_val",
        streamed: false,
        one_hot: true,
    };

    #[test]
    fn names_without_their_parts() {
        assert_eq!(
            ["x", "x_train", "x_val", "x_test", "x_tests"].map(stem),
            ["x", "x", "x", "x", "x_tests"]
        );
    }

    #[test]
    fn extents_are_those_of_the_array_that_is_taken() {
        let mut arrays = arrays([("y_train", array(&[2, 3], &[0.0; 6]))]);
        assert_eq!(
            extents(&arrays, &STREAM, 2),
            Some(("y_train", vec![Some(2), Some(3)]))
        );
        assert_eq!(extents(&arrays, &STREAM, 1), None);
        assert_eq!(extents(&arrays, &INPUT, 2), None);
        arrays.insert("y".to_owned(), array(&[1, 4], &[0.0; 4]));
        assert_eq!(extents(&arrays, &STREAM, 2), Some(("y", vec![Some(1), Some(4)])));
    }

    #[test]
    fn classes_are_those_of_all_parts() {
        let mut arrays = arrays([
            ("y_train", array(&[3], &[0.0, 2.0, 1.0])),
            ("y_val", array(&[2], &[0.0, 1.0])),
            ("y_test", array(&[1], &[4.0])),
            ("z", array(&[1], &[9.0])),
        ]);
        let found = |arrays: &Arrays, declared| extents(arrays, declared, 2).expect("found").1;
        assert_eq!(found(&arrays, &STREAM), [Some(3), Some(5)]);
        assert_eq!(found(&arrays, &INPUT), [Some(2), Some(5)]);
        let numbers = Declared {
            one_hot: false,
            ..STREAM
        };
        assert_eq!(extents(&arrays, &numbers, 2), None);
        // What is no label is told when the data are bound.
        for wrong in [-1.0, 0.5, f64::NAN] {
            arrays.insert("y_test".to_owned(), array(&[1], &[wrong]));
            assert_eq!(found(&arrays, &STREAM), [Some(3), None], "{wrong}");
        }
        arrays.clear();
        arrays.insert("y".to_owned(), array(&[0], &[]));
        assert_eq!(found(&arrays, &STREAM), [Some(0), None]);
    }
}
