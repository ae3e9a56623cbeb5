//! From owned data to bytes.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::data::{Constant, ConstantKind, PlanData, Port};
use crate::format::{
    CONSTANT_BOXES, CONSTANT_SLOTS, ConstantRecord, DIRECTORY_OFFSET, DirectoryEntry, HASH_OFFSET,
    HASHED_OFFSET, InstructionRecord, KeyRecord, MAGIC, ParametersRecord, PortRecord, SECTIONS_OFFSET,
    ScalarRecord, Section, VERSION, align8,
};
use crate::model::{LayoutDim, MAX_RANK, Repeat};
use crate::record::Record;

/// Why a plan cannot be written. Everything else that may be wrong with it is for parsing and verifying to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A section has more records than its counts can hold.
    TooMany {
        /// The section.
        section: Section,
        /// The number of records.
        count: usize,
    },
    /// A port has more than 4 dimensions.
    Rank {
        /// Which port.
        port: usize,
        /// Dimensions of the shape.
        rank: usize,
    },
    /// A port's layout has more or fewer dimensions than its shape.
    LayoutRank {
        /// Which port.
        port: usize,
        /// Dimensions of the shape.
        rank: usize,
        /// Dimensions of the layout.
        dims: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EncodeError::TooMany { section, count } => {
                write!(
                    f,
                    "section {}: {count} records are more than a plan can hold",
                    section.name()
                )
            }
            EncodeError::Rank { port, rank } => {
                write!(
                    f,
                    "port {port}: {rank} dimensions, at most {MAX_RANK} are possible"
                )
            }
            EncodeError::LayoutRank { port, rank, dims } => {
                write!(
                    f,
                    "port {port}: the shape has {rank} dimensions, its layout {dims}"
                )
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// The pools that records point into, filled in the order of their owners.
#[derive(Default)]
struct Pools {
    repeats: Vec<Repeat>,
    values: Vec<f64>,
    names: Vec<u8>,
}

/// Appends to a pool: the first index and the count.
fn append<T: Copy>(pool: &mut Vec<T>, items: &[T], section: Section) -> Result<(u32, u32), EncodeError> {
    let first = count(pool.len(), section)?;
    pool.extend_from_slice(items);
    count(pool.len(), section)?;
    Ok((first, items.len() as u32))
}

/// A count as the format holds it.
fn count(count: usize, section: Section) -> Result<u32, EncodeError> {
    u32::try_from(count).map_err(|_| EncodeError::TooMany { section, count })
}

impl PlanData {
    /// The plan's bytes. The same data gives the same bytes.
    ///
    /// # Errors
    /// [`EncodeError`] when the data has no form in bytes.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut pools = Pools::default();
        let (_, name_bytes) = append(&mut pools.names, self.name.as_bytes(), Section::Names)?;
        let parameters = self.parameters_record(name_bytes)?;
        let ports = self
            .ports
            .iter()
            .enumerate()
            .map(|(index, port)| port_record(index, port, &mut pools))
            .collect::<Result<Vec<_>, _>>()?;
        let constants = self
            .constants
            .iter()
            .map(|constant| constant_record(constant, &mut pools))
            .collect::<Result<Vec<_>, _>>()?;
        let scalars = self
            .scalars
            .iter()
            .map(|scalar| {
                let (first, count) = append(&mut pools.values, &scalar.values, Section::Values)?;
                Ok(ScalarRecord {
                    first,
                    count,
                    scale: scalar.scale,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let primes: Vec<u64> = self
            .parameters
            .q
            .iter()
            .chain(&self.parameters.p)
            .copied()
            .collect();

        let mut writer = Writer {
            bytes: vec![0; SECTIONS_OFFSET],
        };
        writer.section(Section::Parameters, [parameters])?;
        writer.section(Section::Primes, primes)?;
        writer.section(Section::Ports, ports)?;
        writer.section(Section::Keys, self.keys.iter().copied().map(KeyRecord::from))?;
        writer.section(Section::Constants, constants)?;
        writer.section(Section::Scalars, scalars)?;
        writer.section(Section::Buffers, self.buffers.iter().copied())?;
        writer.section(
            Section::Instructions,
            self.instructions.iter().copied().map(InstructionRecord::from),
        )?;
        writer.section(Section::Spans, self.spans.iter().copied())?;
        writer.section(Section::Estimates, [self.estimates])?;
        writer.section(Section::Repeats, pools.repeats)?;
        writer.section(Section::Values, pools.values)?;
        writer.section(Section::Names, pools.names)?;
        Ok(writer.finish())
    }

    fn parameters_record(&self, name_bytes: u32) -> Result<ParametersRecord, EncodeError> {
        let parameters = &self.parameters;
        let prime_count = |primes: &[u64]| {
            u8::try_from(primes.len()).map_err(|_| EncodeError::TooMany {
                section: Section::Primes,
                count: primes.len(),
            })
        };
        Ok(ParametersRecord {
            word_bits: parameters.word_bits,
            log_n: parameters.log_n,
            digit_limbs: parameters.digit_limbs,
            toy: u8::from(parameters.toy),
            security_bits: parameters.security_bits,
            q_count: prime_count(&parameters.q)?,
            p_count: prime_count(&parameters.p)?,
            steps: parameters.steps,
            name_bytes,
            log_scale: parameters.log_scale,
            ephemeral_weight: parameters.ephemeral_weight,
        })
    }
}

fn port_record(index: usize, port: &Port, pools: &mut Pools) -> Result<PortRecord, EncodeError> {
    let rank = port.shape.len();
    if rank > MAX_RANK {
        return Err(EncodeError::Rank { port: index, rank });
    }
    if port.layout.dims.len() != rank {
        return Err(EncodeError::LayoutRank {
            port: index,
            rank,
            dims: port.layout.dims.len(),
        });
    }
    let (name_first, name_bytes) = append(&mut pools.names, port.name.as_bytes(), Section::Names)?;
    let (repeats_first, repeats_count) = append(&mut pools.repeats, &port.layout.repeats, Section::Repeats)?;
    let (mut shape, mut dims) = ([0; MAX_RANK], [LayoutDim::default(); MAX_RANK]);
    shape
        .iter_mut()
        .zip(&port.shape)
        .for_each(|(to, &from)| *to = from);
    dims.iter_mut()
        .zip(&port.layout.dims)
        .for_each(|(to, &from)| *to = from);
    Ok(PortRecord {
        name_first,
        name_bytes,
        kind: port.kind as u8,
        rank: rank as u8,
        level: port.level,
        one_hot: u8::from(port.one_hot),
        slots: port.layout.slots,
        tiles: port.layout.tiles,
        repeats_first,
        repeats_count,
        reserved: 0,
        shape,
        dims,
        factor: port.layout.factor,
        scale: port.scale,
        low: port.low,
        high: port.high,
        error: port.error,
    })
}

fn constant_record(constant: &Constant, pools: &mut Pools) -> Result<ConstantRecord, EncodeError> {
    let scale = constant.scale;
    Ok(match &constant.kind {
        ConstantKind::Boxes { value, offset, dims } => {
            let (first, count) = append(&mut pools.repeats, dims, Section::Repeats)?;
            ConstantRecord {
                kind: CONSTANT_BOXES,
                offset: *offset,
                first,
                count,
                value: *value,
                scale,
            }
        }
        ConstantKind::Fourier(fourier) => ConstantRecord::of_fourier(fourier, scale),
        ConstantKind::Slots { values } => {
            let (first, count) = append(&mut pools.values, values, Section::Values)?;
            ConstantRecord {
                kind: CONSTANT_SLOTS,
                offset: 0,
                first,
                count,
                value: 0.0,
                scale,
            }
        }
    })
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Appends a section and fills in its directory entry.
    fn section<T: Record>(
        &mut self,
        section: Section,
        records: impl IntoIterator<Item = T>,
    ) -> Result<(), EncodeError> {
        debug_assert_eq!(T::BYTES, section.record_bytes());
        let offset = self.bytes.len();
        for record in records {
            let start = self.bytes.len();
            self.bytes.resize(start + T::BYTES, 0);
            if let Some(bytes) = self.bytes.get_mut(start..) {
                record.write(bytes);
            }
        }
        let count = count((self.bytes.len() - offset) / T::BYTES, section)?;
        self.bytes.resize(align8(self.bytes.len() as u64) as usize, 0);
        let entry = DirectoryEntry {
            section: section as u32,
            record_bytes: T::BYTES as u32,
            offset: offset as u64,
            count: u64::from(count),
        };
        self.put(DIRECTORY_OFFSET + section as usize * DirectoryEntry::BYTES, entry);
        Ok(())
    }

    fn put(&mut self, offset: usize, value: impl Record) {
        if let Some(bytes) = self.bytes.get_mut(offset..) {
            value.write(bytes);
        }
    }

    /// Fills in the header, the hash last.
    fn finish(mut self) -> Vec<u8> {
        self.put(0, MAGIC);
        self.put(MAGIC.len(), VERSION);
        self.put(HASHED_OFFSET, self.bytes.len() as u64);
        self.put(HASHED_OFFSET + 8, Section::ALL.len() as u32);
        let hash = blake3::hash(self.bytes.get(HASHED_OFFSET..).unwrap_or_default());
        self.put(HASH_OFFSET, *hash.as_bytes());
        self.bytes
    }
}
