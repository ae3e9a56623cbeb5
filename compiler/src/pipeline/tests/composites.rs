//! Composite functions in every layout: padded rows, padded batches, rows across several tiles.

use super::*;
use crate::ir::Opcode;
use crate::pass::approximate;
use crate::pass::lower_ckks::top_level;

const RADIX: Radix = Radix {
    cyclic: 2,
    sums: 2,
    spreads: 1,
};

const SOFTMAX: &str = "graph g {
    input z: secret [5, 3] in [-6, 6];
    reveal p = softmax(z, range: 6);
}";

#[test]
fn softmax_agrees_with_the_reference_in_every_frame() {
    every_frame_agrees(SOFTMAX, 1, 32, RADIX);
    every_frame_agrees(
        "graph g {
            input z: secret [6] in [-1, 1];
            reveal p = softmax(z, range: 1);
        }",
        1,
        16,
        RADIX,
    );
}

#[test]
fn the_tournament_agrees_with_the_reference_in_every_frame() {
    for (rows, classes) in [(3, 5), (2, 4), (5, 3)] {
        let text = format!(
            "graph g {{
                input z: secret [{rows}, {classes}] in [-3, 3];
                reveal p = softmax(z, range: 3, error: 0.05, method: tournament);
            }}"
        );
        every_frame_agrees(&text, 1, 8, RADIX);
    }
}

#[test]
fn comparisons_and_inverses_agree_with_the_reference_in_every_frame() {
    every_frame_agrees(
        "graph g {
            input x: secret [5, 3] in [-1, 1];
            input y: secret [5, 3] in [-1, 1];
            input z: secret [3] in [0.002, 1];
            reveal a = max(x, y, range: 2, error: 0.1) + relu(x - y, range: 2, error: 0.05);
            reveal b = less(x, y, range: 2, error: 0.1, margin: 0.5) * sign(x, range: 1, error: 0.1);
            reveal c = inverse(z, range: [0.002, 1], error: 0.1) + inverse_sqrt(z, range: [0.002, 1], error: 0.1);
        }",
        1,
        16,
        RADIX,
    );
}

/// Apart from the mask of the first sum a layout adds no level to those that the method counts.
#[test]
fn a_layout_adds_one_level_to_softmax() {
    let graph = tensor_graph(SOFTMAX, 1);
    let axes = Axes::unify(&graph).expect("axes");
    let least = Frame::enumerate(&axes, 32)
        .iter()
        .map(|frame| {
            let packed = layout::run(&graph, &axes, frame, RADIX).expect("laid out");
            top_level(&packed.graph, 0).1
        })
        .min();
    let mut diagnostics = Diagnostics::new();
    let source = Source::new("test.loom", SOFTMAX);
    let exact = sema::check(&source, &Options::default(), &mut diagnostics).expect("correct");
    let (_, uses) = approximate::run(&exact).expect("approximable");
    assert!(
        least.is_some_and(|least| least <= uses[0].depth + 1),
        "{least:?} for {uses:?}"
    );
}

/// Rows that are zero beyond their classes stay so. Where their place turns round, all sums are rotations alone, so that between two
/// stages nothing but the row itself is alive; elsewhere each stage makes its sum by one more product.
#[test]
fn sums_of_clear_rows_take_no_product_where_rows_turn_round() {
    let graph = tensor_graph(SOFTMAX, 1);
    let axes = Axes::unify(&graph).expect("axes");
    let counts = |turns: bool| -> Vec<(usize, usize)> {
        let whole = Frame::enumerate(&axes, 32).into_iter().filter(|frame| {
            let place = (0..frame.places.len()).find(|&place| axes.place_extents[place] == 3);
            place.is_some_and(|place| frame.places[place].block == 4 && frame.is_cyclic(place) == turns)
        });
        let count = |graph: &Graph, opcode| {
            let ops = graph.walk().into_iter();
            ops.filter(|&op| graph.op(op).opcode == opcode).count()
        };
        whole
            .map(|frame| {
                let packed = layout::run(&graph, &axes, &frame, RADIX).expect("laid out");
                let [products, masks] = [Opcode::SlotMul, Opcode::SlotMulPlain];
                (count(&packed.graph, products), count(&packed.graph, masks))
            })
            .collect()
    };
    let (turning, others) = (counts(true), counts(false));
    assert!(!turning.is_empty() && !others.is_empty());
    let least = turning[0].0;
    assert!(turning.iter().all(|&counts| counts == (least, 0)), "{turning:?}");
    assert!(others.iter().all(|&(products, _)| products > least), "{others:?}");
}

#[test]
fn plans_of_softmax_compute_what_the_reference_does() {
    let graph = tensor_graph(
        "graph g {
            input z: secret [5, 3] in [-2, 2];
            reveal p = softmax(z, range: 2, error: 0.02);
        }",
        1,
    );
    let options = Options {
        log_n: Some(7),
        ..toy()
    };
    let Lowered {
        packed, mut choice, ..
    } = backend::lower(&graph, &options, false, None).expect("lowered");
    choice.ckks = schedule::run(&choice.ckks, 8);
    let claims = Claims {
        word_bits: 64,
        toy: true,
        steps: 0,
    };
    let (data, _) = emit::run(&packed, &choice, claims).expect("verified");
    let difference = difference(&graph, &packed, &run_plan(&packed, &data));
    assert!(difference < 1e-9, "{difference}");
}
