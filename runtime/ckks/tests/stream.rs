//! The client for small machines against the whole-polynomial functions, with 64-bit words here: the same ciphertexts but
//! for the rounding of the message.

use chacha20::ChaCha20Rng;
use cipherloom_ckks::stream::{Client, Encoding, Factors, Roots, Slots, Ternary, fill_factors, fill_roots};
use cipherloom_ckks::{Basis, CkksError, Context, Encoder, Parameters, SecretKey, encrypt, scratch};
use cipherloom_ring::limb;
use cipherloom_ring::pack::{pack, packed_bytes, unpack};
use cipherloom_ring::prime::primes_below;
use rand_core::SeedableRng;

const SECRET: [u8; 32] = [7; 32];
const SEED: [u8; 32] = [8; 32];

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([9; 32])
}

/// The same key holder twice: with whole polynomials of 64-bit words, and streaming with 32-bit words.
struct Pair {
    parameters: Parameters,
    tables: Vec<u64>,
    factors: Vec<f64>,
    roots: Vec<u32>,
    fixed: Vec<i32>,
    secret: Vec<u64>,
}

impl Pair {
    fn new(log_n: u32, limbs: usize) -> Self {
        // The largest primes that fit, then a smaller one: limbs of unequal width.
        let mut q: Vec<u64> = primes_below(1 << 30, log_n).take(limbs - 1).collect();
        q.extend(primes_below(1 << 27, log_n).take(1));
        let parameters = Parameters::new(log_n, &q, &[], 1).unwrap();
        let n = parameters.degree();
        let mut roots = vec![0; q.len() * n];
        for (&prime, table) in q.iter().zip(roots.chunks_exact_mut(n)) {
            fill_roots(log_n, prime, table).unwrap();
        }
        let tables = vec![0; Context::<u64>::memory_words(&parameters)];
        let factors = vec![0.0; Encoder::memory_f64(log_n)];
        let mut fixed = vec![0; n];
        fill_factors(log_n, &mut fixed).unwrap();
        let secret = vec![0; SecretKey::<u64>::memory_words(&parameters)];
        Self {
            parameters,
            tables,
            factors,
            roots,
            fixed,
            secret,
        }
    }

    /// Runs a test with a context, encoder and secret, and with clients of both table policies.
    fn with(mut self, test: impl Fn(&Context<'_, u64>, &Encoder<'_>, &SecretKey<'_, u64>, &[Client<'_>])) {
        let log_n = self.parameters.log_n;
        let q = self.parameters.q.clone();
        let clients = [
            (Roots::Computed, Factors::Computed),
            (Roots::Stored(&self.roots), Factors::Stored(&self.fixed)),
        ]
        .map(|(roots, factors)| Client::new(log_n, q.iter().copied(), roots, factors).unwrap());
        let ctx = Context::new(self.parameters, &mut self.tables).unwrap();
        let encoder = Encoder::new(log_n, &mut self.factors).unwrap();
        let secret = SecretKey::from_seed(&ctx, &SECRET, &mut self.secret).unwrap();
        test(&ctx, &encoder, &secret, &clients);
    }
}

/// Slot values with zeros, both signs and both ends of the range.
fn values(slots: usize) -> Vec<f64> {
    (0..slots)
        .map(|j| ((j * j * 37 + j * 5) % 2001) as f64 / 1000.0 - 1.0)
        .collect()
}

fn encode(ctx: &Context<'_, u64>, encoder: &Encoder<'_>, encoding: Encoding) -> Vec<u64> {
    let mut plaintext = vec![0; ctx.parameters.plaintext_words(encoding.level)];
    let mut work = vec![0.0; scratch::encode_scratch(&ctx.parameters)];
    let values = values(ctx.parameters.slots());
    let (scale, level) = (encoding.scale, encoding.level);
    encoder
        .encode_real(ctx, &values, scale, level, Basis::Q, &mut plaintext, &mut work)
        .unwrap();
    plaintext
}

fn packed(ctx: &Context<'_, u64>, polynomial: &[u64]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for (i, limb) in polynomial.chunks_exact(ctx.parameters.degree()).enumerate() {
        let (start, bits) = (bytes.len(), ctx.ring.modulus(i).bits());
        bytes.resize(start + packed_bytes(limb.len(), bits), 0);
        pack(limb, bits, &mut bytes[start..]);
    }
    bytes
}

