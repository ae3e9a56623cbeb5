//! Packed vectors: every value is `vec<S, secrecy>` with S = N/2 slots, addressed 0 … S − 1.
//!
//! | operation | attributes | meaning |
//! |---|---|---|
//! | `input` | `port`, `tile`, `step`?, `state`? | tile of an input, state or stream; a stream's tile belongs to the step named, or else to the present one |
//! | `constant` | `value` or `values` or a box | public vector |
//! | `add` `sub` `neg` | | slot by slot |
//! | `mul` | | product of two secret vectors, slot by slot: one level |
//! | `mul_plain` `add_plain` | | product or sum with a public vector, the second operand; the product costs one level |
//! | `mul_scalar` `add_scalar` | `values` | the same with one public number, or one for each step |
//! | `rotate` | `by` | slot i of the result is slot i + `by` mod S of the operand |
//! | `sum_rotations` | `by` (list), `disjoint`? | sum of the rotations by each entry: one decomposition and one mod-down for all |
//! | `conjugate` | | complex conjugate of every slot |
//! | `mul_i` | | every slot times the imaginary unit |
//! | `transform` | `log_slots` `first` `last` `inverse` `factor` | stages `first` + 1 … `last` of the special Fourier transform, or their inverse, times the factor: one level |
//! | `mod_raise` | | the coefficients plus multiples of q_0, at the highest level |
//! | `bootstrap` | `bound`?, `log_slots`?, `complex`?, `second`? | the same values at a higher level; no slot exceeds the bound, 1 if it is not given; slots repeat after 2^`log_slots`; of two operands, which share one bootstrap, the first or the second |
//! | `output` | `port`, `tile`, `state`? | tile of an output or reveal |
//! | `step` | `index`, `count`? | start of a training step; with `count`, of the body of a closed loop |
//! | `end` | | end of that body |
//! | `loop` | `count` | carries vectors through its region `count` times; the region ends in `yield` |
//!
//! A public vector is one of: a box — `value` on the slots `offset` + Σ k_d·`strides`\[d\] with k_d < `counts`\[d\], 0
//! elsewhere — or `values`, repeated to fill the vector. A factor of `mul_scalar` that is a whole number of at most
//! [`EXACT_LIMIT`] costs no level: the ciphertext is multiplied by that integer.
//! Any operation may carry the notes [`NOTES`]. The noise analysis reads `bound`, which no slot that holds an
//! element exceeds, `argument`, `image` and `slope`, which mark the two ends of a function, `beside`, which marks what that function
//! takes as exact because its error cancels later, `refreshed` and `refreshes`, which mark the two ends of a bootstrap, and `bias`, the
//! error that is no noise; `pin` fixes the level of a result.

use std::collections::BTreeMap;

use crate::ir::{
    Attribute, Attributes, BlockId, Builder, ClosedLoop, Graph, OpData, Opcode, Secrecy, Type, Value,
};
use crate::source::Span;

pub use super::contents::{Contents, Diagonal};

/// Largest whole number by which a vector is multiplied without using a level.
pub const EXACT_LIMIT: f64 = 16.0;

/// Attributes that do not bear on the meaning of an operation.
pub const NOTES: [&str; 9] = [
    "argument",
    "beside",
    "bias",
    "bound",
    "image",
    "pin",
    "refreshed",
    "refreshes",
    "slope",
];

/// Whether multiplying by these numbers costs no level.
pub fn is_exact(values: &[f64]) -> bool {
    values
        .iter()
        .all(|value| value.fract() == 0.0 && value.abs() <= EXACT_LIMIT)
}

/// Whether the operation's result lies one level below its operands.
pub fn takes_level(op: &OpData) -> bool {
    match op.opcode {
        Opcode::SlotMul | Opcode::SlotMulPlain | Opcode::SlotTransform => true,
        Opcode::SlotMulScalar => !is_exact(op.floats("values")),
        _ => false,
    }
}

/// Appends slot operations to a block, and knows the multiplicative depth of every value that it made.
pub struct Vectors {
    /// The graph being built.
    pub graph: Graph,
    /// Where operations go.
    pub block: BlockId,
    /// Span of the operations to come.
    pub span: Span,
    slots: u32,
    depths: Vec<u32>,
}

impl Vectors {
    /// An empty graph of vectors of `slots` slots.
    pub fn new(name: &str, slots: u32) -> Self {
        let graph = Graph::new(name);
        Self {
            block: graph.body(),
            graph,
            span: Span::none(),
            slots,
            depths: Vec::new(),
        }
    }

    /// Slots of a vector.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Products from the inputs to this value.
    pub fn depth(&self, value: Value) -> u32 {
        self.depths.get(value.index()).copied().unwrap_or(0)
    }

