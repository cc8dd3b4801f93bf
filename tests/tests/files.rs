//! The files sink: batches as folders that appear whole, in every format.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use serde_json::{Value, json};
use weir_tests::output::{MANIFEST, row, staged};
use weir_tests::{Folder, each};

/// Three batches of orders, the second without rows that pass.
fn pipeline(format: &str) -> String {
    format!(
        r#"
        [sources.orders]
        type = "file"
        path = "orders.jsonl"
        format = "json"
        rate = "2/s"
        schema = {{ id = "int64", item = "utf8", price = "float64", paid = "boolean", at = "timestamp" }}
        [operators.cheap]
        sql = "SELECT * FROM orders WHERE price < 100"
        inputs = ["orders"]
        [sinks.out]
        type = "files"
        path = "deep/er/out"
        format = "{format}"
        inputs = ["cheap"]
        "#
    )
}

const ORDERS: &str = r#"{"id": 1, "item": "tea, \"green\"", "price": 2.5, "paid": true, "at": "2026-01-31T12:00:00Z"}
{"id": 2, "item": null, "price": 0.1}
{"id": 3, "item": "car", "price": 20000}
{"id": 4, "item": "house", "price": 300000.0}
{"id": 5, "item": "naïve\nline", "price": -1, "paid": false, "at": 1769860800000000}
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("orders.jsonl", ORDERS);
    folder
}

/// The files that were written. Each folder's manifest lists its own.
fn names(folder: &Folder) -> Vec<String> {
    let tree = folder.tree("deep/er/out");
    let (manifests, parts): (Vec<_>, Vec<_>) = tree.0.iter().partition(|(path, _)| path.ends_with(MANIFEST));
    let listed = manifests.into_iter().flat_map(|(path, text)| {
        let manifest: Value = serde_json::from_slice(text).unwrap();
        let folder = path.parent().unwrap().to_owned();
        assert_eq!(folder.display().to_string(), format!("batch_time={}", manifest["batch_time"]));
        let files = manifest["files"].as_array().unwrap().clone();
        files.into_iter().map(move |file| (folder.join(file["name"].as_str().unwrap()), file["bytes"].clone()))
    });
    let listed: Vec<_> = listed.collect();
    let written: Vec<_> = parts.iter().map(|(path, bytes)| ((*path).clone(), json!(bytes.len()))).collect();
    assert_eq!(listed, written);
    parts.into_iter().map(|(path, _)| path.display().to_string()).collect()
}

#[test]
fn given_json_when_batches_are_written_then_every_row_has_every_column() {
    let folder = folder();
    folder.run_once(&pipeline("json")).ok();
    assert_eq!(names(&folder), ["batch_time=1000/part-00000.json", "batch_time=3000/part-00000.json"]);
    let batches = folder.batches("deep/er/out");
    let at = "2026-01-31T12:00:00Z";
    let first = [
        json!({"id": 1, "item": "tea, \"green\"", "price": 2.5, "paid": true, "at": at}),
        json!({"id": 2, "item": null, "price": 0.1, "paid": null, "at": null}),
    ];
    assert_eq!(batches.0[&1000], first.map(row));
    let last = json!({"id": 5, "item": "naïve\nline", "price": -1.0, "paid": false, "at": at});
    assert_eq!(batches.0[&3000], [row(last)]);
}

#[test]
fn given_csv_when_batches_are_written_then_each_file_has_a_header_and_quotes_where_needed() {
    let folder = folder();
    folder.run_once(&pipeline("csv")).ok();
    assert_eq!(names(&folder), ["batch_time=1000/part-00000.csv", "batch_time=3000/part-00000.csv"]);
    let first = "id,item,price,paid,at\n1,\"tea, \"\"green\"\"\",2.5,true,2026-01-31T12:00:00Z\n2,,0.1,,\n";
    assert_eq!(folder.read("deep/er/out/batch_time=1000/part-00000.csv"), first);
    let last = "id,item,price,paid,at\n5,\"naïve\nline\",-1.0,false,2026-01-31T12:00:00Z\n";
    assert_eq!(folder.read("deep/er/out/batch_time=3000/part-00000.csv"), last);
}

