//! The container that all files share: its kinds and the layout of its header and its table of records.

/// First bytes of every file.
pub(super) const MAGIC: [u8; 8] = *b"CIPHLOOM";
/// Version of the container and of all record formats in it.
pub(super) const VERSION: u32 = 2;
/// Bytes before the first record.
pub(super) const HEADER_BYTES: usize = 96;
/// Bytes of one row of the record table: offset, length, BLAKE3.
pub(super) const ENTRY_BYTES: usize = 48;
/// Bytes of a BLAKE3 hash.
pub(super) const HASH_BYTES: usize = 32;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The key holder's 32-byte seed.
    SecretKey = 1,
    /// One switching key per record, in the order of the plan's key table.
    EvaluationKeys = 2,
    /// Seeded ciphertexts of the inputs, streams and states.
    Inputs = 3,
    /// Full ciphertexts of the outputs and reveals.
    Outputs = 4,
    /// What a run needs to go on where it was.
    Checkpoint = 5,
    /// What the key holder says after an epoch.
    Answer = 6,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::SecretKey,
        Self::EvaluationKeys,
        Self::Inputs,
        Self::Outputs,
        Self::Checkpoint,
        Self::Answer,
    ];

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SecretKey => "secret key",
            Self::EvaluationKeys => "evaluation keys",
            Self::Inputs => "encrypted inputs",
            Self::Outputs => "encrypted outputs",
            Self::Checkpoint => "a checkpoint",
            Self::Answer => "the key holder's answer",
        }
    }

    fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == code)
    }
}

/// Whom keys and ciphertexts belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Hash of the plan.
    pub(crate) plan: [u8; 32],
    /// Identity of the secret key, which tells nothing else about it.
    pub(crate) key: [u8; 32],
}

/// The fixed 96 bytes at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u32,
    pub(super) owner: Owner,
    pub(super) records: u64,
    pub(super) body_bytes: u64,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.kind.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.owner.plan);
        bytes[48..80].copy_from_slice(&self.owner.key);
        bytes[80..88].copy_from_slice(&self.records.to_le_bytes());
        bytes[88..].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes
    }

    /// The header of a container, or what is wrong with it.
    pub(super) fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, String> {
        if bytes[..8] != MAGIC {
            return Err("not a Cipherloom file".into());
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(format!(
                "file version {version}, but this program reads version {VERSION}"
            ));
        }
        let mut owner = Owner {
            plan: [0; 32],
            key: [0; 32],
        };
        owner.plan.copy_from_slice(&bytes[16..48]);
        owner.key.copy_from_slice(&bytes[48..80]);
        Ok(Self {
            kind: u32_at(bytes, 12),
            owner,
            records: u64_at(bytes, 80),
            body_bytes: u64_at(bytes, 88),
        })
    }

    /// Name of the kind that the header says, for errors.
    pub(super) fn kind_name(self) -> &'static str {
        Kind::from_code(self.kind).map_or("unknown", Kind::name)
    }
}

/// Little-endian `u32` at `offset`; the caller has checked the length.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(word)
}

/// Little-endian `u64` at `offset`; the caller has checked the length.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}
