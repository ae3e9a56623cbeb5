//! Makes a vector program smaller without changing what it writes: equal operations are done once, products with public
//! numbers and vectors that follow one another become one, and what no output needs is left out.
//!
//! ```text
//! %1 = slot.mul_scalar %0 {values = floats[0.5]}
//! %2 = slot.mul_scalar %0 {values = floats[0.5]}
//! %3 = slot.mul_scalar %1 {values = floats[0.25]}
//! %4 = slot.add %2, %3
//! ```
//! becomes
//! ```text
//! %1 = slot.mul_scalar %0 {values = floats[0.5]}
//! %2 = slot.mul_scalar %0 {values = floats[0.125]}
//! %3 = slot.add %1, %2
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::dialect::slot::{Contents, NOTES, is_exact};
use crate::ir::{Attribute, Graph, OpData, Opcode, Value};

/// The smaller program.
pub fn run(old: &Graph) -> Graph {
    let live = live(old);
    let mut simplifier = Simplifier {
        new: Graph::new(old.name.clone()),
        map: vec![None; old.value_count()],
        numbers: BTreeMap::new(),
    };
    for op in old.walk() {
        let op = old.op(op);
        let needed = op.opcode.has_effect() || op.results.iter().any(|result| live[result.index()]);
        if needed {
            simplifier.op(old, op);
        }
    }
    // Folding leaves operations behind that nothing reads any more.
    sweep(&simplifier.new)
}

/// Values that an output needs.
fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.value_count()];
    for op in graph.walk().into_iter().rev() {
        let op = graph.op(op);
        if op.opcode.has_effect() || op.results.iter().any(|result| live[result.index()]) {
            op.operands
                .iter()
                .for_each(|operand| live[operand.index()] = true);
        }
    }
    live
}

/// A copy without dead operations.
fn sweep(old: &Graph) -> Graph {
    let live = live(old);
    let mut new = Graph::new(old.name.clone());
    let mut map: Vec<Option<Value>> = vec![None; old.value_count()];
    for op in old.walk() {
        let op = old.op(op);
        if !op.opcode.has_effect() && !op.results.iter().any(|result| live[result.index()]) {
            continue;
        }
        let operands = op
            .operands
            .iter()
            .filter_map(|operand| map[operand.index()])
            .collect();
        let types: Vec<_> = op.results.iter().map(|&result| old.ty(result).clone()).collect();
        let block = new.body();
        let copy = new.append(
            block,
            OpData {
                operands,
                ..op.clone()
            },
            types,
        );
        for (&result, &own) in op.results.iter().zip(&new.op(copy).results) {
            map[result.index()] = Some(own);
        }
    }
    new
}

struct Simplifier {
    new: Graph,
    map: Vec<Option<Value>>,
    /// Operations made so far, by their text.
    numbers: BTreeMap<String, Value>,
}

impl Simplifier {
    fn definition(&self, value: Value) -> Option<&OpData> {
        self.new.defining_op(value).map(|op| self.new.op(op))
    }

    fn op(&mut self, old: &Graph, op: &OpData) {
        let operands: Vec<Value> = op
            .operands
            .iter()
            .filter_map(|operand| self.map[operand.index()])
            .collect();
        let mut data = OpData {
            operands,
            results: Vec::new(),
            ..op.clone()
        };
        let Some(&result) = op.results.first() else {
            let block = self.new.body();
            self.new.append(block, data, []);
            return;
        };
        let ty = old.ty(result).clone();
        if let Some(constant) = self.fold(&mut data) {
            let plain = old.ty(op.operands[op.operands.len() - 1]).clone();
            let constant = OpData {
                opcode: Opcode::SlotConstant,
                attributes: constant.attributes(),
                operands: Vec::new(),
                ..op.clone()
            };
            let value = self.number(constant, plain);
            data.operands[1] = value;
        }
        let identity = matches!(data.opcode, Opcode::SlotMulScalar if data.floats("values") == [1.0])
            || matches!(data.opcode, Opcode::SlotAddScalar if data.floats("values") == [0.0])
            || matches!(data.opcode, Opcode::SlotRotate if data.int("by") == Some(0));
        self.map[result.index()] = Some(if identity {
            data.operands[0]
        } else {
            self.number(data, ty)
        });
    }

