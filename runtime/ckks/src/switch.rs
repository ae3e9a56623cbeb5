//! Hybrid key switching (Han–Ki 2020), taken apart so that its parts can be shared.
//!
//! A rotation is [`decompose`] (mod-up of the digits of c_1), [`rotate_acc`] (inner product with the key, automorphism,
//! sum into an accumulator in basis qp) and [`mod_down`] (division by P). One decomposition serves every rotation of the
//! same ciphertext, and one mod-down closes any sum of rotations: hoisting.
//!
//! A whole key switch ([`rotate`], [`relinearize`], [`switch_secret`]) gives the same words as its parts, but goes through
//! memory less often: a limb is transformed, multiplied with the key, divided and permuted while it is in a cache.
//!
//! # Noise
//! An inner product with digits of moduli D_0, D_1, … adds, after division by P, an error of variance
//! N·σ²·Σ_d D_d² / (12·P²) per coefficient: digits are centred, thus of variance D_d²/12. Each mod-down adds its rounding,
//! (1 + 2N/3)/12.

mod digits;
mod product;
mod rotations;
mod whole;

pub use rotations::{Rotation, RotationSum, rotate_acc, rotate_accs};

use crate::CkksError;
use crate::context::{Basis, Context};
use crate::division::Division;
use crate::error::{at_least, exactly};
use crate::keys::check_key;
use crate::scratch::{decompose_scratch, mod_down_rescale_scratch, mod_down_scratch, relinearize_scratch};
use cipherloom_ring::{Word, limb, parallel};
use digits::Digits;
use product::Key;

/// dst = the decomposition of a ciphertext of degree 1: c_0, then, for each prime of basis qp, the limbs of the digits of
/// c_1, in NTT form, `decomposed_words(level)` words. Scratch: [`crate::scratch::decompose_scratch`].
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
    let (copy, raised) = dst.split_at_mut(words);
    parallel::for_each_limb_2(copy, c0, ctx.degree(), |_, copy, c0| {
        ctx.store(level, Basis::Qp, copy, c0);
    });
    let scratch = at_least(
        "decompose scratch",
        scratch,
        decompose_scratch(&ctx.parameters, level),
    )?;
    let n = ctx.degree();
    let digits = Digits::new(ctx, level, c1, scratch);
    let limbs = ctx.parameters.digits(level);
    let group = whole::GROUP.min(ctx.limbs(level, Basis::Qp).div_ceil(parallel::threads()));
    parallel::for_each_limb(raised, group * limbs * n, |index, raised| {
        let first = index * group;
        digits.raise(ctx, first, raised);
        let mut rest = raised;
        let mut index = first * limbs;
        while let Some((limb, next)) = rest.split_at_mut_checked(n) {
            let (position, digit) = (index / limbs, index % limbs);
            match digits.own(ctx, position) {
                Some((own, words)) if own == digit => limb.copy_from_slice(words),
                _ => {
                    let prime = ctx.prime_at(level, position);
                    ctx.ring.ntt_forward_outer(prime, limb);
                    for block in 0..ctx.ring.ntt_blocks() {
                        // The next limb is on its way while this is computed.
                        let columns = ctx.block(block);
                        let ahead = [next.get(columns.clone()).unwrap_or(&[]), &[]];
                        ctx.ring
                            .ntt_forward_block_ahead(prime, block, &mut limb[columns], ahead);
                    }
                }
            }
            index += 1;
            rest = next;
        }
    });
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
    let scratch = at_least(
        "mod_down scratch",
        scratch,
        mod_down_scratch(&ctx.parameters, level),
    )?;
    divide(ctx, level, level + 1, dst, acc, scratch)
}

