//! Each way to break a plan is refused by the rule that it breaks.

mod common;

use cipherloom_plan::data::*;
use cipherloom_plan::verify::Form;
use cipherloom_plan::{Fault, MAX_LOOP_DEPTH, Plan, Secret, VerifyCell, VerifyError, verify, verify_alloc};
use common::{at, buffer, op, refresh};

const FRESH: Form = Form::Ciphertext {
    degree: 1,
    basis: Basis::Q,
};

/// The verdict on a changed plan.
fn verdict(change: impl FnOnce(&mut PlanData)) -> Result<(), VerifyError> {
    let mut data = common::plan();
    change(&mut data);
    let bytes = data.encode().unwrap();
    verify_alloc(&Plan::parse(&bytes).expect("the change keeps the structure"))
}

/// The fault and where it is.
fn fault(change: impl FnOnce(&mut PlanData)) -> (usize, Fault) {
    match verdict(change) {
        Err(VerifyError::Instruction { instruction, fault }) => (instruction as usize, fault),
        other => panic!("{other:?}"),
    }
}

/// The verdict on a changed plan with the instructions of a bootstrap.
fn refresh_fault(change: impl FnOnce(&mut PlanData)) -> (usize, Fault) {
    let mut data = refresh::plan();
    change(&mut data);
    let bytes = data.encode().unwrap();
    match verify_alloc(&Plan::parse(&bytes).expect("the change keeps the structure")) {
        Err(VerifyError::Instruction { instruction, fault }) => (instruction as usize, fault),
        other => panic!("{other:?}"),
    }
}

/// A ciphertext under one secret where the instruction takes the other.
fn wrong_secret(buffer: u32, expected: Secret) -> Fault {
    let found = match expected {
        Secret::Main => Secret::Ephemeral,
        Secret::Ephemeral => Secret::Main,
    };
    Fault::Secret {
        buffer,
        expected,
        found,
    }
}

#[test]
fn a_mod_raise_is_under_the_ephemeral_secret_from_level_0() {
    use refresh::{at, buffer};
    let found = refresh_fault(|d| d.instructions[at::MOD_RAISE].a = buffer::X);
    assert_eq!(found, (at::MOD_RAISE, wrong_secret(buffer::X, Secret::Ephemeral)));
    let found = refresh_fault(|d| d.instructions[at::MOD_RAISE].b = 1);
    assert_eq!(found, (at::MOD_RAISE, Fault::RaiseLevel { from: 1 }));
    // Raised twice: the source is at level 3.
    let twice = |d: &mut PlanData| {
        d.instructions[at::FROM_SPARSE] = op(Op::ModRaise, 3, 0, buffer::MAIN, buffer::RAISED, 0);
    };
    let level = Fault::Level {
        buffer: buffer::RAISED,
        expected: 0,
        found: 3,
    };
    assert_eq!(refresh_fault(twice), (at::FROM_SPARSE, level));
}

#[test]
fn a_key_takes_a_value_from_one_secret_to_the_other() {
    use refresh::{at, buffer};
    let found = refresh_fault(|d| d.instructions[at::TO_SPARSE].b = 2);
    assert_eq!(found, (at::TO_SPARSE, wrong_secret(buffer::X, Secret::Ephemeral)));
    let found = refresh_fault(|d| d.instructions[at::FROM_SPARSE].b = 1);
    let level = Fault::KeyLevel {
        key: 1,
        cap: 0,
        level: 3,
    };
    assert_eq!(found, (at::FROM_SPARSE, level));
    let found = refresh_fault(|d| d.keys[2].level = 2);
    let level = Fault::KeyLevel {
        key: 2,
        cap: 2,
        level: 3,
    };
    assert_eq!(found, (at::FROM_SPARSE, level));
    let kind = |key, found| Fault::KeyKind { key, found };
    let found = refresh_fault(|d| d.instructions[at::FROM_SPARSE].b = 0);
    assert_eq!(found, (at::FROM_SPARSE, kind(0, KeyKind::Relinearise)));
    let found = refresh_fault(|d| d.instructions[at::RELINEARIZE_RESCALE].b = 2);
    assert_eq!(found, (at::RELINEARIZE_RESCALE, kind(2, KeyKind::FromSparse)));
}

#[test]
fn everything_else_is_under_the_main_secret() {
    use refresh::{at, buffer};
    let raised = buffer::RAISED;
    let others = [
        op(Op::Add, 3, 0, buffer::MAIN, raised, raised),
        op(Op::Neg, 3, 0, raised, raised, 0),
        op(Op::MulI, 3, 0, buffer::MAIN, raised, 0),
        op(Op::Drop, 0, 0, buffer::OUT, raised, 3),
        op(Op::Rescale, 2, 0, buffer::LOW, raised, 0),
        op(Op::LiftAcc, 3, AUX_INIT, buffer::LIFTED, raised, 0),
        op(Op::Square, 3, 0, buffer::SUM, raised, 0),
        op(Op::SwitchSecret, 0, 0, buffer::OUT, buffer::EPHEMERAL, 1),
    ];
    for other in others {
        let (found_at, fault) = refresh_fault(|d| d.instructions[at::FROM_SPARSE] = other);
        let source = wrong_secret(other.a, Secret::Main);
        assert_eq!((found_at, fault), (at::FROM_SPARSE, source), "{:?}", other.op);
    }
    let found = refresh_fault(|d| d.instructions[at::DROP + 1].a = buffer::EPHEMERAL);
    assert_eq!(
        found,
        (at::DROP + 1, wrong_secret(buffer::EPHEMERAL, Secret::Main))
    );
}

