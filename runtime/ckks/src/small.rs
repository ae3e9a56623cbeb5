//! Polynomials of small secret coefficients, sampled in pieces that fit the stack.

use crate::context::{Basis, Context};
use cipherloom_ring::{Modulus, Word, limb};
use zeroize::Zeroizing;

/// Coefficients per piece; smaller rings take less.
const PIECE: usize = 64;

/// Fills one polynomial with sampled coefficients and transforms it. The sampler is given one piece after the other;
/// what it writes is below every modulus in absolute value.
pub(crate) fn fill_small<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    basis: Basis,
    dst: &mut [W],
    mut sampler: impl FnMut(&mut [i8]),
) {
    let mut piece = Zeroizing::new([0i8; PIECE]);
    fill(
        ctx,
        level,
        basis,
        dst,
        &mut piece,
        &mut sampler,
        limb::lift_signed,
    );
}

/// As [`fill_small`], in basis q, for coefficients of any size.
pub(crate) fn fill_wide<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    mut sampler: impl FnMut(&mut [i64]),
) {
    let mut piece = Zeroizing::new([0i64; PIECE]);
    fill(
        ctx,
        level,
        Basis::Q,
        dst,
        &mut piece,
        &mut sampler,
        |modulus, words, piece| {
            for (word, &value) in words.iter_mut().zip(piece) {
                *word = modulus.reduce_i64(value);
            }
        },
    );
}

fn fill<W: Word, T>(
    ctx: &Context<'_, W>,
    level: usize,
    basis: Basis,
    dst: &mut [W],
    piece: &mut [T; PIECE],
    sampler: &mut impl FnMut(&mut [T]),
    lift: impl Fn(&Modulus<W>, &mut [W], &[T]),
) {
    let n = ctx.degree();
    let size = PIECE.min(n);
    let piece = &mut piece[..size];
    for start in (0..n).step_by(size) {
        sampler(piece);
        for (position, limb) in dst.chunks_exact_mut(n).enumerate() {
            lift(
                ctx.modulus(ctx.prime_at(level, position)),
                &mut limb[start..start + size],
                piece,
            );
        }
    }
    ctx.for_each_limb(level, basis, dst, |at, limb| ctx.ring.ntt_forward(at.prime, limb));
}
