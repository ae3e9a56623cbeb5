//! Fresh ciphertexts: noise, seeds, secrets.

mod common;

use cipherloom_ckks::{Basis, CkksError, SecretKey, encrypt, scratch, seed};
use common::*;

const LOG_N: u32 = 11;

fn kit() -> Kit<u64> {
    Kit::new(LOG_N, &primes(50, LOG_N, 0, 3), &[], 1)
}

#[test]
fn symmetric_encryption_has_the_error_of_the_distribution() {
    let mut kit = kit();
    let values = kit.random_slots();
    for level in [0, 2] {
        let scale = 2f64.powi(40);
        let plaintext = kit.encode(&values, scale, level, Basis::Q);
        let ct = kit.encrypt_plaintext(&plaintext, level);
        let decrypted = kit.decrypt_plaintext(&ct, level);
        let error = standard_deviation(&kit.coefficients(&decrypted, &plaintext));
        assert!((error / VARIANCE.sqrt() - 1.0).abs() < 0.1, "{error}");
        assert!(largest_error(&kit.decode(&decrypted, level, scale), &values) < 1e-9);
    }
}

#[test]
fn public_key_encryption_has_the_predicted_error() {
    let mut kit = kit();
    let values = kit.random_slots();
    let mut key = vec![0; encrypt::public_key_words(kit.parameters())];
    let key_seed = kit.fresh_seed();
    encrypt::generate_public_key(&kit.ctx, &kit.secret, &key_seed, &mut kit.rng, &mut key).unwrap();
    for level in [1, 2] {
        let plaintext = kit.encode(&values, 2f64.powi(40), level, Basis::Q);
        let mut ct = vec![0; kit.parameters().ciphertext_words(level, 1)];
        let mut work = vec![0; scratch::encrypt_public_scratch(kit.parameters(), level)];
        encrypt::encrypt_public(
            &kit.ctx,
            &key,
            &plaintext,
            level,
            &mut kit.rng,
            &mut ct,
            &mut work,
        )
        .unwrap();
        let error = kit.coefficients(&kit.decrypt_plaintext(&ct, level), &plaintext);
        let n = kit.parameters().degree() as f64;
        assert_predicted(
            standard_deviation(&error),
            (VARIANCE * (4.0 * n / 3.0 + 1.0)).sqrt(),
        );
    }
}

#[test]
fn a_ciphertext_says_nothing_without_its_secret() {
    let mut kit = kit();
    let plaintext = kit.encode(&[(1.0, 0.0)], 2f64.powi(40), 0, Basis::Q);
    let ct = kit.encrypt_plaintext(&plaintext, 0);
    let memory = leak(SecretKey::<u64>::memory_words(kit.parameters()));
    let other = SecretKey::from_seed(&kit.ctx, &[8; 32], memory).unwrap();
    let mut wrong = vec![0; plaintext.len()];
    encrypt::decrypt(&kit.ctx, &other, &ct, 0, 1, &mut wrong).unwrap();
    // Uniform modulo q_0: standard deviation q_0/√12.
    let q = kit.parameters().q[0] as f64;
    assert_predicted(
        standard_deviation(&kit.coefficients(&wrong, &plaintext)),
        q / 12f64.sqrt(),
    );
}

#[test]
fn secrets_are_ternary_and_sparse_secrets_have_their_weight() {
    let kit = kit();
    let n = kit.parameters().degree();
    // An "encryption" (0, 1) decrypts to the secret itself.
    let reveal = |secret: &SecretKey<'_, u64>| {
        let mut ct = vec![0u64; 2 * n];
        ct[n..].fill(1);
        let mut s = vec![0; n];
        encrypt::decrypt(&kit.ctx, secret, &ct, 0, 1, &mut s).unwrap();
        kit.coefficients(&s, &vec![0; n])
    };
    let count = |s: &[f64], value: f64| s.iter().filter(|&&x| x == value).count();

    let s = reveal(&kit.secret);
    for value in [-1.0, 0.0, 1.0] {
        // Binomial with p = 1/3: six standard deviations are 128.
        assert!(count(&s, value).abs_diff(n / 3) < 128);
    }
    assert_eq!(count(&s, -1.0) + count(&s, 0.0) + count(&s, 1.0), n);

    let words = SecretKey::<u64>::memory_words(kit.parameters());
    let sparse = reveal(&SecretKey::sparse_from_seed(&kit.ctx, &SEED, 32, leak(words)).unwrap());
    assert_eq!(
        (count(&sparse, 0.0), count(&sparse, 1.0) + count(&sparse, -1.0)),
        (n - 32, 32)
    );
    let full = reveal(&SecretKey::sparse_from_seed(&kit.ctx, &SEED, n, leak(words)).unwrap());
    assert_eq!(count(&full, 0.0), 0);
    assert!(matches!(
        SecretKey::sparse_from_seed(&kit.ctx, &SEED, n + 1, leak(words)),
        Err(CkksError::HammingWeight(_))
    ));
}

