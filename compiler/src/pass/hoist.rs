//! Encodes the constants of a closed loop before it, once instead of in every round, as far as memory for them is granted:
//! they stay until the loop ends.
//!
//! ```text
//! ckks.step {count = 9, index = 0}
//! %1 = ckks.encode {value = 0.5, …}
//! %2 = ckks.mul_plain %0, %1
//! ```
//! becomes
//! ```text
//! %1 = ckks.encode {value = 0.5, …}
//! ckks.step {count = 9, index = 0}
//! %2 = ckks.mul_plain %0, %1
//! ```

use cipherloom_plan::WordCounts;

use crate::analysis::liveness::words;
use crate::ir::{ClosedLoop, Graph, OpId, Opcode};

/// The program with its constants before the loop, as many of them as `budget` words hold: the first of the body, which
/// are not worse than any others.
pub fn run(old: &Graph, counts: &WordCounts, budget: u64) -> Graph {
    let mut new = old.clone();
    let order = old.walk();
    let Some(closed) = ClosedLoop::find(old, &order) else {
        return new;
    };
    let (before, rest) = order.split_at(closed.start);
    let mut left = budget;
    let mut is_resident = |&op: &OpId| {
        let data = old.op(op);
        let size: u64 = data
            .results
            .iter()
            .map(|&result| words(old.ty(result), counts))
            .sum();
        let moves = data.opcode == Opcode::CkksEncode && size <= left;
        if moves {
            left -= size;
        }
        moves
    };
    let (resident, body): (Vec<OpId>, Vec<OpId>) = rest[..closed.end - closed.start]
        .iter()
        .partition(|op| is_resident(op));
    let after = &rest[closed.end - closed.start..];
    let order = [before, &resident, &body, after].concat();
    let block = new.body();
    new.block_mut(block).ops = order;
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{parse, print};

    #[test]
    fn constants_leave_the_loop_within_the_budget() {
        let text = r#"graph @g {
  %0 = ckks.input {port = 0, state = true, tile = 0} : ct<1, 1099511627776.0, 1, q>
  ckks.step {count = 3, index = 0}
  %1 = ckks.encode {value = 0.5} : pt<1, 1099511627776.0, q>
  %2 = ckks.mul_plain %0, %1 : ct<1, 1208925819614629174706176.0, 1, q>
  %3 = ckks.encode {value = 0.25} : pt<1, 1208925819614629174706176.0, q>
  %4 = ckks.add_plain %2, %3 : ct<1, 1208925819614629174706176.0, 1, q>
  ckks.end
  ckks.output %4 {port = 1, tile = 0}
}
"#;
        let graph = parse(text).expect("valid");
        let counts = WordCounts::new(4, 1, 1);
        // A plaintext at level 1 has two limbs of 16 words.
        let opcodes = |budget: u64| -> Vec<Opcode> {
            let hoisted = run(&graph, &counts, budget);
            crate::ir::verify(&hoisted).expect("valid");
            hoisted
                .walk()
                .into_iter()
                .map(|op| hoisted.op(op).opcode)
                .collect()
        };
        use Opcode::*;
        assert_eq!(print(&run(&graph, &counts, 31)), print(&graph));
        assert_eq!(opcodes(32)[..4], [CkksInput, CkksEncode, CkksStep, CkksMulPlain]);
        assert_eq!(opcodes(64)[..4], [CkksInput, CkksEncode, CkksEncode, CkksStep]);
    }
}
