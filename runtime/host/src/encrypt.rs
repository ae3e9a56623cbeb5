//! The key holder's data, packed, encoded and encrypted for the plan's ports.

use crate::ciphertexts::{Ciphertexts, PortContents, provided};
use crate::data::{Batches, check};
use crate::error::{HostError, Result};
use crate::files::{
    CiphertextHeader, Form, Kind, Writer, ciphertext_form, read_full, read_seeded, seeded_record,
};
use crate::memory::{Region, Words, zeros};
use crate::narrow::Narrow;
use crate::plan_file::PlanFile;
use crate::progress::{Progress, phase};
use crate::random::Master;
use crate::secret::SecretSeed;
use crate::tasks::in_order;
use crate::tensor::Tensor;
use cipherloom_ckks::encrypt::{encrypt_symmetric, expand_c1};
use cipherloom_ckks::{Basis, Context, Encoder, SecretKey, scratch};
use cipherloom_exec::context_parameters;
use cipherloom_plan::{Plan, PortKind, PortView};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

/// The encrypted inputs, stream batches and initial states of a run, in memory or in a mapped file. Each is
/// kept as a 32-byte seed and one bit-packed polynomial, or as two polynomials where it was encrypted with a public key,
/// and is expanded when the run asks for it.
pub struct Inputs(Ciphertexts);

/// What was encrypted for one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSummary {
    /// The port's name.
    pub name: String,
    /// What the port is for.
    pub kind: PortKind,
    /// Batches; 1 except for streams.
    pub batches: u32,
    /// Rows of the tensor that was given.
    pub rows: u64,
    /// Rows at the end of a stream that did not fill a batch and were left out.
    pub unused_rows: u64,
    /// Ciphertexts of one batch.
    pub tiles: u32,
}

impl Inputs {
    /// Opens a file of encrypted inputs; it must have been made for this plan.
    pub fn open(path: impl AsRef<Path>, plan: &PlanFile) -> Result<Self> {
        let set = Ciphertexts::open(path.as_ref(), Kind::Inputs, plan)?;
        check_ports(&plan.plan(), &set)?;
        Ok(Self(set))
    }

    /// Writes the inputs to a file.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        self.0.write(path.as_ref())
    }

    /// Packed bytes of all ciphertexts.
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// What was encrypted for each port.
    pub fn summary(&self, plan: &PlanFile) -> Vec<PortSummary> {
        let plan = plan.plan();
        let summary = |contents: &PortContents| {
            let view = plan.port(contents.port as usize)?;
            let unused_rows = match (view.kind(), view.shape().first()) {
                (PortKind::Stream, Some(&batch)) => contents.rows % u64::from(batch.max(1)),
                _ => 0,
            };
            Some(PortSummary {
                name: view.name().into(),
                kind: view.kind(),
                batches: contents.batches,
                rows: contents.rows,
                unused_rows,
                tiles: view.layout().tiles(),
            })
        };
        self.0.contents().iter().filter_map(summary).collect()
    }

    pub(crate) fn ciphertexts(&self) -> &Ciphertexts {
        &self.0
    }

    /// Expands one ciphertext (port, batch, tile) at `level`, at most its own: 2·(level+1)·N words.
    pub(crate) fn expand(
        &self,
        context: &Context<'_, u64>,
        name: &str,
        place: (usize, u32, u32),
        level: usize,
        destination: &mut [u64],
    ) -> Result<()> {
        let seed = self.0.read(name, place, |record| match ciphertext_form(record) {
            Some(Form::Full) => read_full(context, record, level, destination).map(|()| None),
            _ => {
                let (c0, _) = destination.split_at_mut(destination.len() / 2);
                read_seeded(context, record, level, c0).map(Some)
            }
        })?;
        let Some(seed) = seed else {
            return Ok(());
        };
        let (_, c1) = destination.split_at_mut(destination.len() / 2);
        // Nothing is allocated in a run but where it fails.
        expand_c1(context, seed, level, c1).map_err(|error| HostError::ckks(format!("input `{name}`"))(error))
    }
}

