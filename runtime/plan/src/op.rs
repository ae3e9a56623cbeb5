//! The instruction table: one macro from which the opcode, mnemonics, operand roles, decoder, disassembler, the
//! verifier's shape checks and the fuzz generator all come.

/// Flag of `aux`: the value is in basis qp (otherwise q).
pub const AUX_QP: u16 = 1;
/// Flag of `aux`: the accumulator is overwritten (otherwise added to).
pub const AUX_INIT: u16 = 2;
/// Flag of `aux`: the ciphertext has degree 2, three polynomials (otherwise degree 1).
pub const AUX_DEGREE_2: u16 = 4;
/// Bits of `aux`: log2 of how many equal words in a row one word of the plaintext stands for (see [`aux_compact`]).
pub const AUX_COMPACT: u16 = 0xf8;
/// Where they begin.
const AUX_COMPACT_SHIFT: u32 = 3;
/// Where the number of terms of a sum stands in `aux`, beside the flags: bits 8 to 15.
const AUX_COUNT_SHIFT: u32 = 8;
/// The most terms of a `mul_plain_sum`.
pub const MAX_SUM_TERMS: u16 = 64;

/// `aux` with these flags whose plaintexts are compact: one word stands for 2^`log` (below 2^5).
pub const fn aux_compact(flags: u16, log: u8) -> u16 {
    flags | (log as u16) << AUX_COMPACT_SHIFT & AUX_COMPACT
}

/// The logarithm in an `aux` made by [`aux_compact`].
pub(crate) const fn aux_log_compact(aux: u16) -> u8 {
    ((aux & AUX_COMPACT) >> AUX_COMPACT_SHIFT) as u8
}

/// `aux` of a sum of `count` terms (1 to [`MAX_SUM_TERMS`]) with these flags.
pub const fn aux_sum(flags: u16, count: u16) -> u16 {
    flags | count << AUX_COUNT_SHIFT
}

/// The number of terms in an `aux` made by [`aux_sum`].
pub(crate) const fn aux_count(aux: u16) -> u16 {
    aux >> AUX_COUNT_SHIFT
}

