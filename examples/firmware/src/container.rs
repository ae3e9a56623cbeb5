//! The container that the key holder and the server exchange, of one ciphertext of one port: `runtime/host/FORMATS.md`.

use cipherloom_runtime::plan::{Plan, PortKind, PortView};

use cortex_m::singleton;

use crate::board::{self, File};

/// First bytes, and version.
const MAGIC: &[u8] = b"CIPHLOOM";
const VERSION: u32 = 2;
/// Bytes before the first record.
const HEADER_BYTES: usize = 96;
/// Bytes of the record that lists the ports, when there is one.
const LISTING_BYTES: usize = 16;
/// Bytes before the payload of a ciphertext.
const RECORD_HEADER_BYTES: usize = 16;
/// Offset of the payload of the only ciphertext.
const PAYLOAD: usize = HEADER_BYTES + LISTING_BYTES + RECORD_HEADER_BYTES;

/// What a container of ciphertexts holds.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Encrypted inputs.
    Inputs = 3,
    /// Encrypted outputs.
    Outputs = 4,
}

/// How a ciphertext is written.
#[derive(Clone, Copy)]
pub enum Form {
    /// The seed of c1, then c0.
    Seeded = 0,
    /// c0, then c1.
    Full = 1,
}

/// The secret key's 32 bytes, from a file of the key holder's.
pub fn secret_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let mut file = File::open("secret.key\0");
    file.seek(HEADER_BYTES);
    file.read(&mut seed);
    seed
}

/// The identity of a secret key.
pub fn key_identity(seed: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("Cipherloom v1 identity of a secret key", seed)
}

/// The only port of a kind.
pub fn only_port<'p>(plan: &Plan<'p>, kind: PortKind) -> (usize, PortView<'p>) {
    let mut ports = plan.ports().enumerate().filter(|(_, port)| port.kind() == kind);
    match (ports.next(), ports.next()) {
        (Some((index, port)), None) if port.layout().tiles() == 1 => (index, port),
        _ => board::fail("the plan has not one ciphertext to read and one to write"),
    }
}

/// Writes a container piece by piece.
pub struct Writer {
    file: File,
    header: [u8; HEADER_BYTES],
    listing: [u8; LISTING_BYTES],
    hasher: &'static mut blake3::Hasher,
    payload_bytes: usize,
    written: usize,
}

impl Writer {
    /// Starts a container of one ciphertext of a port, with `payload_bytes` of payload.
    pub fn create(
        name: &'static str,
        (kind, form): (Kind, Form),
        plan: &Plan<'_>,
        identity: &[u8; 32],
        (port, view): (usize, &PortView<'_>),
        payload_bytes: usize,
    ) -> Self {
        let mut header = [0; HEADER_BYTES];
        let body = LISTING_BYTES + RECORD_HEADER_BYTES + payload_bytes;
        put(&mut header, 0, MAGIC);
        put(&mut header, 8, &VERSION.to_le_bytes());
        put(&mut header, 12, &(kind as u32).to_le_bytes());
        put(&mut header, 16, &plan.hash());
        put(&mut header, 48, identity);
        put(&mut header, 80, &2u64.to_le_bytes());
        put(&mut header, 88, &(body as u64).to_le_bytes());

        let mut listing = [0; LISTING_BYTES];
        put(&mut listing, 0, &(port as u32).to_le_bytes());
        put(&mut listing, 4, &1u32.to_le_bytes());
        let rows = view.shape().first().copied().unwrap_or(1);
        put(&mut listing, 8, &u64::from(rows).to_le_bytes());

        let mut record = [0; RECORD_HEADER_BYTES];
        put(&mut record, 0, &(port as u32).to_le_bytes());
        record[12] = view.level();
        record[13] = form as u8;

        let mut writer = Self {
            file: File::create(name),
            header,
            listing,
            hasher: hasher(),
            payload_bytes,
            written: 0,
        };
        writer.file.write(&header);
        writer.file.write(&listing);
        writer.file.write(&record);
        writer.hasher.update(&record);
        writer
    }

    /// Appends to the payload.
    pub fn write(&mut self, bytes: &[u8]) {
        self.file.write(bytes);
        self.hasher.update(bytes);
        self.written += bytes.len();
    }

    /// Writes the table of records and the seal.
    pub fn finish(&mut self) {
        board::require(
            self.written == self.payload_bytes,
            "a ciphertext has another length than announced",
        );
        let record_bytes = RECORD_HEADER_BYTES + self.payload_bytes;
        let records = [
            (HEADER_BYTES, LISTING_BYTES, blake3::hash(&self.listing)),
            (HEADER_BYTES + LISTING_BYTES, record_bytes, self.hasher.finalize()),
        ];
        self.hasher.reset();
        self.hasher.update(&self.header);
        for (offset, length, hash) in records {
            let mut row = [0; 48];
            put(&mut row, 0, &(offset as u64).to_le_bytes());
            put(&mut row, 8, &(length as u64).to_le_bytes());
            put(&mut row, 16, hash.as_bytes());
            self.hasher.update(&row);
            self.file.write(&row);
        }
        self.file.write(self.hasher.finalize().as_bytes());
    }
}

/// A container that is read where its ciphertext is needed.
pub struct Reader {
    file: File,
    /// Identity of the key that it is under.
    pub identity: [u8; 32],
}

impl Reader {
    /// Opens a container of one ciphertext of a port of this plan; the file is then at the payload.
    pub fn open(
        name: &'static str,
        (kind, form): (Kind, Form),
        plan: &Plan<'_>,
        (port, view): (usize, &PortView<'_>),
    ) -> Self {
        let mut file = File::open(name);
        let mut header = [0; PAYLOAD];
        file.read(&mut header);
        let mut expected = [0; 16];
        put(&mut expected, 0, &(port as u32).to_le_bytes());
        expected[12] = view.level();
        expected[13] = form as u8;
        let valid = header.starts_with(MAGIC)
            && header[8..12] == VERSION.to_le_bytes()
            && header[12] == kind as u8
            && header[16..48] == plan.hash()
            && header[HEADER_BYTES + LISTING_BYTES..] == expected;
        board::require(valid, "the ciphertext is of another plan");
        let mut identity = [0; 32];
        identity.copy_from_slice(&header[48..80]);
        Self { file, identity }
    }

    /// Reads on.
    pub fn read(&mut self, bytes: &mut [u8]) {
        self.file.read(bytes);
    }
}

/// The hash of a record on its way out. Of two kilobytes, and thus not on the stack.
#[inline(never)]
fn hasher() -> &'static mut blake3::Hasher {
    board::need(
        singleton!(: blake3::Hasher = blake3::Hasher::new()).ok_or(()),
        "one container at a time",
    )
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}
