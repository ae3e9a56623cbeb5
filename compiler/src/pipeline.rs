//! The passes, in order.

mod backend;
mod fit;
mod joint;
mod room;
pub mod study;

use crate::analysis::range::{self, RangeNote};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::grad;
use crate::ir::{Graph, print};
use crate::options::Options;
use crate::params::search::Choice;
use crate::pass::approximate::{self, Use};
use crate::pass::placement::Refreshed;
use crate::pass::{bias, fold, unroll};
use crate::sema;
use crate::source::Source;

pub use backend::{LayoutAlternative, Lowered};

/// Most steps that are tried when their number is left to the compiler.
const MOST_STEPS: u32 = 64;

/// A compiled program.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The plan's bytes, verified.
    pub plan: Vec<u8>,
    /// The tensor graph as written, before anything is derived: for dumps and for predictions with trained states.
    pub source_graph: Graph,
    /// The differentiated graph with exact functions, loops rolled: the reference of what training means.
    pub exact: Graph,
    /// The unrolled graph with polynomials: the reference of what the plan computes.
    pub approximated: Graph,
    /// The program on packed vectors.
    pub slot: Graph,
    /// The program on ciphertexts, scheduled.
    pub ckks: Graph,
    /// Functions and the polynomials that stand for them.
    pub approximations: Vec<Use>,
    /// Declared ranges that interval arithmetic does not prove: the plan is right as long as the data keep to them.
    pub assumptions: Vec<RangeNote>,
    /// Layouts that were compared, fastest first.
    pub layouts: Vec<LayoutAlternative>,
    /// Where the program bootstraps, and why.
    pub refreshed: Vec<Refreshed>,
    /// Training steps of the plan.
    pub steps: u32,
    /// Warnings.
    pub warnings: Diagnostics,
}

impl Compiled {
    /// The program in one of the dialects `tensor`, `approximated`, `slot` or `ckks`, as text.
    pub fn dump(&self, dialect: &str) -> Option<String> {
        Some(print(match dialect {
            "tensor" => &self.source_graph,
            "approximated" => &self.approximated,
            "slot" => &self.slot,
            "ckks" => &self.ckks,
            _ => return None,
        }))
    }
}

/// Compiles a program to a plan. Same source and options → same bytes.
pub fn compile(source: &Source, options: &Options) -> Result<Compiled, Diagnostics> {
    let mut warnings = Diagnostics::new();
    check_options(options)?;
    let Some(graph) = sema::check(source, options, &mut warnings) else {
        return Err(warnings);
    };
    sema::support::check(&graph, &mut warnings);
    if warnings.has_errors() {
        return Err(warnings);
    }
    compile_graph(&graph, options, warnings)
}

/// Compiles a checked tensor graph.
pub fn compile_graph(
    graph: &Graph,
    options: &Options,
    warnings: Diagnostics,
) -> Result<Compiled, Diagnostics> {
    match &options.target.device {
        Some(device) => fit::compile(device, graph, options, warnings),
        None => compile_freely(graph, options, warnings),
    }
}

/// Compiles a checked tensor graph, whatever memory the plan takes.
fn compile_freely(
    graph: &Graph,
    options: &Options,
    mut warnings: Diagnostics,
) -> Result<Compiled, Diagnostics> {
    let exact = grad::differentiate(graph)?;
    let mut assumptions = range::check(&exact)?;
    assumptions.retain(|note| !note.proven);
    let lower = |options: &Options| best_form(graph, &exact, options);
    let room::Made {
        form,
        ckks,
        claims,
        plan,
    } = room::within(options, lower, &mut warnings)?;
    remark(&form.lowered.choice, options, &mut warnings);
    Ok(Compiled {
        plan,
        source_graph: graph.clone(),
        exact,
        approximated: form.approximated,
        slot: form.lowered.packed.graph,
        ckks,
        approximations: form.approximations,
        assumptions,
        layouts: form.lowered.alternatives,
        refreshed: form.lowered.refreshed,
        steps: claims.steps,
        warnings,
    })
}

/// A program without loops, lowered.
struct Form {
    approximated: Graph,
    /// Functions and the polynomials that stand for them.
    approximations: Vec<Use>,
    lowered: Lowered,
}

/// The better of two forms of a program: as it is written, or with biases joined to their matrices. More steps are better where
/// their number is left to the compiler; then what is precise, what has keys as small as they should be, and what is fast.
fn best_form(graph: &Graph, exact: &Graph, options: &Options) -> Result<Form, Diagnostics> {
    let lower = |exact: &Graph| {
        let (steps, known) = choose_steps(exact, options)?;
        carry(exact, steps, known, options)
    };
    let joined = bias::run(graph).and_then(|joined| lower(&grad::differentiate(&joined).ok()?).ok());
    match (lower(exact), joined) {
        (Ok(plain), Some(joined)) if joined.rank(options) < plain.rank(options) => Ok(joined),
        (Err(_), Some(joined)) => Ok(joined),
        (plain, _) => plain,
    }
}

