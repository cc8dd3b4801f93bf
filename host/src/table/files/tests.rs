//! Files in every format, whole and broken, to contents.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow::array::{ArrayRef, BinaryArray, Date32Array, Int32Array, ListArray, StringViewArray, UInt64Array};
use arrow::datatypes::Int64Type;
use arrow::util::pretty::pretty_format_batches;
use indexmap::IndexMap;

use super::*;
use crate::pipeline::TableFormat;
use crate::rows::{ColumnType, describe};

fn spec(path: &Path, format: TableFormat, schema: &[(&str, ColumnType)]) -> TableSpec {
    let columns: IndexMap<String, ColumnType> = schema.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    let schema = Some(columns).filter(|columns| !columns.is_empty());
    TableSpec { path: path.to_owned(), format, schema, refresh: Default::default() }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
}

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

/// The columns, and the cells of all rows.
fn shown(contents: &Contents) -> (String, Vec<String>) {
    let table = pretty_format_batches(contents.rows()).unwrap().to_string();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
    let cells =
        |line: &str| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ");
    (describe(contents.schema()), rows.map(cells).collect())
}

fn failure(spec: &TableSpec, known: Option<&SchemaRef>) -> String {
    format!("{:#}", read(spec, known).unwrap_err())
}

#[tokio::test]
async fn a_file_or_the_files_of_a_folder_in_the_order_of_their_names() {
    let (int, utf8) = (ColumnType::Int64, ColumnType::Utf8);
    for (format, declared, files, expected) in [
        (TableFormat::Text, vec![], vec![("b", "two\n"), ("a", "one\n")], ("line utf8", vec!["one", "two"])),
        (
            TableFormat::Csv,
            vec![],
            vec![("b.csv", "u,n\nbob,2\n"), ("a.csv", "u,n\nann,1\n"), (".c.csv", "u,n\nhalf"), ("d.csv.tmp", "half")],
            ("u utf8?, n int64?", vec!["ann 1", "bob 2"]),
        ),
        (
            TableFormat::Json,
            vec![("u", utf8), ("n", int)],
            vec![("1", "{\"u\":\"ann\",\"n\":1}\n"), ("2", ""), ("3", "{\"n\":3,\"u\":\"cyd\"}")],
            ("u utf8?, n int64?", vec!["ann 1", "cyd 3"]),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &files);
        let (contents, _) = read(&spec(folder.path(), format, &declared), None).unwrap();
        let (columns, rows) = shown(&contents);
        assert_eq!((columns.as_str(), rows), (expected.0, expected.1.into_iter().map(str::to_owned).collect()));
    }
}

#[tokio::test]
async fn parquet_comes_in_the_six_types_whatever_the_order_of_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let name: ArrayRef = Arc::new(StringViewArray::from(vec![Some("ann"), None]));
    let day: ArrayRef = Arc::new(Date32Array::from(vec![0, 1]));
    let count: ArrayRef = Arc::new(UInt64Array::from(vec![7, 8]));
    write_parquet(
        &folder.path().join("a.parquet"),
        vec![("name", name.clone()), ("n", count.clone()), ("day", day.clone())],
    );
    write_parquet(&folder.path().join("b.parquet"), vec![("day", day), ("name", name), ("n", count)]);
    let (contents, _) = read(&spec(folder.path(), TableFormat::Parquet, &[]), None).unwrap();
    let (columns, rows) = shown(&contents);
    assert_eq!(columns, "name utf8?, n int64, day timestamp");
    let two = ["ann 7 1970-01-01T00:00:00Z", "8 1970-01-02T00:00:00Z"];
    assert_eq!(rows, [two, two].concat());
}

#[tokio::test]
async fn an_empty_folder_is_an_empty_table_where_the_columns_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let declared = spec(folder.path(), TableFormat::Csv, &[("n", ColumnType::Int64)]);
    let (contents, _) = read(&declared, None).unwrap();
    assert_eq!(shown(&contents), ("n int64?".to_owned(), vec![]));

    let place = folder.path().display();
    assert_eq!(
        failure(&spec(folder.path(), TableFormat::Csv, &[]), None),
        format!("{place} holds no rows to tell the columns from: declare them in `schema`")
    );
    let parquet = spec(folder.path(), TableFormat::Parquet, &[]);
    assert_eq!(
        failure(&parquet, None),
        format!("there is no Parquet file in {place} to tell the columns from: put one there, without rows if need be")
    );
    let (contents, _) = read(&parquet, Some(contents.schema())).unwrap();
    assert!(contents.rows().is_empty());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_by_its_file_and_place() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.csv", "n\n1\n2\n"), ("b.csv", "n\n3\nmany\n")]);
    let error = failure(&spec(folder.path(), TableFormat::Csv, &[("n", ColumnType::Int64)]), None);
    assert!(error.starts_with(&format!("record 2 of {}", folder.path().join("b.csv").display())), "{error}");
    assert!(error.contains("\n  the record: many\n"), "{error}");
}

#[tokio::test]
async fn parquet_that_cannot_be_a_table_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let lists: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1)]), Some(vec![])]));
    let huge: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"x"[..]]));
    let known: SchemaRef = declared_schema(&IndexMap::from([("n".to_owned(), ColumnType::Int64)]));
    for (column, known, expected) in [
        (("l", lists), None, "column `l` has type List(Int64), which a table cannot have"),
        (("n", huge), None, "column `n`: Cast error: Can't cast value 18446744073709551615 to type Int64"),
        (("n", bytes), Some(&known), "its columns are n binary, but the table's are n int64?"),
        (
            ("m", Arc::new(Int32Array::from(vec![1])) as ArrayRef),
            Some(&known),
            "its columns are m int64, but the table's",
        ),
    ] {
        let file = folder.path().join("t.parquet");
        write_parquet(&file, vec![column]);
        let error = failure(&spec(&file, TableFormat::Parquet, &[]), known);
        assert!(error.starts_with(&format!("reading {} as Parquet: ", file.display())), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    let file = folder.path().join("half.parquet");
    fs::write(&file, "PAR1 and no more").unwrap();
    let error = failure(&spec(&file, TableFormat::Parquet, &[]), None);
    assert!(error.starts_with(&format!("reading {} as Parquet: ", file.display())), "{error}");
}

#[test]
fn a_fingerprint_tells_size_time_and_inode() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.csv");
    let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let touch =
        |path: &Path, seconds| File::options().write(true).open(path).unwrap().set_modified(at(seconds)).unwrap();
    fs::write(&file, "n\n1\n").unwrap();
    touch(&file, 1);
    let first = Fingerprint::of(folder.path()).unwrap();
    assert_eq!(Fingerprint::of(folder.path()).unwrap(), first);
    touch(&file, 2);
    let touched = Fingerprint::of(folder.path()).unwrap();
    assert_ne!(touched, first);
    // The same size and time, but another file.
    let other = folder.path().join(".t.csv");
    fs::write(&other, "n\n2\n").unwrap();
    touch(&other, 2);
    fs::rename(&other, &file).unwrap();
    let renamed = Fingerprint::of(folder.path()).unwrap();
    assert_ne!(renamed, touched);
    fs::write(folder.path().join("u.csv"), "").unwrap();
    assert_ne!(Fingerprint::of(folder.path()).unwrap(), renamed);
}
