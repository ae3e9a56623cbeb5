//! The backend-generic suite: every entry of every backend that this processor has agrees with the portable one, bit for
//! bit, from the smallest to the largest modulus and ring, and at the ends of every interval.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::pack::{pack_words, packed_words};
use crate::prime::{primes_below, primes_near, primitive_root_2n};
use crate::{MAX_LOG_DEGREE, MAX_PRIMES, automorphism};

/// Moduli of 64-bit words that are edges for some backend: bits, then whether the largest or the smallest of so many.
const EDGES: [u64; 9] = [
    3,
    5,
    257,
    (1 << 32) - 5,
    (1 << 49) - 1,
    (1 << 49) + 1,
    (1 << 50) - 1,
    (1 << 50) + 1,
    (1 << 61) - 1,
];

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The kernels to test for a modulus, and the portable ones.
fn backends(bits: u32) -> impl Iterator<Item = (&'static Kernels<u64>, &'static Kernels<u64>)> {
    Backend::ALL
        .into_iter()
        .filter(|backend| backend.is_available())
        .map(move |backend| (wide(backend, bits), wide(Backend::Portable, bits)))
}

/// Residues with both ends among them.
fn residues(q: u64, len: usize, rng: &mut ChaCha20Rng) -> Vec<u64> {
    let mut limb: Vec<u64> = (0..len).map(|_| rng.next_u64() % q).collect();
    for (i, x) in limb.iter_mut().enumerate().step_by(5) {
        *x = if i % 2 == 0 { q - 1 } else { 0 };
    }
    limb
}

/// Primes around the edges for a ring: those where some lazy interval changes; fewer for large rings.
fn ntt_primes(log_n: u32) -> Vec<u64> {
    let step = 2u64 << log_n;
    let smallest = (1..).map(|k| k * step + 1).find(|&q| crate::prime::is_prime(q));
    let mut primes = vec![smallest.unwrap()];
    let edges = [30, 40, 44, 45, 46, 47, 48, 49, 50].map(|bits| 1 << bits);
    let few = if log_n <= 13 { 0 } else { 5 };
    for edge in edges.into_iter().skip(few) {
        primes.extend(primes_below(edge, log_n).next());
        primes.extend(primes_near(edge, log_n).find(|&q| q > edge));
    }
    primes
}

/// The tables of one prime and backend.
fn roots(kernels: &Kernels<u64>, m: &Modulus<u64>, log_n: u32) -> [Vec<u64>; 2] {
    let root = primitive_root_2n(m, log_n).unwrap();
    let n = 1usize << log_n;
    let mut powers = vec![1];
    for k in 1..n {
        powers.push(m.mul(powers[k - 1], root));
    }
    let mut roots: Vec<u64> = (0..n)
        .map(|k| powers[k.reverse_bits() >> (usize::BITS - log_n)])
        .collect();
    let mut quotients = vec![0; n];
    (kernels.prepare_roots)(m, &mut roots, &mut quotients);
    [roots, quotients]
}

fn check_transforms(q: u64, log_n: u32) {
    let m = Modulus::new(q).unwrap();
    let n = 1usize << log_n;
    let inverse = m.inv(n as u64 % q).unwrap();
    let root = m.mul(
        inverse,
        m.pow(primitive_root_2n(&m, log_n).unwrap(), n as u64 / 2),
    );
    let mut rng = rng(q);
    let inputs = [
        residues(q, n, &mut rng),
        vec![q - 1; n],
        (0..n).map(|j| (j as u64 % 2) * (q - 1)).collect(),
        (0..n).map(|j| u64::from(j < n / 2) * (q - 1)).collect(),
    ];
    for (kernels, portable) in backends(m.bits()) {
        let [expected, found] = [portable, kernels].map(|kernels| {
            let [roots, quotients] = roots(kernels, &m, log_n);
            let table = NttTable {
                modulus: m,
                blocks: ntt_blocks::<u64>(log_n),
                roots: &roots,
                quotients: &quotients,
                degree_inverse: [inverse, m.shoup(inverse)],
                degree_inverse_root: [root, m.shoup(root)],
            };
            inputs.each_ref().map(|input| {
                let (mut forward, mut inverse) = (input.clone(), input.clone());
                (kernels.ntt_forward_outer)(&table, &mut forward);
                let blocks = forward.chunks_exact_mut(n / table.blocks);
                blocks
                    .enumerate()
                    .for_each(|(i, block)| (kernels.ntt_forward_block)(&table, i, block, [input; 2]));
                let blocks = inverse.chunks_exact_mut(n / table.blocks);
                blocks
                    .enumerate()
                    .for_each(|(i, block)| (kernels.ntt_inverse_block)(&table, i, block));
                (kernels.ntt_inverse_outer)(&table, &mut inverse);
                [forward, inverse]
            })
        });
        assert!(expected == found, "N = 2^{log_n}, q = {q}");
    }
}

