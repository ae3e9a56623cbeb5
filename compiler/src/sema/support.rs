//! What the language has but later passes cannot compile yet: each refusal names what can be written instead.
//!
//! To lift a refusal, remove its arm here.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::{BlockId, Graph, OpData, OpId, Opcode, Secrecy, Type, Value};

/// Refuses operations of the `tensor` dialect that cannot be lowered, at the place where the user wrote them.
pub fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    block(graph, graph.body(), false, diagnostics);
}

fn block(graph: &Graph, id: BlockId, in_step: bool, diagnostics: &mut Diagnostics) {
    for &op in &graph.block(id).ops {
        let op = graph.op(op);
        if let Some((what, remedy)) = refusal(graph, op, in_step) {
            diagnostics.push(
                Diagnostic::new(Code::Unsupported, format!("{what} cannot be compiled yet"))
                    .label(op.span, "correct, but not supported by this version")
                    .remedy(remedy),
            );
        }
        for (position, &region) in op.regions.iter().enumerate() {
            block(graph, region, position == 0, diagnostics);
        }
    }
}

/// What is refused, and what to do instead.
fn refusal(graph: &Graph, op: &OpData, in_step: bool) -> Option<(&'static str, &'static str)> {
    let secret =
        |value: Value| matches!(graph.ty(value), Type::Tensor(tensor) if tensor.secrecy == Secrecy::Secret);
    let on_secrets = op.operands.iter().any(|&operand| secret(operand));
    Some(match op.opcode {
        Opcode::TensorInput | Opcode::TensorStream if !op.results.iter().any(|&result| secret(result)) => (
            "an input that is public",
            "declare it `weight` if it is known beforehand, or `secret`",
        ),
        Opcode::TensorConv1d | Opcode::TensorConv2d if on_secrets => (
            "a convolution of secrets",
            "a fixed kernel is a matrix: multiply it out into a `weight` and use `@`",
        ),
        Opcode::TensorAvgPool if on_secrets => (
            "`avg_pool` of secrets",
            "pooling is linear: multiply it into the next `weight`, or pool before encryption",
        ),
        Opcode::TensorReshape if on_secrets => (
            "a new shape of a secret",
            "declare the input in the shape that is needed",
        ),
        Opcode::TensorSlice if on_secrets => {
            ("`slice` of a secret", "declare the parts as inputs of their own")
        }
        Opcode::TensorConcat if on_secrets => ("`concat` of secrets", "declare the whole as one input"),
        Opcode::TensorTranspose if on_secrets && !feeds_products_only(graph, op) => (
            "`transpose` of a secret outside of a product",
            "use it as an operand of `@`, or declare the input transposed",
        ),
        Opcode::TrainMinimize if op.text("optimizer") == Some("adam") => (
            "the optimiser `adam`",
            "use `nesterov(rate: …)`, which needs no division by secrets",
        ),
        Opcode::TrainLoop if !op.texts("refresh").is_empty() => (
            "`refresh: client`",
            "leave it out, and train as many steps as the modulus chain carries: `--steps`",
        ),
        Opcode::TrainLoop if carries_public(graph, op) => (
            "a public state in a step with `bootstrap`",
            "compute it from the number of the step, `t`, or declare it `secret`",
        ),
        Opcode::TensorReveal if in_step => ("`reveal` inside `step`", "reveal in `epoch`, or after `train`"),
        _ => return None,
    })
}

/// Whether a step with bootstraps, which is compiled once for all steps, changes a value that the compiler has to know.
fn carries_public(graph: &Graph, op: &OpData) -> bool {
    let step = graph.block(op.regions[0]);
    let bootstraps = |op: &OpId| graph.op(*op).opcode == Opcode::TensorBootstrap;
    let public =
        |value: &Value| matches!(graph.ty(*value), Type::Tensor(tensor) if tensor.secrecy == Secrecy::Public);
    step.ops.iter().any(bootstraps) && step.arguments.iter().any(public)
}

fn feeds_products_only(graph: &Graph, op: &OpData) -> bool {
    graph.walk().into_iter().map(|user| graph.op(user)).all(|user| {
        user.opcode == Opcode::TensorMatmul
            || !user.operands.iter().any(|operand| op.results.contains(operand))
    })
}
