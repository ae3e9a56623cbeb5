//! The search for parameters: for every scale and digit size that is secure and precise enough, the predicted time.

use std::borrow::Cow;

use cipherloom_plan::{Key, PortKind};

use super::candidate::{Candidate, Program};
use super::security::largest_modulus_bits;
use super::{Bootstrapping, Chain, prime_bits};
use crate::analysis::cost::Cost;
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::Graph;
use crate::pass::layout::Packed;
use crate::pass::lower_ckks::{PortLevels, top_level};
use crate::pass::placement::Setting;
use crate::pass::{bootstrap, levels};
use crate::target::Target;

/// Of parameters within this factor of the fastest, the most precise are taken.
const SLACK: f64 = 1.03;
/// Most primes of a plan.
pub const MOST_PRIMES: usize = 64;
/// Assumed largest value of an output without a range.
const UNKNOWN_BOUND: f64 = 64.0;

/// log2 of the scale of programs with bootstraps: what is refreshed must be small beside q_0, and large beside its error.
const BOOTSTRAPPED_LOG_SCALE: u32 = 40;

/// What the search may choose from.
#[derive(Clone, Debug)]
pub struct Space {
    /// log2 N.
    pub log_n: u32,
    /// log2 of the scale, if it is given.
    pub log_scale: Option<u32>,
    /// Bits of a machine word.
    pub word_bits: u32,
    /// Largest standard deviation of the error of an output.
    pub precision: f64,
    /// Switching keys should not take more than this, expanded.
    pub key_bytes: u64,
    /// Allows any modulus.
    pub toy: bool,
    /// The machine.
    pub target: Target,
    /// How programs with bootstraps do it.
    pub bootstrapping: Bootstrapping,
    /// How the compiler places bootstraps, if it may.
    pub placement: Option<Setting>,
}

impl Space {
    /// The scale, if it is given, or that of programs with bootstraps.
    pub fn bootstrapped_log_scale(&self) -> u32 {
        self.log_scale.unwrap_or(BOOTSTRAPPED_LOG_SCALE)
    }
}

/// Parameters and the program lowered with them.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The modulus chain.
    pub chain: Chain,
    /// The special primes; none if no key is used.
    pub special: Vec<u64>,
    /// α.
    pub digit_limbs: u32,
    /// 0 for a toy whose modulus is too large.
    pub security_bits: u16,
    /// How it bootstraps, if it does.
    pub bootstrapping: Option<Bootstrapping>,
    /// The program.
    pub ckks: Graph,
    /// Levels of the ports.
    pub port_levels: PortLevels,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Bytes of all keys, expanded.
    pub key_bytes: u64,
    /// Predicted time and counts.
    pub cost: Cost,
    /// Predicted error of each output port's elements, in the tensor's units: 0 for sources, infinite if it is not known.
    pub errors: Vec<f64>,
    /// Whether every error is within the precision asked for.
    pub is_precise: bool,
}

impl Choice {
    /// log2 of QP.
    pub fn modulus_bits(&self) -> f64 {
        modulus_bits(&self.chain, &self.special)
    }

    /// log2 of a bound on the probability that a bootstrap of the program fails, as if every slot were used and complex; 0
    /// without bootstraps.
    pub fn bootstrap_log2_failure(&self) -> f64 {
        self.bootstrapping.map_or(0.0, |bootstrapping| {
            bootstrapping.log2_failure(self.chain.log_n - 1, true)
        })
    }
}

/// Smallest log2 of a scale that is tried.
pub fn smallest_log_scale(word_bits: u32) -> u32 {
    if word_bits == 32 { 18 } else { 30 }
}

