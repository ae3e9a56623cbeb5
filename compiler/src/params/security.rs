//! How large a modulus each ring degree allows.

/// Largest log2(QP) for 128-bit classical security with ternary secrets and σ = 3.19, by log2 N (Bossuat et al.,
/// "Security Guidelines for Implementing Homomorphic Encryption", 2024).
const TABLE: [(u32, u32); 8] = [
    (10, 26),
    (11, 53),
    (12, 106),
    (13, 214),
    (14, 430),
    (15, 868),
    (16, 1747),
    (17, 3523),
];

/// Security that the table is for, in bits.
pub const SECURITY_BITS: u16 = 128;

/// Largest log2(QP) that is secure at ring degree 2^`log_n`; `None` outside the table.
pub fn largest_modulus_bits(log_n: u32) -> Option<u32> {
    TABLE
        .iter()
        .find(|(degree, _)| *degree == log_n)
        .map(|&(_, bits)| bits)
}