fn slots(log_n: u32, memory: &mut [u32]) -> Slots<'_> {
    let mut slots = Slots::new(log_n, 1.0, memory).unwrap();
    for (j, value) in values(slots.slots()).into_iter().enumerate() {
        slots.set(j, value).unwrap();
    }
    slots
}

fn unpacked(ctx: &Context<'_, u64>, level: usize, mut bytes: &[u8]) -> Vec<u64> {
    let mut polynomial = vec![0; ctx.parameters.plaintext_words(level)];
    for (i, limb) in polynomial.chunks_exact_mut(ctx.parameters.degree()).enumerate() {
        let modulus = ctx.ring.modulus(i);
        unpack(bytes, modulus.bits(), modulus, limb).unwrap();
        bytes = &bytes[packed_bytes(limb.len(), modulus.bits())..];
    }
    assert!(bytes.is_empty());
    polynomial
}

/// The coefficients by which two polynomials in NTT form differ; the same small integers modulo every prime.
fn differences(ctx: &Context<'_, u64>, level: usize, a: &[u64], b: &[u64]) -> Vec<i64> {
    let n = ctx.parameters.degree();
    let mut limbs = (0..=level).map(|i| {
        let modulus = ctx.ring.modulus(i);
        let mut limb = vec![0; n];
        limb::sub(modulus, &mut limb, &a[i * n..(i + 1) * n], &b[i * n..(i + 1) * n]);
        ctx.ring.ntt_inverse(i, &mut limb);
        let centred = limb.iter().map(|&x| {
            if x > modulus.value() / 2 {
                x as i64 - modulus.value() as i64
            } else {
                x as i64
            }
        });
        centred.collect::<Vec<_>>()
    });
    let first = limbs.next().unwrap();
    assert!(limbs.all(|limb| limb == first));
    first
}

/// Fails unless two plaintexts differ by rounding only. The scale is 1/4 of the fixed point's units or less.
fn assert_rounding(differences: &[i64]) {
    assert!(
        differences.iter().all(|&difference| difference.abs() <= 2),
        "{differences:?}"
    );
    let differing = differences.iter().filter(|&&difference| difference != 0).count();
    assert!(
        differing * 3 < differences.len(),
        "{differing} of {} coefficients",
        differences.len()
    );
}

#[test]
fn symmetric_ciphertexts_are_those_of_whole_polynomials() {
    for (log_n, limbs) in [(6, 1), (7, 2), (12, 2), (13, 3)] {
        Pair::new(log_n, limbs).with(|ctx, encoder, secret, clients| {
            for level in 0..limbs {
                let encoding = Encoding {
                    scale: 2f64.powi(27) * 0.99,
                    level,
                };
                let plaintext = encode(ctx, encoder, encoding);
                let mut c0 = vec![0; plaintext.len()];
                let mut work = vec![0; scratch::encrypt_symmetric_scratch(&ctx.parameters, level)];
                encrypt::encrypt_symmetric(
                    ctx,
                    secret,
                    &plaintext,
                    level,
                    &SEED,
                    &mut rng(),
                    &mut c0,
                    &mut work,
                )
                .unwrap();
                let mut ciphertexts = clients.iter().map(|client| {
                    let mut memory = vec![!0; Slots::memory_words(log_n)];
                    let mut packed_secret = vec![!0; Ternary::memory_words(log_n)];
                    let mut bytes: Vec<u8> = Vec::new();
                    let secret = Ternary::secret(log_n, &SECRET, &mut packed_secret).unwrap();
                    let message = slots(log_n, &mut memory);
                    client
                        .encrypt_symmetric(&secret, message, encoding, &SEED, &mut rng(), |piece| {
                            bytes.extend(piece)
                        })
                        .unwrap();
                    assert_eq!(bytes.len(), client.polynomial_bytes(level));
                    drop(secret);
                    assert!(
                        memory.iter().chain(&packed_secret).all(|&word| word == 0),
                        "secrets are left behind"
                    );
                    bytes
                });
                let (computed, stored) = (ciphertexts.next().unwrap(), ciphertexts.next().unwrap());
                assert!(computed == stored, "N = 2^{log_n}, level {level}");
                assert_rounding(&differences(ctx, level, &unpacked(ctx, level, &computed), &c0));
            }
        });
    }
}

