//! Reports of a small plan built by hand.

use std::collections::BTreeMap;

use cipherloom_plan::data::{
    Buffer, Estimates, Instruction, Key, KeyKind, Layout, LayoutDim, Op, Parameters, PlanData, Port,
    PortKind, SourceSpan,
};
use cipherloom_plan::{Plan, verify_alloc};

use super::{Place, Report};
use crate::source::Source;
use crate::target::{Costs, Target, Term, TermCosts, ThreadTimes};

const SOURCE: &str = "\
graph tiny {
    stream x: secret [4] in [-1, 1];
    train { step {
        update w = w
            + rotated(x * x);
    } }
    output w;
}
";
/// A 45-bit prime and two 40-bit primes, and a 46-bit special prime, all ≡ 1 (mod 2^11).
const PRIMES: [u64; 4] = [
    35_184_372_103_169,
    1_099_511_592_961,
    1_099_511_590_913,
    70_368_744_183_809,
];

fn port(name: &str, kind: PortKind, level: u8, scale: f64, error: f64) -> Port {
    let dims = vec![LayoutDim::blocks(4, 1, 1)];
    Port {
        name: name.to_owned(),
        kind,
        shape: vec![4],
        layout: Layout {
            slots: 512,
            tiles: 1,
            dims,
            repeats: Vec::new(),
            factor: 1.0,
        },
        level,
        scale,
        low: -1.0,
        high: 1.0,
        one_hot: false,
        error,
    }
}

/// Two steps: w = x² + rotate(x², 1) at level 1, then the same of the next batch, added at level 0.
fn tiny() -> PlanData {
    let [q0, q1, q2, special] = PRIMES;
    let scale = 2f64.powi(40);
    // Polynomials of N = 1024 words: level 2 has 3 limbs, level 1 two, level 0 one.
    let words = |polynomials: u64, level: u64| polynomials * (level + 1) * 1024;
    let sizes = [
        words(2, 2),
        words(3, 2),
        words(2, 2),
        words(2, 1),
        words(2, 1),
        words(2, 0),
    ];
    let mut offset = 0;
    let buffers = sizes.map(|words| {
        let buffer = Buffer { offset, words };
        offset += words;
        buffer
    });
    let new = |op, level, aux, dst, a, b| Instruction {
        op,
        level,
        aux,
        dst,
        a,
        b,
    };
    let step = Instruction::new(Op::Step);
    let body = |level: u8| {
        vec![
            step,
            new(Op::Stream, level + 1, 0, 0, 0, 0),
            new(Op::Square, level + 1, 0, 1, 0, 0),
            new(Op::Relinearize, level + 1, 0, 2, 1, 0),
        ]
    };
    let mut instructions = body(1);
    instructions.extend([
        new(Op::Rescale, 1, 0, 3, 2, 0),
        new(Op::Rotate, 1, 0, 4, 3, 1),
        new(Op::Add, 1, 0, 3, 3, 4),
    ]);
    instructions.extend(body(1));
    instructions.extend([
        new(Op::Rescale, 1, 0, 4, 2, 0),
        new(Op::Add, 1, 0, 3, 3, 4),
        new(Op::Drop, 0, 0, 5, 3, 1),
        new(Op::Output, 0, 0, 0, 5, 1),
    ]);
    let at = |text: &str| SOURCE.find(text).unwrap_or_default() as u32;
    let span = |instruction, text: &str| SourceSpan {
        instruction,
        start: at(text),
        end: at(text) + text.len() as u32,
    };
    PlanData {
        name: "tiny".to_owned(),
        parameters: Parameters {
            word_bits: 64,
            log_n: 10,
            log_scale: 40.0,
            q: vec![q0, q1, q2],
            p: vec![special],
            digit_limbs: 1,
            security_bits: 0,
            toy: true,
            steps: 2,
            ephemeral_weight: 0,
        },
        ports: vec![
            port("x", PortKind::Stream, 2, scale, 0.0),
            port(
                "w",
                PortKind::Output,
                0,
                scale * scale / q2 as f64,
                2f64.powi(-20),
            ),
        ],
        keys: vec![
            Key {
                kind: KeyKind::Relinearise,
                level: 2,
                uses: 2,
            },
            Key {
                kind: KeyKind::Galois(5),
                level: 1,
                uses: 1,
            },
        ],
        constants: Vec::new(),
        scalars: Vec::new(),
        buffers: buffers.to_vec(),
        instructions,
        spans: vec![
            span(0, "stream x: secret [4] in [-1, 1];"),
            span(2, "x * x"),
            span(5, "rotated(x * x)"),
            span(6, "update w = w\n            + rotated(x * x);"),
            span(8, "stream x: secret [4] in [-1, 1];"),
            span(9, "x * x"),
            span(12, "update w = w\n            + rotated(x * x);"),
            span(14, "output w;"),
        ],
        estimates: Estimates {
            seconds: 0.5,
            seconds_per_step: 0.25,
            input_bytes: 12_000,
            output_bytes: 8_000,
            arena_lower_bound_words: 0,
            bootstrap_log2_failure: 0.0,
        },
    }
}

