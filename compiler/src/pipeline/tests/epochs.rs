//! Loops of epochs around closed loops.

use super::closed::{SUMS, closed_options, planned};
use super::*;

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

/// Least squares of rows with one column for each class, all validation rows handed out after an epoch.
fn classes([batch, features, classes, validation]: [u32; 4]) -> String {
    format!(
        "graph classes {{
            stream x: secret [{batch}, {features}] in [-2, 2];
            stream y: secret [{batch}, {classes}] in [0, 1];
            input x_val: secret [{validation}, {features}] in [-2, 2];
            state w: secret [{classes}, {features}] in [-64, 64] = 0;
            train {{
                step {{ update w = w + 0.1 * (transpose(y) @ x); }}
                epoch {{ reveal validation = x_val @ transpose(w); }}
            }}
            output w;
        }}"
    )
}

/// The plan of so many epochs of two steps, verified where it is made.
fn plan_of(shape: [u32; 4], log_n: u32, epochs: u32) -> (Graph, Packed, PlanData) {
    let (graph, _) = in_epochs(&classes(shape), 2 * epochs, 2, 1);
    let (packed, plan) = planned(&graph, &closed_options(log_n));
    (graph, packed, plan)
}

/// What is encoded before the steps stays where it is while the outputs of the epoch need memory, too: the loop around them is
/// one even where there is one epoch.
#[test]
fn one_epoch_keeps_what_is_made_before_it() {
    for (shape, log_n) in [
        ([16, 100, 3, 408], 10),
        ([16, 100, 3, 408], 11),
        ([64, 100, 3, 256], 12),
    ] {
        let (graph, packed, plan) = plan_of(shape, log_n, 1);
        let difference = difference(&graph, &packed, &run_plan(&packed, &plan));
        assert!(difference < 1e-6, "{shape:?}, 2^{log_n}: {difference}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn plans_of_any_shape_close_their_epochs(
        batch in 2u32..33, features in 2u32..101, count in 2u32..6, validation in 2u32..301, log_n in 7u32..11, epochs in 1u32..3,
    ) {
        plan_of([batch, features, count, validation], log_n, epochs);
    }
}
