//! Packed limbs: each residue in exactly `bits` bits, little-endian, and a limb padded to whole bytes (in files) or to whole
//! words (in memory) with zero bits.

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

/// Words of a limb of `n` residues of `bits` bits: ⌈n·bits / BITS⌉.
pub const fn packed_words<W: Word>(n: usize, bits: u32) -> usize {
    (n * bits as usize).div_ceil(W::BITS as usize)
}

/// Packs `limb` into the first [`packed_words`] words of `out`. Residues are below 2^bits, `bits` ≤ MAX_PRIME_BITS; `out` is
/// long enough.
pub fn pack_words<W: Word>(limb: &[W], bits: u32, out: &mut [W]) {
    debug_assert!(bits <= W::MAX_PRIME_BITS && out.len() >= packed_words::<W>(limb.len(), bits));
    let mut out = out.iter_mut();
    let mut next = |word| {
        if let Some(out) = out.next() {
            *out = word;
        }
    };
    // The low bits of the next word.
    let (mut pending, mut pending_bits) = (W::ZERO, 0);
    for &residue in limb {
        let wide = residue.to_wide() << pending_bits;
        pending = pending.wrapping_add(W::low(wide));
        pending_bits += bits;
        if pending_bits >= W::BITS {
            next(pending);
            pending = W::high(wide);
            pending_bits -= W::BITS;
        }
    }
    if pending_bits > 0 {
        next(pending);
    }
}

/// dst = the residues from number `first` on of a limb that [`pack_words`] made.
pub fn unpack_words<W: Word>(packed: &[W], bits: u32, first: usize, dst: &mut [W]) {
    debug_assert!(bits <= W::MAX_PRIME_BITS);
    let mask = (W::ONE << bits) - W::ONE;
    let word = |index| packed.get(index).copied().unwrap_or(W::ZERO);
    let (mut index, mut shift) = (
        first * bits as usize / W::BITS as usize,
        (first * bits as usize % W::BITS as usize) as u32,
    );
    for dst in dst {
        let mut residue = word(index) >> shift;
        shift += bits;
        if shift >= W::BITS {
            index += 1;
            shift -= W::BITS;
            if shift > 0 {
                residue = residue.wrapping_add(word(index) << (bits - shift));
            }
        }
        *dst = residue & mask;
    }
}

/// The bytes of a packed limb in words, as many as `bytes` holds: what [`pack`] makes of the same limb.
pub fn words_to_bytes<W: Word>(packed: &[W], bytes: &mut [u8]) {
    let size = W::BITS as usize / 8;
    for (bytes, word) in bytes.chunks_mut(size).zip(packed) {
        bytes.copy_from_slice(&word.to_u64().to_le_bytes()[..bytes.len()]);
    }
}

/// The packed limb in words that has these bytes, and zero bits after them.
pub fn bytes_to_words<W: Word>(bytes: &[u8], packed: &mut [W]) {
    let size = W::BITS as usize / 8;
    let bytes = bytes.chunks(size).chain(core::iter::repeat(&[][..]));
    for (word, bytes) in packed.iter_mut().zip(bytes) {
        let mut whole = [0; size_of::<u64>()];
        whole[..bytes.len()].copy_from_slice(bytes);
        *word = W::from_u64(u64::from_le_bytes(whole));
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