fn report(data: &PlanData, source: Option<&Source>, notes: &[String]) -> Report {
    let bytes = data.encode().unwrap();
    let plan = Plan::parse(&bytes).unwrap();
    verify_alloc(&plan).unwrap();
    let mut report = Report::new(&plan, source, notes);
    report.predict(&plan, &machine(2));
    report
}

/// A machine that takes a nanosecond for a butterfly and for a product with a key, half of it on two threads, and no
/// time for anything else.
fn machine(threads: u32) -> Target {
    let halved = |time| ThreadTimes([time, 0.5 * time]);
    let terms = TermCosts {
        transform: BTreeMap::from([(10, halved(1.0))]),
        terms: BTreeMap::from([(Term::KeyProduct, halved(1.0))]),
    };
    let costs = Costs {
        machine: "a machine".to_owned(),
        backend: "portable".to_owned(),
        command: String::new(),
        narrow: terms.clone(),
        wide: terms,
    };
    Target {
        costs,
        threads,
        device: None,
    }
}

#[test]
fn times_are_counted_from_the_instructions() {
    let bytes = tiny().encode().unwrap();
    let plan = Plan::parse(&bytes).unwrap();
    let mut report = Report::new(&plan, None, &[]);
    report.predict(&plan, &machine(4));
    let threads: Vec<u32> = report
        .predictions
        .iter()
        .map(|prediction| prediction.threads)
        .collect();
    assert_eq!(threads, [1, 2, 4]);
    // N = 2^10, one special prime, digits of one limb. Relinearisations at level 2: 3 limbs back, 3·3 forward, 2 back and
    // 2·3 forward, 3 digits times 2·4 limbs of the key; the rotation at level 1: 2, 2·2, 2 and 2·2, and 2 times 2·3.
    // Rescales to level 1: 2·3.
    let transforms = 2.0 * (3.0 + 9.0 + 2.0 + 6.0) + (2.0 + 4.0 + 2.0 + 4.0) + 2.0 * 6.0;
    let products = 2.0 * 3.0 * 8.0 + 2.0 * 6.0;
    let seconds = 1e-9 * (transforms * 5.0 + products) * 1024.0;
    for (prediction, threads) in report.predictions.iter().zip([1.0, 2.0, 4.0]) {
        assert!((prediction.seconds * threads / seconds - 1.0).abs() < 1e-12);
        assert!((prediction.seconds_per_step - 0.5 * prediction.seconds).abs() < 1e-15);
    }
    assert_eq!(report.seconds, report.predictions[2].seconds);
}

#[test]
fn text_with_the_source() {
    let source = Source::new("tiny.loom", SOURCE);
    let mut report = report(&tiny(), Some(&source), &["a remark of the compiler".to_owned()]);
    // The hash changes with every revision of the format; the layout of the text does not.
    report.hash = "0123456789abcdef".to_owned();
    insta::assert_snapshot!(report);
}

#[test]
fn without_the_source_places_are_byte_offsets() {
    let report = report(&tiny(), None, &[]);
    let text = report.to_string();
    let start = SOURCE.find("x * x").unwrap();
    assert!(text.contains(&format!("bytes {start}..{}", start + 5)), "{text}");
    assert!(!text.contains("Notes"), "{text}");
}

#[test]
fn the_peak_is_made_by_what_is_alive() {
    let report = report(&tiny(), None, &[]);
    let polynomial = 1024 * 8;
    // At the second square: its result of degree 2 and its source at level 2 (9 and 6 limbs), and the first step's
    // weights at level 1 (4 limbs). The relinearisation after it needs as much; the first counts.
    assert_eq!(report.memory.peak_instruction, 9);
    assert_eq!(report.memory.peak_live_bytes, (9 + 6 + 4) * polynomial);
    let made: Vec<_> = report
        .memory
        .peak
        .iter()
        .map(|group| (group.made_by, group.level, group.bytes))
        .collect();
    assert_eq!(
        made,
        [
            ("square", 2, 9 * polynomial),
            ("stream", 2, 6 * polynomial),
            ("add", 1, 4 * polynomial)
        ]
    );
    assert_eq!(
        report.memory.total_bytes,
        report.memory.arena_bytes
            + report.memory.table_bytes
            + report.memory.encoder_bytes
            + report.memory.key_bytes
    );
}