#[test]
fn given_csv_that_was_written_when_it_is_read_again_then_the_rows_are_the_same() {
    let folder = folder();
    folder.run_once(&pipeline("csv")).ok();
    let again = r#"
        [sources.written]
        type = "file"
        path = "deep/er/out/batch_time=1000"
        format = "csv"
        schema = { id = "int64", item = "utf8", price = "float64", paid = "boolean", at = "timestamp" }
        [sinks.again]
        type = "files"
        path = "again"
        format = "csv"
        inputs = ["written"]
    "#;
    folder.write("again.toml", again);
    folder.weir(&["run", "--once", "again.toml"]).ok();
    let written = folder.read("deep/er/out/batch_time=1000/part-00000.csv");
    assert_eq!(folder.read("again/batch_time=1000/part-00000.csv"), written);
}

#[test]
fn given_parquet_when_batches_are_written_then_each_file_is_whole() {
    let folder = folder();
    folder.run_once(&pipeline("parquet")).ok();
    assert_eq!(names(&folder), ["batch_time=1000/part-00000.parquet", "batch_time=3000/part-00000.parquet"]);
    for path in names(&folder) {
        let bytes = &folder.tree("deep/er/out").0[std::path::Path::new(&path)];
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1") && bytes.len() > 500);
    }
}

#[test]
fn given_a_run_when_it_is_repeated_then_its_batches_are_replaced_and_nothing_is_left_in_staging() {
    each(["json", "csv", "parquet"], |format| {
        let folder = folder();
        folder.run_once(&pipeline(format)).ok();
        let first = folder.tree("deep/er/out");
        assert_eq!(staged(&folder.path("deep/er/out")), Vec::<String>::new());
        folder.run_once(&pipeline(format)).ok();
        assert_eq!(folder.tree("deep/er/out"), first);

        // Other rows in the first batch.
        folder.write("orders.jsonl", "{\"id\": 9, \"price\": 1.0}\n");
        folder.run_once(&pipeline(format)).ok();
        let now = folder.tree("deep/er/out");
        let replaced = format!("batch_time=1000/part-00000.{format}");
        assert_ne!(now.0[std::path::Path::new(&replaced)], first.0[std::path::Path::new(&replaced)]);
        assert_eq!(staged(&folder.path("deep/er/out")), Vec::<String>::new());
    });
}

#[test]
fn given_a_batch_that_fails_when_run_again_without_the_cause_then_staging_is_cleared() {
    let folder = Folder::new();
    let pipeline = |policy: &str| {
        format!(
            "[sources.lines]\ntype = \"file\"\npath = \"lines.txt\"\nrate = \"1/s\"\n\
             [operators.picky]\ntransform = \"picky@0.1.0\"\ninputs = [\"lines\"]\non_reject = \"{policy}\"\n\
             [sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"picky\", \"lines\"]\n"
        )
    };
    folder.write("lines.txt", "good\npoison\ngood\n");
    folder.run_once(&pipeline("fail")).refused(&["poison"]);
    assert_eq!(folder.batches("out").0.into_keys().collect::<Vec<_>>(), [1000], "batches before the bad one stand");
    folder.run_once(&pipeline("skip")).ok();
    let lines: Vec<usize> = folder.batches("out").0.values().map(Vec::len).collect();
    assert_eq!(lines, [2, 1, 2]);
    assert_eq!(staged(&folder.path("out")), Vec::<String>::new());
}

#[test]
fn given_stdout_sinks_when_run_then_each_batch_is_printed_when_it_is_committed() {
    let stdout = |format: &str| {
        let folder = folder();
        let sink = format!("type = \"stdout\"\nformat = \"{format}\"");
        let pipeline = pipeline("json")
            .replace("type = \"files\"\n        path = \"deep/er/out\"\n        format = \"json\"", &sink);
        folder.run_once(&pipeline).ok().stdout
    };
    let json = stdout("json");
    let ids: Vec<u64> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a row"))
        .map(|row| row["id"].as_u64().expect("a number"))
        .collect();
    assert_eq!(ids, [1, 2, 5]);
    let table = stdout("table");
    assert!(table.starts_with("-- batch 1970-01-01T00:00:01.000Z (2 rows)\n+----+"), "{table}");
    assert!(
        table.contains("-- batch 1970-01-01T00:00:02.000Z (0 rows)\n-- batch 1970-01-01T00:00:03.000Z (1 row)\n"),
        "{table}"
    );
    assert!(table.contains("| id | item"), "{table}");
}

#[test]
fn given_folders_that_cannot_be_written_when_run_then_the_message_names_them() {
    let folder = folder();
    folder.write("deep", "a file is in the way");
    folder.run_once(&pipeline("json")).refused(&["sink `out`", "deep/er/out"]);
}
