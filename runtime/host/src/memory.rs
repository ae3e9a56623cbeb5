//! Memory that a plan asks for, and how much this process has used.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytemuck::Pod;
use memmap2::MmapMut;
use rayon::prelude::*;
use zeroize::Zeroize;

use crate::error::{HostError, Result};

/// Bytes of a huge page; where the system has others, only speed is lost.
const HUGE_PAGE: usize = 2 << 20;

/// Memory for numbers: zero at first, and on huge pages where there is enough of it and the system has them.
///
/// A limb of 512 KiB on small pages costs more in faults and TLB misses than some kernels cost in arithmetic; and small
/// pages that are read once in a step can cost a virtual machine microseconds each. So this holds everything whose size
/// grows with the ring: keys, tables, the arena, ciphertexts that wait or are kept, and what encrypting needs.
pub struct Region<T>(Place<T>);

/// [`Region`] of residues.
pub type Words = Region<u64>;

enum Place<T> {
    /// Less than a huge page.
    Small(Vec<T>),
    /// A mapping of its own, advised for huge pages.
    Mapped(MmapMut),
}

impl<T> Default for Region<T> {
    fn default() -> Self {
        Self(Place::Small(Vec::new()))
    }
}

impl<T: Pod> Region<T> {
    /// `count` zeros, or an error, and not an abort, when there is no room for them.
    pub fn zeroed(what: &'static str, count: usize) -> Result<Self> {
        let bytes = count.saturating_mul(size_of::<T>());
        let none = || HostError::Memory { what, bytes };
        if bytes < HUGE_PAGE {
            return zeros(what, count).map(|memory| Self(Place::Small(memory)));
        }
        let memory = MmapMut::map_anon(bytes).map_err(|_| none())?;
        // Advice: a system without huge pages refuses it, and nothing but speed is lost.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        Ok(Self(Place::Mapped(memory)))
    }

    /// A copy of `values`.
    pub(crate) fn copy_of(what: &'static str, values: &[T]) -> Result<Self> {
        let mut memory = Self::zeroed(what, values.len())?;
        memory.copy_from_slice(values);
        Ok(memory)
    }
}

impl<T: Pod + Send> Region<T> {
    /// Has the system provide all pages now, on all threads, and not in the first step of a run.
    pub(crate) fn touch(&mut self) {
        // A word in every small page, should there be no huge ones.
        let page = (4 << 10) / size_of::<T>();
        self.par_chunks_mut(HUGE_PAGE / size_of::<T>()).for_each(|part| {
            part.iter_mut()
                .step_by(page)
                .for_each(|number| *number = T::zeroed())
        });
    }
}

impl<T: Pod> Deref for Region<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Place::Small(memory) => memory,
            // A mapping starts on a page, so it is aligned for every number.
            Place::Mapped(memory) => bytemuck::cast_slice(memory),
        }
    }
}

impl<T: Pod> DerefMut for Region<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Place::Small(memory) => memory,
            Place::Mapped(memory) => bytemuck::cast_slice_mut(memory),
        }
    }
}

impl<T: Pod + Zeroize> Zeroize for Region<T> {
    fn zeroize(&mut self) {
        self.iter_mut().zeroize();
    }
}

/// `count` zeros for what is handed out as a vector, or an error instead of an abort.
pub(crate) fn zeros<T: Pod>(what: &'static str, count: usize) -> Result<Vec<T>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(count).map_err(|_| HostError::Memory {
        what,
        bytes: count.saturating_mul(size_of::<T>()),
    })?;
    memory.resize(count, T::zeroed());
    Ok(memory)
}

/// Pieces of memory that tasks hand on to each other. The system clears a page before it is used for the first time, which
/// takes longer than the arithmetic that fills it.
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T> Pool<T> {
    /// A piece that was put back, or a new one.
    pub(crate) fn take(&self, new: impl FnOnce() -> Result<T>) -> Result<T> {
        let kept = self.pieces().pop();
        kept.map_or_else(new, Ok)
    }

    /// Puts a piece back for others.
    pub(crate) fn put(&self, piece: T) {
        self.pieces().push(piece);
    }

    fn pieces(&self) -> MutexGuard<'_, Vec<T>> {
        // Pushing and popping leave nothing half done, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most memory this process has had resident, in bytes; 0 where the system does not say (it is read from
/// `VmHWM` in `/proc/self/status`).
pub fn peak_memory_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| high_water_mark(&status))
        .unwrap_or(0)
}

/// Begins [`peak_memory_bytes`] anew with what is resident now, where the system can (Linux, `/proc/self/clear_refs`); elsewhere
/// the peak stays that of the whole process.
pub fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_water_mark_is_found_in_kibibytes() {
        assert_eq!(
            high_water_mark("Name:\tx\nVmHWM:\t    2048 kB\nThreads:\t1\n"),
            Some(2 * 1024 * 1024)
        );
        assert_eq!(high_water_mark("Name:\tx\n"), None);
        assert_eq!(high_water_mark("VmHWM: many kB"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_forgotten_peak_is_that_of_what_is_left() {
        const BYTES: usize = 256 << 20;
        let mut memory = Region::<u8>::zeroed("bytes", BYTES).unwrap();
        memory.touch();
        let with = peak_memory_bytes();
        drop(memory);
        forget_peak_memory();
        let without = peak_memory_bytes();
        // Other tests run meanwhile, but none takes as much.
        assert!(with - without > BYTES as u64 / 2, "{with} {without}");
    }

    #[test]
    fn words_are_zero_and_writable() {
        let mut words = Words::zeroed("arena", 3 << 18).unwrap();
        assert_eq!(words.len(), 3 << 18);
        assert!(words.iter().all(|&word| word == 0));
        words[(3 << 18) - 1] = 7;
        assert_eq!(words.iter().sum::<u64>(), 7);
        assert!(Words::zeroed("nothing", 0).unwrap().is_empty());
        assert_eq!(
            Region::copy_of("bytes", &[1u8, 2, 3]).unwrap().to_vec(),
            [1, 2, 3]
        );
    }

    #[test]
    fn too_much_memory_is_an_error() {
        assert!(Words::zeroed("arena", usize::MAX / 8).is_err());
        let error = Region::<f64>::zeroed("slots", usize::MAX / 8).err().unwrap();
        assert!(error.to_string().contains("slots"), "{error}");
    }
}
