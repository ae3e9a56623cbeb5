//! Encoding and decoding, and what they refuse.

mod common;

use cipherloom_ckks::{Basis, CkksError, Parameters};
use common::*;
use proptest::prelude::*;
use std::f64::consts::PI;

const LOG_N: u32 = 10;

fn kit() -> Kit<u64> {
    kit_of(LOG_N)
}

fn kit_of(log_n: u32) -> Kit<u64> {
    let q = primes(50, log_n, 0, 3);
    Kit::new(log_n, &q, &primes(55, log_n, 0, 1), 1)
}

#[test]
fn decoding_undoes_encoding_to_the_rounding_error() {
    let mut kit = kit();
    let values = kit.random_slots();
    for level in 0..=2 {
        let scale = 2f64.powi(45);
        let plaintext = kit.encode(&values, scale, level, Basis::Q);
        let decoded = kit.decode(&plaintext, level, scale);
        let n = kit.parameters().degree() as f64;
        assert_predicted(slot_error(&decoded, &values) * scale, (n / 2.0 / 12.0).sqrt());
    }
}

/// Slot j is the polynomial at ζ^{5^j}: the definition, evaluated naively.
#[test]
fn slots_are_values_at_powers_of_five() {
    check_slots(LOG_N);
}

/// A ring whose slots are transformed in several parts.
#[test]
fn slots_of_a_large_ring_are_values_at_powers_of_five() {
    check_slots(14);
}

fn check_slots(log_n: u32) {
    let mut kit = kit_of(log_n);
    let values = kit.random_slots();
    let scale = 2f64.powi(40);
    let plaintext = kit.encode(&values, scale, 0, Basis::Q);
    let coefficients = kit.coefficients(&plaintext, &vec![0; plaintext.len()]);
    let two_n = 2 * coefficients.len() as u64;
    let mut power = 1u64;
    for (j, &(re, im)) in values.iter().enumerate() {
        if j % 37 == 0 {
            let (mut sum_re, mut sum_im) = (0.0, 0.0);
            for (k, c) in coefficients.iter().enumerate() {
                let angle = 2.0 * PI * ((power * k as u64) % two_n) as f64 / two_n as f64;
                sum_re += c * angle.cos() / scale;
                sum_im += c * angle.sin() / scale;
            }
            assert!(
                (sum_re - re).abs() < 1e-9 && (sum_im - im).abs() < 1e-9,
                "slot {j}"
            );
        }
        power = power * 5 % two_n;
    }
}

#[test]
fn short_vectors_repeat() {
    let kit = kit();
    let values: Vec<f64> = (0..8).map(|i| f64::from(i) - 3.5).collect();
    let mut plaintext = vec![0u64; kit.parameters().plaintext_words(1)];
    let mut work = vec![0.0; 1 << LOG_N];
    kit.encoder
        .encode_real(
            &kit.ctx,
            &values,
            2f64.powi(40),
            1,
            Basis::Q,
            &mut plaintext,
            &mut work,
        )
        .unwrap();
    for (j, (re, im)) in kit.decode(&plaintext, 1, 2f64.powi(40)).into_iter().enumerate() {
        assert!((re - values[j % 8]).abs() < 1e-9 && im.abs() < 1e-9);
    }
    // A vector of period 8 lies in the subring of X^{N/16}: the other coefficients are exactly zero.
    let coefficients = kit.coefficients(&plaintext, &vec![0; plaintext.len()]);
    assert!(
        coefficients
            .iter()
            .enumerate()
            .all(|(k, &c)| k % (1 << (LOG_N - 4)) == 0 || c == 0.0)
    );
}

/// The first prime is 50 bits; the scale is 90, so that reconstruction over two limbs is needed.
#[test]
fn decoding_joins_limbs() {
    let mut kit = kit();
    let values = kit.random_slots();
    let scale = 2f64.powi(90);
    let plaintext = kit.encode(&values, scale, 2, Basis::Q);
    assert!(largest_error(&kit.decode(&plaintext, 2, scale), &values) < 1e-13);
}

#[test]
fn a_qp_plaintext_continues_the_q_plaintext() {
    let mut kit = kit();
    let values = kit.random_slots();
    let q = kit.encode(&values, 2f64.powi(45), 1, Basis::Q);
    let qp = kit.encode(&values, 2f64.powi(45), 1, Basis::Qp);
    assert_eq!(q, qp[..q.len()]);
    let mut special = qp[q.len()..].to_vec();
    let mut first = q[..1 << LOG_N].to_vec();
    kit.ctx.ring.ntt_inverse(3, &mut special);
    kit.ctx.ring.ntt_inverse(0, &mut first);
    let centred = |x: u64, prime: usize| {
        let q = kit.ctx.ring.modulus(prime).value_u64();
        if x > q / 2 { x as i64 - q as i64 } else { x as i64 }
    };
    assert!(
        special
            .iter()
            .zip(&first)
            .all(|(&p, &q)| centred(p, 3) == centred(q, 0))
    );
}

