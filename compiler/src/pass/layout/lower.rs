//! Tensor operations → operations on packed vectors, in a given frame.

mod part;
mod polynomial;
mod port;
mod state;
mod sum;

use std::collections::BTreeMap;

use super::atom::{Atom, Lane, Packer, Radix};
use super::axes::{self, Axes, Axis};
use super::form::{AtomId, Form};
use super::frame::Frame;
use super::hint::scale_hints;
use super::public::Public;
use super::stack::Stacks;
use super::{Packed, Port};
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::slot::Vectors;
use crate::dialect::tensor::{Elements, permutation, short_name};
use crate::ir::{Graph, OpData, Opcode, Secrecy, TensorType, Value};

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
pub fn lower(
    graph: &Graph,
    axes: &Axes,
    frame: &Frame,
    stacks: Stacks,
    radix: Radix,
) -> Result<Packed, Diagnostic> {
    let mut lowering = Lowering {
        graph,
        hints: scale_hints(graph),
        states: axes::states(graph),
        stacks,
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
        lowering.stage(op);
    }
    Ok(Packed {
        graph: lowering.packer.vectors.graph,
        ports: lowering.ports,
    })
}

struct Lowering<'a> {
    graph: &'a Graph,
    hints: Vec<Option<f64>>,
    /// The first read of each state of a closed loop.
    states: BTreeMap<String, Value>,
    stacks: Stacks,
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
            let size = if atom.is_paired() {
                std::f64::consts::SQRT_2
            } else {
                1.0
            };
            let bound = size * low.abs().max(high.abs()) / coefficient.abs();
            if bound.is_finite() {
                atom.tiles
                    .iter()
                    .for_each(|&tile| self.packer.vectors.note_bound(tile, bound));
            }
        }
    }

    /// Passes on what an operation says of the function that it begins or ends, for the noise analysis. Functions of tensors have
    /// negative numbers, so that they are not those of polynomials.
    fn stage(&mut self, op: &OpData) {
        let Some(&result) = op.results.first() else { return };
        let Some(Known::Secret(Form {
            terms,
            constant: None,
        })) = &self.known[result.index()]
        else {
            return;
        };
        let &[(coefficient, atom)] = terms.as_slice() else {
            return;
        };
        let number = |function: i64| -1 - function;
        for &tile in &self.atoms[atom].tiles {
            let vectors = &mut self.packer.vectors;
            for end in ["argument", "beside"] {
                if let Some(function) = op.int(end) {
                    vectors.note_end(tile, end, number(function));
                }
            }
            if let (Some(function), Some(slope)) = (op.int("image"), op.float("slope")) {
                vectors.note_image(tile, number(function), slope / coefficient.abs());
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
            TrainStep => self.packer.vectors.step(op.attributes.clone()),
            TrainEnd => self.packer.vectors.end(),
            TensorState => self.load(op),
            TensorStore => self.store(op)?,
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
                let is_number = |constant: &Public| constant.splat().is_some();
                if !form.constant.as_ref().is_none_or(is_number) {
                    // A public matrix is added where it lies, before the tensor is read the other way round.
                    let (coefficient, atom) = self.materialise(op.operands[0])?;
                    form = Form::term(coefficient, atom);
                }
                if let Some(constant) = &mut form.constant {
                    constant.shape = axes.iter().map(|&axis| constant.shape[axis]).collect();
                }
                self.set(op, Known::Secret(form));
            }
            TensorSum | TensorMean => self.sum_along(op)?,
            TensorPoly | TensorPolynomial => self.polynomial(op)?,
            TensorRoll => {
                let dims = self.dims(op.operands[0]);
                let axis = op
                    .int("axis")
                    .and_then(|axis| dims.get(usize::try_from(axis).ok()?).copied());
                let (Some(axis), Some(by)) = (axis, op.int("by")) else {
                    return Err(unsupported(op, "a turn of no axis"));
                };
                let by = by.rem_euclid(i64::from(self.packer.axes.extents[axis])) as u32;
                let (coefficient, atom) = self.materialise(op.operands[0])?;
                let atom = self.atoms[atom].clone();
                let atom = self.packer.roll(&atom, axis, by);
                self.set_atom(op, coefficient, atom);
            }
            TensorBootstrap => self.bootstrap(op)?,
            TensorConcat => self.concat(op)?,
            TensorSlice => self.slice(op)?,
            TensorReshape => self.reshape(op)?,
            _ => {
                return Err(unsupported(op, format!("{} of secret values is not compiled yet", short_name(op.opcode)))
                    .remedy("write it with + - *, a product with a vector, sum, mean or a smooth function of one argument"));
            }
        }
        Ok(())
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
        if let Some(values) = public.steps() {
            // The product is made in any case: the factor that is wished for comes with it.
            let wanted = self.hints[op.results[0].index()].unwrap_or(coefficient);
            let values: Vec<f64> = values.iter().map(|value| value * coefficient / wanted).collect();
            let atom = self.packer.mul_steps(&atom, &values);
            self.set_atom(op, wanted, atom);
            return Ok(());
        }
        let result = self.dims(op.results[0]);
        let dims = result[result.len() - public.shape.len()..].to_vec();
        let atom = self.packer.mul_public(&atom, public, &dims);
        self.set_atom(op, coefficient, atom);
        Ok(())
    }

    fn product(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let (a, b) = (op.operands[0], op.operands[1]);
        let contracted = (op.opcode == Opcode::TensorMatmul).then(|| self.dims(b)[0]);
        let (coefficient, product) = match (self.public(op, 0), self.public(op, 1)) {
            (public, None) | (None, public) if public.is_some() => {
                let index = usize::from(self.public(op, 0).is_some());
                let public = public.unwrap_or(Public {
                    shape: Vec::new(),
                    elements: Elements::Splat(0.0),
                });
                if contracted.is_some() && public.steps().is_some() {
                    return Err(unsupported(
                        op,
                        "a product of vectors of which one differs from step to step",
                    ));
                }
                if contracted.is_none() {
                    return self.times_public(op, index, &public);
                }
                let (coefficient, atom) = self.factor(op.operands[index], None)?;
                let dims = self.dims(op.operands[1 - index]);
                (coefficient, self.packer.mul_public(&atom, &public, &dims))
            }
            _ => {
                let ((x, a), (y, b)) = match contracted {
                    Some(axis) => {
                        let paired =
                            |other: Value| self.stacks.paired(other).filter(|&paired| paired == axis);
                        let (beside_a, beside_b) = (paired(b), paired(a));
                        (self.factor(a, beside_a)?, self.factor(b, beside_b)?)
                    }
                    None => (self.made(a)?, self.made(b)?),
                };
                (x * y, self.packer.mul(&a, &b))
            }
        };
        let Some(axis) = contracted else {
            self.set_atom(op, coefficient, product);
            return Ok(());
        };
        let mut coefficient = coefficient;
        if product.is_paired() {
            // Paired inputs are encrypted halved: their real parts come out doubled.
            coefficient *= 0.5;
        }
        let mut sum: Option<Atom> = None;
        for (stacked, place) in self.stacks.of(op.results[0]).to_vec() {
            // The masks that stacking takes multiply by the factor that is wished for.
            let wanted = self.hints[op.results[0].index()].unwrap_or(coefficient);
            let factor = ratio(coefficient, wanted);
            sum = Some(match sum {
                None => self.packer.sum_and_stack(&product, axis, stacked, place, factor),
                Some(sum) => self.packer.stack(&sum, stacked, place, factor, false),
            });
            coefficient = wanted;
        }
        let mut sum = sum.unwrap_or_else(|| self.packer.sum(&product, axis));
        if product.is_paired() {
            sum = self.packer.parts(&sum);
        }
        self.set_atom(op, coefficient, sum);
        Ok(())
    }

    /// A tensor's coefficient and atom.
    fn made(&mut self, value: Value) -> Result<(f64, Atom), Diagnostic> {
        let (coefficient, atom) = self.materialise(value)?;
        Ok((coefficient, self.atoms[atom].clone()))
    }

    /// A factor of a product of matrices: its coefficient, and its atom with one block in a tile, or two of the axis along which
    /// it is summed with a `paired` factor.
    fn factor(&mut self, value: Value, paired: Option<Axis>) -> Result<(f64, Atom), Diagnostic> {
        let (coefficient, mut atom) = self.made(value)?;
        for &(axis, _) in self.stacks.of(value) {
            atom = self.packer.unstack(&atom, axis, paired == Some(axis));
        }
        if let Some(axis) = paired
            && !atom.is_paired()
        {
            atom = self.packer.pair(&atom, axis);
        }
        Ok((coefficient, atom))
    }

    /// The lanes of a tensor that stands at every index of its axes, and the same at every index of other places.
    fn whole(&self, value: Value) -> Vec<Lane> {
        let mut lanes = vec![Lane::Same; self.packer.frame.places.len()];
        for axis in self.dims(value) {
            lanes[self.packer.axes.place[axis]] = if self.stacks.paired(value) == Some(axis) {
                Lane::Paired(axis)
            } else {
                Lane::Along(axis)
            };
        }
        for &(axis, place) in self.stacks.of(value) {
            lanes[place] = Lane::Stack(axis);
        }
        lanes
    }
}
