//! Batches as folders.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use futures::executor::block_on;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::*;
use crate::sink::Staged;

const OWNER: &str = "sink `saved` of pipeline `shop`";
const BATCH: BatchTime = BatchTime::from_millis(1_769_860_800_500);

fn rows() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("s", Arc::new(StringArray::from(vec![Some("a,\"b\"\n"), None])), true),
        ("i", Arc::new(Int64Array::from(vec![Some(-1), None])), true),
        ("f", Arc::new(Float64Array::from(vec![1.0, f64::NAN])), true),
        (
            "t",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_769_860_800_500_000), None]).with_timezone("UTC")),
            true,
        ),
        ("x", Arc::new(BinaryArray::from(vec![&[0u8, 255][..], b""])), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    RecordBatch::try_from_iter_with_nullable([("n", column, true)]).unwrap()
}

fn open(folder: &Path, format: FileFormat, schema: SchemaRef) -> FilesSink {
    FilesSink::open(folder, OWNER, format, schema).unwrap()
}

/// Writes a batch whose parts are these, each a list of writes.
fn write(sink: &FilesSink, batch: BatchTime, parts: &[&[RecordBatch]]) -> Vec<Staged> {
    block_on(async {
        sink.begin(batch).await.unwrap();
        let mut staged = vec![];
        for (part, writes) in parts.iter().enumerate() {
            let mut writer = sink.stage(batch, part).await.unwrap();
            for rows in *writes {
                writer.write(rows.clone()).await.unwrap();
            }
            staged.push(writer.finish().await.unwrap());
        }
        sink.commit(batch).await.unwrap();
        staged
    })
}

/// All files under a folder but the lock and manifests, with their content.
fn tree(folder: &Path) -> Vec<(String, String)> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else if path.file_name().unwrap() != LOCK && path.file_name().unwrap() != manifest::MANIFEST {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
            }
        }
    }
    let mut found = vec![];
    walk(folder, folder, &mut found);
    found.sort();
    found
}

fn check(format: FileFormat, name: &str, expected: &str) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("not/there/yet");
    let staged = write(&open(&path, format, rows().schema()), BATCH, &[&[rows()], &[rows().slice(0, 0)]]);
    assert_eq!(tree(&path), [(name.to_owned(), expected.to_owned())]);
    assert_eq!(staged, [Staged { rows: 2, bytes: expected.len() as u64 }, Staged::default()]);
}

#[test]
fn given_rows_when_written_as_json_then_every_row_has_the_same_keys() {
    check(
        FileFormat::Json,
        "batch_time=1769860800500/part-00000.json",
        concat!(
            r#"{"s":"a,\"b\"\n","i":-1,"f":1.0,"t":"2026-01-31T12:00:00.500Z","x":"00ff"}"#,
            "\n",
            r#"{"s":null,"i":null,"f":null,"t":null,"x":""}"#,
            "\n"
        ),
    );
}

#[test]
fn given_rows_when_written_as_csv_then_there_is_a_header_and_null_is_empty() {
    check(
        FileFormat::Csv,
        "batch_time=1769860800500/part-00000.csv",
        "s,i,f,t,x\n\"a,\"\"b\"\"\n\",-1,1.0,2026-01-31T12:00:00.500Z,00ff\n,,NaN,,\n",
    );
}

#[test]
fn given_rows_when_written_as_parquet_then_they_read_back_and_the_bytes_do_not_depend_on_the_writes() {
    let rows = numbers(0..20_000);
    let mut files = vec![];
    for step in [20_000, 8192, 777] {
        let folder = TempDir::new().unwrap();
        let writes: Vec<_> = (0..20_000).step_by(step).map(|from| rows.slice(from, step.min(20_000 - from))).collect();
        write(&open(folder.path(), FileFormat::Parquet, rows.schema()), BATCH, &[&writes]);
        files.push(fs::read(folder.path().join("batch_time=1769860800500/part-00000.parquet")).unwrap());
    }
    assert!(files[0] == files[1] && files[1] == files[2]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(files.remove(0))).unwrap();
    let read: Vec<_> = reader.with_batch_size(20_000).build().unwrap().map(|batch| batch.unwrap()).collect();
    assert_eq!(read, [rows]);
}

