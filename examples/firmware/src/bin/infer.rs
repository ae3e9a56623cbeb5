//! Executes the plan on encrypted inputs, in the memory that the plan asks for; its constants are in flash, encoded. No key is
//! needed, and none is there.
#![no_std]
#![no_main]

use cipherloom_firmware::board::{Meter, need};
use cipherloom_firmware::container::{self, Form, Kind, Reader, Writer};
use cipherloom_firmware::embedded::{self, ARENA_WORDS, Encoded, LOG_N};
use cipherloom_firmware::zeroed;
use cipherloom_runtime::ckks::encrypt::expand_c1;
use cipherloom_runtime::ckks::{Context, Encoder};
use cipherloom_runtime::exec::{Event, Executor, Options};
use cipherloom_runtime::plan::{Plan, PortKind};
use cipherloom_runtime::ring::Modulus;
use cipherloom_runtime::ring::pack::{pack, packed_bytes, unpack};
use cortex_m_rt::entry;

/// Residues that are packed or unpacked together.
const PIECE: usize = 64;

#[entry]
fn main() -> ! {
    let meter = Meter::start();
    let plan = embedded::plan();
    run(meter, &plan, &embedded::context(&plan))
}

/// Apart from `main`, so that this stack and the one that parsing takes are not there at the same time.
#[inline(never)]
fn run(meter: Meter, plan: &Plan<'_>, context: &Context<'_, u32>) -> ! {
    let arena = zeroed!(u32; ARENA_WORDS);

    let encoder = embedded::encoder();
    let input = container::only_port(plan, PortKind::Input);
    let reveal = container::only_port(plan, PortKind::Reveal);
    let mut executor = start(plan, context, &encoder, arena);

    let limbs_bytes = |level: u8| {
        let limb = |prime| packed_bytes(1 << LOG_N, context.ring.modulus(prime).bits());
        (0..=usize::from(level)).map(limb).sum::<usize>()
    };
    let bytes = size_of::<[u8; 32]>() + limbs_bytes(input.1.level());
    let kind = (Kind::Inputs, Form::Seeded);
    let mut inputs = Reader::open("inputs.ct\0", kind, plan, (input.0, &input.1), bytes);
    let bytes = 2 * limbs_bytes(reveal.1.level());
    let kind = (Kind::Outputs, Form::Full);
    let port = (reveal.0, &reveal.1);
    let mut outputs = Writer::create("outputs.ct\0", kind, plan, &inputs.identity, port, bytes);
    loop {
        match need(executor.next(), "the plan cannot be carried out") {
            Event::NeedInput {
                tile,
                level,
                destination,
                ..
            } => {
                inputs.start(tile);
                let mut seed = [0; 32];
                inputs.read(&mut seed);
                let (c0, c1) = destination.split_at_mut(destination.len() / 2);
                for (prime, limb) in c0.chunks_exact_mut(1 << LOG_N).enumerate() {
                    read_limb(&mut inputs, context.ring.modulus(prime), limb);
                }
                need(expand_c1(context, &seed, level.into(), c1), "expand the input");
            }
            Event::Reveal { tile, ciphertext, .. } => {
                outputs.start(tile);
                let primes = 0..usize::from(reveal.1.level()) + 1;
                for (prime, limb) in primes.cycle().zip(ciphertext.chunks_exact(1 << LOG_N)) {
                    write_limb(&mut outputs, context.ring.modulus(prime), limb);
                }
                outputs.end();
            }
            Event::Done => break,
            _ => (),
        }
    }
    outputs.finish();
    meter.report("infer")
}

/// Apart from `run`, like everything that is done once: what it takes of the stack is free again when the plan is carried out.
#[inline(never)]
fn start<'a>(
    plan: &'a Plan<'a>,
    context: &'a Context<'a, u32>,
    encoder: &'a Encoder<'a>,
    arena: &'a mut [u32],
) -> Executor<'a, u32, Encoded> {
    // The compiler verified the plan that is in flash, and its hash was checked.
    let options = Options {
        allow_toy: false,
        verified: true,
    };
    let executor = Executor::new(plan, context, encoder, arena, &mut [], &Encoded, options);
    need(executor, "the memory is for another plan")
}

fn read_limb(file: &mut Reader<'_>, modulus: &Modulus<u32>, limb: &mut [u32]) {
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

fn write_limb(file: &mut Writer<'_>, modulus: &Modulus<u32>, limb: &[u32]) {
    let mut bytes = [0; size_of::<u32>() * PIECE];
    for residues in limb.chunks_exact(PIECE) {
        let bytes = &mut bytes[..packed_bytes(PIECE, modulus.bits())];
        pack(residues, modulus.bits(), bytes);
        file.write(bytes);
    }
}
