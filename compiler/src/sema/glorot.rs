//! Initial weights.

/// Glorot's uniform initialisation: `count` values in ±√(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).
///
/// For a shape `[out, in, …]`, fan_out is the first extent and fan_in the product of the others; a vector
/// `[in]` has fan_out 1. The values are a function of shape and seed alone: the generator is SplitMix64
/// (Steele, Lea and Flood, 2014) started at the seed, and the top 53 bits of each output make a number in
/// [0, 1).
pub fn glorot(shape: &[u32], seed: u64) -> Vec<f64> {
    let limit = glorot_limit(shape);
    let count = shape.iter().map(|&extent| extent as usize).product();
    let mut state = seed;
    (0..count)
        .map(|_| {
            let unit = (split_mix(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
            limit * (2.0 * unit - 1.0)
        })
        .collect()
}

/// The bound of [`glorot`]'s values.
pub(super) fn glorot_limit(shape: &[u32]) -> f64 {
    let product = |extents: &[u32]| extents.iter().map(|&extent| f64::from(extent)).product::<f64>();
    let (fan_out, fan_in) = match shape {
        [] | [_] => (1.0, product(shape)),
        [first, rest @ ..] => (f64::from(*first), product(rest)),
    };
    (6.0 / (fan_in + fan_out)).sqrt()
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{glorot, glorot_limit, split_mix};

    /// First outputs for seed 1234567, as published with the reference implementation.
    #[test]
    fn split_mix_matches_its_reference() {
        let mut state = 1_234_567;
        let outputs: Vec<u64> = (0..3).map(|_| split_mix(&mut state)).collect();
        assert_eq!(
            outputs,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    /// A uniform variable on ±l has variance l²/3; the mean of 12800 of them has standard deviation
    /// l/√(3·12800) ≈ 0.0051 l.
    #[test]
    fn values_are_uniform_within_the_limit() {
        let values = glorot(&[100, 128], 7);
        let limit = glorot_limit(&[100, 128]);
        assert!((limit - (6.0_f64 / 228.0).sqrt()).abs() < 1e-15);
        assert!(values.iter().all(|value| value.abs() <= limit));
        let mean = values.iter().sum::<f64>() / 12800.0;
        let variance = values.iter().map(|value| value * value).sum::<f64>() / 12800.0;
        assert!(mean.abs() < 5.0 * 0.0051 * limit, "{mean}");
        assert!(
            (variance / (limit * limit / 3.0) - 1.0).abs() < 0.05,
            "{variance}"
        );
        assert_ne!(values, glorot(&[100, 128], 8));
        assert_eq!(values, glorot(&[100, 128], 7));
    }
}