#[test]
fn transforms_agree_at_every_degree() {
    for log_n in MIN_VECTOR_LOG_DEGREE..=MAX_LOG_DEGREE {
        for q in ntt_primes(log_n) {
            check_transforms(q, log_n);
        }
    }
}

/// All pointwise entries on one length.
fn check_pointwise(q: u64, len: usize, seed: u64) {
    let m = &Modulus::new(q).unwrap();
    let mut rng = rng(seed);
    let [d, a, b] = [(); 3].map(|()| residues(q, len, &mut rng));
    let words: Vec<u64> = (0..len as u64)
        .map(|j| if j % 3 == 0 { u64::MAX - j } else { rng.next_u64() })
        .collect();
    let largest = q.min(128) as i16 - 1;
    let small: Vec<i8> = (0..len as i16)
        .map(|j| ((j * 37) % (2 * largest + 1) - largest) as i8)
        .collect();
    for s in [0, 1, q / 2, q - 1, seed % q] {
        for (kernels, portable) in backends(m.bits()) {
            let [expected, found] = [portable, kernels].map(|k| {
                let run = |f: &dyn Fn(&mut [u64])| {
                    let mut dst = d.clone();
                    f(&mut dst);
                    dst
                };
                [
                    run(&|d| (k.add)(m, d, &a, &b)),
                    run(&|d| (k.add_assign)(m, d, &a)),
                    run(&|d| (k.sub)(m, d, &a, &b)),
                    run(&|d| (k.sub_assign)(m, d, &a)),
                    run(&|d| (k.neg)(m, d, &a)),
                    run(&|d| (k.neg_assign)(m, d)),
                    run(&|d| (k.mul)(m, d, &a, &b)),
                    run(&|d| (k.mul_assign)(m, d, &a)),
                    run(&|d| (k.mul_add_assign)(m, d, &a, &b)),
                    run(&|d| (k.mul_scalar)(m, d, &a, s)),
                    run(&|d| (k.mul_scalar_assign)(m, d, s)),
                    run(&|d| (k.mul_scalar_add_assign)(m, d, &a, s)),
                    run(&|d| (k.sub_from_mul_scalar_assign)(m, d, &a, s)),
                    run(&|d| (k.add_scalar_assign)(m, d, s)),
                    run(&|d| (k.reduce)(m, d, &words)),
                    run(&|d| (k.lift_signed)(m, d, &small)),
                ]
            });
            for (entry, (expected, found)) in expected.iter().zip(&found).enumerate() {
                assert_eq!(expected, found, "entry {entry}, q = {q}, s = {s}");
            }
        }
    }
}

