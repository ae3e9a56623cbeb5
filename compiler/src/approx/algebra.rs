//! What composite functions are written in: a few operations, with one meaning for each purpose.
//!
//! A composite says once how it is computed. [`Rows`] gives its value in f64, [`Cost`] its levels and products, and the
//! approximate pass the operations of the tensor dialect.

use super::polynomial::Polynomial;

/// Operations on elements, and along rows: the last axis of a tensor.
pub trait Algebra {
    /// An intermediate result: one number for each element, or one for each row.
    type Value: Clone;
    /// p(x), where p stands for what `name` says.
    fn polynomial(&mut self, x: &Self::Value, p: &Polynomial, name: &str) -> Self::Value;
    /// a + b.
    fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;
    /// a − b.
    fn sub(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;
    /// a·b; a number for each row multiplies the row.
    fn mul(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;
    /// factor·x.
    fn scaled(&mut self, x: &Self::Value, factor: f64) -> Self::Value;
    /// x + by.
    fn shifted(&mut self, x: &Self::Value, by: f64) -> Self::Value;
    /// Sum of each row.
    fn row_sum(&mut self, x: &Self::Value) -> Self::Value;
    /// Each row turned to the left by `by` places.
    fn rolled(&mut self, x: &Self::Value, by: u32) -> Self::Value;
    /// Notes an interval that holds the value.
    fn within(&mut self, x: &Self::Value, low: f64, high: f64);
    /// Notes that `images` are a function of `argument`, of which an error comes out multiplied by `slope` at most; errors of what
    /// stands `beside` it cancel later.
    fn stage(&mut self, argument: &Self::Value, beside: &[&Self::Value], images: &[&Self::Value], slope: f64);
}

/// Values in f64: of one row, or of any list where rows do not matter.
pub struct Rows;

fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    (0..a.len().max(b.len()))
        .map(|i| f(a[i % a.len()], b[i % b.len()]))
        .collect()
}

impl Algebra for Rows {
    type Value = Vec<f64>;

    fn polynomial(&mut self, x: &Vec<f64>, p: &Polynomial, _: &str) -> Vec<f64> {
        x.iter().map(|&x| p.value(x)).collect()
    }

    fn add(&mut self, a: &Vec<f64>, b: &Vec<f64>) -> Vec<f64> {
        zip(a, b, |a, b| a + b)
    }

    fn sub(&mut self, a: &Vec<f64>, b: &Vec<f64>) -> Vec<f64> {
        zip(a, b, |a, b| a - b)
    }

    fn mul(&mut self, a: &Vec<f64>, b: &Vec<f64>) -> Vec<f64> {
        zip(a, b, |a, b| a * b)
    }

    fn scaled(&mut self, x: &Vec<f64>, factor: f64) -> Vec<f64> {
        x.iter().map(|x| x * factor).collect()
    }

    fn shifted(&mut self, x: &Vec<f64>, by: f64) -> Vec<f64> {
        x.iter().map(|x| x + by).collect()
    }

    fn row_sum(&mut self, x: &Vec<f64>) -> Vec<f64> {
        vec![x.iter().sum()]
    }

    fn rolled(&mut self, x: &Vec<f64>, by: u32) -> Vec<f64> {
        let mut x = x.clone();
        let by = by as usize % x.len();
        x.rotate_left(by);
        x
    }

    fn within(&mut self, _: &Vec<f64>, _: f64, _: f64) {}

    fn stage(&mut self, _: &Vec<f64>, _: &[&Vec<f64>], _: &[&Vec<f64>], _: f64) {}
}

/// What an evaluation costs: levels first, then products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// Levels on the longest way; masks that a layout may need are not counted.
    pub levels: u32,
    /// Products of ciphertexts.
    pub products: u32,
}

/// Counts products; a value is the levels on the way to it.
impl Algebra for Cost {
    type Value = u32;

    fn polynomial(&mut self, x: &u32, p: &Polynomial, _: &str) -> u32 {
        self.products += p.products();
        self.reach(x + p.depth())
    }

    fn add(&mut self, a: &u32, b: &u32) -> u32 {
        *a.max(b)
    }

    fn sub(&mut self, a: &u32, b: &u32) -> u32 {
        *a.max(b)
    }

    fn mul(&mut self, a: &u32, b: &u32) -> u32 {
        self.products += 1;
        self.reach(a.max(b) + 1)
    }

    fn scaled(&mut self, x: &u32, factor: f64) -> u32 {
        self.reach(x + u32::from(factor.abs() != 1.0))
    }

    fn shifted(&mut self, x: &u32, _: f64) -> u32 {
        *x
    }

    fn row_sum(&mut self, x: &u32) -> u32 {
        *x
    }

    /// Two masks, for what stays in the row and what comes round.
    fn rolled(&mut self, x: &u32, _: u32) -> u32 {
        self.reach(x + 1)
    }

    fn within(&mut self, _: &u32, _: f64, _: f64) {}

    fn stage(&mut self, _: &u32, _: &[&u32], _: &[&u32], _: f64) {}
}

impl Cost {
    fn reach(&mut self, levels: u32) -> u32 {
        self.levels = self.levels.max(levels);
        levels
    }
}