#[test]
fn a_carried_value_stays_under_its_secret() {
    use refresh::{at, buffer};
    // The first pass finds x under the main secret, the second would find what the first left.
    let change = |d: &mut PlanData| {
        d.instructions[at::DROP - 1] = op(Op::SwitchSecret, 0, 0, buffer::OUT, buffer::X, 1);
        d.instructions[at::DROP] = op(Op::End, 0, 0, 0, 0, 0);
        d.instructions[at::TO_SPARSE] = op(Op::Drop, 0, 0, buffer::EPHEMERAL, buffer::OUT, 0);
        d.instructions[at::MOD_RAISE] = op(Op::Checkpoint, 0, 0, 0, 0, 0);
        d.instructions[at::FROM_SPARSE] = op(Op::Checkpoint, 0, 0, 0, 0, 0);
        for at in at::FROM_SPARSE..at::DROP - 1 {
            d.instructions[at] = op(Op::Checkpoint, 0, 0, 0, 0, 0);
        }
    };
    let fault = Fault::LoopNotClosed { buffer: buffer::OUT };
    assert_eq!(refresh_fault(change), (at::TO_SPARSE, fault));
}

#[test]
fn plaintexts_are_as_compact_as_their_constants_repeat() {
    use refresh::{COMPACT, at, buffer};
    let (encode, sum) = (1, at::SUM);
    let with = |aux: u16, compact: u8| aux_compact(aux & !cipherloom_plan::AUX_COMPACT, compact);
    let encoded = move |compact: u8| {
        move |d: &mut PlanData| d.instructions[encode].aux = with(d.instructions[encode].aux, compact)
    };
    // Half of a period.
    let half = Fault::Period {
        constant: 0,
        period: 32,
        encoded: 16,
    };
    assert_eq!(refresh_fault(encoded(COMPACT + 1)), (encode, half));
    // Read as if it were less compact than it is, and more.
    for compact in [0, COMPACT - 1, COMPACT + 1] {
        let change = |d: &mut PlanData| d.instructions[sum].aux = with(d.instructions[sum].aux, compact);
        let fault = Fault::Compact {
            buffer: buffer::DIAGONAL,
            expected: compact,
            found: COMPACT,
        };
        assert_eq!(refresh_fault(change), (sum, fault));
    }
    // Twice the words do not fit.
    let too_small = Fault::BufferTooSmall {
        buffer: buffer::DIAGONAL,
        needed: (6 << 10) >> 3,
        words: (6 << 10) >> 4,
    };
    assert_eq!(refresh_fault(encoded(COMPACT - 1)), (encode, too_small));
}

#[test]
fn every_term_of_a_sum_is_a_value_of_one_scale() {
    use refresh::{at, buffer};
    let sum = at::SUM;
    let undefined = |d: &mut PlanData| d.instructions[at::SECOND_LIFT] = Instruction::new(Op::Checkpoint);
    let buffer = buffer::LIFTED + 1;
    assert_eq!(refresh_fault(undefined), (sum, Fault::Undefined { buffer }));
    let (at, fault) = refresh_fault(|d| d.constants[1].scale *= 2.0);
    assert!(at == sum && matches!(fault, Fault::Scale { .. }), "{fault:?}");
    let (at, fault) = refresh_fault(|d| d.instructions[sum].aux = aux_sum(AUX_INIT, 2));
    assert!(at == sum && matches!(fault, Fault::Basis { .. }), "{fault:?}");
    let (at, fault) = refresh_fault(|d| d.instructions[sum].b = buffer::SUM);
    assert!(
        at == sum && matches!(fault, Fault::Undefined { buffer: 8 }),
        "{fault:?}"
    );
    // Without the init flag the sum must hold something.
    let (at, fault) = refresh_fault(|d| d.instructions[sum].aux &= !AUX_INIT);
    assert!(
        at == sum && matches!(fault, Fault::Undefined { buffer: 8 }),
        "{fault:?}"
    );
    // The last plaintext lies in the destination.
    let overlapping = |d: &mut PlanData| {
        let plaintext = d.buffers[buffer::DIAGONAL as usize + 1];
        d.buffers[buffer::SUM as usize].offset = plaintext.offset;
    };
    let overlap = Fault::Overlap {
        destination: buffer::SUM,
        source: buffer::DIAGONAL + 1,
    };
    assert_eq!(refresh_fault(overlapping), (sum, overlap));
}

