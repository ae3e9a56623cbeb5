//! Described constants against the stages that they come from, applied one by one.

use cipherloom_plan::fourier::entry;
use cipherloom_plan::{Fourier, Repeat, period_of_boxes};
use std::f64::consts::TAU;

type Complex = (f64, f64);

fn add(a: Complex, b: Complex) -> Complex {
    (a.0 + b.0, a.1 + b.1)
}

fn mul(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

fn scaled(a: Complex, factor: f64) -> Complex {
    (factor * a.0, factor * a.1)
}

/// Numbers without a pattern.
fn sample(n: usize) -> Vec<Complex> {
    let value = |i: usize| (i as f64 * 2.399 + 0.3).sin();
    (0..n).map(|i| (value(2 * i), value(2 * i + 1))).collect()
}

/// 5^exponent modulo 2^bits as an angle of the circle.
fn root(exponent: usize, bits: u32) -> Complex {
    let power = (0..exponent).fold(1_u64, |power, _| power * 5 % (1 << bits));
    let (sin, cos) = (TAU * power as f64 / (1_u64 << bits) as f64).sin_cos();
    (cos, sin)
}

/// Stage k of decoding.
fn stage(k: u32, input: &[Complex]) -> Vec<Complex> {
    let half = 1 << (k - 1);
    (0..input.len())
        .map(|p| {
            if p & half == 0 {
                add(input[p], mul(root(p % half, k + 2), input[p + half]))
            } else {
                let turned = mul(root((p - half) % half, k + 2), input[p]);
                add(input[p - half], scaled(turned, -1.0))
            }
        })
        .collect()
}

fn description(log_slots: u8, first: u8, last: u8, inverse: bool) -> Fourier {
    Fourier {
        log_slots,
        first,
        last,
        inverse,
        diagonal: 0,
        shift: 0,
        factor: 1.0,
    }
}

/// Σ_d diagonal_d ⊙ rot_d(input) over all diagonals that the stages have.
fn apply(fourier: Fourier, input: &[Complex]) -> Vec<Complex> {
    let n = input.len();
    let reach = 1_i32 << fourier.last;
    let mut out = vec![(0.0, 0.0); n];
    // Where the diagonals wrap around, −d and n − d are the same: each once.
    let lowest = if usize::from(fourier.last) == n.ilog2() as usize {
        0
    } else {
        1 - reach
    };
    for diagonal in (lowest..reach).filter(|diagonal| diagonal % (1 << fourier.first) == 0) {
        let fourier = Fourier { diagonal, ..fourier };
        for (r, out) in out.iter_mut().enumerate() {
            let turned = input[(r as i32 + diagonal).rem_euclid(n as i32) as usize];
            *out = add(*out, mul(entry(&fourier, r as u32), turned));
        }
    }
    out
}

#[track_caller]
fn assert_close(found: &[Complex], expected: &[Complex], bound: f64) {
    for (slot, (a, b)) in found.iter().zip(expected).enumerate() {
        let error = (a.0 - b.0).hypot(a.1 - b.1);
        assert!(error <= bound, "slot {slot}: {a:?}, expected {b:?}");
    }
}

/// Sums of at most 64 terms of size at most 2, each with an error of a few 2^-53.
const BOUND: f64 = 1e-13;

#[test]
fn diagonals_make_up_the_stages() {
    let log_slots = 6;
    let input = sample(64);
    for first in 0..log_slots {
        for last in first + 1..=log_slots {
            let expected = (first + 1..=last).fold(input.clone(), |value, k| stage(u32::from(k), &value));
            let forward = description(log_slots, first, last, false);
            assert_close(&apply(forward, &input), &expected, BOUND);
            let inverse = description(log_slots, first, last, true);
            assert_close(&apply(inverse, &expected), &input, BOUND);
        }
    }
}

#[test]
fn a_shift_turns_the_diagonal_right() {
    for inverse in [false, true] {
        let plain = Fourier {
            diagonal: -12,
            ..description(6, 2, 4, inverse)
        };
        let all: Vec<Complex> = (0..64).map(|slot| entry(&plain, slot)).collect();
        assert!(all.iter().any(|&value| value != (0.0, 0.0)));
        for shift in [-63_i32, -5, 0, 1, 40, 63] {
            let factor = -0.75;
            let turned = Fourier {
                shift,
                factor,
                ..plain
            };
            for slot in 0..64_u32 {
                let from = (slot as i32 - shift).rem_euclid(64) as usize;
                assert_eq!(entry(&turned, slot), scaled(all[from], factor), "{shift}, {slot}");
            }
        }
    }
}

/// The largest ring has 2^16 slots; an entry is one root of unity, correct to the last bits whatever the number of stages.
#[test]
fn entries_are_accurate_in_the_largest_ring() {
    let fourier = Fourier {
        diagonal: 0xABCD,
        ..description(16, 0, 16, false)
    };
    for row in [0_u32, 1, 77, 0x5432, 0xFFFF] {
        let column = (row + 0xABCD) % (1 << 16);
        let mut expected = (1.0, 0.0);
        for k in (1..=16_u32).filter(|k| column >> (k - 1) & 1 == 1) {
            let root = root(row as usize % (1 << (k - 1)), k + 2);
            let sign = if row >> (k - 1) & 1 == 1 { -1.0 } else { 1.0 };
            expected = scaled(mul(expected, root), sign);
        }
        assert_close(&[entry(&fourier, row)], &[expected], 2e-14);
    }
}

#[test]
fn descriptions_that_no_plan_can_have_are_zero() {
    for (log_slots, first, last) in [(6, 3, 3), (6, 2, 7), (17, 0, 17), (255, 0, 255)] {
        assert_eq!(entry(&description(log_slots, first, last, false), 3), (0.0, 0.0));
    }
}

/// The shortest power of two after which all slots repeat.
fn shortest_period<T: PartialEq>(slots: &[T]) -> u32 {
    let repeats = |period: &usize| (*period..slots.len()).all(|at| slots[at] == slots[at - period]);
    (0..).map(|log| 1 << log).find(repeats).unwrap_or(slots.len()) as u32
}

/// However far it is turned, to the bit.
#[test]
fn a_diagonal_repeats_with_its_largest_butterfly() {
    let log_slots = 6;
    for (first, last, inverse) in [
        (0, 2, false),
        (1, 4, true),
        (2, 5, false),
        (3, 6, true),
        (0, 6, false),
    ] {
        let stride = 1 << first;
        for diagonal in (1 - (1 << (last - first))..1 << (last - first)).map(|step: i32| step * stride) {
            for shift in [0, 1, -17, 40] {
                let described = Fourier {
                    diagonal,
                    shift,
                    ..description(log_slots, first, last, inverse)
                };
                let slots: Vec<_> = (0..1 << log_slots).map(|slot| entry(&described, slot)).collect();
                let shortest = shortest_period(&slots);
                assert_eq!(described.period(), 1 << last);
                assert!(
                    shortest <= described.period(),
                    "{described:?} repeats after {shortest}"
                );
                // The last stage's roots take all angles on the diagonals that go through it.
                if diagonal.unsigned_abs() >= 1 << (last - 1) {
                    assert_eq!(shortest, described.period(), "{described:?}");
                }
            }
        }
    }
}

#[test]
fn boxes_repeat_where_their_progressions_come_round() {
    let slots = 64;
    let cases: [(u32, &[(u32, u32)]); 8] = [
        (64, &[]),
        (64, &[(1, 64), (5, 3)]),
        (64, &[(3, 16)]),
        (16, &[(4, 16)]),
        (16, &[(3, 2), (4, 16)]),
        (4, &[(4, 16), (4, 4)]),
        (1, &[(4, 4), (4, 16), (4, 1)]),
        (64, &[(2, 16), (0, 64)]),
    ];
    for (period, dims) in cases {
        let dims = || dims.iter().map(|&(count, stride)| Repeat { count, stride });
        assert_eq!(
            period_of_boxes(slots, dims),
            period,
            "{:?}",
            dims().collect::<Vec<_>>()
        );
        let mut marked = vec![false; slots as usize];
        let mut places = vec![1];
        for dim in dims() {
            let spread = |place: u32| (0..dim.count).map(move |k| place + k * dim.stride);
            places = places.into_iter().flat_map(spread).collect();
        }
        places
            .iter()
            .for_each(|&place| marked[(place % slots) as usize] = true);
        assert!(shortest_period(&marked) <= period);
    }
}
