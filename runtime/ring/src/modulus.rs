//! Arithmetic modulo one odd number.

use crate::{RingError, Word};

/// An odd modulus q, 3 ≤ q < 2^MAX_PRIME_BITS, with the constants of its reductions.
///
/// Unless a doc says otherwise, operands and results are in [0,q). `inv` and nothing else needs q to be prime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modulus<W> {
    value: W,
    bits: u32,
    /// ⌊2^BITS / q⌋: the Shoup quotient of 1.
    reciprocal: W,
    /// 2^BITS mod q.
    radix: W,
    /// Shoup quotient of `radix`; (reciprocal, radix_shoup) are the two words of ⌊2^(2·BITS) / q⌋.
    radix_shoup: W,
    /// ⌊2^(BITS + bits − 2) / q⌋, for products of reduced operands.
    barrett: W,
}

impl<W: Word> Modulus<W> {
    /// Checks `value` and prepares its constants.
    ///
    /// # Errors
    /// [`RingError::Modulus`] unless `value` is odd and in [3, 2^MAX_PRIME_BITS).
    pub fn new(value: u64) -> Result<Self, RingError> {
        if value < 3 || value & 1 == 0 || value >> W::MAX_PRIME_BITS != 0 {
            return Err(RingError::Modulus { value });
        }
        let bits = u64::BITS - value.leading_zeros();
        let wide = u128::from(value);
        let radix = (1u128 << W::BITS) % wide;
        Ok(Self {
            value: W::from_u64(value),
            bits,
            reciprocal: W::from_u64(((1u128 << W::BITS) / wide) as u64),
            radix: W::from_u64(radix as u64),
            radix_shoup: W::from_u64(((radix << W::BITS) / wide) as u64),
            barrett: W::from_u64(((1u128 << (W::BITS + bits - 2)) / wide) as u64),
        })
    }

    /// q.
    #[inline(always)]
    pub fn value(&self) -> W {
        self.value
    }

    /// q.
    #[inline(always)]
    pub fn value_u64(&self) -> u64 {
        self.value.to_u64()
    }

    /// Bits of q: 2^(bits−1) < q < 2^bits.
    #[inline(always)]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// a + b.
    #[inline(always)]
    pub fn add(&self, a: W, b: W) -> W {
        (a + b).subtract_once(self.value)
    }

    /// a − b.
    #[inline(always)]
    pub fn sub(&self, a: W, b: W) -> W {
        (a + self.value - b).subtract_once(self.value)
    }

    /// −a.
    #[inline(always)]
    pub fn neg(&self, a: W) -> W {
        (self.value - a).subtract_once(self.value)
    }

    /// a·b.
    #[inline(always)]
    pub fn mul(&self, a: W, b: W) -> W {
        self.reduce_product(a.wide_mul(b))
    }

    /// a·b + c.
    #[inline(always)]
    pub fn mul_add(&self, a: W, b: W, c: W) -> W {
        self.reduce_product(a.wide_mul(b) + c.to_wide())
    }

    /// x mod q for x < q² (Barrett with the quotient estimated from the high bits of x).
    ///
    /// With k = `bits`, c = ⌊x/2^(k−2)⌋ < 2^(k+2) and μ = `barrett`, the estimate ⌊cμ/2^BITS⌋ is at most x/q and
    /// falls short of it by less than 2^(k−2)/q + c/2^BITS + 1 < ½ + 2^(k+2−BITS) + 1: below 2 for 64-bit words
    /// (k ≤ 61), below 3 for 32-bit words (k ≤ 30).
    #[inline(always)]
    fn reduce_product(&self, x: W::Wide) -> W {
        let estimate = W::low(x >> (self.bits - 2)).mul_high(self.barrett);
        let rest = W::low(x).wrapping_sub(estimate.wrapping_mul(self.value));
        if W::MAX_PRIME_BITS + 3 <= W::BITS {
            rest.subtract_once(self.value)
        } else {
            rest.subtract_once(self.value + self.value)
                .subtract_once(self.value)
        }
    }

    /// a^exponent by squaring; time depends on the exponent.
    pub fn pow(&self, a: W, mut exponent: u64) -> W {
        let (mut power, mut square) = (W::ONE, a);
        while exponent != 0 {
            if exponent & 1 == 1 {
                power = self.mul(power, square);
            }
            square = self.mul(square, square);
            exponent >>= 1;
        }
        power
    }

