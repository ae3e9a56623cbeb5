//! Predicted time: the elementary work of every operation, counted, times what the target takes for it.
//!
//! [`Shape`] counts; this file asks it for every operation of a program in the `ckks` dialect, and
//! [`CostModel::plan`] for every instruction of a plan.

mod plan;
mod together;
mod work;

pub use plan::PlanCost;
pub use together::{InGraph, TOGETHER};
pub use work::{Shape, Work};

use crate::ir::{Basis, BlockId, ClosedLoop, Graph, OpData, Opcode, Type};
use crate::target::{Target, Times};

/// What turns operations into seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostModel {
    /// Ring and digits.
    pub shape: Shape,
    /// The machine's times at this ring degree.
    pub times: Times,
}

/// Predicted time of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Seconds for everything.
    pub seconds: f64,
    /// Relinearisations, rotations and changes of the secret: products with a switching key.
    pub key_switches: u32,
    /// Decompositions, those inside whole key switches included.
    pub decompositions: u32,
    /// Products of two ciphertexts.
    pub products: u32,
}

impl CostModel {
    /// The model of a target, for primes of at most `prime_bits` bits.
    pub fn new(target: &Target, shape: Shape, prime_bits: u32) -> Self {
        Self {
            shape,
            times: target.times(shape.log_n, prime_bits),
        }
    }

    /// Time of a program; what is in a loop counts as often as it runs, but constants of a closed loop once.
    pub fn graph(&self, graph: &Graph) -> Cost {
        let mut cost = Cost::default();
        let together = InGraph::of(graph);
        self.block(graph, &together, graph.body(), 1, &mut cost);
        cost
    }

    fn block(&self, graph: &Graph, together: &InGraph, block: BlockId, runs: u32, cost: &mut Cost) {
        let ops = &graph.block(block).ops;
        let closed = ClosedLoop::find(graph, ops);
        for (position, &op) in ops.iter().enumerate() {
            let op = graph.op(op);
            let runs = match op.opcode {
                Opcode::CkksEncode if closed.is_some_and(|closed| position < closed.end) => runs,
                _ => runs * ClosedLoop::times(closed.as_ref(), position),
            };
            let count = |counted: bool| if counted { runs } else { 0 };
            use Opcode::*;
            let whole = matches!(
                op.opcode,
                CkksRelinearize | CkksRelinearizeRescale | CkksRotate | CkksSwitchSecret
            );
            cost.seconds += f64::from(runs) * self.op(graph, together, op);
            cost.key_switches += count(whole || op.opcode == CkksRotateAcc);
            cost.decompositions += count(whole || op.opcode == CkksDecompose);
            cost.products += count(matches!(op.opcode, CkksMul | CkksMulAcc | CkksSquare));
            let times = match op.opcode {
                CkksLoop => op
                    .int("count")
                    .and_then(|count| u32::try_from(count).ok())
                    .unwrap_or(1),
                _ => 1,
            };
            for &region in &op.regions {
                self.block(graph, together, region, runs.saturating_mul(times), cost);
            }
        }
    }

    /// Seconds of one operation, without what its regions hold.
    pub fn op(&self, graph: &Graph, together: &InGraph, op: &OpData) -> f64 {
        self.seconds(self.work(graph, op, together.size(op)))
    }

    /// Seconds of some work.
    pub fn seconds(&self, work: Work) -> f64 {
        1e-9 * work
            .0
            .iter()
            .zip(&self.times.0)
            .map(|(units, time)| units * time)
            .sum::<f64>()
    }

    /// The work of one operation that is carried out together with others, `together` with it.
    fn work(&self, graph: &Graph, op: &OpData, together: u32) -> Work {
        use Opcode::*;
        let shape = &self.shape;
        // Level, polynomials and limbs of a value.
        let value = |ty: &Type| match ty {
            Type::Cipher(ty) => (
                ty.level,
                ty.degree + 1,
                shape.limbs(ty.level, ty.basis == Basis::Qp),
            ),
            Type::Plain(ty) => (ty.level, 1, shape.limbs(ty.level, ty.basis == Basis::Qp)),
            Type::Digits { level, .. } => (*level, 1, shape.limbs(*level, false)),
            Type::Tensor(_) | Type::Vector(_) => (0, 0, 0),
        };
        let operand = op.operands.first().map(|&first| value(graph.ty(first)));
        let result = op.results.first().map(|&result| value(graph.ty(result)));
        let Some((level, polynomials, limbs)) = result.or(operand) else {
            return Work::default();
        };
        let all = polynomials * limbs;
        let plain = op.operands.last().or(op.results.first());
        let compact = match plain.map(|&value| graph.ty(value)) {
            Some(Type::Plain(ty)) => ty.compact,
            _ => 0,
        };
        match op.opcode {
            CkksInput => shape.input(level),
            CkksOutput => shape.output(level),
            CkksEncode => shape.encode(limbs, compact),
            CkksAdd | CkksSub => shape.add(all),
            CkksNeg => shape.neg(all),
            CkksDrop | CkksTrivial => shape.copy(all),
            CkksAddPlain | CkksAddScalar => shape.add(limbs).plus(shape.copy(all)),
            CkksMulPlain | CkksMulPlainAcc => shape.mul_plain(all, compact),
            CkksMulPlainSum => shape.mul_plain_sum(limbs, op.operands.len() as u32 / 2, compact, together),
            CkksMulScalar | CkksMulI => shape.mul_scalar(all),
            CkksMul | CkksMulAcc => shape.mul(level, together),
            CkksSquare => shape.square(level),
            CkksRescale => shape.rescale(level, polynomials),
            CkksDecompose => shape.decompose(level),
            CkksRotateAcc => shape.rotate_acc(level, together),
            CkksLiftAcc => shape.lift_acc(level),
            CkksModDown => shape.mod_down(level),
            CkksModDownRescale => shape.mod_down_rescale(level),
            CkksRelinearize => shape.relinearize(level),
            CkksRelinearizeRescale => shape.relinearize_rescale(level),
            CkksRotate => shape.rotate(level),
            CkksSwitchSecret => shape.switch_secret(level),
            CkksModRaise => shape.mod_raise(level),
            _ => Work::default(),
        }
    }
}
