//! Windows on event time, through whole pipelines: against a model that keeps lists of rows, and the cases that people ask
//! about.

mod model;

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;

use self::model::{Event, Kind, expected};
use super::*;
use crate::data_dir::DataDir;
use crate::event_time::Watermark;
use crate::operator::{Components, Engine, sample};
use crate::pipeline::Pipeline;
use crate::plan::Operators;

/// Longer than any of these pipelines takes: it hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Components are compiled once for all tests.
static OPERATORS: LazyLock<(tempfile::TempDir, Arc<Operators>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let data = DataDir::at(folder.path());
    data.registry().register(&sample::fold(), Some("fold"), Some("1.0.0")).expect("an aggregate");
    let components = Components::new(Engine::fast().expect("an engine"), data.registry(), data.cache());
    (folder, Arc::new(Operators::new(components)))
});

/// What a pipeline made.
struct Made {
    status: Status,
    /// The lines that it printed, batch by batch.
    batches: Vec<Vec<String>>,
    letters: String,
}

/// Runs a pipeline whose files lie in `folder` to its end.
async fn run(folder: &Path, pipeline: &str, threads: usize) -> Result<Made> {
    let operators = OPERATORS.1.clone();
    let loaded = Pipeline::parse(pipeline, &folder.join("p.toml"), &|_| None).map_err(|e| anyhow!("{e:?}"))?;
    let typed = Typed::new(loaded, &operators).await?;
    let own = tempfile::tempdir()?;
    let claimed = DataDir::at(own.path()).claim("p")?.once()?;
    let printed = Arc::new(Mutex::new(Vec::new()));
    let counts = Arc::new(Mutex::new(Vec::new()));
    let counted = counts.clone();
    let setup = Setup {
        ground: Ground::default(),
        mode: Mode::Once,
        threads: threads.try_into()?,
        start: BatchTime::from_millis(1000),
        clock: Arc::new(SystemClock),
        output: printed.clone(),
        give_up: Vec::new(),
        drop_swaps: false,
        on_batch: Box::new(move |stats| {
            counted.lock().unwrap_or_else(PoisonError::into_inner).push(stats.rows_out as usize);
        }),
    };
    let (driver, _handle) = setup.open(typed, operators, &claimed).await?;
    let status = tokio::time::timeout(PATIENCE, driver.run()).await.context("it hangs")??;
    let printed = String::from_utf8(printed.lock().unwrap_or_else(PoisonError::into_inner).clone())?;
    let mut lines = printed.lines().map(str::to_owned);
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let batches = counts.into_iter().map(|count| lines.by_ref().take(count).collect()).collect();
    let mut letters = String::new();
    for file in std::fs::read_dir(claimed.dead_letters()).into_iter().flatten() {
        letters += &std::fs::read_to_string(file?.path())?;
    }
    Ok(Made { status, batches, letters })
}

fn lines(events: &[Event]) -> String {
    events.iter().map(|(at, k, v)| format!("{{\"at\":{at},\"k\":\"k{k}\",\"v\":{v}}}\n")).collect()
}

fn source(name: &str, rate: usize, event_time: &str) -> String {
    format!(
        "[sources.{name}]\ntype = \"file\"\npath = \"{name}.jsonl\"\nformat = \"json\"\nrate = \"{rate}/s\"\n\
         schema = {{ at = \"int64\", k = \"utf8\", v = \"int64\" }}\nevent_time = {event_time}\n"
    )
}

const SINK: &str = "[sinks.out]\ntype = \"stdout\"\nformat = \"json\"\ninputs = [\"w\"]\n";

/// Runs one operator over one source.
async fn run_one(events: &[Event], source: &str, operator: &str, batch: &str, threads: usize) -> Result<Made> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("e.jsonl"), lines(events))?;
    run(folder.path(), &format!("[batch]\n{batch}\n{source}[operators.w]\n{operator}\n{SINK}"), threads).await
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec((0_i64..6000, 0_u8..3, -9_i64..10), 1..30)
}

fn kind() -> impl Strategy<Value = Kind> {
    let sliding = (1_i64..1500, 0_i64..2000);
    prop_oneof![
        sliding.clone().prop_map(|(slide, more)| Kind::Sliding(slide + more, slide)).prop_filter("few windows", few),
        (1_i64..900).prop_map(Kind::Session),
        sliding.prop_map(|(slide, more)| Kind::Held(slide + more, slide)).prop_filter("few windows", few),
    ]
}

fn few(kind: &Kind) -> bool {
    !matches!(kind, Kind::Sliding(length, slide) | Kind::Held(length, slide) if length / slide > 30)
}

