//! Everything that the gate forbids, so that its checks can be checked: an allocator, a loop that divides numbers of 64 bits,
//! and a stack that overflows.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;

use cipherloom_firmware::board::{Meter, fail};
use cortex_m_rt::entry;

struct Nothing;

// SAFETY: null says that there is no memory, which is always so.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Nothing = Nothing;

#[entry]
fn main() -> ! {
    let meter = Meter::start();
    let mut residues = [1 << 40; 64];
    kernel(&mut residues, black_box(12_289));
    if black_box(residues[0]) == 0 {
        let vector: Vec<u64> = black_box(residues).to_vec();
        black_box(vector);
    }
    if overflow(0) == 0 {
        fail("no overflow");
    }
    meter.report("provoked")
}

#[inline(never)]
fn kernel(residues: &mut [u64; 64], modulus: u64) {
    for residue in residues {
        *residue %= black_box(modulus);
    }
}

#[inline(never)]
fn overflow(depth: u32) -> u32 {
    let frame = black_box([depth; 256]);
    if depth == u32::MAX {
        return depth;
    }
    overflow(depth + 1) + black_box(&frame)[0]
}
