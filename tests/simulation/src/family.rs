//! The pipelines that are simulated, each with its components compiled and its undisturbed output known.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use weir::data_dir::DataDir;
use weir::driver::{Running, Typed};
use weir::operator::{Components, Engine};
use weir::pipeline::Pipeline;
use weir::plan::Operators;
use weir_tests::guests;

use crate::story::{self, Output};

/// When the first batch begins: 2023-11-14T22:13:20Z.
pub(crate) const NOW: u64 = 1_700_000_000_000;
/// The batch interval, in milliseconds.
pub(crate) const INTERVAL: u64 = 1000;

/// A query over the last batches of made-up rows.
const WINDOWS: &str = r#"
[sources.numbers]
type = "generator"
rate = "7/s"
columns = { n = { kind = "sequence" }, jump = { kind = "integer", min = 0, max = 4000 } }
[operators.timed]
sql = "select n, cast((1700000000 + n / 7) * 1000 - jump as bigint) as at from numbers"
inputs = ["numbers"]
[operators.recent]
sql = "select count(*) as c, sum(n) as total, min(n) as first from numbers"
inputs = ["numbers"]
window = { length = "3s", slide = "1s" }
[sinks.to_recent]
type = "files"
path = "/nowhere/recent"
inputs = ["recent"]
[sinks.to_timed]
type = "files"
path = "/nowhere/timed"
inputs = ["timed"]
"#;

/// Windows on event time and on batch time, with and without `retract`, over a file some of whose rows come late.
const EVENTS: &str = r#"
[sources.lines]
type = "file"
path = "LINES.jsonl"
format = "json"
rate = "5/s"
event_time = { column = "at", delay = "2s" }
[operators.spans]
aggregate = "count@0.1.0"
inputs = ["lines"]
key = ["user"]
window = { on = "event_time", length = "4s", slide = "2s" }
[operators.sessions]
sql = "select window_start, count(*) as c, sum(n) as total from lines group by window_start order by window_start"
inputs = ["lines"]
window = { on = "event_time", length = "3s" }
[operators.sums]
aggregate = "float-sum@0.1.0"
inputs = ["lines"]
key = ["user"]
window = { length = "4s", slide = "1s" }
[operators.counts]
aggregate = "count@0.1.0"
inputs = ["lines"]
key = ["user"]
window = { length = "3s" }
[sinks.to_spans]
type = "files"
path = "/nowhere/spans"
inputs = ["spans"]
[sinks.to_sessions]
type = "files"
path = "/nowhere/sessions"
inputs = ["sessions"]
[sinks.to_windows]
type = "files"
path = "/nowhere/windows"
inputs = ["summed"]
[operators.summed]
sql = "select counts.\"user\", counts.count, sums.sum from counts left join sums on counts.\"user\" = sums.\"user\" order by counts.\"user\""
inputs = ["counts", "sums"]
"#;

/// States of keys, with a timeout; rows that trap, that never end and that are rejected.
const STATES: &str = r#"
[sources.texts]
type = "generator"
rate = "5/s"
[sources.texts.columns]
line = { kind = "choice", of = ["a great day", "so sad", "lunch", "poison", "reject me", "to spin", "joy"] }
user = { kind = "choice", of = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ida"] }
[operators.picked]
transform = "picky@0.1.0"
inputs = ["texts"]
on_reject = "dead-letter"
[operators.survived]
transform = "evil@0.1.0"
inputs = ["picked"]
config = { do = "spin", line = "spin" }
limits = { fuel = 300000 }
on_reject = "dead-letter"
[operators.read]
sql = "select \"user\", line as text from picked"
inputs = ["picked"]
[operators.moods]
state = "mood@0.1.0"
inputs = ["read"]
key = ["user"]
timeout = "2s"
[operators.everybody]
snapshot = { every = 3 }
inputs = ["moods"]
[sinks.to_survived]
type = "files"
path = "/nowhere/survived"
inputs = ["survived"]
[sinks.to_moods]
type = "files"
path = "/nowhere/moods"
inputs = ["moods"]
[sinks.to_everybody]
type = "files"
path = "/nowhere/everybody"
inputs = ["everybody"]
"#;

/// An operator that is swapped.
const SWAPPED: &str = r#"
[sources.numbers]
type = "generator"
rate = "3/s"
columns = { n = { kind = "sequence" } }
[operators.stamped]
transform = "stamp-a@0.1.0"
inputs = ["numbers"]
[sinks.to_stamped]
type = "files"
path = "/nowhere/stamped"
inputs = ["stamped"]
"#;

/// Rows that are sent, beside some that are made.
const RECEIVED: &str = r#"
[sources.sent]
type = "http"
listen = "127.0.0.1:1"
format = "json"
schema = { user = "utf8", text = "utf8", n = "int64" }
[sources.numbers]
type = "generator"
rate = "3/s"
columns = { n = { kind = "sequence" } }
[operators.recent]
sql = "select count(*) as c, sum(n) as total from numbers"
inputs = ["numbers"]
window = { length = "3s", slide = "1s" }
[operators.moods]
state = "mood@0.1.0"
inputs = ["sent"]
key = ["user"]
[sinks.to_sent]
type = "files"
path = "/nowhere/sent"
inputs = ["sent"]
[sinks.to_moods]
type = "files"
path = "/nowhere/moods"
inputs = ["moods"]
[sinks.to_recent]
type = "files"
path = "/nowhere/recent"
inputs = ["recent"]
"#;

/// One pipeline, ready to run.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    /// Definitions that give the same output, but are not the same.
    pub(crate) variants: Vec<Typed>,
    /// Components to be swapped in an operator's place, the first of which it starts with.
    pub(crate) swaps: Vec<Running>,
    /// Whether its input comes to an end, and the host with it.
    pub(crate) ends: bool,
    /// What of it depends on when rows come in.
    pub(crate) receives: Option<Receives>,
    expected: OnceLock<Output>,
}

