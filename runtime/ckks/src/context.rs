//! Parameters together with their ring, and how values are cut into limbs.

use crate::error::exactly;
use crate::{CkksError, Parameters};
use cipherloom_ring::{Modulus, Ring, Word, limb, parallel};
use core::ops::Range;

/// Most results that one operation makes together from what they have in common. A list of their limbs is on the stack,
/// dear on a small machine.
pub const TOGETHER: usize = if cfg!(target_pointer_width = "64") { 8 } else { 1 };

/// What a ciphertext may take and still be found in a cache by the operation that reads it next.
const CACHE_BYTES: usize = 8 << 20;

/// The primes that a polynomial is reduced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// q_0 … q_l.
    Q,
    /// q_0 … q_l and all special primes.
    Qp,
}

/// Parameters and the ring over all their primes, q then p.
pub struct Context<'m, W: Word> {
    /// The checked parameters.
    pub parameters: Parameters,
    /// The ring; prime i is q_i for i ≤ L and p_{i−L−1} above.
    pub ring: Ring<'m, W>,
}

impl<'m, W: Word> Context<'m, W> {
    /// Words of memory that [`Context::new`] keeps its tables in.
    pub fn memory_words(parameters: &Parameters) -> usize {
        Ring::<W>::memory_words(parameters.log_n, parameters.q.len() + parameters.p.len())
    }

    /// Builds the ring's tables in `memory`. Fails where a prime does not fit the word.
    pub fn new(parameters: Parameters, memory: &'m mut [W]) -> Result<Self, CkksError> {
        parameters.check()?;
        let ring = Ring::new(parameters.log_n, &primes(&parameters)?, memory)?;
        Ok(Self { parameters, ring })
    }

    /// A context over tables that were made before and lie, for instance, in flash: [`Ring::with_tables`].
    pub fn with_tables(parameters: Parameters, tables: &'m [W]) -> Result<Self, CkksError> {
        parameters.check()?;
        let ring = Ring::with_tables(parameters.log_n, &primes(&parameters)?, tables)?;
        Ok(Self { parameters, ring })
    }