#[test]
fn fused_divisions_come_from_one_level_up() {
    use refresh::{at, buffer};
    let above = |d: &mut PlanData, at: usize| d.instructions[at].level = 3;
    for at in [at::MOD_DOWN_RESCALE, at::RELINEARIZE_RESCALE] {
        let fault = Fault::RescaleAboveChain { max_level: 3 };
        assert_eq!(refresh_fault(|d| above(d, at)), (at, fault));
    }
    let lower = |d: &mut PlanData| d.instructions[at::RELINEARIZE_RESCALE].level = 0;
    let level = Fault::Level {
        buffer: buffer::SQUARED,
        expected: 1,
        found: 2,
    };
    assert_eq!(refresh_fault(lower), (at::RELINEARIZE_RESCALE, level));
    // The key must reach the level of the source.
    let key = Fault::KeyLevel {
        key: 0,
        cap: 1,
        level: 2,
    };
    let found = refresh_fault(|d| d.keys[0].level = 1);
    assert_eq!(found, (at::RELINEARIZE_RESCALE, key));
    // mod_down_rescale consumes its source.
    let again = |d: &mut PlanData| {
        let down = d.instructions[at::MOD_DOWN_RESCALE];
        d.instructions.insert(at::MOD_DOWN_RESCALE + 1, down);
    };
    let undefined = Fault::Undefined { buffer: buffer::SUM };
    assert_eq!(refresh_fault(again), (at::MOD_DOWN_RESCALE + 1, undefined));
}

#[test]
fn without_special_primes_no_secret_is_switched() {
    let (at, fault) = refresh_fault(|d| {
        d.parameters.p.clear();
        // Without the digit rule, which has nothing to compare with either.
        d.keys.remove(1);
        d.instructions[refresh::at::TO_SPARSE].b = 1;
        d.instructions[refresh::at::FROM_SPARSE].b = 1;
        d.instructions[1] = Instruction::new(Op::Checkpoint);
        d.instructions[2] = Instruction::new(Op::Checkpoint);
    });
    assert_eq!((at, fault), (refresh::at::TO_SPARSE, Fault::NoSpecialModulus));
}

#[test]
fn the_small_plan_is_correct() {
    assert_eq!(verdict(|_| {}), Ok(()));
}

#[test]
fn too_little_memory() {
    let bytes = common::plan().encode().unwrap();
    let plan = Plan::parse(&bytes).unwrap();
    assert_eq!((plan.loop_depth(), plan.verify_cells()), (1, 26));
    let mut cells = [VerifyCell::default(); 26];
    assert_eq!(verify(&plan, &mut cells), Ok(()));
    // The cells may hold anything: here, what the first run left.
    assert_eq!(verify(&plan, &mut cells), Ok(()));
    assert_eq!(
        verify(&plan, &mut cells[..25]),
        Err(VerifyError::Cells {
            needed: 26,
            given: 25
        })
    );
}

#[test]
fn swapped_buffers() {
    let change = |d: &mut PlanData| d.instructions[at::MUL_PLAIN].b = buffer::RESCALED;
    let expected = Form::Plaintext {
        basis: Basis::Q,
        compact: 0,
    };
    let wrong_form = Fault::Form {
        buffer: buffer::RESCALED,
        expected,
        found: FRESH,
    };
    assert_eq!(fault(change), (at::MUL_PLAIN, wrong_form));
    let change = |d: &mut PlanData| {
        let rescale = &mut d.instructions[at::SECOND_RESCALE];
        (rescale.dst, rescale.a) = (rescale.a, rescale.dst);
    };
    assert_eq!(
        fault(change),
        (
            at::SECOND_RESCALE,
            Fault::Undefined {
                buffer: buffer::GRADIENT
            }
        )
    );
}

#[test]
fn only_a_plaintext_is_made_a_trivial_ciphertext() {
    let trivial = |source| {
        move |d: &mut PlanData| {
            // In place of the drop to level 0, whose destination is as large as the one here.
            d.instructions[at::DROP] = op(Op::Trivial, 2, 0, buffer::SUM, source, 0);
        }
    };
    let expected = Form::Plaintext {
        basis: Basis::Q,
        compact: 0,
    };
    let wrong_form = Fault::Form {
        buffer: buffer::V,
        expected,
        found: FRESH,
    };
    assert_eq!(fault(trivial(buffer::V)), (at::DROP, wrong_form));
    // The plaintexts of the other plan are in basis qp.
    let after_encode = 3;
    let trivial = op(
        Op::Trivial,
        3,
        0,
        refresh::buffer::MAIN,
        refresh::buffer::DIAGONAL,
        0,
    );
    let wrong_basis = Fault::Basis {
        buffer: refresh::buffer::DIAGONAL,
        expected: Basis::Q,
        found: Basis::Qp,
    };
    let found = refresh_fault(|d| d.instructions[after_encode] = trivial);
    assert_eq!(found, (after_encode, wrong_basis));
}

