//! Evaluation keys: what the server needs besides the plan and the inputs.
//!
//! A switching key is twice as large in memory as in a file, where a 32-byte seed stands for its uniform
//! half. Keys are made, written, read and expanded one per thread at a time, so that nothing but the keys
//! themselves is ever held whole.

use crate::error::{HostError, Result};
use crate::files::{Container, Kind, Owner, Writer, key_record, read_key};
use crate::memory::{Words, zeroed};
use crate::plan_file::PlanFile;
use crate::progress::{Progress, phase};
use crate::random::Master;
use crate::secret::SecretSeed;
use crate::tasks::in_order;
use cipherloom_ckks::{Context, SecretKey, keys, scratch};
use cipherloom_exec::{Keys, context_parameters};
use cipherloom_plan::{KeyKind, Plan};
use std::path::Path;

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

    /// Writes the keys, seeded, to a file that [`EvaluationKeys::read`] reads.
    pub fn write(&self, path: impl AsRef<Path>, plan: &PlanFile, progress: &mut dyn Progress) -> Result<()> {
        if self.owner.plan != plan.hash() {
            return Err(HostError::Mismatch(
                "the evaluation keys are for another plan".into(),
            ));
        }
        let plan = plan.plan();
        let parameters = context_parameters(&plan)?;
        let mut tables = Words::zeroed("ring tables", Context::<u64>::memory_words(&parameters))?;
        let context = Context::new(parameters, &mut tables).map_err(HostError::ckks("ring tables"))?;
        let mut writer = Writer::create(path.as_ref(), Kind::EvaluationKeys, self.owner)?;
        phase(
            progress,
            "writing evaluation keys",
            self.keys.len() as u64,
            |progress| {
                for (key, wanted) in self.keys.iter().zip(wanted_keys(&plan)) {
                    writer.record(&key_record(
                        &context,
                        wanted.element,
                        wanted.cap,
                        &key.seed,
                        &key.words,
                    ))?;
                    progress.advance(1);
                }
                Ok(())
            },
        )?;
        writer.finish()
    }

    /// Reads keys that were made for this plan and expands their seeded halves.
    pub fn read(path: impl AsRef<Path>, plan: &PlanFile, progress: &mut dyn Progress) -> Result<Self> {
        let file = Container::open(path.as_ref(), Kind::EvaluationKeys, &plan.hash())?;
        let plan = plan.plan();
        let wanted: Vec<WantedKey> = wanted_keys(&plan).collect();
        if file.len() != wanted.len() {
            let problem = format!("the plan has {} keys, the file {}", wanted.len(), file.len());
            return Err(file.malformed(file.len(), problem));
        }
        let parameters = context_parameters(&plan)?;
        let mut tables = Words::zeroed("ring tables", Context::<u64>::memory_words(&parameters))?;
        let context = Context::new(parameters, &mut tables).map_err(HostError::ckks("ring tables"))?;
        let read = |index: usize| {
            let WantedKey { element, cap } = wanted[index];
            let mut words = Words::zeroed("evaluation key", context.parameters.switching_key_words(cap))?;
            let seed = read_key(&context, file.record(index)?, element, cap, &mut words)
                .map_err(|problem| file.malformed(index, problem))?;
            keys::expand_key_a(&context, cap, &seed, &mut words).map_err(HostError::ckks("expand a key"))?;
            Ok(SwitchingKey { seed, words })
        };
        let mut keys = Vec::with_capacity(wanted.len());
        phase(
            progress,
            "reading evaluation keys",
            wanted.len() as u64,
            |progress| {
                in_order(wanted.len(), progress, read, |key| {
                    keys.push(key);
                    Ok(())
                })
            },
        )?;
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
    generate(plan, secret, progress, |_, _, key| {
        keys.push(key);
        Ok(())
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
    generate(
        plan,
        secret,
        progress,
        |context, WantedKey { element, cap }, key| {
            writer.record(&key_record(context, element, cap, &key.seed, &key.words))
        },
    )?;
    writer.finish()
}

/// A key of the plan's table: its Galois element (0 for relinearisation) and its level cap.
#[derive(Clone, Copy)]
struct WantedKey {
    element: u32,
    cap: usize,
}

fn wanted_keys(plan: &Plan<'_>) -> impl Iterator<Item = WantedKey> {
    plan.keys().map(|key| WantedKey {
        element: match key.kind {
            KeyKind::Relinearise => 0,
            KeyKind::Galois(element) => element,
        },
        cap: usize::from(key.level),
    })
}

/// Generates the keys in parallel and hands them out in the order of the table.
fn generate(
    plan: &PlanFile,
    secret: &SecretSeed,
    progress: &mut dyn Progress,
    mut take: impl FnMut(&Context<'_, u64>, WantedKey, SwitchingKey) -> Result<()>,
) -> Result<()> {
    let plan = plan.plan();
    let wanted: Vec<WantedKey> = wanted_keys(&plan).collect();
    let parameters = context_parameters(&plan)?;
    let mut tables = Words::zeroed("ring tables", Context::<u64>::memory_words(&parameters))?;
    let context = Context::new(parameters, &mut tables).map_err(HostError::ckks("ring tables"))?;
    let mut memory = zeroed("secret key", SecretKey::<u64>::memory_words(&context.parameters))?;
    let secret =
        SecretKey::from_seed(&context, secret.bytes(), &mut memory).map_err(HostError::ckks("secret key"))?;
    let master = Master::new()?;

    let make = |index: usize| {
        let WantedKey { element, cap } = wanted[index];
        let mut words = Words::zeroed("evaluation key", context.parameters.switching_key_words(cap))?;
        let mut scratch = Words::zeroed("scratch", scratch::generate_key_scratch(&context.parameters, cap))?;
        let (seed, mut rng) = master.task(index);
        let (words_mut, scratch) = (&mut words[..], &mut scratch[..]);
        match element {
            0 => keys::generate_relinearisation_key(
                &context, &secret, cap, &seed, &mut rng, words_mut, scratch,
            ),
            _ => keys::generate_galois_key(
                &context, &secret, element, cap, &seed, &mut rng, words_mut, scratch,
            ),
        }
        .map_err(HostError::ckks(format!("evaluation key {index}")))?;
        Ok((wanted[index], SwitchingKey { seed, words }))
    };
    phase(
        progress,
        "generating evaluation keys",
        wanted.len() as u64,
        |progress| {
            in_order(wanted.len(), progress, make, |(wanted, key)| {
                take(&context, wanted, key)
            })
        },
    )
}
