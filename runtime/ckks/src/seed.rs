//! Public randomness and further seeds from 32-byte seeds, by ChaCha20.
//!
//! A seed is the cipher's key, the stream id is its nonce. One seed belongs to one object: a ciphertext, a public key or a
//! switching key. Streams of uniform polynomials have bit 63 clear, derived
//! seeds have it set, so the two never meet under one seed.

use crate::CkksError;
use crate::context::Context;
use crate::error::exactly;
use chacha20::ChaCha20Rng;
use cipherloom_ring::{Word, sample};
use rand_core::{Rng, SeedableRng};

/// Bits of the stream id that hold the prime's index; [`cipherloom_ring::MAX_PRIMES`] fits.
const PRIME_BITS: u32 = 7;
/// Set in the stream ids of derived seeds.
const DERIVED: u64 = 1 << 63;

/// Fills one limb with the uniform polynomial number `stream` (< 2^56) of a seed, modulo prime `prime_index` of the
/// ring. Each limb has its own cipher stream: it can be made alone, and the limbs at a lower level are a prefix.
pub fn expand_uniform<W: Word>(
    ctx: &Context<'_, W>,
    seed: &[u8; 32],
    stream: u64,
    prime_index: usize,
    limb: &mut [W],
) -> Result<(), CkksError> {
    if prime_index >= ctx.ring.primes() {
        return Err(CkksError::Prime(prime_index));
    }
    exactly("limb", limb, ctx.degree())?;
    uniform_limb(ctx, seed, stream, prime_index, limb);
    Ok(())
}

/// [`expand_uniform`] for a limb that is known to fit.
pub(crate) fn uniform_limb<W: Word>(
    ctx: &Context<'_, W>,
    seed: &[u8; 32],
    stream: u64,
    prime_index: usize,
    limb: &mut [W],
) {
    let mut rng = uniform_stream(seed, stream, prime_index);
    sample::uniform(ctx.modulus(prime_index), &mut rng, limb);
}

/// The generator of [`expand_uniform`].
pub(crate) fn uniform_stream(seed: &[u8; 32], stream: u64, prime_index: usize) -> ChaCha20Rng {
    debug_assert!(stream < 1 << 56);
    let mut rng = ChaCha20Rng::from_seed(*seed);
    rng.set_stream((stream << PRIME_BITS | prime_index as u64) & !DERIVED);
    rng
}

/// The seed number `label` (< 2^63) below a parent seed. Neither another child nor the parent follows from it.
pub fn derive_seed(parent: &[u8; 32], label: u64) -> [u8; 32] {
    debug_assert!(label < DERIVED);
    let mut rng = ChaCha20Rng::from_seed(*parent);
    rng.set_stream(label | DERIVED);
    let mut child = [0; 32];
    rng.fill_bytes(&mut child);
    child
}
