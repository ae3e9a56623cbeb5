//! The verifier's verdicts in words.

use core::fmt;

use crate::model::{Basis, KeyKind, Secret};
use crate::verify::fault::{Fault, VerifyError};

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
            VerifyError::EphemeralInsecure {
                weight,
                log_modulus,
                limit,
            } => write!(
                f,
                "insecure: log2 of the ephemeral secret's modulus is {log_modulus:.2}, at most {limit} is secure with weight {weight} at this ring degree"
            ),
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

fn secret_name(secret: Secret) -> &'static str {
    match secret {
        Secret::Main => "main",
        Secret::Ephemeral => "ephemeral",
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
            Fault::Compact {
                buffer,
                expected,
                found,
            } => write!(
                f,
                "a word in buffer {buffer} stands for {}, not for {}",
                1_u64 << found,
                1_u64 << expected
            ),
            Fault::Period {
                constant,
                period,
                encoded,
            } => write!(
                f,
                "constant {constant} repeats after {period} slots, it is encoded as if after {encoded}"
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
            Fault::KeyKind { key, found } => {
                write!(f, "key {key} is ")?;
                match found {
                    KeyKind::Relinearise => f.write_str("the relinearisation key"),
                    KeyKind::Galois(element) => write!(f, "for Galois element {element}"),
                    KeyKind::ToSparse => f.write_str("the one to the ephemeral secret"),
                    KeyKind::FromSparse => f.write_str("the one from the ephemeral secret"),
                }?;
                f.write_str(", another is needed")
            }
            Fault::Secret {
                buffer,
                expected,
                found,
            } => write!(
                f,
                "buffer {buffer} is under the {} secret, not the {} one",
                secret_name(found),
                secret_name(expected)
            ),
            Fault::RaiseLevel { from } => write!(f, "a mod_raise is from level 0, not {from}"),
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
            Fault::OutputOutsideEpoch { port } => write!(f, "port {port} is written outside of the epochs"),
            Fault::EpochPlace => f.write_str("`epoch` stands once, in one loop"),
            Fault::OutputTwice { port, tile } => write!(f, "tile {tile} of port {port} is written twice"),
            Fault::NoStep => f.write_str("no training step has begun"),
        }
    }
}