#[test]
fn a_decomposed_value_is_needed() {
    let (at, found) = fault(|d| d.instructions[at::ROTATE_ACC].a = buffer::RESCALED);
    assert_eq!(at, at::ROTATE_ACC);
    assert_eq!(
        found,
        Fault::Form {
            buffer: buffer::RESCALED,
            expected: Form::Decomposed,
            found: FRESH
        }
    );
}

#[test]
fn reading_an_undefined_buffer() {
    let change = |d: &mut PlanData| d.instructions[at::INPUT] = Instruction::new(Op::Checkpoint);
    assert_eq!(fault(change), (at::MUL, Fault::Undefined { buffer: buffer::V }));
}

#[test]
fn an_overwritten_source_is_undefined() {
    // The mask now lies inside the product.
    let change = |d: &mut PlanData| {
        d.buffers[buffer::MASK as usize].offset = d.buffers[buffer::PRODUCT as usize].offset + 1;
        d.instructions[at::LOOP] = Instruction::new(Op::Checkpoint);
        d.instructions[at::END] = Instruction::new(Op::Checkpoint);
        d.parameters.steps = 1;
        d.scalars[0].values.truncate(1);
    };
    assert_eq!(
        fault(change),
        (at::MUL_PLAIN, Fault::Undefined { buffer: buffer::MASK })
    );
}

#[test]
fn mod_down_consumes_its_source() {
    let change = |d: &mut PlanData| {
        let again = d.instructions[at::MOD_DOWN];
        d.instructions.insert(at::MOD_DOWN + 1, again);
    };
    assert_eq!(
        fault(change),
        (
            at::MOD_DOWN + 1,
            Fault::Undefined {
                buffer: buffer::ACCUMULATOR
            }
        )
    );
}

#[test]
fn a_dropped_rescale() {
    // Without the rescale, its result is missing; with a drop in its place, the scales no longer fit.
    let change = |d: &mut PlanData| d.instructions[at::SECOND_RESCALE] = Instruction::new(Op::Checkpoint);
    assert_eq!(
        fault(change),
        (
            at::MUL_SCALAR,
            Fault::Undefined {
                buffer: buffer::GRADIENT
            }
        )
    );
    let change = |d: &mut PlanData| {
        d.instructions[at::SECOND_RESCALE] = op(Op::Drop, 1, 0, buffer::GRADIENT, buffer::SUM, 2)
    };
    let (at, found) = fault(change);
    let Fault::Scale { expected, found } = found else {
        panic!("{found:?}")
    };
    assert_eq!(at, at::ADD);
    assert!((expected / common::SCALE - 1.0).abs() < 1e-6);
    assert!((found / common::SCALE / common::SCALE - 1.0).abs() < 1e-6);
}

#[test]
fn a_rescale_above_the_chain() {
    let change = |d: &mut PlanData| d.instructions[at::RESCALE].level = 3;
    assert_eq!(
        fault(change),
        (at::RESCALE, Fault::RescaleAboveChain { max_level: 3 })
    );
}

#[test]
fn a_drop_that_goes_up() {
    let change = |d: &mut PlanData| d.instructions[at::DROP].b = 0;
    let (at, found) = fault(change);
    assert_eq!(
        (at, found),
        (
            at::DROP,
            Fault::Level {
                buffer: buffer::W,
                expected: 0,
                found: 1
            }
        )
    );
    let change = |d: &mut PlanData| d.instructions[at::DROP].level = 2;
    assert_eq!(fault(change), (at::DROP, Fault::DropUpwards { from: 1, to: 2 }));
}

#[test]
fn a_wrong_level() {
    let change = |d: &mut PlanData| d.instructions[at::DECOMPOSE].level = 1;
    let expected = Fault::Level {
        buffer: buffer::RESCALED,
        expected: 1,
        found: 2,
    };
    assert_eq!(fault(change), (at::DECOMPOSE, expected));
}

#[test]
fn a_scale_mismatch_at_add() {
    let change = |d: &mut PlanData| d.scalars[0].scale = 2.0;
    let (at, found) = fault(change);
    assert!(
        at == at::ADD && matches!(found, Fault::Scale { .. }),
        "{at} {found:?}"
    );
    // The tolerance is 2^-30: a scale off by 2^-29 is refused, one off by 2^-31 is not.
    let off = |bits: i32| move |d: &mut PlanData| d.scalars[0].scale = 1.0 + f64::from(bits).exp2();
    assert!(matches!(fault(off(-29)), (at::ADD, Fault::Scale { .. })));
    assert_eq!(verdict(off(-31)), Ok(()));
}

#[test]
fn a_scale_mismatch_at_add_plain_and_add_scalar() {
    let change = |d: &mut PlanData| d.instructions[at::MUL_PLAIN].op = Op::AddPlain;
    assert!(matches!(fault(change), (at::MUL_PLAIN, Fault::Scale { .. })));
    let change = |d: &mut PlanData| d.instructions[at::MUL_SCALAR].op = Op::AddScalar;
    assert!(matches!(fault(change), (at::MUL_SCALAR, Fault::Scale { .. })));
}

