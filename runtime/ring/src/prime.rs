//! Primality, NTT-friendly primes and roots of unity.

use crate::{Modulus, Word};

/// Primes are searched below 2^61, the limit of 64-bit words.
const LIMIT: u64 = 1 << 61;

/// With the first twelve primes as bases Miller–Rabin is exact below 3.3·10^24 (Sorenson and Webster, 2015).
const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];

/// Whether `n` is prime; exact for every `u64`. Time depends on `n`.
pub fn is_prime(n: u64) -> bool {
    if n < 2 {
        return false;
    }
    for p in BASES {
        if n.is_multiple_of(p) {
            return n == p;
        }
    }
    let twos = (n - 1).trailing_zeros();
    let odd = (n - 1) >> twos;
    BASES.iter().all(|&base| {
        let mut x = pow_mod(base, odd, n);
        if x == 1 || x == n - 1 {
            return true;
        }
        for _ in 1..twos {
            x = mul_mod(x, x, n);
            if x == n - 1 {
                return true;
            }
        }
        false
    })
}

fn mul_mod(a: u64, b: u64, n: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(n)) as u64
}

fn pow_mod(a: u64, mut exponent: u64, n: u64) -> u64 {
    let (mut power, mut square) = (1, a % n);
    while exponent != 0 {
        if exponent & 1 == 1 {
            power = mul_mod(power, square, n);
        }
        square = mul_mod(square, square, n);
        exponent >>= 1;
    }
    power
}

/// Primes p ≡ 1 (mod 2^(log_n+1)) below 2^61 by increasing |p − target|; of two at the same distance the smaller
/// comes first. `log_n` < 60.
pub fn primes_near(target: u64, log_n: u32) -> impl Iterator<Item = u64> {
    let mut below = primes_below(target.saturating_add(1), log_n).peekable();
    let mut above = primes_above(target, log_n).peekable();
    core::iter::from_fn(move || match (below.peek(), above.peek()) {
        (Some(&low), Some(&high)) if high - target < target - low => above.next(),
        (Some(_), _) => below.next(),
        (None, _) => above.next(),
    })
}

/// Primes p ≡ 1 (mod 2^(log_n+1)) with p < `bound` and p < 2^61, largest first. `log_n` < 60.
pub fn primes_below(bound: u64, log_n: u32) -> impl Iterator<Item = u64> {
    let step = 1u64 << (log_n + 1);
    let bound = bound.min(LIMIT);
    // The largest candidate 1 + k·step < bound; k = 0 gives 1, which is_prime refuses.
    let mut next = bound.checked_sub(2).map(|room| room / step * step + 1);
    core::iter::from_fn(move || {
        loop {
            let candidate = next?;
            next = candidate.checked_sub(step);
            if is_prime(candidate) {
                return Some(candidate);
            }
        }
    })
}

/// Primes p ≡ 1 (mod 2^(log_n+1)) with `bound` < p < 2^61, smallest first.
fn primes_above(bound: u64, log_n: u32) -> impl Iterator<Item = u64> {
    let step = 1u64 << (log_n + 1);
    let mut next = (bound < LIMIT).then(|| bound.div_ceil(step) * step + 1);
    core::iter::from_fn(move || {
        loop {
            let candidate = next.filter(|&candidate| candidate < LIMIT)?;
            next = Some(candidate + step);
            if candidate > bound && is_prime(candidate) {
                return Some(candidate);
            }
        }
    })
}

/// A primitive 2^(log_n+1)-th root of unity ψ modulo a prime ≡ 1 (mod 2^(log_n+1)); `None` when the modulus has
/// not that form (or is seen not to be prime).
///
/// ψ = x^((q−1)/2N) for the least quadratic non-residue x, so it depends on q and `log_n` alone, in either width.
pub fn primitive_root_2n<W: Word>(modulus: &Modulus<W>, log_n: u32) -> Option<W> {
    let order = 1u64.checked_shl(log_n + 1)?;
    let q = modulus.value_u64();
    if !(q - 1).is_multiple_of(order) {
        return None;
    }
    let minus_one = modulus.neg(W::ONE);
    // The least non-residue of any q < 2^61 is far below 512; a composite q may have none.
    (2..q.min(512))
        .map(W::from_u64)
        .find(|&x| modulus.pow(x, (q - 1) / 2) == minus_one)
        .map(|x| modulus.pow(x, (q - 1) / order))
}
