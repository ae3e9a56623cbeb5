//! Every instruction against the same arithmetic on clear slots.

mod common;

use cipherloom_ckks::Basis;
use cipherloom_plan::Op;
use cipherloom_plan::data::*;
use cipherloom_ring::automorphism::{conjugation_element, galois_element};
use common::*;

/// A fresh encryption errs by σ·√N / scale ≈ 2^-33.3 (one standard deviation of a slot); key switching and
/// rescaling by about √(N·2N/3/12) / scale ≈ 2^-32. 2^-28 is beyond ten standard deviations of everything
/// here that stays at the scale 2^40 or above, and far below any mistake.
const BOUND: f64 = 1.0 / (1u64 << 28) as f64;
/// The plan's primes of about 2^40 are not exactly the scale: a product is rescaled to scale²/q.
const P2: f64 = SCALE * SCALE;

fn x(slot: usize) -> f64 {
    sample(1)[slot]
}

fn y(slot: usize) -> f64 {
    sample(2)[slot]
}

fn z(slot: usize) -> f64 {
    sample(3)[slot]
}

fn data(name: &str, _step: u32) -> Vec<f64> {
    sample(match name {
        "x" => 1,
        "y" => 2,
        _ => panic!("no input {name}"),
    })
}

/// Runs a plan made from inputs x and y at the top level and checks its output "out".
fn check(build: impl FnOnce(&mut Toy, u32, u32), expected: impl Fn(usize) -> (f64, f64)) {
    check_within(BOUND, build, expected);
}

fn check_within(bound: f64, build: impl FnOnce(&mut Toy, u32, u32), expected: impl Fn(usize) -> (f64, f64)) {
    let mut toy = Toy::new();
    let (x, y) = (toy.input("x", TOP), toy.input("y", TOP));
    build(&mut toy, x, y);
    let bytes = toy.bytes();
    let trace = run::<u64>(&bytes, data).unwrap();
    assert_close_complex(trace.one("out"), &expected, bound);
    // Checking every operand must not change anything, nor refuse a correct plan.
    let options = cipherloom_exec::Options {
        allow_toy: true,
        verified: false,
    };
    let checked = run_with::<u64>(&bytes, options, data).unwrap();
    assert_eq!(trace.words, checked.words);
}

#[test]
fn input_to_output() {
    check(|toy, x, _| toy.output("out", x, TOP, SCALE), |s| (x(s), 0.0));
}

#[test]
fn input_below_its_ports_level() {
    let mut toy = Toy::new();
    let port = toy.port("x", PortKind::Input, TOP, SCALE);
    let low = toy.ct(1, 1);
    toy.emit(Op::Input, 1, 0, low, port, 0);
    toy.output("out", low, 1, SCALE);
    let trace = run::<u64>(&toy.bytes(), data).unwrap();
    assert_close(trace.one("out"), x, BOUND);
}

#[test]
fn a_plaintext_is_a_trivial_ciphertext() {
    check(
        |toy, x, _| {
            let constant = toy.constant(sample(3), SCALE);
            let plain = toy.plaintext(constant, TOP, Basis::Q);
            let (trivial, product) = (toy.ct(TOP, 1), toy.ct(TOP, 2));
            toy.emit(Op::Trivial, TOP, 0, trivial, plain, 0);
            // It is a ciphertext like any other.
            toy.emit(Op::Mul, TOP, 0, product, x, trivial);
            let key = toy.key(KeyKind::Relinearise, TOP);
            let out = toy.ct(TOP, 1);
            toy.emit(Op::Relinearize, TOP, 0, out, product, key);
            toy.output("out", out, TOP, P2);
        },
        |s| (x(s) * z(s), 0.0),
    );
}

#[test]
fn add_sub_neg() {
    for in_place in [false, true] {
        for (op, f) in [
            (Op::Add, (|a, b| a + b) as fn(f64, f64) -> f64),
            (Op::Sub, |a, b| a - b),
            (Op::Neg, |a, _| -a),
        ] {
            check(
                |toy, x, y| {
                    let dst = if in_place { x } else { toy.ct(TOP, 1) };
                    toy.emit(op, TOP, 0, dst, x, if op == Op::Neg { 0 } else { y });
                    toy.output("out", dst, TOP, SCALE);
                },
                |s| (f(x(s), y(s)), 0.0),
            );
        }
    }
}