impl Form {
    /// What makes one form better than another, the lesser the better.
    fn rank(&self, options: &Options) -> impl PartialOrd + use<> {
        let choice = &self.lowered.choice;
        let steps = std::cmp::Reverse(backend::steps(&self.approximated));
        let has_large_keys = choice.key_bytes > backend::most_key_bytes(options);
        (steps, !choice.is_precise, has_large_keys, choice.cost.seconds)
    }
}

/// The program lowered: unrolled where it fits, else with bootstraps, a loop as one body. `known` is it unrolled, at one
/// ring degree.
fn carry(
    exact: &Graph,
    steps: u32,
    known: Option<(u32, Lowered)>,
    options: &Options,
) -> Result<Form, Diagnostics> {
    let attempt = |round: Option<u32>, refreshing: bool, known: Option<(u32, Lowered)>| {
        let (approximated, approximations) = flatten(exact, steps, round, options)?;
        let lowered = backend::lower(&approximated, options, refreshing, known)?;
        Ok::<Form, Diagnostics>(Form {
            approximated,
            approximations,
            lowered,
        })
    };
    let closed = || {
        let mut best: Form = attempt(Some(1), true, None)?;
        // A bootstrap that is written down is one in every step.
        let rounds = match unroll::bootstraps(exact) {
            true => Vec::new(),
            false => joint::rounds(&best.lowered.refreshed, steps, options),
        };
        for round in rounds {
            let found = attempt(Some(round), true, None).ok();
            best = found
                .filter(|found| found.rank(options) < best.rank(options))
                .unwrap_or(best);
        }
        Ok(best)
    };
    if is_closed(exact, options) {
        return closed();
    }
    let loops = unroll::has_loop(exact);
    let refusal: Diagnostics = if known.is_some() || may_fit(exact, steps, options)? {
        match attempt(None, false, known) {
            Err(refusal) if refusal.iter().any(|one| one.code == Code::Depth) => refusal,
            done => return done,
        }
    } else {
        Diagnostic::new(Code::Depth, format!("{steps} steps are too deep to be unrolled")).into()
    };
    let refreshed = if loops {
        closed()
    } else {
        attempt(None, true, None)
    };
    refreshed.map_err(|other| {
        let deep =
            |diagnostics: &Diagnostics| diagnostics.iter().find(|one| one.code == Code::Depth).cloned();
        match (deep(&refusal), deep(&other)) {
            (Some(refusal), Some(other)) => explain_depth(refusal, &other, exact, options, steps),
            _ => other,
        }
    })
}

/// Whether the unrolled program may be shallow enough for the largest ring; tried with few steps first, as many make it
/// long.
fn may_fit(exact: &Graph, steps: u32, options: &Options) -> Result<bool, Diagnostics> {
    let log_n = options.log_n.unwrap_or(backend::LARGEST_LOG_N);
    let mut some = 1;
    loop {
        some = steps.min(some);
        if !backend::may_fit(&flatten(exact, some, None, options)?.0, options, log_n)? {
            return Ok(false);
        }
        if some == steps {
            return Ok(true);
        }
        some *= 2;
    }
}

/// Unrolls the loop, or closes it with rounds of so many steps; folds, approximates and annotates.
fn flatten(
    exact: &Graph,
    steps: u32,
    round: Option<u32>,
    options: &Options,
) -> Result<(Graph, Vec<Use>), Diagnostics> {
    let graph = match round {
        Some(round) => unroll::closed(exact, steps, options.steps_per_epoch, round),
        None => unroll::flat(exact, steps),
    };
    let graph = fold::run(&graph);
    let (graph, uses) = approximate::run(&graph)?;
    let mut graph = fold::run(&graph);
    range::annotate(&mut graph);
    Ok((graph, uses))
}

/// Whether the loop is compiled as one body.
fn is_closed(exact: &Graph, options: &Options) -> bool {
    options.closed_loop || options.steps_per_epoch.is_some() || unroll::bootstraps(exact)
}

