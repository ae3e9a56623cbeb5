//! Parameters of the scheme: what is secure, which primes, and the search for the fastest that do.

mod bootstrap;
mod candidate;
mod chain;
pub mod failure;
pub mod search;
pub mod security;

pub use bootstrap::{BootstrapSet, Bootstrapping, SETS};
pub use chain::{Chain, prime_bits};
