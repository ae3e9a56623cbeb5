//! What the verifier refuses, and where.

use core::fmt;

use crate::model::{Basis, KeyKind, PortKind};
use crate::verify::state::Form;

/// Why a plan means nothing, or nothing safe.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The caller brought too little memory.
    Cells {
        /// Cells needed.
        needed: usize,
        /// Cells given.
        given: usize,
    },
    /// A modulus is not prime.
    NotPrime {
        /// The modulus.
        modulus: u64,
    },
    /// A modulus is not 1 modulo 2N.
    NotNttFriendly {
        /// The modulus.
        modulus: u64,
    },
    /// A modulus does not fit the word.
    PrimeTooLarge {
        /// The modulus.
        modulus: u64,
        /// It must be below 2 to this.
        bits: u32,
    },
    /// A modulus stands twice.
    DuplicatePrime {
        /// The modulus.
        modulus: u64,
    },
    /// The special primes' product is below that of a digit's primes.
    SpecialModulus {
        /// log2 of the special primes' product.
        log_p: f64,
        /// log2 of the largest digit's product.
        log_digit: f64,
    },
    /// The modulus is too large for the ring degree, and the plan is not marked as a toy.
    Insecure {
        /// log2(QP).
        log_qp: f64,
        /// The largest log2(QP) for 128 bits of security at this ring degree.
        limit: f64,
    },
    /// The claimed security is not what the table gives: 1 to 128 bits, 0 for a toy.
    SecurityClaim {
        /// The claim.
        bits: u16,
    },
    /// The instructions make another number of training steps than the parameters claim.
    Steps {
        /// In the parameters.
        claimed: u32,
        /// By the instructions.
        counted: u64,
    },
    /// No instruction writes a tile of an output or reveal.
    OutputMissing {
        /// Which port.
        port: u32,
        /// Which tile; none where the tiles are more than the instructions.
        tile: Option<u32>,
    },
    /// An instruction breaks a rule.
    Instruction {
        /// Which instruction.
        instruction: u32,
        /// What is wrong.
        fault: Fault,
    },
}

