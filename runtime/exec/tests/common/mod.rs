//! Toy plans built by hand, and a caller for the executor that encrypts what it asks for and decrypts what it
//! hands out.
#![allow(dead_code, reason = "each test file uses its part")]

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use cipherloom_ckks::{Basis, Context, Encoder, SecretKey, encrypt, keys, scratch, seed};
use cipherloom_exec::{Event, ExecError, Executor, Keys, Memory, Options, context_parameters};
use cipherloom_plan::data::*;
use cipherloom_plan::{Instruction, Op, Plan, verify_alloc};
use cipherloom_ring::Word;
use cipherloom_ring::prime::primes_near;
use std::collections::BTreeMap;

pub const LOG_N: u8 = 10;
pub const SLOTS: usize = 512;
pub const SCALE: f64 = (1u64 << 40) as f64;
pub const TOP: u8 = 4;
pub const SPECIAL: u64 = 2;

/// A toy plan under construction. Every value gets a buffer of its own.
pub struct Toy {
    pub data: PlanData,
    next_word: u64,
}

impl Toy {
    /// Five ordinary primes (one of 50 bits, four of 40), two special ones of 50 bits, digits of two limbs.
    pub fn new() -> Self {
        let wide: Vec<u64> = primes_near(1 << 50, u32::from(LOG_N)).take(3).collect();
        let mut q = vec![wide[0]];
        q.extend(primes_near(1 << 40, u32::from(LOG_N)).take(usize::from(TOP)));
        Self::with(64, q, wide[1..].to_vec(), SCALE.log2())
    }

    /// Primes below 2^30 only, for 32-bit words.
    pub fn narrow() -> Self {
        let below: Vec<u64> = cipherloom_ring::prime::primes_below(1 << 30, u32::from(LOG_N))
            .take(5)
            .collect();
        Self::with(32, below[2..].to_vec(), below[..2].to_vec(), 26.0)
    }

    fn with(word_bits: u8, q: Vec<u64>, p: Vec<u64>, log_scale: f64) -> Self {
        let parameters = Parameters {
            word_bits,
            log_n: LOG_N,
            log_scale,
            q,
            p,
            digit_limbs: 2,
            security_bits: 0,
            toy: true,
            steps: 0,
            ephemeral_weight: 0,
        };
        let data = PlanData {
            name: "toy".into(),
            parameters,
            ports: vec![],
            keys: vec![],
            constants: vec![],
            scalars: vec![],
            buffers: vec![],
            instructions: vec![],
            spans: vec![],
            estimates: Estimates::default(),
        };
        Self { data, next_word: 0 }
    }

    pub fn words(&self, level: u8, polynomials: u64, basis: Basis) -> u64 {
        let special = if basis == Basis::Qp { SPECIAL } else { 0 };
        (polynomials * (u64::from(level) + 1 + special)) << LOG_N
    }

    pub fn buffer(&mut self, words: u64) -> u32 {
        self.data.buffers.push(Buffer {
            offset: self.next_word,
            words,
        });
        self.next_word += words;
        self.data.buffers.len() as u32 - 1
    }

    /// So many buffers of the same size: the index of the first.
    pub fn buffers(&mut self, count: u32, words: u64) -> u32 {
        let first = self.buffer(words);
        (1..count).for_each(|_| _ = self.buffer(words));
        first
    }

    pub fn ct(&mut self, level: u8, degree: u64) -> u32 {
        self.buffer(self.words(level, degree + 1, Basis::Q))
    }

    pub fn port(&mut self, name: &str, kind: PortKind, level: u8, scale: f64) -> u32 {
        let layout = Layout {
            slots: SLOTS as u32,
            tiles: 1,
            dims: vec![LayoutDim::blocks(SLOTS as u32, 1, 0)],
            repeats: vec![],
            factor: 1.0,
        };
        self.data.ports.push(Port {
            name: name.into(),
            kind,
            shape: vec![SLOTS as u32],
            layout,
            level,
            scale,
            low: -8.0,
            high: 8.0,
            one_hot: false,
            error: 0.0,
        });
        self.data.ports.len() as u32 - 1
    }

    pub fn emit(&mut self, op: Op, level: u8, aux: u16, dst: u32, a: u32, b: u32) -> u32 {
        self.data.instructions.push(Instruction {
            op,
            level,
            aux,
            dst,
            a,
            b,
        });
        dst
    }

