//! What parsing refuses, and where.

use core::fmt;

use crate::format::Section;

/// A field of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `level`.
    Level,
    /// `aux`.
    Aux,
    /// `dst`.
    Dst,
    /// `a`.
    A,
    /// `b`.
    B,
}

/// Why bytes are not a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// The bytes end too early.
    Truncated {
        /// Bytes that the plan has.
        needed: u64,
        /// Bytes given.
        found: u64,
    },
    /// There are bytes after the end of the plan.
    TrailingBytes {
        /// Bytes that the plan has.
        expected: u64,
        /// Bytes given.
        found: u64,
    },
    /// The first eight bytes are not a plan's.
    Magic,
    /// The plan is of a version that this crate does not read.
    Version {
        /// The version.
        found: u32,
    },
    /// The hash is not that of the contents: the plan was damaged.
    Hash,
    /// A directory entry is not what the order, the record size and the length of the sections before it make it.
    Directory {
        /// The section.
        section: Section,
    },
    /// A byte that must be zero (between sections or in a record) is not.
    Padding {
        /// Where it stands.
        offset: u64,
    },
    /// A record breaks a rule.
    Record {
        /// The section.
        section: Section,
        /// Which record.
        index: u32,
        /// The rule, in words.
        rule: &'static str,
    },
    /// An instruction's opcode is unknown.
    Opcode {
        /// Which instruction.
        instruction: u32,
        /// The opcode.
        code: u8,
    },
    /// A field without a role is not zero, or has a flag that the operation does not take.
    Unused {
        /// Which instruction.
        instruction: u32,
        /// Which field.
        field: Field,
    },
    /// A field names a record that the section does not have, or a level that the chain does not have.
    OutOfRange {
        /// Which instruction.
        instruction: u32,
        /// Which field.
        field: Field,
        /// What it indexes: [`Section::Primes`] for levels.
        section: Section,
        /// The value of the field.
        value: u32,
        /// The number of records.
        count: u32,
    },
    /// A loop runs zero times.
    TripCount {
        /// Which instruction.
        instruction: u32,
    },
    /// A sum has no term, or more than [`MAX_SUM_TERMS`](crate::MAX_SUM_TERMS).
    Terms {
        /// Which instruction.
        instruction: u32,
    },
    /// A limb of a compact plaintext would have less than [`MIN_COMPACT_WORDS`](crate::MIN_COMPACT_WORDS) words.
    Compact {
        /// Which instruction.
        instruction: u32,
    },
    /// Loops nest deeper than [`MAX_LOOP_DEPTH`](crate::MAX_LOOP_DEPTH).
    LoopDepth {
        /// The loop that is too deep.
        instruction: u32,
    },
    /// A loop has no `end`.
    UnmatchedLoop {
        /// Which instruction.
        instruction: u32,
    },
    /// An `end` has no loop.
    UnmatchedEnd {
        /// Which instruction.
        instruction: u32,
    },
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Level => "level",
            Field::Aux => "aux",
            Field::Dst => "dst",
            Field::A => "a",
            Field::B => "b",
        })
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            PlanError::Truncated { needed, found } => {
                write!(f, "the plan is cut off: {found} bytes of at least {needed}")
            }
            PlanError::TrailingBytes { expected, found } => {
                write!(f, "the plan has {expected} bytes, but {found} are given")
            }
            PlanError::Magic => f.write_str("not a Cipherloom plan"),
            PlanError::Version { found } => {
                write!(
                    f,
                    "plan format version {found}; this build reads version {}",
                    crate::VERSION
                )
            }
            PlanError::Hash => f.write_str("the plan's hash does not match its contents: it is damaged"),
            PlanError::Directory { section } => {
                write!(
                    f,
                    "section directory: the entry of section {} is wrong",
                    section.name()
                )
            }
            PlanError::Padding { offset } => write!(f, "the reserved byte at offset {offset} is not zero"),
            PlanError::Record { section, index, rule } => {
                write!(f, "section {}, record {index}: {rule}", section.name())
            }
            PlanError::Opcode { instruction, code } => {
                write!(f, "instruction {instruction}: unknown opcode {code:#04x}")
            }
            PlanError::Unused { instruction, field } => {
                write!(
                    f,
                    "instruction {instruction}: the operation does not use all bits of field {field}"
                )
            }
            PlanError::OutOfRange {
                instruction,
                field,
                section,
                value,
                count,
            } => write!(
                f,
                "instruction {instruction}: field {field} is {value}, but section {} has {count} records",
                section.name()
            ),
            PlanError::TripCount { instruction } => {
                write!(f, "instruction {instruction}: the loop runs zero times")
            }
            PlanError::Terms { instruction } => write!(
                f,
                "instruction {instruction}: the sum has not between 1 and {} terms",
                crate::MAX_SUM_TERMS
            ),
            PlanError::Compact { instruction } => write!(
                f,
                "instruction {instruction}: a limb of the compact plaintext has less than {} words",
                crate::MIN_COMPACT_WORDS
            ),
            PlanError::LoopDepth { instruction } => write!(
                f,
                "instruction {instruction}: loops nest deeper than {}",
                crate::MAX_LOOP_DEPTH
            ),
            PlanError::UnmatchedLoop { instruction } => {
                write!(f, "instruction {instruction}: the loop has no end")
            }
            PlanError::UnmatchedEnd { instruction } => {
                write!(f, "instruction {instruction}: the end has no loop")
            }
        }
    }
}

impl core::error::Error for PlanError {}
