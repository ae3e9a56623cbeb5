//! Factors that bring data into the ranges that a graph declares.

use std::collections::BTreeMap;

use super::{Array, Arrays, Declared, find, stem};
use crate::error::{CliError, Result};

/// Factors by the name of an input or a stream.
///
/// An array has the factor of its own name, else that of its name without the part of the data: the factor of `x` is that of
/// `x_train`, `x_val` and `x_test`, too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scales(BTreeMap<String, f64>);

impl Scales {
    /// The factors that a command line names, each finite and not 0.
    ///
    /// # Errors
    /// A name that is given twice, that is no input or stream, or whose data are labels of classes.
    pub fn new(factors: &[(String, f64)], declared: &[Declared<'_>], arrays: &Arrays) -> Result<Self> {
        let mut scales = BTreeMap::new();
        for (name, factor) in factors {
            let refuse = |problem: &str| {
                let scalable = declared.iter().filter(|declared| is_scalable(declared, arrays));
                let names: Vec<String> = scalable.map(|declared| format!("`{}`", declared.name)).collect();
                let remedy = match names.as_slice() {
                    [] => "leave it out: the graph has nothing to scale".to_owned(),
                    names => format!("inputs and streams that can be scaled: {}", names.join(", ")),
                };
                Err(CliError::new(
                    format!("--scale {name}={factor}: {problem}"),
                    remedy,
                ))
            };
            match declared.iter().find(|declared| declared.name == name) {
                None => return refuse("the graph has no input or stream of this name"),
                Some(declared) if !is_scalable(declared, arrays) => {
                    return refuse("its data are labels: one-hot rows, or an integer for each row");
                }
                Some(_) => {}
            }
            if scales.insert(name.clone(), *factor).is_some() {
                return Err(CliError::Usage(format!("--scale {name}=… is given twice")));
            }
        }
        Ok(Self(scales))
    }

    /// Multiplies every array by its factor.
    pub fn apply(&self, arrays: &mut Arrays) {
        for (name, array) in arrays {
            if let Some((_, factor)) = self.entry(name) {
                array.values.iter_mut().for_each(|value| *value *= factor);
            }
        }
    }

    /// The entry that an array or an input or stream has its factor from.
    fn entry(&self, name: &str) -> Option<(&str, f64)> {
        let entry = |name| self.0.get_key_value(name);
        let (name, factor) = entry(name).or_else(|| entry(stem(name)))?;
        Some((name, *factor))
    }

    /// The name whose factor scales an input or stream, and the factor; 1 where none is given.
    pub fn of<'a>(&'a self, name: &'a str, declared: &[Declared<'_>]) -> (&'a str, f64) {
        self.entry(name).unwrap_or_else(|| {
            let has_stem = declared.iter().any(|declared| declared.name == stem(name));
            (if has_stem { stem(name) } else { name }, 1.0)
        })
    }
}

/// Whether factors make sense: not of `one_hot` rows, nor of a stream of one integer for each row, which are labels.
pub fn is_scalable(declared: &Declared<'_>, arrays: &Arrays) -> bool {
    let Declared {
        name,
        streamed,
        one_hot,
    } = *declared;
    let holds_labels = |(_, array): (&str, &Array)| array.integer && array.shape.len() == 1;
    let is_label = streamed && find(arrays, name, streamed).is_some_and(holds_labels);
    !(one_hot || is_label)
}

