//! Expands bootstraps: slots-to-coefficients first (Bossuat et al. 2021 and 2022).
//!
//! Let z be the slots, |z| ≤ B. SlotsToCoeffs at the lowest levels puts z/(B·2^h) into the coefficients, in bit-reversed
//! order, h bits of headroom; at level 0 the modulus is q_0 alone. ModRaise reads the same coefficients modulo the whole
//! chain: they become z/(B·2^h) + q_0/Δ_0·I with small integers I, which an ephemeral secret of few coefficients keeps below K.
//! CoeffsToSlots brings them back to slots, divided by the largest of them, and EvalMod takes the integers away and
//! multiplies by B·2^h.
//!
//! Real vectors need the real parts alone, so the conjugate is added before EvalMod; of complex ones both parts are
//! evaluated. Two real vectors share a bootstrap as the parts of a complex one. Vectors of n < N/2 slots, repeated, live in the subring of X^(N/2n): the sum of N/2n rotations removes the
//! multiples of q_0 elsewhere.
//!
//! ```text
//! %1 = slot.bootstrap %0 {bound = 1.0}
//! ```
//! becomes
//! ```text
//! %1 = slot.transform %0 {first = 0, last = 5, …}        // SlotsToCoeffs
//! …
//! %4 = slot.mod_raise %3
//! %5 = slot.transform %4 {first = 11, inverse = true, …}  // CoeffsToSlots
//! …
//! %9 = slot.conjugate %8
//! %10 = slot.add %8, %9
//! …                                                       // EvalMod
//! ```

use std::collections::BTreeMap;

use crate::approx::modular::Modular;
use crate::dialect::slot::{Diagonal, Vectors};
use crate::ir::{Graph, OpData, Opcode, Type, Value};
use crate::params::{Bootstrapping, Chain};
use crate::pass::modular;

/// Whether a program bootstraps.
pub fn needed(graph: &Graph) -> bool {
    graph
        .walk()
        .into_iter()
        .any(|op| graph.op(op).opcode == Opcode::SlotBootstrap)
}

/// Expands every bootstrap; results come back at `usable`, the level below which the program computes.
pub fn run(old: &Graph, parameters: &Bootstrapping, chain: &Chain, usable: u32) -> Graph {
    let slots = 1 << (chain.log_n - 1);
    let mut vectors = Vectors::new(&old.name, slots);
    let mut map: Vec<Option<Value>> = vec![None; old.value_count()];
    let mut designs: BTreeMap<u64, Modular> = BTreeMap::new();
    let mut raised: BTreeMap<(Vec<Value>, u64), (Value, Value)> = BTreeMap::new();
    for op in old.walk() {
        let op = old.op(op);
        vectors.span = op.span;
        let operands: Vec<Value> = op
            .operands
            .iter()
            .filter_map(|value| map[value.index()])
            .collect();
        if op.opcode == Opcode::SlotBootstrap {
            let bound = op.float("bound").unwrap_or(1.0);
            let amplitude = amplitude(parameters, chain);
            let modular = designs
                .entry(bound.to_bits())
                .or_insert_with(|| parameters.modular(amplitude, bound));
            let refresher = Refresher {
                op,
                parameters,
                chain,
                modular,
            };
            let before = operands[usize::from(op.flag("second"))];
            let parts = *raised
                .entry((operands, bound.to_bits()))
                .or_insert_with_key(|(operands, _)| refresher.raise(&mut vectors, operands));
            let refreshed = refresher.reduce(&mut vectors, parts);
            vectors.note_refreshed(before, refreshed);
            vectors.pin(refreshed, usable);
            map[op.results[0].index()] = Some(refreshed);
            continue;
        }
        let types: Vec<Type> = op.results.iter().map(|&result| old.ty(result).clone()).collect();
        let copy = OpData {
            operands,
            ..op.clone()
        };
        let copy = vectors.graph.append(vectors.block, copy, types);
        for (&result, &own) in op.results.iter().zip(&vectors.graph.op(copy).results) {
            map[result.index()] = Some(own);
        }
    }
    vectors.graph
}

/// What lies between two multiples of q_0, in units of the largest value.
fn amplitude(parameters: &Bootstrapping, chain: &Chain) -> f64 {
    chain.q[0] as f64 / chain.scale(0) * libm::exp2(parameters.headroom)
}

