//! The ring Z\[X\]/(X^N+1) modulo each of a list of primes.

use crate::kernels::{Backend, Kernels, MIN_VECTOR_LOG_DEGREE, NttTable, ntt_blocks};
use crate::prime::{is_prime, primitive_root_2n};
use crate::{Modulus, RingError, Word};

/// Most primes (q and p together) in one ring.
pub const MAX_PRIMES: usize = 64;
/// Smallest log2 of the ring degree. The scheme starts at 10; smaller rings serve tests.
pub const MIN_LOG_DEGREE: u32 = 3;
/// Largest log2 of the ring degree.
pub const MAX_LOG_DEGREE: u32 = 17;
/// log2 of the fewest words that [`Ring::ntt_forward`] makes of a limb that repeats them.
pub const MIN_LOG_COMPACT: u32 = MIN_VECTOR_LOG_DEGREE;

/// One prime and the constants of its transform that are not in the caller's memory.
#[derive(Clone, Copy, Debug)]
struct Prime<W> {
    modulus: Modulus<W>,
    /// N^−1, and N^−1·ψ^(N/2) for the last inverse stage, each with its Shoup quotient.
    degree_inverse: [W; 2],
    degree_inverse_root: [W; 2],
}

impl<W: Word> Prime<W> {
    /// The constants that follow from the first two roots, as residues.
    fn new(modulus: Modulus<W>, log_n: u32, roots: &[W]) -> Option<Self> {
        let inverse = modulus.inv(modulus.reduce_u64(1 << log_n))?;
        let inverse_root = modulus.mul(inverse, *roots.get(1)?);
        Some(Self {
            modulus,
            degree_inverse: [inverse, modulus.shoup(inverse)],
            degree_inverse_root: [inverse_root, modulus.shoup(inverse_root)],
        })
    }
}

/// The ring of degree N = 2^log_n modulo up to [`MAX_PRIMES`] primes ≡ 1 (mod 2N).
///
/// The transform tables live in the caller's memory: 2N words per prime, used by both directions. A machine that has
/// no room for all primes builds a ring of one prime at a time in the same memory. Their contents are those of the
/// [`Backend`] that was active when the ring was built.
#[derive(Clone, Debug)]
pub struct Ring<'m, W> {
    log_n: u32,
    backend: Backend,
    primes: heapless::Vec<Prime<W>, MAX_PRIMES>,
    tables: &'m [W],
}

impl<'m, W: Word> Ring<'m, W> {
    /// Words of memory that [`Ring::new`] needs.
    pub const fn memory_words(log_n: u32, primes: usize) -> usize {
        primes << (log_n + 1)
    }

    /// Checks the primes and builds their tables in the first [`Ring::memory_words`] words of `memory`.
    ///
    /// # Errors
    /// [`RingError`] when the degree is outside [2^3, 2^17], there are no or too many primes, one is not a prime
    /// ≡ 1 (mod 2N) that fits the word, one is repeated, or the memory is too short.
    pub fn new(log_n: u32, primes: &[u64], memory: &'m mut [W]) -> Result<Self, RingError> {
        if !(MIN_LOG_DEGREE..=MAX_LOG_DEGREE).contains(&log_n) {
            return Err(RingError::Degree { log_n });
        }
        let count = primes.len();
        if count == 0 || count > MAX_PRIMES {
            return Err(RingError::PrimeCount { count });
        }
        let needed = Self::memory_words(log_n, count);
        let given = memory.len();
        let Some((tables, _)) = memory.split_at_mut_checked(needed) else {
            return Err(RingError::Memory { needed, given });
        };
        let backend = if log_n < MIN_VECTOR_LOG_DEGREE {
            Backend::Portable
        } else {
            Backend::active()
        };
        let mut ring_primes = heapless::Vec::new();
        for ((i, &value), table) in primes.iter().enumerate().zip(tables.chunks_exact_mut(2 << log_n)) {
            let modulus = Modulus::new(value)?;
            let repeated = primes.iter().take(i).any(|&earlier| earlier == value);
            let root = primitive_root_2n(&modulus, log_n).filter(|_| !repeated && is_prime(value));
            let prime = root.and_then(|root| {
                let prepare_roots = W::kernels(backend, modulus.bits()).prepare_roots;
                build_table(&modulus, log_n, root, table, prepare_roots)
            });
            let prime = prime.ok_or(RingError::Prime { value })?;
            ring_primes
                .push(prime)
                .map_err(|_| RingError::PrimeCount { count })?;
        }
        Ok(Self {
            log_n,
            backend,
            primes: ring_primes,
            tables,
        })
    }

