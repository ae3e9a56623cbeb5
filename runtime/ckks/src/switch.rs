//! Hybrid key switching (Han–Ki 2020), taken apart so that its parts can be shared.
//!
//! A rotation is [`decompose`] (mod-up of the digits of c_1), [`rotate_acc`] (inner product with the key, automorphism,
//! sum into an accumulator in basis qp) and [`mod_down`] (division by P). One decomposition serves every rotation of the
//! same ciphertext, and one mod-down closes any sum of rotations: hoisting.
//!
//! # Noise
//! An inner product with digits of moduli D_0, D_1, … adds, after division by P, an error of variance
//! N·σ²·Σ_d D_d² / (12·P²) per coefficient: digits are centred, thus of variance D_d²/12. Each mod-down adds its rounding,
//! (1 + 2N/3)/12.

use crate::CkksError;
use crate::context::{Basis, Context};
use crate::error::{at_least, exactly};
use crate::keys::check_key;
use crate::scratch::{
    decompose_scratch, mod_down_scratch, relinearize_scratch, rotate_acc_scratch, rotate_scratch,
};
use cipherloom_ring::{MAX_PRIMES, Word, automorphism, basis, limb, parallel};

/// dst = the decomposition of a ciphertext of degree 1: c_0, then the digits of c_1 raised to basis qp, in NTT form,
/// `decomposed_words(level)` words. Scratch: [`crate::scratch::decompose_scratch`].
pub fn decompose<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    ciphertext: &[W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    check_decomposed(ctx, level, dst)?;
    ctx.check("ciphertext", ciphertext, level, Basis::Q, 2)?;
    let words = ctx.parameters.plaintext_words(level);
    let (c0, c1) = ciphertext.split_at(words);
    let (copy, digits) = dst.split_at_mut(words);
    copy.copy_from_slice(c0);
    mod_up(ctx, level, digits, c1, scratch)
}

/// acc (+)= φ_g of a decomposed ciphertext, switched back to s: an encryption, in basis qp and degree 1, of P times the
/// rotated message. `init` overwrites the accumulator instead of adding to it. The key is for the element g (rotation by
/// r: g = 5^r mod 2N; conjugation: 2N − 1) and has a cap ≥ level. Scratch: [`crate::scratch::rotate_acc_scratch`].
pub fn rotate_acc<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    element: u32,
    key: &[W],
    key_cap: usize,
    acc: &mut [W],
    decomposed: &[W],
    init: bool,
    scratch: &mut [W],
) -> Result<(), CkksError> {
    ctx.check_element(element)?;
    check_key_at(ctx, level, key_cap, key)?;
    ctx.check("accumulator", acc, level, Basis::Qp, 2)?;
    check_decomposed(ctx, level, decomposed)?;
    let scratch = at_least(
        "rotate_acc scratch",
        scratch,
        rotate_acc_scratch(&ctx.parameters, level),
    )?;
    let (c0, digits) = decomposed.split_at(ctx.parameters.plaintext_words(level));
    let half = ctx.parameters.qp_words(level, 0);
    for (polynomial, acc) in acc.chunks_exact_mut(half).enumerate() {
        ctx.for_each_limb_pair(level, Basis::Qp, acc, scratch, |at, acc, sum| {
            let modulus = ctx.modulus(at.prime);
            inner_product(ctx, level, at.position, polynomial, digits, key, key_cap, sum);
            if polynomial == 0 && at.position <= level {
                let p = ctx.special_product(modulus);
                limb::mul_scalar_add_assign(modulus, sum, ctx.limb(c0, at.position), p);
            }
            if init {
                automorphism::apply_ntt(ctx.parameters.log_n, element, acc, sum);
            } else {
                automorphism::apply_ntt_add_assign(modulus, ctx.parameters.log_n, element, acc, sum);
            }
        });
    }
    Ok(())
}

/// acc (+)= P·ciphertext, degree 1: brings a term that needs no rotation into the sum, exactly. `init` overwrites.
pub fn lift_acc<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    acc: &mut [W],
    ciphertext: &[W],
    init: bool,
) -> Result<(), CkksError> {
    if ctx.parameters.special() == 0 {
        return Err(CkksError::NoSpecialPrimes);
    }
    ctx.check("accumulator", acc, level, Basis::Qp, 2)?;
    ctx.check("ciphertext", ciphertext, level, Basis::Q, 2)?;
    ctx.for_each_limb(level, Basis::Qp, acc, |at, acc| {
        if at.position <= level {
            let modulus = ctx.modulus(at.prime);
            let source = ctx.limb(ciphertext, at.polynomial * (level + 1) + at.position);
            let p = ctx.special_product(modulus);
            if init {
                limb::mul_scalar(modulus, acc, source, p);
            } else {
                limb::mul_scalar_add_assign(modulus, acc, source, p);
            }
        } else if init {
            acc.fill(W::ZERO);
        }
    });
    Ok(())
}