fn check_options(options: &Options) -> Result<(), Diagnostics> {
    let wrong =
        |message: &str, remedy: &str| Err(Diagnostic::new(Code::Option, message).remedy(remedy).into());
    if !matches!(options.word_bits, 32 | 64) {
        return wrong("a machine word has 32 or 64 bits", "choose --word-bits 32 or 64");
    }
    if options.target.device.is_some() && options.word_bits != options.target.word_bits() {
        return wrong("the target has words of 32 bits", "leave --word-bits out");
    }
    if options.log_n.is_some_and(|log_n| !(4..=17).contains(&log_n)) {
        return wrong(
            "the ring degree must be from 2^4 to 2^17",
            "choose --log-n from 4 to 17",
        );
    }
    let most = crate::params::prime_bits(options.word_bits) - 1;
    if options
        .log_scale
        .is_some_and(|log_scale| !(15..=most).contains(&log_scale))
    {
        return wrong(
            &format!("the scale must be from 2^15 to 2^{most}"),
            "leave --log-scale out",
        );
    }
    if options.steps == Some(0) {
        return wrong("a plan makes at least one step", "choose --steps 1 or more");
    }
    if let Some(epoch) = options.steps_per_epoch
        && (epoch == 0 || options.steps.is_none_or(|steps| steps % epoch != 0))
    {
        return wrong(
            "the steps of a run do not fill its epochs",
            "choose --epochs, or --steps as a multiple of --steps-per-epoch",
        );
    }
    Ok(())
}

/// The number of steps: that asked for, or as many as fit the largest ring degree with the precision asked for and keys
/// within their budget. With these, what was found at that degree.
fn choose_steps(exact: &Graph, options: &Options) -> Result<(u32, Option<(u32, Lowered)>), Diagnostics> {
    if let Some(steps) = options.steps {
        return Ok((steps, None));
    }
    if is_closed(exact, options) || !unroll::needs_unrolling(exact) {
        return if unroll::has_loop(exact) {
            let message = if is_closed(exact, options) {
                "a step that bootstraps runs any number of times"
            } else {
                "the number of steps does not follow from the depth of this program"
            };
            Err(Diagnostic::new(Code::Option, message)
                .remedy("say how often: --steps 100")
                .into())
        } else {
            Ok((1, None))
        };
    }
    let log_n = options.log_n.unwrap_or(backend::LARGEST_LOG_N);
    let options = Options {
        log_n: Some(log_n),
        ..options.clone()
    };
    let mut steps = 1;
    while steps < MOST_STEPS
        && backend::may_fit(&flatten(exact, steps + 1, None, &options)?.0, &options, log_n)?
    {
        steps += 1;
    }
    if steps == 1 && !may_fit(exact, 1, &options)? {
        return Err(Diagnostic::new(
            Code::Option,
            "a step is too deep without bootstraps, and with them it runs any number of times",
        )
        .remedy("say how often: --steps 100")
        .into());
    }
    while steps > 1 {
        match backend::lower(&flatten(exact, steps, None, &options)?.0, &options, false, None) {
            Ok(lowered)
                if lowered.choice.is_precise
                    && lowered.choice.key_bytes <= backend::most_key_bytes(&options) =>
            {
                return Ok((steps, Some((log_n, lowered))));
            }
            Ok(_) => {}
            Err(refusal) if matches!(refusal.code, Code::Depth | Code::Security) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        steps -= 1;
    }
    Ok((1, None))
}

/// Why neither the unrolled program nor one with bootstraps can be, and how many steps would have fitted.
fn explain_depth(
    refusal: Diagnostic,
    refreshed: &Diagnostic,
    exact: &Graph,
    options: &Options,
    steps: u32,
) -> Diagnostics {
    let refusal = refusal.note(format!("with bootstraps: {}", refreshed.message));
    if steps < 2 || !unroll::has_loop(exact) {
        return refusal.into();
    }
    let fits = |steps: u32| {
        may_fit(exact, steps, options).unwrap_or(false)
            && flatten(exact, steps, None, options)
                .is_ok_and(|(graph, _)| backend::lower(&graph, options, false, None).is_ok())
    };
    let most = (1..steps.min(MOST_STEPS)).rev().find(|&steps| fits(steps));
    let refusal = match most {
        Some(most) => refusal
            .note(format!("{most} of the {steps} steps fit"))
            .remedy(format!("choose --steps {most}")),
        None => refusal.note("not even one step fits"),
    };
    refusal.into()
}

fn remark(choice: &Choice, options: &Options, warnings: &mut Diagnostics) {
    if !choice.is_precise {
        let error = choice.errors.iter().copied().fold(0.0, f64::max);
        let message = if error.is_finite() {
            format!(
                "the predicted error of an output is {error:.1e}, above {:.1e}",
                options.precision
            )
        } else {
            "the error of an output cannot be predicted: by what is known it may be as large as the values"
                .to_owned()
        };
        warnings.push(
            Diagnostic::new(Code::Precision, message)
                .remedy("train fewer steps, or accept it with --precision"),
        );
    }
}

#[cfg(test)]
mod tests;
