//! The state machine: control flow, data in and out. Arithmetic is in `compute`.

use crate::Keys;
use crate::compute::Machine;
use crate::cursor::Cursor;
use crate::error::{ExecError, Fault};
use crate::event::Event;
use crate::memory::{Memory, context_parameters};
use cipherloom_ckks::{Basis, Context, Encoder};
use cipherloom_plan::{Instruction, Op, Plan, PortKind};
use cipherloom_ring::Word;
use core::ops::Range;

/// What the caller permits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Run plans with toy parameters, which protect nothing.
    pub allow_toy: bool,
    /// The plan has passed [`cipherloom_plan::verify()`]. A plan that has not may read what was never
    /// written; so that this ends in an error, every operand of every instruction is then checked first,
    /// which costs time.
    pub verified: bool,
}

/// Executes one plan once.
pub struct Executor<'a, W: Word, K: Keys<W>> {
    pub(crate) machine: Machine<'a, W, K>,
    pub(crate) cursor: Cursor,
    /// The input that the caller was asked for, to be checked before it is used.
    pub(crate) asked: Option<Asked>,
    /// Whether every instruction is a pause.
    pauses: bool,
}

pub(crate) struct Asked {
    position: usize,
    level: usize,
    range: Range<usize>,
}

/// An [`Event`] before its slices are borrowed.
enum Pause {
    Input {
        port: usize,
        tile: u32,
        level: u8,
        range: Range<usize>,
    },
    Value {
        kind: PortKind,
        port: usize,
        tile: u32,
        level: u8,
        scale: f64,
        range: Range<usize>,
    },
    Checkpoint,
    Epoch(u32),
    Step(u32),
    Advanced,
    Done,
}

impl<'a, W: Word, K: Keys<W>> Executor<'a, W, K> {
    /// Starts a plan at its beginning, with `arena` and `slots` of at least the (least) sizes in [`Memory`], whatever
    /// they hold. Slots are needed only where a constant has to be encoded.
    pub fn new(
        plan: &'a Plan<'a>,
        context: &'a Context<'a, W>,
        encoder: &'a Encoder<'a>,
        arena: &'a mut [W],
        slots: &'a mut [f64],
        keys: &'a K,
        options: Options,
    ) -> Result<Self, ExecError> {
        if plan.parameters().toy() && !options.allow_toy {
            return Err(ExecError::ToyPlan);
        }
        if context.parameters != context_parameters(plan)? {
            return Err(ExecError::Mismatch("context"));
        }
        if encoder.slots() != context.parameters.slots() {
            return Err(ExecError::Mismatch("encoder"));
        }
        let memory = Memory::of::<W>(plan)?;
        let (least, given) = (memory.least_arena_words, arena.len());
        let arena = arena
            .get_mut(..given.min(memory.arena_words))
            .filter(|arena| arena.len() >= least);
        let split = arena.and_then(|arena| arena.split_at_mut_checked(memory.buffer_words));
        let (buffers, scratch) = split.ok_or(ExecError::Memory {
            what: "arena",
            needed: least as u64,
            given,
        })?;
        let encodes = |instruction: Instruction| {
            let Instruction { op, level, a, .. } = instruction;
            op == Op::Encode && keys.constant(a as usize, level, instruction.basis()).is_none()
        };
        if slots.len() < memory.slot_f64s && plan.instructions().any(encodes) {
            let (needed, given) = (memory.slot_f64s as u64, slots.len());
            return Err(ExecError::Memory {
                what: "slots",
                needed,
                given,
            });
        }
        let checked = !options.verified;
        let machine = Machine {
            plan,
            context,
            encoder,
            buffers,
            scratch,
            slots,
            keys,
            checked,
        };
        Ok(Self {
            machine,
            cursor: Cursor::default(),
            asked: None,
            pauses: false,
        })
    }

    /// Gives control back after every instruction, or after some that are carried out together, with [`Event::Advanced`] where there is nothing else to say: for those who
    /// measure.
    #[must_use]
    pub fn pausing(mut self) -> Self {
        self.pauses = true;
        self
    }

    /// Index of the instruction that is carried out next.
    pub fn position(&self) -> usize {
        self.cursor.position()
    }

    /// The training step in progress; none before the first.
    pub fn step(&self) -> Option<u32> {
        self.cursor.step()
    }

