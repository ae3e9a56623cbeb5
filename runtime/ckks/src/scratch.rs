//! How many scratch words each operation needs, N = degree, l = level, K = special primes, D = digits(l).
//!
//! A plan reserves scratch from these formulas, so they are part of the interface: a faster kernel may use less, none
//! may need more. Scratch holds no value between calls; a longer slice than asked for is accepted.

use crate::Parameters;

/// [`crate::evaluate::rescale`]: 3·N.
pub fn rescale_scratch(parameters: &Parameters, _level: usize) -> usize {
    parameters.words(3)
}

/// [`crate::switch::decompose`]: (l+1)·N + (l+1+K)·N.
pub fn decompose_scratch(parameters: &Parameters, level: usize) -> usize {
    parameters
        .plaintext_words(level)
        .saturating_add(parameters.qp_words(level, 0))
}

/// [`crate::switch::rotate_acc`]: (l+1+K)·N.
pub fn rotate_acc_scratch(parameters: &Parameters, level: usize) -> usize {
    parameters.qp_words(level, 0)
}

/// [`crate::switch::mod_down`]: 2·K·N + (l+1)·N.
pub fn mod_down_scratch(parameters: &Parameters, level: usize) -> usize {
    parameters
        .words(2 * parameters.special())
        .saturating_add(parameters.plaintext_words(level))
}

/// [`crate::switch::relinearize`]: D·(l+1+K)·N + 2·(l+1+K)·N + max(decompose, mod-down).
pub fn relinearize_scratch(parameters: &Parameters, level: usize) -> usize {
    let inner = decompose_scratch(parameters, level).max(mod_down_scratch(parameters, level));
    parameters
        .qp_words(level, parameters.digits(level).saturating_add(1))
        .saturating_add(inner)
}

/// [`crate::switch::rotate`]: decomposed ciphertext + 2·(l+1+K)·N + max(decompose, rotate_acc, mod-down).
pub fn rotate_scratch(parameters: &Parameters, level: usize) -> usize {
    let inner = decompose_scratch(parameters, level)
        .max(rotate_acc_scratch(parameters, level))
        .max(mod_down_scratch(parameters, level));
    parameters
        .decomposed_words(level)
        .saturating_add(parameters.qp_words(level, 1))
        .saturating_add(inner)
}

/// [`crate::switch::switch_secret`]: as [`relinearize_scratch`].
pub fn switch_secret_scratch(parameters: &Parameters, level: usize) -> usize {
    relinearize_scratch(parameters, level)
}

/// [`crate::evaluate::mod_raise`]: 2·N.
pub fn mod_raise_scratch(parameters: &Parameters, _level: usize) -> usize {
    parameters.words(2)
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

/// [`crate::keys`], every kind of switching key: (cap+1+K)·N.
pub fn generate_key_scratch(parameters: &Parameters, cap: usize) -> usize {
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
