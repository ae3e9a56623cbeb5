//! Compact plaintexts hold the words of whole ones once, and every product and sum with them is the same.

mod common;

use cipherloom_ckks::evaluate::{self, PlainSum};
use cipherloom_ckks::{Basis, CkksError};
use cipherloom_ring::{Backend, MIN_LOG_COMPACT, Word};
use common::*;
use proptest::prelude::*;
use rand_core::Rng;

const LEVEL: usize = 2;

/// A kit whose primes serve both word widths.
fn kit<W: Word>(log_n: u32) -> Kit<W> {
    Kit::new(log_n, &small_primes(log_n, 1, 3), &small_primes(log_n, 0, 1), 1)
}

/// Complex numbers in the unit square that repeat after so many slots.
fn periodic<W: Word>(kit: &mut Kit<W>, period: usize) -> Vec<(f64, f64)> {
    let first = kit.random_slots();
    let repeated = first.iter().take(period).cycle();
    repeated.take(first.len()).copied().collect()
}

/// The first slots, as many as words in a limb's half, encoded.
fn compact<W: Word>(kit: &Kit<W>, values: &[(f64, f64)], limb: usize, scale: f64, basis: Basis) -> Vec<W> {
    let (re, im): (Vec<f64>, Vec<f64>) = values.iter().take(limb / 2).copied().unzip();
    let limbs = kit.zeros(basis, 0).len() / kit.parameters().degree();
    let mut plaintext = vec![W::ZERO; limbs * limb];
    kit.encoder
        .encode_in_place(
            &kit.ctx,
            &mut [re, im].concat(),
            scale,
            LEVEL,
            basis,
            &mut plaintext,
        )
        .unwrap();
    plaintext
}

trait Sizes<W> {
    /// A value of a degree at the level of these tests.
    fn zeros(&self, basis: Basis, degree: usize) -> Vec<W>;
    /// A random one.
    fn value(&mut self, basis: Basis, degree: usize) -> Vec<W>;
}

impl<W: Word> Sizes<W> for Kit<W> {
    fn zeros(&self, basis: Basis, degree: usize) -> Vec<W> {
        let words = match basis {
            Basis::Q => self.parameters().ciphertext_words(LEVEL, degree),
            Basis::Qp => self.parameters().qp_words(LEVEL, degree),
        };
        vec![W::ZERO; words]
    }

    fn value(&mut self, basis: Basis, degree: usize) -> Vec<W> {
        let mut value = self.zeros(basis, degree);
        // Residues of every prime, all of 30 bits.
        value
            .iter_mut()
            .for_each(|word| *word = W::from_u64(u64::from(self.rng.next_u32() >> 3)));
        value
    }
}

/// Everything that takes a plaintext, and what comes of it.
fn results<W: Word>(kit: &Kit<W>, basis: Basis, a: &[W], b: &[W], plain: [&[W]; 2]) -> Vec<Vec<W>> {
    let ctx = &kit.ctx;
    let mut product = kit.zeros(basis, 1);
    evaluate::mul_plain(ctx, LEVEL, 1, basis, &mut product, a, plain[0]).unwrap();
    let mut in_place = a.to_vec();
    evaluate::mul_plain_assign(ctx, LEVEL, 1, basis, &mut in_place, plain[0]).unwrap();
    assert!(in_place == product);
    let mut added = b.to_vec();
    evaluate::mul_plain_acc(ctx, LEVEL, 1, basis, &mut added, a, plain[0]).unwrap();
    // More terms than are taken together, in both forms where there are two; and a second sum of the same ciphertexts.
    let terms: Vec<(&[W], &[W])> = (0..37).map(|i| ([a, b][i % 2], plain[i % 3 % 2])).collect();
    let (mut first, mut second) = (kit.zeros(basis, 1), b.to_vec());
    let mut sums = [
        PlainSum {
            dst: &mut first,
            init: true,
            terms: &terms,
        },
        PlainSum {
            dst: &mut second,
            init: false,
            terms: &terms[1..4],
        },
    ];
    evaluate::mul_plain_sums(ctx, LEVEL, basis, &mut sums).unwrap();
    let mut results = vec![product, added, first, second];
    if basis == Basis::Q {
        let (mut sum, mut difference, mut trivial) = (a.to_vec(), a.to_vec(), b.to_vec());
        evaluate::add_plain_assign(ctx, LEVEL, &mut sum, plain[0]).unwrap();
        evaluate::sub_plain_assign(ctx, LEVEL, &mut difference, plain[0]).unwrap();
        evaluate::trivial(ctx, LEVEL, &mut trivial, plain[0]).unwrap();
        results.extend([sum, difference, trivial]);
    }
    results
}

