//! Which errors are the same error.
//!
//! Errors of different ciphertexts are taken as independent, but what a loop carries is not: v ← (1 − γ)·w + γ·w₀ takes its
//! error from w and w₀, and where w came from w₀, most of the two cancels. So the error of a value is followed as
//! Σ c_s·e_s + rest: a combination of the errors of *sources*, which are the states of a loop and values that are read more
//! than once, and a rest that is its own. Sums and products with numbers keep the combination; whatever else is made of a
//! value has an error of its own.
//!
//! From one round of a loop to the next the states' errors turn into sources anew, with the covariances that the
//! combinations give them.

use std::collections::{BTreeMap, BTreeSet};

use super::noise::{Estimate, NoiseModel, is_conjugate};
use crate::dialect::slot::Contents;
use crate::ir::{Graph, OpData, Opcode, Value};

/// Sources that a value is followed for at most, states apart: the others count as its own error.
const MOST_SOURCES: usize = 16;

/// A tile of a state.
type Tile = (u32, u32);

/// Factors of sources, by their number.
type Combination = BTreeMap<u32, f64>;

/// What the errors of a program's values have in common.
pub struct Coherence<'g> {
    graph: &'g Graph,
    sources: Sources,
    /// Values that several others are linear in.
    shared: Vec<bool>,
    /// Combination of each value, and the variance of the rest.
    known: Vec<Option<(Combination, f64)>>,
    /// What goes into each bootstrap, by its number: value, variance.
    refreshed: BTreeMap<i64, (Value, f64)>,
}

impl<'g> Coherence<'g> {
    /// Nothing is known at first.
    pub fn new(graph: &'g Graph) -> Self {
        let mut readers = vec![0u32; graph.value_count()];
        for op in graph.walk().into_iter().map(|op| graph.op(op)) {
            let stored = op.operands.iter().filter(|_| op.flag("state"));
            let linear = linear(graph, op, 0);
            let read: BTreeSet<Value> = stored
                .copied()
                .chain(linear.into_iter().map(|(value, _)| value))
                .collect();
            read.into_iter().for_each(|value| readers[value.index()] += 1);
        }
        Self {
            graph,
            sources: Sources::default(),
            shared: readers.into_iter().map(|readers| readers > 1).collect(),
            known: vec![None; graph.value_count()],
            refreshed: BTreeMap::new(),
        }
    }

    /// Notes what a tile of a state becomes; `alone` is its variance if nothing else is known of it. Gives its variance, and
    /// whether the error of some state goes on in it.
    pub fn write(&mut self, tile: Tile, value: Value, alone: f64) -> (f64, bool) {
        let known = self.known[value.index()].clone();
        let (combination, rest) = known.unwrap_or((Combination::new(), alone));
        let variance = self.sources.variance(&combination) + rest;
        let carried = combination.keys().any(|&source| self.sources.is_state(source));
        self.sources.write(tile, combination, rest);
        (variance, carried)
    }

    /// What the states have become is what they are from now on.
    pub fn end_round(&mut self) {
        self.sources.end_round();
    }

    /// Follows an operation in a round; `estimate` takes the errors of its operands as independent. Gives it with the
    /// variance that it has; if `steady`, with that which it has beyond what it takes from states by sums.
    #[allow(clippy::too_many_arguments, reason = "what an operation's error depends on")]
    pub fn follow(
        &mut self,
        model: &NoiseModel<'_>,
        op: &OpData,
        tile: Tile,
        round: u32,
        steady: bool,
        estimate: Estimate,
        estimates: &[Estimate],
    ) -> Estimate {
        let result = op.results[0];
        let refreshed = op.int("refreshes").and_then(|number| self.refreshed.get(&number));
        let (mut combination, mut rest) = match (self.sources.state(tile), refreshed) {
            (Some(source), _) if op.flag("state") => (Combination::from([(source, 1.0)]), 0.0),
            (_, Some(&(before, variance))) => {
                let (combination, rest) = self.known[before.index()].clone().unwrap_or_default();
                (combination, rest + (estimate.variance - variance).max(0.0))
            }
            _ => self.combine(model, op, round, estimate, estimates),
        };
        rest += self.sources.shorten(&mut combination);
        let variance = if steady {
            let mut own = combination.clone();
            own.retain(|&source, _| !self.sources.is_state(source));
            self.sources.variance(&own) + rest
        } else {
            self.sources.variance(&combination) + rest
        };
        if self.shared[result.index()] && rest > 0.0 {
            combination.insert(self.sources.add(rest), 1.0);
            rest = 0.0;
        }
        if let Some(number) = op.int("refreshed") {
            self.refreshed.insert(number, (result, variance));
        }
        self.known[result.index()] = Some((combination, rest));
        Estimate { variance, ..estimate }
    }