    /// An input at a level and at the toy's scale, read into a fresh buffer.
    pub fn input(&mut self, name: &str, level: u8) -> u32 {
        let scale = self.data.parameters.log_scale.exp2();
        let port = self.port(name, PortKind::Input, level, scale);
        let dst = self.ct(level, 1);
        self.emit(Op::Input, level, 0, dst, port, 0)
    }

    pub fn output(&mut self, name: &str, src: u32, level: u8, scale: f64) {
        let port = self.port(name, PortKind::Output, level, scale);
        self.emit(Op::Output, level, 0, 0, src, port);
    }

    pub fn constant(&mut self, values: Vec<f64>, scale: f64) -> u32 {
        self.data.constants.push(Constant {
            kind: ConstantKind::Slots { values },
            scale,
        });
        self.data.constants.len() as u32 - 1
    }

    /// A described constant.
    pub fn fourier(&mut self, fourier: Fourier, scale: f64) -> u32 {
        self.data.constants.push(Constant {
            kind: ConstantKind::Fourier(fourier),
            scale,
        });
        self.data.constants.len() as u32 - 1
    }

    pub fn plaintext(&mut self, constant: u32, level: u8, basis: Basis) -> u32 {
        let dst = self.buffer(self.words(level, 1, basis));
        let aux = if basis == Basis::Qp { AUX_QP } else { 0 };
        self.emit(Op::Encode, level, aux, dst, constant, 0)
    }

    pub fn scalar(&mut self, values: Vec<f64>, scale: f64) -> u32 {
        self.data.scalars.push(Scalar { values, scale });
        self.data.scalars.len() as u32 - 1
    }

    pub fn key(&mut self, kind: KeyKind, level: u8) -> u32 {
        self.data.keys.push(Key { kind, level, uses: 1 });
        self.data.keys.len() as u32 - 1
    }

    pub fn prime(&self, level: u8) -> f64 {
        self.data.parameters.q[usize::from(level)] as f64
    }

    /// The plan's bytes; they must pass the verifier.
    pub fn bytes(&self) -> Vec<u8> {
        let bytes = self.data.encode().expect("the toy plan is encodable");
        let plan = Plan::parse(&bytes).expect("what was encoded parses");
        verify_alloc(&plan).unwrap_or_else(|error| panic!("the toy plan is valid: {error}"));
        bytes
    }
}

/// Keys by index of the key table.
pub struct KeyTable<W>(pub Vec<Vec<W>>);

impl<W> Keys<W> for KeyTable<W> {
    fn key(&self, index: usize) -> Option<&[W]> {
        self.0.get(index).map(Vec::as_slice)
    }
}

/// Slot values that came out, real and imaginary.
#[derive(Clone, Debug, PartialEq)]
pub struct Slots {
    pub re: Vec<f64>,
    pub im: Vec<f64>,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Trace {
    /// By port name, in the order they came.
    pub values: BTreeMap<String, Vec<Slots>>,
    /// The same as words.
    pub words: BTreeMap<String, Vec<Vec<u64>>>,
    /// Every event in short.
    pub events: Vec<String>,
}

impl Trace {
    pub fn one(&self, name: &str) -> &Slots {
        let values = &self.values[name];
        assert_eq!(values.len(), 1, "{name} came once");
        &values[0]
    }
}

/// All key material of a plan, from fixed seeds: the same numbers for both word widths.
pub struct Client<'m, W: Word> {
    pub context: &'m Context<'m, W>,
    pub encoder: &'m Encoder<'m>,
    pub secret: SecretKey<'m, W>,
    /// The ephemeral one; of weight 1 in plans that have none.
    pub sparse: SecretKey<'m, W>,
}

