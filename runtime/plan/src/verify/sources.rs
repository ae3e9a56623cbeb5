//! What the interpreter looks up and checks of an instruction's sources: values in buffers, keys, scalars, primes.

use crate::instruction::Instruction;
use crate::model::{Basis, KeyKind, Secret};
use crate::op::Op;
use crate::parts::ScalarView;
use crate::verify::Interpreter;
use crate::verify::fault::Fault;
use crate::verify::state::{Form, State, scales_agree};

impl Interpreter<'_, '_> {
    /// The prime that a rescale to this level divides by.
    pub(super) fn divisor(&self, level: u8) -> Result<f64, Fault> {
        let parameters = self.plan.parameters();
        let prime = parameters.q().get(usize::from(level) + 1);
        let max_level = parameters.max_level();
        prime
            .map(|prime| prime as f64)
            .ok_or(Fault::RescaleAboveChain { max_level })
    }

    /// The scale of a source under the main secret, after its form and level are checked.
    pub(super) fn take(&self, buffer: u32, form: Form, level: u8) -> Result<f64, Fault> {
        self.take_under(Secret::Main, buffer, form, level)
    }

    /// The scale of a source, after its form, level and secret are checked.
    pub(super) fn take_under(
        &self,
        secret: Secret,
        buffer: u32,
        form: Form,
        level: u8,
    ) -> Result<f64, Fault> {
        let value = match self.cells.get(buffer as usize).map(|cell| cell.state) {
            Some(State::Value(value)) => value,
            Some(State::LoopVariant) => return Err(Fault::LoopNotClosed { buffer }),
            Some(State::Undefined) | None => return Err(Fault::Undefined { buffer }),
        };
        check_form(buffer, form, value.form)?;
        if value.level != level {
            return Err(Fault::Level {
                buffer,
                expected: level,
                found: value.level,
            });
        }
        if value.secret != secret {
            return Err(Fault::Secret {
                buffer,
                expected: secret,
                found: value.secret,
            });
        }
        Ok(value.scale)
    }

    /// The common scale of two sources.
    pub(super) fn take_equal(&self, a: (u32, Form), b: (u32, Form), level: u8) -> Result<f64, Fault> {
        let (expected, found) = (self.take(a.0, a.1, level)?, self.take(b.0, b.1, level)?);
        if scales_agree(expected, found) {
            Ok(expected)
        } else {
            Err(Fault::Scale { expected, found })
        }
    }

    /// The scale of an accumulator to which a term of scale `term` is added: the term's own where it is overwritten.
    pub(super) fn accumulate(
        &self,
        instruction: &Instruction,
        dst: u32,
        form: Form,
        term: f64,
    ) -> Result<f64, Fault> {
        if instruction.init() {
            return Ok(term);
        }
        let expected = self.take(dst, form, instruction.level)?;
        if scales_agree(expected, term) {
            Ok(expected)
        } else {
            Err(Fault::Scale {
                expected,
                found: term,
            })
        }
    }

    pub(super) fn scalar_scale(&self, index: u32) -> Result<f64, Fault> {
        let scalar = self.plan.scalar(index as usize);
        if scalar.is_some_and(|scalar| scalar.per_step()) && !self.step_begun {
            return Err(Fault::NoStep);
        }
        Ok(scalar.as_ref().map_or(0.0, ScalarView::scale))
    }

    /// The kind of a key, after it is checked to serve an operation on a value of this level.
    pub(super) fn check_key(&self, key: u32, op: Op, level: u8) -> Result<KeyKind, Fault> {
        let Some(found) = self.plan.key(key as usize) else {
            return Err(Fault::KeyLevel { key, cap: 0, level });
        };
        let serves = match found.kind {
            KeyKind::Relinearise => matches!(op, Op::Relinearize | Op::RelinearizeRescale),
            KeyKind::Galois(_) => matches!(op, Op::Rotate | Op::RotateAcc),
            KeyKind::ToSparse | KeyKind::FromSparse => op == Op::SwitchSecret,
        };
        if !serves {
            return Err(Fault::KeyKind {
                key,
                found: found.kind,
            });
        }
        if found.level < level {
            return Err(Fault::KeyLevel {
                key,
                cap: found.level,
                level,
            });
        }
        Ok(found.kind)
    }
}

/// Fails unless a buffer holds a value of the form that an instruction takes.
fn check_form(buffer: u32, expected: Form, found: Form) -> Result<(), Fault> {
    match (expected, found) {
        (Form::Decomposed, Form::Decomposed) => Ok(()),
        (
            Form::Plaintext {
                basis,
                compact: expected,
            },
            Form::Plaintext {
                basis: found_basis,
                compact: found,
            },
        ) => {
            check_basis(buffer, basis, found_basis)?;
            if expected == found {
                Ok(())
            } else {
                Err(Fault::Compact {
                    buffer,
                    expected,
                    found,
                })
            }
        }
        (
            Form::Ciphertext {
                degree: expected,
                basis,
            },
            Form::Ciphertext {
                degree: found,
                basis: found_basis,
            },
        ) => {
            check_basis(buffer, basis, found_basis)?;
            if expected == found {
                Ok(())
            } else {
                Err(Fault::Degree {
                    buffer,
                    expected,
                    found,
                })
            }
        }
        (expected, found) => Err(Fault::Form {
            buffer,
            expected,
            found,
        }),
    }
}

fn check_basis(buffer: u32, expected: Basis, found: Basis) -> Result<(), Fault> {
    if expected == found {
        Ok(())
    } else {
        Err(Fault::Basis {
            buffer,
            expected,
            found,
        })
    }
}
