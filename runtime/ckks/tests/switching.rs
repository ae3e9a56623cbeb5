//! Key switching: rotations, conjugation, hoisting, capped keys, partial digits.

mod common;

use cipherloom_ckks::{CkksError, SecretKey, keys, scratch, switch};
use cipherloom_ring::automorphism;
use common::*;
use proptest::prelude::*;

const LOG_N: u32 = 10;
const SCALE: f64 = (1u64 << 40) as f64;

/// Five q-limbs in digits of two: the last digit is partial.
fn kit() -> Kit<u64> {
    Kit::new(LOG_N, &primes(45, LOG_N, 0, 5), &primes(46, LOG_N, 0, 2), 2)
}

/// √ of the slot variance, in units of the scale, of some variance per coefficient.
fn in_slots(kit: &Kit<u64>, variance: f64) -> f64 {
    (kit.parameters().degree() as f64 / 2.0 * variance).sqrt() / SCALE
}

#[test]
fn rotations_move_slots_left_with_the_predicted_error() {
    let mut kit = kit();
    let x = kit.random_slots();
    let level = 4;
    let a = kit.encrypt(&x, SCALE, level);
    for steps in [1, 2, 7, 100, -1, -13, 256, 511] {
        let element = kit.element(steps);
        let key = kit.galois_key(element, level);
        let decrypted = kit.decrypt(&kit.rotate(element, &a, level, &key, level), level, SCALE);
        let variance = VARIANCE + 1.0 / 12.0 + kit.switch_variance(level);
        assert_predicted(
            slot_error(&decrypted, &rotated(&x, steps)),
            in_slots(&kit, variance),
        );
    }
}

#[test]
fn conjugation_conjugates() {
    let mut kit = kit();
    let x = kit.random_slots();
    let a = kit.encrypt(&x, SCALE, 2);
    let element = automorphism::conjugation_element(LOG_N);
    let key = kit.galois_key(element, 2);
    let decrypted = kit.decrypt(&kit.rotate(element, &a, 2, &key, 2), 2, SCALE);
    let expected: Vec<_> = x.iter().map(|x| (x.0, -x.1)).collect();
    assert!(largest_error(&decrypted, &expected) < 1e-8);
}

/// One key, capped at level 3, serves every level up to it, with full and with partial last digits.
#[test]
fn a_capped_key_serves_every_lower_level() {
    let mut kit = kit();
    let x = kit.random_slots();
    let element = kit.element(5);
    let (key, relinearisation) = (kit.galois_key(element, 3), kit.relinearisation_key(3));
    for level in 0..=3 {
        let a = kit.encrypt(&x, SCALE, level);
        let decrypted = kit.decrypt(&kit.rotate(element, &a, level, &key, 3), level, SCALE);
        let variance = VARIANCE + 1.0 / 12.0 + kit.switch_variance(level);
        assert_predicted(slot_error(&decrypted, &rotated(&x, 5)), in_slots(&kit, variance));
        if level > 0 {
            let product = kit.relinearize(&kit.mul(&a, &a, level), level, &relinearisation, 3);
            let squares = map2(&x, &x, complex_mul);
            assert!(largest_error(&kit.decrypt(&product, level, SCALE * SCALE), &squares) < 1e-8);
        }
    }
    let a = kit.encrypt(&x, SCALE, 4);
    let mut dst = vec![0; a.len()];
    let mut work = vec![0; scratch::rotate_scratch(kit.parameters(), 4)];
    let refused = switch::rotate(&kit.ctx, 4, element, &mut dst, &a, &key, 3, &mut work);
    assert_eq!(refused, Err(CkksError::Level { level: 4, highest: 3 }));
}

