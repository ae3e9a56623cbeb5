//! A set of ciphertexts, by port, batch and tile: the common half of [`crate::Inputs`] and
//! [`crate::Outputs`].
//!
//! In memory and in a file they are the same packed records, so that what is written is what was used.

use crate::error::{HostError, Result};
use crate::files::{CiphertextHeader, Container, Form, Kind, Owner, Writer, seal_of};
use crate::memory::Region;
use crate::plan_file::PlanFile;
use cipherloom_exec::context_parameters;
use cipherloom_plan::{Instruction, Op, Plan, PortKind, PortView};
use std::collections::BTreeSet;
use std::path::Path;

/// Bytes of one port's row in the record that lists the ports.
const ROW_BYTES: usize = 16;

/// What a set holds of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortContents {
    /// Index in the plan.
    pub(crate) port: u32,
    /// How many batches; 1 except for streams.
    pub(crate) batches: u32,
    /// Rows of the clear tensor, which tells how many did not fill a batch.
    pub(crate) rows: u64,
    /// Tiles of one batch.
    tiles: u32,
    level: u8,
}

/// Where the packed records are.
enum Records {
    Memory(Vec<Region<u8>>),
    File(Container),
}

/// A set of ciphertexts. Record 0 lists the ports; then come the ciphertexts by port, batch and tile.
pub(crate) struct Ciphertexts {
    owner: Owner,
    kind: Kind,
    contents: Vec<PortContents>,
    records: Records,
}

impl Ciphertexts {
    /// An empty set in memory; `ports` gives index, batches and rows of each port that will be in it.
    pub(crate) fn new(plan: &PlanFile, kind: Kind, owner: Owner, ports: &[(u32, u32, u64)]) -> Result<Self> {
        let view = plan.plan();
        let contents = ports
            .iter()
            .map(|&(port, batches, rows)| contents_of(&view, port, batches, rows))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| HostError::Mismatch("the plan has no such port".into()))?;
        let records = Records::Memory(vec![Region::copy_of("list of ports", &listing(&contents))?]);
        Ok(Self {
            owner,
            kind,
            contents,
            records,
        })
    }

    /// Opens a file and checks that it holds exactly the ciphertexts that it lists, of ports of the plan.
    pub(crate) fn open(path: &Path, kind: Kind, plan: &PlanFile) -> Result<Self> {
        let file = Container::open(path, kind, &plan.hash())?;
        let view = plan.plan();
        let parameters = context_parameters(&view)?;
        let contents = read_listing(&view, file.record(0)?)
            .ok_or_else(|| file.malformed(0, "the list of ports does not fit the plan"))?;
        let set = Self {
            owner: file.owner(),
            kind,
            contents,
            records: Records::Memory(Vec::new()),
        };
        for (index, header) in set.headers().enumerate() {
            let record = file.record(index + 1)?;
            let matches = |&form: &Form| CiphertextHeader { form, ..header }.matches(&parameters, record);
            if !set.forms().iter().any(matches) {
                let CiphertextHeader {
                    port, batch, tile, ..
                } = header;
                let problem = format!("not the ciphertext of port {port}, batch {batch}, tile {tile}");
                return Err(file.malformed(index + 1, problem));
            }
        }
        if file.len() != set.headers().count() + 1 {
            return Err(file.malformed(file.len() - 1, "more records than the list of ports says"));
        }
        Ok(Self {
            records: Records::File(file),
            ..set
        })
    }

    /// Writes the set to a file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut writer = Writer::create(path, self.kind, self.owner)?;
        for index in 0..self.len() {
            writer.record(self.record(index)?)?;
        }
        writer.finish()
    }

    /// The record that lists the ports: the first of a file.
    pub(crate) fn listing(&self) -> Vec<u8> {
        listing(&self.contents)
    }

    /// Appends the next ciphertext to a set in memory.
    pub(crate) fn push(&mut self, record: &[u8]) -> Result<()> {
        if let Records::Memory(records) = &mut self.records {
            records.push(Region::copy_of("ciphertext", record)?);
        }
        Ok(())
    }

    /// The headers of all ciphertexts in order, as they are made.
    pub(crate) fn headers(&self) -> impl Iterator<Item = CiphertextHeader> + '_ {
        let form = self.forms()[0];
        self.contents.iter().flat_map(
            move |&PortContents {
                      port,
                      batches,
                      tiles,
                      level,
                      ..
                  }| {
                (0..batches).flat_map(move |batch| {
                    (0..tiles).map(move |tile| CiphertextHeader {
                        port,
                        batch,
                        tile,
                        level,
                        form,
                    })
                })
            },
        )
    }

    /// The forms that ciphertexts may have, that in which they are made first: what the key holder sends is seeded, and whole
    /// where it was encrypted with a public key; what comes out of a run is whole.
    fn forms(&self) -> &'static [Form] {
        match self.kind {
            Kind::Inputs => &[Form::Seeded, Form::Full],
            _ => &[Form::Full],
        }
    }

    /// What the set holds of each port.
    pub(crate) fn contents(&self) -> &[PortContents] {
        &self.contents
    }

    /// How many batches of a port there are; none when the port is not in the set.
    pub(crate) fn batches(&self, port: usize) -> Option<u32> {
        self.contents
            .iter()
            .find(|contents| contents.port as usize == port)
            .map(|contents| contents.batches)
    }

    /// Reads the record of one ciphertext: port, batch, tile. What `read` says is wrong becomes an error that
    /// names the port, and the place in the file when there is one.
    pub(crate) fn read<'s, T>(
        &'s self,
        name: &str,
        (port, batch, tile): (usize, u32, u32),
        read: impl FnOnce(&'s [u8]) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let missing = || {
            HostError::data(
                name,
                format!("batch {batch}, tile {tile}"),
                "is not among the ciphertexts",
            )
        };
        let index = self.index(port, batch, tile).ok_or_else(missing)?;
        let result = read(self.record(index)?);
        if let Records::File(file) = &self.records {
            file.release(index);
        }
        result.map_err(|problem| match &self.records {
            Records::File(file) => file.malformed(index, format!("ciphertext of `{name}`: {problem}")),
            Records::Memory(_) => HostError::data(name, "", problem),
        })
    }

    /// Which record a ciphertext is.
    fn index(&self, port: usize, batch: u32, tile: u32) -> Option<usize> {
        let mut first = 1;
        for contents in &self.contents {
            let (batches, tiles) = (contents.batches as usize, contents.tiles as usize);
            if contents.port as usize == port {
                let exists = batch < contents.batches && tile < contents.tiles;
                return exists.then_some(first + batch as usize * tiles + tile as usize);
            }
            first += batches * tiles;
        }
        None
    }

    /// An error about the ports that the set lists.
    pub(crate) fn wrong_ports(&self, problem: &str) -> HostError {
        match &self.records {
            Records::File(file) => file.malformed(0, problem),
            Records::Memory(_) => HostError::Mismatch(problem.to_owned()),
        }
    }

    /// Fails unless the set is of this plan and under this secret key; `other` says whose they are.
    pub(crate) fn check_owner(&self, owner: Owner, other: &str) -> Result<()> {
        if self.owner == owner {
            return Ok(());
        }
        let what = if self.owner.plan == owner.plan {
            "secret key"
        } else {
            "plan"
        };
        let name = match &self.records {
            Records::File(file) => file.path().display().to_string(),
            Records::Memory(_) => format!("the {}", self.kind.name()),
        };
        Err(HostError::Mismatch(format!(
            "{name}: under another {what} than {other}"
        )))
    }

    /// Whom the set belongs to.
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Which set it is: the seal of the file that it is in or would be in.
    pub(crate) fn identity(&self) -> [u8; 32] {
        match &self.records {
            Records::Memory(records) => {
                seal_of(self.kind, self.owner, records.iter().map(|record| &record[..]))
            }
            Records::File(file) => file.seal(),
        }
    }

    /// Bytes of all records.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.records {
            Records::Memory(records) => records.iter().map(|record| record.len() as u64).sum(),
            Records::File(file) => file.bytes() as u64,
        }
    }

    fn len(&self) -> usize {
        match &self.records {
            Records::Memory(records) => records.len(),
            Records::File(file) => file.len(),
        }
    }

    fn record(&self, index: usize) -> Result<&[u8]> {
        match &self.records {
            Records::Memory(records) => {
                let record = records.get(index).map(|record| &record[..]);
                record.ok_or_else(|| HostError::Mismatch("a ciphertext is missing".into()))
            }
            Records::File(file) => file.record(index),
        }
    }
}

