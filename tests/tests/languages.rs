//! Operators in other languages than Rust, from a new project to a pipeline that runs them.
//!
//! A language is tested where its toolchain is there; `tests/all` installs those that can be had.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::process::Command;

use serde_json::Value;
use weir_tests::{Finished, Folder};

fn is_there(tool: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(tool).is_file())
}

/// Whether the first of these tools is there that a language needs; tells of it if not.
fn has_tool(language: &str, tools: &[&str]) -> bool {
    let there = tools.iter().any(|tool| is_there(tool));
    if !there {
        eprintln!("skipped: {language} needs {}, and there is none", tools.join(" or "));
    }
    there
}

/// Rows in some order, as text.
fn sorted(rows: &str) -> Vec<String> {
    let mut rows: Vec<_> = rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap().to_string()).collect();
    rows.sort();
    rows
}

/// Writes a project, and gets what its package.json asks for.
fn new_project(folder: &Folder, language: &str, world: &str, name: &str) {
    let told = folder.weir(&["plugin", "new", name, "--lang", language, "--world", world]).ok().stdout;
    assert!(told.contains("weir plugin build") && told.contains("weir plugin test"), "{told}");
    if folder.path(name).join("package.json").exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(folder.path(name));
        Finished::wait(npm, "npm install").ok();
    }
}

/// From nothing to a pipeline that runs the operator; its output does not know what time it is.
fn follow(language: &str, tools: &[&str], worlds: &[&str]) {
    if !has_tool(language, tools) {
        return;
    }
    let folder = Folder::empty();
    for world in worlds {
        let name = format!("{language}-{world}");
        new_project(&folder, language, world, &name);
        let built = folder.weir(&["plugin", "build", &name]).ok().stdout;
        let (file, rest) = built.split_once(" (").expect("the file, and what it is");
        assert!(rest.starts_with(world), "{built}");
        let tested = folder.weir(&["plugin", "test", &name]).ok();
        assert!(tested.stderr.contains("as expected in"), "{}", tested.stderr);
        let registered = folder.weir(&["plugin", "register", file]).ok().stdout;
        assert!(registered.starts_with(&format!("{name}@0.1.0 registered: {world}, ")), "{registered}");

        let key = if *world == "transform" { "" } else { "key = [\"sensor\"]" };
        let pipeline = format!(
            "[sources.rows]\ntype = \"file\"\npath = \"{name}/rows.jsonl\"\nformat = \"json\"\n\
             [operators.mine]\n{world} = \"{name}@0.1.0\"\ninputs = [\"rows\"]\n{key}\n\
             [sinks.out]\ntype = \"stdout\"\nformat = \"json\"\ninputs = [\"mine\"]\n"
        );
        let ran = folder.run_once(&pipeline).ok().stdout;
        let expected = std::fs::read_to_string(folder.path(&name).join("expected.jsonl")).unwrap();
        assert_eq!(sorted(&ran), sorted(&expected), "{name}");
        if is_there("faketime") {
            let mut later = Command::new("faketime");
            let weir = folder.command(&["run", "--once", "p.toml"]);
            later.args(["-f", "+5h"]).arg(weir.get_program()).args(weir.get_args());
            later.current_dir(folder.path("."));
            later.envs(weir.get_envs().filter_map(|(name, value)| Some((name, value?))));
            assert_eq!(Finished::wait(later, "five hours later").ok().stdout, ran, "{name}");
        }
    }
}

/// What a person is told whose operator goes wrong at a row, as it is told in its own language.
fn goes_wrong(language: &str, tools: &[&str], file: &str, replaced: &str, by: &str, told: &[&str]) {
    if !has_tool(language, tools) {
        return;
    }
    let folder = Folder::empty();
    new_project(&folder, language, "transform", "broken");
    let source = folder.path("broken").join(file);
    let code = std::fs::read_to_string(&source).unwrap();
    assert!(code.contains(replaced), "{code}");
    std::fs::write(&source, code.replacen(replaced, by, 1)).unwrap();
    let tested = folder.weir(&["plugin", "test", "broken"]);
    told.iter().for_each(|told| assert!(tested.stderr.contains(told), "no `{told}` in:\n{}", tested.stderr));
}

const CLANG: [&str; 2] = ["clang-19", "zig"];

#[test]
fn given_a_new_project_in_c_when_followed_to_its_end_then_it_runs_in_a_pipeline() {
    follow("c", &CLANG, &["transform", "aggregate", "state"]);
}

#[test]
fn given_a_new_project_in_cpp_when_followed_to_its_end_then_it_runs_in_a_pipeline() {
    follow("cpp", &CLANG, &["transform", "aggregate", "state"]);
}

#[test]
fn given_a_new_project_in_zig_when_followed_to_its_end_then_it_runs_in_a_pipeline() {
    follow("zig", &["zig"], &["transform", "aggregate", "state"]);
}

#[test]
fn given_a_new_project_in_go_when_followed_to_its_end_then_it_runs_in_a_pipeline() {
    follow("go", &["go"], &["transform", "aggregate", "state"]);
}

