//! The kernels that operations are made of, measured alone: what the roofline is drawn with.

use cipherloom_ckks::Basis;
use cipherloom_compiler::analysis::cost::Work;
use cipherloom_compiler::target::Term;
use cipherloom_ring::{basis, limb, parallel};

use super::kit::Kit;
use super::timing::{Effort, Timing};

/// Words of an operand that stays in the first-level cache with a few others.
const TILE: usize = 512;
/// Terms of an inner product with a key: as many as digits are common.
const TERMS: usize = 3;
/// Passes over a tile that are timed together: one is too short.
const PASSES: usize = 2000;

/// Seconds of each kernel on one thread.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    /// A transform of one limb: the mean of forward and back.
    pub transform: f64,
    /// A multiply-add of a base conversion.
    pub convert: f64,
    /// A multiply-add of two words in the first-level cache.
    pub multiply_add: f64,
    /// A word moved in a pass over whole polynomials.
    pub word: f64,
}

impl Kernels {
    /// Measures them in a kit's ring, on the thread that calls.
    pub fn measure(kit: &mut Kit<'_>, effort: Effort) -> Self {
        let polynomial = kit.polynomial(Basis::Q);
        let Kit {
            ctx,
            sources,
            results,
            ..
        } = kit;
        let (ring, n) = (&ctx.ring, ctx.degree());
        let modulus = ring.modulus(0);

        let [limb] = results.take([n]);
        let transforms = effort.time_in_turn(2, |kind| match kind {
            0 => ring.ntt_forward(0, limb),
            _ => ring.ntt_inverse(0, limb),
        });
        let transform = transforms.iter().map(Timing::median).sum::<f64>() / transforms.len() as f64;

        let from = ctx.parameters.digit_limbs as usize;
        let to: Vec<usize> = (from..ctx.parameters.primes().count()).collect();
        let [dst, wraps] = results.take([to.len() * n, n]);
        let [src] = sources.take([from * n]);
        let mut scaled = src.to_vec();
        basis::scale(ring, 0..from, &mut scaled, wraps);
        let convert = effort.time(|| basis::combine(ring, 0..from, &scaled, wraps, &to, dst));

        let ([dst], [tiles]) = (results.take([TILE]), sources.take([2 * TERMS * TILE]));
        let terms: Vec<(&[u64], &[u64])> = tiles
            .chunks_exact(2 * TILE)
            .map(|pair| pair.split_at(TILE))
            .collect();
        let multiply = effort.time(|| (0..PASSES).for_each(|_| limb::inner_product(modulus, dst, &terms)));

        let ([dst], [a, b]) = (results.take([polynomial]), sources.take([polynomial, polynomial]));
        let add = effort.time(|| {
            parallel::for_each_limb_3(dst, a, b, n, |prime, dst, a, b| {
                limb::add(ring.modulus(prime), dst, a, b);
            });
        });

        Self {
            transform,
            convert: convert.median() / (from * to.len() * n) as f64,
            multiply_add: multiply.median() / (PASSES * TERMS * TILE) as f64,
            word: add.median() / (3 * polynomial) as f64,
        }
    }

    /// Seconds that some work takes on one thread if it is nothing but its kernels.
    ///
    /// Operations with transforms or conversions: their number of transforms, conversion multiply-adds, and other
    /// multiply-adds in the first-level cache. Passes over memory: the longer of moving their words and of their
    /// multiply-adds.
    pub fn roofline(&self, work: &Work, butterflies: f64) -> f64 {
        let transforms = work.of(Term::Transform) / butterflies;
        let products = (work.of(Term::KeyProduct) + work.of(Term::Product)) * self.multiply_add;
        let whole_limbs = transforms * self.transform + work.of(Term::Convert) * self.convert;
        if whole_limbs > 0.0 {
            whole_limbs + products
        } else {
            products.max(work.of(Term::Stream) * self.word)
        }
    }

    /// Seconds that the keys of some work take on their way from memory, at the speed of a pass over polynomials: a word
    /// for each product with a key.
    pub fn key_stream(&self, work: &Work) -> f64 {
        work.of(Term::KeyProduct) * self.word
    }
}
