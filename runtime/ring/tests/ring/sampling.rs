use cipherloom_ring::{Modulus, sample};

use crate::rng;

const SAMPLES: usize = 1 << 18;

/// Mean and variance.
fn moments(samples: &[i8]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = samples
        .iter()
        .map(|&x| (f64::from(x) - mean).powi(2))
        .sum::<f64>()
        / n;
    (mean, variance)
}

#[test]
fn gaussian_has_its_moments_and_shape() {
    let mut samples = vec![0; SAMPLES];
    sample::gaussian(&mut rng(1), &mut samples);
    let (mean, variance) = moments(&samples);
    // Five standard errors: σ/√n and σ²·√(2/n).
    let n = SAMPLES as f64;
    assert!(mean.abs() < 5.0 * sample::SIGMA / n.sqrt(), "mean {mean}");
    let expected = sample::SIGMA.powi(2);
    assert!(
        (variance - expected).abs() < 5.0 * expected * (2.0 / n).sqrt(),
        "variance {variance}"
    );
    assert!(samples.iter().all(|x| x.abs() <= sample::GAUSSIAN_BOUND));
    let density = |x: i8| (-f64::from(x).powi(2) / (2.0 * expected)).exp();
    let total: f64 = (-40..=40).map(density).sum();
    for value in -12i8..=12 {
        let probability = density(value) / total;
        let count = samples.iter().filter(|&&x| x == value).count() as f64;
        let deviation = (n * probability * (1.0 - probability)).sqrt();
        assert!(
            (count - n * probability).abs() < 5.0 * deviation,
            "{value}: {count}"
        );
    }
}

#[test]
fn ternary_is_uniform() {
    let mut samples = vec![0; SAMPLES];
    sample::ternary(&mut rng(2), &mut samples);
    let n = SAMPLES as f64;
    let deviation = (n * 2.0 / 9.0).sqrt();
    for value in -1i8..=1 {
        let count = samples.iter().filter(|&&x| x == value).count() as f64;
        assert!((count - n / 3.0).abs() < 5.0 * deviation, "{value}: {count}");
    }
    assert!(samples.iter().all(|x| (-1..=1).contains(x)));
}

#[test]
fn uniform_fills_the_interval_evenly() {
    // Just above and just below a power of two: rejection of half of the draws and of none.
    for q in [(1u64 << 60) + 33, (1 << 60) - 93, (1 << 30) - 35, 17] {
        let m = Modulus::<u64>::new(q).unwrap();
        let mut limb = vec![0; SAMPLES];
        sample::uniform(&m, &mut rng(q), &mut limb);
        assert!(limb.iter().all(|&x| x < q));
        let mut bins = [0u32; 16];
        for &x in &limb {
            bins[(u128::from(x) * 16 / u128::from(q)) as usize] += 1;
        }
        let mut statistic = 0.0;
        for (bin, &count) in bins.iter().enumerate() {
            let bin = bin as u128;
            let width = ((bin + 1) * u128::from(q)).div_ceil(16) - (bin * u128::from(q)).div_ceil(16);
            let expected = SAMPLES as f64 * width as f64 / q as f64;
            statistic += (f64::from(count) - expected).powi(2) / expected;
        }
        // χ² with 15 degrees of freedom is above 50 with probability 1e-5.
        assert!(statistic < 50.0, "χ² = {statistic} for {q}");
    }
}

#[test]
fn both_widths_draw_the_same_numbers() {
    for q in [(1u64 << 30) - 35, (1 << 29) + 11, 257] {
        let (mut narrow, mut wide) = (vec![0u32; 1000], vec![0u64; 1000]);
        sample::uniform(&Modulus::new(q).unwrap(), &mut rng(5), &mut narrow);
        sample::uniform(&Modulus::new(q).unwrap(), &mut rng(5), &mut wide);
        assert!(narrow.iter().map(|&x| u64::from(x)).eq(wide));
    }
}
