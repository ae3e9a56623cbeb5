//! How each operation passes its adjoint on.

use crate::approx::Elementary;
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::tensor::{Elements, permutation, reduced_axes, short_name};
use crate::ir::{Attribute, Attributes, Builder, Graph, OpData, Opcode, Value};

/// What the adjoint of an operation's result adds to the adjoints of operands, for those that `depends` holds of.
///
/// `cross_entropy` of `sigmoid` or `softmax` adds p − y to the adjoint of the argument, past the function: its
/// derivative is never taken, and never approximated.
pub fn contributions(
    builder: &mut Builder<'_>,
    op: &OpData,
    adjoint: Value,
    depends: &dyn Fn(&Graph, Value) -> bool,
) -> Result<Vec<(Value, Value)>, Diagnostic> {
    use Opcode::*;
    let operand = |index: usize| op.operands[index];
    let wanted: Vec<bool> = op
        .operands
        .iter()
        .map(|&value| depends(builder.graph, value))
        .collect();
    let mut out = Vec::new();
    match op.opcode {
        TensorAdd | TensorSub => {
            for side in (0..2).filter(|&side| wanted[side]) {
                let mut part = reduced_to(builder, adjoint, operand(side));
                if op.opcode == TensorSub && side == 1 {
                    part = builder.neg(part);
                }
                out.push((operand(side), part));
            }
        }
        TensorMul => {
            for side in (0..2).filter(|&side| wanted[side]) {
                let product = builder.mul(adjoint, operand(1 - side));
                out.push((operand(side), reduced_to(builder, product, operand(side))));
            }
        }
        TensorDiv if !wanted[1] => {
            let quotient = builder.tensor(TensorDiv, &[adjoint, operand(1)], Attributes::new());
            out.push((operand(0), reduced_to(builder, quotient, operand(0))));
        }
        TensorNeg => out.push((operand(0), builder.neg(adjoint))),
        TensorBootstrap => out.push((operand(0), adjoint)),
        TensorBroadcast => {
            let rank = builder.shape(adjoint).len() as u32;
            let repeated: Vec<u32> = (0..rank)
                .filter(|&axis| !op.ints("axes").contains(&i64::from(axis)))
                .collect();
            out.push((operand(0), builder.sum(adjoint, &repeated)));
        }
        TensorMatmul => {
            for side in (0..2).filter(|&side| wanted[side]) {
                out.push((
                    operand(side),
                    matmul(builder, adjoint, operand(0), operand(1), side),
                ));
            }
        }
        TensorTranspose => {
            let rank = builder.shape(adjoint).len();
            let order = permutation(op.ints("axes"), rank).unwrap_or_default();
            let mut inverse = vec![0; rank];
            for (position, axis) in order.into_iter().enumerate() {
                inverse[axis] = position as i64;
            }
            let attributes = Builder::attributes([("axes", Attribute::Ints(inverse))]);
            out.push((
                operand(0),
                builder.tensor(TensorTranspose, &[adjoint], attributes),
            ));
        }
        TensorSum | TensorMean => {
            let shape = builder.shape(operand(0));
            let removed = reduced_axes(op.ints("axes"), shape.len()).unwrap_or_default();
            let kept: Vec<u32> = (0..shape.len())
                .filter(|axis| !removed.contains(axis))
                .map(|axis| axis as u32)
                .collect();
            let mut part = adjoint;
            if op.opcode == TensorMean {
                let group: f64 = removed.iter().map(|&axis| f64::from(shape[axis])).product();
                let share = builder.scalar(1.0 / group);
                part = builder.mul(part, share);
            }
            out.push((operand(0), builder.broadcast(part, &shape, &kept)));
        }
        TensorReshape => {
            let shape = builder.shape(operand(0));
            out.push((operand(0), builder.reshape(adjoint, &shape)));
        }
        TensorSlice => out.push((operand(0), slice(builder, op, adjoint))),
        TensorConcat => {
            let axis = op.int("axis").unwrap_or(0) as u32;
            let mut start = 0;
            for (&part, &wanted) in op.operands.iter().zip(&wanted) {
                let extent = builder.shape(part)[axis as usize];
                if wanted {
                    out.push((part, builder.slice(adjoint, axis, start, start + extent)));
                }
                start += extent;
            }
        }
        TensorExp => out.push((operand(0), builder.mul(adjoint, op.results[0]))),
        TensorSigmoid | TensorTanh | TensorGelu | TensorSilu | TensorSoftplus | TensorRelu
        | TensorInverse | TensorInverseSqrt => {
            let name = Elementary::from_opcode(op.opcode).map_or("", Elementary::name);
            let mut attributes = op.attributes.clone();
            attributes.insert("of", name.into());
            let slope = builder.tensor(TensorDerivative, &[operand(0)], attributes);
            out.push((operand(0), builder.mul(adjoint, slope)));
        }
        TensorMax => {
            // The larger operand takes the adjoint: b + relu(a − b).
            let difference = builder.sub(operand(0), operand(1));
            let mut attributes = op.attributes.clone();
            attributes.insert("of", Elementary::Relu.name().into());
            let slope = builder.tensor(TensorDerivative, &[difference], attributes);
            let first = builder.mul(adjoint, slope);
            if wanted[0] {
                out.push((operand(0), reduced_to(builder, first, operand(0))));
            }
            if wanted[1] {
                let second = builder.sub(adjoint, first);
                out.push((operand(1), reduced_to(builder, second, operand(1))));
            }
        }
        TensorPoly => {
            let slopes = op
                .floats("coefficients")
                .iter()
                .enumerate()
                .skip(1)
                .map(|(power, c)| power as f64 * c);
            let mut slopes: Vec<f64> = slopes.collect();
            if slopes.is_empty() {
                slopes.push(0.0);
            }
            let attributes = Builder::attributes([("coefficients", slopes.into())]);
            let slope = builder.tensor(TensorPoly, &[operand(0)], attributes);
            out.push((operand(0), builder.mul(adjoint, slope)));
        }
        TensorSoftmax => out.push((operand(0), softmax(builder, op.results[0], adjoint))),
        TensorCrossEntropy if !wanted[1] => out.push(cross_entropy(builder, op, adjoint)?),
        _ => return Err(no_rule(op)),
    }
    Ok(out)
}

