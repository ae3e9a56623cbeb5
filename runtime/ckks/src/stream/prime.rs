//! The transform modulo one prime in place, with no table or a short one.
//!
//! The same transform as [`cipherloom_ring::Ring`]'s, so the same residues, but made for a small memory: its twiddles are
//! in Montgomery form (Montgomery, "Modular multiplication without trial division", 1985), one word each instead of a root and
//! its quotient, and they need no table. Stage s has m = 2^s blocks, and block i multiplies by ψ^(N/2m·(1 + 2·bitrev_s(i))):
//! visited in bit-reversed order, the twiddles of a stage are a geometric progression.

use super::Roots;
use crate::CkksError;
use cipherloom_ring::prime::primitive_root_2n;
use cipherloom_ring::{Modulus, RingError};

/// One prime of a client, below 2^30.
pub(super) struct Prime {
    pub log_n: u32,
    pub modulus: Modulus<u32>,
    /// −q^−1 modulo 2^32.
    negative_inverse: u32,
    /// ψ^(N/2m) of the last stage, m = N/2: ψ in Montgomery form.
    root: u32,
}

impl Prime {
    /// Trusts that `value` is prime: a plan that was verified says so. Fails where that shows to be wrong. Never inlined: it
    /// divides, which no loop over coefficients does.
    #[inline(never)]
    pub fn new(log_n: u32, value: u64) -> Result<Self, CkksError> {
        let modulus = Modulus::<u32>::new(value)?;
        let root = primitive_root_2n(&modulus, log_n).ok_or(RingError::Prime { value })?;
        let q = modulus.value();
        // Newton: each step doubles the number of right bits; any odd q is its own inverse modulo 8.
        let inverse = (0..4).fold(q, |inverse, _| {
            inverse.wrapping_mul(2u32.wrapping_sub(q.wrapping_mul(inverse)))
        });
        let mut prime = Self {
            log_n,
            modulus,
            negative_inverse: inverse.wrapping_neg(),
            root: 0,
        };
        prime.root = prime.to_montgomery(root);
        Ok(prime)
    }

    fn to_montgomery(&self, x: u32) -> u32 {
        self.modulus.reduce_u64(u64::from(x) << 32)
    }

    /// x·w/2^32 in [0,2q), for x in [0,4q) and w in [0,q): (4q·q + 2^32·q)/2^32 < 2q as q < 2^30.
    #[inline(always)]
    fn multiply_lazy(&self, x: u32, w: u32) -> u32 {
        let product = u64::from(x) * u64::from(w);
        let multiple = (product as u32).wrapping_mul(self.negative_inverse);
        ((product + u64::from(multiple) * u64::from(self.modulus.value())) >> 32) as u32
    }

    #[inline(always)]
    fn multiply(&self, x: u32, w: u32) -> u32 {
        subtract_once(self.multiply_lazy(x, w), self.modulus.value())
    }

    /// Fills N words with the twiddles that a stored table holds: block i of the stage of m blocks at index m + i.
    pub fn fill_roots(&self, table: &mut [u32]) {
        for stage in 0..self.log_n {
            let mut twiddles = self.twiddles(stage);
            for visit in 0..1u32 << stage {
                if let Some(entry) = table.get_mut((1 << stage) + reverse(visit, stage)) {
                    *entry = twiddles.current;
                }
                twiddles.advance(self);
            }
        }
    }

    /// The progression of a stage's twiddles.
    fn twiddles(&self, stage: u32) -> Twiddles {
        let mut first = self.root;
        for _ in stage + 1..self.log_n {
            first = self.multiply(first, first);
        }
        Twiddles {
            current: first,
            ratio: self.multiply(first, first),
        }
    }

