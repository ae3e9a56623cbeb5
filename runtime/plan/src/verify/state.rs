//! What a buffer holds, as far as the verifier knows.

use core::fmt;

use crate::model::{Basis, Secret};
use crate::verify::SCALE_TOLERANCE;
use crate::words::WordCounts;

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One polynomial that is known to everyone.
    Plaintext {
        /// Its basis.
        basis: Basis,
        /// log2 of how many equal words in a row one word stands for.
        compact: u8,
    },
    /// degree + 1 polynomials.
    Ciphertext {
        /// 1 or 2.
        degree: u8,
        /// Basis qp for accumulators, which hold P times the value.
        basis: Basis,
    },
    /// A ciphertext of degree 1 whose c1 is split into digits.
    Decomposed,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, basis) = match *self {
            Form::Plaintext { basis, compact: 0 } => ("plaintext", basis),
            Form::Plaintext { basis, .. } => ("compact plaintext", basis),
            Form::Ciphertext { degree: 1, basis } => ("ciphertext", basis),
            Form::Ciphertext { basis, .. } => ("ciphertext of degree 2", basis),
            Form::Decomposed => ("decomposed ciphertext", Basis::Q),
        };
        f.write_str(name)?;
        if basis == Basis::Qp {
            f.write_str(" in basis qp")?;
        }
        match *self {
            Form::Plaintext { compact, .. } if compact > 0 => {
                write!(f, " (one word for {})", 1_u64 << compact)
            }
            _ => Ok(()),
        }
    }
}

/// A value in a buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// Its form.
    pub form: Form,
    /// Its level.
    pub level: u8,
    /// Its scale (in basis qp: without the factor P).
    pub scale: f64,
    /// The secret that it is under, for plaintexts [`Secret::Main`].
    pub secret: Secret,
}

impl Value {
    /// The words that it takes.
    pub fn words(&self, words: &WordCounts) -> u64 {
        match self.form {
            Form::Plaintext { basis, compact } => words.plaintext(self.level, basis, compact),
            Form::Ciphertext { degree, basis } => words.ciphertext(self.level, degree, basis),
            Form::Decomposed => words.decomposed(self.level),
        }
    }

    /// Whether the two are the same but for rounding of the scale.
    pub(crate) fn agrees(&self, other: &Value) -> bool {
        self.form == other.form
            && self.level == other.level
            && self.secret == other.secret
            && scales_agree(self.scale, other.scale)
    }
}

/// Whether two scales count as equal.
pub(crate) fn scales_agree(a: f64, b: f64) -> bool {
    (a - b).abs() <= SCALE_TOLERANCE * a.max(b)
}

/// What the verifier knows about a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum State {
    /// Nothing was written, or it was overwritten in part.
    #[default]
    Undefined,
    /// It holds one thing when a loop is entered and another at its back edge.
    LoopVariant,
    /// It holds a value.
    Value(Value),
}

/// The verifier's memory for one buffer. The caller brings [`Plan::verify_cells`](crate::Plan::verify_cells) of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyCell {
    pub(crate) state: State,
    /// The cells before [`Interpreter`](crate::verify::Interpreter)'s count of them list the buffers that hold a value.
    pub(crate) holder: u32,
    marked: bool,
}

impl VerifyCell {
    pub(crate) fn clear_mark(&mut self) {
        self.marked = false;
    }

    /// Sets the mark; whether it was set before.
    pub(crate) fn mark(&mut self) -> bool {
        core::mem::replace(&mut self.marked, true)
    }

    pub(crate) fn marked(&self) -> bool {
        self.marked
    }
}
