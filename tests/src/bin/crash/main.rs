//! Kills a host that is at work, again and again, and holds what it has written against what it should have.
//!
//! Rounds alternate. In a *replayed* round all input can be read again, and the output must be that of a run that nothing
//! disturbed, byte by byte. In a *posted* round clients post rows until they are told that these are taken; each must
//! come out once. Output goes into files and, where there is a PostgreSQL server to be had, into tables. A round is many
//! lives of one host on one data folder; a life ends by SIGKILL after a random time, by SIGKILL at a random fault point,
//! or now and then by a stop.
//!
//! `crash --kills N [--seed S]`; the last line is `lost N doubled N differing N`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

mod life;
mod posted;
mod replayed;
mod tables;

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use weir_tests::Postgres;
use weir_tests::dice::Dice;

/// What went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wrong {
    /// Rows that did not come out.
    lost: usize,
    /// Rows that came out more than once, or from nowhere.
    doubled: usize,
    /// Files that are not what they should be, and states.
    differing: usize,
}

impl AddAssign for Wrong {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.differing += other.differing;
    }
}

/// How a round went.
#[derive(Debug, Default)]
struct Round {
    wrong: Wrong,
    kills: usize,
    /// Where the host died, by name.
    points: BTreeMap<String, usize>,
    batches: usize,
    /// Whether a host ended that should not have: those after it would, too.
    failed: bool,
}

impl Round {
    /// A host ended that should not have, and why.
    fn fail(&mut self, why: &str) {
        println!("the host failed: {why}");
        self.wrong.lost += 1;
        self.failed = true;
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut kills, mut seed) = (None, None);
    while let Some(arg) = args.next() {
        let number = args.next().and_then(|value| value.parse::<u64>().ok());
        match (&*arg, number) {
            ("--kills", Some(number)) => kills = Some(number),
            ("--seed", Some(number)) => seed = Some(number),
            _ => {
                eprintln!("usage: crash --kills N [--seed S]");
                return ExitCode::from(2);
            }
        }
    }
    let kills = usize::try_from(kills.unwrap_or(12)).expect("so many");
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    run(kills, seed.unwrap_or_else(now))
}

fn run(kills: usize, seed: u64) -> ExitCode {
    println!("seed {seed}");
    let postgres = Postgres::start();
    if postgres.is_none() {
        println!("no tables: PostgreSQL is not installed, and its sink is skipped");
    }
    let postgres = postgres.as_ref();
    let begun = Instant::now();
    let mut dice = Dice::new(seed);
    let (mut wrong, mut killed, mut points) = (Wrong::default(), 0, BTreeMap::<String, usize>::new());
    for number in 0.. {
        if killed >= kills {
            break;
        }
        // Half of what is left, so that there is a round of either kind.
        let most = if number == 0 { kills.div_ceil(2) } else { kills - killed };
        let (kind, round) = match number % 2 {
            0 => ("replayed", replayed::round(&mut dice, most, postgres)),
            _ => ("posted", posted::round(&mut dice, most, postgres)),
        };
        let Wrong { lost, doubled, differing } = round.wrong;
        println!(
            "round {number}, {kind}: {} kills, {} of them at fault points, {} batches: lost {lost}, doubled {doubled}, differing {differing}",
            round.kills,
            round.points.values().sum::<usize>(),
            round.batches,
        );
        wrong += round.wrong;
        killed += round.kills;
        round.points.into_iter().for_each(|(name, count)| *points.entry(name).or_default() += count);
        if round.failed {
            break;
        }
    }
    for (name, count) in points {
        println!("died {count:>4} times before {name}");
    }
    println!("{killed} kills in {} s, seed {seed}", begun.elapsed().as_secs());
    let Wrong { lost, doubled, differing } = wrong;
    println!("lost {lost} doubled {doubled} differing {differing}");
    if wrong == Wrong::default() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
