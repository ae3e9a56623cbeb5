//! Products of two ciphertexts: degree 1 times degree 1 gives degree 2, to be relinearised.

use crate::CkksError;
use crate::context::{Basis, Context};
use cipherloom_ring::{Modulus, Word, limb, parallel};

/// dst = a·b: (a_0·b_0, a_0·b_1 + a_1·b_0, a_1·b_1), degree 2, basis q.
///
/// Error variance: N·(E(m_b²)·V_a + E(m_a²)·V_b + V_a·V_b), m the message coefficients at their scale.
pub fn mul<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    a: &[W],
    b: &[W],
) -> Result<(), CkksError> {
    for_each_prime(
        ctx,
        level,
        dst,
        a,
        b,
        |modulus, [d0, d1, d2], [a0, a1], [b0, b1]| {
            limb::mul(modulus, d0, a0, b0);
            limb::inner_product(modulus, d1, &[(a0, b1), (a1, b0)]);
            limb::mul(modulus, d2, a1, b1);
        },
    )
}

/// dst += a·b, all of degree as in [`mul`]: a sum of products needs one relinearisation. Errors add.
pub fn mul_acc<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    a: &[W],
    b: &[W],
) -> Result<(), CkksError> {
    for_each_prime(
        ctx,
        level,
        dst,
        a,
        b,
        |modulus, [d0, d1, d2], [a0, a1], [b0, b1]| {
            limb::mul_add_assign(modulus, d0, a0, b0);
            limb::inner_product_add_assign(modulus, d1, &[(a0, b1), (a1, b0)]);
            limb::mul_add_assign(modulus, d2, a1, b1);
        },
    )
}

/// dst = a²: (a_0², 2·a_0·a_1, a_1²), degree 2, basis q. The error is that of [`mul`] with equal operands: variance
/// 4·N·E(m²)·V.
pub fn square<W: Word>(ctx: &Context<'_, W>, level: usize, dst: &mut [W], a: &[W]) -> Result<(), CkksError> {
    for_each_prime(ctx, level, dst, a, a, |modulus, [d0, d1, d2], [a0, a1], _| {
        limb::mul(modulus, d0, a0, a0);
        limb::inner_product(modulus, d1, &[(a0, a1), (a0, a1)]);
        limb::mul(modulus, d2, a1, a1);
    })
}

/// Visits the limbs of all polynomials for one prime after the other, so that every operand is read once.
fn for_each_prime<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    a: &[W],
    b: &[W],
    visit: impl Fn(&Modulus<W>, [&mut [W]; 3], [&[W]; 2], [&[W]; 2]) + Send + Sync,
) -> Result<(), CkksError> {
    check(ctx, level, dst, a, b)?;
    let limbs = level + 1;
    let (dst0, rest) = dst.split_at_mut(limbs * ctx.degree());
    let (dst1, dst2) = rest.split_at_mut(limbs * ctx.degree());
    parallel::for_each_limb_triple(dst0, dst1, dst2, ctx.degree(), |prime, d0, d1, d2| {
        let operand = |x| [ctx.limb(x, prime), ctx.limb(x, limbs + prime)];
        visit(ctx.modulus(prime), [d0, d1, d2], operand(a), operand(b));
    });
    Ok(())
}

fn check<W: Word>(ctx: &Context<'_, W>, level: usize, dst: &[W], a: &[W], b: &[W]) -> Result<(), CkksError> {
    ctx.check("destination", dst, level, Basis::Q, 3)?;
    ctx.check("operand", a, level, Basis::Q, 2)?;
    ctx.check("operand", b, level, Basis::Q, 2)
}