#[test]
fn given_a_go_project_when_it_was_built_well_or_ill_then_go_finds_no_more_than_the_project() {
    if !has_tool("go", &["go"]) {
        return;
    }
    let folder = Folder::empty();
    // The name of a package of the standard library, too.
    new_project(&folder, "go", "transform", "fmt");
    let vet = || {
        let mut vet = Command::new("go");
        vet.args(["vet", "./..."]).current_dir(folder.path("fmt"));
        Finished::wait(vet, "go vet")
    };
    folder.weir(&["plugin", "build", "fmt"]).ok();
    vet().ok();
    let broken = folder.path("fmt/broken.go");
    std::fs::write(&broken, "package main\n\nvar broken = no\n").unwrap();
    folder.weir(&["plugin", "build", "fmt"]).refused(&["the build failed: `go` ended"]);
    std::fs::remove_file(broken).unwrap();
    vet().ok();
}

#[test]
fn given_a_new_project_in_python_when_followed_to_its_end_then_it_runs_in_a_pipeline() {
    follow("python", &["componentize-py"], &["transform", "aggregate", "state"]);
}

#[test]
fn given_a_new_project_in_javascript_when_followed_to_its_end_then_it_runs_in_a_pipeline() {
    follow("javascript", &["npm"], &["transform", "aggregate", "state"]);
}

#[test]
fn given_a_new_project_in_typescript_when_followed_to_its_end_then_it_runs_in_a_pipeline() {
    follow("typescript", &["npm"], &["transform", "aggregate", "state"]);
}

#[test]
fn given_a_new_project_in_assemblyscript_when_followed_to_its_end_then_it_runs_in_a_pipeline() {
    follow("assemblyscript", &["npm"], &["transform", "aggregate", "state"]);
}

#[test]
fn given_a_python_exception_when_it_is_not_caught_then_its_message_and_trace_are_told() {
    let raises = "    raise ValueError(\"not today\")\n    for word";
    let told = ["ValueError: not today (plugin.py:", "in mentions"];
    goes_wrong("python", &["componentize-py"], "plugin.py", "    for word", raises, &told);
}

#[test]
fn given_a_python_operator_that_asks_for_the_world_when_run_then_it_is_told_what_follows_from_its_batch() {
    if !has_tool("python", &["componentize-py"]) {
        return;
    }
    let folder = Folder::empty();
    new_project(&folder, "python", "transform", "asks");
    folder.write("asks/plugin.py", ASKS_THE_WORLD);
    folder.weir(&["plugin", "build", "asks"]).ok();
    folder.weir(&["plugin", "register", "asks/build/asks.wasm"]).ok();
    folder.write("lines.txt", "file\nsocket\nclock\nnumber\n".repeat(2));
    let pipeline = "batch.partitions = 1\n[sources.lines]\ntype = \"file\"\npath = \"lines.txt\"\nrate = \"4/s\"\n\
                    [operators.asked]\ntransform = \"asks@0.1.0\"\ninputs = [\"lines\"]\n\
                    [sinks.out]\ntype = \"stdout\"\nformat = \"json\"\ninputs = [\"asked\"]\n";
    let first = folder.run_once(pipeline).ok().stdout;
    assert_eq!(folder.run_once(pipeline).ok().stdout, first);
    let rows = first.lines().map(|row| serde_json::from_str::<Value>(row).unwrap());
    let answers: Vec<_> = rows.map(|row| row["answer"].as_str().unwrap().to_owned()).collect();
    let (before, after) = answers.split_at(4);
    let [denied @ .., number] = before else { panic!("{answers:?}") };
    assert_eq!(denied, ["FileNotFoundError", "PermissionError", "1970-01-01T00:00:01+00:00"]);
    assert_eq!(after[2], "1970-01-01T00:00:02+00:00");
    assert_ne!(*number, after[3], "each batch has numbers of its own");
}

/// A row for each row, with what Python's library answers to it.
const ASKS_THE_WORLD: &str = r#"
import random
import socket
from dataclasses import dataclass
from datetime import datetime, timezone

import weir

ASKED = {
    "file": lambda: open("/etc/passwd"),
    "socket": socket.socket,
    "clock": lambda: datetime.now(timezone.utc).isoformat(),
    "number": random.random,
}

@dataclass
class Line:
    line: str

@dataclass
class Answer:
    answer: str

@weir.map
def answer(asked: Line) -> Answer:
    try:
        return Answer(str(ASKED[asked.line]()))
    except OSError as error:
        return Answer(type(error).__name__)
"#;

#[test]
fn given_a_go_panic_when_it_is_not_recovered_then_its_message_and_trace_are_told() {
    let cut = "name, mentioned := strings.CutPrefix(word, \"@\")";
    let panics = format!("if word != \"\" {{ panic(\"not today\") }}\n{cut}");
    goes_wrong("go", &["go"], "operator.go", cut, &panics, &["not today", "operator.go"]);
}

#[test]
fn given_a_zig_panic_when_it_ends_the_instance_then_its_message_is_told() {
    let shortest = "const shortest = @max(config.shortest, 1);";
    let panics = format!("{shortest}\n    if (post.text.len > 0) @panic(\"not today\");");
    goes_wrong("zig", &["zig"], "src/main.zig", shortest, &panics, &["not today"]);
}

#[test]
fn given_a_javascript_throw_when_it_is_not_caught_then_its_message_and_trace_are_told() {
    let slice = "const mention = found.slice(1);";
    let throws = "const mention = found.slice(1); throw new Error('not today');";
    goes_wrong("javascript", &["npm"], "src/index.js", slice, throws, &["not today", "index.js"]);
}
