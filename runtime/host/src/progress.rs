//! How long work reports where it is; the caller decides what to show.

use crate::error::Result;

/// Receiver of progress. Phases do not nest: every `begin` is followed by one `end` before the next `begin`.
pub trait Progress: Send {
    /// A phase of `total` units begins, such as "evaluation keys".
    fn begin(&mut self, what: &str, total: u64);
    /// `by` more units are done.
    fn advance(&mut self, by: u64);
    /// The phase is over, finished or not.
    fn end(&mut self);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _what: &str, _total: u64) {}
    fn advance(&mut self, _by: u64) {}
    fn end(&mut self) {}
}

/// Runs `work` between `begin` and `end`, so that a phase is closed on the error path too.
pub(crate) fn phase<T>(
    progress: &mut dyn Progress,
    what: &str,
    total: u64,
    work: impl FnOnce(&mut dyn Progress) -> Result<T>,
) -> Result<T> {
    progress.begin(what, total);
    let result = work(progress);
    progress.end();
    result
}
