//! Evaluation keys: what the server needs besides the plan and the inputs.
//!
//! A switching key is packed, in memory as in a file, but there twice as large: in a file a 32-byte seed stands for its
//! uniform half. Keys are made, written, read and expanded one per thread at a time, so that nothing but the keys
//! themselves is ever held whole, and no key twice.

use crate::error::{HostError, Result};
use crate::files::{Container, Kind, Owner, Writer, key_record, read_key};
use crate::memory::{Pool, Words};
use crate::plan_file::PlanFile;
use crate::progress::{Progress, phase};
use crate::random::Master;
use crate::secret::SecretSeed;
use crate::tasks::in_order;
use cipherloom_ckks::{Context, SecretKey, keys, scratch};
use cipherloom_exec::{Keys, context_parameters};
use cipherloom_plan::{Key, KeyKind};
use std::path::Path;

const GENERATING: &str = "generating evaluation keys";

/// All switching keys of a plan's key table, expanded in memory.
pub struct EvaluationKeys {
    owner: Owner,
    keys: Vec<SwitchingKey>,
}

/// One key: the seed of its a halves, and all of its words.
struct SwitchingKey {
    seed: [u8; 32],
    words: Words,
}

impl Keys<u64> for EvaluationKeys {
    fn key(&self, index: usize) -> Option<&[u64]> {
        self.keys.get(index).map(|key| &key.words[..])
    }
}

impl EvaluationKeys {
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Bytes of all expanded keys.
    pub fn bytes(&self) -> u64 {
        self.keys
            .iter()
            .map(|key| size_of_val(&key.words[..]) as u64)
            .sum()
    }

    /// Which keys they are: a hash of their seeds, which are drawn anew whenever keys are made.
    pub(crate) fn identity(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        self.keys.iter().for_each(|key| _ = hasher.update(&key.seed));
        *hasher.finalize().as_bytes()
    }

    /// Writes the keys, seeded, to a file that [`EvaluationKeys::read`] reads.
    pub fn write(&self, path: impl AsRef<Path>, plan: &PlanFile, progress: &mut dyn Progress) -> Result<()> {
        if self.owner.plan != plan.hash() {
            return Err(HostError::Mismatch(
                "the evaluation keys are for another plan".into(),
            ));
        }
        let wanted: Vec<Key> = plan.plan().keys().collect();
        let mut tables = Words::default();
        let context = context(plan, &mut tables)?;
        let mut writer = Writer::create(path.as_ref(), Kind::EvaluationKeys, self.owner)?;
        let records = Pool::default();
        let pack = |index: usize| {
            let SwitchingKey { seed, words } = &self.keys[index];
            let mut record: Vec<u8> = records.take(|| Ok(Vec::new()))?;
            with_context_of(&context, wanted[index], |context| {
                key_record(context, &wanted[index], seed, words, &mut record);
                Ok(record)
            })
        };
        let count = wanted.len();
        phase(progress, "writing evaluation keys", count as u64, |progress| {
            in_order(count, progress, pack, |record| {
                writer.record(&record)?;
                records.put(record);
                Ok(())
            })
        })?;
        writer.finish()
    }