#[test]
fn a_scale_above_the_modulus() {
    let change = |d: &mut PlanData| d.scalars[0].scale = (1_u64 << 50) as f64;
    let (at, found) = fault(change);
    let Fault::ScaleRange {
        log_scale,
        log_modulus,
    } = found
    else {
        panic!("{found:?}")
    };
    assert_eq!(at, at::MUL_SCALAR);
    assert!((log_scale - 90.0).abs() < 1e-3 && (log_modulus - 90.0).abs() < 1e-3);
    let change = |d: &mut PlanData| d.scalars[0].scale = f64::from(-120).exp2();
    assert!(matches!(
        fault(change),
        (at::MUL_SCALAR, Fault::ScaleRange { .. })
    ));
}

#[test]
fn a_wrong_degree() {
    let change = |d: &mut PlanData| d.instructions[at::RELINEARIZE].a = buffer::X;
    let expected = Fault::Degree {
        buffer: buffer::X,
        expected: 2,
        found: 1,
    };
    assert_eq!(fault(change), (at::RELINEARIZE, expected));
    let change = |d: &mut PlanData| d.instructions[at::SECOND_RESCALE].aux = AUX_DEGREE_2;
    let expected = Fault::Degree {
        buffer: buffer::SUM,
        expected: 2,
        found: 1,
    };
    assert_eq!(fault(change), (at::SECOND_RESCALE, expected));
}

#[test]
fn a_wrong_basis() {
    let change = |d: &mut PlanData| d.instructions[at::MUL_PLAIN].aux = AUX_QP;
    let expected = Fault::Basis {
        buffer: buffer::SUM,
        expected: Basis::Qp,
        found: Basis::Q,
    };
    assert_eq!(fault(change), (at::MUL_PLAIN, expected));
    let change = |d: &mut PlanData| d.instructions[at::MOD_DOWN].a = buffer::RESCALED;
    let expected = Fault::Basis {
        buffer: buffer::RESCALED,
        expected: Basis::Qp,
        found: Basis::Q,
    };
    assert_eq!(fault(change), (at::MOD_DOWN, expected));
}

#[test]
fn an_accumulator_that_was_not_begun() {
    let change = |d: &mut PlanData| d.instructions[at::ROTATE_ACC].aux = 0;
    assert_eq!(
        fault(change),
        (
            at::ROTATE_ACC,
            Fault::Undefined {
                buffer: buffer::ACCUMULATOR
            }
        )
    );
}

#[test]
fn keys_of_the_wrong_kind_or_level() {
    let change = |d: &mut PlanData| d.instructions[at::RELINEARIZE].b = 1;
    let expected = Fault::KeyKind {
        key: 1,
        found: KeyKind::Galois(5),
    };
    assert_eq!(fault(change), (at::RELINEARIZE, expected));
    let change = |d: &mut PlanData| d.instructions[at::ROTATE].b = 0;
    assert_eq!(
        fault(change),
        (
            at::ROTATE,
            Fault::KeyKind {
                key: 0,
                found: KeyKind::Relinearise
            }
        )
    );
    let change = |d: &mut PlanData| d.keys[1].level = 1;
    assert_eq!(
        fault(change),
        (
            at::ROTATE_ACC,
            Fault::KeyLevel {
                key: 1,
                cap: 1,
                level: 2
            }
        )
    );
}

#[test]
fn key_switching_without_special_primes() {
    let change = |d: &mut PlanData| d.parameters.p.clear();
    assert_eq!(fault(change), (at::RELINEARIZE, Fault::NoSpecialModulus));
}

#[test]
fn a_destination_that_overlaps_a_source() {
    let change = |d: &mut PlanData| d.instructions[at::MUL].dst = buffer::X;
    assert_eq!(
        fault(change),
        (
            at::MUL,
            Fault::Overlap {
                destination: buffer::X,
                source: buffer::X
            }
        )
    );
    let change = |d: &mut PlanData| {
        d.buffers[buffer::LINEAR as usize].offset = d.buffers[buffer::PRODUCT as usize].end() - 1;
    };
    let expected = Fault::Overlap {
        destination: buffer::LINEAR,
        source: buffer::PRODUCT,
    };
    assert_eq!(fault(change), (at::RELINEARIZE, expected));
    // In place means a exactly, never b, nor a part of a.
    let change = |d: &mut PlanData| d.instructions[at::ADD].b = buffer::W;
    assert_eq!(
        fault(change),
        (
            at::ADD,
            Fault::Overlap {
                destination: buffer::W,
                source: buffer::W
            }
        )
    );
    let change = |d: &mut PlanData| {
        let gradient = d.buffers[buffer::GRADIENT as usize];
        d.buffers.push(Buffer {
            offset: gradient.offset - 1,
            words: gradient.words,
        });
        d.instructions[at::MUL_SCALAR].dst = 13;
    };
    let expected = Fault::Overlap {
        destination: 13,
        source: buffer::GRADIENT,
    };
    assert_eq!(fault(change), (at::MUL_SCALAR, expected));
    // Another buffer of the same range is in place too; the old name is undefined afterwards.
    let change = |d: &mut PlanData| {
        d.buffers.push(d.buffers[buffer::GRADIENT as usize]);
        d.instructions[at::MUL_SCALAR].dst = 13;
    };
    assert_eq!(
        fault(change),
        (
            at::ADD,
            Fault::Undefined {
                buffer: buffer::GRADIENT
            }
        )
    );
}

