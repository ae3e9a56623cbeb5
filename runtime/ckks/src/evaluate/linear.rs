//! Sums and differences.

use crate::CkksError;
use crate::context::{Basis, Context};
use cipherloom_ring::{Modulus, Word, limb};

/// dst ← a on one limb.
pub(super) type Unary<W> = fn(&Modulus<W>, &mut [W], &[W]);
/// dst ← a, b on one limb.
pub(super) type Binary<W> = fn(&Modulus<W>, &mut [W], &[W], &[W]);

/// dst = a + b, over any number of polynomials. Errors add.
pub fn add<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    polynomials: usize,
    basis: Basis,
    dst: &mut [W],
    a: &[W],
    b: &[W],
) -> Result<(), CkksError> {
    binary(ctx, level, polynomials, basis, dst, a, b, limb::add)
}

/// a += b, over any number of polynomials. Errors add.
pub fn add_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    polynomials: usize,
    basis: Basis,
    a: &mut [W],
    b: &[W],
) -> Result<(), CkksError> {
    unary(ctx, level, polynomials, basis, a, b, limb::add_assign)
}

/// dst = a − b, over any number of polynomials. Errors subtract.
pub fn sub<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    polynomials: usize,
    basis: Basis,
    dst: &mut [W],
    a: &[W],
    b: &[W],
) -> Result<(), CkksError> {
    binary(ctx, level, polynomials, basis, dst, a, b, limb::sub)
}

/// a −= b, over any number of polynomials. Errors subtract.
pub fn sub_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    polynomials: usize,
    basis: Basis,
    a: &mut [W],
    b: &[W],
) -> Result<(), CkksError> {
    unary(ctx, level, polynomials, basis, a, b, limb::sub_assign)
}

/// dst = −a, over any number of polynomials.
pub fn neg<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    polynomials: usize,
    basis: Basis,
    dst: &mut [W],
    a: &[W],
) -> Result<(), CkksError> {
    unary(ctx, level, polynomials, basis, dst, a, limb::neg)
}

/// a = −a, over any number of polynomials.
pub fn neg_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    polynomials: usize,
    basis: Basis,
    a: &mut [W],
) -> Result<(), CkksError> {
    ctx.check("operand", a, level, basis, polynomials)?;
    ctx.for_each_limb(level, basis, a, |at, limb| {
        limb::neg_assign(ctx.modulus(at.prime), limb)
    });
    Ok(())
}

fn unary<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    polynomials: usize,
    basis: Basis,
    dst: &mut [W],
    a: &[W],
    op: Unary<W>,
) -> Result<(), CkksError> {
    ctx.check("destination", dst, level, basis, polynomials)?;
    ctx.check("operand", a, level, basis, polynomials)?;
    ctx.for_each_limb(level, basis, dst, |at, dst| {
        op(ctx.modulus(at.prime), dst, ctx.limb(a, at.index))
    });
    Ok(())
}

fn binary<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    polynomials: usize,
    basis: Basis,
    dst: &mut [W],
    a: &[W],
    b: &[W],
    op: Binary<W>,
) -> Result<(), CkksError> {
    ctx.check("destination", dst, level, basis, polynomials)?;
    ctx.check("operand", a, level, basis, polynomials)?;
    ctx.check("operand", b, level, basis, polynomials)?;
    ctx.for_each_limb(level, basis, dst, |at, dst| {
        op(
            ctx.modulus(at.prime),
            dst,
            ctx.limb(a, at.index),
            ctx.limb(b, at.index),
        );
    });
    Ok(())
}