/// Whatever a slice's alignment and length.
/// What is kept of random numbers, with values just below, at and above the modulus among them.
#[test]
fn the_same_random_numbers_are_kept() {
    for q in EDGES {
        let m = Modulus::<u64>::new(q).unwrap();
        for len in [0, 1, 7, 8, 9, 63, 64, 128] {
            let mut rng = rng(q ^ len as u64);
            let numbers: Vec<[u8; 8]> = (0..len)
                .map(|i| match i % 4 {
                    0 => q - 1,
                    1 => q,
                    _ => rng.next_u64(),
                })
                .map(u64::to_le_bytes)
                .collect();
            let mask = u64::MAX >> (u64::BITS - m.bits());
            let expected: Vec<u64> = numbers
                .iter()
                .map(|&bytes| u64::from_le_bytes(bytes) & mask)
                .collect();
            let expected: Vec<u64> = expected.into_iter().filter(|&number| number < q).collect();
            for (kernels, _) in backends(m.bits()) {
                let mut kept = vec![u64::MAX; len + 3];
                let count = (kernels.keep_below)(&m, &numbers, &mut kept);
                assert_eq!(kept[..count], expected, "{q}, {len}");
                assert_eq!(kept[len..], [u64::MAX; 3], "{q}, {len}");
            }
        }
    }
}

#[test]
fn streamed_words_arrive() {
    let words = residues(1 << 40, 100, &mut rng(0));
    for (kernels, _) in backends(40) {
        for (start, len) in (0..9).flat_map(|start| [0, 1, 7, 8, 9, 64, 91].map(|len| (start, len))) {
            let mut dst = vec![1; 100];
            (kernels.stream)(&mut dst[start..start + len], &words[..len]);
            assert_eq!(dst[start..start + len], words[..len]);
            let around = [&dst[..start], &dst[start + len..]].concat();
            assert!(around.iter().all(|&word| word == 1), "from {start}, {len} words");
        }
    }
}

fn packed(limb: &[u64], bits: u32) -> Vec<u64> {
    let mut words = vec![0; packed_words::<u64>(limb.len(), bits)];
    pack_words(limb, bits, &mut words);
    words
}

/// Sums of so many products, all of (q − 1)² in some columns.
fn check_inner_product(q: u64, len: usize, terms: usize) {
    let m = &Modulus::new(q).unwrap();
    let mut rng = rng(terms as u64);
    let limbs: Vec<Vec<u64>> = (0..terms + 2).map(|_| residues(q, len, &mut rng)).collect();
    let pairs: Vec<Term<'_, u64>> = limbs
        .windows(2)
        .take(terms)
        .map(|p| (&p[0][..], &p[1][..]))
        .collect();
    let start = &limbs[terms + 1];
    for (kernels, portable) in backends(m.bits()) {
        for accumulate in [false, true] {
            let (mut expected, mut found) = (start.clone(), start.clone());
            (portable.inner_product)(m, &mut expected, &pairs, accumulate);
            (kernels.inner_product)(m, &mut found, &pairs, accumulate);
            assert_eq!(expected, found, "{terms} terms, q = {q}");
        }
        let pairs: Vec<Term2<'_, u64>> = pairs.iter().map(|&(a, b)| (a, [b, a])).collect();
        let starts = [Start::Zero, Start::Destination, Start::Scaled(&limbs[0], q - 1)];
        for i in 0..starts.len() {
            let starts = [starts[i], starts[(i + 1) % starts.len()]];
            let [expected, found] = [portable, kernels].map(|kernels| {
                let mut sums = [start.clone(), start.clone()];
                let dst = sums.each_mut().map(|sum| &mut sum[..]);
                (kernels.inner_product_2)(m, dst, &pairs, starts);
                sums
            });
            assert_eq!(expected, found, "{terms} terms from {starts:?}, q = {q}");
            // The same with packed limbs, a part of each from residue 8 on.
            let packed: Vec<Vec<u64>> = limbs.iter().map(|limb| packed(limb, m.bits())).collect();
            let sides = packed.windows(2).take(terms).map(|p| [&p[1][..], &p[0][..]]);
            let pairs = pairs.iter().zip(sides);
            let pairs: Vec<Term2<'_, u64>> = pairs.map(|(&(a, _), sides)| (&a[8..], sides)).collect();
            let starts = starts.map(|start| match start {
                Start::Scaled(a, s) => Start::Scaled(&a[8..], s),
                start => start,
            });
            let mut sums = [start.clone(), start.clone()];
            let dst = sums.each_mut().map(|sum| &mut sum[8..]);
            (kernels.inner_product_2_packed)(m, 8, dst, &pairs, starts);
            let beginning = [&start[..8]; 2];
            let expected = expected.each_ref().map(|sum| &sum[8..]);
            assert_eq!(
                sums.each_ref().map(|sum| &sum[8..]),
                expected,
                "packed, {terms} terms, q = {q}"
            );
            assert_eq!(sums.each_ref().map(|sum| &sum[..8]), beginning);
        }
    }
}

