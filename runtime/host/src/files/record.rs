//! Records: bit-packed ciphertexts and switching keys, whole or with a seed in place of their uniform half.

use cipherloom_ckks::{Context, Parameters, keys};
use cipherloom_plan::{Key, KeyKind};
use cipherloom_ring::pack::{bytes_to_words, pack, packed_bytes, unpack, words_to_bytes};
use rayon::prelude::*;

/// Bytes before the payload of a ciphertext record.
const CIPHERTEXT_HEADER_BYTES: usize = 16;
/// Bytes before the packed halves of a switching-key record: kind, cap, element, seed.
const KEY_HEADER_BYTES: usize = 40;
/// Bytes of a seed.
const SEED_BYTES: usize = 32;

/// How a ciphertext record holds c1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// 32-byte seed, then packed c0: what the key holder sends.
    Seeded = 0,
    /// Packed c0, then packed c1: what comes out of a computation.
    Full = 1,
}

/// Which ciphertext a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CiphertextHeader {
    pub(crate) port: u32,
    pub(crate) batch: u32,
    pub(crate) tile: u32,
    pub(crate) level: u8,
    pub(crate) form: Form,
}

impl CiphertextHeader {
    fn to_bytes(self) -> [u8; CIPHERTEXT_HEADER_BYTES] {
        let mut bytes = [0; CIPHERTEXT_HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.port.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.batch.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.tile.to_le_bytes());
        bytes[12] = self.level;
        bytes[13] = self.form as u8;
        bytes
    }

    /// Whether `record` is this ciphertext and has the length of one.
    pub(crate) fn matches(self, parameters: &Parameters, record: &[u8]) -> bool {
        record.starts_with(&self.to_bytes())
            && record.len() == ciphertext_bytes(parameters, usize::from(self.level), self.form)
    }
}

/// Bytes of a whole ciphertext record.
fn ciphertext_bytes(parameters: &Parameters, level: usize, form: Form) -> usize {
    let polynomial = polynomial_bytes(parameters, q_primes(level));
    let payload = match form {
        Form::Seeded => SEED_BYTES + polynomial,
        Form::Full => 2 * polynomial,
    };
    CIPHERTEXT_HEADER_BYTES + payload
}

/// A record of the seed of c1 and of c0, which is packed already.
pub(crate) fn packed_seeded_record(header: CiphertextHeader, seed: &[u8; 32], packed: &[u8]) -> Vec<u8> {
    [&header.to_bytes()[..], seed, packed].concat()
}

/// A record of c0 and the seed of c1.
pub(crate) fn seeded_record(
    context: &Context<'_, u64>,
    header: CiphertextHeader,
    seed: &[u8; 32],
    c0: &[u64],
) -> Vec<u8> {
    let level = usize::from(header.level);
    let mut record = Vec::with_capacity(ciphertext_bytes(&context.parameters, level, Form::Seeded));
    record.extend_from_slice(&header.to_bytes());
    record.extend_from_slice(seed);
    pack_polynomial(context, q_primes(level), c0, &mut record);
    record
}

/// Makes the record of a degree-1 ciphertext, c0 and c1 one after the other, in place of what `record` held.
pub(crate) fn full_record(
    context: &Context<'_, u64>,
    header: CiphertextHeader,
    ciphertext: &[u64],
    record: &mut Vec<u8>,
) {
    let level = usize::from(header.level);
    record.clear();
    record.reserve_exact(ciphertext_bytes(&context.parameters, level, Form::Full));
    record.extend_from_slice(&header.to_bytes());
    for polynomial in ciphertext.chunks_exact((level + 1) * context.degree()) {
        pack_polynomial(context, q_primes(level), polynomial, record);
    }
}

/// The form that a ciphertext record says it has.
pub(crate) fn ciphertext_form(record: &[u8]) -> Option<Form> {
    match record.get(13)? {
        0 => Some(Form::Seeded),
        1 => Some(Form::Full),
        _ => None,
    }
}

/// Port and tile that a ciphertext record says it is of.
pub(crate) fn ciphertext_place(record: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_le_bytes(*record.get(at..)?.first_chunk()?));
    Some((number(0)?, number(8)?))
}

/// Reads c0 of a seeded record at `level`, at most the record's own, and returns the seed of c1. The caller
/// has checked the record with [`CiphertextHeader::matches`]; fails on a residue that is not reduced.
pub(crate) fn read_seeded<'r>(
    context: &Context<'_, u64>,
    record: &'r [u8],
    level: usize,
    c0: &mut [u64],
) -> Result<&'r [u8; 32], String> {
    let payload = record
        .get(CIPHERTEXT_HEADER_BYTES..)
        .ok_or("the record is too short")?;
    let (seed, packed) = payload
        .split_first_chunk::<SEED_BYTES>()
        .ok_or("the record is too short")?;
    unpack_polynomial(context, q_primes(level), packed, c0)?;
    Ok(seed)
}

/// Reads a full record into c0 and c1, both at `level`, at most the record's own.
pub(crate) fn read_full(
    context: &Context<'_, u64>,
    record: &[u8],
    level: usize,
    ciphertext: &mut [u64],
) -> Result<(), String> {
    let payload = record
        .get(CIPHERTEXT_HEADER_BYTES..)
        .ok_or("the record is too short")?;
    let (c0, c1) = ciphertext.split_at_mut(ciphertext.len() / 2);
    let (packed_c0, packed_c1) = payload.split_at(payload.len() / 2);
    unpack_polynomial(context, q_primes(level), packed_c0, c0)?;
    unpack_polynomial(context, q_primes(level), packed_c1, c1)
}

