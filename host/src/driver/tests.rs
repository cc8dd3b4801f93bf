//! The driver under a clock that the test drives, with a generator, a query and a sink that prints.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use tokio::sync::mpsc;

use super::*;
use crate::data_dir::DataDir;
use crate::operator::{Components, Engine};
use crate::pipeline::Pipeline;
use crate::plan::Operators;
use crate::sink::{PartWriter, Sink, SinkError, Staged};

const PIPELINE: &str = r#"
name = "numbers"
[sources.numbers]
type = "generator"
rate = "3/s"
columns = { n = { kind = "sequence" } }
[operators.marked]
sql = "select n, now() as at from numbers"
inputs = ["numbers"]
[sinks.out]
type = "stdout"
format = "json"
inputs = ["marked"]
"#;

/// 2023-11-14T22:13:20Z.
pub(super) const NOW: u64 = 1_700_000_000_000;

pub(super) struct Bench {
    pub(super) clock: ManualClock,
    pub(super) handle: Handle,
    pub(super) batches: mpsc::UnboundedReceiver<BatchStats>,
    pub(super) running: tokio::task::JoinHandle<Result<Status>>,
    printed: Arc<Mutex<Vec<u8>>>,
}

/// Starts the pipeline at `now`, on a data folder.
async fn start(data: &DataDir, now: u64) -> Bench {
    start_file(PIPELINE, Path::new("numbers.toml"), data, now).await
}

/// Starts the pipeline of a file with this text.
pub(super) async fn start_file(text: &str, file: &Path, data: &DataDir, now: u64) -> Bench {
    start_altered(Ground::default(), text, file, data, now, |_| ()).await.expect("opens")
}

/// Starts the pipeline of a file with this text on a ground of the test's.
pub(super) async fn start_on(ground: Ground, text: &str, file: &Path, data: &DataDir, now: u64) -> Result<Bench> {
    start_altered(ground, text, file, data, now, |_| ()).await
}

/// The same, with something in the driver replaced.
async fn start_altered(
    ground: Ground,
    text: &str,
    file: &Path,
    data: &DataDir,
    now: u64,
    alter: impl FnOnce(&mut Driver),
) -> Result<Bench> {
    let loaded = Pipeline::parse(text, file, &|_| None).expect("a sound pipeline");
    let components = Components::new(Engine::fast().expect("an engine"), data.registry(), data.cache());
    let operators = Arc::new(Operators::new(components));
    let typed = Typed::new(loaded, &operators).await.expect("types");
    let folder = data.claim("numbers").expect("a folder that nobody uses");
    let clock = ManualClock::at(now);
    let printed = Arc::new(Mutex::new(Vec::new()));
    let (sender, batches) = mpsc::unbounded_channel();
    let setup = Setup {
        ground,
        mode: Mode::Live,
        threads: std::num::NonZeroUsize::MIN,
        start: BatchTime::from_millis(0),
        clock: Arc::new(clock.clone()),
        output: printed.clone(),
        give_up: Vec::new(),
        drop_swaps: false,
        on_batch: Box::new(move |stats| drop(sender.send(stats.clone()))),
    };
    let (mut driver, handle) = setup.open(typed, operators, &folder).await?;
    alter(&mut driver);
    let running = tokio::spawn(async move {
        let _held_while_it_runs = folder;
        driver.run().await
    });
    Ok(Bench { clock, handle, batches, running, printed })
}

impl Bench {
    /// Lets one interval pass; gives the batch's time and its rows.
    pub(super) async fn tick(&mut self) -> (u64, u64) {
        self.clock.advance(Duration::from_secs(1));
        let stats = self.batches.recv().await.expect("a batch");
        (stats.batch.as_millis(), stats.rows_out)
    }

