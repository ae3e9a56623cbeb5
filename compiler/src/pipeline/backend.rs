//! From an approximated tensor graph to a plan: layouts, parameters, schedule, memory, bytes.

use std::borrow::Cow;

use cipherloom_plan::WordCounts;
use cipherloom_plan::data::PlanData;

use super::joint;
use crate::analysis::cost::{CostModel, Shape};
use crate::analysis::depth;
use crate::diagnostic::{Code, Diagnostic};
use crate::emit::{self, Claims};
use crate::ir::{ClosedLoop, Graph, Opcode};
use crate::options::Options;
use crate::parallel;
use crate::params::search::{self, Choice, Placed, Space};
use crate::params::security::largest_modulus_bits;
use crate::params::{Bootstrapping, prime_bits};
use crate::pass::layout::{self, Axes, Frame, Packed, Radix};
use crate::pass::lower_ckks::{self, top_level};
use crate::pass::placement::{self, Refreshed, Setting};
use crate::pass::{hoist, schedule};

/// Largest ring degree that is tried when none is asked for.
pub const LARGEST_LOG_N: u32 = 16;
/// Ring degrees that are tried when none is asked for: the smallest that is secure for one level, and the largest whose
/// keys and ciphertexts a server handles with ease.
const RING_DEGREES: std::ops::RangeInclusive<u32> = 11..=LARGEST_LOG_N;
/// Scale and digits that layouts are compared with; all layouts share them, so that only layouts differ.
const COMPARED_LOG_SCALE: u32 = 36;
const COMPARED_DIGITS: u32 = 4;
/// Levels that bootstraps leave while layouts are compared.
const COMPARED_LEFT: u32 = 10;
/// Frames that are compared by their predicted time.
const CLOSELY_COMPARED: usize = 8;
/// What sums of work may differ by, relatively, in another order.
const ROUNDING: f64 = 1e-9;
/// Rotations are first summed two bits at a time: about half the decompositions of one bit at a time.
pub const FIRST_RADIX: Radix = Radix {
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
    /// Where it bootstraps, and why.
    pub refreshed: Vec<Refreshed>,
}

/// Most bytes of switching keys that a plan should have.
pub fn most_key_bytes(options: &Options) -> u64 {
    options.key_bytes.unwrap_or(options.memory_bytes)
}

fn space(options: &Options, log_n: u32) -> Space {
    Space {
        log_n,
        log_scale: options.log_scale,
        word_bits: options.word_bits,
        precision: options.precision,
        key_bytes: most_key_bytes(options),
        toy: options.insecure_toy,
        target: options.target.clone(),
        bootstrapping: Bootstrapping::STANDARD,
        placement: None,
    }
}

