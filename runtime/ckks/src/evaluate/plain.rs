//! Sums and products with what is not encrypted: plaintexts, real scalars and the imaginary unit.

use super::linear::{Binary, Unary};
use super::polynomials;
use crate::CkksError;
use crate::compact::TILE;
use crate::context::{Basis, Context, TOGETHER};
use cipherloom_ring::limb::{self, Start};
use cipherloom_ring::prime::primitive_root_2n;
use cipherloom_ring::{Modulus, Word};

/// A scalar times its scale stays below this, so that it is exact in 128-bit arithmetic.
const SCALAR_BOUND: f64 = (1u128 << 120) as f64;
/// Terms of a sum that are taken together: the kernels reduce once for as many, and a compact plaintext of each is widened
/// on the stack.
const SUMMED: usize = if cfg!(target_pointer_width = "64") { 32 } else { 4 };

/// dst = the plaintext as a ciphertext of degree 1: c_0 = plaintext, c_1 = 0.
pub fn trivial<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    dst: &mut [W],
    plaintext: &[W],
) -> Result<(), CkksError> {
    let plaintext = ctx.plaintext(plaintext, level, Basis::Q)?;
    ctx.check("destination", dst, level, Basis::Q, 2)?;
    ctx.for_each_limb(level, Basis::Q, dst, |at, dst| match at.polynomial {
        0 => plaintext.for_each_part(at.position, |columns, plaintext| {
            dst[columns].copy_from_slice(plaintext);
        }),
        _ => dst.fill(W::ZERO),
    });
    Ok(())
}

/// Adds a plaintext of the same scale to a ciphertext of any degree (only c_0 changes): `a` is c_0 or the whole
/// ciphertext, basis q.
pub fn add_plain_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    a: &mut [W],
    plaintext: &[W],
) -> Result<(), CkksError> {
    let c0 = first_polynomial(ctx, level, a)?;
    with_plain_assign(ctx, level, Basis::Q, c0, plaintext, limb::add_assign)
}

/// As [`add_plain_assign`]: subtracts.
pub fn sub_plain_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    a: &mut [W],
    plaintext: &[W],
) -> Result<(), CkksError> {
    let c0 = first_polynomial(ctx, level, a)?;
    with_plain_assign(ctx, level, Basis::Q, c0, plaintext, limb::sub_assign)
}

/// dst = a · plaintext. The error is multiplied: variance N·E(m_j²)·V for an error of variance V and plaintext
/// coefficients m_j, plus that of the plaintext's rounding times the message.
pub fn mul_plain<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    basis: Basis,
    dst: &mut [W],
    a: &[W],
    plaintext: &[W],
) -> Result<(), CkksError> {
    with_plain(ctx, level, degree, basis, dst, a, plaintext, limb::mul)
}

/// a = a · plaintext; the error is that of [`mul_plain`].
pub fn mul_plain_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    basis: Basis,
    a: &mut [W],
    plaintext: &[W],
) -> Result<(), CkksError> {
    ctx.check("operand", a, level, basis, polynomials(degree)?)?;
    with_plain_assign(ctx, level, basis, a, plaintext, limb::mul_assign)
}

/// dst += a · plaintext; the error is that of [`mul_plain`].
pub fn mul_plain_acc<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    basis: Basis,
    dst: &mut [W],
    a: &[W],
    plaintext: &[W],
) -> Result<(), CkksError> {
    with_plain(ctx, level, degree, basis, dst, a, plaintext, limb::mul_add_assign)
}

/// dst ← a, plaintext on every limb of a ciphertext.
fn with_plain<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    basis: Basis,
    dst: &mut [W],
    a: &[W],
    plaintext: &[W],
    on_limb: Binary<W>,
) -> Result<(), CkksError> {
    let polynomials = polynomials(degree)?;
    let plaintext = ctx.plaintext(plaintext, level, basis)?;
    ctx.check("destination", dst, level, basis, polynomials)?;
    ctx.check("operand", a, level, basis, polynomials)?;
    ctx.for_each_limb(level, basis, dst, |at, dst| {
        let (modulus, a) = (ctx.modulus(at.prime), ctx.limb(a, at.index));
        plaintext.for_each_part(at.position, |columns, plaintext| {
            on_limb(modulus, &mut dst[columns.clone()], &a[columns], plaintext);
        });
    });
    Ok(())
}

/// a ← plaintext on every limb of so many polynomials.
fn with_plain_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    basis: Basis,
    a: &mut [W],
    plaintext: &[W],
    on_limb: Unary<W>,
) -> Result<(), CkksError> {
    let plaintext = ctx.plaintext(plaintext, level, basis)?;
    ctx.for_each_limb(level, basis, a, |at, a| {
        let modulus = ctx.modulus(at.prime);
        plaintext.for_each_part(at.position, |columns, plaintext| {
            on_limb(modulus, &mut a[columns], plaintext);
        });
    });
    Ok(())
}

