//! Checkpoints that go from place to place, with hosts that die on the way.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::data_dir::DataDir;
use crate::driver::recovery_tests::{PIPELINE, ROWS, given, kill, output, undisturbed};
use crate::driver::tests::{Bench, NOW, start_on};
use crate::driver::{Ground, Past, forget};
use crate::storage::{Disk, Fault, SimulatedDisk, Storage};

use super::*;

/// A pipeline whose checkpoints are to be there; a host on this disk.
struct Run<'r> {
    folder: &'r Path,
    data: &'r str,
    disk: Arc<dyn Storage>,
}

impl<'r> Run<'r> {
    fn new(folder: &'r tempfile::TempDir, disk: Arc<dyn Storage>) -> Self {
        Self { folder: folder.path(), data: "data", disk }
    }

    fn data(&self) -> DataDir {
        DataDir::at(self.folder.join(self.data))
    }

    /// Starts a host when so many batches have been.
    async fn start(&self, location: Option<&str>, batches: u64) -> Result<Bench> {
        let location = location.map(|location| format!("location = '{location}'\n")).unwrap_or_default();
        let text = PIPELINE.replace("interval = \"CHECKPOINT\"", &format!("interval = \"2s\"\n{location}"));
        let ground = Ground { storage: self.disk.clone(), ..Ground::default() };
        start_on(ground, &text, &self.folder.join("numbers.toml"), &self.data(), NOW + batches * 1000).await
    }

    /// A host that makes a checkpoint of the batches up to `to`, after which their rows cannot be read again.
    async fn up_to(&self, location: Option<&str>, from: u64, to: u64) {
        let mut bench = self.start(location, from).await.unwrap();
        for _ in from..to {
            bench.tick().await;
        }
        bench.stop().await;
        let path = self.folder.join("numbers.jsonl");
        let line = |(n, line): (u64, &str)| if n < to * 3 { "#".repeat(line.len()) } else { line.to_owned() } + "\n";
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, (0..).zip(text.lines()).map(line).collect::<String>()).unwrap();
    }

    /// Goes on to the end of the input.
    async fn finish(&self, location: Option<&str>, from: u64) -> BTreeMap<String, String> {
        let bench = self.start(location, from).await.unwrap();
        bench.clock.advance(Duration::from_secs(20));
        bench.running.await.unwrap().unwrap();
        output(self.folder)
    }
}

