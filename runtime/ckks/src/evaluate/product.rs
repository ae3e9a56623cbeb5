//! Products of two ciphertexts: degree 1 times degree 1 gives degree 2, to be relinearised.

use crate::CkksError;
use crate::context::{Basis, Context, TOGETHER};
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

/// Columns of a sum that are made in turn: those of all its factors stay in the second-level cache, as each is read twice.
const TILE: usize = 512;

/// dst (+)= Σ a·b over the pairs of `terms`, all of degree as in [`mul`]; `init` overwrites dst. One pass over memory for
/// [`TOGETHER`] products, and one reduction for many. Errors are those of [`mul`], and add.
pub fn mul_sum<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    init: bool,
    terms: &[(&[W], &[W])],
) -> Result<(), CkksError> {
    ctx.check("destination", dst, level, Basis::Q, 3)?;
    for (a, b) in terms {
        check_operands(ctx, level, a, b)?;
    }
    if init && terms.is_empty() {
        dst.fill(W::ZERO);
    }
    let limbs = level + 1;
    for (index, terms) in terms.chunks(TOGETHER).enumerate() {
        let sum = match init && index == 0 {
            true => limb::inner_product,
            false => limb::inner_product_add_assign,
        };
        for_each_limb_of_three(ctx, level, dst, |prime, [d0, d1, d2]| {
            let modulus = ctx.modulus(prime);
            for start in (0..ctx.degree()).step_by(TILE) {
                let columns = start..ctx.degree().min(start + TILE);
                let part = |value, polynomial| &ctx.limb(value, polynomial * limbs + prime)[columns.clone()];
                let factors = |i, j| terms.iter().map(move |&(a, b)| (part(a, i), part(b, j)));
                type Factors<'a, W> = heapless::Vec<(&'a [W], &'a [W]), { 2 * TOGETHER }>;
                let squares = |i| factors(i, i).collect::<Factors<'_, W>>();
                let mixed: Factors<'_, W> = factors(0, 1).chain(factors(1, 0)).collect();
                sum(modulus, &mut d0[columns.clone()], &squares(0));
                sum(modulus, &mut d1[columns.clone()], &mixed);
                sum(modulus, &mut d2[columns.clone()], &squares(1));
            }
        });
    }
    Ok(())
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
    ctx.check("destination", dst, level, Basis::Q, 3)?;
    check_operands(ctx, level, a, b)?;
    let limbs = level + 1;
    for_each_limb_of_three(ctx, level, dst, |prime, dst| {
        let operand = |x| [ctx.limb(x, prime), ctx.limb(x, limbs + prime)];
        visit(ctx.modulus(prime), dst, operand(a), operand(b));
    });
    Ok(())
}

/// Visits the limbs of a ciphertext of degree 2, those of one prime together.
fn for_each_limb_of_three<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    visit: impl Fn(usize, [&mut [W]; 3]) + Send + Sync,
) {
    let words = ctx.parameters.plaintext_words(level);
    let (dst0, rest) = dst.split_at_mut(words);
    let (dst1, dst2) = rest.split_at_mut(words);
    parallel::for_each_limb_triple(dst0, dst1, dst2, ctx.degree(), |prime, d0, d1, d2| {
        visit(prime, [d0, d1, d2]);
    });
}

fn check_operands<W: Word>(ctx: &Context<'_, W>, level: usize, a: &[W], b: &[W]) -> Result<(), CkksError> {
    ctx.check("operand", a, level, Basis::Q, 2)?;
    ctx.check("operand", b, level, Basis::Q, 2)
}
