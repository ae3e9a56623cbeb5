//! Decrypts and decodes a reveal: what the server's `run`, or the program `infer`, has computed.
#![no_std]
#![no_main]

use cipherloom_firmware::board::{File, Meter, need, require};
use cipherloom_firmware::container::{self, Form, Kind, Reader};
use cipherloom_firmware::embedded::{self, LOG_N};
use cipherloom_runtime::ckks::stream::{Slots, Ternary};
use cipherloom_runtime::plan::{Plan, PortKind};
use cortex_m::singleton;
use cortex_m_rt::entry;

/// A packed limb of 30-bit residues.
const LIMB_BYTES: usize = (30 << LOG_N) / 8;

#[entry]
fn main() -> ! {
    let meter = Meter::start();
    run(meter, &embedded::plan())
}

/// Apart from `main`, so that this stack and the one that parsing takes are not there at the same time.
#[inline(never)]
fn run(meter: Meter, plan: &Plan<'_>) -> ! {
    let work = need(
        singleton!(: [u32; Slots::memory_words(LOG_N)] = [0; _]).ok_or(()),
        "memory",
    );
    let secret = need(
        singleton!(: [u32; Ternary::memory_words(LOG_N)] = [0; _]).ok_or(()),
        "memory",
    );
    let [c0, c1] = need(
        singleton!(: [[u8; LIMB_BYTES]; 2] = [[0; _]; 2]).ok_or(()),
        "memory",
    );

    let client = embedded::client(plan);
    let (port, view) = container::only_port(plan, PortKind::Reveal);
    let seed = container::secret_seed();
    let mut file = Reader::open("outputs.ct\0", (Kind::Outputs, Form::Full), plan, (port, &view));
    require(
        file.identity == container::key_identity(&seed),
        "the ciphertext is under another key",
    );
    require(view.level() == 0, "the reveal has more than one limb");
    for limb in [&mut *c0, &mut *c1] {
        file.read(need(
            limb.get_mut(..client.polynomial_bytes(0)).ok_or(()),
            "memory",
        ));
    }

    let layout = view.layout();
    let bound = view.low().abs().max(view.high().abs()) * layout.factor().abs();
    let secret = need(Ternary::secret(LOG_N, &seed, secret), "expand the secret");
    let empty = need(Slots::new(LOG_N, bound, work), "memory");
    let slots = need(client.decrypt(&secret, [c0, c1], view.scale(), empty), "decrypt");

    let mut scores = File::create("scores\0");
    let factor = 1.0 / layout.factor();
    layout.for_each_slot(view.shape(), 0, |_, slot| {
        scores.write(&(slots.get(slot as usize) * factor).to_le_bytes());
    });
    meter.report("decrypt")
}
