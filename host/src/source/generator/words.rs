//! Lines of words whose frequencies follow Zipf's law (s = 1), a tenth of the words hashtags: the text that word counts and
//! trending topics are tried on.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anyhow::Result;
use arrow::array::StringArray;
use arrow::buffer::{Buffer, OffsetBuffer};

use super::recipe::{GOLDEN, mix, unit};

/// The largest vocabulary; a larger one takes long to make and says nothing new.
pub(super) const MAX_VOCABULARY: usize = 1_000_000;
/// The words are the same whatever the generator's seed, as a language's are.
const VOCABULARY_SEED: u64 = 42;

/// Words by rank and how often each comes.
#[derive(Debug)]
struct Vocabulary {
    words: Vec<Box<[u8]>>,
    /// Sum of the weights of the words up to and with each.
    cumulative: Vec<f64>,
    /// For each of as many equal parts of the total weight, the first word that can be drawn in it.
    guide: Vec<u32>,
}

impl Vocabulary {
    /// Made once for each size: it takes longer than making a block of lines.
    fn of_size(size: usize) -> Arc<Self> {
        static MADE: LazyLock<Mutex<HashMap<usize, Arc<Vocabulary>>>> = LazyLock::new(Mutex::default);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.entry(size).or_insert_with(|| Arc::new(Self::make(size))))
    }

    fn make(size: usize) -> Self {
        let words = make_words(size);
        let cumulative: Vec<f64> = (1..=size)
            .scan(0.0, |sum, rank| {
                *sum += 1.0 / rank as f64;
                Some(*sum)
            })
            .collect();
        let total = cumulative.last().copied().unwrap_or(0.0);
        let parts = size.next_power_of_two();
        let guide = (0..parts)
            .map(|part| {
                let from = part as f64 / parts as f64 * total;
                // At most a million words.
                cumulative.partition_point(|c| *c <= from) as u32
            })
            .collect();
        Self { words, cumulative, guide }
    }

    /// The word whose share of the total weight holds the point `at`, of `0.0 .. 1.0`.
    fn word(&self, at: f64) -> &[u8] {
        let last = self.words.len() - 1;
        let weight = at * self.cumulative[last];
        let mut rank = self.guide[(at * self.guide.len() as f64) as usize] as usize;
        while rank < last && self.cumulative[rank] <= weight {
            rank += 1;
        }
        &self.words[rank.min(last)]
    }
}

/// Different words of 3 to 12 letters, each tenth with `#` before it.
fn make_words(size: usize) -> Vec<Box<[u8]>> {
    let mut random = Stream(VOCABULARY_SEED);
    let mut used = HashSet::new();
    let mut words = Vec::with_capacity(size);
    while words.len() < size {
        let letters = 3 + random.next() % 10;
        let word: Vec<u8> = (0..letters).map(|_| b'a' + (random.next() % 26) as u8).collect();
        if used.insert(word.clone()) {
            let hashtag = words.len() % 10 == 3;
            words.push(if hashtag { [b"#", &word[..]].concat().into() } else { word.into() });
        }
    }
    words
}

/// A sequence of random numbers: splitmix64.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        let random = mix(self.0);
        self.0 = self.0.wrapping_add(GOLDEN);
        random
    }
}

/// Makes lines of one length.
#[derive(Debug)]
pub(super) struct Lines {
    length: usize,
    vocabulary: Arc<Vocabulary>,
}

impl Lines {
    pub(super) fn new(length: usize, vocabulary: usize) -> Self {
        Self { length, vocabulary: Vocabulary::of_size(vocabulary.max(1)) }
    }

    /// A line for each seed: words, one space between, as long as they fit; then spaces up to the length.
    pub(super) fn make(&self, seeds: impl Iterator<Item = u64>) -> Result<StringArray> {
        let mut text = Vec::with_capacity(seeds.size_hint().0 * self.length);
        let mut lines = 0;
        for seed in seeds {
            self.append(Stream(seed), &mut text);
            lines += 1;
        }
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(self.length, lines));
        Ok(StringArray::try_new(offsets, Buffer::from_vec(text), None)?)
    }

    fn append(&self, mut random: Stream, text: &mut Vec<u8>) {
        let end = text.len() + self.length;
        let start = text.len();
        loop {
            let word = self.vocabulary.word(unit(random.next()));
            let space = usize::from(text.len() > start);
            if text.len() + space + word.len() > end {
                break;
            }
            if space == 1 {
                text.push(b' ');
            }
            text.extend_from_slice(word);
        }
        text.resize(end, b' ');
    }
}
