//! What each instruction takes and makes: the abstract interpreter of the verifier and the disassembler.

use crate::instruction::Instruction;
use crate::model::{Basis, Buffer, KeyKind, MAX_PRIMES, PortKind, Secret};
use crate::op::{Dst, Op, Operand};
use crate::parts::PortView;
use crate::verify::fault::Fault;
use crate::verify::state::{Form, State, Value, VerifyCell, scales_agree};
use crate::view::Plan;
use crate::words::WordCounts;

/// A fresh or relinearised ciphertext.
const FRESH: Form = Form::Ciphertext {
    degree: 1,
    basis: Basis::Q,
};
/// A product that is not relinearised yet.
const PRODUCT: Form = Form::Ciphertext {
    degree: 2,
    basis: Basis::Q,
};
/// A key-switching accumulator.
const ACCUMULATOR: Form = Form::Ciphertext {
    degree: 1,
    basis: Basis::Qp,
};
/// log2 of the smallest scale: far below anything useful, far above what underflows.
const SMALLEST_LOG_SCALE: f64 = -64.0;

/// Follows what every buffer holds, one cell per buffer.
pub(crate) struct Interpreter<'c, 'p> {
    pub(super) plan: Plan<'p>,
    words: WordCounts,
    /// log2 of Q_level.
    log_modulus: [f64; MAX_PRIMES],
    pub(super) cells: &'c mut [VerifyCell],
    /// How many buffers hold a value: their indices are the `holder`s of the first cells. No two of them overlap, so that
    /// they are few even where the buffers are many.
    holders: usize,
    pub(super) step_begun: bool,
}

/// The port of a transfer instruction; its kind and tile are checked.
pub(crate) fn port_tile<'p>(plan: &Plan<'p>, op: Op, port: u32, tile: u32) -> Result<PortView<'p>, Fault> {
    let expected = match op {
        Op::Input => PortKind::Input,
        Op::Stream => PortKind::Stream,
        Op::StateLoad | Op::StateStore => PortKind::State,
        Op::Reveal => PortKind::Reveal,
        _ => PortKind::Output,
    };
    // Parsing checks that the port exists: no port counts as one without tiles.
    let view = plan
        .port(port as usize)
        .ok_or(Fault::Tile { port, tile, tiles: 0 })?;
    if view.kind() != expected {
        return Err(Fault::PortKind {
            port,
            expected,
            found: view.kind(),
        });
    }
    let tiles = view.layout().tiles();
    if tile < tiles {
        Ok(view)
    } else {
        Err(Fault::Tile { port, tile, tiles })
    }
}

impl<'c, 'p> Interpreter<'c, 'p> {
    /// Nothing is defined yet. `cells` has one cell per buffer.
    pub fn new(plan: Plan<'p>, cells: &'c mut [VerifyCell]) -> Self {
        cells.iter_mut().for_each(|cell| cell.state = State::Undefined);
        let mut log_modulus = [0.0; MAX_PRIMES];
        let mut sum = 0.0;
        for (log, prime) in log_modulus.iter_mut().zip(plan.parameters().q().iter()) {
            sum += libm::log2(prime as f64);
            *log = sum;
        }
        Interpreter {
            plan,
            words: plan.parameters().words(),
            log_modulus,
            cells,
            holders: 0,
            step_begun: false,
        }
    }

    /// Copies the states to a loop's head.
    pub fn save(&self, head: &mut [VerifyCell]) {
        head.iter_mut()
            .zip(self.cells.iter())
            .for_each(|(to, from)| to.state = from.state);
    }

    /// Marks at a loop's head what the present states, those at the back edge, do not agree with; whether there is any.
    pub fn join(&self, head: &mut [VerifyCell]) -> bool {
        let mut changed = false;
        for (at_head, at_end) in head.iter_mut().zip(self.cells.iter()) {
            if let State::Value(value) = at_head.state
                && !matches!(at_end.state, State::Value(other) if value.agrees(&other))
            {
                at_head.state = State::LoopVariant;
                changed = true;
            }
        }
        changed
    }

    /// Goes back to the states of a loop's head.
    pub fn restore(&mut self, head: &[VerifyCell]) {
        self.holders = 0;
        for (index, from) in (0_u32..).zip(head) {
            if let Some(cell) = self.cells.get_mut(index as usize) {
                cell.state = from.state;
            }
            if matches!(from.state, State::Value(_)) {
                self.push_holder(index);
            }
        }
    }

