//! A toy plan with every kind of port, its data, and what must come out.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod closed_loop;

use cipherloom_host::*;
use cipherloom_plan::Op;
use cipherloom_plan::data::*;
use cipherloom_ring::automorphism::galois_element;
use cipherloom_ring::prime::primes_near;
use std::collections::BTreeMap;

const LOG_N: u8 = 10;
const SLOTS: u32 = 512;
const LEVEL: u8 = 2;
const SCALE: f64 = (1u64 << 40) as f64;

/// Rows of a batch, columns, and steps.
pub const BATCH: usize = 4;
pub const COLUMNS: usize = 100;
pub const STEPS: u32 = 3;
/// Largest error of an output: the scale of the outputs is 2^80, of their parts 2^40, with errors of about
/// 2^-33 each.
pub const BOUND: f64 = 1.0 / (1u64 << 28) as f64;

/// out[i][j] = w0[j] + Σ_t rate_t·(x_t[i][j] + x_t[i+2][j]) + (b[j]/2)²; `seen` reveals the same at the
/// second row of `out`. The name changes the plan's hash and nothing else.
pub fn plan_data(name: &str) -> PlanData {
    let wide: Vec<u64> = primes_near(1 << 50, u32::from(LOG_N)).take(3).collect();
    let mut q = vec![wide[0]];
    q.extend(primes_near(1 << 40, u32::from(LOG_N)).take(usize::from(LEVEL)));
    let dim = |block, slot_stride, tile_stride| LayoutDim::blocks(block, slot_stride, tile_stride);
    let layout = |tiles, dims, repeats, factor| Layout {
        slots: SLOTS,
        tiles,
        dims,
        repeats,
        factor,
    };
    let port = |name: &str, kind, shape: &[usize], layout, scale| Port {
        name: name.into(),
        kind,
        shape: shape.iter().map(|&extent| extent as u32).collect(),
        layout,
        level: LEVEL,
        scale,
        low: -1.0,
        high: 1.0,
        one_hot: false,
        error: 0.0,
    };
    let columns = COLUMNS as u32;
    let twice = vec![Repeat {
        count: 2,
        stride: 128,
    }];
    let four = vec![Repeat {
        count: 4,
        stride: 128,
    }];
    let product = SCALE * SCALE;
    let ports = vec![
        port(
            "x",
            PortKind::Stream,
            &[BATCH, COLUMNS],
            layout(2, vec![dim(2, 128, 1), dim(columns, 1, 0)], vec![], 1.0),
            SCALE,
        ),
        port(
            "b",
            PortKind::Input,
            &[COLUMNS],
            layout(1, vec![dim(columns, 1, 0)], four, 0.5),
            SCALE,
        ),
        port(
            "w",
            PortKind::State,
            &[COLUMNS],
            layout(1, vec![dim(columns, 1, 0)], twice, 1.0),
            product,
        ),
        port(
            "out",
            PortKind::Output,
            &[2, COLUMNS],
            layout(1, vec![dim(2, 128, 0), dim(columns, 1, 0)], vec![], 1.0),
            product,
        ),
        port(
            "seen",
            PortKind::Reveal,
            &[COLUMNS],
            layout(1, vec![dim(columns, 1, 0)], vec![], 1.0),
            product,
        ),
    ];
    let limbs = u64::from(LEVEL) + 1;
    let (linear, quadratic) = ((2 * limbs) << LOG_N, (3 * limbs) << LOG_N);
    // 0: w, 1 and 2: tiles of x, 3: weighted, 4: b, 5: b rotated, 6: b squared, 7: b squared and linear, 8:
    // out rotated.
    let mut offset = 0;
    let sizes = [
        linear, linear, linear, linear, linear, linear, quadratic, linear, linear,
    ];
    let buffers = sizes
        .iter()
        .map(|&words| {
            offset += words;
            Buffer {
                offset: offset - words,
                words,
            }
        })
        .collect();
    let op = |op, dst, a, b| Instruction {
        op,
        level: LEVEL,
        aux: 0,
        dst,
        a,
        b,
    };
    let bare = |op, a| Instruction {
        op,
        level: 0,
        aux: 0,
        dst: 0,
        a,
        b: 0,
    };
    let instructions = vec![
        bare(Op::Loop, STEPS),
        bare(Op::Step, 0),
        op(Op::StateLoad, 0, 2, 0),
        op(Op::Stream, 1, 0, 0),
        op(Op::Stream, 2, 0, 1),
        op(Op::Add, 1, 1, 2),
        op(Op::MulScalar, 3, 1, 0),
        op(Op::Add, 0, 0, 3),
        op(Op::StateStore, 0, 0, 2),
        bare(Op::Checkpoint, 0),
        bare(Op::End, 0),
        op(Op::StateLoad, 0, 2, 0),
        op(Op::Input, 4, 1, 0),
        op(Op::Rotate, 5, 4, 1),
        op(Op::Mul, 6, 4, 5),
        op(Op::Relinearize, 7, 6, 0),
        op(Op::Add, 0, 0, 7),
        op(Op::Rotate, 8, 0, 1),
        op(Op::Output, 0, 0, 3),
        op(Op::Reveal, 0, 8, 4),
    ];
    PlanData {
        name: name.into(),
        parameters: Parameters {
            word_bits: 64,
            log_n: LOG_N,
            log_scale: SCALE.log2(),
            q,
            p: wide[1..].to_vec(),
            digit_limbs: 2,
            security_bits: 0,
            toy: true,
            steps: STEPS,
            ephemeral_weight: 0,
        },
        ports,
        keys: vec![
            Key {
                kind: KeyKind::Relinearise,
                level: LEVEL,
                uses: 1,
            },
            Key {
                kind: KeyKind::Galois(galois_element(u32::from(LOG_N), 128)),
                level: LEVEL,
                uses: 2,
            },
        ],
        constants: vec![],
        scalars: vec![Scalar {
            values: rates(),
            scale: SCALE,
        }],
        buffers,
        instructions,
        spans: vec![],
        estimates: Estimates::default(),
    }
}

