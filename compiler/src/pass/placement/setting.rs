//! What a program has to make do with, and what things take.

use crate::analysis::cost::{CostModel, InGraph, Shape, TOGETHER};
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::slot::{Vectors, takes_level};
use crate::ir::{Graph, OpData, Opcode};
use crate::params::search::{self, Space};
use crate::params::security::largest_modulus_bits;
use crate::params::{Bootstrapping, prime_bits};
use crate::pass::lower_ckks;

/// Levels and times.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Lowest level at which a value can be refreshed.
    pub floor: u32,
    /// Level at which it comes back.
    pub usable: u32,
    /// Level of outputs.
    pub lowest: u32,
    /// Times of operations.
    pub model: CostModel,
    /// Seconds of a bootstrap, without encoding its plaintexts.
    pub bootstrap: f64,
    /// Seconds of a bootstrap that two vectors share.
    pub pair: f64,
}

impl Setting {
    /// Bootstraps that leave `left` levels. Errors: E-DEPTH if no secure chain is so long.
    pub fn new(space: &Space, bootstrapping: Bootstrapping, left: u32) -> Result<Self, Diagnostic> {
        let refuse = || {
            let message = format!(
                "no bootstrap that leaves {left} levels fits ring degree 2^{}",
                space.log_n
            );
            Diagnostic::new(Code::Depth, message).remedy("choose a larger ring")
        };
        let space = Space {
            bootstrapping: Bootstrapping {
                usable: left,
                ..bootstrapping
            },
            ..space.clone()
        };
        let limit_bits = prime_bits(space.word_bits);
        let program = |complex: bool| {
            let mut vectors = Vectors::new("bootstrap", 1 << (space.log_n - 1));
            let x = vectors.input(0, 0, None);
            let y = vectors.bootstrap(x, 1.0);
            if complex {
                vectors.note_complex(y);
            }
            vectors.output(1, 0, y);
            vectors.graph
        };
        let log_scale = space.bootstrapped_log_scale();
        let place = |complex: bool| {
            search::place(&program(complex), &space, log_scale, f64::from(limit_bits), 0).ok_or_else(refuse)
        };
        let placed = place(false)?;
        let paired = place(true)?;
        let programs = [&placed, &paired].map(|placed| {
            let (ckks, _) = lower_ckks::run(&placed.graph, 2, &placed.levels, &placed.chain, 0);
            ckks
        });
        let seconds = |model: &CostModel, ckks: &Graph| -> f64 {
            let together = InGraph::of(ckks);
            let ops = ckks.walk().into_iter().map(|op| ckks.op(op));
            let made = ops.filter(|op| op.opcode != Opcode::CkksEncode);
            made.map(|op| model.op(ckks, &together, op)).sum()
        };
        // The digits that are fastest among those whose special primes the modulus has room for.
        let allowed = largest_modulus_bits(space.log_n).map_or(0.0, f64::from);
        let mut best: Option<(f64, CostModel)> = None;
        for digit_limbs in 1..=placed.chain.top() + 1 {
            let Some(special) = placed.chain.special(digit_limbs, limit_bits, true) else {
                break;
            };
            let special_bits: f64 = special.iter().map(|&prime| (prime as f64).log2()).sum();
            if placed.chain.bits() + special_bits > allowed && !space.toy {
                break;
            }
            let shape = Shape {
                log_n: space.log_n,
                special: special.len() as u32,
                digit_limbs,
            };
            let model = CostModel::new(&space.target, shape, limit_bits);
            let seconds = seconds(&model, &programs[0]);
            if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
                best = Some((seconds, model));
            }
        }
        let (bootstrap, model) = best.ok_or_else(refuse)?;
        Ok(Self {
            floor: bootstrapping.to_coefficients,
            usable: bootstrapping.to_coefficients + left,
            lowest: 0,
            bootstrap,
            pair: seconds(&model, &programs[1]),
            model,
        })
    }

    /// Seconds of so many bootstraps, two by two.
    pub fn bootstraps(&self, count: usize) -> f64 {
        let (pairs, single) = (count / 2, count % 2);
        pairs as f64 * self.pair.min(2.0 * self.bootstrap) + single as f64 * self.bootstrap
    }

    /// Seconds of an operation whose result lies at a level, near enough to weigh levels against each other.
    pub fn seconds(&self, op: &OpData, level: u32) -> f64 {
        use Opcode::*;
        let shape = &self.model.shape;
        let both = 2 * (level + 1);
        let product = shape.mul_plain(both + 2, 0).plus(shape.rescale(level, 2));
        let work = match op.opcode {
            SlotInput => shape.input(level),
            SlotMul => shape.mul(level + 1, 1).plus(shape.relinearize_rescale(level)),
            SlotMulPlain => product,
            SlotMulScalar if takes_level(op) => product,
            SlotRotate | SlotConjugate => shape.rotate(level),
            SlotSumRotations => {
                let rotated = op.ints("by").len().saturating_sub(1) as u32;
                let rotation = shape.rotate_acc(level, rotated.clamp(1, TOGETHER));
                shape
                    .decompose(level)
                    .plus(rotation.times(rotated.into()))
                    .plus(shape.mod_down(level))
            }
            SlotBootstrap if op.operands.len() > 1 => return 0.5 * self.pair,
            SlotBootstrap => return self.bootstrap,
            _ => shape.add(both),
        };
        self.model.seconds(work)
    }
}
