//! The rules for instructions: fields without a role are zero, indices, levels and counts are in range, loops match.

use crate::error::{Field, PlanError};
use crate::format::Section;
use crate::instruction::Instruction;
use crate::model::{MAX_LOOP_DEPTH, MIN_COMPACT_WORDS};
use crate::op::{Aux, Dst, MAX_SUM_TERMS, Op, Operand, aux_count};
use crate::view::Plan;

impl Plan<'_> {
    /// Checks every instruction and that loops match.
    pub(super) fn check_instructions(&self) -> Result<(), PlanError> {
        let mut open: heapless::Vec<u32, MAX_LOOP_DEPTH> = heapless::Vec::new();
        for (at, record) in (0..).zip(self.instructions.iter()) {
            let instruction = record.decode().ok_or(PlanError::Opcode {
                instruction: at,
                code: record.op,
            })?;
            self.check_fields(at, &instruction)?;
            match instruction.op {
                Op::Loop => open
                    .push(at)
                    .map_err(|_| PlanError::LoopDepth { instruction: at })?,
                Op::End => drop(open.pop().ok_or(PlanError::UnmatchedEnd { instruction: at })?),
                _ => {}
            }
        }
        open.last().map_or(Ok(()), |&instruction| {
            Err(PlanError::UnmatchedLoop { instruction })
        })
    }

    /// Every field has a role, or is zero; every index and level is in range.
    fn check_fields(&self, at: u32, instruction: &Instruction) -> Result<(), PlanError> {
        let Instruction {
            op,
            level,
            aux,
            dst,
            a,
            b,
        } = *instruction;
        let signature = op.signature();
        let unused = |rest: u32, field| match rest {
            0 => Ok(()),
            _ => Err(PlanError::Unused {
                instruction: at,
                field,
            }),
        };
        let within = |value: u32, count: usize, section: Section, field: Field| {
            let error = PlanError::OutOfRange {
                instruction: at,
                field,
                section,
                value,
                count: count as u32,
            };
            if (value as usize) < count {
                Ok(())
            } else {
                Err(error)
            }
        };
        let levels = usize::from(self.parameters.q_count);
        match signature.level {
            true => within(u32::from(level), levels, Section::Primes, Field::Level)?,
            false => unused(u32::from(level), Field::Level)?,
        }
        match signature.aux {
            Aux::Zero => unused(u32::from(aux), Field::Aux)?,
            Aux::Flags(flags) => unused(u32::from(aux & !flags), Field::Aux)?,
            Aux::Sum(flags) => {
                unused(u32::from(aux & 0xff & !flags), Field::Aux)?;
                if !(1..=MAX_SUM_TERMS).contains(&aux_count(aux)) {
                    return Err(PlanError::Terms { instruction: at });
                }
            }
            Aux::Tile => {}
        }
        let compact = instruction.compact();
        if compact > 0 && 1_u32 << self.parameters.log_n >> compact < MIN_COMPACT_WORDS {
            return Err(PlanError::Compact { instruction: at });
        }
        match signature.dst {
            Dst::None => unused(dst, Field::Dst)?,
            Dst::Write | Dst::InPlace | Dst::Accumulate => {
                within(dst, self.buffers.len(), Section::Buffers, Field::Dst)?;
            }
        }
        for (operand, value, field) in [(signature.a, a, Field::A), (signature.b, b, Field::B)] {
            match operand {
                Operand::None => unused(value, field)?,
                Operand::Read | Operand::Consume => {
                    within(value, self.buffers.len(), Section::Buffers, field)?;
                }
                Operand::Run => {
                    let last = value.saturating_add(u32::from(instruction.terms()) - 1);
                    within(last, self.buffers.len(), Section::Buffers, field)?;
                }
                Operand::Port => within(value, self.ports.len(), Section::Ports, field)?,
                Operand::Constant => within(value, self.constants.len(), Section::Constants, field)?,
                Operand::Scalar => within(value, self.scalars.len(), Section::Scalars, field)?,
                Operand::Key => within(value, self.keys.len(), Section::Keys, field)?,
                Operand::Level => within(value, levels, Section::Primes, field)?,
                Operand::Count if value == 0 => return Err(PlanError::TripCount { instruction: at }),
                Operand::Count | Operand::Tile => {}
            }
        }
        Ok(())
    }
}
