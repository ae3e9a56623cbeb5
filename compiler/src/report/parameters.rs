//! Ring, chain, security.

use cipherloom_plan::ParametersView;
use serde::Serialize;

/// The scheme's parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParametersReport {
    /// log2 of the ring degree.
    pub log_n: u8,
    /// Slots of a ciphertext.
    pub slots: u32,
    /// Bits of a machine word.
    pub word_bits: u8,
    /// log2 of the nominal scale.
    pub log_scale: f64,
    /// log2 of the whole modulus, chain and special primes together: what security depends on.
    pub log_qp: f64,
    /// log2 of each prime of the chain, that of level 0 first.
    pub chain_bits: Vec<f64>,
    /// log2 of each special prime.
    pub special_bits: Vec<f64>,
    /// Limbs per key-switching digit (α).
    pub digit_limbs: u8,
    /// Digits at the highest level (dnum).
    pub digits: u8,
    /// Claimed classical security in bits; 0 for a toy.
    pub security_bits: u16,
    /// Whether the parameters are for tests only, and protect nothing.
    pub toy: bool,
    /// Training steps; 0 if none.
    pub steps: u32,
}

impl ParametersReport {
    pub(super) fn new(parameters: &ParametersView<'_>) -> Self {
        let bits = |primes: &mut dyn Iterator<Item = u64>| -> Vec<f64> {
            primes.map(|prime| (prime as f64).log2()).collect()
        };
        let chain_bits = bits(&mut parameters.q().iter());
        let special_bits = bits(&mut parameters.p().iter());
        Self {
            log_n: parameters.log_n(),
            slots: parameters.slots(),
            word_bits: parameters.word_bits(),
            log_scale: parameters.log_scale(),
            log_qp: chain_bits.iter().chain(&special_bits).sum(),
            digits: parameters.digits(parameters.max_level()),
            chain_bits,
            special_bits,
            digit_limbs: parameters.digit_limbs(),
            security_bits: parameters.security_bits(),
            toy: parameters.toy(),
            steps: parameters.steps(),
        }
    }
}