/// Both loops of base conversion, from rows of one modulus to another.
fn check_conversion(from: u64, to: u64, rows: usize, seed: u64) {
    let columns = 40;
    let [from, m] = [from, to].map(|q| Modulus::new(q).unwrap());
    let mut rng = rng(seed);
    let limbs: Vec<Vec<u64>> = (0..rows)
        .map(|_| residues(from.value(), columns, &mut rng))
        .collect();
    let limbs: Vec<&[u64]> = limbs.iter().map(|limb| &limb[..]).collect();
    let factors = residues(to, rows, &mut rng);
    let reciprocals = vec![Reciprocal::new(&from); rows];
    for (kernels, portable) in backends(from.bits().max(m.bits())) {
        let [expected, found] = [portable, kernels].map(|kernels| {
            let (mut wraps, mut dst) = (vec![0; columns], vec![0; columns]);
            (kernels.count_wraps)(&mut wraps, &limbs, &reciprocals);
            let counted = wraps.clone();
            wraps[0] = MAX_PRIMES as u64;
            let source = Rows {
                rows: &limbs,
                wraps: &wraps,
                bits: from.bits(),
            };
            let mut other = dst.clone();
            // A pair and a single one.
            let combination = |dst| Combination {
                modulus: m,
                factors: factors.iter().copied().collect(),
                wrap_factor: to - 1,
                dst,
            };
            let mut third = dst.clone();
            (kernels.combine)(
                &mut [&mut dst, &mut other, &mut third].map(|dst| combination(&mut dst[..])),
                &source,
            );
            [counted, dst, other, third]
        });
        assert_eq!(expected, found, "{rows} rows from {from:?} to {to}");
    }
}

#[test]
fn largest_sums_agree() {
    for q in EDGES {
        for terms in [0, 1, 2, 3, 13, 14, 15, 16, 28, 29, 30, 31, 62, 63, 64, 65] {
            check_inner_product(q, 43, terms);
        }
        for to in EDGES {
            for rows in [1, 2, 9, 13, 14, 15, 28, 29, 62, 63, 64] {
                check_conversion(q, to, rows, 1);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn pointwise_entries_agree(seed: u64, len in 0usize..100, q in 3u64..1 << 61) {
        for q in EDGES.into_iter().chain([q | 1, q >> 11 | 1 << 49 | 1]) {
            check_pointwise(q, len, seed);
        }
    }

    #[test]
    fn sums_agree(seed: u64, q in 3u64..1 << 50, to in 3u64..1 << 50, len in 8usize..160, terms in 1usize..64) {
        check_inner_product(q | 1, len, terms);
        check_conversion(q | 1, to | 1, terms, seed);
    }

    #[test]
    fn permutations_agree(seed: u64, log_n in 3u32..=12, rotation: i64) {
        let n = 1 << log_n;
        let mut rng = rng(seed);
        let m = Modulus::new((1 << 50) - 1).unwrap();
        let (dst, src) = (residues(m.value(), n, &mut rng), residues(m.value(), n, &mut rng));
        let rotation = automorphism::galois_element(log_n, rotation);
        for element in [rotation, automorphism::conjugation_element(log_n)] {
            for (kernels, portable) in backends(m.bits()) {
                let [expected, found] = [portable, kernels].map(|kernels| {
                    let (mut moved, mut sum) = (dst.clone(), dst.clone());
                    (kernels.permute)(log_n, element, 0, &mut moved, &src);
                    (kernels.permute_add_assign)(&m, log_n, element, 0, &mut sum, &src);
                    [moved, sum]
                });
                prop_assert_eq!(expected, found);
            }
        }
    }
}
