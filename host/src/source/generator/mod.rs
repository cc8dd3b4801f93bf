//! The generator: made-up rows, for trials and load tests.
//!
//! Row n is a pure function of the seed, the column and n, so a block is two row numbers, and making its rows is part of
//! the batch. When the rate controller holds it back, rows come later; none is left out.

mod recipe;
mod words;

pub(super) use recipe::RowMaker;
pub use recipe::{Recipe, RecipeColumn};

use std::num::NonZeroU64;

use super::pace::Pace;
use super::{Mode, Moved, Position, RowsPosition, Source, SourceContext, SourceCut};
use crate::block::{Block, BlockData};
use crate::time::BatchTime;
use crate::units::Rate;
use anyhow::{Result, bail};
use async_trait::async_trait;

/// How many rows a block has at most.
const BLOCK_ROWS: u64 = 16 << 10;

/// Offers ranges of row numbers.
#[derive(Debug)]
pub(super) struct GeneratorSource {
    pace: Pace,
    recipe: Recipe,
    next: u64,
    end: u64,
    stopped: bool,
}

impl GeneratorSource {
    /// A generator of `count` rows, or without end.
    pub(super) fn open(rate: Rate, count: Option<u64>, recipe: Recipe, context: &SourceContext) -> Result<Self> {
        if count.is_none() && context.mode == Mode::Once {
            bail!("a generator without `count` never ends, so it cannot be run to its end: give it a `count`");
        }
        let pace = Pace::new(rate, context.interval)?;
        Ok(Self { pace, recipe, next: 0, end: count.unwrap_or(u64::MAX), stopped: false })
    }
}

#[async_trait]
impl Source for GeneratorSource {
    fn cut(&mut self, batch: BatchTime, limit: Option<u64>) -> Result<SourceCut> {
        let due = self.pace.due(batch).min(self.end).saturating_sub(self.next);
        let rows = if self.stopped { 0 } else { due.min(limit.unwrap_or(u64::MAX)) };
        let until = self.next + rows;
        let mut blocks = Vec::new();
        while self.next < until {
            let (from, to) = (self.next, until.min(self.next + BLOCK_ROWS));
            let bytes = (to - from) * self.recipe.row_bytes();
            blocks.push(Block { rows: NonZeroU64::new(to - from), bytes, data: BlockData::Generated { from, to } });
            self.next = to;
        }
        Ok(SourceCut { blocks, moved: Moved::Rows(RowsPosition { first: self.pace.first(), next: self.next }) })
    }

    fn resume(&mut self, position: &Position) -> Result<()> {
        match position {
            Position::Start => {}
            Position::Rows(rows) => {
                self.pace.resume(rows.first);
                self.next = rows.next;
            }
            Position::Files(_) => bail!("it was a source of files"),
        }
        Ok(())
    }

    fn waits_for_nobody(&self) -> bool {
        true
    }

    fn ended(&self) -> bool {
        self.stopped || self.next >= self.end
    }

    fn stop(&mut self) {
        self.stopped = true;
    }
}

#[cfg(test)]
mod tests;
