//! Packed vectors → ciphertexts with level and scale.
//!
//! Every value at level l has the canonical scale Δ_l, so that values of one level always add. A product is made one
//! level higher, at scale Δ_{l+1}², and rescaled; a whole sum of products is relinearised and rescaled once. A value that
//! is used below its level is multiplied by 1 at the scale that makes the rescaled result canonical; where a public
//! factor waits anyway, it is encoded at that scale instead. Inputs are read where they are used, at the level that the
//! use needs; their port has the scale of its highest use.
//!
//! ```text
//! %2 = slot.mul %0, %1
//! %3 = slot.sum_rotations %2 {by = ints[0, 1, 2, 3]}
//! ```
//! becomes
//! ```text
//! %2 = ckks.mul %0, %1 : ct<1, …, 2, q>
//! %3 = ckks.relinearize %2
//! %4 = ckks.rescale %3 : ct<0, …, 1, q>
//! %5 = ckks.decompose %4 : digits<0, …>
//! %6 = ckks.rotate_acc %5 {by = 1}          // … by 2 and 3, then
//! %9 = ckks.lift_acc %8, %4
//! %10 = ckks.mod_down %9
//! ```

use std::collections::BTreeMap;

use crate::dialect::slot::{Contents, NOTES, takes_level};
use crate::ir::{
    Attribute, Attributes, Basis, Builder, CipherType, Graph, OpData, OpId, Opcode, PlainType, Type, Value,
};
use crate::params::Chain;
use crate::pass::levels;
use crate::source::Span;

/// The level of every port: of an input the highest at which it is read, of an output that of its ciphertexts.
pub type PortLevels = Vec<u32>;

/// Lowers a graph of vectors; `levels` are those of [`levels::run`].
pub fn run(
    graph: &Graph,
    ports: usize,
    levels: &[Option<u32>],
    chain: &Chain,
    output_level: u32,
) -> (Graph, PortLevels) {
    let mut port_levels = vec![output_level; ports];
    for op in graph.walk() {
        let op = graph.op(op);
        if op.opcode == Opcode::SlotInput {
            let port = &mut port_levels[op.int("port").unwrap_or(0) as usize];
            *port = (*port).max(levels[op.results[0].index()].unwrap_or(0));
        }
    }
    let mut lowering = Lowering {
        old: graph,
        new: Graph::new(graph.name.clone()),
        span: Span::none(),
        levels,
        chain,
        output_level,
        port_levels,
        uses: graph.use_counts(),
        defined: BTreeMap::new(),
        adjusted: BTreeMap::new(),
        read: BTreeMap::new(),
        encoded: BTreeMap::new(),
        digits: BTreeMap::new(),
    };
    let absorbed = lowering.absorbed();
    for op in graph.walk() {
        lowering.span = graph.op(op).span;
        lowering.op(graph.op(op), &absorbed);
    }
    (lowering.new, lowering.port_levels)
}

struct Lowering<'a> {
    old: &'a Graph,
    new: Graph,
    span: Span,
    levels: &'a [Option<u32>],
    chain: &'a Chain,
    output_level: u32,
    port_levels: PortLevels,
    uses: Vec<u32>,
    /// Each value at its own level.
    defined: BTreeMap<Value, Value>,
    /// Values brought to a lower level.
    adjusted: BTreeMap<(Value, u32), Value>,
    /// Inputs as they come at a level.
    read: BTreeMap<(Value, u32), Value>,
    encoded: BTreeMap<(Value, u64, u32, u64), Value>,
    digits: BTreeMap<Value, Value>,
}

/// A sum, taken apart. Signs are −1 or 1.
#[derive(Default)]
struct Sum {
    products: Vec<(f64, Value, Value)>,
    plain_products: Vec<(f64, Value, Value)>,
    scalar_products: Vec<(f64, Value)>,
    terms: Vec<(f64, Value)>,
    scalar: f64,
    plains: Vec<(f64, Value)>,
}

