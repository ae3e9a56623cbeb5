//! Arena offsets: best fit, largest values first.

/// A value's size and the span of instructions during which it lives, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Size in words.
    pub words: u64,
    /// First instruction at which it exists.
    pub start: usize,
    /// Last instruction at which it exists.
    pub end: usize,
}

/// Where every value stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryPlan {
    /// First word of each value, in the order given.
    pub offsets: Vec<u64>,
    /// Words of the arena.
    pub arena_words: u64,
    /// Most words that live at one time: no arena is smaller.
    pub lower_bound_words: u64,
}

/// Places values so that no two that live at the same time overlap: one after the other by decreasing size, each in the
/// smallest gap that holds it.
pub fn plan(lifetimes: &[Lifetime]) -> MemoryPlan {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&value| {
        let life = lifetimes[value];
        (
            std::cmp::Reverse(life.words),
            std::cmp::Reverse(life.end - life.start),
            value,
        )
    });
    let mut offsets = vec![0; lifetimes.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut arena_words = 0;
    for value in order {
        let life = lifetimes[value];
        let mut taken: Vec<(u64, u64)> = placed
            .iter()
            .filter(|&&other| lifetimes[other].start <= life.end && life.start <= lifetimes[other].end)
            .map(|&other| (offsets[other], offsets[other] + lifetimes[other].words))
            .collect();
        taken.sort_unstable();
        let (mut best, mut end) = (None, 0);
        for (from, to) in taken {
            if from > end && from - end >= life.words && best.is_none_or(|(gap, _)| from - end < gap) {
                best = Some((from - end, end));
            }
            end = end.max(to);
        }
        offsets[value] = best.map_or(end, |(_, offset)| offset);
        arena_words = arena_words.max(offsets[value] + life.words);
        placed.push(value);
    }
    MemoryPlan {
        offsets,
        arena_words,
        lower_bound_words: lower_bound(lifetimes),
    }
}

fn lower_bound(lifetimes: &[Lifetime]) -> u64 {
    let last = lifetimes.iter().map(|life| life.end + 2).max().unwrap_or(0);
    let mut change = vec![0i64; last];
    for life in lifetimes {
        change[life.start] += life.words as i64;
        change[life.end + 1] -= life.words as i64;
    }
    let mut live = 0;
    change.into_iter().fold(0, |most, change| {
        live += change;
        most.max(live)
    }) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn values_that_live_together_do_not_overlap(values in prop::collection::vec((1u64..50, 0usize..40, 0usize..20), 1..60)) {
            let lifetimes: Vec<Lifetime> = values
                .into_iter()
                .map(|(words, start, length)| Lifetime { words, start, end: start + length })
                .collect();
            let plan = plan(&lifetimes);
            prop_assert!(plan.lower_bound_words <= plan.arena_words);
            prop_assert!(plan.arena_words <= lifetimes.iter().map(|life| life.words).sum());
            for (i, a) in lifetimes.iter().enumerate() {
                prop_assert!(plan.offsets[i] + a.words <= plan.arena_words);
                for (j, b) in lifetimes.iter().enumerate().take(i) {
                    let together = a.start <= b.end && b.start <= a.end;
                    let apart = plan.offsets[i] + a.words <= plan.offsets[j] || plan.offsets[j] + b.words <= plan.offsets[i];
                    prop_assert!(!together || apart, "{a:?} and {b:?}");
                }
            }
        }
    }

    #[test]
    fn equal_values_in_a_row_share_their_place() {
        let lifetimes: Vec<Lifetime> = (0..5)
            .map(|at| Lifetime {
                words: 8,
                start: 2 * at,
                end: 2 * at + 1,
            })
            .collect();
        assert_eq!(plan(&lifetimes).arena_words, 8);
    }
}
