//! Rows posted over HTTP: what is answered is kept, once, whatever becomes of the host.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::net::TcpListener;
use std::process::Command;
use std::thread;

use serde_json::json;
use weir_tests::http::{free_address, post, send};
use weir_tests::{Folder, Live};

fn pipeline(address: &str, interval: &str) -> String {
    format!(
        r#"
        [batch]
        interval = "{interval}"
        [sources.visits]
        type = "http"
        listen = "{address}"
        path = "/visits"
        format = "json"
        schema = {{ user = "utf8", n = "int64" }}
        max_body = "64 KiB"
        on_reject = "dead-letter"
        [operators.seen]
        sql = "select user, n from visits"
        inputs = ["visits"]
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["seen"]
        "#
    )
}

/// A host that takes visits, and where.
struct Host {
    live: Live,
    url: String,
}

impl Host {
    fn start(folder: &Folder, interval: &str) -> Self {
        let free = free_address();
        Self { live: folder.start(&pipeline(&free.to_string(), interval)).started(), url: format!("http://{free}") }
    }

    fn visits(&self) -> String {
        format!("{}/visits", self.url)
    }

    fn stop(mut self) -> Live {
        self.live.terminate();
        self.live.finish().ok();
        self.live
    }
}

/// Visits `from .. to`, a line each.
fn visits(from: u64, to: u64) -> String {
    (from..to).map(|n| format!("{}\n", json!({"user": format!("user {n}"), "n": n}))).collect()
}

/// The numbers of all visits that came out, in order.
fn numbers(folder: &Folder) -> Vec<u64> {
    folder.batches("out").column("n").into_iter().map(|n| n.as_u64().expect("a number")).collect()
}

#[test]
fn given_rows_that_are_posted_when_answered_then_they_come_out_and_one_that_is_no_row_is_a_dead_letter() {
    let folder = Folder::new();
    let mut host = Host::start(&folder, "100ms");
    assert_eq!(post(&host.visits(), None, visits(0, 3)), json!({"rows": 3}));
    host.live.rows_in(3);
    assert_eq!(post(&host.visits(), None, format!("{}no JSON\n", visits(3, 5))), json!({"rows": 3}));
    host.live.rows_in(3);
    host.stop();
    assert_eq!(numbers(&folder), [0, 1, 2, 3, 4]);
    assert_eq!(folder.dead_letters("p").rows().count(), 1);
}

#[test]
fn given_requests_that_cannot_be_taken_when_sent_then_the_answers_say_what_to_do() {
    let folder = Folder::new();
    let host = Host::start(&folder, "100ms");
    let large = visits(0, 10_000);
    for (method, path, body, status, text) in [
        ("POST", "/", &*visits(0, 1), 404, "POST rows to /visits"),
        ("PUT", "/visits", &*visits(0, 1), 405, "POST rows to /visits"),
        ("POST", "/visits", &*large, 413, "larger than 64 KiB"),
        ("POST", "/visits", "[]", 400, "a JSON array: send its objects, one a line"),
        ("POST", "/visits", "", 400, "no rows"),
    ] {
        let (found, answer) = send(method, &format!("{}{path}", host.url), None, body);
        assert_eq!((found, answer.contains(text)), (status, true), "{method} {path}: {answer}");
    }
    host.stop();
    assert!(folder.tree("out").is_empty());
}

