use cipherloom_ring::Modulus;
use cipherloom_ring::prime::{is_prime, primes_below, primes_near, primitive_root_2n};

#[test]
fn agrees_with_a_sieve() {
    const LIMIT: usize = 20_000;
    let mut composite = vec![false; LIMIT];
    for p in 2..LIMIT {
        assert_eq!(is_prime(p as u64), !composite[p], "{p}");
        for multiple in (p * p..LIMIT).step_by(p) {
            composite[multiple] = true;
        }
    }
    assert!(!is_prime(0) && !is_prime(1));
}

#[test]
fn strong_pseudoprimes_are_composite() {
    // Strong pseudoprimes to the bases 2, 3, 5, 7; to the bases up to 23; and squares of large primes.
    for n in [
        3_215_031_751,
        3_825_123_056_546_413_051,
        4_294_967_291 * 4_294_967_291,
        u64::MAX,
    ] {
        assert!(!is_prime(n), "{n}");
    }
    for n in [(1 << 61) - 1, u64::MAX - 58, 4_294_967_291] {
        assert!(is_prime(n), "{n}");
    }
}

#[test]
fn near_primes_come_by_distance_and_miss_none() {
    for (target, log_n) in [(5_000u64, 3), (1 << 20, 10), (1, 4)] {
        let found: Vec<u64> = primes_near(target, log_n).take(20).collect();
        let distances: Vec<u64> = found.iter().map(|p| p.abs_diff(target)).collect();
        assert!(distances.is_sorted());
        let furthest = distances[19];
        let expected = (target.saturating_sub(furthest)..=target + furthest)
            .filter(|&p| p % (2 << log_n) == 1 && is_prime(p))
            .count();
        // The last distance may be shared by one more prime.
        assert!(expected == 20 || expected == 21, "{expected}");
    }
}

#[test]
fn near_primes_end_at_the_word() {
    let found: Vec<u64> = primes_near((1 << 61) - 1, 16).take(3).collect();
    assert!(
        found
            .iter()
            .all(|&p| p < 1 << 61 && p % (1 << 17) == 1 && is_prime(p))
    );
    assert_eq!(found, primes_below(u64::MAX, 16).take(3).collect::<Vec<_>>());
}

#[test]
fn primes_below_a_bound_descend_and_end() {
    let found: Vec<u64> = primes_below(1_000, 3).collect();
    let expected: Vec<u64> = (1..1_000).rev().filter(|&p| p % 16 == 1 && is_prime(p)).collect();
    assert_eq!(found, expected);
    assert_eq!(primes_below(17, 3).next(), None);
    assert_eq!(primes_below(18, 3).next(), Some(17));
    assert_eq!(primes_below(0, 3).next(), None);
}

#[test]
fn roots_have_full_order_in_both_widths() {
    for q in primes_below(1 << 30, 10).take(5) {
        let wide = Modulus::<u64>::new(q).unwrap();
        let narrow = Modulus::<u32>::new(q).unwrap();
        let root = primitive_root_2n(&wide, 10).unwrap();
        assert_eq!(wide.pow(root, 1 << 10), q - 1, "ψ^N = −1");
        assert_eq!(primitive_root_2n(&narrow, 10).map(u64::from), Some(root));
    }
    let m = Modulus::<u64>::new(97).unwrap();
    assert_eq!(primitive_root_2n(&m, 5), None, "97 is not 1 modulo 64");
}
