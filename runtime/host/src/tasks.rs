//! Independent tasks on all threads, with their results taken in order and few of them in memory at a time.

use crate::error::Result;
use crate::progress::Progress;
use rayon::prelude::*;

/// Makes items `0..count` in parallel, one per thread at a time, and hands them to `take` in order, counting
/// each as one unit of progress. At most as many items as there are threads exist that `take` has not seen.
pub(crate) fn in_order<T: Send>(
    count: usize,
    progress: &mut dyn Progress,
    make: impl Fn(usize) -> Result<T> + Sync,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let at_once = rayon::current_num_threads().max(1);
    for start in (0..count).step_by(at_once) {
        let end = count.min(start + at_once);
        let made: Vec<Result<T>> = (start..end).into_par_iter().map(&make).collect();
        for item in made {
            take(item?)?;
            progress.advance(1);
        }
    }
    Ok(())
}