#[test]
fn add_sub_neg_in_basis_qp() {
    check(
        |toy, x, y| {
            let words = toy.words(TOP, 2, Basis::Qp);
            let [a, b, c] = [(); 3].map(|()| toy.buffer(words));
            toy.emit(Op::LiftAcc, TOP, AUX_INIT, a, x, 0);
            toy.emit(Op::LiftAcc, TOP, AUX_INIT, b, y, 0);
            toy.emit(Op::Sub, TOP, AUX_QP, c, a, b);
            toy.emit(Op::Add, TOP, AUX_QP, c, c, a);
            toy.emit(Op::Neg, TOP, AUX_QP, c, c, 0);
            let out = toy.ct(TOP, 1);
            toy.emit(Op::ModDown, TOP, 0, out, c, 0);
            toy.output("out", out, TOP, SCALE);
        },
        |s| (y(s) - 2.0 * x(s), 0.0),
    );
}

#[test]
fn plaintexts() {
    for in_place in [false, true] {
        for (op, f) in [
            (Op::AddPlain, (|a, b| a + b) as fn(f64, f64) -> f64),
            (Op::SubPlain, |a, b| a - b),
            (Op::MulPlain, |a, b| a * b),
        ] {
            check(
                |toy, x, _| {
                    let constant = toy.constant(sample(3), SCALE);
                    let plain = toy.plaintext(constant, TOP, Basis::Q);
                    let dst = if in_place { x } else { toy.ct(TOP, 1) };
                    toy.emit(op, TOP, 0, dst, x, plain);
                    toy.output("out", dst, TOP, if op == Op::MulPlain { P2 } else { SCALE });
                },
                |s| (f(x(s), z(s)), 0.0),
            );
        }
    }
}

#[test]
fn plaintext_of_fewer_values_repeats() {
    check(
        |toy, x, _| {
            let constant = toy.constant(vec![1.0, -2.0, 0.5, 0.25], SCALE);
            let plain = toy.plaintext(constant, TOP, Basis::Q);
            toy.emit(Op::MulPlain, TOP, 0, x, x, plain);
            toy.output("out", x, TOP, P2);
        },
        |s| (x(s) * [1.0, -2.0, 0.5, 0.25][s % 4], 0.0),
    );
}

#[test]
fn plaintext_of_boxes_is_a_mask() {
    check(
        |toy, x, _| {
            let dims = vec![Repeat { count: 4, stride: 64 }, Repeat { count: 3, stride: 1 }];
            let kind = ConstantKind::Boxes {
                value: 0.5,
                offset: 5,
                dims,
            };
            toy.data.constants.push(Constant { kind, scale: SCALE });
            let plain = toy.plaintext(0, TOP, Basis::Q);
            toy.emit(Op::MulPlain, TOP, 0, x, x, plain);
            toy.output("out", x, TOP, P2);
        },
        |s| {
            (
                if s < 4 * 64 && (5..8).contains(&(s % 64)) {
                    0.5 * x(s)
                } else {
                    0.0
                },
                0.0,
            )
        },
    );
}

#[test]
fn mul_plain_acc_sums() {
    check(
        |toy, x, y| {
            let constants = [toy.constant(sample(3), SCALE), toy.constant(sample(4), SCALE)];
            let plains = constants.map(|constant| toy.plaintext(constant, TOP, Basis::Q));
            let acc = toy.ct(TOP, 1);
            toy.emit(Op::MulPlainAcc, TOP, AUX_INIT, acc, x, plains[0]);
            toy.emit(Op::MulPlainAcc, TOP, 0, acc, y, plains[1]);
            toy.output("out", acc, TOP, P2);
        },
        |s| (x(s) * z(s) + y(s) * sample(4)[s], 0.0),
    );
}