/// The ports that the key holder provides ciphertexts for: inputs, streams, and states that are read before they were
/// stored. (Code runs in the order of the instructions, and every loop at least once: what stands first comes first.)
pub(crate) fn provided<'p>(plan: &Plan<'p>) -> impl Iterator<Item = (u32, PortView<'p>)> + use<'p> {
    let mut stored = BTreeSet::new();
    let mut read = BTreeSet::new();
    for Instruction { op, aux, a, b, .. } in plan.instructions() {
        match op {
            Op::StateStore => _ = stored.insert((b, u32::from(aux))),
            Op::StateLoad if !stored.contains(&(a, b)) => _ = read.insert(a),
            _ => {}
        }
    }
    let is_provided = move |(index, port): &(u32, PortView<'p>)| match port.kind() {
        PortKind::Input | PortKind::Stream => true,
        PortKind::State => read.contains(index),
        PortKind::Output | PortKind::Reveal => false,
    };
    (0..).zip(plan.ports()).filter(is_provided)
}

fn contents_of(plan: &Plan<'_>, port: u32, batches: u32, rows: u64) -> Option<PortContents> {
    let view = plan.port(port as usize)?;
    Some(PortContents {
        port,
        batches,
        rows,
        tiles: view.layout().tiles(),
        level: view.level(),
    })
}

fn listing(contents: &[PortContents]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(contents.len() * ROW_BYTES);
    for PortContents {
        port, batches, rows, ..
    } in contents
    {
        bytes.extend_from_slice(&port.to_le_bytes());
        bytes.extend_from_slice(&batches.to_le_bytes());
        bytes.extend_from_slice(&rows.to_le_bytes());
    }
    bytes
}

fn read_listing(plan: &Plan<'_>, bytes: &[u8]) -> Option<Vec<PortContents>> {
    if !bytes.len().is_multiple_of(ROW_BYTES) {
        return None;
    }
    let rows = bytes.chunks_exact(ROW_BYTES).map(|row| {
        let (port, rest) = row.split_first_chunk()?;
        let (batches, rows) = rest.split_first_chunk()?;
        let rows = u64::from_le_bytes(rows.try_into().ok()?);
        contents_of(
            plan,
            u32::from_le_bytes(*port),
            u32::from_le_bytes(*batches),
            rows,
        )
    });
    rows.collect()
}