    /// The combination of what an operation is linear in, and the variance of the rest.
    fn combine(
        &self,
        model: &NoiseModel<'_>,
        op: &OpData,
        round: u32,
        estimate: Estimate,
        estimates: &[Estimate],
    ) -> (Combination, f64) {
        let mut combination = Combination::new();
        let linear = linear(self.graph, op, round);
        for (value, factor) in &linear {
            for (&source, own) in self.known[value.index()]
                .iter()
                .flat_map(|(combination, _)| combination)
            {
                *combination.entry(source).or_default() += factor * own;
            }
        }
        if combination.is_empty() {
            return (combination, estimate.variance);
        }
        let rest = model.op(self.graph, op, |value| {
            let rest = self.known[value.index()].as_ref().map(|(_, rest)| *rest);
            let rest = rest.filter(|_| linear.iter().any(|(other, _)| *other == value));
            Estimate {
                variance: rest.unwrap_or(estimates[value.index()].variance),
                ..estimates[value.index()]
            }
        });
        (combination, rest.variance)
    }
}

/// Operands that an operation is linear in, with their factors in a round; those that are rotated or multiplied by what
/// differs from slot to slot do not count.
pub fn linear(graph: &Graph, op: &OpData, round: u32) -> Vec<(Value, f64)> {
    use Opcode::*;
    let operand = |index: usize| op.operands[index];
    let number = || match op.floats("values") {
        [number] => *number,
        numbers => numbers.get(round as usize).copied().unwrap_or(0.0),
    };
    let plain = |index: usize| {
        let constant = graph
            .defining_op(operand(index + 1))
            .map(|op| Contents::of(graph.op(op)));
        match constant {
            Some(Contents::Boxes { value, .. }) => vec![(operand(index), value)],
            _ => Vec::new(),
        }
    };
    let linear = match op.opcode {
        CkksAdd | CkksSub if op.flag("disjoint") || is_conjugate(graph, op) => Vec::new(),
        CkksAdd => vec![(operand(0), 1.0), (operand(1), 1.0)],
        CkksSub => vec![(operand(0), 1.0), (operand(1), -1.0)],
        CkksNeg => vec![(operand(0), -1.0)],
        CkksMulScalar => vec![(operand(0), number())],
        CkksMulPlain => plain(0),
        CkksMulPlainAcc => [vec![(operand(0), 1.0)], plain(1)].concat(),
        CkksMulAcc
        | CkksAddPlain
        | CkksAddScalar
        | CkksRescale
        | CkksRelinearize
        | CkksRelinearizeRescale
        | CkksModDown
        | CkksModDownRescale
        | CkksDrop => vec![(operand(0), 1.0)],
        CkksLiftAcc if !op.flag("disjoint") => op.operands.iter().map(|&operand| (operand, 1.0)).collect(),
        CkksRotateAcc if !op.flag("disjoint") => op.operands.iter().skip(1).map(|&sum| (sum, 1.0)).collect(),
        _ => Vec::new(),
    };
    // What is also multiplied by something else is not what the operation is linear in.
    let often = |value: Value| op.operands.iter().filter(|&&other| other == value).count() > 1;
    let sums = matches!(op.opcode, CkksAdd | CkksSub);
    linear
        .into_iter()
        .filter(|&(value, _)| sums || !often(value))
        .collect()
}

/// The sources and what is known of their errors.
#[derive(Debug, Default)]
struct Sources {
    /// Covariances of sources that are not independent, variances among them, both ways round.
    covariances: BTreeMap<u32, BTreeMap<u32, f64>>,
    /// Number of each tile of a state that was written in a round before.
    states: BTreeMap<Tile, u32>,
    /// What was written in this round: a combination, and the variance of the rest.
    written: BTreeMap<Tile, (Combination, f64)>,
    next: u32,
}

impl Sources {
    /// A new source, independent of all others.
    fn add(&mut self, variance: f64) -> u32 {
        let source = self.next;
        self.next += 1;
        self.covariances
            .insert(source, BTreeMap::from([(source, variance)]));
        source
    }

    /// Whether a source is a state.
    fn is_state(&self, source: u32) -> bool {
        (source as usize) < self.states.len()
    }

    /// The source that a tile of a state is.
    fn state(&self, tile: Tile) -> Option<u32> {
        self.states.get(&tile).copied()
    }

