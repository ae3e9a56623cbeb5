//! The Cipherloom plan format: instruction table, zero-copy view, verifier, disassembler, encoder; no_std.
