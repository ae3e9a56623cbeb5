//! Passes: one file each, each a function from graph to graph.
//!
//! Tensor passes, in the order of the pipeline. [`bias`] comes first: the program is compiled with it and without. Then comes
//! differentiation, which is [`crate::grad`]; the range check [`crate::analysis::range::check`] follows it while the loop is
//! still rolled, so that it speaks of each place in the source once.
//!
//! 1. [`unroll`]: training loops become `steps` copies of the step, or one copy that runs so often;
//! 2. [`fold`]: constants, algebra, scalars merged, common subexpressions, dead code;
//! 3. [`approximate`]: functions become polynomials;
//! 4. [`fold`] again: scalars move into the polynomials;
//! 5. [`crate::analysis::range::annotate`]: every value gets the interval that holds it.
//!
//! From tensors to a plan:
//!
//! 6. [`layout`]: tensors become packed vectors, with [`polynomial`] for polynomials;
//! 7. [`simplify_slots`]: equal operations once, successive factors together, dead code;
//! 8. [`placement`]: bootstraps where levels run out;
//! 9. [`bootstrap`]: bootstraps become transforms, a modulus raise and polynomials;
//! 10. [`levels`] and [`lower_ckks`]: vectors become ciphertexts with level and scale;
//! 11. [`hoist`]: constants of a closed loop are encoded before it;
//! 12. [`schedule`]: an order in which few ciphertexts live;
//! 13. [`memory`]: where each of them stands;
//! 14. [`roll`]: equal steps become a loop again.

pub mod approximate;
pub mod bias;
pub mod bootstrap;
pub mod fold;
pub mod hoist;
pub mod layout;
pub mod levels;
pub mod lower_ckks;
pub mod memory;
pub mod modular;
pub mod placement;
pub mod polynomial;
pub mod rewrite;
pub mod roll;
pub mod schedule;
pub mod simplify_slots;
pub mod unroll;