/// Calls `$callback!` with one row per instruction:
/// `docs Name = code, "mnemonic", level: bool, aux: Aux, dst: Dst, a: Operand, b: Operand;`.
#[macro_export]
macro_rules! for_each_instruction {
    ($callback:ident) => {
        $callback! {
            /// A training step begins: the step counter goes up by one (the first makes it 0).
            Step = 0x01, "step", level: false, aux: Zero, dst: None, a: None, b: None;
            /// The body up to the matching `end` runs `a` times.
            Loop = 0x02, "loop", level: false, aux: Zero, dst: None, a: Count, b: None;
            /// Closes the innermost open `loop`.
            End = 0x03, "end", level: false, aux: Zero, dst: None, a: None, b: None;
            /// An epoch ends: its outputs and reveals have been handed out, and the run may end here.
            Epoch = 0x04, "epoch", level: false, aux: Zero, dst: None, a: None, b: None;

            /// Reads tile `b` of input port `a`: a fresh ciphertext of degree 1 at the port's scale, at `level`.
            Input = 0x10, "input", level: true, aux: Zero, dst: Write, a: Port, b: Tile;
            /// Reads tile `b` of stream port `a` of the current step's mini-batch.
            Stream = 0x11, "stream", level: true, aux: Zero, dst: Write, a: Port, b: Tile;
            /// Reads tile `b` of state port `a`.
            StateLoad = 0x12, "state_load", level: true, aux: Zero, dst: Write, a: Port, b: Tile;
            /// Hands buffer `a` out as tile `aux` of state port `b`.
            StateStore = 0x13, "state_store", level: true, aux: Tile, dst: None, a: Read, b: Port;
            /// Encodes constant `a` at its scale, at `level`, in the basis of the flag.
            Encode = 0x14, "encode", level: true, aux: Flags(AUX_QP | AUX_COMPACT), dst: Write, a: Constant, b: None;
            /// Hands buffer `a` to the key holder as tile `aux` of reveal port `b`.
            Reveal = 0x15, "reveal", level: true, aux: Tile, dst: None, a: Read, b: Port;
            /// Hands buffer `a` out as tile `aux` of output port `b`.
            Output = 0x16, "output", level: true, aux: Tile, dst: None, a: Read, b: Port;
            /// A place where the run may be saved and resumed.
            Checkpoint = 0x17, "checkpoint", level: false, aux: Zero, dst: None, a: None, b: None;

            /// dst = the plaintext a as a ciphertext of degree 1: c_0 = a, c_1 = 0. Hides nothing; it decrypts under any secret.
            Trivial = 0x18, "trivial", level: true, aux: Flags(AUX_COMPACT), dst: Write, a: Read, b: None;

            /// dst = a + b: same level, scale, degree and basis.
            Add = 0x20, "add", level: true, aux: Flags(AUX_QP | AUX_DEGREE_2), dst: InPlace, a: Read, b: Read;
            /// dst = a − b: same level, scale, degree and basis.
            Sub = 0x21, "sub", level: true, aux: Flags(AUX_QP | AUX_DEGREE_2), dst: InPlace, a: Read, b: Read;
            /// dst = −a.
            Neg = 0x22, "neg", level: true, aux: Flags(AUX_QP | AUX_DEGREE_2), dst: InPlace, a: Read, b: None;
            /// dst = a + b, b a plaintext of the same scale.
            AddPlain = 0x23, "add_plain", level: true, aux: Flags(AUX_DEGREE_2 | AUX_COMPACT), dst: InPlace, a: Read, b: Read;
            /// dst = a − b, b a plaintext of the same scale.
            SubPlain = 0x24, "sub_plain", level: true, aux: Flags(AUX_DEGREE_2 | AUX_COMPACT), dst: InPlace, a: Read, b: Read;
            /// dst = a · b, b a plaintext; the scales multiply.
            MulPlain = 0x25, "mul_plain", level: true, aux: Flags(AUX_QP | AUX_DEGREE_2 | AUX_COMPACT), dst: InPlace, a: Read, b: Read;
            /// dst += a · b, b a plaintext (dst = a · b with the init flag).
            MulPlainAcc = 0x26, "mul_plain_acc", level: true, aux: Flags(AUX_QP | AUX_INIT | AUX_DEGREE_2 | AUX_COMPACT), dst: Accumulate, a: Read, b: Read;
            /// dst = a + the same number in every slot, scalar `b`, whose scale equals a's.
            AddScalar = 0x27, "add_scalar", level: true, aux: Flags(AUX_DEGREE_2), dst: InPlace, a: Read, b: Scalar;
            /// dst = a · scalar `b`; the scales multiply (a scalar of scale 1 is an exact integer).
            MulScalar = 0x28, "mul_scalar", level: true, aux: Flags(AUX_DEGREE_2), dst: InPlace, a: Read, b: Scalar;
            /// dst = a · i in every slot (the monomial X^(N/2)).
            MulI = 0x29, "mul_i", level: true, aux: Flags(AUX_DEGREE_2), dst: InPlace, a: Read, b: None;
            /// dst += Σ_(i < count) buffer (a+i) · plaintext buffer (b+i) (dst = with the init flag): one pass over memory.
            MulPlainSum = 0x2a, "mul_plain_sum", level: true, aux: Sum(AUX_QP | AUX_INIT | AUX_COMPACT), dst: Accumulate, a: Run, b: Run;

            /// dst = a · b of degree 2 from two ciphertexts of degree 1; the scales multiply.
            Mul = 0x30, "mul", level: true, aux: Zero, dst: Write, a: Read, b: Read;
            /// dst += a · b, dst of degree 2.
            MulAcc = 0x31, "mul_acc", level: true, aux: Zero, dst: Accumulate, a: Read, b: Read;
            /// dst = a · a of degree 2.
            Square = 0x32, "square", level: true, aux: Zero, dst: Write, a: Read, b: None;

            /// dst = a / q_(level+1), from level + 1; the scale is divided by that prime.
            Rescale = 0x40, "rescale", level: true, aux: Flags(AUX_DEGREE_2), dst: Write, a: Read, b: None;
            /// dst = a with the limbs above `level` left out; `b` is a's level (equal levels copy).
            Drop = 0x41, "drop", level: true, aux: Flags(AUX_DEGREE_2), dst: Write, a: Read, b: Level;
            /// dst = the centred representative of a modulo q_0, taken modulo q_0 … q_level; `b` is a's level, 0. Under the
            /// ephemeral secret only: decrypts to a's message + q_0 · I with I small because that secret is sparse.
            ModRaise = 0x42, "mod_raise", level: true, aux: Zero, dst: Write, a: Read, b: Level;

            /// dst = a with c1 split into digits raised to basis qp (mod-up), for any number of `rotate_acc`.
            Decompose = 0x50, "decompose", level: true, aux: Zero, dst: Write, a: Read, b: None;
            /// dst += P · automorphism of decomposed a, switched back by Galois key `b` (dst = with the init flag).
            RotateAcc = 0x51, "rotate_acc", level: true, aux: Flags(AUX_INIT), dst: Accumulate, a: Read, b: Key;
            /// dst += P · a, a in basis q, dst in basis qp (dst = with the init flag).
            LiftAcc = 0x52, "lift_acc", level: true, aux: Flags(AUX_INIT), dst: Accumulate, a: Read, b: None;
            /// dst = a / P, from basis qp to q; a is undefined afterwards.
            ModDown = 0x53, "mod_down", level: true, aux: Zero, dst: Write, a: Consume, b: None;
            /// dst of degree 1 from a of degree 2 with relinearisation key `b`.
            Relinearize = 0x54, "relinearize", level: true, aux: Zero, dst: Write, a: Read, b: Key;
            /// dst = automorphism of a, switched back by Galois key `b` (rotation or conjugation).
            Rotate = 0x55, "rotate", level: true, aux: Zero, dst: Write, a: Read, b: Key;
            /// dst of degree 1 from a of degree 2 at level + 1 with relinearisation key `b`, divided by q_(level+1): one
            /// division by P · q_(level+1) closes both.
            RelinearizeRescale = 0x56, "relinearize_rescale", level: true, aux: Zero, dst: Write, a: Read, b: Key;
            /// dst = a / (P · q_(level+1)), from basis qp at level + 1 to q; a is undefined afterwards.
            ModDownRescale = 0x57, "mod_down_rescale", level: true, aux: Zero, dst: Write, a: Consume, b: None;
            /// dst = a under the other secret of key `b`: from the main secret to the ephemeral one or back.
            SwitchSecret = 0x58, "switch_secret", level: true, aux: Zero, dst: Write, a: Read, b: Key;
        }
    };
}

