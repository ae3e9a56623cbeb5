//! Slots to coefficients and back: the special FFT, rounding and residues.
//!
//! A polynomial c of degree below N, read at the roots ζ^{5^j} (ζ = e^{iπ/N}, 0 ≤ j < N/2), gives the slots. As
//! Y^{N/2} = i at each of these points, slot j is w(ζ^{5^j}) for w_k = c_k + i·c_{k+N/2}: an FFT on N/2 complex points
//! that splits Y^m − u² into (Y^{m/2} − u)(Y^{m/2} + u) down to the linear factors. The points arrive in
//! bit-reversed order of j, since Y^{m/2} has the sign of the next bit of j.
//!
//! All arithmetic is plain IEEE double precision in a fixed order, with sine and cosine from `libm`: the same input
//! gives the same plaintext on every machine.

mod residues;

use crate::CkksError;
use crate::compact::is_limb;
use crate::context::{Basis, Context};
use crate::error::{at_least, exactly};
use crate::parameters::{MAX_LOG_N, MIN_LOG_N};
use cipherloom_ring::{Word, parallel};
use core::f64::consts::{FRAC_PI_4, TAU};
use residues::Garner;

pub(crate) use residues::decoded_limbs;

/// Coefficients must stay below this: the largest that 128-bit signed arithmetic takes with room to spare.
const COEFFICIENT_BOUND: f64 = (1u128 << 120) as f64;
/// log2 of the points of a part of the special FFT that is done at once: they take 64 kB.
const PART_DEPTHS: u32 = 12;

/// The twiddle factors of the special FFT for one ring degree.
pub struct Encoder<'m> {
    /// Real and imaginary parts of u for each node of the splitting tree; node 1 is the root, 2h and 2h+1 are the
    /// children of h.
    cos: &'m [f64],
    sin: &'m [f64],
}

impl<'m> Encoder<'m> {
    /// Numbers of type `f64` that [`Encoder::new`] keeps its table in: N.
    pub fn memory_f64(log_n: u32) -> usize {
        1 << log_n
    }

    /// Fills `memory` with the table for N = 2^log_n.
    pub fn new(log_n: u32, memory: &'m mut [f64]) -> Result<Self, CkksError> {
        if !(MIN_LOG_N..=MAX_LOG_N).contains(&log_n) {
            return Err(CkksError::Parameters("the ring degree is out of range"));
        }
        let memory = at_least("encoder memory", memory, Self::memory_f64(log_n))?;
        let (cos, sin) = memory.split_at_mut((1 << log_n) / 2);
        for (node, (cos, sin)) in cos.iter_mut().zip(sin.iter_mut()).enumerate().skip(1) {
            // The points below this node have index ≡ r mod 2^depth, so u = exp(2πi·(5^r mod 2^(depth+3)) / 2^(depth+3)).
            let depth = node.ilog2();
            let place = node as u64 - (1 << depth);
            let r = if depth == 0 {
                0
            } else {
                place.reverse_bits() >> (64 - depth)
            };
            (*cos, *sin) = unit_root(power_of_5(r, depth + 3), depth + 3);
        }
        if let (Some(cos), Some(sin)) = (cos.first_mut(), sin.first_mut()) {
            (*cos, *sin) = (1.0, 0.0);
        }
        Ok(Self { cos, sin })
    }

    /// The encoder of a table that [`Encoder::new`] filled before and that lies, for instance, in flash.
    pub fn with_table(log_n: u32, table: &'m [f64]) -> Result<Self, CkksError> {
        if !(MIN_LOG_N..=MAX_LOG_N).contains(&log_n) {
            return Err(CkksError::Parameters("the ring degree is out of range"));
        }
        exactly("encoder table", table, Self::memory_f64(log_n))?;
        let (cos, sin) = table.split_at(table.len() / 2);
        Ok(Self { cos, sin })
    }

    /// Number of slots, N/2.
    pub fn slots(&self) -> usize {
        self.cos.len()
    }

