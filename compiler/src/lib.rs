//! Compiles Cipherloom graphs (.loom) to plans.

pub mod analysis;
pub mod approx;
pub mod diagnostic;
pub mod dialect;
pub mod emit;
pub mod grad;
pub mod ir;
pub mod options;
mod parallel;
pub mod params;
pub mod pass;
pub mod pipeline;
pub mod reference;
pub mod report;
pub mod sema;
pub mod source;
pub mod syntax;
pub mod target;

pub use diagnostic::Diagnostics;
pub use options::Options;
pub use pipeline::{Compiled, compile};
pub use source::Source;

#[cfg(test)]
mod testing;
