//! Operations in one step against the same in several: fused divisions, sums of plaintext products, raised moduli, and
//! keys with fewer special primes.

mod common;

use cipherloom_ckks::context::TOGETHER;
use cipherloom_ckks::evaluate::PlainSum;
use cipherloom_ckks::switch::{Rotation, RotationSum};
use cipherloom_ckks::{Basis, CkksError, SecretKey, evaluate, keys, scratch, switch};
use common::*;

const LOG_N: u32 = 10;
const SCALE: f64 = (1u64 << 40) as f64;

/// Five q-limbs in digits of two: the last digit is partial.
fn kit() -> Kit<u64> {
    Kit::new(LOG_N, &primes(45, LOG_N, 0, 5), &primes(46, LOG_N, 0, 2), 2)
}

/// The largest difference of a coefficient between ciphertexts of degree 1 at a level.
fn largest_difference(kit: &Kit<u64>, a: &[u64], b: &[u64], level: usize) -> f64 {
    let words = kit.parameters().plaintext_words(level);
    let polynomials = a.chunks_exact(words).zip(b.chunks_exact(words));
    let differences = polynomials.flat_map(|(a, b)| kit.coefficients(a, b));
    differences.map(f64::abs).fold(0.0, f64::max)
}

/// Dividing by P·q_l at once and by one after the other are the same but for the rounding in between.
#[test]
fn relinearising_and_rescaling_may_be_one_division() {
    let mut kit = kit();
    let (x, y) = (kit.random_slots(), kit.random_slots());
    let key = kit.relinearisation_key(4);
    for level in 1..=4 {
        let (a, b) = (kit.encrypt(&x, SCALE, level), kit.encrypt(&y, SCALE, level));
        let product = kit.mul(&a, &b, level);
        let parts = kit.rescale(&kit.relinearize(&product, level, &key, 4), level);
        let mut fused = vec![1; parts.len()];
        let mut work = vec![1; scratch::relinearize_rescale_scratch(kit.parameters(), level)];
        switch::relinearize_rescale(&kit.ctx, level, &mut fused, &product, &key, 4, &mut work).unwrap();
        assert!(largest_difference(&kit, &fused, &parts, level - 1) <= 1.0);

        let scale = SCALE * SCALE / kit.parameters().q[level] as f64;
        let expected = map2(&x, &y, complex_mul);
        let error = |ct: &[u64]| slot_error(&kit.decrypt(ct, level - 1, scale), &expected);
        assert!(error(&fused) < 1.05 * error(&parts) && error(&fused) > 0.0);
    }
    let mut work = vec![0; scratch::relinearize_rescale_scratch(kit.parameters(), 0)];
    let refused = switch::relinearize_rescale(&kit.ctx, 0, &mut [], &[], &key, 4, &mut work);
    assert_eq!(refused, Err(CkksError::NoLowerLevel));
}

#[test]
fn a_sum_in_basis_qp_may_be_rescaled_as_it_is_divided() {
    let mut kit = kit();
    let x = kit.random_slots();
    for level in 1..=4 {
        let a = kit.encrypt(&x, SCALE * SCALE, level);
        let mut acc = vec![0; kit.parameters().qp_words(level, 1)];
        switch::lift_acc(&kit.ctx, level, &mut acc, &a, true).unwrap();
        let kept = acc.clone();
        let mut fused = vec![1; kit.parameters().ciphertext_words(level - 1, 1)];
        let mut work = vec![1; scratch::mod_down_rescale_scratch(kit.parameters(), level)];
        switch::mod_down_rescale(&kit.ctx, level, &mut fused, &acc, &mut work).unwrap();
        assert_eq!(acc, kept, "the accumulator is kept");
        // The division by P alone is exact here, so there is but one rounding either way.
        assert_eq!(fused, kit.rescale(&a, level));
    }
    let mut work = vec![0; scratch::mod_down_rescale_scratch(kit.parameters(), 0)];
    let refused = switch::mod_down_rescale(&kit.ctx, 0, &mut [], &[], &mut work);
    assert_eq!(refused, Err(CkksError::NoLowerLevel));
}

