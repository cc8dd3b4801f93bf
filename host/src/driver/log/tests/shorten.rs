//! Logs that are shortened again and again, against the same logs whole.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::block::{Block, BlockData, BlockId};
use crate::driver::log::shorten::Needed;
use crate::driver::received::cut_blocks;
use crate::driver::recovery::{Recovery, check_reach};
use crate::driver::replay::Past;
use crate::driver::{Delivers, WatchLimits, retry};
use crate::source::{Moved, Position, RowsPosition};

/// What a driver does.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Cuts a batch of so many received blocks, beside which others stay untaken.
    Cut {
        blocks: u64,
        untaken: u64,
        retries: bool,
    },
    /// Commits the oldest batch that is cut, if there is one.
    Commit,
    /// Makes a checkpoint of what is committed, and shortens the log, unless a swap is watched.
    Checkpoint,
    Swap,
    RollBack,
    Redirect(u8),
    /// Is started again; with another pipeline, what is not committed is cut again.
    Restart {
        other: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4_u64, 0..2_u64, prop::bool::weighted(0.2))
            .prop_map(|(blocks, untaken, retries)| Step::Cut { blocks, untaken, retries }),
        6 => Just(Step::Commit),
        4 => Just(Step::Checkpoint),
        1 => Just(Step::Swap),
        1 => Just(Step::RollBack),
        1 => (0..2_u8).prop_map(Step::Redirect),
        1 => any::<bool>().prop_map(|other| Step::Restart { other }),
    ];
    vec(step, 1..80)
}

fn running(version: u64) -> Running {
    let component = format!("o@{version}");
    Running { operator: "o".into(), digest: Digest::of(component.as_bytes()), component }
}

/// The batches whose letters committed batches have sent through again.
fn letters(records: &[Record]) -> impl Iterator<Item = BatchTime> {
    retry::committed(records).into_iter().flat_map(|retried| retried.of)
}

/// A driver without its work: a log that is shortened, and all that was ever written to it.
struct Life {
    disk: SimulatedDisk,
    log: BatchLog,
    whole: Vec<Record>,
    definition: u64,
    version: u64,
    /// The swap that may be taken back: what ran before, and the first batch.
    watched: Option<(u64, u64)>,
    batches: u64,
    blocks: u64,
    waiting: Vec<Cut>,
    committed: Vec<u64>,
    /// The oldest and the newest checkpoint.
    checkpoints: Option<(u64, u64)>,
    shortened: usize,
    /// Letters that were removed for good before the log forgot them.
    removed: BTreeSet<BatchTime>,
}

impl Life {
    fn new(limits: LogLimits) -> Self {
        let disk = SimulatedDisk::default();
        let log = open(&disk).unwrap().0.with_limits(limits);
        let (whole, waiting, committed) = Default::default();
        let (definition, version, batches, blocks, shortened) = Default::default();
        let (watched, checkpoints, removed) = Default::default();
        let mut life = Self {
            disk,
            log,
            whole,
            definition,
            version,
            watched,
            batches,
            blocks,
            waiting,
            committed,
            checkpoints,
            shortened,
            removed,
        };
        life.start();
        life
    }

    fn write(&mut self, record: Record) {
        self.log.append(&record).unwrap();
        self.whole.push(record);
    }

    fn start(&mut self) {
        let definition = Digest::of(&self.definition.to_le_bytes());
        self.write(Record::Started { engine: 7, definition, after: BatchTime::from_millis(self.batches) });
    }

    fn take(&mut self, step: Step, limits: LogLimits) {
        match step {
            Step::Cut { blocks, untaken, retries } => {
                let ids = self.blocks..self.blocks + blocks;
                self.blocks += blocks + untaken;
                self.batches += 1;
                let cut = self.cut(ids, retries);
                self.write(Record::Cut(cut.clone()));
                self.waiting.push(cut);
            }
            Step::Commit if !self.waiting.is_empty() => {
                let cut = self.waiting.remove(0);
                self.write(committed(cut.batch.as_millis()));
                self.committed.push(cut.batch.as_millis());
            }
            Step::Checkpoint => self.checkpoint(limits.batches),
            Step::Swap => {
                let from = self.version;
                self.version += 1;
                self.watched = Some((from, self.batches + 1));
                let limits = WatchLimits { batches: 10, max_traps: 0 };
                self.write(Record::Watched { to: running(self.version), limits });
                self.write(Record::Swapped { from: running(from), to: running(self.version) });
            }
            Step::RollBack => {
                let Some((to, first)) = self.watched.take() else { return };
                let from = std::mem::replace(&mut self.version, to);
                let first_batch = BatchTime::from_millis(first);
                let why = "it trapped".to_owned();
                self.write(Record::RolledBack { from: running(from), to: running(to), first: first_batch, why });
                self.waiting
                    .iter_mut()
                    .filter(|cut| cut.batch >= first_batch)
                    .for_each(|cut| drop(cut.replace(&running(to))));
                let again: Vec<u64> = self.committed.iter().copied().filter(|batch| *batch >= first).collect();
                again.into_iter().for_each(|batch| self.write(committed(batch)));
            }
            Step::Redirect(sink) => {
                let delivers =
                    |n: usize| Delivers { component: format!("s@{n}"), digest: Digest::of(b"s"), allow: vec![] };
                let (from, to) = (delivers(0), delivers(self.whole.len()));
                self.write(Record::Redirected(Redirected { sink: sink.to_string(), from, to }));
            }
            Step::Restart { other } => self.restart(other, limits),
            Step::Commit => {}
        }
    }

