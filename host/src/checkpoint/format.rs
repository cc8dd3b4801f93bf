//! Checkpoints as bytes.
//!
//! An object begins with [`MAGIC`], which names the format's version; then come frames: length (u32, little endian), CRC-32
//! of the payload (u32), payload (bincode of [`Part`]). The last part says how many there are, so that an object that was
//! cut short at a frame is not taken for whole.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::decode::decode;
use crate::event_time::Watermark;
use crate::plan::past;
use crate::rows::Columns;
use crate::source::Position;
use crate::state::{self, Change, Changes, KeyedSpec, Past, Saved, SavedStates};
use crate::time::BatchTime;

pub(super) const MAGIC: &[u8; 8] = b"WEIRCKP1";

/// Keys in one part.
const KEYS: usize = 4096;

/// What stands at the beginning of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) batch: BatchTime,
    pub(super) positions: BTreeMap<String, Position>,
    pub(super) watermarks: BTreeMap<String, Watermark>,
    /// Of each stream of which batches are kept, the oldest.
    pub(super) oldest: BTreeMap<String, BatchTime>,
    /// All operators that keep states, and what they keep.
    pub(super) operators: BTreeMap<String, Spec>,
}

/// A [`KeyedSpec`], written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spec {
    key: Columns,
    state: Columns,
    version: u32,
    timeout: Option<u64>,
}

impl Spec {
    fn of(spec: &KeyedSpec) -> Result<Self> {
        let KeyedSpec { key, state, version, timeout } = spec;
        Ok(Self { key: Columns::of(key)?, state: Columns::of(state)?, version: *version, timeout: *timeout })
    }

    fn spec(&self) -> KeyedSpec {
        let Self { key, state, version, timeout } = self;
        KeyedSpec { key: Arc::new(key.schema()), state: Arc::new(state.schema()), version: *version, timeout: *timeout }
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum Part {
    Head(Head),
    /// Keys of one group of an operator.
    Keys {
        operator: String,
        group: u32,
        keys: Vec<KeyEntry>,
    },
    /// A batch of a stream, its rows as a stream of Arrow's IPC format.
    Past {
        stream: String,
        batch: BatchTime,
        segments: u32,
        rows: Vec<u8>,
    },
    End {
        parts: u64,
    },
}

/// A key, and its state; none: the key is forgotten.
type KeyEntry = (Vec<u8>, Option<Entry>);

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    state: Vec<u8>,
    last: u64,
    timer: u64,
}

/// An object's bytes, piece by piece.
pub(super) fn pieces(
    saved: Saved,
    positions: BTreeMap<String, Position>,
) -> Result<impl Iterator<Item = Result<Vec<u8>>>> {
    let Saved { batch, states, history, oldest, watermarks } = saved;
    let specs: Vec<(&String, &KeyedSpec)> = match &states {
        SavedStates::All(all) => all.iter().map(|(name, keyed)| (name, keyed.spec())).collect(),
        SavedStates::Changed(changed) => changed.iter().map(|c| (&c.operator, &c.spec)).collect(),
    };
    let operators = specs.into_iter().map(|(name, spec)| Ok((name.clone(), Spec::of(spec)?))).collect::<Result<_>>()?;
    let head = Part::Head(Head { batch, positions, watermarks, oldest, operators });
    let past = history
        .into_iter()
        .map(|(stream, batch, past)| Ok(Part::Past { stream, batch, segments: past.segments, rows: ipc(&past.rows)? }));
    let parts = std::iter::once(Ok(head)).chain(keys(states).map(Ok)).chain(past);
    let mut count = 0;
    let mut parts = parts.map(Some).chain([None]);
    let frames = std::iter::from_fn(move || {
        let part = match parts.next()? {
            Some(part) => part,
            None => Ok(Part::End { parts: count }),
        };
        count += 1;
        Some(part.and_then(|part| frame(&part)))
    });
    Ok(std::iter::once(Ok(MAGIC.to_vec())).chain(frames))
}

/// States, a few thousand keys a part.
fn keys(states: SavedStates) -> Box<dyn Iterator<Item = Part> + Send> {
    match states {
        SavedStates::All(all) => Box::new(all.into_iter().flat_map(move |(operator, keyed)| {
            let groups = keyed.groups().to_vec();
            (0_u32..).zip(groups).flat_map(move |(index, group)| {
                let entry = |e: &state::Entry| Entry { state: e.state.to_vec(), last: e.last, timer: e.timer };
                key_parts(&operator, index, group.iter().map(|(key, e)| (key.to_vec(), Some(entry(e)))))
            })
        })),
        SavedStates::Changed(changed) => Box::new(changed.into_iter().flat_map(move |changed| {
            let operator = changed.operator;
            changed.groups.into_iter().flat_map(move |(index, changes)| {
                let entry = |c: Change| Entry { state: c.state.into_vec(), last: c.last, timer: c.timer };
                key_parts(&operator, index, changes.into_iter().map(|(key, c)| (key.to_vec(), c.map(entry))))
            })
        })),
    }
}

/// The keys of a group.
fn key_parts(operator: &str, group: u32, keys: impl Iterator<Item = KeyEntry>) -> Vec<Part> {
    let (mut keys, mut parts) = (keys.peekable(), Vec::new());
    while keys.peek().is_some() {
        let keys = keys.by_ref().take(KEYS).collect();
        parts.push(Part::Keys { operator: operator.to_owned(), group, keys });
    }
    parts
}

fn frame(part: &Part) -> Result<Vec<u8>> {
    framed(&bincode::serde::encode_to_vec(part, bincode::config::standard())?)
}

pub(super) fn framed(payload: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(payload.len()).context("a stream's batch of more than 4 GiB cannot be checkpointed")?;
    Ok([&length.to_le_bytes()[..], &crc32fast::hash(payload).to_le_bytes(), payload].concat())
}

/// What a chain of objects holds, put together.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) head: Option<Head>,
    /// By operator and group. A key may stand several times: the last counts.
    pub(super) keys: BTreeMap<String, BTreeMap<u32, Changes>>,
    pub(super) history: BTreeMap<(String, BatchTime), Past>,
}

