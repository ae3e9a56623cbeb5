//! A key holder and a server in one, on small rings.
#![allow(dead_code, reason = "each test file uses its part")]

use chacha20::ChaCha20Rng;
use cipherloom_ckks::{
    Basis, Context, ERROR_STD, Encoder, Parameters, SecretKey, encrypt, evaluate, keys, scratch, switch,
};
use cipherloom_ring::{Word, automorphism, prime};
use rand_core::{Rng, SeedableRng};

pub const SEED: [u8; 32] = [7; 32];
pub const VARIANCE: f64 = ERROR_STD * ERROR_STD;

/// Distinct primes near 2^bits: as many as `count`, after the first `skip`.
pub fn primes(bits: u32, log_n: u32, skip: usize, count: usize) -> Vec<u64> {
    prime::primes_near(1 << bits, log_n)
        .skip(skip)
        .take(count)
        .collect()
}

/// Primes below 2^30, which both word widths take.
pub fn small_primes(log_n: u32, skip: usize, count: usize) -> Vec<u64> {
    prime::primes_below(1 << 30, log_n)
        .skip(skip)
        .take(count)
        .collect()
}

pub struct Kit<W: Word> {
    pub ctx: Context<'static, W>,
    pub encoder: Encoder<'static>,
    pub secret: SecretKey<'static, W>,
    pub rng: ChaCha20Rng,
    nonce: u8,
}

pub fn leak<T: Clone + Default>(len: usize) -> &'static mut [T] {
    vec![T::default(); len].leak()
}

impl<W: Word> Kit<W> {
    pub fn new(log_n: u32, q: &[u64], p: &[u64], digit_limbs: u32) -> Self {
        let parameters = Parameters::new(log_n, q, p, digit_limbs).unwrap();
        let ctx = Context::new(parameters.clone(), leak(Context::<W>::memory_words(&parameters))).unwrap();
        let encoder = Encoder::new(log_n, leak(Encoder::memory_f64(log_n))).unwrap();
        let secret =
            SecretKey::from_seed(&ctx, &SEED, leak(SecretKey::<W>::memory_words(&parameters))).unwrap();
        Self {
            ctx,
            encoder,
            secret,
            rng: ChaCha20Rng::from_seed([3; 32]),
            nonce: 0,
        }
    }

    pub fn parameters(&self) -> &Parameters {
        &self.ctx.parameters
    }

    pub fn fresh_seed(&mut self) -> [u8; 32] {
        self.nonce += 1;
        [self.nonce; 32]
    }

    /// As many random complex numbers in the unit square as there are slots.
    pub fn random_slots(&mut self) -> Vec<(f64, f64)> {
        let mut unit = || (self.rng.next_u32() as f64 / u32::MAX as f64) * 2.0 - 1.0;
        (0..self.ctx.parameters.slots())
            .map(|_| (unit(), unit()))
            .collect()
    }

    pub fn encode(&self, values: &[(f64, f64)], scale: f64, level: usize, basis: Basis) -> Vec<W> {
        let (re, im): (Vec<f64>, Vec<f64>) = values.iter().copied().unzip();
        let words = match basis {
            Basis::Q => self.parameters().plaintext_words(level),
            Basis::Qp => self.parameters().qp_words(level, 0),
        };
        let mut plaintext = vec![W::ZERO; words];
        let mut work = vec![0.0; scratch::encode_scratch(self.parameters())];
        self.encoder
            .encode_complex(
                &self.ctx,
                &re,
                &im,
                scale,
                level,
                basis,
                &mut plaintext,
                &mut work,
            )
            .unwrap();
        plaintext
    }

    pub fn decode(&self, plaintext: &[W], level: usize, scale: f64) -> Vec<(f64, f64)> {
        let slots = self.parameters().slots();
        let (mut re, mut im) = (vec![0.0; slots], vec![0.0; slots]);
        let mut work = vec![W::ZERO; scratch::decode_scratch(self.parameters(), level)];
        self.encoder
            .decode(&self.ctx, plaintext, level, scale, &mut re, &mut im, &mut work)
            .unwrap();
        re.into_iter().zip(im).collect()
    }

