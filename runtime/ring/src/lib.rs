//! Modular arithmetic, number-theoretic transforms and residue number systems for Cipherloom; no_std.
