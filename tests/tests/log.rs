//! The batch log: what a crash may do to it is mended at the next start, other damage is not passed over.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::fs;
use std::path::PathBuf;

use weir_tests::Folder;

const PIPELINE: &str = r#"
    batch = { interval = "100ms" }
    [sources.lines]
    type = "file"
    path = "lines.txt"
    rate = "100/s"
    [operators.words]
    transform = "words@0.1.0"
    inputs = ["lines"]
    [sinks.out]
    type = "files"
    path = "out"
    inputs = ["words"]
"#;

/// A folder in which five batches have run, and where the log of them is.
fn folder() -> (Folder, PathBuf) {
    let folder = Folder::new();
    folder.write("lines.txt", "to be or not to be\n".repeat(50));
    folder.write("p.toml", PIPELINE);
    folder.weir(&["run", "p.toml"]).ok();
    let log = folder.data().join("pipelines/p/live/batches.log");
    assert!(fs::read(&log).expect("there is a log").starts_with(b"WEIRLOG4"));
    (folder, log)
}

#[test]
fn given_a_log_that_was_cut_short_when_the_host_starts_again_then_it_drops_the_torn_record_and_works() {
    for missing in [1, 3, 7] {
        let (folder, log) = folder();
        let before = folder.tree("out");
        let bytes = fs::read(&log).expect("there is a log");
        fs::write(&log, &bytes[..bytes.len() - missing]).expect("it can be written");
        let finished = folder.weir(&["run", "p.toml"]).ok();
        assert!(finished.stderr.contains("was cut short"), "{}", finished.stderr);
        assert_eq!(folder.tree("out"), before);
        let finished = folder.weir(&["run", "p.toml"]).ok();
        assert!(!finished.stderr.contains("was cut short"), "{}", finished.stderr);
    }
}

#[test]
fn given_a_log_damaged_in_the_middle_when_the_host_starts_then_it_refuses_and_changes_nothing() {
    let (folder, log) = folder();
    let mut bytes = fs::read(&log).expect("there is a log");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&log, &bytes).expect("it can be written");
    let says = [
        "the batch log",
        "pipelines/p/live/batches.log is damaged; nothing was changed: record ",
        "begin anew with --fresh",
    ];
    folder.weir(&["run", "p.toml"]).refused(&says);
    // It works on a copy, which nobody can mend.
    folder.weir(&["verify"]).refused(&says);
    assert_eq!(fs::read(&log).expect("it is there"), bytes);
    folder.weir(&["run", "--fresh", "p.toml"]).ok();
}

#[test]
fn given_a_file_that_is_no_log_when_the_host_starts_then_it_is_left_alone() {
    let (folder, log) = folder();
    fs::write(&log, "my own notes, of more than eight bytes\n").expect("it can be written");
    folder.weir(&["run", "p.toml"]).refused(&["batches.log"]);
    assert_eq!(fs::read(&log).expect("it is there"), b"my own notes, of more than eight bytes\n");
}

#[test]
fn given_a_log_that_does_not_reach_the_checkpoint_when_the_host_starts_then_it_refuses_and_fresh_begins_anew() {
    type Damage = fn(&PathBuf, &[u8]) -> std::io::Result<()>;
    let damages: [Damage; 3] = [
        |log, _| fs::remove_file(log),
        |log, bytes| fs::write(log, &bytes[..40]),
        // The last commit is gone with the end.
        |log, bytes| fs::write(log, &bytes[..bytes.len() - 30]),
    ];
    for damage in damages {
        let (folder, log) = folder();
        let bytes = fs::read(&log).expect("there is a log");
        damage(&log, &bytes).expect("the log can be changed");
        let refused = ["which the batch log does not have as committed", "nothing was changed", "--fresh"];
        folder.weir(&["run", "p.toml"]).refused(&refused);
        folder.weir(&["run", "--fresh", "p.toml"]).ok();
    }
}