/// A sum to be made by [`mul_plain_sums`]: dst (+)= Σ ciphertext · plaintext, ciphertexts of degree 1.
pub struct PlainSum<'a, 't, W> {
    /// Where it goes.
    pub dst: &'a mut [W],
    /// Overwrites dst instead of adding to it.
    pub init: bool,
    /// Ciphertexts and their plaintexts.
    pub terms: &'t [(&'t [W], &'t [W])],
}

/// dst (+)= Σ ciphertext · plaintext over the pairs of `terms`, ciphertexts of degree 1; `init` overwrites dst. One pass
/// over memory, and one reduction for many products. Errors are those of [`mul_plain`], and add.
pub fn mul_plain_sum<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    basis: Basis,
    dst: &mut [W],
    init: bool,
    terms: &[(&[W], &[W])],
) -> Result<(), CkksError> {
    mul_plain_sums(ctx, level, basis, &mut [PlainSum { dst, init, terms }])
}

/// Sums as [`mul_plain_sum`] makes them, [`TOGETHER`] at a time. Ciphertexts that these have in common, as the giant steps
/// of a linear transform do, come from memory once.
pub fn mul_plain_sums<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    basis: Basis,
    sums: &mut [PlainSum<'_, '_, W>],
) -> Result<(), CkksError> {
    for PlainSum { dst, init, terms } in &mut *sums {
        ctx.check("destination", dst, level, basis, 2)?;
        for (ciphertext, plaintext) in *terms {
            ctx.check("operand", ciphertext, level, basis, 2)?;
            ctx.plaintext(plaintext, level, basis)?;
        }
        if *init && terms.is_empty() {
            dst.fill(W::ZERO);
        }
    }
    let (n, limbs) = (ctx.degree(), ctx.limbs(level, basis));
    for sums in sums.chunks_mut(TOGETHER) {
        let sources: heapless::Vec<_, TOGETHER> = sums.iter().map(|sum| (sum.init, sum.terms)).collect();
        let mut values: heapless::Vec<_, TOGETHER> = sums.iter_mut().map(|sum| &mut *sum.dst).collect();
        ctx.for_each_limb_together(level, basis, &mut values, |at, values| {
            let (mut sum0, mut sum1) = ([W::ZERO; TILE], [W::ZERO; TILE]);
            let mut rows = heapless::Vec::<[W; TILE], SUMMED>::new();
            for start in (0..n).step_by(TILE) {
                let columns = start..n.min(start + TILE);
                for ([dst0, dst1], &(init, terms)) in values.iter_mut().zip(&sources) {
                    let (dst0, dst1) = (&mut dst0[columns.clone()], &mut dst1[columns.clone()]);
                    let (sum0, sum1) = (&mut sum0[..columns.len()], &mut sum1[..columns.len()]);
                    if !init {
                        sum0.copy_from_slice(dst0);
                        sum1.copy_from_slice(dst1);
                    }
                    let mut start = if init { Start::Zero } else { Start::Destination };
                    for terms in terms.chunks(SUMMED) {
                        while rows.len() < terms.len() && rows.push([W::ZERO; TILE]).is_ok() {}
                        let factors = terms
                            .iter()
                            .zip(&mut rows)
                            .map(|(&(ciphertext, plaintext), row)| {
                                let limb = |polynomial| {
                                    &ctx.limb(ciphertext, polynomial * limbs + at.position)[columns.clone()]
                                };
                                let plaintext = ctx.plaintext_of(plaintext, limbs);
                                (
                                    plaintext.columns(at.position, columns.clone(), row),
                                    [limb(0), limb(1)],
                                )
                            });
                        let factors: heapless::Vec<_, SUMMED> = factors.collect();
                        let sum = [&mut *sum0, &mut *sum1];
                        limb::inner_product_2(ctx.modulus(at.prime), sum, &factors, [start; 2]);
                        start = Start::Destination;
                    }
                    ctx.store(level, basis, dst0, sum0);
                    ctx.store(level, basis, dst1, sum1);
                }
            }
        });
    }
    Ok(())
}

/// Adds the same real number to every slot of a ciphertext of any degree: round(value times scale) to the constant
/// coefficient of c_0. Error: at most ½ in that coefficient.
pub fn add_scalar_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    a: &mut [W],
    value_times_scale: f64,
) -> Result<(), CkksError> {
    let value = rounded(value_times_scale)?;
    let c0 = first_polynomial(ctx, level, a)?;
    ctx.for_each_limb(level, Basis::Q, c0, |at, limb| {
        let modulus = ctx.modulus(at.prime);
        limb::add_scalar_assign(modulus, limb, modulus.reduce_i128(value));
    });
    Ok(())
}