#[test]
fn given_parts_when_committed_then_the_manifest_lists_those_that_have_rows() {
    let folder = TempDir::new().unwrap();
    let sink = open(folder.path(), FileFormat::Json, numbers(0..1).schema());
    write(&sink, BATCH, &[&[numbers(0..2)], &[], &[numbers(2..3), numbers(3..5)]]);
    let manifest = || fs::read_to_string(folder.path().join("batch_time=1769860800500/_manifest")).unwrap();
    let [first, last] =
        [r#"{"name":"part-00000.json","rows":2,"bytes":16}"#, r#"{"name":"part-00002.json","rows":3,"bytes":24}"#];
    assert_eq!(manifest(), format!("{{\"batch_time\":1769860800500,\"files\":[{first},{last}]}}\n"));
    // Run again, it lists what is there now.
    write(&sink, BATCH, &[&[numbers(0..2)]]);
    assert_eq!(manifest(), format!("{{\"batch_time\":1769860800500,\"files\":[{first}]}}\n"));
}

#[test]
fn given_a_batch_that_is_not_committed_when_read_then_there_is_nothing() {
    let folder = TempDir::new().unwrap();
    let sink = open(folder.path(), FileFormat::Json, numbers(0..1).schema());
    block_on(async {
        sink.begin(BATCH).await.unwrap();
        let mut part = sink.stage(BATCH, 0).await.unwrap();
        part.write(numbers(0..1)).await.unwrap();
        part.finish().await.unwrap();
    });
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, [STAGING]);

    // Staged again, with fewer parts.
    write(&sink, BATCH, &[&[numbers(5..6)]]);
    assert_eq!(tree(folder.path()), [("batch_time=1769860800500/part-00000.json".into(), "{\"n\":5}\n".into())]);
}

#[test]
fn given_a_task_of_an_earlier_attempt_that_still_writes_when_the_next_is_committed_then_nothing_of_it_is_seen() {
    let folder = TempDir::new().unwrap();
    let sink = open(folder.path(), FileFormat::Json, numbers(0..1).schema());
    block_on(async {
        sink.begin(BATCH).await.unwrap();
        let (mut begun, late) = (sink.stage(BATCH, 0).await.unwrap(), sink.stage(BATCH, 1).await.unwrap());
        begun.write(numbers(0..1)).await.unwrap();

        sink.begin(BATCH).await.unwrap();
        let mut now = sink.stage(BATCH, 0).await.unwrap();
        now.write(numbers(5..6)).await.unwrap();
        for mut earlier in [begun, late] {
            // What it finds there is gone; nobody asks it any more.
            let _ = earlier.write(numbers(1..2)).await;
            let _ = earlier.finish().await;
        }
        now.write(numbers(6..7)).await.unwrap();
        now.finish().await.unwrap();
        sink.commit(BATCH).await.unwrap();
    });
    let expected = ("batch_time=1769860800500/part-00000.json".into(), "{\"n\":5}\n{\"n\":6}\n".into());
    assert_eq!(tree(folder.path()), [expected]);
    let manifest = fs::read_to_string(folder.path().join("batch_time=1769860800500/_manifest")).unwrap();
    assert!(manifest.ends_with("\"files\":[{\"name\":\"part-00000.json\",\"rows\":2,\"bytes\":16}]}\n"), "{manifest}");
}

#[test]
fn given_a_batch_that_is_run_again_when_committed_then_it_takes_the_place_of_the_earlier() {
    let folder = TempDir::new().unwrap();
    let sink = open(folder.path(), FileFormat::Json, numbers(0..1).schema());
    write(&sink, BATCH, &[&[numbers(0..2)], &[numbers(2..3)]]);
    write(&sink, BATCH, &[&[numbers(7..8)]]);
    assert_eq!(tree(folder.path()), [("batch_time=1769860800500/part-00000.json".into(), "{\"n\":7}\n".into())]);
    // Another commit is one too many, and changes nothing.
    block_on(sink.commit(BATCH)).unwrap();
    assert_eq!(tree(folder.path()).len(), 1);
    // Without rows it goes away.
    write(&sink, BATCH, &[&[]]);
    assert_eq!(tree(folder.path()), []);
    assert!(!folder.path().join("batch_time=1769860800500").exists());
    write(&sink, BATCH, &[&[]]);
}

