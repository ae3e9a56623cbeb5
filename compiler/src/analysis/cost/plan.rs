//! The predicted time of a plan, from its instructions alone.

use cipherloom_plan::{Basis, Instruction, Op, Plan};

use super::{CostModel, Shape, Work};
use crate::target::Target;

/// Predicted time of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanCost {
    /// Seconds of the whole run: the start, what comes before the first step, and the steps.
    pub seconds: f64,
    /// Seconds of one training step, the mean over all; of all instructions where there is no step.
    pub seconds_per_step: f64,
}

impl CostModel {
    /// The time of a plan on a target; the body of a loop counts as often as it runs.
    pub fn plan(plan: &Plan<'_>, target: &Target) -> PlanCost {
        let parameters = plan.parameters();
        let shape = Shape {
            log_n: parameters.log_n().into(),
            special: parameters.special().into(),
            digit_limbs: parameters.digit_limbs().into(),
        };
        let primes = parameters.q().iter().chain(parameters.p().iter());
        let (mut count, mut largest) = (0, 0);
        primes.for_each(|prime| (count, largest) = (count + 1, largest.max(prime)));
        let model = Self::new(target, shape, u64::BITS - largest.leading_zeros());

        let mut nest = vec![1.0];
        let (mut before, mut inside, mut steps) = (0.0, 0.0, 0.0);
        for instruction in plan.instructions() {
            let runs = nest.last().copied().unwrap_or(1.0);
            match instruction.op {
                Op::Loop => nest.push(runs * f64::from(instruction.a)),
                Op::End => drop(nest.pop()),
                Op::Step => steps += runs,
                _ => {}
            }
            let seconds = runs * model.seconds(model.instruction(instruction));
            *(if steps > 0.0 { &mut inside } else { &mut before }) += seconds;
        }
        let start = model.seconds(shape.start(count, plan.memory().arena_words as f64));
        PlanCost {
            seconds: start + before + inside,
            seconds_per_step: if steps > 0.0 { inside / steps } else { before },
        }
    }

    fn instruction(&self, instruction: Instruction) -> Work {
        let shape = &self.shape;
        let level = u32::from(instruction.level);
        let limbs = shape.limbs(level, instruction.basis() == Basis::Qp);
        let polynomials = u32::from(instruction.degree()) + 1;
        let all = polynomials * limbs;
        let in_place = instruction.dst == instruction.a;
        match instruction.op {
            Op::Step | Op::Loop | Op::End | Op::Epoch | Op::Checkpoint => Work::default(),
            Op::Input | Op::Stream => shape.input(level),
            Op::StateLoad | Op::StateStore => shape.copy(2 * limbs),
            Op::Output | Op::Reveal => shape.output(level),
            Op::Encode => shape.encode(limbs),
            Op::Add | Op::Sub => shape.add(all),
            Op::Neg => shape.neg(all),
            Op::Drop | Op::Trivial => shape.copy(all),
            Op::AddPlain | Op::SubPlain | Op::AddScalar if in_place => shape.add(limbs),
            Op::AddPlain | Op::SubPlain | Op::AddScalar => shape.add(limbs).plus(shape.copy(all)),
            Op::MulPlain | Op::MulPlainAcc => shape.mul_plain(all),
            Op::MulPlainSum => shape.mul_plain_sum(limbs, instruction.terms().into()),
            Op::MulScalar | Op::MulI => shape.mul_scalar(all),
            Op::Mul | Op::MulAcc => shape.mul(level),
            Op::Square => shape.square(level),
            Op::Rescale => shape.rescale(level, polynomials),
            Op::ModRaise => shape.mod_raise(level),
            Op::Decompose => shape.decompose(level),
            Op::RotateAcc => shape.rotate_acc(level),
            Op::LiftAcc => shape.lift_acc(level),
            Op::ModDown => shape.mod_down(level),
            Op::ModDownRescale => shape.mod_down_rescale(level),
            Op::Relinearize => shape.relinearize(level),
            Op::RelinearizeRescale => shape.relinearize_rescale(level),
            Op::Rotate => shape.rotate(level),
            Op::SwitchSecret => shape.switch_secret(level),
        }
    }
}