    fn push(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes) -> Value {
        let secrecy = if opcode == Opcode::SlotConstant {
            Secrecy::Public
        } else {
            Secrecy::Secret
        };
        let ty = Type::vector(self.slots, secrecy);
        let mut builder = Builder {
            graph: &mut self.graph,
            block: self.block,
            span: self.span,
        };
        let value = builder.value(opcode, operands, attributes, ty);
        let below = operands
            .iter()
            .map(|&operand| self.depth(operand))
            .max()
            .unwrap_or(0);
        let op = self.graph.defining_op(value).map(|op| self.graph.op(op));
        let own = op.is_some_and(takes_level);
        self.depths.resize(value.index() + 1, 0);
        self.depths[value.index()] = below + u32::from(own);
        value
    }

    fn effect(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes) {
        Builder {
            graph: &mut self.graph,
            block: self.block,
            span: self.span,
        }
        .op(opcode, operands, attributes, vec![]);
    }

    /// Tile of an input port; of a stream, that of a step.
    pub fn input(&mut self, port: u32, tile: u32, step: Option<i64>) -> Value {
        let mut attributes = Builder::attributes([("port", port.into()), ("tile", tile.into())]);
        if let Some(step) = step {
            attributes.insert("step", step.into());
        }
        self.push(Opcode::SlotInput, &[], attributes)
    }

    /// Tile of an output port.
    pub fn output(&mut self, port: u32, tile: u32, value: Value) {
        self.effect(
            Opcode::SlotOutput,
            &[value],
            Builder::attributes([("port", port.into()), ("tile", tile.into())]),
        );
    }

    /// Tile of a state, as it is now.
    pub fn state(&mut self, port: u32, tile: u32) -> Value {
        self.push(Opcode::SlotInput, &[], state_tile(port, tile))
    }

    /// New value of a tile of a state.
    pub fn store(&mut self, port: u32, tile: u32, value: Value) {
        self.effect(Opcode::SlotOutput, &[value], state_tile(port, tile));
    }

    /// Start of a step, or of a body that runs many times, as a `train.step` with these attributes says.
    pub fn step(&mut self, attributes: Attributes) {
        self.effect(Opcode::SlotStep, &[], attributes);
    }

    /// End of a body that runs more than once.
    pub fn end(&mut self) {
        self.effect(Opcode::SlotEnd, &[], Attributes::new());
    }

    /// A public vector.
    pub fn constant(&mut self, contents: &Contents) -> Value {
        self.push(Opcode::SlotConstant, &[], contents.attributes())
    }

