//! `weir sql`: a query over what a running host keeps.

use std::num::NonZeroUsize;

use anyhow::Result;

use super::out::copy;
use crate::control::{Client, Listing, Question};
use crate::counted::counted;
use crate::data_dir::DataDir;
use crate::query::{AnswerFormat, Entry, as_of};
use crate::rows::{Columns, describe};
use crate::units::Period;

/// What to ask.
#[derive(Debug, clap::Args)]
#[command(after_long_help = ABOUT)]
pub(in crate::cli) struct Args {
    /// The query; without one, what can be asked is listed
    #[arg(value_name = "QUERY")]
    query: Option<String>,

    /// List what can be asked, with its columns
    #[arg(long, conflicts_with = "query")]
    tables: bool,

    /// How rows are written: drawn, or as the files sink writes them
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    format: AnswerFormat,

    /// The most rows of the answer
    #[arg(long, value_name = "N", default_value_t = Question::default_limit())]
    limit: NonZeroUsize,

    /// After how long the query is given up
    #[arg(long, value_name = "TIME", default_value_t = Question::default_timeout())]
    timeout: Period,

    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

const ABOUT: &str = "\
What is there:
  STREAM          the rows of its past batches, with the batch's time in front, as `batch_time`; of streams with
                  `remember` in the pipeline file, and of those that windows need
  TABLE           a table of the pipeline
  state.OPERATOR  the keys of a `state` operator with their states; `last_rows` is the batch of a key's last rows

All of it is as of the last committed batch, whose time is also `now()`. The last 30 seconds of a stream, as a window on
batch time sees them, are

  weir sql \"select * from clicks where batch_time > now() - interval '30 seconds'\"

and of a windowed stream, which gives a whole window in each batch, the last window is

  weir sql \"select * from top where batch_time = (select max(batch_time) from top)\"

A query only reads. Queries share the memory of `weir run --query-memory`; a few run at once.";

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let client = Client::find(data, args.pipeline.as_deref())?;
    let Some(query) = args.query.clone().filter(|_| !args.tables) else { return list(&client.tables()?) };
    let question = Question { query, format: args.format, limit: args.limit, timeout: args.timeout };
    let rows = client.sql(&question)?;
    copy(rows.text)?;
    if args.format == AnswerFormat::Table {
        let as_of = rows.as_of.map_or_else(|| as_of(None), |batch| format!("as of batch {batch}"));
        let count = rows.count.unwrap_or_default();
        outln!("{as_of} ({})", counted(count, "row"))?;
    }
    if rows.more {
        eprintln!("there are more rows than these {}; to see more, raise --limit", args.limit);
    }
    Ok(())
}

fn list(listing: &Listing) -> Result<()> {
    for entry in &listing.entries {
        match entry {
            Entry::Stream { name, columns, batches: Some(batches) } => {
                outln!("{name} (stream, {} kept): {}", counted(*batches, "batch"), shown(columns))?;
            }
            Entry::Stream { name, .. } => {
                outln!("{name} (stream): nothing is kept; set `remember` on it or on [batch]")?;
            }
            Entry::Table { name, columns } => outln!("{name} (table): {}", shown(columns))?,
            Entry::State { name, columns, keys } => outln!("{name} ({}): {}", counted(*keys, "key"), shown(columns))?,
        }
    }
    outln!("{}", as_of(listing.as_of))
}

fn shown(columns: &Columns) -> String {
    describe(&columns.schema())
}
