//! How many scratch words each operation needs, N = degree, l = level, K = special primes, D = digits(l).
//!
//! A plan reserves scratch from these formulas, so they are part of the interface: a faster kernel may use less, none
//! may need more. Scratch holds no value between calls; a longer slice than asked for is accepted.

use crate::Parameters;

/// [`crate::evaluate::rescale`]: 6·N.
pub fn rescale_scratch(parameters: &Parameters, _level: usize) -> usize {
    parameters.words(6)
}

/// The least that [`crate::evaluate::rescale`] takes, where memory is dearer than time: 2·N.
pub fn least_rescale_scratch(parameters: &Parameters) -> usize {
    parameters.words(2)
}

/// [`crate::switch::decompose`]: (l+1+D)·N.
pub fn decompose_scratch(parameters: &Parameters, level: usize) -> usize {
    let limbs = level.saturating_add(1).saturating_add(parameters.digits(level));
    parameters.words(limbs)
}

/// [`crate::switch::mod_down`]: 2·(K+1)·N.
pub fn mod_down_scratch(parameters: &Parameters, _level: usize) -> usize {
    parameters.words(2 * (parameters.special() + 1))
}

/// [`crate::switch::mod_down_rescale`]: 2·(K+2)·N.
pub fn mod_down_rescale_scratch(parameters: &Parameters, _level: usize) -> usize {
    parameters.words(2 * (parameters.special() + 2))
}

/// A whole key switch: the raised digits, and a little: (D+2)·(l+1+K)·N + (D+K+6)·N.
fn switch_scratch(parameters: &Parameters, level: usize) -> usize {
    let digits = parameters.digits(level);
    parameters
        .qp_words(level, digits.saturating_add(1))
        .saturating_add(parameters.words(digits.saturating_add(parameters.special() + 6)))
}

/// [`crate::switch::relinearize`]: (D+2)·(l+1+K)·N + (D+K+6)·N.
pub fn relinearize_scratch(parameters: &Parameters, level: usize) -> usize {
    switch_scratch(parameters, level)
}

/// [`crate::switch::relinearize_rescale`]: as [`relinearize_scratch`], l the level of the source.
pub fn relinearize_rescale_scratch(parameters: &Parameters, level: usize) -> usize {
    switch_scratch(parameters, level)
}

/// [`crate::switch::rotate`]: as [`relinearize_scratch`].
pub fn rotate_scratch(parameters: &Parameters, level: usize) -> usize {
    switch_scratch(parameters, level)
}

/// [`crate::switch::switch_secret`]: as [`relinearize_scratch`].
pub fn switch_secret_scratch(parameters: &Parameters, level: usize) -> usize {
    switch_scratch(parameters, level)
}

/// [`crate::evaluate::mod_raise`]: 4·N.
pub fn mod_raise_scratch(parameters: &Parameters, _level: usize) -> usize {
    parameters.words(4)
}

/// [`crate::encrypt::encrypt_symmetric`]: N.
pub fn encrypt_symmetric_scratch(parameters: &Parameters, _level: usize) -> usize {
    parameters.words(1)
}

/// [`crate::encrypt::encrypt_public`]: (l+1)·N.
pub fn encrypt_public_scratch(parameters: &Parameters, level: usize) -> usize {
    parameters.plaintext_words(level)
}

/// [`crate::encrypt::flood`]: (l+1)·N.
pub fn flood_scratch(parameters: &Parameters, level: usize) -> usize {
    parameters.plaintext_words(level)
}

/// [`crate::keys`], generating every kind of switching key: 3·(cap+1+K)·N.
pub fn generate_key_scratch(parameters: &Parameters, cap: usize) -> usize {
    parameters.qp_words(cap, 2)
}

/// [`crate::keys::expand_key_a`]: (cap+1+K)·N.
pub fn expand_key_scratch(parameters: &Parameters, cap: usize) -> usize {
    parameters.qp_words(cap, 0)
}

/// [`crate::Encoder::encode_real`] and [`crate::Encoder::encode_complex`]: N numbers of type `f64`.
pub fn encode_scratch(parameters: &Parameters) -> usize {
    parameters.degree()
}

/// [`crate::Encoder::decode`]: as many limbs as decoding reads.
pub fn decode_scratch(parameters: &Parameters, level: usize) -> usize {
    parameters.words(crate::encode::decoded_limbs(parameters, level))
}