#[test]
fn scalars() {
    for in_place in [false, true] {
        check(
            |toy, x, _| {
                let (half, third) = (toy.scalar(vec![0.5], SCALE), toy.scalar(vec![-1.0 / 3.0], P2));
                let minus_two = toy.scalar(vec![-2.0], 1.0);
                let dst = |toy: &mut Toy| if in_place { x } else { toy.ct(TOP, 1) };
                let product = dst(toy);
                toy.emit(Op::MulScalar, TOP, 0, product, x, half);
                let sum = dst(toy);
                toy.emit(Op::AddScalar, TOP, 0, sum, product, third);
                let doubled = dst(toy);
                toy.emit(Op::MulScalar, TOP, 0, doubled, sum, minus_two);
                toy.output("out", doubled, TOP, P2);
            },
            |s| (-2.0 * (0.5 * x(s) - 1.0 / 3.0), 0.0),
        );
    }
}

#[test]
fn mul_i_turns_by_a_right_angle() {
    for in_place in [false, true] {
        check(
            |toy, x, y| {
                let dst = if in_place { y } else { toy.ct(TOP, 1) };
                toy.emit(Op::MulI, TOP, 0, dst, y, 0);
                toy.emit(Op::Add, TOP, 0, dst, dst, x);
                toy.output("out", dst, TOP, SCALE);
            },
            |s| (x(s), y(s)),
        );
    }
}

#[test]
fn products_relinearised_and_rescaled() {
    check(
        |toy, x, y| {
            let key = toy.key(KeyKind::Relinearise, TOP);
            let (product, square) = (toy.ct(TOP, 2), toy.ct(TOP, 2));
            toy.emit(Op::Mul, TOP, 0, product, x, y);
            toy.emit(Op::MulAcc, TOP, 0, product, y, y);
            toy.emit(Op::Square, TOP, 0, square, x, 0);
            toy.emit(Op::Sub, TOP, AUX_DEGREE_2, product, product, square);
            let (linear, out) = (toy.ct(TOP, 1), toy.ct(TOP - 1, 1));
            toy.emit(Op::Relinearize, TOP, 0, linear, product, key);
            toy.emit(Op::Rescale, TOP - 1, 0, out, linear, 0);
            let scale = P2 / toy.prime(TOP);
            toy.output("out", out, TOP - 1, scale);
        },
        |s| (x(s) * y(s) + y(s) * y(s) - x(s) * x(s), 0.0),
    );
}

#[test]
fn degree_2_values_take_linear_operations_rescale_and_drop() {
    // Rescaling rounds c_2 too, and s² has coefficients of variance 4N/9: the error has a standard deviation
    // of √N·√(N·4N/9/12) / scale ≈ 2^-27.4 in a slot.
    check_within(
        1.0 / (1u64 << 24) as f64,
        |toy, x, y| {
            let key = toy.key(KeyKind::Relinearise, TOP);
            let product = toy.ct(TOP, 2);
            toy.emit(Op::Mul, TOP, 0, product, x, y);
            let constant = toy.constant(sample(3), P2);
            let plain = toy.plaintext(constant, TOP, Basis::Q);
            toy.emit(Op::AddPlain, TOP, AUX_DEGREE_2, product, product, plain);
            let (half, two) = (toy.scalar(vec![0.5], P2), toy.scalar(vec![2.0], 1.0));
            toy.emit(Op::AddScalar, TOP, AUX_DEGREE_2, product, product, half);
            toy.emit(Op::MulScalar, TOP, AUX_DEGREE_2, product, product, two);
            toy.emit(Op::Neg, TOP, AUX_DEGREE_2, product, product, 0);
            let (rescaled, dropped, out) = (toy.ct(TOP - 1, 2), toy.ct(1, 2), toy.ct(1, 1));
            toy.emit(Op::Rescale, TOP - 1, AUX_DEGREE_2, rescaled, product, 0);
            toy.emit(Op::Drop, 1, AUX_DEGREE_2, dropped, rescaled, u32::from(TOP - 1));
            // A key capped higher serves a lower level.
            toy.emit(Op::Relinearize, 1, 0, out, dropped, key);
            let scale = P2 / toy.prime(TOP);
            toy.output("out", out, 1, scale);
        },
        |s| (-2.0 * (x(s) * y(s) + z(s) + 0.5), 0.0),
    );
}