/// The best parameters for a program, or why there are none.
pub fn run(packed: &Packed, space: &Space) -> Result<Choice, Diagnostic> {
    let limit_bits = prime_bits(space.word_bits);
    let allowed = largest_modulus_bits(space.log_n);
    if allowed.is_none() && !space.toy {
        return Err(Diagnostic::new(
            Code::Security,
            format!("ring degree 2^{} has no secure modulus", space.log_n),
        )
        .remedy("choose a ring degree from 2^10 to 2^17"));
    }
    let scales = match space.log_scale {
        Some(log_scale) => log_scale..=log_scale,
        None if bootstrap::needed(&packed.graph) => BOOTSTRAPPED_LOG_SCALE..=BOOTSTRAPPED_LOG_SCALE,
        None => smallest_log_scale(space.word_bits)..=limit_bits - 1,
    };
    let is_secure = |bits: f64| allowed.is_some_and(|allowed| bits <= f64::from(allowed));
    let mut programs: Vec<Program<'_>> = Vec::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut smallest: Option<f64> = None;
    for log_scale in scales {
        let (output_level, base_bits) = base(packed, log_scale, limit_bits);
        let arranged = arrange(&packed.graph, space, log_scale, base_bits, output_level);
        let Some((graph, levels, chain)) = arranged else {
            continue;
        };
        // What is missing is asked of the smallest scale alone.
        if smallest.is_some() && !space.toy && !is_secure(chain.bits()) {
            continue;
        }
        let program = Program::new(packed, &graph, &levels, chain, output_level, space);
        for (digit_limbs, special) in program.digits(limit_bits) {
            let bits = modulus_bits(&program.chain, &special);
            smallest = Some(smallest.map_or(bits, |smallest: f64| smallest.min(bits)));
            let secure = is_secure(bits);
            if secure || space.toy {
                candidates.push(program.candidate(programs.len(), digit_limbs, special, secure, space));
            }
        }
        programs.push(program);
    }
    let best = fastest(&candidates, &programs, space).ok_or_else(|| refuse(space, smallest, allowed))?;
    let candidate = candidates.swap_remove(best);
    let program = programs.swap_remove(candidate.program);
    Ok(program.chosen(candidate, space))
}

/// The position of the best candidate: precise, with keys within their budget, fast, and of those nearly as fast the most
/// precise. Errors take longest to predict, so they are only asked of candidates that are fast enough to be chosen.
fn fastest(candidates: &[Candidate], programs: &[Program<'_>], space: &Space) -> Option<usize> {
    let errors = |index: usize| candidates[index].errors(&programs[candidates[index].program]);
    let error = |index: usize| errors(index).iter().copied().fold(0.0, f64::max);
    let is_precise = |index: usize| errors(index).iter().all(|&error| error <= space.precision);
    let seconds = |index: usize| candidates[index].cost.seconds;
    let is_large = |index: usize| candidates[index].key_bytes > space.key_bytes;
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| seconds(a).total_cmp(&seconds(b)));
    let (small, large): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&index| !is_large(index));
    let precise = [&small, &large].into_iter().find_map(|class| {
        let fastest = class.iter().position(|&index| is_precise(index))?;
        let limit = seconds(class[fastest]) * SLACK;
        let near = class[fastest..]
            .iter()
            .copied()
            .take_while(|&index| seconds(index) <= limit);
        Some(near.filter(|&index| is_precise(index)).collect::<Vec<_>>())
    });
    let mut near = precise.unwrap_or_else(|| {
        // What cannot be precise enough had better be as precise as it can.
        let mut class = if small.is_empty() { large } else { small };
        let least = class.iter().copied().map(error).fold(f64::INFINITY, f64::min);
        class.retain(|&index| error(index) <= 2.0 * least);
        let limit = class.first().map_or(0.0, |&fastest| seconds(fastest) * SLACK);
        class.retain(|&index| seconds(index) <= limit);
        class
    });
    near.sort_by(|&a, &b| {
        let by_error = error(a).total_cmp(&error(b));
        by_error.then(seconds(a).total_cmp(&seconds(b))).then(a.cmp(&b))
    });
    near.first().copied()
}

