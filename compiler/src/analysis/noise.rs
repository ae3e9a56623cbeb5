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
//! The terms of a polynomial share the error of their argument, and mostly cancel it: p(x + e) ≈ p(x) + p'(x)·e. So what
//! a function adds by itself is followed apart, as if its argument were exact, and the argument's error is multiplied
//! by the slope at the end. Functions may hold others, and take what stands `beside` their argument as exact where its
//! error cancels later: the factors of rows in softmax.
//!
//! What a polynomial leaves of the function that it stands for in a bootstrap is a `bias`: an error that is the same
//! whenever the value is.
//!
//! A mask leaves in the slots that it empties nothing but the rounding that follows. Copies of a masked value into its empty
//! slots (`disjoint` sums) therefore add that rounding, not the error of the value.
//!
//! A closed loop is followed for some rounds, each with the errors that the one before it left in the states, and with
//! what these have in common ([`super::coherence`]). After that it is taken to be stable: every further round adds what the
//! last one did.
//!
//! A product has m_y²σ_x² + m_x²σ_y² + σ_x²σ_y². The sizes m² are mean squares over the slots that hold values: inputs are
//! taken as uniform on their declared range, terms of sums as independent, so that means add and variances add, and
//! known ranges cap the result.

mod inside;

use std::collections::BTreeMap;

use self::inside::{Inside, shared_functions};
use super::coherence::Coherence;
use crate::dialect::slot::Contents;
use crate::ir::{ClosedLoop, Graph, OpData, Opcode, Type, Value};
use crate::params::Chain;

/// σ of the error distribution.
const SIGMA: f64 = 3.19;

/// Rounds of a closed loop that are followed one by one.
const FOLLOWED_ROUNDS: u32 = 24;

/// What the errors depend on beside the program.
#[derive(Clone, Debug)]
pub struct NoiseModel<'a> {
    /// The modulus chain.
    pub chain: &'a Chain,
    /// log2 of the product of the special primes.
    pub special_bits: f64,
    /// Limbs of a digit.
    pub digit_limbs: u32,
    /// Smallest and largest slot value of each input port.
    pub input_ranges: &'a [(f64, f64)],
}

/// What is known of a ciphertext.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Mean of the slots that hold values.
    pub mean: f64,
    /// Variance of those values.
    pub spread: f64,
    /// Variance of the error of a slot that holds a value.
    pub variance: f64,
    /// Variance of the error of a slot that a mask has made zero; that of the others where there are no such slots.
    pub empty: f64,
    /// The functions that it is inside of.
    pub(super) inside: Inside,
}

impl Estimate {
    /// Values of this mean and variance, without error.
    fn exact(mean: f64, spread: f64) -> Self {
        Self {
            mean,
            spread,
            ..Self::default()
        }
    }

    /// Mean square of the values.
    pub fn mean_square(&self) -> f64 {
        self.mean * self.mean + self.spread
    }

    /// The same, with a mean square of at most that of values uniform on [−bound, bound].
    fn capped(self, bound: f64) -> Self {
        let factor = (bound * bound / (3.0 * self.mean_square())).min(1.0);
        if factor.is_nan() {
            self
        } else {
            Self {
                mean: self.mean * factor.sqrt(),
                spread: self.spread * factor,
                ..self
            }
        }
    }

    /// Values multiplied by a number; the errors stay.
    fn sized(self, factor: f64) -> Self {
        Self {
            mean: self.mean * factor,
            spread: self.spread * factor * factor,
            ..self
        }
    }
}

/// Standard deviation of the error of each tile written: (port, tile, deviation), in program order.
///
/// Where a loop carries all its states on by sums, as training does, what their errors do through products is left out: a
/// gradient brings the error of a weight back with the opposite sign, and what it brings back without would grow without
/// bound in the estimate, round by round.
pub fn outputs(graph: &Graph, model: &NoiseModel<'_>) -> Vec<(u32, u32, f64)> {
    let closed = ClosedLoop::find(graph, &graph.walk());
    let steady = closed.and_then(|_| followed(graph, model, true));
    steady
        .or_else(|| followed(graph, model, false))
        .unwrap_or_default()
}

