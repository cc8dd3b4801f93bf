//! What the batch log knows of received blocks: which batch has taken each, and whether that batch is ever run again.

use std::collections::{BTreeMap, VecDeque};

use super::log::{Cut, Record, Shortened};
use super::sources::stored;
use crate::block::{BlockId, CutBlock, CutBlocks};
use crate::time::BatchTime;

/// The blocks that batches have taken, where every checkpoint holds what those up to `oldest` have left.
pub(super) fn cut_blocks(records: &[Record], oldest: Option<BatchTime>) -> CutBlocks {
    let cuts = records.iter().filter_map(|record| if let Record::Cut(cut) = record { Some(cut) } else { None });
    let of = |cut: &Cut| {
        let block = CutBlock { batch: cut.batch, done: oldest.is_some_and(|oldest| cut.batch <= oldest) };
        stored(&cut.sources).into_iter().map(move |id| (id, block))
    };
    let mut blocks: CutBlocks = cuts.flat_map(of).collect();
    if let Some(Record::Shortened(Shortened { through, blocks: gone, .. })) = records.first() {
        gone.iter().for_each(|(first, end)| blocks.add(*first..*end, CutBlock { batch: *through, done: true }));
    }
    blocks
}

/// The blocks of batches that the newest checkpoint holds, and the oldest does not.
pub(super) fn unforgotten(
    records: &[Record],
    oldest: Option<BatchTime>,
    newest: Option<BatchTime>,
) -> VecDeque<(BatchTime, Vec<BlockId>)> {
    let cuts = records.iter().filter_map(|record| if let Record::Cut(cut) = record { Some(cut) } else { None });
    let between = cuts.filter(|cut| Some(cut.batch) > oldest && Some(cut.batch) <= newest);
    between.map(|cut| (cut.batch, stored(&cut.sources))).collect::<BTreeMap<_, _>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::block::{Block, BlockData, BlockId};
    use crate::source::SourceCut;

    fn cut(batch: u64, ids: &[u64]) -> Record {
        let block = |id: &u64| Block { rows: NonZeroU64::new(1), bytes: 2, data: BlockData::Stored(BlockId(*id)) };
        let cut = SourceCut { blocks: ids.iter().map(block).collect(), ..SourceCut::default() };
        Record::Cut(Cut {
            batch: BatchTime::from_millis(batch),
            sources: vec![("s".into(), cut)],
            ended: vec![],
            operators: vec![],
            tables: vec![],
            retried: vec![],
        })
    }

    #[test]
    fn given_a_checkpoint_when_the_log_is_read_then_blocks_of_batches_up_to_it_are_done_with() {
        let records = [cut(1000, &[0, 2]), cut(2000, &[3])];
        let blocks = cut_blocks(&records, Some(BatchTime::from_millis(1000)));
        let found: Vec<_> = blocks.within(&(0..9)).map(|(id, b)| (id.start, b.batch.as_millis(), b.done)).collect();
        assert_eq!(found, [(0, 1000, true), (2, 1000, true), (3, 2000, false)]);
    }
}
