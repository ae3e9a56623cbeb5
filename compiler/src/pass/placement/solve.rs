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

/// Search states that are kept; the search is exact as long as there are no more.
const BEAM: usize = 64;
/// Search states that are kept in a first search of all levels of the states: a good solution early is a bound for the search itself.
const SCOUT_BEAM: usize = 16;
/// What sums of times may differ by, relatively, in another order.
const ROUNDING: f64 = 1e-9;
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
    let mut attempt = |heads: Vec<u32>, beam: usize, best: &mut Option<Solution>| {
        let limit = best.as_ref().map_or(f64::INFINITY, |best| best.seconds);
        let (found, complete) = search.run(&heads, limit, beam);
        exact &= complete || beam < BEAM;
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
            let scouted = even.chain(0..all).map(|number| (number, SCOUT_BEAM));
            for (mut number, beam) in scouted.chain((0..all).map(|number| (number, BEAM))) {
                let heads = (0..problem.states)
                    .map(|_| {
                        let head = problem.lowest + (number % choices) as u32;
                        number /= choices;
                        head
                    })
                    .collect();
                attempt(heads, beam, &mut best);
            }
        }
        None => {
            for head in levels.clone() {
                attempt(vec![head; problem.states], SCOUT_BEAM, &mut best);
            }
            for head in levels.clone() {
                attempt(vec![head; problem.states], BEAM, &mut best);
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
                        improved |= attempt(heads, BEAM, &mut best);
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

/// A refresh and, by number, the one decided before it.
struct Trail {
    node: usize,
    before: Option<u32>,
}

/// What is asked of the values that are still to come, and what was decided.
#[derive(Clone, Copy)]
struct State {
    /// Which row of [`Front::needs`] holds the levels asked.
    row: usize,
    seconds: f64,
    /// Seconds that the whole takes at least.
    bound: f64,
    trail: Option<u32>,
}

/// Search states with all their levels in one place, which copying does not scatter.
#[derive(Default)]
struct Front {
    states: Vec<State>,
    /// Level asked of each live node, by its slot; a row for each state.
    needs: Vec<u8>,
}

/// Rows are padded to whole groups of so many levels, which are compared at once.
const GROUP: usize = 8;

struct Search<'a> {
    problem: &'a Problem,
    /// What each node reads, with levels.
    operands: Vec<Vec<(usize, u32)>>,
    /// Where a node that is read stands in a row of [`Front::needs`].
    slots: Vec<Option<usize>>,
    /// Nodes that something is asked of once a node and all later ones are made, each with its slot.
    live: Vec<Vec<(usize, usize)>>,
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
        let mut live = vec![Vec::new(); count];
        let mut now: Vec<usize> = Vec::new();
        for (index, node) in problem.nodes.iter().enumerate().rev() {
            if slots[index].is_none() && node.stores.is_empty() && node.least.is_none() {
                continue;
            }
            now.retain(|&other| other != index);
            for &(operand, _) in &operands[index] {
                if !now.contains(&operand) {
                    now.push(operand);
                }
            }
            live[index] = now
                .iter()
                .filter_map(|&node| Some((node, slots[node]?)))
                .collect();
        }
        Self {
            problem,
            operands,
            slots,
            live,
            width: width.next_multiple_of(GROUP),
        }
    }

    /// Seconds that the worst chain up to each node takes at least beyond the work at the lowest level, by the level that is
    /// asked of it: `usable + 1` numbers for each node.
    fn bounds(&self, heads: &[u32]) -> Vec<f64> {
        let problem = self.problem;
        let levels = problem.usable as usize + 1;
        let mut bounds: Vec<f64> = Vec::with_capacity(levels * problem.nodes.len());
        for (index, node) in problem.nodes.iter().enumerate() {
            let made = |level: u32| {
                let chain = self.operands[index].iter().map(|&(operand, levels_taken)| {
                    let asked = if node.renewed {
                        problem.floor
                    } else {
                        level + levels_taken
                    };
                    if asked <= problem.usable {
                        bounds[operand * levels + asked as usize]
                    } else {
                        f64::INFINITY
                    }
                });
                let closed = node.reads.is_none_or(|state| level <= heads[state]);
                let chain = chain.fold(0.0, f64::max) + node.work[level as usize] - node.work[0];
                if closed { chain } else { f64::INFINITY }
            };
            let refreshed = node
                .refresh
                .map_or(f64::INFINITY, |refresh| refresh + made(problem.floor));
            let own: Vec<f64> = (0..=problem.usable)
                .map(|level| made(level).min(refreshed))
                .collect();
            bounds.extend(own);
        }
        bounds
    }

    /// Level that states, outputs and bootstraps that are there already ask of a node.
    fn asked(&self, index: usize, heads: &[u32]) -> Option<u32> {
        let node = &self.problem.nodes[index];
        let stores = node.stores.iter().map(|&state| heads[state]);
        stores.chain(node.least).max()
    }

    /// The best set for given levels of the states, if it takes less than `limit`, and whether nothing was left out; `beam`
    /// search states are kept.
    fn run(&self, heads: &[u32], limit: f64, beam: usize) -> (Option<(Vec<usize>, f64)>, bool) {
        let problem = self.problem;
        let levels = problem.usable as usize + 1;
        let bounds = self.bounds(heads);
        // What all nodes that are left take at the lowest level.
        let mut least: f64 = problem.nodes.iter().map(|node| node.work[0]).sum();
        let worst = (0..problem.nodes.len())
            .filter_map(|index| Some(bounds[index * levels + self.asked(index, heads)? as usize]))
            .fold(0.0, f64::max);
        if least + worst >= limit * (1.0 + ROUNDING) || worst == f64::INFINITY {
            return (None, true);
        }
        let mut trails: Vec<Trail> = Vec::new();
        let (mut front, mut next) = (Front::default(), Front::default());
        front.needs.resize(self.width, 0);
        front.states.push(State {
            row: 0,
            seconds: 0.0,
            bound: 0.0,
            trail: None,
        });
        let mut exact = true;
        for (index, node) in problem.nodes.iter().enumerate().rev() {
            let own = self.asked(index, heads);
            least -= node.work[0];
            if own.is_none() && self.slots[index].is_none() {
                continue;
            }
            next.states.clear();
            next.needs.clear();
            for state in &front.states {
                let needs = &front.needs[state.row * self.width..][..self.width];
                let need = self.slots[index].map_or(0, |slot| needs[slot].into());
                let need = need.max(own.unwrap_or(0));
                if let Some(refresh) = node.refresh.filter(|_| need > problem.floor) {
                    let trail = trails.len() as u32;
                    let refreshed = State {
                        seconds: state.seconds + refresh,
                        trail: Some(trail),
                        ..*state
                    };
                    if self.make(index, refreshed, needs, problem.floor, heads, &mut next) {
                        trails.push(Trail {
                            node: index,
                            before: state.trail,
                        });
                    }
                }
                self.make(index, *state, needs, need, heads, &mut next);
            }
            let Front { states, needs } = &mut next;
            for state in states.iter_mut() {
                let needs = &needs[state.row * self.width..][..self.width];
                let chains = self.live[index].iter();
                let chains = chains.map(|&(node, slot)| bounds[node * levels + usize::from(needs[slot])]);
                state.bound = state.seconds + least + chains.fold(0.0, f64::max);
            }
            states.retain(|state| state.bound < limit);
            if node.refresh.is_some() {
                exact &= prune(states, needs, self.width, beam);
            }
            std::mem::swap(&mut front, &mut next);
        }
        let best = front
            .states
            .into_iter()
            .min_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let found = best.map(|best| {
            let mut refreshed = Vec::new();
            let mut trail = best.trail;
            while let Some(step) = trail.map(|step| &trails[step as usize]) {
                refreshed.push(step.node);
                trail = step.before;
            }
            (refreshed, best.seconds)
        });
        (found, exact)
    }

    /// Adds the state after a node was made at a level, if that can be: whether it can.
    fn make(
        &self,
        index: usize,
        state: State,
        needs: &[u8],
        level: u32,
        heads: &[u32],
        next: &mut Front,
    ) -> bool {
        let problem = self.problem;
        let node = &problem.nodes[index];
        let asked = |levels: u32| {
            if node.renewed {
                problem.floor
            } else {
                level + levels
            }
        };
        let is_high = |&(_, levels): &(usize, u32)| asked(levels) > problem.usable;
        if level > problem.usable
            || node.reads.is_some_and(|read| level > heads[read])
            || self.operands[index].iter().any(is_high)
        {
            return false;
        }
        let row = next.states.len();
        next.needs.extend_from_slice(needs);
        let needs = &mut next.needs[row * self.width..];
        if let Some(slot) = self.slots[index] {
            needs[slot] = 0;
        }
        for &(operand, levels) in &self.operands[index] {
            if let Some(slot) = self.slots[operand] {
                needs[slot] = needs[slot].max(asked(levels) as u8);
            }
        }
        next.states.push(State {
            row,
            seconds: state.seconds + node.work[level as usize],
            ..state
        });
        true
    }
}