#[test]
fn bad_input_is_an_error() {
    let kit = kit();
    let mut plaintext = vec![0u64; kit.parameters().plaintext_words(0)];
    let mut work = vec![0.0; 1 << LOG_N];
    let mut encode = |values: &[f64], scale: f64, level: usize, words: usize, work_len: usize| {
        kit.encoder.encode_real(
            &kit.ctx,
            values,
            scale,
            level,
            Basis::Q,
            &mut plaintext[..words],
            &mut work[..work_len],
        )
    };
    let n = 1 << LOG_N;
    assert_eq!(encode(&[1.0], 1024.0, 0, n, n), Ok(()));
    assert_eq!(encode(&[f64::NAN], 1024.0, 0, n, n), Err(CkksError::NotFinite));
    assert_eq!(
        encode(&[f64::INFINITY], 1024.0, 0, n, n),
        Err(CkksError::NotFinite)
    );
    assert_eq!(encode(&[1.0], f64::NAN, 0, n, n), Err(CkksError::NotFinite));
    assert_eq!(encode(&[1.0], 0.0, 0, n, n), Err(CkksError::Scale));
    assert_eq!(encode(&[1.0], -1.0, 0, n, n), Err(CkksError::Scale));
    assert_eq!(encode(&[1e30], 1e30, 0, n, n), Err(CkksError::TooLarge));
    assert_eq!(encode(&[f64::MAX], 1e30, 0, n, n), Err(CkksError::TooLarge));
    assert!(matches!(
        encode(&[], 1.0, 0, n, n),
        Err(CkksError::Length { what: "values", .. })
    ));
    assert!(matches!(
        encode(&[1.0; 3], 1.0, 0, n, n),
        Err(CkksError::Length { what: "values", .. })
    ));
    assert!(matches!(
        encode(&[1.0], 1.0, 0, n - 1, n),
        Err(CkksError::Length {
            what: "plaintext",
            ..
        })
    ));
    assert!(matches!(
        encode(&[1.0], 1.0, 0, n, n - 1),
        Err(CkksError::Length {
            what: "encode scratch",
            ..
        })
    ));
    assert_eq!(
        encode(&[1.0], 1.0, 3, n, n),
        Err(CkksError::Level { level: 3, highest: 2 })
    );
}

#[test]
fn inconsistent_parameters_are_refused() {
    let q = primes(50, LOG_N, 0, 4);
    let p = primes(50, LOG_N, 4, 1);
    let refused = |log_n, q: &[u64], p: &[u64], alpha| {
        matches!(Parameters::new(log_n, q, p, alpha), Err(CkksError::Parameters(_)))
    };
    assert!(Parameters::new(LOG_N, &q, &primes(51, LOG_N, 0, 1), 1).is_ok());
    assert!(refused(3, &q, &[], 1));
    assert!(refused(LOG_N, &[], &p, 1));
    assert!(refused(LOG_N, &[q[0], q[0]], &[], 1));
    assert!(refused(LOG_N, &[q[0] + 2], &[], 1));
    assert!(refused(LOG_N, &q, &p, 0));
    assert!(refused(LOG_N, &q, &p, 2));
    assert!(refused(LOG_N, &primes(50, LOG_N, 0, 65), &[], 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]
    /// Relative precision holds from tiny to large values.
    #[test]
    fn precision_is_relative_to_the_scale(exponent in -20i32..20, value in -1.0f64..1.0) {
        let kit = kit();
        let value = value * 2f64.powi(exponent);
        let scale = 2f64.powi(48 - exponent.max(0) - 4);
        let mut plaintext = vec![0u64; kit.parameters().plaintext_words(0)];
        let mut work = vec![0.0; 1 << LOG_N];
        kit.encoder.encode_real(&kit.ctx, &[value], scale, 0, Basis::Q, &mut plaintext, &mut work).unwrap();
        for (re, im) in kit.decode(&plaintext, 0, scale) {
            prop_assert!((re - value).abs() * scale <= 0.5 + value.abs() * scale * 1e-15);
            prop_assert!(im.abs() * scale <= 0.5);
        }
    }
}
