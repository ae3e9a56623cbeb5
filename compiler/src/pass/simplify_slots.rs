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

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::dialect::slot::{Contents, NOTES, is_exact};
use crate::ir::{Attribute, Attributes, Graph, Name, OpData, Opcode, Value};

/// Roughly how much there is to compute, in rotations.
pub fn work(graph: &Graph) -> f64 {
    let ops = graph.walk().into_iter().map(|op| graph.op(op));
    ops.map(|op| lasting_work(op).unwrap_or(0.05)).sum()
}

/// The same of one operation, of a kind that is never left out again once it is there.
fn lasting_work(op: &OpData) -> Option<f64> {
    match op.opcode {
        Opcode::SlotMul | Opcode::SlotConjugate => Some(1.0),
        Opcode::SlotSumRotations => Some(0.5 + 0.5 * op.ints("by").len() as f64),
        Opcode::SlotMulPlain => Some(0.25),
        _ => None,
    }
}

/// The smaller program; `None` if its [`work`] is more than `most`.
pub fn run(mut old: Graph, most: f64) -> Option<Graph> {
    let live = live(&old);
    let mut simplifier = Simplifier {
        new: Graph::new(old.name.clone()),
        map: vec![None; old.value_count()],
        known: HashMap::with_capacity(old.value_count()),
        work: 0.0,
    };
    for id in old.walk() {
        let op = old.op_mut(id);
        let needed = op.opcode.has_effect() || op.results.iter().any(|result| live[result.index()]);
        if needed {
            let attributes = std::mem::take(&mut op.attributes);
            simplifier.op(&old, old.op(id), attributes);
        }
        if simplifier.work > most {
            return None;
        }
    }
    // Folding leaves operations behind that nothing reads any more.
    sweep(&mut simplifier.new);
    Some(simplifier.new).filter(|new| work(new) <= most)
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

/// Takes dead operations out.
fn sweep(graph: &mut Graph) {
    let live = live(graph);
    let body = graph.body();
    let mut ops = std::mem::take(&mut graph.block_mut(body).ops);
    ops.retain(|&op| {
        let op = graph.op(op);
        op.opcode.has_effect() || op.results.iter().any(|result| live[result.index()])
    });
    graph.block_mut(body).ops = ops;
}

struct Simplifier {
    new: Graph,
    map: Vec<Option<Value>>,
    /// Results of the operations made so far, by hash, or by the next number that was free.
    known: HashMap<u64, Value>,
    /// What those take that stay.
    work: f64,
}

impl Simplifier {
    fn definition(&self, value: Value) -> Option<&OpData> {
        self.new.defining_op(value).map(|op| self.new.op(op))
    }

    /// Takes over an operation, whose attributes are given apart.
    fn op(&mut self, old: &Graph, op: &OpData, attributes: Attributes) {
        let operands: Vec<Value> = op
            .operands
            .iter()
            .filter_map(|operand| self.map[operand.index()])
            .collect();
        let mut data = OpData {
            opcode: op.opcode,
            operands,
            results: Vec::new(),
            attributes,
            regions: Vec::new(),
            span: op.span,
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
                operands: Vec::new(),
                results: Vec::new(),
                attributes: constant.attributes(),
                regions: Vec::new(),
                span: op.span,
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
        let is_argument = ends.any(|end| inner.attributes.contains_key(end));
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
                data.attributes.insert("values", Attribute::Floats(product));
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
        let mut hash = hash_of(&data);
        while let Some(&known) = self.known.get(&hash) {
            // A state has another value each time that it is read.
            let equal = |op: &OpData| !data.flag("state") && is_same(op, &data);
            if self.definition(known).is_some_and(equal) {
                return known;
            }
            hash = hash.wrapping_add(1);
        }
        self.work += lasting_work(&data).unwrap_or(0.0);
        let block = self.new.body();
        let op = self.new.append(block, data, [ty]);
        let value = self.new.op(op).results[0];
        self.known.insert(hash, value);
        value
    }
}

/// The attributes that bear on what an operation means.
fn meaning(op: &OpData) -> impl Iterator<Item = (&Name, &Attribute)> {
    let is_note = |name: &Name| NOTES.contains(&name.as_ref());
    op.attributes.iter().filter(move |(name, _)| !is_note(name))
}

fn hash_of(op: &OpData) -> u64 {
    let mut hasher = DefaultHasher::new();
    (op.opcode, &op.operands).hash(&mut hasher);
    for (name, value) in meaning(op) {
        name.hash(&mut hasher);
        value.add_to(&mut hasher);
    }
    hasher.finish()
}

/// Whether two operations compute the same.
fn is_same(a: &OpData, b: &OpData) -> bool {
    a.opcode == b.opcode
        && a.operands == b.operands
        && meaning(a).count() == meaning(b).count()
        && meaning(a)
            .zip(meaning(b))
            .all(|((name, value), (other_name, other))| name == other_name && value.is_same(other))
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
        let simplified = print(&run(parse(text).expect("valid"), f64::INFINITY).expect("little work"));
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
