//! Bytes that are not a plan are refused with the right error, and nothing panics.

mod common;

use cipherloom_plan::data::*;
use cipherloom_plan::{Field, Plan, PlanError, Section, VerifyCell, disassemble_to_string, verify_alloc};
use proptest::prelude::*;

/// The error of a changed plan.
fn error_of(change: impl FnOnce(&mut PlanData)) -> PlanError {
    let mut data = common::plan();
    change(&mut data);
    Plan::parse(&data.encode().unwrap()).expect_err("the change must be refused")
}

fn rule_of(change: impl FnOnce(&mut PlanData)) -> (Section, u32) {
    match error_of(change) {
        PlanError::Record { section, index, .. } => (section, index),
        other => panic!("{other:?}"),
    }
}

#[test]
fn truncation_at_every_length() {
    let bytes = common::plan().encode().unwrap();
    for length in 0..bytes.len() {
        let error = Plan::parse(&bytes[..length]).unwrap_err();
        assert!(
            matches!(error, PlanError::Truncated { found, .. } if found == length as u64),
            "{length}: {error:?}"
        );
    }
}

#[test]
fn truncation_with_a_right_hash_and_length() {
    let bytes = common::plan().encode().unwrap();
    for length in (0..bytes.len()).step_by(8) {
        let mut short = bytes[..length].to_vec();
        if length >= 56 {
            short[48..56].copy_from_slice(&(length as u64).to_le_bytes());
        }
        common::fix_hash(&mut short);
        assert!(Plan::parse(&short).is_err(), "{length}");
    }
}

