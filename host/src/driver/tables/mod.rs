//! The tables of a running pipeline: which contents a batch reads.
//!
//! When a batch is cut, each table is read again if its `refresh` says so. What the batch reads is then kept on disk, and
//! named in the cut by digest: the batch reads exactly that, behind whatever queue and however often it runs.
//!
//! A live stream does not end because somebody is half-way through writing a file: where a table cannot be read again, the
//! rows that it had stay, a warning says so once for each state of its files, and the next batch tries again. At the start,
//! and with `--once`, it is an error.

mod uses;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;

use self::uses::Uses;
use super::log::Record;
use crate::operator::Digest;
use crate::pipeline::TableSpec;
use crate::source::Mode;
use crate::table::{Contents, Fingerprint, TableStore, read};
use crate::time::BatchTime;
use crate::units::{Period, Refresh};

/// A table that was read at the start.
#[derive(Debug, Clone)]
pub struct Table {
    schema: SchemaRef,
    /// Until a driver takes it over.
    first: Option<Version>,
}

#[derive(Debug, Clone)]
struct Version {
    contents: Arc<Contents>,
    seen: Fingerprint,
}

impl Table {
    /// Reads a table. Blocks on files.
    pub fn read(spec: &TableSpec) -> Result<Self> {
        let version = Version::read(spec, None)?;
        Ok(Self { schema: version.contents.schema().clone(), first: Some(version) })
    }

    /// Its columns, which stay.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Lets go of the rows, and keeps the columns.
    pub fn forget_rows(&mut self) {
        self.first = None;
    }
}

impl Version {
    fn read(spec: &TableSpec, known: Option<&SchemaRef>) -> Result<Self> {
        let (contents, seen) = read(spec, known)?;
        Ok(Self { contents: Arc::new(contents), seen })
    }
}

/// The tables that batches read.
#[derive(Debug)]
pub struct Tables {
    store: Arc<TableStore>,
    mode: Mode,
    /// For how long a batch may be run again, in milliseconds of batch time.
    remember: u64,
    followed: Mutex<Followed>,
}

#[derive(Debug)]
struct Followed {
    tables: IndexMap<String, Following>,
    uses: Uses,
}

/// One table, read again from batch to batch.
#[derive(Debug)]
struct Following {
    spec: TableSpec,
    now: Version,
    /// The stretch of batch time that it was last read in.
    stretch: Option<u64>,
    /// What could not be read, and what was said about it.
    failing: Option<(Option<Fingerprint>, String)>,
}

impl Tables {
    /// Follows these tables on from what the log says of earlier batches. Blocks on the disk.
    pub fn open(
        tables: Vec<(String, TableSpec, Table)>,
        store: Arc<TableStore>,
        mode: Mode,
        remember: u64,
        records: &[Record],
        oldest: Option<BatchTime>,
    ) -> Result<Self> {
        let mut following = IndexMap::new();
        for (name, spec, table) in tables {
            let read = || Version::read(&spec, Some(&table.schema));
            let now = table.first.map_or_else(read, Ok).with_context(|| format!("table `{name}`"))?;
            store.keep(&now.contents).with_context(|| format!("table `{name}`"))?;
            following.insert(name, Following { spec, now, stretch: None, failing: None });
        }
        let mut uses = Uses::of(records);
        oldest.into_iter().for_each(|batch| uses.checkpointed(batch));
        let followed = Mutex::new(Followed { tables: following, uses });
        let tables = Self { store, mode, remember, followed };
        tables.tidy_disk(&mut tables.lock())?;
        Ok(tables)
    }

    /// What a table holds now.
    pub fn now(&self, table: &str) -> Option<Arc<Contents>> {
        self.lock().tables.get(table).map(|following| following.now.contents.clone())
    }

