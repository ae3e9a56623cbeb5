//! Whole programs: packed vectors against the reference, plans that verify, equal bytes.

use std::collections::{BTreeMap, BTreeSet};

use cipherloom_plan::data::{ConstantKind, PlanData};
use cipherloom_plan::{KeyKind, LayoutView, Op, Plan, PortKind};
use proptest::prelude::*;

use super::*;
use crate::analysis::depth;
use crate::dialect::slot::{self, Contents};
use crate::emit::{self, Claims};
use crate::options::{Options, TensorData};
use crate::pass::layout::{self, Axes, Frame, Packed, Port, Radix};
use crate::pass::{lower_ckks, schedule};
use crate::reference::{Length, Reference};
use crate::source::Source;

mod biases;
mod closed;
mod composites;
mod devices;
mod epochs;
mod matrices;
mod memory;
mod oracle;

use oracle::*;

/// The program of the README, smaller.
fn logistic(batch: u32, features: u32, optimiser: &str) -> String {
    format!(
        "graph spam {{
            stream x: secret [{batch}, {features}] in [-1, 1];
            stream y: secret [{batch}] in [0, 1];
            input x_val: secret [5, {features}] in [-1, 1];
            state w: secret [{features}] in [-16, 16] = 0;
            state b: secret [] in [-16, 16] = 0;
            fn score(x) = sigmoid(x @ w + b, range: 8, degree: 7);
            train {{
                step {{ minimize mean(cross_entropy(score(x), y)) over w, b with {optimiser}; }}
                epoch {{ reveal validation = x_val @ w + b; }}
            }}
            output w, b;
        }}"
    )
}

fn tensor_graph(text: &str, steps: u32) -> Graph {
    graph_with(text, steps, false)
}

fn graph_with(text: &str, steps: u32, closed_loop: bool) -> Graph {
    let mut diagnostics = Diagnostics::new();
    let weight = |shape: &[u32], values: Vec<f64>| TensorData {
        shape: shape.to_vec(),
        values,
    };
    let weights = [
        ("k", weight(&[3], vec![1.0, -2.0, 0.5])),
        ("m", weight(&[6, 3], data("m", 0, 18, -1.0, 1.0))),
    ];
    let weights = weights
        .into_iter()
        .map(|(name, data)| (name.to_owned(), data))
        .collect();
    let options = Options {
        weights,
        closed_loop,
        ..Options::default()
    };
    let source = Source::new("test.loom", text);
    let graph = sema::check(&source, &options, &mut diagnostics).unwrap_or_else(|| panic!("{diagnostics:?}"));
    let exact = grad::differentiate(&graph).expect("differentiable");
    flatten(&exact, steps, is_closed(&exact, &options).then_some(1), &options)
        .expect("approximable")
        .0
}

fn every_frame_agrees(text: &str, steps: u32, slots: u32, radix: Radix) {
    every_frame_of(&tensor_graph(text, steps), slots, radix);
}

fn every_frame_of(graph: &Graph, slots: u32, radix: Radix) {
    let axes = Axes::unify(graph).expect("axes");
    let frames = layout::frames(graph, &axes, slots);
    assert!(!frames.is_empty());
    let pairings: Vec<Frame> = frames
        .iter()
        .flat_map(|frame| layout::pairings(graph, &axes, frame))
        .collect();
    for frame in frames.into_iter().chain(pairings) {
        let within = |most: f64| layout::run_within(graph, &axes, &frame, radix, most).expect("laid out");
        let packed = within(f64::INFINITY).expect("any work will do");
        let work = layout::work(&packed.graph);
        assert!(within(work * 1.001).is_some() && within(work * 0.999).is_none());
        let (_, top) = lower_ckks::top_level(&packed.graph, 0);
        assert!(depth::least(graph) <= top, "{}", frame.describe(&axes));
        let difference = difference(graph, &packed, &run_slots(&packed));
        assert!(difference < 1e-9, "{}: {difference}", frame.describe(&axes));
    }
}

