//! Public tensors, known as numbers while a graph is laid out.

use crate::dialect::tensor::{Elements, joint_shape};
use crate::ir::{OpData, Opcode};

/// A public tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Public {
    /// Extent of each dimension.
    pub shape: Vec<u32>,
    /// Its elements.
    pub elements: Elements,
}

impl Public {
    /// The same number everywhere, if it is.
    pub fn splat(&self) -> Option<f64> {
        match &self.elements {
            Elements::Splat(value) => Some(*value),
            Elements::Each(values) => match values.as_slice() {
                [value] => Some(*value),
                _ => None,
            },
            Elements::Steps(_) => None,
        }
    }

    /// One number for each step, if it is that.
    pub fn steps(&self) -> Option<&[f64]> {
        match &self.elements {
            Elements::Steps(values) => Some(values),
            _ => None,
        }
    }

    /// The element at an index, in the first step where steps differ; indices of leading dimensions that it lacks are left
    /// out by the caller.
    pub fn at(&self, index: &[u32]) -> f64 {
        match &self.elements {
            Elements::Splat(value) => *value,
            Elements::Each(values) => {
                let flat = index
                    .iter()
                    .zip(&self.shape)
                    .fold(0usize, |flat, (&i, &extent)| flat * extent as usize + i as usize);
                values.get(flat).copied().unwrap_or(0.0)
            }
            Elements::Steps(values) => values.first().copied().unwrap_or(0.0),
        }
    }

    /// Each element changed.
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let elements = match &self.elements {
            Elements::Splat(value) => Elements::Splat(change(*value)),
            Elements::Each(values) => Elements::Each(values.iter().map(|&value| change(value)).collect()),
            Elements::Steps(values) => Elements::Steps(values.iter().map(|&value| change(value)).collect()),
        };
        Self {
            shape: self.shape.clone(),
            elements,
        }
    }

    /// The result of an operation on public operands, for the operations that stay after folding: those element by
    /// element and broadcasts.
    pub fn apply(op: &OpData, operands: &[&Self]) -> Option<Self> {
        let zip = |combine: fn(f64, f64) -> f64| operands[0].zip(operands[1], combine);
        match op.opcode {
            Opcode::TensorConstant => None,
            Opcode::TensorAdd => zip(|a, b| a + b),
            Opcode::TensorSub => zip(|a, b| a - b),
            Opcode::TensorMul => zip(|a, b| a * b),
            Opcode::TensorDiv => zip(|a, b| a / b),
            Opcode::TensorNeg => Some(operands[0].map(|a| -a)),
            Opcode::TensorBroadcast => {
                let shape: Vec<u32> = op.ints("shape").iter().map(|&extent| extent as u32).collect();
                operands[0].broadcast(&shape, op.ints("axes"))
            }
            _ => None,
        }
    }

    fn zip(&self, other: &Self, combine: fn(f64, f64) -> f64) -> Option<Self> {
        let shape = joint_shape(&self.shape, &other.shape).ok()?;
        if let (Some(a), Some(b)) = (self.splat(), other.splat()) {
            return Some(Self {
                shape,
                elements: Elements::Splat(combine(a, b)),
            });
        }
        if let Some(steps) = self.steps().or(other.steps()).map(<[f64]>::len) {
            let values = (0..steps).map(|step| Some(combine(self.in_step(step)?, other.in_step(step)?)));
            return Some(Self {
                shape,
                elements: Elements::Steps(values.collect::<Option<_>>()?),
            });
        }
        let count = shape.iter().map(|&extent| extent as usize).product();
        let (a, b) = (self.written_out(), other.written_out());
        // The shorter shape is the tail of the longer, so its elements repeat.
        let values = (0..count)
            .map(|flat| combine(a[flat % a.len()], b[flat % b.len()]))
            .collect();
        Some(Self {
            shape,
            elements: Elements::Each(values),
        })
    }

    /// The same number everywhere in one step, if it is.
    fn in_step(&self, step: usize) -> Option<f64> {
        match self.steps() {
            Some(values) => values.get(step).copied(),
            None => self.splat(),
        }
    }

    fn written_out(&self) -> Vec<f64> {
        self.elements
            .expand(self.shape.iter().map(|&extent| extent as usize).product())
    }

    /// Dimension i becomes dimension `axes[i]` of `shape`.
    pub fn broadcast(&self, shape: &[u32], axes: &[i64]) -> Option<Self> {
        if let Some(value) = self.splat() {
            return Some(Self {
                shape: shape.to_vec(),
                elements: Elements::Splat(value),
            });
        }
        if self.steps().is_some() {
            return Some(Self {
                shape: shape.to_vec(),
                elements: self.elements.clone(),
            });
        }
        let count: usize = shape.iter().map(|&extent| extent as usize).product();
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0u32; shape.len()];
        for _ in 0..count {
            let own: Vec<u32> = axes.iter().map(|&axis| index[axis as usize]).collect();
            values.push(self.at(&own));
            for dimension in (0..shape.len()).rev() {
                index[dimension] += 1;
                if index[dimension] < shape[dimension] {
                    break;
                }
                index[dimension] = 0;
            }
        }
        Some(Self {
            shape: shape.to_vec(),
            elements: Elements::Each(values),
        })
    }
}
