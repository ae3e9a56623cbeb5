//! The loops over coefficients, behind one table of functions per word width.
//!
//! `portable` defines what each entry computes; another backend must agree bit for bit. Slices of one call have one
//! length unless an entry says otherwise, and residues are in [0,q) in and out.
//!
//! Which backend runs is decided once ([`Backend`]); it serves the moduli that it can hold, and `portable` the others.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod backend;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod double;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;

use crate::{MAX_PRIMES, Modulus, Word};

pub use backend::Backend;

/// What a transform modulo one prime reads.
#[derive(Clone, Copy)]
pub(crate) struct NttTable<'a, W> {
    pub modulus: Modulus<W>,
    /// See [`ntt_blocks`].
    pub blocks: usize,
    /// ψ^bitrev(k), k = 0…N−1, as `prepare_roots` left them.
    pub roots: &'a [W],
    /// What `prepare_roots` computed from the roots.
    pub quotients: &'a [W],
    /// N^−1 and its Shoup quotient.
    pub degree_inverse: [W; 2],
    /// N^−1·ψ^(N/2) and its Shoup quotient.
    pub degree_inverse_root: [W; 2],
}

impl<W: Word> NttTable<'_, W> {
    /// The same, with an inverse that multiplies by `factor`.
    pub fn scaled(mut self, factor: W) -> Self {
        for constant in [&mut self.degree_inverse, &mut self.degree_inverse_root] {
            let product = self.modulus.mul(constant[0], factor);
            *constant = [product, self.modulus.shoup(product)];
        }
        self
    }
}

/// Bytes of a block that stays in the first-level cache of common machines.
const BLOCK_BYTES: usize = 1 << 15;

/// In how many blocks a transform of N = 2^log_n words is done: the first stages, as many as there are bits in this
/// number, are done on the whole limb, an odd one first and then two by two; the others on one block after the other.
pub(crate) fn ntt_blocks<W>(log_n: u32) -> usize {
    let mut blocks = if log_n.is_multiple_of(2) { 4 } else { 2 };
    while (size_of::<W>() << log_n) / blocks > BLOCK_BYTES {
        blocks *= 4;
    }
    blocks
}

/// dst ← a, an operation of two slices.
type Unary<W> = fn(&Modulus<W>, &mut [W], &[W]);
/// dst ← a, b, an operation of three slices.
type Binary<W> = fn(&Modulus<W>, &mut [W], &[W], &[W]);
/// dst ← a, s, an operation of two slices and a scalar.
type Scalar<W> = fn(&Modulus<W>, &mut [W], &[W], W);

