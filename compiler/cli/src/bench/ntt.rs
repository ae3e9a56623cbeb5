//! Transforms: ours forward and back, and those of other libraries, in turn.

use cipherloom_host::Words;
use cipherloom_ring::{Ring, parallel, prime::primes_below};

use super::Peer;
use super::line::Line;
use super::timing::{Effort, Timing};
use crate::error::{CliError, Result};

/// log2 N.
const DEGREES: std::ops::RangeInclusive<u32> = 12..=16;
/// Bits of the primes.
const BITS: [u32; 3] = [30, 49, 59];
/// Words that are transformed in one timing: one transform of a short limb is too short.
const TIMED_WORDS: usize = 1 << 17;

/// Measures transforms of one limb for each degree and prime. On several threads, each transforms its own limb, and the
/// time is that of all of them over their number.
pub fn run(
    threads: usize,
    effort: Effort,
    peers: &[Peer],
    show: &mut dyn FnMut(&Line) -> Result<()>,
) -> Result<()> {
    for log_n in DEGREES {
        for bits in BITS {
            for line in measure(log_n, bits, threads, effort, peers)? {
                show(&line)?;
            }
        }
    }
    Ok(())
}

fn measure(log_n: u32, bits: u32, threads: usize, effort: Effort, peers: &[Peer]) -> Result<Vec<Line>> {
    let prime: Vec<u64> = primes_below(1 << bits, log_n).take(1).collect();
    let mut tables = Words::zeroed("ring tables", Ring::<u64>::memory_words(log_n, 1))?;
    let ring = Ring::new(log_n, &prime, &mut tables)
        .map_err(|error| CliError::new(format!("measuring: {error}"), ""))?;
    let n = ring.degree();
    let mut limbs = Words::zeroed("limbs", threads * n)?;
    for (i, word) in limbs.iter_mut().enumerate() {
        *word = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS + 1 - bits);
    }
    let repeats = (TIMED_WORDS / n).max(1);
    let theirs: Vec<_> = peers
        .iter()
        .filter_map(|peer| Some((peer.name, (peer.plan)(n, *prime.first()?)?)))
        .collect();
    let names: Vec<&'static str> = ["ntt_forward", "ntt_inverse"]
        .into_iter()
        .chain(theirs.iter().map(|&(name, _)| name))
        .collect();
    // What a transform leaves is fit to be transformed again.
    let timings = effort.time_in_turn(names.len(), |kind| {
        parallel::for_each_limb(&mut limbs, n, |_, limb| {
            for _ in 0..repeats {
                match kind {
                    0 => ring.ntt_forward(0, limb),
                    1 => ring.ntt_inverse(0, limb),
                    kind => theirs[kind - 2].1(limb),
                }
            }
        });
    });
    let timings: Vec<Timing> = timings
        .iter()
        .map(|timing| timing.per(repeats * threads))
        .collect();
    let own = timings[0].median();
    let lines = names.into_iter().zip(&timings).map(|(name, timing)| Line {
        ntts: 1.0,
        ntt_us: 1e6 * own,
        ..Line::new(name, format!("2^{log_n}/{bits}"), threads, timing, own)
    });
    Ok(lines.collect())
}