/// dst = round(acc / (P·q_level)), degree 1, from basis qp to basis q one level lower: [`mod_down`] and a rescale in one
/// division. `level` is that of the accumulator, at least 1. Scratch: [`crate::scratch::mod_down_rescale_scratch`].
///
/// Error variance: (1 + 2N/3)/12, and the accumulated key-switching error divided by P·q_level.
pub fn mod_down_rescale<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    acc: &[W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    let kept = Some(level)
        .filter(|&kept| kept > 0)
        .ok_or(CkksError::NoLowerLevel)?;
    let scratch = at_least(
        "mod_down scratch",
        scratch,
        mod_down_rescale_scratch(&ctx.parameters, level),
    )?;
    divide(ctx, level, kept, dst, acc, scratch)
}

/// dst = round(acc / D), D the product of all primes of an accumulator but the first `kept` ones.
fn divide<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    kept: usize,
    dst: &mut [W],
    acc: &[W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    if ctx.parameters.special() == 0 {
        return Err(CkksError::NoSpecialPrimes);
    }
    ctx.check("destination", dst, kept - 1, Basis::Q, 2)?;
    ctx.check("accumulator", acc, level, Basis::Qp, 2)?;
    let words = ctx.parameters.qp_words(level, 0);
    let dropped = ctx.primes_from(level, kept);
    let tails = acc.chunks_exact(words).map(|acc| &acc[kept * ctx.degree()..]);
    let scratch = &mut scratch[..Division::scratch(ctx, dropped.len(), 2)];
    let limbs = ctx.limbs(level, Basis::Qp);
    Division::new(ctx, dropped, tails, scratch).divide(ctx, kept, dst, acc, limbs);
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
    switch(ctx, level, level + 1, 2, None, dst, src, key, key_cap, scratch)
}

/// dst = a degree-2 ciphertext with its c_2 switched to degree 1, one level lower: [`relinearize`] and a rescale in one
/// division by P·q_level. `level` is that of the source, at least 1; the key has a cap ≥ level.
/// Scratch: [`crate::scratch::relinearize_rescale_scratch`].
///
/// Error variance: N·σ²·Σ_d D_d² / (12·P²·q_level²) + (1 + 2N/3)/12, and that of the source divided by q_level².
pub fn relinearize_rescale<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    src: &[W],
    key: &[W],
    key_cap: usize,
    scratch: &mut [W],
) -> Result<(), CkksError> {
    if level == 0 {
        return Err(CkksError::NoLowerLevel);
    }
    switch(ctx, level, level, 2, None, dst, src, key, key_cap, scratch)
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
    switch(ctx, level, level + 1, 1, None, dst, src, key, key_cap, scratch)
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
    ctx.check_element(element)?;
    switch(
        ctx,
        level,
        level + 1,
        1,
        Some(element),
        dst,
        src,
        key,
        key_cap,
        scratch,
    )
}

/// A whole key switch, of the last polynomial of a ciphertext of degree 1 or 2: φ(…)/D with `kept` limbs left.
fn switch<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    kept: usize,
    degree: usize,
    element: Option<u32>,
    dst: &mut [W],
    src: &[W],
    key: &[W],
    key_cap: usize,
    scratch: &mut [W],
) -> Result<(), CkksError> {
    ctx.check("ciphertext", src, level, Basis::Q, degree + 1)?;
    ctx.check("destination", dst, kept - 1, Basis::Q, 2)?;
    check_key_at(ctx, level, key_cap, key)?;
    // The same for all of them.
    let needed = relinearize_scratch(&ctx.parameters, level);
    let scratch = at_least("key switching scratch", scratch, needed)?;
    let words = ctx.parameters.plaintext_words(level);
    let (c0, rest) = src.split_at(words);
    let (added, polynomial) = rest.split_at((degree - 1) * words);
    let job = whole::Switch {
        level,
        kept,
        element,
        polynomial,
        addends: [Some(c0), Some(added).filter(|_| degree == 2)],
        key: Key {
            words: key,
            cap: key_cap,
        },
    };
    whole::switch(ctx, job, dst, scratch);
    Ok(())
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
