//! Compact plaintexts: what repeats is held once.
//!
//! Slots of period n, a divisor of N/2, are a polynomial in X^g, g = N/2n. Its values in NTT order, at
//! ψ^(2·bitrev(k)+1), depend on the high bits of k alone: they come in runs of g equal words. A compact plaintext holds one
//! word for each run, N/g for a limb: at least 2^[`MIN_LOG_COMPACT`], or N. How compact a plaintext is follows from its
//! length, and whatever takes a plaintext takes it in either form, to the same result.

use crate::CkksError;
use crate::context::{Basis, Context};
use cipherloom_ring::{MIN_LOG_COMPACT, Word};
use core::ops::Range;

/// Columns that are widened at a time: they stay in a first-level cache, and on a small machine's stack.
pub(crate) const TILE: usize = if cfg!(target_pointer_width = "64") {
    512
} else {
    64
};

/// A plaintext whose length was checked.
#[derive(Clone, Copy)]
pub(crate) struct Plaintext<'a, W> {
    words: &'a [W],
    limb_words: usize,
    degree: usize,
}

/// Whether limbs of so many words can stand for limbs of N.
pub(crate) fn is_limb(words: usize, degree: usize) -> bool {
    let compact = words.is_power_of_two() && words >> MIN_LOG_COMPACT != 0;
    words == degree || compact && words < degree
}

impl<W: Word> Context<'_, W> {
    /// A plaintext at a level, in either form.
    pub(crate) fn plaintext<'a>(
        &self,
        words: &'a [W],
        level: usize,
        basis: Basis,
    ) -> Result<Plaintext<'a, W>, CkksError> {
        self.check_level(level)?;
        let limbs = self.limbs(level, basis);
        if words.len().is_multiple_of(limbs) && is_limb(words.len() / limbs, self.degree()) {
            return Ok(self.plaintext_of(words, limbs));
        }
        Err(CkksError::Length {
            what: "plaintext",
            expected: self.parameters.words(limbs),
            actual: words.len(),
        })
    }

    /// A plaintext of so many limbs that [`Context::plaintext`] has seen.
    pub(crate) fn plaintext_of<'a>(&self, words: &'a [W], limbs: usize) -> Plaintext<'a, W> {
        Plaintext {
            words,
            limb_words: words.len() / limbs,
            degree: self.degree(),
        }
    }
}

impl<'a, W: Word> Plaintext<'a, W> {
    /// Whether it holds less than N words for a limb.
    pub fn is_compact(&self) -> bool {
        self.limb_words < self.degree
    }

    /// Visits the limb at a position part by part: columns, and the words there.
    pub fn for_each_part(&self, position: usize, mut visit: impl FnMut(Range<usize>, &[W])) {
        let mut row = [W::ZERO; TILE];
        let part = if self.is_compact() { TILE } else { self.degree };
        for start in (0..self.degree).step_by(part) {
            let columns = start..self.degree.min(start + part);
            visit(columns.clone(), self.columns(position, columns, &mut row));
        }
    }

    /// Columns of the limb at a position, where they stand or, at most [`TILE`] of a compact one, widened in `row`; they
    /// begin at a multiple of their number, a power of two.
    pub fn columns<'r>(&self, position: usize, columns: Range<usize>, row: &'r mut [W; TILE]) -> &'r [W]
    where
        'a: 'r,
    {
        let limb = &self.words[position * self.limb_words..(position + 1) * self.limb_words];
        if !self.is_compact() {
            return &limb[columns];
        }
        let repeated = self.degree / self.limb_words;
        let row = &mut row[..columns.len()];
        let words = &limb[columns.start / repeated..];
        for (run, &word) in row.chunks_mut(repeated).zip(words) {
            run.fill(word);
        }
        row
    }
}