/// A set of inputs has every port that takes some, one batch of each but streams, and equally many of every
/// stream.
fn check_ports(plan: &Plan<'_>, set: &Ciphertexts) -> Result<()> {
    let provided = provided(plan);
    if !set
        .contents()
        .iter()
        .map(|contents| contents.port)
        .eq(provided.map(|(index, _)| index))
    {
        return Err(set.wrong_ports("not the inputs, streams and states of the plan"));
    }
    let is_stream = |contents: &&PortContents| {
        plan.port(contents.port as usize)
            .is_some_and(|port| port.kind() == PortKind::Stream)
    };
    let (streams, others): (Vec<&PortContents>, Vec<&PortContents>) =
        set.contents().iter().partition(is_stream);
    let batches = streams.first().map_or(1, |stream| stream.batches);
    let steady = streams.iter().all(|stream| stream.batches == batches);
    if batches == 0 || !steady || others.iter().any(|port| port.batches != 1) {
        return Err(set.wrong_ports("numbers of batches that do not belong together"));
    }
    Ok(())
}

/// Encrypts `data` in memory, by name of input, stream and state.
///
/// An input has exactly the port's shape. A stream's leading dimension may be longer than the batch: it is
/// cut into as many batches as it fills, all streams into equally many, and the rest is left out
/// ([`Inputs::summary`] says how much). A state that is not given starts as zero. Every value must be finite
/// and in the port's declared range.
pub fn encrypt_inputs(
    plan: &PlanFile,
    secret: &SecretSeed,
    data: &BTreeMap<String, Tensor>,
    progress: &mut dyn Progress,
) -> Result<Inputs> {
    let prepared = prepare(plan, data)?;
    let mut set = Ciphertexts::new(plan, Kind::Inputs, secret.owner(plan), &prepared.ports)?;
    let headers: Vec<_> = set.headers().collect();
    encrypt(plan, secret, &prepared, &headers, progress, |record| {
        set.push(&record)
    })?;
    Ok(Inputs(set))
}

/// Encrypts `data` as [`encrypt_inputs`] does, straight into a file, holding one ciphertext per thread in
/// memory.
pub fn write_inputs(
    path: impl AsRef<Path>,
    plan: &PlanFile,
    secret: &SecretSeed,
    data: &BTreeMap<String, Tensor>,
    progress: &mut dyn Progress,
) -> Result<Inputs> {
    let prepared = prepare(plan, data)?;
    let set = Ciphertexts::new(plan, Kind::Inputs, secret.owner(plan), &prepared.ports)?;
    let headers: Vec<_> = set.headers().collect();
    let mut writer = Writer::create(path.as_ref(), Kind::Inputs, secret.owner(plan))?;
    writer.record(&set.listing())?;
    encrypt(plan, secret, &prepared, &headers, progress, |record| {
        writer.record(&record)
    })?;
    writer.finish()?;
    Inputs::open(path, plan)
}

/// Checked data of every port that takes some.
struct Prepared<'d> {
    /// Index, batches and rows of each port.
    ports: Vec<(u32, u32, u64)>,
    /// The values of a port index, and how many make a batch.
    tensors: BTreeMap<u32, (Cow<'d, [f64]>, Batches)>,
}

fn prepare<'d>(plan: &PlanFile, data: &'d BTreeMap<String, Tensor>) -> Result<Prepared<'d>> {
    let plan = plan.plan();
    let mut prepared = Prepared {
        ports: Vec::new(),
        tensors: BTreeMap::new(),
    };
    for (port, view) in provided(&plan) {
        let (values, batches) = match data.get(view.name()) {
            Some(tensor) => (Cow::Borrowed(&tensor.values[..]), check(&view, tensor)?),
            None => absent(&view)?,
        };
        let count = u32::try_from(batches.count)
            .map_err(|_| HostError::data(view.name(), "", "makes more than 2^32 batches"))?;
        prepared.ports.push((port, count, batches.rows as u64));
        prepared.tensors.insert(port, (values, batches));
    }
    if let Some(name) = data.keys().find(|name| !takes(&plan, name)) {
        return Err(HostError::data(
            name,
            "",
            "the plan takes no input, stream or state of this name",
        ));
    }
    same_rows(&plan, &prepared)?;
    Ok(prepared)
}

/// A state may start as zero; everything else must be given.
fn absent(view: &PortView<'_>) -> Result<(Cow<'static, [f64]>, Batches)> {
    if view.kind() != PortKind::State {
        let problem = format!("is missing: the plan has a {} of this name", view.kind().name());
        return Err(HostError::data(view.name(), "", problem));
    }
    let shape: Vec<usize> = view.shape().iter().map(|&extent| extent as usize).collect();
    let zero = Tensor {
        values: zeros("state", view.values())?,
        shape,
    };
    let batches = check(view, &zero)?;
    Ok((Cow::Owned(zero.values), batches))
}

