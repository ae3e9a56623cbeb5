//! Rotations of a decomposed ciphertext, summed in basis qp.

use super::product::{Key, Product};
use super::{check_decomposed, check_key_at};
use crate::CkksError;
use crate::context::{Basis, Context, TOGETHER};
use cipherloom_ring::{Word, limb};

/// A rotation of a decomposed ciphertext.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a, W> {
    /// The Galois element g (rotation by r: g = 5^r mod 2N; conjugation: 2N − 1).
    pub element: u32,
    /// The key for g.
    pub key: &'a [W],
    /// Its cap, at least the level.
    pub key_cap: usize,
}

/// A sum to be made by [`rotate_accs`]: acc (+)= Σ φ_g of the ciphertext.
pub struct RotationSum<'a, 'r, W> {
    /// Where it goes, in basis qp.
    pub acc: &'a mut [W],
    /// Overwrites the accumulator instead of adding to it.
    pub init: bool,
    /// What is summed.
    pub rotations: &'r [Rotation<'r, W>],
}

/// acc (+)= φ_g of a decomposed ciphertext, switched back to s: an encryption, in basis qp and degree 1, of P times the
/// rotated message. `init` overwrites the accumulator instead of adding to it. The key is for the element g (rotation by
/// r: g = 5^r mod 2N; conjugation: 2N − 1) and has a cap ≥ level.
pub fn rotate_acc<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    element: u32,
    key: &[W],
    key_cap: usize,
    acc: &mut [W],
    decomposed: &[W],
    init: bool,
) -> Result<(), CkksError> {
    let rotation = Rotation {
        element,
        key,
        key_cap,
    };
    let rotations = &[rotation];
    rotate_accs(
        ctx,
        level,
        &mut [RotationSum { acc, init, rotations }],
        decomposed,
    )
}

/// Sums of rotations of one decomposed ciphertext, each as [`rotate_acc`] after [`rotate_acc`]. Limb by limb, so that the
/// digits come from memory once for [`crate::context::TOGETHER`] of the rotations, and so does each sum.
pub fn rotate_accs<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    sums: &mut [RotationSum<'_, '_, W>],
    decomposed: &[W],
) -> Result<(), CkksError> {
    check_decomposed(ctx, level, decomposed)?;
    for sum in &mut *sums {
        ctx.check("accumulator", sum.acc, level, Basis::Qp, 2)?;
        for rotation in sum.rotations {
            ctx.check_element(rotation.element)?;
            check_key_at(ctx, level, rotation.key_cap, rotation.key)?;
        }
    }
    for sums in sums.chunks_mut(TOGETHER) {
        let sources: heapless::Vec<_, TOGETHER> = sums.iter().map(|sum| (sum.init, sum.rotations)).collect();
        let mut accs: heapless::Vec<_, TOGETHER> = sums.iter_mut().map(|sum| &mut *sum.acc).collect();
        ctx.for_each_limb_together(level, Basis::Qp, &mut accs, |at, accs| {
            rotate_limb(ctx, level, at.position, accs, &sources, decomposed);
        });
    }
    Ok(())
}

/// The limbs of some sums at a position: for each, whether it is overwritten, and its rotations.
fn rotate_limb<W: Word>(
    ctx: &Context<'_, W>,
    level: usize,
    position: usize,
    accs: &mut [[&mut [W]; 2]],
    sums: &[(bool, &[Rotation<'_, W>])],
    decomposed: &[W],
) {
    let n = ctx.degree();
    let modulus = ctx.modulus(ctx.prime_at(level, position));
    let (c0, raised) = decomposed.split_at(ctx.parameters.plaintext_words(level));
    let digits = &raised[position * ctx.parameters.digits(level) * n..][..ctx.parameters.digits(level) * n];
    // What is made of one rotation is written at once; several are added to nothing.
    let written = |&(init, rotations): &(bool, &[Rotation<'_, W>])| init && rotations.len() == 1;
    for (acc, sum) in accs.iter_mut().zip(sums) {
        if sum.0 && !written(sum) {
            acc.iter_mut().for_each(|acc| acc.fill(W::ZERO));
        }
    }
    let mut rotations = (sums.iter().enumerate()).flat_map(|(index, sum)| {
        let one = move |rotation| (index, written(sum), rotation);
        sum.1.iter().map(one)
    });
    loop {
        let products = rotations.by_ref().take(TOGETHER);
        let products: heapless::Vec<_, TOGETHER> = products
            .map(|(index, written, rotation)| {
                let key = Key {
                    words: rotation.key,
                    cap: rotation.key_cap,
                };
                let product = Product::new(
                    ctx,
                    level,
                    position,
                    key,
                    Some(rotation.element),
                    [Some(c0), None],
                );
                (index, written, product)
            })
            .collect();
        if products.is_empty() {
            return;
        }
        // A block of the digits stays in a cache for all rotations.
        for columns in (0..ctx.ring.ntt_blocks()).map(|block| ctx.block(block)) {
            let digits = digits.chunks_exact(n).map(|digit| &digit[columns.clone()]);
            for (index, written, product) in &products {
                let acc = &mut accs[*index];
                product.for_each_tile(
                    ctx,
                    columns.clone(),
                    digits.clone(),
                    |polynomial, columns, words| {
                        let acc = &mut acc[polynomial][columns];
                        if *written {
                            ctx.store(level, Basis::Qp, acc, words);
                        } else {
                            limb::add_assign(modulus, acc, words);
                        }
                    },
                );
            }
        }
    }
}
