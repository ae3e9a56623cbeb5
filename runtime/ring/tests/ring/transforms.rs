use cipherloom_ring::prime::primitive_root_2n;
use cipherloom_ring::{MAX_LOG_DEGREE, MIN_LOG_COMPACT, Ring, RingError, Word, limb};
use proptest::prelude::*;

use crate::{bit_reverse, largest_primes, residues, ring, rng};

/// a·b modulo X^N + 1, term by term.
fn schoolbook<W: Word>(ring: &Ring<'_, W>, a: &[W], b: &[W]) -> Vec<W> {
    let (m, n) = (ring.modulus(0), ring.degree());
    let mut product = vec![W::ZERO; n];
    for (i, &a) in a.iter().enumerate() {
        for (j, &b) in b.iter().enumerate() {
            let term = m.mul(a, b);
            let at = &mut product[(i + j) % n];
            *at = if i + j < n {
                m.add(*at, term)
            } else {
                m.sub(*at, term)
            };
        }
    }
    product
}

fn check_product<W: Word>(log_n: u32, prime: u64, seed: u64) {
    let ring = ring::<W>(log_n, &[prime]);
    let m = ring.modulus(0);
    let mut rng = rng(seed);
    let mut a = residues(m, ring.degree(), &mut rng);
    let mut b = residues(m, ring.degree(), &mut rng);
    let expected = schoolbook(&ring, &a, &b);
    ring.ntt_forward(0, &mut a);
    ring.ntt_forward(0, &mut b);
    limb::mul_assign(m, &mut a, &b);
    ring.ntt_inverse(0, &mut a);
    assert_eq!(a, expected);
}

/// X^k has the value ψ^(k·(2·bitrev(j)+1)) at position j.
fn check_monomial<W: Word>(log_n: u32, prime: u64, k: usize) {
    let ring = ring::<W>(log_n, &[prime]);
    let m = ring.modulus(0);
    let root = primitive_root_2n(m, log_n).unwrap();
    let mut powers = vec![W::ONE];
    for i in 1..2 * ring.degree() {
        powers.push(m.mul(powers[i - 1], root));
    }
    let mut a = vec![W::ZERO; ring.degree()];
    a[k] = W::ONE;
    ring.ntt_forward(0, &mut a);
    for (j, &value) in a.iter().enumerate() {
        let exponent = k * (2 * bit_reverse(j, log_n) + 1) % powers.len();
        assert_eq!(value, powers[exponent], "X^{k} at {j}");
    }
}

/// A polynomial in X^(N/n) has the values of its n coefficients' transform, each N/n times in a row.
fn check_compact<W: Word>(log_n: u32, prime: u64) {
    let ring = ring::<W>(log_n, &[prime]);
    for log_words in MIN_LOG_COMPACT..=log_n {
        let step = 1 << (log_n - log_words);
        let mut compact = residues(ring.modulus(0), 1 << log_words, &mut rng(u64::from(log_words)));
        let mut whole = vec![W::ZERO; ring.degree()];
        for (to, &from) in whole.iter_mut().step_by(step).zip(&compact) {
            *to = from;
        }
        ring.ntt_forward(0, &mut whole);
        ring.ntt_forward(0, &mut compact);
        let values = whole
            .iter()
            .enumerate()
            .map(|(k, &value)| (value, compact[k / step]));
        assert!(
            values.into_iter().all(|(whole, compact)| whole == compact),
            "2^{log_words} of 2^{log_n}"
        );
    }
}

#[test]
fn compact_transforms_are_parts_of_whole_ones() {
    for log_n in MIN_LOG_COMPACT..=MAX_LOG_DEGREE {
        check_compact::<u32>(log_n, largest_primes(log_n, u32::MAX_PRIME_BITS, 1)[0]);
        // For the portable backend, and for vectors.
        for bits in [u64::MAX_PRIME_BITS, 49] {
            check_compact::<u64>(log_n, largest_primes(log_n, bits, 1)[0]);
        }
    }
}

