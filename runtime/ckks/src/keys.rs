//! Switching keys: for relinearisation, for rotations and conjugation, and from one secret to another.
//!
//! A key is capped at a level c: per digit d < digits(c) a pair (b_d, a_d) in basis qp at level c, with
//! b_d + a_d·s_to = P·g_d·s_from + e_d. Here g_d is 1 modulo the primes of digit d and 0 modulo all others, so that
//! at a lower level the limbs that are left form a key again. Only b needs to be stored: a is expanded from a seed, which
//! must serve this key alone.
//!
//! A key is read once for each use, from memory and not from a cache, and reading is what a use takes longest for. So its limbs
//! are packed ([`cipherloom_ring::pack`]): moduli of 40 to 50 bits leave a quarter of every word empty.
//!
//! The key for a Galois element g has s_from = s and s_to = φ_g^{−1}(s): it is applied before the automorphism, which
//! then turns the result, an encryption under φ_g^{−1}(s), into one under s. Only the two accumulated polynomials are
//! permuted in that order, not every digit.

use crate::context::{Basis, Context};
use crate::error::{at_least, exactly};
use crate::scratch::{expand_key_scratch, generate_key_scratch};
use crate::seed::uniform_limb;
use crate::small::fill_small;
use crate::{CkksError, SecretKey};
use cipherloom_ring::pack::pack_words;
use cipherloom_ring::{Word, automorphism, limb, sample};
use rand_core::CryptoRng;
use zeroize::Zeroize;

