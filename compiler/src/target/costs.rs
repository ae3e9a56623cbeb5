//! The cost table: a small file that people can read and a machine can write.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Term;

/// Most bits of a prime that SIMD kernels take; see `cipherloom_ring::Backend`.
const NARROW_BITS: u32 = 50;

/// Times of elementary work on a machine, and how they were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// The processor.
    pub machine: String,
    /// The kernels.
    pub backend: String,
    /// What was run to find the times.
    pub command: String,
    /// For primes of at most 50 bits, which SIMD kernels take.
    pub narrow: TermCosts,
    /// For larger primes.
    pub wide: TermCosts,
}

/// Times of elementary work for one size of primes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermCosts {
    /// A butterfly ([`Term::Transform`]) by log2 N; the nearest is taken where one is missing.
    pub transform: BTreeMap<u32, ThreadTimes>,
    /// Everything else; nothing for what is missing.
    pub terms: BTreeMap<Term, ThreadTimes>,
}

/// Nanoseconds with one thread, and with two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadTimes(pub [f64; 2]);

impl ThreadTimes {
    /// Nanoseconds with so many threads: a part that does not shrink with them and a part that does (Amdahl, 1967), as
    /// one and two threads tell.
    pub fn on(self, threads: u32) -> f64 {
        let Self([one, two]) = self;
        let serial = (2.0 * two - one).max(0.0);
        match threads {
            0 | 1 => one,
            2 => two,
            more => serial + (2.0 * (two - serial)) / f64::from(more),
        }
    }
}

impl TermCosts {
    /// The time of a unit of work at ring degree 2^`log_n`.
    pub fn time(&self, term: Term, log_n: u32) -> ThreadTimes {
        let found = match term {
            Term::Transform => {
                let nearest = self.transform.iter().min_by_key(|(at, _)| at.abs_diff(log_n));
                nearest.map(|(_, &times)| times)
            }
            _ => self.terms.get(&term).copied(),
        };
        found.unwrap_or_default()
    }
}

impl Costs {
    /// The times for primes of at most so many bits.
    pub fn class(&self, prime_bits: u32) -> &TermCosts {
        if prime_bits <= NARROW_BITS {
            &self.narrow
        } else {
            &self.wide
        }
    }

    /// Reads a table from its text.
    pub fn parse(text: &str) -> Result<Self, CostError> {
        let costs: Self = serde_json::from_str(text).map_err(|error| CostError(error.to_string()))?;
        for terms in [&costs.narrow, &costs.wide] {
            if terms.transform.is_empty() {
                return Err(CostError("no time of a transform".to_owned()));
            }
            let times = terms.transform.values().chain(terms.terms.values());
            if let Some(ThreadTimes(bad)) = times
                .copied()
                .find(|ThreadTimes(times)| times.iter().any(|time| !time.is_finite() || *time < 0.0))
            {
                return Err(CostError(format!("{bad:?} are no times")));
            }
        }
        Ok(costs)
    }

    /// The table as text, one line for each time.
    pub fn to_text(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let class = |terms: &TermCosts| {
            let line = |name: String, ThreadTimes([one, two]): &ThreadTimes| {
                format!("      {}: [{one:.5}, {two:.5}]", quoted(&name))
            };
            let transform: Vec<String> = terms
                .transform
                .iter()
                .map(|(log_n, times)| line(log_n.to_string(), times))
                .collect();
            let name = |term: &Term| {
                let name = serde_json::to_value(term).unwrap_or_default();
                name.as_str().unwrap_or_default().to_owned()
            };
            let rest: Vec<String> = terms
                .terms
                .iter()
                .map(|(term, times)| line(name(term), times))
                .collect();
            format!(
                "{{\n    \"transform\": {{\n{}\n    }},\n    \"terms\": {{\n{}\n    }}\n  }}",
                transform.join(",\n"),
                rest.join(",\n")
            )
        };
        format!(
            "{{\n  \"machine\": {},\n  \"backend\": {},\n  \"command\": {},\n  \"narrow\": {},\n  \"wide\": {}\n}}\n",
            quoted(&self.machine),
            quoted(&self.backend),
            quoted(&self.command),
            class(&self.narrow),
            class(&self.wide)
        )
    }
}

/// Why a text is no cost table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostError(String);

impl fmt::Display for CostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a cost table: {}", self.0)
    }
}

impl std::error::Error for CostError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    #[test]
    fn a_table_survives_its_text() {
        let costs = Target::server(2).costs;
        assert_eq!(Costs::parse(&costs.to_text()).unwrap(), costs);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let text = Target::server(2).costs.to_text();
        assert!(Costs::parse("{}").is_err());
        assert!(Costs::parse(&text.replacen("convert", "convolve", 1)).is_err());
        assert!(Costs::parse(&text.replacen(": [", ": [-", 1)).is_err());
    }

    #[test]
    fn threads_share_what_can_be_shared() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let parallel = ThreadTimes([8.0, 4.0]);
        assert!(close(parallel.on(1), 8.0) && close(parallel.on(2), 4.0) && close(parallel.on(8), 1.0));
        let serial = ThreadTimes([8.0, 8.0]);
        assert!(close(serial.on(2), 8.0) && close(serial.on(16), 8.0));
        // More than twice as fast with two threads is noise: nothing becomes negative.
        assert!(close(ThreadTimes([8.0, 3.0]).on(6), 1.0));
    }
}
