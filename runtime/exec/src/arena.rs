//! Buffers of the arena as slices: one that is written and any number that are read.

use crate::error::Fault;
use core::ops::Range;

/// The arena without the buffer that is being written.
pub(crate) struct Sources<'a, W> {
    before: &'a [W],
    after: &'a [W],
    /// Where the written buffer lies.
    written: Range<usize>,
}

/// Takes the buffer `written` out of the arena, so that others can be read while it changes.
pub(crate) fn take<W>(arena: &mut [W], written: Range<usize>) -> Result<(&mut [W], Sources<'_, W>), Fault> {
    let (before, rest) = arena.split_at_mut_checked(written.start).ok_or(Fault::Bounds)?;
    let length = written.end.checked_sub(written.start).ok_or(Fault::Bounds)?;
    let (destination, after) = rest.split_at_mut_checked(length).ok_or(Fault::Bounds)?;
    Ok((
        destination,
        Sources {
            before,
            after,
            written,
        },
    ))
}

impl<'a, W> Sources<'a, W> {
    /// A buffer that does not overlap the written one.
    pub(crate) fn get(&self, range: Range<usize>) -> Result<&'a [W], Fault> {
        if range.end <= self.written.start {
            self.before.get(range).ok_or(Fault::Bounds)
        } else if range.start >= self.written.end {
            let base = self.written.end;
            self.after
                .get(range.start - base..range.end - base)
                .ok_or(Fault::Bounds)
        } else {
            Err(Fault::Overlap)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_around_the_written_buffer() {
        let mut arena: [u8; 10] = core::array::from_fn(|i| i as u8);
        let (written, sources) = take(&mut arena, 4..6).unwrap();
        written.fill(99);
        assert_eq!(sources.get(0..4), Ok(&[0, 1, 2, 3][..]));
        assert_eq!(sources.get(6..10), Ok(&[6, 7, 8, 9][..]));
        assert_eq!(sources.get(3..5), Err(Fault::Overlap));
        assert_eq!(sources.get(5..6), Err(Fault::Overlap));
        assert_eq!(sources.get(0..8), Err(Fault::Overlap));
        assert_eq!(sources.get(8..11), Err(Fault::Bounds));
        assert_eq!(take(&mut arena, 8..11).err(), Some(Fault::Bounds));
    }
}