#[test]
fn drop_to_each_level() {
    for level in 0..=TOP {
        check(
            |toy, x, _| {
                let low = toy.ct(level, 1);
                toy.emit(Op::Drop, level, 0, low, x, u32::from(TOP));
                toy.output("out", low, level, SCALE);
            },
            |s| (x(s), 0.0),
        );
    }
}

#[test]
fn rotations_left_right_and_conjugation() {
    let log_n = u32::from(LOG_N);
    for by in [1i64, 7, -3, 256] {
        check(
            |toy, x, _| {
                let key = toy.key(KeyKind::Galois(galois_element(log_n, by)), TOP);
                let out = toy.ct(TOP, 1);
                toy.emit(Op::Rotate, TOP, 0, out, x, key);
                toy.output("out", out, TOP, SCALE);
            },
            |s| (x((s as i64 + by).rem_euclid(SLOTS as i64) as usize), 0.0),
        );
    }
    check(
        |toy, x, y| {
            let key = toy.key(KeyKind::Galois(conjugation_element(log_n)), TOP);
            let (sum, out) = (toy.ct(TOP, 1), toy.ct(TOP, 1));
            toy.emit(Op::MulI, TOP, 0, y, y, 0);
            toy.emit(Op::Add, TOP, 0, sum, x, y);
            toy.emit(Op::Rotate, TOP, 0, out, sum, key);
            toy.output("out", out, TOP, SCALE);
        },
        |s| (x(s), -y(s)),
    );
}

#[test]
fn hoisted_rotations_share_a_mod_down() {
    check(
        |toy, x, y| {
            let element = |by| KeyKind::Galois(galois_element(u32::from(LOG_N), by));
            let keys = [toy.key(element(1), TOP), toy.key(element(5), TOP - 1)];
            let level = TOP - 1;
            let [low_x, low_y] = [x, y].map(|from| {
                let low = toy.ct(level, 1);
                toy.emit(Op::Drop, level, 0, low, from, u32::from(TOP))
            });
            let digits = (u64::from(level) + 1).div_ceil(2);
            let words = toy.words(level, 1, Basis::Q) + digits * toy.words(level, 1, Basis::Qp);
            let decomposed = toy.buffer(words);
            let words = toy.words(level, 2, Basis::Qp);
            let (acc, weighted) = (toy.buffer(words), toy.buffer(words));
            toy.emit(Op::Decompose, level, 0, decomposed, low_x, 0);
            toy.emit(Op::RotateAcc, level, AUX_INIT, acc, decomposed, keys[0]);
            toy.emit(Op::RotateAcc, level, 0, acc, decomposed, keys[1]);
            toy.emit(Op::LiftAcc, level, 0, acc, low_y, 0);
            // Plaintext products in basis qp, summed before the one mod-down.
            let constants = [toy.constant(sample(3), SCALE), toy.constant(vec![0.5], SCALE)];
            let plains = constants.map(|constant| toy.plaintext(constant, level, Basis::Qp));
            toy.emit(
                Op::MulPlainAcc,
                level,
                AUX_QP | AUX_INIT,
                weighted,
                acc,
                plains[0],
            );
            toy.emit(Op::MulPlainAcc, level, AUX_QP, weighted, acc, plains[1]);
            let (down, out) = (toy.ct(level, 1), toy.ct(level - 1, 1));
            toy.emit(Op::ModDown, level, 0, down, weighted, 0);
            toy.emit(Op::Rescale, level - 1, 0, out, down, 0);
            let scale = P2 / toy.prime(level);
            toy.output("out", out, level - 1, scale);
        },
        |s| {
            (
                (x((s + 1) % SLOTS) + x((s + 5) % SLOTS) + y(s)) * (z(s) + 0.5),
                0.0,
            )
        },
    );
}