#[test]
fn public_ciphertexts_are_those_of_whole_polynomials() {
    for (log_n, limbs) in [(6, 2), (12, 2)] {
        Pair::new(log_n, limbs).with(|ctx, encoder, secret, clients| {
            let mut public = vec![0; encrypt::public_key_words(&ctx.parameters)];
            encrypt::generate_public_key(ctx, secret, &SEED, &mut rng(), &mut public).unwrap();
            let half = packed(ctx, &public[..public.len() / 2]);
            let key: Vec<u8> = SEED.iter().chain(&half).copied().collect();
            for level in 0..limbs {
                let encoding = Encoding {
                    scale: 2f64.powi(26),
                    level,
                };
                let plaintext = encode(ctx, encoder, encoding);
                let mut ciphertext = vec![0; ctx.parameters.ciphertext_words(level, 1)];
                let mut work = vec![0; scratch::encrypt_public_scratch(&ctx.parameters, level)];
                encrypt::encrypt_public(
                    ctx,
                    &public,
                    &plaintext,
                    level,
                    &mut rng(),
                    &mut ciphertext,
                    &mut work,
                )
                .unwrap();
                let (c0, c1) = ciphertext.split_at(plaintext.len());
                let mut ciphertexts = clients.iter().map(|client| {
                    let mut memory = vec![!0; Slots::memory_words(log_n)];
                    let mut ephemeral = vec![!0; Ternary::memory_words(log_n)];
                    let mut bytes: Vec<u8> = Vec::new();
                    let mut ephemeral = Ternary::empty(log_n, &mut ephemeral).unwrap();
                    let message = slots(log_n, &mut memory);
                    client
                        .encrypt_public(&key, message, encoding, &mut ephemeral, &mut rng(), |piece| {
                            bytes.extend(piece)
                        })
                        .unwrap();
                    bytes
                });
                let (computed, stored) = (ciphertexts.next().unwrap(), ciphertexts.next().unwrap());
                assert!(computed == stored, "N = 2^{log_n}, level {level}");
                let (first, second) = computed.split_at(computed.len() / 2);
                assert_rounding(&differences(ctx, level, &unpacked(ctx, level, first), c0));
                assert!(second == packed(ctx, c1));
            }
        });
    }
}

#[test]
fn decrypted_slots_are_those_of_whole_polynomials() {
    for log_n in [6, 12] {
        Pair::new(log_n, 2).with(|ctx, encoder, secret, clients| {
            let encoding = Encoding {
                scale: 2f64.powi(25),
                level: 0,
            };
            let mut ciphertext = encode(ctx, encoder, encoding);
            let mut c1 = vec![0; ciphertext.len()];
            let plaintext = ciphertext.clone();
            let mut work = vec![0; scratch::encrypt_symmetric_scratch(&ctx.parameters, 0)];
            encrypt::encrypt_symmetric(
                ctx,
                secret,
                &plaintext,
                0,
                &SEED,
                &mut rng(),
                &mut ciphertext,
                &mut work,
            )
            .unwrap();
            encrypt::expand_c1(ctx, &SEED, 0, &mut c1).unwrap();
            let halves = [packed(ctx, &ciphertext), packed(ctx, &c1)];

            ciphertext.extend(c1);
            let mut plaintext = vec![0; plaintext.len()];
            encrypt::decrypt(ctx, secret, &ciphertext, 0, 1, &mut plaintext).unwrap();
            let (mut re, mut im) = (
                vec![0.0; ctx.parameters.slots()],
                vec![0.0; ctx.parameters.slots()],
            );
            let mut work = vec![0; scratch::decode_scratch(&ctx.parameters, 0)];
            encoder
                .decode(ctx, &plaintext, 0, encoding.scale, &mut re, &mut im, &mut work)
                .unwrap();
            for client in clients {
                let mut memory = vec![0; Slots::memory_words(log_n)];
                let mut packed_secret = vec![0; Ternary::memory_words(log_n)];
                let secret = Ternary::secret(log_n, &SECRET, &mut packed_secret).unwrap();
                let empty = Slots::new(log_n, 1.0, &mut memory).unwrap();
                let decrypted = client
                    .decrypt(&secret, [&halves[0], &halves[1]], encoding.scale, empty)
                    .unwrap();
                for (j, (&expected, value)) in re.iter().zip(values(re.len())).enumerate() {
                    // Rounding in units of 2^-28, growing with the square root of N.
                    assert!((decrypted.get(j) - expected).abs() < 1e-6, "slot {j}");
                    assert!((expected - value).abs() < 1e-3);
                }
            }
        });
    }
}