/// Makes the key that takes s² to s, for levels up to `cap`: `switching_key_words(cap)` words.
/// Scratch: [`crate::scratch::generate_key_scratch`].
pub fn generate_relinearisation_key<W: Word>(
    ctx: &Context<'_, W>,
    secret: &SecretKey<'_, W>,
    cap: usize,
    seed: &[u8; 32],
    rng: &mut impl CryptoRng,
    dst: &mut [W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    let s = |prime: usize, dst: &mut [W]| dst.copy_from_slice(secret.limb(ctx, prime));
    let squared = |prime: usize, dst: &mut [W]| {
        let s = secret.limb(ctx, prime);
        limb::mul(ctx.modulus(prime), dst, s, s);
    };
    secret.check(ctx)?;
    generate(ctx, squared, s, cap, seed, rng, dst, scratch)
}

/// Makes the key for the Galois element g (odd, below 2N), for levels up to `cap`: `switching_key_words(cap)` words.
/// Scratch: [`crate::scratch::generate_key_scratch`].
pub fn generate_galois_key<W: Word>(
    ctx: &Context<'_, W>,
    secret: &SecretKey<'_, W>,
    element: u32,
    cap: usize,
    seed: &[u8; 32],
    rng: &mut impl CryptoRng,
    dst: &mut [W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    ctx.check_element(element)?;
    secret.check(ctx)?;
    let log_n = ctx.parameters.log_n;
    let inverse = automorphism::inverse_element(log_n, element);
    let from = |prime: usize, dst: &mut [W]| dst.copy_from_slice(secret.limb(ctx, prime));
    let to =
        |prime: usize, dst: &mut [W]| automorphism::apply_ntt(log_n, inverse, dst, secret.limb(ctx, prime));
    generate(ctx, from, to, cap, seed, rng, dst, scratch)
}

/// Makes the key that takes a ciphertext under one secret to another secret, for levels up to `cap`:
/// `switching_key_words(cap)` words. Scratch: [`crate::scratch::generate_key_scratch`].
pub fn generate_switching_key<W: Word>(
    ctx: &Context<'_, W>,
    from: &SecretKey<'_, W>,
    to: &SecretKey<'_, W>,
    cap: usize,
    seed: &[u8; 32],
    rng: &mut impl CryptoRng,
    dst: &mut [W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    from.check(ctx)?;
    to.check(ctx)?;
    let from = |prime: usize, dst: &mut [W]| dst.copy_from_slice(from.limb(ctx, prime));
    let to = |prime: usize, dst: &mut [W]| dst.copy_from_slice(to.limb(ctx, prime));
    generate(ctx, from, to, cap, seed, rng, dst, scratch)
}

/// Fills the a halves of a key whose b halves are in place, from the seed that the key was generated with.
/// Scratch: [`crate::scratch::expand_key_scratch`].
pub fn expand_key_a<W: Word>(
    ctx: &Context<'_, W>,
    cap: usize,
    seed: &[u8; 32],
    dst: &mut [W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    check_key(ctx, cap, dst)?;
    let a = at_least("key scratch", scratch, expand_key_scratch(&ctx.parameters, cap))?;
    let half = ctx.parameters.packed_words::<W>(cap);
    for (digit, pair) in dst.chunks_exact_mut(2 * half).enumerate() {
        expand_a(ctx, cap, seed, digit, a);
        pack(ctx, cap, a, &mut pair[half..]);
    }
    Ok(())
}

/// The packed limbs that are stored of a key, with the prime of the ring that each belongs to: those of the b halves, one digit
/// after the other.
pub fn stored_limbs<'k, W: Word>(
    ctx: &Context<'_, W>,
    cap: usize,
    key: &'k [W],
) -> impl Iterator<Item = (usize, &'k [W])> {
    let halves = key.chunks_exact(2 * ctx.parameters.packed_words::<W>(cap));
    halves.flat_map(move |pair| {
        (0..ctx.limbs(cap, Basis::Qp))
            .map(move |position| (ctx.prime_at(cap, position), &pair[ctx.packed_limb(cap, position)]))
    })
}

/// As [`stored_limbs`], to be filled.
pub fn stored_limbs_mut<'k, W: Word>(
    ctx: &Context<'_, W>,
    cap: usize,
    key: &'k mut [W],
) -> impl Iterator<Item = (usize, &'k mut [W])> {
    let halves = key.chunks_exact_mut(2 * ctx.parameters.packed_words::<W>(cap));
    halves.flat_map(move |mut rest| {
        (0..ctx.limbs(cap, Basis::Qp)).map(move |position| {
            let limb = rest.split_off_mut(..ctx.packed_limb(cap, position).len());
            (ctx.prime_at(cap, position), limb.unwrap_or_default())
        })
    })
}

/// Fails unless `key` is a switching key with this cap, and key switching is possible at all.
pub(crate) fn check_key<W: Word>(ctx: &Context<'_, W>, cap: usize, key: &[W]) -> Result<(), CkksError> {
    if ctx.parameters.special() == 0 {
        return Err(CkksError::NoSpecialPrimes);
    }
    ctx.check_level(cap)?;
    exactly("switching key", key, ctx.parameters.switching_key_words::<W>(cap))
}

/// The a half of one digit. A limb's stream is named by its prime, so a key with a lower cap is a part of this one.
fn expand_a<W: Word>(ctx: &Context<'_, W>, cap: usize, seed: &[u8; 32], digit: usize, a: &mut [W]) {
    ctx.for_each_limb(cap, Basis::Qp, a, |at, limb| {
        uniform_limb(ctx, seed, digit as u64, at.prime, limb)
    });
}

/// Makes a key between the secrets whose limb for a prime the two functions write.
fn generate<W: Word>(
    ctx: &Context<'_, W>,
    from: impl Fn(usize, &mut [W]) + Sync,
    to: impl Fn(usize, &mut [W]) + Sync,
    cap: usize,
    seed: &[u8; 32],
    rng: &mut impl CryptoRng,
    dst: &mut [W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    check_key(ctx, cap, dst)?;
    let scratch = at_least("key scratch", scratch, generate_key_scratch(&ctx.parameters, cap))?;
    let words = ctx.parameters.qp_words(cap, 0);
    let (a, rest) = scratch.split_at_mut(words);
    let (b, secret) = rest.split_at_mut(words);
    let half = ctx.parameters.packed_words::<W>(cap);
    for (digit, pair) in dst.chunks_exact_mut(2 * half).enumerate() {
        let own = ctx.digit(cap, digit);
        expand_a(ctx, cap, seed, digit, a);
        fill_small(ctx, cap, Basis::Qp, b, |piece| sample::gaussian(rng, piece));
        ctx.for_each_limb_pair(cap, Basis::Qp, b, secret, |at, b, secret| {
            let modulus = ctx.modulus(at.prime);
            to(at.prime, secret);
            // The error's distribution is symmetric: −e serves as e.
            limb::mul_add_assign(modulus, b, ctx.limb(a, at.position), secret);
            limb::neg_assign(modulus, b);
            if own.contains(&at.position) {
                from(at.prime, secret);
                limb::mul_scalar_add_assign(modulus, b, secret, ctx.special_product(modulus));
            }
        });
        let (packed_b, packed_a) = pair.split_at_mut(half);
        pack(ctx, cap, b, packed_b);
        pack(ctx, cap, a, packed_a);
    }
    scratch.iter_mut().zeroize();
    Ok(())
}

/// Packs a polynomial in basis qp, limb by limb.
fn pack<W: Word>(ctx: &Context<'_, W>, cap: usize, polynomial: &[W], packed: &mut [W]) {
    for (position, limb) in polynomial.chunks_exact(ctx.degree()).enumerate() {
        let bits = ctx.modulus(ctx.prime_at(cap, position)).bits();
        pack_words(limb, bits, &mut packed[ctx.packed_limb(cap, position)]);
    }
}
