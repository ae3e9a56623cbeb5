//! Encode, parse, decode: the same data, and one form in bytes.

mod common;

use cipherloom_plan::data::*;
use cipherloom_plan::{AUX_COMPACT, Dst, Operand, Plan, disassemble_to_string, verify_alloc};
use proptest::prelude::*;

#[test]
fn the_small_plans_come_back() {
    for data in [common::plan(), common::refresh::plan()] {
        let bytes = data.encode().unwrap();
        let plan = Plan::parse(&bytes).unwrap();
        assert_eq!(PlanData::from_plan(&plan), data);
        assert_eq!(PlanData::from_plan(&plan).encode().unwrap(), bytes);
        assert_eq!(bytes.len() % 8, 0);
        verify_alloc(&plan).unwrap();
    }
}

#[test]
fn sizes_of_a_plan_with_an_ephemeral_secret() {
    let bytes = common::refresh::plan().encode().unwrap();
    let plan = Plan::parse(&bytes).unwrap();
    assert_eq!(plan.parameters().ephemeral_weight(), 32);
    let memory = plan.memory();
    // Relinearisation at level 2 with two digits and from_sparse at level 3 likewise; to_sparse has one special prime.
    // A limb takes as many bits a residue as its prime has: 51, 40, 40, 41 in q, 50 and 50 in p.
    let (q, p) = ([51, 91, 131, 172], [50, 100]);
    let bits = 2 * (q[2] + p[1]) + (q[0] + p[0]) + 2 * (q[3] + p[1]);
    assert_eq!(memory.key_words, 2 * bits * 1024 / 64);
    // The key switch at level 3: two digits and two polynomials of 6 limbs, and 2 + 2 + 6 limbs.
    assert_eq!(memory.scratch_words, (4 * 6 + 10) * 1024);
    assert_eq!(memory.encoder_f64s, 2 * 1024);
}

#[test]
fn instructions_say_what_they_read_and_write() {
    let instruction = |index: usize| common::refresh::plan().instructions[index];
    use common::refresh::{at, buffer};
    let sum = instruction(at::SUM);
    assert_eq!(sum.terms(), 2);
    let sources = [
        buffer::LIFTED,
        buffer::LIFTED + 1,
        buffer::DIAGONAL,
        buffer::DIAGONAL + 1,
    ];
    assert!(sum.reads().eq(sources));
    let adding = Instruction {
        aux: aux_sum(AUX_QP, 2),
        ..sum
    };
    assert!(adding.reads().eq(sources.into_iter().chain([buffer::SUM])));
    assert_eq!(sum.writes(), Some(buffer::SUM));
    let square = instruction(at::SQUARE);
    assert!(square.reads().eq([buffer::LOW]));
    assert_eq!(
        (
            square.source_level(),
            instruction(at::RELINEARIZE_RESCALE).source_level()
        ),
        (2, 2)
    );
    let output = common::plan().instructions[common::at::OUTPUT];
    assert!(output.reads().eq([common::buffer::W]) && output.writes().is_none());
}

#[test]
fn accessors_read_what_was_written() {
    let data = common::plan();
    let bytes = data.encode().unwrap();
    let plan = Plan::parse(&bytes).unwrap();
    assert_eq!(plan.hash(), *blake3::hash(&bytes[48..]).as_bytes());
    assert_eq!(plan.name(), "logistic");
    let parameters = plan.parameters();
    assert_eq!(
        (parameters.max_level(), parameters.special(), parameters.slots()),
        (3, 1, 512)
    );
    assert_eq!(parameters.digits(3), 4);
    assert_eq!(parameters.words(), data.parameters.words());
    let (index, port) = plan.port_by_name(PortKind::Output, "w").unwrap();
    assert_eq!(
        (index, port.level(), port.shape(), port.values()),
        (4, 1, &[4, 8][..], 32)
    );
    assert!(plan.port_by_name(PortKind::Input, "w").is_none());
    assert!(plan.port(6).is_none() && plan.instruction(26).is_none() && plan.key(4).is_none());

    let scalar = plan.scalar(0).unwrap();
    assert_eq!(
        [scalar.value(0), scalar.value(2), scalar.value(9)],
        [3.0, 1.0, 1.0]
    );
    assert!(scalar.per_step() && !plan.scalar(1).unwrap().per_step());

    assert_eq!(plan.span(3).unwrap().start, 10);
    assert_eq!(plan.span(4).unwrap().start, 30);
    assert_eq!(plan.span(25).unwrap().start, 60);

    let memory = plan.memory();
    // Buffers without the accumulator, which lies where the product lies: see FORMAT.md for the sizes.
    assert_eq!(
        memory.buffer_words,
        (4 + 8 + 12 + 8 + 6 + (3 + 3 * 4) + 3 + 8 + 8 + 6 + 4 + 4 + 2) * 1024
    );
    // Relinearisation at level 3: 4 digits and 2 polynomials of 5 limbs, and 4 + 1 + 6 limbs.
    assert_eq!(memory.scratch_words, (6 * 5 + 11) * 1024);
    assert_eq!(memory.arena_words, memory.buffer_words + memory.scratch_words);
    // Primes of 51, 40, 40, 41 bits, and a special one of 50.
    let bits = 4 * (51 + 40 + 40 + 41 + 50) + 2 * (3 * (51 + 40 + 40 + 50)) + 2 * (51 + 40 + 50);
    assert_eq!(memory.key_words, 2 * bits * 1024 / 64);
    assert_eq!(memory.table_words, 5 * 2 * 1024);
}

