//! The modulus chain, its canonical scales and the special primes.

use cipherloom_ring::prime::{primes_below, primes_near};

/// Bits below which every prime lies, by word width: 50 leaves the room that vector units of 52 bits need.
pub fn prime_bits(word_bits: u32) -> u32 {
    if word_bits == 32 { 30 } else { 50 }
}

/// Primes q_0 … q_L and one canonical scale for each level.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// log2 N.
    pub log_n: u32,
    /// log2 of the nominal scale.
    pub log_scale: u32,
    /// The primes; level l uses the first l + 1.
    pub q: Vec<u64>,
    scales: Vec<f64>,
}

impl Chain {
    /// A chain of `top` + 1 primes: q_0 near 2^`base_bits`, the others near the nominal scale, all below
    /// 2^`limit_bits`. `None` if there are not so many primes.
    ///
    /// Δ_top is the nominal scale Δ and Δ_{l−1} = Δ_l²/q_l; each q_l is the unused prime nearest to Δ_l²/Δ, so that errors
    /// of the scale do not grow.
    pub fn new(log_n: u32, log_scale: u32, base_bits: f64, top: u32, limit_bits: u32) -> Option<Self> {
        let nominal = 2f64.powi(log_scale as i32);
        let limit = 1u64 << limit_bits;
        let base = primes_near(2f64.powf(base_bits) as u64, log_n)
            .take(4096)
            .find(|&prime| prime < limit)?;
        let mut q = vec![base];
        let mut scales = vec![nominal];
        for _ in 0..top {
            let scale = scales[scales.len() - 1];
            let target = (scale * scale / nominal) as u64;
            let prime = primes_near(target, log_n)
                .take(4 * top as usize + 8)
                .find(|prime| *prime < limit && !q.contains(prime))?;
            // A chain that strays has run out of primes near its scale.
            if (prime as f64 / nominal).log2().abs() > 0.1 {
                return None;
            }
            q.push(prime);
            scales.push(scale * scale / prime as f64);
        }
        // They were chosen from the top down.
        q[1..].reverse();
        scales.reverse();
        Some(Self {
            log_n,
            log_scale,
            q,
            scales,
        })
    }

    /// The chain, and above it `above` levels for the modulus raise: primes as large as can be, with scales that climb
    /// to them, Δ_l = √(Δ_{l−1}·q_l), so that Δ_{l−1} = Δ_l²/q_l there too.
    pub fn raised(mut self, above: u32, limit_bits: u32) -> Option<Self> {
        let limit = 1u64 << limit_bits;
        for _ in 0..above {
            let prime = primes_below(limit, self.log_n).find(|prime| !self.q.contains(prime))?;
            let below = self.scales[self.scales.len() - 1];
            self.q.push(prime);
            self.scales.push((below * prime as f64).sqrt());
        }
        Some(self)
    }

    /// Δ_l.
    pub fn scale(&self, level: u32) -> f64 {
        self.scales.get(level as usize).copied().unwrap_or(f64::NAN)
    }

    /// The highest level.
    pub fn top(&self) -> u32 {
        self.q.len() as u32 - 1
    }

    /// log2 of the product of all primes.
    pub fn bits(&self) -> f64 {
        self.q.iter().map(|&prime| (prime as f64).log2()).sum()
    }

    /// log2 of the largest product of a digit of `digit_limbs` primes.
    pub fn digit_bits(&self, digit_limbs: u32) -> f64 {
        let digit = |primes: &[u64]| primes.iter().map(|&prime| (prime as f64).log2()).sum::<f64>();
        self.q
            .chunks(digit_limbs.max(1) as usize)
            .map(digit)
            .fold(0.0, f64::max)
    }

    /// Special primes whose product is at least 2^1.5 times that of any digit, so that the error of a key switch stays
    /// near its rounding; as few and as small as that allows. With `first_covers_base` the first of them is not smaller
    /// than q_0, so that it serves alone for key switches at level 0.
    pub fn special(&self, digit_limbs: u32, limit_bits: u32, first_covers_base: bool) -> Option<Vec<u64>> {
        const SLACK: f64 = 0.1;
        let room = f64::from(limit_bits) - 0.01;
        let mut missing = self.digit_bits(digit_limbs) + 1.5;
        let mut special = Vec::new();
        if first_covers_base {
            let first = primes_below(1 << limit_bits, self.log_n).find(|prime| !self.q.contains(prime))?;
            missing -= (first as f64).log2();
            special.push(first);
        }
        if missing <= SLACK {
            return Some(special);
        }
        let others = (missing / room).ceil();
        let least = special.len() + others as usize;
        let target = 2f64.powf((missing / others + 0.002).min(room)) as u64;
        for prime in primes_near(target, self.log_n).take(4096) {
            if prime < 1 << limit_bits && !self.q.contains(&prime) && !special.contains(&prime) {
                missing -= (prime as f64).log2();
                special.push(prime);
            }
            if special.len() >= least && missing <= SLACK {
                return Some(special);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_stay_near_the_nominal_scale() {
        for (log_n, log_scale, top) in [(16, 36, 40), (15, 40, 18), (12, 30, 2), (13, 45, 4)] {
            let chain =
                Chain::new(log_n, log_scale, f64::from(log_scale) + 4.0, top, 50).expect("there are primes");
            for level in 0..=top {
                assert!(
                    (chain.scale(level).log2() - f64::from(log_scale)).abs() < 0.01,
                    "{level}"
                );
                if level > 0 {
                    let next = chain.scale(level).powi(2) / chain.q[level as usize] as f64;
                    assert!((next / chain.scale(level - 1) - 1.0).abs() < 1e-12);
                }
            }
            let mut primes = chain.q.clone();
            for digit_limbs in [1, 3] {
                let special = chain
                    .special(digit_limbs, 50, false)
                    .expect("there are special primes");
                let bits: f64 = special.iter().map(|&prime| (prime as f64).log2()).sum();
                assert!(bits >= chain.digit_bits(digit_limbs) + 1.4);
                assert!(special.iter().all(|prime| !chain.q.contains(prime)));
            }
            primes.sort_unstable();
            primes.dedup();
            assert_eq!(primes.len(), top as usize + 1);
        }
    }
}
