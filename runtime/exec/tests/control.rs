//! Loops, steps, streams, states, and the events that a caller sees.

mod common;

use cipherloom_exec::{Event, ExecError, Executor, Memory, Options, Snapshot};
use cipherloom_plan::Op;
use cipherloom_plan::data::*;
use common::*;
use std::collections::BTreeMap;

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

/// Two epochs of three steps; each hands out what is revealed and what comes out.
#[test]
fn epochs_end_with_their_outputs() {
    let mut toy = training();
    toy.data.parameters.steps = 6;
    toy.data.scalars[0].values = vec![1.0, 0.5, -0.25, 1.0, 2.0, 0.0];
    let outer = Instruction {
        a: 2,
        ..Instruction::new(Op::Loop)
    };
    toy.data.instructions.insert(0, outer);
    let ending = [Op::Epoch, Op::Checkpoint, Op::End];
    toy.data.instructions.extend(ending.map(Instruction::new));
    let data = |name: &str, step: u32| match name {
        "w" => sample(100),
        _ => sample(u64::from(step)),
    };
    let trace = run::<u64>(&toy.bytes(), data).unwrap();
    let outputs = &trace.values["w"];
    assert_eq!(outputs.len(), 2);
    let x = |step: u64, slot: usize| sample(step)[slot];
    let first = |slot: usize| sample(100)[slot] + x(0, slot) + 0.5 * x(1, slot) - 0.25 * x(2, slot);
    assert_close(&outputs[0], first, BOUND);
    assert_close(
        &outputs[1],
        |slot| first(slot) + x(3, slot) + 2.0 * x(4, slot),
        BOUND,
    );
    let marks: Vec<&str> = trace
        .events
        .iter()
        .map(String::as_str)
        .filter(|event| {
            ["step", "epoch", "reveal", "output"]
                .iter()
                .any(|mark| event.starts_with(mark))
        })
        .collect();
    let epoch = |number: u32| {
        let steps = (3 * number..3 * number + 3).map(|step| format!("step {step}"));
        let ends = [
            "reveal now".to_owned(),
            "output w".to_owned(),
            format!("epoch {number}"),
        ];
        steps.chain(ends)
    };
    assert_eq!(marks, epoch(0).chain(epoch(1)).collect::<Vec<_>>());
}

