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

mod operand;
mod rotation;
mod sum;
pub mod transform;

use std::collections::BTreeMap;

use self::transform::EncodedDiagonal;
use crate::dialect::slot::{Diagonal, NOTES, takes_level};
use crate::ir::{Attributes, Basis, Builder, CipherType, Graph, OpData, OpId, Opcode, Type, Value};
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
        diagonals: BTreeMap::new(),
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
    diagonals: BTreeMap<EncodedDiagonal, Value>,
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

    fn push(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes, ty: Type) -> Value {
        let block = self.new.body();
        Builder {
            graph: &mut self.new,
            block,
            span: self.span,
        }
        .value(opcode, operands, attributes, ty)
    }

    fn effect(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes) {
        let block = self.new.body();
        Builder {
            graph: &mut self.new,
            block,
            span: self.span,
        }
        .op(opcode, operands, attributes, vec![]);
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

    fn op(&mut self, op: &OpData, absorbed: &[bool]) {
        use Opcode::*;
        match op.opcode {
            SlotStep => self.effect(CkksStep, &[], op.attributes.clone()),
            SlotEnd => self.effect(CkksEnd, &[], Attributes::new()),
            SlotOutput => {
                let level = if op.flag("state") {
                    self.port_levels[op.int("port").unwrap_or(0) as usize]
                } else {
                    self.output_level
                };
                let value = if levels::is_secret(self.old, op.operands[0]) {
                    self.at(op.operands[0], level)
                } else {
                    // A public first value of a state.
                    let scale = self.chain.scale(level);
                    let plain = self.encode(op.operands[0], 1.0, level, scale);
                    self.push(
                        CkksTrivial,
                        &[plain],
                        Attributes::new(),
                        Type::cipher(level, scale),
                    )
                };
                self.effect(CkksOutput, &[value], op.attributes.clone());
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
                    SlotTransform => self.transform(op.operands[0], Diagonal::of(op), level),
                    SlotModRaise => self.mod_raise(op.operands[0], level),
                    SlotConjugate => {
                        let x = self.at(op.operands[0], level);
                        self.conjugate(x)
                    }
                    SlotMulI => {
                        let x = self.at(op.operands[0], level);
                        self.same(CkksMulI, &[x], Attributes::new())
                    }
                    SlotMulScalar if !takes_level(op) => {
                        let x = self.at(op.operands[0], level);
                        self.mul_scalar(x, op.floats("values").to_vec(), 1.0)
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
                        .filter(|(name, _)| NOTES.contains(&name.as_ref()));
                    self.new
                        .op_mut(made)
                        .attributes
                        .extend(notes.map(|(name, note)| (name.clone(), note.clone())));
                }
                self.defined.insert(result, value);
            }
        }
    }
}

/// Levels of all values and the highest of them; bootstraps are taken to start from level 0.
pub fn top_level(graph: &Graph, output_level: u32) -> (Vec<Option<u32>>, u32) {
    let levels = levels::run(graph, output_level, 0);
    let top = levels.iter().flatten().copied().max().unwrap_or(output_level);
    (levels, top)
}
