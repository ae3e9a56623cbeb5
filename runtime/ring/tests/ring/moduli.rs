use cipherloom_ring::{Modulus, RingError, Word};
use proptest::prelude::*;

/// 2^61 − 1 is the largest prime of a 64-bit word, 2^30 − 35 of a 32-bit word; 2^30 − 1 is not prime.
const MODULI_64: [u64; 9] = [
    3,
    5,
    17,
    (1 << 30) - 35,
    (1 << 30) - 1,
    (1 << 49) + 69,
    (1 << 60) + 33,
    (1 << 60) - 93,
    (1 << 61) - 1,
];
const MODULI_32: [u64; 7] = [3, 5, 17, 97, (1 << 29) + 11, (1 << 30) - 1, (1 << 30) - 35];

/// Operands at the edges of [0,q) and in between.
fn operands(q: u64, middle: u64) -> Vec<u64> {
    let mut operands = vec![0, 1, 2, q / 2, q / 2 + 1, q - 2, q - 1, middle % q];
    operands.retain(|&x| x < q);
    operands
}

fn check_operations<W: Word>(q: u64, middle: u64) {
    let m = Modulus::<W>::new(q).unwrap();
    let wide = u128::from(q);
    let word_max = u64::MAX >> (64 - W::BITS);
    assert_eq!((m.value_u64(), m.value().to_u64()), (q, q));
    assert!(q < 1 << m.bits() && q > 1 << (m.bits() - 1));
    for &a in &operands(q, middle) {
        let word = W::from_u64(a);
        assert_eq!(m.neg(word).to_u64(), (q - a) % q);
        assert_eq!(
            u128::from(m.shoup(word).to_u64()),
            (u128::from(a) << W::BITS) / wide
        );
        for &b in &operands(q, middle ^ 0x5555) {
            let other = W::from_u64(b);
            let (a, b) = (u128::from(a), u128::from(b));
            assert_eq!(u128::from(m.add(word, other).to_u64()), (a + b) % wide);
            assert_eq!(u128::from(m.sub(word, other).to_u64()), (a + wide - b) % wide);
            assert_eq!(
                u128::from(m.mul(word, other).to_u64()),
                a * b % wide,
                "{a}·{b} mod {q}"
            );
            let c = wide - 1;
            assert_eq!(
                u128::from(m.mul_add(word, other, W::from_u64(q - 1)).to_u64()),
                (a * b + c) % wide
            );
        }
        // Shoup's product takes any word: the edges of [0,q), [0,2q), [0,4q) and of the word itself.
        for x in [
            0,
            1,
            q - 1,
            q,
            2 * q - 1,
            2 * q,
            4 * q - 1,
            word_max - 1,
            word_max,
            middle & word_max,
        ] {
            let product = u128::from(x) * u128::from(a);
            let shoup = m.shoup(word);
            let lazy = m.mul_shoup_lazy(W::from_u64(x), word, shoup).to_u64();
            assert!(lazy < 2 * q, "lazy product {lazy} of {x}, {a} modulo {q}");
            assert_eq!(u128::from(lazy) % wide, product % wide);
            assert_eq!(
                u128::from(m.mul_shoup(W::from_u64(x), word, shoup).to_u64()),
                product % wide
            );
        }
    }
}

fn check_reductions<W: Word>(q: u64, x: u128) {
    let m = Modulus::<W>::new(q).unwrap();
    let wide = u128::from(q);
    for x in [
        x,
        u128::MAX - x,
        x >> 30,
        x >> 64,
        0,
        1,
        wide - 1,
        wide,
        wide * wide - 1,
        u128::MAX,
    ] {
        assert_eq!(u128::from(m.reduce_u128(x).to_u64()), x % wide);
        let low = x as u64;
        assert_eq!(m.reduce_u64(low).to_u64(), low % q);
        assert_eq!(
            i128::from(m.reduce_i64(low as i64).to_u64()),
            i128::from(low as i64).rem_euclid(wide as i128)
        );
        assert_eq!(
            i128::from(m.reduce_i128(x as i128).to_u64()),
            (x as i128).rem_euclid(wide as i128)
        );
    }
    for x in [i64::MIN, i64::MIN + 1, -1, i64::MAX] {
        assert_eq!(
            i128::from(m.reduce_i64(x).to_u64()),
            i128::from(x).rem_euclid(wide as i128)
        );
    }
    for x in [i128::MIN, i128::MIN + 1, -1, i128::MAX] {
        assert_eq!(i128::from(m.reduce_i128(x).to_u64()), x.rem_euclid(wide as i128));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn operations_agree_with_long_division(middle: u64, i in 0..MODULI_64.len(), j in 0..MODULI_32.len()) {
        check_operations::<u64>(MODULI_64[i], middle);
        check_operations::<u32>(MODULI_32[j], middle);
    }

    #[test]
    fn reductions_agree_with_long_division(x: u128, i in 0..MODULI_64.len(), j in 0..MODULI_32.len()) {
        check_reductions::<u64>(MODULI_64[i], x);
        check_reductions::<u32>(MODULI_32[j], x);
    }

    #[test]
    fn any_odd_modulus_works(q in 3u64..1 << 61, middle: u64, x: u128) {
        check_operations::<u64>(q | 1, middle);
        check_reductions::<u64>(q | 1, x);
        let narrow = (q >> 31).max(3) | 1;
        check_operations::<u32>(narrow, middle);
        check_reductions::<u32>(narrow, x);
    }

    #[test]
    fn inverse_times_value_is_one(a in 1u64..1 << 30) {
        let wide = Modulus::<u64>::new((1 << 61) - 1).unwrap();
        prop_assert_eq!(wide.mul(a, wide.inv(a).unwrap()), 1);
        let narrow = Modulus::<u32>::new((1 << 30) - 35).unwrap();
        let a = narrow.reduce_u64(a).max(1);
        prop_assert_eq!(narrow.mul(a, narrow.inv(a).unwrap()), 1);
    }
}

#[test]
fn powers_and_inverses() {
    let m = Modulus::<u64>::new((1 << 61) - 1).unwrap();
    assert_eq!(m.pow(3, 0), 1);
    assert_eq!(m.pow(2, 61), 1, "2 has order 61 modulo the Mersenne prime");
    assert_eq!(m.pow(5, (1 << 61) - 2), 1, "Fermat");
    assert_eq!(m.inv(0), None);
}

#[test]
fn unusable_moduli_are_refused() {
    for value in [0, 1, 2, 4, 1 << 30, (1 << 61) + 1, u64::MAX] {
        assert_eq!(Modulus::<u64>::new(value), Err(RingError::Modulus { value }));
    }
    let value = (1 << 30) + 3;
    assert_eq!(Modulus::<u32>::new(value), Err(RingError::Modulus { value }));
    assert!(Modulus::<u64>::new(value).is_ok());
}
