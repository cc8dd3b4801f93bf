//! Which contents of tables, and of dead letters that are sent through again, batches may still read.
//!
//! Contents are needed on disk while no checkpoint holds what a batch that reads them left, or it is one of the last
//! [`LAST`] that were cut, or lies within `remember` of the newest: such a batch may be run again, or be looked into by `weir sql`. They are
//! needed in memory only while a batch that reads them is still to come.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::driver::log::Record;
use crate::operator::Digest;
use crate::time::BatchTime;

/// How many of the last batches can be run again in any case.
pub(super) const LAST: u64 = 64;

/// Counts cuts, and knows of each contents the last cut that reads them.
#[derive(Debug, Default)]
pub(super) struct Uses {
    cuts: u64,
    last: HashMap<Digest, LastUse>,
    /// Cut but not committed, the oldest first, with their number.
    pending: VecDeque<(BatchTime, u64)>,
    /// The number of the last cut that is committed.
    committed: u64,
    /// Cut, and held by no checkpoint, the oldest first, with their number.
    open: VecDeque<(BatchTime, u64)>,
    /// The number of the last cut that a checkpoint holds.
    checkpointed: u64,
}

#[derive(Debug, Clone, Copy)]
struct LastUse {
    batch: BatchTime,
    cut: u64,
}

impl Uses {
    /// What the batches of earlier runs may still read.
    pub(super) fn of(records: &[Record]) -> Self {
        let mut uses = Self::default();
        for record in records {
            match record {
                Record::Cut(cut) => uses.cut(cut.batch, cut.contents()),
                Record::Committed { batch, .. } => uses.committed(*batch),
                Record::Started { .. }
                | Record::Swapped { .. }
                | Record::Redirected(_)
                | Record::RolledBack { .. }
                | Record::Watched { .. }
                | Record::Ended
                | Record::Shortened(_) => {}
            }
        }
        uses
    }

    /// A batch is cut that reads these.
    pub(super) fn cut(&mut self, batch: BatchTime, digests: impl Iterator<Item = Digest>) {
        self.cuts += 1;
        let cut = self.cuts;
        self.pending.push_back((batch, cut));
        self.open.push_back((batch, cut));
        self.last.extend(digests.map(|digest| (digest, LastUse { batch, cut })));
    }

    /// A batch is done, and with it those before.
    pub(super) fn committed(&mut self, batch: BatchTime) {
        if let Some(place) = self.pending.iter().position(|(pending, _)| *pending == batch) {
            self.committed = self.pending.drain(..=place).next_back().map_or(self.committed, |(_, cut)| cut);
        }
    }

    /// A checkpoint holds what a batch left, and those before.
    pub(super) fn checkpointed(&mut self, batch: BatchTime) {
        while let Some((_, cut)) = self.open.pop_front_if(|(open, _)| *open <= batch) {
            self.checkpointed = cut;
        }
    }

    /// Forgets what no batch may read any more, when the newest is `now`; whether there was any.
    pub(super) fn forget(&mut self, now: BatchTime, remember: u64) -> bool {
        let (before, checkpointed, cuts) = (self.last.len(), self.checkpointed, self.cuts);
        self.last.retain(|_, last| {
            // Not only back in time: a run with `--once` may begin anywhere.
            let remembered = last.batch.as_millis().abs_diff(now.as_millis()) <= remember;
            last.cut > checkpointed || last.cut + LAST > cuts || remembered
        });
        self.last.len() < before
    }

    /// Contents that batches are still to read.
    pub(super) fn pending(&self) -> HashSet<Digest> {
        self.last.iter().filter(|(_, last)| last.cut > self.committed).map(|(digest, _)| *digest).collect()
    }

    /// Contents that a batch may read.
    pub(super) fn all(&self) -> HashSet<Digest> {
        self.last.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> BatchTime {
        BatchTime::from_millis(second * 1000)
    }

    fn version(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    /// Batches 1 to `batches`, of which only the first reads `old`.
    fn after(batches: u64) -> Uses {
        let mut uses = Uses::default();
        uses.cut(at(1), [version("old")].into_iter());
        (2..=batches).for_each(|second| uses.cut(at(second), [version("new")].into_iter()));
        uses
    }

    #[test]
    fn what_a_waiting_batch_reads_is_needed_however_long_it_waits() {
        let mut uses = after(LAST * 2);
        assert!(!uses.forget(at(LAST * 2), 0));
        assert_eq!(uses.pending(), HashSet::from([version("old"), version("new")]));
        uses.committed(at(1));
        assert_eq!(uses.pending(), HashSet::from([version("new")]));
        assert!(!uses.forget(at(LAST * 2), 0));
        uses.checkpointed(at(1));
        assert!(uses.forget(at(LAST * 2), 0));
        assert_eq!(uses.all(), HashSet::from([version("new")]));
    }

    #[test]
    fn what_the_last_batches_read_is_needed_after_their_commit() {
        for (batches, gone) in [(LAST, false), (LAST + 1, true)] {
            let mut uses = after(batches);
            uses.committed(at(batches));
            uses.checkpointed(at(batches));
            assert_eq!((uses.forget(at(batches), 0), uses.pending().len()), (gone, 0));
        }
    }

    #[test]
    fn what_a_remembered_batch_read_is_needed() {
        for (remember, gone) in [(999_000, false), (998_999, true)] {
            let mut uses = after(1000);
            uses.checkpointed(at(1000));
            assert_eq!(uses.forget(at(1000), remember), gone);
        }
    }

    #[test]
    fn a_restart_knows_what_the_log_knows() {
        let cut = |second, name| {
            let tables = vec![("users".to_owned(), version(name))];
            Record::Cut(crate::driver::log::Cut {
                batch: at(second),
                sources: vec![],
                ended: vec![],
                operators: vec![],
                tables,
                retried: vec![],
            })
        };
        let committed = Record::Committed {
            batch: at(1),
            rows_in: 0,
            rows_out: vec![],
            meters: Default::default(),
            fingerprints: Default::default(),
        };
        let uses = Uses::of(&[cut(1, "old"), committed, cut(2, "new")]);
        assert_eq!(uses.pending(), HashSet::from([version("new")]));
        assert_eq!(uses.all(), HashSet::from([version("old"), version("new")]));
    }
}
