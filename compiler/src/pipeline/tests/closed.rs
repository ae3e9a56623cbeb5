//! Closed loops: one body for all steps.

use super::*;

const RADIX: Radix = Radix {
    cyclic: 2,
    sums: 2,
    spreads: 1,
};

/// Running sums: nothing that is carried consumes a level.
pub(super) const SUMS: &str = "graph sums {
    stream x: secret [12, 5] in [-1, 1];
    input v: secret [5] in [-1, 1];
    state s: secret [5] in [-64, 64];
    state old: secret [5] in [-64, 64];
    state n: secret [] in [-99, 99] = 2;
    state m: secret [5] in [-9, 9] = [1, 2, 3, 4, 5];
    train {
        step {
            update s = s + mean(x, axis: 0) / (1 + t);
            update old = s;
            update n = n + 0.5 * t - 1;
            update m = m - old / 64;
        }
        epoch { reveal product = v * s; }
    }
    output s, old, n, m;
}";

pub(super) fn closed_options(log_n: u32) -> Options {
    Options {
        log_n: Some(log_n),
        closed_loop: true,
        ..toy()
    }
}

/// The plan of a closed graph.
pub(super) fn planned(graph: &Graph, options: &Options) -> (Packed, PlanData) {
    let Lowered {
        packed, mut choice, ..
    } = backend::lower(graph, options, true, None).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    crate::ir::verify(&choice.ckks).expect("valid");
    let claims = Claims {
        word_bits: 64,
        toy: true,
        steps: backend::steps(graph),
    };
    let finished = backend::finish(&packed, &mut choice, claims, u64::MAX);
    let (data, _) = finished.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    crate::ir::verify(&choice.ckks).expect("scheduled");
    (packed, data)
}

/// Operations of the body: those between the markers.
fn body(plan: &PlanData) -> Vec<Op> {
    let ops: Vec<Op> = plan
        .instructions
        .iter()
        .map(|instruction| instruction.op)
        .collect();
    let start = ops.iter().position(|&op| op == Op::Loop).expect("a loop");
    let end = ops.iter().position(|&op| op == Op::End).expect("its end");
    ops[start + 1..end].to_vec()
}

#[test]
fn closed_and_unrolled_graphs_mean_the_same() {
    for text in [
        SUMS.to_owned(),
        logistic(12, 5, "nesterov(rate: 1 / (1 + t))"),
        logistic(7, 3, "momentum(rate: 1)"),
    ] {
        let inputs: BTreeMap<String, Vec<f64>> = [("v", 5), ("s", 5), ("old", 5), ("n", 1), ("x_val", 25)]
            .into_iter()
            .map(|(name, count)| (name.to_owned(), data(name, 0, count, -1.0, 1.0)))
            .chain([(
                "x_val".to_owned(),
                data(
                    "x_val",
                    0,
                    if text.contains("[5, 3]") { 15 } else { 25 },
                    -1.0,
                    1.0,
                ),
            )])
            .collect();
        let mut batches = |name: &str, step: usize| {
            let count = match (name, text.contains("[5, 3]")) {
                ("y", true) => 7,
                ("y", false) => 12,
                (_, true) => 21,
                _ => 60,
            };
            Some(data(name, step, count, 0.0, 1.0))
        };
        let mut run = |closed| {
            Reference::new(&graph_with(&text, 4, closed))
                .run(&inputs, &mut batches, Length { steps: 1, epochs: 1 })
                .expect("interpretable")
        };
        let (open, closed) = (run(false), run(true));
        assert_eq!(open.outputs.len(), closed.outputs.len());
        let pairs = open
            .outputs
            .iter()
            .zip(&closed.outputs)
            .map(|((_, a), (_, b))| (a, b));
        let reveals = open
            .reveals
            .iter()
            .zip(&closed.reveals)
            .map(|((_, a), (_, b))| (a, b));
        for (a, b) in pairs.chain(reveals) {
            for (a, b) in a.values.iter().zip(&b.values) {
                assert!((a - b).abs() < 1e-12 * (1.0 + a.abs()), "{a} {b}");
            }
        }
        assert!(closed.states.len() >= 3, "{:?}", closed.states.keys());
    }
}

#[test]
fn closed_loops_agree_with_the_reference_in_every_frame() {
    every_frame_of(&graph_with(SUMS, 3, true), 16, RADIX);
    for optimiser in ["nesterov(rate: 2 / (1 + t))", "momentum(rate: 1, momentum: 0.9)"] {
        every_frame_of(&graph_with(&logistic(12, 5, optimiser), 3, true), 32, RADIX);
    }
}