fn refuse(space: &Space, smallest: Option<f64>, allowed: Option<u32>) -> Diagnostic {
    match (smallest, allowed) {
        (Some(bits), Some(allowed)) if space.log_scale.is_some() => Diagnostic::new(
            Code::Security,
            format!(
                "a modulus of {bits:.0} bits is not secure at ring degree 2^{}: at most {allowed} are",
                space.log_n
            ),
        )
        .remedy("choose a smaller --log-scale, fewer steps or a larger ring"),
        (Some(bits), Some(allowed)) => Diagnostic::new(
            Code::Depth,
            format!(
                "the program needs a modulus of at least {bits:.0} bits; ring degree 2^{} allows {allowed}",
                space.log_n
            ),
        )
        .remedy("train fewer steps, use polynomials of lower degree, or a larger ring"),
        _ => Diagnostic::new(
            Code::Depth,
            format!("there are not enough primes for ring degree 2^{}", space.log_n),
        )
        .remedy("train fewer steps"),
    }
}

/// Level and size in bits of q_0 such that outputs fit: their largest value at the scale, a sign and a factor of two.
fn base(packed: &Packed, log_scale: u32, limit_bits: u32) -> (u32, f64) {
    let bound = packed
        .ports
        .iter()
        .filter(|port| !port.is_source() || port.kind == PortKind::State)
        .map(|port| port.bound().unwrap_or(UNKNOWN_BOUND))
        .fold(1.0, f64::max);
    let scale = f64::from(log_scale);
    let wanted = scale + bound.log2() + 2.0;
    let most = f64::from(limit_bits) - 0.02;
    let level = ((wanted - most) / scale).ceil().max(0.0) as u32;
    (level, (wanted - f64::from(level) * scale).max(scale).min(most))
}

/// A program ready to be lowered: bootstraps expanded, a level for every value, and the chain that carries it.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The program.
    pub graph: Graph,
    /// Levels of its values.
    pub levels: Vec<Option<u32>>,
    /// The chain; its top is the highest level.
    pub chain: Chain,
}

/// Gives a program levels and a chain. `base_bits` is the size of q_0; programs with bootstraps have it as large as
/// can be, since what is refreshed has to be small beside it.
pub fn place(
    graph: &Graph,
    space: &Space,
    log_scale: u32,
    base_bits: f64,
    output_level: u32,
) -> Option<Placed> {
    let (graph, levels, chain) = arrange(graph, space, log_scale, base_bits, output_level)?;
    Some(Placed {
        graph: graph.into_owned(),
        levels,
        chain,
    })
}

/// The same, with the graph as it is where it does not bootstrap.
fn arrange<'g>(
    graph: &'g Graph,
    space: &Space,
    log_scale: u32,
    base_bits: f64,
    output_level: u32,
) -> Option<(Cow<'g, Graph>, Vec<Option<u32>>, Chain)> {
    let limit_bits = prime_bits(space.word_bits);
    if !bootstrap::needed(graph) {
        let (levels, top) = top_level(graph, output_level);
        let chain = Chain::new(space.log_n, log_scale, base_bits, top, limit_bits)?;
        return Some((Cow::Borrowed(graph), levels, chain));
    }
    let parameters = &space.bootstrapping;
    let levels = levels::run(graph, output_level, parameters.to_coefficients);
    let needed = levels.iter().flatten().copied().max()?;
    let usable = needed.max(parameters.to_coefficients + parameters.usable);
    let largest = f64::from(limit_bits) - 0.001;
    let chain = Chain::new(space.log_n, log_scale, largest, usable, limit_bits)?
        .raised(parameters.levels_above(), limit_bits)?;
    let graph = bootstrap::run(graph, parameters, &chain, usable);
    let levels = levels::run(&graph, output_level, 0);
    debug_assert_eq!(levels.iter().flatten().max(), Some(&chain.top()));
    Some((Cow::Owned(graph), levels, chain))
}

/// log2 of QP.
fn modulus_bits(chain: &Chain, special: &[u64]) -> f64 {
    chain.bits() + special.iter().map(|&prime| (prime as f64).log2()).sum::<f64>()
}
