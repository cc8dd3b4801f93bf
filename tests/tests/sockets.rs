//! Lines over TCP, hosts that are told to stop, and hosts that meet.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use serde_json::Value;
use weir_tests::{Folder, Live};

/// An address that nobody listens on.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").to_string()
}

/// Words of what comes over a socket. Batches of `interval`.
fn pipeline(end: &str, address: &str, interval: &str) -> String {
    format!(
        r#"
        [batch]
        interval = "{interval}"
        [sources.lines]
        type = "socket"
        {end} = "{address}"
        [operators.words]
        transform = "words@0.1.0"
        inputs = ["lines"]
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["words"]
        "#
    )
}

/// Lines of one word each, `from .. to`.
fn lines(from: usize, to: usize) -> String {
    (from..to).map(|n| format!("word-{n}\n")).collect()
}

fn send(connection: &mut TcpStream, text: &str) {
    connection.write_all(text.as_bytes()).expect("the host reads");
}

/// All words that came out, in order.
fn words(folder: &Folder) -> Vec<String> {
    let output = folder.batches("out");
    output.column("word").into_iter().map(|word| word.as_str().expect("text").to_owned()).collect()
}

fn expected(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("word-{n}")).collect()
}

/// Waits until the host has read everything that a client sent before it went away.
fn read_to_its_end(host: &mut Live) {
    let closed = |message: &Value| message.as_str().is_some_and(|m| m.contains("closed the connection"));
    host.wait_for("the end of a connection", |event| closed(&event.fields["message"]));
}

#[test]
fn given_a_listening_host_when_clients_come_and_go_then_all_their_lines_are_processed() {
    let folder = Folder::new();
    let address = free_address();
    let mut host = folder.start(&pipeline("listen", &address, "100ms")).started();
    for turn in 0..3 {
        let mut client = TcpStream::connect(&address).expect("the host listens");
        send(&mut client, &lines(turn * 100, turn * 100 + 50));
        host.rows_in(50);
        send(&mut client, &lines(turn * 100 + 50, turn * 100 + 100));
        drop(client);
        host.rows_in(50);
    }
    host.terminate();
    let finished = host.finish().ok();
    assert_eq!(finished.stdout, "");
    assert_eq!(words(&folder), expected(300));
}

#[test]
fn given_lines_that_wait_for_their_batch_when_a_host_is_terminated_then_all_of_them_come_out_first() {
    let folder = Folder::new();
    let address = free_address();
    // No batch would be due for a day.
    let mut host = folder.start(&pipeline("listen", &address, "1day")).started();
    let mut client = TcpStream::connect(&address).expect("the host listens");
    send(&mut client, &lines(0, 20_000));
    drop(client);
    read_to_its_end(&mut host);
    assert!(folder.tree("out").is_empty());
    host.terminate();
    host.finish().ok();
    assert_eq!(words(&folder), expected(20_000));
    assert_eq!(host.seen("batch committed").count(), 1);
}

#[test]
fn given_a_client_that_stays_connected_when_a_host_is_terminated_then_what_was_received_comes_out() {
    let folder = Folder::new();
    let address = free_address();
    let mut host = folder.start(&pipeline("listen", &address, "100ms")).started();
    let mut client = TcpStream::connect(&address).expect("the host listens");
    send(&mut client, &lines(0, 100));
    host.rows_in(100);
    host.terminate();
    host.finish().ok();
    assert_eq!(words(&folder), expected(100));
}

#[test]
fn given_a_connecting_host_when_the_server_goes_away_then_it_connects_again() {
    let folder = Folder::new();
    let server = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = server.local_addr().expect("it is bound").to_string();
    let mut host = folder.start(&pipeline("connect", &address, "100ms"));
    for turn in 0..3 {
        let (mut connection, _) = server.accept().expect("the host connects");
        send(&mut connection, &lines(turn * 100, turn * 100 + 100));
        drop(connection);
        host.rows_in(100);
    }
    host.terminate();
    host.finish().ok();
    assert_eq!(words(&folder), expected(300));
}

#[test]
fn given_a_server_when_a_pipeline_is_run_once_then_it_reads_to_the_end_of_the_connection() {
    let folder = Folder::new();
    let server = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = server.local_addr().expect("it is bound").to_string();
    let serve = std::thread::spawn(move || {
        let (mut connection, _) = server.accept().expect("the host connects");
        // The last line has no end, and counts all the same.
        send(&mut connection, lines(0, 1000).trim_end());
    });
    folder.run_once(&pipeline("connect", &address, "1s")).ok();
    serve.join().expect("the server does not panic");
    assert_eq!(words(&folder), expected(1000));
    assert_eq!(folder.batches("out").0.into_keys().collect::<Vec<_>>(), [1000]);
}

/// Counts what comes over a socket, with room for little of it.
fn counting(end: &str, address: &str) -> String {
    format!(
        r#"
        [batch]
        interval = "100ms"
        block_memory = "4 MiB"
        block_size = "256 KiB"
        [sources.lines]
        type = "socket"
        {end} = "{address}"
        [operators.total]
        aggregate = "count@0.1.0"
        inputs = ["lines"]
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["total"]
        "#
    )
}

/// Lines of 100 bytes: 64 MiB.
const FLOOD: usize = (64 << 20) / 100;

