//! What a machine offers: how long it takes for the elementary loops that every operation is made of.

/// Time of elementary work on one thread, in nanoseconds, and the number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// One butterfly of a number-theoretic transform.
    pub butterfly: f64,
    /// One modular product, reduced or accumulated.
    pub multiply: f64,
    /// One modular addition.
    pub add: f64,
    /// One product of a base conversion.
    pub convert: f64,
    /// One word moved by an automorphism.
    pub permute: f64,
    /// One word copied.
    pub copy: f64,
    /// One word of an input, read and expanded from its seed.
    pub read: f64,
    /// One complex butterfly of an encoding.
    pub encode: f64,
    /// Threads.
    pub threads: u32,
}

impl Target {
    /// A server with the portable kernels.
    pub fn server(threads: u32) -> Self {
        Self {
            butterfly: 2.0,
            multiply: 2.2,
            add: 0.6,
            convert: 1.6,
            permute: 1.2,
            copy: 0.4,
            read: 6.0,
            encode: 6.0,
            threads,
        }
    }

    /// How much faster all threads are than one: limbs are independent, memory is shared.
    pub fn speedup(&self) -> f64 {
        1.0 + 0.85 * f64::from(self.threads.max(1) - 1)
    }
}
