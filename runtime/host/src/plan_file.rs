//! A plan's bytes, parsed and verified once and kept together.

use crate::error::{HostError, Result};
use cipherloom_plan::{Plan, VerifyCell, verify};
use std::path::Path;

/// Owned bytes of a plan that has been parsed and verified.
#[derive(Clone)]
pub struct PlanFile {
    bytes: Vec<u8>,
    hash: [u8; 32],
}

impl PlanFile {
    /// Reads, parses and verifies a plan.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(HostError::io(path, "read the file"))?;
        Self::from_bytes(bytes).map_err(|error| match error {
            HostError::Plan { problem, .. } => HostError::Plan {
                path: Some(path.to_owned()),
                problem,
            },
            error => error,
        })
    }

    /// Parses and verifies a plan in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        let malformed = |problem: String| HostError::Plan { path: None, problem };
        let plan = Plan::parse(&bytes).map_err(|error| malformed(error.to_string()))?;
        let mut cells = vec![VerifyCell::default(); plan.verify_cells()];
        verify(&plan, &mut cells).map_err(|error| malformed(error.to_string()))?;
        let hash = plan.hash();
        Ok(Self { bytes, hash })
    }

    /// The view of the plan.
    pub fn plan(&self) -> Plan<'_> {
        Plan::parse(&self.bytes).expect("the same bytes were parsed when they were taken")
    }

    /// The plan's bytes, as they stand in its file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The plan's identity, which keys and ciphertexts carry.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }
}
