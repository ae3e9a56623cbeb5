//! With the feature `parallel`: the same words on any number of threads.
#![cfg(feature = "parallel")]

mod common;

use cipherloom_ckks::evaluate::PlainSum;
use cipherloom_ckks::switch::{Rotation, RotationSum};
use cipherloom_ckks::{Basis, evaluate, scratch, switch};
use common::*;

const LOG_N: u32 = 12;
const LEVEL: usize = 10;
const SCALE: f64 = (1u64 << 40) as f64;

/// The memory of a chain of all that runs on several threads.
struct Memory {
    product: Vec<u64>,
    lower: Vec<u64>,
    decomposed: Vec<u64>,
    acc: Vec<u64>,
    twice: Vec<u64>,
    sum: Vec<u64>,
    other: Vec<u64>,
    rotated: Vec<u64>,
    raised: Vec<u64>,
    work: Vec<u64>,
}

#[test]
fn any_number_of_threads_gives_the_same_words() {
    let mut kit = Kit::<u64>::new(
        LOG_N,
        &primes(45, LOG_N, 0, LEVEL + 1),
        &primes(46, LOG_N, 0, 4),
        4,
    );
    let (x, y) = (kit.random_slots(), kit.random_slots());
    let (a, b) = (kit.encrypt(&x, SCALE, LEVEL), kit.encrypt(&y, SCALE, LEVEL));
    let plaintext = kit.encode(&y, SCALE, LEVEL - 1, Basis::Qp);
    let relinearisation = kit.relinearisation_key(LEVEL);
    let element = kit.element(3);
    let galois = kit.galois_key(element, LEVEL);
    let p = kit.parameters();
    let words = |limbs| vec![0; limbs << LOG_N];
    let mut memory = Memory {
        product: vec![0; p.ciphertext_words(LEVEL, 2)],
        lower: vec![0; p.ciphertext_words(LEVEL - 1, 1)],
        decomposed: vec![0; p.decomposed_words(LEVEL - 1)],
        acc: vec![0; p.qp_words(LEVEL - 1, 1)],
        twice: vec![0; p.qp_words(LEVEL - 1, 1)],
        sum: vec![0; p.qp_words(LEVEL - 1, 1)],
        other: vec![0; p.qp_words(LEVEL - 1, 1)],
        rotated: vec![0; p.ciphertext_words(LEVEL - 1, 1)],
        raised: words(2 * (LEVEL + 1)),
        work: vec![0; scratch::rotate_scratch(p, LEVEL)],
    };
    let ctx = &kit.ctx;
    let run = |memory: &mut Memory| {
        let Memory {
            product,
            lower,
            decomposed,
            acc,
            twice,
            sum,
            other,
            rotated,
            raised,
            work,
        } = memory;
        evaluate::mul(ctx, LEVEL, product, &a, &b).unwrap();
        switch::relinearize_rescale(ctx, LEVEL, lower, product, &relinearisation, LEVEL, work).unwrap();
        switch::decompose(ctx, LEVEL - 1, decomposed, lower, work).unwrap();
        let rotation = Rotation {
            element,
            key: &galois,
            key_cap: LEVEL,
        };
        let rotations = [rotation; 2];
        let mut sums = [(&mut *acc, 1), (twice, 2)].map(|(acc, count)| RotationSum {
            acc,
            init: true,
            rotations: &rotations[..count],
        });
        switch::rotate_accs(ctx, LEVEL - 1, &mut sums, decomposed).unwrap();
        let terms = [(&acc[..], &plaintext[..]), (twice, &plaintext)];
        let sums = &mut [&mut *sum, other].map(|dst| PlainSum {
            dst,
            init: true,
            terms: &terms,
        });
        evaluate::mul_plain_sums(ctx, LEVEL - 1, Basis::Qp, sums).unwrap();
        switch::mod_down(ctx, LEVEL - 1, rotated, sum, work).unwrap();
        switch::rotate(ctx, LEVEL - 1, element, lower, rotated, &galois, LEVEL, work).unwrap();
        let (first, second) = (&lower[..1 << LOG_N], &lower[LEVEL << LOG_N..][..1 << LOG_N]);
        product[..1 << LOG_N].copy_from_slice(first);
        product[1 << LOG_N..2 << LOG_N].copy_from_slice(second);
        evaluate::mod_raise(ctx, LEVEL, raised, &product[..2 << LOG_N], work).unwrap();
    };
    let mut results: Vec<Vec<u64>> = Vec::new();
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| run(&mut memory));
        let Memory {
            lower,
            rotated,
            raised,
            other,
            ..
        } = &memory;
        results.push([&lower[..], rotated, raised, other].concat());
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(results[0].iter().any(|&word| word != 0));
}