impl<W: Word> Client<'_, W> {
    pub fn keys(&self, plan: &Plan<'_>) -> KeyTable<W> {
        let make = |(index, key): (usize, Key)| {
            let cap = usize::from(key.level);
            let few;
            let context = match key.kind {
                KeyKind::ToSparse => {
                    few = self.context.with_special(1, cap).unwrap();
                    &few
                }
                _ => self.context,
            };
            let mut words = vec![W::ZERO; context.parameters.switching_key_words::<W>(cap)];
            let mut scratch = vec![W::ZERO; scratch::generate_key_scratch(&context.parameters, cap)];
            let seed = seed::derive_seed(&[7; 32], index as u64);
            let mut rng = ChaCha20Rng::from_seed([index as u8 + 1; 32]);
            match key.kind {
                KeyKind::Relinearise => keys::generate_relinearisation_key(
                    context,
                    &self.secret,
                    cap,
                    &seed,
                    &mut rng,
                    &mut words,
                    &mut scratch,
                ),
                KeyKind::Galois(element) => keys::generate_galois_key(
                    context,
                    &self.secret,
                    element,
                    cap,
                    &seed,
                    &mut rng,
                    &mut words,
                    &mut scratch,
                ),
                KeyKind::ToSparse | KeyKind::FromSparse => {
                    let (from, to) = match key.kind {
                        KeyKind::ToSparse => (&self.secret, &self.sparse),
                        _ => (&self.sparse, &self.secret),
                    };
                    keys::generate_switching_key(
                        context,
                        from,
                        to,
                        cap,
                        &seed,
                        &mut rng,
                        &mut words,
                        &mut scratch,
                    )
                }
            }
            .unwrap();
            words
        };
        KeyTable(plan.keys().enumerate().map(make).collect())
    }

    pub fn encrypt(&self, values: &[f64], scale: f64, level: usize, destination: &mut [W], nonce: u64) {
        let parameters = &self.context.parameters;
        let mut plaintext = vec![W::ZERO; parameters.plaintext_words(level)];
        let mut f64s = vec![0.0; scratch::encode_scratch(parameters)];
        self.encoder
            .encode_real(
                self.context,
                values,
                scale,
                level,
                Basis::Q,
                &mut plaintext,
                &mut f64s,
            )
            .unwrap();
        let seed = seed::derive_seed(&[9; 32], nonce);
        let mut rng = ChaCha20Rng::from_seed(seed::derive_seed(&[10; 32], nonce));
        let mut working = vec![W::ZERO; scratch::encrypt_symmetric_scratch(parameters, level)];
        let (c0, c1) = destination.split_at_mut(parameters.plaintext_words(level));
        encrypt::encrypt_symmetric(
            self.context,
            &self.secret,
            &plaintext,
            level,
            &seed,
            &mut rng,
            c0,
            &mut working,
        )
        .unwrap();
        encrypt::expand_c1(self.context, &seed, level, c1).unwrap();
    }

    pub fn decrypt(&self, ciphertext: &[W], scale: f64, level: usize) -> Slots {
        let parameters = &self.context.parameters;
        let mut plaintext = vec![W::ZERO; parameters.plaintext_words(level)];
        encrypt::decrypt(self.context, &self.secret, ciphertext, level, 1, &mut plaintext).unwrap();
        let mut working = vec![W::ZERO; scratch::decode_scratch(parameters, level)];
        let (mut re, mut im) = (vec![0.0; parameters.slots()], vec![0.0; parameters.slots()]);
        self.encoder
            .decode(
                self.context,
                &plaintext,
                level,
                scale,
                &mut re,
                &mut im,
                &mut working,
            )
            .unwrap();
        Slots { re, im }
    }
}

/// Builds tables and keys for a plan and calls `body` with them.
pub fn with_client<W: Word, R>(
    bytes: &[u8],
    body: impl FnOnce(&Plan<'_>, &Client<'_, W>) -> R,
) -> Result<R, ExecError> {
    let plan = Plan::parse(bytes).unwrap();
    let parameters = context_parameters(&plan)?;
    let memory = Memory::of::<W>(&plan)?;
    let (mut tables, mut roots) = (
        vec![W::ZERO; memory.context_words],
        vec![0.0; memory.encoder_f64s],
    );
    let context = Context::new(parameters, &mut tables).map_err(ExecError::Parameters)?;
    let encoder = Encoder::new(context.parameters.log_n, &mut roots).unwrap();
    let mut secret = vec![W::ZERO; SecretKey::<W>::memory_words(&context.parameters)];
    let secret = SecretKey::from_seed(&context, &[1; 32], &mut secret).unwrap();
    let mut sparse = vec![W::ZERO; SecretKey::<W>::memory_words(&context.parameters)];
    let weight = plan.parameters().ephemeral_weight().max(1) as usize;
    let sparse = SecretKey::sparse_from_seed(&context, &[2; 32], weight, &mut sparse).unwrap();
    Ok(body(
        &plan,
        &Client {
            context: &context,
            encoder: &encoder,
            secret,
            sparse,
        },
    ))
}