#[test]
fn a_value_carried_around_a_loop_stays_alive() {
    let mut data = tiny();
    // The first step's weights are added to in a loop, whose body writes everything else anew.
    data.instructions.truncate(7);
    let new = |op, level, aux, dst, a, b| Instruction {
        op,
        level,
        aux,
        dst,
        a,
        b,
    };
    data.instructions.extend([
        new(Op::Loop, 0, 0, 0, 1, 0),
        Instruction::new(Op::Step),
        new(Op::Stream, 2, 0, 0, 0, 0),
        new(Op::Square, 2, 0, 1, 0, 0),
        new(Op::Relinearize, 2, 0, 2, 1, 0),
        new(Op::Rescale, 1, 0, 4, 2, 0),
        new(Op::Add, 1, 0, 3, 3, 4),
        Instruction::new(Op::End),
        new(Op::Drop, 0, 0, 5, 3, 1),
        new(Op::Output, 0, 0, 0, 5, 1),
    ]);
    let report = report(&data, None, &[]);
    let peak: u64 = report.memory.peak.iter().map(|group| group.count as u64).sum();
    assert_eq!((report.memory.peak_live_bytes, peak), ((9 + 6 + 4) * 1024 * 8, 3));
}

#[test]
fn operations_in_loops_count_as_often_as_they_run() {
    let mut data = tiny();
    data.instructions.insert(
        0,
        Instruction {
            a: 3,
            ..Instruction::new(Op::Loop)
        },
    );
    data.instructions.insert(8, Instruction::new(Op::End));
    data.parameters.steps = 4;
    data.spans.clear();
    let report = report(&data, None, &[]);
    let count = |name: &str| {
        report
            .timeline
            .operations
            .iter()
            .find(|operation| operation.operation == name)
            .map(|o| o.count)
    };
    assert_eq!(
        (count("square"), count("rotate"), count("output")),
        (Some(4), Some(3), Some(1))
    );
    assert_eq!(
        report
            .timeline
            .steps
            .iter()
            .map(|step| step.runs)
            .collect::<Vec<_>>(),
        [3, 1]
    );
    assert_eq!(report.timeline.typical, 0, "three of four steps are the first");
    assert!(
        report.to_string().contains("Steps 1 to 3 of 4, level by level"),
        "{report}"
    );
}

#[test]
fn a_typical_step_is_shown() {
    let mut data = tiny();
    // The first step has no rotation and no sum; the third is the second again and ends with the output.
    let second = data.instructions[7..13].to_vec();
    data.instructions.splice(7..7, second);
    data.instructions.drain(5..7);
    data.parameters.steps = 3;
    data.spans.clear();
    let report = report(&data, None, &[]);
    let lengths: Vec<_> = report
        .timeline
        .steps
        .iter()
        .map(|step| step.instructions)
        .collect();
    assert_eq!((lengths.as_slice(), report.timeline.typical), (&[5, 6, 8][..], 1));
    assert!(
        report.to_string().contains("Step 2 of 3, level by level"),
        "{report}"
    );
    let levels: Vec<_> = report.timeline.stages.iter().map(|stage| stage.level).collect();
    assert!(levels.is_sorted_by(|a, b| a >= b), "{levels:?}");
}

#[test]
fn what_comes_from_one_line_at_one_level_is_one_row() {
    let report = report(&tiny(), Some(&Source::new("tiny.loom", SOURCE)), &[]);
    let mut rows: Vec<_> = report
        .timeline
        .stages
        .iter()
        .map(|stage| (stage.level, stage.place.line))
        .collect();
    let count = rows.len();
    rows.dedup();
    assert_eq!((count, rows.len()), (4, 4), "{rows:?}");
}

#[test]
fn scales_follow_the_instructions() {
    let report = report(&tiny(), Some(&Source::new("tiny.loom", SOURCE)), &[]);
    let stage = |level: u8, text: &str| {
        let found = report.timeline.stages.iter().find(|stage| {
            stage.level == level && stage.place.text.as_deref().is_some_and(|found| found == text)
        });
        found.and_then(|stage| stage.log_scale).unwrap()
    };
    assert!(
        (stage(2, "x * x") - 80.0).abs() < 1e-9,
        "a product has both scales"
    );
    assert!(
        (stage(1, "rotated(x * x)") - 40.0).abs() < 1e-6,
        "a rescale takes a 40-bit prime off"
    );
    let place = Place {
        line: Some(4),
        ..Place::default()
    };
    assert!(
        report
            .timeline
            .stages
            .iter()
            .any(|stage| stage.place.line == place.line)
    );
}

#[test]
fn json_has_the_same_numbers() {
    let report = report(&tiny(), None, &[]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["parameters"]["log_n"], 10);
    assert_eq!(json["keys"]["keys"][1]["rotation"], 1);
    assert_eq!(json["ports"][1]["precision_bits"], 20.0);
    assert_eq!(json["memory"]["peak_instruction"], report.memory.peak_instruction);
}
