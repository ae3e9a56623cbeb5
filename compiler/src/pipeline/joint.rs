//! How to bootstrap, chosen together with where.
//!
//! A bootstrap that leaves more levels takes longer, and there are fewer of them. Which is best depends on the program: its
//! bootstraps are placed for each number of levels left, and the ways to bootstrap are compared by the predicted time of
//! the whole. The best few are worked out in full.
//!
//! A loop whose step is shallow need not bootstrap in every step: [`rounds`] says how many steps are worth one body.

use crate::diagnostic::Diagnostic;
use crate::options::Options;
use crate::parallel;
use crate::params::Bootstrapping;
use crate::params::search::Space;
use crate::pass::bootstrap;
use crate::pass::layout::{Frame, Packed};
use crate::pass::placement::{self, Refreshed, Setting};

/// Fewest and most levels that bootstraps may leave.
const LEAST_LEFT: u32 = 4;
const MOST_LEFT: u32 = 16;
/// Most steps of a round: with more, a body gets long, and there is little left to save.
const MOST_STEPS: u32 = 4;
/// Ways to bootstrap that are worked out in full.
const FINALISTS: usize = 3;

/// Numbers of steps, above one, that a round of a closed loop may well have, told by where its body of one step bootstraps: in
/// one place alone, and so that a bootstrap can leave the levels of several steps. They fill the steps, and epochs.
///
/// A step that bootstraps in several places uses up what one leaves, or nearly: more steps in a round then have as many more
/// bootstraps, which the levels of [`ways`] are chosen for already.
pub fn rounds(refreshed: &[Refreshed], steps: u32, options: &Options) -> Vec<u32> {
    let mut inside = refreshed.iter().filter(|refreshed| refreshed.times > 1);
    let (Some(only), None) = (inside.next(), inside.next()) else {
        return Vec::new();
    };
    let epoch = options.steps_per_epoch.unwrap_or(steps);
    let fills = |round: &u32| steps.is_multiple_of(*round) && epoch.is_multiple_of(*round);
    let has_room = |round: &u32| i64::from(*round) * only.missing() <= i64::from(MOST_LEFT);
    (2..=MOST_STEPS).filter(fills).filter(has_room).collect()
}

/// A way to bootstrap, with what it is expected to take.
#[derive(Clone)]
struct Way {
    seconds: f64,
    bootstrapping: Bootstrapping,
    setting: Setting,
}

/// The ways to bootstrap that are worth a closer look, the best first, for a graph laid out in a frame; for a program
/// without bootstraps the space as it is. Errors: E-DEPTH or E-RANGE if none serves.
pub fn ways(plain: &Packed, frame: &Frame, space: &Space) -> Result<Vec<Space>, Diagnostic> {
    let Some(compared) = &space.placement else {
        return Ok(vec![space.clone()]);
    };
    if !bootstrap::needed(&plain.graph) && !placement::needed(&plain.graph, compared) {
        return Ok(vec![Space {
            placement: None,
            ..space.clone()
        }]);
    }
    let mut refusal = None;
    let mut ways: Vec<Way> = Vec::new();
    let all: Vec<u32> = (LEAST_LEFT..=MOST_LEFT).collect();
    let found = parallel::map(&all, |&left| {
        ways_that_leave(left, space, |setting| {
            let placement = placement::run(plain, frame.period, setting)?;
            let refreshed = placement::explain(&placement.packed.graph, setting).into_iter();
            let bootstraps = refreshed.map(|refreshed| f64::from(refreshed.times) * refreshed.seconds);
            Ok((placement.seconds, bootstraps.sum()))
        })
    });
    for found in found {
        match found {
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
