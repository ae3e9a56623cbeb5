use proptest::prelude::*;

use super::*;
use crate::testing;

fn verified(body: &str) -> Result<(), String> {
    let graph = parse(&format!("graph @g {{\n{body}\n}}")).unwrap();
    verify(&graph).map_err(|error| error.message)
}

fn refused(body: &str, because: &str) {
    let message = verified(body).unwrap_err();
    assert!(message.contains(because), "{message}");
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let float = || {
        prop_oneof![
            any::<f64>().prop_filter("NaN ≠ NaN", |x| !x.is_nan()),
            Just(f64::INFINITY),
            Just(-0.5)
        ]
    };
    prop_oneof![
        any::<bool>().prop_map(Attribute::Flag),
        any::<i64>().prop_map(Attribute::Int),
        float().prop_map(Attribute::Float),
        ".*".prop_map(Attribute::Text),
        prop::collection::vec(any::<i64>(), 0..4).prop_map(Attribute::Ints),
        prop::collection::vec(float(), 0..4).prop_map(Attribute::from),
        prop::collection::vec(".*", 0..3).prop_map(Attribute::Texts),
    ]
}

fn ty() -> impl Strategy<Value = Type> {
    let secrecy = prop_oneof![Just(Secrecy::Public), Just(Secrecy::Secret)];
    let basis = prop_oneof![Just(Basis::Q), Just(Basis::Qp)];
    let scale = 1.0..1e300f64;
    prop_oneof![
        (
            prop::collection::vec(1u32..5000, 0..5),
            secrecy,
            prop::option::of((-1e9..0.0f64, 0.0..1e-9f64))
        )
            .prop_map(|(shape, secrecy, range)| Type::tensor(shape, secrecy, range)),
        (any::<u32>(), Just(Secrecy::Secret)).prop_map(|(slots, secrecy)| Type::vector(slots, secrecy)),
        (any::<u32>(), scale.clone(), 1u32..3, basis.clone()).prop_map(|(level, scale, degree, basis)| {
            Type::Cipher(CipherType {
                level,
                scale,
                degree,
                basis,
            })
        }),
        (any::<u32>(), scale.clone(), basis, 0..3u32).prop_map(|(level, scale, basis, compact)| {
            Type::Plain(PlainType {
                level,
                scale,
                basis,
                compact,
            })
        }),
        (any::<u32>(), scale).prop_map(|(level, scale)| Type::Digits { level, scale }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any attributes and types, used by a second operation: print → parse → the same graph.
    #[test]
    fn operations_print_and_parse(
        ops in prop::collection::vec(
            (0..Opcode::ALL.len(), prop::collection::btree_map("[a-z_]{1,6}", attribute(), 0..4), prop::collection::vec(ty(), 0..3)),
            0..8,
        ),
    ) {
        let mut graph = Graph::new("any");
        let body = graph.body();
        let mut values = Vec::new();
        for (opcode, attributes, types) in ops {
            let opcode = Opcode::ALL[opcode];
            let operands: Vec<Value> = values.iter().rev().take(2).copied().collect();
            let arguments = types.clone();
            let attributes: Attributes = attributes.into_iter().collect();
            let op = Builder::new(&mut graph, body).op(opcode, &operands, attributes, types);
            values.extend(graph.op(op).results.clone());
            for _ in 0..opcode.regions() {
                let block = graph.new_block(arguments.clone());
                graph.op_mut(op).regions.push(block);
            }
        }
        let text = print(&graph);
        let again = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(&print(&again), &text);
        prop_assert_eq!(again.walk().len(), graph.walk().len());
        for (a, b) in graph.walk().into_iter().zip(again.walk()) {
            prop_assert_eq!(&graph.op(a).attributes, &again.op(b).attributes);
        }
    }

    #[test]
    fn tensor_graphs_print_and_parse(
        recipes in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), -2.0..2.0f64), 0..20),
    ) {
        let (graph, ..) = testing::random(&recipes);
        let again = parse(&print(&graph)).unwrap();
        // The builder numbers in program order, as the parser does.
        prop_assert_eq!(again, graph);
    }

    /// No text makes the parser panic.
    #[test]
    fn parsing_never_panics(text in "(graph @g \\{)?[%a-z0-9@=,.:<>\\[\\](){}\" \n-]{0,80}") {
        let _ = parse(&text);
    }
}

