//! The switching keys.

use std::collections::BTreeMap;

use cipherloom_plan::{KeyKind, Plan};
use serde::Serialize;

/// All switching keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeysReport {
    /// Bytes of all keys in the server's memory.
    pub memory_bytes: u64,
    /// Bytes of all keys in a file, where a seed stands for half of each.
    pub file_bytes: u64,
    /// Key switches of the whole run.
    pub uses: u64,
    /// The keys, in the order of the plan.
    pub keys: Vec<KeyReport>,
}

/// One switching key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyReport {
    /// `relinearise`, `rotate` or `conjugate`.
    pub kind: &'static str,
    /// Galois element; 0 for relinearisation.
    pub element: u32,
    /// Slots that it rotates by, to the left; negative to the right. With `conjugate`, the rotation besides.
    pub rotation: i32,
    /// The highest level at which it is used.
    pub level: u8,
    /// Uses in the whole run.
    pub uses: u32,
    /// Bytes in the server's memory.
    pub bytes: u64,
}

impl KeysReport {
    pub(super) fn new(plan: &Plan<'_>) -> Self {
        let parameters = plan.parameters();
        let rotations = rotations(parameters.log_n());
        let word_bytes = u64::from(parameters.word_bits() / 8);
        let conjugation = 1_u32 << (parameters.log_n() + 1);
        let keys: Vec<KeyReport> = plan
            .keys()
            .map(|key| {
                let (kind, element, rotation) = match key.kind {
                    KeyKind::Relinearise => ("relinearise", 0, 0),
                    KeyKind::ToSparse => ("to_sparse", 0, 0),
                    KeyKind::FromSparse => ("from_sparse", 0, 0),
                    KeyKind::Galois(element) => match rotations.get(&element) {
                        Some(&rotation) => ("rotate", element, rotation),
                        None => {
                            let mirrored = rotations.get(&conjugation.wrapping_sub(element));
                            ("conjugate", element, mirrored.copied().unwrap_or(0))
                        }
                    },
                };
                let bytes = parameters.key_words(&key) * word_bytes;
                KeyReport {
                    kind,
                    element,
                    rotation,
                    level: key.level,
                    uses: key.uses,
                    bytes,
                }
            })
            .collect();
        let q = parameters.q();
        let p = parameters.p();
        let packed = |level: u8| -> u64 {
            let primes = q.iter().take(usize::from(level) + 1).chain(p.iter());
            let bits: u64 = primes
                .map(|prime| u64::from(u64::BITS - prime.leading_zeros()))
                .sum();
            u64::from(parameters.digits(level)) * ((bits << parameters.log_n()) / 8) + 32
        };
        Self {
            memory_bytes: keys.iter().map(|key| key.bytes).sum(),
            file_bytes: keys.iter().map(|key| packed(key.level)).sum(),
            uses: keys.iter().map(|key| u64::from(key.uses)).sum(),
            keys,
        }
    }
}

/// The rotation of every Galois element that is a power of 5 modulo 2N, between −N/4 and N/4.
fn rotations(log_n: u8) -> BTreeMap<u32, i32> {
    let slots = 1_i64 << (log_n - 1);
    let mask = (1_u64 << (log_n + 1)) - 1;
    let mut element = 1_u64;
    (0..slots)
        .map(|steps| {
            let entry = (
                element as u32,
                if steps > slots / 2 { steps - slots } else { steps } as i32,
            );
            element = (element * 5) & mask;
            entry
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galois_elements_are_rotations() {
        // N = 16: 8 slots, powers of 5 modulo 32 are 1 5 25 29 17 21 9 13.
        let rotations = rotations(4);
        assert_eq!(rotations.len(), 8);
        assert_eq!(rotations[&5], 1);
        assert_eq!(rotations[&17], 4);
        assert_eq!(rotations[&13], -1);
        assert!(!rotations.contains_key(&31), "−1 is no power of 5");
    }
}
