//! Read-only memory mapping: the one place of this crate that needs `unsafe`.
#![allow(unsafe_code)]

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;

use std::fs::File;
use std::io;
use std::ops::Range;

/// Maps a whole file for reading.
///
/// Mapping is unsafe because another process may change or cut the file while it is mapped. Three habits keep
/// that from mattering: this crate itself never writes to a file in place (it writes another one and renames
/// it, so a mapping keeps the old contents), the bytes are only ever read as plain integers, for which every
/// value is valid, and whatever is computed from them (residues, counts) is range-checked at each use, not
/// only when the file is opened. A file cut by another program ends this process with a bus error; it cannot
/// turn into a wrong result.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is private to this crate and read-only; see above for changes from outside.
    let map = unsafe { Mmap::map(file) }?;
    // Advice, see `Region`: what is not in the system's cache yet is read into huge pages where the system can.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Ok(map)
}

/// Gives back the memory behind a part of a mapping; read again, it comes from the file again.
pub(super) fn release(map: &Mmap, range: Range<usize>) {
    #[cfg(unix)]
    {
        // SAFETY: the mapping is read-only and of a file, so dropped pages are read again with the same contents. Where
        // that is refused, nothing is lost but memory.
        let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
    }
    #[cfg(not(unix))]
    let _ = (map, range);
}
