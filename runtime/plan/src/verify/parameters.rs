//! The rules for the moduli, and the security table.

use crate::model::KeyKind;
use crate::record::Table;
use crate::verify::VerifyError;
use crate::view::Plan;

/// Largest log2(QP) for 128 bits of classical security with a uniform ternary secret and errors of σ = 3.19, for N = 2^10 …
/// 2^17 (Bossuat et al., "Security Guidelines for Implementing Homomorphic Encryption", 2024).
const LARGEST_LOG_QP: [f64; 8] = [26.0, 53.0, 106.0, 214.0, 430.0, 868.0, 1747.0, 3523.0];
/// The first entry of the table.
const SMALLEST_LOG_N: u8 = 10;
/// The security that the table stands for.
const SECURITY_BITS: u16 = 128;
/// Bits of the largest prime with words of 32 and 64 bits.
const PRIME_BITS: (u32, u32) = (30, 61);
/// The lightest ephemeral secret that is accepted.
const SMALLEST_WEIGHT: u32 = 32;
/// Largest log2 of the modulus under which a ternary secret with 32 non-zero coefficients hides for 128 bits, for N = 2^16; it
/// grows with N. (Sparse-secret encapsulation: Bossuat, Troncoso-Pastoriza, Hubaux, "Bootstrapping for approximate
/// homomorphic encryption with negligible failure probability by using sparse-secret encapsulation", 2022.)
const LARGEST_LOG_EPHEMERAL: (u8, f64) = (16, 105.0);
/// The sums of logarithms are exact to this.
const LOG_TOLERANCE: f64 = 1e-9;

pub(crate) fn check(plan: &Plan<'_>) -> Result<(), VerifyError> {
    let parameters = plan.parameters();
    let two_n = 2_u64 << parameters.log_n();
    let bits = if parameters.word_bits() == 32 {
        PRIME_BITS.0
    } else {
        PRIME_BITS.1
    };
    for (index, modulus) in plan.primes.iter().enumerate() {
        if modulus >> bits != 0 {
            return Err(VerifyError::PrimeTooLarge { modulus, bits });
        }
        if modulus % two_n != 1 {
            return Err(VerifyError::NotNttFriendly { modulus });
        }
        if !crate::prime::is_prime(modulus) {
            return Err(VerifyError::NotPrime { modulus });
        }
        if plan.primes.iter().take(index).any(|earlier| earlier == modulus) {
            return Err(VerifyError::DuplicatePrime { modulus });
        }
    }

    let digit_limbs = usize::from(parameters.digit_limbs());
    let (mut log_q, mut log_digit, mut largest_digit) = (0.0, 0.0, 0.0_f64);
    for (index, modulus) in parameters.q().iter().enumerate() {
        let log = libm::log2(modulus as f64);
        log_q += log;
        log_digit = if index % digit_limbs == 0 {
            log
        } else {
            log_digit + log
        };
        largest_digit = largest_digit.max(log_digit);
    }
    let log_p = sum_of_logs(parameters.p().iter());
    if parameters.special() > 0 && log_p < largest_digit - LOG_TOLERANCE {
        return Err(VerifyError::SpecialModulus {
            log_p,
            log_digit: largest_digit,
        });
    }

    if plan.keys().any(|key| key.kind == KeyKind::ToSparse) {
        // This key has one special prime alone, and its digit is q_0.
        let (log_p, log_digit) = (log_of_first(parameters.p()), log_of_first(parameters.q()));
        if log_p < log_digit - LOG_TOLERANCE {
            return Err(VerifyError::SpecialModulus { log_p, log_digit });
        }
    }

    let (log_qp, claim) = (log_q + log_p, parameters.security_bits());
    if parameters.toy() {
        return if claim == 0 {
            Ok(())
        } else {
            Err(VerifyError::SecurityClaim { bits: claim })
        };
    }
    let row = parameters.log_n().checked_sub(SMALLEST_LOG_N);
    let limit = row
        .and_then(|row| LARGEST_LOG_QP.get(usize::from(row)))
        .copied()
        .unwrap_or(0.0);
    if log_qp > limit + LOG_TOLERANCE {
        return Err(VerifyError::Insecure { log_qp, limit });
    }
    if claim == 0 || claim > SECURITY_BITS {
        return Err(VerifyError::SecurityClaim { bits: claim });
    }
    check_ephemeral(plan)
}

/// Only the key to the ephemeral secret hides anything under it, and what is encrypted with that key: both modulo q_0 and the
/// first special prime.
fn check_ephemeral(plan: &Plan<'_>) -> Result<(), VerifyError> {
    let parameters = plan.parameters();
    if plan.keys().all(|key| key.kind != KeyKind::ToSparse) {
        return Ok(());
    }
    let weight = parameters.ephemeral_weight();
    let log_modulus = log_of_first(parameters.q()) + log_of_first(parameters.p());
    let (log_n, largest) = LARGEST_LOG_EPHEMERAL;
    let growth = i32::from(parameters.log_n()) - i32::from(log_n);
    let limit = if weight < SMALLEST_WEIGHT {
        0.0
    } else {
        libm::ldexp(largest, growth)
    };
    if log_modulus > limit + LOG_TOLERANCE {
        return Err(VerifyError::EphemeralInsecure {
            weight,
            log_modulus,
            limit,
        });
    }
    Ok(())
}

/// log2 of the first modulus, 0 without one.
fn log_of_first(moduli: Table<'_, u64>) -> f64 {
    sum_of_logs(moduli.iter().take(1))
}

/// log2 of a product of moduli.
pub(crate) fn sum_of_logs(moduli: impl Iterator<Item = u64>) -> f64 {
    moduli.map(|modulus| libm::log2(modulus as f64)).sum()
}