#[test]
fn a_buffer_that_is_too_small() {
    let change = |d: &mut PlanData| d.buffers[buffer::PRODUCT as usize].words -= 1;
    let (needed, words) = (3 * 4 * 1024, 3 * 4 * 1024 - 1);
    let expected = Fault::BufferTooSmall {
        buffer: buffer::PRODUCT,
        needed,
        words,
    };
    assert_eq!(fault(change), (at::MUL, expected));
}

#[test]
fn a_loop_that_is_not_closed() {
    // The state comes back one level lower than it went in.
    let change = |d: &mut PlanData| {
        d.instructions[at::ADD].dst = buffer::SUM;
        d.instructions
            .insert(at::ADD + 1, op(Op::Drop, 0, 0, buffer::W, buffer::SUM, 1));
    };
    let (at, found) = fault(change);
    assert_eq!((at, found), (at::ADD, Fault::LoopNotClosed { buffer: buffer::W }));
    // What was made before the loop is overwritten in its body.
    let change = |d: &mut PlanData| {
        d.buffers[buffer::V as usize].offset = d.buffers[buffer::DIGITS as usize].offset;
    };
    assert_eq!(
        fault(change),
        (at::MUL, Fault::LoopNotClosed { buffer: buffer::V })
    );
}

#[test]
fn nested_loops_are_closed_from_the_inside() {
    let nest = |d: &mut PlanData, depth: usize| {
        for _ in 1..depth {
            d.instructions.insert(at::LOOP, op(Op::Loop, 0, 0, 0, 1, 0));
            let end = at::END + d.instructions.len() - 26;
            d.instructions.insert(end, Instruction::new(Op::End));
        }
        d.spans.clear();
    };
    assert_eq!(verdict(|d| nest(d, MAX_LOOP_DEPTH)), Ok(()));
    let change = |d: &mut PlanData| {
        d.buffers[buffer::V as usize].offset = d.buffers[buffer::DIGITS as usize].offset;
        nest(d, MAX_LOOP_DEPTH);
    };
    assert_eq!(
        fault(change),
        (at::MUL + 3, Fault::LoopNotClosed { buffer: buffer::V })
    );
}

#[test]
fn ports_of_the_wrong_kind_tile_level_or_scale() {
    let change = |d: &mut PlanData| d.instructions[at::STREAM].op = Op::Input;
    let expected = Fault::PortKind {
        port: 0,
        expected: PortKind::Input,
        found: PortKind::Stream,
    };
    assert_eq!(fault(change), (at::STREAM, expected));
    let change = |d: &mut PlanData| d.instructions[at::STREAM].b = 1;
    assert_eq!(
        fault(change),
        (
            at::STREAM,
            Fault::Tile {
                port: 0,
                tile: 1,
                tiles: 1
            }
        )
    );
    let change = |d: &mut PlanData| d.instructions[at::OUTPUT].aux = 7;
    assert_eq!(
        fault(change),
        (
            at::OUTPUT,
            Fault::Tile {
                port: 4,
                tile: 7,
                tiles: 1
            }
        )
    );
    let change = |d: &mut PlanData| d.ports[1].level = 2;
    assert_eq!(
        fault(change),
        (
            at::INPUT,
            Fault::PortLevel {
                port: 1,
                expected: 2,
                found: 3
            }
        )
    );
    let change = |d: &mut PlanData| d.ports[4].level = 0;
    assert_eq!(
        fault(change),
        (
            at::OUTPUT,
            Fault::PortLevel {
                port: 4,
                expected: 0,
                found: 1
            }
        )
    );
    let change = |d: &mut PlanData| d.ports[4].scale = common::SCALE * 1.5;
    let (at, found) = fault(change);
    assert!(
        at == at::OUTPUT && matches!(found, Fault::PortScale { port: 4, .. }),
        "{at} {found:?}"
    );
}