fn no_rule(op: &OpData) -> Diagnostic {
    let name = short_name(op.opcode);
    let diagnostic = Diagnostic::new(
        Code::Unsupported,
        format!("`{name}` cannot be differentiated here"),
    )
    .label(op.span, "between the loss and a parameter");
    match op.opcode {
        Opcode::TensorCrossEntropy => {
            diagnostic.remedy("give `cross_entropy` a prediction that is `sigmoid(…)` or `softmax(…)`, and a target that no parameter enters")
        }
        _ => diagnostic.remedy("write the part of the loss that depends on parameters without it"),
    }
}

/// Sums an adjoint over the leading dimensions along which `operand` was repeated.
fn reduced_to(builder: &mut Builder<'_>, adjoint: Value, operand: Value) -> Value {
    let extra = builder.shape(adjoint).len() - builder.shape(operand).len();
    let axes: Vec<u32> = (0..extra as u32).collect();
    builder.sum(adjoint, &axes)
}

/// Adjoint of side `side` of a·b.
fn matmul(builder: &mut Builder<'_>, adjoint: Value, a: Value, b: Value, side: usize) -> Value {
    let ranks = (builder.shape(a).len(), builder.shape(b).len());
    match (ranks, side) {
        ((2, 2), 0) => {
            let b = builder.transpose(b);
            builder.matmul(adjoint, b)
        }
        ((2, 2), _) => {
            let a = builder.transpose(a);
            builder.matmul(a, adjoint)
        }
        ((2, _), 0) => outer(builder, adjoint, b),
        // Aᵀ·g and B·g without a transposition.
        ((2, _), _) => builder.matmul(adjoint, a),
        ((_, 2), 0) => builder.matmul(b, adjoint),
        ((_, 2), _) => outer(builder, a, adjoint),
        (_, 0) => builder.mul(b, adjoint),
        _ => builder.mul(a, adjoint),
    }
}

/// The matrix aᵢ·bⱼ.
fn outer(builder: &mut Builder<'_>, a: Value, b: Value) -> Value {
    let shape = [builder.shape(a)[0], builder.shape(b)[0]];
    let rows = builder.broadcast(a, &shape, &[0]);
    let columns = builder.broadcast(b, &shape, &[1]);
    builder.mul(rows, columns)
}

/// The adjoint between zeros.
fn slice(builder: &mut Builder<'_>, op: &OpData, adjoint: Value) -> Value {
    let whole = builder.shape(op.operands[0]);
    let axis = op.int("axis").unwrap_or(0);
    let mut parts = Vec::new();
    for (from, to, part) in [
        (0, op.int("start").unwrap_or(0), None),
        (0, 0, Some(adjoint)),
        (op.int("end").unwrap_or(0), i64::from(whole[axis as usize]), None),
    ] {
        if let Some(part) = part {
            parts.push(part);
        } else if from < to {
            let mut shape = whole.clone();
            shape[axis as usize] = (to - from) as u32;
            parts.push(builder.constant(&shape, Elements::Splat(0.0)));
        }
    }
    if parts.len() == 1 {
        return adjoint;
    }
    builder.tensor(
        Opcode::TensorConcat,
        &parts,
        Builder::attributes([("axis", axis.into())]),
    )
}

/// p ⊙ (g − Σ g ⊙ p), row by row.
fn softmax(builder: &mut Builder<'_>, p: Value, adjoint: Value) -> Value {
    let shape = builder.shape(p);
    let last = shape.len() as u32 - 1;
    let weighted = builder.mul(adjoint, p);
    let total = builder.sum(weighted, &[last]);
    let rows: Vec<u32> = (0..last).collect();
    let total = builder.broadcast(total, &shape, &rows);
    let centred = builder.sub(adjoint, total);
    builder.mul(p, centred)
}

/// g·(p − y) for the argument of the sigmoid or softmax p.
fn cross_entropy(
    builder: &mut Builder<'_>,
    op: &OpData,
    adjoint: Value,
) -> Result<(Value, Value), Diagnostic> {
    let (p, y) = (op.operands[0], op.operands[1]);
    let shape = builder.shape(p);
    let wanted = if shape.len() == 2 {
        Opcode::TensorSoftmax
    } else {
        Opcode::TensorSigmoid
    };
    let function = builder
        .graph
        .defining_op(p)
        .map(|op| builder.graph.op(op))
        .filter(|op| op.opcode == wanted);
    let Some(argument) = function.map(|op| op.operands[0]) else {
        return Err(no_rule(op));
    };
    let difference = builder.sub(p, y);
    let rows: Vec<u32> = (0..shape.len().min(1) as u32).collect();
    let weight = builder.broadcast(adjoint, &shape, &rows);
    Ok((argument, builder.mul(difference, weight)))
}
