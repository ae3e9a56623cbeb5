use chacha20::rand_core::Rng;
use cipherloom_ring::{Ring, Word, basis};
use proptest::prelude::*;

use crate::{largest_primes, residues, ring, rng};

/// Limbs of the given integers for the primes `range`.
fn limbs<W: Word>(ring: &Ring<'_, W>, range: std::ops::Range<usize>, values: &[i128]) -> Vec<W> {
    range
        .flat_map(|i| values.iter().map(move |&x| ring.modulus(i).reduce_i128(x)))
        .collect()
}

/// Integers in [−bound, bound], both ends and 0, ±1 among them.
fn integers(n: usize, bound: i128, seed: u64) -> Vec<i128> {
    let mut rng = rng(seed);
    let mut draw = || {
        let random = (u128::from(rng.next_u64()) << 63 | u128::from(rng.next_u64() >> 1)) as i128;
        random % bound * if rng.next_u32() & 1 == 1 { 1 } else { -1 }
    };
    let mut values: Vec<i128> = (0..n).map(|_| draw()).collect();
    values[..5].copy_from_slice(&[bound, -bound, 0, 1, -1]);
    values
}

/// Conversion of everything that is not within 6L·2^−32 of Q/2 is exact and centred.
fn check_exact<W: Word>(log_n: u32, bits: u32, from: usize, to: usize, seed: u64) {
    let primes = largest_primes(log_n, bits, from + to);
    let ring = ring::<W>(log_n, &primes);
    let n = ring.degree();
    let product: i128 = primes[..from].iter().map(|&q| i128::from(q)).product();
    let bound = product / 2 - (product >> 32) * 3 * (from as i128) - 1;
    let values = integers(n, bound, seed);
    let mut source = limbs(&ring, 0..from, &values);
    let targets: Vec<usize> = (from..from + to).rev().collect();
    let (mut found, mut wraps) = (vec![W::ZERO; to * n], vec![W::ZERO; n]);
    basis::convert(&ring, 0..from, &mut source, &targets, &mut found, &mut wraps);
    for (&target, found) in targets.iter().zip(found.chunks(n)) {
        assert_eq!(
            found,
            limbs(&ring, target..target + 1, &values),
            "{from} primes of {bits} bits to {target}"
        );
    }
}

/// Random residues modulo many primes survive the way to a larger base and back.
fn check_round_trip<W: Word>(bits: u32, from: usize) {
    let log_n = 9;
    let primes = largest_primes(log_n, bits, 2 * from + 1);
    let ring = ring::<W>(log_n, &primes);
    let n = ring.degree();
    let mut rng = rng(u64::from(bits));
    let mut original: Vec<W> = (0..from)
        .flat_map(|i| residues(ring.modulus(i), n, &mut rng))
        .collect();
    for (i, limb) in original.chunks_mut(n).enumerate() {
        // All residues q − 1: the integer −1.
        limb[0] = ring.modulus(i).value() - W::ONE;
    }
    let there: Vec<usize> = (from..2 * from + 1).collect();
    let back: Vec<usize> = (0..from).collect();
    let (mut larger, mut wraps) = (vec![W::ZERO; (from + 1) * n], vec![W::ZERO; n]);
    basis::convert(
        &ring,
        0..from,
        &mut original.clone(),
        &there,
        &mut larger,
        &mut wraps,
    );
    for (i, limb) in larger.chunks(n).enumerate() {
        assert_eq!(limb[0], ring.modulus(from + i).value() - W::ONE);
    }
    let mut returned = vec![W::ZERO; from * n];
    basis::convert(
        &ring,
        from..2 * from + 1,
        &mut larger,
        &back,
        &mut returned,
        &mut wraps,
    );
    assert_eq!(returned, original);
}

