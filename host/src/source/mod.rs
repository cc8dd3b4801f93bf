//! Where rows come from. A source offers the driver blocks, by reference; reading a block is a pure function of it.
//!
//! Two kinds: a *receiver* (socket, HTTP) is pushed to, and seals blocks into the block store all the time; a *re-readable*
//! source (file, folder, generator) does nothing until a batch is cut, and then offers ranges.
//!
//! What a re-readable source gives to a batch follows from batch times, never from a clock, so that a replay at a given
//! rate gives the same batches live and in one go.

mod file;
mod format;
mod generator;
mod http;
mod pace;
mod position;
mod socket;
mod throttle;

pub use file::list_files;
pub use format::{BlockReader, Decoded, Decoding, MAX_RECORD_BYTES, RejectedRecord, declared_schema, infer_schema};
pub use generator::{Recipe, RecipeColumn};
pub use position::{FilePlace, FilesMoved, FilesPosition, Moved, Position, RowsPosition};

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::block::{Block, BlockStore};
use crate::pipeline::{Format, SourceSpec};
use crate::time::BatchTime;

/// What a source gives to one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCut {
    /// In canonical order.
    pub blocks: Vec<Block>,
    /// What the cut changes in the source's position.
    pub moved: Moved,
}

/// A running source, as the driver sees it. Calls may block on local files, never on the network.
#[async_trait]
pub trait Source: Send {
    /// Resolves when a cut is worth while. Only of use in [`Mode::Once`] and after [`stop`](Source::stop): a receiver is
    /// ready then when nothing more comes in, or when the block store is full and only a batch can go on; the others
    /// always are.
    ///
    /// Fails when a receiver cannot get what it was to read to the end.
    async fn ready(&mut self) -> Result<()> {
        Ok(())
    }

    /// Takes what belongs to the batch that ends at `batch`: of a re-readable source at most `limit` rows, where a limit
    /// is given; of a receiver, which is slowed by `set_rate` instead, all that it has received.
    fn cut(&mut self, batch: BatchTime, limit: Option<u64>) -> Result<SourceCut>;

    /// Goes on from where a cut of an earlier run left off, before anything is cut.
    ///
    /// Fails when what is left to read is not there any more, or when it is the position of another kind of source.
    fn resume(&mut self, _position: &Position) -> Result<()> {
        Ok(())
    }

    /// Whether what a cut gives is the same whenever it is made.
    fn waits_for_nobody(&self) -> bool {
        false
    }

    /// Tells a receiver how many rows a second it may take from now on.
    fn set_rate(&mut self, _rows_per_second: f64) {}

    /// How many records were refused before they could be part of a block, being too long.
    fn refused(&self) -> u64 {
        0
    }

    /// Whether nothing will come any more, once the last cut is done.
    fn ended(&self) -> bool;

    /// Stops receiving. What was received can still be cut: wait with [`ready`](Source::ready) and cut until the source
    /// has [`ended`](Source::ended).
    fn stop(&mut self);
}

/// How long a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped, batch after batch, as time goes.
    Live,
    /// To its end, as fast as possible; nothing depends on the wall clock.
    Once,
}

/// What a source finds around it.
#[derive(Debug, Clone)]
pub struct SourceContext {
    /// Where receivers put blocks.
    pub store: BlockStore,
    /// The batch interval.
    pub interval: Duration,
    /// How often a receiver seals a block.
    pub block_interval: Duration,
    /// About how many bytes a block has.
    pub block_size: u64,
    /// How long the source is read.
    pub mode: Mode,
    /// Where receivers run.
    pub runtime: Handle,
}

/// Opens a source, whose blocks are to be read with `decoding`; see [`Decoding::of`].
pub fn open(name: &str, spec: &SourceSpec, decoding: &Decoding, context: &SourceContext) -> Result<Box<dyn Source>> {
    open_kind(name, spec, decoding, context).with_context(|| format!("source `{name}`"))
}

fn open_kind(name: &str, spec: &SourceSpec, decoding: &Decoding, context: &SourceContext) -> Result<Box<dyn Source>> {
    Ok(match spec {
        SourceSpec::File { path, watch, rate, max_files, format, .. } => {
            Box::new(file::FileSource::open(path, *watch, *rate, *max_files, *format, &decoding.schema(), context)?)
        }
        SourceSpec::Socket { connect, listen, format, max_rate, .. } => {
            let address = socket::Address::of(connect.as_deref(), listen.as_deref())?;
            Box::new(socket::SocketSource::open(name, &address, *format, *max_rate, context)?)
        }
        SourceSpec::Http { listen, path, format, max_body, max_rate, .. } => {
            let rules = http::Rules {
                path: path.clone(),
                format: *format,
                columns: decoding.schema().fields().iter().map(|field| field.name().clone()).collect(),
                max_body: max_body.0,
                max_rate: *max_rate,
            };
            Box::new(http::HttpSource::open(name, listen, rules, context)?)
        }
        SourceSpec::Generator { rate, count, seed, columns, .. } => {
            Box::new(generator::GeneratorSource::open(*rate, *count, Recipe::new(*seed, columns)?, context)?)
        }
    })
}

/// The blocks of a whole file, for reading it outside a stream.
pub fn whole_file(path: &Path, format: Format, schema: &SchemaRef) -> Result<Vec<Block>> {
    let context = SourceContext {
        store: BlockStore::new(0),
        interval: Duration::from_secs(1),
        block_interval: Duration::from_secs(1),
        block_size: 4 << 20,
        mode: Mode::Once,
        runtime: Handle::current(),
    };
    let mut file = file::FileSource::open(path, false, None, None, format, schema, &context)?;
    Ok(file.cut(BatchTime::from_millis(0), None)?.blocks)
}