    /// Reads keys that were made for this plan and expands their seeded halves.
    pub fn read(path: impl AsRef<Path>, plan: &PlanFile, progress: &mut dyn Progress) -> Result<Self> {
        let file = Container::open(path.as_ref(), Kind::EvaluationKeys, &plan.hash())?;
        let wanted: Vec<Key> = plan.plan().keys().collect();
        if file.len() != wanted.len() {
            let problem = format!("the plan has {} keys, the file {}", wanted.len(), file.len());
            return Err(file.malformed(file.len(), problem));
        }
        let mut tables = Words::default();
        let context = context(plan, &mut tables)?;
        let spaces = Pool::default();
        let largest = context.parameters.max_level();
        let size = scratch::expand_key_scratch(&context.parameters, largest);
        let read = |index: usize| {
            with_context_of(&context, wanted[index], |context| {
                let cap = usize::from(wanted[index].level);
                let mut words = Words::zeroed(
                    "evaluation key",
                    context.parameters.switching_key_words::<u64>(cap),
                )?;
                let mut space: Words = spaces.take(|| Words::zeroed("scratch", size))?;
                let limb = &mut space[..context.degree()];
                let seed = read_key(context, file.record(index)?, &wanted[index], &mut words, limb)
                    .map_err(|problem| file.malformed(index, problem))?;
                // Its pages need not stay in memory beside the key.
                file.release(index);
                keys::expand_key_a(context, cap, &seed, &mut words, &mut space)
                    .map_err(HostError::ckks("expand a key"))?;
                spaces.put(space);
                Ok(SwitchingKey { seed, words })
            })
        };
        let count = wanted.len();
        let mut keys = Vec::with_capacity(count);
        phase(progress, "reading evaluation keys", count as u64, |progress| {
            in_order(count, progress, read, |key| {
                keys.push(key);
                Ok(())
            })
        })?;
        Ok(Self {
            owner: file.owner(),
            keys,
        })
    }
}

/// Generates all keys of the plan's key table in memory.
pub fn generate_evaluation_keys(
    plan: &PlanFile,
    secret: &SecretSeed,
    progress: &mut dyn Progress,
) -> Result<EvaluationKeys> {
    let mut keys = Vec::new();
    with_generator(plan, secret, |generator| {
        let make = |index: usize| {
            let mut words = Words::zeroed("evaluation key", generator.words(index))?;
            let seed = generator.make(index, &mut words)?;
            Ok(SwitchingKey { seed, words })
        };
        phase(progress, GENERATING, generator.keys.len() as u64, |progress| {
            in_order(generator.keys.len(), progress, make, |key| {
                keys.push(key);
                Ok(())
            })
        })
    })?;
    Ok(EvaluationKeys {
        owner: secret.owner(plan),
        keys,
    })
}

/// Generates all keys of the plan's key table straight into a file, holding one key per thread in memory.
pub fn write_evaluation_keys(
    path: impl AsRef<Path>,
    plan: &PlanFile,
    secret: &SecretSeed,
    progress: &mut dyn Progress,
) -> Result<()> {
    let mut writer = Writer::create(path.as_ref(), Kind::EvaluationKeys, secret.owner(plan))?;
    with_generator(plan, secret, |generator| {
        let count = generator.keys.len();
        let largest = (0..count).map(|index| generator.words(index)).max().unwrap_or(0);
        let (spaces, records) = (Pool::default(), Pool::default());
        let make = |index: usize| {
            let mut space = spaces.take(|| Words::zeroed("evaluation key", largest))?;
            let words = &mut space[..generator.words(index)];
            let seed = generator.make(index, words)?;
            let mut record: Vec<u8> = records.take(|| Ok(Vec::new()))?;
            let key = generator.keys[index];
            with_context_of(&generator.context, key, |context| {
                key_record(context, &key, &seed, words, &mut record);
                Ok(())
            })?;
            spaces.put(space);
            Ok(record)
        };
        phase(progress, GENERATING, count as u64, |progress| {
            in_order(count, progress, make, |record| {
                writer.record(&record)?;
                records.put(record);
                Ok(())
            })
        })
    })?;
    writer.finish()
}

/// The context of a plan, with its tables in `tables`.
fn context<'m>(plan: &PlanFile, tables: &'m mut Words) -> Result<Context<'m, u64>> {
    let parameters = context_parameters(&plan.plan())?;
    *tables = Words::zeroed("ring tables", Context::<u64>::memory_words(&parameters))?;
    Context::new(parameters, tables).map_err(HostError::ckks("ring tables"))
}

