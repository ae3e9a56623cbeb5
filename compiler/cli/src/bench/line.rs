//! What is reported of a measurement.

use std::fmt;

use serde::Serialize;

use super::timing::Timing;

/// One measurement: a line of the report, in JSON as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What was measured.
    pub name: &'static str,
    /// With which parameters: a set's letter, or `2^16/49` for transforms of 2^16 words and a 49-bit prime.
    pub set: String,
    /// On how many threads.
    pub threads: usize,
    /// Microseconds, the median of the repetitions.
    pub median_us: f64,
    /// Microseconds, the shortest.
    pub min_us: f64,
    /// Microseconds, the longest.
    pub max_us: f64,
    /// The median over what the kernels alone take.
    pub roofline_ratio: f64,
    /// Transforms of a limb, forward and back.
    pub ntts: f64,
    /// Multiply-adds of words.
    pub multiply_adds: f64,
    /// Microseconds that the words of keys take on their way from memory, on one thread; not in the roofline.
    pub key_stream_us: f64,
    /// Microseconds of a transform of one limb in the same run, on one thread.
    pub ntt_us: f64,
}

impl Line {
    /// A timing as a line; the counts are zero.
    pub fn new(name: &'static str, set: String, threads: usize, timing: &Timing, roofline: f64) -> Self {
        Self {
            name,
            set,
            threads,
            median_us: 1e6 * timing.median(),
            min_us: 1e6 * timing.min(),
            max_us: 1e6 * timing.max(),
            roofline_ratio: timing.median() / roofline,
            ntts: 0.0,
            multiply_adds: 0.0,
            key_stream_us: 0.0,
            ntt_us: 0.0,
        }
    }

    /// The titles of the columns.
    pub fn header() -> String {
        format!(
            "{:<18} {:>7} {:>7} {:>10} {:>10} {:>10} {:>9} {:>6} {:>13} {:>9}",
            "µs", "set", "threads", "median", "min", "max", "roofline", "NTTs", "multiply-adds", "NTT alone"
        )
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |value: f64| match value {
            ..100.0 => format!("{value:.2}"),
            ..10_000.0 => format!("{value:.1}"),
            _ => format!("{value:.0}"),
        };
        let count = |value: f64| match value {
            0.0 => String::new(),
            ..1e4 => format!("{value:.0}"),
            _ => format!("{:.2}M", value / 1e6),
        };
        write!(
            f,
            "{:<18} {:>7} {:>7} {:>10} {:>10} {:>10} {:>9.2} {:>6} {:>13} {:>9}",
            self.name,
            self.set,
            self.threads,
            digits(self.median_us),
            digits(self.min_us),
            digits(self.max_us),
            self.roofline_ratio,
            count(self.ntts),
            count(self.multiply_adds),
            digits(self.ntt_us),
        )
    }
}
