//! Where a run stands, to go on from there later: what a caller keeps of an executor at a checkpoint, beside the buffers.

use crate::Keys;
use crate::cursor::Cursor;
use crate::error::ExecError;
use crate::executor::Executor;
use cipherloom_plan::{MAX_LOOP_DEPTH, Op};
use cipherloom_ring::Word;
use core::ops::Range;

/// The control state of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Index of the instruction that is carried out next.
    pub position: usize,
    /// The training step in progress; none before the first.
    pub step: Option<u32>,
    /// For each open loop, outermost first, how often its body is run after the present run of it.
    pub left: heapless::Vec<u32, MAX_LOOP_DEPTH>,
}

impl<W: Word, K: Keys<W>> Executor<'_, W, K> {
    /// Where the run stands.
    pub fn snapshot(&self) -> Snapshot {
        self.cursor.snapshot()
    }

    /// Goes on from a snapshot. The caller restores every buffer that is read later, with [`Executor::buffer_mut`] or, where
    /// it holds an encoded constant, [`Executor::encode`].
    ///
    /// # Errors
    /// [`ExecError::Snapshot`] where the plan has no such place: nothing is changed then.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), ExecError> {
        let wrong = ExecError::Snapshot {
            position: snapshot.position,
        };
        self.cursor = Cursor::at(self.machine.plan, snapshot).ok_or(wrong)?;
        self.asked = None;
        Ok(())
    }

    /// The words of a buffer; none if the plan has no such buffer.
    pub fn buffer(&self, index: usize) -> Option<&[W]> {
        self.machine.buffers.get(self.range(index)?)
    }

    /// As [`Executor::buffer`], to be filled in after [`Executor::restore`].
    pub fn buffer_mut(&mut self, index: usize) -> Option<&mut [W]> {
        let range = self.range(index)?;
        self.machine.buffers.get_mut(range)
    }

    /// Carries out the `encode` at an index of the plan, wherever the run stands.
    ///
    /// # Errors
    /// [`ExecError`] where there is no such instruction, or it fails.
    pub fn encode(&mut self, position: usize) -> Result<(), ExecError> {
        let instruction = self.machine.plan.instruction(position);
        match instruction.filter(|instruction| instruction.op == Op::Encode) {
            Some(instruction) => {
                let encoded = self.machine.compute(instruction, 0);
                encoded.map_err(|fault| ExecError::Instruction {
                    position,
                    op: Some(Op::Encode),
                    fault,
                })
            }
            None => Err(ExecError::Snapshot { position }),
        }
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        let buffer = self.machine.plan.buffer(index)?;
        Some(usize::try_from(buffer.offset).ok()?..usize::try_from(buffer.end()).ok()?)
    }
}
