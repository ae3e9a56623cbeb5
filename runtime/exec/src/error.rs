//! Why a run stopped.

use cipherloom_ckks::CkksError;
use cipherloom_plan::Op;
use core::fmt;

/// The executor cannot start or cannot go on. After an error from [`crate::Executor::next`] the run is over.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ExecError {
    /// The plan has toy parameters, which protect nothing, and the options do not allow that.
    ToyPlan,
    /// The plan's parameters make no ring.
    Parameters(CkksError),
    /// The context or the encoder was made for other parameters than the plan's; says which.
    Mismatch(&'static str),
    /// A slice that the caller brought is too short.
    Memory {
        /// Which one.
        what: &'static str,
        /// Elements that the plan needs.
        needed: u64,
        /// Elements given.
        given: usize,
    },
    /// A snapshot is of another plan: this one has no such place.
    Snapshot {
        /// The index of an instruction that it names.
        position: usize,
    },
    /// An instruction cannot be carried out.
    Instruction {
        /// Its index.
        position: usize,
        /// Its operation; none when there is no instruction at that index.
        op: Option<Op>,
        /// What is wrong.
        fault: Fault,
    },
}

/// What is wrong with one instruction or with what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The plan has no such buffer, port, key, constant or scalar; says which.
    Missing(&'static str),
    /// A value does not fit its buffer, or the buffer the arena.
    Bounds,
    /// The destination overlaps a source.
    Overlap,
    /// Loops are nested too deep, closed without being open, or never closed.
    Loop,
    /// The caller has no key of this index, or one of another length.
    Key(u32),
    /// A value has a residue that is not below its prime: the caller filled it in, or the plan reads what is
    /// no such value.
    NotReduced {
        /// Index of the prime.
        prime: usize,
    },
    /// The arithmetic refused.
    Ckks(CkksError),
}

impl From<CkksError> for Fault {
    fn from(error: CkksError) -> Self {
        Self::Ckks(error)
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToyPlan => f.write_str(
                "the plan has toy parameters, which protect nothing, and toy plans were not allowed",
            ),
            Self::Parameters(error) => write!(f, "the plan's parameters: {error}"),
            Self::Mismatch(what) => write!(f, "the {what} was made for other parameters than the plan's"),
            Self::Memory { what, needed, given } => {
                write!(f, "{what} has {given} elements where the plan needs {needed}")
            }
            Self::Snapshot { position } => {
                write!(
                    f,
                    "the plan has no place like that of the snapshot at instruction {position}"
                )
            }
            Self::Instruction {
                position,
                op: Some(op),
                fault,
            } => {
                write!(f, "instruction {position} ({}): {fault}", op.mnemonic())
            }
            Self::Instruction {
                position,
                op: None,
                fault,
            } => write!(f, "instruction {position}: {fault}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "the plan has no such {what}"),
            Self::Bounds => f.write_str("a value does not fit its buffer, or the buffer the arena"),
            Self::Overlap => f.write_str("the destination overlaps a source"),
            Self::Loop => f.write_str("loops are nested too deep or do not match their ends"),
            Self::Key(index) => write!(f, "key {index} is missing or has the wrong length"),
            Self::NotReduced { prime } => write!(f, "a value has a residue that is not below prime {prime}"),
            Self::Ckks(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for ExecError {}