    /// The same ring with only the first `count` special primes and digits of at most as many limbs, for keys capped at
    /// `cap` or below: what a ciphertext under a secret that is only safe for a small modulus is switched with. Uses
    /// the tables of this context. Fails where there are not so many special primes or where their product is smaller
    /// than a digit at the cap.
    pub fn with_special(&self, count: usize, cap: usize) -> Result<Context<'m, W>, CkksError> {
        let parameters = self.parameters.with_special(count, cap)?;
        let ring = self.ring.clone();
        Ok(Context { parameters, ring })
    }

    /// N.
    pub fn degree(&self) -> usize {
        self.parameters.degree()
    }

    /// The modulus of a prime of the ring.
    pub(crate) fn modulus(&self, prime: usize) -> &Modulus<W> {
        self.ring.modulus(prime)
    }

    /// Limbs of a polynomial.
    pub(crate) fn limbs(&self, level: usize, basis: Basis) -> usize {
        match basis {
            Basis::Q => level + 1,
            Basis::Qp => level + 1 + self.parameters.special(),
        }
    }

    /// Which prime of the ring the limb at a position of a polynomial is for.
    pub(crate) fn prime_at(&self, level: usize, position: usize) -> usize {
        if position <= level {
            position
        } else {
            self.parameters.q.len() + position - level - 1
        }
    }

    /// The primes of the limbs of a polynomial in basis qp from a position on.
    pub(crate) fn primes_from(&self, level: usize, position: usize) -> Primes {
        (position..self.limbs(level, Basis::Qp))
            .map(|position| self.prime_at(level, position))
            .collect()
    }

    /// The limbs that digit d of a polynomial at a level covers.
    pub(crate) fn digit(&self, level: usize, digit: usize) -> Range<usize> {
        let limbs = self.parameters.digit_limbs as usize;
        digit * limbs..((digit + 1) * limbs).min(level + 1)
    }

    /// The columns of a block of [`Ring::ntt_forward_block`].
    pub(crate) fn block(&self, index: usize) -> Range<usize> {
        let size = self.degree() / self.ring.ntt_blocks();
        index * size..(index + 1) * size
    }

    /// The limb at an index, counting from the start of `data`, which must hold it.
    pub(crate) fn limb<'a>(&self, data: &'a [W], index: usize) -> &'a [W] {
        let n = self.degree();
        &data[index * n..(index + 1) * n]
    }

    /// Where the packed limb at a position of basis qp is in a packed polynomial at a level.
    pub(crate) fn packed_limb(&self, level: usize, position: usize) -> Range<usize> {
        let words = |position| {
            let prime = self.modulus(self.prime_at(level, position)).value_u64();
            self.parameters.packed_limb_words::<W>(prime)
        };
        let start = (0..position).map(words).sum();
        start..start + words(position)
    }

    /// dst = words, part of a ciphertext that is written once from its beginning to its end: past the caches if these do
    /// not hold it until it is read.
    pub(crate) fn store(&self, level: usize, basis: Basis, dst: &mut [W], words: &[W]) {
        if 2 * self.limbs(level, basis) * self.degree() * size_of::<W>() > CACHE_BYTES {
            limb::stream(dst, words);
        } else {
            dst.copy_from_slice(words);
        }
    }

    /// Visits every limb of one or more polynomials, in parallel with the feature of that name.
    pub(crate) fn for_each_limb(
        &self,
        level: usize,
        basis: Basis,
        data: &mut [W],
        visit: impl Fn(LimbAt, &mut [W]) + Send + Sync,
    ) {
        parallel::for_each_limb(data, self.degree(), |index, limb| {
            visit(self.at(level, basis, index), limb)
        });
    }

    /// As [`Context::for_each_limb`] over two equally long values at once.
    pub(crate) fn for_each_limb_pair(
        &self,
        level: usize,
        basis: Basis,
        first: &mut [W],
        second: &mut [W],
        visit: impl Fn(LimbAt, &mut [W], &mut [W]) + Send + Sync,
    ) {
        parallel::for_each_limb_pair(first, second, self.degree(), |index, first, second| {
            visit(self.at(level, basis, index), first, second);
        });
    }

    /// Visits the limbs of up to [`TOGETHER`] values of degree 1, those at one position together: what all of them are
    /// made from is then read once.
    pub(crate) fn for_each_limb_together(
        &self,
        level: usize,
        basis: Basis,
        values: &mut [&mut [W]],
        visit: impl Fn(LimbAt, &mut [[&mut [W]; 2]]) + Send + Sync,
    ) {
        let words = self.parameters.words(self.limbs(level, basis));
        if let [value] = values {
            let (first, second) = value.split_at_mut(words);
            return self.for_each_limb_pair(level, basis, first, second, |at, first, second| {
                visit(at, &mut [[first, second]]);
            });
        }
        // One room of the list for each position, filled value by value; both are as long as they can get.
        type Together<'d, W> = heapless::Vec<[&'d mut [W]; 2], TOGETHER>;
        let mut positions: heapless::Vec<Together<'_, W>, { cipherloom_ring::MAX_PRIMES }> = (0..self
            .limbs(level, basis))
            .map(|_| heapless::Vec::new())
            .collect();
        for value in values.iter_mut().take(TOGETHER) {
            let (first, second) = value.split_at_mut(words);
            let limbs = first
                .chunks_exact_mut(self.degree())
                .zip(second.chunks_exact_mut(self.degree()));
            for (position, (first, second)) in positions.iter_mut().zip(limbs) {
                position.extend([[first, second]]);
            }
        }
        parallel::for_each_limb(&mut positions, 1, |index, limbs| {
            for limbs in limbs {
                visit(self.at(level, basis, index), limbs);
            }
        });
    }

    fn at(&self, level: usize, basis: Basis, index: usize) -> LimbAt {
        let limbs = self.limbs(level, basis);
        let position = index % limbs;
        LimbAt {
            index,
            polynomial: index / limbs,
            position,
            prime: self.prime_at(level, position),
        }
    }

    /// P, the product of the special primes, modulo another prime.
    pub(crate) fn special_product(&self, modulus: &Modulus<W>) -> W {
        self.parameters
            .p
            .iter()
            .fold(W::ONE, |product, &p| modulus.mul(product, modulus.reduce_u64(p)))
    }

    /// Fails unless `element` names an automorphism of the ring.
    pub(crate) fn check_element(&self, element: u32) -> Result<(), CkksError> {
        let valid = element % 2 == 1 && (element as usize) < 2 * self.degree();
        if valid {
            Ok(())
        } else {
            Err(CkksError::GaloisElement(element))
        }
    }

    /// Fails above the highest level.
    pub(crate) fn check_level(&self, level: usize) -> Result<(), CkksError> {
        let highest = self.parameters.max_level();
        if level <= highest {
            Ok(())
        } else {
            Err(CkksError::Level { level, highest })
        }
    }

    /// Fails unless `data` is so many polynomials at a level.
    pub(crate) fn check(
        &self,
        what: &'static str,
        data: &[W],
        level: usize,
        basis: Basis,
        polynomials: usize,
    ) -> Result<(), CkksError> {
        self.check_level(level)?;
        exactly(
            what,
            data,
            self.parameters
                .words(polynomials.saturating_mul(self.limbs(level, basis))),
        )
    }
}

/// The primes of the ring, in its order.
fn primes(parameters: &Parameters) -> Result<heapless::Vec<u64, { cipherloom_ring::MAX_PRIMES }>, CkksError> {
    let mut primes = heapless::Vec::new();
    for prime in parameters.primes() {
        primes
            .push(prime)
            .map_err(|_| CkksError::Parameters("too many primes"))?;
    }
    Ok(primes)
}

/// Indices of primes of the ring.
pub(crate) type Primes = heapless::Vec<usize, { cipherloom_ring::MAX_PRIMES }>;

/// Where a visited limb stands.
#[derive(Clone, Copy)]
pub(crate) struct LimbAt {
    /// Index in the visited data.
    pub index: usize,
    /// Which polynomial.
    pub polynomial: usize,
    /// Position in its polynomial.
    pub position: usize,
    /// Prime of the ring.
    pub prime: usize,
}
