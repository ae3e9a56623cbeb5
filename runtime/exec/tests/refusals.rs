//! What is refused, and that nothing panics: missing keys, short memory, wrong parameters, plans that make no
//! sense.

mod common;

use cipherloom_ckks::{Basis, Context, Parameters, scratch};
use cipherloom_exec::{Event, ExecError, Executor, Fault, Keys, Memory, Options};
use cipherloom_plan::data::*;
use cipherloom_plan::{Instruction, Op, Plan, WordCounts};
use cipherloom_ring::automorphism::galois_element;
use common::*;

const ALLOW_TOY: Options = Options {
    allow_toy: true,
    verified: true,
};

/// The instructions of a bootstrap, from a value at the top level.
fn refreshed(toy: &mut Toy, x: u32) {
    toy.data.parameters.ephemeral_weight = 32;
    let keys = [toy.key(KeyKind::ToSparse, 0), toy.key(KeyKind::FromSparse, TOP)];
    let (bottom, ephemeral) = (toy.ct(0, 1), toy.ct(0, 1));
    let (raised, main) = (toy.ct(TOP, 1), toy.ct(TOP, 1));
    toy.emit(Op::Drop, 0, 0, bottom, x, u32::from(TOP));
    toy.emit(Op::SwitchSecret, 0, 0, ephemeral, bottom, keys[0]);
    toy.emit(Op::ModRaise, TOP, 0, raised, ephemeral, 0);
    toy.emit(Op::SwitchSecret, TOP, 0, main, raised, keys[1]);
    let fourier = Fourier {
        log_slots: 9,
        first: 3,
        last: 6,
        inverse: true,
        diagonal: 8,
        shift: -3,
        factor: 1.0,
    };
    let constant = toy.fourier(fourier, SCALE);
    let words = toy.words(TOP, 2, Basis::Qp);
    let [first, second, sum] = [(); 3].map(|()| toy.buffer(words));
    let plain = toy.plaintext(constant, TOP, Basis::Qp);
    toy.plaintext(constant, TOP, Basis::Qp);
    for lifted in [first, second] {
        toy.emit(Op::LiftAcc, TOP, AUX_INIT, lifted, main, 0);
    }
    let aux = aux_sum(AUX_QP | AUX_INIT, 2);
    toy.emit(Op::MulPlainSum, TOP, aux, sum, first, plain);
    let (down, squared, out) = (toy.ct(TOP - 1, 1), toy.ct(TOP - 1, 2), toy.ct(TOP - 2, 1));
    toy.emit(Op::ModDownRescale, TOP - 1, 0, down, sum, 0);
    toy.emit(Op::Square, TOP - 1, 0, squared, down, 0);
    // The relinearisation key of the plan.
    toy.emit(Op::RelinearizeRescale, TOP - 2, 0, out, squared, 0);
    let scale = SCALE * SCALE / toy.prime(TOP);
    let scale = scale * scale / toy.prime(TOP - 1);
    toy.output("refreshed", out, TOP - 2, scale);
}

