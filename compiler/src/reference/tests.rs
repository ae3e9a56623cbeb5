use super::*;
use crate::approx::Elementary;
use crate::grad::differentiate;
use crate::pass::{approximate, fold, unroll};
use crate::testing;

#[test]
fn predictions_of_any_number_of_rows() {
    let graph = testing::logistic("nesterov", None);
    let predictor = Predictor::new(&graph).unwrap();
    assert_eq!(predictor.streams(), [("x".to_owned(), vec![4])]);
    let trained = testing::run(&differentiate(&graph).unwrap(), 5);
    assert_eq!(
        trained.states.keys().collect::<Vec<_>>(),
        ["b", "b.lookahead", "w", "w.lookahead"]
    );
    for rows in [1, 7, 8, 9, 24] {
        let x = testing::noise(9, 4 * rows);
        let streams = BTreeMap::from([("x".to_owned(), x.clone())]);
        let prediction = predictor
            .predict(&trained.states, &streams, &BTreeMap::new())
            .unwrap();
        assert_eq!(prediction.shape, [rows as u32]);
        for (row, p) in x.chunks(4).zip(&prediction.values) {
            let score = row
                .iter()
                .zip(&trained.states["w"].values)
                .map(|(x, w)| x * w)
                .sum::<f64>()
                + trained.states["b"].values[0];
            assert!((p - Function::from(Elementary::Sigmoid).value(score)).abs() < 1e-14);
        }
    }
    assert!(
        predictor
            .predict(&trained.states, &BTreeMap::new(), &BTreeMap::new())
            .is_none()
    );
    let ragged = BTreeMap::from([("x".to_owned(), vec![0.0; 7])]);
    assert!(
        predictor
            .predict(&trained.states, &ragged, &BTreeMap::new())
            .is_none()
    );
}

