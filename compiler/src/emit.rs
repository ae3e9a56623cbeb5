//! Ciphertext operations → plan.

use std::collections::BTreeMap;

use cipherloom_plan::data::{Constant, ConstantKind, Parameters, PlanData, Port, Scalar};
use cipherloom_plan::{
    AUX_DEGREE_2, AUX_INIT, AUX_QP, Buffer, Estimates, Instruction, KeyKind, Op, Plan, PortKind, SourceSpan,
    aux_sum, verify_alloc,
};

use crate::analysis::{liveness, rotation};
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::slot::Contents;
use crate::ir::{Basis, Graph, OpData, OpId, Opcode, Type, Value};
use crate::params::search::Choice;
use crate::pass::layout::Packed;
use crate::pass::{memory, roll};

/// What the plan says about itself beside its instructions.
#[derive(Clone, Copy, Debug)]
pub struct Claims {
    /// Bits of a machine word.
    pub word_bits: u32,
    /// Whether it is a toy.
    pub toy: bool,
    /// Training steps.
    pub steps: u32,
}

/// The plan as data and as bytes, parsed and verified.
pub fn run(packed: &Packed, choice: &Choice, claims: Claims) -> Result<(PlanData, Vec<u8>), Diagnostic> {
    let data = plan(packed, choice, claims)?;
    let bytes = data
        .encode()
        .map_err(|error| internal(format!("the plan was not encoded: {error}")))?;
    let plan =
        Plan::parse(&bytes).map_err(|error| internal(format!("the plan was not read back: {error}")))?;
    verify_alloc(&plan).map_err(|error| internal(format!("the plan was not verified: {error}")))?;
    Ok((data, bytes))
}

fn internal(message: String) -> Diagnostic {
    Diagnostic::new(Code::Internal, message).note("this is a mistake of the compiler, not of the program")
}

fn plan(packed: &Packed, choice: &Choice, claims: Claims) -> Result<PlanData, Diagnostic> {
    let parameters = Parameters {
        word_bits: claims.word_bits as u8,
        log_n: choice.chain.log_n as u8,
        log_scale: f64::from(choice.chain.log_scale),
        q: choice.chain.q.clone(),
        p: choice.special.clone(),
        digit_limbs: choice.digit_limbs as u8,
        security_bits: choice.security_bits,
        toy: claims.toy,
        steps: claims.steps,
        ephemeral_weight: choice
            .bootstrapping
            .map_or(0, |bootstrapping| bootstrapping.weight),
    };
    let counts = parameters.words();
    let ports: Vec<Port> = packed
        .ports
        .iter()
        .enumerate()
        .map(|(index, port)| {
            let (low, high) = port.range.unwrap_or((f64::MIN, f64::MAX));
            Port {
                name: port.name.clone(),
                kind: port.kind,
                shape: port.shape.clone(),
                layout: port.layout.clone(),
                level: choice.port_levels[index] as u8,
                scale: choice.chain.scale(choice.port_levels[index]),
                low,
                high,
                one_hot: port.one_hot,
                error: choice.errors[index],
            }
        })
        .collect();
    let graph = &choice.ckks;
    let order = graph.walk();
    let ranges = liveness::ranges(graph, &order, &counts);
    let memory = memory::plan(&ranges.lifetimes);
    let mut emitter = Emitter {
        graph,
        log_n: choice.chain.log_n,
        ports: packed.ports.iter().map(|port| port.kind).collect(),
        keys: choice
            .keys
            .iter()
            .enumerate()
            .map(|(index, key)| (key.kind, index as u32))
            .collect(),
        buffers: Vec::new(),
        buffer_of: BTreeMap::new(),
        run_of: BTreeMap::new(),
        constants: Table::default(),
        scalars: Table::default(),
        place: |value: Value| {
            let range = ranges.of[value.index()]?;
            Some(Buffer {
                offset: memory.offsets[range],
                words: liveness::words(graph.ty(value), &counts),
            })
        },
    };
    emitter.run_buffers(&order)?;
    let mut program = Vec::new();
    for op in order.iter().map(|&op| graph.op(op)) {
        if let Some(count) = op.int("count").filter(|_| op.opcode == Opcode::CkksStep) {
            let begin = Instruction {
                a: count as u32,
                ..Instruction::new(Op::Loop)
            };
            program.push((begin, op.span));
        }
        program.push((emitter.instruction(op)?, op.span));
    }
    let program = roll::run(&program);
    let mut spans: Vec<SourceSpan> = Vec::new();
    for (index, (_, span)) in program.iter().enumerate() {
        if spans
            .last()
            .is_none_or(|last| (last.start, last.end) != (span.start, span.end))
        {
            spans.push(SourceSpan {
                instruction: index as u32,
                start: span.start,
                end: span.end,
            });
        }
    }
    let instructions = program.into_iter().map(|(instruction, _)| instruction).collect();
    let bytes_of = |index: usize, port: &Port| {
        let words = counts.ciphertext(choice.port_levels[index] as u8, 1, cipherloom_plan::Basis::Q);
        words * u64::from(claims.word_bits) / 8 * u64::from(port.layout.tiles)
    };
    let bytes = |sources: bool| {
        let wanted = ports
            .iter()
            .enumerate()
            .filter(|(index, _)| packed.ports[*index].is_source() == sources);
        wanted.map(|(index, port)| bytes_of(index, port)).sum()
    };
    let estimates = Estimates {
        seconds: choice.cost.seconds,
        seconds_per_step: choice.cost.seconds / f64::from(claims.steps.max(1)),
        input_bytes: bytes(true),
        output_bytes: bytes(false),
        arena_lower_bound_words: memory.lower_bound_words,
        bootstrap_log2_failure: choice.bootstrap_log2_failure(),
    };
    Ok(PlanData {
        name: graph.name.clone(),
        keys: choice.keys.clone(),
        constants: emitter.constants.items,
        scalars: emitter.scalars.items,
        buffers: emitter.buffers,
        parameters,
        ports,
        instructions,
        spans,
        estimates,
    })
}