    pub fn encrypt_plaintext(&mut self, plaintext: &[W], level: usize) -> Vec<W> {
        let seed = self.fresh_seed();
        let mut ct = vec![W::ZERO; self.parameters().ciphertext_words(level, 1)];
        let (c0, c1) = ct.split_at_mut(self.ctx.parameters.plaintext_words(level));
        let mut work = vec![W::ZERO; scratch::encrypt_symmetric_scratch(&self.ctx.parameters, level)];
        encrypt::encrypt_symmetric(
            &self.ctx,
            &self.secret,
            plaintext,
            level,
            &seed,
            &mut self.rng,
            c0,
            &mut work,
        )
        .unwrap();
        encrypt::expand_c1(&self.ctx, &seed, level, c1).unwrap();
        ct
    }

    pub fn encrypt(&mut self, values: &[(f64, f64)], scale: f64, level: usize) -> Vec<W> {
        let plaintext = self.encode(values, scale, level, Basis::Q);
        self.encrypt_plaintext(&plaintext, level)
    }

    pub fn decrypt_plaintext(&self, ct: &[W], level: usize) -> Vec<W> {
        let words = self.parameters().plaintext_words(level);
        let mut plaintext = vec![W::ZERO; words];
        encrypt::decrypt(
            &self.ctx,
            &self.secret,
            ct,
            level,
            ct.len() / words - 1,
            &mut plaintext,
        )
        .unwrap();
        plaintext
    }

    pub fn decrypt(&self, ct: &[W], level: usize, scale: f64) -> Vec<(f64, f64)> {
        self.decode(&self.decrypt_plaintext(ct, level), level, scale)
    }

    /// The coefficients modulo q_0 of a difference of plaintexts, centred.
    pub fn coefficients(&self, a: &[W], b: &[W]) -> Vec<f64> {
        let modulus = self.ctx.ring.modulus(0);
        let n = self.parameters().degree();
        let mut limb: Vec<W> = a[..n]
            .iter()
            .zip(&b[..n])
            .map(|(&a, &b)| modulus.sub(a, b))
            .collect();
        self.ctx.ring.ntt_inverse(0, &mut limb);
        let q = modulus.value_u64();
        let centre = |x: u64| if x > q / 2 { -((q - x) as f64) } else { x as f64 };
        limb.into_iter().map(|x| centre(x.to_u64())).collect()
    }

    pub fn relinearisation_key(&mut self, cap: usize) -> Vec<W> {
        let seed = self.fresh_seed();
        let mut key = vec![W::ZERO; self.parameters().switching_key_words::<W>(cap)];
        let mut work = vec![W::ZERO; scratch::generate_key_scratch(self.parameters(), cap)];
        keys::generate_relinearisation_key(
            &self.ctx,
            &self.secret,
            cap,
            &seed,
            &mut self.rng,
            &mut key,
            &mut work,
        )
        .unwrap();
        key
    }

    pub fn galois_key(&mut self, element: u32, cap: usize) -> Vec<W> {
        let seed = self.fresh_seed();
        let mut key = vec![W::ZERO; self.parameters().switching_key_words::<W>(cap)];
        let mut work = vec![W::ZERO; scratch::generate_key_scratch(self.parameters(), cap)];
        keys::generate_galois_key(
            &self.ctx,
            &self.secret,
            element,
            cap,
            &seed,
            &mut self.rng,
            &mut key,
            &mut work,
        )
        .unwrap();
        key
    }

    pub fn element(&self, steps: i64) -> u32 {
        automorphism::galois_element(self.parameters().log_n, steps)
    }

