//! Where a run is: the next instruction, the training step, the rounds of open loops. The executor follows it, and so does
//! whoever wants to know what a run will ask for.

use crate::error::Fault;
use crate::snapshot::Snapshot;
use cipherloom_plan::{Instruction, MAX_LOOP_DEPTH, Op, Plan};

/// A place in the run of a plan.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    position: usize,
    step: Option<u32>,
    loops: heapless::Vec<OpenLoop, MAX_LOOP_DEPTH>,
}

#[derive(Clone, Debug)]
struct OpenLoop {
    /// First instruction of the body.
    body: usize,
    /// How often the body runs in all.
    count: u32,
    /// Runs of the body still to come after the current one.
    left: u32,
}

impl Cursor {
    /// The place of a snapshot; none if the plan has no such place: another number of open loops, or no run left of one.
    pub fn at(plan: &Plan<'_>, snapshot: &Snapshot) -> Option<Self> {
        let beyond = snapshot.position > plan.instructions().len();
        let steps = plan.parameters().steps();
        if beyond || snapshot.step.is_some_and(|step| step >= steps) {
            return None;
        }
        let mut cursor = Self {
            position: snapshot.position,
            step: snapshot.step,
            loops: heapless::Vec::new(),
        };
        for (index, instruction) in plan.instructions().enumerate().take(snapshot.position) {
            match instruction.op {
                Op::Loop => cursor.open(index, instruction.a).ok()?,
                Op::End => _ = cursor.loops.pop()?,
                _ => {}
            }
        }
        if cursor.loops.len() != snapshot.left.len() {
            return None;
        }
        for (open, &left) in cursor.loops.iter_mut().zip(&snapshot.left) {
            if left >= open.count {
                return None;
            }
            open.left = left;
        }
        Some(cursor)
    }

    /// This place, to come back to it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            position: self.position,
            step: self.step,
            left: self.loops.iter().map(|open| open.left).collect(),
        }
    }

    /// Index of the instruction that comes next.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The training step in progress; none before the first.
    pub fn step(&self) -> Option<u32> {
        self.step
    }

    /// How often the innermost loop's body has run before the present run of it; none outside of loops.
    pub fn round(&self) -> Option<u32> {
        let innermost = self.loops.last()?;
        innermost.count.checked_sub(innermost.left)?.checked_sub(1)
    }

    /// Whether no loop is open.
    pub fn is_outside(&self) -> bool {
        self.loops.is_empty()
    }

    /// Goes past an instruction, the one at [`Cursor::position`].
    ///
    /// # Errors
    /// [`Fault::Loop`] where loops are not matched or too deep; the place stays as it was.
    pub fn pass(&mut self, instruction: &Instruction) -> Result<(), Fault> {
        let mut next = self.position.saturating_add(1);
        match instruction.op {
            Op::Step => self.step = Some(self.step.map_or(0, |step| step.saturating_add(1))),
            Op::Loop => self.open(self.position, instruction.a)?,
            Op::End => {
                let innermost = self.loops.last_mut().ok_or(Fault::Loop)?;
                match innermost.left.checked_sub(1) {
                    Some(left) => (innermost.left, next) = (left, innermost.body),
                    None => _ = self.loops.pop(),
                }
            }
            _ => {}
        }
        self.position = next;
        Ok(())
    }

    /// Goes past so many instructions that only compute.
    pub(crate) fn advance(&mut self, count: usize) {
        self.position = self.position.saturating_add(count);
    }

    /// Opens the loop whose `loop` stands at an index.
    fn open(&mut self, index: usize, count: u32) -> Result<(), Fault> {
        let left = count.checked_sub(1).ok_or(Fault::Loop)?;
        let body = index.saturating_add(1);
        self.loops
            .push(OpenLoop { body, count, left })
            .map_err(|_| Fault::Loop)
    }
}