/// The two factors of one term of an inner product.
pub(crate) type Term<'a, W> = (&'a [W], &'a [W]);
type InnerProduct<W> = fn(&Modulus<W>, &mut [W], &[Term<'_, W>], bool);

/// One term of two inner products with one side in common.
pub(crate) type Term2<'a, W> = (&'a [W], [&'a [W]; 2]);
type InnerProduct2<W> = fn(&Modulus<W>, [&mut [W]; 2], &[Term2<'_, W>], [Start<'_, W>; 2]);

type InnerProduct2Packed<W> = fn(&Modulus<W>, usize, [&mut [W]; 2], &[Term2<'_, W>], [Start<'_, W>; 2]);

/// What an inner product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a, W> {
    /// Nothing.
    Zero,
    /// What is in the destination.
    Destination,
    /// These residues times the scalar, both in [0,q).
    Scaled(&'a [W], W),
}

type ForwardBlock<W> = fn(&NttTable<'_, W>, usize, &mut [W], [&[W]; 2]);
type PermuteAdd<W> = fn(&Modulus<W>, u32, u32, usize, &mut [W], &[W]);
type Combine<W> = fn(&mut [Combination<'_, W>], &Rows<'_, W>);
type CountWraps<W> = fn(&mut [W], &[&[W]], &[Reciprocal<W>]);
type KeepBelow<W> = fn(&Modulus<W>, &[[u8; 8]], &mut [W]) -> usize;

/// log2 of the smallest ring degree whose transforms fill vectors; smaller rings are the portable backend's.
pub(crate) const MIN_VECTOR_LOG_DEGREE: u32 = 5;

/// One backend.
pub(crate) struct Kernels<W> {
    /// Roots as residues → the two tables that the transforms of this backend read.
    pub prepare_roots: fn(&Modulus<W>, &mut [W], &mut [W]),
    /// The stages of a forward transform that all blocks take part in; what they leave is for the same backend only.
    pub ntt_forward_outer: fn(&NttTable<'_, W>, &mut [W]),
    /// The stages inside one block; (table, number of the block, block, memory to ask for meanwhile).
    pub ntt_forward_block: ForwardBlock<W>,
    /// The stages of an inverse transform inside one block, which come first.
    pub ntt_inverse_block: fn(&NttTable<'_, W>, usize, &mut [W]),
    /// The stages of an inverse transform that all blocks take part in.
    pub ntt_inverse_outer: fn(&NttTable<'_, W>, &mut [W]),
    /// dst = a + b.
    pub add: Binary<W>,
    /// dst += a.
    pub add_assign: Unary<W>,
    /// dst = a − b.
    pub sub: Binary<W>,
    /// dst −= a.
    pub sub_assign: Unary<W>,
    /// dst = −a.
    pub neg: Unary<W>,
    /// dst = −dst.
    pub neg_assign: fn(&Modulus<W>, &mut [W]),
    /// dst = a·b.
    pub mul: Binary<W>,
    /// dst = dst·a.
    pub mul_assign: Unary<W>,
    /// dst += a·b.
    pub mul_add_assign: Binary<W>,
    /// dst = a·s.
    pub mul_scalar: Scalar<W>,
    /// dst = dst·s.
    pub mul_scalar_assign: fn(&Modulus<W>, &mut [W], W),
    /// dst += a·s.
    pub mul_scalar_add_assign: Scalar<W>,
    /// dst = (a − dst)·s.
    pub sub_from_mul_scalar_assign: Scalar<W>,
    /// dst += s.
    pub add_scalar_assign: fn(&Modulus<W>, &mut [W], W),
    /// dst = Σ aᵢ·bᵢ, plus dst where the flag is set; any number of terms.
    pub inner_product: InnerProduct<W>,
    /// Two inner products with one side in common; any number of terms.
    pub inner_product_2: InnerProduct2<W>,
    /// As `inner_product_2`, the two other sides packed limbs ([`crate::pack`]) that are read from a residue on, a multiple
    /// of 8: (modulus, first residue, …).
    pub inner_product_2_packed: InnerProduct2Packed<W>,
    /// dst = a mod q, a of any size.
    pub reduce: Unary<W>,
    /// dst = residues of small signed numbers, |x| < q.
    pub lift_signed: fn(&Modulus<W>, &mut [W], &[i8]),
    /// `dst[j] = src[image of j under the Galois element]`, NTT order; (log_n, element, start, dst, src): an aligned part
    /// of a limb that starts at `start`, a power of two and at least 8 long, and the part that it comes from.
    pub permute: fn(u32, u32, usize, &mut [W], &[W]),
    /// `dst[j] += src[image of j]`; (modulus, log_n, element, start, dst, src), as `permute`.
    pub permute_add_assign: PermuteAdd<W>,
    /// Asks for memory.
    pub prefetch: fn(&[W]),
    /// dst = a, past the caches.
    pub stream: fn(&mut [W], &[W]),
    /// `dst[j] = Σᵢ rows[i][j]·factors[i] + wraps[j]·wrap_factor` for each of some combinations of the same rows; columns
    /// are a multiple of 8, wraps ≤ 64. The factors are clobbered.
    pub combine: Combine<W>,
    /// `wraps[j] = round(Σᵢ rows[i][j] / qᵢ)` with the reciprocals of the qᵢ; as many columns.
    pub count_wraps: CountWraps<W>,
    /// dst = those numbers that are below q once they are cut to its bits, in order, at the beginning; gives how many. `dst` is
    /// as long as there are numbers, or longer; what follows may be overwritten.
    pub keep_below: KeepBelow<W>,
}

/// What base conversion reads: one row per source prime, each residue below its own prime and all below 2^bits, and how
/// often the product of the source primes is to be taken away from each column.
pub(crate) struct Rows<'a, W> {
    pub rows: &'a [&'a [W]],
    pub wraps: &'a [W],
    pub bits: u32,
}

/// One limb that base conversion makes, as long as the rows are.
pub(crate) struct Combination<'a, W> {
    pub modulus: Modulus<W>,
    /// One per row, residues of the modulus.
    pub factors: heapless::Vec<W, MAX_PRIMES>,
    pub wrap_factor: W,
    pub dst: &'a mut [W],
}

/// Columns of base conversion handled together for all combinations, so that the rows stay in the first-level cache.
const TILE: usize = 256;

/// The tiles of so many columns.
fn tiles(columns: usize) -> impl Iterator<Item = core::ops::Range<usize>> {
    (0..columns)
        .step_by(TILE)
        .map(move |start| start..usize::min(start + TILE, columns))
}

/// 1/q with 32 bits: for y < q, y·scaled >> shift is y·2^32/q less an error in [0,3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reciprocal<W> {
    scaled: W,
    shift: u32,
}

impl<W: Word> Reciprocal<W> {
    /// ⌊2^(31+bits)/q⌋ < 2^32, as q > 2^(bits−1), and bits − 1.
    pub fn new(modulus: &Modulus<W>) -> Self {
        let scaled = (1u128 << (31 + modulus.bits())) / u128::from(modulus.value_u64());
        Self {
            scaled: W::from_u64(scaled as u64),
            shift: modulus.bits() - 1,
        }
    }

    /// ⌊y·2^32/q⌋ or up to two less, for y < q.
    #[inline(always)]
    pub fn fraction(self, y: W) -> u64 {
        W::wide_to_u64(y.wide_mul(self.scaled) >> self.shift)
    }
}

/// The kernels for moduli of at most `bits` bits on this machine.
#[inline]
pub(crate) fn table<W: Word>(bits: u32) -> &'static Kernels<W> {
    W::kernels(Backend::active(), bits)
}

/// The kernels of a backend for 32-bit words: the portable ones.
pub(crate) fn narrow(_: Backend, _: u32) -> &'static Kernels<u32> {
    const { &portable::kernels() }
}

/// The kernels of a backend for 64-bit words and moduli of at most `bits` bits, or the portable ones. The processor must
/// have the backend, as it has the active one.
pub(crate) fn wide(backend: Backend, bits: u32) -> &'static Kernels<u64> {
    match (backend, bits) {
        #[cfg(target_arch = "x86_64")]
        (Backend::Avx512, 0..=avx512::MAX_BITS) => &avx512::KERNELS,
        #[cfg(target_arch = "x86_64")]
        (Backend::Avx2, 0..=double::MAX_BITS) => &avx2::KERNELS,
        #[cfg(target_arch = "aarch64")]
        (Backend::Neon, 0..=double::MAX_BITS) => &neon::KERNELS,
        _ => const { &portable::kernels() },
    }
}
