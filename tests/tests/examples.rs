//! The examples do what their READMEs show.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::fs;
use std::path::PathBuf;

use weir_tests::guests::workspace;
use weir_tests::{Finished, Folder, each};

/// The folders of examples that have a file of this name.
fn examples(file: &str) -> Vec<PathBuf> {
    let listing = fs::read_dir(workspace().join("examples")).expect("there are examples");
    let folders = listing.map(|entry| entry.expect("an entry").path()).filter(|folder| folder.join(file).exists());
    let mut folders: Vec<_> = folders.collect();
    folders.sort();
    assert!(!folders.is_empty(), "no example has a {file}");
    folders
}

/// Runs `weir` on an example's pipeline; what it writes stays out of the tree.
fn weir(args: &[&str], example: &std::path::Path) -> Finished {
    let folder = Folder::new();
    let mut command = folder.command(args);
    command.arg(example.join("pipeline.toml")).env("SPAM_ARCHIVE", folder.path("archive"));
    command.env("SAVE_TO", folder.path("saved"));
    Finished::wait(command, &args.join(" ")).ok()
}

#[test]
fn given_any_example_when_checked_then_it_is_sound_and_nothing_is_worth_a_warning() {
    each(examples("pipeline.toml"), |example| {
        assert_eq!(weir(&["check"], &example).stderr, "");
    });
}

#[test]
fn given_an_example_with_expected_output_when_run_once_then_it_prints_that() {
    each(examples("expected.txt"), |example| {
        let expected = fs::read_to_string(example.join("expected.txt")).expect("it is there");
        assert_eq!(weir(&["run", "--once"], &example).stdout, expected);
    });
}