impl Lowering<'_> {
    fn definition(&self, value: Value) -> Option<(OpId, &OpData)> {
        self.old.defining_op(value).map(|op| (op, self.old.op(op)))
    }

    fn level(&self, value: Value) -> u32 {
        self.levels[value.index()].unwrap_or(0)
    }

    fn is_input(&self, value: Value) -> bool {
        self.definition(value)
            .is_some_and(|(_, op)| op.opcode == Opcode::SlotInput)
    }

    /// Whether the operation can be a part of a larger sum.
    fn is_part(op: &OpData) -> bool {
        use Opcode::*;
        matches!(
            op.opcode,
            SlotAdd | SlotSub | SlotNeg | SlotAddScalar | SlotAddPlain
        ) || takes_level(op)
    }

    /// Values that are used once, in a sum of their own level: they are made as a part of it.
    fn absorbed(&self) -> Vec<bool> {
        use Opcode::*;
        let mut absorbed = vec![false; self.old.value_count()];
        for op in self.old.walk() {
            let op = self.old.op(op);
            if !matches!(
                op.opcode,
                SlotAdd | SlotSub | SlotNeg | SlotAddScalar | SlotAddPlain
            ) {
                continue;
            }
            for &operand in &op.operands {
                // The ends of a polynomial stay visible, for the noise analysis.
                let is_end = |op: &OpData| {
                    ["argument", "image"]
                        .iter()
                        .any(|end| op.attributes.contains_key(*end))
                };
                let part = self
                    .definition(operand)
                    .is_some_and(|(_, op)| Self::is_part(op) && !is_end(op));
                let alone = self.uses[operand.index()] == 1;
                absorbed[operand.index()] = part && alone && self.level(operand) == self.level(op.results[0]);
            }
        }
        absorbed
    }

    fn push(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes, ty: Type) -> Value {
        let block = self.new.body();
        Builder {
            graph: &mut self.new,
            block,
            span: self.span,
        }
        .value(opcode, operands, attributes, ty)
    }

    fn cipher(&self, value: Value) -> CipherType {
        let none = CipherType {
            level: 0,
            scale: 1.0,
            degree: 1,
            basis: Basis::Q,
        };
        self.new.ty(value).as_cipher().cloned().unwrap_or(none)
    }

    /// An operation whose result has the type of its first operand.
    fn same(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes) -> Value {
        let ty = self.new.ty(operands[0]).clone();
        self.push(opcode, operands, attributes, ty)
    }

    fn op(&mut self, op: &OpData, absorbed: &[bool]) {
        use Opcode::*;
        match op.opcode {
            SlotStep => {
                let block = self.new.body();
                Builder {
                    graph: &mut self.new,
                    block,
                    span: op.span,
                }
                .op(CkksStep, &[], op.attributes.clone(), vec![]);
            }
            SlotOutput => {
                let value = self.at(op.operands[0], self.output_level);
                let block = self.new.body();
                Builder {
                    graph: &mut self.new,
                    block,
                    span: op.span,
                }
                .op(CkksOutput, &[value], op.attributes.clone(), vec![]);
            }
            SlotInput | SlotConstant => {}
            _ => {
                let Some(&result) = op.results.first() else { return };
                if absorbed[result.index()] {
                    return;
                }
                let Some(level) = self.levels[result.index()] else {
                    return;
                };
                let value = match op.opcode {
                    SlotRotate => {
                        let x = self.at(op.operands[0], level);
                        self.rotations(x, &[op.int("by").unwrap_or(0)], false)
                    }
                    SlotSumRotations => {
                        let x = self.at(op.operands[0], level);
                        self.rotations(x, op.ints("by"), op.flag("disjoint"))
                    }
                    SlotMulScalar if !takes_level(op) => {
                        let x = self.at(op.operands[0], level);
                        self.mul_scalar(x, op.floats("values")[0], 1.0)
                    }
                    _ => {
                        let sum = self.take_apart(result, absorbed);
                        self.sum(sum, level)
                    }
                };
                if let Some(made) = self.new.defining_op(value) {
                    let notes = op
                        .attributes
                        .iter()
                        .filter(|(name, _)| NOTES.contains(&name.as_str()));
                    self.new
                        .op_mut(made)
                        .attributes
                        .extend(notes.map(|(name, note)| (name.clone(), note.clone())));
                }
                self.defined.insert(result, value);
            }
        }
    }

    fn take_apart(&self, root: Value, absorbed: &[bool]) -> Sum {
        use Opcode::*;
        let mut sum = Sum::default();
        let mut stack = vec![(1.0, root)];
        while let Some((sign, value)) = stack.pop() {
            let part = self
                .definition(value)
                .filter(|_| value == root || absorbed[value.index()]);
            let Some((_, op)) = part else {
                sum.terms.push((sign, value));
                continue;
            };
            let (a, b) = (
                op.operands[0],
                op.operands.get(1).copied().unwrap_or(op.operands[0]),
            );
            match op.opcode {
                SlotAdd => stack.extend([(sign, b), (sign, a)]),
                SlotSub => stack.extend([(-sign, b), (sign, a)]),
                SlotNeg => stack.push((-sign, a)),
                SlotAddScalar => {
                    sum.scalar += sign * op.floats("values")[0];
                    stack.push((sign, a));
                }
                SlotAddPlain => {
                    sum.plains.push((sign, b));
                    stack.push((sign, a));
                }
                SlotMul => sum.products.push((sign, a, b)),
                SlotMulPlain => sum.plain_products.push((sign, a, b)),
                _ => sum.scalar_products.push((sign * op.floats("values")[0], a)),
            }
        }
        sum
    }

    /// Makes a sum at a level.
    fn sum(&mut self, sum: Sum, level: u32) -> Value {
        let mut raw = self.products(&sum.products, level + 1);
        let raw_scale = self.chain.scale(level + 1).powi(2);
        for &(sign, a, constant) in &sum.plain_products {
            let a = self.loose(a, level + 1);
            let plain = self.encode(constant, sign, level + 1, raw_scale / self.cipher(a).scale);
            raw = Some(match raw {
                Some(raw) => self.same(Opcode::CkksMulPlainAcc, &[raw, a, plain], Attributes::new()),
                None => {
                    let ty = Type::cipher(level + 1, raw_scale);
                    self.push(Opcode::CkksMulPlain, &[a, plain], Attributes::new(), ty)
                }
            });
        }
        let mut scalar_products = sum.scalar_products;
        let mut terms = Vec::new();
        for (sign, value) in sum.terms {
            let high = if self.is_input(value) {
                self.input_level(value)
            } else {
                self.level(value)
            };
            let lower = high > level && !self.adjusted.contains_key(&(value, level));
            // Where a rescale comes anyway, a value that lies too high joins it.
            if lower && (raw.is_some() || !scalar_products.is_empty()) {
                scalar_products.push((sign, value));
            } else {
                terms.push((sign, value));
            }
        }
        for (factor, a) in scalar_products {
            let a = self.loose(a, level + 1);
            let scale = raw_scale / self.cipher(a).scale;
            let term = self.mul_scalar(a, factor, scale);
            raw = Some(match raw {
                Some(raw) => self.same(Opcode::CkksAdd, &[raw, term], Attributes::new()),
                None => term,
            });
        }
        let mut total = raw.map(|raw| self.rescale(raw));
        terms.sort_by_key(|&(sign, _)| sign < 0.0);
        for (sign, value) in terms {
            let value = self.at(value, level);
            total = Some(match (total, sign < 0.0) {
                (Some(total), false) => self.same(Opcode::CkksAdd, &[total, value], Attributes::new()),
                (Some(total), true) => self.same(Opcode::CkksSub, &[total, value], Attributes::new()),
                (None, false) => value,
                (None, true) => self.same(Opcode::CkksNeg, &[value], Attributes::new()),
            });
        }
        let Some(mut total) = total else {
            unreachable!("a sum has a term")
        };
        if sum.scalar != 0.0 {
            let attributes = Builder::attributes([("values", vec![sum.scalar].into())]);
            total = self.same(Opcode::CkksAddScalar, &[total], attributes);
        }
        for (sign, constant) in sum.plains {
            let plain = self.encode(constant, sign, level, self.chain.scale(level));
            total = self.same(Opcode::CkksAddPlain, &[total, plain], Attributes::new());
        }
        total
    }

    /// Σ ±a·b at a level, relinearised and not rescaled.
    fn products(&mut self, products: &[(f64, Value, Value)], level: u32) -> Option<Value> {
        let mut sides = [None, None];
        for &(sign, a, b) in products {
            let (a, b) = (self.at(a, level), self.at(b, level));
            let scale = self.cipher(a).scale * self.cipher(b).scale;
            let ty = Type::Cipher(CipherType {
                level,
                scale,
                degree: 2,
                basis: Basis::Q,
            });
            let side = &mut sides[usize::from(sign < 0.0)];
            let (opcode, operands) = match *side {
                Some(sum) => (Opcode::CkksMulAcc, vec![sum, a, b]),
                None if a == b => (Opcode::CkksSquare, vec![a]),
                None => (Opcode::CkksMul, vec![a, b]),
            };
            *side = Some(
                Builder {
                    block: self.new.body(),
                    graph: &mut self.new,
                    span: self.span,
                }
                .value(opcode, &operands, Attributes::new(), ty),
            );
        }
        let sum = match sides {
            [None, None] => return None,
            [Some(plus), None] => plus,
            [Some(plus), Some(minus)] => self.same(Opcode::CkksSub, &[plus, minus], Attributes::new()),
            [None, Some(minus)] => self.same(Opcode::CkksNeg, &[minus], Attributes::new()),
        };
        let ty = CipherType {
            degree: 1,
            ..self.cipher(sum)
        };
        Some(self.push(
            Opcode::CkksRelinearize,
            &[sum],
            Attributes::new(),
            Type::Cipher(ty),
        ))
    }

    fn rescale(&mut self, value: Value) -> Value {
        let ty = self.cipher(value);
        let scale = ty.scale / self.chain.q[ty.level as usize] as f64;
        self.push(
            Opcode::CkksRescale,
            &[value],
            Attributes::new(),
            Type::Cipher(CipherType {
                level: ty.level - 1,
                scale,
                ..ty
            }),
        )
    }

    fn mul_scalar(&mut self, value: Value, factor: f64, scale: f64) -> Value {
        let ty = self.cipher(value);
        let attributes = Builder::attributes([("values", vec![factor].into()), ("scale", scale.into())]);
        let scale = ty.scale * scale;
        self.push(
            Opcode::CkksMulScalar,
            &[value],
            attributes,
            Type::Cipher(CipherType { scale, ..ty }),
        )
    }

    fn encode(&mut self, constant: Value, sign: f64, level: u32, scale: f64) -> Value {
        let key = (constant, sign.to_bits(), level, scale.to_bits());
        if let Some(&encoded) = self.encoded.get(&key) {
            return encoded;
        }
        let attributes = match self.definition(constant) {
            Some((_, op)) if sign < 0.0 => Contents::of(op).scaled(-1.0).attributes(),
            Some((_, op)) => op.attributes.clone(),
            None => Attributes::new(),
        };
        let ty = Type::Plain(PlainType {
            level,
            scale,
            basis: Basis::Q,
        });
        let encoded = self.push(Opcode::CkksEncode, &[], attributes, ty);
        self.encoded.insert(key, encoded);
        encoded
    }

    fn input_level(&self, value: Value) -> u32 {
        self.definition(value).map_or(0, |(_, op)| {
            self.port_levels[op.int("port").unwrap_or(0) as usize]
        })
    }

    /// A value at just this level, at whatever scale it has.
    fn loose(&mut self, value: Value, level: u32) -> Value {
        if let Some((_, op)) = self
            .definition(value)
            .filter(|(_, op)| op.opcode == Opcode::SlotInput)
        {
            if let Some(&read) = self.read.get(&(value, level)) {
                return read;
            }
            let attributes = op.attributes.clone();
            let ty = Type::cipher(level, self.chain.scale(self.input_level(value)));
            let read = self.push(Opcode::CkksInput, &[], attributes, ty);
            self.read.insert((value, level), read);
            return read;
        }
        let made = self.defined[&value];
        let ty = self.cipher(made);
        if ty.level == level {
            return made;
        }
        self.push(
            Opcode::CkksDrop,
            &[made],
            Attributes::new(),
            Type::Cipher(CipherType { level, ..ty }),
        )
    }

    /// A value at this level and the canonical scale.
    fn at(&mut self, value: Value, level: u32) -> Value {
        let high = if self.is_input(value) {
            self.input_level(value)
        } else {
            self.level(value)
        };
        if high == level {
            return self.loose(value, level);
        }
        if let Some(&adjusted) = self.adjusted.get(&(value, level)) {
            return adjusted;
        }
        let loose = self.loose(value, level + 1);
        let scale =
            self.chain.scale(level) * self.chain.q[level as usize + 1] as f64 / self.cipher(loose).scale;
        let raw = self.mul_scalar(loose, 1.0, scale);
        let adjusted = self.rescale(raw);
        self.adjusted.insert((value, level), adjusted);
        adjusted
    }

    /// Sum of rotations of a ciphertext; from two amounts on they share one decomposition and one mod-down.
    fn rotations(&mut self, x: Value, by: &[i64], disjoint: bool) -> Value {
        let ty = self.cipher(x);
        let by_attribute = |by: i64| {
            let mut attributes = Builder::attributes([("by", Attribute::Int(by))]);
            if disjoint {
                attributes.insert("disjoint".to_owned(), true.into());
            }
            attributes
        };
        let turning: Vec<i64> = by.iter().copied().filter(|&by| by != 0).collect();
        let resting = by.len() - turning.len();
        let mut sum = match turning.as_slice() {
            [] => return self.mul_scalar(x, resting as f64, 1.0),
            &[by] => self.same(Opcode::CkksRotate, &[x], by_attribute(by)),
            _ => {
                let digits = match self.digits.get(&x) {
                    Some(&digits) => digits,
                    None => {
                        let ty = Type::Digits {
                            level: ty.level,
                            scale: ty.scale,
                        };
                        let digits = self.push(Opcode::CkksDecompose, &[x], Attributes::new(), ty);
                        self.digits.insert(x, digits);
                        digits
                    }
                };
                let raised = Type::Cipher(CipherType {
                    basis: Basis::Qp,
                    ..ty.clone()
                });
                let mut sum: Option<Value> = None;
                for &by in &turning {
                    let operands: Vec<Value> = [digits].into_iter().chain(sum).collect();
                    sum = Some(self.push(Opcode::CkksRotateAcc, &operands, by_attribute(by), raised.clone()));
                }
                for _ in 0..resting {
                    let operands: Vec<Value> = [x].into_iter().chain(sum).collect();
                    let attributes = if disjoint {
                        Builder::attributes([("disjoint", true.into())])
                    } else {
                        Attributes::new()
                    };
                    sum = Some(self.push(Opcode::CkksLiftAcc, &operands, attributes, raised.clone()));
                }
                let operands: Vec<Value> = sum.into_iter().collect();
                return self.push(
                    Opcode::CkksModDown,
                    &operands,
                    Attributes::new(),
                    Type::Cipher(ty),
                );
            }
        };
        for _ in 0..resting {
            let attributes = if disjoint {
                Builder::attributes([("disjoint", true.into())])
            } else {
                Attributes::new()
            };
            sum = self.same(Opcode::CkksAdd, &[sum, x], attributes);
        }
        sum
    }
}

/// Levels of all values and the highest of them.
pub fn top_level(graph: &Graph, output_level: u32) -> (Vec<Option<u32>>, u32) {
    let levels = levels::run(graph, output_level);
    let top = levels.iter().flatten().copied().max().unwrap_or(output_level);
    (levels, top)
}