fn rates() -> Vec<f64> {
    vec![1.0, -0.5, 0.25]
}

pub fn plan(name: &str) -> PlanFile {
    PlanFile::from_bytes(plan_data(name).encode().unwrap()).unwrap()
}

/// Values in [−1, 1] without a pattern.
pub fn tensor(shape: &[usize], salt: u64) -> Tensor {
    let count = shape.iter().product::<usize>() as u64;
    let value = |i: u64| {
        let mixed = (i + 1 + salt * 10_007).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    Tensor::new(shape.to_vec(), (0..count).map(value).collect()).unwrap()
}

/// Two batches and one row that does not fill a third.
pub fn data() -> BTreeMap<String, Tensor> {
    let named = |name: &str, tensor| (name.to_owned(), tensor);
    BTreeMap::from([
        named("x", tensor(&[2 * BATCH + 1, COLUMNS], 1)),
        named("b", tensor(&[COLUMNS], 2)),
        named("w", tensor(&[COLUMNS], 3)),
    ])
}

/// What the plan computes, in the clear; batch t mod 2 in step t.
pub fn expected(data: &BTreeMap<String, Tensor>) -> Tensor {
    let zero = vec![0.0; COLUMNS];
    let w = data.get("w").map_or(&zero, |tensor| &tensor.values);
    let (x, b) = (&data["x"].values, &data["b"].values);
    let batches = data["x"].shape[0] / BATCH;
    let mut values = Vec::new();
    for i in 0..2 {
        for j in 0..COLUMNS {
            let at = |t: usize, row: usize| x[((t % batches) * BATCH + row) * COLUMNS + j];
            let steps: f64 = rates()
                .iter()
                .enumerate()
                .map(|(t, rate)| rate * (at(t, i) + at(t, i + 2)))
                .sum();
            values.push(w[j] + steps + 0.25 * b[j] * b[j]);
        }
    }
    Tensor::new(vec![2, COLUMNS], values).unwrap()
}

pub fn check(found: &BTreeMap<String, Tensor>, data: &BTreeMap<String, Tensor>) {
    let expected = expected(data);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["out", "seen"]);
    assert_eq!(found["out"].shape, expected.shape);
    assert_eq!(found["seen"].shape, [COLUMNS]);
    let close = |found: &[f64], expected: &[f64]| {
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                (found - expected).abs() <= BOUND,
                "value {index}: {found}, expected {expected}"
            );
        }
    };
    close(&found["out"].values, &expected.values);
    close(&found["seen"].values, &expected.values[COLUMNS..]);
}

pub const RUN: RunOptions = RunOptions {
    threads: 2,
    allow_toy: true,
};
