//! Compiles Cipherloom graphs (.loom) to plans.

pub mod ir;
pub mod source;