/// dst = round(x/D) with |x − D·dst| ≤ D·(½ + 3L·2^−32).
fn check_division<W: Word>(log_n: u32, bits: u32, kept: usize, dropped: usize, seed: u64) {
    let primes = largest_primes(log_n, bits, kept + dropped);
    let ring = ring::<W>(log_n, &primes);
    let n = ring.degree();
    let divisor: i128 = primes[kept..].iter().map(|&q| i128::from(q)).product();
    let product: i128 = primes.iter().map(|&q| i128::from(q)).product();
    let values = integers(n, product / 2 - 1, seed);
    let mut source = limbs(&ring, 0..kept, &values);
    let mut tail = limbs(&ring, kept..kept + dropped, &values);
    for (i, limb) in source.chunks_mut(n).chain(tail.chunks_mut(n)).enumerate() {
        ring.ntt_forward(i, limb);
    }
    let (mut found, mut wraps) = (vec![W::ZERO; kept * n], vec![W::ZERO; n]);
    basis::divide_round(
        &ring,
        kept,
        kept..kept + dropped,
        &mut found,
        &source,
        &mut tail,
        &mut wraps,
    );
    for (i, limb) in found.chunks_mut(n).enumerate() {
        ring.ntt_inverse(i, limb);
    }
    let allowed = divisor / 2 + (divisor >> 32) * 3 * dropped as i128 + 1;
    for (j, &x) in values.iter().enumerate() {
        let nearest = (x + divisor / 2).div_euclid(divisor);
        let matches = |candidate: i128| {
            (0..kept).all(|i| found[i * n + j] == ring.modulus(i).reduce_i128(candidate))
                && (x - candidate * divisor).abs() <= allowed
        };
        assert!((nearest - 1..=nearest + 1).any(matches), "{x} / {divisor}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn conversion_is_exact_and_centred(seed: u64, log_n in 3u32..=10) {
        check_exact::<u64>(log_n, 60, 2, 5, seed);
        check_exact::<u64>(log_n, 61, 1, 3, seed);
        check_exact::<u64>(log_n, 40, 3, 1, seed);
        check_exact::<u32>(log_n, 30, 4, 9, seed);
        check_exact::<u32>(log_n, 30, 1, 2, seed);
        check_exact::<u64>(log_n, 30, 4, 4, seed);
    }

    #[test]
    fn division_rounds(seed: u64, log_n in 3u32..=9) {
        check_division::<u64>(log_n, 60, 1, 1, seed);
        check_division::<u64>(log_n, 40, 2, 1, seed);
        check_division::<u64>(log_n, 30, 2, 2, seed);
        check_division::<u32>(log_n, 30, 2, 2, seed);
        check_division::<u32>(log_n, 30, 3, 1, seed);
    }
}

#[test]
fn many_primes_round_trip() {
    check_round_trip::<u64>(61, 31);
    check_round_trip::<u64>(50, 9);
    check_round_trip::<u32>(30, 31);
    check_round_trip::<u32>(28, 15);
    check_round_trip::<u32>(28, 16);
}

#[test]
fn both_widths_convert_alike() {
    let (log_n, from, to) = (12, 7, 6);
    let primes = largest_primes(log_n, 30, from + to);
    let (narrow, wide) = (ring::<u32>(log_n, &primes), ring::<u64>(log_n, &primes));
    let n = narrow.degree();
    let mut rng = rng(3);
    let mut source: Vec<u32> = (0..from)
        .flat_map(|i| residues(narrow.modulus(i), n, &mut rng))
        .collect();
    let mut source_wide: Vec<u64> = source.iter().map(|&x| u64::from(x)).collect();
    let targets: Vec<usize> = (from..from + to).collect();
    let mut found = vec![0u32; to * n];
    let mut found_wide = vec![0u64; to * n];
    basis::convert(
        &narrow,
        0..from,
        &mut source,
        &targets,
        &mut found,
        &mut vec![0; n],
    );
    basis::convert(
        &wide,
        0..from,
        &mut source_wide,
        &targets,
        &mut found_wide,
        &mut vec![0; n],
    );
    assert!(found.iter().map(|&x| u64::from(x)).eq(found_wide));
}
