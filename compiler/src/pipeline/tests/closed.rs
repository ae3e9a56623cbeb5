//! Closed loops: one body for all steps.

use super::*;

const RADIX: Radix = Radix {
    cyclic: 2,
    sums: 2,
    spreads: 1,
};

/// Running sums: nothing that is carried consumes a level.
const SUMS: &str = "graph sums {
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

fn closed_options(log_n: u32) -> Options {
    Options {
        log_n: Some(log_n),
        closed_loop: true,
        ..toy()
    }
}

/// The plan of a closed graph.
fn planned(graph: &Graph, options: &Options) -> (Packed, PlanData) {
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

/// A graph closed with epochs and rounds, and the same with its loop rolled; functions are polynomials in both.
fn in_epochs(text: &str, steps: u32, epoch: u32, round: u32) -> (Graph, Graph) {
    let source = Source::new("test.loom", text);
    let graph = sema::check(&source, &Options::default(), &mut Diagnostics::new()).expect("valid");
    let exact = grad::differentiate(&graph).expect("differentiable");
    let options = Options {
        steps_per_epoch: Some(epoch),
        ..Options::default()
    };
    let closed = flatten(&exact, steps, Some(round), &options)
        .expect("approximable")
        .0;
    crate::ir::verify(&closed).expect("valid");
    (closed, approximate::run(&exact).expect("approximable").0)
}

#[test]
fn plans_of_epochs_hand_out_what_the_reference_does_after_each() {
    for (epochs, epoch, round) in [(1, 3, 1), (3, 1, 1), (3, 2, 1), (1, 6, 2), (2, 3, 3), (3, 4, 2)] {
        let (graph, _) = in_epochs(SUMS, epochs * epoch, epoch, round);
        let (packed, plan) = planned(&graph, &closed_options(7));
        let outputs = run_plan(&packed, &plan);
        let slots = run_slots(&packed);
        let tiles = outputs.len() / epochs as usize;
        assert_eq!(slots.len(), outputs.len());
        for number in 0..epochs as usize {
            for outputs in [&outputs, &slots] {
                let outputs = outputs[number * tiles..][..tiles].to_vec();
                let difference = difference_after(&graph, &packed, &outputs, Some(number));
                assert!(difference < 1e-9, "{epochs} of {epoch}: {difference}");
            }
        }
        // Loops around loops: nothing is encoded in a step, and each epoch ends with a checkpoint.
        let ops: Vec<Op> = plan.instructions.iter().map(|i| i.op).collect();
        let start = ops.iter().position(|&op| op == Op::Loop).expect("a loop");
        assert_eq!(ops[start..start + 3], [Op::Loop, Op::Loop, Op::Step]);
        let trips = [0, 1].map(|inner| plan.instructions[start + inner].a);
        assert_eq!(trips, [epochs, epoch / round]);
        let inner = &plan.instructions[start..];
        let inner = inner.iter().take_while(|i| i.op != Op::End).map(|i| i.op);
        assert_eq!(inner.clone().filter(|&op| op == Op::Step).count() as u32, round);
        assert_eq!(inner.filter(|&op| op == Op::Checkpoint).count(), 1);
        let inner_end = ops.iter().position(|&op| op == Op::End).expect("its end");
        assert_eq!(ops[inner_end - 1], Op::Checkpoint);
        assert!(!ops[start..inner_end].contains(&Op::Encode));
        assert_eq!(ops[ops.len() - 3..], [Op::Epoch, Op::Checkpoint, Op::End]);
        assert_eq!(plan.parameters.steps, epochs * epoch);
    }
}

#[test]
fn closed_and_rolled_epochs_mean_the_same() {
    let (steps, epochs) = (4, 4);
    for (text, round) in [
        (SUMS.to_owned(), 1),
        (SUMS.to_owned(), 2),
        (logistic(12, 5, "nesterov(rate: 1 / (1 + t))"), 1),
        (logistic(12, 5, "nesterov(rate: 1 / (1 + t))"), 4),
    ] {
        let (closed, rolled) = in_epochs(&text, steps * epochs, steps, round);
        let inputs = [("v", 5), ("s", 5), ("old", 5), ("x_val", 25)];
        let inputs = inputs.map(|(name, count)| (name.to_owned(), data(name, 0, count, -1.0, 1.0)));
        let inputs = BTreeMap::from(inputs);
        let run = |graph: &Graph, steps: u32, epochs: u32| {
            let mut batches = |name: &str, step: usize| {
                let count = if name == "y" { 12 } else { 60 };
                Some(data(name, step, count, 0.0, 1.0))
            };
            let length = Length {
                steps: steps as usize,
                epochs: epochs as usize,
            };
            Reference::new(graph).run(&inputs, &mut batches, length)
        };
        let rolled = run(&rolled, steps, epochs).expect("interpretable");
        let closed = run(&closed, 1, 1).expect("interpretable");
        assert_eq!((rolled.epochs.len(), closed.epochs.len()), (4, 4));
        for (rolled, closed) in rolled.epochs.iter().zip(&closed.epochs) {
            assert!(rolled.len() >= 2 && rolled.keys().eq(closed.keys()));
            for (a, b) in rolled.values().zip(closed.values()) {
                let pairs = a.values.iter().zip(&b.values);
                assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-12);
            }
        }
    }
}

#[test]
fn steps_that_do_not_fill_their_epochs_are_refused() {
    let source = Source::new("test.loom", SUMS);
    for steps in [None, Some(5)] {
        let options = Options {
            steps,
            steps_per_epoch: Some(2),
            ..closed_options(7)
        };
        let refusal = compile(&source, &options).expect_err("no whole epochs");
        assert_eq!(refusal.0[0].code, Code::Option);
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
