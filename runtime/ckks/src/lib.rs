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
//!
//! # Example
//! A vector is encrypted, doubled and decrypted. A real program takes its seeds and `rng` from the operating system.
//! ```
//! use chacha20::ChaCha20Rng;
//! use cipherloom_ckks::{Basis, Context, Encoder, Parameters, SecretKey, encrypt, evaluate, scratch};
//! use cipherloom_ring::prime::primes_near;
//! use rand_core::SeedableRng;
//!
//! # fn main() -> Result<(), cipherloom_ckks::CkksError> {
//! let (log_n, level, scale) = (12, 1, 2f64.powi(30));
//! let q: Vec<u64> = primes_near(1 << 40, log_n).take(2).collect();
//! let parameters = Parameters::new(log_n, &q, &[], 1)?;
//!
//! let mut tables = vec![0u64; Context::<u64>::memory_words(&parameters)];
//! let ctx = Context::new(parameters, &mut tables)?;
//! let mut roots = vec![0.0; Encoder::memory_f64(log_n)];
//! let encoder = Encoder::new(log_n, &mut roots)?;
//! let mut secret = vec![0; SecretKey::<u64>::memory_words(&ctx.parameters)];
//! let secret = SecretKey::from_seed(&ctx, &[1; 32], &mut secret)?;
//!
//! let mut plaintext = vec![0; ctx.parameters.plaintext_words(level)];
//! let mut work = vec![0.0; scratch::encode_scratch(&ctx.parameters)];
//! encoder.encode_real(&ctx, &[0.5, -3.25], scale, level, Basis::Q, &mut plaintext, &mut work)?;
//!
//! let mut ciphertext = vec![0; ctx.parameters.ciphertext_words(level, 1)];
//! let mut work = vec![0; scratch::encrypt_symmetric_scratch(&ctx.parameters, level)];
//! let (c0, c1) = ciphertext.split_at_mut(plaintext.len());
//! let (seed, mut rng) = ([2; 32], ChaCha20Rng::from_seed([3; 32]));
//! encrypt::encrypt_symmetric(&ctx, &secret, &plaintext, level, &seed, &mut rng, c0, &mut work)?;
//! encrypt::expand_c1(&ctx, &seed, level, c1)?;
//!
//! let mut doubled = vec![0; ciphertext.len()];
//! evaluate::add(&ctx, level, 2, Basis::Q, &mut doubled, &ciphertext, &ciphertext)?;
//!
//! encrypt::decrypt(&ctx, &secret, &doubled, level, 1, &mut plaintext)?;
//! let (mut re, mut im) = (vec![0.0; ctx.parameters.slots()], vec![0.0; ctx.parameters.slots()]);
//! let mut work = vec![0; scratch::decode_scratch(&ctx.parameters, level)];
//! encoder.decode(&ctx, &plaintext, level, scale, &mut re, &mut im, &mut work)?;
//! assert!((re[0] - 1.0).abs() < 1e-5 && (re[1] + 6.5).abs() < 1e-5);
//! # Ok(())
//! # }
//! ```
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]
#![deny(unsafe_code)]
#![allow(
    clippy::too_many_arguments,
    reason = "an operation is one flat call; its memory, level and key are all arguments"
)]

pub mod compact;
pub mod context;
mod division;
pub mod encode;
pub mod encrypt;
pub mod error;
pub mod evaluate;
pub mod keys;
pub mod parameters;
pub mod scratch;
pub mod secret;
pub mod seed;
mod small;
pub mod stream;
pub mod switch;

pub use context::{Basis, Context};
pub use encode::Encoder;
pub use error::CkksError;
pub use parameters::Parameters;
pub use secret::SecretKey;

/// Standard deviation of the error distribution.
pub const ERROR_STD: f64 = cipherloom_ring::sample::SIGMA;
