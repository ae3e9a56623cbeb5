//! Microcontrollers: what they have, and what the programs of `examples/firmware` take of it to work with a plan.
//!
//! All that depends on the plan is computed here, to the byte. What does not is measured: [`PROGRAMS`] holds what
//! `examples/firmware/measure.sh` prints, and the test `edge` compares every figure with what the firmware reports of itself.

use cipherloom_plan::{Basis, Op, Plan, PortKind};
use serde::Serialize;

/// A microcontroller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// What `--target` calls it.
    pub name: &'static str,
    /// A chip that has as much.
    pub chip: &'static str,
    /// Bytes of memory.
    pub ram_bytes: u64,
    /// Bytes of flash.
    pub flash_bytes: u64,
}

/// The microcontrollers that plans are compiled for, the smallest first. Words have 32 bits.
pub const DEVICES: [Device; 2] = [
    Device {
        name: "cortex-m4",
        chip: "STM32F405",
        ram_bytes: 192 << 10,
        flash_bytes: 1 << 20,
    },
    Device {
        name: "cortex-m7",
        chip: "STM32F767",
        ram_bytes: 512 << 10,
        flash_bytes: 2 << 20,
    },
];

/// Bits of a word of all of them.
pub const WORD_BITS: u32 = 32;
/// Bytes of a word.
const WORD: u64 = WORD_BITS as u64 / 8;
/// The firmware's memory is cut into stack and data with so much between them at most.
const SPARE_BYTES: u64 = 256;
/// Bytes of a public key beside its first half: whose it is, and the seed of its second half.
const PUBLIC_KEY_HEADER_BYTES: u64 = 64;

/// What a program does with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Encrypts inputs with the secret key.
    EncryptSymmetric,
    /// Encrypts inputs with a public key.
    EncryptPublic,
    /// Executes the plan.
    Infer,
    /// Decrypts reveals.
    Decrypt,
}

/// Where a program has the tables of its transforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tables {
    /// Nowhere: entries are computed along the way. Execution cannot do without, and has them in flash.
    Computed,
    /// In flash.
    Stored,
    /// In memory, made once at the start.
    Generated,
}

/// What a program takes beside what follows from a plan, in bytes.
struct Program {
    name: &'static str,
    /// Static data; and with tables in memory.
    data: [u64; 2],
    /// The deepest stack, in units of 512.
    stack: u64,
    /// Code and its constants; and with tables in memory.
    code: [u64; 2],
}

/// As measured; see the module.
const PROGRAMS: [Program; 4] = [
    Program {
        name: "encrypt-symmetric",
        data: [1956, 1972],
        stack: 5120,
        code: [57_500, 58_520],
    },
    Program {
        name: "encrypt-public",
        data: [1956, 1972],
        stack: 5120,
        code: [55_670, 56_680],
    },
    Program {
        name: "infer",
        data: [1948, 1956],
        stack: 15_360,
        code: [151_580, 153_300],
    },
    Program {
        name: "decrypt",
        data: [40, 60],
        stack: 4608,
        code: [53_290, 54_300],
    },
];

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::EncryptSymmetric,
        Self::EncryptPublic,
        Self::Infer,
        Self::Decrypt,
    ];

    /// The name of the program.
    pub fn name(self) -> &'static str {
        self.program().name
    }

    fn program(self) -> &'static Program {
        &PROGRAMS[self as usize]
    }
}

impl Tables {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Computed, Self::Stored, Self::Generated];

    /// As the firmware's features and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Computed => "computed",
            Self::Stored => "stored",
            Self::Generated => "generated",
        }
    }
}

/// Bytes for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What they hold.
    pub holds: &'static str,
    /// How many.
    pub bytes: u64,
}

/// The memory and the flash of a program that works with a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// What it does.
    pub role: Role,
    /// Where its tables are.
    pub tables: Tables,
    /// Memory: the bytes of all parts are what the firmware reports, the deepest stack included.
    pub ram: Vec<Part>,
    /// Flash: the code within two in a hundred, everything else exactly.
    pub flash: Vec<Part>,
}

