//! What a user can ask of the compiler beside the source text.

use std::collections::BTreeMap;

use crate::target::Target;

/// Values of a public tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorData {
    /// Extent of each dimension.
    pub shape: Vec<u32>,
    /// Elements in row-major order.
    pub values: Vec<f64>,
}

/// Memory of a server where nothing else is said, never that of the machine which compiles.
const SERVER_MEMORY_BYTES: u64 = 20 << 30;

/// Options of a compilation. The same source and options give the same plan bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Values that replace those of `const` declarations, by name.
    pub set: BTreeMap<String, f64>,
    /// Training steps of the plan; `None` takes as many as the modulus chain allows, where it bounds them.
    pub steps: Option<u32>,
    /// Steps of an epoch, a divisor of `steps`. After each epoch its block runs, and outputs are handed out; training may end
    /// there. `None` makes one epoch of all steps. A loop with epochs is compiled as one body.
    pub steps_per_epoch: Option<u32>,
    /// Compiles the training loop as one body that runs any number of times, even if nothing in it bootstraps.
    pub closed_loop: bool,
    /// Values of `weight` declarations, by name.
    pub weights: BTreeMap<String, TensorData>,
    /// Allows parameters below 128-bit security, for tests; the plan is stamped with it.
    pub insecure_toy: bool,
    /// Base-2 logarithm of the ring degree; `None` leaves it to the parameter search.
    pub log_n: Option<u32>,
    /// Base-2 logarithm of the scale; `None` leaves it to the parameter search.
    pub log_scale: Option<u32>,
    /// Largest predicted error of an output that is accepted, absolute.
    pub precision: f64,
    /// Memory of the server that runs the plan: keys, arena, tables and encrypted inputs should fit it.
    pub memory_bytes: u64,
    /// Most bytes of switching keys, expanded; `None` grants them what memory leaves.
    pub key_bytes: Option<u64>,
    /// Width of a machine word of the target, in bits: 32 or 64.
    pub word_bits: u32,
    /// The machine that time is predicted for.
    pub target: Target,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            set: BTreeMap::new(),
            steps: None,
            steps_per_epoch: None,
            closed_loop: false,
            weights: BTreeMap::new(),
            insecure_toy: false,
            log_n: None,
            log_scale: None,
            precision: 1e-4,
            memory_bytes: SERVER_MEMORY_BYTES,
            key_bytes: None,
            word_bits: 64,
            target: Target::default(),
        }
    }
}
