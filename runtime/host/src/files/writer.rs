//! Writes a container beside its destination and renames it when it is complete and on the disk, so that a
//! failure of any kind leaves whatever was there before.

use super::container::{ENTRY_BYTES, HASH_BYTES, HEADER_BYTES, Header, Kind, Owner};
use crate::error::{HostError, Result};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A container being written. Dropped before [`Writer::finish`], it leaves nothing behind.
pub(crate) struct Writer {
    path: PathBuf,
    kind: Kind,
    owner: Owner,
    file: NamedTempFile,
    offset: u64,
    table: Vec<u8>,
}

impl Writer {
    /// Starts a container for `path`. A secret key is readable by its owner only, other files as the
    /// process's mask says.
    pub(crate) fn create(path: &Path, kind: Kind, owner: Owner) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        let prefix = prefix(path);
        builder.prefix(&prefix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = if kind == Kind::SecretKey { 0o600 } else { 0o666 };
            builder.permissions(std::fs::Permissions::from_mode(mode));
        }
        let mut file = builder
            .tempfile_in(folder(path))
            .map_err(HostError::io(path, "create the file"))?;
        file.write_all(&[0; HEADER_BYTES])
            .map_err(HostError::io(path, "write the file"))?;
        let offset = HEADER_BYTES as u64;
        Ok(Self {
            path: path.to_owned(),
            kind,
            owner,
            file,
            offset,
            table: Vec::new(),
        })
    }

    /// Appends one record.
    pub(crate) fn record(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(HostError::io(&self.path, "write the file"))?;
        push_entry(&mut self.table, &mut self.offset, bytes);
        Ok(())
    }

    /// Writes the table and the header, waits for the disk, and puts the file in its place.
    /// An existing file is replaced, except a secret key, which nothing could bring back.
    pub(crate) fn finish(mut self) -> Result<()> {
        let header = header(self.kind, self.owner, &self.table, self.offset);
        let seal = seal(&header, &self.table);
        let path = &self.path;
        self.file
            .write_all(&self.table)
            .and_then(|()| self.file.write_all(&seal))
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(&header))
            .and_then(|()| self.file.as_file().sync_all())
            .map_err(HostError::io(path, "write the file"))?;
        let kept = match self.kind {
            Kind::SecretKey => self.file.persist_noclobber(path),
            _ => self.file.persist(path),
        };
        kept.map_err(|error| HostError::io(path, "put the finished file in place")(error.error))?;
        sync_folder(path)
    }
}

/// Appends the entry of a record that begins at `offset`.
fn push_entry(table: &mut Vec<u8>, offset: &mut u64, record: &[u8]) {
    let length = record.len() as u64;
    table.extend_from_slice(&offset.to_le_bytes());
    table.extend_from_slice(&length.to_le_bytes());
    table.extend_from_slice(blake3::hash(record).as_bytes());
    *offset += length;
}

/// The header of a container whose records end at `offset`.
fn header(kind: Kind, owner: Owner, table: &[u8], offset: u64) -> [u8; HEADER_BYTES] {
    Header {
        kind: kind as u32,
        owner,
        records: (table.len() / ENTRY_BYTES) as u64,
        body_bytes: offset - HEADER_BYTES as u64,
    }
    .to_bytes()
}

/// The seal of the container of these records, without writing it.
pub(crate) fn seal_of<'r>(
    kind: Kind,
    owner: Owner,
    records: impl Iterator<Item = &'r [u8]>,
) -> [u8; HASH_BYTES] {
    let (mut table, mut offset) = (Vec::new(), HEADER_BYTES as u64);
    records.for_each(|record| push_entry(&mut table, &mut offset, record));
    seal(&header(kind, owner, &table, offset), &table)
}

/// BLAKE3 of the header and the table, which holds the hash of every record: it seals the whole file.
pub(super) fn seal(header: &[u8; HEADER_BYTES], table: &[u8]) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header);
    hasher.update(table);
    *hasher.finalize().as_bytes()
}

/// How the names of files begin that are on their way to a destination.
fn prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".cipherloom-");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push("-");
    prefix
}

/// Removes what writers of a file left behind when they were killed; nobody else may be writing it.
pub(crate) fn sweep(path: &Path) {
    let prefix = prefix(path);
    // What cannot be listed or removed is only in the way.
    let entries = std::fs::read_dir(folder(path)).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the rename itself survive a power cut; where folders cannot be opened there is nothing to do.
fn sync_folder(path: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    File::open(folder(path))
        .and_then(|folder| folder.sync_all())
        .map_err(HostError::io(path, "sync the folder of the file"))
}