/// The same; if `steady`, without what the errors of states do through products, and `None` if a state is not carried on by
/// sums.
fn followed(graph: &Graph, model: &NoiseModel<'_>, steady: bool) -> Option<Vec<(u32, u32, f64)>> {
    let mut estimates = vec![Estimate::default(); graph.value_count()];
    let mut arguments: BTreeMap<i64, Estimate> = BTreeMap::new();
    let mut outputs = Vec::new();
    let mut states = States::default();
    let order = graph.walk();
    let closed = ClosedLoop::find(graph, &order);
    // What runs after the rounds is followed once, after the last: no error is larger.
    let followed = closed.map(|closed| ClosedLoop {
        count: closed.count.min(FOLLOWED_ROUNDS),
        every: closed.count.min(FOLLOWED_ROUNDS),
        ..closed
    });
    let mut coherence = closed.map(|_| Coherence::new(graph));
    for (position, round) in ClosedLoop::run(followed.as_ref(), order.len()) {
        let op = graph.op(order[position]);
        let tile = (
            op.int("port").unwrap_or(0) as u32,
            op.int("tile").unwrap_or(0) as u32,
        );
        if op.opcode == Opcode::CkksOutput {
            let mut estimate = estimates[op.operands[0].index()];
            if op.flag("state") {
                if let Some(coherence) = &mut coherence {
                    let (variance, carried) = coherence.write(tile, op.operands[0], estimate.variance);
                    if steady && !carried && closed.is_some_and(|closed| closed.holds(position)) {
                        return None;
                    }
                    estimate.variance = variance;
                }
                states.write(tile, estimate);
            } else {
                outputs.push((tile.0, tile.1, estimate.variance.sqrt()));
            }
        }
        let begins = round == 0 && closed.is_some_and(|closed| closed.start == position);
        if begins || op.opcode == Opcode::CkksEnd {
            coherence.iter_mut().for_each(Coherence::end_round);
        }
        if let Some(closed) = closed.filter(|closed| closed.end == position) {
            states.end_round(closed.count);
        }
        let Some(&result) = op.results.first() else {
            continue;
        };
        let inside = closed.is_some_and(|closed| closed.holds(position));
        let mut estimate = match states.now.get(&tile).filter(|_| op.flag("state")) {
            Some(&state) if steady && inside => Estimate {
                variance: 0.0,
                empty: 0.0,
                ..state
            },
            Some(&state) => state,
            None => model.op(graph, op, |value| estimates[value.index()]),
        };
        estimate.inside = shared_functions(graph, op, &estimates).map(|function, _| {
            let alone = model.op(graph, op, |value| {
                let estimate = estimates[value.index()];
                let variance = estimate.inside.of(function).unwrap_or(estimate.variance);
                Estimate {
                    variance,
                    empty: variance,
                    ..estimate
                }
            });
            Some(alone.variance)
        });
        if let Some(bound) = op.float("bound") {
            estimate = estimate.capped(bound);
        }
        if let (Some(image), Some(slope)) = (op.int("image"), op.float("slope")) {
            let (own, argument) = (estimate.inside.of(image), arguments.get(&image));
            estimate.inside.leave(image);
            if let (Some(own), Some(argument)) = (own, argument) {
                let gain = slope * slope;
                estimate.variance = gain * argument.variance + own;
                estimate.empty = estimate.variance;
                estimate.inside = estimate
                    .inside
                    .map(|function, _| Some(gain * argument.inside.of(function)? + own));
            }
        }
        if let Some(bias) = op.float("bias") {
            // The same in every round, so that rounds add amplitudes where they add variances of the rest.
            let rounds = closed
                .filter(|closed| (closed.start..closed.end).contains(&position))
                .map_or(1, |closed| closed.count);
            let more = bias * bias * f64::from(rounds);
            estimate.variance += more;
            estimate.inside = estimate.inside.map(|_, variance| Some(variance + more));
        }
        if let Some(coherence) = coherence.as_mut().filter(|_| inside) {
            estimate = coherence.follow(model, op, tile, round, steady, estimate, &estimates);
        }
        if let Some(function) = op.int("argument") {
            arguments.insert(function, estimate);
            estimate.inside.set(function, 0.0);
        }
        if let Some(function) = op.int("beside") {
            estimate.inside.set(function, 0.0);
        }
        estimates[result.index()] = estimate;
    }
    Some(outputs)
}

/// What is known of the states of a closed loop.
#[derive(Default)]
struct States {
    now: BTreeMap<(u32, u32), Estimate>,
    rounds: u32,
    /// Variances after the round before.
    variances: BTreeMap<(u32, u32), f64>,
}