#[test]
fn a_sum_of_many_products_in_both_bases() {
    // 3 and 11 terms, overwriting and adding, and more than any group in which terms may be taken together.
    for (basis, count) in [(Basis::Q, 3), (Basis::Q, 33), (Basis::Qp, 11)] {
        // The weights of x, or of y, sum up to at most 17, and their errors with them.
        check_within(
            32.0 * BOUND,
            |toy, x, y| {
                let qp = if basis == Basis::Qp { AUX_QP } else { 0 };
                let words = toy.words(TOP, 2, basis);
                let (terms, sum) = (toy.buffers(count, words), toy.buffer(words));
                for index in 0..count {
                    let from = if index % 2 == 0 { x } else { y };
                    match basis {
                        Basis::Qp => toy.emit(Op::LiftAcc, TOP, AUX_INIT, terms + index, from, 0),
                        Basis::Q => toy.emit(Op::Drop, TOP, 0, terms + index, from, u32::from(TOP)),
                    };
                }
                let words = toy.words(TOP, 1, basis);
                let plains = toy.buffers(count, words);
                for index in 0..count {
                    let constant = toy.constant(vec![f64::from(index) / 16.0, -1.0 / 16.0], SCALE);
                    toy.emit(Op::Encode, TOP, qp, plains + index, constant, 0);
                }
                toy.emit(
                    Op::MulPlainSum,
                    TOP,
                    aux_sum(qp | AUX_INIT, 1),
                    sum,
                    terms,
                    plains,
                );
                let rest = aux_sum(qp, count as u16 - 1);
                toy.emit(Op::MulPlainSum, TOP, rest, sum, terms + 1, plains + 1);
                let out = toy.ct(TOP, 1);
                match basis {
                    Basis::Qp => toy.emit(Op::ModDown, TOP, 0, out, sum, 0),
                    Basis::Q => toy.emit(Op::Drop, TOP, 0, out, sum, u32::from(TOP)),
                };
                toy.output("out", out, TOP, P2);
            },
            |s| {
                let term = |index: u32| {
                    let factor = if s % 2 == 0 { f64::from(index) } else { -1.0 };
                    factor / 16.0 * if index.is_multiple_of(2) { x(s) } else { y(s) }
                };
                ((0..count).map(term).sum(), 0.0)
            },
        );
    }
}

/// A plan of everything that takes a plaintext; its constants repeat after four slots.
fn with_plaintexts(mut toy: Toy, compact: u8) -> Vec<u8> {
    let top = toy.data.parameters.q.len() as u8 - 1;
    let scale = toy.data.parameters.log_scale.exp2();
    let (x, y) = (toy.input("x", top), toy.input("y", top));
    let encode = |toy: &mut Toy, values: [f64; 4], basis: Basis| {
        let words = toy.words(top, 1, basis) >> compact;
        let dst = toy.buffer(words);
        let constant = toy.constant(values.to_vec(), scale);
        let qp = if basis == Basis::Qp { AUX_QP } else { 0 };
        toy.emit(Op::Encode, top, aux_compact(qp, compact), dst, constant, 0)
    };
    let values = [0.5, -0.25, 1.0, 0.125];
    let plain = encode(&mut toy, values, Basis::Q);
    let [sum, trivial, product] = [0; 3].map(|_| toy.ct(top, 1));
    let aux = aux_compact(0, compact);
    toy.emit(Op::AddPlain, top, aux, sum, x, plain);
    toy.emit(Op::Trivial, top, aux, trivial, plain, 0);
    toy.emit(Op::SubPlain, top, aux, trivial, trivial, plain);
    toy.emit(Op::Add, top, 0, sum, sum, trivial);
    toy.emit(Op::MulPlain, top, aux, product, sum, plain);
    toy.emit(Op::MulPlainAcc, top, aux, product, y, plain);
    let lifted = toy.buffers(2, toy.words(top, 2, Basis::Qp));
    let total = toy.buffer(toy.words(top, 2, Basis::Qp));
    toy.emit(Op::LiftAcc, top, AUX_INIT, lifted, sum, 0);
    toy.emit(Op::LiftAcc, top, AUX_INIT, lifted + 1, y, 0);
    let plains = [[1.0, 0.0, 0.0, 0.0], values].map(|values| encode(&mut toy, values, Basis::Qp));
    let aux = aux_sum(aux_compact(AUX_QP | AUX_INIT, compact), 2);
    toy.emit(Op::MulPlainSum, top, aux, total, lifted, plains[0]);
    let [down, out] = [0; 2].map(|_| toy.ct(top, 1));
    toy.emit(Op::ModDown, top, 0, down, total, 0);
    toy.emit(Op::Add, top, 0, out, down, product);
    toy.output("out", out, top, scale * scale);
    toy.bytes()
}

