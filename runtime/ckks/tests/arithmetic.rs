//! Arithmetic on ciphertexts, against the same arithmetic on complex numbers.

mod common;

use cipherloom_ckks::{Basis, CkksError, evaluate, scratch};
use common::*;

const LOG_N: u32 = 11;
const LEVEL: usize = 3;
const SCALE: f64 = (1u64 << 40) as f64;
/// Errors of some thousand units at this scale.
const CLOSE: f64 = 1e-8;

fn kit() -> Kit<u64> {
    let mut q = primes(50, LOG_N, 0, 1);
    q.extend(primes(40, LOG_N, 0, 3));
    Kit::new(LOG_N, &q, &primes(50, LOG_N, 1, 2), 2)
}

#[test]
fn sums_are_sums() {
    let mut kit = kit();
    let (x, y) = (kit.random_slots(), kit.random_slots());
    let (a, b) = (kit.encrypt(&x, SCALE, LEVEL), kit.encrypt(&y, SCALE, LEVEL));
    let mut dst = vec![0; a.len()];
    let sum = map2(&x, &y, |x, y| (x.0 + y.0, x.1 + y.1));
    let difference = map2(&x, &y, |x, y| (x.0 - y.0, x.1 - y.1));
    let negative: Vec<_> = x.iter().map(|x| (-x.0, -x.1)).collect();

    evaluate::add(&kit.ctx, LEVEL, 2, Basis::Q, &mut dst, &a, &b).unwrap();
    assert!(largest_error(&kit.decrypt(&dst, LEVEL, SCALE), &sum) < CLOSE);
    let mut in_place = a.clone();
    evaluate::add_assign(&kit.ctx, LEVEL, 2, Basis::Q, &mut in_place, &b).unwrap();
    assert_eq!(in_place, dst);

    evaluate::sub(&kit.ctx, LEVEL, 2, Basis::Q, &mut dst, &a, &b).unwrap();
    assert!(largest_error(&kit.decrypt(&dst, LEVEL, SCALE), &difference) < CLOSE);
    let mut in_place = a.clone();
    evaluate::sub_assign(&kit.ctx, LEVEL, 2, Basis::Q, &mut in_place, &b).unwrap();
    assert_eq!(in_place, dst);

    evaluate::neg(&kit.ctx, LEVEL, 2, Basis::Q, &mut dst, &a).unwrap();
    assert!(largest_error(&kit.decrypt(&dst, LEVEL, SCALE), &negative) < CLOSE);
    let mut in_place = a.clone();
    evaluate::neg_assign(&kit.ctx, LEVEL, 2, Basis::Q, &mut in_place).unwrap();
    assert_eq!(in_place, dst);
}

#[test]
fn plaintexts_and_scalars() {
    let mut kit = kit();
    let (x, y) = (kit.random_slots(), kit.random_slots());
    let a = kit.encrypt(&x, SCALE, LEVEL);
    let plaintext = kit.encode(&y, SCALE, LEVEL, Basis::Q);
    let product = map2(&x, &y, complex_mul);

    let mut sum = a.clone();
    evaluate::add_plain_assign(&kit.ctx, LEVEL, &mut sum, &plaintext).unwrap();
    let expected = map2(&x, &y, |x, y| (x.0 + y.0, x.1 + y.1));
    assert!(largest_error(&kit.decrypt(&sum, LEVEL, SCALE), &expected) < CLOSE);

    let mut dst = vec![0; a.len()];
    evaluate::mul_plain(&kit.ctx, LEVEL, 1, Basis::Q, &mut dst, &a, &plaintext).unwrap();
    assert!(largest_error(&kit.decrypt(&dst, LEVEL, SCALE * SCALE), &product) < CLOSE);
    let mut in_place = a.clone();
    evaluate::mul_plain_assign(&kit.ctx, LEVEL, 1, Basis::Q, &mut in_place, &plaintext).unwrap();
    assert_eq!(in_place, dst);
    evaluate::mul_plain_acc(&kit.ctx, LEVEL, 1, Basis::Q, &mut dst, &a, &plaintext).unwrap();
    let twice: Vec<_> = product.iter().map(|z| (2.0 * z.0, 2.0 * z.1)).collect();
    assert!(largest_error(&kit.decrypt(&dst, LEVEL, SCALE * SCALE), &twice) < CLOSE);

    let mut shifted = a.clone();
    evaluate::add_scalar_assign(&kit.ctx, LEVEL, &mut shifted, -0.75 * SCALE).unwrap();
    let expected: Vec<_> = x.iter().map(|x| (x.0 - 0.75, x.1)).collect();
    assert!(largest_error(&kit.decrypt(&shifted, LEVEL, SCALE), &expected) < CLOSE);

    evaluate::mul_scalar(&kit.ctx, LEVEL, 1, &mut dst, &a, -1.25 * SCALE).unwrap();
    let expected: Vec<_> = x.iter().map(|x| (-1.25 * x.0, -1.25 * x.1)).collect();
    assert!(largest_error(&kit.decrypt(&dst, LEVEL, SCALE * SCALE), &expected) < CLOSE);

    let mut in_place = a.clone();
    evaluate::mul_scalar_assign(&kit.ctx, LEVEL, 1, &mut in_place, -1.25 * SCALE).unwrap();
    assert_eq!(in_place, dst);

    evaluate::mul_i(&kit.ctx, LEVEL, 1, &mut dst, &a).unwrap();
    let expected: Vec<_> = x.iter().map(|x| (-x.1, x.0)).collect();
    assert!(largest_error(&kit.decrypt(&dst, LEVEL, SCALE), &expected) < CLOSE);
    let mut four = dst.clone();
    for _ in 0..3 {
        evaluate::mul_i_assign(&kit.ctx, LEVEL, 1, &mut four).unwrap();
    }
    assert_eq!(four, a, "i^4 = 1 exactly");
}

