//! Checkpoints: what outlives a batch, written down, so that a restart need not compute it anew.
//!
//! A checkpoint is a chain of objects: everything at one batch, and what changed from there to another. Each chain is named
//! by a manifest, which is written when all its objects are there; so a crash at any point leaves the checkpoint before it
//! as it was. The last two are kept, and those that are to be kept for longer.
//!
//! - [`format`]: objects as bytes.
//! - [`Location`]: where they lie.
//! - [`SimulatedStore`]: a place that fails when it is told to, for tests.

mod format;
mod location;
mod simulated;
#[cfg(test)]
mod tests;

pub use location::Location;
pub(crate) use location::out_of_reach;
pub use simulated::{Judge, SimulatedStore, Write};

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::stream;
use serde::{Deserialize, Serialize};

use self::format::{Head, Loaded};
use crate::source::Position;
use crate::state::{Delta, Kept, KeyedSpec, Saved, SavedStates, Staged, Store};
use crate::time::BatchTime;

/// The version of the manifest's form.
const FORMAT: u32 = 1;
const MANIFEST: &str = ".manifest.json";

/// A chain with more objects than this is begun anew.
const LONGEST_CHAIN: usize = 64;
/// Changes of fewer bytes are no reason to begin a chain anew.
const FEW_BYTES: u64 = 1 << 20;

/// Names the objects of a checkpoint, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    batch: BatchTime,
    objects: Vec<Object>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Object {
    name: String,
    bytes: u64,
}

/// The checkpoints of one pipeline.
#[derive(Debug)]
pub struct Checkpoints {
    location: Location,
    /// For how long they are kept, in batch time.
    keep: Duration,
    /// Those that are there, the oldest first.
    kept: Vec<Manifest>,
    /// Whether the next may go on from the last; else it holds everything.
    continued: bool,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Restored {
    /// The batch after whose commit it was made.
    pub batch: BatchTime,
    /// How far each source had come.
    pub positions: BTreeMap<String, Position>,
    /// What each operator kept.
    pub specs: BTreeMap<String, KeyedSpec>,
    /// How long its objects are, in bytes.
    pub bytes: u64,
    /// How long it took to read.
    pub reading: Duration,
    loaded: Loaded,
}

impl Restored {
    /// The streams of which there are past batches with rows, and their columns, the segment's included.
    pub fn kept_columns(&self) -> impl Iterator<Item = (&str, SchemaRef)> {
        let history = self.loaded.history.iter();
        history.filter_map(|((stream, _), past)| Some((stream.as_str(), past.rows.first()?.schema())))
    }

    /// Leaves out what belongs to these operators, sources and streams.
    pub fn leave_out(&mut self, names: &[&str]) {
        // States of windows are named by their operator, and what of it they are.
        let stays = |name: &str| !names.contains(&name.split('.').next().unwrap_or(name));
        self.specs.retain(|operator, _| stays(operator));
        self.positions.retain(|source, _| stays(source));
        self.loaded.keys.retain(|operator, _| stays(operator));
        self.loaded.history.retain(|(stream, _), _| stays(stream));
    }

