//! Which operations the runtime carries out together, so that what they have in common goes through memory once.

use cipherloom_plan::{Instruction, Op, Plan};

use crate::ir::{Graph, OpData, Opcode, Value};

/// Most operations that a server carries out together (`cipherloom_ckks::context::TOGETHER`).
pub const TOGETHER: u32 = 8;

/// How many operations each one of a plan is carried out together with, itself included: those that stand one after the
/// other and share what they read, or the sum that they write.
pub fn in_plan(plan: &Plan<'_>) -> Vec<u32> {
    let most = match plan.parameters().word_bits() {
        64 => TOGETHER,
        _ => 1,
    };
    let instructions: Vec<Instruction> = plan.instructions().collect();
    let mut sizes = Vec::with_capacity(instructions.len());
    while let Some(first) = instructions.get(sizes.len()) {
        let rest = &instructions[sizes.len() + 1..];
        let like_first = rest.iter().take_while(|next| joins(first, next)).count() as u32;
        let size = (1 + like_first).min(most);
        sizes.extend((0..size).map(|_| size));
    }
    sizes
}

/// Whether an instruction is carried out together with the first of those before it.
fn joins(first: &Instruction, next: &Instruction) -> bool {
    let same_level = next.level == first.level;
    match first.op {
        Op::RotateAcc => (next.op, next.a) == (first.op, first.a) && same_level,
        // The last ciphertext tells: of the same ones, the first giant step of a transform may leave out a few.
        Op::MulPlainSum => {
            let last = |sum: &Instruction| sum.a + u32::from(sum.terms());
            next.op == first.op && same_level && last(next) == last(first)
        }
        Op::Mul | Op::MulAcc | Op::Square => (next.op, next.dst) == (Op::MulAcc, first.dst) && same_level,
        _ => false,
    }
}

/// The same for a program that is not scheduled yet: operations that share what they read, or a sum, will be neighbours.
pub struct InGraph {
    /// By value: how many rotations, or sums of plain products, read it.
    readers: Vec<u32>,
    /// By value: the products of the sum that it is part of.
    products: Vec<u32>,
}

impl InGraph {
    /// Looks through all operations of a program, a loop's body included.
    pub fn of(graph: &Graph) -> Self {
        let mut found = Self {
            readers: vec![0; graph.value_count()],
            products: vec![0; graph.value_count()],
        };
        let order = graph.walk();
        for op in order.iter().map(|&op| graph.op(op)) {
            if let Some(shared) = shared(op) {
                found.readers[shared.index()] += 1;
            }
        }
        let added_to = |op: &OpData| {
            let sum = op.operands.first().filter(|_| op.opcode == Opcode::CkksMulAcc);
            sum.copied()
        };
        // From the last product of a sum back to its first, which then knows them all.
        for op in order.iter().rev().map(|&op| graph.op(op)) {
            if let (&[result], Opcode::CkksMul | Opcode::CkksMulAcc) = (&op.results[..], op.opcode) {
                let count = found.products[result.index()].max(1);
                found.products[result.index()] = count;
                if let Some(sum) = added_to(op) {
                    found.products[sum.index()] = count + 1;
                }
            }
        }
        for op in order.iter().map(|&op| graph.op(op)) {
            if let (Some(sum), Some(&result)) = (added_to(op), op.results.first()) {
                found.products[result.index()] = found.products[sum.index()];
            }
        }
        found
    }

    /// How many operations one is carried out together with, itself included.
    pub fn size(&self, op: &OpData) -> u32 {
        let count = match op.opcode {
            Opcode::CkksMul | Opcode::CkksMulAcc => {
                let result = op.results.first();
                result.map(|result| self.products[result.index()])
            }
            _ => shared(op).map(|shared| self.readers[shared.index()]),
        };
        count.map_or(1, |count| count.clamp(1, TOGETHER))
    }
}

/// What rotations, or sums of plain products, are made together for.
fn shared(op: &OpData) -> Option<Value> {
    match op.opcode {
        Opcode::CkksRotateAcc => op.operands.first().copied(),
        Opcode::CkksMulPlainSum => {
            let count = op.int("count").unwrap_or(0) as usize;
            let last = count.checked_sub(1)?;
            op.operands.get(last).copied()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    #[test]
    fn what_shares_its_operands_or_a_sum_is_done_together() {
        let graph = parse(
            "graph @g {
               %0 = ckks.input {port = 0, tile = 0} : ct<1, 1.0, 1, q>
               %1 = ckks.decompose %0 : digits<1, 1.0>
               %2 = ckks.rotate_acc %1 {by = 1} : ct<1, 1.0, 1, qp>
               %3 = ckks.rotate_acc %1 {by = 2} : ct<1, 1.0, 1, qp>
               %4 = ckks.mul %0, %0 : ct<1, 1.0, 2, q>
               %5 = ckks.mul_acc %4, %0, %0 : ct<1, 1.0, 2, q>
               %6 = ckks.mul_acc %5, %0, %0 : ct<1, 1.0, 2, q>
               %7 = ckks.mul %0, %0 : ct<1, 1.0, 2, q>
             }",
        )
        .expect("valid");
        let together = InGraph::of(&graph);
        let sizes = graph.walk().into_iter().map(|op| together.size(graph.op(op)));
        assert_eq!(sizes.collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3, 3, 1]);
    }
}
