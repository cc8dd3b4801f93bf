//! The start: segments are read, a torn end is cut off, damage is told, and a new segment is begun.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use anyhow::{Context, Result, bail};
use tokio::sync::watch;

use super::format::{self, Contents, Entry, Head, SEGMENT_HEADER, SegmentHeader};
use super::writer::{Active, Writer, remove};
use super::{BlockLog, Index, Location, Progress, Queue, SEGMENT_BYTES, Shared, segment_of, segment_path};
use crate::block::{Block, BlockData, BlockId, CutBlock, CutBlocks, TakenRequests};
use crate::storage::{Storage, UNFINISHED};

/// A log, and what was in it.
#[derive(Debug)]
pub(in crate::block) struct Recovered {
    pub(in crate::block) log: BlockLog,
    /// The id of the next block.
    pub(in crate::block) next: BlockId,
    /// The blocks that no batch has taken, by source, in the order of their ids.
    pub(in crate::block) waiting: HashMap<String, Vec<Block>>,
    /// The requests that each source has taken.
    pub(in crate::block) taken: BTreeMap<Arc<str>, TakenRequests>,
}

/// A segment, as it was found.
struct Segment {
    number: u64,
    path: PathBuf,
    length: usize,
    /// Unknown when the header is damaged.
    first: Option<BlockId>,
    contents: Contents,
}

/// Opens the log in a folder. `cuts` says which of its blocks belong to batches.
pub(in crate::block) fn open(storage: Arc<dyn Storage>, folder: &Path, cuts: &CutBlocks) -> Result<Recovered> {
    let (mut recovered, writer) = recover(storage, folder, cuts, SEGMENT_BYTES)?;
    let thread = std::thread::Builder::new().name("block-log".to_owned());
    let writer = thread.spawn(move || writer.run()).context("the block log's thread cannot be started")?;
    recovered.log.writer = Some(writer);
    Ok(recovered)
}

/// All of [`open`] but the thread.
pub(super) fn recover(
    storage: Arc<dyn Storage>,
    folder: &Path,
    cuts: &CutBlocks,
    segment_bytes: u64,
) -> Result<(Recovered, Writer)> {
    let cannot = || format!("cannot open the block log {}", folder.display());
    storage.create_folder(folder).with_context(cannot)?;
    let names = storage.list(folder).with_context(cannot)?;
    let numbers = names.iter().filter_map(|name| segment_of(name));
    let segments = numbers.map(|number| read(&*storage, folder, number)).collect::<Result<Vec<_>>>();
    let mut segments = segments.with_context(cannot)?;
    mark_torn(&mut segments);
    refuse_damage(folder, &segments, cuts)?;
    for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
        storage.remove(&folder.join(name)).with_context(cannot)?;
    }
    if let Some(newest) = segments.last() {
        settle_end(&*storage, newest).with_context(cannot)?;
    }

    let mut found = Found::default();
    let mut next = cuts.end();
    let mut number = 0;
    for segment in segments {
        number = segment.number.saturating_add(1);
        next = next.max(segment.first.map_or(0, |first| first.0));
        next = next.max(found.take(segment, cuts));
    }
    let Found { mut index, waiting, taken } = found;
    let active = Active::begin(&*storage, folder, number, BlockId(next), &taken).with_context(cannot)?;
    index.segments.insert(number, 0);
    let unneeded = index.take_unneeded(number);
    let shared = Arc::new(Shared {
        storage,
        folder: folder.to_owned(),
        queue: Mutex::new(Queue::default()),
        filled: Condvar::new(),
        index: Mutex::new(index),
        progress: watch::Sender::new(Progress { durable: next, failed: None }),
    });
    // The requests that they name are in the new segment now.
    remove(&shared, &unneeded);
    let log = BlockLog { shared: shared.clone(), writer: None };
    let writer = Writer { shared, active, taken: taken.clone(), segment_bytes };
    Ok((Recovered { log, next: BlockId(next), waiting, taken }, writer))
}

fn read(storage: &dyn Storage, folder: &Path, number: u64) -> Result<Segment> {
    let path = segment_path(folder, number);
    let bytes = storage.read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let length = bytes.len();
    let (first, contents) = match SegmentHeader::decode(&bytes) {
        // Nothing of it is whole.
        Err(_) if length < SEGMENT_HEADER => (None, Contents::default()),
        Ok(SegmentHeader { first, salt }) => (Some(first), format::read(&bytes, salt)),
        Err(what) => (None, Contents { end: length, damage: vec![(0, what)], ..Contents::default() }),
    };
    Ok(Segment { number, path, length, first, contents })
}

/// Only the newest segment can have been in the making when the host died.
fn mark_torn(segments: &mut [Segment]) {
    let Some((_newest, older)) = segments.split_last_mut() else { return };
    let torn = |segment: &&mut Segment| segment.contents.end < segment.length || segment.length == 0;
    for Segment { contents, length, .. } in older.iter_mut().filter(torn) {
        contents.damage.push((contents.end, "its end is missing or cannot be read"));
        contents.end = *length;
    }
}

/// Cuts off what a crash has left behind the last whole group of the newest segment, and makes sure of what is before it:
/// the host that wrote it may have been killed before its sync, and from now on batches are cut of it.
fn settle_end(storage: &dyn Storage, newest: &Segment) -> std::io::Result<()> {
    let Segment { path, length, contents, .. } = newest;
    if contents.end < *length || *length == 0 {
        tracing::warn!(
            path = %path.display(), bytes = length - contents.end,
            "the end of the block log is not whole, as after a crash; dropping it: whoever sent these rows was not told that they \
             were kept, unless the file has changed since"
        );
    }
    if contents.end == 0 {
        return storage.remove(path);
    }
    let mut file = storage.open(path)?;
    if contents.end < *length {
        file.truncate(contents.end as u64)?;
    }
    file.sync()
}