    fn cut(&self, blocks: std::ops::Range<u64>, retries: bool) -> Cut {
        let block = |id| Block { rows: NonZeroU64::new(1), bytes: 1, data: BlockData::Stored(BlockId(id)) };
        let moved = Moved::Rows(RowsPosition { first: Some(BatchTime::from_millis(1)), next: self.batches * 10 });
        let retried = Retried {
            operator: "o".into(),
            of: vec![BatchTime::from_millis(self.batches)],
            letters: 1,
            rows: Digest::of(b"rows"),
        };
        Cut {
            batch: BatchTime::from_millis(self.batches),
            sources: vec![("s".into(), SourceCut { blocks: blocks.map(block).collect(), moved })],
            ended: vec![],
            operators: vec![running(self.version)],
            tables: vec![],
            retried: if retries { vec![retried] } else { vec![] },
        }
    }

    fn checkpoint(&mut self, batches: usize) {
        let Some(last) = self.committed.last().copied() else { return };
        // What is watched has shown that it can stay, or there is no checkpoint yet.
        if self.watched.take_if(|(_, first)| *first <= last).is_none() && self.watched.is_some() {
            return;
        }
        let oldest = self.checkpoints.map_or(last, |(_, newest)| newest);
        self.checkpoints = Some((oldest, last));
        let needed = Needed { checkpointed: BatchTime::from_millis(oldest), batches, remembered: 0 };
        if let Some(shorter) = self.log.shorter(&self.disk, needed).unwrap() {
            self.removed.extend(letters(&shorter.gone));
            self.log.shorten(&self.disk, &shorter).unwrap();
            self.shortened += 1;
        }
    }

    fn restart(&mut self, other: bool, limits: LogLimits) {
        self.log = open(&self.disk).unwrap().0.with_limits(limits);
        if other {
            self.watched = None;
            self.definition += 1;
            self.version = 0;
        }
        self.start();
        if other {
            let (mut again, now) = (std::mem::take(&mut self.waiting), running(0));
            for cut in &mut again {
                cut.operators = vec![now.clone()];
                cut.retried.clear();
                self.write(Record::Cut(cut.clone()));
            }
            self.waiting = again;
        }
    }

    /// What every reader makes of the log is what it makes of the whole.
    fn check(&self) {
        let short = open(&self.disk).unwrap().1;
        let through = match short.first() {
            Some(Record::Shortened(Shortened { through, .. })) => Some(*through),
            _ => None,
        };
        for checkpoint in self.checkpoints.into_iter().flat_map(|(oldest, newest)| [oldest, newest]) {
            let batch = BatchTime::from_millis(checkpoint);
            check_reach(&short, Some(batch)).unwrap();
            let next = RowsPosition { first: Some(BatchTime::from_millis(1)), next: checkpoint * 10 };
            let positions = BTreeMap::from([("s".to_owned(), Position::Rows(next))]);
            let recovered = |records: &[Record]| format!("{:?}", Recovery::from(records, Some((batch, &positions))));
            assert_eq!(recovered(&short), recovered(&self.whole));
            let taken = |records: &[Record]| {
                let blocks = cut_blocks(records, Some(batch));
                (0..self.blocks).map(|id| blocks.get(BlockId(id)).map(|cut| cut.done)).collect::<Vec<_>>()
            };
            assert_eq!(taken(&short), taken(&self.whole));
        }
        let past = |records: &[Record]| {
            let Past { cuts, committed, .. } = Past::of(records.to_vec());
            let later = |batch: &BatchTime| Some(*batch) > through;
            let cuts: Vec<_> = cuts.into_iter().filter(|(batch, _)| later(batch)).collect();
            (cuts, committed.into_iter().filter(|(batch, _)| later(batch)).collect::<Vec<_>>())
        };
        assert_eq!(past(&short), past(&self.whole));
        let gone: BTreeSet<BatchTime> = self.removed.iter().copied().chain(letters(&short)).collect();
        assert_eq!(gone, letters(&self.whole).collect());
        let batches = match short.first() {
            Some(Record::Shortened(Shortened { batches, .. })) => *batches,
            _ => 0,
        };
        assert_eq!(batches + Past::of(short).cuts.len() as u64, self.batches);
    }
}

