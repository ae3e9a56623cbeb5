//! The times of one thread at full size, for every backend of this machine:
//! `cargo test -p cipherloom-ckks --release --test speed -- --ignored --nocapture`.
//! Huge pages matter: with glibc, set `GLIBC_TUNABLES=glibc.malloc.hugetlb=1`.

mod common;

use chacha20::ChaCha20Rng;
use cipherloom_ckks::{Basis, Context, Encoder, SecretKey, encrypt, evaluate, scratch, switch};
use cipherloom_ring::Backend;
use common::*;
use rand_core::SeedableRng;
use std::time::Instant;

const LOG_N: u32 = 16;
const LEVEL: usize = 24;
/// Rotations that share one decomposition.
const HOISTED: usize = 8;
/// Runs that the shortest time is taken of.
const RUNS: usize = 8;

/// Shortest time of some runs, in milliseconds.
fn best(mut f: impl FnMut()) -> f64 {
    let run = |_| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..RUNS).map(run).fold(f64::INFINITY, f64::min)
}

/// Zeros that start at a cache line, as the host's arena does. Never freed.
fn aligned(len: usize) -> &'static mut [u64] {
    let memory = vec![1; len + 8].leak();
    let skip = memory.as_ptr().align_offset(64);
    let memory = &mut memory[skip..skip + len];
    memory.fill(0);
    memory
}

fn copy(of: &[u64]) -> &'static mut [u64] {
    let memory = aligned(of.len());
    memory.copy_from_slice(of);
    memory
}

