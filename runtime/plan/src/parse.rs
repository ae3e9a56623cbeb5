//! From bytes to a view: every structural rule of FORMAT.md, checked once.

use crate::error::PlanError;
use crate::format::{
    DIRECTORY_OFFSET, DirectoryEntry, HASH_OFFSET, HASHED_OFFSET, InstructionRecord, MAGIC, ParametersRecord,
    SECTIONS_OFFSET, Section, VERSION, align8,
};
use crate::model::Estimates;
use crate::record::{Record, Table};
use crate::view::Plan;

impl<'p> Plan<'p> {
    /// Checks the bytes and gives a view of them. The time is linear in the length.
    ///
    /// # Errors
    /// [`PlanError`]: what is wrong, and where. Never panics, whatever the bytes are.
    pub fn parse(bytes: &'p [u8]) -> Result<Self, PlanError> {
        let found = bytes.len() as u64;
        if bytes.len() < SECTIONS_OFFSET {
            return Err(PlanError::Truncated {
                needed: SECTIONS_OFFSET as u64,
                found,
            });
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(PlanError::Magic);
        }
        let version: u32 = field(bytes, 8);
        if version != VERSION {
            return Err(PlanError::Version { found: version });
        }
        zeros(bytes, 12, HASH_OFFSET as u64)?;
        let length: u64 = field(bytes, HASHED_OFFSET);
        if found < length {
            return Err(PlanError::Truncated {
                needed: length,
                found,
            });
        }
        let hash: [u8; 32] = field(bytes, HASH_OFFSET);
        if hash_of(bytes.get(HASHED_OFFSET..).unwrap_or_default()) != hash {
            // A plan followed by other bytes has a wrong hash too; say what the matter is.
            return Err(if found > length {
                PlanError::TrailingBytes {
                    expected: length,
                    found,
                }
            } else {
                PlanError::Hash
            });
        }

        let mut sections = Sections::open(bytes)?;
        let mut single = sections.table::<ParametersRecord>(Section::Parameters)?.iter();
        let (Some(parameters), None) = (single.next(), single.next()) else {
            return Err(PlanError::Directory {
                section: Section::Parameters,
            });
        };
        let primes = sections.table(Section::Primes)?;
        let ports = sections.table(Section::Ports)?;
        let keys = sections.table(Section::Keys)?;
        let constants = sections.table(Section::Constants)?;
        let scalars = sections.table(Section::Scalars)?;
        let buffers = sections.table(Section::Buffers)?;
        let instructions = sections.table(Section::Instructions)?;
        let spans = sections.table(Section::Spans)?;
        let mut single = sections.table::<Estimates>(Section::Estimates)?.iter();
        let (Some(estimates), None) = (single.next(), single.next()) else {
            return Err(PlanError::Directory {
                section: Section::Estimates,
            });
        };
        let repeats = sections.table(Section::Repeats)?;
        let values = sections.table(Section::Values)?;
        let names = sections.bytes::<u8>(Section::Names)?;
        sections.finish(length)?;
        let names = core::str::from_utf8(names).map_err(|error| PlanError::Record {
            section: Section::Names,
            index: error.valid_up_to() as u32,
            rule: "names are UTF-8",
        })?;

        let plan = Plan {
            hash,
            length,
            parameters,
            primes,
            ports,
            keys,
            constants,
            scalars,
            buffers,
            instructions,
            spans,
            estimates,
            repeats,
            values,
            names,
        };
        plan.check_records()?;
        Ok(plan)
    }
}

fn field<T: Record>(bytes: &[u8], offset: usize) -> T {
    T::read(bytes.get(offset..).unwrap_or_default())
}

/// Checks that the bytes from `start` to `end` are zero.
fn zeros(bytes: &[u8], start: u64, end: u64) -> Result<(), PlanError> {
    let range = bytes.get(start as usize..end as usize).unwrap_or_default();
    match range.iter().position(|&byte| byte != 0) {
        Some(at) => Err(PlanError::Padding {
            offset: start + at as u64,
        }),
        None => Ok(()),
    }
}

/// Walks through the sections in order: each begins where the one before it ended, rounded up to 8.
struct Sections<'p> {
    bytes: &'p [u8],
    end: u64,
}

impl<'p> Sections<'p> {
    fn open(bytes: &'p [u8]) -> Result<Self, PlanError> {
        let count: u32 = field(bytes, HASHED_OFFSET + 8);
        if count as usize != Section::ALL.len() {
            return Err(PlanError::Directory {
                section: Section::Parameters,
            });
        }
        zeros(bytes, HASHED_OFFSET as u64 + 12, DIRECTORY_OFFSET as u64)?;
        Ok(Sections {
            bytes,
            end: SECTIONS_OFFSET as u64,
        })
    }

    fn bytes<T: Record>(&mut self, section: Section) -> Result<&'p [u8], PlanError> {
        let entry: DirectoryEntry = field(
            self.bytes,
            DIRECTORY_OFFSET + section as usize * DirectoryEntry::BYTES,
        );
        let offset = self.end;
        let length = entry.count.saturating_mul(T::BYTES as u64);
        let end = offset.saturating_add(length);
        let expected = entry.section == section as u32
            && entry.record_bytes as usize == T::BYTES
            && entry.offset == offset
            && entry.count <= u64::from(u32::MAX)
            && align8(end) <= self.bytes.len() as u64;
        if !expected {
            return Err(PlanError::Directory { section });
        }
        self.end = align8(end);
        zeros(self.bytes, end, self.end)?;
        Ok(self.bytes.get(offset as usize..end as usize).unwrap_or_default())
    }

    fn table<T: Record>(&mut self, section: Section) -> Result<Table<'p, T>, PlanError> {
        self.bytes::<T>(section).map(Table::new)
    }

    /// Checks that the last section ends where the plan does.
    fn finish(self, length: u64) -> Result<(), PlanError> {
        let found = self.bytes.len() as u64;
        if self.end == length && length == found {
            Ok(())
        } else {
            Err(PlanError::TrailingBytes {
                expected: self.end,
                found,
            })
        }
    }
}

// The record sizes of the directory and of the readers above are those of the same types; the instruction is 16 bytes.
const _: () = assert!(InstructionRecord::BYTES == 16 && Section::ALL.len() == 13);

/// The hash of a plan. In pieces: over the whole at once it recurses, and takes the more stack the longer the plan is.
fn hash_of(bytes: &[u8]) -> blake3::Hash {
    const PIECE: usize = 1 << 12;
    let mut hasher = blake3::Hasher::new();
    bytes.chunks(PIECE).for_each(|piece| _ = hasher.update(piece));
    hasher.finalize()
}
