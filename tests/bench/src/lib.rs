//! The lines that engines are compared on: the same bytes on every machine, whatever its library of floating-point functions.
//!
//! A line has 100 bytes with its newline: words with one space between, as many as fit, then spaces. There are 10,000 words
//! of 3 to 12 letters, every tenth a hashtag; the word of rank r comes with a probability of 1 / r (Zipf's law). Lines of
//! users begin with `u` and seven digits, one of 1,000,000 users, who follow the same law.

pub mod tuned;

use std::collections::HashSet;
use std::io::{self, Write};

/// The bytes of a line, with its newline.
pub const LINE: usize = 100;
const WORDS: usize = 10_000;
const USERS: usize = 1_000_000;

/// Which lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Words alone.
    Words,
    /// A user, then words.
    Users,
}

/// An endless stream of lines.
#[derive(Debug)]
pub struct Lines {
    kind: Kind,
    random: Random,
    words: Vec<String>,
    word: Zipf,
    user: Zipf,
    line: Vec<u8>,
}

impl Lines {
    /// Those of a kind, from the first.
    pub fn new(kind: Kind) -> Self {
        let random = Random(match kind {
            Kind::Words => 1001,
            Kind::Users => 2002,
        });
        Self { kind, random, words: words(), word: Zipf::new(WORDS), user: Zipf::new(USERS), line: Vec::new() }
    }

    /// Writes the next one.
    pub fn write(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.line.clear();
        if self.kind == Kind::Users {
            // Scattered, so that a user's number says nothing about how frequent they are.
            let user = self.user.draw(&mut self.random) * 7_368_787 % USERS;
            write!(self.line, "u{user:07}")?;
        }
        loop {
            let word = &self.words[self.word.draw(&mut self.random)];
            let space = usize::from(!self.line.is_empty());
            if self.line.len() + space + word.len() >= LINE {
                break;
            }
            self.line.extend_from_slice(&b" "[..space]);
            self.line.extend_from_slice(word.as_bytes());
        }
        self.line.resize(LINE - 1, b' ');
        self.line.push(b'\n');
        to.write_all(&self.line)
    }
}

/// The word to search for: about one line in a hundred has it, and no other word has it within.
pub fn needle() -> String {
    let words = words();
    let alone = |word: &&String| words.iter().filter(|other| other.contains(word.as_str())).count() == 1;
    let plain = |word: &&String| word.len() >= 5 && !word.starts_with('#');
    words.iter().skip(104).filter(plain).find(alone).cloned().unwrap_or_default()
}

fn words() -> Vec<String> {
    let (mut random, mut seen, mut words) = (Random(42), HashSet::new(), Vec::new());
    while words.len() < WORDS {
        let length = 3 + random.next() % 10;
        let word: String = (0..length).map(|_| char::from(b'a' + (random.next() % 26) as u8)).collect();
        if seen.insert(word.clone()) {
            words.push(if words.len() % 10 == 3 { format!("#{word}") } else { word });
        }
    }
    words
}

/// Ranks, from 0, by Zipf's law.
#[derive(Debug)]
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(ranks: usize) -> Self {
        let mut sum = 0.0;
        Self(
            (1..=ranks)
                .map(|rank| {
                    sum += 1.0 / rank as f64;
                    sum
                })
                .collect(),
        )
    }

    fn draw(&self, random: &mut Random) -> usize {
        let last = self.0.len() - 1;
        let draw = (random.next() >> 11) as f64 / (1_u64 << 53) as f64 * self.0[last];
        self.0.partition_point(|&reach| reach <= draw).min(last)
    }
}

/// SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