/// The operations at N = 2^16 with 25 limbs of 49 bits in three digits; every result is decrypted and compared.
fn measure(backend: Backend) -> Vec<(&'static str, f64)> {
    backend.force().unwrap();
    // No digit may be larger than the special primes.
    let mut q = primes(49, LOG_N, 0, LEVEL + 1 + 9);
    q.sort_unstable();
    let p = q.split_off(LEVEL + 1);
    let mut kit = Kit::<u64>::new(LOG_N, &q, &p, 9);
    let parameters = kit.parameters().clone();
    kit.ctx = Context::new(
        parameters.clone(),
        aligned(Context::<u64>::memory_words(&parameters)),
    )
    .unwrap();
    let memory = aligned(SecretKey::<u64>::memory_words(&parameters));
    kit.secret = SecretKey::from_seed(&kit.ctx, &SEED, memory).unwrap();

    let scale = 2f64.powi(45);
    let (x, y) = (kit.random_slots(), kit.random_slots());
    let (a, b) = (
        copy(&kit.encrypt(&x, scale, LEVEL)),
        copy(&kit.encrypt(&y, scale, LEVEL)),
    );
    let keys: Vec<_> = (0..HOISTED)
        .map(|i| {
            let element = kit.element(i as i64 + 1);
            // Two different keys are enough to defeat the caches.
            (
                element,
                if i < 2 {
                    copy(&kit.galois_key(element, LEVEL))
                } else {
                    &mut []
                },
            )
        })
        .collect();
    let relinearisation = copy(&kit.relinearisation_key(LEVEL));
    let kit = &kit;
    let ctx = &kit.ctx;

    let words = parameters.ciphertext_words(LEVEL, 1);
    let dst = aligned(words);
    let work = aligned(scratch::rotate_scratch(&parameters, LEVEL));
    let mut times = Vec::new();
    // The measure of all others: a transform, table and limb in a cache.
    times.push(("NTT", best(|| ctx.ring.ntt_forward(0, &mut dst[..1 << LOG_N]))));

    let (element, key) = (keys[0].0, &*keys[0].1);
    times.push((
        "rotate",
        best(|| switch::rotate(ctx, LEVEL, element, dst, a, key, LEVEL, work).unwrap()),
    ));
    assert!(largest_error(&kit.decrypt(dst, LEVEL, scale), &rotated(&x, 1)) < 1e-7);

    let decomposed = aligned(parameters.decomposed_words(LEVEL));
    let acc = aligned(parameters.qp_words(LEVEL, 1));
    let decompose = |decomposed: &mut [u64], work: &mut [u64]| {
        switch::decompose(ctx, LEVEL, decomposed, a, work).unwrap()
    };
    let rotate_acc = |i: usize, acc: &mut [u64], decomposed: &[u64]| {
        let (element, key) = (keys[i % 2].0, &*keys[i % 2].1);
        switch::rotate_acc(ctx, LEVEL, element, key, LEVEL, acc, decomposed, true).unwrap();
    };
    times.push(("  decompose", best(|| decompose(decomposed, work))));
    times.push(("  rotate_acc", best(|| rotate_acc(0, acc, decomposed))));
    times.push((
        "  mod_down",
        best(|| switch::mod_down(ctx, LEVEL, dst, acc, work).unwrap()),
    ));
    times.push((
        "8 hoisted rotations, summed",
        best(|| {
            decompose(decomposed, work);
            for i in 0..HOISTED {
                let (element, key) = (keys[i % 2].0, &*keys[i % 2].1);
                switch::rotate_acc(ctx, LEVEL, element, key, LEVEL, acc, decomposed, i == 0).unwrap();
            }
            switch::mod_down(ctx, LEVEL, dst, acc, work).unwrap();
        }),
    ));
    times.push((
        "8 hoisted rotations, each",
        best(|| {
            decompose(decomposed, work);
            for i in 0..HOISTED {
                rotate_acc(i, acc, decomposed);
                switch::mod_down(ctx, LEVEL, dst, acc, work).unwrap();
            }
        }),
    ));
    assert!(largest_error(&kit.decrypt(dst, LEVEL, scale), &rotated(&x, 2)) < 1e-7);

    let product = aligned(parameters.ciphertext_words(LEVEL, 2));
    let lower = aligned(parameters.ciphertext_words(LEVEL - 1, 1));
    let rescale = |lower: &mut [u64], dst: &[u64], work: &mut [u64]| {
        evaluate::rescale(ctx, LEVEL, 1, lower, dst, work).unwrap()
    };
    times.push((
        "mul + relinearise + rescale",
        best(|| {
            evaluate::mul(ctx, LEVEL, product, a, b).unwrap();
            switch::relinearize_rescale(ctx, LEVEL, lower, product, relinearisation, LEVEL, work).unwrap();
        }),
    ));
    let lower_scale = scale * scale / q[LEVEL] as f64;
    let expected = map2(&x, &y, complex_mul);
    assert!(largest_error(&kit.decrypt(lower, LEVEL - 1, lower_scale), &expected) < 1e-7);
    times.push((
        "  mul",
        best(|| evaluate::mul(ctx, LEVEL, product, a, b).unwrap()),
    ));
    times.push(("  rescale", best(|| rescale(lower, dst, work))));
    times.push((
        "add",
        best(|| evaluate::add(ctx, LEVEL, 2, Basis::Q, dst, a, b).unwrap()),
    ));
    let plaintext = aligned(parameters.plaintext_words(LEVEL));
    let slots = parameters.slots();
    let (mut re, mut im) = (vec![0.25; slots], vec![0.5; slots]);
    let mut encoding = vec![0.0; scratch::encode_scratch(&parameters)];
    let encoder: &Encoder<'_> = &kit.encoder;
    times.push((
        "encode",
        best(|| {
            encoder
                .encode_complex(ctx, &re, &im, scale, LEVEL, Basis::Q, plaintext, &mut encoding)
                .unwrap();
        }),
    ));
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let c0 = aligned(plaintext.len());
    times.push((
        "encrypt (seeded)",
        best(|| {
            encrypt::encrypt_symmetric(ctx, &kit.secret, plaintext, LEVEL, &SEED, &mut rng, c0, work)
                .unwrap();
        }),
    ));
    times.push((
        "decrypt + decode",
        best(|| {
            encrypt::decrypt(ctx, &kit.secret, a, LEVEL, 1, plaintext).unwrap();
            encoder
                .decode(ctx, plaintext, LEVEL, scale, &mut re, &mut im, work)
                .unwrap();
        }),
    ));
    times
}

#[test]
#[ignore = "measures; wants an optimised build"]
fn operations_at_full_size() {
    let backends: Vec<Backend> = Backend::ALL.into_iter().filter(|b| b.is_available()).collect();
    let columns: Vec<_> = backends.iter().map(|&backend| measure(backend)).collect();
    print!("{:30}", "milliseconds");
    for backend in &backends {
        print!("{:>12}", backend.name());
    }
    println!();
    for (row, (name, _)) in columns[0].iter().enumerate() {
        print!("{name:30}");
        for times in &columns {
            print!("{:12.2}", times[row].1);
        }
        println!();
    }
    let rotation = |column: &Vec<(&str, f64)>| column[1].1;
    let (fastest, slowest) = (rotation(&columns[0]), rotation(&columns[columns.len() - 1]));
    assert!(
        cfg!(debug_assertions) || fastest <= 1.1 * slowest,
        "{fastest} ms, {slowest} ms"
    );
}
