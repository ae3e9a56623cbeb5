//! The verifier: does the plan mean something?
//!
//! It trusts no annotation. From the instructions alone it re-derives what every buffer holds, and refuses a plan unless
//! all of these rules hold (the specification of a correct plan):
//!
//! - **Parameters.** Every modulus is a prime ≡ 1 (mod 2N) below 2^61 (2^30 for 32-bit words), and no two are equal. With
//!   special primes, their product is at least that of the largest digit. Unless the plan is marked as a toy, log2(QP) is
//!   within the table for N and the claimed security is at most the table's; and an ephemeral secret has a weight of at least
//!   32 and a modulus q_0·p_0 within its own bound for N.
//! - **Buffers.** An instruction reads only what was written. Writing a buffer makes every other buffer that overlaps it in
//!   the arena undefined, `mod_down` makes its source undefined, and a value fits into its buffer. A destination overlaps no
//!   source, except that it may be exactly source `a` where the instruction table says so.
//! - **Values.** Form (plaintext and how compact, ciphertext, decomposed), degree, basis and level of every source are what
//!   the instruction says. A constant repeats at least as often as its plaintext is compact. Scales that are added agree within [`SCALE_TOLERANCE`]; every scale is above 2^-64 and below half of Q_level.
//! - **Secrets.** `switch_secret` takes a ciphertext from the main to the ephemeral secret or back, as its key says, and
//!   `mod_raise` takes and makes one under the ephemeral secret; everything else takes only what is under the main secret.
//! - **Keys.** Of the right kind, and made for at least the level of use; special primes exist.
//! - **Ports.** Of the right kind, the tile exists; a value is read at no more than the port's level, and handed out at
//!   exactly the port's level and scale. Every tile of an output or reveal is written by exactly one instruction, for outputs
//!   outside of loops or in that of `epoch`.
//! - **Epochs.** `epoch` stands at most once, in one loop; then outputs and reveals stand in that loop, before it, so that a
//!   run that ends there has them all.
//! - **Loops.** What the body reads holds the same at the loop's head and at its back edge.
//! - **Steps.** Streams and per-step scalars are used only after a step began; the steps made are those claimed.

mod display;
mod fault;
mod interpret;
mod parameters;
mod sources;
mod state;

#[cfg(feature = "encode")]
use alloc::vec;
use core::ops::Range;

pub use self::fault::{Fault, VerifyError};
pub(crate) use self::interpret::Interpreter;
pub use self::state::{Form, Value, VerifyCell};
use crate::instruction::Instruction;
use crate::model::{MAX_LOOP_DEPTH, PortKind};
use crate::op::Op;
use crate::view::Plan;

/// Relative difference of scales that still count as equal: what f64 rounding may add up to between two sums with what is
/// encoded.
pub const SCALE_TOLERANCE: f64 = 1.0 / (1_u64 << 30) as f64;

impl Plan<'_> {
    /// The deepest nesting of loops: 0 without loops, at most [`MAX_LOOP_DEPTH`].
    pub fn loop_depth(&self) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        for instruction in self.instructions() {
            match instruction.op {
                Op::Loop => depth += 1,
                Op::End => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest.min(MAX_LOOP_DEPTH)
    }

    /// The number of [`VerifyCell`]s that [`verify`] and the disassembler need: the buffers' states, now and at the head of
    /// each open loop, or a mark for every output tile, whichever is more.
    pub fn verify_cells(&self) -> usize {
        // More tiles than instructions cannot all be written; such a plan is refused before a mark is needed.
        let tiles = written_tiles(self, self.ports.len()).min(self.instructions.len() as u64) as usize;
        self.buffers
            .len()
            .saturating_mul(1 + self.loop_depth())
            .max(tiles)
    }
}

/// Tiles that must be written, of the first `ports` ports: those of outputs and reveals.
fn written_tiles(plan: &Plan<'_>, ports: usize) -> u64 {
    let ports = plan.ports.iter().take(ports);
    let written = ports.filter(|port| matches!(port.port_kind(), PortKind::Output | PortKind::Reveal));
    written.map(|port| u64::from(port.tiles)).sum()
}

/// Checks the meaning of a plan, in memory that the caller brings: at least [`Plan::verify_cells`] cells of any content.
///
/// The time is that of one walk through the instructions with every loop body walked at most twice per walk of the body
/// around it; no trip count matters.
///
/// # Errors
/// [`VerifyError`]: the first rule that is broken, and where.
pub fn verify(plan: &Plan<'_>, cells: &mut [VerifyCell]) -> Result<(), VerifyError> {
    let (needed, given) = (plan.verify_cells(), cells.len());
    if given < needed {
        return Err(VerifyError::Cells { needed, given });
    }
    parameters::check(plan)?;
    check_outputs(plan, cells)?;
    check_steps(plan)?;
    check_instructions(plan, cells)
}

/// [`verify`] in memory of its own.
///
/// # Errors
/// As [`verify`].
#[cfg(feature = "encode")]
pub fn verify_alloc(plan: &Plan<'_>) -> Result<(), VerifyError> {
    verify(plan, &mut vec![VerifyCell::default(); plan.verify_cells()])
}

