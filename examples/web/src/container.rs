//! The files that the key holder and the server exchange, as bytes: `runtime/host/FORMATS.md`.

use cipherloom_runtime::ckks::Context;
use cipherloom_runtime::plan::Plan;
use cipherloom_runtime::ring::pack::{pack, packed_bytes, unpack};

const MAGIC: &[u8; 8] = b"CIPHLOOM";
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 96;
/// Bytes of a record's row in the table at the end: offset, length, hash.
const ROW_BYTES: usize = 48;
const SEAL_BYTES: usize = 32;

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A secret key.
    SecretKey = 1,
    /// Evaluation keys.
    EvaluationKeys = 2,
    /// Encrypted inputs.
    Inputs = 3,
    /// Encrypted outputs.
    Outputs = 4,
}

/// The identity of a secret key.
pub fn identity(seed: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("Cipherloom v1 identity of a secret key", seed)
}

/// The bytes of a file.
pub fn write(kind: Kind, plan: &Plan<'_>, identity: &[u8; 32], records: &[Vec<u8>]) -> Vec<u8> {
    let body: usize = records.iter().map(Vec::len).sum();
    let mut file = Vec::with_capacity(HEADER_BYTES + body + ROW_BYTES * records.len() + SEAL_BYTES);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(kind as u32).to_le_bytes());
    file.extend_from_slice(&plan.hash());
    file.extend_from_slice(identity);
    file.extend_from_slice(&(records.len() as u64).to_le_bytes());
    file.extend_from_slice(&(body as u64).to_le_bytes());
    let mut table = Vec::with_capacity(ROW_BYTES * records.len());
    for record in records {
        table.extend_from_slice(&(file.len() as u64).to_le_bytes());
        table.extend_from_slice(&(record.len() as u64).to_le_bytes());
        table.extend_from_slice(blake3::hash(record).as_bytes());
        file.extend_from_slice(record);
    }
    let seal = seal(&file[..HEADER_BYTES], &table);
    file.extend_from_slice(&table);
    file.extend_from_slice(&seal);
    file
}

/// The records of a file of this kind and plan, and the identity of its key; everything is checked against the seal.
pub fn read<'f>(
    kind: Kind,
    plan: &Plan<'_>,
    file: &'f [u8],
) -> Result<(&'f [u8; 32], Vec<&'f [u8]>), &'static str> {
    let damaged = "the file is damaged";
    let (header, rest) = file
        .split_at_checked(HEADER_BYTES)
        .ok_or("not a file of Cipherloom")?;
    let number = |bytes: &[u8], at: usize| -> Option<usize> {
        u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)
            .try_into()
            .ok()
    };
    if !header.starts_with(MAGIC) || header[8..12] != VERSION.to_le_bytes() {
        return Err("not a file of this version of Cipherloom");
    }
    if header[12..16] != (kind as u32).to_le_bytes() {
        return Err("a file of another kind");
    }
    if header[16..48] != plan.hash() {
        return Err("a file of another plan");
    }
    let identity = header[48..].first_chunk().ok_or(damaged)?;
    let body = number(header, 88).ok_or(damaged)?;
    let (records, rest) = rest.split_at_checked(body).ok_or(damaged)?;
    let (table, found) = rest.split_last_chunk::<SEAL_BYTES>().ok_or(damaged)?;
    let count = number(header, 80).ok_or(damaged)?;
    if Some(table.len()) != count.checked_mul(ROW_BYTES) || seal(header, table) != *found {
        return Err(damaged);
    }
    let mut rest = records;
    let mut list = Vec::with_capacity(count);
    for row in table.chunks_exact(ROW_BYTES) {
        let length = number(row, 8).ok_or(damaged)?;
        let (record, after) = rest.split_at_checked(length).ok_or(damaged)?;
        if *blake3::hash(record).as_bytes() != row[16..] {
            return Err(damaged);
        }
        list.push(record);
        rest = after;
    }
    Ok((identity, list))
}

fn seal(header: &[u8], table: &[u8]) -> [u8; SEAL_BYTES] {
    let mut hasher = blake3::Hasher::new();
    *hasher.update(header).update(table).finalize().as_bytes()
}

/// The record that lists ports: index, batches and rows of each.
pub fn listing(ports: &[(u32, u32, u64)]) -> Vec<u8> {
    let row = |&(port, batches, rows): &(u32, u32, u64)| {
        [
            &port.to_le_bytes()[..],
            &batches.to_le_bytes(),
            &rows.to_le_bytes(),
        ]
        .concat()
    };
    ports.iter().flat_map(row).collect()
}

/// Port, batch and tile of a ciphertext, its level and whether it is whole instead of seeded.
pub fn ciphertext_header((port, batch, tile): (u32, u32, u32), level: u8, whole: bool) -> Vec<u8> {
    let numbers = [port, batch, tile].map(u32::to_le_bytes);
    [&numbers.concat()[..], &[level, u8::from(whole), 0, 0]].concat()
}

/// Appends limbs of the given primes of the ring.
pub fn append_packed(
    context: &Context<'_, u64>,
    primes: impl Iterator<Item = usize>,
    limbs: &[u64],
    record: &mut Vec<u8>,
) {
    for (prime, limb) in primes.zip(limbs.chunks_exact(context.degree())) {
        let (start, bits) = (record.len(), context.ring.modulus(prime).bits());
        record.resize(start + packed_bytes(limb.len(), bits), 0);
        pack(limb, bits, &mut record[start..]);
    }
}

/// Unpacks polynomials in basis q, one after the other; fails unless `bytes` holds just these.
pub fn unpack_polynomials(
    context: &Context<'_, u64>,
    level: usize,
    mut bytes: &[u8],
    words: &mut [u64],
) -> Result<(), &'static str> {
    for (prime, limb) in (0..=level).cycle().zip(words.chunks_exact_mut(context.degree())) {
        let modulus = context.ring.modulus(prime);
        let (packed, rest) = bytes
            .split_at_checked(packed_bytes(limb.len(), modulus.bits()))
            .ok_or("a ciphertext is too short")?;
        unpack(packed, modulus.bits(), modulus, limb).map_err(|_| "a residue is not reduced")?;
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(())
    } else {
        Err("a ciphertext is too long")
    }
}
