//! The operations that are measured: how to do each once, and what work it is.

use cipherloom_ckks::switch::{Rotation, RotationSum};
use cipherloom_ckks::{Basis, CkksError, Context, encrypt, evaluate, scratch, switch};
use cipherloom_compiler::analysis::cost::Work;
use cipherloom_host::Words;
use cipherloom_ring::{basis, pack, parallel};
use rayon::prelude::*;

use super::kit::{Kit, MANY};

/// An operation on ciphertexts, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Encode,
    Encrypt,
    Decrypt,
    Add,
    MulPlain,
    MulRelinRescale,
    Rescale,
    Rotate,
    RotateHoisted,
    ModUp,
    KeySwitch,
    BaseConversion,
    // What only the cost table needs.
    Transform,
    Copy,
    MulPlainAcc,
    MulPlainSum,
    MulScalar,
    Mul,
    MulAcc,
    Square,
    RotateAcc,
    LiftAcc,
    ModDown,
    ModDownRescale,
    RelinearizeRescale,
    Unpack,
    Expand,
    Tables,
    Touch,
}

use Operation::*;

/// Words that are touched to find out how long that takes.
const TOUCHED: usize = 1 << 22;
/// A word of each page that there may be is touched.
const PAGE: usize = 512;

impl Operation {
    /// What `cipherloom bench` shows.
    pub const SHOWN: [Self; 12] = [
        Encode,
        Encrypt,
        Decrypt,
        Add,
        MulPlain,
        MulRelinRescale,
        Rescale,
        Rotate,
        RotateHoisted,
        ModUp,
        KeySwitch,
        BaseConversion,
    ];

