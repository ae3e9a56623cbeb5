//! AVX-512 with 52-bit multiply-adds (IFMA), eight 64-bit words at a time, for moduli below 2^50.
//!
//! The instructions multiply the low 52 bits of two words and add the low or the high 52 bits of the product to a third
//! word. So 52 takes the place of the word's 64 bits in every reduction, and a lazy value may grow to 2^52 ≥ 4q.
//!
//! All vector functions carry the target features they need and are safe to call from one another; the entries of the
//! table are the only way in.

#![allow(unsafe_code)]

mod basis;
mod ntt;
mod permute;
mod pointwise;

use core::arch::x86_64::*;

use super::{Kernels, portable};
use crate::Modulus;

/// Words in a vector.
const LANES: usize = 8;
/// Moduli are below 2^MAX_BITS.
pub(super) const MAX_BITS: u32 = 50;
/// 2^52 − 1.
const LOW: u64 = (1 << 52) - 1;

/// Wraps vector functions into entries of the table.
macro_rules! entries {
    ($module:ident: $($name:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $name($($argument: $type),*) {
            // SAFETY: the table that holds this entry is handed out only where the processor has these features.
            unsafe { $module::$name($($argument),*) }
        }
    )*};
}

/// The entries by themselves, so that their names do not clash with the vector functions'.
mod entry {
    use super::{basis, ntt, permute, pointwise};
    use crate::Modulus;
    use crate::kernels::{NttTable, Reciprocal, Rows, Term};

    pub(super) type M = Modulus<u64>;

    pub(super) use wrapped::*;
    mod wrapped {
        use super::*;
        pub use super::*;
    }
}
