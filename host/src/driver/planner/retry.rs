//! Dead letters that a batch sends through again: where they come in.

use std::num::NonZeroU64;

use anyhow::{Context, Result};

use super::{Planner, Stream, one_after_the_other};
use crate::block::{Block, BlockData};
use crate::driver::log::Retried;
use crate::driver::retry;
use crate::driver::typed::TypedOperator;
use crate::plan::{Retry, Stage, Windowed};
use crate::rows::Columns;

impl Planner<'_> {
    /// An operator's rows, and behind them those of its dead letters.
    pub(super) fn with_letters(&self, operator: &str, rows: Stream) -> Result<Stream> {
        let mut streams = vec![rows];
        for retried in self.retried(operator) {
            let columns = retry::columns(self.typed, operator).context("it takes no dead letters")?;
            let retry = Retry {
                operator: operator.to_owned(),
                rows: retried.rows,
                columns: Columns::of(&columns)?,
                windows: self.windowed(operator, columns.fields().len()),
            };
            streams.push(Stream { plan: Stage::Retry(retry).over(vec![])?, segments: 1 });
        }
        one_after_the_other(streams.into_iter())
    }

    /// Where the rows of an aggregate's letters have the end of their window, which comes last.
    fn windowed(&self, operator: &str, columns: usize) -> Option<Windowed> {
        let window = self.typed.event_windows.get(operator)?;
        let folds = matches!(self.typed.operators.get(operator), Some(TypedOperator::Aggregate { .. }));
        folds.then(|| Windowed { end: columns - 1, watermark: self.store.watermarks.least(&window.sources) })
    }

    /// The records of a source's dead letters, as blocks behind its own.
    pub(super) fn letter_blocks(&self, source: &str) -> impl Iterator<Item = Block> {
        self.retried(source).map(|Retried { letters, rows, .. }| Block {
            rows: NonZeroU64::new(*letters),
            // Only to deal blocks out by.
            bytes: *letters,
            data: BlockData::Letters(*rows),
        })
    }

    fn retried(&self, name: &str) -> impl Iterator<Item = &Retried> {
        self.cut.retried.iter().filter(move |retried| retried.operator == name)
    }
}
