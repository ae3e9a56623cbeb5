//! The zero-copy view: a parsed plan and what it consists of, read where it lies.

use crate::format::{
    ConstantRecord, HASH_BYTES, InstructionRecord, KeyRecord, ParametersRecord, PortRecord, ScalarRecord,
};
use crate::instruction::Instruction;
use crate::model::{Buffer, Estimates, Key, PortKind, Repeat, SourceSpan};
use crate::op::Op;
use crate::parts::{ConstantView, PortView, ScalarView};
use crate::record::Table;
use crate::words::WordCounts;

/// A plan in bytes that have been checked once by [`Plan::parse`]. Cheap to copy.
///
/// Every index that an instruction, port or constant names is in range; whether the instructions make sense is for
/// [`verify`](crate::verify()) to say.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    pub(crate) hash: [u8; HASH_BYTES],
    pub(crate) length: u64,
    pub(crate) parameters: ParametersRecord,
    pub(crate) primes: Table<'p, u64>,
    pub(crate) ports: Table<'p, PortRecord>,
    pub(crate) keys: Table<'p, KeyRecord>,
    pub(crate) constants: Table<'p, ConstantRecord>,
    pub(crate) scalars: Table<'p, ScalarRecord>,
    pub(crate) buffers: Table<'p, Buffer>,
    pub(crate) instructions: Table<'p, InstructionRecord>,
    pub(crate) spans: Table<'p, SourceSpan>,
    pub(crate) estimates: Estimates,
    pub(crate) repeats: Table<'p, Repeat>,
    pub(crate) values: Table<'p, f64>,
    pub(crate) names: &'p str,
}

impl<'p> Plan<'p> {
    /// BLAKE3 of everything after the hash field: the plan's identity, carried by keys, ciphertexts and checkpoints.
    pub fn hash(&self) -> [u8; HASH_BYTES] {
        self.hash
    }

    /// Bytes of the whole plan.
    pub fn encoded_bytes(&self) -> u64 {
        self.length
    }

    /// The graph's name.
    pub fn name(&self) -> &'p str {
        self.names
            .get(..self.parameters.name_bytes as usize)
            .unwrap_or_default()
    }

    /// The scheme's parameters.
    pub fn parameters(&self) -> ParametersView<'p> {
        ParametersView {
            record: self.parameters,
            primes: self.primes,
        }
    }

    /// The ports, in order.
    pub fn ports(&self) -> impl ExactSizeIterator<Item = PortView<'p>> + use<'p> {
        let plan = *self;
        self.ports.iter().map(move |record| PortView::new(record, plan))
    }

    /// Port `index`.
    pub fn port(&self, index: usize) -> Option<PortView<'p>> {
        self.ports.get(index).map(|record| PortView::new(record, *self))
    }

    /// The port of this kind and name, with its index.
    pub fn port_by_name(&self, kind: PortKind, name: &str) -> Option<(usize, PortView<'p>)> {
        self.ports()
            .enumerate()
            .find(|(_, port)| port.kind() == kind && port.name() == name)
    }

    /// The switching keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = Key> + use<'p> {
        self.keys.iter().map(Key::from)
    }

    /// Key `index`.
    pub fn key(&self, index: usize) -> Option<Key> {
        self.keys.get(index).map(Key::from)
    }

    /// The constants, in order.
    pub fn constants(&self) -> impl ExactSizeIterator<Item = ConstantView<'p>> + use<'p> {
        let plan = *self;
        self.constants
            .iter()
            .map(move |record| ConstantView::new(record, plan))
    }

    /// Constant `index`.
    pub fn constant(&self, index: usize) -> Option<ConstantView<'p>> {
        self.constants
            .get(index)
            .map(|record| ConstantView::new(record, *self))
    }

    /// The scalars, in order.
    pub fn scalars(&self) -> impl ExactSizeIterator<Item = ScalarView<'p>> + use<'p> {
        let values = self.values;
        self.scalars
            .iter()
            .map(move |record| ScalarView::new(record, values))
    }

    /// Scalar `index`.
    pub fn scalar(&self, index: usize) -> Option<ScalarView<'p>> {
        self.scalars
            .get(index)
            .map(|record| ScalarView::new(record, self.values))
    }

    /// The buffers, in order.
    pub fn buffers(&self) -> impl ExactSizeIterator<Item = Buffer> + use<'p> {
        self.buffers.iter()
    }

    /// Buffer `index`.
    pub fn buffer(&self, index: usize) -> Option<Buffer> {
        self.buffers.get(index)
    }

    /// The instructions, in order.
    pub fn instructions(&self) -> impl ExactSizeIterator<Item = Instruction> + use<'p> {
        // Parsing refuses unknown opcodes: the default is never seen.
        self.instructions
            .iter()
            .map(|record| record.decode().unwrap_or(Instruction::new(Op::Checkpoint)))
    }

    /// Instruction `index`.
    pub fn instruction(&self, index: usize) -> Option<Instruction> {
        self.instructions.get(index).and_then(InstructionRecord::decode)
    }

    /// How many epochs the plan makes: how often the loop around `epoch` runs, 0 without one.
    pub fn epochs(&self) -> u32 {
        let (mut depth, mut trips) = (0_usize, 0);
        for instruction in self.instructions() {
            match instruction.op {
                Op::Loop => {
                    trips = if depth == 0 { instruction.a } else { trips };
                    depth += 1;
                }
                Op::End => depth = depth.saturating_sub(1),
                Op::Epoch => return trips,
                _ => {}
            }
        }
        0
    }

    /// The source map, by increasing first instruction.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = SourceSpan> + use<'p> {
        self.spans.iter()
    }

    /// The part of the source that instruction `index` comes from.
    pub fn span(&self, index: usize) -> Option<SourceSpan> {
        let (mut low, mut high) = (0, self.spans.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.spans.get(middle)?.instruction as usize <= index {
                low = middle + 1
            } else {
                high = middle
            }
        }
        self.spans.get(low.checked_sub(1)?)
    }

    /// What the compiler expects of a run.
    pub fn estimates(&self) -> Estimates {
        self.estimates
    }

    /// The memory that a run takes. Reads every buffer, key and instruction once.
    pub fn memory(&self) -> Memory {
        let words = self.parameters().words();
        let buffer_words = self.buffers().map(|buffer| buffer.end()).max().unwrap_or(0);
        let scratch_words = self
            .instructions()
            .map(|instruction| words.scratch(&instruction))
            .max()
            .unwrap_or(0);
        Memory {
            buffer_words,
            scratch_words,
            arena_words: buffer_words.saturating_add(scratch_words),
            table_words: words.ring_tables(self.primes.len() as u64),
            encoder_f64s: 2 << self.parameters.log_n,
            key_words: self
                .keys()
                .map(|key| self.parameters().key_words(&key))
                .fold(0, u64::saturating_add),
        }
    }
}