#[test]
fn constants_fill_slots() {
    let bytes = common::plan().encode().unwrap();
    let plan = Plan::parse(&bytes).unwrap();
    let (mut slots, mut zeros) = (vec![9.0; 512], vec![9.0; 512]);
    plan.constant(0).unwrap().fill(&mut slots, &mut zeros);
    assert!(zeros.iter().all(|&zero| zero == 0.0));
    for (slot, &value) in slots.iter().enumerate() {
        let marked = (2..5).contains(&(slot % 128));
        assert_eq!(value, if marked { 0.25 } else { 0.0 }, "slot {slot}");
    }
    zeros.fill(9.0);
    plan.constant(1).unwrap().fill(&mut slots, &mut zeros);
    assert!(zeros.iter().all(|&zero| zero == 0.0));
    for (slot, &value) in slots.iter().enumerate() {
        assert_eq!(value, [1.0, -2.0, 0.5, 3.25][slot % 4], "slot {slot}");
    }
}

#[test]
fn what_has_no_form_in_bytes_is_refused() {
    let mut data = common::plan();
    data.ports[0].shape = vec![1; 5];
    assert_eq!(data.encode(), Err(EncodeError::Rank { port: 0, rank: 5 }));
    data.ports[0].shape = vec![32];
    assert_eq!(
        data.encode(),
        Err(EncodeError::LayoutRank {
            port: 0,
            rank: 1,
            dims: 2
        })
    );
}

fn value() -> impl Strategy<Value = f64> {
    (-1.0e6..1.0e6_f64).prop_map(|v| v / 64.0)
}

fn scale() -> impl Strategy<Value = f64> {
    (-3.0..100.0_f64).prop_map(f64::exp2)
}

/// A structurally valid instruction, made from the table: random fields in the ranges of their roles.
fn instruction() -> impl Strategy<Value = Instruction> {
    let plain = Op::ALL
        .iter()
        .copied()
        .filter(|op| !matches!(op, Op::Loop | Op::End))
        .collect::<Vec<_>>();
    (
        prop::sample::select(plain),
        0..4_u8,
        any::<u16>(),
        0..13_u32,
        any::<[u32; 2]>(),
    )
        .prop_map(|(op, level, aux, dst, [a, b])| {
            let signature = op.signature();
            // One word for 8 at most: there are rings of 2^8.
            let few = !AUX_COMPACT | 0x18;
            let operand = |role, value: u32| match role {
                Operand::None => 0,
                Operand::Read | Operand::Consume => value % 13,
                Operand::Run => value % 8,
                Operand::Port => value % 6,
                Operand::Constant | Operand::Scalar => value % 2,
                Operand::Key | Operand::Level => value % 4,
                Operand::Count => value.max(1),
                Operand::Tile => value,
            };
            Instruction {
                op,
                level: if signature.level { level } else { 0 },
                aux: match signature.aux {
                    cipherloom_plan::Aux::Zero => 0,
                    cipherloom_plan::Aux::Tile => aux,
                    cipherloom_plan::Aux::Flags(flags) => aux & flags & few,
                    cipherloom_plan::Aux::Sum(flags) => aux_sum(aux & flags & few, aux % 6 + 1),
                },
                dst: if signature.dst == Dst::None { 0 } else { dst },
                a: operand(signature.a, a),
                b: operand(signature.b, b),
            }
        })
}

prop_compose! {
    fn random_plan()(
        name in "\\PC{0,12}",
        port_names in prop::collection::hash_set("\\PC{1,8}", 6),
        factors in prop::array::uniform6(1.0..8.0_f64),
        repeats in prop::collection::vec((1..3_u32, 1..40_u32), 0..4),
        box_dims in prop::collection::vec((1..3_u32, 0..60_u32), 0..4),
        stored in prop::collection::vec(value(), 8),
        scales in prop::array::uniform4(scale()),
        buffers in prop::collection::vec((0..1_u64 << 40, 1..1_u64 << 40), 13),
        instructions in prop::collection::vec(instruction(), 0..60),
        words in any::<[u32; 3]>(),
    ) -> PlanData {
        let mut data = common::plan();
        data.name = name;
        for ((port, name), factor) in data.ports.iter_mut().zip(port_names).zip(factors) {
            port.name = name;
            port.layout.factor = factor;
            port.layout.repeats = repeats.iter().map(|&(count, stride)| Repeat { count, stride }).collect();
        }
        let dims = box_dims.iter().map(|&(count, stride)| Repeat { count, stride }).collect();
        data.constants[0].kind = ConstantKind::Boxes { value: stored[0], offset: words[0] % 100, dims };
        data.constants[1].kind = ConstantKind::Slots { values: stored };
        data.constants[0].scale = scales[0];
        data.constants[1].scale = scales[1];
        data.scalars[0].scale = scales[2];
        data.buffers = buffers.into_iter().map(|(offset, words)| Buffer { offset, words }).collect();
        data.spans.clear();
        if !instructions.is_empty() {
            data.spans.push(SourceSpan { instruction: 0, start: 0, end: words[1] });
        }
        data.instructions = instructions;
        data.keys[0].uses = words[2];
        data
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_plans_come_back(data in random_plan()) {
        let bytes = data.encode().unwrap();
        let plan = Plan::parse(&bytes).unwrap();
        prop_assert_eq!(&PlanData::from_plan(&plan), &data);
        prop_assert_eq!(data.encode().unwrap(), bytes.clone());
        // Meaningless instructions are refused or accepted, but never a panic, and always printable.
        let verified = verify_alloc(&plan);
        let text = disassemble_to_string(&plan);
        prop_assert!(text.lines().count() > data.instructions.len());
        if verified.is_ok() {
            prop_assert!(!text.contains("FAULT"));
        }
    }
}
