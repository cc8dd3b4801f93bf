//! Which blocks batches have taken, as the batch log tells.

use std::collections::BTreeMap;
use std::ops::Range;

use super::BlockId;
use crate::time::BatchTime;

/// What has become of a block that a batch has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutBlock {
    /// The batch.
    pub batch: BatchTime,
    /// Whether the batch is never run again, so that the block is not needed any more.
    pub done: bool,
}

/// The blocks that batches have taken, as runs of ids: of a long life only the last are known one by one.
#[derive(Debug, Clone, Default)]
pub struct CutBlocks(BTreeMap<u64, (u64, CutBlock)>);

impl CutBlocks {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// A batch has taken these blocks. They are in no run so far, or one of them is told again, alone.
    pub fn add(&mut self, ids: Range<u64>, cut: CutBlock) {
        if !ids.is_empty() {
            self.0.insert(ids.start, (ids.end, cut));
        }
    }

    /// What has become of a block, if a batch has taken it.
    pub fn get(&self, BlockId(id): BlockId) -> Option<&CutBlock> {
        let (_, (end, cut)) = self.0.range(..=id).next_back()?;
        (id < *end).then_some(cut)
    }

    /// One more than the highest id.
    pub fn end(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(_, (end, _))| *end)
    }

    /// The blocks of a range that batches have taken, in order.
    pub fn within(&self, ids: &Range<u64>) -> impl Iterator<Item = (Range<u64>, &CutBlock)> {
        let before = self.0.range(..ids.start).next_back();
        let runs = before.into_iter().chain(self.0.range(ids.clone()));
        let clipped = |start: u64, end: u64| start.max(ids.start)..end.min(ids.end);
        runs.map(move |(start, (end, cut))| (clipped(*start, *end), cut)).filter(|(run, _)| !run.is_empty())
    }
}

impl Extend<(BlockId, CutBlock)> for CutBlocks {
    fn extend<I: IntoIterator<Item = (BlockId, CutBlock)>>(&mut self, blocks: I) {
        blocks.into_iter().for_each(|(BlockId(id), cut)| self.add(id..id.saturating_add(1), cut));
    }
}

impl FromIterator<(BlockId, CutBlock)> for CutBlocks {
    fn from_iter<I: IntoIterator<Item = (BlockId, CutBlock)>>(blocks: I) -> Self {
        let mut cuts = Self::new();
        cuts.extend(blocks);
        cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_runs_of_blocks_then_each_is_known_and_none_beside_them() {
        let cut = |batch| CutBlock { batch: BatchTime::from_millis(batch), done: batch < 2 };
        let mut cuts: CutBlocks = [(BlockId(9), cut(2)), (BlockId(9), cut(3))].into_iter().collect();
        cuts.add(0..4, cut(1));
        cuts.add(5..5, cut(1));
        cuts.add(6..8, cut(1));
        let found = |id| cuts.get(BlockId(id)).map(|cut| cut.batch.as_millis());
        let expected = [Some(1), Some(1), Some(1), Some(1), None, None, Some(1), Some(1), None, Some(3), None];
        assert_eq!((0..11).map(found).collect::<Vec<_>>(), expected);
        let within = |ids: Range<u64>| cuts.within(&ids).map(|(run, _)| (run.start, run.end)).collect::<Vec<_>>();
        assert_eq!(within(0..20), [(0, 4), (6, 8), (9, 10)]);
        assert_eq!(within(3..7), [(3, 4), (6, 7)]);
        assert_eq!(within(4..6), []);
        assert_eq!((cuts.end(), CutBlocks::new().end()), (10, 0));
    }
}