/// dst = a times the same real number in every slot, as the integer v = round(value times scale), |v| < 2^120. The error
/// becomes v times as large.
pub fn mul_scalar<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    dst: &mut [W],
    a: &[W],
    value_times_scale: f64,
) -> Result<(), CkksError> {
    let polynomials = polynomials(degree)?;
    let value = rounded(value_times_scale)?;
    ctx.check("destination", dst, level, Basis::Q, polynomials)?;
    ctx.check("operand", a, level, Basis::Q, polynomials)?;
    ctx.for_each_limb(level, Basis::Q, dst, |at, dst| {
        let modulus = ctx.modulus(at.prime);
        limb::mul_scalar(modulus, dst, ctx.limb(a, at.index), modulus.reduce_i128(value));
    });
    Ok(())
}

/// a = a times the same real number in every slot; as [`mul_scalar`].
pub fn mul_scalar_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    a: &mut [W],
    value_times_scale: f64,
) -> Result<(), CkksError> {
    let polynomials = polynomials(degree)?;
    let value = rounded(value_times_scale)?;
    ctx.check("operand", a, level, Basis::Q, polynomials)?;
    ctx.for_each_limb(level, Basis::Q, a, |at, a| {
        let modulus = ctx.modulus(at.prime);
        limb::mul_scalar_assign(modulus, a, modulus.reduce_i128(value));
    });
    Ok(())
}

/// dst = i·a in every slot: the product with X^{N/2}, exact and without noise.
///
/// In bit-reversed NTT order the first half of a limb is at roots ψ^{2k+1} with k even, where X^{N/2} is ψ^{N/2}; the
/// second half has k odd and the opposite sign.
pub fn mul_i<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    dst: &mut [W],
    a: &[W],
) -> Result<(), CkksError> {
    let polynomials = polynomials(degree)?;
    ctx.check("destination", dst, level, Basis::Q, polynomials)?;
    ctx.check("operand", a, level, Basis::Q, polynomials)?;
    let half = ctx.parameters.slots();
    ctx.for_each_limb(level, Basis::Q, dst, |at, dst| {
        let modulus = ctx.modulus(at.prime);
        let i = imaginary_unit(ctx, modulus);
        let (dst_low, dst_high) = dst.split_at_mut(half);
        let (low, high) = ctx.limb(a, at.index).split_at(half);
        limb::mul_scalar(modulus, dst_low, low, i);
        limb::mul_scalar(modulus, dst_high, high, modulus.neg(i));
    });
    Ok(())
}

/// a = i·a in every slot; as [`mul_i`].
pub fn mul_i_assign<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    degree: usize,
    a: &mut [W],
) -> Result<(), CkksError> {
    ctx.check("operand", a, level, Basis::Q, polynomials(degree)?)?;
    let half = ctx.parameters.slots();
    ctx.for_each_limb(level, Basis::Q, a, |at, a| {
        let modulus = ctx.modulus(at.prime);
        let i = imaginary_unit(ctx, modulus);
        let (low, high) = a.split_at_mut(half);
        limb::mul_scalar_assign(modulus, low, i);
        limb::mul_scalar_assign(modulus, high, modulus.neg(i));
    });
    Ok(())
}

/// ψ^{N/2}, a square root of −1.
fn imaginary_unit<W: Word>(ctx: &Context<'_, W>, modulus: &Modulus<W>) -> W {
    // The ring was built on this root, so there is one.
    let root = primitive_root_2n(modulus, ctx.parameters.log_n).unwrap_or(W::ONE);
    modulus.pow(root, ctx.parameters.slots() as u64)
}

/// c_0 of a ciphertext of any degree.
fn first_polynomial<'a, W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    a: &'a mut [W],
) -> Result<&'a mut [W], CkksError> {
    ctx.check_level(level)?;
    let expected = ctx.parameters.plaintext_words(level);
    let actual = a.len();
    let wrong = CkksError::Length {
        what: "ciphertext",
        expected,
        actual,
    };
    if !actual.is_multiple_of(expected) {
        return Err(wrong);
    }
    a.get_mut(..expected).ok_or(wrong)
}

fn rounded(value: f64) -> Result<i128, CkksError> {
    if !value.is_finite() {
        return Err(CkksError::NotFinite);
    }
    let value = libm::rint(value);
    if libm::fabs(value) < SCALAR_BOUND {
        Ok(value as i128)
    } else {
        Err(CkksError::TooLarge)
    }
}
