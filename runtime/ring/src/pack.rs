//! Limbs as bytes: each residue in exactly `bits` bits, little-endian, a limb padded to whole bytes with zero bits.

use crate::{Modulus, RingError, Word};

/// Bytes of a limb of `n` residues of `bits` bits: ⌈n·bits / 8⌉.
pub const fn packed_bytes(n: usize, bits: u32) -> usize {
    (n * bits as usize).div_ceil(8)
}

/// Packs `limb` into the first [`packed_bytes`] bytes of `out`. Residues are below 2^bits, `bits` ≤ MAX_PRIME_BITS;
/// `out` is long enough.
pub fn pack<W: Word>(limb: &[W], bits: u32, out: &mut [u8]) {
    debug_assert!(bits <= W::MAX_PRIME_BITS && out.len() >= packed_bytes(limb.len(), bits));
    let mut out = out.iter_mut();
    // At most 7 pending bits and one residue.
    let (mut pending, mut pending_bits) = (W::Wide::default(), 0);
    for &word in limb {
        pending += word.to_wide() << pending_bits;
        pending_bits += bits;
        while pending_bits >= 8 {
            if let Some(byte) = out.next() {
                *byte = W::wide_to_u64(pending) as u8;
            }
            pending = pending >> 8;
            pending_bits -= 8;
        }
    }
    if pending_bits > 0
        && let Some(byte) = out.next()
    {
        *byte = W::wide_to_u64(pending) as u8;
    }
}

/// Unpacks `limb.len()` residues modulo `m` of `bits` bits each from the first [`packed_bytes`] bytes of `bytes`.
/// Only one byte string unpacks to a given limb.
///
/// # Errors
/// [`RingError::Memory`] when `bytes` is too short, [`RingError::Residue`] when a value is not below q,
/// [`RingError::Padding`] when a padding bit is set. `limb` is then partly written.
pub fn unpack<W: Word>(bytes: &[u8], bits: u32, m: &Modulus<W>, limb: &mut [W]) -> Result<(), RingError> {
    debug_assert!(bits <= W::MAX_PRIME_BITS);
    let (needed, given) = (packed_bytes(limb.len(), bits), bytes.len());
    let bytes = bytes.get(..needed).ok_or(RingError::Memory { needed, given })?;
    let mask = (W::ONE << bits) - W::ONE;
    let (quick, rest) = limb.split_at_mut(in_windows::<W>(limb.len(), bits));
    let mut at = 0;
    for (index, word) in quick.iter_mut().enumerate() {
        let window = bytes.get(at / 8..).and_then(|bytes| bytes.first_chunk());
        *word = W::from_u64(window.map_or(0, |&window| u64::from_le_bytes(window)) >> (at % 8)) & mask;
        if *word >= m.value() {
            return Err(RingError::Residue { index });
        }
        at += bits as usize;
    }
    let mut bytes = bytes.iter().skip(at / 8);
    let (mut pending, mut pending_bits) = (W::Wide::default(), 0);
    if at % 8 != 0 {
        let byte = bytes.next().copied().unwrap_or(0);
        pending = W::from_u64(u64::from(byte >> (at % 8))).to_wide();
        pending_bits = 8 - (at % 8) as u32;
    }
    for (index, word) in rest.iter_mut().enumerate() {
        while pending_bits < bits {
            // `needed` bytes hold every residue.
            let byte = bytes.next().copied().unwrap_or(0);
            pending += W::from_u64(u64::from(byte)).to_wide() << pending_bits;
            pending_bits += 8;
        }
        *word = W::low(pending) & mask;
        if *word >= m.value() {
            let index = quick.len() + index;
            return Err(RingError::Residue { index });
        }
        pending = pending >> bits;
        pending_bits -= bits;
    }
    if W::wide_to_u64(pending) == 0 {
        Ok(())
    } else {
        Err(RingError::Padding)
    }
}

/// How many residues, of `n` packed ones from the first on, lie inside eight bytes of the packed limb, whichever bit of a byte
/// they begin at: none where words are smaller or residues larger than that.
fn in_windows<W: Word>(n: usize, bits: u32) -> usize {
    const WINDOW: usize = size_of::<u64>();
    if W::BITS < u64::BITS || bits + 7 > u64::BITS {
        return 0;
    }
    // The last that is read so begins in the last byte that eight bytes begin at, or before.
    let room = packed_bytes(n, bits).checked_sub(WINDOW);
    room.map_or(0, |last| n.min((8 * last + 7) / bits as usize + 1))
}