/// Walks through the instructions. A loop's body is walked with the states at its head; where a state at the back edge is
/// another, it is undefined at the head, and the body is walked again.
///
/// Two walks of a body are enough: in the second, every value read was the same in the first (a read of an undefined one is
/// an error), so the body writes the same, and the back edge agrees with the head.
fn check_instructions(plan: &Plan<'_>, cells: &mut [VerifyCell]) -> Result<(), VerifyError> {
    let buffers = plan.buffers.len();
    let (current, heads) = cells.split_at_mut(buffers);
    let mut interpreter = Interpreter::new(*plan, current);
    let mut open: heapless::Vec<usize, MAX_LOOP_DEPTH> = heapless::Vec::new();
    let mut at = 0;
    while let Some(instruction) = plan.instruction(at) {
        let depth = open.len();
        let head_of = |depth: usize| depth * buffers..(depth + 1) * buffers;
        match instruction.op {
            // Parsing refuses unmatched and too deep loops, and the cells are enough for the deepest.
            Op::Loop => {
                if let Some(head) = heads.get_mut(head_of(depth)) {
                    interpreter.save(head);
                }
                open.push(at).map_err(|_| Fault::LoopDepth.at(at))?;
            }
            Op::End => {
                let start = open.pop().ok_or(Fault::LoopDepth.at(at))?;
                if let Some(head) = heads.get_mut(head_of(depth - 1))
                    && interpreter.join(head)
                {
                    interpreter.restore(head);
                    at = start;
                    open.push(start).map_err(|_| Fault::LoopDepth.at(at))?;
                }
            }
            _ => {
                interpreter.apply(&instruction).map_err(|fault| fault.at(at))?;
            }
        }
        at += 1;
    }
    Ok(())
}

/// Every tile of an output or reveal is written by exactly one instruction.
fn check_outputs(plan: &Plan<'_>, cells: &mut [VerifyCell]) -> Result<(), VerifyError> {
    if written_tiles(plan, plan.ports.len()) > plan.instructions.len() as u64 {
        let missing = plan
            .ports()
            .position(|port| matches!(port.kind(), PortKind::Output | PortKind::Reveal));
        return Err(VerifyError::OutputMissing {
            port: missing.unwrap_or(0) as u32,
            tile: None,
        });
    }
    let epoch = epoch(plan)?;
    cells.iter_mut().for_each(VerifyCell::clear_mark);
    let mut depth = 0_usize;
    for (at, instruction) in plan.instructions().enumerate() {
        let Instruction { op, aux, b: port, .. } = instruction;
        match op {
            Op::Loop => depth += 1,
            Op::End => depth = depth.saturating_sub(1),
            Op::Output | Op::Reveal => {
                let tile = u32::from(aux);
                interpret::port_tile(plan, op, port, tile).map_err(|fault| fault.at(at))?;
                let innermost = usize::from(epoch.is_some());
                if op == Op::Output && depth > innermost {
                    return Err(Fault::OutputInLoop { port }.at(at));
                }
                if epoch.as_ref().is_some_and(|epoch| !epoch.contains(&at)) {
                    return Err(Fault::OutputOutsideEpoch { port }.at(at));
                }
                // The marks of a port begin after those of the ports before it, and ports are few.
                let mark = written_tiles(plan, port as usize) + u64::from(tile);
                if cells.get_mut(mark as usize).is_some_and(VerifyCell::mark) {
                    return Err(Fault::OutputTwice { port, tile }.at(at));
                }
            }
            _ => {}
        }
    }
    let mut marks = cells.iter();
    for (index, port) in (0..).zip(plan.ports()) {
        if matches!(port.kind(), PortKind::Output | PortKind::Reveal) {
            for tile in 0..port.layout().tiles() {
                if !marks.next().is_some_and(VerifyCell::marked) {
                    return Err(VerifyError::OutputMissing {
                        port: index,
                        tile: Some(tile),
                    });
                }
            }
        }
    }
    Ok(())
}

/// The instructions of a plan's epochs: from the beginning of their loop to `epoch`.
fn epoch(plan: &Plan<'_>) -> Result<Option<Range<usize>>, VerifyError> {
    let (mut depth, mut start, mut found) = (0_usize, 0, None);
    for (at, instruction) in plan.instructions().enumerate() {
        match instruction.op {
            Op::Loop => {
                start = if depth == 0 { at } else { start };
                depth += 1;
            }
            Op::End => depth = depth.saturating_sub(1),
            Op::Epoch if depth != 1 || found.is_some() => return Err(Fault::EpochPlace.at(at)),
            Op::Epoch => found = Some(start..at),
            _ => {}
        }
    }
    Ok(found)
}

/// The steps that the instructions make, with every loop's trip count, are those that the parameters claim.
fn check_steps(plan: &Plan<'_>) -> Result<(), VerifyError> {
    let mut trips: heapless::Vec<u64, MAX_LOOP_DEPTH> = heapless::Vec::new();
    let mut counted = 0_u64;
    for instruction in plan.instructions() {
        let here = trips.last().copied().unwrap_or(1);
        match instruction.op {
            Op::Loop => drop(trips.push(here.saturating_mul(u64::from(instruction.a)))),
            Op::End => drop(trips.pop()),
            Op::Step => counted = counted.saturating_add(here),
            _ => {}
        }
    }
    let claimed = plan.parameters().steps();
    if counted == u64::from(claimed) {
        Ok(())
    } else {
        Err(VerifyError::Steps { claimed, counted })
    }
}
