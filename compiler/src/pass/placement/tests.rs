//! Whole bodies: where bootstraps are put, and that the program still means the same.

use std::collections::BTreeMap;
use std::time::Instant;

use cipherloom_plan::PortKind;
use cipherloom_plan::data::Layout;

use super::*;
use crate::analysis::cost::{CostModel, Shape};
use crate::dialect::slot::{Vectors, evaluate};
use crate::ir::{Builder, Opcode, Value};
use crate::pass::layout::Port;
use crate::source::Span;
use crate::target::Target;

const SLOTS: u32 = 8;

fn setting(left: u32) -> Setting {
    let shape = Shape {
        log_n: 16,
        special: 8,
        digit_limbs: 8,
    };
    Setting {
        floor: 3,
        usable: 3 + left,
        lowest: 0,
        model: CostModel::new(&Target::server(2), shape, 50),
        bootstrap: 1.2,
        pair: 1.7,
    }
}

fn port(name: &str, kind: PortKind, range: Option<(f64, f64)>) -> Port {
    Port {
        name: name.to_owned(),
        kind,
        shape: vec![SLOTS],
        layout: Layout {
            slots: SLOTS,
            tiles: 1,
            dims: Vec::new(),
            repeats: Vec::new(),
            factor: 1.0,
        },
        range,
        one_hot: false,
        span: Span::none(),
    }
}

/// A step of softmax regression as its ciphertexts go: `tiles` of features and as many of the weights, `rows` times; then a chain of
/// `chain` products on one ciphertext; then the gradient of every tile, and momentum.
fn training(tiles: u32, rows: u32, chain: u32) -> Packed {
    let mut vectors = Vectors::new("training", SLOTS);
    let (data, weights, momentum) = (0, 1, 2);
    for tile in 0..tiles {
        let zero = vectors.input(3, tile, None);
        vectors.store(weights, tile, zero);
        vectors.store(momentum, tile, zero);
    }
    vectors.step(Builder::attributes([
        ("index", 0u32.into()),
        ("count", 3u32.into()),
    ]));
    let ahead: Vec<Value> = (0..tiles).map(|tile| vectors.state(momentum, tile)).collect();
    let old: Vec<Value> = (0..tiles).map(|tile| vectors.state(weights, tile)).collect();
    let features: Vec<Vec<Value>> = (0..rows)
        .map(|row| {
            (0..tiles)
                .map(|tile| vectors.input(data, row * tiles + tile, None))
                .collect()
        })
        .collect();
    let mut logits: Option<Value> = None;
    for row in &features {
        let mut sum: Option<Value> = None;
        for (&x, &w) in row.iter().zip(&ahead) {
            let product = vectors.mul(x, w);
            sum = Some(sum.map_or(product, |sum| vectors.add(sum, product)));
        }
        let sum = sum.map(|sum| vectors.sum_rotations(sum, vec![0, 1, 2, 3], false));
        let masked = vectors.mul_scalar(sum.expect("a row has tiles"), 0.01);
        logits = Some(logits.map_or(masked, |logits| vectors.add(logits, masked)));
    }
    let mut p = logits.expect("there are rows");
    vectors.note_bound(p, 1.0);
    for link in 0..chain {
        let next = if link % 3 == 2 {
            vectors.mul_scalar(p, 0.7)
        } else {
            vectors.mul(p, p)
        };
        p = vectors.add_scalar(next, 0.125);
        vectors.note_bound(p, 1.25);
    }
    for tile in 0..tiles as usize {
        let mut gradient: Option<Value> = None;
        for row in &features {
            let product = vectors.mul(row[tile], p);
            gradient = Some(gradient.map_or(product, |sum| vectors.add(sum, product)));
        }
        let gradient = vectors.sum_rotations(gradient.expect("there are rows"), vec![0, 4], false);
        let scaled = vectors.mul_scalar(gradient, -0.001);
        let new = vectors.add(ahead[tile], scaled);
        let (grown, kept) = (vectors.mul_scalar(new, 1.5), vectors.mul_scalar(old[tile], -0.5));
        let next = vectors.add(grown, kept);
        vectors.store(weights, tile as u32, new);
        vectors.store(momentum, tile as u32, next);
    }
    vectors.end();
    for tile in 0..tiles {
        let w = vectors.state(weights, tile);
        vectors.output(4, tile, w);
    }
    let range = Some((-4.0, 4.0));
    Packed {
        graph: vectors.graph,
        ports: vec![
            port("x", PortKind::Stream, Some((-1.0, 1.0))),
            port("w", PortKind::State, range),
            port("v", PortKind::State, range),
            port("zero", PortKind::Input, range),
            port("result", PortKind::Output, None),
        ],
    }
}

fn count(graph: &Graph) -> usize {
    let ops = graph.walk().into_iter().map(|op| graph.op(op).opcode);
    ops.filter(|&opcode| opcode == Opcode::SlotBootstrap).count()
}

