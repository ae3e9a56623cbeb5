//! The exact functions, their derivatives and symmetries.

use crate::ir::{OpData, Opcode};

macro_rules! functions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $opcode:ident;)*) => {
        /// A function of one argument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Elementary { $($(#[$doc])* $variant),* }

        impl Elementary {
            /// Every function.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As in the language.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The function of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// The function that an operation of the tensor dialect applies.
            pub fn from_opcode(opcode: Opcode) -> Option<Self> {
                match opcode { $(Opcode::$opcode => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

functions! {
    /// 1 / (1 + e⁻ˣ).
    Sigmoid = "sigmoid", TensorSigmoid;
    /// Hyperbolic tangent.
    Tanh = "tanh", TensorTanh;
    /// eˣ.
    Exp = "exp", TensorExp;
    /// x·Φ(x), Φ the normal distribution function.
    Gelu = "gelu", TensorGelu;
    /// x·sigmoid(x).
    Silu = "silu", TensorSilu;
    /// ln(1 + eˣ).
    Softplus = "softplus", TensorSoftplus;
    /// max(x, 0).
    Relu = "relu", TensorRelu;
    /// −1, 0 or 1.
    Sign = "sign", TensorSign;
    /// 1/x.
    Inverse = "inverse", TensorInverse;
    /// 1/√x.
    InverseSqrt = "inverse_sqrt", TensorInverseSqrt;
}

/// What is even or odd about a function around 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Symmetry {
    /// f(x) − `offset` is odd.
    Odd {
        /// f(0).
        offset: f64,
    },
    /// f(x) − `slope`·x is even.
    Even {
        /// Slope of the odd part.
        slope: f64,
    },
    /// Neither.
    None,
}

/// A function to approximate: an elementary one or the derivative of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Function {
    /// The elementary function.
    pub elementary: Elementary,
    /// Whether its first derivative is meant.
    pub derivative: bool,
}

impl From<Elementary> for Function {
    fn from(elementary: Elementary) -> Self {
        Self {
            elementary,
            derivative: false,
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Φ(x).
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

impl Function {
    /// The function that an operation applies element by element, `tensor.derivative` included.
    pub fn of(op: &OpData) -> Option<Self> {
        if op.opcode == Opcode::TensorDerivative {
            let elementary = Elementary::from_name(op.text("of")?)?;
            return Some(Self {
                elementary,
                derivative: true,
            });
        }
        Elementary::from_opcode(op.opcode).map(Self::from)
    }

    /// Name for people: `sigmoid`, `derivative of gelu`.
    pub fn name(self) -> String {
        let name = self.elementary.name();
        if self.derivative {
            format!("derivative of {name}")
        } else {
            name.to_owned()
        }
    }

    /// Its value. `libm` makes it the same on every machine.
    pub fn value(self, x: f64) -> f64 {
        use Elementary::*;
        let density = |x: f64| {
            libm::exp(-0.5 * x * x)
                * (0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2)
        };
        match (self.elementary, self.derivative) {
            (Sigmoid, false) | (Softplus, true) => sigmoid(x),
            (Sigmoid, true) => sigmoid(x) * sigmoid(-x),
            (Tanh, false) => libm::tanh(x),
            (Tanh, true) => 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x),
            (Exp, _) => libm::exp(x),
            (Gelu, false) => x * normal(x),
            (Gelu, true) => normal(x) + x * density(x),
            (Silu, false) => x * sigmoid(x),
            (Silu, true) => sigmoid(x) * (1.0 + x * sigmoid(-x)),
            (Softplus, false) => x.max(0.0) + libm::log1p(libm::exp(-x.abs())),
            (Relu, false) => x.max(0.0),
            (Relu, true) => f64::from(u8::from(x > 0.0)),
            (Sign, false) => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
            (Sign, true) => 0.0,
            (Inverse, false) => 1.0 / x,
            (Inverse, true) => -1.0 / (x * x),
            (InverseSqrt, false) => 1.0 / x.sqrt(),
            (InverseSqrt, true) => -0.5 / (x * x.sqrt()),
        }
    }

    /// Its symmetry around 0.
    pub fn symmetry(self) -> Symmetry {
        use Elementary::*;
        match (self.elementary, self.derivative) {
            (Sigmoid, false) | (Softplus | Gelu | Silu, true) => Symmetry::Odd { offset: 0.5 },
            (Tanh, false) => Symmetry::Odd { offset: 0.0 },
            (Sigmoid | Tanh, true) => Symmetry::Even { slope: 0.0 },
            (Gelu | Silu | Softplus | Relu, false) => Symmetry::Even { slope: 0.5 },
            _ => Symmetry::None,
        }
    }

    /// Whether one polynomial can follow it on the interval: continuous there, with no pole.
    pub fn is_smooth_on(self, low: f64, high: f64) -> bool {
        match self.elementary {
            Elementary::Inverse => low > 0.0 || high < 0.0,
            Elementary::InverseSqrt => low > 0.0,
            Elementary::Sign => false,
            Elementary::Relu => !self.derivative,
            _ => true,
        }
    }

    /// Interval that holds every value on `[low, high]`: monotone functions from their ends, the others by their known
    /// minimum or bounds.
    pub fn image(self, low: f64, high: f64) -> (f64, f64) {
        use Elementary::*;
        let (a, b) = (self.value(low), self.value(high));
        match (self.elementary, self.derivative) {
            // Minimum −0.16997 at −0.75179 and −0.27847 at −1.27846.
            (Gelu, false) if low < 0.0 => (-0.17, a.max(b)),
            (Silu, false) if low < 0.0 => (-0.2785, a.max(b)),
            (Gelu, true) => (-0.13, 1.13),
            (Silu, true) => (-0.1, 1.1),
            (Sigmoid | Tanh, true) if low <= 0.0 && high >= 0.0 => (a.min(b), self.value(0.0)),
            _ => (a.min(b), a.max(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMOOTH: [Elementary; 8] = [
        Elementary::Sigmoid,
        Elementary::Tanh,
        Elementary::Exp,
        Elementary::Gelu,
        Elementary::Silu,
        Elementary::Softplus,
        Elementary::Inverse,
        Elementary::InverseSqrt,
    ];

    #[test]
    fn derivatives_agree_with_differences() {
        for elementary in SMOOTH {
            let (f, derivative) = (
                Function::from(elementary),
                Function {
                    elementary,
                    derivative: true,
                },
            );
            for x in [0.3, 0.9, 1.7, 3.1] {
                let h = 1e-5;
                let difference = (f.value(x + h) - f.value(x - h)) / (2.0 * h);
                let error = (difference - derivative.value(x)).abs();
                assert!(
                    error < 1e-7 * (1.0 + difference.abs()),
                    "{} at {x}: {error}",
                    f.name()
                );
            }
        }
    }

    #[test]
    fn symmetries_hold() {
        for &elementary in Elementary::ALL {
            for function in [
                Function::from(elementary),
                Function {
                    elementary,
                    derivative: true,
                },
            ] {
                for x in [0.2, 1.3, 4.7] {
                    let (plus, minus) = (function.value(x), function.value(-x));
                    let broken = match function.symmetry() {
                        Symmetry::Odd { offset } => plus + minus - 2.0 * offset,
                        Symmetry::Even { slope } => plus - minus - 2.0 * slope * x,
                        Symmetry::None => 0.0,
                    };
                    assert!(broken.abs() < 1e-14, "{} at {x}: {broken}", function.name());
                }
            }
        }
    }

    #[test]
    fn images_hold_every_value() {
        for elementary in SMOOTH {
            for function in [
                Function::from(elementary),
                Function {
                    elementary,
                    derivative: true,
                },
            ] {
                for (low, high) in [(0.5, 3.0), (0.1, 0.2), (-4.0, 2.5), (-3.0, -1.0)] {
                    if !function.is_smooth_on(low, high) {
                        continue;
                    }
                    let (bottom, top) = function.image(low, high);
                    for step in 0..=200 {
                        let y = function.value(low + (high - low) * f64::from(step) / 200.0);
                        assert!(
                            bottom <= y + 1e-15 && y <= top + 1e-15,
                            "{} on [{low}, {high}]",
                            function.name()
                        );
                    }
                }
            }
        }
    }
}
