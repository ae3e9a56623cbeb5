use proptest::prelude::*;

use super::*;
use crate::ir::parse;
use crate::reference::{Length, Reference};
use crate::testing;

fn one(range: &str, low: f64, high: f64) -> Result<Vec<RangeNote>, Diagnostics> {
    check(
        &parse(&format!(
            "graph @g {{
               %0 = tensor.input {{name = \"x\"}} : tensor<4, secret, {range}>
               %1 = tensor.sum %0 {{axes = ints[0]}} : tensor<scalar, secret>
               %2 = tensor.sigmoid %1 {{high = {high:?}, low = {low:?}}} : tensor<scalar, secret>
               tensor.output %2 {{name = \"y\"}}
             }}"
        ))
        .unwrap(),
    )
}

#[test]
fn declared_ranges_are_proven_assumed_or_refused() {
    let proven = one("[-1.0, 1.0]", -4.0, 4.0).unwrap();
    assert!(proven[0].proven && proven[0].derived == Some((-4.0, 4.0)));
    let assumed = one("[-1.0, 2.0]", -4.0, 4.0).unwrap();
    assert!(!assumed[0].proven);
    assert_eq!(
        assumed[0].text(),
        "range [-4, 4] of `sigmoid`: assumed, not proven; the proven interval is [-4, 8]"
    );
    let refused = one("[2.0, 3.0]", -4.0, 4.0).unwrap_err();
    assert_eq!(refused.0[0].code, Code::Range);
}

#[test]
fn first_values_lie_in_the_range_of_their_state() {
    let graph = |first: f64| {
        parse(&format!(
            "graph @g {{
               %0 = tensor.constant {{value = {first:?}}} : tensor<scalar, public>
               %1 = train.loop %0 {{names = texts[\"s\"]}} : tensor<scalar, secret, [-1.0, 1.0]> (%2: tensor<scalar, secret, [-1.0, 1.0]>) {{
                 train.yield %2
               }} () {{ }}
             }}"
        ))
        .unwrap()
    };
    assert!(check(&graph(0.5)).is_ok());
    assert_eq!(check(&graph(1.5)).unwrap_err().0[0].code, Code::Range);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Inputs lie in [−1, 1], as they declare: no derived interval of the loss leaves it out, unless a function met an
    /// argument outside its declaration.
    #[test]
    fn intervals_hold_the_values(
        recipes in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), -2.0..2.0f64), 1..16),
        seed in 1u64..1000,
    ) {
        let (mut graph, _, loss) = testing::random(&recipes);
        annotate(&mut graph);
        let mut none = |_: &str, _: usize| -> Option<Vec<f64>> { None };
        let outcome = Reference::new(&graph).run(&testing::inputs(seed), &mut none, Length { steps: 0, epochs: 0 }).unwrap();
        let kept = outcome.observed.iter().all(|seen| seen.declared.0 <= seen.met.0 && seen.met.1 <= seen.declared.1);
        prop_assume!(kept);
        let value = outcome.outputs["loss"].values[0];
        if let Some((low, high)) = graph.ty(loss).as_tensor().unwrap().range {
            let slack = 1e-12 * (1.0 + value.abs());
            prop_assert!(low - slack <= value && value <= high + slack, "{value} outside [{low}, {high}]");
        }
    }
}
