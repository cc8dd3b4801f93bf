//! The log on a disk that fails, tears and forgets; most of it without the thread, so that each step is known.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

mod damaged;
mod fixture;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::format::{self, SEGMENT_HEADER, SegmentHeader};
use super::recover::recover;
use super::writer::Writer;
use super::*;
use crate::block::{BlockData, CutBlock, CutBlocks, RequestKey};
use crate::storage::{Fault, SimulatedDisk};
use crate::time::BatchTime;

const FOLDER: &str = "/blocks";

struct Bench {
    recovered: Recovered,
    writer: Writer,
}

impl Bench {
    fn open(disk: &SimulatedDisk, cuts: &CutBlocks, segment_bytes: u64) -> anyhow::Result<Self> {
        let (recovered, writer) = recover(Arc::new(disk.clone()), Path::new(FOLDER), cuts, segment_bytes)?;
        Ok(Self { recovered, writer })
    }

    /// The blocks that wait for `source`: id and bytes.
    fn waiting(&self, source: &str) -> Vec<(u64, Vec<u8>)> {
        let blocks = self.recovered.waiting.get(source).into_iter().flatten();
        let read = |block: &crate::block::Block| {
            let BlockData::Stored(id) = block.data else { unreachable!("received") };
            (id.0, self.recovered.log.get(id).unwrap().to_vec())
        };
        blocks.map(read).collect()
    }
}

/// Block `id` of source `s`: its bytes follow from its id.
fn block(id: u64) -> NewBlock {
    NewBlock { id: BlockId(id), source: "s".into(), rows: 1, requests: vec![], bytes: contents(id).into() }
}

fn contents(id: u64) -> Vec<u8> {
    let length = usize::try_from(id * 7 % 50).unwrap();
    [format!("{id}:").as_bytes(), &vec![b'x'; length], b"\n"].concat()
}

fn expected(ids: impl IntoIterator<Item = u64>) -> Vec<(u64, Vec<u8>)> {
    ids.into_iter().map(|id| (id, contents(id))).collect()
}

fn cut(ids: impl IntoIterator<Item = u64>, batch: u64, done: bool) -> impl Iterator<Item = (BlockId, CutBlock)> {
    let block = CutBlock { batch: BatchTime::from_millis(batch), done };
    ids.into_iter().map(move |id| (BlockId(id), block))
}

fn files(disk: &SimulatedDisk) -> Vec<String> {
    disk.list(Path::new(FOLDER)).unwrap()
}

/// A disk with a log of groups of so many blocks, in one segment; and that segment.
fn written(groups: &[u64]) -> (SimulatedDisk, PathBuf) {
    let disk = SimulatedDisk::default();
    let mut bench = Bench::open(&disk, &CutBlocks::new(), 1 << 20).unwrap();
    let mut next = 0;
    for blocks in groups {
        let group: Vec<_> = (next..next + blocks).map(block).collect();
        bench.writer.write(&group).unwrap();
        next += blocks;
    }
    (disk, segment_path(Path::new(FOLDER), 0))
}

#[test]
fn given_blocks_when_opened_again_then_those_that_no_batch_has_taken_wait_in_order_and_ids_go_on() {
    let (disk, _) = written(&[2, 3, 1]);
    let mut cuts: CutBlocks = cut([0, 1], 1000, true).collect();
    cuts.extend(cut([3], 2000, false));
    let bench = Bench::open(&disk, &cuts, 1 << 20).unwrap();
    assert_eq!(bench.waiting("s"), expected([2, 4, 5]));
    assert_eq!(bench.recovered.next, BlockId(6));
    assert_eq!(bench.recovered.log.get(BlockId(3)).unwrap(), contents(3), "its batch may be run again");
    assert_eq!(bench.recovered.log.get(BlockId(0)), Err(BlockStoreError::Missing(BlockId(0))));
}

