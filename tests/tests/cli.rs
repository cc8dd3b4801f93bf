//! Every verb of the command, as far as other tests do not: what it prints, and that its errors say what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weir_tests::guests::{target, wasm, workspace};
use weir_tests::{Finished, Folder, each};

const COUNTS: &str = r#"
[sources.lines]
type = "file"
path = "lines.txt"
[operators.words]
transform = "words@0.1.0"
inputs = ["lines"]
[operators.counts]
aggregate = "count@0.1.0"
inputs = ["words"]
key = ["word"]
[operators.top]
sql = "SELECT word, count FROM counts ORDER BY count DESC LIMIT 3"
inputs = ["counts"]
[sinks.out]
type = "files"
path = "out"
inputs = ["top"]
"#;

fn check(pipeline: &str) -> Finished {
    let folder = Folder::new();
    folder.write("lines.txt", "to be or not to be\n");
    folder.write("p.toml", pipeline);
    let finished = folder.weir(&["check", "p.toml"]);
    assert!(!folder.path("out").exists(), "a check makes nothing");
    finished
}

#[test]
fn given_a_sound_pipeline_when_checked_then_the_columns_of_every_stream_are_shown() {
    let finished = check(COUNTS).ok();
    let shown = "p.toml is sound. Its streams:\n\
                 \x20 source lines: line utf8\n\
                 \x20 operator words (words@0.1.0): word utf8\n\
                 \x20 operator counts (count@0.1.0): word utf8, count int64\n\
                 \x20 operator top (sql): word utf8, count int64\n\
                 \x20 sink out (files): takes top; exactly once, by overwriting\n";
    assert_eq!(finished.stdout, shown);
    assert_eq!(finished.stderr, "");
}

#[test]
fn given_a_pipeline_with_a_mistake_when_checked_then_the_message_names_place_and_remedy() {
    let cases: [(&str, &str, &[&str]); 15] = [
        ("path = \"lines.txt\"", "pth = \"lines.txt\"", &["p.toml:4:1", "`pth`", "did you mean `path`?"]),
        ("type = \"file\"", "type = \"flie\"", &["p.toml:3:", "`flie`", "`file`"]),
        ("[\"lines\"]", "[\"line\"]", &["p.toml:7:", "`line`", "did you mean `lines`?"]),
        ("[\"words\"]", "[\"counts\"]", &["p.toml:10:", "counts"]),
        ("transform = \"words@0.1.0\"", "transform = \"words\"", &["p.toml:6:", "`words` has no version"]),
        (
            "words@0.1.0",
            "wrods@0.1.0",
            &["operator `words`", "wrods@0.1.0 is not registered", "did you mean words@0.1.0?"],
        ),
        ("words@0.1.0", "words@0.2.0", &["operator `words`", "words@0.2.0 is not registered", "there is words@0.1.0"]),
        ("words@0.1.0", "hashtags@0.1.0", &["operator `words` (hashtags@0.1.0", "no column `text`", "it has `line`"]),
        ("words@0.1.0", "grep@0.1.0", &["operator `words` (grep@0.1.0", "pattern"]),
        (
            "words@0.1.0",
            "count@0.1.0",
            &["operator `words` (count@0.1.0", "it fits an operator with `aggregate = \"count@0.1.0\"`"],
        ),
        ("key = [\"word\"]", "key = [\"wort\"]", &["operator `counts`", "key column `wort`", "word utf8"]),
        ("SELECT word, count", "SELECT wort, count", &["operator `top`", "wort", "counts.word"]),
        ("SELECT word, count", "SELECT random() AS r", &["operator `top`", "`random`", "pure functions"]),
        (
            "inputs = [\"top\"]",
            "inputs = [\"top\", \"words\"]",
            &["sink `out`", "different columns", "word utf8, count int64"],
        ),
        ("type = \"files\"", "type = \"files\"\nformat = \"xml\"", &["`xml`", "`parquet`"]),
    ];
    each(cases, |(from, to, says)| {
        assert!(COUNTS.contains(from));
        let finished = check(&COUNTS.replacen(from, to, 1)).refused(says);
        assert_eq!(finished.stdout, "");
    });
}

#[test]
fn given_several_mistakes_when_checked_then_all_are_told_at_once() {
    let pipeline = COUNTS.replace("path =", "pth =").replace("key =", "keys =");
    let finished = check(&pipeline).refused(&["p.toml:4:1: ", "p.toml:11:1: ", "p.toml:17:1: "]);
    assert_eq!(finished.message().lines().count(), 3, "{}", finished.message());
    let graph = COUNTS.replace("[\"lines\"]", "[\"linse\"]").replace("[\"top\"]", "[\"topp\"]");
    check(&graph).refused(&["p.toml:7:", "did you mean `lines`?", "p.toml:18:", "did you mean `top`?"]);
}

