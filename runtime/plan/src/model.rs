//! The small plain types that the view, the owned data and the verifier share.

/// Largest number of dimensions of a port's tensor.
pub const MAX_RANK: usize = 4;
/// Largest number of [`Repeat`]s of a layout or of a boxes constant.
pub const MAX_REPEATS: usize = 8;
/// Largest number of primes, ordinary and special together.
pub const MAX_PRIMES: usize = 64;
/// Deepest nesting of loops.
pub const MAX_LOOP_DEPTH: usize = 4;

/// The fewest words that a limb of a compact plaintext has.
pub const MIN_COMPACT_WORDS: u32 = 32;

/// The primes that a polynomial has limbs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// q_0 … q_level.
    Q,
    /// q_0 … q_level and every special prime.
    Qp,
}

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PortKind {
    /// Given once, encrypted.
    Input = 0,
    /// One mini-batch per training step, encrypted.
    Stream = 1,
    /// Carried from step to step; it leaves and enters at checkpoints.
    State = 2,
    /// The result, for the key holder.
    Output = 3,
    /// Shown to the key holder during the run.
    Reveal = 4,
}

impl PortKind {
    /// The kind of a byte, if there is one.
    pub const fn from_code(code: u8) -> Option<PortKind> {
        Some(match code {
            0 => PortKind::Input,
            1 => PortKind::Stream,
            2 => PortKind::State,
            3 => PortKind::Output,
            4 => PortKind::Reveal,
            _ => return None,
        })
    }

    /// The keyword of the language for it.
    pub const fn name(self) -> &'static str {
        match self {
            PortKind::Input => "input",
            PortKind::Stream => "stream",
            PortKind::State => "state",
            PortKind::Output => "output",
            PortKind::Reveal => "reveal",
        }
    }
}

/// Where the indices of one tensor dimension go: index i of block b = i / `block` adds
/// `(i % block) * slot_stride + (b % stack) * stack_stride` to the slot and `(b / stack) * tile_stride` to the tile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayoutDim {
    /// How many consecutive indices are a block; at least 1.
    pub block: u32,
    /// Slots between neighbours of a block.
    pub slot_stride: u32,
    /// How many consecutive blocks share a tile; at least 1.
    pub stack: u32,
    /// Slots between neighbouring blocks of a tile; N/2 from the real to the imaginary part.
    pub stack_stride: u32,
    /// Tiles between neighbouring stacks of blocks.
    pub tile_stride: u32,
}

impl LayoutDim {
    /// A dimension whose blocks have a tile each.
    pub const fn blocks(block: u32, slot_stride: u32, tile_stride: u32) -> Self {
        LayoutDim {
            block,
            slot_stride,
            stack: 1,
            stack_stride: 0,
            tile_stride,
        }
    }
}

/// An arithmetic progression of slots: offsets `k * stride` for k < `count`. Several combine by summing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    /// How many; at least 1.
    pub count: u32,
    /// Slots between neighbours.
    pub stride: u32,
}

/// What a switching key switches between. s is the main secret; the ephemeral secret is a sparse one that exists only while
/// keys are made (sparse-secret encapsulation: Bossuat, Troncoso-Pastoriza, Hubaux, "Bootstrapping for approximate
/// homomorphic encryption with negligible failure probability by using sparse-secret encapsulation", 2022).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// From s² to s, for relinearisation.
    Relinearise,
    /// From φ_g(s) to s for this Galois element g (odd, 1 < g < 2N), for rotations and conjugation (g = 2N − 1).
    Galois(u32),
    /// From s to the ephemeral secret, at level 0 and with the first special prime alone: a sparse secret hides only under
    /// a small modulus.
    ToSparse,
    /// From the ephemeral secret back to s.
    FromSparse,
}

impl KeyKind {
    /// How many special primes a key of this kind uses, the first ones, where the plan has `all`.
    pub const fn special(self, all: u8) -> u8 {
        match self {
            KeyKind::ToSparse if all > 1 => 1,
            _ => all,
        }
    }
}

/// The secret that a ciphertext is under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secret {
    /// The key holder's.
    #[default]
    Main,
    /// The sparse one around a `mod_raise`.
    Ephemeral,
}

/// One switching key that the plan uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// What it switches from.
    pub kind: KeyKind,
    /// The highest level at which it is used: the key is made for this level and no more.
    pub level: u8,
    /// How often it is used in the whole run.
    pub uses: u32,
}

/// A range of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// First word.
    pub offset: u64,
    /// Number of words; at least 1.
    pub words: u64,
}

impl Buffer {
    /// One past the last word.
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.words)
    }

    /// Whether the two have a word in common.
    pub const fn overlaps(&self, other: &Buffer) -> bool {
        self.offset < other.end() && other.offset < self.end()
    }
}

/// From this instruction on (up to the next span), instructions come from this part of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceSpan {
    /// First instruction.
    pub instruction: u32,
    /// First byte in the source text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// What the compiler expects of a run. Nothing depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimates {
    /// Seconds for the whole run.
    pub seconds: f64,
    /// Seconds for one training step.
    pub seconds_per_step: f64,
    /// Bytes of all encrypted inputs and of one mini-batch of every stream.
    pub input_bytes: u64,
    /// Bytes of all outputs and reveals.
    pub output_bytes: u64,
    /// The largest number of words that are alive at one time: no arena can be smaller.
    pub arena_lower_bound_words: u64,
    /// log2 of a bound on the probability that a bootstrap fails because a coefficient holds a larger multiple of q_0 than it takes
    /// away, at most 0; 0 where nothing bootstraps.
    pub bootstrap_log2_failure: f64,
}
