//! Facade over the Cipherloom runtime crates.
