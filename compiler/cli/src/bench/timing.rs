//! How long something takes, on a machine that is never quite at rest.

use std::time::{Duration, Instant};

/// How often to repeat what is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// At least so often.
    pub repetitions: usize,
    /// And at least so long.
    pub duration: Duration,
}

/// Seconds that repetitions took, in order.
#[derive(Clone, Debug)]
pub struct Timing(Vec<f64>);

impl Effort {
    /// For figures that are shown.
    pub const BENCH: Self = Self {
        repetitions: 9,
        duration: Duration::from_millis(500),
    };
    /// For tables that are fitted to many figures.
    pub const CALIBRATE: Self = Self {
        repetitions: 5,
        duration: Duration::from_millis(60),
    };
    /// For a look.
    pub const QUICK: Self = Self {
        repetitions: 3,
        duration: Duration::from_millis(2),
    };

    /// Times some work, after doing it once untimed.
    pub fn time(self, mut work: impl FnMut()) -> Timing {
        self.time_in_turn(1, |_| work()).swap_remove(0)
    }

    /// Times several kinds of work in turn, so that what disturbs the machine disturbs all of them.
    pub fn time_in_turn(self, kinds: usize, mut work: impl FnMut(usize)) -> Vec<Timing> {
        let mut seconds = vec![Vec::new(); kinds];
        (0..kinds).for_each(&mut work);
        let begun = Instant::now();
        let mut repetitions = 0;
        while repetitions < self.repetitions || begun.elapsed() < self.duration {
            for (kind, seconds) in seconds.iter_mut().enumerate() {
                let start = Instant::now();
                work(kind);
                seconds.push(start.elapsed().as_secs_f64());
            }
            repetitions += 1;
        }
        seconds.into_iter().map(Timing::new).collect()
    }
}

impl Timing {
    fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    /// The time that a share of the repetitions did not exceed.
    fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let index = (share * last as f64).round() as usize;
        self.0.get(index).copied().unwrap_or(0.0)
    }

    /// The shortest.
    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The median.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The longest.
    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The quarter mark: what the machine takes when nothing else runs, and no lucky exception.
    pub fn quiet(&self) -> f64 {
        self.quantile(0.25)
    }

    /// What each of so many equal pieces of the work took.
    pub fn per(&self, pieces: usize) -> Self {
        Self(self.0.iter().map(|seconds| seconds / pieces as f64).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_a_sample() {
        let timing = Timing::new(vec![5.0, 1.0, 2.0, 4.0, 30.0]);
        assert_eq!((timing.min(), timing.median(), timing.max()), (1.0, 4.0, 30.0));
        assert_eq!(timing.quiet(), 2.0);
        assert_eq!(timing.per(2).max(), 15.0);
    }

    #[test]
    fn work_is_repeated_as_often_as_asked_and_once_more() {
        let effort = Effort {
            repetitions: 4,
            duration: Duration::ZERO,
        };
        let mut done = Vec::new();
        let timings = effort.time_in_turn(2, |kind| done.push(kind));
        assert!(timings.iter().all(|timing| timing.0.len() == 4));
        assert_eq!(done, [0, 1].repeat(5));
    }
}