    /// Checks an instruction and follows what it does. The value that it made, if any.
    pub fn apply(&mut self, instruction: &Instruction) -> Result<Option<Value>, Fault> {
        let Some(value) = self.result(instruction)? else {
            return Ok(None);
        };
        let signature = instruction.op.signature();
        let Instruction { level, dst, a, .. } = *instruction;
        let scale = value.scale;

        let destination = self.buffer(dst);
        let added_to = signature.dst == Dst::Accumulate && !instruction.init();
        let sources = instruction.reads().count() - usize::from(added_to);
        for (index, source) in instruction.reads().take(sources).enumerate() {
            let range = self.buffer(source);
            let in_place = index == 0 && signature.dst == Dst::InPlace && destination == range;
            if destination.overlaps(&range) && !in_place {
                return Err(Fault::Overlap {
                    destination: dst,
                    source,
                });
            }
        }
        let needed = value.words(&self.words);
        if needed > destination.words {
            return Err(Fault::BufferTooSmall {
                buffer: dst,
                needed,
                words: destination.words,
            });
        }
        let (log_scale, log_modulus) = (libm::log2(scale), self.log_modulus_at(level));
        if !(log_scale > SMALLEST_LOG_SCALE && log_scale < log_modulus - 1.0) {
            return Err(Fault::ScaleRange {
                log_scale,
                log_modulus,
            });
        }
        if signature.a == Operand::Consume {
            self.undefine_overlapping(self.buffer(a));
        }
        self.undefine_overlapping(destination);
        if let Some(cell) = self.cells.get_mut(dst as usize) {
            cell.state = State::Value(value);
        }
        self.push_holder(dst);
        Ok(Some(value))
    }

