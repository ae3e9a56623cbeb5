//! The container that the key holder and the server exchange, of the ciphertexts of one port: `runtime/host/FORMATS.md`.

use cipherloom_runtime::plan::{Plan, PortKind, PortView};

use cortex_m::singleton;
use heapless::Vec;

use crate::board::{self, File, need};

/// First bytes, and version.
const MAGIC: &[u8] = b"CIPHLOOM";
const VERSION: u32 = 2;
/// Bytes before the first record.
const HEADER_BYTES: usize = 96;
/// Bytes of the record that lists the ports, when there is one.
const LISTING_BYTES: usize = 16;
/// Bytes before the payload of a ciphertext.
const RECORD_HEADER_BYTES: usize = 16;
/// Most ciphertexts of a port.
const MAX_TILES: usize = 8;

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
        (Some((index, port)), None) if port.layout().tiles() <= MAX_TILES as u32 => (index, port),
        _ => board::fail("the plan has not one port to read and one to write, of a few ciphertexts"),
    }
}

/// Header of the record of a ciphertext.
fn record_header(port: usize, tile: u32, view: &PortView<'_>, form: Form) -> [u8; RECORD_HEADER_BYTES] {
    let mut record = [0; RECORD_HEADER_BYTES];
    put(&mut record, 0, &(port as u32).to_le_bytes());
    put(&mut record, 8, &tile.to_le_bytes());
    record[12] = view.level();
    record[13] = form as u8;
    record
}

/// Writes a container piece by piece.
pub struct Writer<'v> {
    file: File,
    header: [u8; HEADER_BYTES],
    listing: [u8; LISTING_BYTES],
    form: Form,
    port: usize,
    view: &'v PortView<'v>,
    payload_bytes: usize,
    /// Bytes of the payload of the current ciphertext.
    written: usize,
    hasher: &'static mut blake3::Hasher,
    /// Of the ciphertexts before the current one.
    hashes: Vec<blake3::Hash, MAX_TILES>,
}

impl<'v> Writer<'v> {
    /// Starts a container of the ciphertexts of a port, with `payload_bytes` of payload each.
    pub fn create(
        name: &'static str,
        (kind, form): (Kind, Form),
        plan: &Plan<'_>,
        identity: &[u8; 32],
        (port, view): (usize, &'v PortView<'v>),
        payload_bytes: usize,
    ) -> Self {
        let tiles = view.layout().tiles() as usize;
        let mut header = [0; HEADER_BYTES];
        let body = LISTING_BYTES + tiles * (RECORD_HEADER_BYTES + payload_bytes);
        put(&mut header, 0, MAGIC);
        put(&mut header, 8, &VERSION.to_le_bytes());
        put(&mut header, 12, &(kind as u32).to_le_bytes());
        put(&mut header, 16, &plan.hash());
        put(&mut header, 48, identity);
        put(&mut header, 80, &(1 + tiles as u64).to_le_bytes());
        put(&mut header, 88, &(body as u64).to_le_bytes());

        let mut listing = [0; LISTING_BYTES];
        put(&mut listing, 0, &(port as u32).to_le_bytes());
        put(&mut listing, 4, &1u32.to_le_bytes());
        let rows = view.shape().first().copied().unwrap_or(1);
        put(&mut listing, 8, &u64::from(rows).to_le_bytes());

        let mut file = File::create(name);
        file.write(&header);
        file.write(&listing);
        Self {
            file,
            header,
            listing,
            form,
            port,
            view,
            payload_bytes,
            written: 0,
            hasher: hasher(),
            hashes: Vec::new(),
        }
    }

    /// Starts the next ciphertext.
    pub fn start(&mut self, tile: u32) {
        board::require(
            tile as usize == self.hashes.len(),
            "ciphertexts come out of order",
        );
        self.written = 0;
        let header = record_header(self.port, tile, self.view, self.form);
        self.file.write(&header);
        self.hasher.update(&header);
    }

    /// Appends to the payload of a ciphertext.
    pub fn write(&mut self, bytes: &[u8]) {
        self.file.write(bytes);
        self.hasher.update(bytes);
        self.written += bytes.len();
    }

    /// Ends a ciphertext.
    pub fn end(&mut self) {
        board::require(
            self.written == self.payload_bytes,
            "a ciphertext has another length than announced",
        );
        need(self.hashes.push(self.hasher.finalize()), "too many ciphertexts");
        self.hasher.reset();
    }

    /// Writes the table of records and the seal.
    pub fn finish(mut self) {
        board::require(
            self.hashes.len() == self.view.layout().tiles() as usize,
            "there are not as many ciphertexts as announced",
        );
        self.hasher.update(&self.header);
        let record_bytes = RECORD_HEADER_BYTES + self.payload_bytes;
        let mut offset = HEADER_BYTES;
        let listing = (LISTING_BYTES, blake3::hash(&self.listing));
        let records = self.hashes.iter().map(|&hash| (record_bytes, hash));
        for (length, hash) in core::iter::once(listing).chain(records) {
            let mut row = [0; 48];
            put(&mut row, 0, &(offset as u64).to_le_bytes());
            put(&mut row, 8, &(length as u64).to_le_bytes());
            put(&mut row, 16, hash.as_bytes());
            self.hasher.update(&row);
            self.file.write(&row);
            offset += length;
        }
        self.file.write(self.hasher.finalize().as_bytes());
    }
}

/// A container that is read where its ciphertexts are needed.
pub struct Reader<'v> {
    file: File,
    form: Form,
    port: usize,
    view: &'v PortView<'v>,
    payload_bytes: usize,
    /// Identity of the key that they are under.
    pub identity: [u8; 32],
}

impl<'v> Reader<'v> {
    /// Opens a container of the ciphertexts of a port of this plan, with `payload_bytes` of payload each.
    pub fn open(
        name: &'static str,
        (kind, form): (Kind, Form),
        plan: &Plan<'_>,
        (port, view): (usize, &'v PortView<'v>),
        payload_bytes: usize,
    ) -> Self {
        let mut file = File::open(name);
        let mut header = [0; HEADER_BYTES];
        file.read(&mut header);
        let valid = header.starts_with(MAGIC)
            && header[8..12] == VERSION.to_le_bytes()
            && header[12] == kind as u8
            && header[16..48] == plan.hash();
        board::require(valid, "the ciphertext is of another plan");
        let mut identity = [0; 32];
        identity.copy_from_slice(&header[48..80]);
        Self {
            file,
            form,
            port,
            view,
            payload_bytes,
            identity,
        }
    }

    /// Goes to the payload of a ciphertext.
    pub fn start(&mut self, tile: u32) {
        let record_bytes = RECORD_HEADER_BYTES + self.payload_bytes;
        self.file
            .seek(HEADER_BYTES + LISTING_BYTES + tile as usize * record_bytes);
        let mut header = [0; RECORD_HEADER_BYTES];
        self.file.read(&mut header);
        let expected = record_header(self.port, tile, self.view, self.form);
        board::require(header == expected, "the ciphertext is of another plan");
    }

    /// Reads on.
    pub fn read(&mut self, bytes: &mut [u8]) {
        self.file.read(bytes);
    }
}

/// The hash of a record on its way out. Of two kilobytes, and thus not on the stack.
#[inline(never)]
fn hasher() -> &'static mut blake3::Hasher {
    need(
        singleton!(: blake3::Hasher = blake3::Hasher::new()).ok_or(()),
        "one container at a time",
    )
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}
