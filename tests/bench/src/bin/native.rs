//! The same work as the pipelines', as a program in plain Rust: rayon, the standard library, and no framework.
//!
//! With `--tuned` the inner loops are written by hand, which shows how far there is to go.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use rayon::prelude::*;
use weir_bench::LINE;
use weir_bench::tuned::{Counts, Users};

/// Batches that a window has.
const WINDOW: usize = 30;

/// How much text a task has.
const PIECE: usize = 1 << 20;

/// The bytes of a user at the beginning of a line.
const USER: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Counts the lines that have a word in them.
    Grep,
    /// Counts words over a window that slides by a batch.
    WordCount,
    /// The ten most frequent of these.
    TopTen,
    /// Counts the lines of each user, from the beginning.
    KeyedCount,
}

/// Does the work, and prints each batch's seconds and the last one's answer, as JSON.
#[derive(Debug, Parser)]
struct Arguments {
    work: Work,
    /// The folder of the files with lines; when they are all read, it is begun again.
    folder: PathBuf,
    #[arg(long)]
    files_a_batch: usize,
    #[arg(long)]
    batches: usize,
    /// What `grep` searches for.
    #[arg(long, default_value = "")]
    needle: String,
    #[arg(long)]
    tuned: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut files: Vec<PathBuf> = fs::read_dir(&arguments.folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .with_context(|| arguments.folder.display().to_string())?;
    files.sort();
    let mut files = files.iter().cycle();
    let mut program = Program::new(&arguments);
    let mut seconds = Vec::new();
    let mut answer = String::new();
    for _ in 0..arguments.batches {
        let start = Instant::now();
        let files: Vec<&Path> = files.by_ref().take(arguments.files_a_batch).map(PathBuf::as_path).collect();
        answer = program.batch(&files)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    println!("{}", serde_json::json!({ "seconds": seconds, "answer": answer }));
    Ok(())
}

/// Reads a file into `text`, in place of what it had.
fn read(file: &Path, text: &mut Vec<u8>) -> Result<()> {
    text.clear();
    let read = File::open(file).and_then(|mut file| file.read_to_end(text));
    read.with_context(|| file.display().to_string())?;
    Ok(())
}

/// Files whose keys are counted where they lie.
fn read_all(files: &[&Path]) -> Result<Vec<Vec<u8>>> {
    files.par_iter().map(|file| fs::read(file).with_context(|| file.display().to_string())).collect()
}

/// Whole lines, about [`PIECE`] bytes of them.
fn pieces(mut text: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let reach = text.len().min(PIECE);
        let end = memrchr(b'\n', &text[..reach]).map_or(reach, |end| end + 1);
        let (piece, rest) = text.split_at(end);
        pieces.push(piece);
        text = rest;
    }
    pieces
}

/// What outlives a batch.
struct Program<'a> {
    arguments: &'a Arguments,
    totals: HashMap<String, i64>,
    /// The same by user, tuned.
    users: Users,
    window: VecDeque<HashMap<String, i64>>,
}

impl<'a> Program<'a> {
    fn new(arguments: &'a Arguments) -> Self {
        Self { arguments, totals: HashMap::new(), users: Users::default(), window: VecDeque::new() }
    }

    fn batch(&mut self, files: &[&Path]) -> Result<String> {
        match self.arguments.work {
            Work::Grep => self.grep(files),
            Work::WordCount => {
                let counts = self.counts(&read_all(files)?, words)?;
                self.slide(counts);
                Ok(format!("{} {}", self.totals.len(), self.totals.values().sum::<i64>()))
            }
            Work::TopTen => {
                let counts = self.counts(&read_all(files)?, words)?;
                self.slide(counts);
                let mut counts: Vec<_> = self.totals.iter().collect();
                counts.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
                let top = counts.iter().take(10).map(|(word, count)| format!("{word} {count}"));
                Ok(top.collect::<Vec<_>>().join("\n"))
            }
            Work::KeyedCount if self.arguments.tuned => self.count_users(files),
            Work::KeyedCount => {
                let counts = self.counts(&read_all(files)?, |line| line.get(..USER).into_iter())?;
                let (users, mut sum) = (counts.len(), 0);
                for (user, count) in counts {
                    let total = self.totals.entry(user).or_default();
                    *total += count;
                    sum += *total;
                }
                Ok(format!("{users} {sum}"))
            }
        }
    }

