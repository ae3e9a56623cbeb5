//! The table of operations: the one place that lists them.

/// A dialect: the level of abstraction that an operation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Mathematics on tensors.
    Tensor,
    /// Training structure around tensors.
    Train,
    /// Packed vectors.
    Slot,
    /// Ciphertexts with level and scale.
    Ckks,
}

/// How many operands or results an operation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Just so many.
    Exactly(usize),
    /// So many or more.
    AtLeast(usize),
}

impl Arity {
    /// Whether `count` fits.
    pub fn admits(self, count: usize) -> bool {
        match self {
            Self::Exactly(wanted) => count == wanted,
            Self::AtLeast(least) => count >= least,
        }
    }
}

macro_rules! opcodes {
    ($($variant:ident = $name:literal, $dialect:ident, $operands:ident($least:literal) -> $results:ident($result_count:literal)
        $(, regions $regions:literal)? $(, needs [$($attribute:literal),*])? ;)*) => {
        /// An operation of one of the dialects.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names say it; semantics are documented in `dialect`")]
        pub enum Opcode { $($variant),* }

        impl Opcode {
            /// Every operation, in table order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in the text form, dialect included.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The operation of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// The dialect it belongs to.
            pub fn dialect(self) -> Dialect {
                match self { $(Self::$variant => Dialect::$dialect),* }
            }

            /// How many operands it takes.
            pub fn operands(self) -> Arity {
                match self { $(Self::$variant => Arity::$operands($least)),* }
            }

            /// How many results it has.
            pub fn results(self) -> Arity {
                match self { $(Self::$variant => Arity::$results($result_count)),* }
            }

            /// How many regions it holds.
            pub fn regions(self) -> usize {
                match self { $(Self::$variant => 0 $(+ $regions)?),* }
            }

            /// Attributes it cannot do without.
            pub fn required_attributes(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($($attribute),*)?]),* }
            }
        }
    };
}

