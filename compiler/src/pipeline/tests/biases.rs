//! Biases joined to their matrices: the same results, where the plan has one state for both and where it has not.

use super::*;

const RADIX: Radix = Radix {
    cyclic: 2,
    sums: 2,
    spreads: 1,
};

/// Softmax regression with weights as rows or as columns, and first values other than 0.
fn head(features: u32, product: &str, weights: &str, optimiser: &str) -> String {
    format!(
        "graph head {{
            stream x: secret [6, {features}] in [-1, 1];
            stream y: secret [6, 3] one_hot;
            input x_val: secret [5, {features}] in [-1, 1];
            state w: secret {weights} in [-2, 2] = 0.125;
            state b: secret [3] in [-2, 2] = [0.25, -0.5, 0];
            fn logits(x) = {product};
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

fn source_graph(text: &str) -> Graph {
    let mut diagnostics = Diagnostics::new();
    let source = Source::new("test.loom", text);
    sema::check(&source, &Options::default(), &mut diagnostics).unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// The graph with its bias joined, and as it is.
fn both_forms(text: &str, steps: u32, closed: bool) -> [Graph; 2] {
    let plain = source_graph(text);
    let joined = bias::run(&plain).expect("a bias to join");
    crate::ir::verify(&joined).expect("valid");
    [joined, plain].map(|graph| {
        let exact = grad::differentiate(&graph).expect("differentiable");
        let options = Options::default();
        flatten(&exact, steps, closed.then_some(1), &options)
            .expect("approximable")
            .0
    })
}

/// Runs a graph on data that do not depend on its form.
fn results(graph: &Graph) -> BTreeMap<String, Vec<f64>> {
    let elements = |name: &str, step: usize| {
        let op = graph
            .walk()
            .into_iter()
            .map(|op| graph.op(op))
            .find(|op| op.text("name") == Some(name))?;
        let count = graph.ty(*op.results.first()?).as_tensor()?.elements();
        Some(data(name, step, count, -1.0, 1.0))
    };
    let inputs = [("x_val".to_owned(), elements("x_val", 0))];
    let inputs = inputs
        .into_iter()
        .filter_map(|(name, values)| Some((name, values?)));
    let length = Length { steps: 1, epochs: 1 };
    let outcome = Reference::new(graph)
        .run(
            &inputs.collect(),
            &mut |name: &str, step: usize| elements(name, step),
            length,
        )
        .expect("interpretable");
    let results = outcome.outputs.into_iter().chain(outcome.reveals);
    results.map(|(name, data)| (name, data.values)).collect()
}

#[test]
fn a_joined_bias_changes_no_result_in_any_frame() {
    let rows = "x @ transpose(w) + b";
    let columns = "b + x @ w";
    let cases = [
        (head(5, rows, "[3, 5]", "nesterov(rate: 1)"), 32),
        (head(4, rows, "[3, 4]", "momentum(rate: 0.5)"), 32),
        (head(6, columns, "[6, 3]", "sgd(rate: 1)"), 64),
        (logistic(12, 5, "nesterov(rate: 2)"), 32),
        (logistic(6, 4, "sgd(rate: 2)"), 16),
    ];
    for (text, slots) in cases {
        for closed in [false, true] {
            let [joined, plain] = both_forms(&text, 2, closed);
            let (joined_results, plain_results) = (results(&joined), results(&plain));
            assert_eq!(joined_results.len(), plain_results.len());
            for (name, expected) in plain_results {
                for (found, expected) in joined_results[&name].iter().zip(expected) {
                    assert!(
                        (found - expected).abs() < 1e-12,
                        "{name}: {found} where {expected} is right"
                    );
                }
            }
            every_frame_of(&joined, slots, RADIX);
        }
    }
}

#[test]
fn a_bias_that_is_used_otherwise_stays_a_state() {
    let text = head(5, "x @ transpose(w) + b", "[3, 5]", "sgd(rate: 1)");
    let apart = [
        // Computed with.
        text.replace("y))", "y)) + sum(b * b)"),
        text.replace("reveal validation = logits(x_val);", "reveal validation = b * b;"),
        // Trained at another rate.
        text.replace(
            "over w, b with sgd(rate: 1);",
            "over w with sgd(rate: 1); update b = b / 2;",
        ),
        // Beside data that ones would drown, or be drowned by.
        text.replace("[-1, 1]", "[-0.001, 0.001]"),
        text.replace("[-1, 1]", "[-100000, 100000]"),
        // First values from the key holder.
        text.replace("= [0.25, -0.5, 0]", ""),
    ];
    assert!(bias::run(&source_graph(&text)).is_some());
    for text in &apart {
        assert!(bias::run(&source_graph(text)).is_none(), "{text}");
    }
    // Such a program compiles all the same.
    let source = Source::new("test.loom", apart[0].as_str());
    let options = Options {
        steps: Some(1),
        log_n: Some(10),
        insecure_toy: true,
        precision: 1.0,
        ..Options::default()
    };
    let compiled = compile(&source, &options).expect("compiles");
    let plan = Plan::parse(&compiled.plan).expect("a plan");
    assert!(plan.ports().any(|port| port.name() == "b"));
}

#[test]
fn one_state_holds_matrix_and_bias_where_that_is_faster() {
    let text = head(5, "x @ transpose(w) + b", "[3, 5]", "nesterov(rate: 1)");
    let source = Source::new("test.loom", text);
    let options = Options {
        steps: Some(4),
        steps_per_epoch: Some(2),
        log_n: Some(11),
        insecure_toy: true,
        precision: 1.0,
        ..Options::default()
    };
    let compiled = compile(&source, &options).expect("compiles");
    let plan = Plan::parse(&compiled.plan).expect("a plan");
    let ports = |kind: PortKind| -> Vec<(String, Vec<u32>)> {
        let ports = plan.ports().filter(|port| port.kind() == kind);
        ports
            .map(|port| (port.name().to_owned(), port.shape().to_vec()))
            .collect()
    };
    // The user's ports are as declared; states are the compiler's own.
    let named = |name: &str, shape: &[u32]| (name.to_owned(), shape.to_vec());
    assert_eq!(ports(PortKind::Output), [named("w", &[3, 5]), named("b", &[3])]);
    assert_eq!(
        ports(PortKind::Stream),
        [named("x", &[6, 5]), named("y", &[6, 3])]
    );
    assert_eq!(
        ports(PortKind::State),
        [named("w+b", &[3, 6]), named("w+b.lookahead", &[3, 6])]
    );
}
