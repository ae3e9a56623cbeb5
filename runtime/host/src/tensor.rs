//! Clear data as they enter and leave.

use crate::error::{HostError, Result};

/// Values of up to four dimensions in row-major order; the shape of a scalar is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Extent of each dimension.
    pub shape: Vec<usize>,
    /// The values, as many as the product of the shape.
    pub values: Vec<f64>,
}

impl Tensor {
    /// A tensor of `shape`; fails when the number of values is not the product of the shape.
    pub fn new(shape: Vec<usize>, values: Vec<f64>) -> Result<Self> {
        let tensor = Self { shape, values };
        tensor.check("")?;
        Ok(tensor)
    }

    /// Checks that the number of values is the product of the shape; `name` is for the error.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let wanted = self
            .shape
            .iter()
            .try_fold(1usize, |product, &extent| product.checked_mul(extent));
        if wanted == Some(self.values.len()) {
            return Ok(());
        }
        let problem = format!(
            "shape {:?} does not hold {} values",
            self.shape,
            self.values.len()
        );
        Err(HostError::data(name, "", problem))
    }
}
