//! Parameters of the scheme: what is secure, which primes, and the search for the fastest that do.

mod chain;
pub mod search;
pub mod security;

pub use chain::{Chain, prime_bits};