/// A plan with an instruction of almost every kind.
fn varied() -> Toy {
    let mut toy = Toy::new();
    let (x, y) = (toy.input("x", TOP), toy.input("y", TOP));
    let keys = [
        toy.key(KeyKind::Relinearise, TOP),
        toy.key(KeyKind::Galois(galois_element(u32::from(LOG_N), 1)), TOP),
    ];
    let constant = toy.constant(sample(3), SCALE);
    let plain = toy.plaintext(constant, TOP, Basis::Q);
    let wide = toy.plaintext(constant, TOP, Basis::Qp);
    let scalar = toy.scalar(vec![0.5], SCALE);
    toy.emit(Op::AddPlain, TOP, 0, x, x, plain);
    toy.emit(Op::SubPlain, TOP, 0, y, y, plain);
    toy.emit(Op::AddScalar, TOP, 0, x, x, scalar);
    let turned = toy.ct(TOP, 1);
    toy.emit(Op::MulI, TOP, 0, turned, y, 0);
    toy.emit(Op::Neg, TOP, 0, turned, turned, 0);
    toy.emit(Op::Sub, TOP, 0, turned, turned, y);
    let decomposed = toy.buffer(toy.words(TOP, 1, Basis::Q) + 3 * toy.words(TOP, 1, Basis::Qp));
    let (acc, sum) = (
        toy.buffer(toy.words(TOP, 2, Basis::Qp)),
        toy.buffer(toy.words(TOP, 2, Basis::Qp)),
    );
    toy.emit(Op::Decompose, TOP, 0, decomposed, x, 0);
    toy.emit(Op::RotateAcc, TOP, AUX_INIT, acc, decomposed, keys[1]);
    toy.emit(Op::LiftAcc, TOP, 0, acc, turned, 0);
    toy.emit(Op::MulPlainAcc, TOP, AUX_QP | AUX_INIT, sum, acc, wide);
    let down = toy.ct(TOP, 1);
    toy.emit(Op::ModDown, TOP, 0, down, sum, 0);
    let (low, low_y, product) = (toy.ct(TOP - 1, 1), toy.ct(TOP - 1, 1), toy.ct(TOP - 1, 2));
    toy.emit(Op::Rescale, TOP - 1, 0, low, down, 0);
    toy.emit(Op::Drop, TOP - 1, 0, low_y, y, u32::from(TOP));
    toy.emit(Op::Mul, TOP - 1, 0, product, low, low_y);
    toy.emit(Op::MulAcc, TOP - 1, 0, product, low, low_y);
    let (linear, rotated) = (toy.ct(TOP - 1, 1), toy.ct(TOP - 1, 1));
    toy.emit(Op::Relinearize, TOP - 1, 0, linear, product, keys[0]);
    toy.emit(Op::Loop, 0, 0, 0, 2, 0);
    toy.emit(Op::Rotate, TOP - 1, 0, rotated, linear, keys[1]);
    toy.emit(Op::Add, TOP - 1, 0, linear, linear, rotated);
    toy.emit(Op::End, 0, 0, 0, 0, 0);
    let scale = SCALE * SCALE / toy.prime(TOP) * SCALE;
    toy.output("out", linear, TOP - 1, scale);
    refreshed(&mut toy, x);
    toy
}

fn data(name: &str, _step: u32) -> Vec<f64> {
    sample(if name == "x" { 1 } else { 2 })
}

#[test]
fn toy_plans_are_refused_unless_allowed() {
    let bytes = varied().bytes();
    let refused = run_with::<u64>(
        &bytes,
        Options {
            allow_toy: false,
            verified: true,
        },
        data,
    );
    assert_eq!(refused.unwrap_err(), ExecError::ToyPlan);
    assert!(run_with::<u64>(&bytes, ALLOW_TOY, data).is_ok());
}

#[test]
fn missing_and_short_keys_are_named() {
    let bytes = varied().bytes();
    with_client::<u64, _>(&bytes, |plan, client| {
        let mut keys = client.keys(plan);
        keys.0[1].pop();
        let error = drive(plan, client, &keys, ALLOW_TOY, data).unwrap_err();
        let position = plan.instructions().position(|i| i.op == Op::RotateAcc).unwrap();
        let wanted = ExecError::Instruction {
            position,
            op: Some(Op::RotateAcc),
            fault: Fault::Key(1),
        };
        assert_eq!(error, wanted);
        assert!(
            error
                .to_string()
                .contains("key 1 is missing or has the wrong length"),
            "{error}"
        );
        keys.0.clear();
        assert!(drive(plan, client, &keys, ALLOW_TOY, data).is_err());
    })
    .unwrap();
}

#[test]
fn inputs_that_are_not_reduced_are_refused() {
    let bytes = varied().bytes();
    with_client::<u64, _>(&bytes, |plan, client| {
        let memory = Memory::of::<u64>(plan).unwrap();
        let (mut arena, mut slots) = (vec![0; memory.arena_words], vec![0.0; memory.slot_f64s]);
        let keys = client.keys(plan);
        let mut executor = Executor::new(
            plan,
            client.context,
            client.encoder,
            &mut arena,
            &mut slots,
            &keys,
            ALLOW_TOY,
        )
        .unwrap();
        let Event::NeedInput { destination, .. } = executor.next().unwrap() else {
            panic!("an input is first")
        };
        destination.fill(0);
        // The last limb of c1, one residue too large.
        let last = destination.len() - 1;
        destination[last] = plan.parameters().q().get(usize::from(TOP)).unwrap();
        let fault = Fault::NotReduced {
            prime: usize::from(TOP),
        };
        let wanted = ExecError::Instruction {
            position: 0,
            op: Some(Op::Input),
            fault,
        };
        assert_eq!(executor.next().unwrap_err(), wanted);
    })
    .unwrap();
}

/// Claims to have every constant encoded.
struct Encoded;

