//! What a machine offers: how long it takes for the elementary work that every operation is made of, and, where that is
//! little, how much memory and flash it has.
//!
//! The times are not guessed: `cipherloom calibrate` measures the runtime's operations and fits a table to them
//! ([`Costs`]). Two tables of servers are shipped, each with the command that made it and, in the `.csv` beside it, the
//! measurements that it was fitted to; that of microcontrollers counts instructions. Which one a plan is compiled for is an
//! option, never found out: the same source and options give the same plan.

mod costs;
mod device;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use costs::{CostError, Costs, TermCosts, ThreadTimes};
pub use device::{DEVICES, Device, Footprint, Part, Role, Tables};

/// Kinds of elementary work. A time is in nanoseconds for one unit of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// A butterfly of a number-theoretic transform, N/2·log2 N of which transform a limb. Its time depends on N.
    Transform,
    /// A product of a base conversion: a word, for one pair of primes.
    Convert,
    /// A word that a base conversion makes, beside its products.
    Converted,
    /// A product of a word of a digit and a word of a key, which comes from memory.
    KeyProduct,
    /// Any other product of two words.
    Product,
    /// A word that comes from memory or goes there in a pass over operands.
    Stream,
    /// A word copied, by one thread alone.
    Copy,
    /// A word moved by an automorphism.
    Permute,
    /// A complex butterfly of an encoding, N/4·log2(N/2) of which encode a vector.
    Encode,
    /// A rounded coefficient reduced by one prime.
    Reduce,
    /// A word of an input unpacked from its bytes.
    Unpack,
    /// A word of an input expanded from its seed.
    Expand,
    /// A word of the tables that a run starts with: N for each prime.
    Table,
    /// A word of memory that is touched for the first time.
    Touch,
    /// A loop over limbs handed to the threads.
    Loop,
    /// A word of the limb that threads wait for at the end of a loop.
    Wait,
}

impl Term {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Transform,
        Self::Convert,
        Self::Converted,
        Self::KeyProduct,
        Self::Product,
        Self::Stream,
        Self::Copy,
        Self::Permute,
        Self::Encode,
        Self::Reduce,
        Self::Unpack,
        Self::Expand,
        Self::Table,
        Self::Touch,
        Self::Loop,
        Self::Wait,
    ];
}

/// What `--target` calls servers: with SIMD kernels, and with portable ones.
const SERVERS: [&str; 2] = ["server-avx512", "server-portable"];

/// A machine: its times, how many threads work, and what it is short of.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Times of elementary work.
    pub costs: Costs,
    /// Threads.
    pub threads: u32,
    /// Memory and flash of a microcontroller; none for a server, which has enough.
    pub device: Option<Device>,
}

/// Times of elementary work at one ring degree, for one size of primes and one number of threads: nanoseconds by
/// [`Term`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times(pub [f64; Term::COUNT]);

impl Target {
    /// The name of each target that there is.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SERVERS.into_iter().chain(DEVICES.map(|device| device.name))
    }

    /// The target of a name; with so many threads, if it is a server.
    pub fn named(name: &str, threads: u32) -> Option<Self> {
        match SERVERS.iter().position(|&server| server == name) {
            Some(0) => Some(Self::server(threads)),
            Some(_) => Some(Self::portable_server(threads)),
            None => DEVICES
                .iter()
                .find(|device| device.name == name)
                .map(|&device| Self::device(device)),
        }
    }

    /// A microcontroller.
    pub fn device(device: Device) -> Self {
        static COSTS: LazyLock<Costs> = LazyLock::new(|| shipped(include_str!("cortex_m4.json")));
        Self {
            costs: COSTS.clone(),
            threads: 1,
            device: Some(device),
        }
    }

    /// Bits of its words.
    pub fn word_bits(&self) -> u32 {
        self.device.map_or(64, |_| device::WORD_BITS)
    }

    /// A server with AVX-512-IFMA: what plans are compiled for unless another machine is asked for.
    pub fn server(threads: u32) -> Self {
        static COSTS: LazyLock<Costs> = LazyLock::new(|| shipped(include_str!("server_avx512.json")));
        Self {
            costs: COSTS.clone(),
            threads,
            device: None,
        }
    }

    /// The same server with the portable kernels.
    pub fn portable_server(threads: u32) -> Self {
        static COSTS: LazyLock<Costs> = LazyLock::new(|| shipped(include_str!("server_portable.json")));
        Self {
            costs: COSTS.clone(),
            threads,
            device: None,
        }
    }

    /// The times at ring degree 2^`log_n` for primes of at most `prime_bits` bits.
    pub fn times(&self, log_n: u32, prime_bits: u32) -> Times {
        let terms = self.costs.class(prime_bits);
        Times(Term::ALL.map(|term| terms.time(term, log_n).on(self.threads)))
    }
}

impl Default for Target {
    /// The server with two threads.
    fn default() -> Self {
        Self::server(2)
    }
}

fn shipped(text: &str) -> Costs {
    Costs::parse(text).expect("a test reads every table that is shipped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_tables_are_whole_and_make_sense() {
        for target in [Target::server(2), Target::portable_server(2)] {
            for prime_bits in [30, 50, 59] {
                let terms = target.costs.class(prime_bits);
                for log_n in 10..=17 {
                    let butterfly = terms.time(Term::Transform, log_n).on(1);
                    assert!((0.1..20.0).contains(&butterfly), "{butterfly} ns");
                }
                for term in [
                    Term::Convert,
                    Term::KeyProduct,
                    Term::Unpack,
                    Term::Expand,
                    Term::Table,
                ] {
                    let time = terms.time(term, 16).on(1);
                    assert!((0.01..100.0).contains(&time), "{term:?}: {time} ns");
                }
                for term in Term::ALL {
                    assert!(terms.time(term, 16).on(2).is_finite(), "{term:?}");
                }
            }
        }
    }

    #[test]
    fn targets_have_names() {
        for name in Target::names() {
            let target = Target::named(name, 4).unwrap();
            let small = DEVICES.iter().any(|device| device.name == name);
            assert_eq!(
                (target.device.is_some(), target.word_bits(), target.threads),
                if small { (true, 32, 1) } else { (false, 64, 4) }
            );
        }
        assert_eq!(Target::named("abacus", 1), None);
        assert_eq!(Target::named("server-avx512", 2), Some(Target::default()));
    }

    #[test]
    fn simd_kernels_are_faster_and_serve_narrow_primes_alone() {
        let (server, portable) = (Target::server(1), Target::portable_server(1));
        let butterfly = |target: &Target, bits| target.times(16, bits).0[Term::Transform as usize];
        assert!(butterfly(&server, 50) < 0.6 * butterfly(&portable, 50));
        assert!(butterfly(&server, 59) > 0.6 * butterfly(&portable, 59));
    }
}
