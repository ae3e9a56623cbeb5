//! The owned form of a plan: plain data that a compiler fills in and encodes.

use alloc::string::String;
use alloc::vec::Vec;

pub use crate::encode::EncodeError;
pub use crate::fourier::Fourier;
pub use crate::instruction::Instruction;
pub use crate::model::{Basis, Buffer, Estimates, Key, KeyKind, LayoutDim, PortKind, Repeat, SourceSpan};
pub use crate::op::{AUX_DEGREE_2, AUX_INIT, AUX_QP, Op, aux_compact, aux_sum};
use crate::parts::ConstantContents;
use crate::view::Plan;
use crate::words::WordCounts;

/// A whole plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanData {
    /// The graph's name.
    pub name: String,
    /// The scheme's parameters.
    pub parameters: Parameters,
    /// Where data comes in and goes out.
    pub ports: Vec<Port>,
    /// The switching keys.
    pub keys: Vec<Key>,
    /// Vectors of public numbers, encoded by `encode`.
    pub constants: Vec<Constant>,
    /// Public numbers, perhaps one per training step.
    pub scalars: Vec<Scalar>,
    /// Ranges of the arena.
    pub buffers: Vec<Buffer>,
    /// What to do.
    pub instructions: Vec<Instruction>,
    /// The source map, by increasing first instruction.
    pub spans: Vec<SourceSpan>,
    /// What the compiler expects of a run.
    pub estimates: Estimates,
}

/// The scheme's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Bits of a machine word, 32 or 64. A plan for 32 has primes below 2^30 and also runs with words of 64.
    pub word_bits: u8,
    /// log2 of the ring degree N.
    pub log_n: u8,
    /// log2 of the nominal scale.
    pub log_scale: f64,
    /// The primes of the modulus chain; level l uses the first l + 1.
    pub q: Vec<u64>,
    /// The special primes.
    pub p: Vec<u64>,
    /// Limbs per key-switching digit (α).
    pub digit_limbs: u8,
    /// The claimed classical security in bits; 0 for a toy.
    pub security_bits: u16,
    /// Whether the parameters are for tests only, and not secure.
    pub toy: bool,
    /// Training steps that the plan makes; 0 if none.
    pub steps: u32,
    /// Non-zero coefficients of the ephemeral sparse secret around a `mod_raise`; 0 if there is none.
    pub ephemeral_weight: u32,
}

impl Parameters {
    /// The sizes of values under these parameters.
    pub fn words(&self) -> WordCounts {
        WordCounts::new(
            u32::from(self.log_n),
            self.p.len() as u32,
            u32::from(self.digit_limbs),
        )
    }
}

/// Where one tensor comes in or goes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The name in the source.
    pub name: String,
    /// What it is for.
    pub kind: PortKind,
    /// At most 4 dimensions; none for a scalar.
    pub shape: Vec<u32>,
    /// How the tensor lies in slots.
    pub layout: Layout,
    /// The level of the ciphertexts.
    pub level: u8,
    /// The scale of the ciphertexts.
    pub scale: f64,
    /// The smallest value declared.
    pub low: f64,
    /// The largest value declared.
    pub high: f64,
    /// Whether integer labels become one-hot rows.
    pub one_hot: bool,
    /// The predicted error of a value: 0 for inputs, infinite if it is not known.
    pub error: f64,
}

/// How a tensor lies in the slots of one or more ciphertexts ("tiles").
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Slots of a tile: N/2.
    pub slots: u32,
    /// Number of tiles; at most 65536.
    pub tiles: u32,
    /// One per dimension of the shape.
    pub dims: Vec<LayoutDim>,
    /// Each value also stands at these further slots; at most 8. Slots not covered are 0.
    pub repeats: Vec<Repeat>,
    /// Slot value = tensor value × factor.
    pub factor: f64,
}

/// What a constant's slots hold.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstantKind {
    /// One value on the slots `offset + Σ k_d * stride_d` (k_d < count_d), 0 elsewhere: a mask.
    Boxes {
        /// The value.
        value: f64,
        /// The first slot.
        offset: u32,
        /// The progressions that combine; none for a single slot; at most 8.
        dims: Vec<Repeat>,
    },
    /// Stored values, n of them with n a divisor of N/2, repeated.
    Slots {
        /// One per slot.
        values: Vec<f64>,
    },
    /// A diagonal of a product of stages of the special FFT: complex numbers, computed when they are needed.
    Fourier(Fourier),
}

/// A vector of public numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// What its slots hold.
    pub kind: ConstantKind,
    /// The scale at which it is encoded.
    pub scale: f64,
}

/// A public number, used as the integer round(value × scale).
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// One value, or one per training step.
    pub values: Vec<f64>,
    /// The scale.
    pub scale: f64,
}

impl PlanData {
    /// The owned form of a parsed plan. Encoding it gives the same bytes.
    pub fn from_plan(plan: &Plan<'_>) -> Self {
        let parameters = plan.parameters();
        PlanData {
            name: plan.name().into(),
            parameters: Parameters {
                word_bits: parameters.word_bits(),
                log_n: parameters.log_n(),
                log_scale: parameters.log_scale(),
                q: parameters.q().iter().collect(),
                p: parameters.p().iter().collect(),
                digit_limbs: parameters.digit_limbs(),
                security_bits: parameters.security_bits(),
                toy: parameters.toy(),
                steps: parameters.steps(),
                ephemeral_weight: parameters.ephemeral_weight(),
            },
            ports: plan
                .ports()
                .map(|port| Port {
                    name: port.name().into(),
                    kind: port.kind(),
                    shape: port.shape().to_vec(),
                    layout: Layout {
                        slots: port.layout().slots(),
                        tiles: port.layout().tiles(),
                        dims: port.layout().dims().to_vec(),
                        repeats: port.layout().repeats().to_vec(),
                        factor: port.layout().factor(),
                    },
                    level: port.level(),
                    scale: port.scale(),
                    low: port.low(),
                    high: port.high(),
                    one_hot: port.one_hot(),
                    error: port.error(),
                })
                .collect(),
            keys: plan.keys().collect(),
            constants: plan
                .constants()
                .map(|constant| Constant {
                    kind: match constant.contents() {
                        ConstantContents::Boxes { value, offset, dims } => ConstantKind::Boxes {
                            value,
                            offset,
                            dims: dims.iter().collect(),
                        },
                        ConstantContents::Slots { values } => ConstantKind::Slots {
                            values: values.iter().collect(),
                        },
                        ConstantContents::Fourier(fourier) => ConstantKind::Fourier(fourier),
                    },
                    scale: constant.scale(),
                })
                .collect(),
            scalars: plan
                .scalars()
                .map(|scalar| Scalar {
                    values: scalar.values().iter().collect(),
                    scale: scalar.scale(),
                })
                .collect(),
            buffers: plan.buffers().collect(),
            instructions: plan.instructions().collect(),
            spans: plan.spans().collect(),
            estimates: plan.estimates(),
        }
    }
}
