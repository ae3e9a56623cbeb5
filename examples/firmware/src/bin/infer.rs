//! Executes the plan on encrypted inputs, in the memory that the plan asks for; no key is needed, and none is there.
#![no_std]
#![no_main]

use cipherloom_firmware::board::{Meter, need};
use cipherloom_firmware::container::{self, Form, Kind, Reader, Writer};
use cipherloom_firmware::embedded::{self, ARENA_WORDS, LOG_N};
use cipherloom_runtime::ckks::encrypt::expand_c1;
use cipherloom_runtime::ckks::{Context, Encoder};
use cipherloom_runtime::exec::{Event, Executor, Options, context_parameters};
use cipherloom_runtime::plan::{Plan, PortKind};
use cipherloom_runtime::ring::Modulus;
use cipherloom_runtime::ring::pack::{pack, packed_bytes, unpack};
use cortex_m::singleton;
use cortex_m_rt::entry;

/// Residues that are packed or unpacked together.
const PIECE: usize = 64;

#[entry]
fn main() -> ! {
    let meter = Meter::start();
    run(meter, &embedded::plan())
}

/// Apart from `main`, so that this stack and the one that parsing takes are not there at the same time.
#[inline(never)]
fn run(meter: Meter, plan: &Plan<'_>) -> ! {
    let arena = need(singleton!(: [u32; ARENA_WORDS] = [0; _]).ok_or(()), "memory");
    let slots = need(singleton!(: [f64; 1 << LOG_N] = [0.0; _]).ok_or(()), "memory");

    let parameters = need(context_parameters(plan), "the plan's parameters are wrong");
    let context = need(
        Context::with_tables(parameters, embedded::tables()),
        "the tables are of another plan",
    );
    let encoder = need(
        Encoder::with_table(LOG_N, embedded::encoder_table()),
        "the tables are of another plan",
    );
    let input = container::only_port(plan, PortKind::Input);
    let reveal = container::only_port(plan, PortKind::Reveal);
    // The compiler verified the plan that is in flash, and its hash was checked.
    let options = Options {
        allow_toy: false,
        verified: true,
    };
    let executor = Executor::new(plan, &context, &encoder, arena, slots, &(), options);
    let mut executor = need(executor, "the memory is for another plan");

    let mut identity = [0; 32];
    loop {
        match need(executor.next(), "the plan cannot be carried out") {
            Event::NeedInput {
                level, destination, ..
            } => {
                let kind = (Kind::Inputs, Form::Seeded);
                let mut file = Reader::open("inputs.ct\0", kind, plan, (input.0, &input.1));
                identity = file.identity;
                let mut seed = [0; 32];
                file.read(&mut seed);
                let (c0, c1) = destination.split_at_mut(destination.len() / 2);
                for (prime, limb) in c0.chunks_exact_mut(1 << LOG_N).enumerate() {
                    read_limb(&mut file, context.ring.modulus(prime), limb);
                }
                need(expand_c1(&context, &seed, level.into(), c1), "expand the input");
            }
            Event::Reveal { ciphertext, .. } => {
                let kind = (Kind::Outputs, Form::Full);
                let limbs = usize::from(reveal.1.level()) + 1;
                let primes = (0..limbs).map(|prime| context.ring.modulus(prime));
                let bytes = primes
                    .clone()
                    .map(|modulus| packed_bytes(1 << LOG_N, modulus.bits()))
                    .sum::<usize>();
                let port = (reveal.0, &reveal.1);
                let mut file = Writer::create("outputs.ct\0", kind, plan, &identity, port, 2 * bytes);
                for (modulus, limb) in primes
                    .clone()
                    .chain(primes)
                    .zip(ciphertext.chunks_exact(1 << LOG_N))
                {
                    write_limb(&mut file, modulus, limb);
                }
                file.finish();
            }
            Event::Done => break,
            _ => (),
        }
    }
    meter.report("infer")
}

fn read_limb(file: &mut Reader, modulus: &Modulus<u32>, limb: &mut [u32]) {
    let mut bytes = [0; size_of::<u32>() * PIECE];
    for residues in limb.chunks_exact_mut(PIECE) {
        let bytes = &mut bytes[..packed_bytes(PIECE, modulus.bits())];
        file.read(bytes);
        need(
            unpack(bytes, modulus.bits(), modulus, residues),
            "the input is not reduced",
        );
    }
}

fn write_limb(file: &mut Writer, modulus: &Modulus<u32>, limb: &[u32]) {
    let mut bytes = [0; size_of::<u32>() * PIECE];
    for residues in limb.chunks_exact(PIECE) {
        let bytes = &mut bytes[..packed_bytes(PIECE, modulus.bits())];
        pack(residues, modulus.bits(), bytes);
        file.write(bytes);
    }
}
