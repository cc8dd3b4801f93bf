//! What hosts leave behind: files of sinks, and dead letters.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// A row, as JSON has it.
pub type Row = Map<String, Value>;

/// Files by their path under a root, with their bytes. What begins with a dot is not visible, and not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<PathBuf, Vec<u8>>);

impl Tree {
    /// Everything visible under `root`; nothing where there is no such folder.
    pub fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        tree.add(root, Path::new(""));
        tree
    }

    fn add(&mut self, folder: &Path, relative: &Path) {
        let Ok(listing) = fs::read_dir(folder) else { return };
        for entry in listing.map(|entry| entry.expect("an entry")) {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let (path, relative) = (entry.path(), relative.join(&name));
            if path.is_dir() {
                self.add(&path, &relative);
            } else {
                self.0.insert(relative, fs::read(&path).expect("a file can be read"));
            }
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a files sink has under staging, beside its lock: nothing, between two batches.
pub fn staged(sink: &Path) -> Vec<String> {
    let Ok(listing) = fs::read_dir(sink.join(".staging")) else { return Vec::new() };
    let names = listing.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "lock").collect()
}

/// The file that lists the parts of a batch.
pub const MANIFEST: &str = "_manifest";

/// Rows by batch time, in the order of parts and lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batches(pub BTreeMap<u64, Vec<Row>>);

impl Batches {
    /// The rows under `batch_time=MILLIS/part-NUMBER.EXTENSION`.
    pub fn of(tree: &Tree) -> Self {
        let mut batches = Self::default();
        for (path, bytes) in &tree.0 {
            let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
            let [folder, part] = &names[..] else { panic!("{} is not in a batch's folder", path.display()) };
            if part == MANIFEST {
                continue;
            }
            assert!(part.starts_with("part-"), "{} is no part of a batch", path.display());
            let time = folder.strip_prefix("batch_time=").and_then(|time| time.parse().ok());
            let time: u64 = time.unwrap_or_else(|| panic!("{folder} is not a batch's folder"));
            batches.0.entry(time).or_default().extend(rows(bytes));
        }
        batches
    }

    /// The rows of `MILLIS.jsonl`.
    pub(crate) fn of_letters(tree: &Tree) -> Self {
        let letters = tree.0.iter().map(|(path, bytes)| {
            let time = path.to_string_lossy().strip_suffix(".jsonl").and_then(|time| time.parse().ok());
            (time.unwrap_or_else(|| panic!("{} is not a batch's dead letters", path.display())), rows(bytes))
        });
        Self(letters.collect())
    }

    /// The rows of all batches, one after the other.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.values().flatten()
    }

    /// A column of all batches.
    pub fn column(&self, name: &str) -> Vec<&Value> {
        self.rows().map(|row| row.get(name).unwrap_or_else(|| panic!("a row without `{name}`: {row:?}"))).collect()
    }
}

/// An object a line.
fn rows(bytes: &[u8]) -> Vec<Row> {
    let text = std::str::from_utf8(bytes).expect("JSON is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("not a row ({e}): {line}"))).collect()
}

/// A row from a `json!` object.
pub fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        other => panic!("not an object: {other}"),
    }
}

/// Rows in an order that tells nothing but what there is.
pub fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_cached_key(|row| Value::Object(row.clone()).to_string());
    rows
}