struct Refresher<'a> {
    op: &'a OpData,
    parameters: &'a Bootstrapping,
    chain: &'a Chain,
    modular: &'a Modular,
}

impl Refresher<'_> {
    fn log_slots(&self) -> u32 {
        let all = self.chain.log_n - 1;
        self.op.int("log_slots").map_or(all, |log| log as u32)
    }

    fn stages(&self, groups: u32, inverse: bool, factor: f64) -> Vec<Diagonal> {
        let log_slots = self.log_slots();
        let groups = split(log_slots, groups);
        let each = factor.powf(1.0 / groups.len() as f64);
        let mut first = 0;
        let products = groups.iter().map(|&bits| {
            first += bits;
            Diagonal {
                log_slots,
                first: first - bits,
                last: first,
                inverse,
                diagonal: 0,
                shift: 0,
                factor: each,
            }
        });
        products.collect()
    }

    /// SlotsToCoeffs, ModRaise and CoeffsToSlots of a vector, or of two as real and imaginary parts: slots z/A + I, over
    /// half of what EvalMod takes, and their conjugates.
    fn raise(&self, vectors: &mut Vectors, operands: &[Value]) -> (Value, Value) {
        let (parameters, chain, modular) = (self.parameters, self.chain, self.modular);
        let ratio = chain.q[0] as f64 / chain.scale(0);
        let shrink = libm::exp2(parameters.headroom);
        let mut value = operands[0];
        if let Some(&second) = operands.get(1) {
            let imaginary = vectors.mul_i(second, 1);
            value = vectors.add(value, imaginary);
        }
        let to_coefficients = self.stages(parameters.to_coefficients, false, 1.0 / (modular.factor * shrink));
        for factor in &to_coefficients {
            value = vectors.transform(value, factor);
        }
        value = vectors.mod_raise(value);
        let log_slots = self.log_slots();
        let copies = 1i64 << (chain.log_n - 1 - log_slots);
        for step in (0..copies.trailing_zeros()).map(|bit| 1i64 << (log_slots + bit)) {
            value = vectors.sum_rotations(value, vec![0, step], false);
        }
        // The sum with the conjugate is twice the real part, and twice is what EvalMod takes.
        let factor = 1.0 / (ratio * modular.bound * copies as f64);
        for factor in self.stages(parameters.to_slots, true, factor).iter().rev() {
            value = vectors.transform(value, factor);
        }
        (value, vectors.conjugate(value))
    }

    /// EvalMod of the part that is asked for, or of both.
    fn reduce(&self, vectors: &mut Vectors, (value, conjugate): (Value, Value)) -> Value {
        let real = |vectors: &mut Vectors| {
            let real = vectors.add(value, conjugate);
            self.modulo(vectors, real)
        };
        let imaginary = |vectors: &mut Vectors| {
            let difference = vectors.sub(value, conjugate);
            let imaginary = vectors.mul_i(difference, -1);
            self.modulo(vectors, imaginary)
        };
        if self.op.flag("second") {
            imaginary(vectors)
        } else if self.op.flag("complex") {
            let real = real(vectors);
            let imaginary = imaginary(vectors);
            let imaginary = vectors.mul_i(imaginary, 1);
            vectors.add(real, imaginary)
        } else {
            real(vectors)
        }
    }

    fn modulo(&self, vectors: &mut Vectors, part: Value) -> Value {
        let part = modular::emit(vectors, part, self.modular);
        // The largest error of the sine is two to three times its root mean square.
        vectors.note_bias(part, 0.5 * self.modular.error() * self.modular.factor);
        part
    }
}

/// So many stages in so many groups, as equal as can be, the smaller ones last: those are the rotations that wrap, of
/// which there are half.
pub fn split(stages: u32, groups: u32) -> Vec<u32> {
    let groups = groups.clamp(1, stages.max(1));
    (0..groups)
        .map(|group| (stages + groups - 1 - group) / groups)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_all_stages() {
        for stages in 1..17 {
            for groups in 1..6 {
                let split = split(stages, groups);
                assert_eq!(split.iter().sum::<u32>(), stages);
                assert!(split.iter().all(|&group| group > 0));
                assert!(
                    split
                        .windows(2)
                        .all(|pair| pair[0] >= pair[1] && pair[0] - pair[1] <= 1)
                );
            }
        }
    }
}
