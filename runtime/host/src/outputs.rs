//! What a run hands to the key holder: encrypted outputs and reveals.

use crate::ciphertexts::Ciphertexts;
use crate::error::{HostError, Result};
use crate::files::{CiphertextHeader, Kind, Owner};
use crate::plan_file::PlanFile;
use crate::secret::SecretSeed;
use cipherloom_plan::{Plan, PortKind};
use std::collections::BTreeMap;
use std::path::Path;

/// Packed ciphertexts of outputs and reveals by port and tile, as they were handed out last.
pub(crate) type Results = BTreeMap<(usize, u32), Vec<u8>>;

/// The encrypted outputs and reveals of a run or of an epoch, in memory or in a mapped file.
pub struct Outputs(Ciphertexts);

impl Outputs {
    /// Opens a file of outputs; it must have been made by this plan.
    pub fn open(path: impl AsRef<Path>, plan: &PlanFile) -> Result<Self> {
        let set = Ciphertexts::open(path.as_ref(), Kind::Outputs, plan)?;
        let wanted: Vec<u32> = result_ports(&plan.plan()).collect();
        if !set.contents().iter().map(|contents| contents.port).eq(wanted)
            || set.contents().iter().any(|contents| contents.batches != 1)
        {
            return Err(set.wrong_ports("not the outputs and reveals of the plan"));
        }
        Ok(Self(set))
    }

    /// Puts results in the order of the plan's ports.
    pub(crate) fn collect(plan: &PlanFile, owner: Owner, mut results: Results) -> Result<Self> {
        let view = plan.plan();
        let ports: Vec<(u32, u32, u64)> = result_ports(&view)
            .filter_map(|port| {
                let rows = view.port(port as usize)?.shape().first().copied().unwrap_or(1);
                Some((port, 1, u64::from(rows)))
            })
            .collect();
        let mut set = Ciphertexts::new(plan, Kind::Outputs, owner, &ports)?;
        let headers: Vec<_> = set.headers().collect();
        for CiphertextHeader { port, tile, .. } in headers {
            let record = results.remove(&(port as usize, tile));
            let missing = || HostError::Mismatch("the plan ended without writing one of its outputs".into());
            set.push(&record.ok_or_else(missing)?)?;
        }
        Ok(Self(set))
    }

    /// Writes the outputs to a file.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        self.0.write(path.as_ref())
    }

    /// Whether the outputs are under this secret key, so that it decrypts them.
    pub fn is_under(&self, plan: &PlanFile, secret: &SecretSeed) -> bool {
        self.0.owner() == secret.owner(plan)
    }

    /// Packed bytes of all ciphertexts.
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    pub(crate) fn ciphertexts(&self) -> &Ciphertexts {
        &self.0
    }
}

/// Ports whose values are handed to the key holder.
fn result_ports(plan: &Plan<'_>) -> impl Iterator<Item = u32> {
    let is_result = |kind| matches!(kind, PortKind::Output | PortKind::Reveal);
    (0u32..)
        .zip(plan.ports())
        .filter(move |(_, port)| is_result(port.kind()))
        .map(|(index, _)| index)
}
