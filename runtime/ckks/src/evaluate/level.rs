//! Changes of level.

use super::polynomials;
use crate::CkksError;
use crate::context::{Basis, Context};
use crate::division::{Division, for_each_group};
use crate::error::at_least;
use crate::scratch::{least_rescale_scratch, mod_raise_scratch};
use cipherloom_ring::Word;

/// dst = round(src / q_level), one level lower; the scale is divided by q_level. `level` is that of the source, at least
/// 1. Scratch: [`crate::scratch::rescale_scratch`]; with less, one polynomial is divided after the other.
///
/// The error is divided by q_level and gains the rounding, of variance (1 + 2N/3)/12 for degree 1 and
/// (1 + 2N/3 + 8N²/9)/12 for degree 2 (a coefficient of s² has variance 8N/9, since each product s_i·s_j occurs twice).
pub fn rescale<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    dst: &mut [W],
    src: &[W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    let lower = level.checked_sub(1).ok_or(CkksError::NoLowerLevel)?;
    let polynomials = polynomials(degree)?;
    ctx.check("ciphertext", src, level, Basis::Q, polynomials)?;
    ctx.check("destination", dst, lower, Basis::Q, polynomials)?;
    let n = ctx.degree();
    let together = scratch.len() >= Division::scratch(ctx, 1, polynomials);
    let scratch = at_least(
        "rescale scratch",
        scratch,
        match together {
            true => Division::scratch(ctx, 1, polynomials),
            false => least_rescale_scratch(&ctx.parameters),
        },
    )?;
    let mut divide = |dst: &mut [W], src: &[W], polynomials: usize| {
        let last = core::iter::once(level).collect();
        let tails = src.chunks_exact((level + 1) * n).map(|src| &src[level * n..]);
        let scratch = &mut scratch[..Division::scratch(ctx, 1, polynomials)];
        Division::new(ctx, last, tails, scratch).divide(ctx, level, dst, src, level + 1);
    };
    if together {
        divide(dst, src, polynomials);
    } else {
        let polynomials = dst
            .chunks_exact_mut(level * n)
            .zip(src.chunks_exact((level + 1) * n));
        polynomials.for_each(|(dst, src)| divide(dst, src, 1));
    }
    Ok(())
}

/// dst = src at a lower level, same scale: the upper limbs are left away. Exact.
pub fn drop<W: Word>(
    ctx: &Context<'_, W>,
    from: usize,
    to: usize,
    degree: usize,
    dst: &mut [W],
    src: &[W],
) -> Result<(), CkksError> {
    if to > from {
        return Err(CkksError::NoLowerLevel);
    }
    let polynomials = polynomials(degree)?;
    ctx.check("ciphertext", src, from, Basis::Q, polynomials)?;
    ctx.check("destination", dst, to, Basis::Q, polynomials)?;
    ctx.for_each_limb(to, Basis::Q, dst, |at, limb| {
        let source = ctx.limb(src, at.polynomial * (from + 1) + at.position);
        ctx.store(to, Basis::Q, limb, source);
    });
    Ok(())
}

/// dst = a level-0 ciphertext of degree 1 read at a higher level: each coefficient's centred representative modulo q_0 is
/// kept. Decrypts to m + q_0·I, where I is as small as the secret is sparse: the first step of a bootstrap.
/// Scratch: [`crate::scratch::mod_raise_scratch`].
pub fn mod_raise<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    src: &[W],
    scratch: &mut [W],
) -> Result<(), CkksError> {
    ctx.check("ciphertext", src, 0, Basis::Q, 2)?;
    ctx.check("destination", dst, level, Basis::Q, 2)?;
    let n = ctx.degree();
    let scratch = at_least(
        "mod_raise scratch",
        scratch,
        mod_raise_scratch(&ctx.parameters, level),
    )?;
    let first = core::iter::once(0).collect();
    let remainder = Division::new(ctx, first, src.chunks_exact(n), scratch);
    for_each_group(dst, (level + 1) * n, n, |prime, limbs| {
        for (polynomial, limb) in limbs.iter_mut().enumerate() {
            if prime == 0 {
                limb.copy_from_slice(ctx.limb(src, polynomial));
            } else {
                remainder.remainders(ctx, polynomial, prime, limb);
                ctx.ring.ntt_forward(prime, limb);
            }
        }
    });
    Ok(())
}
