//! Random limbs and small polynomials. All randomness comes from the caller's generator.

use rand_core::CryptoRng;

use crate::kernels::table;
use crate::{Modulus, Word};

/// Standard deviation of [`gaussian`].
pub const SIGMA: f64 = 3.19;
/// Largest absolute value of [`gaussian`]: 8.8σ. What is cut off has probability 2^−61.
pub const GAUSSIAN_BOUND: i8 = 28;

/// Entry k is ⌊2^63·P(|x| ≤ k)⌋ for x a discrete Gaussian of parameter [`SIGMA`] on the integers.
const CDT: [u64; GAUSSIAN_BOUND as usize] = [
    1153477452468229224,
    3349820430805593269,
    5245143829349442937,
    6727622992311224448,
    7778655094148702640,
    8454061963716837077,
    8847464427593976180,
    9055161697081982973,
    9154552593608142009,
    9197663240382149864,
    9214612259843553561,
    9220652117835847120,
    9222602999767745940,
    9223174159202072685,
    9223325726613166616,
    9223362183234700013,
    9223370131440734059,
    9223371702107022666,
    9223371983440126813,
    9223372029115264285,
    9223372035836683724,
    9223372036733212516,
    9223372036841602611,
    9223372036853480439,
    9223372036854660235,
    9223372036854766453,
    9223372036854775121,
    9223372036854775762,
];

/// Bytes that are drawn at once.
const PIECE: usize = 1024;

/// Uniform residues by masked rejection, from four bytes of the generator each for q < 2^32 and from eight otherwise, so
/// that both word widths draw the same numbers, and parts of a limb the same as the whole. Time depends on what is
/// rejected, which is public.
pub fn uniform<W: Word>(m: &Modulus<W>, rng: &mut (impl CryptoRng + ?Sized), limb: &mut [W]) {
    if m.bits() <= 32 {
        let (q, mask) = (m.value_u64(), u64::MAX >> (u64::BITS - m.bits()));
        uniform_from(rng, limb, |numbers: &[[u8; 4]], limb| {
            let mut kept = 0;
            for &bytes in numbers {
                let draw = u64::from(u32::from_le_bytes(bytes)) & mask;
                // What is rejected is overwritten by the next.
                if let Some(word) = limb.get_mut(kept) {
                    *word = W::from_u64(draw);
                }
                kept += usize::from(draw < q);
            }
            kept
        });
    } else {
        let keep = table::<W>(m.bits()).keep_below;
        uniform_from(rng, limb, |numbers, limb| keep(m, numbers, limb));
    }
}

/// Fills a limb with what `keep` leaves of numbers of so many bytes.
fn uniform_from<W: Word, const BYTES: usize>(
    rng: &mut (impl CryptoRng + ?Sized),
    limb: &mut [W],
    keep: impl Fn(&[[u8; BYTES]], &mut [W]) -> usize,
) {
    let (mut piece, mut done) = ([0; PIECE], 0);
    while let Some(missing) = limb.get_mut(done..).filter(|missing| !missing.is_empty()) {
        // Never more than what is missing: the last draw is one that is kept.
        let piece = &mut piece[..PIECE.min(missing.len() * BYTES)];
        rng.fill_bytes(piece);
        done += keep(piece.as_chunks::<BYTES>().0, missing);
    }
}

/// Uniform −1, 0, 1 from the high word of 3·u, u of 64 bits: constant time, bias below 2^−62.
pub fn ternary(rng: &mut (impl CryptoRng + ?Sized), small: &mut [i8]) {
    for x in small {
        let third = (u128::from(rng.next_u64()) * 3) >> 64;
        *x = third as i8 - 1;
    }
}

/// Discrete Gaussian integers of standard deviation [`SIGMA`], cut at ±[`GAUSSIAN_BOUND`]: 63 bits against the whole
/// cumulative table and one bit of sign, in constant time.
pub fn gaussian(rng: &mut (impl CryptoRng + ?Sized), small: &mut [i8]) {
    for x in small {
        let draw = rng.next_u64();
        let (uniform, negative) = (draw >> 1, (draw & 1) as i8);
        // Both sides are below 2^63: the top bit of the difference says uniform < entry.
        let size = CDT.iter().fold(0u8, |size, &entry| {
            size + (1 - (uniform.wrapping_sub(entry) >> 63) as u8)
        }) as i8;
        *x = (size ^ -negative) + negative;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_the_cumulative_distribution() {
        let density = |x: i32| (-f64::from(x * x) / (2.0 * SIGMA * SIGMA)).exp();
        let total: f64 = (-60..=60).map(density).sum();
        for (k, &entry) in (0..).zip(&CDT) {
            let expected: f64 = (-k..=k).map(density).sum::<f64>() / total;
            assert!(
                (entry as f64 / 2f64.powi(63) - expected).abs() < 1e-15,
                "P(|x| ≤ {k})"
            );
        }
        // The tail, which the sums above cannot see, shrinks with every entry.
        let tails = CDT.map(|entry| (1u64 << 63) - entry);
        for (k, pair) in (1..).zip(tails.windows(2)) {
            let expected: f64 = (k + 1..60).map(density).sum::<f64>() * 2.0 / total * 2f64.powi(63);
            assert!(
                (pair[1] as f64 - expected).abs() <= 1.0 + expected * 1e-9,
                "P(|x| > {k})"
            );
            assert!(pair[1] < pair[0]);
        }
    }
}