    /// Encodes real values: n of them, n a divisor of N/2; the slots repeat them.
    ///
    /// The plaintext is round(scale · coefficients), in NTT form at `level`. Rounding adds 1/12 to the error variance
    /// per coefficient. Scratch: [`crate::scratch::encode_scratch`]. Fails where a value or the scale is not finite,
    /// the scale is not positive, or a coefficient reaches 2^120.
    pub fn encode_real<W: Word>(
        &self,
        ctx: &Context<'_, W>,
        values: &[f64],
        scale: f64,
        level: usize,
        basis: Basis,
        dst: &mut [W],
        scratch: &mut [f64],
    ) -> Result<(), CkksError> {
        self.encode(ctx, values, None, scale, level, basis, dst, scratch)
    }

    /// Encodes complex values, given as real and imaginary parts of the same number of slots; otherwise as
    /// [`Encoder::encode_real`].
    pub fn encode_complex<W: Word>(
        &self,
        ctx: &Context<'_, W>,
        re: &[f64],
        im: &[f64],
        scale: f64,
        level: usize,
        basis: Basis,
        dst: &mut [W],
        scratch: &mut [f64],
    ) -> Result<(), CkksError> {
        self.encode(ctx, re, Some(im), scale, level, basis, dst, scratch)
    }

    fn encode<W: Word>(
        &self,
        ctx: &Context<'_, W>,
        re: &[f64],
        im: Option<&[f64]>,
        scale: f64,
        level: usize,
        basis: Basis,
        dst: &mut [W],
        scratch: &mut [f64],
    ) -> Result<(), CkksError> {
        let slots = self.slots();
        if slots != ctx.parameters.slots() {
            return Err(CkksError::Parameters("the encoder is for another ring degree"));
        }
        if re.is_empty() || !slots.is_multiple_of(re.len()) {
            return Err(CkksError::Length {
                what: "values",
                expected: slots,
                actual: re.len(),
            });
        }
        if let Some(im) = im {
            exactly("imaginary parts", im, re.len())?;
        }
        let scratch = at_least("encode scratch", scratch, 2 * slots)?;
        let (work_re, work_im) = scratch.split_at_mut(slots);
        for block in work_re.chunks_exact_mut(re.len()) {
            block.copy_from_slice(re);
        }
        match im {
            Some(im) => work_im
                .chunks_exact_mut(im.len())
                .for_each(|block| block.copy_from_slice(im)),
            None => work_im.fill(0.0),
        }
        self.encode_in_place(ctx, scratch, scale, level, basis, dst)
    }

    /// Encodes complex values where they stand: the real parts of n slots, then their imaginary parts. They are
    /// overwritten. Otherwise as [`Encoder::encode_real`], and the same bits.
    ///
    /// Where n is less than N/2, a divisor of it, the plaintext is [compact](crate::compact): `dst` has 2n words for each limb,
    /// and the work is that of a ring of degree 2n, at least 2^[`MIN_LOG_COMPACT`](cipherloom_ring::MIN_LOG_COMPACT).
    pub fn encode_in_place<W: Word>(
        &self,
        ctx: &Context<'_, W>,
        values: &mut [f64],
        scale: f64,
        level: usize,
        basis: Basis,
        dst: &mut [W],
    ) -> Result<(), CkksError> {
        let slots = self.slots();
        if slots != ctx.parameters.slots() {
            return Err(CkksError::Parameters("the encoder is for another ring degree"));
        }
        check_scale(scale)?;
        if !is_limb(values.len(), 2 * slots) {
            return Err(CkksError::Length {
                what: "values",
                expected: 2 * slots,
                actual: values.len(),
            });
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(CkksError::NotFinite);
        }
        ctx.check_level(level)?;
        exactly("plaintext", dst, ctx.limbs(level, basis) * values.len())?;
        let period = values.len() / 2;
        let (re, im) = values.split_at_mut(period);
        self.slots_to_coefficients(re, im);

        let factor = scale / period as f64;
        let mut largest = 0f64;
        for coefficient in values.iter_mut() {
            *coefficient = libm::rint(*coefficient * factor);
            if !coefficient.is_finite() || libm::fabs(*coefficient) >= COEFFICIENT_BOUND {
                return Err(CkksError::TooLarge);
            }
            largest = largest.max(libm::fabs(*coefficient));
        }
        residues::polynomial(ctx, level, dst, values, largest);
        Ok(())
    }