/// The memory that a run takes, in machine words except where said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Where the buffers end.
    pub buffer_words: u64,
    /// The largest scratch of any instruction.
    pub scratch_words: u64,
    /// The arena: buffers, then scratch.
    pub arena_words: u64,
    /// The ring's tables.
    pub table_words: u64,
    /// Numbers of type f64 for the encoder: N for its table and N/2 complex slots.
    pub encoder_f64s: u64,
    /// All switching keys, expanded and packed.
    pub key_words: u64,
}

/// The scheme's parameters.
#[derive(Clone, Copy, Debug)]
pub struct ParametersView<'p> {
    record: ParametersRecord,
    primes: Table<'p, u64>,
}

impl<'p> ParametersView<'p> {
    /// Bits of a machine word: 32 or 64.
    pub fn word_bits(&self) -> u8 {
        self.record.word_bits
    }

    /// log2 of the ring degree N.
    pub fn log_n(&self) -> u8 {
        self.record.log_n
    }

    /// Slots of a ciphertext: N/2.
    pub fn slots(&self) -> u32 {
        1 << (self.record.log_n - 1)
    }

    /// log2 of the nominal scale.
    pub fn log_scale(&self) -> f64 {
        self.record.log_scale
    }

    /// The primes of the modulus chain.
    pub fn q(&self) -> Table<'p, u64> {
        // Parsing checks that the counts are those of the table.
        self.primes
            .slice(0, u32::from(self.record.q_count))
            .unwrap_or(self.primes)
    }

    /// The special primes.
    pub fn p(&self) -> Table<'p, u64> {
        let (first, count) = (u32::from(self.record.q_count), u32::from(self.record.p_count));
        self.primes.slice(first, count).unwrap_or(self.primes)
    }

    /// Limbs per key-switching digit (α).
    pub fn digit_limbs(&self) -> u8 {
        self.record.digit_limbs
    }

    /// The highest level: one less than the number of primes of the chain.
    pub fn max_level(&self) -> u8 {
        self.record.q_count - 1
    }

    /// The number of special primes (K).
    pub fn special(&self) -> u8 {
        self.record.p_count
    }

    /// The number of key-switching digits at `level`.
    pub fn digits(&self, level: u8) -> u8 {
        (u16::from(level) + 1).div_ceil(u16::from(self.record.digit_limbs)) as u8
    }

    /// The claimed classical security in bits; 0 for a toy.
    pub fn security_bits(&self) -> u16 {
        self.record.security_bits
    }

    /// Whether the parameters are for tests only, and not secure.
    pub fn toy(&self) -> bool {
        self.record.toy != 0
    }

    /// Training steps that the plan makes; 0 if none.
    pub fn steps(&self) -> u32 {
        self.record.steps
    }

    /// Non-zero coefficients of the ephemeral sparse secret around a `mod_raise`; 0 if there is none.
    pub fn ephemeral_weight(&self) -> u32 {
        self.record.ephemeral_weight
    }

    /// Words of a switching key of the key table.
    pub fn key_words(&self, key: &Key) -> u64 {
        let (q, p) = (self.q().iter(), self.p().iter());
        self.words().key(key, u32::from(self.word_bits()), q, p)
    }

    /// The sizes of values under these parameters.
    pub fn words(&self) -> WordCounts {
        let ParametersRecord {
            log_n,
            p_count,
            digit_limbs,
            ..
        } = self.record;
        WordCounts::new(u32::from(log_n), u32::from(p_count), u32::from(digit_limbs))
    }
}
