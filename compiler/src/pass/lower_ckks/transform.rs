//! Products of a ciphertext with a matrix of few diagonals: baby steps and giant steps, hoisted twice.
//!
//! Σ_d diag_d ⊙ rot_d(x) with d = g + b is Σ_g rot_g(Σ_b rot_{−g}(diag_{g+b}) ⊙ rot_b(x)) (Halevi–Shoup). All baby steps
//! b share the decomposition of x; their products with diagonals, turned back by g, are summed in basis qp; every giant step g
//! decomposes its sum once; and one division by P·q_l closes everything (Bossuat et al. 2021).

use std::collections::BTreeMap;

use super::Lowering;
use crate::dialect::slot::{Contents, Diagonal};
use crate::ir::{Attribute, Attributes, Basis, Builder, CipherType, Opcode, PlainType, Type, Value};

/// Which stages (their factor in bits), which diagonal and how far it is turned, the level, and the scale in bits.
pub(super) type EncodedDiagonal = ((u32, u32, u32, bool, u64), i64, i64, u32, u64);

/// What a giant step costs in baby steps: a mod-down, a decomposition and a product with a key for the last of these.
const GIANT_STEP: f64 = 3.5;

/// Baby steps (all that occur) and giant steps of diagonals −(R−1) … R−1, or 0 … R−1 where rotations wrap, in units of the
/// stride.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Baby steps are 0 … babies − 1.
    pub babies: i64,
    /// The giant steps, multiples of `babies`.
    pub giants: Vec<i64>,
    /// Smallest diagonal.
    pub low: i64,
    /// Largest diagonal.
    pub high: i64,
}

impl Steps {
    /// The steps that take least time for a product of `bits` stages.
    pub fn of(bits: u32, wraps: bool) -> Self {
        let size = 1i64 << bits;
        let (low, high) = if wraps {
            (0, size - 1)
        } else {
            (1 - size, size - 1)
        };
        let steps = |log: u32| {
            let babies = 1i64 << log;
            let giants: Vec<i64> = (low.div_euclid(babies)..=high.div_euclid(babies))
                .map(|giant| giant * babies)
                .collect();
            Self {
                babies,
                giants,
                low,
                high,
            }
        };
        let cost = |steps: &Self| steps.babies as f64 + GIANT_STEP * (steps.giants.len() as f64 - 1.0);
        (0..=bits)
            .map(steps)
            .min_by(|a, b| cost(a).total_cmp(&cost(b)))
            .unwrap_or_else(|| steps(0))
    }
}

