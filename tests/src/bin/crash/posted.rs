//! Rounds over rows that clients post, each request again and again until it is answered 200.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::dice::Dice;
use weir_tests::{Folder, Postgres};

use crate::life::{Death, End, Life};
use crate::tables::{Table, Tables};
use crate::{Round, Wrong};

const CLIENTS: u64 = 3;
const USERS: u64 = 7;
/// Rounds with fewer kills see more starts of a new folder.
const MOST_KILLS: u64 = 12;

const PIPELINE: &str = r#"
name = "posted"

[batch]
interval = "60ms"
block_interval = "20ms"
partitions = 2

[checkpoint]
interval = "300ms"

[sources.visits]
type = "http"
listen = "ADDRESS"
path = "/visits"
format = "json"
schema = { user = "utf8", text = "utf8", n = "int64" }

[operators.seen]
sql = "select n from visits"
inputs = ["visits"]

[operators.moods]
state = "mood@0.1.0"
inputs = ["visits"]
key = ["user"]

[sinks.to_seen]
type = "files"
path = "seen"
inputs = ["seen"]

[sinks.to_moods]
type = "files"
path = "moods"
inputs = ["moods"]
"#;

/// What is written into tables, too.
const TABLES: [Table; 2] = [Table { stream: "seen", key: None }, Table { stream: "moods", key: Some("user") }];

/// What clients are told.
#[derive(Debug, Default)]
struct Told {
    /// There are rows enough.
    done: AtomicBool,
    /// Nobody will answer any more.
    given_up: AtomicBool,
}

/// Posts requests until it is told to stop and the last one is answered: how many rows there were. Rows of client `c` are
/// numbered `c`, `c + CLIENTS` and so on.
fn post(url: &str, client: u64, mut dice: Dice, told: &Told) -> u64 {
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(10)));
    let agent = ureq::Agent::new_with_config(config.build());
    let (mut rows, mut request) = (0, 0);
    while !told.done.load(Ordering::Relaxed) {
        let more = dice.of(1..20);
        let row = |row: u64| {
            let n = row * CLIENTS + client;
            format!("{}\n", json!({"user": format!("user {}", n % USERS), "text": "a great day", "n": n}))
        };
        let body: String = (rows..rows + more).map(row).collect();
        let key = format!("{client}-{request}");
        // A connection that the host's death has broken is no answer.
        while !agent
            .post(url)
            .header("Idempotency-Key", &key)
            .send(&body)
            .is_ok_and(|answer| answer.status().as_u16() == 200)
        {
            if told.given_up.load(Ordering::Relaxed) {
                return rows;
            }
            thread::sleep(Duration::from_millis(3));
        }
        (rows, request) = (rows + more, request + 1);
    }
    rows
}

pub(crate) fn round(dice: &mut Dice, most: usize, postgres: Option<&Postgres>) -> Round {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("there is a free port");
    let tables = postgres.map(|postgres| Tables::new(postgres, "disturbed"));
    let folder = Folder::new();
    let mut text = PIPELINE.replace("ADDRESS", &free.to_string());
    text.extend(tables.as_ref().map(|tables| tables.sinks(&TABLES)));
    folder.write("p.toml", text);
    folder.weir(&["check", "p.toml"]).ok();
    let told = Arc::new(Told::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (told, dice, url) = (told.clone(), Dice::new(dice.next()), format!("http://{free}/visits"));
            thread::spawn(move || post(&url, client, dice, &told))
        })
        .collect();
    let mut round = Round::default();
    let most = most.min(usize::try_from(dice.of(3..MOST_KILLS)).expect("few"));
    lead_lives(&folder, dice, most, &mut round);
    // A last life, which may end in peace.
    let last = (!round.failed).then(|| Life::begin(&folder, None));
    told.given_up.store(round.failed, Ordering::Relaxed);
    told.done.store(true, Ordering::Relaxed);
    let rows: Vec<u64> = clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect();
    if let Some(last) = last {
        end_in_peace(&folder, last, &mut round);
    }
    if round.failed {
        return round;
    }
    let sent: BTreeSet<u64> =
        (0..CLIENTS).zip(rows).flat_map(|(client, rows)| (0..rows).map(move |row| row * CLIENTS + client)).collect();
    round.batches = folder.tree("seen").0.len();
    round.wrong += compare("files", &CameOut::in_files(&folder), &sent);
    if let Some(tables) = &tables {
        round.wrong += compare("tables", &CameOut::in_tables(tables), &sent);
    }
    round
}

