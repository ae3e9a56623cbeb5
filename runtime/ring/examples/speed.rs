//! Prints the time of each kernel, one column per backend of this machine:
//! `cargo run --release -p cipherloom-ring --example speed [log_n]`.

use std::hint::black_box;
use std::time::Instant;

use cipherloom_ring::{Backend, Ring, Word, automorphism, basis, limb, prime};

/// Source and target primes of the base conversion.
const FROM: usize = 9;
const TO: usize = 25;
/// Runs that the shortest time is taken of.
const RUNS: usize = 60;

/// Shortest time of some runs, in microseconds.
fn time(mut f: impl FnMut()) -> f64 {
    let run = |_| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64() * 1e6
    };
    (0..RUNS).map(run).fold(f64::INFINITY, f64::min)
}

/// Zeros that start at a cache line, as the host's arena does. Never freed.
fn aligned<W: Word>(len: usize) -> &'static mut [W] {
    let line = 64 / size_of::<W>();
    let memory = vec![W::ONE; len + line].leak();
    let skip = memory.as_ptr().align_offset(64);
    &mut memory[skip..skip + len]
}

/// The time of every kernel with the active backend.
fn measure<W: Word>(log_n: u32, bits: u32) -> Vec<(&'static str, f64)> {
    let primes: Vec<u64> = prime::primes_below(1 << bits, log_n).take(FROM + TO).collect();
    let ring = Ring::new(
        log_n,
        &primes,
        aligned(Ring::<W>::memory_words(log_n, primes.len())),
    );
    let ring = ring.expect("valid primes");
    let n = ring.degree();
    let m = ring.modulus(0);
    let limb = |seed: u64| -> &'static mut [W] {
        let limb = aligned(n);
        for (i, x) in limb.iter_mut().enumerate() {
            *x = m.reduce_u64((i as u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        limb
    };
    let (a, b, c) = (limb(1), &*limb(2), &*limb(3));
    let element = automorphism::galois_element(log_n, 1);
    let src = aligned(FROM * n);
    let dst = aligned(TO * n);
    let tail = aligned(n);
    let to: Vec<usize> = (FROM..FROM + TO).collect();
    vec![
        ("ntt_forward", time(|| ring.ntt_forward(0, black_box(a)))),
        ("ntt_inverse", time(|| ring.ntt_inverse(0, black_box(a)))),
        ("add", time(|| limb::add(m, black_box(a), b, c))),
        ("mul", time(|| limb::mul(m, black_box(a), b, c))),
        (
            "mul_add_assign",
            time(|| limb::mul_add_assign(m, black_box(a), b, c)),
        ),
        (
            "mul_scalar_assign",
            time(|| limb::mul_scalar_assign(m, black_box(a), m.reduce_u64(12345))),
        ),
        (
            "inner_product of 3",
            time(|| limb::inner_product(m, black_box(a), &[(b, c), (c, c), (b, b)])),
        ),
        (
            "two inner products of 3",
            time(|| {
                let terms = [(b, [c, b]), (c, [b, c]), (b, [c, c])];
                limb::inner_product_2(m, [black_box(a), &mut dst[..n]], &terms, [limb::Start::Zero; 2]);
            }),
        ),
        (
            "automorphism",
            time(|| automorphism::apply_ntt(log_n, element, black_box(a), b)),
        ),
        (
            "convert 9 to 25 primes",
            time(|| basis::convert(&ring, 0..FROM, src, &to, black_box(dst), a)),
        ),
        (
            "divide 8 limbs by a prime",
            time(|| {
                basis::divide_round(
                    &ring,
                    8,
                    8..9,
                    black_box(&mut dst[..8 * n]),
                    &src[..8 * n],
                    tail,
                    a,
                )
            }),
        ),
    ]
}

fn compare<W: Word>(log_n: u32, bits: u32) {
    println!(
        "{}-bit words, N = 2^{log_n}, primes below 2^{bits}; microseconds",
        W::BITS
    );
    let backends = Backend::ALL.into_iter().filter(|backend| backend.force().is_ok());
    let columns: Vec<_> = backends
        .map(|backend| (backend, measure::<W>(log_n, bits)))
        .collect();
    print!("{:24}", "");
    for (backend, _) in &columns {
        print!("{:>12}", backend.name());
    }
    println!();
    for row in 0..columns[0].1.len() {
        print!("{:24}", columns[0].1[row].0);
        for (backend, times) in &columns {
            backend.force().expect("available");
            print!("{:12.1}", times[row].1);
        }
        println!();
    }
}

fn main() {
    let log_n = std::env::args()
        .nth(1)
        .and_then(|argument| argument.parse().ok())
        .unwrap_or(16);
    compare::<u64>(log_n, 49);
    compare::<u64>(log_n, 50);
    compare::<u64>(log_n, 61);
    compare::<u32>(log_n, 30);
}
