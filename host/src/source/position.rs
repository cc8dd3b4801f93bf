//! How far a re-readable source has come, in a form that outlives the host.
//!
//! A cut says what it has changed ([`Moved`]), which stays small however many files a folder has; a checkpoint holds all of
//! it ([`Position`]), which is what a source goes on from.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::time::BatchTime;

/// What one cut changes in a source's position.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moved {
    /// Nothing: what was received cannot be received again.
    #[default]
    Nowhere,
    /// Of a source of numbered rows.
    Rows(RowsPosition),
    /// Of a file or folder.
    Files(FilesMoved),
}

/// How far a source has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// Nothing was cut yet, or nothing can be read again.
    #[default]
    Start,
    /// Of a source of numbered rows.
    Rows(RowsPosition),
    /// Of a file or folder.
    Files(FilesPosition),
}

impl Position {
    /// The position after a cut that moved it so.
    pub fn follow(&mut self, moved: &Moved) {
        match (self, moved) {
            (_, Moved::Nowhere) => {}
            (Self::Files(position), Moved::Files(moved)) => position.follow(moved),
            (position, Moved::Rows(rows)) => *position = Self::Rows(*rows),
            (position, Moved::Files(moved)) => {
                let mut files = FilesPosition::default();
                files.follow(moved);
                *position = Self::Files(files);
            }
        }
    }
}

/// How far a source of numbered rows has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsPosition {
    /// The first batch, from which the rate counts.
    pub first: Option<BatchTime>,
    /// The next row.
    pub next: u64,
}

/// How far the reading of a file or folder has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesPosition {
    /// The first batch, from which a rate counts.
    pub first: Option<BatchTime>,
    /// Rows that a rate counts as given so far.
    pub given: u64,
    /// Files that were found and are still there; they are not taken again.
    pub seen: BTreeSet<PathBuf>,
    /// Files that are still to be opened, in this order.
    pub pending: VecDeque<PathBuf>,
    /// The file of which not everything has been given.
    pub current: Option<FilePlace>,
}

/// What one cut changes in a [`FilesPosition`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesMoved {
    /// The first batch, from which a rate counts.
    pub first: Option<BatchTime>,
    /// Rows that a rate counts as given so far.
    pub given: u64,
    /// Files that were found, in the order in which they will be read.
    pub found: Vec<PathBuf>,
    /// Files that have gone.
    pub gone: Vec<PathBuf>,
    /// How many files were opened, or passed over, being empty.
    pub opened: usize,
    /// The file of which not everything has been given.
    pub current: Option<FilePlace>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlace {
    /// The file.
    pub path: PathBuf,
    /// Where the next record starts, in bytes.
    pub at: u64,
    /// How long the file was when it was opened: what is written behind that is not read.
    pub length: u64,
}

impl FilesPosition {
    fn follow(&mut self, moved: &FilesMoved) {
        for gone in &moved.gone {
            self.seen.remove(gone);
        }
        self.seen.extend(moved.found.iter().cloned());
        self.pending.extend(moved.found.iter().cloned());
        self.pending.drain(..moved.opened.min(self.pending.len()));
        (self.first, self.given) = (moved.first, moved.given);
        self.current.clone_from(&moved.current);
    }
}
