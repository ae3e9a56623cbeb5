//! Sizes of a graph that its data give.

use cipherloom_compiler::diagnostic::{Code, Diagnostic};
use cipherloom_compiler::sema::Given;
use cipherloom_compiler::source::Span;

use crate::data::{Arrays, Declared, extents};

/// A const whose value is the extent of an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Size {
    pub name: String,
    pub extent: usize,
    /// The array.
    source: String,
    /// The dimension that the const stands for.
    span: Span,
}

/// An input or stream of a graph.
pub fn declared(given: &Given) -> Declared<'_> {
    Declared {
        name: &given.name,
        streamed: given.streamed,
        one_hot: given.one_hot,
    }
}

/// The sizes that arrays give for the consts which name dimensions, in the order of the declarations, but for those that the
/// user has set.
///
/// # Errors
/// Two arrays that give a const different values. What else does not fit is found when the data are bound.
pub fn of_data(
    given: &[Given],
    arrays: &Arrays,
    is_set: impl Fn(&str) -> bool,
) -> Result<Vec<Size>, Box<Diagnostic>> {
    let mut sizes: Vec<Size> = Vec::new();
    for given in given {
        let Some((source, extents)) = extents(arrays, &declared(given), given.sizes.len()) else {
            continue;
        };
        for (name, extent) in given.sizes.iter().zip(extents) {
            let (Some(name), Some(extent)) = (name, extent) else {
                continue;
            };
            if is_set(&name.node) {
                continue;
            }
            let size = Size {
                name: name.node.clone(),
                extent,
                source: source.to_owned(),
                span: name.span,
            };
            match sizes.iter().find(|other| other.name == size.name) {
                None => sizes.push(size),
                Some(other) if other.extent == extent => {}
                Some(other) => return Err(Box::new(two_sizes(other, &size))),
            }
        }
    }
    Ok(sizes)
}

fn two_sizes(first: &Size, second: &Size) -> Diagnostic {
    let text = |size: &Size| format!("is {} in array `{}`", size.extent, size.source);
    let name = &first.name;
    Diagnostic::new(
        Code::Shape,
        format!("the data give two sizes for the const `{name}`"),
    )
    .label(second.span, text(second))
    .label(first.span, text(first))
    .remedy("give arrays that agree, or name the two dimensions by two consts")
}

/// What a user is told of sizes; nothing where there are none.
pub fn text(sizes: &[Size]) -> Option<String> {
    let sizes: Vec<String> = sizes
        .iter()
        .map(|size| format!("{} = {}", size.name, size.extent))
        .collect();
    (!sizes.is_empty()).then(|| format!("sizes from the data: {}", sizes.join(", ")))
}

#[cfg(test)]
mod tests {
    use cipherloom_compiler::diagnostic::Diagnostics;
    use cipherloom_compiler::sema;
    use cipherloom_compiler::source::Source;

    use super::*;
    use crate::data::Array;

    const GRAPH: &str = "graph g {
        const batch = 4;
        const features = 768;
        const classes = 10;
        const validation = 512;
        stream x: secret [batch, features] in [0, 1];
        stream y: secret [batch, classes] one_hot;
        input x_val: secret [validation, features] in [0, 1];
    }";

    fn arrays(shapes: &[(&str, &[usize])]) -> Arrays {
        let array = |shape: &[usize]| Array {
            shape: shape.to_vec(),
            values: (0..shape.iter().product())
                .map(|value| (value % 3) as f64)
                .collect(),
            integer: true,
        };
        let arrays = shapes.iter();
        arrays
            .map(|&(name, shape)| (name.to_owned(), array(shape)))
            .collect()
    }

    fn sizes(shapes: &[(&str, &[usize])], set: &[&str]) -> Result<String, Box<Diagnostic>> {
        let given = sema::given(&Source::new("g.loom", GRAPH), &mut Diagnostics::new()).unwrap();
        let sizes = of_data(&given, &arrays(shapes), |name| set.contains(&name));
        sizes.map(|sizes| text(&sizes).unwrap_or_default())
    }

    #[test]
    fn arrays_give_the_sizes_that_are_not_set() {
        let shapes: [(&str, &[usize]); 4] = [
            ("x_train", &[20, 5]),
            ("y_train", &[20]),
            ("x_val", &[7, 5]),
            ("x_test", &[9, 6]),
        ];
        assert_eq!(
            sizes(&shapes, &[]).unwrap(),
            "sizes from the data: features = 5, classes = 3, validation = 7"
        );
        assert_eq!(
            sizes(&shapes, &["features", "classes"]).unwrap(),
            "sizes from the data: validation = 7"
        );
        assert_eq!(
            sizes(&[("y", &[20, 4])], &[]).unwrap(),
            "sizes from the data: classes = 4"
        );
        // Left to what is said when data are bound.
        assert_eq!(sizes(&[("x_train", &[20])], &[]).unwrap(), "");
        assert_eq!(sizes(&[], &[]).unwrap(), "");
    }

    #[test]
    fn arrays_that_disagree_are_both_named() {
        let shapes: [(&str, &[usize]); 2] = [("x_train", &[20, 5]), ("x_val", &[7, 6])];
        let diagnostic = sizes(&shapes, &[]).unwrap_err();
        assert_eq!(
            diagnostic.message,
            "the data give two sizes for the const `features`"
        );
        let labels: Vec<(&str, &str)> = diagnostic
            .labels
            .iter()
            .map(|(span, text)| (&GRAPH[span.start as usize..span.end as usize], text.as_str()))
            .collect();
        assert_eq!(
            labels,
            [
                ("features", "is 6 in array `x_val`"),
                ("features", "is 5 in array `x_train`")
            ]
        );
        assert!(diagnostic.labels[0].0.start > diagnostic.labels[1].0.start);
        assert_eq!(
            sizes(&shapes, &["features"]).unwrap(),
            "sizes from the data: validation = 7"
        );
    }
}
