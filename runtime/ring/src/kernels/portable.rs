//! The portable backend: safe Rust that is the same on every machine. It is the definition.

mod basis;
mod ntt;
pub(super) mod permute;
pub(super) mod pointwise;
pub(super) mod sample;

use super::Kernels;
use crate::Word;

/// Columns of a sum of products handled side by side: as many double words as stay in registers. Divides every ring
/// degree.
const LANES: usize = 4;

/// The table of portable kernels.
pub(super) const fn kernels<W: Word>() -> Kernels<W> {
    Kernels {
        prepare_roots: ntt::prepare_roots,
        ntt_forward_outer: ntt::forward_outer,
        ntt_forward_block: ntt::forward_block,
        ntt_inverse_block: ntt::inverse_block,
        ntt_inverse_outer: ntt::inverse_outer,
        add: pointwise::add,
        add_assign: pointwise::add_assign,
        sub: pointwise::sub,
        sub_assign: pointwise::sub_assign,
        neg: pointwise::neg,
        neg_assign: pointwise::neg_assign,
        mul: pointwise::mul,
        mul_assign: pointwise::mul_assign,
        mul_add_assign: pointwise::mul_add_assign,
        mul_scalar: pointwise::mul_scalar,
        mul_scalar_assign: pointwise::mul_scalar_assign,
        mul_scalar_add_assign: pointwise::mul_scalar_add_assign,
        sub_from_mul_scalar_assign: pointwise::sub_from_mul_scalar_assign,
        add_scalar_assign: pointwise::add_scalar_assign,
        inner_product: pointwise::inner_product,
        inner_product_2: pointwise::inner_product_2,
        inner_product_2_packed: pointwise::inner_product_2_packed,
        reduce: pointwise::reduce,
        lift_signed: pointwise::lift_signed,
        permute: permute::permute,
        permute_add_assign: permute::permute_add_assign,
        prefetch: |_| {},
        stream: |dst, a| dst.iter_mut().zip(a).for_each(|(dst, &a)| *dst = a),
        combine: basis::combine,
        count_wraps: basis::count_wraps,
        keep_below: sample::keep_below,
    }
}
