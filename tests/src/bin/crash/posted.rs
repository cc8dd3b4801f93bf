//! Rounds over rows that clients post, each request again and again until it is answered 200.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::Folder;
use weir_tests::dice::Dice;

use crate::life::{Death, End, Life};
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

/// Posts requests until it is told to stop and the last one is answered: how many rows there were. Rows of client `c` are
/// numbered `c`, `c + CLIENTS` and so on.
fn post(url: &str, client: u64, mut dice: Dice, done: &AtomicBool) -> u64 {
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(10)));
    let agent = ureq::Agent::new_with_config(config.build());
    let (mut rows, mut request) = (0, 0);
    while !done.load(Ordering::Relaxed) {
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
            thread::sleep(Duration::from_millis(3));
        }
        (rows, request) = (rows + more, request + 1);
    }
    rows
}

pub(crate) fn round(dice: &mut Dice, most: usize) -> Round {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("there is a free port");
    let folder = Folder::new();
    folder.write("p.toml", PIPELINE.replace("ADDRESS", &free.to_string()));
    folder.weir(&["check", "p.toml"]).ok();
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (done, dice, url) = (done.clone(), Dice::new(dice.next()), format!("http://{free}/visits"));
            thread::spawn(move || post(&url, client, dice, &done))
        })
        .collect();
    let most = most.min(usize::try_from(dice.of(3..MOST_KILLS)).expect("few"));
    let mut round = Round::default();
    while round.kills < most {
        match Life::lead(&folder, Death::random(dice)) {
            End::Killed => round.kills += 1,
            End::KilledAt(point) => {
                round.kills += 1;
                *round.points.entry(point).or_default() += 1;
            }
            End::Finished | End::NotBegun => {}
            End::Failed(why) => {
                // Clients would wait for ever.
                println!("the host failed: {why}");
                println!("lost 1 doubled 0 differing 0");
                std::process::exit(1);
            }
        }
    }
    // A last life, which may end in peace.
    let mut life = Life::begin(&folder, None);
    done.store(true, Ordering::Relaxed);
    let rows: Vec<u64> = clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect();
    loop {
        life.wait_until_begun();
        life.stop();
        match life.wait(None) {
            End::NotBegun => life = Life::begin(&folder, None),
            End::Failed(why) => {
                println!("the host failed: {why}");
                round.wrong.lost += 1;
                break;
            }
            _ => break,
        }
    }
    let sent: BTreeSet<u64> =
        (0..CLIENTS).zip(rows).flat_map(|(client, rows)| (0..rows).map(move |row| row * CLIENTS + client)).collect();
    round.batches = folder.tree("seen").0.len();
    round.wrong += compare(&folder, &sent);
    round
}

fn compare(folder: &Folder, sent: &BTreeSet<u64>) -> Wrong {
    let number = |value: &Value| value.as_u64().expect("a number");
    let mut seen = BTreeMap::<u64, usize>::new();
    for n in folder.batches("seen").column("n").into_iter().map(number) {
        *seen.entry(n).or_default() += 1;
    }
    let lost: Vec<&u64> = sent.iter().filter(|n| !seen.contains_key(n)).collect();
    let doubled: Vec<&u64> =
        seen.iter().filter(|(n, times)| **times > 1 || !sent.contains(n)).map(|(n, _)| n).collect();
    // What is remembered of a user is told whenever they come: of how many rows, at last, is how many there were.
    let mut counted = BTreeMap::<String, u64>::new();
    for row in folder.batches("moods").rows() {
        let user = row["user"].as_str().expect("a user").to_owned();
        counted.insert(user, number(&row["tweets"]));
    }
    let mut expected = BTreeMap::<String, u64>::new();
    for n in sent {
        *expected.entry(format!("user {}", n % USERS)).or_default() += 1;
    }
    let differing = expected.iter().filter(|(user, count)| counted.get(*user) != Some(count)).count();
    let wrong = Wrong { lost: lost.len(), doubled: doubled.len(), differing };
    if wrong != Wrong::default() {
        let few = |rows: &[&u64]| rows.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let (lost, doubled) = (few(&lost), few(&doubled));
        println!("of {} rows lost: {lost}; doubled: {doubled}; states {counted:?}, not {expected:?}", sent.len());
    }
    wrong
}
