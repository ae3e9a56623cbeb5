//! The least expensive set of values to refresh.
//!
//! The program is walked from its end. Whoever reads a value says at which level it must lie; a value that is refreshed
//! comes back at `usable` whatever is asked of it, and asks of itself no more than `floor`. So a search state is what is
//! asked of the values that are still to come, and of two states that ask for the same, or of which one asks for less of
//! everything, only the cheaper is kept: a shortest path over the cuts of the program. Path lengths are bounded below by
//! the worst single chain from an input to a live value, which also shows early what cannot be.
//!
//! States of a loop are read at the level that they are written at. Their levels are tried out: all combinations while
//! those are few, else one state at a time.

use std::rc::Rc;

/// Search states that are kept; the search is exact as long as there are no more.
const BEAM: usize = 256;
/// Combinations of the levels of states that are all tried.
const MOST_COMBINATIONS: u64 = 600;

/// A value, or several that play the same part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Later nodes that read it, each with the levels that this takes.
    pub uses: Vec<(usize, u32)>,
    /// Level that outputs, or bootstraps that are there already, ask of it.
    pub least: Option<u32>,
    /// States that it is written to.
    pub stores: Vec<usize>,
    /// State that it is read from.
    pub reads: Option<usize>,
    /// Whether it is the result of a bootstrap that is there already: it asks nothing of anyone.
    pub renewed: bool,
    /// Seconds that refreshing it takes, if that can be.
    pub refresh: Option<f64>,
    /// Seconds that making it takes, by level from 0 to `usable`; rising.
    pub work: Vec<f64>,
}

/// What to solve; nodes in program order.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The values.
    pub nodes: Vec<Node>,
    /// Number of states.
    pub states: usize,
    /// Lowest level at which a value can be refreshed.
    pub floor: u32,
    /// Level at which it comes back: the highest there is.
    pub usable: u32,
    /// Level of outputs: the lowest there is.
    pub lowest: u32,
}

/// Which nodes are refreshed.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// They, in program order.
    pub refreshed: Vec<usize>,
    /// Level of each state where it is read and written.
    pub heads: Vec<u32>,
    /// What everything takes.
    pub seconds: f64,
    /// Whether it is certain that nothing is less expensive.
    pub exact: bool,
}

/// The solution, or `None` if there is none (or none was found, where the search was not exact).
pub fn solve(problem: &Problem) -> Option<Solution> {
    let search = Search::new(problem);
    let levels = problem.lowest..=problem.usable;
    let choices = levels.clone().count() as u64;
    let mut best: Option<Solution> = None;
    let mut exact = true;
    let mut attempt = |heads: Vec<u32>, best: &mut Option<Solution>| {
        let limit = best.as_ref().map_or(f64::INFINITY, |best| best.seconds);
        let (found, complete) = search.run(&heads, limit);
        exact &= complete;
        let better = found.is_some();
        if let Some((refreshed, seconds)) = found {
            *best = Some(Solution {
                refreshed,
                heads,
                seconds,
                exact: true,
            });
        }
        better
    };
    let all = choices
        .checked_pow(problem.states as u32)
        .filter(|&all| all <= MOST_COMBINATIONS);
    match all {
        Some(all) => {
            // Where all states lie at one level first: a good one early spares the search of many others.
            let step: u64 = (0..problem.states as u32).map(|state| choices.pow(state)).sum();
            let even = (0..choices).map(|level| level * step);
            for mut number in even.chain(0..all) {
                let heads = (0..problem.states)
                    .map(|_| {
                        let head = problem.lowest + (number % choices) as u32;
                        number /= choices;
                        head
                    })
                    .collect();
                attempt(heads, &mut best);
            }
        }
        None => {
            for head in levels.clone() {
                attempt(vec![head; problem.states], &mut best);
            }
            let mut improved = best.is_some();
            while improved {
                improved = false;
                for state in 0..problem.states {
                    for head in levels.clone() {
                        let Some(mut heads) = best.as_ref().map(|best| best.heads.clone()) else {
                            break;
                        };
                        heads[state] = head;
                        improved |= attempt(heads, &mut best);
                    }
                }
            }
        }
    }
    best.map(|best| Solution {
        exact: exact && all.is_some(),
        ..best
    })
}

/// What is refreshed, the latest decision first.
struct Trail {
    node: usize,
    before: Option<Rc<Trail>>,
}

#[derive(Clone)]
struct State {
    /// Level asked of each live node, by its slot.
    needs: Vec<u8>,
    seconds: f64,
    trail: Option<Rc<Trail>>,
}

