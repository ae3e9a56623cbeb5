//! What can be wrong with a call.

use cipherloom_ring::RingError;
use core::fmt;

/// A mistake of the caller; the destination of the failed call holds no meaningful value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CkksError {
    /// The ring refused its degree, a prime or its memory.
    Ring(RingError),
    /// The parameters are inconsistent; says how.
    Parameters(&'static str),
    /// A slice has the wrong number of elements.
    Length {
        /// Which argument.
        what: &'static str,
        /// How many elements it must have (at least, for scratch and memory).
        expected: usize,
        /// How many it has.
        actual: usize,
    },
    /// The level is above what the parameters, the key or the operation allow.
    Level {
        /// The level asked for.
        level: usize,
        /// The highest that is allowed here.
        highest: usize,
    },
    /// A rescale or drop would leave no limb, or a drop would raise the level.
    NoLowerLevel,
    /// The ring has no prime of this index.
    Prime(usize),
    /// The ciphertext degree is not one that the operation takes.
    Degree(usize),
    /// A value to encode, or a scale, is not finite.
    NotFinite,
    /// A value times its scale is 2^120 or more.
    TooLarge,
    /// The scale is zero or negative.
    Scale,
    /// Key switching needs special primes, and the parameters have none.
    NoSpecialPrimes,
    /// A Galois element is even or not below 2N.
    GaloisElement(u32),
    /// The Hamming weight is zero or above N.
    HammingWeight(usize),
}

impl From<RingError> for CkksError {
    fn from(error: RingError) -> Self {
        Self::Ring(error)
    }
}

impl fmt::Display for CkksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(error) => write!(f, "{error}"),
            Self::Parameters(reason) => write!(f, "parameters: {reason}"),
            Self::Length {
                what,
                expected,
                actual,
            } => {
                write!(f, "{what} has {actual} elements where {expected} are needed")
            }
            Self::Level { level, highest } => write!(f, "level {level} is above {highest}"),
            Self::NoLowerLevel => write!(f, "there is no such lower level"),
            Self::Prime(index) => write!(f, "the ring has no prime number {index}"),
            Self::Degree(degree) => write!(f, "a ciphertext of degree {degree} is not accepted here"),
            Self::NotFinite => write!(f, "a value or scale is not finite"),
            Self::TooLarge => write!(f, "a value times its scale reaches 2^120"),
            Self::Scale => write!(f, "the scale is not positive"),
            Self::NoSpecialPrimes => write!(f, "key switching needs special primes"),
            Self::GaloisElement(element) => write!(f, "{element} is not a Galois element of this ring"),
            Self::HammingWeight(weight) => write!(f, "a secret cannot have {weight} non-zero coefficients"),
        }
    }
}

impl core::error::Error for CkksError {}

/// Checks that a slice has exactly `expected` elements.
pub(crate) fn exactly<T>(what: &'static str, slice: &[T], expected: usize) -> Result<(), CkksError> {
    let actual = slice.len();
    if actual == expected {
        Ok(())
    } else {
        Err(CkksError::Length {
            what,
            expected,
            actual,
        })
    }
}

/// The first `expected` elements of scratch or memory that may be longer.
pub(crate) fn at_least<'a, T>(
    what: &'static str,
    slice: &'a mut [T],
    expected: usize,
) -> Result<&'a mut [T], CkksError> {
    let actual = slice.len();
    slice.get_mut(..expected).ok_or(CkksError::Length {
        what,
        expected,
        actual,
    })
}
