//! Error of every ciphertext, forward through the program.
//!
//! Errors are variances of the real part of a slot, in units of the slot's value: a polynomial whose coefficients have
//! variance v at scale Δ puts N/2·v/Δ² into each slot. With secret coefficients uniform in {−1, 0, 1} and σ = 3.19:
//!
//! | source | variance of a coefficient |
//! |---|---|
//! | fresh encryption with the secret key | σ² + 1/12 (rounding of the encoding) |
//! | rescale, mod-down | (1 + 2N/3)/12, the rounding of c_0 and of c_1·s |
//! | key switch | N·σ²·Σ_d B_d²/12 / P², B_d the product of digit d |
//! | plaintext, scalar | 1/12, times the size of what it is multiplied by |
//!
//! A product has m_y²σ_x² + m_x²σ_y² + σ_x²σ_y². Sizes m² are mean squares over the slots that hold values: inputs are
//! taken as uniform on their declared range, sums as if their terms had one sign, and known ranges cap both.

use crate::dialect::slot::Contents;
use crate::ir::{Graph, OpData, Opcode, Type, Value};
use crate::params::Chain;

/// σ of the error distribution.
const SIGMA: f64 = 3.19;

/// What the errors depend on beside the program.
#[derive(Clone, Debug)]
pub struct NoiseModel<'a> {
    /// The modulus chain.
    pub chain: &'a Chain,
    /// log2 of the product of the special primes.
    pub special_bits: f64,
    /// Limbs of a digit.
    pub digit_limbs: u32,
    /// Largest absolute slot value of each input port.
    pub input_bounds: &'a [f64],
}

/// What is known of a ciphertext.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Mean square of the slots that hold values.
    pub mean_square: f64,
    /// Variance of the error of a slot.
    pub variance: f64,
}

/// Standard deviation of the error of each tile written: (port, tile, deviation), in program order.
pub fn outputs(graph: &Graph, model: &NoiseModel<'_>) -> Vec<(u32, u32, f64)> {
    let mut estimates = vec![Estimate::default(); graph.value_count()];
    let mut outputs = Vec::new();
    for op in graph.walk() {
        let op = graph.op(op);
        if op.opcode == Opcode::CkksOutput {
            let (port, tile) = (op.int("port").unwrap_or(0), op.int("tile").unwrap_or(0));
            outputs.push((port as u32, tile as u32, estimates[op.operands[0].index()].variance.sqrt()));
        }
        if let Some(&result) = op.results.first() {
            let mut estimate = model.op(graph, op, |value| estimates[value.index()]);
            if let Some(bound) = op.float("bound") {
                estimate.mean_square = estimate.mean_square.min(bound * bound / 3.0);
            }
            estimates[result.index()] = estimate;
        }
    }
    outputs
}