    /// A ring over tables that [`Ring::new`] made before with the portable backend ([`Ring::tables`]) and that lie, for
    /// instance, in flash. Nothing is written; that the primes are prime and the tables theirs is trusted.
    ///
    /// # Errors
    /// [`RingError`] when there are no or too many primes, one does not fit the word, or the tables are too short.
    pub fn with_tables(log_n: u32, primes: &[u64], tables: &'m [W]) -> Result<Self, RingError> {
        let count = primes.len();
        if !(MIN_LOG_DEGREE..=MAX_LOG_DEGREE).contains(&log_n) {
            return Err(RingError::Degree { log_n });
        }
        if count == 0 || count > MAX_PRIMES {
            return Err(RingError::PrimeCount { count });
        }
        let (needed, given) = (Self::memory_words(log_n, count), tables.len());
        if given < needed {
            return Err(RingError::Memory { needed, given });
        }
        let mut ring_primes = heapless::Vec::new();
        for (&value, table) in primes.iter().zip(tables.chunks_exact(2 << log_n)) {
            let prime = Prime::new(Modulus::new(value)?, log_n, table);
            ring_primes
                .push(prime.ok_or(RingError::Prime { value })?)
                .map_err(|_| RingError::PrimeCount { count })?;
        }
        Ok(Self {
            log_n,
            backend: Backend::Portable,
            primes: ring_primes,
            tables,
        })
    }