#[test]
fn given_segments_when_their_last_block_is_forgotten_then_they_are_removed_and_no_id_is_used_again() {
    let disk = SimulatedDisk::default();
    let mut bench = Bench::open(&disk, &CutBlocks::new(), 1).unwrap();
    for id in 0..4 {
        bench.writer.write(&[block(id)]).unwrap();
    }
    assert_eq!(files(&disk).len(), 4, "each block fills a segment");
    bench.writer.forget(&[BlockId(1), BlockId(3), BlockId(77)]);
    assert_eq!(files(&disk).len(), 3, "the newest stays");
    drop(bench);
    let bench = Bench::open(&disk, &cut(0..4, 1000, true).collect(), 1).unwrap();
    assert_eq!((files(&disk).len(), bench.recovered.next), (1, BlockId(4)));
    drop(bench);
    // Now nothing but the empty segment tells which ids there were.
    let bench = Bench::open(&disk, &CutBlocks::new(), 1).unwrap();
    assert_eq!((files(&disk).len(), bench.recovered.next), (1, BlockId(4)));
}

#[test]
fn given_requests_when_the_segments_that_named_them_are_gone_then_they_are_known_all_the_same() {
    let disk = SimulatedDisk::default();
    let mut bench = Bench::open(&disk, &CutBlocks::new(), 1).unwrap();
    let request = |key: &str, rows| TakenRequest { key: RequestKey::of(key.as_bytes()), rows, at: 1 };
    bench.writer.write(&[NewBlock { requests: vec![request("a", 5), request("b", 6)], ..block(0) }]).unwrap();
    bench.writer.write(&[block(1)]).unwrap();
    bench.writer.forget(&[BlockId(0), BlockId(1)]);
    for _ in 0..3 {
        let bench = Bench::open(&disk, &cut(0..2, 1000, true).collect(), 1).unwrap();
        let taken = &bench.recovered.taken["s"];
        assert_eq!(taken.iter().copied().collect::<Vec<_>>(), [request("a", 5), request("b", 6)]);
        assert_eq!(files(&disk).len(), 1);
    }
}

#[test]
fn given_a_log_of_one_segment_when_its_header_is_damaged_then_it_is_not_said_that_nothing_is_lost() {
    let (disk, path) = written(&[2, 1]);
    let mut bytes = disk.read(&path).unwrap();
    bytes[0] ^= 1;
    disk.put(&path, bytes);
    let error = format!("{:#}", Bench::open(&disk, &CutBlocks::default(), 1 << 20).err().unwrap());
    let told = "these are lost: no block; which blocks were in it cannot be told, nor whether any batch has taken them";
    assert!(error.contains(told), "{error}");
}

#[test]
fn given_damage_when_opened_then_the_error_names_file_byte_blocks_and_batches_and_nothing_is_changed() {
    let (disk, path) = written(&[2, 2, 2, 1]);
    let mut bytes = disk.read(&path).unwrap();
    let at = bytes.windows(2).position(|two| two == b"3:").unwrap();
    bytes[at] ^= 1;
    disk.put(&path, bytes.clone());
    let mut cuts: CutBlocks = cut([0, 1], 1000, true).collect();
    cuts.extend(cut([2, 3], 2000, false));

    let error = format!("{:#}", Bench::open(&disk, &cuts, 1 << 20).err().unwrap());

    for text in [
        "the block log /blocks is damaged; nothing was changed",
        "00000000000000000000.blocks, at byte ",
        "a block's bytes do not match their checksum. It touches block 3, of batch 1970-01-01T00:00:02.000Z, which is not done\n",
        "these are lost: blocks 2 to 3, of batch 1970-01-01T00:00:02.000Z, which is not done; blocks 4 to 6, which no batch has taken",
        "move the named files away",
    ] {
        assert!(error.contains(text), "`{text}` is not in {error}");
    }
    assert_eq!((files(&disk).len(), disk.read(&path).unwrap()), (1, bytes));
    disk.remove(&path).unwrap();
    let bench = Bench::open(&disk, &cuts, 1 << 20).unwrap();
    assert_eq!(bench.recovered.log.get(BlockId(2)), Err(BlockStoreError::Missing(BlockId(2))));
}