#[test]
fn plans_of_closed_loops_compute_what_the_reference_does() {
    for steps in [1, 2, 7] {
        let graph = graph_with(SUMS, steps, true);
        let (packed, plan) = planned(&graph, &closed_options(7));
        let difference = difference(&graph, &packed, &run_plan(&packed, &plan));
        assert!(difference < 1e-9, "{difference}");
        let body = body(&plan);
        assert_eq!(body[0], Op::Step);
        assert!(
            body.contains(&Op::StateLoad) && body.contains(&Op::StateStore) && body.contains(&Op::Stream)
        );
        assert!(
            !body.contains(&Op::Encode),
            "constants are encoded before the loop"
        );
        assert_eq!(plan.parameters.steps, steps);
    }
}

/// A swap of two states: what is written must not be read in the same round.
#[test]
fn states_are_written_after_they_are_read() {
    let text = "graph swap {
        state a: secret [4] in [-2, 2];
        state b: secret [4] in [-2, 2];
        train { step { update a = b; update b = a; } }
        output a, b;
    }";
    for steps in [1, 2, 3] {
        let graph = graph_with(text, steps, true);
        let (packed, plan) = planned(&graph, &closed_options(5));
        assert!(difference(&graph, &packed, &run_plan(&packed, &plan)) < 1e-12);
    }
}

#[test]
fn a_loop_that_loses_levels_is_refreshed() {
    let source = Source::new("test.loom", logistic(12, 5, "sgd(rate: 1)"));
    let compiled = compile(&source, &closed_options(8)).unwrap_or_else(|refusal| panic!("{:?}", refusal.0));
    // The weights and the bias share the one that there is.
    assert!(!compiled.refreshed.is_empty());
    let ciphertexts: u32 = compiled.refreshed.iter().map(|refreshed| refreshed.vectors).sum();
    assert!(ciphertexts <= 2, "{:?}", compiled.refreshed);
    assert!(compiled.refreshed.iter().all(|refreshed| refreshed.missing() > 0));
    // What goes into a bootstrap stays a value, so that the noise analysis knows whose error comes out.
    let graph = &compiled.ckks;
    let noted = |note: &str| -> BTreeSet<i64> {
        let ops = graph.walk().into_iter();
        ops.filter_map(|op| graph.op(op).int(note)).collect()
    };
    assert!(!noted("refreshes").is_empty());
    assert_eq!(noted("refreshes"), noted("refreshed"));
}

/// A vector squared again and again, refreshed after every other time.
fn refresh(initial: &str) -> String {
    format!(
        "graph refreshed {{
            input x: secret [6] in [-1, 1];
            state v: secret [6] in [-1, 1]{initial};
            fn f(v) = 0.5 * (v * v) + 0.5 * x - 0.25;
            train {{ step {{ update v = bootstrap(f(f(v))); }} }}
            output v;
        }}"
    )
}

#[test]
fn steps_with_bootstraps_agree_with_the_reference_in_every_frame() {
    for initial in ["", " = 0.5", " = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]"] {
        let graph = tensor_graph(&refresh(initial), 5);
        let bootstraps = |graph: &Graph| {
            let ops = graph.walk().into_iter().map(|op| graph.op(op).opcode);
            ops.filter(|&op| {
                matches!(
                    op,
                    crate::ir::Opcode::TensorBootstrap | crate::ir::Opcode::SlotBootstrap
                )
            })
            .count()
        };
        assert_eq!((bootstraps(&graph), backend::steps(&graph)), (1, 5));
        every_frame_of(&graph, 16, RADIX);
        let axes = Axes::unify(&graph).expect("axes");
        let frame = &Frame::enumerate(&axes, 16)[0];
        let packed = layout::run(&graph, &axes, frame, RADIX).expect("laid out");
        assert_eq!(bootstraps(&packed.graph), 1);
        assert_eq!(crate::pass::levels::open_state(&packed.graph, 3), None);
    }
}

#[test]
fn the_number_of_steps_is_asked_for() {
    let source = Source::new("test.loom", refresh(" = 0"));
    let refusal = compile(&source, &Options::default()).expect_err("how often?");
    assert_eq!(refusal.0[0].code, Code::Option);
    assert!(refusal.0[0].remedies[0].contains("--steps"), "{refusal:?}");
}

/// Squares of squares would make the factor beside them vanish, and the slots with it.
#[test]
fn repeated_squares_keep_slots_in_reach() {
    let text = include_str!("../../../../examples/refresh/refresh.loom");
    let graph = tensor_graph(text, 5);
    let axes = Axes::unify(&graph).expect("axes");
    for frame in Frame::enumerate(&axes, 512) {
        let packed = layout::run(&graph, &axes, &frame, RADIX).expect("laid out");
        assert!(difference(&graph, &packed, &run_slots(&packed)) < 1e-9);
        for op in packed.graph.walk().into_iter().map(|op| packed.graph.op(op)) {
            if let Some(bound) = op.float("bound") {
                assert!((1e-3..1e3).contains(&bound), "{}: {bound:e}", op.opcode.name());
            }
        }
        // Ten squarings, and nothing beside them: every factor is where it costs no level.
        let levels = crate::pass::levels::run(&packed.graph, 0, 3);
        assert_eq!(levels.iter().flatten().max(), Some(&13));
    }
}