impl Keys<u64> for Encoded {
    fn key(&self, _: usize) -> Option<&[u64]> {
        None
    }

    fn constant(&self, _: usize, _: u8, _: cipherloom_plan::Basis) -> Option<&[u64]> {
        Some(&[])
    }
}

#[test]
fn short_memory_and_other_parameters_are_refused() {
    let bytes = varied().bytes();
    let other = Toy::narrow().bytes();
    with_client::<u64, _>(&bytes, |plan, client| {
        let memory = Memory::of::<u64>(plan).unwrap();
        let start = |arena: usize, slots: usize| {
            let (mut arena, mut slots) = (vec![0; arena], vec![0.0; slots]);
            Executor::new(
                plan,
                client.context,
                client.encoder,
                &mut arena,
                &mut slots,
                &(),
                ALLOW_TOY,
            )
            .err()
        };
        assert_eq!(start(memory.arena_words, memory.slot_f64s), None);
        assert_eq!(start(memory.least_arena_words, memory.slot_f64s), None);
        let short = start(memory.least_arena_words - 1, memory.slot_f64s).unwrap();
        assert!(
            matches!(short, ExecError::Memory { what: "arena", .. }),
            "{short}"
        );
        let short = start(memory.arena_words, memory.slot_f64s - 1).unwrap();
        assert!(
            matches!(short, ExecError::Memory { what: "slots", .. }),
            "{short}"
        );
        let mut arena = vec![0; memory.arena_words];
        let (context, encoder) = (client.context, client.encoder);
        let encoded = Executor::new(plan, context, encoder, &mut arena, &mut [], &Encoded, ALLOW_TOY);
        assert!(encoded.is_ok(), "who has every constant encoded needs no slots");

        let other = Plan::parse(&other).unwrap();
        let mut arena = vec![0; memory.arena_words];
        let mut slots = vec![0.0; memory.slot_f64s];
        let mixed = Executor::new(
            &other,
            client.context,
            client.encoder,
            &mut arena,
            &mut slots,
            &(),
            ALLOW_TOY,
        );
        assert_eq!(mixed.err(), Some(ExecError::Mismatch("context")));
    })
    .unwrap();
}

/// A small generator for mutations; the numbers only have to vary.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn mutate(toy: &mut Toy, random: &mut Lcg) {
    let PlanData {
        instructions,
        buffers,
        keys,
        ..
    } = &mut toy.data;
    let count = instructions.len() as u64;
    let at = random.below(count) as usize;
    match random.below(9) {
        0 => instructions[at].level = random.below(u64::from(TOP) + 2) as u8,
        1 => instructions[at].aux = random.below(8) as u16,
        2 => instructions[at].dst = random.below(buffers.len() as u64) as u32,
        3 => instructions[at].a = random.below(buffers.len() as u64) as u32,
        4 => instructions[at].b = random.below(buffers.len() as u64) as u32,
        5 => {
            let op = Op::ALL[random.below(Op::ALL.len() as u64) as usize];
            instructions[at] = Instruction {
                op,
                ..instructions[at]
            };
        }
        6 => {
            let other = random.below(count) as usize;
            instructions.swap(at, other);
        }
        7 => {
            let buffer = random.below(buffers.len() as u64) as usize;
            buffers[buffer].offset = random.below(64) << LOG_N >> random.below(3);
        }
        _ => {
            let key = random.below(keys.len() as u64) as usize;
            keys[key].level = random.below(u64::from(TOP) + 1) as u8;
        }
    }
}

