//! Every stage at the ends of its intervals.

use super::*;
use crate::Backend;
use crate::prime::primes_below;
use std::vec::Vec;

/// The ends of [low·q, high·q) and the multiples of q in between with their neighbours, in all combinations of
/// `COUNT`, eight combinations to a vector.
fn edges<const COUNT: usize>(q: u64, low: i64, high: i64) -> Vec<[[u64; LANES]; COUNT]> {
    let q = q as i64;
    let mut values: Vec<i64> = (low..high)
        .flat_map(|k| [k * q, k * q + 1, (k + 1) * q - 1])
        .collect();
    values.dedup();
    let combinations = values.len().pow(COUNT as u32);
    let combination = |i: usize, position: usize| {
        let digit = i % combinations / values.len().pow(position as u32) % values.len();
        values[digit].cast_unsigned()
    };
    (0..combinations)
        .step_by(LANES)
        .map(|i| core::array::from_fn(|p| core::array::from_fn(|lane| combination(i + lane, p))))
        .collect()
}

fn modulo(x: u64, q: u64) -> u64 {
    x.cast_signed().rem_euclid(q as i64) as u64
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn lanes(x: __m512i) -> [u64; LANES] {
    let mut lanes = [0; LANES];
    store(&mut lanes, x);
    lanes
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn twiddle(m: &Modulus<u64>, w: u64) -> Twiddle {
    let [w, w_low] = montgomery(m, radix(m), inverse_of_q(m.value()), w);
    all_lanes((w, w_low))
}

/// The forward stages on [0, ROOM·q), and the last one to [0,q).
#[target_feature(enable = "avx512f,avx512ifma")]
fn check_forward<const ROOM: u64>(q: u64) {
    assert!(u128::from(ROOM) * u128::from(q) <= 1 << RADIX_BITS);
    let m = Modulus::new(q).unwrap();
    let field = &Field::new(&m);
    for w in [1, q / 2, q - 1] {
        let (other, last) = (m.neg(w), m.mul(w, w));
        let twiddles = [twiddle(&m, w), twiddle(&m, other), twiddle(&m, last)];
        for x in edges::<4>(q, 0, ROOM as i64) {
            let found = forward_two_stages::<ROOM>(field, x.map(|x| load(&x)), twiddles).map(|x| lanes(x));
            for lane in 0..LANES {
                let [a, b, c, d] = x.map(|x| modulo(x[lane], q));
                let (c, d) = (m.mul(c, w), m.mul(d, w));
                let (x0, x2, x1, x3) = (m.add(a, c), m.sub(a, c), m.add(b, d), m.sub(b, d));
                let (y1, y3) = (m.mul(x1, other), m.mul(x3, last));
                let expected = [m.add(x0, y1), m.sub(x0, y1), m.add(x2, y3), m.sub(x2, y3)];
                assert!(found.iter().all(|y| y[lane] < ROOM * q));
                assert_eq!(found.map(|y| y[lane] % q), expected);
            }
        }
        let tail = if ROOM == 4 { 4 } else { 6 };
        for [x, y] in edges::<2>(q, 0, ROOM as i64) {
            let (sum, difference) = forward_stage::<ROOM>(field, (load(&x), load(&y)), twiddles[0]);
            let last = forward_last_stage::<ROOM>(field, (load(&x), load(&y)), twiddles[0]);
            let found = [sum, difference, last.0, last.1].map(|x| lanes(x));
            for lane in 0..LANES {
                let (x, y) = (x[lane] % q, m.mul(y[lane] % q, w));
                let expected = [m.add(x, y), m.sub(x, y)];
                assert!(found[0][lane] < tail * q && found[1][lane] < tail * q);
                assert_eq!([found[0][lane] % q, found[1][lane] % q], expected);
                assert_eq!([found[2][lane], found[3][lane]], expected);
            }
        }
    }
}

/// The inverse stage on sums in [0,2q) and on products in (−q,q).
#[target_feature(enable = "avx512f,avx512ifma")]
fn check_inverse(q: u64) {
    let m = Modulus::new(q).unwrap();
    let field = &Field::new(&m);
    for w in [1, q / 2, q - 1] {
        for (by, low, high) in [(fold_by(field)[0], 0, 2), (fold_by(field)[1], -1, 1)] {
            for [x, y] in edges::<2>(q, low, high) {
                // −q itself is not a product.
                if low < 0 && [x, y].iter().flatten().any(|&x| x == q.wrapping_neg()) {
                    continue;
                }
                let found = inverse_stage(field, (load(&x), load(&y)), by, twiddle(&m, w));
                let (sum, product) = (lanes(found.0), lanes(found.1));
                for lane in 0..LANES {
                    let (x, y) = (modulo(x[lane], q), modulo(y[lane], q));
                    assert!(sum[lane] < 2 * q && product[lane].cast_signed().unsigned_abs() < q);
                    assert_eq!(sum[lane] % q, m.add(x, y));
                    assert_eq!(modulo(product[lane], q), m.mul(m.sub(y, x), w));
                }
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
        check_forward::<8>(largest(1 << 49));
        check_forward::<6>(largest((1 << 52) / 6));
        check_forward::<4>(largest(1 << 50));
        check_forward::<8>(17);
        check_inverse(largest(1 << 50));
        check_inverse(17);
    }
}
