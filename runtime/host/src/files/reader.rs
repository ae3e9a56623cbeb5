//! Opens a container: maps it, checks all of it once, and hands out its records.

use super::container::{ENTRY_BYTES, HASH_BYTES, HEADER_BYTES, Header, Kind, Owner, u64_at};
use super::map::{map, release};
use super::writer::seal;
use crate::error::{HostError, Result};
use memmap2::Mmap;
use rayon::prelude::*;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

const COPY_AGAIN: &str = "copy it again from its source, or make it again";

/// A mapped container whose every byte matched its hashes when it was opened.
#[derive(Debug)]
pub(crate) struct Container {
    path: PathBuf,
    owner: Owner,
    map: Mmap,
    records: Vec<Range<usize>>,
}

impl Container {
    /// Maps `path` and checks kind, lengths, hashes and plan hash, in this order of usefulness to the reader
    /// of an error: what the file is, whether it is complete, whether it is intact, whether it belongs to the
    /// plan.
    pub(crate) fn open(path: &Path, kind: Kind, plan_hash: &[u8; 32]) -> Result<Self> {
        let file = File::open(path).map_err(HostError::io(path, "open the file"))?;
        let length = file
            .metadata()
            .map_err(HostError::io(path, "read the file's length"))?
            .len();
        let damaged = |place: String, problem: String| HostError::File {
            path: path.to_owned(),
            place,
            problem,
            remedy: COPY_AGAIN,
        };
        let too_short = || {
            damaged(
                "header".into(),
                format!("the file ends after {length} bytes, inside its header"),
            )
        };
        if length < HEADER_BYTES as u64 {
            return Err(too_short());
        }
        let map = map(&file).map_err(HostError::io(path, "map the file"))?;
        let header_bytes: &[u8; HEADER_BYTES] = map.first_chunk().ok_or_else(too_short)?;
        let header = Header::from_bytes(header_bytes).map_err(|problem| damaged("header".into(), problem))?;
        if header.kind != kind as u32 {
            return Err(HostError::File {
                path: path.to_owned(),
                place: "header".into(),
                problem: format!(
                    "the file holds {}, wanted here: {}",
                    header.kind_name(),
                    kind.name()
                ),
                remedy: "name the right file",
            });
        }
        let (table_start, table_end) = table_range(&header, length).ok_or_else(|| {
            let problem = format!(
                "the file has {length} bytes, but its header promises {} records in {} bytes",
                header.records, header.body_bytes
            );
            damaged("length".into(), problem)
        })?;
        let table = &map[table_start..table_end];
        if seal(header_bytes, table) != map[table_end..] {
            let place = format!("header or record table at byte {table_start}");
            return Err(damaged(
                place,
                "does not match the BLAKE3 hash at the end of the file".into(),
            ));
        }
        let records = records(table, table_start).ok_or_else(|| {
            damaged(
                format!("record table at byte {table_start}"),
                "records do not fill the body".into(),
            )
        })?;
        records
            .par_iter()
            .zip(table.par_chunks_exact(ENTRY_BYTES))
            .enumerate()
            .try_for_each(|(index, (range, entry))| {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&map[range.clone()]);
                if hasher.finalize().as_bytes() == &entry[16..] {
                    return Ok(());
                }
                let place = format!("record {index}, bytes {} to {}", range.start, range.end);
                Err(damaged(
                    place,
                    "does not match its BLAKE3 hash: the bytes were changed".into(),
                ))
            })?;
        if header.owner.plan != *plan_hash {
            return Err(HostError::WrongPlan {
                path: path.to_owned(),
                expected: *plan_hash,
                found: header.owner.plan,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            owner: header.owner,
            map,
            records,
        })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whom the file belongs to; its plan is the one it was opened for.
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of the whole file.
    pub(crate) fn bytes(&self) -> usize {
        self.map.len()
    }

    /// The seal: BLAKE3 of everything, in effect.
    pub(crate) fn seal(&self) -> [u8; HASH_BYTES] {
        let mut seal = [0; HASH_BYTES];
        // Opening checked that it is there.
        seal.copy_from_slice(&self.map[self.map.len() - HASH_BYTES..]);
        seal
    }

    /// The bytes of record `index`.
    pub(crate) fn record(&self, index: usize) -> Result<&[u8]> {
        let range = self
            .records
            .get(index)
            .ok_or_else(|| self.malformed(index, "the record is missing"))?;
        Ok(&self.map[range.clone()])
    }

    /// Says that record `index` has been read: its memory is given back.
    pub(crate) fn release(&self, index: usize) {
        if let Some(range) = self.records.get(index) {
            release(&self.map, range.clone());
        }
    }

    /// An error about the meaning of record `index`: its hash is right, so whoever wrote it is to blame.
    pub(crate) fn malformed(&self, index: usize, problem: impl Into<String>) -> HostError {
        let start = self
            .records
            .get(index)
            .map_or(self.map.len(), |range| range.start);
        HostError::File {
            path: self.path.clone(),
            place: format!("record {index} at byte {start}"),
            problem: problem.into(),
            remedy: "make the file again with this version of the program",
        }
    }
}

/// Where the record table lies, if the header's counts and the file's length agree.
fn table_range(header: &Header, length: u64) -> Option<(usize, usize)> {
    let start = header.body_bytes.checked_add(HEADER_BYTES as u64)?;
    let end = header
        .records
        .checked_mul(ENTRY_BYTES as u64)?
        .checked_add(start)?;
    if end.checked_add(HASH_BYTES as u64)? != length {
        return None;
    }
    Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
}

/// The records' ranges, which must follow each other from the header to the table.
fn records(table: &[u8], table_start: usize) -> Option<Vec<Range<usize>>> {
    let mut next = HEADER_BYTES;
    let mut records = Vec::with_capacity(table.len() / ENTRY_BYTES);
    for entry in table.chunks_exact(ENTRY_BYTES) {
        let start = usize::try_from(u64_at(entry, 0)).ok()?;
        let end = start.checked_add(usize::try_from(u64_at(entry, 8)).ok()?)?;
        if start != next || end > table_start {
            return None;
        }
        next = end;
        records.push(start..end);
    }
    (next == table_start).then_some(records)
}
