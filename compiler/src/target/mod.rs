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
    /// A server with the portable kernels; SIMD kernels are two to five times faster.
    ///
    /// Measured with `cargo run --release -p cipherloom-ring --example speed` on one thread of a Xeon server at N = 2^16
    /// with primes below 2^49, portable column: `ntt_forward` over its N/2·log2 N butterflies, `convert` over its N words
    /// for each pair of primes, the others over the N words of each product or limb. `multiply` lies between
    /// `inner_product` and `mul`. Copies, reads and encodings are estimates; they are few beside the rest.
    pub fn server(threads: u32) -> Self {
        Self {
            butterfly: 1.0,
            multiply: 1.2,
            add: 0.7,
            convert: 1.15,
            permute: 0.7,
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