#[test]
fn position_and_step_say_where_the_run_is() {
    let bytes = training().bytes();
    with_client::<u64, _>(&bytes, |plan, client| {
        let memory = Memory::of::<u64>(plan).unwrap();
        let (mut arena, mut slots) = (vec![0; memory.arena_words], vec![0.0; memory.slot_f64s]);
        let mut executor = Executor::new(
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
        assert_eq!(executor.next(), Ok(Event::StepStarted { step: 0 }));
        assert_eq!((executor.position(), executor.step()), (2, Some(0)));
        // Zeros are a ciphertext too: run to the end, which then repeats.
        while executor.next().unwrap() != Event::Done {}
        assert_eq!(
            (executor.position(), executor.step()),
            (plan.instructions().len(), Some(2))
        );
        assert_eq!(executor.next(), Ok(Event::Done));
    })
    .unwrap();
}

/// What passes between an executor and a caller who has all inputs as ciphertexts of zeros and keeps what comes out.
fn to_the_end(executor: &mut Executor<'_, u64, ()>, states: &mut States) -> Vec<Vec<u64>> {
    let mut out = Vec::new();
    while let Some(words) = next_output(executor, states) {
        out.extend(words);
    }
    out
}

type States = BTreeMap<u32, Vec<u64>>;

/// Goes on to the next event: none at the end, else what was handed out there.
fn next_output(executor: &mut Executor<'_, u64, ()>, states: &mut States) -> Option<Option<Vec<u64>>> {
    match executor.next().unwrap() {
        Event::NeedInput {
            tile,
            step,
            destination,
            port,
            ..
        } => {
            match states.get(&tile).filter(|_| port == 0) {
                Some(state) => destination.copy_from_slice(state),
                None => destination
                    .iter_mut()
                    .enumerate()
                    .for_each(|(index, word)| *word = index as u64 * 31 + u64::from(step)),
            }
            Some(None)
        }
        Event::StoreState { tile, ciphertext, .. } => {
            states.insert(tile, ciphertext.to_vec());
            Some(None)
        }
        Event::Output { ciphertext, .. } | Event::Reveal { ciphertext, .. } => {
            Some(Some(ciphertext.to_vec()))
        }
        Event::Done => None,
        _ => Some(None),
    }
}

#[test]
fn a_run_goes_on_from_a_snapshot_at_any_event() {
    let bytes = training().bytes();
    with_client::<u64, _>(&bytes, |plan, client| {
        let memory = Memory::of::<u64>(plan).unwrap();
        let mut stopped = 0;
        let mut whole = None;
        for events in 0.. {
            let (mut arena, mut slots) = (vec![0; memory.arena_words], vec![0.0; memory.slot_f64s]);
            let new = |arena, slots| {
                Executor::new(plan, client.context, client.encoder, arena, slots, &(), ALLOW_TOY).unwrap()
            };
            let mut first = new(&mut arena, &mut slots);
            let (mut states, mut out) = (States::new(), Vec::new());
            let ended = (0..events).any(|_| match next_output(&mut first, &mut states) {
                Some(words) => {
                    out.extend(words);
                    false
                }
                None => true,
            });
            let snapshot = first.snapshot();
            let count = plan.buffers().len();
            let buffers: Vec<Vec<u64>> = (0..count)
                .map(|index| first.buffer(index).unwrap().to_vec())
                .collect();

            let (mut arena, mut slots) = (vec![7; memory.arena_words], vec![0.0; memory.slot_f64s]);
            let mut second = new(&mut arena, &mut slots);
            second.restore(&snapshot).unwrap();
            assert_eq!(second.snapshot(), snapshot);
            for (index, words) in buffers.iter().enumerate() {
                second.buffer_mut(index).unwrap().copy_from_slice(words);
            }
            out.extend(to_the_end(&mut second, &mut states));
            let whole = whole.get_or_insert_with(|| out.clone());
            assert_eq!(whole.len(), 2);
            assert!(*whole == out, "after {events} events");
            stopped = events;
            if ended {
                break;
            }
        }
        // Five in each of three steps, then load, reveal, output.
        assert_eq!(stopped, 3 * 5 + 3 + 1);
    })
    .unwrap();
}

#[test]
fn a_snapshot_of_another_plan_is_refused() {
    let bytes = training().bytes();
    with_client::<u64, _>(&bytes, |plan, client| {
        let memory = Memory::of::<u64>(plan).unwrap();
        let (mut arena, mut slots) = (vec![0; memory.arena_words], vec![0.0; memory.slot_f64s]);
        let (context, encoder) = (client.context, client.encoder);
        let mut executor =
            Executor::new(plan, context, encoder, &mut arena, &mut slots, &(), ALLOW_TOY).unwrap();
        let mut restore = |position: usize, step: Option<u32>, left: &[u32]| {
            let left = left.iter().copied().collect();
            executor.restore(&Snapshot { position, step, left })
        };
        // The loop is instruction 0 and runs three times.
        assert_eq!(restore(2, Some(2), &[0]), Ok(()));
        assert_eq!(restore(0, None, &[]), Ok(()));
        let wrong = |position| Err(ExecError::Snapshot { position });
        assert_eq!(restore(2, Some(2), &[3]), wrong(2));
        assert_eq!(restore(2, Some(2), &[]), wrong(2));
        assert_eq!(restore(2, Some(2), &[1, 1]), wrong(2));
        assert_eq!(restore(2, Some(3), &[0]), wrong(2));
        assert_eq!(restore(1000, Some(2), &[]), wrong(1000));
        assert_eq!(executor.encode(2), wrong(2));
        assert!(executor.buffer(1000).is_none() && executor.buffer_mut(1000).is_none());
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
