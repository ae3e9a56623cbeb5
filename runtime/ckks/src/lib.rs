//! The CKKS scheme (Cheon–Kim–Kim–Song 2017) in full residue-number-system form, in memory that the caller brings.
//!
//! Nothing here allocates, reads a clock or asks for randomness: sizes in words come from [`Parameters`] and
//! [`scratch`], random numbers from a `CryptoRng` argument, and every mistake of the caller is a [`CkksError`].
//!
//! # Layout
//! N is the ring degree, l the level (number of q-limbs − 1), K the number of special primes. A *polynomial* is its
//! limbs one after the other, N words each, in NTT form, every word in [0, q_i):
//!
//! | value                    | words                            | parts                                            |
//! |--------------------------|----------------------------------|--------------------------------------------------|
//! | polynomial, basis q      | (l+1)·N                          | q_0 … q_l                                        |
//! | polynomial, basis qp     | (l+1+K)·N                        | q_0 … q_l, p_0 … p_{K−1}                         |
//! | plaintext                | one polynomial                   |                                                  |
//! | ciphertext of degree d   | d+1 polynomials                  | c_0, c_1 [, c_2]; m = Σ c_i·s^i                  |
//! | decomposed ciphertext    | (l+1)·N + D·(l+1+K)·N            | c_0 in basis q, then each digit of c_1 in qp     |
//! | switching key, cap c     | D(c)·2·(c+1+K)·N                 | per digit: b in qp, a in qp                      |
//!
//! # Noise
//! Each operation's documentation gives the variance of the error that it adds, **per coefficient** and at the scale
//! of its result. An error of variance V per coefficient has mean square N·V in a slot, half of it in the real part.
//! σ = 3.19 is the standard deviation of the error distribution; a ternary coefficient has variance 2/3.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod context;
pub mod encode;
pub mod encrypt;
pub mod error;
pub mod evaluate;
pub mod keys;
pub mod parameters;
pub mod scratch;
pub mod secret;
pub mod seed;
pub mod switch;

pub use context::{Basis, Context};
pub use encode::Encoder;
pub use error::CkksError;
pub use parameters::Parameters;
pub use secret::SecretKey;

/// Standard deviation of the error distribution.
pub const ERROR_STD: f64 = 3.19;