#[test]
fn given_a_file_that_is_not_there_when_checked_or_run_then_the_message_names_it() {
    let folder = Folder::new();
    each([&["check", "none.toml"][..], &["run", "none.toml"], &["run", "--once", "none.toml"]], |args| {
        folder.weir(args).refused(&["`none.toml`", "No such file"]);
    });
}

#[test]
fn given_something_worth_a_warning_when_checked_then_it_is_told_and_the_pipeline_is_sound_all_the_same() {
    let idle = "[operators.idle]\ntransform = \"words@0.1.0\"\ninputs = [\"lines\"]\n";
    let finished = check(&format!("{COUNTS}{idle}")).ok();
    assert!(finished.stderr.starts_with("warning: ") && finished.stderr.contains("idle"), "{}", finished.stderr);
}

#[test]
fn given_environment_variables_in_a_pipeline_when_run_then_they_are_filled_in_or_named() {
    let folder = Folder::new();
    folder.write("lines.txt", "one\n");
    let text = "[sources.lines]\ntype = \"file\"\npath = \"${INPUT}\"\n[sinks.out]\ntype = \"files\"\npath = \"${OUTPUT:-out}\"\ninputs = [\"lines\"]\n";
    folder.run_once(text).refused(&["p.toml:3:9", "`INPUT`", "${INPUT:-default}"]);
    let mut command = folder.command(&["run", "--once", "p.toml"]);
    command.env("INPUT", "lines.txt");
    Finished::wait(command, "run").ok();
    assert_eq!(folder.batches("out").column("line"), ["one"]);
}

#[test]
fn given_a_generator_without_an_end_when_run_once_then_it_is_refused() {
    let text = "[sources.rows]\ntype = \"generator\"\nrate = \"10/s\"\ncolumns.n = { kind = \"sequence\" }\n\
                [sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"rows\"]\n";
    Folder::new().run_once(text).refused(&["source `rows`", "give it a `count`"]);
}

#[test]
fn given_weir_schema_when_printed_then_it_is_the_one_in_the_tree() {
    let printed = Folder::empty().weir(&["schema"]).ok().stdout;
    assert_eq!(
        printed,
        std::fs::read_to_string(workspace().join("host/pipeline.schema.json")).expect("it is in the tree")
    );
    let schema: Value = serde_json::from_str(&printed).expect("it is JSON");
    assert!(schema["properties"]["operators"].is_object());
}

#[test]
fn given_no_or_unknown_arguments_when_run_then_the_usage_is_shown() {
    let folder = Folder::empty();
    let cases: [(&[&str], &str); 8] = [
        (&[], "Usage: "),
        (&["plugin"], "requires a subcommand"),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&["run"], "<FILE>"),
        (&["run", "--start", "2026-01-31T00:00:00Z", "p.toml"], "--once"),
        (&["run", "--threads", "0", "p.toml"], "--threads"),
        (&["swap", "words"], "<NAME@VERSION>"),
        (&["swap", "words", "words@0.1.0", "--back"], "--back"),
    ];
    each(cases, |(args, says)| {
        let finished = folder.weir(args);
        assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
    });
}

#[test]
fn given_help_when_asked_for_then_every_verb_has_a_sentence() {
    let folder = Folder::empty();
    let help = folder.weir(&["--help"]).ok().stdout;
    for verb in ["check", "run", "status", "swap", "plugin", "schema"] {
        let line = help.lines().find(|line| line.trim_start().starts_with(verb)).expect("it is listed");
        assert!(line.trim_end().len() > verb.len() + 20, "{line}");
    }
    assert!(folder.weir(&["--version"]).ok().stdout.starts_with("weir 0."));
}