impl Loaded {
    /// What each operator keeps.
    pub(super) fn specs(&self) -> BTreeMap<String, KeyedSpec> {
        let head = self.head.iter().flat_map(|head| &head.operators);
        head.map(|(name, spec)| (name.clone(), spec.spec())).collect()
    }

    /// Adds an object of the chain. Nothing is added half-way: an error means that the whole chain is of no use.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            bail!("it does not begin as a checkpoint of this version does");
        };
        let mut parts = 0;
        loop {
            let at = bytes.len() - rest.len();
            let part = next(&mut rest).with_context(|| format!("at byte {at}"))?;
            if let Part::End { parts: expected } = part {
                ensure!(parts == expected, "it has {parts} parts, and should have {expected}");
                ensure!(rest.is_empty(), "there are bytes behind its end");
                return Ok(());
            }
            parts += 1;
            self.take(part).with_context(|| format!("at byte {at}"))?;
        }
    }

    fn take(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Head(head) => {
                self.keys.retain(|operator, _| head.operators.contains_key(operator));
                self.history.retain(|(stream, batch), _| head.oldest.get(stream).is_some_and(|oldest| oldest <= batch));
                self.head = Some(head);
            }
            Part::Keys { operator, group, keys } => {
                let changes = keys.into_iter().map(|(key, entry)| {
                    let change = |e: Entry| Change { state: e.state.into(), last: e.last, timer: e.timer };
                    (key.into(), entry.map(change))
                });
                self.keys.entry(operator).or_default().entry(group).or_default().extend(changes);
            }
            Part::Past { stream, batch, segments, rows } => {
                // Arrow panics at some of what is not in its format.
                let rows =
                    catch_unwind(|| from_ipc(rows)).map_err(|_| anyhow!("rows are not as Arrow writes them"))??;
                self.history.insert((stream, batch), past(vec![rows], segments)?);
            }
            Part::End { .. } => {}
        }
        Ok(())
    }
}

fn next(rest: &mut &[u8]) -> Result<Part> {
    let cut_short = "it is cut short";
    let (length, after) = rest.split_first_chunk().context(cut_short)?;
    let (crc, after) = after.split_first_chunk().context(cut_short)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (payload, after) = after.split_at_checked(length).context(cut_short)?;
    ensure!(crc32fast::hash(payload) == u32::from_le_bytes(*crc), "a part does not match its checksum");
    *rest = after;
    decode(payload).context("a part cannot be read")
}

fn ipc(rows: &[RecordBatch]) -> Result<Vec<u8>> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let mut writer = StreamWriter::try_new(Vec::new(), first.schema_ref())?;
    rows.iter().try_for_each(|rows| writer.write(rows))?;
    Ok(writer.into_inner()?)
}

/// Unlike a reader, the decoder makes no room for what is not there.
fn from_ipc(bytes: Vec<u8>) -> Result<Vec<RecordBatch>> {
    let (mut rows, mut decoder, mut bytes) = (Vec::new(), StreamDecoder::new(), Buffer::from_vec(bytes));
    while !bytes.is_empty() {
        rows.extend(decoder.decode(&mut bytes)?);
    }
    decoder.finish()?;
    Ok(rows)
}
