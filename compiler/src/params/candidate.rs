//! What the search for parameters compares: a program lowered at a scale, and digit sizes for it.

use std::cell::OnceCell;

use cipherloom_plan::{Key, WordCounts};

use super::search::{Choice, MOST_PRIMES, Space};
use super::security::SECURITY_BITS;
use super::{Chain, prime_bits};
use crate::analysis::cost::{Cost, CostModel, Shape};
use crate::analysis::noise::{self, NoiseModel};
use crate::analysis::rotation;
use crate::ir::Graph;
use crate::pass::bootstrap;
use crate::pass::layout::{Packed, Port};
use crate::pass::lower_ckks::{self, PortLevels};

/// Predicted errors are this many times the estimate, so that they bound what is measured: an error that reaches an output
/// by several ways adds up with one sign there, where the estimate takes the ways as independent.
const MARGIN: f64 = 3.0;

/// A program lowered at one scale.
pub(super) struct Program<'a> {
    ports: &'a [Port],
    bootstraps: bool,
    pub(super) chain: Chain,
    ckks: Graph,
    port_levels: PortLevels,
    keys: Vec<Key>,
}

/// A digit size for a program, with all that is quickly known of it.
pub(super) struct Candidate {
    /// Number of the program.
    pub(super) program: usize,
    special: Vec<u64>,
    digit_limbs: u32,
    security_bits: u16,
    /// Bytes of all keys, expanded.
    pub(super) key_bytes: u64,
    /// Predicted time and counts.
    pub(super) cost: Cost,
    errors: OnceCell<Vec<f64>>,
}

impl<'a> Program<'a> {
    pub(super) fn new(
        packed: &'a Packed,
        graph: &Graph,
        levels: &[Option<u32>],
        chain: Chain,
        output_level: u32,
        space: &Space,
    ) -> Self {
        let (ckks, port_levels) = lower_ckks::run(graph, packed.ports.len(), levels, &chain, output_level);
        Self {
            ports: &packed.ports,
            bootstraps: bootstrap::needed(&packed.graph),
            keys: rotation::keys(&ckks, space.log_n),
            chain,
            ckks,
            port_levels,
        }
    }

    /// Digit sizes worth a thought, each with its special primes.
    pub(super) fn digits(&self, limit_bits: u32) -> Vec<(u32, Vec<u64>)> {
        if self.keys.is_empty() {
            let fits = self.chain.q.len() <= MOST_PRIMES;
            return fits.then(|| (1, Vec::new())).into_iter().collect();
        }
        let limbs = self.chain.top() + 1;
        let mut sizes = Vec::new();
        for digit_limbs in 1..=limbs {
            let special = self.chain.special(digit_limbs, limit_bits, self.bootstraps);
            let Some(special) = special.filter(|special| special.len() + self.chain.q.len() <= MOST_PRIMES)
            else {
                break;
            };
            // As many digits as with smaller ones take more special primes.
            let digits = limbs.div_ceil(digit_limbs);
            if digit_limbs == 1 || limbs.div_ceil(digit_limbs - 1) != digits {
                sizes.push((digit_limbs, special));
            }
        }
        sizes
    }

    pub(super) fn candidate(
        &self,
        program: usize,
        digit_limbs: u32,
        special: Vec<u64>,
        secure: bool,
        space: &Space,
    ) -> Candidate {
        let shape = Shape {
            log_n: space.log_n,
            special: special.len() as u32,
            digit_limbs,
        };
        let words = WordCounts::new(space.log_n, special.len() as u32, digit_limbs);
        let key_words = self.keys.iter().map(|key| {
            let (q, p) = (self.chain.q.iter().copied(), special.iter().copied());
            words.key(key, space.word_bits, q, p)
        });
        Candidate {
            program,
            key_bytes: key_words
                .map(|words| words * u64::from(space.word_bits) / 8)
                .sum(),
            cost: CostModel::new(&space.target, shape, prime_bits(space.word_bits)).graph(&self.ckks),
            special,
            digit_limbs,
            security_bits: if secure && !space.toy { SECURITY_BITS } else { 0 },
            errors: OnceCell::new(),
        }
    }

    pub(super) fn chosen(self, candidate: Candidate, space: &Space) -> Choice {
        let errors = candidate.errors(&self).to_vec();
        Choice {
            chain: self.chain,
            special: candidate.special,
            digit_limbs: candidate.digit_limbs,
            security_bits: candidate.security_bits,
            bootstrapping: self.bootstraps.then_some(space.bootstrapping),
            ckks: self.ckks,
            port_levels: self.port_levels,
            keys: self.keys,
            key_bytes: candidate.key_bytes,
            cost: candidate.cost,
            is_precise: errors.iter().all(|&error| error <= space.precision),
            errors,
        }
    }
}

impl Candidate {
    /// Standard deviation of the error of each port's elements, predicted when it is first asked for.
    pub(super) fn errors(&self, program: &Program<'_>) -> &[f64] {
        self.errors.get_or_init(|| {
            let ranges = program
                .ports
                .iter()
                .map(|port| port.slot_range().unwrap_or((-1.0, 1.0)));
            let ranges: Vec<(f64, f64)> = ranges.collect();
            let noise = NoiseModel {
                chain: &program.chain,
                special_bits: self.special.iter().map(|&prime| (prime as f64).log2()).sum(),
                digit_limbs: self.digit_limbs,
                input_ranges: &ranges,
            };
            let mut errors = vec![0.0f64; program.ports.len()];
            for (port, _, deviation) in noise::outputs(&program.ckks, &noise) {
                let port = port as usize;
                let (factor, bound) = (
                    program.ports[port].layout.factor.abs(),
                    program.ports[port].bound(),
                );
                let error = MARGIN * deviation;
                // An error as large as the values says nothing of them.
                let known = error.is_finite() && bound.is_none_or(|bound| error < bound);
                errors[port] = errors[port].max(if known { error / factor } else { f64::INFINITY });
            }
            errors
        })
    }
}