/// Drops every state than which another is not more expensive and asks for no more, and the worst beyond the beam; whether
/// none of these had to go.
fn prune(states: &mut Vec<State>, needs: &[u8], width: usize, beam: usize) -> bool {
    states.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let row = |state: &State| &needs[state.row * width..][..width];
    // Eight levels at once: a byte keeps its top bit if what is subtracted is not larger.
    let tops = u64::from_ne_bytes([0x80; GROUP]);
    let no_more = |(a, b): (&[u8; GROUP], &[u8; GROUP])| {
        let (a, b) = (u64::from_ne_bytes(*a), u64::from_ne_bytes(*b));
        ((b | tops) - a) & tops == tops
    };
    let asks_no_more = |a: &[u8], b: &[u8]| {
        let (a, b) = (a.as_chunks().0, b.as_chunks().0);
        a.iter().zip(b).all(no_more)
    };
    let mut kept = 0;
    for index in 0..states.len() {
        let state = states[index];
        let own = row(&state);
        if !states[..kept].iter().any(|other| asks_no_more(row(other), own)) {
            states[kept] = state;
            kept += 1;
        }
    }
    states.truncate(kept);
    let complete = kept <= beam;
    if !complete {
        states.sort_by(|a, b| a.bound.total_cmp(&b.bound));
        states.truncate(beam);
    }
    complete
}

#[cfg(test)]
#[path = "solve_tests.rs"]
mod tests;
