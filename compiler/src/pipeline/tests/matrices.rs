//! Products of matrices, and blocks of axes that share tiles.

use super::*;
use crate::dialect::slot::takes_level;

const RADIX: Radix = Radix {
    cyclic: 2,
    sums: 2,
    spreads: 1,
};

/// Softmax regression as in HETAL, on rows and columns that fill no block.
fn head(batch: u32, features: u32, classes: u32, optimiser: &str) -> String {
    format!(
        "graph head {{
            stream x: secret [{batch}, {features}] in [-1, 1];
            stream y: secret [{batch}, {classes}] one_hot;
            input x_val: secret [3, {features}] in [-1, 1];
            state w: secret [{classes}, {features}] in [-2, 2] = 0.125;
            state b: secret [{classes}] in [-2, 2] = 0;
            fn logits(x) = x @ transpose(w) + b;
            train {{
                step {{
                    minimize mean(cross_entropy(softmax(logits(x), range: 4, error: 0.02), y)) over w, b with {optimiser};
                }}
                epoch {{ reveal validation = logits(x_val); }}
            }}
            output w, b;
        }}"
    )
}

#[test]
fn softmax_regression_agrees_with_the_reference_in_every_frame() {
    for (batch, features, classes, slots) in [(6, 5, 3, 32), (8, 4, 2, 16), (9, 3, 5, 64)] {
        every_frame_of(
            &graph_with(&head(batch, features, classes, "nesterov(rate: 1)"), 2, true),
            slots,
            RADIX,
        );
    }
    every_frame_agrees(&head(5, 6, 3, "sgd(rate: 1)"), 2, 16, RADIX);
}

#[test]
fn networks_of_two_layers_agree_with_the_reference_in_every_frame() {
    let text = "graph net {
        stream x: secret [6, 5] in [-1, 1];
        stream y: secret [6, 3] one_hot;
        state u: secret [4, 5] in [-4, 4] = glorot(seed: 1);
        state v: secret [3, 4] in [-4, 4] = glorot(seed: 2);
        fn net(x) = gelu(x @ transpose(u), range: 4) @ transpose(v);
        train { step {
            minimize mean(cross_entropy(softmax(net(x), range: 4, error: 0.02), y)) over u, v with sgd(rate: 0.2);
        } }
        output u, v;
    }";
    every_frame_of(&graph_with(text, 1, true), 16, RADIX);
    every_frame_agrees(text, 2, 16, RADIX);
}

/// Stacking spends levels on masks, and saves ciphertexts of everything between products of matrices.
#[test]
fn stacks_make_softmax_cheaper() {
    let graph = graph_with(&head(32, 16, 4, "sgd(rate: 1)"), 1, true);
    let axes = Axes::unify(&graph).expect("axes");
    let squares = |frame: &Frame| {
        let packed = layout::run(&graph, &axes, frame, RADIX).expect("laid out").graph;
        let ops = packed.walk().into_iter().map(|op| packed.op(op));
        ops.filter(|op| op.opcode == crate::ir::Opcode::SlotMul && takes_level(op))
            .count()
    };
    let mut best = 1.0f64;
    for stacked in layout::frames(&graph, &axes, 256)
        .into_iter()
        .filter(|frame| frame.stacked)
    {
        let plain = Frame {
            stacked: false,
            ..stacked.clone()
        };
        let (less, more) = (squares(&stacked), squares(&plain));
        assert!(less <= more, "{less} {more}: {}", stacked.describe(&axes));
        best = best.max(more as f64 / less as f64);
    }
    assert!(best > 4.0, "{best}");
}

/// What is summed along the place that its blocks are stacked in comes out at their indices, and no block is turned to its own.
#[test]
fn sums_come_out_where_blocks_are_stacked() {
    let text = "graph rows {
        input x: secret [64, 16] in [-1, 1];
        input w: secret [2, 16] in [-1, 1];
        reveal p = sigmoid(x @ transpose(w), range: 16);
    }";
    let graph = graph_with(text, 1, false);
    let axes = Axes::unify(&graph).expect("axes");
    let turns = |packed: &Graph| {
        let ops = packed.walk().into_iter().map(|op| packed.op(op));
        ops.filter(|op| op.opcode == crate::ir::Opcode::SlotSumRotations && op.ints("by").len() == 1)
            .count()
    };
    let frames = layout::frames(&graph, &axes, 256);
    let stacked: Vec<Frame> = frames.into_iter().filter(|frame| frame.stacked).collect();
    assert!(!stacked.is_empty());
    for frame in stacked {
        let packed = layout::run(&graph, &axes, &frame, RADIX).expect("laid out").graph;
        assert_eq!(turns(&packed), 0, "{}", frame.describe(&axes));
    }
}

/// Of two blocks in a tile the products with the tile are one, and there are half as many tiles to encrypt.
#[test]
fn pairs_halve_products_of_matrices() {
    let graph = graph_with(&head(32, 16, 4, "sgd(rate: 1)"), 1, true);
    let axes = Axes::unify(&graph).expect("axes");
    let mut pairs = 0;
    for frame in layout::frames(&graph, &axes, 256) {
        let laid = |frame: &Frame| {
            let packed = layout::run(&graph, &axes, frame, RADIX).expect("laid out");
            let port = packed
                .ports
                .iter()
                .position(|port| port.name == "x")
                .expect("a port");
            let is_x = |&value: &crate::ir::Value| {
                let input = packed.graph.defining_op(value).map(|op| packed.graph.op(op));
                input.is_some_and(|op| op.int("port") == Some(port as i64))
            };
            let ops = packed.graph.walk().into_iter().map(|op| packed.graph.op(op));
            let products = ops
                .filter(|op| op.opcode == crate::ir::Opcode::SlotMul && op.operands.iter().any(is_x))
                .count();
            let x = &packed.ports[port];
            (products, x.layout.tiles, view(x).is_complex())
        };
        let (products, tiles, complex) = laid(&frame);
        assert!(!complex);
        for paired in layout::pairings(&graph, &axes, &frame) {
            let (fewer, half, complex) = laid(&paired);
            let even = tiles.is_multiple_of(2);
            assert!(complex && half <= tiles && fewer <= products);
            assert!(
                !even || (2 * half, 2 * fewer) == (tiles, products),
                "{}",
                paired.describe(&axes)
            );
            pairs += 1;
        }
    }
    assert!(pairs > 10, "{pairs}");
}
