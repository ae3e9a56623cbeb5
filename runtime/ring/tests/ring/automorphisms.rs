use cipherloom_ring::automorphism::{
    apply_coefficients, apply_ntt, apply_ntt_add_assign, apply_ntt_part, conjugation_element, galois_element,
    inverse_element, part_source,
};
use cipherloom_ring::{Word, limb};
use proptest::prelude::*;

use crate::{bit_reverse, largest_primes, residues, ring, rng};

/// The permutation of NTT values is the signed permutation of coefficients.
fn check_forms<W: Word>(log_n: u32, element: u32, seed: u64) {
    let ring = ring::<W>(log_n, &largest_primes(log_n, W::MAX_PRIME_BITS, 1));
    let m = ring.modulus(0);
    let mut source = residues(m, ring.degree(), &mut rng(seed));
    let mut expected = vec![W::ZERO; ring.degree()];
    apply_coefficients(m, element, &mut expected, &source);
    ring.ntt_forward(0, &mut expected);
    ring.ntt_forward(0, &mut source);
    let mut found = vec![W::ZERO; ring.degree()];
    apply_ntt(log_n, element, &mut found, &source);
    assert_eq!(found, expected);
    let mut sum = source.clone();
    apply_ntt_add_assign(m, log_n, element, &mut sum, &source);
    limb::add_assign(m, &mut expected, &source);
    assert_eq!(sum, expected);
    for len in (3..=log_n).map(|log_len| 1 << log_len) {
        let mut parts = vec![W::ZERO; ring.degree()];
        for (i, part) in parts.chunks_exact_mut(len).enumerate() {
            let from = part_source(log_n, element, i * len, len);
            apply_ntt_part(log_n, element, i * len, part, &source[from..from + len]);
            assert_eq!(
                part_source(log_n, inverse_element(log_n, element), from, len),
                i * len
            );
        }
        assert_eq!(parts, found, "in parts of {len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn forms_agree(log_n in 3u32..=13, element: u32, seed: u64) {
        let element = (element % (2 << log_n)) | 1;
        check_forms::<u32>(log_n, element, seed);
        check_forms::<u64>(log_n, element, seed);
    }

    #[test]
    fn composition_multiplies_elements(log_n in 3u32..=10, g: u32, h: u32) {
        let n = 1usize << log_n;
        let (g, h) = ((g % (2 << log_n)) | 1, (h % (2 << log_n)) | 1);
        let source: Vec<u32> = (0..n as u32).collect();
        let (mut once, mut twice, mut direct) = (vec![0; n], vec![0; n], vec![0; n]);
        apply_ntt(log_n, g, &mut once, &source);
        apply_ntt(log_n, h, &mut twice, &once);
        apply_ntt(log_n, g.wrapping_mul(h) % (2 << log_n), &mut direct, &source);
        prop_assert_eq!(&twice, &direct);
        apply_ntt(log_n, inverse_element(log_n, g), &mut twice, &once);
        prop_assert_eq!(twice, source);
    }

    #[test]
    fn rotations_add_up(log_n in 3u32..=17, r in -200_000i64..200_000, s in -200_000i64..200_000) {
        let mask = (2u32 << log_n) - 1;
        let product = galois_element(log_n, r).wrapping_mul(galois_element(log_n, s)) & mask;
        prop_assert_eq!(product, galois_element(log_n, r + s));
        prop_assert_eq!(inverse_element(log_n, galois_element(log_n, r)), galois_element(log_n, -r));
        prop_assert_eq!(galois_element(log_n, r + (1 << (log_n - 1))), galois_element(log_n, r));
    }
}

#[test]
fn rotation_moves_slots_to_the_left() {
    let log_n = 6;
    let (n, slots) = (1usize << log_n, 1usize << (log_n - 1));
    // Slot j is the value at exponent 5^j.
    let position = |slot: usize| {
        let exponent = galois_element(log_n, slot as i64) as usize;
        bit_reverse(exponent / 2, log_n)
    };
    let source: Vec<u64> = (0..n as u64).collect();
    let mut rotated = vec![0; n];
    for rotation in [1, 2, 7, -1, -5] {
        apply_ntt(log_n, galois_element(log_n, rotation), &mut rotated, &source);
        for slot in 0..slots {
            let from = (slot as i64 + rotation).rem_euclid(slots as i64) as usize;
            assert_eq!(
                rotated[position(slot)],
                source[position(from)],
                "slot {slot} rotated by {rotation}"
            );
        }
    }
    apply_ntt(log_n, conjugation_element(log_n), &mut rotated, &source);
    for slot in 0..slots {
        let exponent = 2 * n - galois_element(log_n, slot as i64) as usize;
        assert_eq!(rotated[position(slot)], source[bit_reverse(exponent / 2, log_n)]);
    }
}

#[test]
fn known_elements() {
    assert_eq!(galois_element(10, 0), 1);
    assert_eq!(galois_element(10, 1), 5);
    assert_eq!(galois_element(10, 2), 25);
    assert_eq!(conjugation_element(10), 2047);
    assert_eq!(inverse_element(10, 2047), 2047);
}
