//! The rules that every graph keeps, in whatever dialect:
//!
//! 1. An operation has as many operands, results and regions as its row of the opcode table says, and the attributes
//!    that the row requires.
//! 2. A value is defined once, and before its use: earlier in the same block or in a block around it.
//! 3. Operands and results belong to the operation's dialect: tensors for `tensor` and `train`, vectors for `slot`,
//!    ciphertexts, plaintexts and digits for `ckks`.
//! 4. A loop's region ends in its dialect's yield; operands, yielded values, region arguments and results agree in
//!    number and type. An `epoch` region may yield nothing.
//! 5. In `ckks`: both sides of a sum have the same level, degree and basis, and scales equal within 2^-30; a product
//!    has the level of its operands and the product of their scales; a rescale lowers the level by one.
//! 6. Shapes hold at most four dimensions, and no interval is empty or NaN.
//! 7. A closed loop runs from a `step` with a `count` of at least one to its `end`, and no program has two.
//! 8. In `tensor`: the result has the shape that [`infer`] gives, a constant has as many elements as its type, and what
//!    is made of secrets is secret.

use std::fmt;

use super::{BlockId, Dialect, Graph, OpData, Opcode, TensorType, Type, Value};
use crate::dialect::tensor::{Elements, infer};

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// What is wrong, naming the operation.
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for VerifyError {}

/// Checks the rules of this module.
pub fn verify(graph: &Graph) -> Result<(), VerifyError> {
    Verifier {
        graph,
        defined: vec![false; graph.value_count()],
    }
    .block(graph.body())?;
    closed_loop(graph)
}

fn closed_loop(graph: &Graph) -> Result<(), VerifyError> {
    let mut open: Option<(&OpData, i64)> = None;
    let mut closed = false;
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        match op.opcode {
            Opcode::TrainStep | Opcode::SlotStep | Opcode::CkksStep => {
                if let Some(count) = op.int("count") {
                    if open.is_some() || closed || count < 1 {
                        return fail(op, "a second closed loop, or one that runs never");
                    }
                    let every = op.int("every").unwrap_or(count);
                    if every < 1 || count % every != 0 {
                        return fail(op, "rounds that do not fill their epochs");
                    }
                    let steps = op.int("steps").unwrap_or(1);
                    if steps < 1 {
                        return fail(op, "a round of no steps");
                    }
                    open = Some((op, steps - 1));
                } else if let Some((_, left)) = &mut open {
                    *left -= 1;
                }
            }
            Opcode::TrainEnd | Opcode::SlotEnd | Opcode::CkksEnd => {
                match open.take() {
                    None => return fail(op, "closes no loop"),
                    Some((_, 0)) => {}
                    Some(_) => return fail(op, "the round has another number of steps than it says"),
                }
                closed = true;
            }
            _ => {}
        }
    }
    match open {
        Some((op, _)) => fail(op, "the closed loop has no end"),
        None => Ok(()),
    }
}

fn fail<T>(op: &OpData, message: impl fmt::Display) -> Result<T, VerifyError> {
    Err(VerifyError {
        message: format!("{}: {message}", op.opcode.name()),
    })
}

struct Verifier<'g> {
    graph: &'g Graph,
    defined: Vec<bool>,
}

