//! Runs whose batch log is shortened, against a run that nothing disturbs.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::yield_now;

use crate::data_dir::DataDir;
use crate::driver::recovery_tests::{PIPELINE, given, output, undisturbed};
use crate::driver::tests::{Bench, NOW, start_on};
use crate::driver::{BatchLog, Ground, LogLimits, Past, Record, Replay, Shortened};
use crate::operator::{Components, Engine};
use crate::plan::Operators;
use crate::storage::{Disk, Fault, SimulatedDisk, Storage, unfinished};
use crate::time::BatchTime;

/// The log is shortened as often as it can be.
const SHORT: LogLimits = LogLimits { bytes: 0, batches: 2 };

/// How many batches there are until the input ends.
const BATCHES: u64 = 14;

async fn start(folder: &Path, storage: Arc<dyn Storage>, now: u64) -> Result<Bench> {
    let (data, file) = (DataDir::at(folder.join("data")), folder.join("numbers.toml"));
    let ground = Ground { storage, log: SHORT, ..Ground::default() };
    start_on(ground, &PIPELINE.replace("CHECKPOINT", "1s"), &file, &data, now).await
}

/// Starts a host in whose folder there is a checkpoint: with each that follows, another is the oldest.
async fn start_second(folder: &Path, storage: Arc<dyn Storage>) -> Bench {
    let mut first = start(folder, storage.clone(), NOW).await.expect("opens");
    assert!(live(&mut first, 1).await);
    first.stop().await;
    start(folder, storage, NOW + 1000).await.expect("opens")
}

/// Lets so many batches pass, and after each has the host make its checkpoint, with which goes what the log no longer needs. Whether
/// the host is still there.
async fn live(bench: &mut Bench, batches: u64) -> bool {
    for _ in 0..batches {
        let before = bench.handle.status().checkpoint;
        bench.clock.advance(Duration::from_secs(1));
        if bench.batches.recv().await.is_none() {
            return false;
        }
        while bench.handle.status().checkpoint <= before {
            if bench.running.is_finished() {
                return false;
            }
            yield_now().await;
        }
    }
    true
}

async fn finish(folder: &Path, storage: Arc<dyn Storage>, now: u64) {
    let bench = start(folder, storage, now).await.expect("opens");
    bench.clock.advance(Duration::from_secs(20));
    bench.running.await.expect("no panic").expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_log_that_is_shortened_when_the_host_is_started_again_and_its_past_verified_then_nothing_is_other() {
    let expected = undisturbed().await;
    let folder = given();
    let mut bench = start_second(folder.path(), Arc::new(Disk)).await;
    assert!(live(&mut bench, 5).await);
    bench.stop().await;
    let mut bench = start(folder.path(), Arc::new(Disk), NOW + 6000).await.expect("opens");
    assert!(live(&mut bench, 5).await);
    bench.stop().await;
    finish(folder.path(), Arc::new(Disk), NOW + 11_000).await;
    assert_eq!(output(folder.path()), expected);

    let data = DataDir::at(folder.path().join("data"));
    let copy = data.copy("numbers", false).expect("a copy");
    let (_, records) = BatchLog::open(&Disk, &copy.log()).expect("a log");
    let Some(Record::Shortened(Shortened { through, batches, .. })) = records.first() else { panic!("{records:?}") };
    assert!(*batches >= 6, "{records:?}");
    let components = Components::new(Engine::fast().expect("an engine"), data.registry(), data.cache());
    let operators = Arc::new(Operators::new(components));
    let replay = async |copy, batch| Replay::open(copy, operators.clone(), NonZeroUsize::MIN, batch).await;
    let past: Vec<BatchTime> = Past::read(&copy).await.expect("a past").replayable().collect();
    assert!(!past.is_empty());
    for batch in past {
        let again = replay(&copy, batch).await.expect("it is remembered").step().await.expect("it is computed");
        assert!(again.streams.values().all(|stream| !stream.differs()), "{again:?}");
    }
    let refused = async |copy, batch| match replay(copy, batch).await {
        Ok(_) => panic!("{batch} is remembered"),
        Err(error) => format!("{error:#}"),
    };
    let error = refused(&copy, *through).await;
    assert!(error.contains(&format!("does not remember batch {through} any more; it knows those from ")), "{error}");

    // Without its checkpoints such a log is of no use.
    fs::remove_dir_all(folder.path().join("data/pipelines/numbers/live/checkpoints")).expect("there are some");
    let Err(error) = start(folder.path(), Arc::new(Disk), NOW + 40_000).await else { panic!("states are lost") };
    let told = format!(
        "needs a checkpoint of batch {through} or a later one, as it knows no batches before, and there is none"
    );
    assert!(format!("{error:#}").contains(&told), "{error:#}");
    let copy = data.copy("numbers", false).expect("a copy");
    let next = BatchTime::from_millis(through.as_millis() + 1000);
    let error = refused(&copy, next).await;
    assert!(error.contains("no checkpoint is kept") && error.contains("raise `keep` of [checkpoint]"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_host_that_dies_at_any_write_of_a_shortening_when_it_is_started_again_then_it_goes_on_as_if_it_had_not()
{
    let expected = undisturbed().await;
    let mut died_shortening = 0;
    for at in 0..24 {
        let (folder, disk) = (given(), SimulatedDisk::default());
        let mut bench = start_second(folder.path(), Arc::new(disk.clone())).await;
        assert!(live(&mut bench, 4).await);
        disk.set_fault(Some(Fault::Stop { at: disk.changes() + at, torn: 7 }));
        assert!(!live(&mut bench, BATCHES - 5).await, "the disk is gone");
        assert!(bench.running.await.expect("no panic").is_err());
        let log = folder.path().join("data/pipelines/numbers/live/batches.log");
        died_shortening += usize::from(disk.read(&unfinished(&log)).is_ok());
        disk.set_fault(None);
        finish(folder.path(), Arc::new(disk.after_power_cut(3, at % 2 == 0)), NOW + 9000).await;
        assert_eq!(output(folder.path()), expected, "died at change {at}");
    }
    assert!(died_shortening >= 4, "only {died_shortening} died while the log was shortened");
}
