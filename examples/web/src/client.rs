//! The key holder: keys, encryption and decryption for the ports of a plan.

use std::collections::BTreeSet;
use std::fmt::Write;

use chacha20::ChaCha20Rng;
use cipherloom_runtime::ckks::encrypt::{decrypt, encrypt_symmetric};
use cipherloom_runtime::ckks::seed::derive_seed;
use cipherloom_runtime::ckks::{Basis, CkksError, Context, Encoder, SecretKey, keys, scratch};
use cipherloom_runtime::exec::context_parameters;
use cipherloom_runtime::plan::{Instruction, Key, KeyKind, Op, Plan, PortKind, PortView};
use cipherloom_runtime::ring::pack::{packed_bytes, words_to_bytes};
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::container::{self, Kind};

/// Why something cannot be done, for a person.
pub type Result<T> = std::result::Result<T, String>;

/// Words that are erased when they are no longer needed.
type Secret<T> = Zeroizing<Vec<T>>;

fn secret<T: Default + Clone + zeroize::Zeroize>(count: usize) -> Secret<T> {
    Zeroizing::new(vec![T::default(); count])
}

fn failed(what: &str) -> impl FnOnce(CkksError) -> String {
    move |error| format!("{what}: {error}")
}

/// A plan, from its bytes.
pub fn plan(bytes: &[u8]) -> Result<Plan<'_>> {
    let plan = Plan::parse(bytes).map_err(|error| format!("not a plan: {error}"))?;
    if plan.parameters().toy() {
        return Err("the plan has toy parameters, which protect nothing".into());
    }
    Ok(plan)
}

/// Every port as JSON: index, name, kind, shape, range, and whether the key holder provides it.
pub fn ports(plan: &Plan<'_>) -> String {
    let mut text = String::from("[");
    for (index, port) in plan.ports().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{separator}{{\"name\":{:?},\"kind\":{:?},\"shape\":{:?},\"low\":{},\"high\":{},\"provided\":{}}}",
            port.name(),
            port.kind().name(),
            port.shape(),
            port.low().max(-1e300),
            port.high().min(1e300),
            provided(plan).any(|(provided, _)| provided == index as u32)
        );
    }
    text.push(']');
    text
}

/// The ports that the key holder encrypts for: inputs, streams, and states that are read before they are stored.
fn provided<'p>(plan: &Plan<'p>) -> impl Iterator<Item = (u32, PortView<'p>)> + use<'p> {
    let mut stored = BTreeSet::new();
    let mut read = BTreeSet::new();
    for Instruction { op, aux, a, b, .. } in plan.instructions() {
        match op {
            Op::StateStore => _ = stored.insert((b, u32::from(aux))),
            Op::StateLoad if !stored.contains(&(a, b)) => _ = read.insert(a),
            _ => {}
        }
    }
    (0..)
        .zip(plan.ports())
        .filter(move |(index, port)| match port.kind() {
            PortKind::Input | PortKind::Stream => true,
            PortKind::State => read.contains(index),
            PortKind::Output | PortKind::Reveal => false,
        })
}

/// Calls `body` with the plan's ring.
fn with_context<T>(plan: &Plan<'_>, body: impl FnOnce(&Context<'_, u64>) -> Result<T>) -> Result<T> {
    let parameters = context_parameters(plan).map_err(|error| error.to_string())?;
    let mut tables = vec![0; Context::<u64>::memory_words(&parameters)];
    body(&Context::new(parameters, &mut tables).map_err(failed("the plan's parameters"))?)
}

