use super::*;
use proptest::prelude::*;

/// Seconds of a set of refreshed nodes with given heads, straight from the definition; `None` if levels do not suffice.
fn seconds(problem: &Problem, refreshed: u32, heads: &[u32]) -> Option<f64> {
    let mut asked = vec![0u32; problem.nodes.len()];
    let mut seconds = 0.0;
    for (index, node) in problem.nodes.iter().enumerate().rev() {
        for &state in &node.stores {
            asked[index] = asked[index].max(heads[state]);
        }
        asked[index] = asked[index].max(node.least.unwrap_or(0));
        if asked[index] > problem.usable {
            return None;
        }
        let mut level = asked[index];
        if refreshed >> index & 1 == 1 {
            seconds += node.refresh?;
            level = problem.floor;
        }
        seconds += node.work[level as usize];
        if node.reads.is_some_and(|state| level > heads[state]) {
            return None;
        }
        for (operand, other) in problem.nodes.iter().enumerate().take(index) {
            for &(_, levels) in other.uses.iter().filter(|(user, _)| *user == index) {
                let own = if node.renewed {
                    problem.floor
                } else {
                    level + levels
                };
                asked[operand] = asked[operand].max(own);
            }
        }
    }
    Some(seconds)
}

/// The least seconds over every set and all levels of states.
fn brute(problem: &Problem) -> Option<f64> {
    let choices = problem.usable - problem.lowest + 1;
    let mut best: Option<f64> = None;
    for number in 0..choices.pow(problem.states as u32) {
        let heads: Vec<u32> = (0..problem.states as u32)
            .map(|state| problem.lowest + number / choices.pow(state) % choices)
            .collect();
        for refreshed in 0..1u32 << problem.nodes.len() {
            if let Some(seconds) = seconds(problem, refreshed, &heads) {
                best = Some(best.map_or(seconds, |best| best.min(seconds)));
            }
        }
    }
    best
}

/// A body from random numbers: each node reads one or two before it; the first nodes read the states, the last write
/// them.
fn body(floor: u32, left: u32, states: usize, steps: &[(usize, usize, u32, u32, bool)]) -> Problem {
    let usable = floor + left;
    let node = |refresh: Option<f64>, work: f64| Node {
        refresh,
        work: (0..=usable).map(|level| work * f64::from(level + 1)).collect(),
        ..Node::default()
    };
    let mut nodes: Vec<Node> = (0..states)
        .map(|state| Node {
            reads: Some(state),
            ..node(None, 0.0)
        })
        .collect();
    // An input, which nothing asks of and which can be refreshed in vain.
    nodes.push(node(Some(1.0), 0.0));
    for &(a, b, levels, price, bounded) in steps {
        let index = nodes.len();
        let refresh = bounded.then_some(f64::from(price));
        nodes.push(node(refresh, 0.03125 * f64::from(price)));
        for operand in [a % index, b % index] {
            let edge = (index, levels);
            if !nodes[operand].uses.contains(&edge) {
                nodes[operand].uses.push(edge);
            }
        }
    }
    let count = nodes.len();
    for state in 0..states {
        nodes[count - 1 - state % 2].stores.push(state);
    }
    // What nothing reads is an output.
    let last = nodes.iter_mut().filter(|node| node.uses.is_empty());
    last.for_each(|node| node.least = Some(0));
    Problem {
        nodes,
        states,
        floor,
        usable,
        lowest: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The search gives what trying everything gives.
    #[test]
    fn the_search_is_as_good_as_trying_everything(
        floor in 0u32..3,
        left in 1u32..4,
        states in 0usize..3,
        steps in prop::collection::vec((0usize..99, 0usize..99, 0u32..2, 1u32..5, prop::bool::weighted(0.8)), 3..10),
    ) {
        let problem = body(floor, left, states, &steps);
        let found = solve(&problem);
        let expected = brute(&problem);
        prop_assert_eq!(found.is_some(), expected.is_some());
        if let (Some(found), Some(expected)) = (found, expected) {
            prop_assert!(found.exact);
            prop_assert!((found.seconds - expected).abs() < 1e-9, "{} {}", found.seconds, expected);
            let set = found.refreshed.iter().fold(0, |set, &node| set | 1u32 << node);
            let own = seconds(&problem, set, &found.heads);
            prop_assert!(own.is_some_and(|own| (own - expected).abs() < 1e-9));
        }
    }
}

/// A chain between wide ends, in a loop, is refreshed where it is narrow.
#[test]
fn narrow_places_are_found() {
    let wide = 24.0;
    let mut nodes = Vec::new();
    let mut push = |price: f64, levels: Option<u32>| {
        let index = nodes.len();
        if let (Some(levels), Some(before)) = (levels, nodes.last_mut()) {
            let before: &mut Node = before;
            before.uses.push((index, levels));
        }
        nodes.push(Node {
            refresh: Some(price),
            work: (0..18).map(|level| 1e-3 * f64::from(level)).collect(),
            ..Node::default()
        });
        index
    };
    push(wide, None);
    for _ in 0..35 {
        push(1.0, Some(1));
    }
    let last = push(wide, Some(1));
    nodes[0].reads = Some(0);
    nodes[last].stores.push(0);
    nodes[last].least = Some(0);
    let problem = Problem {
        nodes,
        states: 1,
        floor: 3,
        usable: 17,
        lowest: 0,
    };
    let solution = solve(&problem).expect("there is one");
    // 36 levels with 14 a bootstrap: three of them.
    assert_eq!(solution.refreshed.len(), 3);
    assert!(solution.exact && solution.seconds < 4.0, "{solution:?}");
    assert!(!solution.refreshed.contains(&0) && !solution.refreshed.contains(&last));
}
