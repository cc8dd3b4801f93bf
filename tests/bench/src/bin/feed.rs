//! Sends lines to whoever connects, at a steady rate.
//!
//! Lines are made beforehand, so that sending them takes next to nothing. Each millisecond all that have become due are
//! sent. A line is due at its time whether or not the socket takes those before it: where the socket pushes back, lines
//! are late, and a mark, which bears the time at which it was due, tells by how much. The feeder ends at its time,
//! however far it is behind.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;
use weir_bench::{Kind, LINE, Lines};

/// How long there is between two slices.
const SLICE: Duration = Duration::from_millis(1);
/// The most lines of a slice, so that the end is not overslept.
const MOST: u64 = 10_000;
/// Lines that differ; then they come again.
const POOL: u64 = 200_000;
/// How long the socket may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints where it listens, sends lines to the first who connects, and prints what came of it, as JSON: how many rows
/// were offered and how many the socket took, and by how many milliseconds the latest line was late.
#[derive(Debug, Parser)]
struct Arguments {
    kind: Kind,
    /// Lines a second
    #[arg(long)]
    rate: f64,
    #[arg(long)]
    seconds: f64,
    /// One of so many lines is a mark: an @, and the microseconds since 1970 at which it was due
    #[arg(long)]
    mark_every: Option<u64>,
    /// Where to write how often each word was sent
    #[arg(long)]
    words: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Arguments { kind, rate, seconds, mark_every, words } = Arguments::parse();
    let (mut lines, mut pool) = (Lines::new(kind), Vec::new());
    (0..POOL).try_for_each(|_| lines.write(&mut pool))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    stdout().flush()?;
    let (connection, _) = listener.accept()?;
    // Whoever connects again finds nobody.
    drop(listener);
    let feed = Feed { pool, rate, mark_every };
    let (sent, late) = feed.send(connection, Duration::from_secs_f64(seconds))?;
    if let Some(path) = words {
        feed.write_words(sent, &path).with_context(|| path.display().to_string())?;
    }
    println!("{}", json!({"offered": (rate * seconds) as u64, "rows": sent, "late_ms": late.as_secs_f64() * 1e3}));
    Ok(())
}

struct Feed {
    /// Lines one after the other, all of one length.
    pool: Vec<u8>,
    rate: f64,
    mark_every: Option<u64>,
}

impl Feed {
    /// Sends what becomes due in this time: how many lines, and by how much the latest was late.
    fn send(&self, mut connection: TcpStream, time: Duration) -> Result<(u64, Duration)> {
        connection.set_nodelay(true)?;
        connection.set_write_timeout(Some(PATIENCE))?;
        let (mut slice, mut sent, mut late) = (Vec::new(), 0, Duration::ZERO);
        let (begun, wall) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?);
        loop {
            let elapsed = begun.elapsed();
            let due = (elapsed.min(time).as_secs_f64() * self.rate) as u64;
            let until = due.min(sent + MOST);
            slice.clear();
            for number in sent..until {
                self.line(number, wall + self.due(number), &mut slice)?;
            }
            connection.write_all(&slice).context("the socket took nothing for a minute, or is closed")?;
            if sent < until {
                late = late.max(begun.elapsed().saturating_sub(self.due(sent)));
            }
            sent = until;
            if elapsed >= time {
                return Ok((sent, late));
            }
            if sent == due {
                sleep(SLICE);
            }
        }
    }

    /// When a line is due, from the beginning.
    fn due(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }

    fn is_mark(&self, number: u64) -> bool {
        self.mark_every.is_some_and(|every| (number + 1).is_multiple_of(every))
    }

    /// The place of a line in the pool.
    fn place(number: u64) -> usize {
        (number % POOL) as usize * LINE
    }

    fn line(&self, number: u64, due: Duration, to: &mut Vec<u8>) -> Result<()> {
        if self.is_mark(number) {
            writeln!(to, "@{:<width$}", due.as_micros(), width = LINE - 2)?;
        } else {
            to.extend_from_slice(&self.pool[Self::place(number)..][..LINE]);
        }
        Ok(())
    }

    /// Writes how often each word was in the first lines, but for marks: `WORD,COUNT` lines.
    fn write_words(&self, sent: u64, path: &Path) -> Result<()> {
        let mut times = vec![0_u64; self.pool.len() / LINE];
        for number in (0..sent).filter(|&number| !self.is_mark(number)) {
            times[Self::place(number) / LINE] += 1;
        }
        let mut words = BTreeMap::<&str, u64>::new();
        for (line, times) in self.pool.chunks(LINE).zip(times) {
            for word in str::from_utf8(line)?.split_ascii_whitespace() {
                *words.entry(word).or_default() += times;
            }
        }
        let mut out = BufWriter::new(File::create(path)?);
        for (word, count) in words.into_iter().filter(|(_, count)| *count > 0) {
            writeln!(out, "{word},{count}")?;
        }
        Ok(out.flush()?)
    }
}
