//! The bytes of a plan: header, section directory and records. FORMAT.md is the description for people; this file is
//! what the reader and the encoder share.

use crate::fourier::Fourier;
use crate::instruction::Instruction;
use crate::model::{Buffer, Estimates, Key, KeyKind, LayoutDim, MAX_RANK, PortKind, Repeat, SourceSpan};
use crate::op::Op;
use crate::record::{Record, record};

/// The first eight bytes of a plan.
pub const MAGIC: [u8; 8] = *b"CLMPLAN\n";
/// The version of the format that this crate reads and writes.
pub const VERSION: u32 = 4;
/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// Where the hash stands.
pub(crate) const HASH_OFFSET: usize = 16;
/// Where the hashed bytes begin: everything after the hash.
pub(crate) const HASHED_OFFSET: usize = HASH_OFFSET + HASH_BYTES;
/// Where the section directory begins.
pub(crate) const DIRECTORY_OFFSET: usize = HASHED_OFFSET + 16;
/// Where the first section begins.
pub(crate) const SECTIONS_OFFSET: usize = DIRECTORY_OFFSET + Section::ALL.len() * DirectoryEntry::BYTES;

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident: $record:ty, $text:literal;)*) => {
        /// The sections of a plan, in the order in which they stand.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Section { $($(#[$doc])* $name),* }

        impl Section {
            /// Every section, in order.
            pub const ALL: &'static [Section] = &[$(Section::$name),*];

            /// The size of a record.
            pub const fn record_bytes(self) -> usize {
                match self { $(Section::$name => <$record as Record>::BYTES,)* }
            }

            /// The name for people.
            pub const fn name(self) -> &'static str {
                match self { $(Section::$name => $text,)* }
            }
        }
    };
}

sections! {
    /// One record: the scheme's parameters.
    Parameters: ParametersRecord, "parameters";
    /// The primes: q_0 … q_L, then the special primes.
    Primes: u64, "primes";
    /// The ports.
    Ports: PortRecord, "ports";
    /// The switching keys.
    Keys: KeyRecord, "keys";
    /// The constants.
    Constants: ConstantRecord, "constants";
    /// The scalars.
    Scalars: ScalarRecord, "scalars";
    /// The buffers.
    Buffers: Buffer, "buffers";
    /// The instructions.
    Instructions: InstructionRecord, "instructions";
    /// The source map.
    Spans: SourceSpan, "source map";
    /// One record: the estimates.
    Estimates: Estimates, "estimates";
    /// Repeats of layouts and constants, in the order of their owners.
    Repeats: Repeat, "repeats";
    /// Stored slots of constants, then values of scalars, in the order of their owners.
    Values: f64, "values";
    /// UTF-8: the plan's name, then the ports' names.
    Names: u8, "names";
}

/// Where a section lies.
#[derive(Clone, Copy)]
pub(crate) struct DirectoryEntry {
    pub section: u32,
    pub record_bytes: u32,
    pub offset: u64,
    pub count: u64,
}
record!(DirectoryEntry {
    section: u32,
    record_bytes: u32,
    offset: u64,
    count: u64
});

#[derive(Clone, Copy, Debug)]
pub(crate) struct ParametersRecord {
    pub word_bits: u8,
    pub log_n: u8,
    pub digit_limbs: u8,
    pub toy: u8,
    pub security_bits: u16,
    pub q_count: u8,
    pub p_count: u8,
    pub steps: u32,
    pub name_bytes: u32,
    pub log_scale: f64,
    pub ephemeral_weight: u32,
}
record!(ParametersRecord {
    word_bits: u8,
    log_n: u8,
    digit_limbs: u8,
    toy: u8,
    security_bits: u16,
    q_count: u8,
    p_count: u8,
    steps: u32,
    name_bytes: u32,
    log_scale: f64,
    ephemeral_weight: u32,
});

#[derive(Clone, Copy, Debug)]
pub(crate) struct PortRecord {
    pub name_first: u32,
    pub name_bytes: u32,
    pub kind: u8,
    pub rank: u8,
    pub level: u8,
    pub one_hot: u8,
    pub slots: u32,
    pub tiles: u32,
    pub repeats_first: u32,
    pub repeats_count: u32,
    pub reserved: u32,
    pub shape: [u32; MAX_RANK],
    pub dims: [LayoutDim; MAX_RANK],
    pub factor: f64,
    pub scale: f64,
    pub low: f64,
    pub high: f64,
    pub error: f64,
}
record!(PortRecord {
    name_first: u32,
    name_bytes: u32,
    kind: u8,
    rank: u8,
    level: u8,
    one_hot: u8,
    slots: u32,
    tiles: u32,
    repeats_first: u32,
    repeats_count: u32,
    reserved: u32,
    shape: [u32; MAX_RANK],
    dims: [LayoutDim; MAX_RANK],
    factor: f64,
    scale: f64,
    low: f64,
    high: f64,
    error: f64,
});

impl PortRecord {
    /// The kind; parsing refuses unknown ones.
    pub fn port_kind(&self) -> PortKind {
        PortKind::from_code(self.kind).unwrap_or(PortKind::Input)
    }
}

/// `kind` of a [`KeyRecord`].
pub(crate) const KEY_RELINEARISE: u8 = 0;
/// `kind` of a [`KeyRecord`]; `element` is not 0.
pub(crate) const KEY_GALOIS: u8 = 1;
/// `kind` of a [`KeyRecord`].
pub(crate) const KEY_TO_SPARSE: u8 = 2;
/// `kind` of a [`KeyRecord`].
pub(crate) const KEY_FROM_SPARSE: u8 = 3;

