//! The input of `throughput`, and the same work as a program for that one purpose: std only, one thread.
//!
//! `native lines COUNT FILE` writes the lines; `native grep WORD FILE`, `native count FILE` and `native top FILE` print
//! what the pipelines should find.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

const LINE: usize = 100;
const VOCABULARY: usize = 10_000;

/// The word that about every hundredth line has: a line has 11 words, and the word of rank r comes with probability
/// 1 / (9.8 r).
const NEEDLE: (usize, &str) = (113, "needle");

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["lines", count, path] => lines(count.parse().expect("a number"), File::create(path)?),
        ["grep", word, path] => grep(word, File::open(path)?),
        ["count", path] => {
            let counts = counts(File::open(path)?)?;
            println!("{} {}", counts.len(), counts.values().sum::<u64>());
            Ok(())
        }
        ["top", path] => {
            let mut counts: Vec<_> = counts(File::open(path)?)?.into_iter().collect();
            counts.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
            counts.iter().take(10).for_each(|(word, count)| println!("{word} {count}"));
            Ok(())
        }
        _ => panic!("native lines COUNT FILE | grep WORD FILE | count FILE | top FILE"),
    }
}

fn grep(word: &str, file: File) -> io::Result<()> {
    let (mut lines, mut line, mut found) = (BufReader::new(file), String::new(), 0_u64);
    while lines.read_line(&mut line)? > 0 {
        found += u64::from(line.contains(word));
        line.clear();
    }
    println!("{found}");
    Ok(())
}

fn counts(file: File) -> io::Result<HashMap<String, u64>> {
    let (mut lines, mut line, mut counts) = (BufReader::new(file), String::new(), HashMap::new());
    while lines.read_line(&mut line)? > 0 {
        for word in line.split_ascii_whitespace() {
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(word.to_owned(), 1);
                }
            }
        }
        line.clear();
    }
    Ok(counts)
}

/// Lines of words whose frequencies follow Zipf's law, padded with spaces; each is 100 bytes with its newline.
fn lines(count: u64, file: File) -> io::Result<()> {
    let mut random = Random(42);
    let mut words: Vec<String> = (0..VOCABULARY).map(|_| random.word()).collect();
    words[NEEDLE.0 - 1] = NEEDLE.1.to_owned();
    let mut total = 0.0;
    let reach: Vec<f64> = (1..=VOCABULARY)
        .map(|rank| {
            total += 1.0 / rank as f64;
            total
        })
        .collect();
    let (mut out, mut line) = (BufWriter::new(file), String::new());
    for _ in 0..count {
        loop {
            let draw = random.next() as f64 / u64::MAX as f64 * total;
            let word = &words[reach.partition_point(|&reach| reach < draw).min(VOCABULARY - 1)];
            if line.len() + word.len() + 1 > LINE - 1 {
                break;
            }
            line.push_str(word);
            line.push(' ');
        }
        writeln!(out, "{line:width$}", width = LINE - 1)?;
        line.clear();
    }
    out.flush()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn word(&mut self) -> String {
        let length = 3 + self.next() % 10;
        (0..length).map(|_| char::from(b'a' + (self.next() % 26) as u8)).collect()
    }
}