/// Bytes of a switching-key record.
fn key_bytes(parameters: &Parameters, cap: usize) -> usize {
    let polynomial = polynomial_bytes(parameters, qp_primes(parameters, cap));
    KEY_HEADER_BYTES + parameters.digits(cap) * polynomial
}

/// Makes the record of the b halves of a switching key, in place of what `record` held; the context has the special primes
/// that the key's kind uses.
pub(crate) fn key_record(
    context: &Context<'_, u64>,
    key: &Key,
    seed: &[u8; 32],
    words: &[u64],
    record: &mut Vec<u8>,
) {
    let (parameters, cap) = (&context.parameters, usize::from(key.level));
    record.clear();
    record.reserve_exact(key_bytes(parameters, cap));
    record.extend_from_slice(&key_header(key));
    record.extend_from_slice(seed);
    for (prime, limb) in keys::stored_limbs(context, cap, words) {
        let start = record.len();
        record.resize(start + limb_bytes(parameters, prime), 0);
        words_to_bytes(limb, &mut record[start..]);
    }
}

/// Fills the b halves of a key from a record and returns the seed of the a halves, which the caller expands; the context
/// has the special primes that the key's kind uses. `limb` is memory of N words.
pub(crate) fn read_key(
    context: &Context<'_, u64>,
    record: &[u8],
    key: &Key,
    words: &mut [u64],
    limb: &mut [u64],
) -> Result<[u8; 32], String> {
    let (parameters, cap) = (&context.parameters, usize::from(key.level));
    let header = key_header(key);
    if record.len() != key_bytes(parameters, cap) || !record.starts_with(&header) {
        return Err("the record is not this key of the plan".into());
    }
    let mut seed = [0; SEED_BYTES];
    seed.copy_from_slice(&record[header.len()..KEY_HEADER_BYTES]);
    let mut rest = &record[KEY_HEADER_BYTES..];
    for (prime, packed) in keys::stored_limbs_mut(context, cap, words) {
        let (bytes, next) = rest.split_at(limb_bytes(parameters, prime));
        let modulus = context.ring.modulus(prime);
        // It stays packed, but only with residues of its prime.
        unpack(bytes, modulus.bits(), modulus, limb)
            .map_err(|error| format!("limb of prime {prime}: {error}"))?;
        bytes_to_words(bytes, packed);
        rest = next;
    }
    Ok(seed)
}

/// Kind, level cap, two zero bytes, and the Galois element or 0.
fn key_header(key: &Key) -> [u8; KEY_HEADER_BYTES - SEED_BYTES] {
    let (kind, element) = match key.kind {
        KeyKind::Relinearise => (0, 0),
        KeyKind::Galois(element) => (1, element),
        KeyKind::ToSparse => (2, 0),
        KeyKind::FromSparse => (3, 0),
    };
    let [e0, e1, e2, e3] = element.to_le_bytes();
    [kind, key.level, 0, 0, e0, e1, e2, e3]
}

/// Ring primes of a polynomial in basis q.
fn q_primes(level: usize) -> impl Iterator<Item = usize> + Clone {
    0..level + 1
}

/// Ring primes of a polynomial in basis qp.
fn qp_primes(parameters: &Parameters, level: usize) -> impl Iterator<Item = usize> + Clone {
    let special = parameters.q.len();
    (0..level + 1).chain(special..special + parameters.special())
}

/// Packed bytes of the limb for one prime of the ring.
fn limb_bytes(parameters: &Parameters, prime: usize) -> usize {
    let special = || parameters.p.get(prime.checked_sub(parameters.q.len())?);
    let value = parameters.q.get(prime).or_else(special).copied().unwrap_or(0);
    packed_bytes(parameters.degree(), u64::BITS - value.leading_zeros())
}

fn polynomial_bytes(parameters: &Parameters, primes: impl Iterator<Item = usize>) -> usize {
    primes.map(|prime| limb_bytes(parameters, prime)).sum()
}

fn pack_polynomial(
    context: &Context<'_, u64>,
    primes: impl Iterator<Item = usize>,
    words: &[u64],
    out: &mut Vec<u8>,
) {
    for (prime, limb) in primes.zip(words.chunks_exact(context.degree())) {
        let start = out.len();
        out.resize(start + limb_bytes(&context.parameters, prime), 0);
        pack(limb, context.ring.modulus(prime).bits(), &mut out[start..]);
    }
}

/// Unpacks limbs in parallel; `bytes` may be longer than the limbs need.
fn unpack_polynomial(
    context: &Context<'_, u64>,
    primes: impl Iterator<Item = usize> + Clone + Sync,
    bytes: &[u8],
    words: &mut [u64],
) -> Result<(), String> {
    let parameters = &context.parameters;
    let limbs = words.par_chunks_exact_mut(context.degree()).enumerate();
    limbs.try_for_each(|(index, limb)| {
        let start = polynomial_bytes(parameters, primes.clone().take(index));
        let prime = primes.clone().nth(index).ok_or("the record has too few limbs")?;
        let packed = bytes
            .get(start..start + limb_bytes(parameters, prime))
            .ok_or("the record is too short")?;
        let modulus = context.ring.modulus(prime);
        unpack(packed, modulus.bits(), modulus, limb)
            .map_err(|error| format!("limb of prime {prime}: {error}"))
    })
}