impl NoiseModel<'_> {
    fn degree(&self) -> f64 {
        2f64.powi(self.chain.log_n as i32)
    }

    /// Variance of a slot from that of a coefficient.
    pub fn slot_variance(&self, coefficient: f64, scale: f64) -> f64 {
        0.5 * self.degree() * coefficient / (scale * scale)
    }

    /// Coefficient variance of a fresh encryption.
    pub fn fresh(&self) -> f64 {
        SIGMA * SIGMA + 1.0 / 12.0
    }

    /// Coefficient variance of a division with rounding: rescale or mod-down.
    pub fn rounding(&self) -> f64 {
        (1.0 + 2.0 * self.degree() / 3.0) / 12.0
    }

    /// Coefficient variance of one product with a switching key at a level, after the division by P.
    pub fn key_switch(&self, level: u32) -> f64 {
        let limbs = &self.chain.q[..=level as usize];
        let digits: f64 = limbs
            .chunks(self.digit_limbs.max(1) as usize)
            .map(|digit| {
                let bits: f64 = digit.iter().map(|&prime| (prime as f64).log2()).sum();
                2f64.powf(2.0 * (bits - self.special_bits))
            })
            .sum();
        self.degree() * SIGMA * SIGMA * digits / 12.0
    }

    fn op(&self, graph: &Graph, op: &OpData, known: impl Fn(Value) -> Estimate) -> Estimate {
        use Opcode::*;
        let of = |index: usize| known(op.operands[index]);
        let (level, scale) = match op.results.first().map(|&result| graph.ty(result)) {
            Some(Type::Cipher(ty)) => (ty.level, ty.scale),
            Some(Type::Plain(ty)) => (ty.level, ty.scale),
            Some(Type::Digits { level, scale }) => (*level, *scale),
            _ => (0, 1.0),
        };
        let plus = |a: Estimate, b: Estimate| Estimate {
            mean_square: (a.mean_square.sqrt() + b.mean_square.sqrt()).powi(2),
            variance: a.variance + b.variance,
        };
        let times = |a: Estimate, b: Estimate| Estimate {
            mean_square: a.mean_square * b.mean_square,
            variance: a.mean_square * b.variance + b.mean_square * a.variance + a.variance * b.variance,
        };
        let noisier = |a: Estimate, coefficient: f64| Estimate {
            variance: a.variance + self.slot_variance(coefficient, scale),
            ..a
        };
        match op.opcode {
            CkksInput => {
                let bound = self.input_bounds.get(op.int("port").unwrap_or(0) as usize).copied().unwrap_or(1.0);
                noisier(Estimate { mean_square: bound * bound / 3.0, variance: 0.0 }, self.fresh())
            }
            CkksEncode => {
                let largest = match Contents::of(op) {
                    Contents::Boxes { value, .. } => value.abs(),
                    Contents::Slots(values) => values.iter().fold(0.0f64, |largest, value| largest.max(value.abs())),
                };
                noisier(Estimate { mean_square: largest * largest, variance: 0.0 }, 1.0 / 12.0)
            }
            CkksAdd | CkksSub | CkksAddPlain => plus(of(0), of(1)),
            CkksAddScalar => {
                let summand = op.floats("values").iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
                plus(of(0), Estimate { mean_square: summand * summand, variance: 0.0 })
            }
            CkksMulScalar => {
                let factor = op.floats("values").iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
                let own = op.float("scale").unwrap_or(1.0);
                // An exact integer is not rounded.
                let rounding = if own == 1.0 { 0.0 } else { 1.0 / (12.0 * own * own) };
                times(of(0), Estimate { mean_square: factor * factor, variance: rounding })
            }
            CkksMul | CkksMulPlain => times(of(0), of(1)),
            CkksMulAcc | CkksMulPlainAcc => plus(of(0), times(of(1), of(2))),
            CkksSquare => {
                let a = of(0);
                // Both factors carry the same error: twice the value times it.
                let variance = 4.0 * a.mean_square * a.variance + 2.0 * a.variance * a.variance;
                Estimate { mean_square: a.mean_square * a.mean_square, variance }
            }
            CkksRescale => noisier(of(0), self.rounding()),
            CkksRelinearize => noisier(of(0), self.key_switch(level) + self.rounding()),
            CkksRotate => noisier(of(0), self.key_switch(level) + self.rounding()),
            CkksModDown => noisier(of(0), self.rounding()),
            CkksRotateAcc | CkksLiftAcc => {
                let mut term = of(0);
                if op.opcode == CkksRotateAcc {
                    term = noisier(term, self.key_switch(level));
                }
                match op.operands.get(1) {
                    None => term,
                    // Copies of values into empty slots do not add to them; their errors do.
                    Some(&sum) if op.flag("disjoint") => {
                        let sum = known(sum);
                        Estimate { mean_square: sum.mean_square, variance: sum.variance + term.variance }
                    }
                    Some(&sum) => plus(known(sum), term),
                }
            }
            _ => match op.operands.first() {
                Some(&operand) => known(operand),
                None => Estimate::default(),
            },
        }
    }
}