/// Runs a plan; `data(name, step)` gives the slots of an input.
pub fn run<W: Word>(bytes: &[u8], data: impl Fn(&str, u32) -> Vec<f64>) -> Result<Trace, ExecError> {
    run_with::<W>(
        bytes,
        Options {
            allow_toy: true,
            verified: true,
        },
        data,
    )
}

/// As [`run`], with options.
pub fn run_with<W: Word>(
    bytes: &[u8],
    options: Options,
    data: impl Fn(&str, u32) -> Vec<f64>,
) -> Result<Trace, ExecError> {
    with_client::<W, _>(bytes, |plan, client| {
        let keys = client.keys(plan);
        drive(plan, client, &keys, options, data)
    })?
}

/// The loop around the executor.
pub fn drive<W: Word>(
    plan: &Plan<'_>,
    client: &Client<'_, W>,
    keys: &KeyTable<W>,
    options: Options,
    data: impl Fn(&str, u32) -> Vec<f64>,
) -> Result<Trace, ExecError> {
    let memory = Memory::of::<W>(plan)?;
    // Whatever the memory holds before a run must not matter.
    let mut arena = vec![W::from_u64(u64::MAX >> (64 - W::BITS)); memory.arena_words];
    let mut slots = vec![f64::NAN; memory.slot_f64s];
    let mut executor = Executor::new(
        plan,
        client.context,
        client.encoder,
        &mut arena,
        &mut slots,
        keys,
        options,
    )?;
    let mut trace = Trace::default();
    let mut states = BTreeMap::<(usize, u32), Vec<W>>::new();
    let mut nonce = 0;
    loop {
        let (short, value) = match executor.next()? {
            Event::NeedInput {
                port,
                tile,
                step,
                level,
                destination,
            } => {
                let view = plan.port(port).unwrap();
                match states.get(&(port, tile)) {
                    Some(kept) => destination.copy_from_slice(kept),
                    None => {
                        nonce += 1;
                        let values = data(view.name(), step);
                        client.encrypt(&values, view.scale(), usize::from(level), destination, nonce);
                    }
                }
                (format!("need {} step {step}", view.name()), None)
            }
            Event::StoreState {
                port,
                tile,
                ciphertext,
                ..
            } => {
                states.insert((port, tile), ciphertext.to_vec());
                (format!("store {}", plan.port(port).unwrap().name()), None)
            }
            Event::Output {
                port,
                level,
                scale,
                ciphertext,
                ..
            } => ("output".into(), Some((port, level, scale, ciphertext))),
            Event::Reveal {
                port,
                level,
                scale,
                ciphertext,
                ..
            } => ("reveal".into(), Some((port, level, scale, ciphertext))),
            Event::Checkpoint => ("checkpoint".into(), None),
            Event::EpochEnded { epoch } => (format!("epoch {epoch}"), None),
            Event::StepStarted { step } => (format!("step {step}"), None),
            Event::Advanced => ("advanced".into(), None),
            Event::Done => break,
        };
        let short = match value {
            Some((port, level, scale, ciphertext)) => {
                let name = plan.port(port).unwrap().name().to_owned();
                let slots = client.decrypt(ciphertext, scale, usize::from(level));
                let words = ciphertext.iter().map(|word| word.to_u64()).collect();
                trace.values.entry(name.clone()).or_default().push(slots);
                trace.words.entry(name.clone()).or_default().push(words);
                format!("{short} {name}")
            }
            None => short,
        };
        trace.events.push(short);
    }
    Ok(trace)
}

/// Slot values in [−1, 1] without any pattern, different for each `salt`.
pub fn sample(salt: u64) -> Vec<f64> {
    (0..SLOTS as u64)
        .map(|slot| {
            let mixed = (slot + 1 + salt * 10_007).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect()
}

/// Fails unless the real parts are `expected` and the imaginary ones 0, up to `bound`.
pub fn assert_close(found: &Slots, expected: impl Fn(usize) -> f64, bound: f64) {
    assert_close_complex(found, |slot| (expected(slot), 0.0), bound);
}

/// Fails unless real and imaginary parts are `expected` up to `bound`.
pub fn assert_close_complex(found: &Slots, expected: impl Fn(usize) -> (f64, f64), bound: f64) {
    for slot in 0..SLOTS {
        let (re, im) = expected(slot);
        let error = (found.re[slot] - re).abs().max((found.im[slot] - im).abs());
        assert!(
            error <= bound,
            "slot {slot}: {} + {}i where {re} + {im}i is expected",
            found.re[slot],
            found.im[slot]
        );
    }
}
