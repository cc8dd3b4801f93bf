//! Policies by batch time and by what happens to files, and what is kept of contents that were.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::uses::LAST;
use super::*;
use crate::pipeline::TableFormat;

struct Bench {
    folder: tempfile::TempDir,
    file: PathBuf,
    store: Arc<TableStore>,
    tables: Tables,
}

fn at(second: u64) -> BatchTime {
    BatchTime::from_millis(second * 1000)
}

/// A file whose time of change is told, not taken from the clock.
fn write(file: &Path, text: &str, second: u64) {
    fs::write(file, text).unwrap();
    let changed = UNIX_EPOCH + Duration::from_secs(second);
    File::options().write(true).open(file).unwrap().set_modified(changed).unwrap();
}

/// A table that holds the number 1, read at the start.
fn start(refresh: &str, mode: Mode, remember: u64) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.csv");
    write(&file, "n\n1\n", 1);
    let store = Arc::new(TableStore::at(&folder.path().join("tables")));
    let tables = open(&file, refresh, mode, remember, &store, &[]).unwrap();
    Bench { folder, file, store, tables }
}

fn open(
    file: &Path,
    refresh: &str,
    mode: Mode,
    remember: u64,
    store: &Arc<TableStore>,
    records: &[Record],
) -> Result<Tables> {
    let refresh = refresh.parse().unwrap();
    let spec = TableSpec { path: file.to_owned(), format: TableFormat::Csv, schema: None, refresh };
    let table = Table::read(&spec)?;
    Tables::open(vec![("t".to_owned(), spec, table)], store.clone(), mode, remember, records, None)
}

impl Bench {
    fn cut(&self, second: u64) -> Digest {
        let cut = self.tables.cut(at(second), &[]).unwrap();
        assert_eq!(cut.len(), 1);
        cut[0].1
    }

    /// The numbers that the batch reads, when it runs at once.
    fn reads(&self, second: u64) -> Vec<i64> {
        numbers(&self.store, self.cut(second))
    }

    fn kept(&self) -> usize {
        fs::read_dir(self.folder.path().join("tables")).unwrap().count()
    }
}