    /// a^−1 for a prime modulus, or `None` for a = 0 (or a without inverse).
    pub fn inv(&self, a: W) -> Option<W> {
        let inverse = self.pow(a, self.value_u64() - 2);
        (self.mul(a, inverse) == W::ONE).then_some(inverse)
    }

    /// x mod q for any word.
    #[inline(always)]
    pub fn reduce(&self, x: W) -> W {
        self.mul_shoup(x, W::ONE, self.reciprocal)
    }

    /// x mod q for any double word.
    ///
    /// x = high·2^BITS + low; both parts are reduced into [0,2q) and added in [0,4q).
    #[inline(always)]
    pub fn reduce_wide(&self, x: W::Wide) -> W {
        let (low, high) = (W::low(x), W::high(x));
        let quotient = high
            .mul_high(self.radix_shoup)
            .wrapping_add(low.mul_high(self.reciprocal));
        let rest = high
            .wrapping_mul(self.radix)
            .wrapping_add(low)
            .wrapping_sub(quotient.wrapping_mul(self.value));
        rest.subtract_once(self.value + self.value)
            .subtract_once(self.value)
    }

    /// x mod q.
    #[inline]
    pub fn reduce_u64(&self, x: u64) -> W {
        if W::BITS == 64 {
            self.reduce(W::from_u64(x))
        } else {
            self.reduce_wide((W::from_u64(x >> 32).to_wide() << 32) + W::from_u64(x).to_wide())
        }
    }

    /// x mod q.
    #[inline]
    pub fn reduce_u128(&self, x: u128) -> W {
        if W::BITS == 64 {
            let (low, high) = (W::from_u64(x as u64), W::from_u64((x >> 64) as u64));
            self.reduce_wide((high.to_wide() << (W::BITS / 2) << (W::BITS / 2)) + low.to_wide())
        } else {
            let high = self.reduce_u64((x >> 64) as u64);
            let square = self.mul(self.radix, self.radix);
            self.mul_add(high, square, self.reduce_u64(x as u64))
        }
    }

    /// The representative of x in [0,q), without a branch on the sign.
    #[inline]
    pub fn reduce_i64(&self, x: i64) -> W {
        self.negate_if(x < 0, self.reduce_u64(x.unsigned_abs()))
    }

    /// The representative of x in [0,q), without a branch on the sign.
    #[inline]
    pub fn reduce_i128(&self, x: i128) -> W {
        self.negate_if(x < 0, self.reduce_u128(x.unsigned_abs()))
    }

    /// −a if `negative`, else a, by masking.
    #[inline(always)]
    pub(crate) fn negate_if(&self, negative: bool, a: W) -> W {
        let mask = W::ZERO.wrapping_sub(W::from_u64(u64::from(negative)));
        let difference = self.neg(a).wrapping_sub(a);
        a.wrapping_add(difference & mask)
    }

    /// The Shoup quotient ⌊w·2^BITS / q⌋ of w in [0,q), from the two-word reciprocal and one correction.
    #[inline(always)]
    pub fn shoup(&self, w: W) -> W {
        let estimate = w
            .wrapping_mul(self.reciprocal)
            .wrapping_add(w.mul_high(self.radix_shoup));
        // w·2^BITS − estimate·q is in [0,2q), so its low word is all of it.
        let rest = W::ZERO.wrapping_sub(estimate.wrapping_mul(self.value));
        estimate + W::from_u64(u64::from(rest >= self.value))
    }

    /// x·w for any word x; w in [0,q) and `w_shoup` its Shoup quotient.
    #[inline(always)]
    pub fn mul_shoup(&self, x: W, w: W, w_shoup: W) -> W {
        self.mul_shoup_lazy(x, w, w_shoup).subtract_once(self.value)
    }

    /// x·w in [0,2q) for any word x; w in [0,q) and `w_shoup` its Shoup quotient.
    #[inline(always)]
    pub fn mul_shoup_lazy(&self, x: W, w: W, w_shoup: W) -> W {
        w.wrapping_mul(x)
            .wrapping_sub(x.mul_high(w_shoup).wrapping_mul(self.value))
    }
}
