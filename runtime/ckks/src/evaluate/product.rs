//! Products of two ciphertexts: degree 1 times degree 1 gives degree 2, to be relinearised.

use crate::CkksError;
use crate::context::{Basis, Context};
use cipherloom_ring::{Word, limb};

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
    check(ctx, level, dst, a, b)?;
    let limbs = level + 1;
    ctx.for_each_limb(level, Basis::Q, dst, |at, dst| {
        let modulus = ctx.modulus(at.prime);
        let a = |polynomial: usize| ctx.limb(a, polynomial * limbs + at.position);
        let b = |polynomial: usize| ctx.limb(b, polynomial * limbs + at.position);
        match at.polynomial {
            0 => limb::mul(modulus, dst, a(0), b(0)),
            1 => limb::inner_product(modulus, dst, &[(a(0), b(1)), (a(1), b(0))]),
            _ => limb::mul(modulus, dst, a(1), b(1)),
        }
    });
    Ok(())
}

/// dst += a·b, all of degree as in [`mul`]: a sum of products needs one relinearisation. Errors add.
pub fn mul_acc<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    a: &[W],
    b: &[W],
) -> Result<(), CkksError> {
    check(ctx, level, dst, a, b)?;
    let limbs = level + 1;
    ctx.for_each_limb(level, Basis::Q, dst, |at, dst| {
        let modulus = ctx.modulus(at.prime);
        let a = |polynomial: usize| ctx.limb(a, polynomial * limbs + at.position);
        let b = |polynomial: usize| ctx.limb(b, polynomial * limbs + at.position);
        match at.polynomial {
            0 => limb::mul_add_assign(modulus, dst, a(0), b(0)),
            1 => limb::inner_product_add_assign(modulus, dst, &[(a(0), b(1)), (a(1), b(0))]),
            _ => limb::mul_add_assign(modulus, dst, a(1), b(1)),
        }
    });
    Ok(())
}

/// dst = a²: (a_0², 2·a_0·a_1, a_1²), degree 2, basis q. The error is that of [`mul`] with equal operands: variance
/// 4·N·E(m²)·V.
pub fn square<W: Word>(ctx: &Context<'_, W>, level: usize, dst: &mut [W], a: &[W]) -> Result<(), CkksError> {
    check(ctx, level, dst, a, a)?;
    let limbs = level + 1;
    ctx.for_each_limb(level, Basis::Q, dst, |at, dst| {
        let modulus = ctx.modulus(at.prime);
        let a = |polynomial: usize| ctx.limb(a, polynomial * limbs + at.position);
        match at.polynomial {
            0 => limb::mul(modulus, dst, a(0), a(0)),
            1 => limb::inner_product(modulus, dst, &[(a(0), a(1)), (a(0), a(1))]),
            _ => limb::mul(modulus, dst, a(1), a(1)),
        }
    });
    Ok(())
}

fn check<W: Word>(ctx: &Context<'_, W>, level: usize, dst: &[W], a: &[W], b: &[W]) -> Result<(), CkksError> {
    ctx.check("destination", dst, level, Basis::Q, 3)?;
    ctx.check("operand", a, level, Basis::Q, 2)?;
    ctx.check("operand", b, level, Basis::Q, 2)
}
