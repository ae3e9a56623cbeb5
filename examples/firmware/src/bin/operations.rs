//! Measures the executor's operations and prints what the compiler's cost table needs of them: instructions for a unit of each
//! kind of elementary work (`compiler/src/target`), one line `TERM INSTRUCTIONS` each.
#![no_std]
#![no_main]

use core::fmt::Write;

use cipherloom_firmware::board::{self, Meter, need};
use cipherloom_firmware::embedded::{self, ARENA_WORDS, LOG_N};
use cipherloom_firmware::zeroed;
use cipherloom_runtime::ckks::encrypt::expand_c1;
use cipherloom_runtime::ckks::{Basis, Context, evaluate};
use cipherloom_runtime::ring::automorphism::{apply_ntt, galois_element};
use cipherloom_runtime::ring::pack::{pack, packed_bytes, unpack};
use cortex_m_rt::entry;

/// N.
const N: usize = 1 << LOG_N;
/// The level that is measured at: two limbs.
const LEVEL: usize = 1;

#[entry]
fn main() -> ! {
    let meter = Meter::start();
    let plan = embedded::plan();
    run(&meter, &embedded::context(&plan));
    meter.report("operations")
}

#[inline(never)]
fn run(meter: &Meter, context: &Context<'_, u32>) {
    let (a, rest) = zeroed!(u32; ARENA_WORDS).split_at_mut(4 * N);
    let (plaintext, scratch) = rest.split_at_mut(2 * N);
    let to = zeroed!(u32; 4 * N);
    let slots = zeroed!(f64; N);
    let bytes = zeroed!(u8; 4 * N);
    let encoder = embedded::encoder();
    let n = N as f64;
    let timed = |body: &mut dyn FnMut() -> bool| {
        let start = meter.instructions();
        board::require(body(), "an operation fails");
        (meter.instructions() - start) as f64
    };

    let expand = timed(&mut || expand_c1(context, &[7; 32], LEVEL, &mut a[..2 * N]).is_ok()) / (2.0 * n);
    let copy = timed(&mut || {
        let (from, to) = a.split_at_mut(2 * N);
        to.copy_from_slice(from);
        true
    }) / (2.0 * n);
    let transform = timed(&mut || {
        context.ring.ntt_inverse(0, &mut a[..N]);
        context.ring.ntt_forward(0, &mut a[..N]);
        true
    }) / (n * f64::from(LOG_N));
    let encode = |level: usize, slots: &mut [f64], plaintext: &mut [u32]| {
        for (index, slot) in slots.iter_mut().enumerate().take(N / 2) {
            *slot = (index % 101) as f64 * 0.0097 - 0.5;
        }
        slots[N / 2..].fill(0.0);
        let plaintext = &mut plaintext[..(level + 1) * N];
        timed(&mut || {
            encoder
                .encode_in_place(context, slots, f64::from(1 << 24), level, Basis::Q, plaintext)
                .is_ok()
        })
    };
    let (one, two) = (encode(0, slots, plaintext), encode(1, slots, plaintext));
    let limb = transform * n / 2.0 * f64::from(LOG_N);
    let reduce = (two - one - limb) / n;
    let encode = (one - limb - reduce * n) / (n / 4.0 * f64::from(LOG_N - 1));
    // Two words read, one written, which counts twice; and a product more.
    let add = timed(&mut || {
        evaluate::add(
            context,
            LEVEL,
            1,
            Basis::Q,
            &mut to[..2 * N],
            &a[..2 * N],
            &a[2 * N..],
        )
        .is_ok()
    });
    let stream = add / (8.0 * n);
    let product = timed(&mut || evaluate::mul_plain(context, LEVEL, 1, Basis::Q, to, a, plaintext).is_ok());
    let product = product / (4.0 * n) - 4.0 * stream;
    let rescale = timed(&mut || evaluate::rescale(context, LEVEL, 1, &mut to[..2 * N], a, scratch).is_ok());
    let converted = (rescale - 4.0 * limb - 2.0 * n * product - 8.0 * n * stream) / (2.0 * n) - product;
    let permute = timed(&mut || {
        let (from, to) = (&a[..N], &mut to[..N]);
        apply_ntt(LOG_N, galois_element(LOG_N, 1), to, from);
        true
    }) / n;
    let modulus = context.ring.modulus(0);
    let unpacked = timed(&mut || {
        pack(&a[..N], modulus.bits(), bytes);
        true
    });
    let packed = &bytes[..packed_bytes(N, modulus.bits())];
    let unpack = unpacked.max(timed(&mut || {
        unpack(packed, modulus.bits(), modulus, &mut to[..N]).is_ok()
    })) / n;

    let mut output = board::output();
    let mut line = |term: &str, instructions: f64| {
        need(writeln!(output, "{term} {:.3}", instructions.max(0.0)), "print");
    };
    line("transform", transform);
    line("convert", product);
    line("converted", converted);
    line("key_product", product + stream);
    line("product", product);
    line("stream", stream);
    line("copy", copy);
    line("permute", permute);
    line("encode", encode);
    line("reduce", reduce);
    line("unpack", unpack);
    line("expand", expand);
}