/// What the `a` or `b` field of an instruction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// Nothing; the field is zero.
    None,
    /// A buffer that is read.
    Read,
    /// A buffer that is read and undefined afterwards.
    Consume,
    /// The first of as many consecutive buffers as the sum has terms; all are read.
    Run,
    /// An index into the ports.
    Port,
    /// A tile of the port named by the other operand.
    Tile,
    /// An index into the constants.
    Constant,
    /// An index into the scalars.
    Scalar,
    /// An index into the keys.
    Key,
    /// A trip count, at least 1.
    Count,
    /// The level of the source.
    Level,
}

/// What the `dst` field of an instruction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dst {
    /// Nothing; the field is zero.
    None,
    /// A buffer that is overwritten and overlaps no source.
    Write,
    /// As `Write`, or exactly the range of source `a`.
    InPlace,
    /// A buffer that is added to, or overwritten when [`AUX_INIT`] is set; it overlaps no source.
    Accumulate,
}

/// What the `aux` field of an instruction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aux {
    /// Nothing; the field is zero.
    Zero,
    /// A tile of the port in `b`.
    Tile,
    /// Any of these flags.
    Flags(u16),
    /// Any of these flags beside the number of terms, 1 to [`MAX_SUM_TERMS`] (see [`aux_sum`]).
    Sum(u16),
}

/// The roles of an instruction's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Whether `level` is used (else it is zero).
    pub level: bool,
    /// The role of `aux`.
    pub aux: Aux,
    /// The role of `dst`.
    pub dst: Dst,
    /// The role of `a`.
    pub a: Operand,
    /// The role of `b`.
    pub b: Operand,
}

macro_rules! define_op {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $mnemonic:literal,
       level: $level:literal, aux: $aux:ident $(($flags:expr))?, dst: $dst:ident, a: $a:ident, b: $b:ident;)*) => {
        /// What an instruction does. The discriminant is the opcode byte.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Op { $($(#[$doc])* $name = $code,)* }

        impl Op {
            /// Every operation, in opcode order.
            pub const ALL: &'static [Op] = &[$(Op::$name),*];

            /// The opcode byte.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The operation of an opcode byte, if there is one.
            pub const fn from_code(code: u8) -> Option<Op> {
                match code {
                    $($code => Some(Op::$name),)*
                    _ => None,
                }
            }

            /// The name that the disassembler prints.
            pub const fn mnemonic(self) -> &'static str {
                match self { $(Op::$name => $mnemonic,)* }
            }

            /// The roles of the instruction's fields.
            pub const fn signature(self) -> Signature {
                match self {
                    $(Op::$name => Signature {
                        level: $level,
                        aux: Aux::$aux $(($flags))?,
                        dst: Dst::$dst,
                        a: Operand::$a,
                        b: Operand::$b,
                    },)*
                }
            }
        }
    };
}

for_each_instruction!(define_op);
