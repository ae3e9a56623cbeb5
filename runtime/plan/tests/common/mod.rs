//! A small plan made by hand that uses most instructions: three training steps with a carried state, and two outputs.

use cipherloom_plan::WordCounts;
use cipherloom_plan::data::*;

#[allow(dead_code, reason = "not every test file uses the plan")]
pub mod refresh;

pub const N: u32 = 1024;
pub const Q: [u64; 4] = [
    1_125_899_906_856_961,
    1_099_511_592_961,
    1_099_511_590_913,
    1_099_511_678_977,
];
pub const P: [u64; 1] = [1_125_899_906_826_241];
pub const SCALE: f64 = (1_u64 << 40) as f64;

/// Where the instructions of [`plan`] stand.
#[allow(dead_code, reason = "no test file changes all of them")]
pub mod at {
    pub const ENCODE: usize = 1;
    pub const INPUT: usize = 2;
    pub const LOOP: usize = 3;
    pub const STEP: usize = 4;
    pub const STREAM: usize = 5;
    pub const MUL: usize = 6;
    pub const RELINEARIZE: usize = 7;
    pub const RESCALE: usize = 8;
    pub const DECOMPOSE: usize = 9;
    pub const ROTATE_ACC: usize = 10;
    pub const LIFT_ACC: usize = 12;
    pub const MOD_DOWN: usize = 13;
    pub const MUL_PLAIN: usize = 14;
    pub const SECOND_RESCALE: usize = 15;
    pub const MUL_SCALAR: usize = 16;
    pub const ADD: usize = 17;
    pub const ROTATE: usize = 18;
    pub const REVEAL: usize = 19;
    pub const END: usize = 20;
    pub const OUTPUT: usize = 22;
    pub const DROP: usize = 23;
    pub const LAST_OUTPUT: usize = 24;
}

/// Buffers of [`plan`].
#[allow(dead_code, reason = "no test file changes all of them")]
pub mod buffer {
    pub const W: u32 = 0;
    pub const X: u32 = 1;
    pub const PRODUCT: u32 = 2;
    pub const LINEAR: u32 = 3;
    pub const RESCALED: u32 = 4;
    pub const DIGITS: u32 = 5;
    pub const MASK: u32 = 6;
    pub const V: u32 = 7;
    /// Lies where `PRODUCT` lies.
    pub const ACCUMULATOR: u32 = 8;
    pub const SUM: u32 = 9;
    pub const GRADIENT: u32 = 10;
    pub const ROTATED: u32 = 11;
    pub const LOW: u32 = 12;
}

pub fn op(op: Op, level: u8, aux: u16, dst: u32, a: u32, b: u32) -> Instruction {
    Instruction {
        op,
        level,
        aux,
        dst,
        a,
        b,
    }
}

fn port(name: &str, kind: PortKind, level: u8, scale: f64) -> Port {
    Port {
        name: name.into(),
        kind,
        shape: vec![4, 8],
        layout: Layout {
            slots: N / 2,
            tiles: 1,
            dims: vec![LayoutDim::blocks(4, 16, 0), LayoutDim::blocks(8, 1, 0)],
            repeats: vec![Repeat { count: 8, stride: 64 }],
            factor: 0.5,
        },
        level,
        scale,
        low: -1.0,
        high: 1.0,
        one_hot: false,
        error: 0.0,
    }
}

pub fn parameters() -> Parameters {
    Parameters {
        word_bits: 64,
        log_n: 10,
        log_scale: 40.0,
        q: Q.to_vec(),
        p: P.to_vec(),
        digit_limbs: 1,
        security_bits: 0,
        toy: true,
        steps: 3,
        ephemeral_weight: 0,
    }
}

