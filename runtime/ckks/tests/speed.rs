//! `cargo test -p cipherloom-ckks --release --test speed -- --ignored --nocapture`

mod common;

use cipherloom_ckks::{scratch, switch};
use common::*;
use std::time::{Duration, Instant};

/// One rotation on one thread at N = 2^16 with 25 limbs of 50 bits in three digits: below 400 ms.
#[test]
#[ignore = "measures; wants an optimised build"]
fn a_rotation_at_full_size() {
    let (log_n, level) = (16, 24);
    let q = primes(50, log_n, 9, 25);
    let mut kit = Kit::<u64>::new(log_n, &q, &primes(50, log_n, 0, 9), 9);
    let x = kit.random_slots();
    let scale = 2f64.powi(45);
    let a = kit.encrypt(&x, scale, level);
    let element = kit.element(1);
    let key = kit.galois_key(element, level);

    let parameters = kit.parameters();
    let mut dst = vec![0; a.len()];
    let mut work = vec![0; scratch::rotate_scratch(parameters, level)];
    let best = |mut f: Box<dyn FnMut() + '_>| {
        (0..15)
            .map(|_| {
                let start = Instant::now();
                f();
                start.elapsed()
            })
            .min()
            .unwrap_or(Duration::MAX)
    };
    let rotation = best(Box::new(|| {
        switch::rotate(&kit.ctx, level, element, &mut dst, &a, &key, level, &mut work).unwrap();
    }));
    let mut decomposed = vec![0; parameters.decomposed_words(level)];
    let mut acc = vec![0; parameters.qp_words(level, 1)];
    let decompose = best(Box::new(|| {
        switch::decompose(&kit.ctx, level, &mut decomposed, &a, &mut work).unwrap()
    }));
    let rotate_acc = best(Box::new(|| {
        switch::rotate_acc(
            &kit.ctx,
            level,
            element,
            &key,
            level,
            &mut acc,
            &decomposed,
            false,
            &mut work,
        )
        .unwrap();
    }));
    let mod_down = best(Box::new(|| {
        switch::mod_down(&kit.ctx, level, &mut dst, &acc, &mut work).unwrap()
    }));
    println!(
        "rotation {rotation:?}: decompose {decompose:?}, rotate_acc {rotate_acc:?}, mod_down {mod_down:?}"
    );

    switch::rotate(&kit.ctx, level, element, &mut dst, &a, &key, level, &mut work).unwrap();
    assert!(largest_error(&kit.decrypt(&dst, level, scale), &rotated(&x, 1)) < 1e-7);
    assert!(
        cfg!(debug_assertions) || rotation < Duration::from_millis(400),
        "{rotation:?}"
    );
}
