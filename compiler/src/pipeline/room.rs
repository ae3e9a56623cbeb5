//! Plans that fit the memory of a server: the fastest whose keys, arena, tables and inputs it holds.
//!
//! How much the arena takes is known when a plan is made. So plans are made with all memory granted to keys first; what a plan
//! has too much is then taken from the keys of the next, since a few large keys can stand for many digits, and what keys
//! cannot give is taken from the constants that a closed loop keeps encoded.

use cipherloom_plan::{Op, Plan};

use super::{Form, backend};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::emit::Claims;
use crate::ir::Graph;
use crate::options::Options;
use crate::report::bytes;

/// Encoded constants of a closed loop may stay in so much memory.
const RESIDENT_BYTES: u64 = 6_000_000_000;
/// Plans that are made, each with fewer bytes of keys than the one before.
const MOST_TRIES: usize = 4;

/// A plan's bytes, and what they were made from.
pub(super) struct Made {
    pub(super) form: Form,
    /// The program on ciphertexts, scheduled.
    pub(super) ckks: Graph,
    pub(super) claims: Claims,
    pub(super) plan: Vec<u8>,
}

/// What a run of a plan takes, in bytes.
struct Need {
    keys: u64,
    /// Encrypted inputs, with one batch of every stream.
    inputs: u64,
    /// Arena and tables.
    rest: u64,
    /// The part of the arena where constants stay encoded.
    resident: u64,
}

impl Need {
    fn of(plan: &[u8]) -> Result<Self, Diagnostic> {
        let plan = Plan::parse(plan).map_err(|error| Diagnostic::new(Code::Internal, error.to_string()))?;
        let memory = plan.memory();
        let word_bytes = u64::from(plan.parameters().word_bits() / 8);
        let before = plan
            .instructions()
            .take_while(|instruction| instruction.op != Op::Step);
        let encoded = before.filter(|instruction| instruction.op == Op::Encode);
        let resident = encoded.filter_map(|instruction| plan.buffer(instruction.dst as usize));
        Ok(Self {
            keys: memory.key_words * word_bytes,
            // A ciphertext is kept as one polynomial and the seed of the other.
            inputs: plan.estimates().input_bytes / 2,
            rest: (memory.arena_words + memory.table_words) * word_bytes
                + memory.encoder_f64s * size_of::<f64>() as u64,
            resident: resident.map(|buffer| buffer.words * word_bytes).sum(),
        })
    }

    fn total(&self) -> u64 {
        self.keys + self.inputs + self.rest
    }
}

/// The fastest plan that fits, or the smallest one found, with a warning. `lower` gives a program with keys as small as options
/// ask for, or hardly larger than the smallest.
pub(super) fn within(
    options: &Options,
    lower: impl Fn(&Options) -> Result<Form, Diagnostics>,
    warnings: &mut Diagnostics,
) -> Result<Made, Diagnostics> {
    let excess = |need: &Need| need.total().saturating_sub(options.memory_bytes);
    let mut made = make(lower(options)?, RESIDENT_BYTES, options)?;
    let mut need = Need::of(&made.plan)?;
    for _ in 1..MOST_TRIES {
        if excess(&need) == 0 {
            break;
        }
        let fewer = Options {
            key_bytes: Some(need.keys.saturating_sub(excess(&need))),
            ..options.clone()
        };
        let Ok(form) = lower(&fewer) else { break };
        let other = make(form, RESIDENT_BYTES, options)?;
        let other_need = Need::of(&other.plan)?;
        if other_need.total() >= need.total() {
            break;
        }
        (made, need) = (other, other_need);
    }
    if excess(&need) > 0 && need.resident > 0 {
        // As many constants stay encoded as memory holds. What is encoded in every round needs some of it too, so that only a
        // plan tells.
        let (mut few, mut many) = (0, need.resident);
        for _ in 0..MOST_TRIES {
            let middle = u64::midpoint(few, many);
            made = make(made.form, middle, options)?;
            if excess(&Need::of(&made.plan)?) == 0 {
                few = middle;
            } else {
                many = middle;
            }
        }
        made = make(made.form, few, options)?;
        need = Need::of(&made.plan)?;
    }
    if excess(&need) > 0 {
        warnings.push(remark(&need, options));
    }
    Ok(made)
}

/// Makes the plan, with so many bytes of encoded constants kept.
fn make(form: Form, resident_bytes: u64, options: &Options) -> Result<Made, Diagnostic> {
    let mut choice = form.lowered.choice.clone();
    let claims = Claims {
        word_bits: options.word_bits,
        toy: choice.security_bits == 0,
        steps: backend::steps(&form.approximated),
    };
    let resident_words = resident_bytes * 8 / u64::from(options.word_bits);
    let (_, plan) = backend::finish(&form.lowered.packed, &mut choice, claims, resident_words)?;
    Ok(Made {
        ckks: choice.ckks,
        form,
        claims,
        plan,
    })
}

fn remark(need: &Need, options: &Options) -> Diagnostic {
    let message = format!(
        "a run takes {}, more than the {} that the server has",
        bytes(need.total()),
        bytes(options.memory_bytes)
    );
    Diagnostic::new(Code::MemoryLarge, message)
        .note(format!(
            "switching keys {}, arena and tables {}, inputs {}",
            bytes(need.keys),
            bytes(need.rest),
            bytes(need.inputs)
        ))
        .remedy("a smaller batch, or fewer training steps in one plan")
        .remedy("a larger server: `--memory` says what it has")
}
