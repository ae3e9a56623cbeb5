//! What passes between the executor and its caller.

/// What the executor needs or has. Ciphertexts have degree 1: c0 and c1 at `level`, NTT form.
#[derive(Debug, PartialEq)]
pub enum Event<'e, W> {
    /// Fill `destination` with a ciphertext and call again. Asked anew each time a plan reads an input, so
    /// that nothing has to be kept in the arena for long.
    NeedInput {
        /// Port of kind input, stream or state.
        port: usize,
        /// Tile of the port.
        tile: u32,
        /// The training step in progress, 0 before the first: a stream's mini-batch is the caller's function
        /// of it.
        step: u32,
        /// At most the port's level: the lower limbs of a ciphertext at the port's level are what is wanted.
        level: u8,
        /// 2·(level+1)·N words.
        destination: &'e mut [W],
    },
    /// A tile of an output.
    Output {
        /// Port of kind output.
        port: usize,
        /// Tile of the port.
        tile: u32,
        /// The port's level.
        level: u8,
        /// The port's scale.
        scale: f64,
        /// The encrypted values.
        ciphertext: &'e [W],
    },
    /// A tile of a value for the key holder alone.
    Reveal {
        /// Port of kind reveal.
        port: usize,
        /// Tile of the port.
        tile: u32,
        /// The port's level.
        level: u8,
        /// The port's scale.
        scale: f64,
        /// The encrypted values.
        ciphertext: &'e [W],
    },
    /// Keep this tile of a state: a later [`Event::NeedInput`] asks for what was kept last.
    StoreState {
        /// Port of kind state.
        port: usize,
        /// Tile of the port.
        tile: u32,
        /// The port's level.
        level: u8,
        /// The port's scale.
        scale: f64,
        /// The encrypted values.
        ciphertext: &'e [W],
    },
    /// A place where the run may be saved and resumed.
    Checkpoint,
    /// An epoch is over: its outputs and reveals have been handed out. The caller may end the run here.
    EpochEnded {
        /// Its number, from 0.
        epoch: u32,
    },
    /// A training step begins.
    StepStarted {
        /// Its number, from 0.
        step: u32,
    },
    /// An instruction was carried out, or some together; only after [`crate::Executor::pausing`].
    Advanced,
    /// The plan is finished; calling again gives the same.
    Done,
}
