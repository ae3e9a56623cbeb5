//! What passes ask about a graph without changing it.

pub mod bounds;
mod coherence;
pub mod cost;
pub mod depth;
pub mod liveness;
pub mod noise;
pub mod parts;
pub mod range;
pub mod rotation;
