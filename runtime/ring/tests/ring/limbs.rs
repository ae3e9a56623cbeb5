use cipherloom_ring::{Modulus, Word, limb};
use proptest::prelude::*;

use crate::{residues, rng};

/// Every pointwise operation against the scalar operation, on a length with a remainder after any vector width.
fn check<W: Word>(q: u64, seed: u64) {
    let m = &Modulus::<W>::new(q).unwrap();
    let mut rng = rng(seed);
    let mut random = || {
        let mut limb = residues(m, 67, &mut rng);
        limb[3] = m.value() - W::ONE;
        limb[66] = limb[3];
        limb[5] = W::ZERO;
        limb
    };
    let (dst, a, b) = (random(), random(), random());
    let s = m.reduce_u64(seed);

    let compare = |name: &str, operation: &dyn Fn(&mut [W]), scalar: &dyn Fn(W, W, W) -> W| {
        let mut found = dst.clone();
        operation(&mut found);
        for (j, &x) in found.iter().enumerate() {
            assert_eq!(x, scalar(dst[j], a[j], b[j]), "{name} at {j}");
        }
    };
    compare("add", &|d| limb::add(m, d, &a, &b), &|_, a, b| m.add(a, b));
    compare("add_assign", &|d| limb::add_assign(m, d, &a), &|d, a, _| {
        m.add(d, a)
    });
    compare("sub", &|d| limb::sub(m, d, &a, &b), &|_, a, b| m.sub(a, b));
    compare("sub_assign", &|d| limb::sub_assign(m, d, &a), &|d, a, _| {
        m.sub(d, a)
    });
    compare("neg", &|d| limb::neg(m, d, &a), &|_, a, _| m.neg(a));
    compare("neg_assign", &|d| limb::neg_assign(m, d), &|d, _, _| m.neg(d));
    compare("mul", &|d| limb::mul(m, d, &a, &b), &|_, a, b| m.mul(a, b));
    compare("mul_assign", &|d| limb::mul_assign(m, d, &a), &|d, a, _| {
        m.mul(d, a)
    });
    compare(
        "mul_add_assign",
        &|d| limb::mul_add_assign(m, d, &a, &b),
        &|d, a, b| m.add(d, m.mul(a, b)),
    );
    compare("mul_scalar", &|d| limb::mul_scalar(m, d, &a, s), &|_, a, _| {
        m.mul(a, s)
    });
    compare(
        "mul_scalar_assign",
        &|d| limb::mul_scalar_assign(m, d, s),
        &|d, _, _| m.mul(d, s),
    );
    compare(
        "mul_scalar_add_assign",
        &|d| limb::mul_scalar_add_assign(m, d, &a, s),
        &|d, a, _| m.add(d, m.mul(a, s)),
    );
    compare(
        "sub_from_mul_scalar_assign",
        &|d| limb::sub_from_mul_scalar_assign(m, d, &a, s),
        &|d, a, _| m.mul(m.sub(a, d), s),
    );
    compare(
        "add_scalar_assign",
        &|d| limb::add_scalar_assign(m, d, s),
        &|d, _, _| m.add(d, s),
    );
    let words: Vec<W> = (0..67)
        .map(|j| W::from_u64(seed.wrapping_mul(2 * j + 1) >> (64 - W::BITS)))
        .collect();
    let mut reduced = dst.clone();
    limb::reduce(m, &mut reduced, &words);
    assert!(
        reduced
            .iter()
            .zip(&words)
            .all(|(r, w)| r.to_u64() == w.to_u64() % q)
    );
}

/// Sums of `terms` products of q − 1 and of random residues.
fn check_inner_product<W: Word>(q: u64, terms: usize) {
    let m = &Modulus::<W>::new(q).unwrap();
    let mut rng = rng(terms as u64);
    let limbs: Vec<Vec<W>> = (0..terms + 1)
        .map(|_| {
            let mut limb = residues(m, 13, &mut rng);
            limb[0] = m.value() - W::ONE;
            limb[12] = m.value() - W::ONE;
            limb
        })
        .collect();
    let pairs: Vec<(&[W], &[W])> = limbs
        .windows(2)
        .map(|pair| (&pair[0][..], &pair[1][..]))
        .collect();
    let start = residues(m, 13, &mut rng);
    let (mut expected, mut found) = (vec![W::ZERO; 13], start.clone());
    for (a, b) in &pairs {
        limb::mul_add_assign(m, &mut expected, a, b);
    }
    limb::inner_product(m, &mut found, &pairs);
    assert_eq!(found, expected, "{terms} terms");
    found.copy_from_slice(&start);
    limb::inner_product_add_assign(m, &mut found, &pairs);
    limb::add_assign(m, &mut expected, &start);
    assert_eq!(found, expected, "{terms} terms and the start");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn operations_are_coefficient_wise(seed: u64) {
        check::<u64>((1 << 61) - 1, seed);
        check::<u64>((1 << 49) + 69, seed);
        check::<u64>(3, seed);
        check::<u32>((1 << 30) - 35, seed);
        check::<u32>(3, seed);
    }
}

#[test]
fn inner_products_of_any_length_do_not_overflow() {
    for terms in [0, 1, 2, 14, 15, 16, 17, 62, 63, 64, 65, 130] {
        check_inner_product::<u32>((1 << 30) - 35, terms);
        check_inner_product::<u64>((1 << 61) - 1, terms);
    }
}

#[test]
fn small_signed_numbers_become_residues() {
    let m = Modulus::<u32>::new(257).unwrap();
    let small: Vec<i8> = (i8::MIN..=i8::MAX).collect();
    let mut limb = [0; 256];
    limb::lift_signed(&m, &mut limb, &small);
    for (&x, &small) in limb.iter().zip(&small) {
        assert_eq!(i32::from(small).rem_euclid(257), x as i32);
    }
}