    /// Decodes a plaintext in basis q at `level`: slot j becomes `re[j] + i·im[j]`, both N/2 long.
    ///
    /// Only the first limbs whose product stays below 2^126 are read; each coefficient (message times scale plus noise)
    /// must be below half of that product in absolute value. Scratch: [`crate::scratch::decode_scratch`].
    pub fn decode<W: Word>(
        &self,
        ctx: &Context<'_, W>,
        plaintext: &[W],
        level: usize,
        scale: f64,
        re: &mut [f64],
        im: &mut [f64],
        scratch: &mut [W],
    ) -> Result<(), CkksError> {
        let slots = self.slots();
        if slots != ctx.parameters.slots() {
            return Err(CkksError::Parameters("the encoder is for another ring degree"));
        }
        check_scale(scale)?;
        ctx.check("plaintext", plaintext, level, Basis::Q, 1)?;
        exactly("real parts", re, slots)?;
        exactly("imaginary parts", im, slots)?;
        let limbs = decoded_limbs(&ctx.parameters, level);
        let residues = at_least("decode scratch", scratch, ctx.parameters.words(limbs))?;
        for (i, (limb, source)) in residues
            .chunks_exact_mut(2 * slots)
            .zip(plaintext.chunks_exact(2 * slots))
            .enumerate()
        {
            limb.copy_from_slice(source);
            ctx.ring.ntt_inverse(i, limb);
        }

        let garner = Garner::new(ctx, limbs);
        for (k, (re, im)) in re.iter_mut().zip(im.iter_mut()).enumerate() {
            *re = garner.centred(ctx, residues, k) as f64 / scale;
            *im = garner.centred(ctx, residues, k + slots) as f64 / scale;
        }
        self.coefficients_to_slots(re, im);
        Ok(())
    }

    /// w in natural order → slots in natural order, in place.
    fn coefficients_to_slots(&self, re: &mut [f64], im: &mut [f64]) {
        let slots = re.len();
        let stage = |depth, first, re: &mut [f64], im: &mut [f64]| {
            self.for_each_node(slots, depth, first, re, im, |u_re, u_im, low, high| {
                let t_re = *high.0 * u_re - *high.1 * u_im;
                let t_im = *high.0 * u_im + *high.1 * u_re;
                (*high.0, *high.1) = (*low.0 - t_re, *low.1 - t_im);
                (*low.0, *low.1) = (*low.0 + t_re, *low.1 + t_im);
            });
        };
        let (depths, split) = depths(slots);
        (0..split).for_each(|depth| stage(depth, 0, re, im));
        parallel::for_each_limb_pair(re, im, slots >> split, |part, re, im| {
            (split..depths).for_each(|depth| stage(depth, part << (depth - split), re, im));
        });
        bit_reverse(re);
        bit_reverse(im);
    }

