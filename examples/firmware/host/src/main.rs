//! `public-key PLAN SECRET_KEY PUBLIC_KEY`: the key holder makes a public key for devices that shall only encrypt.
//!
//! The file is the identity of the secret key (32 bytes), the seed of the second half a (32 bytes), and the first half
//! b = −(a·s + e), packed as in `runtime/host/FORMATS.md`.

use std::error::Error;
use std::fs;

use chacha20::ChaCha20Rng;
use cipherloom_runtime::ckks::encrypt::{generate_public_key, public_key_words};
use cipherloom_runtime::ckks::{Context, SecretKey};
use cipherloom_runtime::exec::context_parameters;
use cipherloom_runtime::plan::Plan;
use cipherloom_runtime::ring::pack::{pack, packed_bytes};
use rand_core::SeedableRng;

/// Bytes of a key file before the seed.
const HEADER_BYTES: usize = 96;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plan, secret, public] = &arguments[..] else {
        return Err("usage: public-key PLAN SECRET_KEY PUBLIC_KEY".into());
    };
    let (plan, secret) = (fs::read(plan)?, fs::read(secret)?);
    let plan = Plan::parse(&plan)?;
    if secret.get(16..48) != Some(&plan.hash()[..]) {
        return Err("the secret key is for another plan".into());
    }
    let seed: &[u8; 32] = secret
        .get(HEADER_BYTES..)
        .and_then(<[u8]>::first_chunk)
        .ok_or("not a secret key")?;

    let parameters = context_parameters(&plan)?;
    let mut tables = vec![0u64; Context::<u64>::memory_words(&parameters)];
    let context = Context::new(parameters, &mut tables)?;
    let mut memory = vec![0; SecretKey::<u64>::memory_words(&context.parameters)];
    let secret = SecretKey::from_seed(&context, seed, &mut memory)?;
    let (mut uniform, mut errors) = ([0; 32], [0; 32]);
    getrandom::fill(&mut uniform)?;
    getrandom::fill(&mut errors)?;
    let mut key = vec![0; public_key_words(&context.parameters)];
    generate_public_key(
        &context,
        &secret,
        &uniform,
        &mut ChaCha20Rng::from_seed(errors),
        &mut key,
    )?;

    let identity = blake3::derive_key("Cipherloom v1 identity of a secret key", seed);
    let mut file = [identity, uniform].concat();
    let first_half = key
        .chunks_exact(context.degree())
        .take(context.parameters.q.len());
    for (prime, limb) in first_half.enumerate() {
        let (start, bits) = (file.len(), context.ring.modulus(prime).bits());
        file.resize(start + packed_bytes(limb.len(), bits), 0);
        pack(limb, bits, &mut file[start..]);
    }
    fs::write(public, file)?;
    Ok(())
}