#[test]
fn outputs_missing_or_written_twice() {
    let change = |d: &mut PlanData| d.instructions[at::LAST_OUTPUT] = Instruction::new(Op::Checkpoint);
    assert_eq!(
        verdict(change),
        Err(VerifyError::OutputMissing {
            port: 5,
            tile: Some(0)
        })
    );
    let change = |d: &mut PlanData| d.instructions[at::REVEAL] = Instruction::new(Op::Checkpoint);
    assert_eq!(
        verdict(change),
        Err(VerifyError::OutputMissing {
            port: 3,
            tile: Some(0)
        })
    );
    let change = |d: &mut PlanData| d.ports[5].layout.tiles = 65_536;
    assert_eq!(
        verdict(change),
        Err(VerifyError::OutputMissing { port: 3, tile: None })
    );
    let change = |d: &mut PlanData| d.instructions.push(d.instructions[at::OUTPUT]);
    assert_eq!(fault(change), (26, Fault::OutputTwice { port: 4, tile: 0 }));
    let change = |d: &mut PlanData| d.instructions.swap(at::OUTPUT, at::REVEAL);
    assert_eq!(fault(change), (at::REVEAL, Fault::OutputInLoop { port: 4 }));
}

/// The verdict on a changed plan of two epochs: a loop around the plan's own, which ends with its outputs and `epoch`.
fn epochs(change: impl FnOnce(&mut PlanData)) -> Result<(), VerifyError> {
    verdict(|d| {
        d.parameters.steps = 6;
        d.scalars[0].values = (0..6).map(f64::from).collect();
        d.instructions.insert(at::LOOP, op(Op::Loop, 0, 0, 0, 2, 0));
        d.instructions
            .extend([Op::Epoch, Op::Checkpoint, Op::End].map(Instruction::new));
        change(d);
    })
}

#[test]
fn an_epoch_has_all_outputs_before_it() {
    let bytes = {
        let mut epochs_of = None;
        assert_eq!(epochs(|d| epochs_of = Some(d.clone())), Ok(()));
        epochs_of.unwrap().encode().unwrap()
    };
    assert_eq!(Plan::parse(&bytes).unwrap().epochs(), 2);
    assert_eq!(
        Plan::parse(&common::plan().encode().unwrap()).unwrap().epochs(),
        0
    );

    let fault = |at: usize, fault: Fault| {
        let instruction = at as u32;
        Err(VerifyError::Instruction { instruction, fault })
    };
    let epoch = 27;
    let twice = |d: &mut PlanData| d.instructions[epoch + 1] = Instruction::new(Op::Epoch);
    assert_eq!(epochs(twice), fault(epoch + 1, Fault::EpochPlace));
    let outside = |d: &mut PlanData| d.instructions.swap(epoch, epoch + 2);
    assert_eq!(epochs(outside), fault(epoch + 2, Fault::EpochPlace));
    let in_a_step = |d: &mut PlanData| d.instructions.swap(epoch, at::REVEAL + 1);
    assert_eq!(epochs(in_a_step), fault(at::REVEAL + 1, Fault::EpochPlace));
    let after = |d: &mut PlanData| d.instructions.swap(epoch, at::OUTPUT + 1);
    assert_eq!(
        epochs(after),
        fault(at::LAST_OUTPUT + 1, Fault::OutputOutsideEpoch { port: 5 })
    );
    let before = |d: &mut PlanData| {
        let store = d.instructions.remove(at::OUTPUT + 1);
        d.instructions.insert(at::LOOP, store);
    };
    assert_eq!(
        epochs(before),
        fault(at::LOOP, Fault::OutputOutsideEpoch { port: 4 })
    );
    let in_the_step = |d: &mut PlanData| d.instructions.swap(at::OUTPUT + 1, at::END);
    assert_eq!(
        epochs(in_the_step),
        fault(at::END, Fault::OutputInLoop { port: 4 })
    );
}

#[test]
fn steps_are_begun_and_counted() {
    let change = |d: &mut PlanData| d.instructions[at::LOOP].a = 4;
    assert_eq!(
        verdict(change),
        Err(VerifyError::Steps {
            claimed: 3,
            counted: 4
        })
    );
    let change = |d: &mut PlanData| d.instructions.swap(at::STEP, at::STREAM);
    assert_eq!(fault(change), (at::STEP, Fault::NoStep));
    let change = |d: &mut PlanData| {
        d.instructions[at::LOOP] = op(Op::MulScalar, 1, 0, buffer::W, buffer::W, 0);
        d.instructions[at::END] = Instruction::new(Op::Checkpoint);
        d.instructions.extend([Instruction::new(Op::Step); 2]);
    };
    assert_eq!(fault(change), (at::LOOP, Fault::NoStep));
}

