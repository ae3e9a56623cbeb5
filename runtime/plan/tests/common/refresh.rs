//! A plan with the instructions of a bootstrap: down to the ephemeral secret, up through `mod_raise`, a linear map and a
//! product, in a loop that carries its value.

use super::{Q, op};
use cipherloom_plan::WordCounts;
use cipherloom_plan::data::*;

pub const P: [u64; 2] = [1_125_899_906_826_241, 1_125_899_906_629_633];
const SCALE: f64 = (1_u64 << 40) as f64;

/// Where the instructions of [`plan`] stand.
pub mod at {
    pub const TO_SPARSE: usize = 5;
    pub const MOD_RAISE: usize = 6;
    pub const FROM_SPARSE: usize = 7;
    pub const SECOND_LIFT: usize = 10;
    pub const SUM: usize = 11;
    pub const MOD_DOWN_RESCALE: usize = 12;
    pub const SQUARE: usize = 13;
    pub const RELINEARIZE_RESCALE: usize = 14;
    pub const DROP: usize = 16;
}

/// Buffers of [`plan`].
pub mod buffer {
    pub const X: u32 = 0;
    pub const EPHEMERAL: u32 = 1;
    pub const RAISED: u32 = 2;
    pub const MAIN: u32 = 3;
    /// Two of them.
    pub const LIFTED: u32 = 4;
    /// Two of them.
    pub const DIAGONAL: u32 = 6;
    pub const SUM: u32 = 8;
    pub const LOW: u32 = 9;
    pub const SQUARED: u32 = 10;
    pub const PRODUCT: u32 = 11;
    pub const OUT: u32 = 12;
}

/// Of 512 slots, the diagonals repeat after 32.
pub const COMPACT: u8 = 4;

pub fn plan() -> PlanData {
    use buffer::*;
    let words = WordCounts::new(10, 2, 2);
    let level_3 = |polynomials: u64| ((4 + 2) * polynomials) << 10;
    let sizes = [
        words.ciphertext(0, 1, Basis::Q),
        words.ciphertext(0, 1, Basis::Q),
        words.ciphertext(3, 1, Basis::Q),
        words.ciphertext(3, 1, Basis::Q),
        level_3(2),
        level_3(2),
        words.plaintext(3, Basis::Qp, COMPACT),
        words.plaintext(3, Basis::Qp, COMPACT),
        level_3(2),
        words.ciphertext(2, 1, Basis::Q),
        words.ciphertext(2, 2, Basis::Q),
        words.ciphertext(1, 1, Basis::Q),
        words.ciphertext(0, 1, Basis::Q),
    ];
    let mut end = 0;
    let place = |words| {
        end += words;
        Buffer {
            offset: end - words,
            words,
        }
    };
    let buffers = sizes.into_iter().map(place).collect();
    let diagonal = |diagonal, inverse| Constant {
        kind: ConstantKind::Fourier(Fourier {
            log_slots: 8,
            first: 2,
            last: 5,
            inverse,
            diagonal,
            shift: -17,
            factor: 0.125,
        }),
        // What the fused division takes away: the scale stays, but for the square.
        scale: Q[3] as f64,
    };
    let mut data = super::plan();
    let out_scale = SCALE * SCALE / Q[2] as f64;
    for (port, level, scale) in [(1, 0, SCALE), (5, 0, out_scale)] {
        data.ports[port].level = level;
        data.ports[port].scale = scale;
    }
    data.ports = vec![data.ports[1].clone(), data.ports[5].clone()];
    data.parameters.p = P.to_vec();
    data.parameters.digit_limbs = 2;
    data.parameters.steps = 0;
    data.parameters.ephemeral_weight = 32;
    data.scalars.clear();
    data.spans.clear();
    let key = |kind, level| Key { kind, level, uses: 5 };
    PlanData {
        name: "refresh".into(),
        keys: vec![
            key(KeyKind::Relinearise, 2),
            key(KeyKind::ToSparse, 0),
            key(KeyKind::FromSparse, 3),
        ],
        constants: vec![diagonal(-28, false), diagonal(4, true)],
        buffers,
        instructions: vec![
            op(Op::Input, 0, 0, X, 0, 0),
            op(Op::Encode, 3, aux_compact(AUX_QP, COMPACT), DIAGONAL, 0, 0),
            op(Op::Encode, 3, aux_compact(AUX_QP, COMPACT), DIAGONAL + 1, 1, 0),
            op(Op::Drop, 0, 0, OUT, X, 0),
            op(Op::Loop, 0, 0, 0, 5, 0),
            op(Op::SwitchSecret, 0, 0, EPHEMERAL, X, 1),
            op(Op::ModRaise, 3, 0, RAISED, EPHEMERAL, 0),
            op(Op::SwitchSecret, 3, 0, MAIN, RAISED, 2),
            op(Op::Checkpoint, 0, 0, 0, 0, 0),
            op(Op::LiftAcc, 3, AUX_INIT, LIFTED, MAIN, 0),
            op(Op::LiftAcc, 3, AUX_INIT, LIFTED + 1, MAIN, 0),
            op(
                Op::MulPlainSum,
                3,
                aux_sum(aux_compact(AUX_QP | AUX_INIT, COMPACT), 2),
                SUM,
                LIFTED,
                DIAGONAL,
            ),
            op(Op::ModDownRescale, 2, 0, LOW, SUM, 0),
            op(Op::Square, 2, 0, SQUARED, LOW, 0),
            op(Op::RelinearizeRescale, 1, 0, PRODUCT, SQUARED, 0),
            op(Op::End, 0, 0, 0, 0, 0),
            op(Op::Drop, 0, 0, OUT, PRODUCT, 1),
            op(Op::Output, 0, 0, 0, OUT, 1),
        ],
        ..data
    }
}