#[test]
fn given_a_segment_that_is_not_the_newest_when_its_end_is_missing_then_that_is_damage() {
    let (disk, path) = written(&[2, 2]);
    drop(Bench::open(&disk, &CutBlocks::new(), 1 << 20).unwrap());
    let bytes = disk.read(&path).unwrap();
    for cut in [0, 5, SEGMENT_HEADER + 1, bytes.len() - 1] {
        disk.put(&path, bytes[..cut].to_vec());
        let error = format!("{:#}", Bench::open(&disk, &CutBlocks::new(), 1 << 20).err().unwrap());
        assert!(error.contains("its end is missing") && error.contains("3, which no batch has taken"), "{error}");
    }
}

#[test]
fn given_a_segment_of_another_format_when_opened_then_it_is_left_alone() {
    let (disk, path) = written(&[1]);
    let notes = b"my own notes, of more than a header's bytes\n".to_vec();
    disk.put(&path, notes.clone());
    let error = format!("{:#}", Bench::open(&disk, &CutBlocks::new(), 1 << 20).err().unwrap());
    assert!(error.contains("does not begin as a segment of this version does"), "{error}");
    assert_eq!(disk.read(&path).unwrap(), notes);
}

/// What a run on a failing disk had said when it ended.
#[derive(Default)]
struct Said {
    acknowledged: BTreeSet<u64>,
    forgotten: BTreeSet<u64>,
    /// Whether the log came to its end without an error.
    done: bool,
}

/// Opens a log, writes groups to small segments and forgets some of what is written, as far as the disk allows.
fn run(disk: &SimulatedDisk) -> Said {
    let mut said = Said::default();
    let Ok(mut bench) = Bench::open(disk, &CutBlocks::new(), 150) else { return said };
    let first = bench.recovered.next.0;
    for group in 0..6 {
        let ids = first + 2 * group..first + 2 * group + 2;
        if bench.writer.write(&ids.clone().map(block).collect::<Vec<_>>()).is_err() {
            return said;
        }
        said.acknowledged.extend(ids.clone());
        if group % 2 == 1 {
            said.forgotten.insert(ids.start);
            said.forgotten.insert(ids.start - 2);
            bench.writer.forget(&[BlockId(ids.start), BlockId(ids.start - 2)]);
        }
    }
    said.done = true;
    said
}

#[test]
fn given_a_host_that_dies_at_any_change_of_the_disk_when_it_starts_again_then_all_that_was_acknowledged_is_there() {
    let disk = SimulatedDisk::default();
    assert!(run(&disk).done);
    let changes = disk.changes();
    assert!(changes > 20, "{changes}");
    let mut torn_ends = 0;
    for at in 0..changes {
        for torn in [0, 1, 13, 60, 10_000] {
            for stops in [true, false] {
                let disk =
                    SimulatedDisk::with_fault(if stops { Fault::Stop { at, torn } } else { Fault::Error { at, torn } });
                let said = run(&disk);
                // A segment that cannot be removed is no reason to stop.
                assert!(!stops || !said.done || at + 2 >= changes);
                for (kept, names_kept) in [(0, false), (usize::MAX, true), (17, true)] {
                    let disk = disk.after_power_cut(kept, names_kept);
                    let case = format!("change {at}, torn {torn}, stops {stops}, kept {kept}");
                    let bench =
                        Bench::open(&disk, &cut(said.forgotten.clone(), 1000, true).collect(), 150).expect(&case);
                    let waiting = bench.waiting("s");
                    let ids: BTreeSet<u64> = waiting.iter().map(|(id, _)| *id).collect();
                    assert_eq!(waiting, expected(ids.clone()), "{case}");
                    let missing: Vec<_> =
                        said.acknowledged.difference(&ids).filter(|id| !said.forgotten.contains(id)).collect();
                    assert!(missing.is_empty(), "{case}: {missing:?} were acknowledged and are lost");
                    torn_ends += ids.difference(&said.acknowledged).count();
                    let highest = ids.last().max(said.acknowledged.last()).map_or(0, |id| id + 1);
                    assert!(bench.recovered.next.0 >= highest, "{case}: an id is used again");
                    drop(bench);
                    assert!(run(&disk).done, "{case}: the log does not go on");
                }
            }
        }
    }
    assert!(torn_ends > 0, "some of what was written, and not acknowledged, has come through");
}