#[test]
fn compact_plaintexts_give_the_same_words() {
    let unverified = cipherloom_exec::Options {
        allow_toy: true,
        verified: false,
    };
    let whole = run::<u64>(&with_plaintexts(Toy::new(), 0), data).unwrap();
    let narrow = run::<u32>(&with_plaintexts(Toy::narrow(), 0), data).unwrap();
    let plain = |s: usize| [0.5, -0.25, 1.0, 0.125][s % 4];
    let first = |s: usize| f64::from(u8::from(s.is_multiple_of(4)));
    let expected = |s: usize| (x(s) + plain(s)) * (plain(s) + first(s)) + 2.0 * y(s) * plain(s);
    assert_close(whole.one("out"), expected, 8.0 * BOUND);
    let most = LOG_N - 5;
    for compact in 1..=most {
        let bytes = with_plaintexts(Toy::new(), compact);
        assert_eq!(run::<u64>(&bytes, data).unwrap().words, whole.words);
        assert_eq!(
            run_with::<u64>(&bytes, unverified, data).unwrap().words,
            whole.words
        );
        let bytes = with_plaintexts(Toy::narrow(), compact);
        assert_eq!(run::<u32>(&bytes, data).unwrap().words, narrow.words);
    }
}

/// Two sums of the same ciphertexts, which may be made together; and behind them one of their results and one that
/// overwrites what the first read, which may not.
#[test]
fn sums_in_a_row_are_as_if_one_by_one() {
    check(
        |toy, x, y| {
            let words = toy.words(TOP, 2, Basis::Q);
            let (terms, sums) = (toy.buffers(2, words), toy.buffers(3, words));
            let plains = toy.buffers(2, toy.words(TOP, 1, Basis::Q));
            for (index, from) in [x, y].into_iter().enumerate() {
                toy.emit(Op::Drop, TOP, 0, terms + index as u32, from, u32::from(TOP));
                let constant = toy.constant(vec![0.5 + index as f64], SCALE.sqrt());
                toy.emit(Op::Encode, TOP, 0, plains + index as u32, constant, 0);
            }
            let aux = aux_sum(AUX_INIT, 2);
            // 0.5·x + 1.5·y, twice; of these 0.5·a + 1.5·a.
            toy.emit(Op::MulPlainSum, TOP, aux, sums, terms, plains);
            toy.emit(Op::MulPlainSum, TOP, aux, sums + 1, terms, plains);
            toy.emit(Op::MulPlainSum, TOP, aux, sums + 2, sums, plains);
            toy.emit(Op::MulPlainSum, TOP, aux, terms, sums, plains);
            let out = toy.ct(TOP, 1);
            toy.emit(Op::Add, TOP, 0, out, sums + 2, terms);
            toy.output("out", out, TOP, P2);
        },
        |s| (4.0 * (0.5 * x(s) + 1.5 * y(s)), 0.0),
    );
}

