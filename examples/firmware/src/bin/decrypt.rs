//! Decrypts and decodes a reveal: what the server's `run`, or the program `infer`, has computed.
#![no_std]
#![no_main]

use cipherloom_firmware::board::{File, Meter, need, require};
use cipherloom_firmware::container::{self, Form, Kind, Reader};
use cipherloom_firmware::embedded::{self, LIMB_BYTES, LOG_N};
use cipherloom_firmware::zeroed;
use cipherloom_runtime::ckks::stream::{Slots, Ternary};
use cipherloom_runtime::plan::{Plan, PortKind};
use cortex_m_rt::entry;

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
    let [c0, c1] = [zeroed!(u8; LIMB_BYTES), zeroed!(u8; LIMB_BYTES)];

    let client = embedded::client(plan);
    let (port, view) = container::only_port(plan, PortKind::Reveal);
    require(view.level() == 0, "the reveal has more than one limb");
    let seed = container::secret_seed();
    let kind = (Kind::Outputs, Form::Full);
    let mut file = Reader::open("outputs.ct\0", kind, plan, (port, &view), 2 * LIMB_BYTES);
    require(
        file.identity == container::key_identity(&seed),
        "the ciphertext is under another key",
    );
    let layout = view.layout();
    let bound = view.low().abs().max(view.high().abs()) * layout.factor().abs();
    let factor = 1.0 / layout.factor();
    let secret = need(Ternary::secret(LOG_N, &seed, secret), "expand the secret");

    let mut scores = File::create("scores\0");
    for tile in 0..layout.tiles() {
        file.start(tile);
        for limb in [&mut *c0, &mut *c1] {
            file.read(limb);
        }
        let empty = need(Slots::new(LOG_N, bound, work), "memory");
        let slots = need(client.decrypt(&secret, [c0, c1], view.scale(), empty), "decrypt");
        layout.for_each_slot(view.shape(), tile, |index, slot| {
            scores.seek(size_of::<f64>() * index);
            scores.write(&(slots.get(slot as usize) * factor).to_le_bytes());
        });
    }
    meter.report("decrypt")
}