    /// N coefficients in [0,q) → values in the ring's order, in [0,q).
    pub fn forward(&self, roots: Option<&[u32]>, limb: &mut [u32]) {
        let q = self.modulus.value();
        let two_q = 2 * q;
        for stage in 0..self.log_n {
            // x, y in [0,4q) → x + wy, x − wy in [0,4q).
            self.for_each_block(stage, roots, false, limb, |block, w| {
                let (low, high) = block.split_at_mut(block.len() / 2);
                for (x, y) in low.iter_mut().zip(high) {
                    let (sum, product) = (subtract_once(*x, two_q), self.multiply_lazy(*y, w));
                    (*x, *y) = (sum + product, sum + two_q - product);
                }
            });
        }
        for x in limb {
            *x = subtract_once(subtract_once(*x, two_q), q);
        }
    }

    /// The inverse of [`Self::forward`], in and out in [0,q).
    pub fn inverse(&self, roots: Option<&[u32]>, limb: &mut [u32]) {
        let two_q = 2 * self.modulus.value();
        for stage in (0..self.log_n).rev() {
            // x, y in [0,2q) → x + y, (y − x)·w in [0,2q), with w the twiddle of the mirrored block: it is −1/w of this one.
            self.for_each_block(stage, roots, true, limb, |block, w| {
                let (low, high) = block.split_at_mut(block.len() / 2);
                for (x, y) in low.iter_mut().zip(high) {
                    let (sum, difference) = (*x + *y, *y + two_q - *x);
                    (*x, *y) = (subtract_once(sum, two_q), self.multiply_lazy(difference, w));
                }
            });
        }
        let n = self.modulus.reduce_u64(1 << self.log_n);
        let scale = self.to_montgomery(self.modulus.inv(n).unwrap_or(0));
        for x in limb {
            *x = self.multiply(*x, scale);
        }
    }

    /// Visits the blocks of a stage with their twiddles, or with those of the mirrored blocks.
    #[inline(always)]
    fn for_each_block(
        &self,
        stage: u32,
        roots: Option<&[u32]>,
        mirrored: bool,
        limb: &mut [u32],
        mut visit: impl FnMut(&mut [u32], u32),
    ) {
        let (blocks, size) = (1usize << stage, limb.len() >> stage);
        let mut twiddles = self.twiddles(stage);
        for index in 0..blocks {
            let natural = match roots {
                Some(_) => index,
                None => reverse(index as u32, stage),
            };
            let at = if mirrored { blocks - 1 - natural } else { natural };
            let twiddle = match roots {
                Some(roots) => roots.get(blocks + index).copied().unwrap_or(0),
                None => twiddles.current,
            };
            if let Some(block) = limb.get_mut(at * size..(at + 1) * size) {
                visit(block, twiddle);
            }
            if roots.is_none() {
                twiddles.advance(self);
            }
        }
    }
}

/// A geometric progression modulo a prime, in Montgomery form.
struct Twiddles {
    current: u32,
    ratio: u32,
}

impl Twiddles {
    #[inline(always)]
    fn advance(&mut self, prime: &Prime) {
        self.current = prime.multiply(self.current, self.ratio);
    }
}

impl Roots<'_> {
    /// The stored twiddles of prime number `index`, if they are stored.
    pub(super) fn of(&self, log_n: u32, index: usize) -> Result<Option<&[u32]>, CkksError> {
        match self {
            Self::Computed => Ok(None),
            Self::Stored(table) => {
                let (start, end) = (index << log_n, (index + 1) << log_n);
                let missing = CkksError::Length {
                    what: "table of roots",
                    expected: end,
                    actual: table.len(),
                };
                table.get(start..end).map(Some).ok_or(missing)
            }
        }
    }
}

#[inline(always)]
fn subtract_once(x: u32, bound: u32) -> u32 {
    x.min(x.wrapping_sub(bound))
}

/// The `bits` low bits of `index` in reversed order.
#[inline(always)]
pub(super) fn reverse(index: u32, bits: u32) -> usize {
    (u64::from(index.reverse_bits()) >> (u32::BITS - bits)) as usize
}
