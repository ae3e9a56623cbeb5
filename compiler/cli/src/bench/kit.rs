//! A set's tables, and memory for operands: everything that an operation needs to be done once.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use cipherloom_ckks::{Basis, CkksError, Context, Encoder, Parameters, SecretKey, scratch};
use cipherloom_compiler::analysis::cost::Shape;
use cipherloom_host::{Region, Words};
use cipherloom_ring::automorphism::galois_element;
use cipherloom_ring::pack::{pack, packed_bytes};

use super::area::Area;
use super::set::Chain;
use crate::error::{CliError, Result};

/// Terms of a sum of plain products, and rotations of a hoisted sum.
pub const MANY: usize = 8;

/// Everything to do operations with. What is read comes from `sources`, what is written goes to `results`: their words are
/// residues, but no ciphertext of anything; time does not depend on them.
pub struct Kit<'m> {
    pub ctx: Context<'m, u64>,
    pub encoder: Encoder<'m>,
    pub secret: SecretKey<'m, u64>,
    pub sources: Area,
    pub results: Area,
    /// The largest scratch of any operation.
    pub scratch: Words,
    /// Tables, to be built again.
    pub tables: Words,
    /// Slots to be encoded, and scratch of the encoder.
    pub slots: [Region<f64>; 2],
    /// Real and imaginary parts of decoded slots: of no meaning, so large that encoding them would take longer.
    pub decoded: [Region<f64>; 2],
    /// A packed polynomial at the highest level, and bytes of a limb in it.
    pub packed: (Region<u8>, usize),
    pub rng: ChaCha20Rng,
    /// Scale of plaintexts.
    pub scale: f64,
    /// A rotation by one.
    pub element: u32,
    /// The level at which operations start.
    pub level: usize,
}

impl Kit<'_> {
    /// Builds tables and memory, and hands them to `work`. With `spread` bytes, operands come from memory, not from a cache.
    pub fn with<T>(chain: Chain, spread: usize, work: impl FnOnce(&mut Kit<'_>) -> Result<T>) -> Result<T> {
        let parameters = chain.parameters().map_err(impossible)?;
        let level = parameters.max_level();
        let sizes = Sizes::of(&parameters);
        let table_words = Context::<u64>::memory_words(&parameters);
        let mut tables = Words::zeroed("ring tables", table_words)?;
        let mut roots = Region::zeroed("encoder table", Encoder::memory_f64(parameters.log_n))?;
        let mut secret = Words::zeroed("secret key", SecretKey::<u64>::memory_words(&parameters))?;
        let ctx = Context::new(parameters, &mut tables).map_err(impossible)?;
        let parameters = &ctx.parameters;
        let encoder = Encoder::new(parameters.log_n, &mut roots).map_err(impossible)?;
        let secret = SecretKey::from_seed(&ctx, &[1; 32], &mut secret).map_err(impossible)?;
        let (slots, words) = (parameters.slots(), spread / size_of::<u64>());
        let mut kit = Kit {
            sources: Area::new(sizes.sources, words, chain.bits - 1)?,
            results: Area::new(sizes.results, words / 2, chain.bits - 1)?,
            scratch: Words::zeroed("scratch", sizes.scratch)?,
            tables: Words::zeroed("ring tables", table_words)?,
            slots: [
                Region::zeroed("slots", slots)?,
                Region::zeroed("slots", parameters.degree())?,
            ],
            decoded: [Region::zeroed("slots", slots)?, Region::zeroed("slots", slots)?],
            packed: packed_polynomial(&ctx, level)?,
            rng: ChaCha20Rng::from_seed([2; 32]),
            scale: 2f64.powi(chain.bits as i32 - 5),
            element: galois_element(parameters.log_n, 1),
            level,
            encoder,
            secret,
            ctx,
        };
        kit.slots[0].fill(0.5);
        work(&mut kit)
    }

    /// What the work of operations depends on.
    pub fn shape(&self) -> Shape {
        let Parameters {
            log_n, digit_limbs, ..
        } = self.ctx.parameters;
        Shape {
            log_n,
            special: self.ctx.parameters.special() as u32,
            digit_limbs,
        }
    }

    /// Words of a polynomial at the level where operations start.
    pub fn polynomial(&self, basis: Basis) -> usize {
        match basis {
            Basis::Q => self.ctx.parameters.plaintext_words(self.level),
            Basis::Qp => self.ctx.parameters.qp_words(self.level, 0),
        }
    }
}

/// The kit's own parameters and lengths are right, so an operation that refuses them is a mistake in the kit.
pub fn impossible(error: CkksError) -> CliError {
    CliError::new(format!("measuring: {error}"), "this is a bug; please report it")
}

/// Words that the largest operation needs.
struct Sizes {
    sources: usize,
    results: usize,
    scratch: usize,
}

impl Sizes {
    fn of(parameters: &Parameters) -> Self {
        let level = parameters.max_level();
        let decomposed = parameters.decomposed_words(level);
        let accumulator = parameters.qp_words(level, 1);
        let ciphertext = parameters.ciphertext_words(level, 1);
        let key = parameters.switching_key_words::<u64>(level);
        let plain = parameters.plaintext_words(level);
        let sources = [
            key + decomposed,
            key + 2 * accumulator,
            MANY * (ciphertext + plain),
        ];
        let scratches = [
            scratch::rotate_scratch(parameters, level),
            scratch::relinearize_scratch(parameters, level),
            scratch::mod_raise_scratch(parameters, level),
            parameters.decomposed_words(level),
        ];
        Self {
            sources: sources.into_iter().fold(0, usize::max),
            results: decomposed + MANY * accumulator + 4 * ciphertext,
            scratch: scratches.into_iter().fold(0, usize::max),
        }
    }
}

/// As an input's c_0 is kept.
fn packed_polynomial(ctx: &Context<'_, u64>, level: usize) -> Result<(Region<u8>, usize)> {
    let limb_bytes = packed_bytes(ctx.degree(), ctx.ring.modulus(0).bits());
    let mut bytes = Region::zeroed("packed polynomial", (level + 1) * limb_bytes)?;
    for (prime, bytes) in bytes.chunks_exact_mut(limb_bytes).enumerate() {
        let modulus = ctx.ring.modulus(prime);
        pack(&vec![modulus.value() / 3; ctx.degree()], modulus.bits(), bytes);
    }
    Ok((bytes, limb_bytes))
}
