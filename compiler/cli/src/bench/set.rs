//! The parameter sets that are measured.

use std::fmt;

use cipherloom_ckks::Parameters;
use cipherloom_ring::prime::primes_below;
use clap::ValueEnum;

/// Parameters of a measurement. A, B and C are those that other libraries are measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Set {
    /// N = 2^13, 4 limbs of 36 bits, one special prime: as many digits as limbs
    A,
    /// N = 2^15, 13 limbs of 45 bits, dnum 3
    B,
    /// N = 2^16, 25 limbs of 49 bits, dnum 3
    C,
    /// N = 2^16, 25 limbs of 49 bits, dnum 5
    D,
    /// N = 2^11, 4 limbs of 40 bits: no security, to try the command
    #[value(hide = true)]
    Toy,
}

/// What a set is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// log2 N.
    pub log_n: u32,
    /// q-limbs.
    pub limbs: usize,
    /// Bits of every prime.
    pub bits: u32,
    /// α, limbs of a digit, and as many special primes.
    pub digit_limbs: u32,
}

impl Set {
    /// The sets that are measured unless others are asked for.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    /// What it is made of.
    pub fn chain(self) -> Chain {
        let (log_n, limbs, bits, digit_limbs) = match self {
            Self::A => (13, 4, 36, 1),
            Self::B => (15, 13, 45, 5),
            Self::C => (16, 25, 49, 9),
            Self::D => (16, 25, 49, 5),
            Self::Toy => (11, 4, 40, 2),
        };
        Chain {
            log_n,
            limbs,
            bits,
            digit_limbs,
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Chain {
    /// The parameters: the largest primes of that many bits, the very largest of them special.
    pub fn parameters(&self) -> Result<Parameters, cipherloom_ckks::CkksError> {
        let special = self.digit_limbs as usize;
        let primes: Vec<u64> = primes_below(1 << self.bits, self.log_n)
            .take(self.limbs + special)
            .collect();
        let (p, q) = primes.split_at(special.min(primes.len()));
        Parameters::new(self.log_n, q, p, self.digit_limbs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cipherloom_compiler::params::security::largest_modulus_bits;

    #[test]
    fn the_sets_are_secure_and_as_they_say() {
        for set in Set::ALL {
            let parameters = set.chain().parameters().unwrap();
            let bits: f64 = parameters.primes().map(|prime| (prime as f64).log2()).sum();
            let allowed = largest_modulus_bits(parameters.log_n).unwrap();
            assert!(bits <= f64::from(allowed), "{set:?}: {bits} of {allowed} bits");
            assert_eq!(parameters.q.len(), set.chain().limbs);
        }
        let digits = Set::ALL.map(|set| {
            let parameters = set.chain().parameters().unwrap();
            parameters.digits(parameters.max_level())
        });
        assert_eq!(digits, [4, 3, 3, 5]);
    }
}