/// A host that was killed between a write and its sync left blocks that the next one read and cut batches of; they went
/// with the power, and the batches could not be run.
#[test]
fn given_a_host_killed_at_any_change_when_the_next_has_read_its_blocks_and_the_power_goes_then_they_are_still_there() {
    for at in 0.. {
        let disk = SimulatedDisk::with_fault(Fault::Stop { at, torn: 30 });
        if let Ok(mut bench) = Bench::open(&disk, &CutBlocks::new(), 100) {
            let _ = (0..6).try_for_each(|id| bench.writer.write(&[block(id)]));
        }
        if disk.changes() <= at {
            break;
        }
        disk.set_fault(None);
        let read = Bench::open(&disk, &CutBlocks::new(), 100).unwrap().waiting("s");
        let left = Bench::open(&disk.after_power_cut(0, false), &CutBlocks::new(), 100).unwrap().waiting("s");
        assert_eq!(left, read, "killed at change {at}");
    }
}

#[tokio::test]
async fn given_a_disk_that_is_full_when_blocks_come_then_whoever_waits_is_told_and_nothing_is_acknowledged() {
    let disk = SimulatedDisk::default();
    let log = open(Arc::new(disk.clone()), Path::new(FOLDER), &CutBlocks::new()).unwrap().log;
    log.append(block(0));
    log.durable(&[BlockId(0)]).await.unwrap();
    for (torn, next) in [(9, 1)] {
        disk.set_fault(Some(Fault::Error { at: disk.changes(), torn }));
        log.append(block(next));
        let error = log.durable(&[BlockId(next)]).await.unwrap_err().to_string();
        assert!(error.contains("block log /blocks") && error.contains("no space left on device"), "{error}");
        // The disk works again, but what lies behind the torn group would not be found.
        log.append(block(next + 1));
        assert_eq!(log.durable(&[BlockId(next + 1)]).await.unwrap_err().to_string(), error);
        assert_eq!(log.durable(&[]).await.unwrap_err().to_string(), error);
        assert_eq!(log.failed().await.to_string(), error);
    }
    drop(log);
    let bench = Bench::open(&disk, &CutBlocks::new(), 1 << 20).unwrap();
    assert_eq!(bench.waiting("s"), expected([0]));
}

#[tokio::test]
async fn given_blocks_that_wait_when_the_log_is_dropped_then_they_are_written() {
    let disk = SimulatedDisk::default();
    let log = open(Arc::new(disk.clone()), Path::new(FOLDER), &CutBlocks::new()).unwrap().log;
    (0..100).for_each(|id| log.append(block(id)));
    drop(log);
    assert_eq!(Bench::open(&disk, &CutBlocks::new(), 1 << 20).unwrap().waiting("s"), expected(0..100));
}