/// The fastest lowering over ring degrees, layouts, radices of rotation sums and parameters. Only with `refreshing` may
/// it place bootstraps that the program does not ask for.
///
/// `known` is the lowering at one ring degree, where that has been found already.
pub fn lower(
    graph: &Graph,
    options: &Options,
    refreshing: bool,
    mut known: Option<(u32, Lowered)>,
) -> Result<Lowered, Diagnostic> {
    let mut at_degree = |log_n: u32| match known.take_if(|(degree, _)| *degree == log_n) {
        Some((_, lowered)) => Ok(lowered),
        None => at_degree(graph, options, log_n, refreshing),
    };
    if let Some(log_n) = options.log_n {
        return at_degree(log_n);
    }
    let mut best: Option<Lowered> = None;
    let mut refusal = None;
    let least = depth::least(graph);
    for log_n in RING_DEGREES {
        // What no layout makes shallow enough need not be laid out.
        let space = space(options, log_n);
        if log_n < LARGEST_LOG_N && !refreshing && check_levels(least, &space).is_err() {
            continue;
        }
        match at_degree(log_n) {
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

fn at_degree(graph: &Graph, options: &Options, log_n: u32, refreshing: bool) -> Result<Lowered, Diagnostic> {
    let axes = Axes::unify(graph)?;
    let mut space = space(options, log_n);
    if refreshing {
        space.placement = Some(Setting::new(&space, space.bootstrapping, COMPARED_LEFT)?);
    }
    let mut compared: Vec<(LayoutAlternative, Frame, Packed)> = Vec::new();
    let mut refusal = None;
    let mut frames = promising(graph, &axes, 1 << (log_n - 1))?;
    // What encrypts for small machines writes real slots alone.
    if options.word_bits == 64 {
        let pairings = |(frame, _): &(Frame, Packed)| layout::pairings(graph, &axes, frame);
        let paired: Vec<Frame> = frames.iter().flat_map(pairings).collect();
        let layouts = parallel::map(&paired, |frame| layout::run(graph, &axes, frame, FIRST_RADIX));
        for (frame, packed) in paired.into_iter().zip(layouts) {
            frames.push((frame, packed?));
        }
    }
    let closely = |(frame, plain): &(Frame, Packed)| {
        let packed = refreshed(plain, frame, &space)?;
        let alternative = compare(&packed, frame.describe(&axes), &space);
        Ok((check_depth(&packed, &space), alternative))
    };
    let alternatives: Vec<Result<_, Diagnostic>> = parallel::map(&frames, closely);
    for (alternative, (frame, plain)) in alternatives.into_iter().zip(frames) {
        let (shallow, alternative) = match alternative {
            Ok(found) => found,
            Err(other) if matches!(other.code, Code::Depth | Code::Range) => {
                refusal.get_or_insert(other);
                continue;
            }
            Err(other) => return Err(other),
        };
        if compared.is_empty() {
            shallow?;
        }
        compared.extend(alternative.map(|alternative| (alternative, frame, plain)));
    }
    compared.sort_by(|(a, ..), (b, ..)| a.seconds.total_cmp(&b.seconds).then(a.levels.cmp(&b.levels)));
    let Some((_, frame, plain)) = compared.first() else {
        let no_chain = || {
            Diagnostic::new(
                Code::Depth,
                format!("no chain of primes fits ring degree 2^{log_n}"),
            )
        };
        return Err(refusal.unwrap_or_else(no_chain));
    };
    let mut best: Option<(Packed, Choice, Vec<Refreshed>)> = None;
    let mut refusal = None;
    let ways = joint::ways(plain, frame, &space)?;
    let radices: Vec<Radix> = radices().collect();
    let layouts = parallel::map(&radices, |&radix| layout::run(graph, &axes, frame, radix));
    let layouts = layouts.into_iter().collect::<Result<Vec<Packed>, _>>()?;
    for space in ways {
        match in_frame(&layouts, frame, &space) {
            Ok((packed, choice)) => {
                let key = |choice: &Choice| {
                    (
                        !choice.is_precise,
                        choice.key_bytes > space.key_bytes,
                        choice.cost.seconds,
                    )
                };
                if best.as_ref().is_none_or(|(_, best, _)| key(&choice) < key(best)) {
                    let setting = space.placement.iter();
                    let refreshed = setting.flat_map(|setting| placement::explain(&packed.graph, setting));
                    let refreshed = refreshed.collect();
                    best = Some((packed, choice, refreshed));
                }
            }
            Err(other) => drop(refusal.get_or_insert(other)),
        }
    }
    let no_choice = || Diagnostic::new(Code::Depth, "no way to bootstrap fits the program");
    let (packed, choice, refreshed) = best.ok_or_else(|| refusal.unwrap_or_else(no_choice))?;
    let alternatives = compared
        .into_iter()
        .map(|(alternative, ..)| alternative)
        .collect();
    Ok(Lowered {
        packed,
        choice,
        alternatives,
        refreshed,
    })
}

/// The frames with the least to compute, by a count without levels, each with the graph laid out in it: of hundreds of
/// frames only these are compared closely.
fn promising(graph: &Graph, axes: &Axes, slots: u32) -> Result<Vec<(Frame, Packed)>, Diagnostic> {
    let mut best: Vec<(f64, Frame, Packed)> = Vec::new();
    for frames in layout::frames(graph, axes, slots).chunks(parallel::PORTION) {
        let most = match best.get(CLOSELY_COMPARED - 1) {
            Some(&(most, ..)) => most * (1.0 + ROUNDING),
            None => f64::INFINITY,
        };
        let layouts = parallel::map(frames, |frame| {
            let packed = layout::run_within(graph, axes, frame, FIRST_RADIX, most)?;
            Ok(packed.map(|packed| (layout::work(&packed.graph), packed)))
        });
        for (frame, layout) in frames.iter().zip(layouts) {
            let Some((work, packed)) = layout? else { continue };
            let place = best.partition_point(|(other, ..)| other.total_cmp(&work).is_le());
            if place < CLOSELY_COMPARED {
                best.truncate(CLOSELY_COMPARED - 1);
                best.insert(place, (work, frame.clone(), packed));
            }
        }
    }
    Ok(best
        .into_iter()
        .map(|(_, frame, packed)| (frame, packed))
        .collect())
}

/// The best radix and parameters of a graph that is laid out in a frame, once with each radix.
fn in_frame(layouts: &[Packed], frame: &Frame, space: &Space) -> Result<(Packed, Choice), Diagnostic> {
    let placed: Vec<Result<Packed, Diagnostic>> =
        parallel::map(layouts, |plain| Ok(refreshed(plain, frame, space)?.into_owned()));
    let layouts = placed.into_iter().collect::<Result<Vec<_>, _>>()?;
    // Which radix is best hardly depends on the scale, so one is enough to compare them, unless keys become too large.
    let mut packed = best_radix(&layouts, space, compared_log_scale(space))?;
    let mut choice = search::run(packed, space)?;
    if choice.key_bytes > space.key_bytes {
        packed = best_radix(&layouts, space, choice.chain.log_scale)?;
        choice = search::run(packed, space)?;
    }
    Ok((packed.clone(), choice))
}

/// A graph that is laid out in a frame, with bootstraps where levels run out.
fn refreshed<'p>(plain: &'p Packed, frame: &Frame, space: &Space) -> Result<Cow<'p, Packed>, Diagnostic> {
    match &space.placement {
        Some(setting) if placement::needed(&plain.graph, setting) => {
            Ok(Cow::Owned(placement::run(plain, frame.period, setting)?.packed))
        }
        _ => Ok(Cow::Borrowed(plain)),
    }
}

/// Of the keys of the smallest choice, how much a faster one may have more where all are above their budget.
const KEY_SLACK: u64 = 16;

/// The layout with the radix that is fastest, of those whose keys are within their budget or, where none is, hardly larger than
/// the smallest.
fn best_radix<'p>(layouts: &'p [Packed], space: &Space, log_scale: u32) -> Result<&'p Packed, Diagnostic> {
    // With the scale given, a program that does not fit is compared too: another radix does not change that.
    let given = Space {
        log_scale: Some(log_scale),
        ..space.clone()
    };
    let toy = Space {
        toy: true,
        ..given.clone()
    };
    let choices = parallel::map(layouts, |packed| {
        let choice = search::run(packed, &given).or_else(|_| search::run(packed, &toy));
        choice.ok().map(|choice| (choice.key_bytes, choice.cost.seconds))
    });
    let choices = choices.into_iter().zip(layouts);
    let found: Vec<(u64, f64, &Packed)> = choices
        .filter_map(|(choice, packed)| choice.map(|(key_bytes, seconds)| (key_bytes, seconds, packed)))
        .collect();
    let least = found.iter().map(|found| found.0).min().unwrap_or(0);
    let most = space.key_bytes.max(least + least / KEY_SLACK);
    let best = found
        .into_iter()
        .filter(|found| found.0 <= most)
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let refusal = || {
        Diagnostic::new(
            Code::Depth,
            format!("no chain of primes fits ring degree 2^{}", space.log_n),
        )
    };
    best.map(|(_, _, packed)| packed).ok_or_else(refusal)
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
    check_levels(top_level(&packed.graph, 0).1, space)
}