impl Footprint {
    /// What a program takes; none for a plan of other words, and for one that has nothing for it to do.
    pub fn new(plan: &Plan<'_>, role: Role, tables: Tables) -> Option<Self> {
        let parameters = plan.parameters();
        let wanted = |kind: PortKind| match role {
            Role::EncryptSymmetric | Role::EncryptPublic => {
                matches!(kind, PortKind::Input | PortKind::Stream | PortKind::State)
            }
            Role::Infer => true,
            Role::Decrypt => matches!(kind, PortKind::Output | PortKind::Reveal),
        };
        if u32::from(parameters.word_bits()) != WORD_BITS || !plan.ports().any(|port| wanted(port.kind())) {
            return None;
        }
        let program = role.program();
        let kind = usize::from(tables == Tables::Generated);
        let part = |holds, bytes| Part { holds, bytes };
        let n = 1u64 << parameters.log_n();
        let packed = |prime: u64| (n * u64::from(prime.ilog2() + 1)).div_ceil(8);
        let mut flash = vec![
            part("code", program.code[kind]),
            part("plan", plan.encoded_bytes()),
        ];
        let (mut ram, table_bytes) = match role {
            Role::Infer => {
                let memory = plan.memory();
                let words = parameters.words();
                let scratch = plan.instructions().map(|instruction| match instruction.op {
                    // The executor takes less where memory is dearer than time.
                    Op::Rescale => words.least_rescale_scratch(),
                    _ => words.scratch(&instruction),
                });
                if memory.key_words > 0 {
                    flash.push(part("evaluation keys", memory.key_words * WORD));
                }
                let mut encoded: Vec<(u32, u8, bool, u8)> = plan
                    .instructions()
                    .filter(|it| it.op == Op::Encode)
                    .map(|it| (it.a, it.level, it.basis() == Basis::Qp, it.compact()))
                    .collect();
                encoded.sort_unstable();
                encoded.dedup();
                let limbs = encoded.iter().map(|&(_, level, qp, compact)| {
                    words.plaintext(level, if qp { Basis::Qp } else { Basis::Q }, compact)
                });
                flash.push(part("encoded constants", limbs.sum::<u64>() * WORD));
                flash.push(part("encoder", 8 * n));
                let ram = vec![
                    part("values", memory.buffer_words * WORD),
                    part("scratch", scratch.max().unwrap_or(0) * WORD),
                ];
                (ram, memory.table_words * WORD)
            }
            _ => {
                let mut ram = vec![
                    part("slots", n * WORD),
                    part("limbs", 2 * n * WORD),
                    part("ternary polynomial", n / 4),
                ];
                if role == Role::Decrypt {
                    let base = parameters.q().iter().next().unwrap_or(1);
                    ram.push(part("packed limbs", 2 * packed(base)));
                }
                if role == Role::EncryptPublic {
                    let half: u64 = parameters.q().iter().map(packed).sum();
                    flash.push(part("public key", PUBLIC_KEY_HEADER_BYTES + half));
                }
                (ram, (parameters.q().iter().count() as u64 + 1) * n * WORD)
            }
        };
        match (tables, role) {
            (Tables::Generated, _) => ram.push(part("tables", table_bytes)),
            (Tables::Computed, Role::Infer) | (Tables::Stored, _) => flash.push(part("tables", table_bytes)),
            (Tables::Computed, _) => {}
        }
        ram.push(part("other data", program.data[kind]));
        ram.push(part("stack", program.stack));
        Some(Self {
            role,
            tables,
            ram,
            flash,
        })
    }

    /// Bytes of memory.
    pub fn ram_bytes(&self) -> u64 {
        self.ram.iter().map(|part| part.bytes).sum()
    }

    /// Bytes of flash.
    pub fn flash_bytes(&self) -> u64 {
        self.flash.iter().map(|part| part.bytes).sum()
    }

    /// Whether a device has as much.
    pub fn fits(&self, device: &Device) -> bool {
        self.ram_bytes() + SPARE_BYTES <= device.ram_bytes && self.flash_bytes() <= device.flash_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_stand_where_their_roles_say() {
        for role in Role::ALL {
            let name = serde_json::to_value(role).unwrap();
            assert_eq!(name.as_str(), Some(role.name()));
            let program = role.program();
            assert!(program.data[0] <= program.data[1] && program.stack.is_multiple_of(512));
        }
    }
}