    /// a + b.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.push(Opcode::SlotAdd, &[a, b], Attributes::new())
    }

    /// a − b.
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.push(Opcode::SlotSub, &[a, b], Attributes::new())
    }

    /// a·b, of which one may be a public vector.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        match (self.is_public(a), self.is_public(b)) {
            (true, _) => self.push(Opcode::SlotMulPlain, &[b, a], Attributes::new()),
            (_, true) => self.push(Opcode::SlotMulPlain, &[a, b], Attributes::new()),
            _ => self.push(Opcode::SlotMul, &[a, b], Attributes::new()),
        }
    }

    fn is_public(&self, value: Value) -> bool {
        let op = self.graph.defining_op(value);
        op.is_some_and(|op| self.graph.op(op).opcode == Opcode::SlotConstant)
    }

    /// a times a public vector.
    pub fn mul_plain(&mut self, a: Value, contents: &Contents) -> Value {
        let constant = self.constant(contents);
        self.push(Opcode::SlotMulPlain, &[a, constant], Attributes::new())
    }

    /// a plus a public vector.
    pub fn add_plain(&mut self, a: Value, contents: &Contents) -> Value {
        let constant = self.constant(contents);
        self.push(Opcode::SlotAddPlain, &[a, constant], Attributes::new())
    }

    /// a times a public number.
    pub fn mul_scalar(&mut self, a: Value, factor: f64) -> Value {
        if factor == 1.0 {
            return a;
        }
        if factor == -1.0 {
            return self.push(Opcode::SlotNeg, &[a], Attributes::new());
        }
        self.mul_scalars(a, vec![factor])
    }

    /// a times a public number that differs from step to step, one for each.
    pub fn mul_scalars(&mut self, a: Value, factors: Vec<f64>) -> Value {
        let attributes = Builder::attributes([("values", factors.into())]);
        self.push(Opcode::SlotMulScalar, &[a], attributes)
    }

    /// a plus a public number.
    pub fn add_scalar(&mut self, a: Value, summand: f64) -> Value {
        if summand == 0.0 {
            return a;
        }
        self.add_scalars(a, vec![summand])
    }

    /// a plus a public number that differs from step to step, one for each.
    pub fn add_scalars(&mut self, a: Value, summands: Vec<f64>) -> Value {
        let attributes = Builder::attributes([("values", summands.into())]);
        self.push(Opcode::SlotAddScalar, &[a], attributes)
    }

    /// Sum of the rotations of a by each of `by`; `disjoint` says that no two have a value in the same slot.
    pub fn sum_rotations(&mut self, a: Value, by: Vec<i64>, disjoint: bool) -> Value {
        let mut attributes = Builder::attributes([("by", by.into())]);
        if disjoint {
            attributes.insert("disjoint", true.into());
        }
        self.push(Opcode::SlotSumRotations, &[a], attributes)
    }

    /// The complex conjugate of every slot.
    pub fn conjugate(&mut self, a: Value) -> Value {
        self.push(Opcode::SlotConjugate, &[a], Attributes::new())
    }

    /// Every slot times i, to the power of `power`, 1 or −1.
    pub fn mul_i(&mut self, a: Value, power: i64) -> Value {
        let product = self.push(Opcode::SlotMulI, &[a], Attributes::new());
        if power < 0 {
            self.mul_scalar(product, -1.0)
        } else {
            product
        }
    }

    /// A product of stages of the special Fourier transform.
    pub fn transform(&mut self, a: Value, stages: &Diagonal) -> Value {
        self.push(Opcode::SlotTransform, &[a], stages.stage_attributes())
    }

    /// The coefficients of a value at level 0, plus multiples of q_0, at the highest level.
    pub fn mod_raise(&mut self, a: Value) -> Value {
        self.push(Opcode::SlotModRaise, &[a], Attributes::new())
    }

    /// The same values at a higher level; no slot exceeds `bound`.
    pub fn bootstrap(&mut self, a: Value, bound: f64) -> Value {
        self.push(
            Opcode::SlotBootstrap,
            &[a],
            Builder::attributes([("bound", bound.into())]),
        )
    }

    /// The same of a vector whose slots repeat after `period`, a power of two.
    pub fn bootstrap_repeated(&mut self, a: Value, bound: f64, period: u32) -> Value {
        // One slot repeated is two slots repeated.
        let log_slots = period.trailing_zeros().max(1);
        let attributes = Builder::attributes([("bound", bound.into()), ("log_slots", log_slots.into())]);
        self.push(Opcode::SlotBootstrap, &[a], attributes)
    }

    /// Says that the slots of a bootstrapped vector are complex: both parts are refreshed.
    pub fn note_complex(&mut self, value: Value) {
        self.note(value, "complex", true.into());
    }

    /// Says that a value has an error of this root mean square that depends on the value alone.
    pub fn note_bias(&mut self, value: Value, bias: f64) {
        self.note(value, "bias", bias.into());
    }

    /// Fixes the level of a value.
    pub fn pin(&mut self, value: Value, level: u32) {
        self.note(value, "pin", level.into());
    }

    fn note(&mut self, value: Value, name: &'static str, note: Attribute) {
        // A public vector is its own note.
        if let Some(op) = self.graph.defining_op(value).filter(|_| !self.is_public(value)) {
            self.graph.op_mut(op).attributes.insert(name, note);
        }
    }

    /// Says that a value is another one refreshed.
    pub fn note_refreshed(&mut self, before: Value, after: Value) {
        let number = i64::from(before.0);
        self.note(before, "refreshed", number.into());
        self.note(after, "refreshes", number.into());
    }

    /// Says that no slot of a value that is in use exceeds `bound`.
    pub fn note_bound(&mut self, value: Value, bound: f64) {
        self.note(value, "bound", bound.into());
    }

    /// Says that `image` is a polynomial of `argument` alone, nowhere steeper than `slope`.
    pub fn note_polynomial(&mut self, argument: Value, image: Value, slope: f64) {
        let number = i64::from(image.0);
        self.note_end(argument, "argument", number);
        self.note_image(image, number, slope);
    }

    /// Says that a value is the `argument` of a function, or stands `beside` it.
    pub fn note_end(&mut self, value: Value, end: &'static str, function: i64) {
        self.note(value, end, function.into());
    }

    /// Says that a value is the image of a function that is nowhere steeper than `slope`.
    pub fn note_image(&mut self, value: Value, function: i64, slope: f64) {
        self.note(value, "image", function.into());
        self.note(value, "slope", slope.into());
    }
}

fn state_tile(port: u32, tile: u32) -> Attributes {
    Builder::attributes([
        ("port", port.into()),
        ("tile", tile.into()),
        ("state", true.into()),
    ])
}

/// What a program on vectors wrote: (port, tile, real parts of the slots), in program order.
pub type Outputs = Vec<(u32, u32, Vec<f64>)>;

