//! Work that is done side by side: the same results in the same order as one after the other.

use rayon::prelude::*;

/// Work that is handed out at once where not all results are kept.
pub const PORTION: usize = 16;

/// `each` of the items, in their order.
pub fn map<Item: Sync, Found: Send>(
    items: &[Item],
    each: impl Fn(&Item) -> Found + Send + Sync,
) -> Vec<Found> {
    items.par_iter().map(each).collect()
}