/// Calls `body` with the plan's ring, the secret and an encoder.
fn with_secret<T>(
    plan: &Plan<'_>,
    seed: &[u8; 32],
    body: impl FnOnce(&Context<'_, u64>, &SecretKey<'_, u64>, &Encoder<'_>) -> Result<T>,
) -> Result<T> {
    with_context(plan, |context| {
        let mut memory = secret(SecretKey::<u64>::memory_words(&context.parameters));
        let key = SecretKey::from_seed(context, seed, &mut memory).map_err(failed("secret key"))?;
        let mut table = vec![0.0; Encoder::memory_f64(context.parameters.log_n)];
        let encoder = Encoder::new(context.parameters.log_n, &mut table).map_err(failed("encoder"))?;
        body(context, &key, &encoder)
    })
}

/// The public seed of object `index` and the generator of its errors: who knows the one learns nothing of the other.
fn randomness(entropy: &[u8; 32], index: usize) -> ([u8; 32], ChaCha20Rng) {
    let label = 2 * index as u64;
    let errors = Zeroizing::new(derive_seed(entropy, label + 1));
    (derive_seed(entropy, label), ChaCha20Rng::from_seed(*errors))
}

/// The file of a new secret key, from 32 random bytes.
pub fn secret_key(plan: &Plan<'_>, seed: &[u8; 32]) -> Vec<u8> {
    container::write(
        Kind::SecretKey,
        plan,
        &container::identity(seed),
        &[seed.to_vec()],
    )
}

/// The seed that a file of a secret key holds.
pub fn read_secret_key<'f>(plan: &Plan<'_>, file: &'f [u8]) -> Result<&'f [u8; 32]> {
    let (_, records) =
        container::read(Kind::SecretKey, plan, file).map_err(|problem| format!("secret key: {problem}"))?;
    match records[..] {
        [seed] => seed
            .try_into()
            .map_err(|_| "secret key: the file is damaged".into()),
        _ => Err("secret key: the file is damaged".into()),
    }
}

/// The file of the plan's evaluation keys, for the server. `entropy` is 32 random bytes, for this alone.
pub fn evaluation_keys(plan: &Plan<'_>, seed: &[u8; 32], entropy: &[u8; 32]) -> Result<Vec<u8>> {
    let records = with_secret(plan, seed, |context, main, _| {
        let record = |(index, key)| switching_key(context, main, key, randomness(entropy, index));
        plan.keys().enumerate().map(record).collect::<Result<Vec<_>>>()
    })?;
    Ok(container::write(
        Kind::EvaluationKeys,
        plan,
        &container::identity(seed),
        &records,
    ))
}

fn switching_key(
    context: &Context<'_, u64>,
    main: &SecretKey<'_, u64>,
    key: Key,
    (seed, mut rng): ([u8; 32], ChaCha20Rng),
) -> Result<Vec<u8>> {
    let (parameters, cap) = (&context.parameters, usize::from(key.level));
    let mut words = vec![0; parameters.switching_key_words::<u64>(cap)];
    let mut working = secret(scratch::generate_key_scratch(parameters, cap));
    let (words, rng) = (&mut words[..], &mut rng);
    let (kind, element) = match key.kind {
        KeyKind::Relinearise => {
            keys::generate_relinearisation_key(context, main, cap, &seed, rng, words, &mut working)
                .map_err(failed("relinearisation key"))?;
            (0, 0)
        }
        KeyKind::Galois(element) => {
            keys::generate_galois_key(context, main, element, cap, &seed, rng, words, &mut working)
                .map_err(failed("rotation key"))?;
            (1, element)
        }
        KeyKind::ToSparse | KeyKind::FromSparse => {
            return Err(
                "keys of plans that bootstrap are too large for a page: make them with `cipherloom keygen`"
                    .into(),
            );
        }
    };
    let mut record = vec![kind, key.level, 0, 0];
    record.extend_from_slice(&element.to_le_bytes());
    record.extend_from_slice(&seed);
    // The b halves; the others follow from the seed.
    for (prime, limb) in keys::stored_limbs(context, cap, words) {
        let start = record.len();
        let bits = context.ring.modulus(prime).bits();
        record.resize(start + packed_bytes(context.degree(), bits), 0);
        words_to_bytes(limb, &mut record[start..]);
    }
    Ok(record)
}

/// The file of encrypted inputs. `data` is, for each port that is provided, the number of its values and the values, row by
/// row; a stream has as many batches as its values fill, equally many for all. `entropy` is 32 random bytes, for this alone.
pub fn encrypt(plan: &Plan<'_>, seed: &[u8; 32], entropy: &[u8; 32], mut data: &[f64]) -> Result<Vec<u8>> {
    let mut listing = Vec::new();
    let mut pieces = Vec::new();
    for (port, view) in provided(plan) {
        let (values, rest) = data
            .split_first()
            .and_then(|(&count, rest)| rest.split_at_checked(count as usize))
            .ok_or_else(|| format!("`{}` is missing", view.name()))?;
        data = rest;
        let each = view.values().max(1);
        let batches = match view.kind() {
            PortKind::Stream => values.len() / each,
            _ if values.len() == each => 1,
            _ => 0,
        };
        if batches == 0 {
            return Err(format!(
                "`{}` takes {each} values, not {}",
                view.name(),
                values.len()
            ));
        }
        let allowed = view.low()..=view.high();
        if let Some(value) = values.iter().find(|value| !allowed.contains(value)) {
            return Err(format!(
                "`{}`: {value} is outside [{}, {}]",
                view.name(),
                view.low(),
                view.high()
            ));
        }
        let rows = view
            .shape()
            .first()
            .map_or(1, |&rows| values.len() / each * rows as usize);
        listing.push((port, batches as u32, rows as u64));
        pieces.push((port, view, batches, values));
    }
    let streams = pieces
        .iter()
        .filter(|(_, view, ..)| view.kind() == PortKind::Stream);
    let counts: BTreeSet<usize> = streams.map(|(_, _, batches, _)| *batches).collect();
    if counts.len() > 1 {
        return Err("streams have different numbers of batches".into());
    }
    let records = with_secret(plan, seed, |context, key, encoder| {
        let mut records = vec![container::listing(&listing)];
        for (port, view, batches, values) in pieces {
            for (batch, values) in (0..batches as u32).zip(values.chunks_exact(view.values().max(1))) {
                for tile in 0..view.layout().tiles() {
                    let (seed, mut rng) = randomness(entropy, records.len());
                    let c0 = encrypt_tile(context, key, encoder, (&view, tile), values, &seed, &mut rng)?;
                    let mut record = container::ciphertext_header((port, batch, tile), view.level(), false);
                    record.extend_from_slice(&seed);
                    container::append_packed(context, 0..=usize::from(view.level()), &c0, &mut record);
                    records.push(record);
                }
            }
        }
        Ok(records)
    })?;
    Ok(container::write(
        Kind::Inputs,
        plan,
        &container::identity(seed),
        &records,
    ))
}

fn encrypt_tile(
    context: &Context<'_, u64>,
    key: &SecretKey<'_, u64>,
    encoder: &Encoder<'_>,
    (view, tile): (&PortView<'_>, u32),
    values: &[f64],
    seed: &[u8; 32],
    rng: &mut ChaCha20Rng,
) -> Result<Vec<u64>> {
    let (parameters, level) = (&context.parameters, usize::from(view.level()));
    let mut slots = secret(view.layout().numbers());
    view.layout()
        .pack_tile(values, view.shape(), tile, &mut slots)
        .map_err(|error| format!("`{}`: {error}", view.name()))?;
    let mut plaintext = secret(parameters.plaintext_words(level));
    let mut working = secret(scratch::encode_scratch(parameters));
    let scale = view.scale();
    match slots.split_at(parameters.slots()) {
        (re, []) => encoder.encode_real(
            context,
            re,
            scale,
            level,
            Basis::Q,
            &mut plaintext,
            &mut working,
        ),
        (re, im) => encoder.encode_complex(
            context,
            re,
            im,
            scale,
            level,
            Basis::Q,
            &mut plaintext,
            &mut working,
        ),
    }
    .map_err(failed("encode"))?;
    let mut c0 = vec![0; parameters.plaintext_words(level)];
    let mut working = secret(scratch::encrypt_symmetric_scratch(parameters, level));
    encrypt_symmetric(context, key, &plaintext, level, seed, rng, &mut c0, &mut working)
        .map_err(failed("encrypt"))?;
    Ok(c0)
}

/// The values of every output and reveal in a file of outputs, in the order of the plan's ports: for each the number of its
/// values and the values. They are for the key holder alone.
pub fn decrypt_outputs(plan: &Plan<'_>, seed: &[u8; 32], file: &[u8]) -> Result<Vec<f64>> {
    let (owner, records) =
        container::read(Kind::Outputs, plan, file).map_err(|problem| format!("outputs: {problem}"))?;
    if *owner != container::identity(seed) {
        return Err("outputs: they are under another secret key".into());
    }
    let results = (0u32..)
        .zip(plan.ports())
        .filter(|(_, port)| matches!(port.kind(), PortKind::Output | PortKind::Reveal));
    with_secret(plan, seed, |context, key, encoder| {
        let mut records = records.into_iter().skip(1);
        let mut all = Vec::new();
        for (port, view) in results {
            let mut values = vec![0.0; view.values()];
            for tile in 0..view.layout().tiles() {
                let header = container::ciphertext_header((port, 0, tile), view.level(), true);
                let payload = records.next().and_then(|record| record.strip_prefix(&header[..]));
                let payload =
                    payload.ok_or_else(|| format!("outputs: no ciphertext of `{}`", view.name()))?;
                decrypt_tile(context, key, encoder, (&view, tile), payload, &mut values)?;
            }
            all.push(values.len() as f64);
            all.append(&mut values);
        }
        Ok(all)
    })
}

fn decrypt_tile(
    context: &Context<'_, u64>,
    key: &SecretKey<'_, u64>,
    encoder: &Encoder<'_>,
    (view, tile): (&PortView<'_>, u32),
    payload: &[u8],
    values: &mut [f64],
) -> Result<()> {
    let (parameters, level) = (&context.parameters, usize::from(view.level()));
    let mut ciphertext = vec![0; parameters.ciphertext_words(level, 1)];
    container::unpack_polynomials(context, level, payload, &mut ciphertext)?;
    let mut plaintext = secret(parameters.plaintext_words(level));
    decrypt(context, key, &ciphertext, level, 1, &mut plaintext).map_err(failed("decrypt"))?;
    let mut working = secret(scratch::decode_scratch(parameters, level));
    let mut slots = secret(2 * parameters.slots());
    let (re, im) = slots.split_at_mut(parameters.slots());
    encoder
        .decode(context, &plaintext, level, view.scale(), re, im, &mut working)
        .map_err(failed("decode"))?;
    let layout = view.layout();
    layout
        .unpack_tile(&slots[..layout.numbers()], view.shape(), tile, values)
        .map_err(|error| format!("`{}`: {error}", view.name()))
}
