//! Loops, steps, streams, states, and the events that a caller sees.

mod common;

use cipherloom_exec::Options;
use cipherloom_plan::Op;
use cipherloom_plan::data::*;
use common::*;

/// As in the instruction tests: beyond ten standard deviations of the errors here.
const BOUND: f64 = 1.0 / (1u64 << 28) as f64;
const ALLOW_TOY: Options = Options {
    allow_toy: true,
    verified: true,
};

#[test]
fn loops_run_as_often_as_they_say() {
    let mut toy = Toy::new();
    let (x, acc) = (toy.input("x", 1), toy.ct(1, 1));
    toy.emit(Op::Sub, 1, 0, acc, x, x);
    toy.emit(Op::Loop, 0, 0, 0, 3, 0);
    toy.emit(Op::Loop, 0, 0, 0, 2, 0);
    toy.emit(Op::Add, 1, 0, acc, acc, x);
    toy.emit(Op::End, 0, 0, 0, 0, 0);
    toy.emit(Op::Sub, 1, 0, acc, acc, x);
    toy.emit(Op::End, 0, 0, 0, 0, 0);
    toy.emit(Op::Loop, 0, 0, 0, 1, 0);
    toy.emit(Op::Neg, 1, 0, acc, acc, 0);
    toy.emit(Op::End, 0, 0, 0, 0, 0);
    toy.output("out", acc, 1, SCALE);
    let trace = run::<u64>(&toy.bytes(), |_, _| sample(1)).unwrap();
    assert_close(trace.one("out"), |slot| -3.0 * sample(1)[slot], BOUND);
}

/// Three steps of w ← w + rate(t)·x(t), with w carried in a state.
fn training() -> Toy {
    let mut toy = Toy::new();
    toy.data.parameters.steps = 3;
    let w_port = toy.port("w", PortKind::State, 1, SCALE * SCALE);
    let x_port = toy.port("x", PortKind::Stream, 1, SCALE);
    let rate = toy.scalar(vec![1.0, 0.5, -0.25], SCALE);
    let (w, x, weighted) = (toy.ct(1, 1), toy.ct(1, 1), toy.ct(1, 1));
    toy.emit(Op::Loop, 0, 0, 0, 3, 0);
    toy.emit(Op::Step, 0, 0, 0, 0, 0);
    toy.emit(Op::StateLoad, 1, 0, w, w_port, 0);
    toy.emit(Op::Stream, 1, 0, x, x_port, 0);
    toy.emit(Op::MulScalar, 1, 0, weighted, x, rate);
    toy.emit(Op::Add, 1, 0, w, w, weighted);
    toy.emit(Op::StateStore, 1, 0, 0, w, w_port);
    toy.emit(Op::Checkpoint, 0, 0, 0, 0, 0);
    toy.emit(Op::End, 0, 0, 0, 0, 0);
    toy.emit(Op::StateLoad, 1, 0, w, w_port, 0);
    let reveal = toy.port("now", PortKind::Reveal, 1, SCALE * SCALE);
    toy.emit(Op::Reveal, 1, 0, 0, w, reveal);
    toy.output("w", w, 1, SCALE * SCALE);
    toy
}

#[test]
fn steps_streams_states_and_scalars_per_step() {
    let data = |name: &str, step: u32| match name {
        "w" => sample(100),
        _ => sample(u64::from(step)),
    };
    let trace = run::<u64>(&training().bytes(), data).unwrap();
    let expected = |slot: usize| {
        let x = |step| sample(step)[slot];
        sample(100)[slot] + x(0) + 0.5 * x(1) - 0.25 * x(2)
    };
    assert_close(trace.one("w"), expected, BOUND);
    assert_close(trace.one("now"), expected, BOUND);
    let step = |t: u32| {
        let load = format!("need w step {t}");
        [
            format!("step {t}"),
            load,
            format!("need x step {t}"),
            "store w".into(),
            "checkpoint".into(),
        ]
    };
    let mut wanted: Vec<String> = (0..3).flat_map(step).collect();
    wanted.extend(["need w step 2".into(), "reveal now".into(), "output w".into()]);
    assert_eq!(trace.events, wanted);
}

#[test]
fn position_and_step_say_where_the_run_is() {
    let bytes = training().bytes();
    with_client::<u64, _>(&bytes, |plan, client| {
        let memory = cipherloom_exec::Memory::of::<u64>(plan).unwrap();
        let (mut arena, mut slots) = (vec![0; memory.arena_words], vec![0.0; memory.slot_f64s]);
        let mut executor = cipherloom_exec::Executor::new(
            plan,
            client.context,
            client.encoder,
            &mut arena,
            &mut slots,
            &(),
            ALLOW_TOY,
        )
        .unwrap();
        assert_eq!((executor.position(), executor.step()), (0, None));
        assert_eq!(
            executor.next(),
            Ok(cipherloom_exec::Event::StepStarted { step: 0 })
        );
        assert_eq!((executor.position(), executor.step()), (2, Some(0)));
        // Zeros are a ciphertext too: run to the end, which then repeats.
        while executor.next().unwrap() != cipherloom_exec::Event::Done {}
        assert_eq!(
            (executor.position(), executor.step()),
            (plan.instructions().len(), Some(2))
        );
        assert_eq!(executor.next(), Ok(cipherloom_exec::Event::Done));
    })
    .unwrap();
}

#[test]
fn both_word_widths_give_the_same_ciphertexts() {
    let mut toy = Toy::narrow();
    let scale = 26f64.exp2();
    let (x, y) = (toy.input("x", 2), toy.input("y", 2));
    let relinearise = toy.key(KeyKind::Relinearise, 2);
    let rotate = toy.key(
        KeyKind::Galois(cipherloom_ring::automorphism::galois_element(10, 3)),
        1,
    );
    let constant = toy.constant(sample(3), scale);
    let plain = toy.plaintext(constant, 2, cipherloom_ckks::Basis::Q);
    toy.emit(Op::AddPlain, 2, 0, x, x, plain);
    let (product, linear, out, turned) = (toy.ct(2, 2), toy.ct(2, 1), toy.ct(1, 1), toy.ct(1, 1));
    toy.emit(Op::Mul, 2, 0, product, x, y);
    toy.emit(Op::Relinearize, 2, 0, linear, product, relinearise);
    toy.emit(Op::Rescale, 1, 0, out, linear, 0);
    toy.emit(Op::Rotate, 1, 0, turned, out, rotate);
    let out_scale = scale * scale / toy.prime(2);
    toy.output("out", turned, 1, out_scale);
    let bytes = toy.bytes();
    let data = |name: &str, _| sample(if name == "x" { 1 } else { 2 });
    let (wide, narrow) = (
        run::<u64>(&bytes, data).unwrap(),
        run::<u32>(&bytes, data).unwrap(),
    );
    assert_eq!(wide.words, narrow.words);
    // At scale 2^22 the slots err by about √N·√(2N/3/12) / 2^22 ≈ 2^-14.2; ten times that.
    let expected = |slot: usize| {
        let slot = (slot + 3) % SLOTS;
        (sample(1)[slot] + sample(3)[slot]) * sample(2)[slot]
    };
    assert_close(narrow.one("out"), expected, 1.0 / 1024.0);
}
