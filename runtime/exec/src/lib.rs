//! Executes a Cipherloom plan: a sans-I/O state machine in caller-provided memory; no_std.