#[test]
fn given_a_component_when_registered_then_it_is_listed_shown_and_can_be_removed() {
    let folder = Folder::empty();
    let words = wasm("words").display().to_string();
    let none = folder.weir(&["plugin", "list"]).ok().stdout;
    assert!(none.contains("no components are registered") && none.contains("weir plugin register"), "{none}");
    let registered = folder.weir(&["plugin", "register", &words]).ok().stdout;
    assert!(registered.starts_with("words@0.1.0 registered: transform, "), "{registered}");
    let digest = registered.trim_end().rsplit(", ").next().expect("it ends with the digest").to_owned();
    assert!(digest.starts_with("sha256:") && digest.len() == 7 + 64, "{digest}");
    // Again, and under another name.
    folder.weir(&["plugin", "register", &words]).ok();
    folder.weir(&["plugin", "register", &words, "--name", "terms", "--version", "2.0.0-rc.1"]).ok();
    let listed = folder.weir(&["plugin", "list", "--digests"]).ok().stdout;
    let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["terms@2.0.0-rc.1", "words@0.1.0"]);
    assert!(listed.lines().all(|line| line.contains("transform") && line.ends_with(&digest)), "{listed}");

    each(["words@0.1.0", "terms@2.0.0-rc.1", &digest, &words], |component| {
        let shown = folder.weir(&["plugin", "show", component]).ok().stdout;
        for says in
            ["name     words@0.1.0", "world    transform", &digest, "known as terms@2.0.0-rc.1", "known as words@0.1.0"]
        {
            assert!(shown.contains(says), "{shown}");
        }
    });

    let other = wasm("count").display().to_string();
    let taken = ["plugin", "register", &other, "--name", "words", "--version", "0.1.0"];
    folder.weir(&taken).refused(&[
        "words@0.1.0 is registered already",
        "another --version",
        "weir plugin remove words@0.1.0",
    ]);
    let removed = folder.weir(&["plugin", "remove", "words@0.1.0"]).ok().stdout;
    assert_eq!(removed, "words@0.1.0 removed\n");
    folder.weir(&["plugin", "remove", "words@0.1.0"]).refused(&["words@0.1.0 is not registered"]);
    folder.weir(&taken).ok();
    assert!(folder.weir(&["plugin", "show", "words@0.1.0"]).ok().stdout.contains("world    aggregate"));
}

#[test]
fn given_names_that_name_nothing_when_used_then_the_message_says_how_they_are_written() {
    let folder = Folder::new();
    let words = wasm("words").display().to_string();
    let cases: [(&[&str], &[&str]); 9] = [
        (&["plugin", "register", "none.wasm"], &["cannot read none.wasm"]),
        (&["plugin", "register", &words, "--name", "No Name"], &["No Name@0.1.0", "name@version"]),
        (&["plugin", "show", "none.wasm"], &["no file none.wasm", "name@version"]),
        (&["plugin", "show", "nothing@1.0.0"], &["nothing@1.0.0 is not registered", "weir plugin list"]),
        (&["plugin", "show", "wrods@0.1.0"], &["did you mean words@0.1.0?"]),
        (&["plugin", "remove", "sha256:1234"], &["`sha256:1234`", "64 hex digits"]),
        (&["plugin", "build", "."], &["no operator project", "weir plugin new"]),
        (&["plugin", "new", "9lives"], &["`9lives`", "begin with a lower-case letter"]),
        (&["plugin", "new", "../up"], &["`../up`", "letters"]),
    ];
    each(cases, |(args, says)| drop(folder.weir(args).refused(says)));
}

#[test]
fn given_rows_in_any_format_when_an_operator_is_tried_then_its_rows_are_printed_and_its_costs_told() {
    let folder = Folder::empty();
    let tried = |package: &str, input: &str, more: &[&str]| {
        let file = wasm(package).display().to_string();
        folder.weir(&[&["plugin", "test", &file, "--input", input], more].concat())
    };
    folder.write("lines.txt", "to be\n\nor not\n");
    let finished = tried("words", "lines.txt", &[]).ok();
    assert_eq!(finished.stdout, "{\"word\":\"to\"}\n{\"word\":\"be\"}\n{\"word\":\"or\"}\n{\"word\":\"not\"}\n");
    assert!(finished.stderr.starts_with("3 rows in, 4 out, 0 rejected; "), "{}", finished.stderr);
    let used = finished.stderr.split_once("rejected; ").and_then(|(_, rest)| rest.split_once(" fuel")).expect("fuel").0;
    tried("words", "lines.txt", &["--max-fuel", used]).ok();
    let less = (used.parse::<u64>().expect("a number") - 1).to_string();
    tried("words", "lines.txt", &["--max-fuel", &less]).refused(&[&format!("used {used} fuel"), "--max-fuel"]);
    let grep = tried("grep", "lines.txt", &["--config", "{\"pattern\": \"or\"}"]).ok();
    assert_eq!(grep.stdout, "{\"line\":\"or not\"}\n");

    folder.write("sales.csv", "item,value\ntea,1\ncar,5\ntea,2\n");
    let mut sums: Vec<String> =
        tried("sum", "sales.csv", &["--key", "item"]).ok().stdout.lines().map(str::to_owned).collect();
    sums.sort();
    assert_eq!(sums, ["{\"item\":\"car\",\"sum\":5}", "{\"item\":\"tea\",\"sum\":3}"]);
    assert_eq!(tried("sum", "sales.csv", &[]).ok().stdout, "{\"sum\":8}\n");
    tried("sum", "sales.csv", &["--schema", "item=utf8,value=utf8"]).refused(&["`value`", "utf8"]);
    tried("sum", "sales.csv", &["--key", "itme"]).refused(&["key column `itme`", "item utf8"]);
    tried("grep", "lines.txt", &["--config", "{\"pattern\""]).refused(&["--config must be a JSON object"]);
    tried("words", "none.txt", &[]).refused(&["cannot read none.txt"]);
    let wrong = tried("sum", "sales.csv", &["--schema", "value=int32"]);
    assert!(wrong.status.code() == Some(2) && wrong.stderr.contains("`int32` is no type"), "{}", wrong.stderr);
    let left: Vec<_> =
        std::fs::read_dir(folder.data()).expect("there is a cache").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["cache"], "a trial leaves nothing but compiled code");
}