opcodes! {
    // Mathematics: leaves.
    TensorInput = "tensor.input", Tensor, Exactly(0) -> Exactly(1), needs ["name"];
    TensorStream = "tensor.stream", Tensor, Exactly(0) -> Exactly(1), needs ["name"];
    TensorConstant = "tensor.constant", Tensor, Exactly(0) -> Exactly(1);
    TensorStepIndex = "tensor.step_index", Tensor, Exactly(0) -> Exactly(1);
    TensorSchedule = "tensor.schedule", Tensor, Exactly(0) -> Exactly(1), needs ["kind"];
    // Mathematics: element by element.
    TensorAdd = "tensor.add", Tensor, Exactly(2) -> Exactly(1);
    TensorSub = "tensor.sub", Tensor, Exactly(2) -> Exactly(1);
    TensorNeg = "tensor.neg", Tensor, Exactly(1) -> Exactly(1);
    TensorMul = "tensor.mul", Tensor, Exactly(2) -> Exactly(1);
    TensorDiv = "tensor.div", Tensor, Exactly(2) -> Exactly(1);
    TensorBroadcast = "tensor.broadcast", Tensor, Exactly(1) -> Exactly(1), needs ["axes"];
    // Mathematics: contractions and shapes.
    TensorMatmul = "tensor.matmul", Tensor, Exactly(2) -> Exactly(1);
    TensorTranspose = "tensor.transpose", Tensor, Exactly(1) -> Exactly(1);
    TensorSum = "tensor.sum", Tensor, Exactly(1) -> Exactly(1), needs ["axes"];
    TensorMean = "tensor.mean", Tensor, Exactly(1) -> Exactly(1), needs ["axes"];
    TensorReshape = "tensor.reshape", Tensor, Exactly(1) -> Exactly(1);
    TensorSlice = "tensor.slice", Tensor, Exactly(1) -> Exactly(1), needs ["axis", "start", "end"];
    TensorRoll = "tensor.roll", Tensor, Exactly(1) -> Exactly(1), needs ["axis", "by"];
    TensorConcat = "tensor.concat", Tensor, AtLeast(1) -> Exactly(1), needs ["axis"];
    TensorConv1d = "tensor.conv1d", Tensor, Exactly(2) -> Exactly(1);
    TensorConv2d = "tensor.conv2d", Tensor, Exactly(2) -> Exactly(1);
    TensorAvgPool = "tensor.avg_pool", Tensor, Exactly(1) -> Exactly(1), needs ["size"];
    // Mathematics: non-linear.
    TensorSigmoid = "tensor.sigmoid", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorTanh = "tensor.tanh", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorExp = "tensor.exp", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorGelu = "tensor.gelu", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorSilu = "tensor.silu", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorSoftplus = "tensor.softplus", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorRelu = "tensor.relu", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorSign = "tensor.sign", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorInverse = "tensor.inverse", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorInverseSqrt = "tensor.inverse_sqrt", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorMax = "tensor.max", Tensor, Exactly(2) -> Exactly(1), needs ["low", "high"];
    TensorCompare = "tensor.compare", Tensor, Exactly(2) -> Exactly(1), needs ["low", "high"];
    TensorSoftmax = "tensor.softmax", Tensor, Exactly(1) -> Exactly(1), needs ["low", "high"];
    TensorDerivative = "tensor.derivative", Tensor, Exactly(1) -> Exactly(1), needs ["of", "low", "high"];
    TensorPoly = "tensor.poly", Tensor, Exactly(1) -> Exactly(1), needs ["coefficients"];
    TensorPolynomial = "tensor.polynomial", Tensor, Exactly(1) -> Exactly(1),
        needs ["basis", "coefficients", "low", "high", "error"];
    TensorCrossEntropy = "tensor.cross_entropy", Tensor, Exactly(2) -> Exactly(1);
    // Sinks.
    TensorBootstrap = "tensor.bootstrap", Tensor, Exactly(1) -> Exactly(1);
    TensorReveal = "tensor.reveal", Tensor, Exactly(1) -> Exactly(0), needs ["name"];
    TensorOutput = "tensor.output", Tensor, Exactly(1) -> Exactly(0), needs ["name"];
    // States of a closed loop.
    TensorState = "tensor.state", Tensor, Exactly(0) -> Exactly(1), needs ["name"];
    TensorStore = "tensor.store", Tensor, Exactly(1) -> Exactly(0), needs ["name"];
    // Training.
    TrainLoop = "train.loop", Train, AtLeast(0) -> AtLeast(0), regions 2, needs ["names"];
    TrainMinimize = "train.minimize", Train, AtLeast(2) -> AtLeast(1), needs ["optimizer", "names", "scalars"];
    TrainGrad = "train.grad", Train, Exactly(2) -> Exactly(1);
    TrainStep = "train.step", Train, Exactly(0) -> Exactly(0), needs ["index"];
    TrainEnd = "train.end", Train, Exactly(0) -> Exactly(0);
    TrainYield = "train.yield", Train, AtLeast(0) -> Exactly(0);
    // Packed vectors.
    SlotInput = "slot.input", Slot, Exactly(0) -> Exactly(1), needs ["port", "tile"];
    SlotConstant = "slot.constant", Slot, Exactly(0) -> Exactly(1);
    SlotAdd = "slot.add", Slot, Exactly(2) -> Exactly(1);
    SlotSub = "slot.sub", Slot, Exactly(2) -> Exactly(1);
    SlotNeg = "slot.neg", Slot, Exactly(1) -> Exactly(1);
    SlotMul = "slot.mul", Slot, Exactly(2) -> Exactly(1);
    SlotMulPlain = "slot.mul_plain", Slot, Exactly(2) -> Exactly(1);
    SlotAddPlain = "slot.add_plain", Slot, Exactly(2) -> Exactly(1);
    SlotMulScalar = "slot.mul_scalar", Slot, Exactly(1) -> Exactly(1), needs ["values"];
    SlotAddScalar = "slot.add_scalar", Slot, Exactly(1) -> Exactly(1), needs ["values"];
    SlotRotate = "slot.rotate", Slot, Exactly(1) -> Exactly(1), needs ["by"];
    SlotSumRotations = "slot.sum_rotations", Slot, Exactly(1) -> Exactly(1), needs ["by"];
    SlotConjugate = "slot.conjugate", Slot, Exactly(1) -> Exactly(1);
    SlotMulI = "slot.mul_i", Slot, Exactly(1) -> Exactly(1);
    SlotTransform = "slot.transform", Slot, Exactly(1) -> Exactly(1),
        needs ["log_slots", "first", "last", "inverse", "factor"];
    SlotModRaise = "slot.mod_raise", Slot, Exactly(1) -> Exactly(1);
    SlotBootstrap = "slot.bootstrap", Slot, AtLeast(1) -> Exactly(1);
    SlotOutput = "slot.output", Slot, Exactly(1) -> Exactly(0), needs ["port", "tile"];
    SlotStep = "slot.step", Slot, Exactly(0) -> Exactly(0);
    SlotEnd = "slot.end", Slot, Exactly(0) -> Exactly(0);
    SlotLoop = "slot.loop", Slot, AtLeast(0) -> AtLeast(0), regions 1, needs ["count"];
    SlotYield = "slot.yield", Slot, AtLeast(0) -> Exactly(0);
    // Ciphertexts.
    CkksInput = "ckks.input", Ckks, Exactly(0) -> Exactly(1), needs ["port", "tile"];
    CkksEncode = "ckks.encode", Ckks, Exactly(0) -> Exactly(1);
    CkksAdd = "ckks.add", Ckks, Exactly(2) -> Exactly(1);
    CkksSub = "ckks.sub", Ckks, Exactly(2) -> Exactly(1);
    CkksNeg = "ckks.neg", Ckks, Exactly(1) -> Exactly(1);
    CkksAddPlain = "ckks.add_plain", Ckks, Exactly(2) -> Exactly(1);
    CkksMulPlain = "ckks.mul_plain", Ckks, Exactly(2) -> Exactly(1);
    CkksMulPlainAcc = "ckks.mul_plain_acc", Ckks, Exactly(3) -> Exactly(1);
    CkksMulPlainSum = "ckks.mul_plain_sum", Ckks, AtLeast(2) -> Exactly(1);
    CkksAddScalar = "ckks.add_scalar", Ckks, Exactly(1) -> Exactly(1), needs ["values"];
    CkksMulScalar = "ckks.mul_scalar", Ckks, Exactly(1) -> Exactly(1), needs ["values", "scale"];
    CkksMulI = "ckks.mul_i", Ckks, Exactly(1) -> Exactly(1);
    CkksMul = "ckks.mul", Ckks, Exactly(2) -> Exactly(1);
    CkksMulAcc = "ckks.mul_acc", Ckks, Exactly(3) -> Exactly(1);
    CkksSquare = "ckks.square", Ckks, Exactly(1) -> Exactly(1);
    CkksRelinearize = "ckks.relinearize", Ckks, Exactly(1) -> Exactly(1);
    CkksRelinearizeRescale = "ckks.relinearize_rescale", Ckks, Exactly(1) -> Exactly(1);
    CkksRescale = "ckks.rescale", Ckks, Exactly(1) -> Exactly(1);
    CkksDrop = "ckks.drop", Ckks, Exactly(1) -> Exactly(1);
    CkksRotate = "ckks.rotate", Ckks, Exactly(1) -> Exactly(1), needs ["by"];
    CkksDecompose = "ckks.decompose", Ckks, Exactly(1) -> Exactly(1);
    CkksRotateAcc = "ckks.rotate_acc", Ckks, AtLeast(1) -> Exactly(1), needs ["by"];
    CkksLiftAcc = "ckks.lift_acc", Ckks, AtLeast(1) -> Exactly(1);
    CkksModDown = "ckks.mod_down", Ckks, Exactly(1) -> Exactly(1);
    CkksModDownRescale = "ckks.mod_down_rescale", Ckks, Exactly(1) -> Exactly(1);
    CkksSwitchSecret = "ckks.switch_secret", Ckks, Exactly(1) -> Exactly(1), needs ["to"];
    CkksModRaise = "ckks.mod_raise", Ckks, Exactly(1) -> Exactly(1);
    CkksTrivial = "ckks.trivial", Ckks, Exactly(1) -> Exactly(1);
    CkksOutput = "ckks.output", Ckks, Exactly(1) -> Exactly(0), needs ["port", "tile"];
    CkksStep = "ckks.step", Ckks, Exactly(0) -> Exactly(0);
    CkksEnd = "ckks.end", Ckks, Exactly(0) -> Exactly(0);
    CkksLoop = "ckks.loop", Ckks, AtLeast(0) -> AtLeast(0), regions 1, needs ["count"];
    CkksYield = "ckks.yield", Ckks, AtLeast(0) -> Exactly(0);
}

impl Opcode {
    /// Whether it must stay even if nothing uses its results.
    pub fn has_effect(self) -> bool {
        matches!(
            self,
            Self::TensorReveal
                | Self::TensorOutput
                | Self::TrainLoop
                | Self::TrainStep
                | Self::TensorStore
                | Self::TrainEnd
                | Self::TrainYield
                | Self::SlotOutput
                | Self::SlotStep
                | Self::SlotEnd
                | Self::SlotLoop
                | Self::SlotYield
                | Self::CkksOutput
                | Self::CkksStep
                | Self::CkksEnd
                | Self::CkksLoop
                | Self::CkksYield
        )
    }
}