/// What is wrong with an instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It reads a buffer that holds nothing.
    Undefined {
        /// Which buffer.
        buffer: u32,
    },
    /// It reads a buffer that holds one thing when the loop is entered and another at its back edge.
    LoopNotClosed {
        /// Which buffer.
        buffer: u32,
    },
    /// Loops nest too deep or are not matched.
    LoopDepth,
    /// A buffer holds a value of another form.
    Form {
        /// Which buffer.
        buffer: u32,
        /// What the instruction takes.
        expected: Form,
        /// What the buffer holds.
        found: Form,
    },
    /// A ciphertext has another degree than the instruction says.
    Degree {
        /// Which buffer.
        buffer: u32,
        /// What the instruction says.
        expected: u8,
        /// What the buffer holds.
        found: u8,
    },
    /// A value is in another basis than the instruction says.
    Basis {
        /// Which buffer.
        buffer: u32,
        /// What the instruction says.
        expected: Basis,
        /// What the buffer holds.
        found: Basis,
    },
    /// A value is at another level than the instruction says.
    Level {
        /// Which buffer.
        buffer: u32,
        /// What the instruction says.
        expected: u8,
        /// What the buffer holds.
        found: u8,
    },
    /// A rescale would come from above the chain.
    RescaleAboveChain {
        /// The highest level.
        max_level: u8,
    },
    /// A drop would go up.
    DropUpwards {
        /// The source's level.
        from: u8,
        /// The result's level.
        to: u8,
    },
    /// Scales that must be equal are not.
    Scale {
        /// The scale of `a` (of the accumulator, where there is one).
        expected: f64,
        /// The other scale.
        found: f64,
    },
    /// A result's scale is not between 2^-64 and half of the modulus of its level.
    ScaleRange {
        /// log2 of the scale.
        log_scale: f64,
        /// log2 of Q_level.
        log_modulus: f64,
    },
    /// The destination overlaps a source.
    Overlap {
        /// The destination buffer.
        destination: u32,
        /// The source buffer.
        source: u32,
    },
    /// The value does not fit into its buffer.
    BufferTooSmall {
        /// Which buffer.
        buffer: u32,
        /// Words of the value.
        needed: u64,
        /// Words of the buffer.
        words: u64,
    },
    /// The key switches from something else.
    KeyKind {
        /// Which key.
        key: u32,
        /// What it is.
        found: KeyKind,
    },
    /// The key is made for a lower level.
    KeyLevel {
        /// Which key.
        key: u32,
        /// The level that it is made for.
        cap: u8,
        /// The level of use.
        level: u8,
    },
    /// Basis qp or key switching is used, but there are no special primes.
    NoSpecialModulus,
    /// The port is of another kind than the instruction takes.
    PortKind {
        /// Which port.
        port: u32,
        /// What the instruction takes.
        expected: PortKind,
        /// What the port is.
        found: PortKind,
    },
    /// The port has fewer tiles.
    Tile {
        /// Which port.
        port: u32,
        /// The tile named.
        tile: u32,
        /// The number of tiles.
        tiles: u32,
    },
    /// A value is read above the port's level, or handed out at another.
    PortLevel {
        /// Which port.
        port: u32,
        /// The port's level.
        expected: u8,
        /// The instruction's level.
        found: u8,
    },
    /// A value is handed out at another scale than the port's.
    PortScale {
        /// Which port.
        port: u32,
        /// The port's scale.
        expected: f64,
        /// The value's scale.
        found: f64,
    },
    /// An output is written in a loop.
    OutputInLoop {
        /// Which port.
        port: u32,
    },
    /// A tile of an output or reveal is written by a second instruction.
    OutputTwice {
        /// Which port.
        port: u32,
        /// Which tile.
        tile: u32,
    },
    /// A stream or per-step scalar is used before the first step begins.
    NoStep,
}

impl Fault {
    /// The fault at an instruction.
    pub(crate) fn at(self, instruction: usize) -> VerifyError {
        VerifyError::Instruction {
            instruction: instruction as u32,
            fault: self,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            VerifyError::Cells { needed, given } => {
                write!(
                    f,
                    "the verifier needs {needed} cells of memory, {given} are given"
                )
            }
            VerifyError::NotPrime { modulus } => write!(f, "modulus {modulus} is not prime"),
            VerifyError::NotNttFriendly { modulus } => write!(f, "modulus {modulus} is not 1 modulo 2N"),
            VerifyError::PrimeTooLarge { modulus, bits } => {
                write!(f, "modulus {modulus} is not below 2^{bits}")
            }
            VerifyError::DuplicatePrime { modulus } => write!(f, "modulus {modulus} stands twice"),
            VerifyError::SpecialModulus { log_p, log_digit } => {
                write!(
                    f,
                    "the special primes' product 2^{log_p:.2} is below a digit's 2^{log_digit:.2}"
                )
            }
            VerifyError::Insecure { log_qp, limit } => write!(
                f,
                "insecure: log2(QP) is {log_qp:.2}, at most {limit} is 128-bit secure at this ring degree"
            ),
            VerifyError::SecurityClaim { bits } => {
                write!(
                    f,
                    "the claim of {bits} bits of security is not what the security table gives"
                )
            }
            VerifyError::Steps { claimed, counted } => {
                write!(
                    f,
                    "the plan claims {claimed} training steps, its instructions make {counted}"
                )
            }
            VerifyError::OutputMissing {
                port,
                tile: Some(tile),
            } => {
                write!(f, "port {port}: no instruction writes tile {tile}")
            }
            VerifyError::OutputMissing { port, tile: None } => {
                write!(f, "port {port}: there are more tiles to write than instructions")
            }
            VerifyError::Instruction { instruction, fault } => {
                write!(f, "instruction {instruction}: {fault}")
            }
        }
    }
}