#[derive(Default)]
struct Found {
    index: Index,
    waiting: HashMap<String, Vec<Block>>,
    taken: BTreeMap<Arc<str>, TakenRequests>,
}

impl Found {
    /// Takes up what is still of use in a segment. One more than its highest id, or 0.
    fn take(&mut self, segment: Segment, cuts: &CutBlocks) -> u64 {
        let mut next = 0;
        if segment.contents.end > 0 {
            self.index.segments.insert(segment.number, 0);
        }
        for Entry { head, bytes, crc } in segment.contents.entries {
            let (source, requests) = match head {
                Head::Requests { source, requests } => (source, requests),
                Head::Block { id, source, rows, requests } => {
                    next = id.0.saturating_add(1);
                    let length = bytes.len();
                    let cut = cuts.get(id);
                    if cut.is_none_or(|cut| !cut.done) {
                        let location = Location { segment: segment.number, start: bytes.start as u64, length, crc };
                        self.index.add(id, location);
                    }
                    if cut.is_none() {
                        let block =
                            Block { rows: NonZeroU64::new(rows), bytes: length as u64, data: BlockData::Stored(id) };
                        self.waiting.entry(source.clone()).or_default().push(block);
                    }
                    (source, requests)
                }
            };
            if !requests.is_empty() {
                let taken = self.taken.entry(source.into()).or_default();
                requests.into_iter().for_each(|request| taken.add(request));
            }
        }
        next
    }
}

/// Fails when anything is damaged, and tells what that touches and how to go on.
fn refuse_damage(folder: &Path, segments: &[Segment], cuts: &CutBlocks) -> Result<()> {
    let mut told = String::new();
    let mut seen = 0;
    for (i, segment) in segments.iter().enumerate() {
        let ids: Vec<u64> = segment.contents.entries.iter().filter_map(block_id).collect();
        let first = segment.first.map_or(seen, |first| first.0);
        seen = seen.max(first).max(ids.last().map_or(0, |last| last.saturating_add(1)));
        let Some((at, what)) = segment.contents.damage.first() else { continue };
        // Ids are given out one after the other, so the next segment's first tells the last of this one.
        let later = segments[i + 1..].iter().find_map(|later| later.first);
        let end = later.map_or(seen, |later| later.0);
        let path = segment.path.display();
        let touched = describe(&missing(first..end, &ids), cuts, |_| true);
        let unread = later.is_none() && segment.first.is_none() && ids.is_empty();
        let unread =
            if unread { "; which blocks were in it cannot be told, nor whether any batch has taken them" } else { "" };
        let _ = write!(told, "\n  {path}, at byte {at}: {what}. It touches {touched}{unread}");
        let needed = describe(std::slice::from_ref(&(first..end)), cuts, |cut| !cut.done);
        let _ = write!(told, "\n  without this file these are lost: {needed}{unread}");
    }
    if told.is_empty() {
        return Ok(());
    }
    bail!(
        "the block log {} is damaged; nothing was changed{told}\nTo go on without these blocks, move the named files away",
        folder.display()
    )
}

fn block_id(entry: &Entry) -> Option<u64> {
    match &entry.head {
        Head::Block { id, .. } => Some(id.0),
        Head::Requests { .. } => None,
    }
}

/// The ids of a range that are not among these, which are in order.
fn missing(range: Range<u64>, ids: &[u64]) -> Vec<Range<u64>> {
    let mut missing = Vec::new();
    let mut from = range.start;
    for id in ids.iter().copied().filter(|id| range.contains(id)) {
        missing.push(from..id);
        from = id.saturating_add(1);
    }
    missing.push(from..range.end);
    missing
}

/// Blocks by what they belong to: a batch that is still to be run, none so far, or one that is done; of those that batches
/// have taken only some. What is damaged may be most of a long life, so ids are not looked at one by one.
fn describe(blocks: &[Range<u64>], cuts: &CutBlocks, wanted: impl Fn(&CutBlock) -> bool) -> String {
    let mut groups: BTreeMap<String, Vec<Range<u64>>> = BTreeMap::new();
    let mut add = |group: String, ids: Range<u64>| {
        if ids.is_empty() {
            return;
        }
        let runs = groups.entry(group).or_default();
        match runs.last_mut() {
            Some(last) if last.end == ids.start => last.end = ids.end,
            _ => runs.push(ids),
        }
    };
    let free = || "which no batch has taken".to_owned();
    for blocks in blocks.iter().filter(|blocks| !blocks.is_empty()) {
        let mut from = blocks.start;
        for (ids, cut) in cuts.within(blocks) {
            add(free(), from..ids.start);
            from = ids.end;
            match cut {
                cut if !wanted(cut) => {}
                cut if cut.done => add("not needed any more".to_owned(), ids),
                cut => add(format!("of batch {}, which is not done", cut.batch), ids),
            }
        }
        add(free(), from..blocks.end);
    }
    let texts: Vec<String> = groups.iter().map(|(group, runs)| format!("{}, {group}", ranges(runs))).collect();
    if texts.is_empty() { "no block".to_owned() } else { texts.join("; ") }
}

/// `block 3`, or `blocks 3, 5 to 9`.
fn ranges(runs: &[Range<u64>]) -> String {
    let alone = |run: &Range<u64>| run.end - run.start == 1;
    let texts: Vec<String> = runs
        .iter()
        .map(|run| if alone(run) { run.start.to_string() } else { format!("{} to {}", run.start, run.end - 1) })
        .collect();
    let block = if matches!(runs, [run] if alone(run)) { "block" } else { "blocks" };
    format!("{block} {}", texts.join(", "))
}
