//! Prints the time of each kernel: `cargo run --release -p cipherloom-ring --example speed [log_n]`.

use std::hint::black_box;
use std::time::Instant;

use cipherloom_ring::{Ring, Word, automorphism, basis, limb, prime};

/// Source and target primes of the base conversion.
const FROM: usize = 9;
const TO: usize = 26;

/// Median of some runs.
fn time(name: &str, mut f: impl FnMut()) {
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("  {name:<24} {:9.3} ms", times[times.len() / 2]);
}

fn measure<W: Word>(log_n: u32, bits: u32) {
    println!("{}-bit words, N = 2^{log_n}, primes near 2^{bits}", W::BITS);
    let primes: Vec<u64> = prime::primes_below(1 << bits, log_n).take(FROM + TO).collect();
    let mut memory = vec![W::ZERO; Ring::<W>::memory_words(log_n, primes.len())];
    let ring = Ring::new(log_n, &primes, &mut memory).expect("valid primes");
    let n = ring.degree();
    let m = ring.modulus(0);
    let limb = |seed: u64| -> Vec<W> {
        (0..n as u64)
            .map(|i| m.reduce_u64((i + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect()
    };
    let (mut a, b, c) = (limb(1), limb(2), limb(3));
    time("ntt_forward", || ring.ntt_forward(0, black_box(&mut a)));
    time("ntt_inverse", || ring.ntt_inverse(0, black_box(&mut a)));
    time("add", || limb::add(m, black_box(&mut a), &b, &c));
    time("mul", || limb::mul(m, black_box(&mut a), &b, &c));
    time("mul_add_assign", || {
        limb::mul_add_assign(m, black_box(&mut a), &b, &c)
    });
    time("mul_scalar_assign", || {
        limb::mul_scalar_assign(m, black_box(&mut a), m.reduce_u64(12345))
    });
    time("inner_product of 3", || {
        limb::inner_product(m, black_box(&mut a), &[(&b, &c), (&c, &c), (&b, &b)]);
    });
    let element = automorphism::galois_element(log_n, 1);
    time("automorphism", || {
        automorphism::apply_ntt(log_n, element, black_box(&mut a), &b)
    });
    let mut src: Vec<W> = (0..FROM).flat_map(|_| b.iter().copied()).collect();
    let mut dst = vec![W::ZERO; TO * n];
    let to: Vec<usize> = (FROM..FROM + TO).collect();
    time("convert 9 to 26 primes", || {
        basis::convert(&ring, 0..FROM, &mut src, &to, black_box(&mut dst), &mut a)
    });
}

fn main() {
    let log_n = std::env::args()
        .nth(1)
        .and_then(|argument| argument.parse().ok())
        .unwrap_or(16);
    measure::<u64>(log_n, 60);
    measure::<u64>(log_n, 49);
    measure::<u32>(log_n, 30);
}