#[test]
fn a_sum_of_plaintext_products_is_the_same_as_its_terms_one_by_one() {
    let mut kit = kit();
    // As many terms as reduce once, one more, and none.
    for (basis, count) in [
        (Basis::Q, 3),
        (Basis::Qp, 15),
        (Basis::Q, 47),
        (Basis::Q, 48),
        (Basis::Qp, 0),
    ] {
        let level = 2;
        let terms: Vec<_> = (0..count)
            .map(|_| {
                let (x, y) = (kit.random_slots(), kit.random_slots());
                let plaintext = kit.encode(&y, SCALE, level, basis);
                let a = kit.encrypt(&x, SCALE, level);
                let mut lifted = vec![0; kit.parameters().qp_words(level, 1)];
                switch::lift_acc(&kit.ctx, level, &mut lifted, &a, true).unwrap();
                (if basis == Basis::Q { a } else { lifted }, plaintext)
            })
            .collect();
        let words = match basis {
            Basis::Q => kit.parameters().ciphertext_words(level, 1),
            Basis::Qp => kit.parameters().qp_words(level, 1),
        };
        let mut one_by_one = vec![0; words];
        for (a, plaintext) in &terms {
            evaluate::mul_plain_acc(&kit.ctx, level, 1, basis, &mut one_by_one, a, plaintext).unwrap();
        }
        let terms: Vec<_> = terms.iter().map(|(a, b)| (&a[..], &b[..])).collect();
        let mut sum = vec![1; words];
        evaluate::mul_plain_sum(&kit.ctx, level, basis, &mut sum, true, &terms).unwrap();
        assert_eq!(sum, one_by_one);
        evaluate::mul_plain_sum(&kit.ctx, level, basis, &mut sum, false, &terms).unwrap();
        let twice = one_by_one.clone();
        evaluate::add_assign(&kit.ctx, level, 2, basis, &mut one_by_one, &twice).unwrap();
        assert_eq!(sum, one_by_one);
    }
}

/// From nothing and added to what is there; more products than are made together, or none.
#[test]
fn a_sum_of_ciphertext_products_is_the_same_as_its_terms_one_by_one() {
    let mut kit = kit();
    let level = 3;
    let factors: Vec<_> = (0..TOGETHER + 2)
        .map(|_| {
            let x = kit.random_slots();
            kit.encrypt(&x, SCALE, level)
        })
        .collect();
    let (first, others) = (&factors[0], &factors[1..]);
    for count in [0, 1, 3, TOGETHER + 1] {
        let mut one_by_one = vec![0; kit.parameters().ciphertext_words(level, 2)];
        for other in &others[..count] {
            evaluate::mul_acc(&kit.ctx, level, &mut one_by_one, other, first).unwrap();
        }
        let terms: Vec<_> = others[..count]
            .iter()
            .map(|other| (&other[..], &first[..]))
            .collect();
        let mut sum = vec![1; one_by_one.len()];
        evaluate::mul_sum(&kit.ctx, level, &mut sum, true, &terms).unwrap();
        assert_eq!(sum, one_by_one);
        evaluate::mul_sum(&kit.ctx, level, &mut sum, false, &terms).unwrap();
        for other in &others[..count] {
            evaluate::mul_acc(&kit.ctx, level, &mut one_by_one, other, first).unwrap();
        }
        assert_eq!(sum, one_by_one);
    }
    let mut short = vec![0; kit.parameters().ciphertext_words(level, 1)];
    let refused = evaluate::mul_sum(&kit.ctx, level, &mut short, true, &[]);
    assert!(matches!(refused, Err(CkksError::Length { .. })), "{refused:?}");
}