/// inverse ∘ forward = forward ∘ inverse = identity for random residues and for q − 1 everywhere.
fn check_inverse<W: Word>(log_n: u32, prime: u64) {
    let ring = ring::<W>(log_n, &[prime]);
    let m = ring.modulus(0);
    let largest = vec![m.value() - W::ONE; ring.degree()];
    for original in [residues(m, ring.degree(), &mut rng(u64::from(log_n))), largest] {
        let mut a = original.clone();
        ring.ntt_forward(0, &mut a);
        assert!(a.iter().all(|&x| x < m.value()));
        ring.ntt_inverse(0, &mut a);
        assert_eq!(a, original);
        ring.ntt_inverse(0, &mut a);
        assert!(a.iter().all(|&x| x < m.value()));
        ring.ntt_forward(0, &mut a);
        assert_eq!(a, original);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn product_is_negacyclic(log_n in 3u32..=8, seed: u64) {
        check_product::<u32>(log_n, largest_primes(log_n, 30, 1)[0], seed);
        check_product::<u64>(log_n, largest_primes(log_n, 61, 1)[0], seed);
        check_product::<u64>(log_n, largest_primes(log_n, 49, 1)[0], seed);
    }

    #[test]
    fn monomials_are_powers_of_the_root(log_n in 3u32..=16, k: usize) {
        let k = k % (1 << log_n);
        check_monomial::<u32>(log_n, largest_primes(log_n, 30, 1)[0], k);
        check_monomial::<u64>(log_n, largest_primes(log_n, 61, 1)[0], k);
    }

    #[test]
    fn transform_is_linear(log_n in 3u32..=14, seed: u64) {
        let ring = ring::<u64>(log_n, &largest_primes(log_n, 61, 1));
        let m = ring.modulus(0);
        let mut rng = rng(seed);
        let mut a = residues(m, ring.degree(), &mut rng);
        let mut b = residues(m, ring.degree(), &mut rng);
        let scalar = m.reduce_u64(seed);
        let mut combined = a.clone();
        limb::mul_scalar_add_assign(m, &mut combined, &b, scalar);
        ring.ntt_forward(0, &mut combined);
        ring.ntt_forward(0, &mut a);
        ring.ntt_forward(0, &mut b);
        limb::mul_scalar_add_assign(m, &mut a, &b, scalar);
        prop_assert_eq!(a, combined);
    }
}

#[test]
fn inverse_undoes_forward_at_every_degree() {
    for log_n in 3..=17 {
        check_inverse::<u32>(log_n, largest_primes(log_n, 30, 1)[0]);
        check_inverse::<u64>(log_n, largest_primes(log_n, 61, 1)[0]);
    }
    check_inverse::<u64>(3, 17);
}

#[test]
fn both_widths_give_the_same_residues() {
    for log_n in [5, 10, 13] {
        let primes = largest_primes(log_n, 30, 3);
        let (narrow, wide) = (ring::<u32>(log_n, &primes), ring::<u64>(log_n, &primes));
        for i in 0..primes.len() {
            let mut a = residues(narrow.modulus(i), narrow.degree(), &mut rng(7));
            let mut b: Vec<u64> = a.iter().map(|&x| u64::from(x)).collect();
            narrow.ntt_forward(i, &mut a);
            wide.ntt_forward(i, &mut b);
            assert!(a.iter().map(|&x| u64::from(x)).eq(b.iter().copied()));
            narrow.ntt_inverse(i, &mut a);
            wide.ntt_inverse(i, &mut b);
            assert!(a.iter().map(|&x| u64::from(x)).eq(b));
        }
    }
}

#[test]
fn bad_rings_are_refused() {
    let refuse = |log_n, primes: &[u64], words: usize| {
        Ring::<u64>::new(log_n, primes, &mut vec![0; words]).expect_err("refused")
    };
    assert_eq!(refuse(2, &[17], 100), RingError::Degree { log_n: 2 });
    assert_eq!(refuse(18, &[17], 100), RingError::Degree { log_n: 18 });
    assert_eq!(refuse(3, &[], 100), RingError::PrimeCount { count: 0 });
    assert_eq!(refuse(3, &[17; 65], 2000), RingError::PrimeCount { count: 65 });
    assert_eq!(
        refuse(3, &[17], 15),
        RingError::Memory {
            needed: 16,
            given: 15
        }
    );
    assert_eq!(refuse(3, &[18], 16), RingError::Modulus { value: 18 });
    assert_eq!(refuse(3, &[19], 16), RingError::Prime { value: 19 });
    assert_eq!(refuse(3, &[33], 16), RingError::Prime { value: 33 });
    assert_eq!(refuse(3, &[17, 17], 32), RingError::Prime { value: 17 });
    assert!(Ring::<u64>::new(3, &[17, 97], &mut [0; 32]).is_ok());
}
