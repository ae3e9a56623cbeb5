//! What all stages are made of. Numbers are meant modulo 2^52, ranges in units of q.

use super::*;

impl Field {
    /// y·w in [0,2), for y < 2^52: y·w − ⌊y·w'/2^52⌋·q; plus what it is added to.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn add_twisted(&self, to: __m512i, y: __m512i, (w, quotient): Twiddle) -> __m512i {
        let estimate = multiply_high(splat(0), y, quotient);
        multiply_low(multiply_low(to, y, w), estimate, self.minus_q)
    }

    /// x mod q in [0,2), for x < 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn correct(&self, x: __m512i) -> __m512i {
        multiply_low(x, multiply_high(splat(0), x, self.reciprocal), self.minus_q)
    }

    /// The residue of x, a word below 2^52 that is one.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn residue(&self, x: __m512i) -> __m512i {
        subtract_once(self.reduce_lazy(x), self.q)
    }

    /// x + wy and x − wy in [0,B+2), for x in [0,B), y < 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn forward_stage<const CORRECT: bool>(
        &self,
        (x, y): (__m512i, __m512i),
        w: Twiddle,
    ) -> (__m512i, __m512i) {
        let x = if CORRECT { self.correct(x) } else { x };
        let sum = self.add_twisted(x, y, w);
        // 2x + 2 less the sum.
        (sum, _mm512_sub_epi64(multiply_low(self.two_q, x, splat(2)), sum))
    }

    /// x + y in [0,2B) and (y − x)·w in [0,2), for x and y in [0,B) and `bound` = Bq; 2B is at most the room.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn inverse_stage(
        &self,
        (x, y): (__m512i, __m512i),
        bound: __m512i,
        w: Twiddle,
    ) -> (__m512i, __m512i) {
        let difference = _mm512_add_epi64(_mm512_sub_epi64(y, x), bound);
        (_mm512_add_epi64(x, y), self.add_twisted(splat(0), difference, w))
    }
}
