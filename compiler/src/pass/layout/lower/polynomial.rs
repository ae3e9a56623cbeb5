//! Polynomials of a tensor: the argument brought to where they are evaluated, and the value kept at zero beside elements.

use super::super::atom::{Atom, Lane};
use super::super::public::Public;
use super::{Known, Lowering, ratio, unsupported};
use crate::approx::{Polynomial, PolynomialBasis};
use crate::diagnostic::Diagnostic;
use crate::dialect::tensor::Elements;
use crate::ir::OpData;
use crate::pass::polynomial::{self, Powers};

/// A monomial whose argument is within this factor of [−1, 1] is evaluated as it is.
const UNIT_SLACK: f64 = 2.0;

impl Lowering<'_> {
    /// p(x) for x = coefficient·atom. The argument is brought to u in [−1, 1] unless a monomial does well without it.
    pub(super) fn polynomial(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let Some(polynomial) = Polynomial::of(op) else {
            return Err(unsupported(op, "a polynomial of this basis"));
        };
        let (coefficient, atom) = self.materialise(op.operands[0])?;
        let mut atom = self.atoms[atom].clone();
        let bounded = polynomial.low.is_finite() && polynomial.high.is_finite();
        let half = if bounded {
            0.5 * (polynomial.high - polynomial.low)
        } else {
            coefficient
        };
        let middle = if bounded {
            0.5 * (polynomial.high + polynomial.low)
        } else {
            0.0
        };
        let polynomial_reach = middle.abs() + half;
        let (powers, argument_unit, coefficients) = match polynomial.basis {
            PolynomialBasis::Monomial => {
                let near = !bounded || polynomial_reach / coefficient.abs() <= UNIT_SLACK;
                let unit = if near { coefficient } else { polynomial_reach };
                atom = self.brought(&atom, ratio(coefficient, unit));
                (
                    Powers::Monomial,
                    unit,
                    polynomial.of_scaled_argument(unit).coefficients,
                )
            }
            PolynomialBasis::Chebyshev => {
                atom = self.brought(&atom, ratio(coefficient, half));
                if middle != 0.0 {
                    atom = self.add_number(&atom, -middle / half);
                }
                (Powers::Chebyshev, polynomial_reach, polynomial.coefficients)
            }
        };
        if bounded {
            // The argument stays on the declared range: that is the contract of a fitted polynomial.
            let reach = polynomial_reach / argument_unit.abs();
            atom.tiles
                .iter()
                .for_each(|&tile| self.packer.vectors.note_bound(tile, reach));
        }
        let mut constants = None;
        let mut tiles = Vec::new();
        for &tile in &atom.tiles {
            let (value, constant) =
                polynomial::evaluate(&mut self.packer.vectors, tile, powers, &coefficients);
            tiles.extend(value);
            constants = Some(constant);
        }
        let at_zero = polynomial::value_at(powers, &coefficients, 0.0);
        if tiles.is_empty() {
            let shape = self.tensor_type(op.results[0]).shape;
            self.set(
                op,
                Known::Public(Public {
                    shape,
                    elements: Elements::Splat(at_zero),
                }),
            );
            return Ok(());
        }
        let arguments = atom.tiles.clone();
        // First a polynomial that is 0 at 0, so that slots without elements keep their zero; then its value there.
        let shift = constants.unwrap_or(0.0) - at_zero;
        let guarded = atom.lanes.contains(&Lane::First) || (atom.clean && self.packer.is_padded(&atom.lanes));
        let mut result = Atom { tiles, ..atom };
        if guarded {
            for tile in &mut result.tiles {
                *tile = self
                    .packer
                    .vectors
                    .add_scalar(*tile, if shift.abs() < 1e-15 { 0.0 } else { shift });
            }
            result = self.add_number(&result, at_zero);
        } else {
            result = self.add_number(&result, shift + at_zero);
        }
        if bounded {
            let reach = polynomial_reach / argument_unit.abs();
            let slope = polynomial::largest_slope(powers, &coefficients, reach);
            for (&argument, &image) in arguments.iter().zip(&result.tiles) {
                self.packer.vectors.note_polynomial(argument, image, slope);
            }
        }
        self.set_atom(op, 1.0, result);
        Ok(())
    }

    /// The argument times a factor. What stands beside a value may be large, and a polynomial would make it larger than the
    /// modulus: the same product masks it away.
    fn brought(&mut self, atom: &Atom, factor: f64) -> Atom {
        if atom.lanes.contains(&Lane::Partial) {
            self.packer.mask(atom, factor)
        } else {
            self.packer.scale(atom, factor)
        }
    }

    fn add_number(&mut self, atom: &Atom, number: f64) -> Atom {
        let number = Public {
            shape: Vec::new(),
            elements: Elements::Splat(number),
        };
        self.packer.add_public(atom, &number, &[], 1.0)
    }
}
