//! The machine word that holds one residue.

use core::fmt::Debug;
use core::ops::{Add, AddAssign, BitAnd, Shl, Shr, Sub};
use zeroize::Zeroize;

#[expect(private_interfaces, reason = "the trait cannot be named from outside")]
mod sealed {
    use crate::kernels::{Backend, Kernels, narrow, wide};

    /// Every word has its kernels: a word from elsewhere would have none.
    pub trait Sealed: Sized {
        fn kernels(backend: Backend, bits: u32) -> &'static Kernels<Self>;
    }
    impl Sealed for u32 {
        #[inline]
        fn kernels(backend: Backend, bits: u32) -> &'static Kernels<Self> {
            narrow(backend, bits)
        }
    }
    impl Sealed for u64 {
        #[inline]
        fn kernels(backend: Backend, bits: u32) -> &'static Kernels<Self> {
            wide(backend, bits)
        }
    }
}

/// An unsigned word: `u32` or `u64`.
///
/// The operators are the checked ones of the language (overflow is a bug and panics where overflow checks are on, so
/// that tests prove the lazy ranges); arithmetic modulo 2^BITS has names that say `wrapping`.
pub trait Word:
    sealed::Sealed
    + Copy
    + Ord
    + Debug
    + Default
    + Zeroize
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + BitAnd<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
    + 'static
{
    /// Bits in a word.
    const BITS: u32;
    /// A modulus is below 2^MAX_PRIME_BITS. At most BITS − 2, so that [0,4q) fits a word.
    const MAX_PRIME_BITS: u32;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// How many products of reduced residues (of any moduli) fit [`Self::Wide`] and leave room for one more
    /// term: 2^(2(BITS − MAX_PRIME_BITS)) − 1.
    const LAZY_PRODUCTS: usize = (1 << (2 * (Self::BITS - Self::MAX_PRIME_BITS))) - 1;

    /// Twice as wide: holds a product.
    type Wide: Copy
        + Debug
        + Default
        + Add<Output = Self::Wide>
        + AddAssign
        + Shl<u32, Output = Self::Wide>
        + Shr<u32, Output = Self::Wide>
        + Send
        + Sync;

    /// The low BITS bits of `value`; the caller sees to it that nothing is lost.
    fn from_u64(value: u64) -> Self;
    /// The same number as a `u64`.
    fn to_u64(self) -> u64;
    /// The same number in the wide type.
    fn to_wide(self) -> Self::Wide;
    /// self·rhs, exact.
    fn wide_mul(self, rhs: Self) -> Self::Wide;
    /// The low word of `wide`.
    fn low(wide: Self::Wide) -> Self;
    /// The high word of `wide`.
    fn high(wide: Self::Wide) -> Self;
    /// The low 64 bits of `wide`.
    fn wide_to_u64(wide: Self::Wide) -> u64;
    /// self + rhs modulo 2^BITS.
    fn wrapping_add(self, rhs: Self) -> Self;
    /// self − rhs modulo 2^BITS.
    fn wrapping_sub(self, rhs: Self) -> Self;
    /// self·rhs modulo 2^BITS.
    fn wrapping_mul(self, rhs: Self) -> Self;

    /// ⌊self·rhs / 2^BITS⌋.
    #[inline(always)]
    fn mul_high(self, rhs: Self) -> Self {
        Self::high(self.wide_mul(rhs))
    }

    /// self − bound if self ≥ bound, else self; no branch.
    #[inline(always)]
    fn subtract_once(self, bound: Self) -> Self {
        self.min(self.wrapping_sub(bound))
    }
}

macro_rules! word {
    ($word:ty, $wide:ty, $max_prime_bits:expr) => {
        impl Word for $word {
            const BITS: u32 = <$word>::BITS;
            const MAX_PRIME_BITS: u32 = $max_prime_bits;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            type Wide = $wide;

            #[inline(always)]
            fn from_u64(value: u64) -> Self {
                value as $word
            }
            #[inline(always)]
            fn to_u64(self) -> u64 {
                u64::from(self)
            }
            #[inline(always)]
            fn to_wide(self) -> $wide {
                <$wide>::from(self)
            }
            #[inline(always)]
            fn wide_mul(self, rhs: Self) -> $wide {
                <$wide>::from(self) * <$wide>::from(rhs)
            }
            #[inline(always)]
            fn low(wide: $wide) -> Self {
                wide as $word
            }
            #[inline(always)]
            fn high(wide: $wide) -> Self {
                (wide >> <$word>::BITS) as $word
            }
            #[inline(always)]
            fn wide_to_u64(wide: $wide) -> u64 {
                wide as u64
            }
            #[inline(always)]
            fn wrapping_add(self, rhs: Self) -> Self {
                <$word>::wrapping_add(self, rhs)
            }
            #[inline(always)]
            fn wrapping_sub(self, rhs: Self) -> Self {
                <$word>::wrapping_sub(self, rhs)
            }
            #[inline(always)]
            fn wrapping_mul(self, rhs: Self) -> Self {
                <$word>::wrapping_mul(self, rhs)
            }
        }
    };
}

word!(u32, u64, 30);
word!(u64, u128, 61);
