//! What can be wrong with a caller's parameters or bytes.

use core::fmt;

use crate::Backend;

/// A refused parameter, buffer or byte string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// log2 of the ring degree is outside the supported interval.
    Degree {
        /// The refused log2 N.
        log_n: u32,
    },
    /// A modulus is even, below 3, or too wide for the word.
    Modulus {
        /// The refused modulus.
        value: u64,
    },
    /// A ring prime is not prime, not 1 modulo 2N, or given twice.
    Prime {
        /// The refused value.
        value: u64,
    },
    /// There are no primes, or more than [`MAX_PRIMES`](crate::MAX_PRIMES).
    PrimeCount {
        /// How many were given.
        count: usize,
    },
    /// The caller's buffer is too short.
    Memory {
        /// Elements needed.
        needed: usize,
        /// Elements given.
        given: usize,
    },
    /// Packed bytes hold a value that is not below the modulus.
    Residue {
        /// Index of the first such value in its limb.
        index: usize,
    },
    /// Packed bytes have set bits after the last value.
    Padding,
    /// The processor cannot run a backend.
    Backend {
        /// The refused backend.
        backend: Backend,
    },
    /// No backend has the given name.
    BackendName,
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Degree { log_n } => write!(f, "ring degree 2^{log_n} is not supported"),
            Self::Modulus { value } => write!(f, "{value} is even, below 3 or too wide for the word"),
            Self::Prime { value } => {
                write!(
                    f,
                    "{value} is not a prime congruent to 1 modulo 2N, or is given twice"
                )
            }
            Self::PrimeCount { count } => {
                write!(f, "{count} primes; 1 to {} are supported", crate::MAX_PRIMES)
            }
            Self::Memory { needed, given } => write!(f, "buffer of {given} elements; {needed} are needed"),
            Self::Residue { index } => write!(f, "packed value {index} is not below the modulus"),
            Self::Padding => write!(f, "packed limb has set bits after its last value"),
            Self::Backend { backend } => write!(f, "this processor cannot run the {backend} kernels"),
            Self::BackendName => write!(f, "no kernels have this name"),
        }
    }
}

impl core::error::Error for RingError {}