/// In (x·w − y)² the prediction is the side that learns.
#[test]
fn prediction_of_a_squared_error() {
    let graph = crate::ir::parse(
        "graph @line {
           %0 = tensor.constant {value = 0.0} : tensor<2, public>
           %1 = train.loop %0 {names = texts[\"w\"]} : tensor<2, secret> (%2: tensor<2, secret>) {
             %3 = tensor.stream {name = \"x\"} : tensor<3x2, secret>
             %4 = tensor.stream {name = \"y\"} : tensor<3, secret>
             %5 = tensor.matmul %3, %2 : tensor<3, secret>
             %6 = tensor.sub %4, %5 : tensor<3, secret>
             %7 = tensor.mul %6, %6 : tensor<3, secret>
             %8 = tensor.mean %7 {axes = ints[]} : tensor<scalar, secret>
             %9 = tensor.constant {value = 0.5} : tensor<scalar, public>
             %10 = train.minimize %8, %2, %9 {names = texts[\"w\"], optimizer = \"sgd\", scalars = texts[\"rate\"]} : tensor<2, secret>
             train.yield %10
           } () {
           }
           tensor.output %1 {name = \"w\"}
         }",
    )
    .unwrap();
    let states = BTreeMap::from([(
        "w".to_owned(),
        TensorData {
            shape: vec![2],
            values: vec![2.0, -1.0],
        },
    )]);
    let streams = BTreeMap::from([("x".to_owned(), vec![1.0, 1.0, 0.5, 2.0])]);
    let prediction = Predictor::new(&graph)
        .unwrap()
        .predict(&states, &streams, &BTreeMap::new())
        .unwrap();
    assert_eq!(prediction.values, [1.0, -1.0]);
}

/// Approximation changes the states by no more than its error can: the whole way from source to polynomials.
#[test]
fn exact_and_approximate_training() {
    let graph = differentiate(&testing::logistic("nesterov", None)).unwrap();
    let flat = fold::run(&unroll::run(&graph, 5));
    let (polynomials, uses) = approximate::run(&flat).unwrap();
    let (exact, approximate) = (testing::run(&flat, 5), testing::run(&fold::run(&polynomials), 5));
    // Each gradient element is a mean of (p − y)·x with |x| ≤ 1; five steps of rate 2 and momentum below 1.
    let bound = uses[0].error * 2.0 * 5.0 * 5.0;
    assert!(1e-3 < uses[0].error && uses[0].error < 2e-2);
    for (a, b) in exact.outputs["w"]
        .values
        .iter()
        .zip(&approximate.outputs["w"].values)
    {
        assert!((a - b).abs() < bound && a != b, "{a} {b}");
    }
    for seen in exact.observed.iter().chain(&approximate.observed) {
        assert!(
            seen.declared.0 < seen.met.0 && seen.met.0 < seen.met.1 && seen.met.1 < seen.declared.1,
            "{seen:?}"
        );
    }
    assert_eq!(exact.observed[0].declared, (-8.0, 8.0));
}

#[test]
fn epochs_reveal_and_continue() {
    let graph = differentiate(&testing::logistic("sgd", None)).unwrap();
    let run = |steps, epochs| {
        Reference::new(&graph)
            .run(&BTreeMap::new(), &mut testing::batch, Length { steps, epochs })
            .unwrap()
    };
    let (once, thrice) = (run(6, 1), run(2, 3));
    assert_eq!(once.outputs, thrice.outputs);
    assert_eq!((once.reveals.len(), thrice.reveals.len()), (1, 3));
    assert_eq!(thrice.reveals[2], once.reveals[0]);
}

#[test]
fn what_is_missing_is_named() {
    let graph = differentiate(&testing::logistic("sgd", None)).unwrap();
    let length = Length { steps: 1, epochs: 1 };
    let mut none = |_: &str, _: usize| -> Option<Vec<f64>> { None };
    let error = Reference::new(&graph)
        .run(&BTreeMap::new(), &mut none, length)
        .unwrap_err();
    assert_eq!(error, ReferenceError::Missing("x".to_owned()));
    let undifferentiated = testing::logistic("sgd", None);
    let error = Reference::new(&undifferentiated)
        .run(&BTreeMap::new(), &mut testing::batch, length)
        .unwrap_err();
    assert_eq!(error, ReferenceError::Operation("train.minimize"));
}

/// Operations that no pass test reaches, against values worked out by hand.
#[test]
fn shapes_by_hand() {
    let graph = crate::ir::parse(
        "graph @shapes {
           %0 = tensor.input {name = \"x\"} : tensor<2x3, secret>
           %1 = tensor.constant {values = floats[1.0, 10.0, 100.0]} : tensor<3, public>
           %2 = tensor.conv1d %0, %1 : tensor<2x3, secret>
           %3 = tensor.slice %0 {axis = 1, end = 3, start = 1} : tensor<2x2, secret>
           %4 = tensor.concat %0, %3 {axis = 1} : tensor<2x5, secret>
           %5 = tensor.transpose %3 : tensor<2x2, secret>
           %6 = tensor.avg_pool %0 {size = 3} : tensor<2x1, secret>
           %7 = tensor.reshape %0 {shape = ints[3, 2]} : tensor<3x2, secret>
           %8 = tensor.mean %0 {axes = ints[0]} : tensor<3, secret>
           %9 = tensor.max %0, %1 {high = 9.0, low = -9.0} : tensor<2x3, secret>
           %10 = tensor.matmul %0, %7 : tensor<2x2, secret>
           %11 = tensor.constant {values = floats[0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]} : tensor<3x3, public>
           %12 = tensor.conv2d %0, %11 : tensor<2x3, secret>
           tensor.output %2 {name = \"conv1d\"}
           tensor.output %4 {name = \"concat\"}
           tensor.output %5 {name = \"transpose\"}
           tensor.output %6 {name = \"avg_pool\"}
           tensor.output %8 {name = \"mean\"}
           tensor.output %9 {name = \"max\"}
           tensor.output %10 {name = \"matmul\"}
           tensor.output %12 {name = \"conv2d\"}
         }",
    )
    .unwrap();
    crate::ir::verify(&graph).unwrap();
    let inputs = BTreeMap::from([("x".to_owned(), vec![1.0, 2.0, 3.0, 4.0, 5.0, 60.0])]);
    let mut none = |_: &str, _: usize| -> Option<Vec<f64>> { None };
    let outputs = Reference::new(&graph)
        .run(&inputs, &mut none, Length { steps: 0, epochs: 0 })
        .unwrap()
        .outputs;
    for (name, expected) in [
        ("conv1d", vec![210.0, 321.0, 32.0, 540.0, 6054.0, 605.0]),
        ("concat", vec![1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 5.0, 60.0, 5.0, 60.0]),
        ("transpose", vec![2.0, 5.0, 3.0, 60.0]),
        ("avg_pool", vec![2.0, 23.0]),
        ("mean", vec![2.5, 3.5, 31.5]),
        ("max", vec![1.0, 10.0, 100.0, 4.0, 10.0, 100.0]),
        ("matmul", vec![22.0, 190.0, 319.0, 3628.0]),
        // The element above and the one to the left.
        ("conv2d", vec![0.0, 1.0, 2.0, 1.0, 6.0, 8.0]),
    ] {
        assert_eq!(outputs[name].values, expected, "{name}");
    }
}
