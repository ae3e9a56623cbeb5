//! Read-only memory mapping: the one place of this crate that needs `unsafe`.
#![allow(unsafe_code)]

use memmap2::Mmap;
use std::fs::File;
use std::io;

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
    unsafe { Mmap::map(file) }
}