    /// Takes the factor of the first operand into a product with something public. Gives the new public vector where the
    /// product is with one.
    fn fold(&self, data: &mut OpData) -> Option<Contents> {
        let inner = self.definition(*data.operands.first()?)?;
        // The ends of a function stay whole: the noise analysis looks at what lies between them.
        let mut ends = ["argument", "beside", "image"].iter();
        let is_argument = ends.any(|end| inner.attributes.contains_key(*end));
        if inner.opcode != Opcode::SlotMulScalar || is_exact(inner.floats("values")) || is_argument {
            return None;
        }
        let factors = inner.floats("values");
        match data.opcode {
            Opcode::SlotMulScalar => {
                let own = data.floats("values");
                // One number for all steps multiplies each of theirs.
                let product = match (own, factors) {
                    (own, &[factor]) => own.iter().map(|own| own * factor).collect(),
                    (&[own], factors) => factors.iter().map(|factor| own * factor).collect(),
                    _ => own
                        .iter()
                        .zip(factors)
                        .map(|(own, factor)| own * factor)
                        .collect(),
                };
                data.operands = inner.operands.clone();
                data.attributes
                    .insert("values".to_owned(), Attribute::Floats(product));
                None
            }
            Opcode::SlotMulPlain => {
                let &[factor] = factors else { return None };
                let constant = Contents::of(self.definition(data.operands[1])?).scaled(factor);
                data.operands[0] = inner.operands[0];
                Some(constant)
            }
            _ => None,
        }
    }

    /// The operation, or an equal one that is there already.
    fn number(&mut self, data: OpData, ty: crate::ir::Type) -> Value {
        let mut key = format!("{} {:?}", data.opcode.name(), data.operands);
        for (name, value) in data
            .attributes
            .iter()
            .filter(|(name, _)| !NOTES.contains(&name.as_str()))
        {
            let _ = write!(key, " {name}={value}");
        }
        // A state has another value each time that it is read.
        let known = self.numbers.get(&key).filter(|_| !data.flag("state"));
        if let Some(&known) = known {
            return known;
        }
        let block = self.new.body();
        let op = self.new.append(block, data, [ty]);
        let value = self.new.op(op).results[0];
        self.numbers.insert(key, value);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{parse, print};

    #[test]
    fn equal_and_successive_products_become_one() {
        let text = r#"graph @g {
  %0 = slot.input {port = 0, tile = 0} : vec<4, secret>
  %1 = slot.mul_scalar %0 {values = floats[0.5]} : vec<4, secret>
  %2 = slot.mul_scalar %0 {values = floats[0.5]} : vec<4, secret>
  %3 = slot.mul_scalar %1 {values = floats[0.25]} : vec<4, secret>
  %4 = slot.constant {counts = ints[2], offset = 0, strides = ints[1], value = 2.0} : vec<4, public>
  %5 = slot.mul_plain %3, %4 : vec<4, secret>
  %6 = slot.add %2, %5 : vec<4, secret>
  %7 = slot.sub %2, %5 : vec<4, secret>
  slot.output %6 {port = 1, tile = 0}
}
"#;
        let simplified = print(&run(&parse(text).expect("valid")));
        insta::assert_snapshot!(simplified, @r"
        graph @g {
          %0 = slot.input {port = 0, tile = 0} : vec<4, secret>
          %1 = slot.mul_scalar %0 {values = floats[0.5]} : vec<4, secret>
          %2 = slot.constant {counts = ints[2], offset = 0, strides = ints[1], value = 0.25} : vec<4, public>
          %3 = slot.mul_plain %0, %2 : vec<4, secret>
          %4 = slot.add %1, %3 : vec<4, secret>
          slot.output %4 {port = 1, tile = 0}
        }
        ");
    }
}