    pub fn rotate(&self, element: u32, ct: &[W], level: usize, key: &[W], cap: usize) -> Vec<W> {
        let mut dst = vec![W::ZERO; self.parameters().ciphertext_words(level, 1)];
        let mut work = vec![W::ZERO; scratch::rotate_scratch(self.parameters(), level)];
        switch::rotate(&self.ctx, level, element, &mut dst, ct, key, cap, &mut work).unwrap();
        dst
    }

    pub fn mul(&self, a: &[W], b: &[W], level: usize) -> Vec<W> {
        let mut dst = vec![W::ZERO; self.parameters().ciphertext_words(level, 2)];
        evaluate::mul(&self.ctx, level, &mut dst, a, b).unwrap();
        dst
    }

    pub fn relinearize(&self, ct: &[W], level: usize, key: &[W], cap: usize) -> Vec<W> {
        let mut dst = vec![W::ZERO; self.parameters().ciphertext_words(level, 1)];
        let mut work = vec![W::ZERO; scratch::relinearize_scratch(self.parameters(), level)];
        switch::relinearize(&self.ctx, level, &mut dst, ct, key, cap, &mut work).unwrap();
        dst
    }

    pub fn rescale(&self, ct: &[W], level: usize) -> Vec<W> {
        let degree = ct.len() / self.parameters().plaintext_words(level) - 1;
        let mut dst = vec![W::ZERO; self.parameters().ciphertext_words(level - 1, degree)];
        let mut work = vec![W::ZERO; scratch::rescale_scratch(self.parameters(), level)];
        evaluate::rescale(&self.ctx, level, degree, &mut dst, ct, &mut work).unwrap();
        dst
    }

    /// Variance per coefficient that one key switch adds at a level (the formula of the `switch` module).
    pub fn switch_variance(&self, level: usize) -> f64 {
        let p: f64 = self.parameters().p.iter().map(|&p| p as f64).product();
        let n = self.parameters().degree() as f64;
        let digits = self.parameters().q[..=level].chunks(self.parameters().digit_limbs as usize);
        let digits: f64 = digits
            .map(|digit| digit.iter().map(|&q| q as f64).product::<f64>() / p)
            .map(|x| x * x)
            .sum();
        n * VARIANCE * digits / 12.0 + self.rounding_variance()
    }

    /// Variance per coefficient of the rounding in a rescale or mod-down of degree 1.
    pub fn rounding_variance(&self) -> f64 {
        (1.0 + 2.0 * self.parameters().degree() as f64 / 3.0) / 12.0
    }
}

pub fn standard_deviation(values: &[f64]) -> f64 {
    (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt()
}

/// The standard deviation of one real part of a slot's error.
pub fn slot_error(a: &[(f64, f64)], b: &[(f64, f64)]) -> f64 {
    assert_eq!(a.len(), b.len());
    let parts: Vec<f64> = a
        .iter()
        .zip(b)
        .flat_map(|(a, b)| [a.0 - b.0, a.1 - b.1])
        .collect();
    standard_deviation(&parts)
}

pub fn largest_error(a: &[(f64, f64)], b: &[(f64, f64)]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a.0 - b.0).abs().max((a.1 - b.1).abs()))
        .fold(0.0, f64::max)
}

/// Standard deviations agree to 15 %; with a thousand samples the sampling error is about 2 %.
#[track_caller]
pub fn assert_predicted(measured: f64, predicted: f64) {
    assert!(
        (0.85 * predicted..=1.15 * predicted).contains(&measured),
        "measured {measured}, predicted {predicted}"
    );
}

pub fn map2(
    a: &[(f64, f64)],
    b: &[(f64, f64)],
    f: impl Fn((f64, f64), (f64, f64)) -> (f64, f64),
) -> Vec<(f64, f64)> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

pub fn complex_mul(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

pub fn rotated(a: &[(f64, f64)], steps: i64) -> Vec<(f64, f64)> {
    let n = a.len() as i64;
    (0..n).map(|j| a[(j + steps).rem_euclid(n) as usize]).collect()
}
