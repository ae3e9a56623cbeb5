//! Memory that a plan asks for, and how much this process has used.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use memmap2::MmapMut;
use rayon::prelude::*;

use crate::error::{HostError, Result};

/// Words for keys, tables and the arena: zero at first, starting on a page, and on huge pages where the system has them.
/// A limb of 512 KiB on small pages costs more in faults and TLB misses than some kernels cost in arithmetic.
#[derive(Default)]
pub struct Words {
    /// None where there are no words: no mapping is empty.
    memory: Option<MmapMut>,
}

impl Words {
    /// `count` zeros, or an error when there is no room for them.
    pub fn zeroed(what: &'static str, count: usize) -> Result<Self> {
        if count == 0 {
            return Ok(Self::default());
        }
        let bytes = count.saturating_mul(size_of::<u64>());
        let memory = MmapMut::map_anon(bytes).map_err(|_| HostError::Memory { what, bytes })?;
        // Advice: a system without huge pages refuses it, and nothing but speed is lost.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        Ok(Self { memory: Some(memory) })
    }

    /// Has the system provide all pages now, on all threads, and not in the first step of a run.
    pub(crate) fn touch(&mut self) {
        // What one thread provides at a time: a huge page; and a word in every small page, should there be none.
        const PART_WORDS: usize = (2 << 20) / size_of::<u64>();
        const PAGE_WORDS: usize = (4 << 10) / size_of::<u64>();
        self.par_chunks_mut(PART_WORDS)
            .for_each(|part| part.iter_mut().step_by(PAGE_WORDS).for_each(|word| *word = 0));
    }
}

impl Deref for Words {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        // A mapping starts on a page, so it is aligned for words.
        self.memory.as_deref().map_or(&[], bytemuck::cast_slice)
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u64] {
        self.memory
            .as_deref_mut()
            .map_or(&mut [], bytemuck::cast_slice_mut)
    }
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

/// `count` zeros, or an error instead of an abort when a plan asks for more than there is.
pub(crate) fn zeroed<T: Clone + Default>(what: &'static str, count: usize) -> Result<Vec<T>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(count).map_err(|_| HostError::Memory {
        what,
        bytes: count.saturating_mul(size_of::<T>()),
    })?;
    memory.resize(count, T::default());
    Ok(memory)
}

/// The most memory this process has had resident, in bytes; 0 where the system does not say (it is read from
/// `VmHWM` in `/proc/self/status`).
pub fn peak_memory_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| high_water_mark(&status))
        .unwrap_or(0)
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

    #[test]
    fn words_are_zero_and_writable() {
        let mut words = Words::zeroed("arena", 3 << 18).unwrap();
        assert_eq!(words.len(), 3 << 18);
        assert!(words.iter().all(|&word| word == 0));
        words[(3 << 18) - 1] = 7;
        assert_eq!(words.iter().sum::<u64>(), 7);
        assert!(Words::zeroed("nothing", 0).unwrap().is_empty());
    }

    #[test]
    fn too_much_memory_is_an_error() {
        assert!(Words::zeroed("arena", usize::MAX / 8).is_err());
        let error = zeroed::<u64>("arena", usize::MAX / 8).unwrap_err();
        assert!(error.to_string().contains("arena"), "{error}");
    }
}
