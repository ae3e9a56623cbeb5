//! Compiles Cipherloom graphs (.loom) to plans.
