//! Both word widths compute the same numbers.

mod common;

use cipherloom_ckks::Basis;
use cipherloom_ring::Word;
use cipherloom_ring::pack::words_to_bytes;
use common::*;

const LOG_N: u32 = 10;
const SCALE: f64 = (1u64 << 25) as f64;

/// Everything from the seed to a rescaled product and a rotation, as plain numbers.
fn trace<W: Word>() -> Vec<u64> {
    let q = small_primes(LOG_N, 2, 5);
    let mut kit = Kit::<W>::new(LOG_N, &q, &small_primes(LOG_N, 0, 2), 2);
    let (x, y) = (kit.random_slots(), kit.random_slots());
    let (a, b) = (kit.encrypt(&x, SCALE, 4), kit.encrypt(&y, SCALE, 4));
    let (relinearisation, element) = (kit.relinearisation_key(4), kit.element(3));
    let galois = kit.galois_key(element, 3);
    let product = kit.relinearize(&kit.mul(&a, &b, 4), 4, &relinearisation, 4);
    let lower = kit.rescale(&product, 4);
    let turned = kit.rotate(element, &lower, 3, &galois, 3);
    let plaintext = kit.encode(&x, 2f64.powi(80), 2, Basis::Qp);
    let decoded = kit.decrypt(&turned, 3, SCALE * SCALE / q[4] as f64);
    assert!(largest_error(&decoded, &rotated(&map2(&x, &y, complex_mul), 3)) < 1e-2);

    let words = [a, b, product, lower, turned, plaintext];
    let words = words.into_iter().flatten().map(Word::to_u64);
    // Limbs fill both kinds of words when packed, so keys have the same bits.
    let bytes = [relinearisation, galois].map(|key| {
        let mut bytes = vec![0; size_of_val(&key[..])];
        words_to_bytes(&key, &mut bytes);
        bytes
    });
    words
        .chain(bytes.into_iter().flatten().map(u64::from))
        .chain(decoded.into_iter().flat_map(|z| [z.0.to_bits(), z.1.to_bits()]))
        .collect()
}

#[test]
fn narrow_and_wide_words_agree_bit_for_bit() {
    assert_eq!(trace::<u32>(), trace::<u64>());
}