fn takes(plan: &Plan<'_>, name: &str) -> bool {
    provided(plan).any(|(_, port)| port.name() == name)
}

/// Row i of every stream belongs together.
fn same_rows(plan: &Plan<'_>, prepared: &Prepared<'_>) -> Result<()> {
    let mut first: Option<(PortView<'_>, usize)> = None;
    for (&port, (_, batches)) in &prepared.tensors {
        let Some(view) = plan
            .port(port as usize)
            .filter(|view| view.kind() == PortKind::Stream)
        else {
            continue;
        };
        match &first {
            None => first = Some((view, batches.rows)),
            Some((other, rows)) if *rows != batches.rows => {
                let problem = format!(
                    "has {} rows, but stream `{}` has {rows}",
                    batches.rows,
                    other.name()
                );
                return Err(HostError::data(view.name(), "", problem));
            }
            Some(_) => (),
        }
    }
    Ok(())
}

/// Encrypts every tile in parallel and hands out the records in order.
fn encrypt(
    plan: &PlanFile,
    secret: &SecretSeed,
    prepared: &Prepared<'_>,
    headers: &[CiphertextHeader],
    progress: &mut dyn Progress,
    take: impl FnMut(Vec<u8>) -> Result<()>,
) -> Result<()> {
    let plan = plan.plan();
    let parameters = context_parameters(&plan)?;
    let mut tables = Words::zeroed("ring tables", Context::<u64>::memory_words(&parameters))?;
    let mut roots = Region::zeroed("encoder table", Encoder::memory_f64(parameters.log_n))?;
    let encoder = Encoder::new(parameters.log_n, &mut roots).map_err(HostError::ckks("encoder"))?;
    let context = Context::new(parameters, &mut tables).map_err(HostError::ckks("ring tables"))?;
    let mut memory = Words::zeroed("secret key", SecretKey::<u64>::memory_words(&context.parameters))?;
    let narrow = Narrow::new(&plan, secret.bytes());
    let secret =
        SecretKey::from_seed(&context, secret.bytes(), &mut memory).map_err(HostError::ckks("secret key"))?;
    let master = Master::new()?;

    let make = |index: usize| {
        let header = headers[index];
        let CiphertextHeader {
            port,
            batch,
            tile,
            level,
            ..
        } = header;
        let (Some(view), Some((values, batches))) = (plan.port(port as usize), prepared.tensors.get(&port))
        else {
            return Err(HostError::Mismatch("the plan has no such port".into()));
        };
        let of = |what: &str| format!("{what} tile {tile} of `{}`", view.name());
        let level = usize::from(level);
        let parameters = &context.parameters;
        let mut slots = Zeroizing::new(Region::zeroed("slots", view.layout().numbers())?);
        let batch = &values[batch as usize * batches.values..][..batches.values];
        view.layout()
            .pack_tile(batch, view.shape(), tile, &mut slots)
            .map_err(|error| HostError::data(view.name(), format!("tile {tile}"), error.to_string()))?;

        let (seed, mut rng) = master.task(index);
        if let Some(narrow) = narrow.as_ref().filter(|narrow| narrow.takes(&view)) {
            return narrow.encrypt(&view, &slots, header, &seed, &mut rng);
        }
        let mut plaintext = Zeroizing::new(Words::zeroed("plaintext", parameters.plaintext_words(level))?);
        let mut encoding = Zeroizing::new(Region::zeroed(
            "encoder scratch",
            scratch::encode_scratch(parameters),
        )?);
        let (scale, scratch) = (view.scale(), &mut encoding[..]);
        match slots.split_at(parameters.slots()) {
            (re, []) => encoder.encode_real(&context, re, scale, level, Basis::Q, &mut plaintext, scratch),
            (re, im) => {
                encoder.encode_complex(&context, re, im, scale, level, Basis::Q, &mut plaintext, scratch)
            }
        }
        .map_err(HostError::ckks(of("encode")))?;
        let mut c0 = Words::zeroed("ciphertext", parameters.plaintext_words(level))?;
        let mut working = Words::zeroed("scratch", scratch::encrypt_symmetric_scratch(parameters, level))?;
        encrypt_symmetric(
            &context,
            &secret,
            &plaintext,
            level,
            &seed,
            &mut rng,
            &mut c0,
            &mut working,
        )
        .map_err(HostError::ckks(of("encrypt")))?;
        Ok(seeded_record(&context, header, &seed, &c0))
    };
    phase(progress, "encrypting", headers.len() as u64, |progress| {
        in_order(headers.len(), progress, make, take)
    })
}
