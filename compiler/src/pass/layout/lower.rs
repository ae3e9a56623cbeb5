//! Tensor operations → operations on packed vectors, in a given frame.

use cipherloom_plan::data::Layout;
use cipherloom_plan::{LayoutDim, PortKind, Repeat};

use super::atom::{Atom, Lane, Packer, Radix};
use super::axes::{Axes, Axis};
use super::form::{AtomId, Form};
use super::frame::Frame;
use super::hint::scale_hints;
use super::public::Public;
use super::{Packed, Port};
use crate::approx::{Polynomial, PolynomialBasis};
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::slot::Vectors;
use crate::dialect::tensor::{Elements, permutation, reduced_axes, short_name};
use crate::ir::{Graph, OpData, Opcode, Secrecy, TensorType, Value};
use crate::pass::polynomial::{self, Powers};

/// A form with more terms is made before it grows further.
const MOST_TERMS: usize = 4;
/// No term of a sum is multiplied by more than this to spare another its product.
const MOST_FACTOR: f64 = 1024.0;
/// A monomial whose argument is within this factor of [−1, 1] is evaluated as it is.
const UNIT_SLACK: f64 = 2.0;

/// a/b, exactly ±1 where only rounding keeps it from that: such a factor costs no product.
fn ratio(a: f64, b: f64) -> f64 {
    let ratio = a / b;
    if (ratio.abs() - 1.0).abs() < 1e-13 {
        ratio.signum()
    } else {
        ratio
    }
}

/// What is known of a tensor value.
#[derive(Clone)]
enum Known {
    Public(Public),
    Secret(Form),
}

/// Lowers a graph without loops.
pub fn lower(graph: &Graph, axes: &Axes, frame: &Frame, radix: Radix) -> Result<Packed, Diagnostic> {
    let mut lowering = Lowering {
        graph,
        hints: scale_hints(graph),
        known: vec![None; graph.value_count()],
        atoms: Vec::new(),
        ports: Vec::new(),
        packer: Packer {
            axes,
            frame,
            radix,
            vectors: Vectors::new(&graph.name, frame.slots),
        },
    };
    for &op in &graph.block(graph.body()).ops {
        let op = graph.op(op);
        lowering.packer.vectors.span = op.span;
        lowering.op(op)?;
    }
    Ok(Packed {
        graph: lowering.packer.vectors.graph,
        ports: lowering.ports,
    })
}

struct Lowering<'a> {
    graph: &'a Graph,
    hints: Vec<Option<f64>>,
    known: Vec<Option<Known>>,
    atoms: Vec<Atom>,
    ports: Vec<Port>,
    packer: Packer<'a>,
}

fn unsupported(op: &OpData, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::Unsupported, message).label(op.span, format!("this {}", short_name(op.opcode)))
}