/// A step of a random life.
#[derive(Debug, Clone)]
enum Step {
    /// So many blocks, written as a group.
    Write(u64),
    /// A batch takes every block that waits but the first so many.
    Cut(usize),
    /// The oldest batch that is not committed is.
    Commit,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..5).prop_map(Step::Write),
        2 => (0_usize..3).prop_map(Step::Cut),
        2 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #[test]
    fn given_any_life_of_a_log_when_reopened_then_it_holds_what_a_model_says(
        steps in prop::collection::vec(step(), 1..40),
        segment_bytes in 1_u64..800,
    ) {
        let disk = SimulatedDisk::default();
        let mut cuts = CutBlocks::new();
        let mut bench = Bench::open(&disk, &cuts, segment_bytes).unwrap();
        let (mut next, mut waiting, mut batches) = (0, BTreeSet::new(), 0);
        for step in steps.into_iter().chain([Step::Reopen]) {
            match step {
                Step::Write(blocks) => {
                    bench.writer.write(&(next..next + blocks).map(block).collect::<Vec<_>>()).unwrap();
                    waiting.extend(next..next + blocks);
                    next += blocks;
                }
                Step::Cut(left) => {
                    batches += 1;
                    let taken: Vec<u64> = waiting.iter().copied().skip(left).collect();
                    waiting.retain(|id| !taken.contains(id));
                    cuts.extend(cut(taken, batches, false));
                }
                Step::Commit => {
                    let each: Vec<_> = (0..next).filter_map(|id| Some((BlockId(id), *cuts.get(BlockId(id))?))).collect();
                    let Some(batch) = each.iter().find(|(_, cut)| !cut.done).map(|(_, cut)| cut.batch) else { continue };
                    let of_batch = each.into_iter().filter(|(_, cut)| cut.batch == batch);
                    let ids: Vec<BlockId> = of_batch.map(|(id, _)| id).collect();
                    cuts.extend(ids.iter().map(|id| (*id, CutBlock { batch, done: true })));
                    bench.writer.forget(&ids);
                }
                Step::Reopen => {
                    drop(bench);
                    bench = Bench::open(&disk, &cuts, segment_bytes).unwrap();
                    prop_assert_eq!(bench.waiting("s"), expected(waiting.iter().copied()));
                    prop_assert_eq!(bench.recovered.next, BlockId(next));
                }
            }
            for id in (0..next).map(BlockId) {
                let needed = cuts.get(id).is_none_or(|cut| !cut.done);
                prop_assert_eq!(bench.recovered.log.get(id).ok(), needed.then(|| contents(id.0).into()));
            }
        }
    }

    #[test]
    fn given_a_log_cut_off_anywhere_when_opened_then_it_holds_a_prefix_of_what_was_appended(
        groups in prop::collection::vec(1_u64..4, 0..5),
        cut in 0.0..1.0,
    ) {
        let (disk, path) = written(&groups);
        let bytes = disk.read(&path).unwrap();
        disk.put(&path, bytes[..(bytes.len() as f64 * cut) as usize].to_vec());
        let mut bench = Bench::open(&disk, &CutBlocks::new(), 1 << 20).unwrap();
        let left = bench.recovered.next.0;
        prop_assert!(left <= groups.iter().sum());
        prop_assert_eq!(bench.waiting("s"), expected(0..left));
        bench.writer.write(&[block(left)]).unwrap();
        let bench = Bench::open(&disk, &CutBlocks::new(), 1 << 20).unwrap();
        prop_assert_eq!(bench.waiting("s"), expected(0..left + 1));
    }

    #[test]
    fn given_a_log_with_any_byte_changed_when_opened_then_it_is_refused_or_its_last_group_is_dropped(
        groups in prop::collection::vec(1_u64..4, 1..5),
        place in 0.0..1.0,
        change in 1_u8..,
    ) {
        let (disk, path) = written(&groups);
        let mut bytes = disk.read(&path).unwrap();
        let at = (bytes.len() as f64 * place) as usize;
        bytes[at] ^= change;
        disk.put(&path, bytes);
        if let Ok(bench) = Bench::open(&disk, &CutBlocks::new(), 1 << 20) {
            let whole = groups[..groups.len() - 1].iter().sum();
            prop_assert_eq!(bench.waiting("s"), expected(0..whole));
        }
    }

    #[test]
    fn given_any_bytes_when_read_as_a_segment_then_nothing_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        salt: u64,
        flips in prop::collection::vec((0.0..1.0, any::<u8>()), 0..4),
    ) {
        let _ = SegmentHeader::decode(&bytes);
        format::read(&bytes, salt);
        let (disk, path) = written(&[2, 1, 3]);
        let mut segment = disk.read(&path).unwrap();
        let salt = SegmentHeader::decode(&segment).unwrap().salt;
        for (place, byte) in flips {
            let at = (segment.len() as f64 * place) as usize;
            segment[at] = byte;
        }
        let contents = format::read(&segment, salt);
        prop_assert!(contents.end <= segment.len());
        disk.put(&path, [&segment[..], &bytes].concat());
        let _ = Bench::open(&disk, &CutBlocks::new(), 1 << 20);
    }
}
