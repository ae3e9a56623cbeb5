//! Arithmetic on ciphertexts in NTT form: everything except key switching.
//!
//! All functions take the level of their operands. A destination never overlaps a source, except that the functions
//! whose name ends in `_assign` change their first operand in place. Scales are the caller's: the operands of a sum have
//! the same one, the scale of a product is the product.

mod level;
mod linear;
mod plain;
mod product;

pub use level::{drop, mod_raise, rescale};
pub use linear::{add, add_assign, neg, neg_assign, sub, sub_assign};
pub use plain::{
    PlainSum, add_plain_assign, add_scalar_assign, mul_i, mul_i_assign, mul_plain, mul_plain_acc,
    mul_plain_assign, mul_plain_sum, mul_plain_sums, mul_scalar, mul_scalar_assign, sub_plain_assign,
    trivial,
};
pub use product::{mul, mul_acc, mul_sum, square};

use crate::CkksError;

/// The largest degree of a ciphertext: a product of two that has not been relinearised.
const MAX_DEGREE: usize = 2;

/// Polynomials of a ciphertext of a degree.
fn polynomials(degree: usize) -> Result<usize, CkksError> {
    if degree <= MAX_DEGREE {
        Ok(degree + 1)
    } else {
        Err(CkksError::Degree(degree))
    }
}