#[test]
fn given_a_file_system_that_cannot_exchange_when_replaced_then_the_old_folder_is_moved_away() {
    let folder = TempDir::new().unwrap();
    let [staged, visible, removed] = ["staged", "visible", "removed"].map(|name| folder.path().join(name));
    for (path, file) in [(&staged, "new"), (&visible, "old"), (&removed, "older")] {
        fs::create_dir(path).unwrap();
        fs::write(path.join(file), "").unwrap();
    }
    publish::move_away_and_rename(&staged, &visible, &removed).unwrap();
    let names: Vec<_> = tree(folder.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["removed/old", "visible/new"]);
}

#[test]
fn given_what_a_crash_left_in_staging_when_opened_then_it_is_cleared() {
    let folder = TempDir::new().unwrap();
    let left = folder.path().join(".staging/batch_time=1");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("part-00000.json"), "half").unwrap();
    open(folder.path(), FileFormat::Json, numbers(0..1).schema());
    assert!(!left.exists());
}

#[test]
fn given_a_folder_in_use_when_another_sink_opens_it_then_the_error_says_so_until_it_is_closed() {
    let folder = TempDir::new().unwrap();
    let schema = numbers(0..1).schema();
    let first = open(folder.path(), FileFormat::Json, schema.clone());
    let error = format!("{:#}", FilesSink::open(folder.path(), OWNER, FileFormat::Csv, schema.clone()).unwrap_err());
    assert!(error.contains(&folder.path().display().to_string()) && error.contains("another sink"), "{error}");
    drop(first);
    open(folder.path(), FileFormat::Csv, schema);
}

#[test]
fn given_places_that_cannot_be_written_when_used_then_the_error_names_the_path() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = format!("{:#}", FilesSink::open(&file, OWNER, FileFormat::Json, numbers(0..1).schema()).unwrap_err());
    assert!(error.contains(&file.display().to_string()), "{error}");
}

/// The kernel's stand-in for a full disk.
#[cfg(target_os = "linux")]
#[test]
fn given_a_full_disk_when_rows_are_written_then_each_format_fails_and_names_the_path() {
    for format in [FileFormat::Json, FileFormat::Csv, FileFormat::Parquet] {
        let mut part = Box::new(FilePart::new("/dev/full".into(), Parts::default(), format, numbers(0..1).schema()));
        let error = block_on(async {
            part.write(numbers(0..1)).await?;
            part.finish().await
        });
        let error = format!("{:#}", error.unwrap_err());
        assert!(error.starts_with("writing /dev/full: ") && error.contains("No space left"), "{format:?}: {error}");
    }
}

#[test]
fn given_a_folder_of_another_sink_when_opened_then_it_is_refused_until_that_gives_it_up() {
    let folder = TempDir::new().unwrap();
    let schema = numbers(0..1).schema();
    write(&open(folder.path(), FileFormat::Json, schema.clone()), BATCH, &[&[numbers(0..1)]]);
    let other = || FilesSink::open(folder.path(), "sink `a` of pipeline `b`", FileFormat::Json, schema.clone());
    let error = format!("{:#}", other().unwrap_err());
    let lock = folder.path().join(STAGING).join(LOCK);
    for told in [OWNER, "sink `a` of pipeline `b`", "a folder of its own", &lock.display().to_string()] {
        assert!(error.contains(told), "{error}");
    }
    open(folder.path(), FileFormat::Json, schema.clone());
    fs::remove_file(&lock).unwrap();
    other().unwrap();
    other().unwrap();
}

#[test]
fn given_a_batch_that_is_replaced_again_and_again_when_read_then_every_file_is_there_and_whole() {
    let folder = TempDir::new().unwrap();
    let sink = open(folder.path(), FileFormat::Json, numbers(0..1).schema());
    let version = |n: i64| numbers(n * 1000..n * 1000 + 500);
    write(&sink, BATCH, &[&[version(0)]]);
    let file = folder.path().join("batch_time=1769860800500/part-00000.json");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let text = fs::read_to_string(&file).unwrap();
                let first: i64 = text.lines().next().unwrap()[5..].trim_end_matches('}').parse().unwrap();
                let whole: String = (first..first + 500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
                assert_eq!(text, whole);
                seen.insert(first);
            }
            seen.len()
        });
        for n in 1..50 {
            write(&sink, BATCH, &[&[version(n)]]);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    assert_eq!(version(49).column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0), 49_000);
}
