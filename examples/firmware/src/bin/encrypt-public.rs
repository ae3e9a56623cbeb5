//! Encodes and encrypts sensor readings with a public key: the device keeps no secret, the server gets a whole ciphertext.
#![no_std]
#![no_main]

use chacha20::ChaCha20Rng;
use cipherloom_firmware::board::{self, Meter, need};
use cipherloom_firmware::container::{self, Form, Kind, Writer};
use cipherloom_firmware::embedded::{self, LOG_N, PUBLIC_KEY};
use cipherloom_firmware::{sensor, zeroed};
use cipherloom_runtime::ckks::stream::{Slots, Ternary};
use cipherloom_runtime::plan::{Plan, PortKind};
use cortex_m_rt::entry;
use rand_core::SeedableRng;

#[entry]
fn main() -> ! {
    let meter = Meter::start();
    run(meter, &embedded::plan())
}

/// Apart from `main`, so that this stack and the one that parsing takes are not there at the same time.
#[inline(never)]
fn run(meter: Meter, plan: &Plan<'_>) -> ! {
    let work = zeroed!(u32; Slots::memory_words(LOG_N));
    let ephemeral = zeroed!(u32; Ternary::memory_words(LOG_N));

    let client = embedded::client(plan);
    let (port, view) = container::only_port(plan, PortKind::Input);
    let encoding = sensor::encoding(&view);
    // The identity of the secret key, then the public key.
    let (identity, public_key) = need(PUBLIC_KEY.split_first_chunk().ok_or(()), "no public key");

    let mut ephemeral = need(Ternary::empty(LOG_N, ephemeral), "memory");
    let mut rng = ChaCha20Rng::from_seed(board::entropy());
    let bytes = 2 * client.polynomial_bytes(encoding.level);
    let kind = (Kind::Inputs, Form::Full);
    let mut file = Writer::create("public-inputs.ct\0", kind, plan, identity, (port, &view), bytes);
    for tile in 0..view.layout().tiles() {
        let message = sensor::message(&view, tile, work);
        file.start(tile);
        let encrypted =
            client.encrypt_public(public_key, message, encoding, &mut ephemeral, &mut rng, |piece| {
                file.write(piece);
            });
        need(encrypted, "encrypt");
        file.end();
    }
    file.finish();
    meter.report("encrypt-public")
}
