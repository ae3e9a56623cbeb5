//! Memory that a plan asks for, and how much this process has used.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::error::{HostError, Result};

/// Words for keys, tables and the arena: zero at first, starting on a page, and on huge pages where the system has them.
/// A limb of 512 KiB on small pages costs more in faults and TLB misses than some kernels cost in arithmetic.
pub(crate) struct Words {
    memory: MmapMut,
    count: usize,
}

impl Words {
    /// `count` zeros, or an error when there is no room for them.
    pub(crate) fn zeroed(what: &'static str, count: usize) -> Result<Self> {
        let bytes = count.saturating_mul(size_of::<u64>());
        // No mapping is empty.
        let memory = MmapMut::map_anon(bytes.max(1)).map_err(|_| HostError::Memory { what, bytes })?;
        // Advice: a system without huge pages refuses it, and nothing but speed is lost.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        Ok(Self { memory, count })
    }
}

impl Deref for Words {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        // A mapping starts on a page, so it is aligned for words.
        bytemuck::cast_slice(&self.memory[..self.count * size_of::<u64>()])
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u64] {
        bytemuck::cast_slice_mut(&mut self.memory[..self.count * size_of::<u64>()])
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
