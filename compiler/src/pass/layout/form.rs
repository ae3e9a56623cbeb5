//! Sums that are not yet made: Σ coefficient·atom + constant. Public factors wait here until a product, a polynomial or
//! an output asks for the tensor; then each term is multiplied once, and a factor common to all is left outside.

use super::public::Public;

/// Index of an atom.
pub type AtomId = usize;

/// Σ coefficient·atom + constant.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Atoms, each once, with coefficients that are not zero.
    pub terms: Vec<(f64, AtomId)>,
    /// What is added.
    pub constant: Option<Public>,
}

impl Form {
    /// coefficient·atom.
    pub fn term(coefficient: f64, atom: AtomId) -> Self {
        Self {
            terms: vec![(coefficient, atom)],
            constant: None,
        }
    }

    /// The form times a number.
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            terms: self
                .terms
                .iter()
                .map(|&(coefficient, atom)| (coefficient * factor, atom))
                .collect(),
            constant: self
                .constant
                .as_ref()
                .map(|constant| constant.map(|value| value * factor)),
        }
    }

    /// The sum of two forms without their constants.
    pub fn plus(&self, other: &Self) -> Vec<(f64, AtomId)> {
        let mut terms = self.terms.clone();
        for &(coefficient, atom) in &other.terms {
            match terms.iter_mut().find(|(_, own)| *own == atom) {
                Some((own, _)) => *own += coefficient,
                None => terms.push((coefficient, atom)),
            }
        }
        terms.retain(|&(coefficient, _)| coefficient != 0.0);
        terms
    }
}
