//! The formulas, and how errors go through a product.

use super::*;
use crate::ir::{Builder, Graph, Opcode, Type};

fn model(chain: &Chain) -> NoiseModel<'_> {
    NoiseModel {
        chain,
        special_bits: 61.5,
        digit_limbs: 1,
        input_ranges: &[(-1.0, 1.0)],
    }
}

#[test]
fn formulas() {
    let chain = Chain::new(13, 40, 48.0, 2, 50).expect("primes");
    let model = model(&chain);
    let n = 8192.0;
    assert!((model.rounding() - (1.0 + 2.0 * n / 3.0) / 12.0).abs() < 1e-9);
    assert!((model.slot_variance(2.0, 4.0) - n / 16.0).abs() < 1e-9);
    // Two digits of 48 and 40 bits against P of 61.5 bits: the first dominates.
    let wanted = n * SIGMA * SIGMA / 12.0 * (2f64.powf(2.0 * (48.0 - 61.5)) + 2f64.powf(2.0 * (40.0 - 61.5)));
    assert!((model.key_switch(1) / wanted - 1.0).abs() < 0.01);
}

/// Two values in one slot are as large as both: a product with them takes the error of the other factor by the size of either.
#[test]
fn parts_of_a_slot_have_the_size_of_both() {
    let (a, b) = (Estimate::exact(0.5, 0.25), Estimate::exact(2.0, 1.0));
    let turned = b.turned();
    assert_eq!((turned.mean, turned.mean_square()), (0.0, b.mean_square()));
    assert_eq!((a.mean, turned.spread), (0.5, 5.0));
}

#[test]
fn a_product_adds_the_errors_of_its_factors_by_the_size_of_the_other() {
    let chain = Chain::new(13, 40, 48.0, 1, 50).expect("primes");
    let scale = chain.scale(1);
    let mut graph = Graph::new("g");
    let block = graph.body();
    let mut builder = Builder::new(&mut graph, block);
    let port = |tile: i64| Builder::attributes([("port", 0i64.into()), ("tile", tile.into())]);
    let a = builder.value(Opcode::CkksInput, &[], port(0), Type::cipher(1, scale));
    let b = builder.value(Opcode::CkksInput, &[], port(1), Type::cipher(1, scale));
    let product = builder.value(
        Opcode::CkksMul,
        &[a, b],
        Default::default(),
        Type::cipher(1, scale * scale),
    );
    builder.op(Opcode::CkksOutput, &[product], port(0), vec![]);
    let model = model(&chain);
    let fresh = model.slot_variance(model.fresh(), scale);
    // Uniform on [−1, 1]: mean square 1/3.
    let wanted = (2.0 * fresh / 3.0 + fresh * fresh).sqrt();
    let found = outputs(&graph, &model)[0].2;
    assert!((found / wanted - 1.0).abs() < 1e-12, "{found} for {wanted}");
}
