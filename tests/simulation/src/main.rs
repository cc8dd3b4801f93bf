//! The driver under simulated faults: many lives of one host in one process, on a disk, a store of checkpoints, sources,
//! sinks and a clock that all follow from a seed. No real time passes.
//!
//! `simulate --seeds N [--seed FIRST]`; the last line is `seeds N differing N`.
//!
//! - [`family`]: the pipelines.
//! - [`plan`]: what a seed has in store.
//! - [`life`]: a host from its start to its end.
//! - [`world`]: what outlives it: [`checkpoints`], [`sink`], and the [`receiver`] of what clients send.
//! - [`story`]: all lives of a seed, and what must be true at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a simulation that cannot set up its case should fail there"
)]

mod checkpoints;
mod family;
mod life;
mod plan;
mod receiver;
mod sink;
mod story;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use family::Family;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut seeds, mut first) = (500, 1);
    while let Some(arg) = args.next() {
        let number = args.next().and_then(|value| value.parse::<u64>().ok());
        match (&*arg, number) {
            ("--seeds", Some(number)) => seeds = number,
            ("--seed", Some(number)) => first = number,
            _ => {
                eprintln!("usage: simulate --seeds N [--seed FIRST]");
                return ExitCode::from(2);
            }
        }
    }
    run(first, seeds)
}

fn run(first: u64, seeds: u64) -> ExitCode {
    let begun = Instant::now();
    let family = Family::new();
    let next = AtomicU64::new(first);
    let wrong = Mutex::new(Vec::<(u64, String)>::new());
    let faults = Mutex::new(story::Counts::default());
    let work = || {
        let ground = world::Paths::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                break;
            }
            let told = catch_unwind(AssertUnwindSafe(|| story::tell(&family, &ground, seed, seeds == 1)));
            match told {
                Ok(Ok(counts)) => faults.lock().expect("no panic").add(&counts),
                Ok(Err(error)) => wrong.lock().expect("no panic").push((seed, format!("{error:#}"))),
                Err(_) => wrong.lock().expect("no panic").push((seed, "a panic, as told above".to_owned())),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut wrong = wrong.into_inner().expect("no panic");
    wrong.sort();
    println!("{}", faults.into_inner().expect("no panic"));
    println!("{seeds} seeds from {first} in {:.1} s", begun.elapsed().as_secs_f64());
    for (seed, what) in wrong.iter().take(5) {
        println!("seed {seed}: {what}");
    }
    if let Some((seed, _)) = wrong.first() {
        println!("the first seed that fails is {seed}; to repeat it: ./tests/simulate --seeds 1 --seed {seed}");
    }
    println!("seeds {seeds} differing {}", wrong.len());
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
