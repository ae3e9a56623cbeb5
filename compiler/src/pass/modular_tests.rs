use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::dialect::slot;
use crate::ir::{Graph, OpId, Opcode};

/// Uniform and normal numbers (Steele, Lea, Flood 2014; Box and Muller 1958).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }
}

/// What the ciphertexts around EvalMod are like.
struct Setting {
    /// Standard deviation of a slot's error after a rescale, times the scale: √(N/2 · (1 + 2N/3)/12).
    rounding: f64,
    /// log2 of the scale of the result; that of the primes above it is 50.
    log_scale: f64,
    /// Standard deviation of the error of the argument.
    argument: f64,
    /// Hamming weight of the ephemeral secret.
    weight: u32,
}

/// N = 2^16; CoeffsToSlots ends in a rescale, a sum with the conjugate and its key switch.
const SETTING: Setting = Setting {
    rounding: 10_700.0,
    log_scale: 40.0,
    argument: 2.0e-11,
    weight: 32,
};

/// Mean and largest |error| in bits, of z uniform on [−1, 1].
fn precision(modular: &Modular, setting: &Setting, slots: u32) -> (f64, f64) {
    let mut random = Random(7);
    let zs: Vec<f64> = (0..slots).map(|_| 2.0 * random.uniform() - 1.0).collect();
    let (first, last) = modular.multiples().into_inner();
    let ts: Vec<f64> = zs
        .iter()
        .map(|z| {
            let sum: f64 = (0..setting.weight).map(|_| random.uniform() - 0.5).sum();
            let x = sum.round().clamp(f64::from(first), f64::from(last)) + z / modular.amplitude;
            2.0 * x / modular.bound + setting.argument * random.normal()
        })
        .collect();
    let graph = program(modular, slots);
    let result = noisy(&graph, &ts, modular.levels(), setting, &mut random);
    let errors: Vec<f64> = result
        .iter()
        .zip(&zs)
        .map(|(a, z)| (a / modular.factor - z).abs())
        .collect();
    let mean = errors.iter().sum::<f64>() / f64::from(slots);
    (-mean.log2(), -errors.iter().copied().fold(0.0, f64::max).log2())
}

/// Runs a program of one input and one output with the errors of rescales: one for each sum of products, as sums are
/// made before they are rescaled, at the scale of its level. Scales Δ_l of primes of 50 bits have Δ_l² =
/// Δ_{l−1}·2^50.
fn noisy(graph: &Graph, input: &[f64], top: u32, setting: &Setting, random: &mut Random) -> Vec<f64> {
    let mut values: BTreeMap<Value, Vec<f64>> = BTreeMap::new();
    let mut levels: BTreeMap<Value, u32> = BTreeMap::new();
    let mut waiting: BTreeSet<Value> = BTreeSet::new();
    for op in graph.walk() {
        let op = graph.op(op);
        let takes = slot::takes_level(op);
        if takes || op.opcode == Opcode::SlotOutput {
            for operand in &op.operands {
                if waiting.remove(operand) {
                    let log_scale = 50.0 - (50.0 - setting.log_scale) / 2f64.powi(levels[operand] as i32);
                    let deviation = setting.rounding / log_scale.exp2();
                    for value in values.get_mut(operand).expect("made before") {
                        *value += deviation * random.normal();
                    }
                }
            }
        }
        let of = |index: usize| &values[&op.operands[index]];
        let both = |f: fn(f64, f64) -> f64| of(0).iter().zip(of(1)).map(|(&a, &b)| f(a, b)).collect();
        let scalar = op.floats("values").first().copied().unwrap_or(0.0);
        let value: Vec<f64> = match op.opcode {
            Opcode::SlotInput => input.to_vec(),
            Opcode::SlotAdd => both(|a, b| a + b),
            Opcode::SlotSub => both(|a, b| a - b),
            Opcode::SlotMul => both(|a, b| a * b),
            Opcode::SlotNeg => of(0).iter().map(|a| -a).collect(),
            Opcode::SlotAddScalar => of(0).iter().map(|a| a + scalar).collect(),
            Opcode::SlotMulScalar => of(0).iter().map(|a| a * scalar).collect(),
            Opcode::SlotOutput => return of(0).clone(),
            other => panic!("{other:?}"),
        };
        let result = op.results[0];
        let below = op
            .operands
            .iter()
            .map(|operand| levels[operand])
            .min()
            .unwrap_or(top);
        levels.insert(result, below - u32::from(takes));
        if takes || op.operands.iter().any(|operand| waiting.contains(operand)) {
            waiting.insert(result);
        }
        values.insert(result, value);
    }
    Vec::new()
}

fn program(modular: &Modular, slots: u32) -> Graph {
    let mut vectors = Vectors::new("mod", slots);
    let t = vectors.input(0, 0, None);
    let value = emit(&mut vectors, t, modular);
    assert_eq!(vectors.depth(value), modular.levels());
    vectors.output(1, 0, value);
    vectors.graph
}

#[test]
fn slots_hold_the_definition() {
    for (integers, degree, doublings, arcsine) in [
        (4, 31, 0, false),
        (4, 31, 0, true),
        (4, 30, 1, false),
        (14, 30, 3, false),
        (14, 30, 3, true),
        (15, 103, 0, false),
    ] {
        let modular = Modular::design(integers, 1024.0, 3.0, degree, doublings, arcsine);
        let graph = program(&modular, 64);
        let xs: Vec<f64> = (0..64)
            .map(|i| {
                f64::from(i % integers as i32) * [1.0, -1.0][i as usize % 2]
                    + (f64::from(i) - 32.0) / 32_768.0
            })
            .collect();
        let ts: Vec<f64> = xs.iter().map(|x| 2.0 * x / modular.bound).collect();
        let outputs = slot::evaluate(&graph, |_, _, _| ts.clone());
        for (x, y) in xs.iter().zip(&outputs[0].2) {
            let wanted = modular.value(*x);
            assert!(
                (y - wanted).abs() < 1e-8,
                "degree {degree}, r = {doublings}: {y} for {wanted} at {x}"
            );
        }
    }
}

#[test]
fn products_of_the_two_shapes() {
    let products = |integers, degree, doublings| {
        let graph = program(
            &Modular::design(integers, 2048.0, 1.0, degree, doublings, false),
            8,
        );
        let is_product = |&op: &OpId| graph.op(op).opcode == Opcode::SlotMul;
        graph.walk().into_iter().filter(is_product).count()
    };
    assert_eq!((products(15, 103, 0), products(14, 28, 3)), (21, 13));
}

/// At least 20 bits in the mean and 16 in the worst of 2^15 slots; the sine better than the cosine, the arcsine best.
#[test]
fn precision_with_the_errors_of_rescales() {
    let of = |integers, log_amplitude, degree, doublings, arcsine| {
        let amplitude = 2f64.powi(log_amplitude);
        let modular = Modular::design(integers, amplitude, 1.0, degree, doublings, arcsine);
        precision(&modular, &SETTING, 1 << 15)
    };
    for (found, mean, worst) in [
        (of(15, 11, 103, 0, false), 21.2, 18.5),
        (of(17, 11, 115, 0, false), 20.9, 18.2),
        (of(14, 10, 28, 3, false), 20.1, 17.4),
        (of(15, 8, 103, 0, true), 24.3, 21.6),
    ] {
        let near = |found: f64, wanted: f64, slack: f64| (found - wanted).abs() < slack;
        assert!(
            near(found.0, mean, 0.1) && near(found.1, worst, 0.4),
            "{found:?}, not {mean}, {worst}"
        );
    }
}
