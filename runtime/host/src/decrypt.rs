//! The key holder reads the results.

use crate::error::{HostError, Result};
use crate::files::read_full;
use crate::memory::{Region, Words, zeros};
use crate::outputs::Outputs;
use crate::plan_file::PlanFile;
use crate::secret::SecretSeed;
use crate::tensor::Tensor;
use cipherloom_ckks::encrypt::decrypt;
use cipherloom_ckks::{Context, Encoder, SecretKey, scratch};
use cipherloom_exec::context_parameters;
use cipherloom_plan::PortView;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Decrypts every output and reveal to a tensor of its port's shape, by name. Where an output and a reveal
/// have the same name, the later one in the plan is called "reveal name" or "output name".
///
/// The values carry the error of the computation, which depends on the secret: they are for the key holder,
/// and are not to be handed to others as they are (Li–Micciancio 2021).
pub fn decrypt_outputs(
    plan: &PlanFile,
    secret: &SecretSeed,
    outputs: &Outputs,
) -> Result<BTreeMap<String, Tensor>> {
    outputs
        .ciphertexts()
        .check_owner(secret.owner(plan), "the one given to decrypt with")?;
    let view = plan.plan();
    let parameters = context_parameters(&view)?;
    let mut tables = Words::zeroed("ring tables", Context::<u64>::memory_words(&parameters))?;
    let mut roots = Region::zeroed("encoder table", Encoder::memory_f64(parameters.log_n))?;
    let encoder = Encoder::new(parameters.log_n, &mut roots).map_err(HostError::ckks("encoder"))?;
    let context = Context::new(parameters, &mut tables).map_err(HostError::ckks("ring tables"))?;
    let mut memory = Words::zeroed("secret key", SecretKey::<u64>::memory_words(&context.parameters))?;
    let secret =
        SecretKey::from_seed(&context, secret.bytes(), &mut memory).map_err(HostError::ckks("secret key"))?;

    let mut tensors = BTreeMap::new();
    for contents in outputs.ciphertexts().contents() {
        let index = contents.port as usize;
        let port = view
            .port(index)
            .ok_or_else(|| HostError::Mismatch("the plan has no such port".into()))?;
        let mut values = zeros("tensor", port.values())?;
        for tile in 0..port.layout().tiles() {
            let level = usize::from(port.level());
            let mut ciphertext = Words::zeroed("ciphertext", context.parameters.ciphertext_words(level, 1))?;
            outputs
                .ciphertexts()
                .read(port.name(), (index, 0, tile), |record| {
                    read_full(&context, record, level, &mut ciphertext)
                })?;
            decrypt_tile(&context, &encoder, &secret, &port, tile, &ciphertext, &mut values)?;
        }
        let shape = port.shape().iter().map(|&extent| extent as usize).collect();
        let name = match tensors.contains_key(port.name()) {
            true => format!("{} {}", port.kind().name(), port.name()),
            false => port.name().to_owned(),
        };
        tensors.insert(name, Tensor { shape, values });
    }
    Ok(tensors)
}

/// Decrypts one tile and puts its values where they belong in the tensor.
fn decrypt_tile(
    context: &Context<'_, u64>,
    encoder: &Encoder<'_>,
    secret: &SecretKey<'_, u64>,
    port: &PortView<'_>,
    tile: u32,
    ciphertext: &[u64],
    values: &mut [f64],
) -> Result<()> {
    let parameters = &context.parameters;
    let level = usize::from(port.level());
    let of = |what: &str| format!("{what} tile {tile} of `{}`", port.name());
    let mut plaintext = Zeroizing::new(Words::zeroed("plaintext", parameters.plaintext_words(level))?);
    decrypt(context, secret, ciphertext, level, 1, &mut plaintext).map_err(HostError::ckks(of("decrypt")))?;
    let mut working = Zeroizing::new(Words::zeroed(
        "scratch",
        scratch::decode_scratch(parameters, level),
    )?);
    let mut slots = Zeroizing::new(Region::zeroed("slots", 2 * parameters.slots())?);
    let (re, im) = slots.split_at_mut(parameters.slots());
    encoder
        .decode(context, &plaintext, level, port.scale(), re, im, &mut working)
        .map_err(HostError::ckks(of("decode")))?;
    let layout = port.layout();
    layout
        .unpack_tile(&slots[..layout.numbers()], port.shape(), tile, values)
        .map_err(|error| HostError::data(port.name(), format!("tile {tile}"), error.to_string()))?;
    Ok(())
}
