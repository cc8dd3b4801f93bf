//! The promises of the pipeline file: what loads, what is refused and in which words, in which order operators run.

#![allow(clippy::expect_used, reason = "a failed test should say where")]

mod check;
mod fuzz;
mod good;
mod graph;
mod read;
mod schema;
mod state;
mod window;

use std::path::Path;

use super::{Loaded, Pipeline, Problems};

/// Variables for every test.
fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("example.org".to_owned()),
        "FOUR" => Some("4".to_owned()),
        "YES" => Some("true".to_owned()),
        "FILE" => Some("file".to_owned()),
        "SLY" => Some("x\"\n[sinks.evil]\ntype = \"stdout\"".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Loaded, Problems> {
    Pipeline::parse(text, Path::new("jobs/counts/pipeline.toml"), &environment)
}

#[track_caller]
fn loaded(text: &str) -> Loaded {
    parse(text).unwrap_or_else(|problems| panic!("{problems}\n--- in ---\n{text}"))
}

/// The problems of `text`, which begins on line 1, without the file's name.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let text = text.trim_start_matches('\n');
    let found = match parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    };
    let expected: Vec<_> = expected.iter().map(|line| format!("jobs/counts/pipeline.toml:{line}")).collect();
    assert_eq!(found, expected, "\n--- in ---\n{text}");
}

/// The problems of a sound pipeline, of lines 1 and 2, to which `text` is added from line 3 on.
#[track_caller]
fn check_added(text: &str, expected: &[&str]) {
    let sound = "sources.a = { type = 'file', path = 'a.txt' }\nsinks.out = { type = 'stdout', inputs = ['a'] }\n";
    check(&format!("{sound}{}", text.trim_start_matches('\n')), expected);
}
