//! From an approximated tensor graph to a plan: layouts, parameters, schedule, memory, bytes.

use crate::analysis::cost::{CostModel, Shape};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Graph, Opcode};
use crate::options::Options;
use crate::params::search::{self, Choice, KEY_BUDGET_BYTES, Placed, Space};
use crate::params::security::largest_modulus_bits;
use crate::params::{Bootstrapping, prime_bits};
use crate::pass::layout::{self, Axes, Frame, Packed, Radix};
use crate::pass::levels;
use crate::pass::lower_ckks::{self, top_level};

/// Largest ring degree that is tried when none is asked for.
pub const LARGEST_LOG_N: u32 = 16;
/// Ring degrees that are tried when none is asked for: the smallest that is secure for one level, and the largest whose
/// keys and ciphertexts a server handles with ease.
const RING_DEGREES: std::ops::RangeInclusive<u32> = 11..=LARGEST_LOG_N;
/// Scale and digits that layouts are compared with; all layouts share them, so that only layouts differ.
const COMPARED_LOG_SCALE: u32 = 36;
const COMPARED_DIGITS: u32 = 4;
/// Rotations are first summed two bits at a time: about half the decompositions of one bit at a time.
const FIRST_RADIX: Radix = Radix {
    cyclic: 2,
    sums: 2,
    spreads: 2,
};

/// One way to lay a graph out.
#[derive(Clone, Debug, PartialEq)]
pub struct LayoutAlternative {
    /// Blocks of the places from fast to slow, each `slots of extent`.
    pub description: String,
    /// Ciphertexts of the largest input.
    pub tiles: u32,
    /// Levels from the inputs to the outputs.
    pub levels: u32,
    /// Relinearisations and rotations.
    pub key_switches: u32,
    /// Of them those with a decomposition of their own.
    pub decompositions: u32,
    /// Products of ciphertexts.
    pub products: u32,
    /// Predicted seconds, with the same scale and digits for all alternatives.
    pub seconds: f64,
}

/// A graph laid out, with parameters.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Packed vectors.
    pub packed: Packed,
    /// Parameters and ciphertext program.
    pub choice: Choice,
    /// All layouts, fastest first; the first was taken.
    pub alternatives: Vec<LayoutAlternative>,
}

fn space(options: &Options, log_n: u32) -> Space {
    Space {
        log_n,
        log_scale: options.log_scale,
        word_bits: options.word_bits,
        precision: options.precision,
        toy: options.insecure_toy,
        target: options.target.clone(),
        bootstrapping: Bootstrapping::STANDARD,
    }
}

/// The fastest lowering over ring degrees, layouts, radices of rotation sums and parameters.
pub fn lower(graph: &Graph, options: &Options) -> Result<Lowered, Diagnostic> {
    if let Some(log_n) = options.log_n {
        return at_degree(graph, options, log_n);
    }
    let mut best: Option<Lowered> = None;
    let mut refusal = None;
    for log_n in RING_DEGREES {
        match at_degree(graph, options, log_n) {
            Ok(lowered) => {
                // A larger ring never makes up for twice the work; a smaller modulus does not exist.
                let precise = |lowered: &Lowered| lowered.choice.is_precise;
                let better = best.as_ref().is_none_or(|best| {
                    (!precise(&lowered), lowered.choice.cost.seconds)
                        < (!precise(best), best.choice.cost.seconds)
                });
                if !better {
                    break;
                }
                best = Some(lowered);
            }
            Err(diagnostic) if diagnostic.code == Code::Depth => refusal = Some(diagnostic),
            Err(diagnostic) => return Err(diagnostic),
        }
    }
    best.ok_or_else(|| {
        refusal.unwrap_or_else(|| Diagnostic::new(Code::Depth, "no ring degree carries the program"))
    })
}

fn at_degree(graph: &Graph, options: &Options, log_n: u32) -> Result<Lowered, Diagnostic> {
    let axes = Axes::unify(graph)?;
    let space = space(options, log_n);
    let mut compared: Vec<(LayoutAlternative, Frame)> = Vec::new();
    let mut open = None;
    for frame in layout::frames(graph, &axes, 1 << (log_n - 1)) {
        let packed = layout::run(graph, &axes, &frame, FIRST_RADIX)?;
        if let Some(port) = levels::open_state(&packed.graph, space.bootstrapping.to_coefficients) {
            open.get_or_insert(not_closed(&packed, port));
            continue;
        }
        if compared.is_empty() {
            check_depth(&packed, &space)?;
        }
        if let Some(alternative) = compare(&packed, frame.describe(&axes), &space) {
            compared.push((alternative, frame));
        }
    }
    compared.sort_by(|(a, _), (b, _)| a.seconds.total_cmp(&b.seconds).then(a.levels.cmp(&b.levels)));
    let Some((_, frame)) = compared.first() else {
        let no_chain = || {
            Diagnostic::new(
                Code::Depth,
                format!("no chain of primes fits ring degree 2^{log_n}"),
            )
        };
        return Err(open.unwrap_or_else(no_chain));
    };
    // Which radix is best hardly depends on the scale, so one is enough to compare them, unless keys become too large.
    let mut packed = best_radix(graph, &axes, frame, &space, compared_log_scale(&space))?;
    let mut choice = search::run(&packed, &space)?;
    if choice.key_bytes > KEY_BUDGET_BYTES {
        packed = best_radix(graph, &axes, frame, &space, choice.chain.log_scale)?;
        choice = search::run(&packed, &space)?;
    }
    let alternatives = compared.into_iter().map(|(alternative, _)| alternative).collect();
    Ok(Lowered {
        packed,
        choice,
        alternatives,
    })
}

