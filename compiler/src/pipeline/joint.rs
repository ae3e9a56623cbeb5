//! How to bootstrap, chosen together with where.
//!
//! A bootstrap that leaves more levels takes longer, and there are fewer of them. Which is best depends on the program: its
//! bootstraps are placed for each number of levels left, and the ways to bootstrap are compared by the predicted time of
//! the whole. The best few are worked out in full.

use super::backend::FIRST_RADIX;
use crate::diagnostic::Diagnostic;
use crate::ir::Graph;
use crate::params::Bootstrapping;
use crate::params::search::Space;
use crate::pass::bootstrap;
use crate::pass::layout::{self, Axes, Frame};
use crate::pass::placement::{self, Setting};

/// Fewest and most levels that bootstraps may leave.
const LEAST_LEFT: u32 = 4;
const MOST_LEFT: u32 = 16;
/// Ways to bootstrap that are worked out in full.
const FINALISTS: usize = 3;

/// A way to bootstrap, with what it is expected to take.
#[derive(Clone)]
struct Way {
    seconds: f64,
    bootstrapping: Bootstrapping,
    setting: Setting,
}

/// The ways to bootstrap that are worth a closer look, the best first; for a program without bootstraps the space as it
/// is. Errors: E-DEPTH or E-RANGE if none serves.
pub fn ways(graph: &Graph, axes: &Axes, frame: &Frame, space: &Space) -> Result<Vec<Space>, Diagnostic> {
    let Some(compared) = &space.placement else {
        return Ok(vec![space.clone()]);
    };
    let plain = layout::run(graph, axes, frame, FIRST_RADIX)?;
    if !bootstrap::needed(&plain.graph) && !placement::needed(&plain.graph, compared) {
        return Ok(vec![Space {
            placement: None,
            ..space.clone()
        }]);
    }
    let mut refusal = None;
    let mut ways: Vec<Way> = Vec::new();
    for left in LEAST_LEFT..=MOST_LEFT {
        match ways_that_leave(left, space, |setting| {
            let placement = placement::run(&plain, frame.period, setting)?;
            let refreshed = placement::explain(&placement.packed.graph, setting).into_iter();
            let bootstraps = refreshed.map(|refreshed| f64::from(refreshed.times) * refreshed.seconds);
            Ok((placement.seconds, bootstraps.sum()))
        }) {
            Ok(found) => ways.extend(found),
            Err(other) => refusal = Some(other),
        }
    }
    ways.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    ways.truncate(FINALISTS);
    match refusal {
        Some(refusal) if ways.is_empty() => Err(refusal),
        _ => Ok(ways
            .into_iter()
            .map(|way| Space {
                bootstrapping: way.bootstrapping,
                placement: Some(way.setting),
                ..space.clone()
            })
            .collect()),
    }
}

/// All ways that leave so many levels. Where bootstraps go is asked for one of them: with the others they go to the same
/// places, for another price.
fn ways_that_leave(
    left: u32,
    space: &Space,
    place: impl Fn(&Setting) -> Result<(f64, f64), Diagnostic>,
) -> Result<Vec<Way>, Diagnostic> {
    let first = Setting::new(space, space.bootstrapping, left)?;
    let (seconds, bootstraps) = place(&first)?;
    let others = Bootstrapping::alternatives().filter(|other| *other != space.bootstrapping);
    let settings = others.filter_map(|other| Some((other, Setting::new(space, other, left).ok()?)));
    let settings: Vec<(Bootstrapping, Setting)> = settings.collect();
    let all = std::iter::once((space.bootstrapping, first.clone())).chain(settings);
    Ok(all
        .map(|(bootstrapping, setting)| Way {
            seconds: seconds + bootstraps * (setting.bootstrap / first.bootstrap - 1.0),
            bootstrapping,
            setting,
        })
        .collect())
}