#[test]
fn secrets_are_wiped_on_drop() {
    let kit = kit();
    let mut memory = vec![0u64; SecretKey::<u64>::memory_words(kit.parameters())];
    drop(SecretKey::from_seed(&kit.ctx, &SEED, &mut memory).unwrap());
    assert!(memory.iter().all(|&word| word == 0));
}

#[test]
fn limbs_of_a_seed_stand_alone_and_seeds_differ() {
    let kit = kit();
    let n = kit.parameters().degree();
    let mut all = vec![0; 3 * n];
    encrypt::expand_c1(&kit.ctx, &SEED, 2, &mut all).unwrap();
    let mut one = vec![0; n];
    seed::expand_uniform(&kit.ctx, &SEED, 0, 2, &mut one).unwrap();
    assert_eq!(one, all[2 * n..]);
    let mut prefix = vec![0; 2 * n];
    encrypt::expand_c1(&kit.ctx, &SEED, 1, &mut prefix).unwrap();
    assert_eq!(prefix, all[..2 * n]);
    seed::expand_uniform(&kit.ctx, &SEED, 1, 2, &mut one).unwrap();
    assert_ne!(one, all[2 * n..]);
    assert_eq!(
        seed::expand_uniform(&kit.ctx, &SEED, 0, 3, &mut one),
        Err(CkksError::Prime(3))
    );

    let children = [
        seed::derive_seed(&SEED, 0),
        seed::derive_seed(&SEED, 1),
        seed::derive_seed(&[8; 32], 0),
    ];
    assert!(children[0] != children[1] && children[0] != children[2] && children[0] != SEED);
    assert_eq!(children[0], seed::derive_seed(&SEED, 0));
}

#[test]
fn flooding_has_its_width() {
    let mut kit = kit();
    let plaintext = kit.encode(&[(0.5, 0.0)], 2f64.powi(40), 1, Basis::Q);
    for bits in [0, 20, 40] {
        let mut flooded = plaintext.clone();
        let mut work = vec![0; scratch::flood_scratch(kit.parameters(), 1)];
        encrypt::flood(&kit.ctx, 1, &mut flooded, bits, &mut kit.rng, &mut work).unwrap();
        let noise = kit.coefficients(&flooded, &plaintext);
        let bound = 2f64.powi(bits as i32);
        assert!(noise.iter().all(|&x| -bound <= x && x < bound));
        let expected = if bits == 0 {
            0.5f64.sqrt()
        } else {
            bound / 3f64.sqrt()
        };
        assert!((standard_deviation(&noise) / expected - 1.0).abs() < 0.1);
    }
    let mut work = vec![0; scratch::flood_scratch(kit.parameters(), 1)];
    let refused = encrypt::flood(&kit.ctx, 1, &mut plaintext.clone(), 63, &mut kit.rng, &mut work);
    assert_eq!(refused, Err(CkksError::TooLarge));
}

#[test]
fn wrong_lengths_and_degrees_are_errors() {
    let mut kit = kit();
    let n = kit.parameters().degree();
    let (ct, mut plaintext) = (vec![0u64; 2 * n], vec![0u64; n]);
    let decrypt = |ct: &[u64], level, degree, plaintext: &mut [u64]| {
        encrypt::decrypt(&kit.ctx, &kit.secret, ct, level, degree, plaintext)
    };
    assert_eq!(decrypt(&ct, 0, 1, &mut plaintext), Ok(()));
    assert_eq!(decrypt(&ct, 0, 0, &mut plaintext), Err(CkksError::Degree(0)));
    assert_eq!(decrypt(&ct, 0, 3, &mut plaintext), Err(CkksError::Degree(3)));
    assert_eq!(
        decrypt(&ct, 5, 1, &mut plaintext),
        Err(CkksError::Level { level: 5, highest: 2 })
    );
    assert!(matches!(
        decrypt(&ct[1..], 0, 1, &mut plaintext),
        Err(CkksError::Length { .. })
    ));
    assert!(matches!(
        decrypt(&ct, 0, 1, &mut plaintext[1..]),
        Err(CkksError::Length { .. })
    ));
    let mut c0 = vec![0; n];
    let short = encrypt::encrypt_symmetric(
        &kit.ctx,
        &kit.secret,
        &plaintext,
        0,
        &SEED,
        &mut kit.rng,
        &mut c0,
        &mut [0; 3],
    );
    assert_eq!(
        short,
        Err(CkksError::Length {
            what: "encrypt scratch",
            expected: n,
            actual: 3
        })
    );
}
