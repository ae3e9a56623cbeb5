//! Modular arithmetic, number-theoretic transforms and residue number systems for Cipherloom; no_std.
//!
//! A polynomial of Z\[X\]/(X^N+1) is held as *limbs*: one slice of N words per prime, every word fully reduced. This
//! crate knows limbs, primes and bases; it knows nothing of scales, keys or ciphertexts.
//!
//! - One implementation serves two word widths ([`Word`]): `u32` with primes below 2^30 and `u64` with primes below
//!   2^61. A value is the same number in either width: the same primes give the same residues, bit for bit.
//! - The caller brings all memory; nothing here allocates, reads a clock or asks for randomness of its own.
//! - Every loop over coefficients lives in `kernels`, behind one table of functions. The portable kernels are the
//!   definition; another backend is right if and only if it is bit-equal to them.
//! - No branch and no address depends on a residue, except where a function's doc says that its data is public.

#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod automorphism;
pub mod basis;
mod error;
mod kernels;
pub mod limb;
mod modulus;
pub mod pack;
pub mod parallel;
pub mod prime;
mod ring;
pub mod sample;
mod word;

pub use error::RingError;
pub use kernels::Backend;
pub use modulus::Modulus;
pub use ring::{MAX_LOG_DEGREE, MAX_PRIMES, MIN_LOG_COMPACT, MIN_LOG_DEGREE, Ring};
pub use word::Word;
