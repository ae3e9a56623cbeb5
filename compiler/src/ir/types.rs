//! Types of values, one family for each dialect.

/// Who may know a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Secrecy {
    /// Known to everyone, the server included.
    Public,
    /// Known to the key holder alone; the server sees a ciphertext.
    Secret,
}

impl Secrecy {
    /// The secrecy of a result made from both: secret as soon as one is.
    pub fn join(self, other: Self) -> Self {
        self.max(other)
    }
}

/// A tensor of the `tensor` dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorType {
    /// Extent of each dimension, at most four; a scalar has none.
    pub shape: Vec<u32>,
    /// Who may know it.
    pub secrecy: Secrecy,
    /// Closed interval that holds every element, where one is known.
    pub range: Option<(f64, f64)>,
}

impl TensorType {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().map(|&extent| extent as usize).product()
    }
}

/// A packed vector of the `slot` dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorType {
    /// Number of slots, N/2.
    pub slots: u32,
    /// Who may know it.
    pub secrecy: Secrecy,
}

/// Modulus of a ciphertext: the chain alone, or the chain and the special primes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// q_0 … q_level.
    Q,
    /// q_0 … q_level and the special primes.
    Qp,
}

/// A ciphertext of the `ckks` dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct CipherType {
    /// Limbs of the chain, less one.
    pub level: u32,
    /// Scale Δ.
    pub scale: f64,
    /// Polynomials less one: 1, or 2 before relinearisation.
    pub degree: u32,
    /// Modulus.
    pub basis: Basis,
}

/// An encoded plaintext of the `ckks` dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainType {
    /// Limbs of the chain, less one.
    pub level: u32,
    /// Scale Δ.
    pub scale: f64,
    /// Modulus.
    pub basis: Basis,
    /// log2 of how many equal words in a row one word of it stands for.
    pub compact: u32,
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `tensor<1024x384, secret, [-1.0, 1.0]>`.
    Tensor(TensorType),
    /// `vec<32768, secret>`.
    Vector(VectorType),
    /// `ct<level, scale, degree, basis>`.
    Cipher(CipherType),
    /// `pt<level, scale, basis>`; `pt<level, scale, basis, log>` where one word stands for 2^log.
    Plain(PlainType),
    /// `digits<level, scale>`: a ciphertext raised to digits in basis qp, ready for any number of automorphisms.
    Digits {
        /// Limbs of the chain, less one.
        level: u32,
        /// Scale Δ of the ciphertext that was decomposed.
        scale: f64,
    },
}

impl Type {
    /// A tensor type.
    pub fn tensor(shape: impl Into<Vec<u32>>, secrecy: Secrecy, range: Option<(f64, f64)>) -> Self {
        Self::Tensor(TensorType {
            shape: shape.into(),
            secrecy,
            range,
        })
    }

    /// A packed vector type.
    pub fn vector(slots: u32, secrecy: Secrecy) -> Self {
        Self::Vector(VectorType { slots, secrecy })
    }

    /// A ciphertext of degree 1 in basis q.
    pub fn cipher(level: u32, scale: f64) -> Self {
        Self::Cipher(CipherType {
            level,
            scale,
            degree: 1,
            basis: Basis::Q,
        })
    }

    /// The tensor type, if it is one.
    pub fn as_tensor(&self) -> Option<&TensorType> {
        if let Self::Tensor(tensor) = self {
            Some(tensor)
        } else {
            None
        }
    }

    /// The ciphertext type, if it is one.
    pub fn as_cipher(&self) -> Option<&CipherType> {
        if let Self::Cipher(cipher) = self {
            Some(cipher)
        } else {
            None
        }
    }
}
