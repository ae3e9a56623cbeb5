//! A toy plan that runs in a closed loop: plaintexts encoded before it, a carried value, the instructions of a bootstrap,
//! checkpoints in the middle and at the end of a step.

use super::tensor;
use cipherloom_host::{PlanFile, Tensor};
use cipherloom_plan::data::*;
use cipherloom_plan::{WordCounts, fourier};
use cipherloom_ring::automorphism::conjugation_element;
use cipherloom_ring::prime::primes_near;
use std::collections::BTreeMap;

const LOG_N: u8 = 10;
const TOP: u8 = 4;
const SCALE: f64 = (1u64 << 40) as f64;
/// Training steps.
pub const STEPS: u32 = 5;
const ROWS: usize = 2;
const COLUMNS: usize = 100;
const ROW_SLOTS: u32 = 128;
const BATCHES: usize = 3;
/// The real constants.
const FACTORS: [f64; 2] = [0.5, -0.25];
const FOURIER: Fourier = Fourier {
    log_slots: 8,
    first: 1,
    last: 5,
    inverse: true,
    diagonal: 6,
    shift: 40,
    factor: 4.0,
};

/// With k = 1/2 − 1/4 + the described constant: w ← w + 2·(k·x)² in each step, out = w + conjugate of w. `seen` reveals w after it went under the
/// ephemeral secret, up by `mod_raise` and back. `at_the_end` says whether there is a checkpoint at the end of each step, too.
pub fn plan_data(name: &str, at_the_end: bool) -> PlanData {
    let wide: Vec<u64> = primes_near(1 << 50, u32::from(LOG_N)).take(3).collect();
    let mut q = vec![wide[0]];
    q.extend(primes_near(1 << 40, u32::from(LOG_N)).take(usize::from(TOP)));
    let p = wide[1..].to_vec();
    let words = WordCounts::new(u32::from(LOG_N), p.len() as u32, 2);
    let (mut buffers, mut end) = (Vec::new(), 0);
    let mut buffer = |words: u64| {
        buffers.push(Buffer { offset: end, words });
        end += words;
        buffers.len() as u32 - 1
    };
    let (w, x) = (
        buffer(words.ciphertext(1, 1, Basis::Q)),
        buffer(words.ciphertext(TOP, 1, Basis::Q)),
    );
    let plains = [(); 3].map(|()| buffer(words.plaintext(TOP, Basis::Qp, 0)))[0];
    let lifted = [(); 3].map(|()| buffer(words.ciphertext(TOP, 1, Basis::Qp)))[0];
    let sum = buffer(words.ciphertext(TOP, 1, Basis::Qp));
    let y = buffer(words.ciphertext(3, 1, Basis::Q));
    let squared = buffer(words.ciphertext(3, 2, Basis::Q));
    let (z, z_low) = (
        buffer(words.ciphertext(2, 1, Basis::Q)),
        buffer(words.ciphertext(1, 1, Basis::Q)),
    );
    let [low, ephemeral, seen] = [(); 3].map(|()| buffer(words.ciphertext(0, 1, Basis::Q)));
    let [raised, back, conjugate] = [(); 3].map(|()| buffer(words.ciphertext(1, 1, Basis::Q)));

    let op = |op, level, aux, dst, a, b| Instruction {
        op,
        level,
        aux,
        dst,
        a,
        b,
    };
    let bare = |code, a| op(code, 0, 0, 0, a, 0);
    let mut instructions = vec![op(Op::StateLoad, 1, 0, w, 1, 0)];
    instructions.extend((0..3).map(|i| op(Op::Encode, TOP, AUX_QP, plains + i, i, 0)));
    instructions.extend([
        bare(Op::Loop, STEPS),
        bare(Op::Step, 0),
        op(Op::Stream, TOP, 0, x, 0, 0),
    ]);
    instructions.extend((0..3).map(|i| op(Op::LiftAcc, TOP, AUX_INIT, lifted + i, x, 0)));
    instructions.extend([
        op(
            Op::MulPlainSum,
            TOP,
            aux_sum(AUX_QP | AUX_INIT, 3),
            sum,
            lifted,
            plains,
        ),
        op(Op::ModDownRescale, 3, 0, y, sum, 0),
        op(Op::Square, 3, 0, squared, y, 0),
        op(Op::RelinearizeRescale, 2, 0, z, squared, 0),
        op(Op::Drop, 1, 0, z_low, z, 2),
        bare(Op::Loop, 2),
        op(Op::Add, 1, 0, w, w, z_low),
        bare(Op::Checkpoint, 0),
        bare(Op::End, 0),
        op(Op::Drop, 0, 0, low, w, 1),
        op(Op::SwitchSecret, 0, 0, ephemeral, low, 1),
        op(Op::ModRaise, 1, 0, raised, ephemeral, 0),
        op(Op::SwitchSecret, 1, 0, back, raised, 2),
        op(Op::Drop, 0, 0, seen, back, 1),
        op(Op::Reveal, 0, 0, 0, seen, 3),
        op(Op::StateStore, 1, 0, 0, w, 1),
    ]);
    if at_the_end {
        instructions.push(bare(Op::Checkpoint, 0));
    }
    instructions.extend([
        bare(Op::End, 0),
        op(Op::Rotate, 1, 0, conjugate, w, 3),
        op(Op::Add, 1, 0, w, w, conjugate),
        op(Op::Output, 1, 0, 0, w, 2),
    ]);

    let product = SCALE * SCALE / q[3] as f64;
    let port = |name: &str, kind, level, scale| Port {
        name: name.into(),
        kind,
        shape: vec![ROWS as u32, COLUMNS as u32],
        layout: Layout {
            slots: 1 << (LOG_N - 1),
            tiles: 1,
            dims: [(ROWS as u32, ROW_SLOTS), (COLUMNS as u32, 1)]
                .map(|(block, slot_stride)| LayoutDim::blocks(block, slot_stride, 0))
                .to_vec(),
            repeats: vec![],
            factor: 1.0,
        },
        level,
        scale,
        low: -1.0,
        high: 1.0,
        one_hot: false,
        error: 0.0,
    };
    let key = |kind, level| Key {
        kind,
        level,
        uses: STEPS,
    };
    let slots = FACTORS.map(|factor| ConstantKind::Slots { values: vec![factor] });
    let constants = slots.into_iter().chain([ConstantKind::Fourier(FOURIER)]);
    PlanData {
        name: name.into(),
        ports: vec![
            port("x", PortKind::Stream, TOP, SCALE),
            port("w", PortKind::State, 1, product),
            port("out", PortKind::Output, 1, product),
            port("seen", PortKind::Reveal, 0, product),
        ],
        keys: vec![
            key(KeyKind::Relinearise, 3),
            key(KeyKind::ToSparse, 0),
            key(KeyKind::FromSparse, 1),
            key(KeyKind::Galois(conjugation_element(u32::from(LOG_N))), 1),
        ],
        constants: constants
            .map(|kind| Constant {
                kind,
                scale: q[4] as f64,
            })
            .collect(),
        scalars: vec![],
        buffers,
        instructions,
        spans: vec![],
        estimates: Estimates::default(),
        parameters: Parameters {
            word_bits: 64,
            log_n: LOG_N,
            log_scale: SCALE.log2(),
            q,
            p,
            digit_limbs: 2,
            security_bits: 0,
            toy: true,
            steps: STEPS,
            ephemeral_weight: 32,
        },
    }
}