#[test]
fn unverified_mutated_plans_end_without_panic() {
    let mut random = Lcg(1);
    let (mut ran, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut toy = varied();
        for _ in 0..=random.below(3) {
            mutate(&mut toy, &mut random);
        }
        // What the format itself refuses never reaches the executor.
        let Ok(bytes) = toy.data.encode() else { continue };
        if Plan::parse(&bytes).is_err() {
            continue;
        }
        let unverified = Options {
            allow_toy: true,
            verified: false,
        };
        match run_with::<u64>(&bytes, unverified, data) {
            Ok(_) => ran += 1,
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(
        ran > 10 && refused > 50,
        "mutations reach the executor: {ran} ran, {refused} were refused"
    );
}

#[test]
fn scratch_and_sizes_are_those_that_plans_reserve() {
    let log_n = 10;
    let primes: Vec<u64> = cipherloom_ring::prime::primes_below(1 << 45, log_n)
        .take(40)
        .collect();
    for alpha in [1, 2, 3, 7, 12] {
        for top in [0, 1, 5, 11, 24] {
            let special = alpha;
            let (p, q) = primes[..special + top + 1].split_at(special);
            let parameters = Parameters::new(log_n, q, p, alpha as u32).unwrap();
            let counts = WordCounts::new(log_n, special as u32, alpha as u32);
            for level in 0..=top {
                let l = level as u8;
                let reserved = |op| {
                    counts.scratch(&Instruction {
                        level: l,
                        ..Instruction::new(op)
                    }) as usize
                };
                assert!(scratch::decompose_scratch(&parameters, level) <= reserved(Op::Decompose));
                assert!(scratch::mod_down_scratch(&parameters, level) <= reserved(Op::ModDown));
                assert!(scratch::relinearize_scratch(&parameters, level) <= reserved(Op::Relinearize));
                assert!(scratch::rotate_scratch(&parameters, level) <= reserved(Op::Rotate));
                // A rescale is named by the level of its result.
                assert!(scratch::rescale_scratch(&parameters, level + 1) <= reserved(Op::Rescale));
                assert!(scratch::mod_raise_scratch(&parameters, level) <= reserved(Op::ModRaise));
                assert!(scratch::switch_secret_scratch(&parameters, level) <= reserved(Op::SwitchSecret));
                if let Some(lower) = l.checked_sub(1) {
                    let reserved = |op| {
                        counts.scratch(&Instruction {
                            level: lower,
                            ..Instruction::new(op)
                        }) as usize
                    };
                    let (relinearize, mod_down) =
                        (reserved(Op::RelinearizeRescale), reserved(Op::ModDownRescale));
                    assert!(scratch::relinearize_rescale_scratch(&parameters, level) <= relinearize);
                    assert!(scratch::mod_down_rescale_scratch(&parameters, level) <= mod_down);
                }

                use cipherloom_plan::Basis::{Q, Qp};
                let same = |ckks: usize, plan: u64| assert_eq!(ckks as u64, plan);
                same(parameters.ciphertext_words(level, 2), counts.ciphertext(l, 2, Q));
                same(parameters.plaintext_words(level), counts.plaintext(l, Q, 0));
                same(parameters.qp_words(level, 1), counts.ciphertext(l, 1, Qp));
                same(parameters.decomposed_words(level), counts.decomposed(l));
                let key = Key {
                    kind: KeyKind::Relinearise,
                    level: l,
                    uses: 1,
                };
                let (q, p) = (parameters.q.iter().copied(), parameters.p.iter().copied());
                same(
                    parameters.switching_key_words::<u64>(level),
                    counts.key(&key, 64, q.clone(), p.clone()),
                );
                same(
                    parameters.switching_key_words::<u32>(level),
                    counts.key(&key, 32, q, p),
                );
            }
            // The key to the ephemeral secret has one special prime.
            let mut tables = vec![0_u64; Context::<u64>::memory_words(&parameters)];
            let context = Context::new(parameters.clone(), &mut tables).unwrap();
            let few = context.with_special(1, 0).unwrap().parameters;
            let key = |kind| {
                let key = Key {
                    kind,
                    level: 0,
                    uses: 1,
                };
                let (q, p) = (parameters.q.iter().copied(), parameters.p.iter().copied());
                counts.key(&key, 64, q, p)
            };
            assert_eq!(few.switching_key_words::<u64>(0) as u64, key(KeyKind::ToSparse));
            assert_eq!(
                parameters.switching_key_words::<u64>(0) as u64,
                key(KeyKind::FromSparse)
            );
            let reserved = counts.scratch(&Instruction::new(Op::SwitchSecret));
            assert!(scratch::switch_secret_scratch(&few, 0) as u64 <= reserved);
            let tables = counts.ring_tables((top + 1 + special) as u64);
            assert!(Context::<u64>::memory_words(&parameters) as u64 <= tables);
        }
    }
}

#[test]
fn memory_fits_what_the_plan_prints() {
    let bytes = varied().bytes();
    let plan = Plan::parse(&bytes).unwrap();
    let (needed, printed) = (Memory::of::<u64>(&plan).unwrap(), plan.memory());
    assert_eq!(needed.arena_words as u64, printed.arena_words);
    assert!(needed.context_words as u64 <= printed.table_words);
    assert_eq!(
        (needed.encoder_f64s + needed.slot_f64s) as u64,
        printed.encoder_f64s
    );
}
