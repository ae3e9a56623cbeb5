//! The laws of the ring crate, for both word widths.

mod automorphisms;
mod bases;
mod limbs;
mod moduli;
mod packing;
mod parallelism;
mod primes;
mod sampling;
mod transforms;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use cipherloom_ring::{Modulus, Ring, Word, prime};

/// A generator that gives the same numbers for the same seed.
fn rng(seed: u64) -> ChaCha20Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha20Rng::from_seed(bytes)
}

/// The largest `count` primes of at most `bits` bits for a ring of degree 2^log_n.
fn largest_primes(log_n: u32, bits: u32, count: usize) -> Vec<u64> {
    let primes: Vec<u64> = prime::primes_below(1 << bits, log_n).take(count).collect();
    assert_eq!(primes.len(), count);
    primes
}

/// Memory for a ring, alive as long as the tests.
fn ring<W: Word>(log_n: u32, primes: &[u64]) -> Ring<'static, W> {
    let memory = vec![W::ZERO; Ring::<W>::memory_words(log_n, primes.len())].leak();
    Ring::new(log_n, primes, memory).expect("valid ring")
}

/// `n` uniform residues, the same for both widths.
fn residues<W: Word>(m: &Modulus<W>, n: usize, rng: &mut ChaCha20Rng) -> Vec<W> {
    (0..n).map(|_| m.reduce_u64(rng.next_u64())).collect()
}

/// The low `bits` bits of j, reversed.
fn bit_reverse(j: usize, bits: u32) -> usize {
    j.reverse_bits() >> (usize::BITS - bits)
}
