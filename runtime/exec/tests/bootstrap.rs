//! What bootstraps are made of: the way through the ephemeral secret, and the matrices of the special FFT.

mod common;

use cipherloom_ckks::{Encoder, encrypt, scratch};
use cipherloom_plan::data::*;
use cipherloom_plan::{Op, fourier};
use common::*;

const WEIGHT: u32 = 32;

/// x at level 0 → under the ephemeral secret → raised to the top → back under the main secret.
fn raised() -> Toy {
    let mut toy = Toy::new();
    toy.data.parameters.ephemeral_weight = WEIGHT;
    let keys = [toy.key(KeyKind::ToSparse, 0), toy.key(KeyKind::FromSparse, TOP)];
    let x = toy.input("x", 0);
    let (ephemeral, high, main, low) = (toy.ct(0, 1), toy.ct(TOP, 1), toy.ct(TOP, 1), toy.ct(0, 1));
    toy.emit(Op::SwitchSecret, 0, 0, ephemeral, x, keys[0]);
    toy.emit(Op::ModRaise, TOP, 0, high, ephemeral, 0);
    toy.emit(Op::SwitchSecret, TOP, 0, main, high, keys[1]);
    toy.output("raised", main, TOP, SCALE);
    toy.emit(Op::Drop, 0, 0, low, main, u32::from(TOP));
    toy.output("low", low, 0, SCALE);
    toy
}

/// The raised ciphertext decrypts to m + q_0·I with |I| ≤ (h + 1)/2 + 1: c_0 and c_1 are centred, below q_0/2, and the
/// ephemeral secret has h coefficients of size 1. Modulo q_0 it is the message.
#[test]
fn mod_raise_adds_a_small_multiple_of_the_first_prime() {
    let bytes = raised().bytes();
    let trace = run::<u64>(&bytes, |_, _| sample(1)).unwrap();
    // The special prime of the first switch is no larger than its digit: an error of variance N·σ²/12 + 2N/36 ≈ 930 in a
    // coefficient, and of deviation √(930·N) / scale ≈ 2^-30 in a slot.
    let bound = 1.0 / f64::from(1 << 26);
    assert_close(trace.one("low"), |slot| sample(1)[slot], bound);

    let raised = &trace.words["raised"][0];
    let level = usize::from(TOP);
    let multiples = with_client::<u64, _>(&bytes, |_, client| {
        let context = client.context;
        let n = context.degree();
        let mut plaintext = vec![0; context.parameters.plaintext_words(level)];
        encrypt::decrypt(context, &client.secret, raised, level, 1, &mut plaintext).unwrap();
        for (prime, limb) in plaintext.chunks_exact_mut(n).enumerate() {
            context.ring.ntt_inverse(prime, limb);
        }
        let q_0 = context.ring.modulus(0).value_u64();
        let centred = |value: u64, q: u64| value as i64 - if value > q / 2 { q as i64 } else { 0 };
        let multiple = |k: usize| {
            let message = centred(plaintext[k], q_0);
            // A message below one in size has coefficients below 2^40, and errors are far smaller.
            assert!(message.abs() < 1 << 41, "coefficient {k}: {message}");
            let of_prime = |prime: usize| {
                let modulus = context.ring.modulus(prime);
                let difference = modulus.sub(plaintext[prime * n + k], modulus.reduce_i64(message));
                let inverse = modulus.inv(modulus.reduce(q_0)).unwrap();
                centred(modulus.mul(difference, inverse), modulus.value_u64())
            };
            let multiple = of_prime(1);
            for prime in 2..=level {
                assert_eq!(of_prime(prime), multiple, "coefficient {k}, prime {prime}");
            }
            multiple
        };
        (0..n).map(multiple).collect::<Vec<i64>>()
    })
    .unwrap();
    let largest = multiples.iter().map(|multiple| multiple.abs()).max().unwrap();
    assert!(largest <= i64::from(WEIGHT / 2) + 1, "{largest}");
    // The variance of I is (h + 1)/12: three in four are not 0, and the mean square of 1024 is within a quarter of it.
    let square = multiples.iter().map(|multiple| multiple * multiple).sum::<i64>() as f64 / 1024.0;
    let expected = f64::from(WEIGHT + 1) / 12.0;
    assert!(
        (square / expected - 1.0).abs() < 0.25,
        "{square}, expected {expected}"
    );
}

type Complex = (f64, f64);

/// The product of all stages (or its inverse) times a vector, from its diagonals.
fn transform(log_slots: u8, inverse: bool, input: &[Complex]) -> Vec<Complex> {
    let n = 1_usize << log_slots;
    let mut out = vec![(0.0, 0.0); n];
    for diagonal in 0..n {
        let description = Fourier {
            log_slots,
            first: 0,
            last: log_slots,
            inverse,
            diagonal: diagonal as i32,
            shift: 0,
            factor: 1.0,
        };
        for (row, out) in out.iter_mut().enumerate() {
            let (re, im) = fourier::entry(&description, row as u32);
            let (x, y) = input[(row + diagonal) % n];
            *out = (out.0 + re * x - im * y, out.1 + re * y + im * x);
        }
    }
    out
}

/// Decoding is a bit reversal and all stages, for full and for sparse packing: w_j = c_(j·g) + i·c_((j+n)·g) in a
/// polynomial in X^g, g = N/2n.
#[test]
fn the_stages_are_those_of_decoding() {
    let bytes = raised().bytes();
    for log_slots in [3_u8, 7, 9] {
        let n = 1_usize << log_slots;
        let gap = SLOTS / n;
        let mut coefficients = vec![0_i64; 2 * SLOTS];
        for (index, coefficient) in coefficients.iter_mut().step_by(gap).enumerate() {
            *coefficient = (index as i64 * 7_919 + 31) % 2_001 - 1_000;
        }
        let bits = u32::from(log_slots);
        let reversed: Vec<Complex> = (0..n)
            .map(|j| {
                let j = j.reverse_bits() >> (usize::BITS - bits);
                (coefficients[j * gap] as f64, coefficients[(j + n) * gap] as f64)
            })
            .collect();
        let (re, im) = with_client::<u64, _>(&bytes, |_, client| {
            let (context, encoder): (_, &Encoder<'_>) = (client.context, client.encoder);
            let modulus = context.ring.modulus(0);
            let mut plaintext: Vec<u64> = coefficients.iter().map(|&c| modulus.reduce_i64(c)).collect();
            context.ring.ntt_forward(0, &mut plaintext);
            let (mut re, mut im) = (vec![0.0; SLOTS], vec![0.0; SLOTS]);
            let mut working = vec![0; scratch::decode_scratch(&context.parameters, 0)];
            encoder
                .decode(context, &plaintext, 0, 1.0, &mut re, &mut im, &mut working)
                .unwrap();
            (re, im)
        })
        .unwrap();
        let slots = transform(log_slots, false, &reversed);
        // 512 terms of size 1414 with errors of 2^-52 each.
        let bound = 1e-9;
        for slot in 0..SLOTS {
            let (x, y) = slots[slot % n];
            let error = (re[slot] - x).hypot(im[slot] - y);
            assert!(error < bound, "2^{log_slots} slots, slot {slot}: {error}");
        }
        let back = transform(log_slots, true, &slots);
        for (found, expected) in back.iter().zip(&reversed) {
            assert!((found.0 - expected.0).hypot(found.1 - expected.1) < bound);
        }
    }
}