    /// Puts everything into a store that is open for what it holds. What there is no room for is passed over. Uses the
    /// threads of the pool that it is called on.
    pub fn fill(self, store: &Store) {
        let Self { batch, loaded: Loaded { head, keys, history }, .. } = self;
        let deltas = keys.into_iter().map(|(operator, groups)| {
            // Whatever is due is found by the next batch, on its own time.
            Delta { operator, now: 0, groups: groups.into_iter().collect() }
        });
        let watermarks = head.map(|head| head.watermarks).unwrap_or_default();
        for ((stream, at), past) in history {
            let kept = vec![Kept { stream, past, forget: None }];
            store.commit(at, Staged { kept, ..Staged::default() });
        }
        store.commit(batch, Staged { deltas: deltas.collect(), watermarks, ..Staged::default() });
    }
}

/// All that a store holds, as one object, for elsewhere than among checkpoints.
pub fn to_bytes(saved: Saved) -> Result<Vec<u8>> {
    let pieces = format::pieces(saved, BTreeMap::new())?.collect::<Result<Vec<_>>>()?;
    Ok(pieces.concat())
}

/// What [`to_bytes`] has written.
pub fn from_bytes(bytes: &[u8]) -> Result<Restored> {
    let mut loaded = Loaded::default();
    loaded.add(bytes)?;
    let head = loaded.head.as_ref().context("it is empty")?;
    let (batch, specs) = (head.batch, loaded.specs());
    let bytes = bytes.len() as u64;
    Ok(Restored { batch, positions: BTreeMap::new(), specs, loaded, bytes, reading: Duration::ZERO })
}

impl Checkpoints {
    /// The checkpoints that lie there, and the newest that can be read; new ones are kept for `keep`.
    pub async fn open(location: Location, keep: Duration) -> Result<(Self, Option<Restored>)> {
        let names = location.names().await.with_context(|| out_of_reach(&location))?;
        let mut manifests: Vec<String> = names.into_iter().filter(|name| name.ends_with(MANIFEST)).collect();
        let mut first_error = None;
        while let Some(name) = manifests.pop() {
            match read(&location, &name).await {
                Ok((manifest, restored)) => {
                    // Whoever wrote it may have been killed before it was durable; from now on it is relied on.
                    location.sync(&name).await.with_context(|| format!("syncing {name} in {location}"))?;
                    let mut kept = Vec::new();
                    for older in &manifests {
                        // What cannot be read is of no use, and goes with the next that is written.
                        kept.extend(manifest_of(&location, older).await.ok());
                    }
                    kept.push(manifest);
                    return Ok((Self { location, keep, kept, continued: true }, Some(restored)));
                }
                Err(error) => {
                    tracing::warn!(checkpoint = name, "a checkpoint cannot be read; trying the one before: {error:#}");
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            None => Ok((Self { location, keep, kept: Vec::new(), continued: false }, None)),
            Some(error) => Err(error).with_context(|| {
                format!(
                    "no checkpoint in {location} can be read; nothing was changed. To begin anew, without the states that \
                     they hold, start with --fresh. The newest"
                )
            }),
        }
    }

    /// The batch after which the oldest that lies there was made.
    pub async fn oldest_in(location: &Location) -> Result<Option<BatchTime>> {
        let names = location.names().await?;
        match names.iter().filter(|name| name.ends_with(MANIFEST)).min() {
            Some(name) => Ok(Some(manifest_of(location, name).await.with_context(|| format!("reading {name}"))?.batch)),
            None => Ok(None),
        }
    }

    /// The newest checkpoint of those that were made before a batch.
    pub async fn before(location: &Location, batch: BatchTime) -> Result<Option<Restored>> {
        let limit = manifest_name(batch);
        loop {
            let names = location.names().await?.into_iter();
            let Some(name) = names.filter(|name| name.ends_with(MANIFEST) && *name < limit).max() else {
                return Ok(None);
            };
            match read(location, &name).await {
                Ok((_, restored)) => return Ok(Some(restored)),
                // A host at work may have removed it since.
                Err(_) if !location.names().await?.contains(&name) => {}
                Err(error) => return Err(error).with_context(|| format!("reading {name}")),
            }
        }
    }

    /// The batch after which the oldest was made: what batches up to it have read is never wanted again.
    pub fn oldest(&self) -> Option<BatchTime> {
        self.kept.first().map(|oldest| oldest.batch)
    }

    /// The batch that the next checkpoint tells the changes since; none: it is to hold everything, as the changes so far
    /// are as much as that, or there is none before.
    pub fn since(&self) -> Option<BatchTime> {
        let last = self.kept.last().filter(|_| self.continued)?;
        let (all, changes) = last.objects.split_first()?;
        let changed: u64 = changes.iter().map(|object| object.bytes).sum();
        (changed <= all.bytes.max(FEW_BYTES) && last.objects.len() < LONGEST_CHAIN).then_some(last.batch)
    }

    /// Writes a checkpoint down, and removes those that are not needed any more: how many bytes were written. When it
    /// fails, those before are as they were, and the next is to hold everything.
    pub async fn write(&mut self, saved: Saved, positions: BTreeMap<String, Position>) -> Result<u64> {
        let continued = std::mem::take(&mut self.continued);
        let (kind, mut objects) = match (&saved.states, self.kept.last()) {
            (SavedStates::All(_), _) => ("all", Vec::new()),
            (SavedStates::Changed(_), Some(last)) if continued => ("changes", last.objects.clone()),
            (SavedStates::Changed(_), _) => bail!("there is no checkpoint that changes could go on from"),
        };
        let batch = saved.batch;
        let name = format!("{:020}.{kind}", batch.as_millis());
        let pieces = format::pieces(saved, positions)?.map(|piece| Ok(Bytes::from(piece?)));
        let bytes = self.location.put_pieces(&name, stream::iter(pieces)).await?;
        objects.push(Object { name, bytes });
        let manifest = Manifest { format: FORMAT, batch, objects };
        self.location.put(&manifest_name(batch), serde_json::to_vec_pretty(&manifest)?).await?;
        self.kept.retain(|kept| kept.batch != batch);
        self.kept.push(manifest);
        self.continued = true;
        self.prune(batch).await;
        Ok(bytes)
    }

    /// The next checkpoint is to hold everything: what has changed since the last is not known.
    pub fn begin_anew(&mut self) {
        self.continued = false;
    }

    /// Goes on in another location, which has nothing yet: all that are kept are copied there. When it fails, they are
    /// where they were.
    pub async fn move_to(&mut self, to: Location) -> Result<()> {
        let objects: BTreeSet<&str> =
            self.kept.iter().flat_map(|m| &m.objects).map(|object| object.name.as_str()).collect();
        for name in objects {
            to.copy(name, &self.location).await?;
        }
        for manifest in &self.kept {
            to.put(&manifest_name(manifest.batch), serde_json::to_vec_pretty(manifest)?).await?;
        }
        self.location = to;
        Ok(())
    }

    async fn prune(&mut self, newest: BatchTime) {
        let since = newest.as_millis().saturating_sub(u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX));
        // The first batch after `since` is computed again from the checkpoint before it.
        let first = self.kept.iter().rposition(|kept| kept.batch.as_millis() <= since).unwrap_or(0);
        self.kept.drain(..first.min(self.kept.len().saturating_sub(2)));
        let kept = self.kept.iter();
        let needed: HashSet<String> =
            kept.flat_map(|m| m.objects.iter().map(|o| o.name.clone()).chain([manifest_name(m.batch)])).collect();
        let pruned = async {
            // Manifests first: none may name what is gone.
            let (manifests, objects): (Vec<_>, Vec<_>) =
                self.location.names().await?.into_iter().partition(|name| name.ends_with(MANIFEST));
            for name in manifests.iter().chain(&objects).filter(|name| !needed.contains(*name)) {
                self.location.remove(name).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = pruned.await {
            // It is tried again after the next.
            tracing::warn!("old checkpoints cannot be removed: {error:#}");
        }
    }
}

fn manifest_name(batch: BatchTime) -> String {
    format!("{:020}{MANIFEST}", batch.as_millis())
}

async fn manifest_of(location: &Location, name: &str) -> Result<Manifest> {
    let manifest: Manifest = serde_json::from_slice(&location.get(name).await?).context("the manifest is damaged")?;
    ensure!(manifest.format == FORMAT, "it is of format {}, which this version cannot read", manifest.format);
    Ok(manifest)
}

async fn read(location: &Location, name: &str) -> Result<(Manifest, Restored)> {
    let begun = Instant::now();
    let manifest = manifest_of(location, name).await?;
    let mut loaded = Loaded::default();
    for object in &manifest.objects {
        let bytes = location.get(&object.name).await?;
        ensure!(bytes.len() as u64 == object.bytes, "{} has {} bytes, not {}", object.name, bytes.len(), object.bytes);
        loaded.add(&bytes).with_context(|| format!("{} is damaged", object.name))?;
    }
    let Some(Head { batch, positions, .. }) = &loaded.head else { bail!("{name} names no object") };
    ensure!(*batch == manifest.batch, "{name} is of batch {}, and its last object of {batch}", manifest.batch);
    let restored = Restored {
        batch: *batch,
        positions: positions.clone(),
        specs: loaded.specs(),
        bytes: manifest.objects.iter().map(|object| object.bytes).sum(),
        reading: begun.elapsed(),
        loaded: Loaded::default(),
    };
    Ok((manifest, Restored { loaded, ..restored }))
}