/// The largest power of two that brings all values into the range that stands beside them; none if no power of two does.
pub fn fitting(data: &[(&[f64], (f64, f64))]) -> Option<f64> {
    let values = || {
        let pairs = data.iter();
        pairs.flat_map(|&(values, range)| values.iter().map(move |&value| (value, range)))
    };
    let most = values().map(|(value, (low, high))| match value {
        value if value > 0.0 => high / value,
        value if value < 0.0 => low / value,
        _ => f64::INFINITY,
    });
    let factor = most.fold(f64::INFINITY, f64::min).log2().floor().exp2();
    let fits = |factor: &f64| {
        factor.is_normal() && values().all(|(value, (low, high))| (low..=high).contains(&(value * factor)))
    };
    // Where the logarithm was rounded up, half of it fits.
    [factor, factor / 2.0].into_iter().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], values: &[f64], integer: bool) -> Array {
        Array {
            shape: shape.to_vec(),
            values: values.to_vec(),
            integer,
        }
    }

    fn declared(name: &str, streamed: bool, one_hot: bool) -> Declared<'_> {
        Declared {
            name,
            streamed,
            one_hot,
        }
    }

    fn arrays() -> Arrays {
        let features = || array(&[1, 2], &[8.0, -4.0], true);
        let arrays = [
            ("x_train", features()),
            ("x_val", features()),
            ("x_test", features()),
            ("y_train", array(&[1], &[1.0], true)),
            ("pixels", array(&[2], &[3.0, 4.0], true)),
        ];
        arrays.map(|(name, array)| (name.to_owned(), array)).into()
    }

    fn graph() -> [Declared<'static>; 5] {
        [
            declared("x", true, false),
            declared("y", true, false),
            declared("x_val", false, false),
            declared("k", false, true),
            declared("pixels", false, false),
        ]
    }

    fn scales(factors: &[(&str, f64)]) -> Result<Scales> {
        let factors: Vec<(String, f64)> = factors.iter().map(|&(name, f)| (name.to_owned(), f)).collect();
        Scales::new(&factors, &graph(), &arrays())
    }

    #[test]
    fn all_parts_of_the_data_have_the_factor_of_their_stream() {
        let scaled = |factors: &[(&str, f64)]| {
            let mut arrays = arrays();
            scales(factors).unwrap().apply(&mut arrays);
            ["x_train", "x_val", "x_test", "y_train", "pixels"].map(|name| arrays[name].values.clone())
        };
        let [x, y, pixels] = [vec![8.0, -4.0], vec![1.0], vec![3.0, 4.0]];
        let eighth = vec![1.0, -0.5];
        assert_eq!(
            scaled(&[]),
            [x.clone(), x.clone(), x.clone(), y.clone(), pixels.clone()]
        );
        assert_eq!(
            scaled(&[("x", 0.125)]),
            [eighth.clone(), eighth.clone(), eighth.clone(), y.clone(), pixels]
        );
        assert_eq!(
            scaled(&[("x_val", -0.5), ("pixels", 2.0), ("x", 0.125)]),
            [eighth.clone(), vec![-4.0, 2.0], eighth, y, vec![6.0, 8.0]]
        );
    }

    #[test]
    fn names_that_cannot_be_scaled_are_refused_with_those_that_can() {
        let error = |factors: &[(&str, f64)]| scales(factors).unwrap_err().to_string();
        for name in ["z", "x_train"] {
            let error = error(&[(name, 2.0)]);
            assert!(
                error.contains(&format!("--scale {name}=2: the graph has no")),
                "{error}"
            );
            assert!(
                error.ends_with("can be scaled: `x`, `x_val`, `pixels`"),
                "{error}"
            );
        }
        for name in ["k", "y"] {
            let error = error(&[(name, 2.0)]);
            assert!(error.contains("its data are labels"), "{error}");
            assert!(
                error.ends_with("can be scaled: `x`, `x_val`, `pixels`"),
                "{error}"
            );
        }
        assert!(error(&[("x", 2.0), ("x", 2.0)]).contains("--scale x=… is given twice"));
        let nothing = Scales::new(&[("z".to_owned(), 2.0)], &[], &arrays()).unwrap_err();
        assert!(nothing.to_string().contains("nothing to scale"), "{nothing}");
    }

    #[test]
    fn an_input_has_the_factor_of_its_stream_unless_it_has_its_own() {
        let (none, own) = (
            scales(&[]).unwrap(),
            scales(&[("x", 0.5), ("x_val", 0.25)]).unwrap(),
        );
        assert_eq!(none.of("x_val", &graph()), ("x", 1.0));
        assert_eq!(none.of("pixels_val", &graph()[..1]), ("pixels_val", 1.0));
        assert_eq!(own.of("x", &graph()), ("x", 0.5));
        assert_eq!(own.of("x_val", &graph()), ("x_val", 0.25));
        assert_eq!(scales(&[("x", 0.5)]).unwrap().of("x_val", &graph()), ("x", 0.5));
    }

    #[test]
    fn the_largest_power_of_two_that_fits() {
        let fit = |values: &[f64], low: f64, high: f64| fitting(&[(values, (low, high))]);
        assert_eq!(fit(&[9.5, -3.0, 0.0], -2.0, 2.0), Some(0.125));
        assert_eq!(fit(&[8.0, -16.0], -2.0, 2.0), Some(0.125));
        assert_eq!(fit(&[255.0, 0.0], 0.0, 1.0), Some(1.0 / 256.0));
        assert_eq!(fit(&[0.375], 1.0, 2.0), Some(4.0));
        // No factor makes a number positive, nor brings numbers together.
        assert_eq!(fit(&[2.0, -1.0], 0.0, 1.0), None);
        assert_eq!(fit(&[1.0, 3.0], 1.0, 2.0), None);
        assert_eq!(fit(&[f64::NAN, 1.0], -2.0, 2.0), None);
        assert_eq!(fit(&[f64::INFINITY], -2.0, 2.0), None);
        let several: [(&[f64], (f64, f64)); 2] = [(&[4.0], (-2.0, 2.0)), (&[-4.0], (-0.5, 8.0))];
        assert_eq!(fitting(&several), Some(0.125));
    }
}
