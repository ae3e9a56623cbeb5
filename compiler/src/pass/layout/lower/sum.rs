//! Sums whose terms wait with their factors, and how they are made when a tensor is needed.

use super::super::atom::{Atom, Lane};
use super::super::axes::Axis;
use super::super::form::{AtomId, Form};
use super::super::public::Public;
use super::{Known, Lowering, ratio, unsupported};
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::tensor::{Elements, reduced_axes};
use crate::ir::{OpData, Opcode, Value};

/// A form with more terms is made before it grows further.
const MOST_TERMS: usize = 4;
/// The largest slot of a tensor whose range is known should be at least so large, and no larger than the other.
const SMALLEST_SLOT: f64 = 1.0 / 16_384.0;
const LARGEST_SLOT: f64 = 1_048_576.0;
/// No term of a sum is multiplied by more than this to spare another its product.
const MOST_FACTOR: f64 = 1024.0;

/// What a product consists of: a tensor to be summed, and what is the same along the axes, with its coefficient.
struct Factors {
    whole: Value,
    factor: f64,
    same: Atom,
}

impl Lowering<'_> {
    /// The operand as a form; a public one is a constant without terms.
    pub(super) fn form(&mut self, op: &OpData, index: usize) -> Result<Form, Diagnostic> {
        let form = match self.known(op, index)? {
            Known::Public(constant) => {
                return Ok(Form {
                    terms: Vec::new(),
                    constant: Some(constant),
                });
            }
            Known::Secret(form) => form,
        };
        if form.terms.len() <= MOST_TERMS {
            return Ok(form);
        }
        let (coefficient, atom) = self.materialise(op.operands[index])?;
        Ok(Form::term(coefficient, atom))
    }

    pub(super) fn sum_of_two(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let shape = self.tensor_type(op.results[0]).shape;
        let (a, b) = (self.form(op, 0)?, self.form(op, 1)?);
        let b = if op.opcode == Opcode::TensorSub {
            b.scaled(-1.0)
        } else {
            b
        };
        let mut terms = a.plus(&b);
        // A difference begins with what is not subtracted.
        terms.sort_by_key(|&(coefficient, _)| coefficient < 0.0);
        let wide = |constant: Option<Public>| {
            let constant = constant?;
            let first = shape.len() - constant.shape.len();
            let axes: Vec<i64> = (first..shape.len()).map(|axis| axis as i64).collect();
            constant.broadcast(&shape, &axes)
        };
        let constant = match (wide(a.constant), wide(b.constant)) {
            (Some(a), Some(b)) => {
                let add = OpData {
                    opcode: Opcode::TensorAdd,
                    ..op.clone()
                };
                Public::apply(&add, &[&a, &b])
            }
            (one, other) => one.or(other),
        };
        if terms.is_empty() {
            let constant = constant.unwrap_or(Public {
                shape,
                elements: Elements::Splat(0.0),
            });
            self.set(op, Known::Public(constant));
        } else if let (true, None) = (self.adds_alone(&terms), &constant) {
            let (common, first) = terms[0];
            let mut sum = self.atoms[first].clone();
            for &(coefficient, atom) in &terms[1..] {
                let atom = self.atoms[atom].clone();
                sum = self.packer.add(&sum, &atom, ratio(coefficient, common) < 0.0);
            }
            self.set_atom(op, common, sum);
        } else {
            self.set(op, Known::Secret(Form { terms, constant }));
        }
        Ok(())
    }

    /// Whether a sum needs nothing but additions: waiting would gain nothing, and a sum carried from step to step would
    /// grow.
    fn adds_alone(&self, terms: &[(f64, AtomId)]) -> bool {
        let (coefficient, atom) = terms[0];
        terms.len() > 1
            && terms
                .iter()
                .all(|&(other, _)| ratio(other, coefficient).abs() == 1.0)
            && terms
                .iter()
                .all(|&(_, other)| self.atoms[other].lanes == self.atoms[atom].lanes)
    }

    /// Makes the tensor: gives coefficient and atom whose product it is.
    pub(super) fn materialise(&mut self, value: Value) -> Result<(f64, AtomId), Diagnostic> {
        let Some(Known::Secret(form)) = self.known[value.index()].clone() else {
            return Err(Diagnostic::new(
                Code::Internal,
                "a public tensor is asked for as a ciphertext",
            ));
        };
        let made = match (form.terms.as_slice(), &form.constant) {
            (&[(coefficient, atom)], None) if self.stays(coefficient, atom, value) => (coefficient, atom),
            (&[(coefficient, atom)], Some(constant)) if self.stays(coefficient, atom, value) => {
                let atom = self.atoms[atom].clone();
                let dims = self.dims(value);
                let atom = self.packer.add_public(&atom, constant, &dims, 1.0 / coefficient);
                (coefficient, self.atom(atom))
            }
            _ => {
                let common = self.common_factor(&form, value);
                let mut sum: Option<Atom> = None;
                // A difference needs a first term that is not subtracted.
                let mut terms = form.terms.clone();
                terms.sort_by_key(|&(coefficient, _)| ratio(coefficient, common) == -1.0);
                for (coefficient, atom) in terms {
                    let atom = self.atoms[atom].clone();
                    let factor = ratio(coefficient, common);
                    let negative = factor == -1.0 && !atom.lanes.contains(&Lane::Partial) && sum.is_some();
                    let term = match () {
                        () if negative => atom,
                        () if atom.lanes.contains(&Lane::Partial) => self.packer.mask(&atom, factor),
                        () => self.packer.scale(&atom, factor),
                    };
                    sum = Some(match sum {
                        Some(sum) => self.packer.add(&sum, &term, negative),
                        None => term,
                    });
                }
                let mut sum = sum.ok_or_else(|| Diagnostic::new(Code::Internal, "an empty sum"))?;
                if let Some(constant) = &form.constant {
                    let dims = self.dims(value);
                    sum = self.packer.add_public(&sum, constant, &dims, 1.0 / common);
                }
                self.bound(value, common, &sum);
                (common, self.atom(sum))
            }
        };
        self.known[value.index()] = Some(Known::Secret(Form::term(made.0, made.1)));
        Ok(made)
    }

    /// Whether an atom is good as it is, with the coefficient outside.
    fn stays(&self, coefficient: f64, atom: AtomId, value: Value) -> bool {
        !self.is_masked_anyway(atom, value) && self.is_in_reach(coefficient, value)
    }

    /// Whether slots are neither so small that errors drown them nor so large that they drown the modulus, if the factor
    /// is left outside: products of products drive it away from 1 quickly.
    fn is_in_reach(&self, factor: f64, value: Value) -> bool {
        let Some((low, high)) = self.tensor_type(value).range else {
            return true;
        };
        let largest = low.abs().max(high.abs());
        let slot = largest / factor.abs();
        largest == 0.0 || (SMALLEST_SLOT..=LARGEST_SLOT).contains(&slot)
    }

    /// Whether a product with a mask comes soon, so that the factor that is wished for can be had with it.
    fn is_masked_anyway(&self, atom: AtomId, value: Value) -> bool {
        self.atoms[atom].lanes.contains(&Lane::Partial) && self.hints[value.index()].is_some()
    }

    /// The factor to leave outside a sum: that which makes it shallowest, then that which spares most products.
    fn common_factor(&self, form: &Form, value: Value) -> f64 {
        let range = self.tensor_type(value).range;
        let largest = range.map(|(low, high)| low.abs().max(high.abs()));
        let candidates = self.hints[value.index()]
            .into_iter()
            .chain(form.terms.iter().map(|term| term.0))
            .chain([1.0])
            .chain(largest.filter(|&largest| largest > 0.0 && !self.is_in_reach(1.0, value)))
            .filter(|&candidate| self.is_in_reach(candidate, value));
        let cost = |common: f64| {
            let mut depth = 0;
            let mut products = 0;
            for &(coefficient, atom) in &form.terms {
                let factor = ratio(coefficient, common);
                if factor.abs() > MOST_FACTOR {
                    return (u32::MAX, usize::MAX);
                }
                let atom = &self.atoms[atom];
                let multiplied = factor.abs() != 1.0 || atom.lanes.contains(&Lane::Partial);
                products += if multiplied { atom.tiles.len() } else { 0 };
                depth = depth.max(self.packer.depth(atom) + u32::from(multiplied));
            }
            (depth, products)
        };
        candidates.min_by_key(|&candidate| cost(candidate)).unwrap_or(1.0)
    }

    /// Sum or mean along axes. Of a product with what is the same along them only the other factor is summed, where that takes
    /// fewer levels.
    pub(super) fn sum_along(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let tensor = op.operands[0];
        let dims = self.dims(tensor);
        let axes = reduced_axes(op.ints("axes"), dims.len()).map_err(|message| unsupported(op, message))?;
        let axes: Vec<Axis> = axes.into_iter().map(|axis| dims[axis]).collect();
        let (mut coefficient, sum) = match self.factors(tensor, &axes)? {
            Some(Factors { whole, factor, same }) => {
                let (coefficient, sum) = self.sum_of(whole, &axes)?;
                (coefficient * factor, self.packer.mul(&sum, &same))
            }
            None => self.sum_of(tensor, &axes)?,
        };
        if op.opcode == Opcode::TensorMean {
            let extents = axes.iter().map(|&axis| f64::from(self.packer.axes.extents[axis]));
            coefficient /= extents.product::<f64>();
        }
        self.set_atom(op, coefficient, sum);
        Ok(())
    }

    /// The sum of a tensor along axes. A tensor that has to be cleared beyond its extents for it is so for whoever reads it later:
    /// what is made of it then needs no mask to be summed.
    fn sum_of(&mut self, tensor: Value, axes: &[Axis]) -> Result<(f64, Atom), Diagnostic> {
        let (mut coefficient, atom) = self.materialise(tensor)?;
        let mut atom = self.atoms[atom].clone();
        if axes.iter().any(|&axis| self.packer.must_clear(&atom, axis)) {
            atom = self.packer.mask(&atom, 1.0);
            self.bound(tensor, coefficient, &atom);
            let cleared = self.atom(atom.clone());
            self.known[tensor.index()] = Some(Known::Secret(Form::term(coefficient, cleared)));
        }
        for &axis in axes {
            if atom.lanes[self.packer.axes.place[axis]] == Lane::Along(axis) {
                atom = self.packer.sum(&atom, axis);
            } else {
                coefficient *= f64::from(self.packer.axes.extents[axis]);
            }
        }
        Ok((coefficient, atom))
    }

    /// The factors of a product of which one is the same along the axes, if summing the other one alone takes fewer levels.
    fn factors(&mut self, product: Value, axes: &[Axis]) -> Result<Option<Factors>, Diagnostic> {
        let Some(op) = self.graph.defining_op(product).map(|op| self.graph.op(op)) else {
            return Ok(None);
        };
        if op.opcode != Opcode::TensorMul || (0..2).any(|index| self.public(op, index).is_some()) {
            return Ok(None);
        }
        let (_, whole) = self.materialise(product)?;
        let direct = self.packer.depth_of_sum(&self.atoms[whole], axes, None);
        for (whole, same) in [(0, 1), (1, 0)] {
            let (whole, same) = (op.operands[whole], op.operands[same]);
            let (_, summed) = self.materialise(whole)?;
            let (factor, same) = self.materialise(same)?;
            let (summed, same) = (&self.atoms[summed], self.atoms[same].clone());
            let place = |axis: &Axis| self.packer.axes.place[*axis];
            let along = |axis: &Axis| summed.lanes[place(axis)] == Lane::Along(*axis);
            let varies = |axis: &Axis| same.lanes[place(axis)].varies();
            if axes.iter().all(along)
                && !axes.iter().any(varies)
                && self.packer.depth_of_sum(summed, axes, Some(&same)) < direct
            {
                return Ok(Some(Factors { whole, factor, same }));
            }
        }
        Ok(None)
    }
}