#[test]
fn stored_roots_are_the_ring_s() {
    // The table as residues: what the ring's transform multiplies by, times 2^32.
    let (log_n, prime) = (6, primes_below(1 << 30, 6).next().unwrap());
    let mut table = vec![0; 64];
    fill_roots(log_n, prime, &mut table).unwrap();
    // The last stage ends with the roots of unity themselves, all different.
    let mut stage = table[32..].to_vec();
    stage.sort_unstable();
    stage.dedup();
    assert_eq!(stage.len(), 32);
    assert!(stage.iter().all(|&root| u64::from(root) < prime && root != 0));
}

#[test]
fn mistakes_are_refused() {
    let primes = || primes_below(1 << 30, 6).take(2);
    let client = Client::new(6, primes(), Roots::Computed, Factors::Computed).unwrap();
    let encrypt = |bound: f64, scale: f64, level: usize| {
        let mut memory = vec![0; Slots::memory_words(6)];
        let mut packed_secret = vec![0; Ternary::memory_words(6)];
        let secret = Ternary::secret(6, &SECRET, &mut packed_secret).unwrap();
        let mut message = Slots::new(6, bound, &mut memory).unwrap();
        (0..message.slots()).for_each(|slot| message.set(slot, bound).unwrap());
        client.encrypt_symmetric(
            &secret,
            message,
            Encoding { scale, level },
            &SEED,
            &mut rng(),
            |_| (),
        )
    };
    let highest = 1;
    assert_eq!(encrypt(1.0, 1e9, 1), Ok(()));
    assert_eq!(encrypt(1.0, 1e9, 2), Err(CkksError::Level { level: 2, highest }));
    assert_eq!(encrypt(3.0, 1e9, 1), Err(CkksError::TooLarge));
    assert_eq!(encrypt(1.0, 0.0, 1), Err(CkksError::Scale));
    assert_eq!(encrypt(1.0, f64::NAN, 1), Err(CkksError::NotFinite));
    assert!(Client::new(5, primes(), Roots::Computed, Factors::Computed).is_err());
    assert!(Client::new(6, primes(), Roots::Computed, Factors::Stored(&[0; 10])).is_err());

    let mut memory = vec![0; Slots::memory_words(6)];
    for bound in [-1.0, 0.0, f64::NAN, f64::INFINITY, 1e30] {
        assert_eq!(Slots::new(6, bound, &mut memory).err(), Some(CkksError::TooLarge));
    }
    assert!(Slots::new(6, 1.0, &mut memory[1..]).is_err());
    let mut message = Slots::new(6, 3.0, &mut memory).unwrap();
    for value in [3.0, -3.0, 0.0, -0.0, 1e-310, 2.9999999999] {
        assert_eq!(message.set(31, value), Ok(()));
    }
    for value in [3.0000000001, -3.1, f64::NAN, -f64::NAN, f64::INFINITY] {
        assert_eq!(message.set(31, value), Err(CkksError::TooLarge), "{value}");
    }
    assert!(message.set(32, 1.0).is_err());
    drop(message);

    let mut packed_secret = vec![0; Ternary::memory_words(6)];
    let secret = Ternary::secret(6, &SECRET, &mut packed_secret).unwrap();
    // Too short; and a residue of 2^30 - 1, which is not below the prime.
    for (c0, c1) in [
        ([0; 239].as_slice(), [0; 240].as_slice()),
        (&[0; 240], &[0; 239]),
        (&[0xff; 240], &[0; 240]),
    ] {
        let empty = Slots::new(6, 1.0, &mut memory).unwrap();
        assert!(client.decrypt(&secret, [c0, c1], 1e9, empty).is_err());
    }
}