    /// Runs until the caller is needed.
    #[expect(
        clippy::should_implement_trait,
        reason = "events borrow the executor, which an iterator's items cannot"
    )]
    pub fn next(&mut self) -> Result<Event<'_, W>, ExecError> {
        self.check_asked()?;
        let pause = loop {
            let instruction = self.machine.plan.instruction(self.position());
            let advanced = match instruction {
                Some(instruction) => self.advance(instruction),
                None if self.cursor.is_outside() => Ok(Some(Pause::Done)),
                None => Err(Fault::Loop),
            };
            let fail = |fault| self.fail(instruction.map(|instruction| instruction.op), fault);
            match advanced.map_err(fail)? {
                Some(pause) => break pause,
                None if self.pauses => break Pause::Advanced,
                None => {}
            }
        };
        self.event(pause)
    }

    /// Carries out one instruction and moves on.
    fn advance(&mut self, instruction: Instruction) -> Result<Option<Pause>, Fault> {
        let Instruction {
            op, level, aux, a, b, ..
        } = instruction;
        let mut pause = None;
        match op {
            Op::Step | Op::Loop | Op::End => {}
            Op::Input | Op::Stream | Op::StateLoad => {
                let range = self.machine.input(instruction.dst, level)?;
                let (port, level) = (a as usize, usize::from(level));
                self.asked = Some(Asked {
                    position: self.position(),
                    level,
                    range: range.clone(),
                });
                pause = Some(Pause::Input {
                    port,
                    tile: b,
                    level: instruction.level,
                    range,
                });
            }
            Op::StateStore | Op::Reveal | Op::Output => {
                let range = self.machine.output(a, level)?;
                let port = b as usize;
                let view = self.machine.plan.port(port).ok_or(Fault::Missing("port"))?;
                let kind = match op {
                    Op::StateStore => PortKind::State,
                    Op::Reveal => PortKind::Reveal,
                    _ => PortKind::Output,
                };
                let (tile, scale) = (u32::from(aux), view.scale());
                pause = Some(Pause::Value {
                    kind,
                    port,
                    tile,
                    level,
                    scale,
                    range,
                });
            }
            Op::Epoch => pause = Some(Pause::Epoch(self.cursor.round().ok_or(Fault::Loop)?)),
            Op::Checkpoint => pause = Some(Pause::Checkpoint),
            _ => {
                let step = self.step().unwrap_or(0);
                let done = self.machine.compute_run(self.position(), instruction, step)?;
                self.cursor.advance(done);
                return Ok(None);
            }
        }
        self.cursor.pass(&instruction)?;
        Ok(match op {
            Op::Step => self.step().map(Pause::Step),
            _ => pause,
        })
    }

    /// Borrows what a pause hands out.
    fn event(&mut self, pause: Pause) -> Result<Event<'_, W>, ExecError> {
        let step = self.step().unwrap_or(0);
        let failed = self.fail(None, Fault::Bounds);
        let buffers = &mut *self.machine.buffers;
        Ok(match pause {
            Pause::Input {
                port,
                tile,
                level,
                range,
            } => {
                let destination = buffers.get_mut(range).ok_or(failed)?;
                Event::NeedInput {
                    port,
                    tile,
                    step,
                    level,
                    destination,
                }
            }
            Pause::Value {
                kind,
                port,
                tile,
                level,
                scale,
                range,
            } => {
                let ciphertext = buffers.get(range).ok_or(failed)?;
                match kind {
                    PortKind::Reveal => Event::Reveal {
                        port,
                        tile,
                        level,
                        scale,
                        ciphertext,
                    },
                    PortKind::Output => Event::Output {
                        port,
                        tile,
                        level,
                        scale,
                        ciphertext,
                    },
                    _ => Event::StoreState {
                        port,
                        tile,
                        level,
                        scale,
                        ciphertext,
                    },
                }
            }
            Pause::Checkpoint => Event::Checkpoint,
            Pause::Epoch(epoch) => Event::EpochEnded { epoch },
            Pause::Advanced => Event::Advanced,
            Pause::Step(step) => Event::StepStarted { step },
            Pause::Done => Event::Done,
        })
    }

    /// The arithmetic relies on reduced residues, and what the caller filled in is outside the plan's
    /// control.
    fn check_asked(&mut self) -> Result<(), ExecError> {
        let Some(Asked {
            position,
            level,
            range,
        }) = &self.asked
        else {
            return Ok(());
        };
        if let Err(fault) = self.machine.check_reduced(range.clone(), *level, Basis::Q) {
            let op = self
                .machine
                .plan
                .instruction(*position)
                .map(|instruction| instruction.op);
            return Err(ExecError::Instruction {
                position: *position,
                op,
                fault,
            });
        }
        self.asked = None;
        Ok(())
    }

    fn fail(&self, op: Option<Op>, fault: Fault) -> ExecError {
        ExecError::Instruction {
            position: self.position(),
            op,
            fault,
        }
    }
}