    /// Says which contents the batch reads, and keeps them, and those of dead letters that are sent through again with it.
    /// Blocks on files.
    pub fn cut(&self, batch: BatchTime, letters: &[Arc<Contents>]) -> Result<Vec<(String, Digest)>> {
        let mut followed = self.lock();
        let mut cut = Vec::with_capacity(followed.tables.len());
        for (name, table) in &mut followed.tables {
            table.refresh(name, batch, self.mode).with_context(|| format!("table `{name}`"))?;
            let contents = &table.now.contents;
            self.store.keep(contents).with_context(|| format!("table `{name}`"))?;
            cut.push((name.clone(), contents.digest()));
        }
        for contents in letters {
            self.store.keep(contents).context("dead letters that are to be sent through again")?;
        }
        let letters = letters.iter().map(|contents| contents.digest());
        followed.uses.cut(batch, cut.iter().map(|(_, digest)| *digest).chain(letters));
        if followed.uses.forget(batch, self.remember) {
            self.tidy_disk(&mut followed)?;
        }
        Ok(cut)
    }

    /// Lets go of what only batches up to this one have read.
    pub fn committed(&self, batch: BatchTime) {
        let mut followed = self.lock();
        followed.uses.committed(batch);
        let mut needed = followed.uses.pending();
        needed.extend(followed.tables.values().map(|table| table.now.contents.digest()));
        self.store.retain_in_memory(&needed);
    }

    /// Batches up to this one are never run again.
    pub fn checkpointed(&self, batch: BatchTime) {
        self.lock().uses.checkpointed(batch);
    }

    fn tidy_disk(&self, followed: &mut Followed) -> Result<()> {
        let mut needed = followed.uses.all();
        needed.extend(followed.tables.values().map(|table| table.now.contents.digest()));
        self.store.retain_on_disk(&needed)
    }

    fn lock(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    fn refresh(&mut self, table: &str, batch: BatchTime, mode: Mode) -> Result<()> {
        let Err(error) = self.read_if_due(table, batch) else { return Ok(()) };
        if mode == Mode::Once {
            return Err(error);
        }
        let failing = Some((Fingerprint::of(&self.spec.path).ok(), format!("{error:#}")));
        if self.failing != failing {
            tracing::warn!(
                table,
                %batch,
                rows = %self.now.contents.digest().short(),
                "the table cannot be read again, and keeps the rows that it had: {error:#}\n  To replace a table, write the \
                 new file beside the old one, under a name that begins with `.`, and rename it into place; it is tried \
                 again with the next batch."
            );
            self.failing = failing;
        }
        Ok(())
    }

    fn read_if_due(&mut self, table: &str, batch: BatchTime) -> Result<()> {
        let stretch = match self.spec.refresh {
            Refresh::Every(period) => Some(stretch(batch, period)),
            _ => None,
        };
        let due = match self.spec.refresh {
            Refresh::Once => false,
            Refresh::EveryBatch => true,
            Refresh::WhenChanged => Fingerprint::of(&self.spec.path)? != self.now.seen,
            // What was read at the start is what the first batch reads.
            Refresh::Every(_) => self.stretch.is_some() && stretch > self.stretch,
        };
        if due {
            let read = Version::read(&self.spec, Some(self.now.contents.schema()))?;
            let digest = read.contents.digest();
            if digest == self.now.contents.digest() {
                // The rows in memory can go on being shared.
                self.now.seen = read.seen;
            } else {
                let rows: usize = read.contents.rows().iter().map(|rows| rows.num_rows()).sum();
                if rows == 0 {
                    tracing::warn!(table, %batch, "the table is empty from this batch on");
                } else {
                    tracing::info!(table, %batch, rows, digest = %digest.short(), "the table has other rows from this batch on");
                }
                self.now = read;
            }
            self.failing = None;
        }
        // Only now: what failed is still due.
        self.stretch = stretch;
        Ok(())
    }
}

/// In which of the stretches of this length, counted from the epoch, a batch time lies.
fn stretch(batch: BatchTime, Period(length): Period) -> u64 {
    batch.as_millis() / millis(length).max(1)
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