fn check<W: Word>(log_n: u32, log_limb: u32, log_period: u32, scale: f64) {
    let mut kit = kit::<W>(log_n);
    let values = periodic(&mut kit, 1 << log_period);
    for basis in [Basis::Q, Basis::Qp] {
        let whole = kit.encode(&values, scale, LEVEL, basis);
        let compact = compact(&kit, &values, 1 << log_limb, scale, basis);
        let repeated = compact
            .iter()
            .flat_map(|&word| std::iter::repeat_n(word, 1 << (log_n - log_limb)));
        assert!(
            repeated.eq(whole.iter().copied()),
            "N = 2^{log_n}, 2^{log_limb} words"
        );
        let (a, b) = (kit.value(basis, 1), kit.value(basis, 1));
        let expected = results(&kit, basis, &a, &b, [&whole, &whole]);
        assert!(expected == results(&kit, basis, &a, &b, [&compact, &whole]));
        assert!(expected == results(&kit, basis, &a, &b, [&compact, &compact]));
    }
}

/// As few threads as one, and more than there are limbs for.
fn on_threads(f: impl Fn() + Send + Sync) {
    #[cfg(feature = "parallel")]
    for threads in 1..4 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(&f);
    }
    #[cfg(not(feature = "parallel"))]
    f();
}

/// One test, as the backend is the whole process'.
#[test]
fn compact_plaintexts_are_whole_ones() {
    let sizes = (6..12u32).prop_flat_map(|log_n| (Just(log_n), MIN_LOG_COMPACT..log_n));
    let cases = sizes.prop_flat_map(|(log_n, log_limb)| {
        // Coefficients of one word, and of two.
        let scale = prop_oneof![Just(25), Just(80)];
        (Just(log_n), Just(log_limb), 0..log_limb, scale)
    });
    let backends = Backend::ALL.into_iter().filter(|backend| backend.is_available());
    for backend in backends {
        backend.force().unwrap();
        on_threads(|| {
            let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
            runner
                .run(&cases, |(log_n, log_limb, log_period, scale)| {
                    check::<u64>(log_n, log_limb, log_period, f64::from(scale).exp2());
                    check::<u32>(log_n, log_limb, log_period, f64::from(scale).exp2());
                    Ok(())
                })
                .unwrap();
        });
    }
}

#[test]
fn lengths_that_no_plaintext_has_are_refused() {
    let kit = kit::<u64>(8);
    let n = kit.parameters().degree();
    let mut a = kit.zeros(Basis::Q, 1);
    let refused = |actual: usize| CkksError::Length {
        what: "plaintext",
        expected: 3 * n,
        actual,
    };
    // Not a limb's length, too short, too long, and not one length for all limbs.
    for words in [0, 3 * 48, 3 * 16, 6 * n, 3 * n / 2 + 1, 4 * n] {
        let result = evaluate::add_plain_assign(&kit.ctx, LEVEL, &mut a, &vec![0; words]);
        assert_eq!(result, Err(refused(words)), "{words} words");
    }
    let encode = |values: usize, words: usize| {
        let mut values = vec![0.0; values];
        let dst = &mut vec![0; words];
        kit.encoder
            .encode_in_place(&kit.ctx, &mut values, 1.0, LEVEL, Basis::Q, dst)
    };
    assert_eq!(encode(64, 3 * 64), Ok(()));
    assert_eq!(encode(64, 3 * n).unwrap_err(), {
        CkksError::Length {
            what: "plaintext",
            expected: 3 * 64,
            actual: 3 * n,
        }
    });
    for values in [0, 16, 96, 2 * n] {
        let refused = CkksError::Length {
            what: "values",
            expected: n,
            actual: values,
        };
        assert_eq!(encode(values, 3 * values), Err(refused));
    }
}
