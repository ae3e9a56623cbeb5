//! Whole programs: packed vectors against the reference, plans that verify, equal bytes.

use std::collections::BTreeMap;

use cipherloom_plan::data::PlanData;
use cipherloom_plan::{LayoutView, Plan, PortKind};
use proptest::prelude::*;

use super::*;
use crate::dialect::slot;
use crate::options::Options;
use crate::pass::layout::{self, Axes, Frame, Packed, Radix};
use crate::reference::{Length, Reference};
use crate::source::Source;

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
    let mut diagnostics = Diagnostics::new();
    let options = Options::default();
    let source = Source::new("test.loom", text);
    let graph = sema::check(&source, &options, &mut diagnostics).unwrap_or_else(|| panic!("{diagnostics:?}"));
    let exact = grad::differentiate(&graph).expect("differentiable");
    flatten(&exact, steps).expect("approximable").0
}

/// Deterministic data in [low, high].
fn data(name: &str, step: usize, count: usize, low: f64, high: f64) -> Vec<f64> {
    let mut state = name
        .bytes()
        .fold(step as u64 + 1, |state, byte| state * 131 + u64::from(byte));
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            low + (high - low) * ((state >> 33) as f64 / 2f64.powi(31))
        })
        .collect()
}

/// Largest difference between the packed program and the reference over all outputs.
fn difference(graph: &Graph, packed: &Packed) -> f64 {
    let ranges: BTreeMap<&str, (usize, (f64, f64))> = packed
        .ports
        .iter()
        .filter(|port| port.is_source())
        .map(|port| {
            let count = port.shape.iter().map(|&extent| extent as usize).product();
            (port.name.as_str(), (count, port.range.expect("declared")))
        })
        .collect();
    let make = |name: &str, step: usize| {
        ranges
            .get(name)
            .map(|&(count, (low, high))| data(name, step, count, low, high))
    };
    let inputs: BTreeMap<String, Vec<f64>> = ranges
        .keys()
        .map(|name| (name.to_string(), make(name, 0).expect("known")))
        .collect();
    let mut batches = |name: &str, step: usize| make(name, step);
    let outcome = Reference::new(graph)
        .run(&inputs, &mut batches, Length { steps: 1, epochs: 1 })
        .expect("interpretable");
    let view = |layout: &cipherloom_plan::data::Layout| {
        LayoutView::new(
            layout.slots,
            layout.tiles,
            layout.factor,
            layout.dims.iter().copied(),
            layout.repeats.iter().copied(),
        )
    };
    let outputs = slot::evaluate(&packed.graph, |port, tile, step| {
        let port = &packed.ports[port as usize];
        let values = make(&port.name, step.unwrap_or(0) as usize).expect("known");
        let mut slots = vec![0.0; port.layout.slots as usize];
        view(&port.layout)
            .pack_tile(&values, &port.shape, tile, &mut slots)
            .expect("fits");
        slots
    });
    let mut worst = 0.0f64;
    for (index, port) in packed
        .ports
        .iter()
        .enumerate()
        .filter(|(_, port)| !port.is_source())
    {
        let wanted = if port.kind == PortKind::Output {
            &outcome.outputs[&port.name].values
        } else {
            let reveal = outcome.reveals.iter().find(|(name, _)| *name == port.name);
            &reveal.expect("revealed").1.values
        };
        let mut found = vec![f64::NAN; wanted.len()];
        for (_, tile, slots) in outputs.iter().filter(|(of, _, _)| *of == index as u32) {
            view(&port.layout)
                .unpack_tile(slots, &port.shape, *tile, &mut found)
                .expect("fits");
        }
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(!found.is_nan(), "{} is not written", port.name);
            worst = worst.max((found - wanted).abs());
        }
    }
    worst
}

fn every_frame_agrees(text: &str, steps: u32, slots: u32, radix: Radix) {
    let graph = tensor_graph(text, steps);
    let axes = Axes::unify(&graph).expect("axes");
    let frames = Frame::enumerate(&axes, slots);
    assert!(!frames.is_empty());
    for frame in frames {
        let packed = layout::run(&graph, &axes, &frame, radix).expect("laid out");
        let difference = difference(&graph, &packed);
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
        "graph g { input x: secret [6, 3] in [-1, 1]; weight k: public [3] = [1, -2, 0.5]; reveal h = exp(x @ k, range: 4, degree: 12); }",
        "graph g { input x: secret [6] in [-1, 1]; input y: secret [6] in [-1, 1]; reveal s = sum(x * y) / 6 + mean(x); reveal z = 3 * x - y + 1; }",
    ];
    for program in programs {
        let mut diagnostics = Diagnostics::new();
        let source = Source::new("test.loom", program);
        if sema::check(&source, &Options::default(), &mut diagnostics).is_none() {
            continue;
        }
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
fn plans_verify_and_repeat() {
    let source = Source::new("test.loom", logistic(12, 5, "nesterov(rate: 2)"));
    let first = compile(&source, &toy())
        .unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(&source, false)));
    let second = compile(&source, &toy()).expect("compiles again");
    assert_eq!(first.plan, second.plan);
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
        let scheduled = schedule::run(&ckks);
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