    /// The result, after the sources are checked.
    fn result(&mut self, instruction: &Instruction) -> Result<Option<Value>, Fault> {
        let Instruction {
            op,
            level,
            aux,
            dst,
            a,
            b,
        } = *instruction;
        let basis = instruction.basis();
        let compact = instruction.compact();
        let plaintext = Form::Plaintext { basis, compact };
        let linear = Form::Ciphertext {
            degree: instruction.degree(),
            basis,
        };
        let key_switching = matches!(
            op,
            Op::Decompose
                | Op::RotateAcc
                | Op::LiftAcc
                | Op::ModDown
                | Op::ModDownRescale
                | Op::Relinearize
                | Op::RelinearizeRescale
                | Op::Rotate
                | Op::SwitchSecret
        );
        if (key_switching || basis == Basis::Qp) && self.plan.parameters().special() == 0 {
            return Err(Fault::NoSpecialModulus);
        }
        let mut secret = Secret::Main;
        let (form, scale) = match op {
            Op::Loop | Op::End | Op::Epoch | Op::Checkpoint => return Ok(None),
            Op::Step => {
                self.step_begun = true;
                return Ok(None);
            }
            Op::Input | Op::Stream | Op::StateLoad => {
                let port = port_tile(&self.plan, op, a, b)?;
                if level > port.level() {
                    return Err(Fault::PortLevel {
                        port: a,
                        expected: port.level(),
                        found: level,
                    });
                }
                if op == Op::Stream && !self.step_begun {
                    return Err(Fault::NoStep);
                }
                (FRESH, port.scale())
            }
            Op::StateStore | Op::Reveal | Op::Output => {
                let port = port_tile(&self.plan, op, b, u32::from(aux))?;
                let scale = self.take(a, FRESH, level)?;
                if level != port.level() {
                    return Err(Fault::PortLevel {
                        port: b,
                        expected: port.level(),
                        found: level,
                    });
                }
                if !scales_agree(port.scale(), scale) {
                    return Err(Fault::PortScale {
                        port: b,
                        expected: port.scale(),
                        found: scale,
                    });
                }
                return Ok(None);
            }
            Op::Encode => {
                // Parsing checks that the constant exists.
                let constant = self.plan.constant(a as usize);
                let (scale, period) = constant.map_or((0.0, 1), |it| (it.scale(), it.period()));
                let encoded = self.plan.parameters().slots() >> compact;
                if period > encoded {
                    return Err(Fault::Period {
                        constant: a,
                        period,
                        encoded,
                    });
                }
                (plaintext, scale)
            }
            Op::Trivial => (FRESH, self.take(a, plaintext, level)?),
            Op::Add | Op::Sub => (linear, self.take_equal((a, linear), (b, linear), level)?),
            // The scale of what is encoded has no rounding of its own: it takes the place of what products have doubled.
            Op::AddPlain | Op::SubPlain => {
                self.take_equal((a, linear), (b, plaintext), level)?;
                (linear, self.take(b, plaintext, level)?)
            }
            Op::Neg | Op::MulI => (linear, self.take(a, linear, level)?),
            Op::MulPlain => (
                linear,
                self.take(a, linear, level)? * self.take(b, plaintext, level)?,
            ),
            Op::MulPlainAcc => {
                let scale = self.take(a, linear, level)? * self.take(b, plaintext, level)?;
                (linear, self.accumulate(instruction, dst, linear, scale)?)
            }
            Op::MulPlainSum => {
                let mut sum = None;
                for (a, b) in (a..).zip(b..).take(usize::from(instruction.terms())) {
                    let found = self.take(a, linear, level)? * self.take(b, plaintext, level)?;
                    let expected = *sum.get_or_insert(found);
                    if !scales_agree(expected, found) {
                        return Err(Fault::Scale { expected, found });
                    }
                }
                // Parsing refuses sums without a term.
                (
                    linear,
                    self.accumulate(instruction, dst, linear, sum.unwrap_or(0.0))?,
                )
            }
            Op::AddScalar => {
                let (expected, found) = (self.take(a, linear, level)?, self.scalar_scale(b)?);
                if !scales_agree(expected, found) {
                    return Err(Fault::Scale { expected, found });
                }
                (linear, found)
            }
            Op::MulScalar => (linear, self.take(a, linear, level)? * self.scalar_scale(b)?),
            Op::Mul => (PRODUCT, self.take(a, FRESH, level)? * self.take(b, FRESH, level)?),
            Op::MulAcc => {
                let scale = self.take(a, FRESH, level)? * self.take(b, FRESH, level)?;
                (PRODUCT, self.accumulate(instruction, dst, PRODUCT, scale)?)
            }
            Op::Square => {
                let scale = self.take(a, FRESH, level)?;
                (PRODUCT, scale * scale)
            }
            Op::Rescale => {
                let divisor = self.divisor(level)?;
                (linear, self.take(a, linear, level + 1)? / divisor)
            }
            Op::Drop => {
                let from = b.min(u32::from(u8::MAX)) as u8;
                if from < level {
                    return Err(Fault::DropUpwards { from, to: level });
                }
                (linear, self.take(a, linear, from)?)
            }
            Op::ModRaise => {
                if b != 0 {
                    let from = b.min(u32::from(u8::MAX)) as u8;
                    return Err(Fault::RaiseLevel { from });
                }
                secret = Secret::Ephemeral;
                (FRESH, self.take_under(secret, a, FRESH, 0)?)
            }
            Op::Decompose => (Form::Decomposed, self.take(a, FRESH, level)?),
            Op::RotateAcc => {
                self.check_key(b, op, level)?;
                let scale = self.take(a, Form::Decomposed, level)?;
                (
                    ACCUMULATOR,
                    self.accumulate(instruction, dst, ACCUMULATOR, scale)?,
                )
            }
            Op::LiftAcc => {
                let scale = self.take(a, FRESH, level)?;
                (
                    ACCUMULATOR,
                    self.accumulate(instruction, dst, ACCUMULATOR, scale)?,
                )
            }
            Op::ModDown => (FRESH, self.take(a, ACCUMULATOR, level)?),
            Op::Relinearize => {
                self.check_key(b, op, level)?;
                (FRESH, self.take(a, PRODUCT, level)?)
            }
            Op::ModDownRescale => {
                let divisor = self.divisor(level)?;
                (FRESH, self.take(a, ACCUMULATOR, level + 1)? / divisor)
            }
            Op::RelinearizeRescale => {
                let divisor = self.divisor(level)?;
                self.check_key(b, op, level + 1)?;
                (FRESH, self.take(a, PRODUCT, level + 1)? / divisor)
            }
            Op::Rotate => {
                self.check_key(b, op, level)?;
                (FRESH, self.take(a, FRESH, level)?)
            }
            Op::SwitchSecret => {
                let from = match self.check_key(b, op, level)? {
                    KeyKind::FromSparse => Secret::Ephemeral,
                    _ => {
                        secret = Secret::Ephemeral;
                        Secret::Main
                    }
                };
                (FRESH, self.take_under(from, a, FRESH, level)?)
            }
        };
        Ok(Some(Value {
            form,
            level,
            scale,
            secret,
        }))
    }

    fn log_modulus_at(&self, level: u8) -> f64 {
        self.log_modulus.get(usize::from(level)).copied().unwrap_or(0.0)
    }

    /// The range of a buffer; parsing checks that it exists.
    fn buffer(&self, index: u32) -> Buffer {
        self.plan.buffer(index as usize).unwrap_or_default()
    }

    fn push_holder(&mut self, buffer: u32) {
        if let Some(cell) = self.cells.get_mut(self.holders) {
            cell.holder = buffer;
            self.holders += 1;
        }
    }

    /// Makes every buffer that overlaps this range undefined.
    fn undefine_overlapping(&mut self, range: Buffer) {
        let mut at = 0;
        while at < self.holders {
            let holder = self.cells.get(at).map_or(0, |cell| cell.holder);
            if self.buffer(holder).overlaps(&range) {
                if let Some(cell) = self.cells.get_mut(holder as usize) {
                    cell.state = State::Undefined;
                }
                self.holders -= 1;
                let last = self.cells.get(self.holders).map_or(0, |cell| cell.holder);
                if let Some(cell) = self.cells.get_mut(at) {
                    cell.holder = last;
                }
            } else {
                at += 1;
            }
        }
    }
}