/// More sums than are made together, of the same ciphertexts in part, some added to what is there; on a ring of so many
/// columns that they are made in several tiles.
#[test]
fn sums_made_together_are_the_sums_made_alone() {
    let mut kit = kit();
    let (level, basis) = (1, Basis::Q);
    let x = kit.random_slots();
    let ciphertexts: Vec<_> = (0..3).map(|_| kit.encrypt(&x, SCALE, level)).collect();
    let plaintexts: Vec<_> = (0..TOGETHER + 1)
        .map(|_| {
            let y = kit.random_slots();
            kit.encode(&y, SCALE, level, basis)
        })
        .collect();
    let terms: Vec<Vec<(&[u64], &[u64])>> = (plaintexts.iter().enumerate())
        .map(|(i, plaintext)| {
            let ciphertexts = ciphertexts.iter().skip(i % 2);
            ciphertexts.map(|a| (&a[..], &plaintext[..])).collect()
        })
        .collect();
    let mut alone = vec![ciphertexts[0].clone(); terms.len()];
    let mut together = alone.clone();
    let inits = (0..).map(|i| i % 3 != 2);
    for ((dst, terms), init) in alone.iter_mut().zip(&terms).zip(inits.clone()) {
        evaluate::mul_plain_sum(&kit.ctx, level, basis, dst, init, terms).unwrap();
    }
    let mut sums: Vec<_> = (together.iter_mut().zip(&terms).zip(inits))
        .map(|((dst, terms), init)| PlainSum { dst, init, terms })
        .collect();
    evaluate::mul_plain_sums(&kit.ctx, level, basis, &mut sums).unwrap();
    assert_eq!(together, alone);
}

/// More rotations than are done together: each to its own sum, all to one, and to one that is there already.
#[test]
fn rotations_done_together_are_the_rotations_done_alone() {
    let mut kit = kit();
    let level = 2;
    let x = kit.random_slots();
    let a = kit.encrypt(&x, SCALE, level);
    let keys: Vec<_> = (0..TOGETHER as i64 + 1)
        .map(|by| (kit.element(by + 1), kit.galois_key(kit.element(by + 1), level)))
        .collect();
    let rotations: Vec<_> = (keys.iter())
        .map(|(element, key)| Rotation {
            element: *element,
            key,
            key_cap: level,
        })
        .collect();
    let words = kit.parameters().qp_words(level, 1);
    let mut decomposed = vec![0; kit.parameters().decomposed_words(level)];
    let mut work = vec![0; scratch::decompose_scratch(kit.parameters(), level)];
    switch::decompose(&kit.ctx, level, &mut decomposed, &a, &mut work).unwrap();
    let alone = |acc: &mut [u64], rotation: &Rotation<'_, u64>, init| {
        let Rotation {
            element,
            key,
            key_cap,
        } = *rotation;
        switch::rotate_acc(&kit.ctx, level, element, key, key_cap, acc, &decomposed, init).unwrap();
    };
    // Every rotation apart, then sums of all of them: from nothing, and added to the first.
    let mut expected = vec![vec![1; words]; rotations.len()];
    for (acc, rotation) in expected.iter_mut().zip(&rotations) {
        alone(acc, rotation, true);
    }
    let mut total = expected[0].clone();
    for rotation in &rotations[1..] {
        alone(&mut total, rotation, false);
    }
    let mut more = expected[0].clone();
    for rotation in &rotations {
        alone(&mut more, rotation, false);
    }
    let mut accs = vec![vec![1; words]; rotations.len() + 1];
    accs.push(expected[0].clone());
    expected.extend([total, more]);
    let apart = rotations.chunks(1).map(|rotation| (true, rotation));
    let all = [(true, &rotations[..]), (false, &rotations[..])];
    let mut sums: Vec<_> = (accs.iter_mut().zip(apart.chain(all)))
        .map(|(acc, (init, rotations))| RotationSum { acc, init, rotations })
        .collect();
    switch::rotate_accs(&kit.ctx, level, &mut sums, &decomposed).unwrap();
    assert_eq!(accs, expected);
}