    /// Notes what a tile of a state becomes.
    fn write(&mut self, tile: Tile, combination: Combination, rest: f64) {
        self.written.insert(tile, (combination, rest));
    }

    /// Variance of a combination.
    fn variance(&self, combination: &Combination) -> f64 {
        let covariance = |a: u32, b: u32| self.covariances.get(&a).and_then(|row| row.get(&b)).copied();
        let terms = combination.iter().flat_map(|(&a, &x)| {
            combination
                .iter()
                .filter_map(move |(&b, &y)| Some(x * y * covariance(a, b)?))
        });
        let sum = terms.sum::<f64>();
        // Errors that are larger than any number stay that.
        if sum.is_nan() { f64::INFINITY } else { sum.max(0.0) }
    }

    /// Keeps states and the sources that matter most; gives the variance of the others.
    fn shorten(&self, combination: &mut Combination) -> f64 {
        let mut rest = 0.0;
        while combination.len() > MOST_SOURCES {
            let alone = |(&source, &factor): (&u32, &f64)| {
                (source, self.variance(&Combination::from([(source, factor)])))
            };
            let least = combination
                .iter()
                .filter(|&(&source, _)| !self.is_state(source))
                .map(alone)
                .min_by(|(_, a), (_, b)| a.total_cmp(b));
            let Some((source, variance)) = least else { break };
            combination.remove(&source);
            rest += variance;
        }
        rest
    }

    /// The states' errors become sources; all others are forgotten.
    fn end_round(&mut self) {
        let mut all = std::mem::take(&mut self.written);
        for (&tile, &source) in &self.states {
            all.entry(tile)
                .or_insert((Combination::from([(source, 1.0)]), 0.0));
        }
        let mut readers: BTreeMap<u32, Vec<(u32, f64)>> = BTreeMap::new();
        for (number, (combination, _)) in (0u32..).zip(all.values()) {
            for (&source, &factor) in combination {
                readers.entry(source).or_default().push((number, factor));
            }
        }
        let mut covariances: BTreeMap<u32, BTreeMap<u32, f64>> = BTreeMap::new();
        for (number, (combination, rest)) in (0u32..).zip(all.values()) {
            let row = covariances.entry(number).or_default();
            row.insert(number, *rest);
            for (source, factor) in combination {
                for (other, covariance) in self.covariances.get(source).into_iter().flatten() {
                    for &(reader, own) in readers.get(other).into_iter().flatten() {
                        *row.entry(reader).or_default() += factor * covariance * own;
                    }
                }
            }
        }
        self.next = all.len() as u32;
        self.states = all.into_keys().zip(0..).collect();
        self.covariances = covariances;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// w ← v + n, v ← (1 − γ)·w + γ·w₀ with γ = −0.9: after j rounds 10 − 9·0.9^j of an n is in w. Independent errors would
    /// grow by 1.9² + 0.9² a round.
    #[test]
    fn momentum_does_not_multiply_errors() {
        let (w, v) = ((0, 0), (1, 0));
        let gamma = -0.9;
        let mut sources = Sources::default();
        sources.write(w, Combination::new(), 0.0);
        sources.write(v, Combination::new(), 0.0);
        sources.end_round();
        let mut expected = 0.0;
        for round in 0..60 {
            let states = sources.state(w).zip(sources.state(v));
            let (old, ahead) = states.expect("both are written");
            let noise = sources.add(1.0);
            let new = Combination::from([(ahead, 1.0), (noise, 1.0)]);
            let grown = new
                .iter()
                .map(|(&source, &factor)| (source, factor * (1.0 - gamma)));
            let mut next: Combination = grown.collect();
            *next.entry(old).or_default() += gamma;
            expected += (10.0 - 9.0 * 0.9f64.powi(round)).powi(2);
            let found = sources.variance(&new);
            assert!(
                (found / expected - 1.0).abs() < 1e-9,
                "{round}: {found} for {expected}"
            );
            sources.write(w, new, 0.0);
            sources.write(v, next, 0.0);
            sources.end_round();
        }
    }

    #[test]
    fn the_least_sources_go_first() {
        let mut sources = Sources::default();
        let mut combination: Combination = (0..20)
            .map(|number| (sources.add(f64::from(number)), 1.0))
            .collect();
        let all = sources.variance(&combination);
        let rest = sources.shorten(&mut combination);
        assert_eq!((combination.len(), rest), (MOST_SOURCES, 6.0));
        assert_eq!(sources.variance(&combination) + rest, all);
    }
}