struct Search<'a> {
    problem: &'a Problem,
    /// What each node reads, with levels.
    operands: Vec<Vec<(usize, u32)>>,
    /// Where a node that is read stands in `State::needs`.
    slots: Vec<Option<usize>>,
    width: usize,
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem) -> Self {
        let count = problem.nodes.len();
        let mut operands = vec![Vec::new(); count];
        for (index, node) in problem.nodes.iter().enumerate() {
            for &(user, levels) in &node.uses {
                operands[user].push((index, levels));
            }
        }
        let (mut slots, mut free, mut width) = (vec![None; count], Vec::new(), 0);
        for index in (0..count).rev() {
            free.extend(slots[index]);
            for &(operand, _) in &operands[index] {
                slots[operand].get_or_insert_with(|| {
                    free.pop().unwrap_or_else(|| {
                        width += 1;
                        width - 1
                    })
                });
            }
        }
        Self {
            problem,
            operands,
            slots,
            width,
        }
    }

    /// Seconds that the worst chain up to each node takes at least beyond the work at the lowest level, by the level that is
    /// asked of it.
    fn bounds(&self, heads: &[u32]) -> Vec<Vec<f64>> {
        let problem = self.problem;
        let mut bounds: Vec<Vec<f64>> = Vec::with_capacity(problem.nodes.len());
        for (index, node) in problem.nodes.iter().enumerate() {
            let made = |level: u32| {
                let chain = self.operands[index].iter().map(|&(operand, levels)| {
                    let asked = if node.renewed {
                        problem.floor
                    } else {
                        level + levels
                    };
                    bounds[operand]
                        .get(asked as usize)
                        .copied()
                        .unwrap_or(f64::INFINITY)
                });
                let closed = node.reads.is_none_or(|state| level <= heads[state]);
                let chain = chain.fold(0.0, f64::max) + node.work[level as usize] - node.work[0];
                if closed { chain } else { f64::INFINITY }
            };
            let refreshed = node
                .refresh
                .map_or(f64::INFINITY, |refresh| refresh + made(problem.floor));
            bounds.push(
                (0..=problem.usable)
                    .map(|level| made(level).min(refreshed))
                    .collect(),
            );
        }
        bounds
    }

    /// The best set for given levels of the states, if it takes less than `limit`, and whether nothing was left out.
    fn run(&self, heads: &[u32], limit: f64) -> (Option<(Vec<usize>, f64)>, bool) {
        let problem = self.problem;
        let bounds = self.bounds(heads);
        let mut front = vec![State {
            needs: vec![0; self.width],
            seconds: 0.0,
            trail: None,
        }];
        let mut live: Vec<usize> = Vec::new();
        let mut exact = true;
        // What all nodes that are left take at the lowest level.
        let mut least: f64 = problem.nodes.iter().map(|node| node.work[0]).sum();
        for (index, node) in problem.nodes.iter().enumerate().rev() {
            let own = node
                .stores
                .iter()
                .map(|&state| heads[state])
                .chain(node.least)
                .max();
            least -= node.work[0];
            if own.is_none() && self.slots[index].is_none() {
                continue;
            }
            live.retain(|&other| other != index);
            for &(operand, _) in &self.operands[index] {
                if !live.contains(&operand) {
                    live.push(operand);
                }
            }
            let mut next = Vec::with_capacity(2 * front.len());
            for mut state in front {
                let mut need = own.unwrap_or(0);
                if let Some(slot) = self.slots[index] {
                    need = need.max(state.needs[slot].into());
                    state.needs[slot] = 0;
                }
                if let Some(refresh) = node.refresh.filter(|_| need > problem.floor) {
                    let refreshed = State {
                        needs: state.needs.clone(),
                        seconds: state.seconds + refresh,
                        trail: Some(Rc::new(Trail {
                            node: index,
                            before: state.trail.clone(),
                        })),
                    };
                    next.extend(self.made(index, refreshed, problem.floor, heads));
                }
                next.extend(self.made(index, state, need, heads));
            }
            let bound = |state: &State| {
                let chains = live.iter().map(|&node| {
                    let need = self.slots[node].map_or(0, |slot| state.needs[slot]);
                    bounds[node][usize::from(need)]
                });
                state.seconds + least + chains.fold(0.0, f64::max)
            };
            let mut keyed: Vec<(f64, State)> = next
                .into_iter()
                .map(|state| (bound(&state), state))
                .filter(|(bound, _)| *bound < limit)
                .collect();
            if node.refresh.is_some() {
                exact &= prune(&mut keyed);
            }
            front = keyed.into_iter().map(|(_, state)| state).collect();
        }
        let best = front.into_iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let found = best.map(|best| {
            let mut refreshed = Vec::new();
            let mut trail = best.trail;
            while let Some(step) = trail {
                refreshed.push(step.node);
                trail = step.before.clone();
            }
            (refreshed, best.seconds)
        });
        (found, exact)
    }

    /// The state after a node was made at a level, if that can be.
    fn made(&self, index: usize, mut state: State, level: u32, heads: &[u32]) -> Option<State> {
        let problem = self.problem;
        let node = &problem.nodes[index];
        if level > problem.usable || node.reads.is_some_and(|read| level > heads[read]) {
            return None;
        }
        state.seconds += node.work[level as usize];
        for &(operand, levels) in &self.operands[index] {
            let asked = if node.renewed {
                problem.floor
            } else {
                level + levels
            };
            if asked > problem.usable {
                return None;
            }
            if let Some(slot) = self.slots[operand] {
                state.needs[slot] = state.needs[slot].max(asked as u8);
            }
        }
        Some(state)
    }
}

/// Drops every state than which another is not more expensive and asks for no more, and the worst beyond the beam; whether
/// none of these had to go.
fn prune(states: &mut Vec<(f64, State)>) -> bool {
    states.sort_by(|(_, a), (_, b)| a.seconds.total_cmp(&b.seconds));
    let mut kept: Vec<(f64, State)> = Vec::new();
    for (bound, state) in states.drain(..) {
        let dominated = kept.iter().any(|(_, other)| {
            other
                .needs
                .iter()
                .zip(&state.needs)
                .all(|(other, own)| other <= own)
        });
        if !dominated {
            kept.push((bound, state));
        }
    }
    let complete = kept.len() <= BEAM;
    if !complete {
        kept.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        kept.truncate(BEAM);
    }
    *states = kept;
    complete
}

#[cfg(test)]
#[path = "solve_tests.rs"]
mod tests;
