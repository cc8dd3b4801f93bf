//! Rounds over input that can be read again: a generator and a folder of files, each by a rate.
//!
//! What such sources give follows from batch times, so a run over all input at once, from the same first batch, is the
//! run that nothing has disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use weir_tests::dice::Dice;
use weir_tests::output::staged;
use weir_tests::{Folder, Postgres};

use crate::life::{Death, End, Life};
use crate::tables::{Table, Tables};
use crate::{Round, Wrong};

const INTERVAL: u64 = 100;

/// Transforms with dead letters, a query, a table, windows on batch time with and without `retract`, windows and sessions
/// on event time, states of keys with a timeout.
const PIPELINE: &str = r#"
name = "replayed"

[batch]
interval = "100ms"
partitions = 2
backpressure = { enabled = false }

[checkpoint]
interval = "300ms"

[sources.made]
type = "generator"
rate = "900/s"
count = COUNT
seed = SEED
event_time = { column = "at", delay = "70ms" }

[sources.made.columns]
at = { kind = "sequence" }
user = { kind = "choice", of = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus"] }
text = { kind = "choice", of = ["what a lovely day", "so sad", "lunch", "a great and perfect joy", "awful"] }
value = { kind = "float", min = -1.0, max = 1.0 }

[sources.lines]
type = "file"
path = "lines"
rate = "150/s"

[tables.names]
path = "names.csv"
format = "csv"

[operators.beat]
sql = "select now() as at, count(*) as rows from made"
inputs = ["made"]

[operators.accepted]
transform = "picky@0.1.0"
inputs = ["lines"]
on_reject = "dead-letter"

[operators.counts]
aggregate = "count@0.1.0"
inputs = ["made"]
key = ["user"]
window = { length = "500ms", slide = "100ms" }

[operators.sums]
aggregate = "float-sum@0.1.0"
inputs = ["made"]
key = ["user"]
window = { length = "700ms", slide = "200ms" }

[operators.named]
sql = "select names.name, counts.count from counts join names on counts.\"user\" = names.\"user\" order by names.name"
inputs = ["counts"]

[operators.moods]
state = "mood@0.1.0"
inputs = ["made"]
key = ["user"]
timeout = "1s"

[operators.spans]
aggregate = "count@0.1.0"
inputs = ["made"]
key = ["user"]
window = { on = "event_time", length = "400ms", slide = "200ms" }

[operators.sessions]
aggregate = "float-sum@0.1.0"
inputs = ["made"]
key = ["user"]
window = { gap = "13ms" }
"#;

/// What is written into files: a sink for each of these streams.
const SINKS: [&str; 7] = ["beat", "accepted", "named", "sums", "moods", "spans", "sessions"];

/// What is written into tables, too.
const TABLES: [Table; 3] = [
    Table { stream: "accepted", key: None },
    Table { stream: "sums", key: None },
    Table { stream: "moods", key: Some("user") },
];

fn given(dice: &mut Dice, batches: u64, tables: Option<&Tables<'_>>) -> Folder {
    let folder = Folder::new();
    let mut text =
        PIPELINE.replace("COUNT", &(batches * 90).to_string()).replace("SEED", &dice.of(0..1000).to_string());
    for sink in SINKS {
        text += &format!("[sinks.to_{sink}]\ntype = \"files\"\npath = \"out/{sink}\"\ninputs = [\"{sink}\"]\n");
    }
    text.extend(tables.map(|tables| tables.sinks(&TABLES)));
    folder.write("p.toml", text);
    folder.write("names.csv", "user,name\nann,Ann\nbob,Bob\ncyd,Cyd\neve,Eve\n");
    for file in 0..5 {
        let rows = batches * 15 / 5;
        let line = |row: u64| match row % 23 {
            7 => format!("{file}.{row}: reject me\n"),
            11 => format!("{file}.{row}: poison\n"),
            _ => format!("{file}.{row}\n"),
        };
        folder.write(&format!("lines/{file}.txt"), (0..rows).map(line).collect::<String>());
    }
    folder
}

/// All that a run leaves for others: what its sinks have made visible, and dead letters.
fn output(folder: &Folder) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (name, tree) in [("out", folder.tree("out")), ("dead-letters", folder.letter_files("replayed"))] {
        files.extend(tree.0.into_iter().map(|(path, bytes)| (PathBuf::from(name).join(path), bytes)));
    }
    files
}

