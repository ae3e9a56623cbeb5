//! Randomness per task: one master seed from the operating system, one generator for each key or tile, so
//! that tasks can run in any order on any thread.

use crate::error::{HostError, Result};
use chacha20::ChaCha20Rng;
use cipherloom_ckks::seed::derive_seed;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

/// Source of the randomness of one call: key generation or encryption.
pub(crate) struct Master(Zeroizing<[u8; 32]>);

impl Master {
    /// A master seed from the operating system, never stored.
    pub(crate) fn new() -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(HostError::Random)?;
        Ok(Self(seed))
    }

    /// The seed itself, for what is drawn once.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public seed of task `index`'s uniform polynomials and the generator of its errors. They are
    /// derived apart: who knows the seed learns nothing about the errors.
    pub(crate) fn task(&self, index: usize) -> ([u8; 32], ChaCha20Rng) {
        let label = 2 * index as u64;
        let errors = Zeroizing::new(derive_seed(&self.0, label + 1));
        (derive_seed(&self.0, label), ChaCha20Rng::from_seed(*errors))
    }
}