    fn grep(&self, files: &[&Path]) -> Result<String> {
        let needle = &self.arguments.needle;
        let finder = Finder::new(needle);
        let in_file = |text: &mut Vec<u8>, file: &&Path| {
            read(file, text)?;
            let lines = str::from_utf8(text)?;
            Ok(if self.arguments.tuned {
                // It has no newline; what is left of its line is passed over.
                let (mut at, mut found) = (0, 0);
                while let Some(place) = finder.find(&text[at..]) {
                    found += 1;
                    at += place + memchr(b'\n', &text[at + place..]).unwrap_or(text.len() - at - place);
                }
                found
            } else {
                lines.lines().filter(|line| line.contains(needle.as_str())).count()
            })
        };
        let found: Result<Vec<usize>> = files.par_iter().map_init(Vec::new, in_file).collect();
        Ok(found?.iter().sum::<usize>().to_string())
    }

    fn count_users(&mut self, files: &[&Path]) -> Result<String> {
        let in_file = |(mut users, mut text): (Users, Vec<u8>), file: &&Path| {
            read(file, &mut text)?;
            for line in text.chunks_exact(LINE) {
                users.add(u64::from_le_bytes(*line.first_chunk::<USER>().context("a line has room for a user")?), 1);
            }
            Ok::<_, anyhow::Error>((users, text))
        };
        // A table for each thread, and no more.
        let a_thread = files.len().div_ceil(rayon::current_num_threads());
        let counts = files.par_iter().with_min_len(a_thread).try_fold(Default::default, in_file);
        let counts = counts.map(|counted| counted.map(|(users, _)| users));
        let counts = counts.try_reduce(Users::default, |users, others| Ok(users.merge(others)))?;
        let sum: i64 = counts.iter().map(|(user, count)| self.users.add(user, count)).sum();
        Ok(format!("{} {sum}", counts.len()))
    }

    fn counts<'p, I>(&self, texts: &'p [Vec<u8>], keys: fn(&'p str) -> I) -> Result<HashMap<String, i64>>
    where
        I: Iterator<Item = &'p str>,
    {
        let pieces: Vec<&[u8]> = texts.iter().flat_map(|text| pieces(text)).collect();
        if self.arguments.tuned {
            let counts = pieces.par_iter().fold(Counts::default, |mut counts, piece| {
                counts.add_words(piece);
                counts
            });
            let counts = counts.reduce(Counts::default, Counts::merge);
            return counts.iter().map(|(key, count)| Ok((str::from_utf8(key)?.to_owned(), count))).collect();
        }
        let in_piece = |mut counts: HashMap<&'p str, i64>, piece: &&'p [u8]| {
            let keys = str::from_utf8(piece)?.lines().flat_map(keys);
            keys.for_each(|key| *counts.entry(key).or_default() += 1);
            Ok::<_, anyhow::Error>(counts)
        };
        let merged = |mut counts: HashMap<&'p str, i64>, others: HashMap<&'p str, i64>| {
            others.into_iter().for_each(|(key, count)| *counts.entry(key).or_default() += count);
            Ok(counts)
        };
        let counts = pieces.par_iter().try_fold(HashMap::new, in_piece).try_reduce(HashMap::new, merged)?;
        Ok(counts.into_iter().map(|(key, count)| (key.to_owned(), count)).collect())
    }

    /// Moves the window on by a batch.
    fn slide(&mut self, counts: HashMap<String, i64>) {
        for (word, count) in &counts {
            match self.totals.get_mut(word) {
                Some(total) => *total += count,
                None => _ = self.totals.insert(word.clone(), *count),
            }
        }
        self.window.push_back(counts);
        if self.window.len() > WINDOW {
            for (word, count) in self.window.pop_front().into_iter().flatten() {
                if let Some(total) = self.totals.get_mut(&word) {
                    *total -= count;
                    if *total == 0 {
                        self.totals.remove(&word);
                    }
                }
            }
        }
    }
}

fn words(line: &str) -> std::str::SplitAsciiWhitespace<'_> {
    line.split_ascii_whitespace()
}