pub fn plan() -> PlanData {
    use buffer::*;
    let words = WordCounts::new(10, 1, 1);
    let product_scale = SCALE * SCALE / Q[3] as f64;
    // The mask's scale is the prime that is divided away: the gradient keeps the product's scale.
    let mask_scale = Q[2] as f64;
    let gradient_scale = product_scale * mask_scale / Q[2] as f64;

    let mut buffers = Vec::new();
    let mut end = 0;
    let mut place = |words: u64| {
        buffers.push(Buffer { offset: end, words });
        end += words;
    };
    place(words.ciphertext(1, 1, Basis::Q)); // W
    place(words.ciphertext(3, 1, Basis::Q)); // X
    place(words.ciphertext(3, 2, Basis::Q)); // PRODUCT
    place(words.ciphertext(3, 1, Basis::Q)); // LINEAR
    place(words.ciphertext(2, 1, Basis::Q)); // RESCALED
    place(words.decomposed(2)); // DIGITS
    place(words.plaintext(2, Basis::Q, 0)); // MASK
    place(words.ciphertext(3, 1, Basis::Q)); // V
    place(words.ciphertext(2, 1, Basis::Qp)); // ACCUMULATOR, moved below
    place(words.ciphertext(2, 1, Basis::Q)); // SUM
    place(words.ciphertext(1, 1, Basis::Q)); // GRADIENT
    place(words.ciphertext(1, 1, Basis::Q)); // ROTATED
    place(words.ciphertext(0, 1, Basis::Q)); // LOW
    buffers[ACCUMULATOR as usize].offset = buffers[PRODUCT as usize].offset;

    PlanData {
        name: "logistic".into(),
        parameters: parameters(),
        ports: vec![
            port("x", PortKind::Stream, 3, SCALE),
            port("v", PortKind::Input, 3, SCALE),
            port("w", PortKind::State, 1, gradient_scale),
            port("gradient", PortKind::Reveal, 1, gradient_scale),
            port("w", PortKind::Output, 1, gradient_scale),
            port("low", PortKind::Output, 0, gradient_scale),
        ],
        keys: vec![
            Key {
                kind: KeyKind::Relinearise,
                level: 3,
                uses: 3,
            },
            Key {
                kind: KeyKind::Galois(5),
                level: 2,
                uses: 3,
            },
            Key {
                kind: KeyKind::Galois(25),
                level: 2,
                uses: 3,
            },
            Key {
                kind: KeyKind::Galois(2 * N - 1),
                level: 1,
                uses: 3,
            },
        ],
        constants: vec![
            Constant {
                kind: ConstantKind::Boxes {
                    value: 0.25,
                    offset: 2,
                    dims: vec![
                        Repeat {
                            count: 4,
                            stride: 128,
                        },
                        Repeat { count: 3, stride: 1 },
                    ],
                },
                scale: mask_scale,
            },
            Constant {
                kind: ConstantKind::Slots {
                    values: vec![1.0, -2.0, 0.5, 3.25],
                },
                scale: SCALE,
            },
        ],
        scalars: vec![
            Scalar {
                values: vec![3.0, 2.0, 1.0],
                scale: 1.0,
            },
            Scalar {
                values: vec![0.125],
                scale: SCALE,
            },
        ],
        buffers,
        instructions: vec![
            op(Op::StateLoad, 1, 0, W, 2, 0),
            op(Op::Encode, 2, 0, MASK, 0, 0),
            op(Op::Input, 3, 0, V, 1, 0),
            op(Op::Loop, 0, 0, 0, 3, 0),
            op(Op::Step, 0, 0, 0, 0, 0),
            op(Op::Stream, 3, 0, X, 0, 0),
            op(Op::Mul, 3, 0, PRODUCT, X, V),
            op(Op::Relinearize, 3, 0, LINEAR, PRODUCT, 0),
            op(Op::Rescale, 2, 0, RESCALED, LINEAR, 0),
            op(Op::Decompose, 2, 0, DIGITS, RESCALED, 0),
            op(Op::RotateAcc, 2, AUX_INIT, ACCUMULATOR, DIGITS, 1),
            op(Op::RotateAcc, 2, 0, ACCUMULATOR, DIGITS, 2),
            op(Op::LiftAcc, 2, 0, ACCUMULATOR, RESCALED, 0),
            op(Op::ModDown, 2, 0, SUM, ACCUMULATOR, 0),
            op(Op::MulPlain, 2, 0, SUM, SUM, MASK),
            op(Op::Rescale, 1, 0, GRADIENT, SUM, 0),
            op(Op::MulScalar, 1, 0, GRADIENT, GRADIENT, 0),
            op(Op::Add, 1, 0, W, W, GRADIENT),
            op(Op::Rotate, 1, 0, ROTATED, GRADIENT, 3),
            op(Op::Reveal, 1, 0, 0, ROTATED, 3),
            op(Op::End, 0, 0, 0, 0, 0),
            op(Op::StateStore, 1, 0, 0, W, 2),
            op(Op::Output, 1, 0, 0, W, 4),
            op(Op::Drop, 0, 0, LOW, W, 1),
            op(Op::Output, 0, 0, 0, LOW, 5),
            op(Op::Checkpoint, 0, 0, 0, 0, 0),
        ],
        spans: vec![
            SourceSpan {
                instruction: 0,
                start: 10,
                end: 20,
            },
            SourceSpan {
                instruction: 4,
                start: 30,
                end: 52,
            },
            SourceSpan {
                instruction: 21,
                start: 60,
                end: 60,
            },
        ],
        estimates: Estimates {
            seconds: 1.5,
            seconds_per_step: 0.5,
            input_bytes: 123_456,
            output_bytes: 7_890,
            arena_lower_bound_words: 50_000,
            bootstrap_log2_failure: -80.5,
        },
    }
}

/// Puts the right hash into changed bytes.
#[allow(dead_code, reason = "not every test file changes bytes")]
pub fn fix_hash(bytes: &mut [u8]) {
    if bytes.len() > 48 {
        let hash = blake3::hash(&bytes[48..]);
        bytes[16..48].copy_from_slice(hash.as_bytes());
    }
}
