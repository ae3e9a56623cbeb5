//! One operation on ciphertexts → one instruction, with the constants and scalars that it names.

use std::collections::BTreeMap;

use cipherloom_plan::data::{Constant, ConstantKind, Scalar};
use cipherloom_plan::{
    AUX_DEGREE_2, AUX_INIT, AUX_QP, Buffer, Instruction, Key, KeyKind, Op, PortKind, aux_compact, aux_sum,
};

use super::buffers::Buffers;
use super::internal;
use crate::analysis::rotation;
use crate::diagnostic::Diagnostic;
use crate::dialect::slot::Contents;
use crate::ir::{Basis, Graph, OpData, Opcode, Type, Value};

/// Things that are stored once however often they are used.
pub struct Table<T> {
    pub items: Vec<T>,
    index: BTreeMap<String, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            index: BTreeMap::new(),
        }
    }
}

impl<T: std::fmt::Debug> Table<T> {
    fn add(&mut self, item: T) -> u32 {
        let next = self.items.len() as u32;
        *self.index.entry(format!("{item:?}")).or_insert_with(|| {
            self.items.push(item);
            next
        })
    }
}

/// Translates the operations of one program.
pub struct Emitter<'g, P> {
    graph: &'g Graph,
    log_n: u32,
    ports: Vec<PortKind>,
    keys: BTreeMap<KeyKind, u32>,
    pub buffers: Buffers<P>,
    pub constants: Table<Constant>,
    pub scalars: Table<Scalar>,
    /// Training steps of a round of the closed loop.
    steps_of_round: u32,
}

impl<'g, P: Fn(Value) -> Option<Buffer>> Emitter<'g, P> {
    /// For a program with these ports, keys and buffers, whose closed loop, if any, has rounds of so many steps.
    pub fn new(
        graph: &'g Graph,
        log_n: u32,
        ports: Vec<PortKind>,
        keys: &[Key],
        buffers: Buffers<P>,
        steps_of_round: u32,
    ) -> Self {
        Self {
            graph,
            log_n,
            ports,
            keys: (0..).zip(keys).map(|(index, key)| (key.kind, index)).collect(),
            buffers,
            constants: Table::default(),
            scalars: Table::default(),
            steps_of_round,
        }
    }

