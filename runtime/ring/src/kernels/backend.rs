//! Which kernels run: found out once, or told.

#![allow(unsafe_code)]

use core::fmt;
use core::str::FromStr;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::RingError;

/// A set of kernels for one kind of processor. All of them give the same results, bit for bit.
///
/// The fastest that the processor has is used unless [`Backend::force`] says otherwise. A program may read the name of a
/// backend from its command line or environment, parse it ([`FromStr`]) and force it before it builds its first ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Backend {
    /// Safe Rust without assumptions on the processor; the definition of all others. Its name is `portable`.
    Portable = 1,
    /// x86-64 with AVX-512, its 52-bit multiply-adds (IFMA) and its permutations of bytes (VBMI), for primes below 2^50: Intel
    /// processors from Ice Lake on, AMD's from Zen 4 on. Its name is `avx512`.
    Avx512 = 2,
    /// x86-64 with AVX2 and fused multiply-adds, for primes below 2^50. Its name is `avx2`.
    Avx2 = 3,
    /// 64-bit ARM, for primes below 2^50. Its name is `neon`.
    Neon = 4,
}

/// The backend in use, or 0 before the first question.
static ACTIVE: AtomicU8 = AtomicU8::new(0);

impl Backend {
    /// All backends, fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// The backend in use.
    #[inline]
    pub fn active() -> Self {
        let active = ACTIVE.load(Ordering::Relaxed);
        let known = Self::ALL.into_iter().find(|&backend| backend as u8 == active);
        known.unwrap_or_else(|| {
            let best = Self::ALL.into_iter().find(|backend| backend.is_available());
            best.unwrap_or(Self::Portable).activate()
        })
    }

    /// Whether this processor can run it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Avx512 => features().avx512,
            Self::Avx2 => features().avx2,
            Self::Neon => cfg!(target_arch = "aarch64"),
        }
    }

    /// Makes this the backend of all rings that are built from now on, and of all operations on limbs. Rings that
    /// exist keep theirs; as results do not differ, that is a matter of speed alone.
    ///
    /// # Errors
    /// [`RingError::Backend`] if the processor cannot run it; nothing changes then.
    pub fn force(self) -> Result<(), RingError> {
        if !self.is_available() {
            return Err(RingError::Backend { backend: self });
        }
        self.activate();
        Ok(())
    }

    fn activate(self) -> Self {
        ACTIVE.store(self as u8, Ordering::Relaxed);
        self
    }

    /// The name by which it is parsed and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = RingError;

    fn from_str(name: &str) -> Result<Self, RingError> {
        let backend = Self::ALL.into_iter().find(|backend| backend.name() == name);
        backend.ok_or(RingError::BackendName)
    }
}

/// What the processor and the operating system offer together.
#[derive(Default)]
struct Features {
    avx2: bool,
    avx512: bool,
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Features {
    Features::default()
}

/// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, section 15.2: the operating system must save
/// the registers (XCR0), and the processor must have the instructions (leaf 7).
#[cfg(target_arch = "x86_64")]
fn features() -> Features {
    use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    /// XCR0: SSE and AVX state; and opmask, upper halves and upper registers of AVX-512.
    const AVX_STATE: u64 = 0b110;
    const AVX512_STATE: u64 = 0b1110_0110;
    let bit = |word: u32, bit: u32| word >> bit & 1 == 1;

    let highest = __cpuid(0).eax;
    let leaf_1 = __cpuid(1).ecx;
    if highest < 7 || !bit(leaf_1, 27) {
        return Features::default();
    }
    #[target_feature(enable = "xsave")]
    fn enabled_state() -> u64 {
        // SAFETY: register 0 exists wherever the instruction does.
        unsafe { _xgetbv(0) }
    }
    // SAFETY: bit 27 of leaf 1 says that the operating system has turned XGETBV on.
    let state = unsafe { enabled_state() };
    let leaf_7 = __cpuid_count(7, 0);
    // Foundation, IFMA, bytes and words, VBMI.
    let avx512 = [16, 21, 30].iter().all(|&at| bit(leaf_7.ebx, at)) && bit(leaf_7.ecx, 1);
    Features {
        avx2: state & AVX_STATE == AVX_STATE && bit(leaf_1, 12) && bit(leaf_7.ebx, 5),
        avx512: state & AVX512_STATE == AVX512_STATE && avx512,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn detection_agrees_with_the_standard_library() {
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            Backend::Avx2.is_available(),
            std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")
        );
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            Backend::Avx512.is_available(),
            std::is_x86_feature_detected!("avx512f")
                && std::is_x86_feature_detected!("avx512bw")
                && std::is_x86_feature_detected!("avx512ifma")
                && std::is_x86_feature_detected!("avx512vbmi")
        );
        assert!(Backend::Portable.is_available());
        assert!(Backend::active().is_available());
    }

    #[test]
    fn names_parse_back() {
        for backend in Backend::ALL {
            assert_eq!(backend.to_string().parse(), Ok(backend));
        }
        assert_eq!("fastest".parse::<Backend>(), Err(RingError::BackendName));
    }
}
