//! Memory for operands, on huge pages as in a run.

use cipherloom_host::{HostError, Words};

/// Words that operands are taken from, one after the other.
pub struct Area {
    words: Words,
    /// Where the next operands begin.
    next: usize,
    /// Whether they begin elsewhere each time.
    moving: bool,
}

impl Area {
    /// Room for `needed` words of operands at once. With `spread` more words than that, every operation takes its operands
    /// from another place, so that they come from memory and not from a cache, as in a run of a large plan. Every word is
    /// written once, below 2^`bits`: residues modulo any prime that is larger.
    pub fn new(needed: usize, spread: usize, bits: u32) -> Result<Self, HostError> {
        let mut words = Words::zeroed("operands", needed + spread)?;
        // Weyl's sequence, mixed a little: times do not depend on values, but nobody should have to believe it.
        let mut state = 0u64;
        for word in words.iter_mut() {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            *word = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> (u64::BITS - bits);
        }
        Ok(Self {
            words,
            next: 0,
            moving: spread > 0,
        })
    }

    /// Operands of these lengths.
    pub fn take<const COUNT: usize>(&mut self, lengths: [usize; COUNT]) -> [&mut [u64]; COUNT] {
        let total: usize = lengths.iter().sum();
        if !self.moving || self.next + total > self.words.len() {
            self.next = 0;
        }
        let mut rest = &mut self.words[self.next..self.next + total];
        if self.moving {
            self.next += total;
        }
        lengths.map(|length| {
            let (operand, after) = std::mem::take(&mut rest).split_at_mut(length);
            rest = after;
            operand
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_stay_or_move() {
        let address = |area: &mut Area| area.take([8, 16]).map(|operand| operand.as_ptr() as usize);
        let mut still = Area::new(24, 0, 49).unwrap();
        let first = address(&mut still);
        assert_eq!(first[1] - first[0], 64);
        assert_eq!(address(&mut still), first);
        let mut moving = Area::new(24, 24, 49).unwrap();
        let (first, second) = (address(&mut moving), address(&mut moving));
        assert_eq!(second[0] - first[0], 24 * 8);
        assert_eq!(address(&mut moving), first, "back at the start");
        assert!(moving.take([48])[0].iter().all(|&word| word < 1 << 49));
    }
}