#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyRecord {
    pub kind: u8,
    pub level: u8,
    pub reserved: u16,
    pub element: u32,
    pub uses: u32,
}
record!(KeyRecord {
    kind: u8,
    level: u8,
    reserved: u16,
    element: u32,
    uses: u32
});

impl From<KeyRecord> for Key {
    fn from(record: KeyRecord) -> Key {
        // Parsing refuses unknown kinds.
        let kind = match record.kind {
            KEY_GALOIS => KeyKind::Galois(record.element),
            KEY_TO_SPARSE => KeyKind::ToSparse,
            KEY_FROM_SPARSE => KeyKind::FromSparse,
            _ => KeyKind::Relinearise,
        };
        Key {
            kind,
            level: record.level,
            uses: record.uses,
        }
    }
}

impl From<Key> for KeyRecord {
    fn from(key: Key) -> KeyRecord {
        let (kind, element) = match key.kind {
            KeyKind::Relinearise => (KEY_RELINEARISE, 0),
            KeyKind::Galois(element) => (KEY_GALOIS, element),
            KeyKind::ToSparse => (KEY_TO_SPARSE, 0),
            KeyKind::FromSparse => (KEY_FROM_SPARSE, 0),
        };
        KeyRecord {
            kind,
            level: key.level,
            reserved: 0,
            element,
            uses: key.uses,
        }
    }
}

/// `kind` of a [`ConstantRecord`]: `first` and `count` name repeats.
pub(crate) const CONSTANT_BOXES: u32 = 0;
/// `kind` of a [`ConstantRecord`]: `first` and `count` name values.
pub(crate) const CONSTANT_SLOTS: u32 = 1;
/// `kind` of a [`ConstantRecord`]: `offset` is the diagonal and `first` the shift, both signed; the bytes of `count` are log2
/// of the length, first stage, last stage and the inverse mark; `value` is the factor.
pub(crate) const CONSTANT_FOURIER: u32 = 2;

#[derive(Clone, Copy, Debug)]
pub(crate) struct ConstantRecord {
    pub kind: u32,
    pub offset: u32,
    pub first: u32,
    pub count: u32,
    pub value: f64,
    pub scale: f64,
}
record!(ConstantRecord {
    kind: u32,
    offset: u32,
    first: u32,
    count: u32,
    value: f64,
    scale: f64
});

impl ConstantRecord {
    /// The description of a constant of kind [`CONSTANT_FOURIER`].
    pub fn fourier(&self) -> Fourier {
        let [log_slots, first, last, inverse] = self.count.to_le_bytes();
        Fourier {
            log_slots,
            first,
            last,
            inverse: inverse != 0,
            diagonal: self.offset.cast_signed(),
            shift: self.first.cast_signed(),
            factor: self.value,
        }
    }

    /// The record of a described constant.
    #[cfg(feature = "encode")]
    pub fn of_fourier(fourier: &Fourier, scale: f64) -> Self {
        let Fourier {
            log_slots,
            first,
            last,
            inverse,
            diagonal,
            shift,
            factor,
        } = *fourier;
        ConstantRecord {
            kind: CONSTANT_FOURIER,
            offset: diagonal.cast_unsigned(),
            first: shift.cast_unsigned(),
            count: u32::from_le_bytes([log_slots, first, last, u8::from(inverse)]),
            value: factor,
            scale,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ScalarRecord {
    pub first: u32,
    pub count: u32,
    pub scale: f64,
}
record!(ScalarRecord {
    first: u32,
    count: u32,
    scale: f64
});

#[derive(Clone, Copy, Debug)]
pub(crate) struct InstructionRecord {
    pub op: u8,
    pub level: u8,
    pub aux: u16,
    pub dst: u32,
    pub a: u32,
    pub b: u32,
}
record!(InstructionRecord {
    op: u8,
    level: u8,
    aux: u16,
    dst: u32,
    a: u32,
    b: u32
});

impl InstructionRecord {
    /// The instruction, if the opcode is known.
    pub fn decode(self) -> Option<Instruction> {
        let InstructionRecord {
            op,
            level,
            aux,
            dst,
            a,
            b,
        } = self;
        Op::from_code(op).map(|op| Instruction {
            op,
            level,
            aux,
            dst,
            a,
            b,
        })
    }
}

impl From<Instruction> for InstructionRecord {
    fn from(instruction: Instruction) -> Self {
        let Instruction {
            op,
            level,
            aux,
            dst,
            a,
            b,
        } = instruction;
        InstructionRecord {
            op: op.code(),
            level,
            aux,
            dst,
            a,
            b,
        }
    }
}

record!(LayoutDim {
    block: u32,
    slot_stride: u32,
    stack: u32,
    stack_stride: u32,
    tile_stride: u32
});
record!(Repeat {
    count: u32,
    stride: u32
});
record!(Buffer {
    offset: u64,
    words: u64
});
record!(SourceSpan {
    instruction: u32,
    start: u32,
    end: u32
});
record!(Estimates {
    seconds: f64,
    seconds_per_step: f64,
    input_bytes: u64,
    output_bytes: u64,
    arena_lower_bound_words: u64,
    bootstrap_log2_failure: f64,
});

/// The next multiple of 8.
pub(crate) const fn align8(bytes: u64) -> u64 {
    bytes.saturating_add(7) & !7
}