/// The files under a folder.
fn files(folder: &Path) -> usize {
    let Ok(listing) = fs::read_dir(folder) else { return 0 };
    listing.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn given_another_location_at_each_start_then_all_goes_on_from_the_checkpoints_and_none_stay_behind() {
    let expected = undisturbed().await;
    let folder = given();
    let run = Run::new(&folder, Arc::new(Disk));
    let absolute = format!("file://{}/far away/c", folder.path().display());
    let own = "data/pipelines/numbers/live/checkpoints";
    let places = [(Some("a"), "a"), (Some("a"), "a"), (Some("b"), "b"), (None, own), (Some(&*absolute), "far away/c")];
    for (from, (location, path)) in (0..).zip(places) {
        run.up_to(location, from * 2, from * 2 + 2).await;
        let found = places.map(|(_, path)| path).map(|path| files(&folder.path().join(path)) > 0);
        assert_eq!(found, places.map(|(_, other)| other == path), "{location:?}");
        let copy = run.data().copy("numbers", false).unwrap();
        let oldest = Past::read(&copy).await.unwrap().replayable().next();
        assert!(oldest.is_none_or(|oldest| oldest.as_millis() > NOW + 1000), "{location:?}: from {oldest:?} on");
    }
    assert_eq!(run.finish(Some("a"), 10).await, expected);
    assert_eq!(fs::read_dir(folder.path().join("a/numbers")).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_host_that_dies_at_any_write_while_checkpoints_move_then_the_next_has_them() {
    let expected = undisturbed().await;
    let mut moving = 0;
    for at in 0..25 {
        let (folder, disk) = (given(), SimulatedDisk::default());
        let run = Run::new(&folder, Arc::new(disk.clone()));
        run.up_to(Some("a"), 0, 4).await;
        let before = disk.changes();
        disk.set_fault(Some(Fault::Stop { at: before + at, torn: 3 }));
        match run.start(Some("b"), 4).await {
            Ok(bench) => kill(bench).await,
            Err(_) => moving += usize::from(files(&folder.path().join("b")) > 0),
        }
        disk.set_fault(None);
        // Back, or on.
        let (location, other) = if at % 2 == 0 { ("b", "a") } else { ("a", "b") };
        assert_eq!(run.finish(Some(location), 4).await, expected, "died at change {at}");
        assert_eq!(files(&folder.path().join(other)), 0, "died at change {at}");
    }
    assert!(moving > 2, "only {moving} hosts died when checkpoints were in both places");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_two_pipelines_of_one_name_that_share_a_location_then_neither_disturbs_the_other() {
    let expected = undisturbed().await;
    let shared = tempfile::tempdir().unwrap();
    let location = shared.path().to_str();
    let folders = [given(), given()];
    let runs = [0, 1].map(|n| Run::new(&folders[n], Arc::new(Disk)));
    for batches in [0, 3] {
        for run in &runs {
            run.up_to(location, batches, batches + 3).await;
        }
    }
    for run in &runs {
        assert_eq!(run.finish(location, 6).await, expected);
    }
    assert_eq!(fs::read_dir(shared.path().join("numbers")).unwrap().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_location_out_of_reach_when_a_host_is_started_then_it_is_named_and_nothing_is_lost() {
    let expected = undisturbed().await;
    let folder = given();
    let run = Run::new(&folder, Arc::new(Disk));
    let refused = async |location: Option<&str>, batches| match run.start(location, batches).await {
        Ok(_) => panic!("{location:?} is no folder"),
        Err(error) => format!("{error:#}"),
    };
    let named = |error: &str, texts: &[&str]| assert!(texts.iter().all(|text| error.contains(text)), "{error}");
    fs::write(folder.path().join("file"), "no folder").unwrap();
    named(&refused(Some("file"), 0).await, &["live/checkpoints cannot go to ", "/file, as", "put `location`"]);
    run.up_to(Some("a"), 0, 3).await;
    named(&refused(Some("file/a"), 3).await, &["/a/numbers/", "cannot go to ", "/file/a, as", "they stay"]);

    // Whatever is under `a` is out of reach, as where a disk is not there.
    fs::rename(folder.path().join("a"), folder.path().join("aside")).unwrap();
    fs::write(folder.path().join("a"), "no folder").unwrap();
    named(&refused(Some("a"), 3).await, &["cannot open the checkpoints in ", "/a/numbers/"]);
    named(&refused(Some("b"), 3).await, &["/a/numbers/", "must be read before they go to ", "/b, as"]);
    fs::remove_file(folder.path().join("a")).unwrap();
    fs::rename(folder.path().join("aside"), folder.path().join("a")).unwrap();

    assert_eq!(run.finish(Some("b"), 3).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_location_when_all_is_begun_anew_then_its_checkpoints_are_not_found_and_go() {
    let folder = given();
    let rows = fs::read(folder.path().join("numbers.jsonl")).unwrap();
    let run = Run::new(&folder, Arc::new(Disk));
    run.up_to(Some("a"), 0, 4).await;
    fs::write(folder.path().join("numbers.jsonl"), rows).unwrap();

    forget(Arc::new(Disk), &run.data().claim("numbers").unwrap()).unwrap();
    let mut bench = run.start(Some("b"), 5).await.unwrap();

    assert_eq!(files(&folder.path().join("a")), 0);
    let mut read = 0;
    while read < ROWS.unsigned_abs() {
        bench.clock.advance(Duration::from_secs(1));
        read += bench.batches.recv().await.unwrap().rows_in;
    }
    assert_eq!(read, ROWS.unsigned_abs(), "each row again, and none twice");
}