/// Lives that end as the dice have it, until so many were killed or one has failed.
fn lead_lives(folder: &Folder, dice: &mut Dice, most: usize, round: &mut Round) {
    while round.kills < most {
        match Life::lead(folder, Death::random(dice)) {
            End::Killed => round.kills += 1,
            End::KilledAt(point) => {
                round.kills += 1;
                *round.points.entry(point).or_default() += 1;
            }
            End::Finished | End::NotBegun => {}
            End::Failed(why) => return round.fail(&why),
        }
    }
}

/// Stops a host once it is at work.
fn end_in_peace(folder: &Folder, mut life: Life, round: &mut Round) {
    loop {
        life.wait_until_begun();
        life.stop();
        match life.wait(None) {
            End::NotBegun => life = Life::begin(folder, None),
            End::Failed(why) => return round.fail(&why),
            _ => return,
        }
    }
}

/// What has come out in one place.
struct CameOut {
    /// Of each row's number, how often.
    seen: BTreeMap<u64, usize>,
    /// Of how many rows each user is remembered at last.
    counted: BTreeMap<String, u64>,
}

impl CameOut {
    fn new(seen: impl Iterator<Item = u64>, counted: BTreeMap<String, u64>) -> Self {
        let mut times = BTreeMap::new();
        seen.for_each(|n| *times.entry(n).or_default() += 1);
        Self { seen: times, counted }
    }

    fn in_files(folder: &Folder) -> Self {
        let number = |value: &Value| value.as_u64().expect("a number");
        // What is remembered of a user is told whenever they come: of how many rows, at last, is how many there were.
        let mut counted = BTreeMap::new();
        for row in folder.batches("moods").rows() {
            counted.insert(row["user"].as_str().expect("a user").to_owned(), number(&row["tweets"]));
        }
        Self::new(folder.batches("seen").column("n").into_iter().map(number), counted)
    }

    fn in_tables(tables: &Tables<'_>) -> Self {
        let number = |text: &str| text.parse().expect("a number");
        let counted = tables.rows("moods", "\"user\", tweets").into_iter().map(|row| {
            let (user, tweets) = row.split_once('|').expect("two columns");
            (user.to_owned(), number(tweets))
        });
        Self::new(tables.rows("seen", "n").iter().map(|n| number(n)), counted.collect())
    }
}

fn compare(place: &str, CameOut { seen, counted }: &CameOut, sent: &BTreeSet<u64>) -> Wrong {
    let lost: Vec<&u64> = sent.iter().filter(|n| !seen.contains_key(n)).collect();
    let doubled: Vec<&u64> =
        seen.iter().filter(|(n, times)| **times > 1 || !sent.contains(n)).map(|(n, _)| n).collect();
    let mut expected = BTreeMap::<String, u64>::new();
    for n in sent {
        *expected.entry(format!("user {}", n % USERS)).or_default() += 1;
    }
    let differing = expected.iter().filter(|(user, count)| counted.get(*user) != Some(count)).count();
    let wrong = Wrong { lost: lost.len(), doubled: doubled.len(), differing };
    if wrong != Wrong::default() {
        let few = |rows: &[&u64]| rows.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let (lost, doubled) = (few(&lost), few(&doubled));
        println!(
            "{place}: of {} rows lost: {lost}; doubled: {doubled}; states {counted:?}, not {expected:?}",
            sent.len()
        );
    }
    wrong
}