/// dst = round(acc / P), degree 1, from basis qp to basis q; the accumulator is kept.
/// Scratch: [`crate::scratch::mod_down_scratch`].
///
/// Error variance: (1 + 2N/3)/12, and the accumulated key-switching error divided by P.
pub fn mod_down<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    acc: &[W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    if ctx.parameters.special() == 0 {
        return Err(CkksError::NoSpecialPrimes);
    }
    ctx.check("destination", dst, level, Basis::Q, 2)?;
    ctx.check("accumulator", acc, level, Basis::Qp, 2)?;
    let scratch = at_least(
        "mod_down scratch",
        scratch,
        mod_down_scratch(&ctx.parameters, level),
    )?;
    let n = ctx.degree();
    let (tail, scratch) = scratch.split_at_mut(ctx.parameters.words(ctx.parameters.special()));
    let (wraps, _) = scratch.split_at_mut(n);
    let words = ctx.parameters.plaintext_words(level);
    let accumulated = acc.chunks_exact(ctx.parameters.qp_words(level, 0));
    for (dst, acc) in dst.chunks_exact_mut(words).zip(accumulated) {
        let (src, special) = acc.split_at(words);
        tail.copy_from_slice(special);
        basis::divide_round(&ctx.ring, level + 1, ctx.special_primes(), dst, src, tail, wraps);
    }
    Ok(())
}

/// dst = a degree-2 ciphertext with its c_2 switched to degree 1. The key has a cap ≥ level.
/// Scratch: [`crate::scratch::relinearize_scratch`].
///
/// Error variance: N·σ²·Σ_d D_d² / (12·P²) + (1 + 2N/3)/12.
pub fn relinearize<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    src: &[W],
    key: &[W],
    key_cap: usize,
    scratch: &mut [W],
) -> Result<(), CkksError> {
    ctx.check("ciphertext", src, level, Basis::Q, 3)?;
    ctx.check("destination", dst, level, Basis::Q, 2)?;
    let (low, c2) = src.split_at(ctx.parameters.ciphertext_words(level, 1));
    switch(ctx, level, dst, c2, key, key_cap, scratch)?;
    crate::evaluate::add_assign(ctx, level, 2, Basis::Q, dst, low)
}

/// dst = a degree-1 ciphertext under one secret, switched to the secret of a key made by
/// [`crate::keys::generate_switching_key`]. Scratch and error: as [`relinearize`].
pub fn switch_secret<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    src: &[W],
    key: &[W],
    key_cap: usize,
    scratch: &mut [W],
) -> Result<(), CkksError> {
    ctx.check("ciphertext", src, level, Basis::Q, 2)?;
    ctx.check("destination", dst, level, Basis::Q, 2)?;
    let (c0, c1) = src.split_at(ctx.parameters.plaintext_words(level));
    switch(ctx, level, dst, c1, key, key_cap, scratch)?;
    crate::evaluate::add_plain_assign(ctx, level, dst, c0)
}

/// dst = φ_g(src), degree 1: [`decompose`], [`rotate_acc`] and [`mod_down`] in one.
/// Scratch: [`crate::scratch::rotate_scratch`].
///
/// Error variance: N·σ²·Σ_d D_d² / (12·P²) + (1 + 2N/3)/12.
pub fn rotate<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    element: u32,
    dst: &mut [W],
    src: &[W],
    key: &[W],
    key_cap: usize,
    scratch: &mut [W],
) -> Result<(), CkksError> {
    ctx.check_level(level)?;
    let scratch = at_least("rotate scratch", scratch, rotate_scratch(&ctx.parameters, level))?;
    let (decomposed, scratch) = scratch.split_at_mut(ctx.parameters.decomposed_words(level));
    let (acc, scratch) = scratch.split_at_mut(ctx.parameters.qp_words(level, 1));
    decompose(ctx, level, decomposed, src, scratch)?;
    rotate_acc(ctx, level, element, key, key_cap, acc, decomposed, true, scratch)?;
    mod_down(ctx, level, dst, acc, scratch)
}