#[test]
fn logistic_regression_agrees_with_the_reference_in_every_frame() {
    for optimiser in [
        "sgd(rate: 2)",
        "nesterov(rate: 2)",
        "momentum(rate: 1, momentum: 0.9)",
    ] {
        every_frame_agrees(
            &logistic(12, 5, optimiser),
            2,
            32,
            Radix {
                cyclic: 2,
                sums: 2,
                spreads: 1,
            },
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn random_shapes_agree_with_the_reference(
        batch in 1u32..71, features in 1u32..51, log_slots in 3u32..9, bits in 1u32..4,
    ) {
        let text = logistic(batch, features, "sgd(rate: 1)");
        every_frame_agrees(&text, 1, 1 << log_slots, Radix { cyclic: bits, sums: bits, spreads: 3 - bits % 3 });
    }
}

#[test]
fn other_programs_agree_with_the_reference() {
    let programs = [
        "graph g { input x: secret [6, 3] in [-1, 1]; weight k: public [3]; weight m: public [6, 3]; reveal u = m @ (k * (transpose(m) @ (x @ k))); reveal h = exp(x @ k, range: 4, degree: 12); }",
        "graph g { input x: secret [6] in [-1, 1]; input y: secret [6] in [-1, 1]; reveal s = sum(x * y) / 6 + mean(x); reveal z = 3 * x - y + 1; }",
    ];
    for program in programs {
        every_frame_agrees(
            program,
            1,
            8,
            Radix {
                cyclic: 2,
                sums: 1,
                spreads: 1,
            },
        );
    }
}

fn toy() -> Options {
    Options {
        insecure_toy: true,
        log_n: Some(8),
        steps: Some(2),
        precision: 1.0,
        ..Options::default()
    }
}

#[test]
fn plans_compute_what_the_reference_does() {
    for (program, steps) in [
        (logistic(12, 5, "nesterov(rate: 2)"), 3),
        (logistic(33, 7, "momentum(rate: 1, momentum: 0.9)"), 2),
        (logistic(5, 1, "sgd(rate: 1)"), 2),
    ] {
        let graph = tensor_graph(&program, steps);
        let options = Options {
            log_n: Some(7),
            ..toy()
        };
        let Lowered {
            packed, mut choice, ..
        } = backend::lower(&graph, &options, false, None).expect("lowered");
        choice.ckks = schedule::run(&choice.ckks, 8);
        let (data, _) = emit::run(
            &packed,
            &choice,
            Claims {
                word_bits: 64,
                toy: true,
                steps,
            },
        )
        .expect("verified");
        let difference = difference(&graph, &packed, &run_plan(&packed, &data));
        assert!(difference < 1e-9, "{difference}");
    }
}

#[test]
fn plans_verify_and_repeat() {
    let source = Source::new("test.loom", logistic(12, 5, "nesterov(rate: 2)"));
    let first = compile(&source, &toy())
        .unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(&source, false)));
    let second = compile(&source, &toy()).expect("compiles again");
    assert_eq!(first.plan, second.plan);
    // An assumed range is a remark, not a warning.
    let assumed: Vec<_> = first
        .assumptions
        .iter()
        .map(|note| (note.function.as_str(), note.declared))
        .collect();
    assert_eq!(assumed, [("sigmoid", (-8.0, 8.0))]);
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
    let plan = Plan::parse(&first.plan).expect("parses");
    let data = PlanData::from_plan(&plan);
    assert_eq!(data.parameters.steps, 2);
    assert!(data.parameters.toy);
    crate::ir::verify(&first.slot).expect("slot IR is valid");
    crate::ir::verify(&first.ckks).expect("ckks IR is valid");
}

