//! Functions that one polynomial does not follow, or not as cheaply, by compositions of several.

use super::algebra::{Algebra, Cost};
use super::reciprocal::Reciprocal;
use super::softmax::Softmax;
use super::step::{Comparison, Kind};
use super::tournament::Tournament;
use super::{Elementary, Fit, FitError, Function, Wish};
use crate::ir::{OpData, Opcode};

/// A designed composition.
#[derive(Clone, Debug, PartialEq)]
pub enum Composite {
    /// Softmax of rows, normalised and squared.
    Softmax(Softmax),
    /// Softmax of rows, their largest element subtracted first.
    Tournament(Tournament),
    /// Sign, step or relu.
    Comparison(Comparison),
    /// The larger of two, from the ramp of their difference.
    Larger(Comparison),
    /// 1/x or 1/√x.
    Reciprocal(Reciprocal),
}

impl Composite {
    /// The cheapest composition for an operation of the tensor dialect whose rows have `classes` elements; none for operations
    /// that have no composition.
    pub fn design(op: &OpData, classes: u32) -> Option<Result<Self, FitError>> {
        let (low, high) = (op.float("low")?, op.float("high")?);
        let (error, margin) = (op.float("error"), op.float("margin"));
        let reach = low.abs().max(high.abs());
        let comparison = |kind, margin| Comparison::design(kind, reach, margin, error);
        if let Some(function) = Function::of(op) {
            if op.int("degree").is_some() {
                return None;
            }
            return Some(match (function.elementary, function.derivative) {
                (Elementary::Sign, false) => comparison(Kind::Sign, margin).map(Self::Comparison),
                (Elementary::Relu, false) => comparison(Kind::Ramp, None).map(Self::Comparison),
                // The step that the ramp itself is made of.
                (Elementary::Relu, true) => comparison(Kind::Ramp, None).map(|ramp| {
                    Self::Comparison(Comparison {
                        kind: Kind::Step,
                        ..ramp
                    })
                }),
                (Elementary::Inverse, false) => {
                    Reciprocal::design(false, low, high, error).map(Self::Reciprocal)
                }
                (Elementary::InverseSqrt, false) => {
                    Reciprocal::design(true, low, high, error).map(Self::Reciprocal)
                }
                _ => return None,
            });
        }
        Some(match op.opcode {
            Opcode::TensorSoftmax if op.text("method") == Some("tournament") => {
                Tournament::design(classes, low, high, error).map(Self::Tournament)
            }
            Opcode::TensorSoftmax => Softmax::design(classes, low, high, error).map(Self::Softmax),
            Opcode::TensorCompare => comparison(Kind::Step, margin).map(Self::Comparison),
            Opcode::TensorMax => comparison(Kind::Ramp, None).map(Self::Larger),
            _ => return None,
        })
    }

    /// Whether it is cheaper than one polynomial.
    pub fn is_cheaper_than(&self, fit: &Fit, wish: Wish) -> bool {
        let cost = Cost {
            levels: fit.polynomial.depth(),
            products: fit.polynomial.products(),
        };
        wish.degree.is_none() && self.cost() < cost
    }

    /// The function of one or two operands.
    pub fn apply<A: Algebra>(&self, algebra: &mut A, operands: &[A::Value]) -> Option<A::Value> {
        Some(match (self, operands) {
            (Self::Softmax(softmax), [z]) => softmax.apply(algebra, z),
            (Self::Tournament(tournament), [z]) => tournament.apply(algebra, z),
            (Self::Comparison(comparison), [x]) => comparison.apply(algebra, x),
            (Self::Comparison(comparison), [a, b]) => {
                let difference = algebra.sub(a, b);
                comparison.apply(algebra, &difference)
            }
            (Self::Larger(ramp), [a, b]) => {
                let difference = algebra.sub(a, b);
                let ramp = ramp.apply(algebra, &difference);
                algebra.add(b, &ramp)
            }
            (Self::Reciprocal(reciprocal), [x]) => reciprocal.apply(algebra, x),
            _ => return None,
        })
    }

    /// Levels and products.
    pub fn cost(&self) -> Cost {
        match self {
            Self::Softmax(softmax) => softmax.cost(),
            Self::Tournament(tournament) => tournament.cost(),
            Self::Comparison(comparison) | Self::Larger(comparison) => comparison.cost(),
            Self::Reciprocal(reciprocal) => reciprocal.cost(),
        }
    }

    /// Largest error: bounded for softmax, measured for the others.
    pub fn error(&self) -> f64 {
        match self {
            Self::Softmax(softmax) => softmax.error,
            Self::Tournament(tournament) => tournament.error,
            Self::Comparison(comparison) | Self::Larger(comparison) => comparison.error,
            Self::Reciprocal(reciprocal) => reciprocal.error,
        }
    }

    /// The method in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Softmax(softmax) => softmax.describe(),
            Self::Tournament(tournament) => tournament.describe(),
            Self::Comparison(comparison) | Self::Larger(comparison) => comparison.describe(),
            Self::Reciprocal(reciprocal) => reciprocal.describe(),
        }
    }
}