/// Things that are stored once however often they are used.
struct Table<T> {
    items: Vec<T>,
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

struct Emitter<'g, P> {
    graph: &'g Graph,
    log_n: u32,
    ports: Vec<PortKind>,
    keys: BTreeMap<KeyKind, u32>,
    buffers: Vec<Buffer>,
    buffer_of: BTreeMap<(u64, u64), u32>,
    run_of: BTreeMap<Value, u32>,
    constants: Table<Constant>,
    scalars: Table<Scalar>,
    place: P,
}

impl<P: Fn(Value) -> Option<Buffer>> Emitter<'_, P> {
    /// Gives the terms of sums consecutive buffers: sums read runs of them.
    fn run_buffers(&mut self, order: &[OpId]) -> Result<(), Diagnostic> {
        let mut runs: BTreeMap<Vec<(u64, u64)>, u32> = BTreeMap::new();
        let sums = order.iter().map(|&op| self.graph.op(op));
        let sums: Vec<&OpData> = sums.filter(|op| op.opcode == Opcode::CkksMulPlainSum).collect();
        let mut terms: Vec<&[Value]> = sums
            .iter()
            .flat_map(|op| {
                let (a, b) = op.operands.split_at(op.operands.len() / 2);
                [a, b]
            })
            .collect();
        // Shorter sums of the same terms find their part of a longer run.
        terms.sort_by_key(|run| std::cmp::Reverse(run.len()));
        for run in terms {
            if let Some(first) = self.run_of.get(&run[0]).copied() {
                let follows = (first..)
                    .zip(run)
                    .all(|(index, value)| self.run_of.get(value) == Some(&index));
                if !follows {
                    return Err(internal(
                        "the terms of a sum have no consecutive places".to_owned(),
                    ));
                }
                continue;
            }
            let places = run
                .iter()
                .map(|&value| (self.place)(value))
                .collect::<Option<Vec<Buffer>>>()
                .ok_or_else(|| internal("a value has no place in memory".to_owned()))?;
            let key = places
                .iter()
                .map(|buffer| (buffer.offset, buffer.words))
                .collect();
            let next = self.buffers.len() as u32;
            let first = *runs.entry(key).or_insert(next);
            if first == next {
                self.buffers.extend(places);
            }
            self.run_of.extend(run.iter().copied().zip(first..));
        }
        Ok(())
    }

    fn buffer(&mut self, value: Value) -> Result<u32, Diagnostic> {
        if let Some(&index) = self.run_of.get(&value) {
            return Ok(index);
        }
        let buffer =
            (self.place)(value).ok_or_else(|| internal("a value has no place in memory".to_owned()))?;
        let next = self.buffers.len() as u32;
        Ok(*self
            .buffer_of
            .entry((buffer.offset, buffer.words))
            .or_insert_with(|| {
                self.buffers.push(buffer);
                next
            }))
    }

    fn key(&self, op: &OpData) -> Result<u32, Diagnostic> {
        let kind = rotation::key_of(self.log_n, op);
        kind.and_then(|kind| self.keys.get(&kind).copied())
            .ok_or_else(|| internal("a key is missing".to_owned()))
    }

    fn instruction(&mut self, op: &OpData) -> Result<Instruction, Diagnostic> {
        use Opcode::*;
        let (port, tile) = (
            op.int("port").unwrap_or(0) as u32,
            op.int("tile").unwrap_or(0) as u32,
        );
        let typed = op
            .results
            .first()
            .or(op.operands.first())
            .map(|&value| self.graph.ty(value));
        let (level, degree, basis, scale) = match typed {
            Some(Type::Cipher(ty)) => (ty.level, ty.degree, ty.basis, ty.scale),
            Some(Type::Plain(ty)) => (ty.level, 1, ty.basis, ty.scale),
            Some(Type::Digits { level, scale }) => (*level, 1, Basis::Q, *scale),
            _ => (0, 1, Basis::Q, 1.0),
        };
        let flags = if basis == Basis::Qp { AUX_QP } else { 0 } | if degree == 2 { AUX_DEGREE_2 } else { 0 };
        let dst = match op.results.first() {
            Some(&result) => self.buffer(result)?,
            None => 0,
        };
        let operands = op
            .operands
            .iter()
            .map(|&operand| self.buffer(operand))
            .collect::<Result<Vec<_>, _>>()?;
        let read = |index: usize| {
            operands
                .get(index)
                .copied()
                .ok_or_else(|| internal("an operand is missing".to_owned()))
        };
        let new = |code: Op| Instruction {
            level: level as u8,
            dst,
            ..Instruction::new(code)
        };
        let init = |present: usize| if op.operands.len() < present { AUX_INIT } else { 0 };
        Ok(match op.opcode {
            CkksStep => Instruction::new(Op::Step),
            CkksEnd => Instruction::new(Op::End),
            CkksInput => {
                let code = match self.ports[port as usize] {
                    PortKind::Stream => Op::Stream,
                    PortKind::State => Op::StateLoad,
                    _ => Op::Input,
                };
                Instruction {
                    a: port,
                    b: tile,
                    ..new(code)
                }
            }
            CkksOutput => {
                let code = match self.ports[port as usize] {
                    PortKind::Reveal => Op::Reveal,
                    PortKind::State => Op::StateStore,
                    _ => Op::Output,
                };
                Instruction {
                    aux: tile as u16,
                    a: read(0)?,
                    b: port,
                    ..new(code)
                }
            }
            CkksEncode => {
                let kind = match Contents::of(op) {
                    Contents::Boxes { value, offset, dims } => ConstantKind::Boxes { value, offset, dims },
                    Contents::Slots(values) => ConstantKind::Slots { values },
                    Contents::Diagonal(diagonal) => ConstantKind::Fourier(diagonal.into()),
                };
                Instruction {
                    aux: flags & AUX_QP,
                    a: self.constants.add(Constant { kind, scale }),
                    ..new(Op::Encode)
                }
            }
            CkksTrivial => Instruction {
                a: read(0)?,
                ..new(Op::Trivial)
            },
            CkksAdd | CkksSub => {
                let code = if op.opcode == CkksAdd { Op::Add } else { Op::Sub };
                Instruction {
                    aux: flags,
                    a: read(0)?,
                    b: read(1)?,
                    ..new(code)
                }
            }
            CkksNeg => Instruction {
                aux: flags,
                a: read(0)?,
                ..new(Op::Neg)
            },
            CkksAddPlain => Instruction {
                aux: flags & AUX_DEGREE_2,
                a: read(0)?,
                b: read(1)?,
                ..new(Op::AddPlain)
            },
            CkksMulPlain => Instruction {
                aux: flags,
                a: read(0)?,
                b: read(1)?,
                ..new(Op::MulPlain)
            },
            CkksMulPlainAcc => Instruction {
                aux: flags,
                a: read(1)?,
                b: read(2)?,
                ..new(Op::MulPlainAcc)
            },
            CkksMulPlainSum => {
                let count = op.int("count").unwrap_or(0);
                Instruction {
                    aux: aux_sum(flags | AUX_INIT, count as u16),
                    a: read(0)?,
                    b: read(count as usize)?,
                    ..new(Op::MulPlainSum)
                }
            }
            CkksAddScalar => {
                let a = read(0)?;
                let b = self.scalars.add(Scalar {
                    values: op.floats("values").to_vec(),
                    scale,
                });
                Instruction {
                    aux: flags & AUX_DEGREE_2,
                    a,
                    b,
                    ..new(Op::AddScalar)
                }
            }
            CkksMulScalar => {
                let a = read(0)?;
                let own = op.float("scale").unwrap_or(1.0);
                let b = self.scalars.add(Scalar {
                    values: op.floats("values").to_vec(),
                    scale: own,
                });
                Instruction {
                    aux: flags & AUX_DEGREE_2,
                    a,
                    b,
                    ..new(Op::MulScalar)
                }
            }
            CkksMulI => Instruction {
                aux: flags & AUX_DEGREE_2,
                a: read(0)?,
                ..new(Op::MulI)
            },
            CkksMul => Instruction {
                a: read(0)?,
                b: read(1)?,
                ..new(Op::Mul)
            },
            CkksMulAcc => Instruction {
                a: read(1)?,
                b: read(2)?,
                ..new(Op::MulAcc)
            },
            CkksSquare => Instruction {
                a: read(0)?,
                ..new(Op::Square)
            },
            CkksRelinearize => Instruction {
                a: read(0)?,
                b: self.key(op)?,
                ..new(Op::Relinearize)
            },
            CkksRelinearizeRescale => Instruction {
                a: read(0)?,
                b: self.key(op)?,
                ..new(Op::RelinearizeRescale)
            },
            CkksModDownRescale => Instruction {
                a: read(0)?,
                ..new(Op::ModDownRescale)
            },
            CkksSwitchSecret => Instruction {
                a: read(0)?,
                b: self.key(op)?,
                ..new(Op::SwitchSecret)
            },
            CkksModRaise => Instruction {
                a: read(0)?,
                ..new(Op::ModRaise)
            },
            CkksRescale => Instruction {
                aux: flags & AUX_DEGREE_2,
                a: read(0)?,
                ..new(Op::Rescale)
            },
            CkksDrop => {
                let from = self.graph.ty(op.operands[0]).as_cipher().map_or(0, |ty| ty.level);
                Instruction {
                    aux: flags & AUX_DEGREE_2,
                    a: read(0)?,
                    b: from,
                    ..new(Op::Drop)
                }
            }
            CkksRotate => Instruction {
                a: read(0)?,
                b: self.key(op)?,
                ..new(Op::Rotate)
            },
            CkksDecompose => Instruction {
                a: read(0)?,
                ..new(Op::Decompose)
            },
            CkksRotateAcc => Instruction {
                aux: init(2),
                a: read(0)?,
                b: self.key(op)?,
                ..new(Op::RotateAcc)
            },
            CkksLiftAcc => Instruction {
                aux: init(2),
                a: read(0)?,
                ..new(Op::LiftAcc)
            },
            CkksModDown => Instruction {
                a: read(0)?,
                ..new(Op::ModDown)
            },
            _ => return Err(internal(format!("{} has no instruction", op.opcode.name()))),
        })
    }
}
