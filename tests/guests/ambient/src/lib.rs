//! Asks for all that an operator is not given: clocks, randomness, environment, files, an exit. Built for targets whose
//! standard library turns to WASI for it.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

use weir_guest::Record;

/// What to ask for.
#[derive(Record, Debug)]
pub struct Question<'a> {
    /// The name of it.
    pub line: &'a str,
}

/// What came of it.
#[derive(Record, Debug, PartialEq)]
pub struct Answer {
    /// In words.
    pub answer: String,
}

/// Asks.
///
/// # Panics
/// If asked to.
#[weir_guest::map(keep = all)]
pub fn ambient(question: Question<'_>) -> Result<Answer, String> {
    let answer = match question.line {
        "clock" => millis(),
        "elapsed" => elapsed(|| assert_eq!((0..100_000_u64).map(std::hint::black_box).max(), Some(99_999))),
        "sleep" => elapsed(|| std::thread::sleep(Duration::from_secs(3600))),
        "random" => RandomState::new().hash_one(0).to_string(),
        "environment" => format!("{} {}", std::env::vars().count(), std::env::args().count()),
        "file" => std::fs::read("/etc/hostname").map_or_else(|error| error.kind().to_string(), |_| "read".to_owned()),
        "stdin" => std::io::stdin().lines().count().to_string(),
        "print" => {
            println!("printed to standard output");
            eprintln!("printed to standard error");
            "printed".to_owned()
        }
        "exit" => std::process::exit(3),
        "abort" => {
            eprintln!("Traceback (most recent call last):");
            eprintln!("  somewhere");
            eprintln!("ValueError: what a language prints before it gives up");
            std::process::abort()
        }
        "panic" => panic!("asked to panic"),
        other => return Err(format!("`{other}` is nothing to ask for")),
    };
    Ok(Answer { answer })
}

fn millis() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or_else(|error| error.to_string(), |since| since.as_millis().to_string())
}

fn elapsed(work: impl FnOnce()) -> String {
    let start = Instant::now();
    work();
    start.elapsed().as_millis().to_string()
}

#[cfg(test)]
#[test]
fn what_is_nothing_to_ask_for_is_rejected() -> Result<(), String> {
    let answer = weir_guest::testing::transform::<ambient>().run([Question { line: "weather" }])?;
    assert_eq!(answer.rejects(), [(0, "`weather` is nothing to ask for".to_owned())]);
    Ok(())
}