/// What a program writes does not change, and its levels suffice.
fn check(before: &Packed, after: &Placement, setting: &Setting) {
    let input = |port: u32, tile: u32, step: Option<i64>| {
        let seed = f64::from(port * 31 + tile * 7) + step.unwrap_or(0) as f64;
        (0..SLOTS)
            .map(|slot| libm::sin(seed + f64::from(slot)))
            .collect::<Vec<f64>>()
    };
    let found = |graph: &Graph| -> BTreeMap<(u32, u32), Vec<f64>> {
        let outputs = evaluate(graph, input).into_iter();
        outputs.map(|(port, tile, slots)| ((port, tile), slots)).collect()
    };
    let (expected, found) = (found(&before.graph), found(&after.packed.graph));
    assert_eq!(expected.len(), found.len());
    for (key, slots) in &expected {
        for (a, b) in slots.iter().zip(&found[key]) {
            assert!((a - b).abs() < 1e-12, "{key:?}: {a} {b}");
        }
    }
    assert!(!needed(&after.packed.graph, setting));
    crate::ir::verify(&after.packed.graph).expect("valid");
}

/// A chain of 35 products between wide products: refreshed where it is one ciphertext, and the states' tiles two by two.
#[test]
fn softmax_regression_is_refreshed_where_it_is_narrow() {
    let packed = training(6, 2, 35);
    let setting = setting(14);
    let placement = run(&packed, SLOTS / 2, &setting).expect("placed");
    check(&packed, &placement, &setting);
    let refreshed = explain(&placement.packed.graph, &setting);
    assert!(
        refreshed.iter().all(|refreshed| refreshed.missing() > 0),
        "{refreshed:?}"
    );
    // 35 + 5 levels, of which the last bootstrap of the chain leaves some for the gradient; and one state of six tiles.
    let found = count(&placement.packed.graph);
    assert!((8..=10).contains(&found), "{found}");
    let shared = placement.packed.graph.walk().into_iter().filter(|&op| {
        let op = placement.packed.graph.op(op);
        op.opcode == Opcode::SlotBootstrap && op.operands.len() == 2
    });
    assert!(shared.count() >= 6);
}

/// Of two values that share a bootstrap one comes late; meanwhile another is made of the first, waits, and is refreshed itself.
#[test]
fn what_waits_for_a_bootstrap_can_be_refreshed_by_the_next() {
    let setting = setting(4);
    let mut vectors = Vectors::new("waiting", SLOTS);
    let (x, y) = (vectors.input(0, 0, None), vectors.input(0, 1, None));
    let first = vectors.mul(x, x);
    let waits = vectors.mul(first, first);
    let late = vectors.mul(y, y);
    let sum = vectors.add(waits, late);
    let product = vectors.mul(sum, sum);
    vectors.output(1, 0, product);
    let packed = Packed {
        graph: vectors.graph,
        ports: Vec::new(),
    };
    let mut refreshed = vec![false; packed.graph.value_count()];
    for value in [first, waits, late] {
        refreshed[value.index()] = true;
    }
    let graph = Inserter {
        graph: &packed.graph,
        setting: &setting,
        period: SLOTS / 2,
        refreshed: &refreshed,
        bounds: &vec![Some(1.0); packed.graph.value_count()],
        states: &[],
        solution: &solve::Solution {
            refreshed: Vec::new(),
            heads: Vec::new(),
            seconds: 0.0,
            exact: true,
        },
    }
    .run();
    crate::ir::verify(&graph).expect("valid");
    let bootstraps: Vec<usize> = graph
        .walk()
        .into_iter()
        .map(|op| graph.op(op))
        .filter(|op| op.opcode == Opcode::SlotBootstrap)
        .map(|op| op.operands.len())
        .collect();
    assert_eq!(bootstraps, [2, 2, 1]);
    let placement = Placement {
        packed: Packed {
            graph,
            ports: Vec::new(),
        },
        seconds: 0.0,
        exact: true,
    };
    check(&packed, &placement, &setting);
}

/// More tiles make no more nodes, and a program of many thousand operations is placed in seconds.
#[test]
fn large_programs_take_seconds() {
    let packed = training(48, 256, 40);
    assert!(packed.graph.walk().len() > 40_000);
    let begun = Instant::now();
    let setting = setting(12);
    let placement = run(&packed, SLOTS / 2, &setting).expect("placed");
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{} operations, {took:.2} s, exact: {}",
        packed.graph.walk().len(),
        placement.exact
    );
    assert!(took < 30.0, "{took} s");
    assert!(!needed(&placement.packed.graph, &setting));
}

/// A program without a loop: twenty squares.
fn line(bounded: bool) -> Packed {
    let mut vectors = Vectors::new("line", SLOTS);
    let mut x = vectors.input(0, 0, None);
    for _ in 0..20 {
        let square = vectors.mul(x, x);
        x = vectors.add_scalar(square, -0.5);
        if bounded {
            vectors.note_bound(x, 1.0);
        }
    }
    vectors.output(1, 0, x);
    Packed {
        graph: vectors.graph,
        ports: vec![
            port("x", PortKind::Input, bounded.then_some((-1.0, 1.0))),
            port("y", PortKind::Output, None),
        ],
    }
}

#[test]
fn what_has_no_bound_is_refused() {
    let refusal = run(&line(false), SLOTS / 2, &setting(7)).expect_err("of any size");
    assert_eq!(refusal.code, Code::Range);
    let refusal = run(&line(true), SLOTS / 2, &setting(0)).expect_err("nothing is left");
    assert_eq!(refusal.code, Code::Depth);
}

#[test]
fn a_deep_line_is_refreshed() {
    let packed = line(true);
    let setting = setting(7);
    let placement = run(&packed, SLOTS / 2, &setting).expect("placed");
    check(&packed, &placement, &setting);
    // The input begins at the level 10; a bootstrap leaves 7.
    assert_eq!(count(&placement.packed.graph), 2);
    assert!(placement.exact);
}
