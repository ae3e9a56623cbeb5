//! Encodes and encrypts sensor readings with the secret key: the server gets a seed and half a ciphertext.
#![no_std]
#![no_main]

use chacha20::ChaCha20Rng;
use cipherloom_firmware::board::{self, Meter, need};
use cipherloom_firmware::container::{self, Form, Kind, Writer};
use cipherloom_firmware::embedded::{self, LOG_N};
use cipherloom_runtime::ckks::seed::derive_seed;
use cipherloom_runtime::ckks::stream::{Encoding, Slots, Ternary};
use cipherloom_runtime::plan::PortKind;
use cortex_m::singleton;
use cortex_m_rt::entry;
use rand_core::SeedableRng;

#[entry]
fn main() -> ! {
    let meter = Meter::start();
    let work = need(singleton!(: [u32; Slots::memory_words(LOG_N)] = [0; _]).ok_or(()), "memory");
    let secret = need(singleton!(: [u32; Ternary::memory_words(LOG_N)] = [0; _]).ok_or(()), "memory");

    let plan = embedded::plan();
    let client = embedded::client(&plan);
    let (port, view) = container::only_port(&plan, PortKind::Input);
    let encoding = Encoding {
        scale: view.scale(),
        level: view.level().into(),
    };

    let seed = container::secret_seed();
    let identity = container::key_identity(&seed);
    let secret = need(Ternary::secret(LOG_N, &seed, secret), "expand the secret");
    let mut message = need(Slots::new(LOG_N, work), "memory");
    let layout = view.layout();
    layout.for_each_slot(view.shape(), 0, |index, slot| {
        message.set(slot as usize, board::sensor(index) * layout.factor());
    });

    let master = board::entropy();
    let (seed, errors) = (derive_seed(&master, 0), derive_seed(&master, 1));
    let bytes = seed.len() + client.polynomial_bytes(encoding.level);
    let kind = (Kind::Inputs, Form::Seeded);
    let mut file = Writer::create("inputs.ct\0", kind, &plan, &identity, (port, &view), bytes);
    file.write(&seed);
    let mut rng = ChaCha20Rng::from_seed(errors);
    let encrypted = client.encrypt_symmetric(&secret, message, encoding, &seed, &mut rng, |bytes| file.write(bytes));
    need(encrypted, "encrypt");
    file.finish();
    meter.report("encrypt-symmetric")
}