/// One decomposition and one mod-down serve a sum of rotations and of the ciphertext itself.
#[test]
fn a_hoisted_sum_is_the_sum_of_the_rotations() {
    let mut kit = kit();
    let x = kit.random_slots();
    let level = 3;
    let a = kit.encrypt(&x, SCALE, level);
    let rotations = [1i64, 3, -4, 64];
    let keys: Vec<_> = rotations
        .iter()
        .map(|&r| (kit.element(r), kit.galois_key(kit.element(r), 4)))
        .collect();

    let parameters = kit.parameters();
    let mut decomposed = vec![0; parameters.decomposed_words(level)];
    let mut acc = vec![0xdead_beef; parameters.qp_words(level, 1)];
    let mut hoisted = vec![0; a.len()];
    let mut work = vec![0; scratch::rotate_scratch(parameters, level)];
    switch::decompose(&kit.ctx, level, &mut decomposed, &a, &mut work).unwrap();
    switch::lift_acc(&kit.ctx, level, &mut acc, &a, true).unwrap();
    for (element, key) in &keys {
        switch::rotate_acc(&kit.ctx, level, *element, key, 4, &mut acc, &decomposed, false).unwrap();
    }
    let kept = acc.clone();
    switch::mod_down(&kit.ctx, level, &mut hoisted, &acc, &mut work).unwrap();
    assert_eq!(acc, kept, "the accumulator is kept");

    let mut expected = x.clone();
    let mut one_by_one = kit.decrypt(&a, level, SCALE);
    for (&r, (element, key)) in rotations.iter().zip(&keys) {
        expected = map2(&expected, &rotated(&x, r), |s, z| (s.0 + z.0, s.1 + z.1));
        let rotation = kit.decrypt(&kit.rotate(*element, &a, level, key, 4), level, SCALE);
        one_by_one = map2(&one_by_one, &rotation, |s, z| (s.0 + z.0, s.1 + z.1));
    }
    let hoisted = kit.decrypt(&hoisted, level, SCALE);
    let rounding = kit.rounding_variance();
    let switches = 4.0 * (kit.switch_variance(level) - rounding);
    let variance = 5.0 * (VARIANCE + 1.0 / 12.0) + switches + rounding;
    assert_predicted(slot_error(&hoisted, &expected), in_slots(&kit, variance));
    // Both carry the same key-switching errors; they differ by five roundings.
    assert_predicted(slot_error(&hoisted, &one_by_one), in_slots(&kit, 5.0 * rounding));
}

/// A rotation in one is the same words as its parts, at every level: with one digit, with several, with a short one.
#[test]
fn a_rotation_is_its_parts() {
    let mut kit = kit();
    let element = kit.element(5);
    let key = kit.galois_key(element, 4);
    let x = kit.random_slots();
    for level in 0..=4 {
        let a = kit.encrypt(&x, SCALE, level);
        let parameters = kit.parameters();
        let mut decomposed = vec![1; parameters.decomposed_words(level)];
        let mut acc = vec![1; parameters.qp_words(level, 1)];
        let mut dst = vec![1; a.len()];
        let mut work = vec![1; scratch::rotate_scratch(parameters, level)];
        let ctx = &kit.ctx;
        switch::decompose(ctx, level, &mut decomposed, &a, &mut work).unwrap();
        switch::rotate_acc(ctx, level, element, &key, 4, &mut acc, &decomposed, true).unwrap();
        switch::mod_down(ctx, level, &mut dst, &acc, &mut work).unwrap();
        assert_eq!(dst, kit.rotate(element, &a, level, &key, 4), "level {level}");
    }
}

#[test]
fn lifting_alone_is_exact() {
    let mut kit = kit();
    let x = kit.random_slots();
    let a = kit.encrypt(&x, SCALE, 2);
    let mut acc = vec![1; kit.parameters().qp_words(2, 1)];
    let mut down = vec![0; a.len()];
    let mut work = vec![0; scratch::mod_down_scratch(kit.parameters(), 2)];
    switch::lift_acc(&kit.ctx, 2, &mut acc, &a, true).unwrap();
    switch::mod_down(&kit.ctx, 2, &mut down, &acc, &mut work).unwrap();
    assert_eq!(down, a);
}

#[test]
fn the_a_half_of_a_key_comes_from_its_seed() {
    let mut kit = kit();
    let seed = kit.fresh_seed();
    let mut key = vec![0; kit.parameters().switching_key_words::<u64>(3)];
    let mut work = vec![0; scratch::generate_key_scratch(kit.parameters(), 3)];
    let element = kit.element(1);
    keys::generate_galois_key(
        &kit.ctx,
        &kit.secret,
        element,
        3,
        &seed,
        &mut kit.rng,
        &mut key,
        &mut work,
    )
    .unwrap();
    assert!(work.iter().all(|&word| word == 0), "no secret stays in scratch");
    let half = kit.parameters().packed_words::<u64>(3);
    let mut loaded = key.clone();
    loaded
        .chunks_exact_mut(2 * half)
        .for_each(|pair| pair[half..].fill(0));
    keys::expand_key_a(&kit.ctx, 3, &seed, &mut loaded, &mut work).unwrap();
    assert_eq!(loaded, key);
}

/// To a sparse secret and back, as a bootstrap does.
#[test]
fn a_ciphertext_moves_between_secrets() {
    let mut kit = kit();
    let x = kit.random_slots();
    let words = SecretKey::<u64>::memory_words(kit.parameters());
    let sparse = SecretKey::sparse_from_seed(&kit.ctx, &SEED, 32, leak(words)).unwrap();
    let seeds = [kit.fresh_seed(), kit.fresh_seed()];
    let mut key = vec![0; kit.parameters().switching_key_words::<u64>(1)];
    let mut work = vec![0; scratch::generate_key_scratch(kit.parameters(), 1)];
    let mut switched = kit.encrypt(&x, SCALE, 1);
    for (seed, from, to) in [(seeds[0], &kit.secret, &sparse), (seeds[1], &sparse, &kit.secret)] {
        keys::generate_switching_key(&kit.ctx, from, to, 1, &seed, &mut kit.rng, &mut key, &mut work)
            .unwrap();
        let source = switched.clone();
        let mut scratch = vec![0; scratch::switch_secret_scratch(&kit.ctx.parameters, 1)];
        switch::switch_secret(&kit.ctx, 1, &mut switched, &source, &key, 1, &mut scratch).unwrap();
        assert_ne!(switched, source);
    }
    assert!(largest_error(&kit.decrypt(&switched, 1, SCALE), &x) < 1e-8);
}