/// Sends the flood as fast as it is read.
fn flood(mut connection: TcpStream) {
    let line = format!("{}\n", "x".repeat(99)).repeat(64);
    let mut left = FLOOD;
    while left > 0 {
        let lines = left.min(64);
        send(&mut connection, &line[..lines * 100]);
        left -= lines;
    }
}

fn total(folder: &Folder) -> u64 {
    folder.batches("out").column("count").into_iter().map(|count| count.as_u64().expect("a count")).sum()
}

#[test]
fn given_more_than_fits_into_memory_when_it_is_received_then_the_sender_waits_and_nothing_is_lost() {
    let folder = Folder::new();
    let address = free_address();
    let mut host = folder.start(&counting("listen", &address)).started();
    host.batch();
    let before = host.peak_memory().expect("the host runs");
    let client = TcpStream::connect(&address).expect("the host listens");
    let sender = std::thread::spawn(move || flood(client));
    host.rows_in(FLOOD as u64);
    sender.join().expect("the client does not panic");
    let grown = host.peak_memory().expect("the host runs") - before;
    host.terminate();
    host.finish().ok();
    assert_eq!(total(&folder), FLOOD as u64);
    assert!(grown < 64 << 20, "the host took {} MiB more, with 4 MiB for blocks", grown >> 20);
}

#[test]
fn given_more_than_fits_into_memory_when_run_once_then_it_is_processed_in_several_batches() {
    let folder = Folder::new();
    let server = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = server.local_addr().expect("it is bound").to_string();
    let serve = std::thread::spawn(move || flood(server.accept().expect("the host connects").0));
    folder.run_once(&counting("connect", &address)).ok();
    serve.join().expect("the server does not panic");
    assert_eq!(total(&folder), FLOOD as u64);
    assert!(folder.batches("out").0.len() >= 16, "a batch holds no more than the block memory");
}

#[test]
fn given_sockets_that_cannot_be_used_when_run_then_the_message_says_why() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    folder.write("p.toml", pipeline("listen", &address, "1s"));
    folder.weir(&["run", "p.toml"]).refused(&["source `lines`", &format!("cannot listen on {address}"), "in use"]);
    folder
        .run_once(&pipeline("listen", &free_address(), "1s"))
        .refused(&["source `lines`", "cannot be run to its end"]);
    let nobody = free_address();
    folder
        .run_once(&pipeline("connect", &nobody, "1s"))
        .refused(&["source `lines`", &format!("cannot connect to {nobody}")]);
}

#[test]
fn given_a_running_host_when_a_second_one_wants_the_same_pipeline_then_it_is_refused() {
    let folder = Folder::new();
    let mut host = folder.start(&pipeline("listen", &free_address(), "100ms")).started();
    let second = folder.weir(&["run", "--once", "p.toml"]);
    second.refused(&["pipeline `p` is being run by another process", "choose another --data-dir"]);
    // Another pipeline that would write to the same folder.
    folder.write("q.toml", "[sources.lines]\ntype = \"file\"\npath = \"q.toml\"\n[sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"lines\"]\n");
    folder.weir(&["run", "--once", "q.toml"]).refused(&["sink `out`", "another sink"]);
    host.batch();
    host.terminate();
    host.finish().ok();
    // When the first is gone, its batches are there still: others may when that is given up.
    folder.weir(&["run", "--once", "q.toml"]).refused(&["sink `out` of pipeline `p`", "remove out/.staging/lock"]);
    std::fs::remove_file(folder.path("out/.staging/lock")).unwrap();
    folder.weir(&["run", "--once", "q.toml"]).ok();
}

#[test]
fn given_several_hosts_when_asked_for_status_then_one_has_to_be_chosen() {
    let folder = Folder::new();
    folder.weir(&["status"]).refused(&["no host runs with the data folder", "weir run"]);
    let other = pipeline("listen", &free_address(), "100ms").replace("\"out\"", "\"out2\"");
    let mut host = folder.start(&pipeline("listen", &free_address(), "100ms")).started();
    folder.write("other.toml", other);
    let mut second = Live::start(folder.command(&["run", "other.toml"])).started();
    folder.weir(&["status"]).refused(&["several hosts", "--pipeline", "other, p"]);
    folder.weir(&["status", "--pipeline", "none"]).refused(&["no host runs the pipeline `none`"]);
    host.batch();
    second.batch();
    let status = folder.weir(&["status", "--pipeline", "other"]).ok().stdout;
    assert!(status.contains("pipeline other") && status.contains(" of 100ms, "), "{status}");
    second.terminate();
    second.finish().ok();
    assert_eq!(folder.status()["pipeline"], "p");
    // A host that was killed is not taken for one that runs.
    host.kill();
    folder.weir(&["status"]).refused(&["pipeline `p`", "does not answer"]);
}

#[test]
fn given_a_host_that_was_killed_when_it_is_started_again_then_it_goes_on_with_later_batches() {
    let folder = Folder::new();
    let address = free_address();
    let mut host = folder.start(&pipeline("listen", &address, "100ms")).started();
    let mut client = TcpStream::connect(&address).expect("the host listens");
    send(&mut client, &lines(0, 100));
    host.rows_in(100);
    host.kill();
    drop(client);
    let mut host = folder.start(&pipeline("listen", &address, "100ms")).started();
    let mut client = TcpStream::connect(&address).expect("the host listens");
    send(&mut client, &lines(100, 200));
    host.rows_in(100);
    host.terminate();
    host.finish().ok();
    assert_eq!(words(&folder), expected(200));
}