/// Every coefficient of a raised ciphertext is the representative in [−q_0/2, q_0/2) of what it was modulo q_0.
#[test]
fn raising_the_modulus_lifts_centred_representatives() {
    let mut kit = kit();
    let x = kit.random_slots();
    let a = kit.encrypt(&x, SCALE, 0);
    let n = kit.parameters().degree();
    for level in [0, 1, 4] {
        let mut raised = vec![1; kit.parameters().ciphertext_words(level, 1)];
        let mut work = vec![1; scratch::mod_raise_scratch(kit.parameters(), level)];
        evaluate::mod_raise(&kit.ctx, level, &mut raised, &a, &mut work).unwrap();
        let ring = &kit.ctx.ring;
        for (raised, a) in raised.chunks_exact((level + 1) * n).zip(a.chunks_exact(n)) {
            let mut coefficients = a.to_vec();
            ring.ntt_inverse(0, &mut coefficients);
            let q = ring.modulus(0).value_u64() as i64;
            for (prime, limb) in raised.chunks_exact(n).enumerate() {
                let mut limb = limb.to_vec();
                ring.ntt_inverse(prime, &mut limb);
                let lifted = coefficients.iter().map(|&c| {
                    let centred = if c as i64 > q / 2 { c as i64 - q } else { c as i64 };
                    ring.modulus(prime).reduce_i64(centred)
                });
                assert!(limb.iter().copied().eq(lifted), "level {level}, prime {prime}");
            }
        }
    }
}

/// To a sparse secret with one special prime at level 0, and back with all of them at a higher level, as a bootstrap
/// does.
#[test]
fn a_key_may_use_fewer_special_primes() {
    let mut kit = kit();
    let x = kit.random_slots();
    let words = SecretKey::<u64>::memory_words(kit.parameters());
    let sparse = SecretKey::sparse_from_seed(&kit.ctx, &SEED, 32, leak(words)).unwrap();
    let one = kit.ctx.with_special(1, 0).unwrap();
    assert_eq!((one.parameters.special(), one.parameters.digits(0)), (1, 1));
    let half = one.parameters.packed_words::<u64>(0);
    assert_eq!(one.parameters.switching_key_words::<u64>(0), 2 * half);

    let seed = kit.fresh_seed();
    let mut key = vec![0; one.parameters.switching_key_words::<u64>(0)];
    let mut work = vec![0; scratch::generate_key_scratch(&one.parameters, 0)];
    let (secret, rng) = (&kit.secret, &mut kit.rng);
    keys::generate_switching_key(&one, secret, &sparse, 0, &seed, rng, &mut key, &mut work).unwrap();
    let mut loaded = key.clone();
    loaded[half..].fill(0);
    keys::expand_key_a(&one, 0, &seed, &mut loaded, &mut work).unwrap();
    assert_eq!(loaded, key);

    let a = kit.encrypt(&x, SCALE, 0);
    let mut switched = vec![0; a.len()];
    let mut work = vec![0; scratch::switch_secret_scratch(&one.parameters, 0)];
    switch::switch_secret(&one, 0, &mut switched, &a, &key, 0, &mut work).unwrap();
    let mut plaintext = vec![0; a.len() / 2];
    cipherloom_ckks::encrypt::decrypt(&kit.ctx, &sparse, &switched, 0, 1, &mut plaintext).unwrap();
    let (n, q, p) = (
        one.degree() as f64,
        one.parameters.q[0] as f64,
        one.parameters.p[0] as f64,
    );
    // The rounding of c_1 now meets 32 non-zero coefficients only.
    let added = n * VARIANCE * (q / p).powi(2) / 12.0 + (1.0 + 32.0) / 12.0;
    let error = slot_error(&kit.decode(&plaintext, 0, SCALE), &x);
    assert_predicted(error, (n / 2.0 * (VARIANCE + 1.0 / 12.0 + added)).sqrt() / SCALE);

    // A digit of q_0 alone fits the one special prime, those of some higher level here need not.
    let too_small = Kit::<u64>::new(LOG_N, &primes(45, LOG_N, 0, 2), &primes(40, LOG_N, 0, 3), 2);
    let refused = too_small.ctx.with_special(1, 0).err();
    assert!(matches!(refused, Some(CkksError::Parameters(_))));
    assert!(too_small.ctx.with_special(3, 1).is_ok());
    assert!(kit.ctx.with_special(0, 0).is_err() && kit.ctx.with_special(3, 0).is_err());
    assert!(matches!(
        kit.ctx.with_special(1, 5).err(),
        Some(CkksError::Level { level: 5, highest: 4 })
    ));
}