/// Real and imaginary part of a slot.
type Complex = [f64; 2];

/// Runs a program without regions on numbers: the definition of what slot operations mean. `input` gives the slots of a
/// port's tile, for a stream at a step: the real parts, and after them the imaginary ones if there are any.
pub fn evaluate(graph: &Graph, mut input: impl FnMut(u32, u32, Option<i64>) -> Vec<f64>) -> Outputs {
    use Opcode::*;
    let mut vectors: BTreeMap<Value, Vec<Complex>> = BTreeMap::new();
    let mut outputs = Outputs::new();
    let mut states: BTreeMap<(u32, u32), Vec<Complex>> = BTreeMap::new();
    let order = graph.walk();
    let closed = ClosedLoop::find(graph, &order);
    for (position, round) in ClosedLoop::run(closed.as_ref(), order.len()) {
        let op = graph.op(order[position]);
        let port_tile = || {
            (
                op.int("port").unwrap_or(0) as u32,
                op.int("tile").unwrap_or(0) as u32,
            )
        };
        let operand = |index: usize| &vectors[&op.operands[index]];
        let slots = op.results.first().map_or(0, |&result| match graph.ty(result) {
            Type::Vector(ty) => ty.slots as usize,
            _ => 0,
        });
        let complex = |numbers: Vec<f64>| -> Vec<Complex> {
            let (re, im) = numbers.split_at(slots.min(numbers.len()));
            let part = |part: &[f64], slot: usize| part.get(slot).copied().unwrap_or(0.0);
            (0..re.len()).map(|slot| [re[slot], part(im, slot)]).collect()
        };
        let each = |change: &dyn Fn(Complex) -> Complex| -> Vec<Complex> {
            operand(0).iter().map(|&slot| change(slot)).collect()
        };
        let zip = |combine: fn(Complex, Complex) -> Complex| -> Vec<Complex> {
            operand(0)
                .iter()
                .zip(operand(1))
                .map(|(&a, &b)| combine(a, b))
                .collect()
        };
        let scalar = || match op.floats("values") {
            [value] => *value,
            values => values.get(round as usize).copied().unwrap_or(0.0),
        };
        let rotated = |by: i64| {
            let source = operand(0);
            let by = by.rem_euclid(source.len() as i64) as usize;
            (0..source.len()).map(move |slot| source[(slot + by) % source.len()])
        };
        let result: Vec<Complex> = match op.opcode {
            SlotInput => {
                let (port, tile) = port_tile();
                let own = op.int("step");
                let step = match closed.filter(|closed| closed.holds(position)) {
                    Some(closed) => Some(closed.step(round, own.unwrap_or(0) as u32).into()),
                    None => own,
                };
                match states.get(&(port, tile)).filter(|_| op.flag("state")) {
                    Some(state) => state.clone(),
                    None => complex(input(port, tile, step)),
                }
            }
            SlotConstant => complex(Contents::of(op).expand(slots)),
            SlotBootstrap => {
                let refreshed = operand(usize::from(op.flag("second"))).iter();
                let kept = f64::from(u8::from(op.flag("complex")));
                refreshed.map(|slot| [slot[0], kept * slot[1]]).collect()
            }
            SlotAdd | SlotAddPlain => zip(|a, b| [a[0] + b[0], a[1] + b[1]]),
            SlotSub => zip(|a, b| [a[0] - b[0], a[1] - b[1]]),
            SlotMul | SlotMulPlain => zip(|a, b| [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]),
            SlotNeg => each(&|a| [-a[0], -a[1]]),
            SlotMulScalar => each(&|a| [a[0] * scalar(), a[1] * scalar()]),
            SlotAddScalar => each(&|a| [a[0] + scalar(), a[1]]),
            SlotConjugate => each(&|a| [a[0], -a[1]]),
            SlotMulI => each(&|a| [-a[1], a[0]]),
            SlotRotate => rotated(op.int("by").unwrap_or(0)).collect(),
            SlotSumRotations => op
                .ints("by")
                .iter()
                .fold(vec![[0.0; 2]; operand(0).len()], |sum, &by| {
                    sum.into_iter()
                        .zip(rotated(by))
                        .map(|(sum, term)| [sum[0] + term[0], sum[1] + term[1]])
                        .collect()
                }),
            SlotOutput => {
                let (port, tile) = port_tile();
                if op.flag("state") {
                    states.insert((port, tile), operand(0).clone());
                } else {
                    outputs.push((port, tile, operand(0).iter().map(|slot| slot[0]).collect()));
                }
                continue;
            }
            _ => continue,
        };
        vectors.insert(op.results[0], result);
    }
    outputs
}