#[test]
fn every_flipped_bit() {
    for data in [common::plan(), common::refresh::plan()] {
        let mut bytes = data.encode().unwrap();
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Plan::parse(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(Plan::parse(&bytes).is_ok());
    }
}

#[test]
fn header_errors_are_told_apart() {
    let bytes = common::plan().encode().unwrap();
    let changed = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(Plan::parse(&changed(0, b'X')).unwrap_err(), PlanError::Magic);
    assert_eq!(
        Plan::parse(&changed(8, 1)).unwrap_err(),
        PlanError::Version { found: 1 }
    );
    assert_eq!(
        Plan::parse(&changed(13, 1)).unwrap_err(),
        PlanError::Padding { offset: 13 }
    );
    assert_eq!(
        Plan::parse(&changed(20, bytes[20] ^ 1)).unwrap_err(),
        PlanError::Hash
    );
    let last = bytes.len() - 9;
    assert_eq!(
        Plan::parse(&changed(last, bytes[last] ^ 1)).unwrap_err(),
        PlanError::Hash
    );
    let mut longer = bytes.clone();
    longer.extend_from_slice(&[0; 8]);
    let (expected, found) = (bytes.len() as u64, longer.len() as u64);
    assert_eq!(
        Plan::parse(&longer).unwrap_err(),
        PlanError::TrailingBytes { expected, found }
    );
    // With a right hash and length the bytes are still not part of any section.
    longer[48..56].copy_from_slice(&found.to_le_bytes());
    common::fix_hash(&mut longer);
    assert_eq!(
        Plan::parse(&longer).unwrap_err(),
        PlanError::TrailingBytes { expected, found }
    );
    // The first directory entry's offset.
    let mut moved = changed(64 + 8, bytes[64 + 8] ^ 8);
    common::fix_hash(&mut moved);
    assert_eq!(
        Plan::parse(&moved).unwrap_err(),
        PlanError::Directory {
            section: Section::Parameters
        }
    );
}

#[test]
fn records_that_break_a_rule() {
    assert_eq!(rule_of(|d| d.parameters.word_bits = 16), (Section::Parameters, 0));
    assert_eq!(rule_of(|d| d.parameters.log_n = 18), (Section::Parameters, 0));
    assert_eq!(rule_of(|d| d.parameters.log_n = 0), (Section::Parameters, 0));
    assert_eq!(rule_of(|d| d.parameters.q.clear()), (Section::Parameters, 0));
    assert_eq!(
        rule_of(|d| d.parameters.p = vec![3; 61]),
        (Section::Parameters, 0)
    );
    assert_eq!(
        rule_of(|d| d.parameters.digit_limbs = 0),
        (Section::Parameters, 0)
    );
    assert_eq!(
        rule_of(|d| d.parameters.log_scale = f64::NAN),
        (Section::Parameters, 0)
    );
    assert_eq!(rule_of(|d| d.ports[2].level = 4), (Section::Ports, 2));
    assert_eq!(rule_of(|d| d.ports[2].scale = 0.0), (Section::Ports, 2));
    assert_eq!(rule_of(|d| d.ports[2].low = 2.0), (Section::Ports, 2));
    assert_eq!(rule_of(|d| d.ports[2].name.clear()), (Section::Ports, 2));
    assert_eq!(rule_of(|d| d.ports[5].name = "w".into()), (Section::Ports, 5));
    assert_eq!(rule_of(|d| d.ports[1].layout.slots = 256), (Section::Ports, 1));
    assert_eq!(rule_of(|d| d.ports[1].layout.tiles = 0), (Section::Ports, 1));
    assert_eq!(rule_of(|d| d.ports[1].layout.factor = 0.0), (Section::Ports, 1));
    assert_eq!(
        rule_of(|d| d.ports[1].layout.dims[0].slot_stride = 23),
        (Section::Ports, 1)
    );
    assert_eq!(
        rule_of(|d| d.ports[1].layout.dims[0].block = 2),
        (Section::Ports, 1)
    );
    // Imaginary parts that lie beyond the slots: a third block, and copies of the second.
    let paired = |block, stack, repeat| {
        move |d: &mut PlanData| {
            let layout = &mut d.ports[1].layout;
            layout.dims[0].block = block;
            (layout.dims[0].stack, layout.dims[0].stack_stride) = (stack, layout.slots);
            layout.repeats[0].stride = repeat;
        }
    };
    let mut fitting = common::plan();
    paired(2, 2, 64)(&mut fitting);
    assert!(Plan::parse(&fitting.encode().unwrap()).is_ok());
    assert_eq!(rule_of(paired(1, 4, 64)), (Section::Ports, 1));
    assert_eq!(rule_of(paired(2, 2, 128)), (Section::Ports, 1));
    assert_eq!(
        rule_of(|d| d.ports[1].layout.repeats[0].count = 0),
        (Section::Ports, 1)
    );
    assert_eq!(
        rule_of(|d| d.ports[1].layout.repeats = vec![Repeat { count: 1, stride: 0 }; 9]),
        (Section::Ports, 1)
    );
    assert_eq!(
        rule_of(|d| d.keys[1].kind = KeyKind::Galois(4)),
        (Section::Keys, 1)
    );
    assert_eq!(
        rule_of(|d| d.keys[1].kind = KeyKind::Galois(2049)),
        (Section::Keys, 1)
    );
    assert_eq!(rule_of(|d| d.keys[1].level = 4), (Section::Keys, 1));
    assert_eq!(
        rule_of(|d| d.parameters.ephemeral_weight = 1025),
        (Section::Parameters, 0)
    );
    // No ephemeral secret, or a level at which it would not be safe.
    for kind in [KeyKind::ToSparse, KeyKind::FromSparse] {
        assert_eq!(
            rule_of(|d| (d.keys[3].kind, d.keys[3].level) = (kind, 0)),
            (Section::Keys, 3)
        );
    }
    let raised = |d: &mut PlanData| {
        d.parameters.ephemeral_weight = 32;
        d.keys[3].kind = KeyKind::ToSparse;
    };
    assert_eq!(rule_of(raised), (Section::Keys, 3));
    assert_eq!(rule_of(|d| d.constants[1].scale = -1.0), (Section::Constants, 1));
    let three = ConstantKind::Slots { values: vec![1.0; 3] };
    assert_eq!(rule_of(|d| d.constants[1].kind = three), (Section::Constants, 1));
    let far = ConstantKind::Boxes {
        value: 1.0,
        offset: 500,
        dims: vec![Repeat { count: 2, stride: 12 }],
    };
    assert_eq!(rule_of(|d| d.constants[0].kind = far), (Section::Constants, 0));
    // Eight progressions that mark the same few slots over and over would take 2^72 steps to fill.
    let many = ConstantKind::Boxes {
        value: 1.0,
        offset: 0,
        dims: vec![
            Repeat {
                count: 512,
                stride: 0
            };
            8
        ],
    };
    assert_eq!(rule_of(|d| d.constants[0].kind = many), (Section::Constants, 0));
    assert_eq!(
        rule_of(|d| d.scalars[0].values.truncate(2)),
        (Section::Scalars, 0)
    );
    assert_eq!(
        rule_of(|d| d.scalars[1].values[0] = f64::INFINITY),
        (Section::Values, 7)
    );
    assert_eq!(rule_of(|d| d.buffers[3].words = 0), (Section::Buffers, 3));
    assert_eq!(rule_of(|d| d.buffers[3].offset = u64::MAX), (Section::Buffers, 3));
    assert_eq!(rule_of(|d| d.spans[1].instruction = 0), (Section::Spans, 1));
    assert_eq!(rule_of(|d| d.spans[2].instruction = 26), (Section::Spans, 2));
    assert_eq!(rule_of(|d| d.spans[1].end = 0), (Section::Spans, 1));
    assert_eq!(rule_of(|d| d.estimates.seconds = -1.0), (Section::Estimates, 0));
}

#[test]
fn descriptions_of_constants_that_break_a_rule() {
    let good = Fourier {
        log_slots: 8,
        first: 2,
        last: 5,
        inverse: false,
        diagonal: -28,
        shift: 255,
        factor: 2.0,
    };
    let with = |fourier: Fourier| {
        let mut data = common::plan();
        data.constants[1].kind = ConstantKind::Fourier(fourier);
        Plan::parse(&data.encode().unwrap()).map(|_| ())
    };
    assert_eq!(with(good), Ok(()));
    let bad = [
        Fourier {
            log_slots: 10,
            ..good
        },
        Fourier {
            first: 5,
            diagonal: 0,
            ..good
        },
        Fourier { last: 9, ..good },
        Fourier { diagonal: 32, ..good },
        Fourier { diagonal: 6, ..good },
        Fourier { shift: 256, ..good },
        Fourier {
            shift: i32::MIN,
            ..good
        },
        Fourier {
            diagonal: i32::MIN,
            ..good
        },
        Fourier { factor: 0.0, ..good },
        Fourier {
            factor: f64::NAN,
            ..good
        },
    ];
    for fourier in bad {
        assert!(
            matches!(
                with(fourier),
                Err(PlanError::Record {
                    section: Section::Constants,
                    index: 1,
                    ..
                })
            ),
            "{fourier:?}"
        );
    }
}

#[test]
fn compact_plaintexts_have_32_words_of_a_limb() {
    use common::at;
    // At N = 2^10 one word stands for 2^5 at most.
    for compact in [6, 7, 31] {
        let error = error_of(|d| d.instructions[at::ENCODE].aux = aux_compact(0, compact));
        let instruction = at::ENCODE as u32;
        assert_eq!(error, PlanError::Compact { instruction });
    }
    let field = Field::Aux;
    let instruction = at::MUL as u32;
    let error = error_of(|d| d.instructions[at::MUL].aux = aux_compact(0, 1));
    assert_eq!(error, PlanError::Unused { instruction, field });
}

#[test]
fn sums_of_too_few_too_many_or_absent_terms() {
    use common::refresh::{at, plan};
    let error = |change: &dyn Fn(&mut Instruction)| {
        let mut data = plan();
        change(&mut data.instructions[at::SUM]);
        Plan::parse(&data.encode().unwrap()).unwrap_err()
    };
    let instruction = at::SUM as u32;
    for count in [0, 65, 255] {
        let terms = error(&|sum| sum.aux = aux_sum(AUX_QP, count));
        assert_eq!(terms, PlanError::Terms { instruction });
    }
    let flag = error(&|sum| sum.aux |= AUX_DEGREE_2);
    let field = Field::Aux;
    assert_eq!(flag, PlanError::Unused { instruction, field });
    for (first, last) in [(12, 13), (u32::MAX, u32::MAX)] {
        let beyond = PlanError::OutOfRange {
            instruction,
            field: Field::B,
            section: Section::Buffers,
            value: last,
            count: 13,
        };
        assert_eq!(error(&|sum| sum.b = first), beyond);
    }
    let many = error(&|sum| sum.aux = aux_sum(AUX_QP, 64));
    assert!(
        matches!(
            many,
            PlanError::OutOfRange {
                field: Field::A,
                value: 67,
                ..
            }
        ),
        "{many:?}"
    );
}

#[test]
fn instructions_that_name_what_is_not_there() {
    use common::at;
    let out_of_range = |at: usize, field, section, value, count| PlanError::OutOfRange {
        instruction: at as u32,
        field,
        section,
        value,
        count,
    };
    let error = error_of(|d| d.instructions[at::RELINEARIZE].b = 4);
    assert_eq!(
        error,
        out_of_range(at::RELINEARIZE, Field::B, Section::Keys, 4, 4)
    );
    let error = error_of(|d| d.instructions[at::ADD].a = 13);
    assert_eq!(error, out_of_range(at::ADD, Field::A, Section::Buffers, 13, 13));
    let error = error_of(|d| d.instructions[at::ADD].dst = u32::MAX);
    assert_eq!(
        error,
        out_of_range(at::ADD, Field::Dst, Section::Buffers, u32::MAX, 13)
    );
    let error = error_of(|d| d.instructions[at::ADD].level = 4);
    assert_eq!(error, out_of_range(at::ADD, Field::Level, Section::Primes, 4, 4));
    let error = error_of(|d| d.instructions[at::STREAM].a = 6);
    assert_eq!(error, out_of_range(at::STREAM, Field::A, Section::Ports, 6, 6));
    let error = error_of(|d| d.instructions[at::ENCODE].a = 2);
    assert_eq!(
        error,
        out_of_range(at::ENCODE, Field::A, Section::Constants, 2, 2)
    );
    let error = error_of(|d| d.instructions[at::MUL_SCALAR].b = 2);
    assert_eq!(
        error,
        out_of_range(at::MUL_SCALAR, Field::B, Section::Scalars, 2, 2)
    );
}

#[test]
fn fields_without_a_role_are_zero() {
    use common::at;
    let unused = |at: usize, field| PlanError::Unused {
        instruction: at as u32,
        field,
    };
    assert_eq!(
        error_of(|d| d.instructions[at::STEP].level = 1),
        unused(at::STEP, Field::Level)
    );
    assert_eq!(
        error_of(|d| d.instructions[at::RESCALE].b = 1),
        unused(at::RESCALE, Field::B)
    );
    assert_eq!(
        error_of(|d| d.instructions[at::REVEAL].dst = 1),
        unused(at::REVEAL, Field::Dst)
    );
    assert_eq!(
        error_of(|d| d.instructions[at::ADD].aux = AUX_INIT),
        unused(at::ADD, Field::Aux)
    );
    assert_eq!(
        error_of(|d| d.instructions[at::MUL].aux = AUX_QP),
        unused(at::MUL, Field::Aux)
    );
}

#[test]
fn loops_are_matched() {
    use common::at;
    let nop = Instruction::new(Op::Checkpoint);
    let at_loop = at::LOOP as u32;
    assert_eq!(
        error_of(|d| d.instructions[at::END] = nop),
        PlanError::UnmatchedLoop { instruction: at_loop }
    );
    let error = error_of(|d| d.instructions[at::LOOP] = nop);
    assert_eq!(
        error,
        PlanError::UnmatchedEnd {
            instruction: at::END as u32
        }
    );
    let error = error_of(|d| d.instructions[at::LOOP].a = 0);
    assert_eq!(error, PlanError::TripCount { instruction: at_loop });
    let five = |d: &mut PlanData| {
        let (open, close) = (d.instructions[at::LOOP], d.instructions[at::END]);
        d.instructions.extend([open; 5]);
        d.instructions.extend([close; 5]);
    };
    assert_eq!(error_of(five), PlanError::LoopDepth { instruction: 30 });
}

#[test]
fn an_unknown_opcode() {
    let mut bytes = common::plan().encode().unwrap();
    let first = op_offset(&bytes);
    bytes[first] = 0x7f;
    common::fix_hash(&mut bytes);
    assert_eq!(
        Plan::parse(&bytes).unwrap_err(),
        PlanError::Opcode {
            instruction: 0,
            code: 0x7f
        }
    );
}

/// The offset in the directory entry of the instructions.
fn op_offset(bytes: &[u8]) -> usize {
    let entry = 64 + 24 * Section::Instructions as usize;
    u64::from_le_bytes(bytes[entry + 8..entry + 16].try_into().unwrap()) as usize
}

/// Everything that reads a plan; whatever it says, it must not panic.
fn read_everything(bytes: &[u8]) -> bool {
    let Ok(plan) = Plan::parse(bytes) else {
        return false;
    };
    let mut slots = vec![0.0; plan.parameters().slots() as usize];
    let mut imaginary = slots.clone();
    plan.constants()
        .for_each(|constant| constant.fill(&mut slots, &mut imaginary));
    plan.instructions().for_each(|instruction| {
        let buffers = plan.buffers().len() as u32;
        assert!(instruction.reads().all(|buffer| buffer < buffers));
    });
    for port in plan.ports() {
        let mut values = vec![0.0; port.values().min(1 << 16)];
        let layout = port.layout();
        let mut tile = vec![0.0; layout.numbers()];
        let _ = layout.unpack_tile(&tile, port.shape(), 0, &mut values);
        let _ = layout.pack_tile(&values, port.shape(), 0, &mut tile);
    }
    let _ = plan.memory();
    let _ = plan.span(0);
    let _ = disassemble_to_string(&plan);
    let _ = cipherloom_plan::verify(&plan, &mut [VerifyCell::default(); 1]);
    let _ = verify_alloc(&plan);
    assert_eq!(
        PlanData::from_plan(&plan).encode().unwrap(),
        bytes,
        "one form in bytes"
    );
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn random_bytes_do_not_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..1200), framed in any::<bool>()) {
        if framed && bytes.len() > 64 {
            let length = bytes.len() as u64;
            bytes[..8].copy_from_slice(&cipherloom_plan::MAGIC);
            bytes[8..16].copy_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
            bytes[48..56].copy_from_slice(&length.to_le_bytes());
            bytes[56..64].copy_from_slice(&[13, 0, 0, 0, 0, 0, 0, 0]);
        }
        common::fix_hash(&mut bytes);
        prop_assert!(!read_everything(&bytes));
    }

    #[test]
    fn mutated_plans_do_not_panic(
        refresh in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
    ) {
        let plan = if refresh { common::refresh::plan() } else { common::plan() };
        let mut bytes = plan.encode().unwrap();
        let body = 376..bytes.len();
        for (at, value, flip) in changes {
            let at = body.start + at.index(body.len());
            bytes[at] = if flip { bytes[at] ^ (1 << (value % 8)) } else { value };
        }
        common::fix_hash(&mut bytes);
        read_everything(&bytes);
    }
}

#[test]
fn every_byte_changed_with_a_right_hash() {
    for data in [common::plan(), common::refresh::plan()] {
        let original = data.encode().unwrap();
        let mut accepted = 0;
        for at in 48..original.len() {
            for change in [1, 0x80, 0xff] {
                let mut bytes = original.clone();
                bytes[at] ^= change;
                common::fix_hash(&mut bytes);
                accepted += usize::from(read_everything(&bytes));
            }
        }
        // Scales, ranges, names, estimates: plenty of bytes may have other values.
        assert!(accepted > 100, "{accepted}");
    }
}
