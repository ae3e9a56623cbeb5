//! Buffers of the arena as slices: a few that are written and any number that are read.

use crate::error::Fault;
use cipherloom_ckks::context::TOGETHER;
use core::ops::Range;

/// The arena without the buffers that are being written.
pub(crate) struct Sources<'a, W> {
    /// What lies between them, and where it begins.
    parts: heapless::Vec<(usize, &'a [W]), { TOGETHER + 1 }>,
    /// Words of the arena.
    words: usize,
}

/// Takes the buffer `written` out of the arena, so that others can be read while it changes.
pub(crate) fn take<W>(arena: &mut [W], written: Range<usize>) -> Result<(&mut [W], Sources<'_, W>), Fault> {
    let (mut destinations, sources) = take_all(arena, &[written])?;
    let destination = destinations.pop().ok_or(Fault::Bounds)?;
    Ok((destination, sources))
}

/// As [`take`], several buffers that do not overlap, in the order given.
pub(crate) fn take_all<'a, W>(
    arena: &'a mut [W],
    written: &[Range<usize>],
) -> Result<(heapless::Vec<&'a mut [W], TOGETHER>, Sources<'a, W>), Fault> {
    let words = arena.len();
    let mut order = heapless::Vec::<usize, TOGETHER>::new();
    for index in 0..written.len() {
        order.push(index).map_err(|_| Fault::Bounds)?;
    }
    let range = |index: usize| written.get(index).cloned().unwrap_or_default();
    order.sort_unstable_by_key(|&index| range(index).start);
    let mut taken = heapless::Vec::<(usize, &mut [W]), TOGETHER>::new();
    let mut parts = heapless::Vec::new();
    let (mut rest, mut at) = (arena, 0);
    for index in order {
        let Range { start, end } = range(index);
        let before = start.checked_sub(at).ok_or(Fault::Overlap)?;
        let length = end.checked_sub(start).ok_or(Fault::Bounds)?;
        let (part, following) = rest.split_at_mut_checked(before).ok_or(Fault::Bounds)?;
        let (destination, following) = following.split_at_mut_checked(length).ok_or(Fault::Bounds)?;
        parts.push((at, &*part)).map_err(|_| Fault::Bounds)?;
        taken.push((index, destination)).map_err(|_| Fault::Bounds)?;
        (rest, at) = (following, end);
    }
    parts.push((at, &*rest)).map_err(|_| Fault::Bounds)?;
    taken.sort_unstable_by_key(|&(index, _)| index);
    let destinations = taken.into_iter().map(|(_, destination)| destination).collect();
    Ok((destinations, Sources { parts, words }))
}

impl<'a, W> Sources<'a, W> {
    /// A buffer that does not overlap the written ones.
    pub(crate) fn get(&self, range: Range<usize>) -> Result<&'a [W], Fault> {
        if range.end > self.words {
            return Err(Fault::Bounds);
        }
        let part = self.parts.iter().rev().find(|(start, _)| *start <= range.start);
        let (start, part) = part.ok_or(Fault::Bounds)?;
        part.get(range.start - start..range.end - start)
            .ok_or(Fault::Overlap)
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
        drop(sources);
        assert_eq!(take(&mut arena, 8..11).err(), Some(Fault::Bounds));
    }

    #[test]
    fn several_buffers_are_written_at_once() {
        let mut arena: [u8; 10] = core::array::from_fn(|i| i as u8);
        let (written, sources) = take_all(&mut arena, &[7..9, 2..4]).unwrap();
        assert_eq!(written, [&[7, 8][..], &[2, 3]], "in the order given");
        assert_eq!(sources.get(4..7), Ok(&[4, 5, 6][..]));
        assert_eq!(sources.get(9..10), Ok(&[9][..]));
        assert_eq!(sources.get(3..6), Err(Fault::Overlap));
        assert_eq!(sources.get(6..10), Err(Fault::Overlap));
        drop((written, sources));
        assert_eq!(take_all(&mut arena, &[3..6, 2..4]).err(), Some(Fault::Overlap));
    }
}