    /// The tables, in the caller's memory.
    pub fn tables(&self) -> &'m [W] {
        self.tables
    }

    /// N.
    pub fn degree(&self) -> usize {
        1 << self.log_n
    }

    /// log2 N.
    pub fn log_degree(&self) -> u32 {
        self.log_n
    }

    /// How many primes there are.
    pub fn primes(&self) -> usize {
        self.primes.len()
    }

    /// Prime `i`.
    ///
    /// # Panics
    /// If `i` ≥ [`Ring::primes`].
    #[inline]
    pub fn modulus(&self, i: usize) -> &Modulus<W> {
        &self.primes[i].modulus
    }

    /// In place: N coefficients in natural order → values at ψ^(2·bitrev(j)+1), j = 0…N−1. In and out in [0,q).
    ///
    /// Of N/g coefficients, at least 2^[`MIN_LOG_COMPACT`] or all, the transform of the polynomial in X^g that has them: its values
    /// come in runs of g, and one of each is left. They are at the powers of ψ^g, whose table is the beginning of that of ψ:
    /// ψ^bitrev(k) for k below N/g.
    ///
    /// # Panics
    /// If `i` ≥ [`Ring::primes`], or the limb is longer than N.
    pub fn ntt_forward(&self, i: usize, limb: &mut [W]) {
        let n = limb.len();
        debug_assert!(n == self.degree() || n.is_power_of_two() && n >> MIN_LOG_COMPACT != 0);
        let mut table = self.ntt_table(i);
        table.blocks = ntt_blocks::<W>(n.ilog2());
        table.roots = &table.roots[..n];
        table.quotients = &table.quotients[..n];
        let kernels = self.kernels(i);
        (kernels.ntt_forward_outer)(&table, limb);
        for (index, block) in limb.chunks_exact_mut(n / table.blocks).enumerate() {
            (kernels.ntt_forward_block)(&table, index, block, [&[]; 2]);
        }
    }

    /// How many blocks a limb has for [`Ring::ntt_forward_block`], a power of two: the same for all primes and backends.
    pub fn ntt_blocks(&self) -> usize {
        ntt_blocks::<W>(self.log_n)
    }

    /// N / [`Ring::ntt_blocks`].
    fn block_len(&self) -> usize {
        self.degree() / self.ntt_blocks()
    }

    /// The first part of [`Ring::ntt_forward`]: what it leaves is for [`Ring::ntt_forward_block`] only.
    ///
    /// # Panics
    /// If `i` ≥ [`Ring::primes`].
    pub fn ntt_forward_outer(&self, i: usize, limb: &mut [W]) {
        debug_assert_eq!(limb.len(), self.degree());
        (self.kernels(i).ntt_forward_outer)(&self.ntt_table(i), limb);
    }

    /// The second part of [`Ring::ntt_forward`] for block `index` of the limb, which holds N/[`Ring::ntt_blocks`] words
    /// and fits a first-level cache: what comes next may be done to one block after the other.
    ///
    /// # Panics
    /// If `i` ≥ [`Ring::primes`].
    pub fn ntt_forward_block(&self, i: usize, index: usize, block: &mut [W]) {
        self.ntt_forward_block_ahead(i, index, block, [&[]; 2]);
    }

    /// As [`Ring::ntt_forward_block`], and asks for memory that will be read soon, little by little: slices as long as the
    /// block, or empty ones. No more than advice.
    ///
    /// # Panics
    /// If `i` ≥ [`Ring::primes`].
    pub fn ntt_forward_block_ahead(&self, i: usize, index: usize, block: &mut [W], ahead: [&[W]; 2]) {
        debug_assert!(block.len() == self.block_len() && index < self.ntt_blocks());
        (self.kernels(i).ntt_forward_block)(&self.ntt_table(i), index, block, ahead);
    }

    /// In place: the inverse of [`Ring::ntt_forward`]. In and out in [0,q).
    ///
    /// # Panics
    /// If `i` ≥ [`Ring::primes`].
    pub fn ntt_inverse(&self, i: usize, limb: &mut [W]) {
        debug_assert_eq!(limb.len(), self.degree());
        let table = self.ntt_table(i);
        let kernels = self.kernels(i);
        for (index, block) in limb.chunks_exact_mut(self.block_len()).enumerate() {
            (kernels.ntt_inverse_block)(&table, index, block);
        }
        (kernels.ntt_inverse_outer)(&table, limb);
    }

    /// As [`Ring::ntt_inverse`], times `factor` in [0,q), at no cost.
    ///
    /// # Panics
    /// If `i` ≥ [`Ring::primes`].
    pub fn ntt_inverse_scaled(&self, i: usize, limb: &mut [W], factor: W) {
        debug_assert_eq!(limb.len(), self.degree());
        let table = self.ntt_table(i).scaled(factor);
        let kernels = self.kernels(i);
        for (index, block) in limb.chunks_exact_mut(self.block_len()).enumerate() {
            (kernels.ntt_inverse_block)(&table, index, block);
        }
        (kernels.ntt_inverse_outer)(&table, limb);
    }

    /// As [`Ring::ntt_inverse_scaled`], from `src` to `dst`.
    ///
    /// # Panics
    /// If `i` ≥ [`Ring::primes`].
    pub fn ntt_inverse_scaled_from(&self, i: usize, dst: &mut [W], src: &[W], factor: W) {
        debug_assert!(dst.len() == self.degree() && src.len() == dst.len());
        let table = self.ntt_table(i).scaled(factor);
        let kernels = self.kernels(i);
        let len = self.block_len();
        for (index, (block, src)) in dst.chunks_exact_mut(len).zip(src.chunks_exact(len)).enumerate() {
            block.copy_from_slice(src);
            (kernels.ntt_inverse_block)(&table, index, block);
        }
        (kernels.ntt_inverse_outer)(&table, dst);
    }

    fn kernels(&self, i: usize) -> &'static Kernels<W> {
        W::kernels(self.backend, self.modulus(i).bits())
    }

    fn ntt_table(&self, i: usize) -> NttTable<'_, W> {
        let n = self.degree();
        let (roots, quotients) = self.tables[2 * n * i..2 * n * (i + 1)].split_at(n);
        let Prime {
            modulus,
            degree_inverse,
            degree_inverse_root,
        } = self.primes[i];
        NttTable {
            modulus,
            blocks: self.ntt_blocks(),
            roots,
            quotients,
            degree_inverse,
            degree_inverse_root,
        }
    }
}

/// Fills `table` with ψ^bitrev(k), k = 0…N−1, and what a backend makes of them.
///
/// bitrev(m + i) = bitrev(i) + N/2m for i < m = 2^s, so each half follows from the one before by one factor.
fn build_table<W: Word>(
    modulus: &Modulus<W>,
    log_n: u32,
    root: W,
    table: &mut [W],
    prepare_roots: fn(&Modulus<W>, &mut [W], &mut [W]),
) -> Option<Prime<W>> {
    let n = 1usize << log_n;
    let (roots, quotients) = table.split_at_mut_checked(n)?;
    *roots.first_mut()? = W::ONE;
    let mut done = 1;
    while done < n {
        let factor = modulus.pow(root, (n / (2 * done)) as u64);
        let factor_shoup = modulus.shoup(factor);
        let (known, rest) = roots.split_at_mut(done);
        for (new, &old) in rest.iter_mut().zip(known.iter()) {
            *new = modulus.mul_shoup(old, factor, factor_shoup);
        }
        done *= 2;
    }
    let prime = Prime::new(*modulus, log_n, roots);
    prepare_roots(modulus, roots, quotients);
    prime
}