    /// What a cost table is fitted to. No operation that is a sequence of others.
    pub const FITTED: [Self; 24] = [
        Transform,
        BaseConversion,
        Add,
        Copy,
        MulPlain,
        MulPlainAcc,
        MulPlainSum,
        MulScalar,
        Mul,
        MulAcc,
        Square,
        Rescale,
        ModUp,
        RotateAcc,
        LiftAcc,
        ModDown,
        ModDownRescale,
        KeySwitch,
        RelinearizeRescale,
        Rotate,
        Encode,
        Unpack,
        Expand,
        Tables,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Encode => "encode",
            Encrypt => "encrypt",
            Decrypt => "decrypt",
            Add => "add",
            MulPlain => "mul_plain",
            MulRelinRescale => "mul_relin_rescale",
            Rescale => "rescale",
            Rotate => "rotate",
            RotateHoisted => "rotate8_hoisted",
            ModUp => "mod_up",
            KeySwitch => "key_switch",
            BaseConversion => "base_conversion",
            Transform => "transform",
            Copy => "copy",
            MulPlainAcc => "mul_plain_acc",
            MulPlainSum => "mul_plain_sum",
            MulScalar => "mul_scalar",
            Mul => "mul",
            MulAcc => "mul_acc",
            Square => "square",
            RotateAcc => "rotate_acc",
            LiftAcc => "lift_acc",
            ModDown => "mod_down",
            ModDownRescale => "mod_down_rescale",
            RelinearizeRescale => "relinearize_rescale",
            Unpack => "unpack",
            Expand => "expand",
            Tables => "tables",
            Touch => "touch",
        }
    }

    /// Its work from the kit's level. Of encryption and decryption, only what is exact arithmetic.
    pub fn work(self, kit: &Kit<'_>) -> Work {
        let (shape, level) = (&kit.shape(), kit.level as u32);
        let (limbs, lower) = (level + 1, level.saturating_sub(1));
        match self {
            Encode => shape.encode(limbs, 0),
            Encrypt => shape.transforms(limbs).plus(shape.mul_scalar(limbs)),
            Decrypt => {
                let parameters = &kit.ctx.parameters;
                let decoded = scratch::decode_scratch(parameters, kit.level) / parameters.degree();
                shape.mul_plain(limbs, 0).plus(shape.transforms(decoded as u32))
            }
            Add => shape.add(2 * limbs),
            MulPlain => shape.mul_plain(2 * limbs, 0),
            MulRelinRescale => shape.mul(level, 1).plus(shape.relinearize_rescale(lower)),
            Rescale => shape.rescale(lower, 2),
            Rotate => shape.rotate(level),
            RotateHoisted => {
                let one = shape.rotate_acc(level, 1).plus(shape.mod_down(level));
                shape.decompose(level).plus(one.times(MANY as f64))
            }
            ModUp => shape.decompose(level),
            KeySwitch => shape.relinearize(level),
            BaseConversion => {
                let from = shape.digit_limbs.min(limbs);
                shape.base_conversion(from, limbs + shape.special - from)
            }
            Transform => shape.transforms(limbs),
            Copy => shape.copy(2 * limbs),
            MulPlainAcc => shape.mul_plain(2 * limbs, 0),
            MulPlainSum => shape.mul_plain_sum(limbs, MANY as u32, 0, 1),
            MulScalar => shape.mul_scalar(2 * limbs),
            Mul => shape.mul(level, 1),
            MulAcc => shape.mul(level, 1),
            Square => shape.square(level),
            RotateAcc => shape.rotate_acc(level, 1),
            LiftAcc => shape.lift_acc(level),
            ModDown => shape.mod_down(level),
            ModDownRescale => shape.mod_down_rescale(lower),
            RelinearizeRescale => shape.relinearize_rescale(lower),
            Unpack => shape.unpack(limbs),
            Expand => shape.expand(limbs),
            Tables => shape.start(kit.ctx.parameters.primes().count() as u32, 0.0),
            Touch => shape.start(0, TOUCHED as f64),
        }
    }

    /// Does it once, from the kit's level.
    pub fn run(self, kit: &mut Kit<'_>) -> Result<(), CkksError> {
        let level = kit.level;
        let (q, qp) = (kit.polynomial(Basis::Q), kit.polynomial(Basis::Qp));
        let lower = q - kit.ctx.degree();
        let cap = kit.ctx.parameters.max_level();
        let key_words = kit.ctx.parameters.switching_key_words::<u64>(cap);
        let decomposed_words = kit.ctx.parameters.decomposed_words(level);
        let Kit {
            ctx,
            sources,
            results,
            scratch,
            element,
            ..
        } = kit;
        let element = *element;
        match self {
            Encode | Encrypt | Decrypt => self.run_client(kit),
            Unpack | Expand | Tables | Touch => self.run_start(kit),
            Add => {
                let ([dst], [a, b]) = (results.take([2 * q]), sources.take([2 * q, 2 * q]));
                evaluate::add(ctx, level, 2, Basis::Q, dst, a, b)
            }
            Copy => {
                let ([dst], [a]) = (results.take([2 * q]), sources.take([2 * q]));
                evaluate::drop(ctx, level, level, 1, dst, a)
            }
            MulPlain => {
                let ([dst], [a, b]) = (results.take([2 * q]), sources.take([2 * q, q]));
                evaluate::mul_plain(ctx, level, 1, Basis::Q, dst, a, b)
            }
            MulPlainAcc => {
                let ([dst], [a, b]) = (results.take([2 * q]), sources.take([2 * q, q]));
                evaluate::mul_plain_acc(ctx, level, 1, Basis::Q, dst, a, b)
            }
            MulPlainSum => {
                let [dst] = results.take([2 * q]);
                let [operands] = sources.take([MANY * 3 * q]);
                let terms: Vec<(&[u64], &[u64])> = operands
                    .chunks_exact(3 * q)
                    .map(|term| term.split_at(2 * q))
                    .collect();
                evaluate::mul_plain_sum(ctx, level, Basis::Q, dst, true, &terms)
            }
            MulScalar => {
                let ([dst], [a]) = (results.take([2 * q]), sources.take([2 * q]));
                evaluate::mul_scalar(ctx, level, 1, dst, a, 12345.0)
            }
            Mul | MulAcc => {
                let ([dst], [a, b]) = (results.take([3 * q]), sources.take([2 * q, 2 * q]));
                match self {
                    Mul => evaluate::mul(ctx, level, dst, a, b),
                    _ => evaluate::mul_acc(ctx, level, dst, a, b),
                }
            }
            Square => {
                let ([dst], [a]) = (results.take([3 * q]), sources.take([2 * q]));
                evaluate::square(ctx, level, dst, a)
            }
            Rescale => {
                let ([dst], [a]) = (results.take([2 * lower]), sources.take([2 * q]));
                evaluate::rescale(ctx, level, 1, dst, a, scratch)
            }
            MulRelinRescale => {
                let [product, dst] = results.take([3 * q, 2 * lower]);
                let [a, b, key] = sources.take([2 * q, 2 * q, key_words]);
                evaluate::mul(ctx, level, product, a, b)?;
                switch::relinearize_rescale(ctx, level, dst, product, key, cap, scratch)
            }
            RelinearizeRescale => {
                let ([dst], [a, key]) = (results.take([2 * lower]), sources.take([3 * q, key_words]));
                switch::relinearize_rescale(ctx, level, dst, a, key, cap, scratch)
            }
            KeySwitch => {
                let ([dst], [a, key]) = (results.take([2 * q]), sources.take([3 * q, key_words]));
                switch::relinearize(ctx, level, dst, a, key, cap, scratch)
            }
            Rotate => {
                let ([dst], [a, key]) = (results.take([2 * q]), sources.take([2 * q, key_words]));
                switch::rotate(ctx, level, element, dst, a, key, cap, scratch)
            }
            ModUp => {
                let ([dst], [a]) = (results.take([decomposed_words]), sources.take([2 * q]));
                switch::decompose(ctx, level, dst, a, scratch)
            }
            RotateAcc => {
                let ([acc], [a, key]) = (
                    results.take([2 * qp]),
                    sources.take([decomposed_words, key_words]),
                );
                switch::rotate_acc(ctx, level, element, key, cap, acc, a, false)
            }
            LiftAcc => {
                let ([acc], [a]) = (results.take([2 * qp]), sources.take([2 * q]));
                switch::lift_acc(ctx, level, acc, a, false)
            }
            ModDown => {
                let ([dst], [acc]) = (results.take([2 * q]), sources.take([2 * qp]));
                switch::mod_down(ctx, level, dst, acc, scratch)
            }
            ModDownRescale => {
                let ([dst], [acc]) = (results.take([2 * lower]), sources.take([2 * qp]));
                switch::mod_down_rescale(ctx, level, dst, acc, scratch)
            }
            RotateHoisted => {
                let [decomposed, accs, dst] = results.take([decomposed_words, MANY * 2 * qp, 2 * q]);
                let [a, key] = sources.take([2 * q, key_words]);
                switch::decompose(ctx, level, decomposed, a, scratch)?;
                let rotation = Rotation {
                    element,
                    key,
                    key_cap: cap,
                };
                let rotations = [rotation];
                let sums = accs.chunks_exact_mut(2 * qp).map(|acc| RotationSum {
                    acc,
                    init: true,
                    rotations: &rotations,
                });
                switch::rotate_accs(ctx, level, &mut sums.collect::<Vec<_>>(), decomposed)?;
                let mut accs = accs.chunks_exact(2 * qp);
                accs.try_for_each(|acc| switch::mod_down(ctx, level, dst, acc, scratch))
            }
            Transform => {
                let [limbs] = results.take([q]);
                let ring = &ctx.ring;
                parallel::for_each_limb(limbs, ring.degree(), |prime, limb| ring.ntt_forward(prime, limb));
                Ok(())
            }
            BaseConversion => {
                let n = ctx.degree();
                let from = 0..(ctx.parameters.digit_limbs as usize).min(level + 1);
                let special = ctx.parameters.q.len()..ctx.parameters.primes().count();
                let to: Vec<usize> = (from.end..level + 1).chain(special).collect();
                let [dst, src, wraps] = results.take([to.len() * n, from.len() * n, n]);
                basis::convert(&ctx.ring, from, src, &to, dst, wraps);
                Ok(())
            }
        }
    }

    /// What the key holder does.
    fn run_client(self, kit: &mut Kit<'_>) -> Result<(), CkksError> {
        let (level, scale, q) = (kit.level, kit.scale, kit.polynomial(Basis::Q));
        let Kit {
            ctx,
            encoder,
            secret,
            sources,
            results,
            scratch,
            slots,
            decoded,
            rng,
            ..
        } = kit;
        let ([values, work], [re, im]) = (slots, decoded);
        let [dst] = results.take([q]);
        match self {
            Encode => encoder.encode_real(ctx, values, scale, level, Basis::Q, dst, work),
            Encrypt => {
                let [plaintext] = sources.take([q]);
                encrypt::encrypt_symmetric(ctx, secret, plaintext, level, &[3; 32], rng, dst, scratch)
            }
            _ => {
                let [ciphertext] = sources.take([2 * q]);
                encrypt::decrypt(ctx, secret, ciphertext, level, 1, dst)?;
                encoder.decode(ctx, dst, level, scale, re, im, scratch)
            }
        }
    }

    /// What happens where data come in and a run begins.
    fn run_start(self, kit: &mut Kit<'_>) -> Result<(), CkksError> {
        let (level, n, q) = (kit.level, kit.ctx.degree(), kit.polynomial(Basis::Q));
        let Kit {
            ctx,
            results,
            tables,
            packed: (packed, limb_bytes),
            ..
        } = kit;
        match self {
            Unpack => {
                let [limbs] = results.take([q]);
                let limbs = limbs
                    .par_chunks_exact_mut(n)
                    .zip(packed.par_chunks_exact(*limb_bytes));
                limbs.enumerate().try_for_each(|(prime, (limb, bytes))| {
                    let modulus = ctx.ring.modulus(prime);
                    pack::unpack(bytes, modulus.bits(), modulus, limb)
                })?;
                Ok(())
            }
            Expand => {
                let [limbs] = results.take([q]);
                encrypt::expand_c1(ctx, &[4; 32], level, limbs)
            }
            Tables => Context::new(ctx.parameters.clone(), tables).map(drop),
            _ => {
                // Where there is no such memory, nothing is measured: the fit then finds no time for it.
                if let Ok(mut words) = Words::zeroed("touched", TOUCHED) {
                    words.iter_mut().step_by(PAGE).for_each(|word| *word = 1);
                }
                Ok(())
            }
        }
    }
}
