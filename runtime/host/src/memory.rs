//! Memory that a plan asks for, and how much this process has used.

use crate::error::{HostError, Result};

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
    fn too_much_memory_is_an_error() {
        let error = zeroed::<u64>("arena", usize::MAX / 8).unwrap_err();
        assert!(error.to_string().contains("arena"), "{error}");
    }
}