impl core::error::Error for VerifyError {}

fn basis_name(basis: Basis) -> &'static str {
    match basis {
        Basis::Q => "q",
        Basis::Qp => "qp",
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Fault::Undefined { buffer } => write!(f, "buffer {buffer} is read but holds no value"),
            Fault::LoopNotClosed { buffer } => write!(
                f,
                "the loop is not closed: buffer {buffer} is read but holds another value at the back edge than at entry"
            ),
            Fault::LoopDepth => f.write_str("loops are not matched or nest too deep"),
            Fault::Form {
                buffer,
                expected,
                found,
            } => {
                write!(f, "buffer {buffer} holds a {found}, not a {expected}")
            }
            Fault::Degree {
                buffer,
                expected,
                found,
            } => {
                write!(
                    f,
                    "buffer {buffer} holds a ciphertext of degree {found}, not {expected}"
                )
            }
            Fault::Basis {
                buffer,
                expected,
                found,
            } => write!(
                f,
                "buffer {buffer} is in basis {}, not {}",
                basis_name(found),
                basis_name(expected)
            ),
            Fault::Level {
                buffer,
                expected,
                found,
            } => {
                write!(f, "buffer {buffer} is at level {found}, not {expected}")
            }
            Fault::RescaleAboveChain { max_level } => {
                write!(f, "a rescale to the highest level, {max_level}, has no source")
            }
            Fault::DropUpwards { from, to } => write!(f, "a drop from level {from} to level {to} goes up"),
            Fault::Scale { expected, found } => write!(
                f,
                "scales differ: 2^{:.6} and 2^{:.6}",
                libm::log2(expected),
                libm::log2(found)
            ),
            Fault::ScaleRange {
                log_scale,
                log_modulus,
            } => write!(
                f,
                "the scale 2^{log_scale:.2} is not between 2^-64 and half of the modulus 2^{log_modulus:.2}"
            ),
            Fault::Overlap { destination, source } => {
                write!(
                    f,
                    "destination buffer {destination} overlaps source buffer {source}"
                )
            }
            Fault::BufferTooSmall {
                buffer,
                needed,
                words,
            } => {
                write!(f, "buffer {buffer} has {words} words, its value takes {needed}")
            }
            Fault::KeyKind {
                key,
                found: KeyKind::Relinearise,
            } => {
                write!(f, "key {key} is the relinearisation key, a Galois key is needed")
            }
            Fault::KeyKind {
                key,
                found: KeyKind::Galois(element),
            } => {
                write!(
                    f,
                    "key {key} is for Galois element {element}, the relinearisation key is needed"
                )
            }
            Fault::KeyLevel { key, cap, level } => {
                write!(
                    f,
                    "key {key} is made for level {cap} and below, it is used at {level}"
                )
            }
            Fault::NoSpecialModulus => f.write_str("there are no special primes for basis qp"),
            Fault::PortKind {
                port,
                expected,
                found,
            } => {
                write!(
                    f,
                    "port {port} is of kind {}, not {}",
                    found.name(),
                    expected.name()
                )
            }
            Fault::Tile { port, tile, tiles } => write!(f, "port {port} has {tiles} tiles, no tile {tile}"),
            Fault::PortLevel {
                port,
                expected,
                found,
            } => {
                write!(
                    f,
                    "port {port} is at level {expected}, the instruction is at {found}"
                )
            }
            Fault::PortScale {
                port,
                expected,
                found,
            } => write!(
                f,
                "port {port} has scale 2^{:.6}, the value 2^{:.6}",
                libm::log2(expected),
                libm::log2(found)
            ),
            Fault::OutputInLoop { port } => write!(f, "output port {port} is written in a loop"),
            Fault::OutputTwice { port, tile } => write!(f, "tile {tile} of port {port} is written twice"),
            Fault::NoStep => f.write_str("no training step has begun"),
        }
    }
}