fn check_levels(top: u32, space: &Space) -> Result<(), Diagnostic> {
    let smallest = search::smallest_log_scale(space.word_bits);
    if top as usize >= search::MOST_PRIMES {
        return Err(
            Diagnostic::new(Code::Depth, format!("{top} levels are more than a plan may have"))
                .remedy("train fewer steps, or use polynomials of lower degree"),
        );
    }
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

/// Products of two ciphertexts that a server adds to a sum in one pass.
const PRODUCTS_TOGETHER: usize = 8;

/// Hoists, schedules and emits: the plan as data and as bytes. Encoded constants of a closed loop may stay in
/// `resident_words` of memory.
pub fn finish(
    packed: &Packed,
    choice: &mut Choice,
    claims: Claims,
    resident_words: u64,
) -> Result<(PlanData, Vec<u8>), Diagnostic> {
    let counts = WordCounts::new(
        choice.chain.log_n,
        choice.special.len() as u32,
        choice.digit_limbs,
    );
    let products = if claims.word_bits == 64 {
        PRODUCTS_TOGETHER
    } else {
        1
    };
    choice.ckks = schedule::run(&hoist::run(&choice.ckks, &counts, resident_words), products);
    emit::run(packed, choice, claims)
}

/// Training steps of a graph without loops: unrolled ones count one each, those of a closed body as often as it runs.
pub fn steps(graph: &Graph) -> u32 {
    let order = graph.walk();
    if let Some(closed) = ClosedLoop::find(graph, &order) {
        return closed.count * closed.steps;
    }
    order
        .into_iter()
        .map(|op| graph.op(op))
        .filter(|op| op.opcode == Opcode::TrainStep)
        .count() as u32
}