#[test]
fn training_graphs_print_and_parse() {
    let graph = testing::logistic("nesterov", None);
    assert_eq!(print(&parse(&print(&graph)).unwrap()), print(&graph));
}

#[test]
fn opcode_names_are_unique_and_name_their_dialect() {
    for &opcode in Opcode::ALL {
        assert_eq!(Opcode::from_name(opcode.name()), Some(opcode));
        assert_eq!(
            opcode.name().split('.').next(),
            Some(format!("{:?}", opcode.dialect()).to_lowercase().as_str())
        );
    }
}

#[test]
fn parse_errors_say_where() {
    for (text, message) in [
        ("graph g {}", "as in @name"),
        ("graph @g { tensor.frobnicate }", "unknown operation"),
        ("graph @g { tensor.neg %0 }", "%0 is not defined"),
        (
            "graph @g { %0, tensor.step_index : tensor<scalar, public> }",
            "expected `=`",
        ),
        ("graph @g { %0 = tensor.step_index }", "1 results but 0 types"),
        ("graph @g { } more", "after the end"),
        (
            "graph @g { train.step {index = 99999999999999999999} }",
            "out of range",
        ),
        (
            "graph @g { %0 = tensor.step_index : tensor<scalar, public>
               %0 = tensor.step_index : tensor<scalar, public> }",
            "defined twice",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(error.offset <= text.len());
    }
    let nested = format!("graph @g {{ {}", "slot.loop {count = 1} () { ".repeat(100));
    assert!(parse(&nested).unwrap_err().message.contains("nested too deeply"));
}

#[test]
fn verifier_counts() {
    refused("tensor.output {name = \"x\"}", "0 operands");
    refused(
        "%0, %1 = tensor.step_index : tensor<scalar, public>, tensor<scalar, public>",
        "2 results",
    );
    refused("%0 = tensor.input : tensor<4, secret>", "`name` is missing");
    let mut graph = testing::logistic("sgd", None);
    let train = graph
        .walk()
        .into_iter()
        .find(|&op| graph.op(op).opcode == Opcode::TrainLoop)
        .unwrap();
    graph.op_mut(train).regions.pop();
    assert!(verify(&graph).unwrap_err().message.contains("1 regions"));
}

