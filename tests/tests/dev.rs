//! `weir plugin dev`: what is saved runs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::io::{BufRead, BufReader, PipeReader};
use std::process::{Child, Command, Stdio};

use weir_tests::guests::target;
use weir_tests::http::{free_address, post};
use weir_tests::{Finished, Folder};

/// The command at work.
struct Dev {
    child: Child,
    said: BufReader<PipeReader>,
}

impl Dev {
    fn start(mut command: Command) -> Self {
        // Errors come among what else it says.
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        Self { child: command.spawn().expect("weir can be started"), said: BufReader::new(reader) }
    }

    /// What it says until it waits for the next change.
    fn turn(&mut self) -> String {
        let mut said = String::new();
        while !said.contains("waiting for a change in ") {
            assert!(self.said.read_line(&mut said).unwrap() > 0, "it has ended: {said}");
        }
        said
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn given_a_project_at_work_in_a_pipeline_when_it_is_saved_then_it_is_built_and_swapped_in() {
    let (folder, free) = (Folder::empty(), free_address());
    let built = |args: &[&str]| {
        let mut command = folder.command(args);
        command.env("CARGO_TARGET_DIR", target().join("new-plugin"));
        command
    };
    folder.weir(&["plugin", "new", "saved"]).ok();
    let component = Finished::wait(built(&["plugin", "build", "saved"]), "plugin build").ok().stdout;
    folder.weir(&["plugin", "register", component.split_once(" (").expect("the file, and what it is").0]).ok();
    let mut live = folder
        .start(&format!(
            r#"
            batch = {{ interval = "100ms", backpressure = {{ enabled = false }} }}
            [sources.posts]
            type = "http"
            listen = "{free}"
            format = "json"
            schema = {{ user = "utf8", text = "utf8" }}
            [operators.mine]
            transform = "saved@0.1.0"
            inputs = ["posts"]
            [sinks.out]
            type = "files"
            path = "out"
            inputs = ["mine"]
            "#
        ))
        .started();
    let other = Finished::wait(built(&["plugin", "dev", "other", "saved"]), "plugin dev");
    other.refused(&["no component under the name `other`; it has mine"]);
    let mut dev = Dev::start(built(&["plugin", "dev", "mine", "saved"]));
    assert!(dev.turn().contains("operator `mine` runs it already"));

    let source = folder.path("saved/src/lib.rs");
    let code = std::fs::read_to_string(&source).unwrap();
    let (plain, loud) = ("Mention { mention })\n}", "Mention { mention: &mention[..1] })\n}");
    assert!(code.contains(plain), "{code}");
    std::fs::write(&source, code.replace(plain, loud)).unwrap();
    assert!(dev.turn().contains("operator `mine` runs saved@0.1.0-dev."));
    post(&format!("http://{free}/"), None, "{\"user\": \"ada\", \"text\": \"hello @bela\"}\n".to_owned());
    live.rows_in(1);

    // What does not build changes nothing.
    std::fs::write(&source, "compile_error!(\"not yet\");\n").unwrap();
    assert!(dev.turn().contains("error: "));
    let runs = folder.status()["operators"][0]["component"].as_str().unwrap().to_owned();
    assert!(runs.starts_with("saved@0.1.0-dev."), "{runs}");
    live.terminate();
    live.finish().ok();
    assert_eq!(folder.batches("out").column("mention"), ["b"]);
}
