//! Every stage at the ends of its intervals.

use super::forward::{ALWAYS, Corrections, NEVER, ONCE, forward_two_stages, pass_corrections, range_after};
use super::inverse::{MEDIUM, Room, TIGHT, WIDE, inverse_two_stages};
use super::*;
use crate::Backend;
use crate::kernels::avx512::LOW;
use crate::prime::primes_below;
use std::vec::Vec;

/// The multiples of q in [0, high·q) with their neighbours, in all combinations of `COUNT`, eight to a vector.
fn edges<const COUNT: usize>(q: u64, high: u64) -> Vec<[[u64; LANES]; COUNT]> {
    // Both ends and what is around the middle will do where there are many.
    let multiples = (0..high).filter(|&k| k < 2 || k + 2 >= high || k == high / 2);
    let mut values: Vec<u64> = multiples
        .flat_map(|k| [k * q, k * q + 1, (k + 1) * q - 1])
        .collect();
    values.dedup();
    let combinations = values.len().pow(COUNT as u32);
    let combination = |i: usize, position: usize| {
        values[i % combinations / values.len().pow(position as u32) % values.len()]
    };
    (0..combinations)
        .step_by(LANES)
        .map(|i| core::array::from_fn(|p| core::array::from_fn(|lane| combination(i + lane, p))))
        .collect()
}

/// The words of a vector, with something above their 52 bits.
#[target_feature(enable = "avx512f,avx512ifma")]
fn vector(x: &[u64; LANES]) -> __m512i {
    load(&x.map(|x| x | 5 << RADIX_BITS))
}

/// The numbers that are meant.
#[target_feature(enable = "avx512f,avx512ifma")]
fn lanes(x: __m512i) -> [u64; LANES] {
    let mut lanes = [0; LANES];
    store(&mut lanes, x);
    lanes.map(|x| x & LOW)
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn twiddle(m: &Modulus<u64>, w: u64) -> Twiddle {
    all_lanes((w, shoup(m, w)))
}

/// Two forward stages from [0,from) to [0,to).
#[target_feature(enable = "avx512f,avx512ifma")]
fn check_forward<const CORRECTIONS: Corrections>(q: u64, from: u64, to: u64) {
    let m = Modulus::new(q).unwrap();
    assert!(to <= room(&m));
    let field = &Field::new(&m);
    for w in [1, q / 2, q - 1] {
        let (v0, v1) = (m.neg(w), m.mul(w, w));
        let twiddles = [twiddle(&m, w), twiddle(&m, v0), twiddle(&m, v1)];
        for x in edges::<4>(q, from) {
            let vectors = x.each_ref().map(|x| vector(x));
            let found = forward_two_stages::<CORRECTIONS>(field, vectors, twiddles).map(|x| lanes(x));
            for lane in 0..LANES {
                let [a, b, c, d] = x.map(|x| x[lane] % q);
                let (c, d) = (m.mul(c, w), m.mul(d, w));
                let (x0, x2, x1, x3) = (m.add(a, c), m.sub(a, c), m.add(b, d), m.sub(b, d));
                let (y1, y3) = (m.mul(x1, v0), m.mul(x3, v1));
                let expected = [m.add(x0, y1), m.sub(x0, y1), m.add(x2, y3), m.sub(x2, y3)];
                assert!(found.iter().all(|y| y[lane] < to * q));
                assert_eq!(found.map(|y| y[lane] % q), expected);
            }
        }
    }
}

/// Two inverse stages from and to [0,range).
#[target_feature(enable = "avx512f,avx512ifma")]
fn check_inverse<const ROOM: Room>(q: u64, range: u64) {
    let m = Modulus::new(q).unwrap();
    let field = &Field::new(&m);
    for w in [1, q / 2, q - 1] {
        let (v0, v1) = (m.neg(w), m.mul(w, w));
        let twiddles = [twiddle(&m, w), twiddle(&m, v0), twiddle(&m, v1)];
        for x in edges::<4>(q, range) {
            let vectors = x.each_ref().map(|x| vector(x));
            let found = inverse_two_stages::<ROOM>(field, vectors, twiddles).map(|x| lanes(x));
            for lane in 0..LANES {
                let [a, b, c, d] = x.map(|x| x[lane] % q);
                let (s0, s1) = (m.add(a, b), m.add(c, d));
                let (p0, p1) = (m.mul(m.sub(b, a), v0), m.mul(m.sub(d, c), v1));
                let [y2, y3] = [m.sub(s1, s0), m.sub(p1, p0)].map(|x| m.mul(x, w));
                assert!(found.iter().all(|y| y[lane] < range * q));
                assert_eq!(found.map(|y| y[lane] % q), [m.add(s0, s1), m.add(p0, p1), y2, y3]);
            }
        }
    }
}

#[test]
fn stages_keep_their_intervals() {
    if !Backend::Avx512.is_available() {
        return;
    }
    let largest = |bound: u64| primes_below(bound, 3).next().unwrap();
    // SAFETY: the processor has the instructions.
    unsafe {
        check_forward::<ALWAYS>(largest(1 << 50), 4, 4);
        check_forward::<ONCE>(largest(1 << 49), 8, 6);
        check_forward::<NEVER>(largest(1 << 49), 4, 8);
        check_forward::<NEVER>(largest(1 << 47), 28, 32);
        check_forward::<ONCE>(largest(1 << 46), 64, 6);
        check_forward::<ONCE>(17, 8, 6);
        check_inverse::<TIGHT>(largest(1 << 50), 2);
        check_inverse::<MEDIUM>(largest(1 << 49), 2);
        check_inverse::<WIDE>(largest(1 << 47), 6);
        check_inverse::<WIDE>(17, 6);
    }
}

/// Whatever the modulus, every pass fits the room, and the tail finds two units more.
#[test]
fn ranges_fit_the_room() {
    for room in 4..300 {
        for log_blocks in 1..=14 {
            let range = range_after(room, 1 << log_blocks);
            if room < 8 {
                assert!(range <= 4);
                continue;
            }
            assert!(range + 2 <= room);
            let (corrections, after) = pass_corrections(room, range);
            assert!(after + 2 <= room && (after == range + 4) == (corrections == NEVER));
        }
    }
}
