//! The key holder's secret: 32 bytes from which the ternary secret polynomial is expanded.

use crate::error::{HostError, Result};
use crate::files::{Container, Kind, Owner, Writer};
use crate::plan_file::PlanFile;
use std::path::Path;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The seed of a secret key. Erased from memory when dropped; has no `Debug` and no equality on purpose.
pub struct SecretSeed([u8; 32]);

impl SecretSeed {
    /// A seed from bytes that the caller kept safe; they must have come from [`generate_seed`].
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whom keys and ciphertexts under this secret belong to. The key's identity is a one-way function of the
    /// seed, apart from everything else that is derived from it.
    pub(crate) fn owner(&self, plan: &PlanFile) -> Owner {
        Owner {
            plan: plan.hash(),
            key: blake3::derive_key("Cipherloom v1 identity of a secret key", &self.0),
        }
    }
}

impl Drop for SecretSeed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for SecretSeed {}

/// A fresh seed from the operating system.
pub fn generate_seed() -> Result<SecretSeed> {
    let mut seed = SecretSeed([0; 32]);
    getrandom::fill(&mut seed.0).map_err(HostError::Random)?;
    Ok(seed)
}

/// Writes the secret key for a plan, readable by its owner only. An existing file is never replaced: what was
/// encrypted under a lost key is lost.
pub fn write_secret_key(path: impl AsRef<Path>, plan: &PlanFile, seed: &SecretSeed) -> Result<()> {
    let mut writer = Writer::create(path.as_ref(), Kind::SecretKey, seed.owner(plan))?;
    writer.record(&seed.0)?;
    writer.finish()
}

/// Reads a secret key; it must have been made for this plan.
pub fn read_secret_key(path: impl AsRef<Path>, plan: &PlanFile) -> Result<SecretSeed> {
    let file = Container::open(path.as_ref(), Kind::SecretKey, &plan.hash())?;
    let bytes: Zeroizing<[u8; 32]> = match (file.len(), file.record(0)?.try_into()) {
        (1, Ok(bytes)) => Zeroizing::new(bytes),
        _ => return Err(file.malformed(0, "a secret key is one record of 32 bytes")),
    };
    Ok(SecretSeed(*bytes))
}