/// A product, relinearised and rescaled, has the error that the formulas add up to.
#[test]
fn a_product_has_the_predicted_error() {
    let mut kit = kit();
    let (x, y) = (kit.random_slots(), kit.random_slots());
    let key = kit.relinearisation_key(LEVEL);
    for level in [LEVEL, 1] {
        let (a, b) = (kit.encrypt(&x, SCALE, level), kit.encrypt(&y, SCALE, level));
        let ct = kit.relinearize(&kit.mul(&a, &b, level), level, &key, LEVEL);
        let ct = kit.rescale(&ct, level);
        let q = kit.parameters().q[level] as f64;
        let measured = slot_error(
            &kit.decrypt(&ct, level - 1, SCALE * SCALE / q),
            &map2(&x, &y, complex_mul),
        );

        // E|z|² = 2/3 on the unit square, so that a coefficient has mean square Δ²·(2/3)/N.
        let n = kit.parameters().degree() as f64;
        let (message, fresh) = (SCALE * SCALE * 2.0 / 3.0 / n, VARIANCE + 1.0 / 12.0);
        let product = n * (2.0 * message * fresh + fresh * fresh);
        let variance = (product + kit.switch_variance(level)) / (q * q) + kit.rounding_variance();
        assert_predicted(measured, (n / 2.0 * variance).sqrt() / (SCALE * SCALE / q));
    }
}

#[test]
fn a_degree_2_ciphertext_decrypts_and_rescales_as_it_is() {
    let mut kit = kit();
    let (x, y) = (kit.random_slots(), kit.random_slots());
    let (a, b) = (kit.encrypt(&x, SCALE, LEVEL), kit.encrypt(&y, SCALE, LEVEL));
    let expected = map2(&x, &y, complex_mul);
    let ct = kit.mul(&a, &b, LEVEL);
    assert!(largest_error(&kit.decrypt(&ct, LEVEL, SCALE * SCALE), &expected) < CLOSE);
    let lower = kit.rescale(&ct, LEVEL);
    let scale = SCALE * SCALE / kit.parameters().q[LEVEL] as f64;
    let decrypted = kit.decrypt_plaintext(&lower, LEVEL - 1);
    let exact = kit.encode(&expected, scale, LEVEL - 1, Basis::Q);
    let n = kit.parameters().degree() as f64;
    let rounding = (1.0 + 2.0 * n / 3.0 + 8.0 * n * n / 9.0) / 12.0;
    let measured = standard_deviation(&kit.coefficients(&decrypted, &exact));
    assert!((measured / rounding.sqrt() - 1.0).abs() < 0.2, "{measured}");
}

#[test]
fn a_square_is_a_product_with_itself() {
    let mut kit = kit();
    let x = kit.random_slots();
    let a = kit.encrypt(&x, SCALE, LEVEL);
    let mut square = vec![0; kit.parameters().ciphertext_words(LEVEL, 2)];
    evaluate::square(&kit.ctx, LEVEL, &mut square, &a).unwrap();
    assert_eq!(square, kit.mul(&a, &a, LEVEL));
}

#[test]
fn a_sum_of_products_is_relinearised_once() {
    let mut kit = kit();
    let key = kit.relinearisation_key(LEVEL);
    let mut sum = vec![0; kit.parameters().ciphertext_words(LEVEL, 2)];
    let mut expected = vec![(0.0, 0.0); kit.parameters().slots()];
    for _ in 0..5 {
        let (x, y) = (kit.random_slots(), kit.random_slots());
        let (a, b) = (kit.encrypt(&x, SCALE, LEVEL), kit.encrypt(&y, SCALE, LEVEL));
        evaluate::mul_acc(&kit.ctx, LEVEL, &mut sum, &a, &b).unwrap();
        expected = map2(&expected, &map2(&x, &y, complex_mul), |s, z| {
            (s.0 + z.0, s.1 + z.1)
        });
    }
    let ct = kit.rescale(&kit.relinearize(&sum, LEVEL, &key, LEVEL), LEVEL);
    let scale = SCALE * SCALE / kit.parameters().q[LEVEL] as f64;
    assert!(largest_error(&kit.decrypt(&ct, LEVEL - 1, scale), &expected) < CLOSE);
}

