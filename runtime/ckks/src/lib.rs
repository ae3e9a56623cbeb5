//! The CKKS scheme in caller-provided memory; no_std.