#[test]
fn verifier_definitions() {
    let mut graph = parse("graph @g { %0 = tensor.input {name = \"x\"} : tensor<4, secret> %1 = tensor.neg %0 : tensor<4, secret> }").unwrap();
    let body = graph.body();
    graph.block_mut(body).ops.reverse();
    assert!(
        verify(&graph)
            .unwrap_err()
            .message
            .contains("not defined before its use")
    );
    let op = graph.block(body).ops[1];
    graph.block_mut(body).ops = vec![op, op];
    assert!(verify(&graph).unwrap_err().message.contains("defined twice"));
    // A region's values are not seen outside it.
    refused(
        "%0 = tensor.input {name = \"x\"} : tensor<4, secret>
         %1 = train.loop %0 {names = texts[\"x\"]} : tensor<4, secret> (%2: tensor<4, secret>) {
           train.yield %2
         } () { }
         tensor.output %2 {name = \"x\"}",
        "not defined before its use",
    );
}

#[test]
fn verifier_loops() {
    let train = |step: &str, epoch: &str| {
        verified(&format!(
            "%0 = tensor.input {{name = \"x\"}} : tensor<4, secret>
             %9 = tensor.input {{name = \"y\"}} : tensor<5, secret>
             %1 = train.loop %0 {{names = texts[\"x\"]}} : tensor<4, secret, [-1.0, 1.0]> {step} {epoch}"
        ))
    };
    assert_eq!(
        train("(%2: tensor<4, secret>) { train.yield %2 }", "() { }"),
        Ok(())
    );
    assert_eq!(
        train(
            "(%2: tensor<4, secret>) { train.yield %2 }",
            "(%3: tensor<4, secret>) { train.yield }"
        ),
        Ok(())
    );
    let refused = |step, epoch, because: &str| {
        let message = train(step, epoch).unwrap_err();
        assert!(message.contains(because), "{message}");
    };
    refused(
        "(%2: tensor<4, secret>) { train.yield %9 }",
        "() { }",
        "not closed",
    );
    refused("(%2: tensor<4, secret>) { }", "() { }", "without train.yield");
    refused(
        "(%2: tensor<5, secret>) { train.yield %9 }",
        "() { }",
        "differ in type",
    );
}

#[test]
fn verifier_types() {
    refused(
        "%0 = tensor.input {name = \"x\"} : vec<8, secret>",
        "does not belong",
    );
    refused(
        "%0 = tensor.input {name = \"x\"} : tensor<4x0, secret>",
        "bad shape",
    );
    refused(
        "%0 = tensor.input {name = \"x\"} : tensor<1x1x1x1x1, secret>",
        "bad shape",
    );
    refused(
        "%0 = tensor.input {name = \"x\"} : tensor<4, secret, [1.0, -1.0]>",
        "empty interval",
    );
    refused(
        "%0 = tensor.constant {values = floats[1.0, 2.0]} : tensor<3, public>",
        "2 values",
    );
    let leaves = "%0 = tensor.input {name = \"x\"} : tensor<4, secret> %1 = tensor.constant {value = 1.0} : tensor<3, public>\n";
    for (op, because) in [
        ("%2 = tensor.add %0, %1 : tensor<4, secret>", "do not fit"),
        ("%2 = tensor.neg %0 : tensor<5, secret>", "wanted [4]"),
        ("%2 = tensor.neg %0 : tensor<4, public>", "public result"),
        ("%2 = tensor.matmul %0, %1 : tensor<scalar, secret>", "4 ≠ 3"),
        (
            "%2 = tensor.sum %0 {axes = ints[1]} : tensor<4, secret>",
            "no axis 1",
        ),
        (
            "%2 = tensor.slice %0 {axis = 0, end = 5, start = 2} : tensor<3, secret>",
            "slice 2..5",
        ),
        ("%2 = tensor.div %1, %0 : tensor<4, secret>", "secret"),
    ] {
        refused(&format!("{leaves}{op}"), because);
    }
}

#[test]
fn verifier_ciphertexts() {
    let leaves = "%0 = ckks.input {port = 0, tile = 0} : ct<3, 1024.0, 1, q>
                  %1 = ckks.input {port = 1, tile = 0} : ct<2, 1024.0, 1, q>
                  %2 = ckks.input {port = 2, tile = 0} : ct<3, 2048.0, 1, q>\n";
    for (op, because) in [
        ("%3 = ckks.add %0, %1 : ct<3, 1024.0, 1, q>", "side 1 differs"),
        ("%3 = ckks.add %0, %2 : ct<3, 1024.0, 1, q>", "side 1 differs"),
        (
            "%3 = ckks.mul %0, %2 : ct<3, 1024.0, 2, q>",
            "multiplies the scales",
        ),
        ("%3 = ckks.mul %0, %1 : ct<3, 1048576.0, 2, q>", "keeps the level"),
        (
            "%3 = ckks.rescale %0 : ct<1, 1.0, 1, q>",
            "lowers the level by one",
        ),
    ] {
        refused(&format!("{leaves}{op}"), because);
    }
    assert_eq!(
        verified(&format!("{leaves}%3 = ckks.mul %0, %2 : ct<3, 2097152.0, 2, q>")),
        Ok(())
    );
}
