//! Encodes and encrypts sensor readings with the secret key: the server gets a seed and half a ciphertext.
#![no_std]
#![no_main]

use chacha20::ChaCha20Rng;
use cipherloom_firmware::board::{self, Meter, need};
use cipherloom_firmware::container::{self, Form, Kind, Writer};
use cipherloom_firmware::embedded::{self, LOG_N};
use cipherloom_firmware::{sensor, zeroed};
use cipherloom_runtime::ckks::seed::derive_seed;
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
    let secret = zeroed!(u32; Ternary::memory_words(LOG_N));

    let client = embedded::client(plan);
    let (port, view) = container::only_port(plan, PortKind::Input);
    let encoding = sensor::encoding(&view);
    let seed = container::secret_seed();
    let identity = container::key_identity(&seed);
    let secret = need(Ternary::secret(LOG_N, &seed, secret), "expand the secret");

    let master = board::entropy();
    let bytes = master.len() + client.polynomial_bytes(encoding.level);
    let kind = (Kind::Inputs, Form::Seeded);
    let mut file = Writer::create("inputs.ct\0", kind, plan, &identity, (port, &view), bytes);
    for tile in 0..view.layout().tiles() {
        // Who knows the seed of c1 must learn nothing about the errors: they are derived apart.
        let label = 2 * u64::from(tile);
        let (seed, errors) = (derive_seed(&master, label), derive_seed(&master, label + 1));
        let mut errors = ChaCha20Rng::from_seed(errors);
        let message = sensor::message(&view, tile, work);
        file.start(tile);
        file.write(&seed);
        let encrypted = client.encrypt_symmetric(&secret, message, encoding, &seed, &mut errors, |piece| {
            file.write(piece)
        });
        need(encrypted, "encrypt");
        file.end();
    }
    file.finish();
    meter.report("encrypt-symmetric")
}
