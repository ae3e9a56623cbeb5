//! What microcontrollers can do with a plan.

use cipherloom_plan::Plan;
use serde::Serialize;

use crate::target::{DEVICES, Device, Footprint, Role, Tables};

/// What a microcontroller can do with a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceReport {
    /// Its name.
    pub target: &'static str,
    /// A chip that has as much memory.
    pub chip: &'static str,
    /// Bytes of memory that it has.
    pub ram_bytes: u64,
    /// Bytes of flash that it has.
    pub flash_bytes: u64,
    /// Every program, with tables of each kind; none where the plan is for words of 64 bits.
    pub programs: Vec<ProgramReport>,
}

/// What a program takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProgramReport {
    /// What it holds where.
    #[serde(flatten)]
    pub footprint: Footprint,
    /// Bytes of memory, the deepest stack included.
    pub ram_bytes: u64,
    /// Bytes of flash, within two in a hundred.
    pub flash_bytes: u64,
    /// Whether the device has as much.
    pub fits: bool,
}

impl DeviceReport {
    /// Of every device.
    pub(super) fn all(plan: &Plan<'_>) -> Vec<Self> {
        let of = |device: &Device| {
            let each = Role::ALL
                .into_iter()
                .flat_map(|role| Tables::ALL.map(|tables| (role, tables)));
            let programs = each
                .filter_map(|(role, tables)| Footprint::new(plan, role, tables))
                .map(|footprint| ProgramReport {
                    ram_bytes: footprint.ram_bytes(),
                    flash_bytes: footprint.flash_bytes(),
                    fits: footprint.fits(device),
                    footprint,
                });
            Self {
                target: device.name,
                chip: device.chip,
                ram_bytes: device.ram_bytes,
                flash_bytes: device.flash_bytes,
                programs: programs.collect(),
            }
        };
        DEVICES.iter().map(of).collect()
    }

    /// The program that does something, with its tables where they take the least memory.
    pub fn smallest(&self, role: Role) -> Option<&ProgramReport> {
        self.programs
            .iter()
            .filter(|program| program.footprint.role == role)
            .min_by_key(|program| (program.ram_bytes, program.flash_bytes))
    }
}