    pub(super) async fn stop(self) -> (Status, String) {
        self.handle.stop().await;
        let status = self.running.await.expect("no panic").expect("a clean end");
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (status, String::from_utf8(printed).expect("text"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_runs_for_each_interval_and_sees_its_own_time_as_now() {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut bench = start(&DataDir::at(scratch.path()), NOW + 250).await;
    assert_eq!(bench.tick().await, (NOW + 1000, 3));
    assert_eq!(bench.tick().await, (NOW + 2000, 3));
    let (status, printed) = bench.stop().await;
    assert_eq!((status.rows_in, status.rows_out), (6, 6));
    let first = printed.lines().next().expect("rows");
    assert_eq!(first, r#"{"n":0,"at":"2023-11-14T22:13:21Z"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_times_go_on_after_a_restart_even_when_the_clock_was_set_back() {
    let scratch = tempfile::tempdir().expect("a folder");
    let data = DataDir::at(scratch.path());
    let mut bench = start(&data, NOW).await;
    assert_eq!(bench.tick().await.0, NOW + 1000);
    bench.stop().await;

    let mut bench = start(&data, NOW - 5000).await;
    bench.clock.advance(Duration::from_secs(60));
    let next = bench.batches.recv().await.expect("a batch").batch.as_millis();
    assert!(next > NOW + 1000, "{next}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_no_component_cannot_be_swapped_and_the_stream_runs_on() {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut bench = start(&DataDir::at(scratch.path()), NOW).await;
    let error =
        bench.handle.swap(Target::Back("marked".into()), Care::default()).await.expect_err("nothing to go back to");
    assert!(error.to_string().contains("`marked` was not swapped, or was taken back already"), "{error:#}");
    assert_eq!(bench.tick().await, (NOW + 1000, 3));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_changes_is_joined_as_it_is_when_the_batch_is_cut_and_a_broken_one_as_it_was() {
    let scratch = tempfile::tempdir().expect("a folder");
    let write = |text: &str| std::fs::write(scratch.path().join("names.csv"), text).expect("a file");
    let joined = "select name, count(*) as c from numbers cross join names group by name";
    let pipeline = PIPELINE.replace("select n, now() as at from numbers", joined)
        + "[tables.names]\npath = 'names.csv'\nformat = 'csv'\nrefresh = 'every batch'\n\
           schema = { name = 'utf8', n = 'int64' }\n";
    write("name,n\nann,1\n");
    let data = DataDir::at(scratch.path().join("data"));
    let mut bench = start_file(&pipeline, &scratch.path().join("numbers.toml"), &data, NOW).await;
    for text in ["name,n\nann,1\n", "name,n\nbob,2\n", "name,n\ncyd,half", "name,n\ndan,4\n"] {
        write(text);
        bench.tick().await;
    }
    let (_, printed) = bench.stop().await;
    let names: Vec<&str> = printed.lines().filter_map(|line| line.split('"').nth(3)).collect();
    assert_eq!(names, ["ann", "bob", "bob", "dan"]);
}

/// A clock on which no pause takes any time.
#[derive(Debug)]
struct Hurried;

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> u64 {
        NOW
    }

    async fn until(&self, _: u64) {}
}

/// A sink that is down for the first calls of each kind, so many times, and then keeps the numbers that are committed.
#[derive(Debug, Clone)]
struct Shaky(Arc<Mutex<ShakyState>>);

#[derive(Debug, Default)]
struct ShakyState {
    down: HashMap<&'static str, u32>,
    staged: Vec<i64>,
    committed: Vec<i64>,
}

impl Shaky {
    fn call<T>(&self, kind: &'static str, done: impl FnOnce(&mut ShakyState) -> T) -> Result<T, SinkError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.down.get_mut(kind) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(SinkError::Unavailable { reason: format!("{kind} is down"), retry_after: None })
            }
            _ => Ok(done(&mut state)),
        }
    }
}

#[async_trait]
impl Sink for Shaky {
    async fn begin(&self, _: BatchTime) -> Result<(), SinkError> {
        self.call("begin", |state| state.staged.clear())
    }

    async fn stage(&self, _: BatchTime, _: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        self.call("stage", |_| Box::new(self.clone()) as Box<dyn PartWriter>)
    }

    async fn commit(&self, _: BatchTime) -> Result<(), SinkError> {
        self.call("commit", |state| state.committed.append(&mut state.staged))
    }
}

#[async_trait]
impl PartWriter for Shaky {
    async fn write(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        let numbers = rows.column(0).as_primitive::<Int64Type>().values();
        self.call("write", |state| state.staged.extend(numbers))
    }

    async fn finish(self: Box<Self>) -> Result<Staged, SinkError> {
        self.call("finish", |state| Staged { rows: state.staged.len() as u64, bytes: 0 })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_down_at_any_step_delays_the_batch_and_every_row_is_committed_once() {
    let steps = ["begin", "stage", "write", "finish", "commit"];
    for down in steps.map(|step| vec![step]).into_iter().chain([steps.to_vec()]) {
        let shaky = Shaky(Arc::default());
        shaky.0.lock().expect("nobody panicked").down = down.iter().map(|step| (*step, 3)).collect();
        let scratch = tempfile::tempdir().expect("a folder");
        let put = |driver: &mut Driver| {
            let rooms = Arc::get_mut(&mut driver.runner.rooms).expect("nothing runs yet");
            rooms.sinks.insert("out".into(), Arc::new(shaky.clone()));
            driver.runner.clock = Arc::new(Hurried);
        };
        let data = DataDir::at(scratch.path());
        let mut bench = start_altered(Ground::default(), PIPELINE, Path::new("numbers.toml"), &data, NOW, put)
            .await
            .expect("opens");
        assert_eq!(bench.tick().await.1, 3, "{down:?}");
        assert_eq!(bench.tick().await.1, 3, "{down:?}");
        bench.stop().await;
        let state = shaky.0.lock().expect("nobody panicked");
        assert_eq!(state.committed, [0, 1, 2, 3, 4, 5], "{down:?}");
        assert!(state.down.values().all(|left| *left == 0), "{down:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_refuses_rows_ends_the_run_with_its_name_and_its_words() {
    #[derive(Debug)]
    struct Refusing;

    #[async_trait]
    impl Sink for Refusing {
        async fn begin(&self, _: BatchTime) -> Result<(), SinkError> {
            Ok(())
        }

        async fn stage(&self, _: BatchTime, _: usize) -> Result<Box<dyn PartWriter>, SinkError> {
            Err(SinkError::Fatal(anyhow!("not these").context("staging")))
        }

        async fn commit(&self, _: BatchTime) -> Result<(), SinkError> {
            Ok(())
        }
    }

    let scratch = tempfile::tempdir().expect("a folder");
    let put = |driver: &mut Driver| {
        let rooms = Arc::get_mut(&mut driver.runner.rooms).expect("nothing runs yet");
        rooms.sinks.insert("out".into(), Arc::new(Refusing));
    };
    let data = DataDir::at(scratch.path());
    let bench =
        start_altered(Ground::default(), PIPELINE, Path::new("numbers.toml"), &data, NOW, put).await.expect("opens");
    bench.clock.advance(Duration::from_secs(1));
    let error = bench.running.await.expect("no panic").expect_err("a sink that refuses");
    let expected = "batch 2023-11-14T22:13:21.000Z failed: sink `out`: staging: not these";
    assert_eq!(format!("{error:#}"), expected);
}