fn batch_times(folder: &Folder) -> BTreeSet<u64> {
    let files = folder.tree("out/beat").0.into_keys();
    files.filter_map(|path| path.iter().next()?.to_str()?.strip_prefix("batch_time=")?.parse().ok()).collect()
}

/// What a run over all input at once writes, whose first batch is this one; into tables in the other schema.
fn undisturbed(given: &Folder, first: u64, [schema, other]: [&str; 2]) -> Folder {
    let folder = Folder::new();
    let table = |schema: &str| format!("table = \"{schema}.");
    folder.write("p.toml", given.read("p.toml").replace(&table(schema), &table(other)));
    for name in ["names.csv", "lines/0.txt", "lines/1.txt", "lines/2.txt", "lines/3.txt", "lines/4.txt"] {
        folder.write(name, given.read(name));
    }
    let start = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(first - INTERVAL));
    folder.weir(&["run", "--once", "--threads", "1", "--start", &start.to_string(), "p.toml"]).ok();
    folder
}

pub(crate) fn round(dice: &mut Dice, most: usize, postgres: Option<&Postgres>) -> Round {
    let batches = dice.of(40..80);
    let schemas = ["disturbed", "undisturbed"];
    let [tables, other] = schemas.map(|schema| Some(Tables::new(postgres?, schema)));
    let folder = given(dice, batches, tables.as_ref());
    // Components are compiled before the first life.
    folder.weir(&["check", "p.toml"]).ok();
    let mut round = Round::default();
    loop {
        let end = if round.kills < most {
            Life::lead(&folder, Death::random(dice))
        } else {
            Life::begin(&folder, None).wait(None)
        };
        match end {
            End::Killed => round.kills += 1,
            End::KilledAt(point) => {
                round.kills += 1;
                *round.points.entry(point).or_default() += 1;
            }
            End::NotBegun => {}
            // Whether it was stopped or has come to its end, is told by one more life.
            End::Finished if round.kills < most && !ended(&folder) => {}
            End::Finished => break,
            End::Failed(why) => {
                round.fail(&why);
                return round;
            }
        }
    }
    let times = batch_times(&folder);
    round.batches = times.len();
    let Some(first) = times.first() else {
        round.wrong.differing += 1;
        return round;
    };
    let expected = output(&undisturbed(&folder, *first, schemas));
    round.wrong = compare(&output(&folder), &expected);
    if let (Some(tables), Some(expected)) = (tables, other) {
        round.wrong += tables.compare(&expected, &TABLES);
    }
    for sink in SINKS {
        let left = staged(&folder.path("out").join(sink));
        if !left.is_empty() {
            println!("left in staging of {sink}: {left:?}");
            round.wrong.differing += 1;
        }
    }
    round
}

/// Whether the host said that there is nothing to do any more.
fn ended(folder: &Folder) -> bool {
    folder.read("host.log").contains("all input of pipeline `replayed` was read to its end")
}

fn compare(found: &BTreeMap<PathBuf, Vec<u8>>, expected: &BTreeMap<PathBuf, Vec<u8>>) -> Wrong {
    let mut wrong = Wrong::default();
    let paths: BTreeSet<&PathBuf> = found.keys().chain(expected.keys()).collect();
    for path in paths {
        let what = match (found.get(path), expected.get(path)) {
            (Some(found), Some(expected)) if found == expected => continue,
            (Some(_), Some(_)) => "is not what it should be",
            (Some(_), None) => "should not be there",
            (None, _) => "is not there",
        };
        if wrong.differing < 5 {
            println!("{} {what}", path.display());
        }
        wrong.differing += 1;
    }
    wrong
}
