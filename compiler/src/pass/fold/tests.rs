use proptest::prelude::*;

use super::*;
use crate::grad::differentiate;
use crate::ir::{print, verify};
use crate::pass::{approximate, unroll};
use crate::testing;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The order of sums and products changes: 1e-12 of the largest values on the way, which stay below 1e4 here.
    #[test]
    fn values_stay(
        recipes in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), -2.0..2.0f64), 1..24),
        seed in 1u64..1000,
    ) {
        let (graph, ..) = testing::random(&recipes);
        let folded = run(&graph);
        verify(&folded).unwrap();
        let inputs = testing::inputs(seed);
        let (before, after) = (testing::loss(&graph, &inputs), testing::loss(&folded, &inputs));
        prop_assume!(before.abs() < 1e4);
        prop_assert!((before - after).abs() < 1e-9 * (1.0 + before.abs()), "{before} → {after}\n{}\n{}", print(&graph), print(&folded));
        prop_assert!(Depths::of_graph(&folded).total() <= Depths::of_graph(&graph).total());
        prop_assert_eq!(print(&run(&folded)), print(&folded));
    }
}

/// Differentiated, unrolled, folded, approximated and folded again.
fn leveled(optimizer: &str, momentum: Option<f64>, steps: u32) -> Graph {
    let graph = differentiate(&testing::logistic(optimizer, momentum)).unwrap();
    let flat = run(&unroll::run(&graph, steps));
    verify(&flat).unwrap();
    let exact = testing::run(&graph, steps as usize);
    let folded = testing::run(&flat, steps as usize);
    for (name, data) in &exact.outputs {
        for (a, b) in data.values.iter().zip(&folded.outputs[name].values) {
            assert!((a - b).abs() < 1e-12, "{name}: {a} → {b}");
        }
    }
    assert_eq!(exact.reveals.len(), folded.reveals.len());
    let (polynomials, uses) = approximate::run(&flat).unwrap();
    assert_eq!(uses.len(), usize::from(steps > 1));
    run(&polynomials)
}

#[test]
fn the_first_step_of_logistic_regression_is_public_up_to_its_batch() {
    let graph = leveled("sgd", None, 1);
    // w = 0: the scores, and so the predictions, are constants; what is left is Xᵀ(y − ½) and Σ(y − ½), each scaled once.
    assert_eq!(count(&graph, Some(Opcode::TensorPolynomial)), 0);
    assert_eq!(count(&graph, Some(Opcode::TensorMatmul)), 1);
    assert_eq!(count(&graph, Some(Opcode::TensorMul)), 2);
    assert_eq!(Depths::of_graph(&graph).total(), 2, "{}", print(&graph));
}

#[test]
fn a_step_of_logistic_regression_costs_six_levels() {
    for (optimizer, momentum) in [
        ("sgd", None),
        ("momentum", Some(0.9)),
        ("nesterov", None),
        ("nesterov", Some(0.5)),
    ] {
        for steps in 1..5 {
            let graph = leveled(optimizer, momentum, steps);
            // X·v, sigmoid of degree 7, Xᵀ·d, rate: the mask of the sums is folded into the rate later.
            assert_eq!(
                Depths::of_graph(&graph).total(),
                2 + 6 * (steps - 1),
                "{optimizer}\n{}",
                print(&graph)
            );
        }
    }
}

/// Each update is state − scalar·reduction, and no product by a scalar feeds another one directly.
#[test]
fn updates_have_one_scalar() {
    for optimizer in ["sgd", "nesterov"] {
        let graph = leveled(optimizer, None, 4);
        let scaled = |value: Value| {
            let op = graph.defining_op(value).map(|op| graph.op(op))?;
            let constant = graph.defining_op(*op.operands.get(1)?)?;
            let by_constant =
                op.opcode == Opcode::TensorMul && graph.op(constant).opcode == Opcode::TensorConstant;
            by_constant.then(|| op.operands[0])
        };
        for op in graph.walk().into_iter().map(|op| graph.op(op)) {
            for &result in &op.results {
                if let Some(inner) = scaled(result) {
                    assert!(scaled(inner).is_none(), "{}", print(&graph));
                }
            }
            let is_state = op.opcode == Opcode::TensorOutput;
            if is_state {
                let update = graph.op(graph.defining_op(op.operands[0]).unwrap());
                assert_eq!(update.opcode, Opcode::TensorSub, "{}", print(&graph));
                let reduction = scaled(update.operands[1])
                    .and_then(|value| graph.defining_op(value))
                    .unwrap();
                assert!(matches!(
                    graph.op(reduction).opcode,
                    Opcode::TensorMatmul | Opcode::TensorSum
                ));
            }
        }
    }
}
