//! The predicted time of a plan, from its instructions alone.

use cipherloom_plan::{Basis, Instruction, Op, Plan};

use super::together::in_plan;
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
        let model = Self::of(plan, target);
        let (mut before, mut inside, mut steps) = (0.0, 0.0, 0.0);
        let each = plan.instructions().zip(runs(plan)).zip(in_plan(plan));
        for ((instruction, runs), together) in each {
            if instruction.op == Op::Step {
                steps += runs;
            }
            let seconds = runs * model.seconds(model.instruction(instruction, together));
            *(if steps > 0.0 { &mut inside } else { &mut before }) += seconds;
        }
        let parameters = plan.parameters();
        let primes = parameters.q().iter().chain(parameters.p().iter()).count() as u32;
        let start = model.seconds(model.shape.start(primes, plan.memory().arena_words as f64));
        PlanCost {
            seconds: start + before + inside,
            seconds_per_step: if steps > 0.0 { inside / steps } else { before },
        }
    }

    /// Seconds of each instruction of a plan in all its rounds.
    pub fn instructions(plan: &Plan<'_>, target: &Target) -> Vec<f64> {
        let model = Self::of(plan, target);
        let each = plan.instructions().zip(runs(plan)).zip(in_plan(plan));
        each.map(|((instruction, runs), together)| {
            runs * model.seconds(model.instruction(instruction, together))
        })
        .collect()
    }

    /// The model for a plan's ring, digits and primes.
    fn of(plan: &Plan<'_>, target: &Target) -> Self {
        let parameters = plan.parameters();
        let shape = Shape {
            log_n: parameters.log_n().into(),
            special: parameters.special().into(),
            digit_limbs: parameters.digit_limbs().into(),
        };
        let primes = parameters.q().iter().chain(parameters.p().iter());
        let largest = primes.max().unwrap_or(0);
        Self::new(target, shape, u64::BITS - largest.leading_zeros())
    }

    /// The work of an instruction that is carried out together with others, `together` with it.
    fn instruction(&self, instruction: Instruction, together: u32) -> Work {
        let shape = &self.shape;
        let level = u32::from(instruction.level);
        let limbs = shape.limbs(level, instruction.basis() == Basis::Qp);
        let polynomials = u32::from(instruction.degree()) + 1;
        let all = polynomials * limbs;
        let compact = u32::from(instruction.compact());
        let in_place = instruction.dst == instruction.a;
        match instruction.op {
            Op::Step | Op::Loop | Op::End | Op::Epoch | Op::Checkpoint => Work::default(),
            Op::Input | Op::Stream => shape.input(level),
            Op::StateLoad | Op::StateStore => shape.copy(2 * limbs),
            Op::Output | Op::Reveal => shape.output(level),
            Op::Encode => shape.encode(limbs, compact),
            Op::Add | Op::Sub => shape.add(all),
            Op::Neg => shape.neg(all),
            Op::Drop | Op::Trivial => shape.copy(all),
            Op::AddPlain | Op::SubPlain | Op::AddScalar if in_place => shape.add(limbs),
            Op::AddPlain | Op::SubPlain | Op::AddScalar => shape.add(limbs).plus(shape.copy(all)),
            Op::MulPlain | Op::MulPlainAcc => shape.mul_plain(all, compact),
            Op::MulPlainSum => shape.mul_plain_sum(limbs, instruction.terms().into(), compact, together),
            Op::MulScalar | Op::MulI => shape.mul_scalar(all),
            Op::Mul | Op::MulAcc => shape.mul(level, together),
            Op::Square => shape.square(level),
            Op::Rescale => shape.rescale(level, polynomials),
            Op::ModRaise => shape.mod_raise(level),
            Op::Decompose => shape.decompose(level),
            Op::RotateAcc => shape.rotate_acc(level, together),
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

/// How often each instruction of a plan runs; the end of a loop as often as its beginning.
fn runs(plan: &Plan<'_>) -> impl Iterator<Item = f64> {
    let mut nest = vec![1.0];
    plan.instructions().map(move |instruction| {
        let runs = nest.last().copied().unwrap_or(1.0);
        match instruction.op {
            Op::Loop => nest.push(runs * f64::from(instruction.a)),
            Op::End => drop(nest.pop()),
            _ => {}
        }
        runs
    })
}