/// Epochs of [`epochs`].
pub const EPOCHS: u32 = 3;

/// The plan with epochs of [`STEPS`] steps, each with `out` and `seen` at its end.
pub fn epochs(name: &str) -> PlanFile {
    let mut data = plan_data(name, true);
    data.parameters.steps *= EPOCHS;
    let begin = data.instructions.iter().position(|i| i.op == Op::Loop).unwrap();
    let outer = Instruction {
        a: EPOCHS,
        ..Instruction::new(Op::Loop)
    };
    data.instructions.insert(begin, outer);
    // w goes on as it is: its conjugate is added where that is.
    let [.., rotate, add, output] = data.instructions.as_mut_slice() else {
        unreachable!("the plan ends with these")
    };
    (add.dst, add.a, add.b) = (rotate.dst, rotate.dst, add.a);
    output.a = rotate.dst;
    let ending = [Op::Epoch, Op::Checkpoint, Op::End];
    data.instructions.extend(ending.map(Instruction::new));
    PlanFile::from_bytes(data.encode().unwrap()).unwrap()
}

pub fn plan(name: &str, at_the_end: bool) -> PlanFile {
    PlanFile::from_bytes(plan_data(name, at_the_end).encode().unwrap()).unwrap()
}

pub fn data() -> BTreeMap<String, Tensor> {
    BTreeMap::from([
        ("x".to_owned(), tensor(&[BATCHES * ROWS, COLUMNS], 5)),
        ("w".to_owned(), tensor(&[ROWS, COLUMNS], 6)),
    ])
}

/// Fails unless the outputs are those of the plan in the clear.
///
/// The fused divisions round at scale 2^40 with deviation √N·√(2N/3/12)/2^40 ≈ 2^-32 in a slot, squares of values below 3 and
/// ten steps of them stay below 2^-26, fifteen below 2^-25; the switch to the ephemeral secret adds 2^-30.
pub fn check(found: &BTreeMap<String, Tensor>) {
    check_after(found, STEPS);
}

/// Fails unless the outputs are those in the clear after so many steps.
pub fn check_after(found: &BTreeMap<String, Tensor>, steps: u32) {
    let data = data();
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let slot = row as u32 * ROW_SLOTS + column as u32;
            let (re, im) = fourier::entry(&FOURIER, slot % (1 << FOURIER.log_slots));
            let re = re + FACTORS.iter().sum::<f64>();
            let at = row * COLUMNS + column;
            let squares = (0..steps as usize).map(|step| {
                let x = data["x"].values[step % BATCHES * ROWS * COLUMNS + at];
                2.0 * x * x * (re * re - im * im)
            });
            let w = data["w"].values[at] + squares.sum::<f64>();
            for (name, expected) in [("out", 2.0 * w), ("seen", w)] {
                let found = found[name].values[at];
                let error = (found - expected).abs();
                assert!(
                    error < 1.0 / f64::from(1 << 24),
                    "{name}[{row}, {column}]: {found}, expected {expected}"
                );
            }
        }
    }
}