fn operator(kind: Kind) -> String {
    let fold = "aggregate = \"fold@1.0.0\"\nkey = [\"k\"]\ninputs = [\"e\"]";
    match kind {
        Kind::Sliding(length, slide) => {
            format!("{fold}\nwindow = {{ on = \"event_time\", length = \"{length}ms\", slide = \"{slide}ms\" }}")
        }
        Kind::Session(gap) => format!("{fold}\nwindow = {{ gap = \"{gap}ms\" }}"),
        Kind::Held(length, slide) => {
            format!(
                "inputs = [\"e\"]\nwindow = {{ on = \"event_time\", length = \"{length}ms\", slide = \"{slide}ms\" }}"
            )
        }
    }
}

fn late(made: &Made) -> u64 {
    made.status.meters.get("w").map_or(0, |meter| meter.late)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever comes in, in whatever order and batches: each window comes out once, in the batch in which the watermark
    /// passes it, with all rows that were not late; and no cut of the work changes a byte.
    #[test]
    fn windows_hold_what_the_model_says(events in events(), kind in kind(), delay in 0_i64..3000, rate in 1_usize..8) {
        let batches: Vec<&[Event]> = events.chunks(rate).collect();
        let (mut wanted, wanted_late) = expected(kind, delay, &batches);
        let source = source("e", rate, &format!("{{ column = \"at\", delay = \"{delay}ms\" }}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let run = |batch, threads| runtime.block_on(run_one(&events, &source, &operator(kind), batch, threads));
        let made = run("partitions = 1", 1).expect("runs");
        let cut_otherwise = run("partitions = 3\nchunk_rows = 1\nblock_size = \"64 B\"", 2).expect("runs");
        // A fold cannot see where blocks end, but the first rows of a key may be merged in another way.
        prop_assert_eq!(&made.batches, &cut_otherwise.batches);
        let cut_by_size = run("block_size = \"64 B\"", 2).expect("runs");
        prop_assert_eq!(&made.batches, &cut_by_size.batches);
        let mut found = made.batches.clone();
        if !matches!(kind, Kind::Held(..)) {
            wanted.iter_mut().chain(&mut found).for_each(|lines| lines.sort());
        }
        prop_assert_eq!(found, wanted);
        prop_assert_eq!((late(&made), late(&cut_otherwise)), (wanted_late, wanted_late));
    }
}

/// Given times in seconds, the values 1, 2, 3, …, all of one key.
fn seconds(times: &[i64]) -> Vec<Event> {
    times.iter().zip(1..).map(|(at, v)| (at * 1000, 0, v)).collect()
}

fn sums(made: &Made) -> Vec<Vec<i64>> {
    let sum = |line: &String| serde_json::from_str::<serde_json::Value>(line).ok()?["sum"].as_i64();
    made.batches.iter().map(|lines| lines.iter().filter_map(sum).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_that_is_furthest_behind_holds_windows_open_until_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.jsonl"), lines(&seconds(&[5, 30, 60, 90, 91]))).expect("written");
    std::fs::write(folder.path().join("b.jsonl"), lines(&seconds(&[1, 2, 3]))).expect("written");
    let time = "{ column = \"at\" }";
    let sources = source("a", 1, time) + &source("b", 1, time);
    let operator = "aggregate = \"fold@1.0.0\"\nkey = [\"k\"]\ninputs = [\"a\", \"b\"]\nwindow = { on = \"event_time\", length = \"10s\" }";
    let made = run(folder.path(), &format!("{sources}[operators.w]\n{operator}\n{SINK}"), 2).await.expect("runs");
    // `a` is at 60s when `b` ends at 3s, which closes what is before 60s: 1 + (1 + 2 + 3), and 2.
    let mut found = sums(&made);
    found.iter_mut().for_each(|sums| sums.sort());
    assert_eq!(found, [vec![], vec![], vec![2, 7], vec![3], vec![9]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_sees_the_rows_of_the_windows_that_close_of_all_its_inputs() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.jsonl"), lines(&seconds(&[1, 2, 12]))).expect("written");
    std::fs::write(folder.path().join("b.jsonl"), lines(&seconds(&[3, 4, 15]))).expect("written");
    let sources = source("a", 1, "{ column = \"at\" }") + &source("b", 1, "{ column = \"at\" }");
    let query = "select a.window_start, sum(a.v * b.v) as sum from a join b on a.window_start = b.window_start \
                 group by a.window_start order by 1";
    let operator =
        format!("sql = \"{query}\"\ninputs = [\"a\", \"b\"]\nwindow = {{ on = \"event_time\", length = \"10s\" }}");
    let made = run(folder.path(), &format!("{sources}[operators.w]\n{operator}\n{SINK}"), 2).await.expect("runs");
    assert_eq!(sums(&made), [vec![], vec![], vec![(1 + 2) * (1 + 2), 3 * 3]]);
}

const TEN: &str =
    "aggregate = \"fold@1.0.0\"\nkey = [\"k\"]\ninputs = [\"e\"]\nwindow = { on = \"event_time\", length = \"10s\" }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_late_row_is_kept_as_a_dead_letter_that_says_by_how_much() {
    let source = source("e", 1, "{ column = \"at\", delay = \"2s\" }");
    let operator = format!("{TEN}late = \"dead-letter\"");
    let made = run_one(&seconds(&[1, 15, 3, 16]), &source, &operator, "", 2).await.expect("runs");
    assert_eq!(sums(&made), [vec![], vec![1], vec![], vec![6]]);
    assert_eq!(late(&made), 1);
    let reason = "late by 3s: the last window that it is in ended at 1970-01-01T00:00:10.000Z, and the watermark was \
                  1970-01-01T00:00:13.000Z";
    assert!(made.letters.contains(reason), "{}", made.letters);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_an_event_time_is_rejected_as_its_source_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = "{\"at\":1000,\"k\":\"a\",\"v\":1}\n{\"k\":\"a\",\"v\":2}\n{\"at\":-5,\"k\":\"a\",\"v\":3}\n\
                {\"at\":1700000000000000,\"k\":\"a\",\"v\":4}\n";
    std::fs::write(folder.path().join("e.jsonl"), rows).expect("written");
    let pipeline = |on_reject: &str| {
        let source = source("e", 9, "{ column = \"at\" }") + &format!("on_reject = \"{on_reject}\"\n");
        format!("{source}[operators.w]\n{TEN}{SINK}")
    };
    let made = run(folder.path(), &pipeline("dead-letter"), 2).await.expect("runs");
    let meter = &made.status.meters["e"];
    assert_eq!((sums(&made), meter.rejected, meter.rows_out), (vec![vec![1]], 3, 1));
    for reason in ["is null", "is before 1970", "is after the year 9999; an int64 event time is in milliseconds"] {
        assert!(made.letters.contains(reason), "{}", made.letters);
    }
    // Whoever waits for the watermark does not wait for ever.
    let Err(error) = run(folder.path(), &pipeline("fail"), 2).await else { panic!("it runs") };
    let error = format!("{error:#}");
    assert!(error.contains("source `e` does not take a row of batch") && error.contains("is null"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_without_the_column_that_it_is_on_is_refused_with_the_way_out() {
    let event_time = "{ column = \"at\" }";
    let window = "window = { on = \"event_time\", length = \"10s\" }";
    for (source_time, before, expected) in [
        ("{ column = \"when\" }", "select * from e", "`when`, which is not among its columns: at int64?, k utf8?"),
        ("{ column = \"k\" }", "select * from e", "must be a timestamp, or an int64 of milliseconds"),
        (
            event_time,
            "select k, v from e",
            "has lost the event-time column `at` (of source `e`); it has k utf8?, v int64?",
        ),
        (event_time, "select 'x' as at from e", "the column `at utf8` of its input `before` must be a timestamp"),
        (
            event_time,
            "select at, at as window_end from e",
            "has a column `window_end`, which a window on event time adds",
        ),
    ] {
        let operator =
            format!("inputs = [\"before\"]\n{window}\n[operators.before]\nsql = \"{before}\"\ninputs = [\"e\"]");
        let made = run_one(&[], &source("e", 1, source_time), &operator, "", 1).await;
        let Err(error) = made else { panic!("{before} is taken") };
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_stopped_leaves_windows_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = format!(
        "[sources.e]\ntype = \"generator\"\nrate = \"3/s\"\ncolumns = {{ n = {{ kind = \"sequence\" }} }}\n\
         event_time = {{ column = \"n\" }}\n[operators.w]\ninputs = [\"e\"]\nwindow = {{ on = \"event_time\", length = \"2ms\" }}\n{SINK}"
    );
    let loaded = Pipeline::parse(&pipeline, &folder.path().join("p.toml"), &|_| None).expect("a sound pipeline");
    let typed = Typed::new(loaded, &OPERATORS.1).await.expect("types");
    let claimed = DataDir::at(folder.path()).claim("p").expect("a folder");
    let clock = ManualClock::at(1_700_000_000_000);
    let (sender, mut batches) = mpsc::unbounded_channel();
    let setup = Setup {
        ground: Ground::default(),
        mode: Mode::Live,
        threads: std::num::NonZeroUsize::MIN,
        start: BatchTime::from_millis(0),
        clock: Arc::new(clock.clone()),
        output: Arc::new(Mutex::new(Vec::new())),
        give_up: Vec::new(),
        drop_swaps: false,
        on_batch: Box::new(move |stats| drop(sender.send(stats.clone()))),
    };
    let (driver, handle) = setup.open(typed, OPERATORS.1.clone(), &claimed).await.expect("opens");
    let running = tokio::spawn(driver.run());
    clock.advance(Duration::from_secs(1));
    // Of 0, 1 and 2 the watermark, 2, has passed the window of the first two.
    assert_eq!(batches.recv().await.map(|stats| stats.rows_out), Some(2));
    assert_eq!(handle.status().watermarks["e"], Watermark::behind(2, 0));
    handle.stop().await;
    let status = running.await.expect("no panic").expect("a clean end");
    assert_eq!((status.rows_in, status.rows_out), (3, 2));
}
