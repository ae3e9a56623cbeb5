//! Speed, measured: transforms, operations, and the kernels that they are made of.

mod area;
pub mod bootstrap;
pub mod hetal;
mod kernels;
pub mod kit;
mod line;
mod ntt;
pub mod operation;
pub mod set;
pub mod timing;

use clap::{Args, ValueEnum};

use self::kernels::Kernels;
use self::kit::Kit;
pub use self::line::Line;
use self::operation::Operation;
use self::set::Set;
use self::timing::Effort;
use crate::error::{CliError, Result};

/// Transforms in the order of their own library: the words of a limb, in place.
pub type PeerTransform = Box<dyn Fn(&mut [u64]) + Sync>;

/// Another library whose forward transform is measured in turn with ours.
#[derive(Clone, Copy)]
pub struct Peer {
    /// What its lines are called.
    pub name: &'static str,
    /// Its transform of so many words modulo a prime, if it has one.
    pub plan: fn(usize, u64) -> Option<PeerTransform>,
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Operations on ciphertexts, for each parameter set
    Ops,
    /// Number-theoretic transforms
    Ntt,
    /// Bootstraps, for each of their sets
    Bootstrap,
    /// Training steps at the shapes of HETAL
    Hetal,
}

/// What to measure, and how.
#[derive(Clone, Debug, Args)]
pub struct Request {
    /// What to measure [default: ntt and ops]
    #[arg(value_name = "WHAT")]
    pub group: Option<Group>,
    /// Parameter sets of `ops`
    #[arg(long = "set", value_name = "SETS", value_delimiter = ',', ignore_case = true, default_values_t = Set::ALL)]
    pub sets: Vec<Set>,
    /// Numbers of threads
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [1, 2],
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub threads: Vec<usize>,
    /// Sets of `bootstrap`, by name [default: all]
    #[arg(long = "bootstrap-set", value_name = "NAMES", value_delimiter = ',', value_parser = bootstrap::names())]
    pub bootstrap_sets: Vec<String>,
    /// Shapes of `hetal`, by name [default: all]
    #[arg(long = "shape", value_name = "NAMES", value_delimiter = ',', value_parser = hetal::names())]
    pub shapes: Vec<String>,
    /// Instead of measuring `bootstrap`, search: predicted seconds per level left, for all parameters that are secure
    #[arg(long)]
    pub search: bool,
    /// Instead of measuring `bootstrap` by phase, bootstrap one vector so often, one time after the other
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub rounds: Option<u32>,
    /// Repeat little: a look, not a measurement
    #[arg(long)]
    pub quick: bool,
    /// Of `bootstrap` and `hetal`, show what each kind of operation took beside what was predicted for it
    #[arg(long)]
    pub profile: bool,
}

impl Request {
    /// Measures what was asked for, and shows each line as soon as it is known.
    pub fn run(&self, peers: &[Peer], show: &mut (dyn FnMut(&Line) -> Result<()> + Send)) -> Result<()> {
        let effort = if self.quick { Effort::QUICK } else { Effort::BENCH };
        if self.group != Some(Group::Ops) {
            for &threads in &self.threads {
                on_threads(threads, || ntt::run(threads, effort, peers, show))?;
            }
        }
        if self.group != Some(Group::Ntt) {
            for set in &self.sets {
                Kit::with(set.chain(), 0, |kit| {
                    let kernels = on_threads(1, || Ok(Kernels::measure(kit, effort)))?;
                    self.threads.iter().try_for_each(|&threads| {
                        on_threads(threads, || operations(*set, threads, kit, &kernels, effort, show))
                    })
                })?;
            }
        }
        Ok(())
    }
}

/// Does work on so many threads.
pub fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| CliError::new(format!("cannot start threads: {error}"), ""))?;
    pool.install(work)
}

fn operations(
    set: Set,
    threads: usize,
    kit: &mut Kit<'_>,
    kernels: &Kernels,
    effort: Effort,
    show: &mut (dyn FnMut(&Line) -> Result<()> + Send),
) -> Result<()> {
    let butterflies = kit.shape().butterflies();
    for operation in Operation::SHOWN {
        // Once before, to see that it can be done.
        operation.run(kit).map_err(kit::impossible)?;
        let timing = effort.time(|| operation.run(kit).unwrap_or(()));
        let work = operation.work(kit);
        let roofline = kernels.roofline(&work, butterflies) / threads as f64;
        show(&Line {
            ntts: work.of(cipherloom_compiler::target::Term::Transform) / butterflies,
            multiply_adds: work.multiply_adds(),
            key_stream_us: 1e6 * kernels.key_stream(&work),
            ntt_us: 1e6 * kernels.transform,
            ..Line::new(operation.name(), set.to_string(), threads, &timing, roofline)
        })?;
    }
    Ok(())
}
