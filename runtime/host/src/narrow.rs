//! Encryption for plans of 32-bit words: by the code that a small machine runs, so that it and the host write the same
//! bytes from the same seed.

use crate::error::{HostError, Result};
use crate::files::{CiphertextHeader, packed_seeded_record};
use crate::memory::Region;
use chacha20::ChaCha20Rng;
use cipherloom_ckks::stream::{Client, Encoding, Factors, Roots, Slots, Ternary};
use cipherloom_plan::{Plan, PortView};

/// A small machine's key holder.
pub(crate) struct Narrow<'s> {
    client: Client<'static>,
    log_n: u32,
    secret: &'s [u8; 32],
}

impl<'s> Narrow<'s> {
    /// None for plans of wider words, and of rings that small machines do not take.
    pub(crate) fn new(plan: &Plan<'_>, secret: &'s [u8; 32]) -> Option<Self> {
        let parameters = plan.parameters();
        let log_n = u32::from(parameters.log_n());
        let client = Client::new(log_n, parameters.q().iter(), Roots::Computed, Factors::Computed);
        let client = client.ok().filter(|_| parameters.word_bits() == 32)?;
        Some(Self {
            client,
            log_n,
            secret,
        })
    }

    /// Whether a port's values are real and fit the signed words that small machines encode in.
    pub(crate) fn takes(&self, view: &PortView<'_>) -> bool {
        !view.layout().is_complex() && encoding(view).holds(bound(view))
    }

    /// The record of a ciphertext.
    pub(crate) fn encrypt(
        &self,
        view: &PortView<'_>,
        slots: &[f64],
        header: CiphertextHeader,
        seed: &[u8; 32],
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<u8>> {
        let wrong = || HostError::ckks(format!("encrypt tile {} of `{}`", header.tile, view.name()));
        let mut memory = Region::zeroed("slots", Slots::memory_words(self.log_n))?;
        let mut message = Slots::new(self.log_n, bound(view), &mut memory).map_err(wrong())?;
        for (slot, &value) in slots.iter().enumerate() {
            message.set(slot, value).map_err(wrong())?;
        }
        let mut memory = Region::zeroed("secret key", Ternary::memory_words(self.log_n))?;
        let secret = Ternary::secret(self.log_n, self.secret, &mut memory).map_err(wrong())?;
        let mut packed = Vec::with_capacity(self.client.polynomial_bytes(header.level.into()));
        self.client
            .encrypt_symmetric(&secret, message, encoding(view), seed, rng, |piece| {
                packed.extend_from_slice(piece);
            })
            .map_err(wrong())?;
        Ok(packed_seeded_record(header, seed, &packed))
    }
}

/// The largest slot that a port may have.
fn bound(view: &PortView<'_>) -> f64 {
    view.low().abs().max(view.high().abs()) * view.layout().factor().abs()
}

fn encoding(view: &PortView<'_>) -> Encoding {
    Encoding {
        scale: view.scale(),
        level: view.level().into(),
    }
}