impl Lowering<'_> {
    /// The product of x with stages of a transform, at a level and its canonical scale; x is read one level higher, at
    /// whatever scale it has.
    pub(super) fn transform(&mut self, x: Value, stages: Diagonal, level: u32) -> Value {
        let x = self.loose(x, level + 1);
        let ty = self.cipher(x);
        let raw_scale = self.chain.scale(level + 1).powi(2);
        let plain_scale = raw_scale / ty.scale;
        let (bits, wraps) = (stages.last - stages.first, stages.last == stages.log_slots);
        let steps = Steps::of(bits, wraps);
        let stride = 1i64 << stages.first;
        let raised = CipherType {
            basis: Basis::Qp,
            ..ty.clone()
        };

        let digits = self.decompose(x);
        let mut rotated: BTreeMap<i64, Value> = BTreeMap::new();
        for baby in 0..steps.babies {
            let value = if baby == 0 {
                self.push(
                    Opcode::CkksLiftAcc,
                    &[x],
                    Attributes::new(),
                    Type::Cipher(raised.clone()),
                )
            } else {
                self.rotate_acc(digits, self.by(baby * stride), None, &raised)
            };
            rotated.insert(baby, value);
        }
        let product = CipherType {
            scale: raw_scale,
            ..raised
        };
        let mut inner: Vec<(i64, Value)> = Vec::new();
        for &giant in &steps.giants {
            let (mut factors, mut diagonals) = (Vec::new(), Vec::new());
            for (&baby, &value) in &rotated {
                let diagonal = giant + baby;
                if (steps.low..=steps.high).contains(&diagonal) {
                    factors.push(value);
                    diagonals.push(self.encode_diagonal(
                        Diagonal {
                            diagonal: diagonal * stride,
                            shift: giant * stride,
                            ..stages
                        },
                        level + 1,
                        plain_scale,
                    ));
                }
            }
            let count = factors.len();
            factors.extend(diagonals);
            let attributes = Builder::attributes([("count", (count as u32).into())]);
            let sum = self.push(
                Opcode::CkksMulPlainSum,
                &factors,
                attributes,
                Type::Cipher(product.clone()),
            );
            inner.push((giant, sum));
        }
        // The sum that is not turned is what the others are added to.
        inner.sort_by_key(|&(giant, _)| giant != 0);
        let mut total = None;
        for (giant, sum) in inner {
            if giant == 0 {
                total = Some(sum);
                continue;
            }
            let lowered = self.push(
                Opcode::CkksModDown,
                &[sum],
                Attributes::new(),
                Type::Cipher(CipherType {
                    basis: Basis::Q,
                    ..product.clone()
                }),
            );
            let digits = self.decompose(lowered);
            total = Some(self.rotate_acc(digits, self.by(giant * stride), total, &product));
        }
        let Some(total) = total else {
            unreachable!("a transform has diagonals")
        };
        self.mod_down_rescale(total)
    }

    /// The attributes of a rotation by this much.
    fn by(&self, by: i64) -> Attributes {
        let slots = 1i64 << (self.chain.log_n - 1);
        Builder::attributes([("by", Attribute::Int(by.rem_euclid(slots)))])
    }

    fn mod_down_rescale(&mut self, sum: Value) -> Value {
        let lowered = Type::Cipher(CipherType {
            basis: Basis::Q,
            ..self.rescaled(sum)
        });
        self.push(Opcode::CkksModDownRescale, &[sum], Attributes::new(), lowered)
    }

    fn encode_diagonal(&mut self, diagonal: Diagonal, level: u32, scale: f64) -> Value {
        // One plaintext serves every bootstrap.
        let Diagonal {
            log_slots,
            first,
            last,
            inverse,
            factor,
            ..
        } = diagonal;
        let stages = (log_slots, first, last, inverse, factor.to_bits());
        let key = (stages, diagonal.diagonal, diagonal.shift, level, scale.to_bits());
        if let Some(&encoded) = self.diagonals.get(&key) {
            return encoded;
        }
        let contents = Contents::Diagonal(diagonal);
        let ty = Type::Plain(PlainType {
            level,
            scale,
            basis: Basis::Qp,
            compact: contents.compact(self.chain.log_n),
        });
        let attributes = contents.attributes();
        let encoded = self.push(Opcode::CkksEncode, &[], attributes, ty);
        self.diagonals.insert(key, encoded);
        encoded
    }

    /// The same coefficients, and multiples of q_0 beside them, at a level: under an ephemeral secret, whose few
    /// coefficients keep those multiples small.
    pub(super) fn mod_raise(&mut self, x: Value, level: u32) -> Value {
        let x = self.at(x, 0);
        let ty = self.cipher(x);
        let to = |secret: &str| Builder::attributes([("to", secret.into())]);
        let sparse = self.push(
            Opcode::CkksSwitchSecret,
            &[x],
            to("sparse"),
            Type::Cipher(ty.clone()),
        );
        let raised = Type::Cipher(CipherType { level, ..ty });
        let high = self.push(Opcode::CkksModRaise, &[sparse], Attributes::new(), raised.clone());
        self.push(Opcode::CkksSwitchSecret, &[high], to("main"), raised)
    }

    /// The complex conjugate.
    pub(super) fn conjugate(&mut self, x: Value) -> Value {
        let attributes = Builder::attributes([("by", Attribute::Int(0)), ("conjugate", true.into())]);
        self.same(Opcode::CkksRotate, &[x], attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_diagonal_is_one_baby_and_one_giant_step() {
        for bits in 1..8 {
            for wraps in [false, true] {
                let steps = Steps::of(bits, wraps);
                for diagonal in steps.low..=steps.high {
                    let giant = diagonal.div_euclid(steps.babies) * steps.babies;
                    assert!(steps.giants.contains(&giant) && diagonal - giant < steps.babies);
                }
                assert!(steps.giants.contains(&0));
            }
        }
    }
}
