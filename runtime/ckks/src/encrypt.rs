//! Encryption and decryption.

use crate::context::{Basis, Context};
use crate::error::at_least;
use crate::scratch::{encrypt_public_scratch, encrypt_symmetric_scratch, flood_scratch};
use crate::seed::uniform_limb;
use crate::small::{fill_small, fill_wide};
use crate::{CkksError, Parameters, SecretKey};
use cipherloom_ring::{Word, limb, sample};
use rand_core::CryptoRng;
use zeroize::Zeroize;

/// Largest number of bits for [`flood`].
pub const MAX_FLOOD_BITS: u32 = 62;

/// Encrypts with the secret key: c_0 = −c_1·s + e + m, where c_1 is expanded from `seed` ([`expand_c1`]) and only c_0
/// is written, (l+1)·N words. A seed that serves twice gives away the difference of the messages. Scratch: [`crate::scratch::encrypt_symmetric_scratch`].
///
/// Error variance per coefficient: σ².
pub fn encrypt_symmetric<W: Word>(
    ctx: &Context<'_, W>,
    secret: &SecretKey<'_, W>,
    plaintext: &[W],
    level: usize,
    seed: &[u8; 32],
    rng: &mut impl CryptoRng,
    c0: &mut [W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    secret.check(ctx)?;
    ctx.check("plaintext", plaintext, level, Basis::Q, 1)?;
    ctx.check("c0", c0, level, Basis::Q, 1)?;
    let c1 = at_least(
        "encrypt scratch",
        scratch,
        encrypt_symmetric_scratch(&ctx.parameters, level),
    )?;
    fill_small(ctx, level, Basis::Q, c0, |piece| sample::gaussian(rng, piece));
    for (i, c0) in c0.chunks_exact_mut(ctx.degree()).enumerate() {
        let modulus = ctx.modulus(i);
        uniform_limb(ctx, seed, 0, i, c1);
        limb::mul_assign(modulus, c1, secret.limb(ctx, i));
        limb::sub_assign(modulus, c0, c1);
        limb::add_assign(modulus, c0, ctx.limb(plaintext, i));
    }
    c1.iter_mut().zeroize();
    Ok(())
}

/// Writes the c_1 that belongs to a seed of [`encrypt_symmetric`].
pub fn expand_c1<W: Word>(
    ctx: &Context<'_, W>,
    seed: &[u8; 32],
    level: usize,
    c1: &mut [W],
) -> Result<(), CkksError> {
    ctx.check("c1", c1, level, Basis::Q, 1)?;
    ctx.for_each_limb(level, Basis::Q, c1, |at, limb| {
        uniform_limb(ctx, seed, 0, at.prime, limb)
    });
    Ok(())
}

/// Words of a public key: a pair of polynomials at the top level.
pub fn public_key_words(parameters: &Parameters) -> usize {
    parameters.ciphertext_words(parameters.max_level(), 1)
}

/// Makes a public key (b, a), b = −(a·s + e), with a expanded from `seed`, which serves nothing else.
pub fn generate_public_key<W: Word>(
    ctx: &Context<'_, W>,
    secret: &SecretKey<'_, W>,
    seed: &[u8; 32],
    rng: &mut impl CryptoRng,
    dst: &mut [W],
) -> Result<(), CkksError> {
    let level = ctx.parameters.max_level();
    secret.check(ctx)?;
    ctx.check("public key", dst, level, Basis::Q, 2)?;
    let (b, a) = dst.split_at_mut(ctx.parameters.plaintext_words(level));
    expand_c1(ctx, seed, level, a)?;
    fill_small(ctx, level, Basis::Q, b, |piece| sample::gaussian(rng, piece));
    ctx.for_each_limb(level, Basis::Q, b, |at, b| {
        let modulus = ctx.modulus(at.prime);
        limb::mul_add_assign(modulus, b, ctx.limb(a, at.position), secret.limb(ctx, at.prime));
        limb::neg_assign(modulus, b);
    });
    Ok(())
}

/// Encrypts with a public key: (v·b + e_0 + m, v·a + e_1) with a fresh ternary v.
/// Scratch: [`crate::scratch::encrypt_public_scratch`].
///
/// Error variance per coefficient: σ²·(4N/3 + 1).
pub fn encrypt_public<W: Word>(
    ctx: &Context<'_, W>,
    public_key: &[W],
    plaintext: &[W],
    level: usize,
    rng: &mut impl CryptoRng,
    dst: &mut [W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    let top = ctx.parameters.max_level();
    ctx.check("public key", public_key, top, Basis::Q, 2)?;
    ctx.check("plaintext", plaintext, level, Basis::Q, 1)?;
    ctx.check("ciphertext", dst, level, Basis::Q, 2)?;
    let v = at_least(
        "encrypt scratch",
        scratch,
        encrypt_public_scratch(&ctx.parameters, level),
    )?;
    let (c0, c1) = dst.split_at_mut(ctx.parameters.plaintext_words(level));
    let (b, a) = public_key.split_at(ctx.parameters.plaintext_words(top));

    fill_small(ctx, level, Basis::Q, v, |piece| sample::ternary(rng, piece));
    for (half, key) in [(&mut *c0, b), (&mut *c1, a)] {
        fill_small(ctx, level, Basis::Q, half, |piece| sample::gaussian(rng, piece));
        ctx.for_each_limb(level, Basis::Q, half, |at, half| {
            let i = at.position;
            limb::mul_add_assign(ctx.modulus(at.prime), half, ctx.limb(v, i), ctx.limb(key, i));
        });
    }
    v.iter_mut().zeroize();
    ctx.for_each_limb(level, Basis::Q, c0, |at, c0| {
        limb::add_assign(ctx.modulus(at.prime), c0, ctx.limb(plaintext, at.position));
    });
    Ok(())
}

/// Decrypts a ciphertext of degree 1 or 2 to a plaintext: Σ c_i·s^i. The result still carries the error; call
/// [`flood`] before it leaves the key holder's hands.
pub fn decrypt<W: Word>(
    ctx: &Context<'_, W>,
    secret: &SecretKey<'_, W>,
    ciphertext: &[W],
    level: usize,
    degree: usize,
    plaintext: &mut [W],
) -> Result<(), CkksError> {
    if !(1..=2).contains(&degree) {
        return Err(CkksError::Degree(degree));
    }
    secret.check(ctx)?;
    ctx.check("ciphertext", ciphertext, level, Basis::Q, degree + 1)?;
    ctx.check("plaintext", plaintext, level, Basis::Q, 1)?;
    ctx.for_each_limb(level, Basis::Q, plaintext, |at, sum| {
        let modulus = ctx.modulus(at.prime);
        sum.copy_from_slice(ctx.limb(ciphertext, degree * (level + 1) + at.position));
        for polynomial in (0..degree).rev() {
            limb::mul_assign(modulus, sum, secret.limb(ctx, at.prime));
            limb::add_assign(
                modulus,
                sum,
                ctx.limb(ciphertext, polynomial * (level + 1) + at.position),
            );
        }
    });
    Ok(())
}

/// Adds to every coefficient of a plaintext an integer drawn uniformly from [−2^bits, 2^bits), bits ≤
/// [`MAX_FLOOD_BITS`]: noise flooding, so that the error of a decrypted value that is handed out tells nothing about the
/// secret (Li–Micciancio 2021). Scratch: [`crate::scratch::flood_scratch`].
///
/// Error variance per coefficient: 4^bits / 3.
pub fn flood<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    plaintext: &mut [W],
    bits: u32,
    rng: &mut impl CryptoRng,
    scratch: &mut [W],
) -> Result<(), CkksError> {
    if bits > MAX_FLOOD_BITS {
        return Err(CkksError::TooLarge);
    }
    ctx.check("plaintext", plaintext, level, Basis::Q, 1)?;
    let noise = at_least("flood scratch", scratch, flood_scratch(&ctx.parameters, level))?;
    fill_wide(ctx, level, noise, |piece| {
        for value in piece {
            *value = (rng.next_u64() as i64) >> (63 - bits);
        }
    });
    ctx.for_each_limb(level, Basis::Q, plaintext, |at, limb| {
        limb::add_assign(ctx.modulus(at.prime), limb, ctx.limb(noise, at.position));
    });
    noise.iter_mut().zeroize();
    Ok(())
}