#[test]
fn given_a_key_that_comes_again_when_the_host_was_killed_or_stopped_between_then_its_rows_come_out_once() {
    let folder = Folder::new();
    let host = Host::start(&folder, "1day");
    assert_eq!(post(&host.visits(), Some("first"), visits(0, 2)), json!({"rows": 2}));
    assert_eq!(post(&host.visits(), Some("first"), visits(0, 2)), json!({"rows": 2}));
    host.live.kill();

    // No batch had them, and the first of this run has.
    let mut host = Host::start(&folder, "100ms");
    assert_eq!(post(&host.visits(), Some("first"), visits(0, 2)), json!({"rows": 2}));
    host.live.rows_in(2);
    assert_eq!(post(&host.visits(), Some("second"), visits(2, 3)), json!({"rows": 1}));
    host.stop();

    let host = Host::start(&folder, "100ms");
    for key in ["first", "second"] {
        post(&host.visits(), Some(key), visits(0, 3));
    }
    assert_eq!(post(&host.visits(), None, visits(3, 4)), json!({"rows": 1}));
    host.stop();
    assert_eq!(numbers(&folder), [0, 1, 2, 3]);
}

#[test]
fn given_many_clients_when_the_host_is_killed_among_their_requests_then_what_was_answered_comes_out_once() {
    const CLIENTS: u64 = 8;
    let folder = Folder::new();
    let host = Host::start(&folder, "1day");
    let url = host.visits();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let url = url.clone();
            // Each sends rows one after the other until the host is gone; how many were answered.
            thread::spawn(move || {
                let agent = ureq::Agent::new_with_defaults();
                (0..).find(|n| {
                    agent.post(&url).send(visits(client * 1_000_000 + n, client * 1_000_000 + n + 1)).is_err()
                })
            })
        })
        .collect();
    for n in 0..100 {
        post(&url, None, visits(CLIENTS * 1_000_000 + n, CLIENTS * 1_000_000 + n + 1));
    }
    host.live.kill();
    let answered: Vec<u64> =
        clients.into_iter().map(|client| client.join().expect("no panic").expect("it ends")).collect();

    let mut host = Host::start(&folder, "100ms");
    host.live.batch();
    host.stop();

    let mut found = numbers(&folder);
    found.sort_unstable();
    for (client, answered) in (0..).zip(answered.into_iter().chain([100])) {
        let of_client: Vec<u64> = found.iter().filter(|n| **n / 1_000_000 == client).map(|n| n % 1_000_000).collect();
        // The last request may have been kept though its answer did not arrive.
        let kept = of_client.len() as u64;
        assert_eq!(of_client, (0..kept).collect::<Vec<_>>(), "client {client}");
        assert!(kept == answered || kept == answered + 1, "client {client}: {answered} answered and {kept} kept");
    }
}

#[test]
fn given_a_disk_that_is_full_when_rows_are_posted_then_the_host_stops_and_what_was_answered_comes_out_once() {
    let folder = Folder::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("there is a free port");
    folder.write("p.toml", pipeline(&free.to_string(), "1day"));
    let mut live = Live::start(with_small_files(&folder.command(&["run", "p.toml"]))).started();
    let url = format!("http://{free}/visits");
    let agent = ureq::Agent::new_with_defaults();
    let taken = |n: u64| agent.post(&url).send(visits(100 * n, 100 * (n + 1))).is_ok();

    // The last is answered 503, or not at all when the host is gone before.
    let answered = (0..).find(|n| !taken(*n)).expect("the disk is full some time");

    assert!(answered > 0, "there was room for some");
    live.finish().refused(&["the block log", "pipelines/p/live/blocks", "make room there"]);
    let mut host = Host::start(&folder, "100ms");
    host.live.batch();
    host.stop();
    assert_eq!(numbers(&folder), (0..100 * answered).collect::<Vec<_>>());
}

/// The same command, whose writes fail where a file would become larger than 32 KiB.
fn with_small_files(command: &Command) -> Command {
    let mut limited = Command::new("sh");
    // A write over the limit is an error only where the signal is ignored.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.current_dir(command.get_current_dir().expect("it runs in a folder"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

#[test]
fn given_a_pipeline_that_is_posted_to_when_run_once_then_it_is_refused() {
    let folder = Folder::new();
    folder.run_once(&pipeline("127.0.0.1:0", "1s")).refused(&["source `visits`", "run the pipeline live"]);
}