    /// The inverse of [`Self::coefficients_to_slots`], times N/2. Of n values, a divisor of N/2, the same for a ring of degree
    /// 2n: the splitting tree of the larger one begins with that of the smaller. Values that repeat cancel exactly in the
    /// stages that are left out, or double, so that it gives the bits of the whole transform.
    fn slots_to_coefficients(&self, re: &mut [f64], im: &mut [f64]) {
        bit_reverse(re);
        bit_reverse(im);
        let slots = re.len();
        let stage = |depth, first, re: &mut [f64], im: &mut [f64]| {
            self.for_each_node(slots, depth, first, re, im, |u_re, u_im, low, high| {
                let (d_re, d_im) = (*low.0 - *high.0, *low.1 - *high.1);
                (*low.0, *low.1) = (*low.0 + *high.0, *low.1 + *high.1);
                *high.0 = d_re * u_re + d_im * u_im;
                *high.1 = d_im * u_re - d_re * u_im;
            });
        };
        let (depths, split) = depths(slots);
        parallel::for_each_limb_pair(re, im, slots >> split, |part, re, im| {
            (split..depths)
                .rev()
                .for_each(|depth| stage(depth, part << (depth - split), re, im));
        });
        (0..split).rev().for_each(|depth| stage(depth, 0, re, im));
    }

    /// Visits the butterflies (u, low, high) of the nodes at one depth of the splitting tree of so many points, from number
    /// `first` on.
    #[inline(always)]
    fn for_each_node(
        &self,
        slots: usize,
        depth: u32,
        first: usize,
        re: &mut [f64],
        im: &mut [f64],
        butterfly: impl Fn(f64, f64, (&mut f64, &mut f64), (&mut f64, &mut f64)),
    ) {
        let size = slots >> depth;
        let twiddles = self.cos.iter().zip(self.sin).skip((1 << depth) + first);
        for ((re, im), (&u_re, &u_im)) in re
            .chunks_exact_mut(size)
            .zip(im.chunks_exact_mut(size))
            .zip(twiddles)
        {
            let (low_re, high_re) = re.split_at_mut(size / 2);
            let (low_im, high_im) = im.split_at_mut(size / 2);
            let low = low_re.iter_mut().zip(low_im);
            let high = high_re.iter_mut().zip(high_im);
            for (low, high) in low.zip(high) {
                butterfly(u_re, u_im, low, high);
            }
        }
    }
}

/// The depth of the splitting tree of so many points, and the depth at which it falls into parts that are done one after
/// the other, each in a cache, or by several threads.
fn depths(points: usize) -> (u32, u32) {
    let depths = points.ilog2();
    (depths, depths.saturating_sub(PART_DEPTHS))
}

pub(crate) fn check_scale(scale: f64) -> Result<(), CkksError> {
    if !scale.is_finite() {
        return Err(CkksError::NotFinite);
    }
    if scale > 0.0 {
        Ok(())
    } else {
        Err(CkksError::Scale)
    }
}

/// 5^exponent modulo 2^bits, bits ≤ 63.
pub(crate) fn power_of_5(exponent: u64, bits: u32) -> u64 {
    let (mut result, mut base, mut exponent) = (1u64, 5u64, exponent);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result & ((1 << bits) - 1)
}

/// (cos, sin) of 2π·numerator / 2^bits, bits ≥ 3. The angle is brought into [0, π/4] in exact arithmetic first, so that
/// both parts are correct to the last bit or two.
fn unit_root(numerator: u64, bits: u32) -> (f64, f64) {
    let eighth = 1u64 << (bits - 3);
    let (octant, rest) = (numerator / eighth, numerator % eighth);
    let rest = if octant % 2 == 1 { eighth - rest } else { rest };
    let angle = if rest == eighth {
        FRAC_PI_4
    } else {
        TAU * (rest as f64 / (8 * eighth) as f64)
    };
    let (sin, cos) = libm::sincos(angle);
    match octant {
        0 => (cos, sin),
        1 => (sin, cos),
        2 => (-sin, cos),
        3 => (-cos, sin),
        4 => (-cos, -sin),
        5 => (-sin, -cos),
        6 => (sin, -cos),
        _ => (cos, -sin),
    }
}

fn bit_reverse(data: &mut [f64]) {
    let bits = data.len().ilog2();
    if bits == 0 {
        return;
    }
    for i in 0..data.len() {
        let j = i.reverse_bits() >> (usize::BITS - bits);
        if i < j {
            data.swap(i, j);
        }
    }
}
