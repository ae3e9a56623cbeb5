//! Rejection of random numbers.

use crate::{Modulus, Word};

pub(in crate::kernels) fn keep_below<W: Word>(m: &Modulus<W>, numbers: &[[u8; 8]], dst: &mut [W]) -> usize {
    let (q, mask) = (m.value_u64(), u64::MAX >> (u64::BITS - m.bits()));
    let mut kept = 0;
    for &bytes in numbers {
        let number = u64::from_le_bytes(bytes) & mask;
        // What is rejected is overwritten by the next.
        if let Some(word) = dst.get_mut(kept) {
            *word = W::from_u64(number);
        }
        kept += usize::from(number < q);
    }
    kept
}