#[test]
fn moduli_that_are_not_fit() {
    let change = |d: &mut PlanData| d.parameters.q[1] = common::Q[1] + 2;
    let modulus = common::Q[1] + 2;
    assert_eq!(verdict(change), Err(VerifyError::NotNttFriendly { modulus }));
    // 2^40 + 1 is 1 modulo 2048, and 257 times something.
    let change = |d: &mut PlanData| d.parameters.q[1] = (1 << 40) + 1;
    assert_eq!(
        verdict(change),
        Err(VerifyError::NotPrime {
            modulus: (1 << 40) + 1
        })
    );
    let change = |d: &mut PlanData| d.parameters.q[1] = common::Q[2];
    assert_eq!(
        verdict(change),
        Err(VerifyError::DuplicatePrime {
            modulus: common::Q[2]
        })
    );
    let large = 4_611_686_018_427_365_377;
    let change = |d: &mut PlanData| d.parameters.q[0] = large;
    assert_eq!(
        verdict(change),
        Err(VerifyError::PrimeTooLarge {
            modulus: large,
            bits: 61
        })
    );
    let change = |d: &mut PlanData| d.parameters.word_bits = 32;
    assert_eq!(
        verdict(change),
        Err(VerifyError::PrimeTooLarge {
            modulus: common::Q[0],
            bits: 30
        })
    );
    // Digits of two limbs need a special modulus of 90 bits.
    let error = verdict(|d| d.parameters.digit_limbs = 2).unwrap_err();
    let VerifyError::SpecialModulus { log_p, log_digit } = error else {
        panic!("{error:?}")
    };
    assert!((log_p - 50.0).abs() < 1e-3 && (log_digit - 90.0).abs() < 1e-3);
}

#[test]
fn insecure_parameters_must_be_marked() {
    let change = |d: &mut PlanData| (d.parameters.toy, d.parameters.security_bits) = (false, 128);
    let error = verdict(change).unwrap_err();
    let VerifyError::Insecure { log_qp, limit } = error else {
        panic!("{error:?}")
    };
    assert!((log_qp - 220.0).abs() < 1e-3 && limit == 26.0);
    let change = |d: &mut PlanData| d.parameters.security_bits = 128;
    assert_eq!(verdict(change), Err(VerifyError::SecurityClaim { bits: 128 }));
}

/// N = 2^14, log2(QP) = 220 of at most 430, and nothing to do.
fn secure() -> PlanData {
    let mut data = common::plan();
    data.parameters.log_n = 14;
    data.parameters.toy = false;
    data.parameters.security_bits = 128;
    data.parameters.q = vec![
        1_125_899_908_022_273,
        1_099_511_922_689,
        1_099_512_938_497,
        1_099_510_054_913,
    ];
    data.parameters.p = vec![1_125_899_908_612_097];
    data.parameters.steps = 0;
    data.scalars.clear();
    data.ports.clear();
    data.instructions.clear();
    data.spans.clear();
    data
}

#[test]
fn secure_parameters_pass() {
    let check = |data: PlanData| verify_alloc(&Plan::parse(&data.encode().unwrap()).unwrap());
    assert_eq!(check(secure()), Ok(()));
    for bits in [0, 129, 256] {
        let mut data = secure();
        data.parameters.security_bits = bits;
        assert_eq!(check(data), Err(VerifyError::SecurityClaim { bits }));
    }
}

/// As [`secure`], with an ephemeral secret, for a larger ring whose modulus of that secret is large too.
fn secure_refresh(log_n: u8, weight: u32, q_0: u64, p_0: u64) -> Result<(), VerifyError> {
    let mut data = secure();
    data.parameters.log_n = log_n;
    data.parameters.ephemeral_weight = weight;
    data.parameters.q = vec![q_0];
    data.parameters.p = vec![p_0];
    data.buffers.clear();
    data.constants.clear();
    data.keys = vec![Key {
        kind: KeyKind::ToSparse,
        level: 0,
        uses: 1,
    }];
    verify_alloc(&Plan::parse(&data.encode().unwrap()).unwrap())
}

#[test]
fn a_sparse_secret_hides_only_under_a_small_modulus() {
    // 1 modulo 2^18, just below 2^50, 2^53 and 2^56.
    let (small, medium, large) = (
        1_125_899_902_124_033,
        9_007_199_252_119_553,
        72_057_594_036_879_361,
    );
    assert_eq!(secure_refresh(16, 32, small, medium), Ok(()));
    assert_eq!(secure_refresh(16, 192, small, medium), Ok(()));
    let error = |log_n, weight, q_0, p_0| match secure_refresh(log_n, weight, q_0, p_0) {
        Err(VerifyError::EphemeralInsecure {
            weight: found,
            log_modulus,
            limit,
        }) => {
            assert_eq!(found, weight);
            (log_modulus.round(), limit)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(error(16, 32, small, large), (106.0, 105.0));
    assert_eq!(error(15, 32, small, medium), (103.0, 52.5));
    assert_eq!(error(16, 31, small, medium), (103.0, 0.0));
    assert_eq!(secure_refresh(17, 32, small, large), Ok(()));
    // The one special prime must be as large as the one digit, q_0.
    let error = secure_refresh(16, 32, medium, small).unwrap_err();
    assert!(matches!(error, VerifyError::SpecialModulus { .. }), "{error:?}");
}

#[test]
fn errors_say_what_and_where() {
    let error = verdict(|d| d.instructions[at::DECOMPOSE].level = 1).unwrap_err();
    assert_eq!(error.to_string(), "instruction 9: buffer 4 is at level 2, not 1");
    let error = verdict(|d| d.keys[1].level = 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "instruction 10: key 1 is made for level 1 and below, it is used at 2"
    );
}
