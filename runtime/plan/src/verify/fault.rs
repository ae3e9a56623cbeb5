//! What the verifier refuses, and where.

use crate::model::{Basis, KeyKind, PortKind, Secret};
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
    /// The ephemeral secret is too sparse for the modulus that it is used with, q_0 and the first special prime, and the plan
    /// is not marked as a toy.
    EphemeralInsecure {
        /// Its weight.
        weight: u32,
        /// log2 of the modulus.
        log_modulus: f64,
        /// The largest log2 of a modulus that is accepted; 0 for weights that are not.
        limit: f64,
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
    /// A plaintext is more or less compact than the instruction says.
    Compact {
        /// Which buffer.
        buffer: u32,
        /// log2 of what one word stands for by the instruction.
        expected: u8,
        /// log2 of what one word stands for in the buffer.
        found: u8,
    },
    /// A constant is encoded as if it repeated sooner than it does.
    Period {
        /// Which constant.
        constant: u32,
        /// The slots after which it repeats.
        period: u32,
        /// The slots that the plaintext holds.
        encoded: u32,
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
    /// The key is not of a kind that the instruction takes.
    KeyKind {
        /// Which key.
        key: u32,
        /// What it is.
        found: KeyKind,
    },
    /// A ciphertext is under the other secret.
    Secret {
        /// Which buffer.
        buffer: u32,
        /// The secret that the instruction takes.
        expected: Secret,
        /// The secret that the ciphertext is under.
        found: Secret,
    },
    /// A `mod_raise` from another level than 0.
    RaiseLevel {
        /// The level named.
        from: u8,
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
    /// An output is written in a loop that is not the epochs'.
    OutputInLoop {
        /// Which port.
        port: u32,
    },
    /// An output or reveal is written where an epoch that ends does not have it: outside of the epochs' loop, or after `epoch`.
    OutputOutsideEpoch {
        /// Which port.
        port: u32,
    },
    /// An `epoch` that is not in just one loop, or the second of a plan.
    EpochPlace,
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