#[test]
fn dropping_keeps_the_message() {
    let mut kit = kit();
    let x = kit.random_slots();
    let a = kit.encrypt(&x, SCALE, LEVEL);
    for to in [0, 2, LEVEL] {
        let mut lower = vec![0; kit.parameters().ciphertext_words(to, 1)];
        evaluate::drop(&kit.ctx, LEVEL, to, 1, &mut lower, &a).unwrap();
        assert!(largest_error(&kit.decrypt(&lower, to, SCALE), &x) < CLOSE);
    }
    let mut higher = vec![0; kit.parameters().ciphertext_words(LEVEL, 1)];
    let refused = evaluate::drop(&kit.ctx, 2, LEVEL, 1, &mut higher, &a);
    assert_eq!(refused, Err(CkksError::NoLowerLevel));
}

/// Raising from q_0 adds a multiple q_0·I; modulo q_0 nothing changes, and I is small.
#[test]
fn raising_the_modulus_adds_a_small_multiple_of_the_first_prime() {
    let mut kit = kit();
    let x = kit.random_slots();
    let a = kit.encrypt(&x, SCALE, 0);
    let mut raised = vec![0; kit.parameters().ciphertext_words(LEVEL, 1)];
    let mut work = vec![0; scratch::mod_raise_scratch(kit.parameters(), LEVEL)];
    evaluate::mod_raise(&kit.ctx, LEVEL, &mut raised, &a, &mut work).unwrap();
    let plaintext = kit.decrypt_plaintext(&raised, LEVEL);
    assert!(largest_error(&kit.decode(&plaintext[..a.len() / 2], 0, SCALE), &x) < CLOSE);
    // Over q_0 the slots are far from the message, but below 2^100 they are exact: |m + q_0·I|, |I| about √(N/18).
    let n = kit.parameters().degree() as f64;
    let q = kit.parameters().q[0] as f64;
    let whole = kit.decode(&plaintext, LEVEL, q);
    assert_predicted(
        slot_error(&whole, &vec![(0.0, 0.0); whole.len()]),
        (n / 2.0 * n / 18.0).sqrt(),
    );
}

#[test]
fn bad_operands_are_errors() {
    let mut kit = kit();
    let a = kit.encrypt(&[(1.0, 0.0)], SCALE, 1);
    let mut dst = vec![0; a.len()];
    let ctx = &kit.ctx;
    let length = |result: Result<(), CkksError>| matches!(result, Err(CkksError::Length { .. }));
    assert!(length(evaluate::add(ctx, 1, 2, Basis::Q, &mut dst, &a[1..], &a)));
    assert!(length(evaluate::add(ctx, 1, 2, Basis::Qp, &mut dst, &a, &a)));
    assert!(length(evaluate::add_assign(ctx, 0, 2, Basis::Q, &mut dst, &a)));
    assert!(length(evaluate::mul_plain(ctx, 1, 1, Basis::Q, &mut dst, &a, &a)));
    assert!(length(evaluate::mul(ctx, 1, &mut dst, &a, &a)));
    assert!(length(evaluate::add_scalar_assign(ctx, 1, &mut dst[1..], 1.0)));
    assert!(length(evaluate::add_scalar_assign(ctx, 1, &mut [], 1.0)));
    assert!(length(evaluate::rescale(
        ctx,
        1,
        1,
        &mut dst,
        &a,
        &mut [0; 3 << LOG_N]
    )));
    let half = dst.len() / 2;
    assert!(length(evaluate::rescale(
        ctx,
        1,
        1,
        &mut dst[..half],
        &a,
        &mut [0; 7]
    )));
    assert_eq!(
        evaluate::rescale(ctx, 0, 1, &mut dst, &a[..half], &mut [0; 3 << LOG_N]),
        Err(CkksError::NoLowerLevel)
    );
    assert_eq!(
        evaluate::mul_scalar(ctx, 1, 1, &mut dst, &a, f64::NAN),
        Err(CkksError::NotFinite)
    );
    assert_eq!(
        evaluate::mul_scalar(ctx, 1, 1, &mut dst, &a, 1e37),
        Err(CkksError::TooLarge)
    );
    assert_eq!(
        evaluate::neg_assign(ctx, usize::MAX, 2, Basis::Q, &mut dst),
        Err(CkksError::Level {
            level: usize::MAX,
            highest: LEVEL
        })
    );
}