/// A source that receives, and the sinks that tell what has become of its rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receives {
    pub(crate) source: &'static str,
    /// Gets each row once.
    pub(crate) rows: &'static str,
    /// Gets the states of users.
    pub(crate) states: &'static str,
}

impl Member {
    /// The output of a run that nothing disturbs.
    pub(crate) fn expected(&self, family: &Family) -> &Output {
        self.expected.get_or_init(|| story::undisturbed(family, self))
    }

    pub(crate) fn sinks(&self) -> impl Iterator<Item = &str> {
        self.variants[0].loaded.pipeline.sinks.keys().map(String::as_str)
    }
}

/// All pipelines.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) operators: Arc<Operators>,
    pub(crate) members: Vec<Member>,
    _folder: tempfile::TempDir,
}

impl Family {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let data = DataDir::at(folder.path().join("data"));
        for package in ["count", "float-sum", "mood", "picky", "evil", "stamp-a", "stamp-b"] {
            let bytes = fs::read(guests::wasm(package)).expect("it was built");
            data.registry().register(&bytes, None, None).expect("it can be registered");
        }
        let lines = folder.path().join("lines");
        let row = |n: i64| {
            let at = NOW as i64 + n * 200 - (n * 7919 % 11) * 400;
            format!("{{\"user\":\"u{}\",\"n\":{n},\"value\":0.{n},\"at\":{at}}}\n", n % 4)
        };
        fs::write(lines.with_extension("jsonl"), (0..500).map(row).collect::<String>()).expect("it can be written");
        let engine = Engine::fast().expect("an engine");
        let operators = Arc::new(Operators::new(Components::new(engine, data.registry(), data.cache())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let typed = |text: &str, partitions: usize, checkpoint: &str| {
            let text = text.replace("LINES", &lines.to_string_lossy());
            let head = format!(
                "name = \"p\"\n[batch]\npartitions = {partitions}\nbackpressure = {{ enabled = false }}\n\
                 [checkpoint]\ninterval = \"{checkpoint}\"\n"
            );
            let loaded = Pipeline::parse(&(head + &text), Path::new("p.toml"), &|_| None).expect("a sound pipeline");
            runtime.block_on(Typed::new(loaded, &operators)).expect("types")
        };
        let member = |name, text: &str| Member {
            name,
            variants: vec![typed(text, 1, "2s"), typed(text, 2, "1s"), typed(text, 1, "5s")],
            swaps: Vec::new(),
            ends: false,
            receives: None,
            expected: OnceLock::new(),
        };
        let stamp = |name: &str| {
            let component = format!("{name}@0.1.0");
            let digest = data.registry().resolve(&component.parse().expect("a reference")).expect("registered");
            Running { operator: "stamped".to_owned(), component, digest }
        };
        let mut swapped = member("swapped", SWAPPED);
        swapped.variants.truncate(1);
        swapped.swaps = vec![stamp("stamp-a"), stamp("stamp-b")];
        let mut received = member("received", RECEIVED);
        received.receives = Some(Receives { source: "sent", rows: "to_sent", states: "to_moods" });
        let mut ending = member("ending", &WINDOWS.replace("rate = ", "count = 40\nrate = "));
        ending.ends = true;
        let [windows, events, states] =
            [("windows", WINDOWS), ("events", EVENTS), ("states", STATES)].map(|(n, t)| member(n, t));
        let members = vec![windows, events, states, swapped, received, ending];
        Self { operators, members, _folder: folder }
    }
}

/// Rows as text, by sink and batch.
pub(crate) type Rows = BTreeMap<String, BTreeMap<u64, Vec<String>>>;