/// Calls `body` with a context that has only the special primes that a key's kind uses.
fn with_context_of<T>(
    context: &Context<'_, u64>,
    key: Key,
    body: impl FnOnce(&Context<'_, u64>) -> Result<T>,
) -> Result<T> {
    let all = context.parameters.special();
    let special = usize::from(key.kind.special(all as u8));
    if special == all {
        return body(context);
    }
    let few = context.with_special(special, usize::from(key.level));
    body(&few.map_err(HostError::ckks("key to the ephemeral secret"))?)
}

/// What keys are generated from.
struct Generator<'m> {
    keys: Vec<Key>,
    context: Context<'m, u64>,
    main: SecretKey<'m, u64>,
    ephemeral: Option<SecretKey<'m, u64>>,
    master: Master,
    scratch: Pool<Words>,
}

/// Calls `body` with what generates the keys of a plan. An ephemeral secret is drawn here, serves the keys from and to it, and
/// is gone when this function returns.
fn with_generator<T>(
    plan: &PlanFile,
    secret: &SecretSeed,
    body: impl FnOnce(&Generator<'_>) -> Result<T>,
) -> Result<T> {
    let mut tables = Words::default();
    let context = context(plan, &mut tables)?;
    let words = SecretKey::<u64>::memory_words(&context.parameters);
    let mut main = Words::zeroed("secret key", words)?;
    let main =
        SecretKey::from_seed(&context, secret.bytes(), &mut main).map_err(HostError::ckks("secret key"))?;
    let weight = plan.plan().parameters().ephemeral_weight() as usize;
    let mut ephemeral = Words::zeroed("ephemeral secret", if weight > 0 { words } else { 0 })?;
    let ephemeral = if weight > 0 {
        let seed = Master::new()?;
        let sampled = SecretKey::sparse_from_seed(&context, seed.bytes(), weight, &mut ephemeral);
        Some(sampled.map_err(HostError::ckks("ephemeral secret"))?)
    } else {
        None
    };
    body(&Generator {
        keys: plan.plan().keys().collect(),
        context,
        main,
        ephemeral,
        master: Master::new()?,
        scratch: Pool::default(),
    })
}

impl Generator<'_> {
    /// Words of key `index`.
    fn words(&self, index: usize) -> usize {
        let key = self.keys[index];
        let words = with_context_of(&self.context, key, |context| {
            Ok(context
                .parameters
                .switching_key_words::<u64>(usize::from(key.level)))
        });
        words.unwrap_or(0)
    }

    /// Makes key `index` in memory of just its size. Returns the seed of its a halves.
    fn make(&self, index: usize, words: &mut [u64]) -> Result<[u8; 32]> {
        let key = self.keys[index];
        let (main, cap) = (&self.main, usize::from(key.level));
        let (seed, mut rng) = self.master.task(index);
        let rng = &mut rng;
        let largest = self.context.parameters.max_level();
        let size = scratch::generate_key_scratch(&self.context.parameters, largest);
        let mut space = self.scratch.take(|| Words::zeroed("scratch", size))?;
        with_context_of(&self.context, key, |context| {
            let scratch = &mut space[..];
            let sparse = self.ephemeral.as_ref();
            let sparse = sparse.ok_or_else(|| HostError::Mismatch("the plan has no ephemeral secret".into()));
            match key.kind {
                KeyKind::Relinearise => {
                    keys::generate_relinearisation_key(context, main, cap, &seed, rng, words, scratch)
                }
                KeyKind::Galois(element) => {
                    keys::generate_galois_key(context, main, element, cap, &seed, rng, words, scratch)
                }
                KeyKind::ToSparse => {
                    keys::generate_switching_key(context, main, sparse?, cap, &seed, rng, words, scratch)
                }
                KeyKind::FromSparse => {
                    keys::generate_switching_key(context, sparse?, main, cap, &seed, rng, words, scratch)
                }
            }
            .map_err(HostError::ckks(format!("evaluation key {index}")))
        })?;
        self.scratch.put(space);
        Ok(seed)
    }
}
