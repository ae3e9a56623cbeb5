//! The rules for the moduli, and the security table.

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
    Ok(())
}

/// log2 of a product of moduli.
pub(crate) fn sum_of_logs(moduli: impl Iterator<Item = u64>) -> f64 {
    moduli.map(|modulus| libm::log2(modulus as f64)).sum()
}