impl States {
    fn write(&mut self, tile: (u32, u32), estimate: Estimate) {
        let estimate = Estimate {
            inside: Inside::default(),
            ..estimate
        };
        self.now.insert(tile, estimate);
    }

    /// After the last round that is followed, those up to `count` add to a variance what it did.
    fn end_round(&mut self, count: u32) {
        self.rounds += 1;
        let left = f64::from(count.saturating_sub(self.rounds));
        for (tile, state) in &mut self.now {
            let before = self.variances.insert(*tile, state.variance).unwrap_or(0.0);
            if self.rounds == FOLLOWED_ROUNDS {
                let more = left * (state.variance - before).max(0.0);
                state.variance += more;
                state.empty += more;
            }
        }
    }
}

/// Whether the second operand is the conjugate of the first.
pub(super) fn is_conjugate(graph: &Graph, op: &OpData) -> bool {
    let second = op.operands.get(1).and_then(|&operand| graph.defining_op(operand));
    second
        .map(|op| graph.op(op))
        .is_some_and(|second| second.flag("conjugate") && second.operands.first() == op.operands.first())
}

/// Mean and variance of numbers.
fn moments<'v>(values: impl Iterator<Item = &'v f64>) -> (f64, f64) {
    let (count, sum, squares) = values.fold((0.0, 0.0, 0.0), |(count, sum, squares), value| {
        (count + 1.0, sum + value, squares + value * value)
    });
    if count == 0.0 {
        (0.0, 0.0)
    } else {
        (sum / count, (squares / count - (sum / count).powi(2)).max(0.0))
    }
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

    pub(super) fn op(&self, graph: &Graph, op: &OpData, known: impl Fn(Value) -> Estimate) -> Estimate {
        use Opcode::*;
        let of = |index: usize| known(op.operands[index]);
        let (level, scale) = match op.results.first().map(|&result| graph.ty(result)) {
            Some(Type::Cipher(ty)) => (ty.level, ty.scale),
            Some(Type::Plain(ty)) => (ty.level, ty.scale),
            Some(Type::Digits { level, scale }) => (*level, *scale),
            _ => (0, 1.0),
        };
        let plus = |a: Estimate, b: Estimate| Estimate {
            mean: a.mean + b.mean,
            spread: a.spread + b.spread,
            variance: a.variance + b.variance,
            empty: a.empty + b.empty,
            inside: Inside::default(),
        };
        let times = |a: Estimate, b: Estimate| {
            let (size_a, size_b) = (a.mean_square(), b.mean_square());
            Estimate {
                mean: a.mean * b.mean,
                spread: size_a * size_b - (a.mean * b.mean).powi(2),
                variance: size_a * b.variance + size_b * a.variance + a.variance * b.variance,
                empty: size_a * b.empty + size_b * a.empty + a.empty * b.empty,
                inside: Inside::default(),
            }
        };
        let noisier = |a: Estimate, coefficient: f64| Estimate {
            variance: a.variance + self.slot_variance(coefficient, scale),
            empty: a.empty + self.slot_variance(coefficient, scale),
            inside: Inside::default(),
            ..a
        };
        // Copies of values into empty slots do not add to them; the errors of empty slots do.
        let copied = |sum: Estimate, term: Estimate| Estimate {
            mean: sum.mean,
            spread: sum.spread,
            variance: sum.variance.max(term.variance) + sum.empty.max(term.empty),
            empty: sum.empty + term.empty,
            inside: Inside::default(),
        };
        // A product with a plaintext, which may be a mask.
        let masked = |index: usize| {
            let (a, plain) = (of(index), of(index + 1));
            let product = times(a, plain);
            let mask = graph
                .defining_op(op.operands[index + 1])
                .map(|op| Contents::of(graph.op(op)));
            match mask {
                Some(Contents::Boxes { .. }) => Estimate {
                    empty: (a.mean_square() + a.empty) * plain.variance,
                    ..product
                },
                _ => Estimate {
                    empty: product.variance,
                    ..product
                },
            }
        };
        match op.opcode {
            CkksInput => {
                let port = op.int("port").unwrap_or(0) as usize;
                let (low, high) = self.input_ranges.get(port).copied().unwrap_or((-1.0, 1.0));
                noisier(
                    Estimate::exact(0.5 * (low + high), (high - low).powi(2) / 12.0),
                    self.fresh(),
                )
            }
            CkksEncode => {
                let (mean, spread) = match Contents::of(op) {
                    Contents::Boxes { value, .. } => (value, 0.0),
                    Contents::Slots(values) => moments(values.iter().filter(|value| **value != 0.0)),
                    Contents::Diagonal(diagonal) => (0.0, diagonal.mean_square()),
                };
                noisier(Estimate::exact(mean, spread), 1.0 / 12.0)
            }
            CkksAdd if op.flag("disjoint") => copied(of(1), of(0)),
            CkksAdd if op.operands[0] == op.operands[1] => {
                let a = of(0).sized(2.0);
                Estimate {
                    variance: 4.0 * a.variance,
                    empty: 4.0 * a.empty,
                    inside: Inside::default(),
                    ..a
                }
            }
            // A sum with the conjugate doubles the real part, a difference the imaginary one, and its error with it; the switch of
            // the conjugate adds its own.
            CkksAdd | CkksSub if is_conjugate(graph, op) => {
                let (a, conjugate) = (of(0), of(1));
                Estimate {
                    variance: 3.0 * a.variance + conjugate.variance,
                    empty: 3.0 * a.empty + conjugate.empty,
                    inside: Inside::default(),
                    ..a.sized(2.0)
                }
            }
            CkksAdd | CkksAddPlain => plus(of(0), of(1)),
            CkksSub => plus(of(0), of(1).sized(-1.0)),
            CkksNeg => Estimate {
                inside: Inside::default(),
                ..of(0).sized(-1.0)
            },
            CkksAddScalar => {
                let (mean, spread) = moments(op.floats("values").iter());
                plus(of(0), Estimate::exact(mean, spread))
            }
            CkksMulScalar => {
                let (mean, spread) = moments(op.floats("values").iter());
                let own = op.float("scale").unwrap_or(1.0);
                // An exact integer is not rounded.
                let rounding = if own == 1.0 { 0.0 } else { 1.0 / (12.0 * own * own) };
                times(
                    of(0),
                    Estimate {
                        variance: rounding,
                        empty: rounding,
                        ..Estimate::exact(mean, spread)
                    },
                )
            }
            CkksMul => times(of(0), of(1)),
            CkksMulAcc => plus(of(0), times(of(1), of(2))),
            CkksMulPlain => masked(0),
            CkksMulPlainAcc => plus(of(0), masked(1)),
            CkksMulPlainSum => {
                let terms = op.operands.len() / 2;
                (0..terms)
                    .map(|term| times(of(term), of(terms + term)))
                    .reduce(plus)
                    .unwrap_or_default()
            }
            CkksSquare => {
                let a = of(0);
                let size = a.mean_square();
                // Both factors carry the same error: twice the value times it.
                let variance = 4.0 * size * a.variance + 2.0 * a.variance * a.variance;
                // The fourth moment of a normal value is three times its squared second.
                Estimate {
                    variance,
                    empty: variance,
                    ..Estimate::exact(size, 2.0 * size * size)
                }
            }
            CkksRescale => noisier(of(0), self.rounding()),
            CkksRelinearize | CkksSwitchSecret => noisier(of(0), self.key_switch(level) + self.rounding()),
            // One division by P·q: the key's error is divided by q as well.
            CkksRelinearizeRescale | CkksModDownRescale => noisier(of(0), self.rounding()),
            CkksRotate => noisier(of(0), self.key_switch(level) + self.rounding()),
            CkksModDown => noisier(of(0), self.rounding()),
            CkksRotateAcc | CkksLiftAcc => {
                let mut term = Estimate {
                    inside: Inside::default(),
                    ..of(0)
                };
                if op.opcode == CkksRotateAcc {
                    term = noisier(term, self.key_switch(level));
                }
                match op.operands.get(1) {
                    None => term,
                    Some(&sum) if op.flag("disjoint") => copied(known(sum), term),
                    Some(&sum) => plus(known(sum), term),
                }
            }
            _ => match op.operands.first() {
                Some(&operand) => Estimate {
                    inside: Inside::default(),
                    ..known(operand)
                },
                None => Estimate::default(),
            },
        }
    }
}

#[cfg(test)]
#[path = "noise_tests.rs"]
mod tests;
