//! How long training steps take.

use std::time::Instant;

/// Times training steps: from each step's start to the next one's, or to the end of the run.
pub(crate) struct StepClock {
    begun: Option<Instant>,
    seconds: Vec<f64>,
}

impl StepClock {
    /// A clock that has room for so many steps.
    pub(crate) fn of(steps: u32) -> Self {
        Self {
            begun: None,
            // Steps may be billions; beyond the first million the list grows.
            seconds: Vec::with_capacity(steps.min(1 << 20) as usize),
        }
    }

    /// A step begins; says whether one ended by that.
    pub(crate) fn begin(&mut self) -> bool {
        let ended = self.end();
        self.begun = Some(Instant::now());
        ended
    }

    /// The run is over; says whether a step ended by that.
    pub(crate) fn end(&mut self) -> bool {
        let Some(begun) = self.begun.take() else {
            return false;
        };
        self.seconds.push(begun.elapsed().as_secs_f64());
        true
    }

    /// The seconds of all steps that ended.
    pub(crate) fn seconds(self) -> Vec<f64> {
        self.seconds
    }
}