impl Lowering<'_> {
    fn atom(&mut self, atom: Atom) -> AtomId {
        self.atoms.push(atom);
        self.atoms.len() - 1
    }

    fn dims(&self, value: Value) -> Vec<Axis> {
        self.packer.axes.of(value).to_vec()
    }

    fn tensor_type(&self, value: Value) -> TensorType {
        let unknown = || TensorType {
            shape: Vec::new(),
            secrecy: Secrecy::Public,
            range: None,
        };
        self.graph.ty(value).as_tensor().cloned().unwrap_or_else(unknown)
    }

    fn known(&self, op: &OpData, index: usize) -> Result<Known, Diagnostic> {
        self.known[op.operands[index].index()]
            .clone()
            .ok_or_else(|| Diagnostic::new(Code::Internal, "a tensor is used before it is laid out"))
    }

    fn public(&self, op: &OpData, index: usize) -> Option<Public> {
        match &self.known[op.operands[index].index()] {
            Some(Known::Public(public)) => Some(public.clone()),
            _ => None,
        }
    }

    fn set(&mut self, op: &OpData, known: Known) {
        self.known[op.results[0].index()] = Some(known);
    }

    fn set_atom(&mut self, op: &OpData, coefficient: f64, atom: Atom) {
        self.bound(op.results[0], coefficient, &atom);
        let atom = self.atom(atom);
        self.set(op, Known::Secret(Form::term(coefficient, atom)));
    }

    /// Notes the range of a tensor on its tiles, for the noise analysis.
    fn bound(&mut self, value: Value, coefficient: f64, atom: &Atom) {
        if let Some((low, high)) = self.tensor_type(value).range {
            let bound = low.abs().max(high.abs()) / coefficient.abs();
            if bound.is_finite() {
                atom.tiles
                    .iter()
                    .for_each(|&tile| self.packer.vectors.note_bound(tile, bound));
            }
        }
    }

    fn op(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        use Opcode::*;
        match op.opcode {
            TensorInput | TensorStream => self.leaf(op),
            TensorConstant => {
                let elements = Elements::of(op).unwrap_or(Elements::Splat(0.0));
                let shape = self.tensor_type(op.results[0]).shape;
                self.set(op, Known::Public(Public { shape, elements }));
            }
            TrainStep => self.packer.vectors.step(op.int("index").unwrap_or(0)),
            TensorReveal | TensorOutput => self.sink(op)?,
            _ => {
                let publics: Vec<Public> = (0..op.operands.len())
                    .filter_map(|index| self.public(op, index))
                    .collect();
                if publics.len() == op.operands.len() && !publics.is_empty() {
                    let operands: Vec<&Public> = publics.iter().collect();
                    let result = Public::apply(op, &operands).ok_or_else(|| {
                        unsupported(op, "this public computation is not done by the compiler")
                    })?;
                    self.set(op, Known::Public(result));
                } else {
                    self.secret(op)?;
                }
            }
        }
        Ok(())
    }

    fn secret(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        use Opcode::*;
        match op.opcode {
            TensorAdd | TensorSub => self.sum_of_two(op)?,
            TensorNeg => {
                let form = self.form(op, 0)?.scaled(-1.0);
                self.set(op, Known::Secret(form));
            }
            TensorMul | TensorMatmul => self.product(op)?,
            TensorDiv => match self.public(op, 1) {
                Some(divisor) => self.times_public(op, 0, &divisor.map(|value| 1.0 / value))?,
                None => return Err(unsupported(op, "division by a secret value")),
            },
            TensorBroadcast => {
                // Dimensions that are added do not show in the slots: the value is the same along them already.
                let mut form = self.form(op, 0)?;
                let shape: Vec<u32> = op.ints("shape").iter().map(|&extent| extent as u32).collect();
                form.constant = form
                    .constant
                    .and_then(|constant| constant.broadcast(&shape, op.ints("axes")));
                self.set(op, Known::Secret(form));
            }
            TensorTranspose => {
                let rank = self.dims(op.operands[0]).len();
                let axes = permutation(op.ints("axes"), rank).map_err(|message| unsupported(op, message))?;
                let mut form = self.form(op, 0)?;
                if form
                    .constant
                    .as_ref()
                    .is_some_and(|constant| constant.splat().is_none())
                {
                    return Err(unsupported(op, "a transposed sum with a public matrix"));
                }
                if let Some(constant) = &mut form.constant {
                    constant.shape = axes.iter().map(|&axis| constant.shape[axis]).collect();
                }
                self.set(op, Known::Secret(form));
            }
            TensorSum | TensorMean => {
                let dims = self.dims(op.operands[0]);
                let axes =
                    reduced_axes(op.ints("axes"), dims.len()).map_err(|message| unsupported(op, message))?;
                let (mut coefficient, atom) = self.materialise(op.operands[0])?;
                let mut atom = self.atoms[atom].clone();
                for axis in axes {
                    let axis = dims[axis];
                    if op.opcode == TensorMean {
                        coefficient /= f64::from(self.packer.axes.extents[axis]);
                    }
                    let place = self.packer.axes.place[axis];
                    if atom.lanes[place] == Lane::Along(axis) {
                        atom = self.packer.sum(&atom, axis);
                    } else {
                        coefficient *= f64::from(self.packer.axes.extents[axis]);
                    }
                }
                self.set_atom(op, coefficient, atom);
            }
            TensorPoly | TensorPolynomial => self.polynomial(op)?,
            _ => {
                return Err(unsupported(op, format!("{} of secret values is not compiled yet", short_name(op.opcode)))
                    .remedy("write it with + - *, a product with a vector, sum, mean or a smooth function of one argument"));
            }
        }
        Ok(())
    }

    fn leaf(&mut self, op: &OpData) {
        let value = op.results[0];
        let dims = self.dims(value);
        let hint = self.hints[value.index()].unwrap_or(1.0);
        let name = op.text("name").unwrap_or_default().to_owned();
        let kind = if op.opcode == Opcode::TensorStream {
            PortKind::Stream
        } else {
            PortKind::Input
        };
        let mut lanes = vec![Lane::Same; self.packer.frame.places.len()];
        for &axis in &dims {
            lanes[self.packer.axes.place[axis]] = Lane::Along(axis);
        }
        let layout = self.layout(&dims, &lanes, 1.0 / hint, true);
        let port = match self
            .ports
            .iter()
            .position(|port| port.kind == kind && port.name == name)
        {
            // Every step reads the same port; the first read decides about the factor.
            Some(port) => port,
            None => {
                let ty = self.tensor_type(value);
                self.ports.push(Port {
                    name,
                    kind,
                    layout,
                    one_hot: op.flag("one_hot"),
                    ..Port::of(&ty, op.span)
                });
                self.ports.len() - 1
            }
        };
        let factor = self.ports[port].layout.factor;
        let tiles = (0..self.ports[port].layout.tiles)
            .map(|tile| self.packer.vectors.input(port as u32, tile, op.int("step")))
            .collect();
        self.set_atom(
            op,
            1.0 / factor,
            Atom {
                lanes,
                clean: true,
                tiles,
            },
        );
    }

    /// Where the elements of a tensor stand. Inputs also fill the places that they do not vary along.
    fn layout(&self, dims: &[Axis], lanes: &[Lane], factor: f64, repeat: bool) -> Layout {
        let frame = self.packer.frame;
        let grid = self.packer.grid(lanes);
        let tile_stride = |place: usize| grid[place + 1..].iter().product::<u32>();
        let shown = |axis: Axis| {
            let place = self.packer.axes.place[axis];
            if lanes[place] == Lane::Along(axis) {
                frame.dim(self.packer.axes, axis, tile_stride(place))
            } else {
                LayoutDim {
                    block: self.packer.axes.extents[axis],
                    slot_stride: 0,
                    tile_stride: 0,
                }
            }
        };
        let mut repeats: Vec<Repeat> = Vec::new();
        if repeat {
            for (place, lane) in frame.places.iter().zip(lanes) {
                if *lane == Lane::Same && place.block > 1 {
                    repeats.push(Repeat {
                        count: place.block,
                        stride: place.stride,
                    });
                }
            }
            repeats.extend(frame.copies());
        }
        Layout {
            slots: frame.slots,
            tiles: grid.iter().product(),
            dims: dims.iter().map(|&axis| shown(axis)).collect(),
            repeats,
            factor,
        }
    }

    fn sink(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let value = op.operands[0];
        let name = op.text("name").unwrap_or_default().to_owned();
        if matches!(self.known(op, 0)?, Known::Public(_)) {
            return Err(Diagnostic::new(
                Code::Unsupported,
                format!("`{name}` does not depend on any secret"),
            )
            .label(op.span, "its value is public; no ciphertext is made for it"));
        }
        let (coefficient, atom) = self.materialise(value)?;
        let atom = self.atoms[atom].clone();
        let kind = if op.opcode == Opcode::TensorReveal {
            PortKind::Reveal
        } else {
            PortKind::Output
        };
        let layout = self.layout(&self.dims(value), &atom.lanes, 1.0 / coefficient, false);
        let ty = self.tensor_type(value);
        let port = self.ports.len() as u32;
        self.ports.push(Port {
            name,
            kind,
            layout,
            ..Port::of(&ty, op.span)
        });
        for (tile, &slots) in atom.tiles.iter().enumerate() {
            self.packer.vectors.output(port, tile as u32, slots);
        }
        Ok(())
    }

    /// The operand as a form; a public one is a constant without terms.
    fn form(&mut self, op: &OpData, index: usize) -> Result<Form, Diagnostic> {
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

    fn sum_of_two(&mut self, op: &OpData) -> Result<(), Diagnostic> {
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
    fn materialise(&mut self, value: Value) -> Result<(f64, AtomId), Diagnostic> {
        let Some(Known::Secret(form)) = self.known[value.index()].clone() else {
            return Err(Diagnostic::new(
                Code::Internal,
                "a public tensor is asked for as a ciphertext",
            ));
        };
        let made = match (form.terms.as_slice(), &form.constant) {
            (&[(coefficient, atom)], None) if !self.is_masked_anyway(atom, value) => (coefficient, atom),
            (&[(coefficient, atom)], Some(constant)) if !self.is_masked_anyway(atom, value) => {
                let atom = self.atoms[atom].clone();
                let dims = self.dims(value);
                let atom = self.packer.add_public(&atom, constant, &dims, 1.0 / coefficient);
                (coefficient, self.atom(atom))
            }
            _ => {
                let common = self.common_factor(&form, self.hints[value.index()]);
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

    /// Whether a product with a mask comes soon, so that the factor that is wished for can be had with it.
    fn is_masked_anyway(&self, atom: AtomId, value: Value) -> bool {
        self.atoms[atom].lanes.contains(&Lane::Partial) && self.hints[value.index()].is_some()
    }

    /// The factor to leave outside a sum: that which makes it shallowest, then that which spares most products.
    fn common_factor(&self, form: &Form, hint: Option<f64>) -> f64 {
        let candidates = hint
            .into_iter()
            .chain(form.terms.iter().map(|term| term.0))
            .chain([1.0]);
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

    fn times_public(&mut self, op: &OpData, secret: usize, public: &Public) -> Result<(), Diagnostic> {
        if let Some(factor) = public.splat() {
            let mut form = self.form(op, secret)?.scaled(factor);
            let shape = self.tensor_type(op.results[0]).shape;
            if let Some(constant) = &form.constant {
                let first = shape.len() - constant.shape.len();
                let axes: Vec<i64> = (first..shape.len()).map(|axis| axis as i64).collect();
                form.constant = constant.broadcast(&shape, &axes);
            }
            form.terms.retain(|&(coefficient, _)| coefficient != 0.0);
            let known = if form.terms.is_empty() {
                Known::Public(form.constant.unwrap_or(Public {
                    shape,
                    elements: Elements::Splat(0.0),
                }))
            } else {
                Known::Secret(form)
            };
            self.set(op, known);
            return Ok(());
        }
        let (coefficient, atom) = self.materialise(op.operands[secret])?;
        let atom = self.atoms[atom].clone();
        let result = self.dims(op.results[0]);
        let dims = result[result.len() - public.shape.len()..].to_vec();
        let atom = self.packer.mul_public(&atom, public, &dims);
        self.set_atom(op, coefficient, atom);
        Ok(())
    }

    fn product(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let (a, b) = (op.operands[0], op.operands[1]);
        let contracted = (op.opcode == Opcode::TensorMatmul).then(|| self.dims(b)[0]);
        if contracted.is_some() && self.dims(a).len() == 2 && self.dims(b).len() == 2 {
            return Err(unsupported(op, "the product of two matrices is not compiled yet")
                .remedy("multiply by vectors, one column at a time"));
        }
        let (coefficient, product) = match (self.public(op, 0), self.public(op, 1)) {
            (public, None) | (None, public) if public.is_some() => {
                let index = usize::from(self.public(op, 0).is_some());
                let public = public.unwrap_or(Public {
                    shape: Vec::new(),
                    elements: Elements::Splat(0.0),
                });
                if contracted.is_none() {
                    return self.times_public(op, index, &public);
                }
                let (coefficient, atom) = self.materialise(op.operands[index])?;
                let atom = self.atoms[atom].clone();
                let dims = self.dims(op.operands[1 - index]);
                (coefficient, self.packer.mul_public(&atom, &public, &dims))
            }
            _ => {
                let ((x, a), (y, b)) = (self.materialise(a)?, self.materialise(b)?);
                let (a, b) = (self.atoms[a].clone(), self.atoms[b].clone());
                (x * y, self.packer.mul(&a, &b))
            }
        };
        let product = match contracted {
            Some(axis) => self.packer.sum(&product, axis),
            None => product,
        };
        self.set_atom(op, coefficient, product);
        Ok(())
    }

    /// p(x) for x = coefficient·atom. The argument is brought to u in [−1, 1] unless a monomial does well without it.
    fn polynomial(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let Some(polynomial) = Polynomial::of(op) else {
            return Err(unsupported(op, "a polynomial of this basis"));
        };
        let (coefficient, atom) = self.materialise(op.operands[0])?;
        let mut atom = self.atoms[atom].clone();
        if atom.lanes.contains(&Lane::Partial) {
            // What stands beside the value may be large, and a polynomial would make it larger than the modulus.
            atom = self.packer.mask(&atom, 1.0);
        }
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
                atom = self.packer.scale(&atom, ratio(coefficient, unit));
                (
                    Powers::Monomial,
                    unit,
                    polynomial.of_scaled_argument(unit).coefficients,
                )
            }
            PolynomialBasis::Chebyshev => {
                atom = self.packer.scale(&atom, ratio(coefficient, half));
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

    fn add_number(&mut self, atom: &Atom, number: f64) -> Atom {
        let number = Public {
            shape: Vec::new(),
            elements: Elements::Splat(number),
        };
        self.packer.add_public(atom, &number, &[], 1.0)
    }
}