/// Runs cargo in a project that `weir plugin new` wrote, with what was built before.
fn in_project(mut command: Command, project: &Path) -> Finished {
    command.current_dir(project).env("CARGO_TARGET_DIR", target().join("new-plugin"));
    Finished::wait(command, "in a new project").ok()
}

/// From nothing to a pipeline that runs the operator, as the tutorial has it.
fn from_new_to_registered(name: &str, world: &str, key: &[&str]) {
    let folder = Folder::empty();
    let told = folder.weir(&["plugin", "new", name, "--world", world]).ok().stdout;
    assert!(told.contains(&format!("cd {name}")) && told.contains("weir plugin build"), "{told}");
    folder.weir(&["plugin", "new", name]).refused(&[name, "there already"]);
    let project = folder.path(name);

    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("test");
    let tested = in_project(cargo, &project);
    assert!(tested.stdout.contains("test result: ok. 1 passed"), "{}", tested.stdout);

    let built = in_project(folder.command(&["plugin", "build"]), &project);
    let (file, rest) = built.stdout.split_once(" (").expect("the file, and what it is");
    assert!(rest.starts_with(world) && rest.contains("weir plugin register"), "{}", built.stdout);
    let rows = format!("{name}/rows.jsonl");
    let keys: Vec<&str> = key.iter().flat_map(|column| ["--key", column]).collect();
    let tried = folder.weir(&[&["plugin", "test", file, "--input", &rows], &keys[..]].concat()).ok();
    assert!(!tried.stdout.is_empty() && tried.stderr.contains(" 0 rejected"), "{}", tried.stderr);

    let registered = folder.weir(&["plugin", "register", file]).ok().stdout;
    assert!(registered.starts_with(&format!("{name}@0.1.0 registered: {world}, ")), "{registered}");
    let pipeline = format!(
        "[sources.rows]\ntype = \"file\"\npath = \"{rows}\"\nformat = \"json\"\n\
         [operators.mine]\n{world} = \"{name}@0.1.0\"\ninputs = [\"rows\"]\nkey = {key:?}\n\
         [sinks.out]\ntype = \"stdout\"\nformat = \"json\"\ninputs = [\"mine\"]\n"
    );
    assert_eq!(folder.run_once(&pipeline).ok().stdout, tried.stdout);
    folder.weir(&["plugin", "remove", &format!("{name}@0.1.0")]).ok();
    folder.run_once(&pipeline).refused(&["operator `mine`", "is not registered"]);
}

#[test]
fn given_a_new_plugin_project_when_followed_to_its_end_then_the_operator_runs_in_a_pipeline() {
    from_new_to_registered("mentioned", "transform", &[]);
    from_new_to_registered("ranges", "aggregate", &["sensor"]);
    from_new_to_registered("moves", "state", &["sensor"]);
}

#[test]
fn given_a_new_sink_project_when_followed_to_its_end_then_it_tells_what_it_would_send() {
    let folder = Folder::empty();
    folder.weir(&["plugin", "new", "alarms", "--world", "sink"]).ok();
    let project = folder.path("alarms");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("test");
    let tested = in_project(cargo, &project);
    assert!(tested.stdout.contains("test result: ok. 1 passed"), "{}", tested.stdout);
    let built = in_project(folder.command(&["plugin", "build"]), &project);
    let (file, rest) = built.stdout.split_once(" (").expect("the file, and what it is");
    assert!(rest.starts_with("sink"), "{}", built.stdout);
    let tried = folder.weir(&["plugin", "test", file, "--input", "alarms/rows.jsonl"]).ok();
    let (head, body) = ("POST http://localhost:8080/alarms\nIdempotency-Key: ", "\n\nroof: 70.5\ncellar: 12\n\n");
    assert!(tried.stdout.starts_with(head) && tried.stdout.ends_with(body), "{}", tried.stdout);
}

#[test]
fn given_a_project_that_does_not_compile_when_built_then_the_compiler_speaks_and_the_command_fails() {
    let folder = Folder::empty();
    folder.weir(&["plugin", "new", "broken"]).ok();
    folder.write("broken/src/lib.rs", "compile_error!(\"not yet\");\n");
    let mut command = folder.command(&["plugin", "build"]);
    command.current_dir(folder.path("broken")).env("CARGO_TARGET_DIR", target().join("new-plugin"));
    Finished::wait(command, "plugin build").refused(&["the build failed"]);
}