/// dst = (b, a)-switched polynomial: degree 1, decrypts to s_from · `polynomial` under s_to.
fn switch<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    polynomial: &[W],
    key: &[W],
    key_cap: usize,
    scratch: &mut [W],
) -> Result<(), CkksError> {
    check_key_at(ctx, level, key_cap, key)?;
    let scratch = at_least(
        "key switching scratch",
        scratch,
        relinearize_scratch(&ctx.parameters, level),
    )?;
    let digits = ctx.parameters.digits(level);
    let (digits, scratch) = scratch.split_at_mut(digits * ctx.parameters.qp_words(level, 0));
    let (acc, scratch) = scratch.split_at_mut(ctx.parameters.qp_words(level, 1));
    mod_up(ctx, level, digits, polynomial, scratch)?;
    ctx.for_each_limb(level, Basis::Qp, acc, |at, sum| {
        inner_product(ctx, level, at.position, at.polynomial, digits, key, key_cap, sum);
    });
    mod_down(ctx, level, dst, acc, scratch)
}

/// The digits of a polynomial (NTT form, basis q), each raised to basis qp: the centred representative modulo the digit's
/// primes. Its own limbs are copied; the others come through coefficients.
fn mod_up<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    polynomial: &[W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    let n = ctx.degree();
    let scratch = at_least(
        "decompose scratch",
        scratch,
        decompose_scratch(&ctx.parameters, level),
    )?;
    let (coefficients, scratch) = scratch.split_at_mut(ctx.parameters.plaintext_words(level));
    let (wraps, _) = scratch.split_at_mut(n);
    coefficients.copy_from_slice(polynomial);
    ctx.for_each_limb(level, Basis::Q, coefficients, |at, limb| {
        ctx.ring.ntt_inverse(at.prime, limb)
    });

    let raised: heapless::Vec<usize, MAX_PRIMES> = (0..ctx.limbs(level, Basis::Qp))
        .map(|position| ctx.prime_at(level, position))
        .collect();
    for (digit, dst) in dst
        .chunks_exact_mut(ctx.parameters.qp_words(level, 0))
        .enumerate()
    {
        let own = ctx.digit(level, digit);
        let source = &mut coefficients[own.start * n..own.end * n];
        basis::scale(&ctx.ring, own.clone(), source, wraps);
        let (before, rest) = dst.split_at_mut(own.start * n);
        let (same, after) = rest.split_at_mut(own.len() * n);
        same.copy_from_slice(&polynomial[own.start * n..own.end * n]);
        for (limbs, to) in [(before, &raised[..own.start]), (after, &raised[own.end..])] {
            basis::combine(&ctx.ring, own.clone(), source, wraps, to, limbs);
            parallel::for_each_limb(limbs, n, |i, limb| {
                if let Some(&prime) = to.get(i) {
                    ctx.ring.ntt_forward(prime, limb);
                }
            });
        }
    }
    Ok(())
}

/// dst = Σ_d digit_d · key_d for the limb at a position and one polynomial of the key (0: b, 1: a).
fn inner_product<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    position: usize,
    polynomial: usize,
    digits: &[W],
    key: &[W],
    key_cap: usize,
    dst: &mut [W],
) {
    let limbs = ctx.limbs(level, Basis::Qp);
    let key_limbs = ctx.limbs(key_cap, Basis::Qp);
    let key_position = if position <= level {
        position
    } else {
        position + key_cap - level
    };
    let terms: heapless::Vec<(&[W], &[W]), MAX_PRIMES> = (0..ctx.parameters.digits(level))
        .map(|digit| {
            let key_index = (2 * digit + polynomial) * key_limbs + key_position;
            (
                ctx.limb(digits, digit * limbs + position),
                ctx.limb(key, key_index),
            )
        })
        .collect();
    limb::inner_product(ctx.modulus(ctx.prime_at(level, position)), dst, &terms);
}

fn check_decomposed<W: Word>(ctx: &Context<'_, W>, level: usize, data: &[W]) -> Result<(), CkksError> {
    if ctx.parameters.special() == 0 {
        return Err(CkksError::NoSpecialPrimes);
    }
    ctx.check_level(level)?;
    exactly(
        "decomposed ciphertext",
        data,
        ctx.parameters.decomposed_words(level),
    )
}

fn check_key_at<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    key_cap: usize,
    key: &[W],
) -> Result<(), CkksError> {
    check_key(ctx, key_cap, key)?;
    if level <= key_cap {
        Ok(())
    } else {
        Err(CkksError::Level {
            level,
            highest: key_cap,
        })
    }
}