/// More products for one sum than are made together, begun by a product and by a square; another sum right behind it; and
/// one that begins anew where the first did.
#[test]
fn products_in_a_row_are_as_if_one_by_one() {
    check(
        |toy, x, y| {
            let key = toy.key(KeyKind::Relinearise, TOP);
            let [sum, other] = [0; 2].map(|_| toy.ct(TOP, 2));
            let relinearised = toy.buffers(3, toy.words(TOP, 2, Basis::Q));
            toy.emit(Op::Mul, TOP, 0, sum, x, y);
            for _ in 0..9 {
                toy.emit(Op::MulAcc, TOP, 0, sum, y, y);
            }
            toy.emit(Op::Square, TOP, 0, other, x, 0);
            toy.emit(Op::MulAcc, TOP, 0, other, x, y);
            toy.emit(Op::Relinearize, TOP, 0, relinearised, sum, key);
            toy.emit(Op::Mul, TOP, 0, sum, x, y);
            toy.emit(Op::Mul, TOP, 0, sum, y, x);
            toy.emit(Op::MulAcc, TOP, 0, sum, x, y);
            toy.emit(Op::Relinearize, TOP, 0, relinearised + 1, sum, key);
            toy.emit(Op::Relinearize, TOP, 0, relinearised + 2, other, key);
            let out = toy.ct(TOP, 1);
            toy.emit(Op::Add, TOP, 0, out, relinearised, relinearised + 1);
            toy.emit(Op::Sub, TOP, 0, out, out, relinearised + 2);
            toy.output("out", out, TOP, P2);
        },
        |s| (2.0 * x(s) * y(s) + 9.0 * y(s) * y(s) - x(s) * x(s), 0.0),
    );
}

#[test]
fn fused_divisions_give_what_two_divisions_give() {
    check(
        |toy, x, y| {
            let key = toy.key(KeyKind::Relinearise, TOP);
            let rotation = galois_element(u32::from(LOG_N), 3);
            let rotation = toy.key(KeyKind::Galois(rotation), TOP);
            let (product, fused) = (toy.ct(TOP, 2), toy.ct(TOP - 1, 1));
            toy.emit(Op::Mul, TOP, 0, product, x, y);
            toy.emit(Op::RelinearizeRescale, TOP - 1, 0, fused, product, key);
            let level = TOP - 1;
            let decomposed = toy.buffer(toy.words(level, 1, Basis::Q) + 2 * toy.words(level, 1, Basis::Qp));
            let words = toy.words(level, 2, Basis::Qp);
            let (acc, weighted) = (toy.buffer(words), toy.buffer(words));
            let constant = toy.constant(sample(3), SCALE);
            let plain = toy.plaintext(constant, level, Basis::Qp);
            toy.emit(Op::Decompose, level, 0, decomposed, fused, 0);
            toy.emit(Op::RotateAcc, level, AUX_INIT, acc, decomposed, rotation);
            toy.emit(Op::MulPlain, level, AUX_QP, weighted, acc, plain);
            let out = toy.ct(level - 1, 1);
            toy.emit(Op::ModDownRescale, level - 1, 0, out, weighted, 0);
            let scale = P2 / toy.prime(TOP) * SCALE / toy.prime(level);
            toy.output("out", out, level - 1, scale);
        },
        |s| {
            let turned = (s + 3) % SLOTS;
            (x(turned) * y(turned) * z(s), 0.0)
        },
    );
}

#[test]
fn described_constants_are_complex() {
    let fourier = Fourier {
        log_slots: 7,
        first: 2,
        last: 6,
        inverse: false,
        diagonal: -20,
        shift: 5,
        factor: -0.5,
    };
    for basis in [Basis::Q, Basis::Qp] {
        check(
            |toy, x, _| {
                let constant = toy.fourier(fourier, SCALE);
                let plain = toy.plaintext(constant, TOP, basis);
                let out = toy.ct(TOP, 1);
                match basis {
                    Basis::Q => toy.emit(Op::MulPlain, TOP, 0, out, x, plain),
                    Basis::Qp => {
                        let words = toy.words(TOP, 2, basis);
                        let acc = toy.buffer(words);
                        toy.emit(Op::LiftAcc, TOP, AUX_INIT, acc, x, 0);
                        toy.emit(Op::MulPlain, TOP, AUX_QP, acc, acc, plain);
                        toy.emit(Op::ModDown, TOP, 0, out, acc, 0)
                    }
                };
                toy.output("out", out, TOP, P2);
            },
            |s| {
                let (re, im) = cipherloom_plan::fourier::entry(&fourier, s as u32 % 128);
                (x(s) * re, x(s) * im)
            },
        );
    }
}