fn numbers(store: &TableStore, digest: Digest) -> Vec<i64> {
    let contents = store.get(digest).unwrap();
    contents.rows().iter().flat_map(|rows| rows.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

#[tokio::test]
async fn each_policy_reads_again_when_it_says() {
    // The file says 2 from the batch at 15 s on, 3 from that at 20 s on; batches come every 5 s.
    for (refresh, expected) in [
        ("once", [1, 1, 1, 1, 1]),
        ("every batch", [1, 1, 2, 3, 3]),
        ("when changed", [1, 1, 2, 3, 3]),
        // Stretches begin at 12 s and at 24 s.
        ("every 12s", [1, 1, 2, 2, 3]),
        ("every 1h", [1, 1, 1, 1, 1]),
    ] {
        for mode in [Mode::Live, Mode::Once] {
            let bench = start(refresh, mode, 0);
            let read = [5, 10, 15, 20, 25].map(|second| {
                match second {
                    15 => write(&bench.file, "n\n2\n", 11),
                    20 => write(&bench.file, "n\n3\n", 16),
                    _ => {}
                }
                bench.reads(second)
            });
            assert_eq!(read, expected.map(|n| vec![n]), "{refresh} {mode:?}");
        }
    }
}

#[tokio::test]
async fn files_that_look_the_same_are_not_read_again_but_for_every_batch() {
    for (refresh, expected) in [("when changed", 1), ("every batch", 2)] {
        let bench = start(refresh, Mode::Live, 0);
        // The same size, time and inode.
        write(&bench.file, "n\n2\n", 1);
        assert_eq!(bench.reads(1), [expected], "{refresh}");
    }
}

#[tokio::test]
async fn a_batch_that_waits_reads_what_its_cut_says() {
    let bench = start("every batch", Mode::Live, 0);
    let first = bench.cut(1);
    write(&bench.file, "n\n2\n", 2);
    let second = bench.cut(2);
    assert_eq!((numbers(&bench.store, first), numbers(&bench.store, second)), (vec![1], vec![2]));
    bench.tables.committed(at(1));
    assert!(bench.store.in_memory(first).is_none());
    assert!(bench.store.in_memory(second).is_some());
    // Run again later, by another process.
    let other = TableStore::at(&bench.folder.path().join("tables"));
    assert_eq!(numbers(&other, first), [1]);
}

#[tokio::test]
async fn a_live_table_that_cannot_be_read_again_keeps_its_rows_until_it_can() {
    for broken in ["n\n2\nthr", "m\n2\n", ""] {
        let bench = start("when changed", Mode::Live, 0);
        bench.cut(1);
        write(&bench.file, broken, 2);
        if broken.is_empty() {
            fs::remove_file(&bench.file).unwrap();
        }
        for second in [2, 3] {
            assert_eq!(bench.reads(second), [1], "{broken:?}");
        }
        write(&bench.file, "n\n2\n3\n", 3);
        assert_eq!(bench.reads(4), [2, 3], "{broken:?}");
    }
}

#[tokio::test]
async fn what_failed_is_tried_again_with_the_next_batch_of_the_same_stretch() {
    let bench = start("every 10s", Mode::Live, 0);
    assert_eq!(bench.reads(9), [1]);
    write(&bench.file, "n\nhalf", 2);
    assert_eq!(bench.reads(10), [1]);
    write(&bench.file, "n\n2\n", 3);
    assert_eq!(bench.reads(11), [2]);
    write(&bench.file, "n\n3\n", 4);
    assert_eq!(bench.reads(12), [2]);
}

#[tokio::test]
async fn the_same_failure_is_told_once() {
    let bench = start("when changed", Mode::Live, 0);
    let said = || bench.tables.lock().tables["t"].failing.clone().map(|(_, text)| text);
    write(&bench.file, "n\nhalf", 2);
    bench.cut(1);
    let first = said().unwrap();
    bench.cut(2);
    assert_eq!(said(), Some(first.clone()));
    assert!(first.contains("record 1 of "), "{first}");
    write(&bench.file, "n\n5\n", 3);
    bench.cut(3);
    assert_eq!(said(), None);
}

#[tokio::test]
async fn with_once_and_at_the_start_a_table_that_cannot_be_read_is_an_error() {
    let bench = start("every batch", Mode::Once, 0);
    bench.cut(1);
    write(&bench.file, "n\nhalf", 2);
    let error = format!("{:#}", bench.tables.cut(at(2), &[]).unwrap_err());
    assert!(error.starts_with("table `t`: record 1 of "), "{error}");
    for mode in [Mode::Live, Mode::Once] {
        fs::remove_file(&bench.file).unwrap_or_default();
        let error = format!("{:#}", open(&bench.file, "once", mode, 0, &bench.store, &[]).unwrap_err());
        assert_eq!(error, format!("there is no file or folder {}", bench.file.display()));
    }
}

#[tokio::test]
async fn contents_that_no_batch_may_read_any_more_leave_the_disk() {
    let bench = start("when changed", Mode::Live, 0);
    bench.cut(1);
    write(&bench.file, "n\n2\n", 2);
    for second in 2..=LAST {
        bench.cut(second);
        assert_eq!(bench.kept(), 2, "batch {second}");
        bench.tables.committed(at(second));
        bench.tables.checkpointed(at(second));
    }
    bench.cut(LAST + 1);
    assert_eq!(bench.kept(), 1);
}

#[tokio::test]
async fn a_restart_keeps_what_the_batches_before_it_read() {
    let bench = start("once", Mode::Live, 0);
    let old = bench.cut(1);
    write(&bench.file, "n\n2\n", 2);
    let tables = vec![("t".to_owned(), old)];
    let cut = Record::Cut(crate::driver::Cut {
        batch: at(1),
        sources: vec![],
        ended: vec![],
        operators: vec![],
        tables,
        retried: vec![],
    });
    open(&bench.file, "once", Mode::Live, 0, &bench.store, &[cut]).unwrap();
    assert_eq!(bench.kept(), 2);
    // A log that does not name it is not of a batch that needs it.
    open(&bench.file, "once", Mode::Live, 0, &bench.store, &[]).unwrap();
    assert_eq!(bench.kept(), 1);
}