impl Verifier<'_> {
    fn block(&mut self, block: BlockId) -> Result<(), VerifyError> {
        let block = self.graph.block(block);
        for &argument in &block.arguments {
            self.defined[argument.index()] = true;
        }
        let mut local: Vec<Value> = block.arguments.clone();
        for &op in &block.ops {
            let op = self.graph.op(op);
            self.op(op)?;
            for &result in &op.results {
                if std::mem::replace(&mut self.defined[result.index()], true) {
                    return fail(op, "result defined twice");
                }
                local.push(result);
            }
        }
        // What a block defines is not seen outside it.
        for value in local {
            self.defined[value.index()] = false;
        }
        Ok(())
    }

    fn op(&mut self, op: &OpData) -> Result<(), VerifyError> {
        let opcode = op.opcode;
        if !opcode.operands().admits(op.operands.len()) {
            return fail(
                op,
                format_args!("{} operands, wanted {:?}", op.operands.len(), opcode.operands()),
            );
        }
        if !opcode.results().admits(op.results.len()) {
            return fail(
                op,
                format_args!("{} results, wanted {:?}", op.results.len(), opcode.results()),
            );
        }
        if op.regions.len() != opcode.regions() {
            return fail(
                op,
                format_args!("{} regions, wanted {}", op.regions.len(), opcode.regions()),
            );
        }
        for name in opcode.required_attributes() {
            if !op.attributes.contains_key(name) {
                return fail(op, format_args!("attribute `{name}` is missing"));
            }
        }
        for &operand in &op.operands {
            if !self.defined[operand.index()] {
                return fail(op, "an operand is not defined before its use");
            }
        }
        for &value in op.operands.iter().chain(&op.results) {
            self.ty(op, self.graph.ty(value))?;
        }
        match opcode.dialect() {
            Dialect::Tensor => self.tensor(op)?,
            Dialect::Ckks => self.ckks(op)?,
            Dialect::Train | Dialect::Slot => {}
        }
        for (position, &region) in op.regions.iter().enumerate() {
            self.block(region)?;
            self.region(op, position, region)?;
        }
        Ok(())
    }

    fn ty(&self, op: &OpData, ty: &Type) -> Result<(), VerifyError> {
        let fits = match op.opcode.dialect() {
            Dialect::Tensor | Dialect::Train => matches!(ty, Type::Tensor(_)),
            Dialect::Slot => matches!(ty, Type::Vector(_)),
            Dialect::Ckks => matches!(ty, Type::Cipher(_) | Type::Plain(_) | Type::Digits { .. }),
        };
        if !fits {
            return fail(op, format_args!("{ty} does not belong to its dialect"));
        }
        if let Type::Tensor(tensor) = ty {
            if tensor.shape.len() > 4 || tensor.shape.contains(&0) {
                return fail(op, format_args!("bad shape in {ty}"));
            }
            if tensor
                .range
                .is_some_and(|(low, high)| low.is_nan() || high.is_nan() || low > high)
            {
                return fail(op, format_args!("empty interval in {ty}"));
            }
        }
        Ok(())
    }

    fn region(&self, op: &OpData, position: usize, region: BlockId) -> Result<(), VerifyError> {
        let wanted = match op.opcode {
            Opcode::TrainLoop => Opcode::TrainYield,
            Opcode::SlotLoop => Opcode::SlotYield,
            _ => Opcode::CkksYield,
        };
        let types = |values: &[Value]| {
            values
                .iter()
                .map(|&value| self.graph.ty(value).clone())
                .collect::<Vec<_>>()
        };
        let shapes_of = |values: &[Value]| types(values).into_iter().map(carried).collect::<Vec<_>>();
        let arguments = &self.graph.block(region).arguments;
        let Some(last) = self.graph.terminator(region).filter(|last| last.opcode == wanted) else {
            // An epoch that does nothing may be left empty.
            return if position == 1 {
                Ok(())
            } else {
                fail(op, format_args!("region ends without {}", wanted.name()))
            };
        };
        if shapes_of(arguments) != shapes_of(&op.operands)
            || shapes_of(&op.results) != shapes_of(&op.operands)
        {
            return fail(op, "operands, region arguments and results differ in type");
        }
        if position == 0 && shapes_of(&last.operands) != shapes_of(arguments) {
            return fail(
                op,
                "the loop is not closed: yielded values differ in type from the arguments",
            );
        }
        Ok(())
    }

    fn tensor(&self, op: &OpData) -> Result<(), VerifyError> {
        let Some(result) = op
            .results
            .first()
            .and_then(|&result| self.graph.ty(result).as_tensor())
        else {
            return Ok(());
        };
        if let Some(Elements::Each(values)) = Elements::of(op)
            && values.len() != result.elements()
        {
            return fail(
                op,
                format_args!("{} values for a tensor of {}", values.len(), result.elements()),
            );
        }
        if op.operands.is_empty() {
            return Ok(());
        }
        let operands: Vec<&TensorType> = op
            .operands
            .iter()
            .filter_map(|&operand| self.graph.ty(operand).as_tensor())
            .collect();
        match infer(op.opcode, &op.attributes, &operands) {
            Err(message) => fail(op, message),
            Ok(inferred) if inferred.shape != result.shape => fail(
                op,
                format_args!("shape {:?}, wanted {:?}", result.shape, inferred.shape),
            ),
            Ok(inferred) if inferred.secrecy > result.secrecy => {
                fail(op, "a public result of secret operands")
            }
            Ok(_) => Ok(()),
        }
    }

    fn ckks(&self, op: &OpData) -> Result<(), VerifyError> {
        use Opcode::{CkksAdd, CkksAddPlain, CkksMul, CkksMulAcc, CkksRescale, CkksSub};
        let ct = |value: Value| self.graph.ty(value).as_cipher();
        let close = |a: f64, b: f64| ((a - b) / b).abs() < 2f64.powi(-30);
        let operand = |index: usize| ct(op.operands[index]);
        match (op.opcode, op.results.first().and_then(|&result| ct(result))) {
            (CkksAdd | CkksSub, Some(result)) => {
                for index in 0..2 {
                    let same = operand(index).is_some_and(|side| {
                        (side.level, side.degree, side.basis) == (result.level, result.degree, result.basis)
                            && close(side.scale, result.scale)
                    });
                    if !same {
                        return fail(
                            op,
                            format_args!("side {index} differs in level, scale, degree or basis"),
                        );
                    }
                }
            }
            (CkksAddPlain, Some(result)) if operand(0).is_none_or(|side| side != result) => {
                return fail(op, "result differs from the ciphertext operand");
            }
            (CkksMul | CkksMulAcc, Some(result)) => {
                let count = op.operands.len();
                let (Some(a), Some(b)) = (operand(count - 2), operand(count - 1)) else {
                    return fail(op, "factors must be ciphertexts");
                };
                if a.level != result.level
                    || b.level != result.level
                    || !close(a.scale * b.scale, result.scale)
                {
                    return fail(op, "a product keeps the level and multiplies the scales");
                }
            }
            (CkksRescale, Some(result))
                if operand(0).is_none_or(|source| source.level != result.level + 1) =>
            {
                return fail(op, "a rescale lowers the level by one");
            }
            _ => {}
        }
        Ok(())
    }
}

/// What must agree around a loop: ranges may widen, everything else is fixed. Public initial values may become secret.
fn carried(ty: Type) -> Type {
    match ty {
        Type::Tensor(tensor) => Type::tensor(tensor.shape, super::Secrecy::Secret, None),
        other => other,
    }
}