#[test]
fn a_step_takes_six_levels_in_the_best_frame() {
    for optimiser in ["sgd(rate: 2)", "nesterov(rate: 2)"] {
        for steps in 1..=4 {
            let graph = tensor_graph(&logistic(16, 4, optimiser), steps);
            let axes = Axes::unify(&graph).expect("axes");
            let top = |frame: &Frame| {
                let packed = layout::run(
                    &graph,
                    &axes,
                    frame,
                    Radix {
                        cyclic: 2,
                        sums: 2,
                        spreads: 2,
                    },
                );
                crate::pass::lower_ckks::top_level(&packed.expect("laid out").graph, 0).1
            };
            let least = Frame::enumerate(&axes, 32).iter().map(top).min();
            // The first step starts from public zeros: two levels. The validation is one product of the last weights.
            assert_eq!(least, Some(2 + 6 * (steps - 1) + 1), "{optimiser}, {steps} steps");
        }
    }
}

#[test]
fn every_program_of_ciphertexts_keeps_the_canonical_scales() {
    let graph = tensor_graph(&logistic(12, 5, "nesterov(rate: 2)"), 2);
    let axes = Axes::unify(&graph).expect("axes");
    for frame in Frame::enumerate(&axes, 32) {
        let packed = layout::run(
            &graph,
            &axes,
            &frame,
            Radix {
                cyclic: 2,
                sums: 1,
                spreads: 2,
            },
        )
        .expect("laid out");
        let (levels, top) = crate::pass::lower_ckks::top_level(&packed.graph, 0);
        let chain = crate::params::Chain::new(8, 36, 45.0, top, 50).expect("primes");
        let (ckks, _) = crate::pass::lower_ckks::run(&packed.graph, packed.ports.len(), &levels, &chain, 0);
        let scheduled = schedule::run(&ckks, 8);
        for graph in [&ckks, &scheduled] {
            crate::ir::verify(graph).expect("valid");
        }
        for op in ckks
            .walk()
            .into_iter()
            .map(|op| ckks.op(op))
            .filter(|op| op.opcode == crate::ir::Opcode::CkksRescale)
        {
            let ty = ckks.ty(op.results[0]).as_cipher().expect("a ciphertext");
            assert!((ty.scale / chain.scale(ty.level) - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn too_many_steps_are_refused_with_the_number_that_fits() {
    let source = Source::new("test.loom", logistic(12, 5, "sgd(rate: 2)"));
    let options = Options {
        steps: Some(5),
        log_n: Some(14),
        ..Options::default()
    };
    let refusal = compile(&source, &options).expect_err("does not fit");
    assert_eq!(refusal.0[0].code, Code::Depth);
    assert!(
        refusal.0[0]
            .remedies
            .iter()
            .any(|remedy| remedy.starts_with("choose --steps")),
        "{refusal:?}"
    );
}

/// The target: prints what a plan for it looks like. `cargo test -p cipherloom-compiler target -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures"]
fn print_target() {
    let text = logistic(1024, 384, "nesterov(rate: 5)").replace("[5, 384]", "[256, 384]");
    let source = Source::new("spam.loom", text);
    for steps in [Some(1), Some(2), Some(6), Some(7), None] {
        let start = std::time::Instant::now();
        let compiled = match compile(
            &source,
            &Options {
                steps,
                ..Options::default()
            },
        ) {
            Ok(compiled) => compiled,
            Err(refusal) => {
                println!("{}", refusal.render(&source, false));
                continue;
            }
        };
        let plan = Plan::parse(&compiled.plan).expect("parses");
        let data = PlanData::from_plan(&plan);
        println!("steps {steps:?} -> {} in {:?}", compiled.steps, start.elapsed());
        for alternative in compiled.layouts.iter().take(3) {
            println!("  {alternative:?}");
        }
        println!("{}", crate::report::Report::new(&plan, Some(&source), &[]));
        println!("{}", compiled.warnings.render(&source, false));
        println!(
            "{} bytes, {} instructions",
            compiled.plan.len(),
            data.instructions.len()
        );
    }
}