/// Why a closed loop cannot be: a state comes back with less room than it went in.
fn not_closed(packed: &Packed, port: u32) -> Diagnostic {
    let port = &packed.ports[port as usize];
    Diagnostic::new(
        Code::Carry,
        format!(
            "the state `{}` comes back from a step at a lower level",
            port.name
        ),
    )
    .label(port.span, "carried from step to step")
    .note("one compiled step serves for all steps, so it must give back what it took")
    .remedy(format!(
        "refresh it in the step: `update {0} = bootstrap(…);`",
        port.name
    ))
}

/// The graph laid out with the radix whose keys are within their budget, or nearest to it, and that is fastest.
fn best_radix(
    graph: &Graph,
    axes: &Axes,
    frame: &Frame,
    space: &Space,
    log_scale: u32,
) -> Result<Packed, Diagnostic> {
    let mut best: Option<((u64, f64), Packed)> = None;
    for radix in radices() {
        let packed = layout::run(graph, axes, frame, radix)?;
        // With the scale given, a program that does not fit is compared too: another radix does not change that.
        let given = Space {
            log_scale: Some(log_scale),
            ..space.clone()
        };
        let toy = Space {
            toy: true,
            ..given.clone()
        };
        if let Ok(choice) = search::run(&packed, &given).or_else(|_| search::run(&packed, &toy)) {
            let key = (
                choice.key_bytes.saturating_sub(KEY_BUDGET_BYTES),
                choice.cost.seconds,
            );
            if best.as_ref().is_none_or(|(best, _)| key < *best) {
                best = Some((key, packed));
            }
        }
    }
    let refusal = || {
        Diagnostic::new(
            Code::Depth,
            format!("no chain of primes fits ring degree 2^{}", space.log_n),
        )
    };
    best.map(|(_, packed)| packed).ok_or_else(refusal)
}

fn compared_log_scale(space: &Space) -> u32 {
    space
        .log_scale
        .unwrap_or(COMPARED_LOG_SCALE)
        .min(prime_bits(space.word_bits) - 2)
}

/// Whether the program may fit a ring degree, judged by its levels in one layout alone.
pub fn may_fit(graph: &Graph, options: &Options, log_n: u32) -> Result<bool, Diagnostic> {
    let axes = Axes::unify(graph)?;
    let frames = Frame::enumerate(&axes, 1 << (log_n - 1));
    let Some(frame) = frames.first() else {
        return Ok(false);
    };
    let packed = layout::run(graph, &axes, frame, FIRST_RADIX)?;
    Ok(check_depth(&packed, &space(options, log_n)).is_ok())
}

/// Every choice of one or two bits for each kind of rotation sum: more keys for less time.
fn radices() -> impl Iterator<Item = Radix> {
    (0..8u32).map(|bits| Radix {
        cyclic: 2 - (bits & 1),
        sums: 2 - (bits >> 1 & 1),
        spreads: 2 - (bits >> 2 & 1),
    })
}

/// Refuses at once what no parameters can carry: the smallest scale at every level is too much.
fn check_depth(packed: &Packed, space: &Space) -> Result<(), Diagnostic> {
    let smallest = search::smallest_log_scale(space.word_bits);
    let (_, top) = top_level(&packed.graph, 0);
    let bits = (top + 1) * space.log_scale.unwrap_or(smallest);
    match largest_modulus_bits(space.log_n) {
        Some(allowed) if bits > allowed && !space.toy => Err(Diagnostic::new(
            Code::Depth,
            format!(
                "{top} levels need at least {bits} bits of modulus; ring degree 2^{} allows {allowed}",
                space.log_n
            ),
        )
        .remedy("train fewer steps, use polynomials of lower degree, or a larger ring")),
        _ => Ok(()),
    }
}

fn compare(packed: &Packed, description: String, space: &Space) -> Option<LayoutAlternative> {
    let log_scale = compared_log_scale(space);
    let Placed { graph, levels, chain } =
        search::place(&packed.graph, space, log_scale, f64::from(log_scale), 0)?;
    let top = chain.top();
    let (ckks, _) = lower_ckks::run(&graph, packed.ports.len(), &levels, &chain, 0);
    let digit_limbs = (top + 1).div_ceil(COMPARED_DIGITS);
    let shape = Shape {
        log_n: space.log_n,
        special: digit_limbs,
        digit_limbs,
    };
    let model = CostModel::new(&space.target, shape, prime_bits(space.word_bits));
    let cost = model.graph(&ckks);
    let tiles = packed
        .ports
        .iter()
        .filter(|port| port.is_source())
        .map(|port| port.layout.tiles)
        .max();
    Some(LayoutAlternative {
        description,
        tiles: tiles.unwrap_or(0),
        levels: top,
        key_switches: cost.key_switches,
        decompositions: cost.decompositions,
        products: cost.products,
        seconds: cost.seconds,
    })
}

/// Training steps of a graph without loops: unrolled ones count one each, a closed body as often as it runs.
pub fn steps(graph: &Graph) -> u32 {
    graph
        .walk()
        .into_iter()
        .map(|op| graph.op(op))
        .filter(|op| op.opcode == Opcode::TrainStep)
        .map(|op| op.int("count").map_or(1, |count| count as u32))
        .sum()
}