proptest! {
    #[test]
    fn given_any_life_when_its_log_is_shortened_then_every_reader_finds_what_it_finds_in_the_whole(
        steps in steps(),
        batches in 1_usize..5,
    ) {
        let limits = LogLimits { bytes: 0, batches };
        let mut life = Life::new(limits);
        for step in steps {
            life.take(step, limits);
            life.check();
        }
    }
}

#[test]
fn given_a_long_life_then_its_log_stays_short_and_remembers_so_many_batches() {
    let limits = LogLimits { bytes: 4000, batches: 10 };
    let mut life = Life::new(limits);
    let mut longest = 0;
    for _ in 0..2000 {
        life.take(Step::Cut { blocks: 1, untaken: 0, retries: false }, limits);
        life.take(Step::Commit, limits);
        life.take(Step::Checkpoint, limits);
        longest = longest.max(life.disk.read(Path::new(PATH)).unwrap().len());
    }
    life.check();
    assert!(longest < 6000 && life.shortened > 20, "{longest} bytes, {} times shortened", life.shortened);
    let short = open(&life.disk).unwrap().1;
    let Some(Record::Shortened(Shortened { through, batches, blocks })) = short.first() else { panic!("{short:?}") };
    assert_eq!((*batches, &blocks[..]), (through.as_millis(), &[(0, through.as_millis())][..]));
    assert!(*batches <= 1990, "the last ten are there");
    let error = check_reach(&short, Some(BatchTime::from_millis(batches - 1))).unwrap_err().to_string();
    assert!(error.contains("the newest that can be read is of batch") && error.contains("--fresh"), "{error}");
    assert!(check_reach(&short, None).unwrap_err().to_string().contains("and there is none"));
}

#[test]
fn given_batches_that_may_be_looked_into_then_they_stay_however_long_the_log_is() {
    let limits = LogLimits { bytes: 0, batches: 1 };
    let mut life = Life::new(limits);
    for _ in 0..50 {
        life.take(Step::Cut { blocks: 0, untaken: 0, retries: false }, limits);
        life.take(Step::Commit, limits);
    }
    for (remembered, stay) in [(49, None), (48, None), (20, Some(21)), (9, Some(10))] {
        let needed = Needed { checkpointed: BatchTime::from_millis(50), batches: 1, remembered };
        if let Some(shorter) = life.log.shorter(&life.disk, needed).unwrap() {
            life.log.shorten(&life.disk, &shorter).unwrap();
        }
        let left = open(&life.disk).unwrap().1.iter().filter_map(Record::cut).count();
        assert_eq!(left, stay.unwrap_or(50), "{remembered}");
        life.log = open(&life.disk).unwrap().0.with_limits(limits);
    }
}

#[test]
fn given_a_fault_at_any_change_of_a_shortening_when_the_power_goes_then_the_log_is_whole_or_short_and_nothing_else() {
    let limits = LogLimits { bytes: 0, batches: 2 };
    let (mut stayed, mut short) = (0, 0);
    for (fault, at) in
        (0..8).flat_map(|at| [(Fault::Error { at: 0, torn: 9 }, at), (Fault::Stop { at: 0, torn: 9 }, at)])
    {
        let mut life = Life::new(limits);
        for _ in 0..20 {
            life.take(Step::Cut { blocks: 1, untaken: 0, retries: true }, limits);
            life.take(Step::Commit, limits);
        }
        let before = open(&life.disk).unwrap().1;
        let needed = life.log.needed(BatchTime::from_millis(20), 0);
        let shorter = life.log.shorter(&life.disk, needed).unwrap().expect("it is long");
        let at = life.disk.changes() + at;
        life.disk.set_fault(Some(match fault {
            Fault::Error { torn, .. } => Fault::Error { at, torn },
            Fault::Stop { torn, .. } => Fault::Stop { at, torn },
        }));
        let shortened = life.log.shorten(&life.disk, &shorter);
        let next = committed(99);
        let acknowledged = life.log.append(&next).is_ok();
        assert!(shortened.is_ok() || !acknowledged, "what has the name is not known");
        life.disk.set_fault(None);
        for (kept, names_kept) in [(0, false), (0, true), (1000, false), (1000, true)] {
            let disk = life.disk.after_power_cut(kept, names_kept);
            let mut found = open(&disk).unwrap().1;
            if acknowledged {
                assert_eq!(found.pop().as_ref(), Some(&next), "{fault:?} {at}");
            } else {
                found.pop_if(|last| *last == next);
            }
            let whole = found == before;
            let again = open(&disk).unwrap().0.with_limits(limits).shorter(&disk, needed).unwrap();
            assert!(whole == again.is_some(), "{fault:?} {at}: {found:?}");
            assert!(whole || matches!(found.first(), Some(Record::Shortened(_))), "{fault:?} {at}: {found:?}");
            *(if whole { &mut stayed } else { &mut short }) += 1;
        }
    }
    assert!(stayed > 10 && short > 10, "{stayed} stayed, {short} were shortened");
}