    /// The instruction of an operation.
    pub fn instruction(&mut self, op: &OpData) -> Result<Instruction, Diagnostic> {
        use Opcode::*;
        let number = |name: &str| op.int(name).unwrap_or(0) as u32;
        let (port, tile) = (number("port"), number("tile"));
        let typed = op.results.first().or(op.operands.first());
        let (level, degree, basis, scale) = match typed.map(|&value| self.graph.ty(value)) {
            Some(Type::Cipher(ty)) => (ty.level, ty.degree, ty.basis, ty.scale),
            Some(Type::Plain(ty)) => (ty.level, 1, ty.basis, ty.scale),
            Some(Type::Digits { level, scale }) => (*level, 1, Basis::Q, *scale),
            _ => (0, 1, Basis::Q, 1.0),
        };
        let qp = if basis == Basis::Qp { AUX_QP } else { 0 };
        let degree_2 = if degree == 2 { AUX_DEGREE_2 } else { 0 };
        let both = qp | degree_2;
        // An accumulator that is not among the operands is made here.
        let init = if op.operands.len() < 2 { AUX_INIT } else { 0 };
        // The plaintexts of a sum are equally compact.
        let compact = op
            .operands
            .iter()
            .chain(&op.results)
            .find_map(|&value| match self.graph.ty(value) {
                Type::Plain(ty) => Some(ty.compact as u8),
                _ => None,
            });
        let dst = match op.results.first() {
            Some(&result) => self.buffers.of(result)?,
            None => 0,
        };
        let sources = op.operands.iter().map(|&operand| self.buffers.of(operand));
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let read = |index: usize| {
            let source = sources.get(index).copied();
            source.ok_or_else(|| internal("an operand is missing".to_owned()))
        };
        let (code, aux, a, b) = match op.opcode {
            CkksStep => return Ok(Instruction::new(Op::Step)),
            CkksEnd => return Ok(Instruction::new(Op::End)),
            CkksInput => match self.port_kind(port)? {
                PortKind::Stream => (Op::Stream, 0, port, tile),
                PortKind::State => (Op::StateLoad, 0, port, tile),
                _ => (Op::Input, 0, port, tile),
            },
            CkksOutput => match self.port_kind(port)? {
                PortKind::Reveal => (Op::Reveal, tile as u16, read(0)?, port),
                PortKind::State => (Op::StateStore, tile as u16, read(0)?, port),
                _ => (Op::Output, tile as u16, read(0)?, port),
            },
            CkksEncode => (Op::Encode, qp, self.constant(op, scale), 0),
            CkksTrivial => (Op::Trivial, 0, read(0)?, 0),
            CkksAdd => (Op::Add, both, read(0)?, read(1)?),
            CkksSub => (Op::Sub, both, read(0)?, read(1)?),
            CkksNeg => (Op::Neg, both, read(0)?, 0),
            CkksAddPlain => (Op::AddPlain, degree_2, read(0)?, read(1)?),
            CkksMulPlain => (Op::MulPlain, both, read(0)?, read(1)?),
            CkksMulPlainAcc => (Op::MulPlainAcc, both, read(1)?, read(2)?),
            CkksMulPlainSum => {
                let count = number("count");
                let aux = aux_sum(both | AUX_INIT, count as u16);
                (Op::MulPlainSum, aux, read(0)?, read(count as usize)?)
            }
            CkksAddScalar => (Op::AddScalar, degree_2, read(0)?, self.scalar(op, scale)),
            CkksMulScalar => {
                let own = op.float("scale").unwrap_or(1.0);
                (Op::MulScalar, degree_2, read(0)?, self.scalar(op, own))
            }
            CkksMulI => (Op::MulI, degree_2, read(0)?, 0),
            CkksMul => (Op::Mul, 0, read(0)?, read(1)?),
            CkksMulAcc => (Op::MulAcc, 0, read(1)?, read(2)?),
            CkksSquare => (Op::Square, 0, read(0)?, 0),
            CkksRelinearize => (Op::Relinearize, 0, read(0)?, self.key(op)?),
            CkksRelinearizeRescale => (Op::RelinearizeRescale, 0, read(0)?, self.key(op)?),
            CkksModDown => (Op::ModDown, 0, read(0)?, 0),
            CkksModDownRescale => (Op::ModDownRescale, 0, read(0)?, 0),
            CkksSwitchSecret => (Op::SwitchSecret, 0, read(0)?, self.key(op)?),
            CkksModRaise => (Op::ModRaise, 0, read(0)?, 0),
            CkksRescale => (Op::Rescale, degree_2, read(0)?, 0),
            CkksDrop => {
                let from = op
                    .operands
                    .first()
                    .and_then(|&from| self.graph.ty(from).as_cipher());
                (Op::Drop, degree_2, read(0)?, from.map_or(0, |ty| ty.level))
            }
            CkksRotate => (Op::Rotate, 0, read(0)?, self.key(op)?),
            CkksDecompose => (Op::Decompose, 0, read(0)?, 0),
            CkksRotateAcc => (Op::RotateAcc, init, read(0)?, self.key(op)?),
            CkksLiftAcc => (Op::LiftAcc, init, read(0)?, 0),
            _ => return Err(internal(format!("{} has no instruction", op.opcode.name()))),
        };
        Ok(Instruction {
            op: code,
            level: level as u8,
            aux: aux_compact(aux, compact.unwrap_or(0)),
            dst,
            a,
            b,
        })
    }

    fn port_kind(&self, port: u32) -> Result<PortKind, Diagnostic> {
        let kind = self.ports.get(port as usize).copied();
        kind.ok_or_else(|| internal("a port is missing".to_owned()))
    }

    fn key(&self, op: &OpData) -> Result<u32, Diagnostic> {
        let kind = rotation::key_of(self.log_n, op);
        kind.and_then(|kind| self.keys.get(&kind).copied())
            .ok_or_else(|| internal("a key is missing".to_owned()))
    }

    fn constant(&mut self, op: &OpData, scale: f64) -> u32 {
        let kind = match Contents::of(op) {
            Contents::Boxes { value, offset, dims } => ConstantKind::Boxes { value, offset, dims },
            Contents::Slots(values) => ConstantKind::Slots {
                values: values.to_vec(),
            },
            Contents::Diagonal(diagonal) => ConstantKind::Fourier(diagonal.into()),
        };
        self.constants.add(Constant { kind, scale })
    }

    fn scalar(&mut self, op: &OpData, scale: f64) -> u32 {
        let values = op.floats("values");
        // One for each round: a plan has one for each step.
        let times = if values.len() > 1 { self.steps_of_round } else { 1 };
        let repeated = |&value| std::iter::repeat_n(value, times as usize);
        let values = values.iter().flat_map(repeated).collect();
        self.scalars.add(Scalar { values, scale })
    }
}
