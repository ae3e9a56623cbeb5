//! EvalMod on packed vectors: [`Modular`] as slot operations.
//!
//! The argument comes doubled, t = 2x/K′ on [−2, 2], as the polynomials 2·T_k(t/2) need no doubling of products, and
//! as the error that CoeffsToSlots leaves is then half as large beside its result.
//!
//! ```text
//! %1 = slot.add_scalar %0 {-0.036}      // t − 2·¼/K′, for the cosine
//! %2 = slot.mul %1, %1
//! %3 = slot.add_scalar %2 {-2.0}        // 2·T_2
//! …                                     // the polynomial
//! %9 = slot.mul %8, %8                  // double angles
//! %10 = slot.add_scalar %9 {-7.1}
//! ```

use crate::approx::modular::Modular;
use crate::dialect::slot::Vectors;
use crate::ir::Value;
use crate::pass::polynomial::{self, Powers};

/// z·factor from t = (z/A + I)·2/K′.
pub fn emit(vectors: &mut Vectors, t: Value, modular: &Modular) -> Value {
    let argument = vectors.add_scalar(t, -2.0 * modular.centre() / modular.bound);
    vectors.note_bound(argument, 2.0);
    let mut powers_of = argument;
    if modular.doublings > 0 {
        let square = vectors.mul(argument, argument);
        powers_of = vectors.add_scalar(square, -2.0);
        vectors.note_bound(powers_of, 2.0 * 3f64.sqrt());
    }
    // c·T_k = (c/2)·(2·T_k).
    let mut coefficients = modular.coefficients.clone();
    coefficients.iter_mut().skip(1).for_each(|c| *c *= 0.5);
    let (value, constant) = polynomial::evaluate(vectors, powers_of, Powers::Lucas, &coefficients);
    let mut value = vectors.add_scalar(value.unwrap_or(powers_of), constant);
    for &constant in &modular.constants {
        let square = vectors.mul(value, value);
        value = vectors.add_scalar(square, -constant);
        // |t_i| ≤ 2·s_i, the constant; the note is that of uniform values whose mean square is the largest.
        vectors.note_bound(value, constant * 3f64.sqrt());
    }
    if let Some(cube) = modular.cube {
        let square = vectors.mul(value, value);
        let small = vectors.mul_scalar(value, cube);
        let correction = vectors.mul(square, small);
        value = vectors.add(value, correction);
    }
    vectors.note_bound(value, modular.factor);
    vectors.note_polynomial(
        argument,
        value,
        0.5 * modular.amplitude * modular.bound * modular.factor,
    );
    value
}

#[cfg(test)]
#[path = "modular_tests.rs"]
mod tests;