#[test]
fn scratch_formulas_are_the_published_ones() {
    let kit = kit();
    let p = kit.parameters();
    let (n, k) = (1 << LOG_N, 2);
    for l in 0..5usize {
        let d = (l + 1).div_ceil(2);
        assert_eq!(p.digits(l), d);
        assert_eq!(p.decomposed_words(l), ((l + 1) + d * (l + 1 + k)) * n);
        let bits = |prime: &u64| u64::BITS - prime.leading_zeros();
        let bits: u32 = p.q[..=l].iter().chain(&p.p).map(bits).sum();
        assert_eq!(p.switching_key_words::<u64>(l), d * 2 * n * bits as usize / 64);
        assert_eq!(p.switching_key_words::<u32>(l), d * 2 * n * bits as usize / 32);
        assert_eq!(scratch::generate_key_scratch(p, l), 3 * (l + 1 + k) * n);
        assert_eq!(scratch::expand_key_scratch(p, l), (l + 1 + k) * n);
        assert_eq!(scratch::rescale_scratch(p, l), 6 * n);
        assert_eq!(scratch::decompose_scratch(p, l), (l + 1 + d) * n);
        assert_eq!(scratch::mod_down_scratch(p, l), 2 * (k + 1) * n);
        assert_eq!(scratch::mod_down_rescale_scratch(p, l), 2 * (k + 2) * n);
        assert_eq!(scratch::mod_raise_scratch(p, l), 4 * n);
        for switch in [
            scratch::rotate_scratch,
            scratch::relinearize_scratch,
            scratch::relinearize_rescale_scratch,
            scratch::switch_secret_scratch,
        ] {
            assert_eq!(switch(p, l), ((d + 2) * (l + 1 + k) + d + k + 6) * n);
        }
    }
}

#[test]
fn bad_calls_are_errors() {
    let mut kit = kit();
    let a = kit.encrypt(&[(1.0, 0.0)], SCALE, 1);
    let element = kit.element(1);
    let key = kit.galois_key(element, 1);
    let mut dst = vec![0; a.len()];
    let mut work = vec![0; scratch::rotate_scratch(kit.parameters(), 1)];
    let enough = work.len();
    let mut rotate = |element: u32, key: &[u64], cap: usize, words: usize| {
        switch::rotate(&kit.ctx, 1, element, &mut dst, &a, key, cap, &mut work[..words])
    };
    assert_eq!(rotate(element, &key, 1, enough), Ok(()));
    assert_eq!(rotate(4, &key, 1, enough), Err(CkksError::GaloisElement(4)));
    assert_eq!(rotate(2049, &key, 1, enough), Err(CkksError::GaloisElement(2049)));
    assert!(matches!(
        rotate(element, &key, 2, enough),
        Err(CkksError::Length {
            what: "switching key",
            ..
        })
    ));
    assert!(matches!(
        rotate(element, &key, 9, enough),
        Err(CkksError::Level { level: 9, highest: 4 })
    ));
    let short = CkksError::Length {
        what: "key switching scratch",
        expected: enough,
        actual: enough - 1,
    };
    assert_eq!(rotate(element, &key, 1, enough - 1), Err(short));

    let mut bare = Kit::<u64>::new(LOG_N, &primes(45, LOG_N, 0, 2), &[], 1);
    let a = bare.encrypt(&[(1.0, 0.0)], SCALE, 1);
    let mut dst = vec![0; a.len()];
    let refused = switch::rotate(&bare.ctx, 1, 5, &mut dst, &a, &key, 1, &mut vec![0; 1 << 20]);
    assert_eq!(refused, Err(CkksError::NoSpecialPrimes));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    /// Rotations compose, at any level, for any steps in either direction.
    #[test]
    fn rotations_compose(level in 0usize..5, first in -600i64..600, second in -600i64..600) {
        let mut kit = kit();
        let x = kit.random_slots();
        let mut ct = kit.encrypt(&x, SCALE, level);
        for steps in [first, second] {
            let element = kit.element(steps);
            let key = kit.galois_key(element, level);
            ct = kit.rotate(element, &ct, level, &key, level);
        }
        prop_assert!(largest_error(&kit.decrypt(&ct, level, SCALE), &rotated(&x, first + second)) < 1e-8);
    }
}
