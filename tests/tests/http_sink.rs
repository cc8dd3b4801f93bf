//! The sink that sends rows over HTTP: taken once, though a receiver is down, busy or slow to answer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::net::TcpListener;

use weir_tests::receiver::Request;
use weir_tests::{Finished, Folder, Live, Receiver};

/// Batches of three numbers.
fn pipeline(url: &str, more: &str) -> String {
    format!(
        r#"
        name = "numbers"
        [sources.numbers]
        type = "generator"
        rate = "3/s"
        count = 5
        columns.n = {{ kind = "sequence" }}
        [sinks.out]
        type = "http"
        url = "{url}"
        inputs = ["numbers"]
        headers = {{ Authorization = "Bearer ${{TOKEN}}" }}
        {more}
        "#
    )
}

fn run(folder: &Folder, pipeline: &str) -> Finished {
    folder.write("p.toml", pipeline);
    let mut command = folder.command(&["run", "--once", "p.toml"]);
    command.env("TOKEN", "abc");
    Finished::wait(command, "run --once")
}

/// A receiver that gives these answers in turn, and is content from then on.
fn receiver(answers: &[(&str, &str)]) -> Receiver {
    let own = |&(head, body): &(&str, &str)| (head.to_owned(), body.to_owned());
    let mut answers: Vec<_> = answers.iter().rev().map(own).collect();
    Receiver::answering(move |_| answers.pop().unwrap_or_else(|| ("204 No Content".to_owned(), String::new())))
}

/// Key and rows of requests.
fn told(requests: &[Request]) -> Vec<(&str, &str)> {
    requests.iter().map(|request| (request.header("idempotency-key"), request.body.as_str())).collect()
}

#[test]
fn given_a_receiver_when_batches_are_sent_then_requests_are_bounded_and_each_has_its_own_key() {
    let (folder, receiver) = (Folder::empty(), receiver(&[]));
    run(&folder, &pipeline(&receiver.url("/rows?x=1"), "max_rows = 2")).ok();
    let requests = receiver.rest();
    let expected = [
        ("numbers/out/1000/0/0-1", "{\"n\":0}\n{\"n\":1}\n"),
        ("numbers/out/1000/0/2-2", "{\"n\":2}\n"),
        ("numbers/out/2000/0/0-1", "{\"n\":3}\n{\"n\":4}\n"),
    ];
    assert_eq!(told(&requests), expected);
    for request in &requests {
        assert_eq!(request.line, "POST /rows?x=1 HTTP/1.1");
        assert_eq!(request.header("content-type"), "application/x-ndjson");
        assert_eq!(request.header("authorization"), "Bearer abc");
    }
    // The same batches again are the same requests, for the receiver to know.
    run(&folder, &pipeline(&receiver.url("/rows?x=1"), "max_rows = 2")).ok();
    assert_eq!(told(&receiver.rest()), expected);
}

#[test]
fn given_a_receiver_that_is_busy_when_rows_are_sent_then_the_same_request_comes_again_and_no_other_before() {
    let folder = Folder::empty();
    let receiver = receiver(&[
        ("503 Service Unavailable", "later"),
        ("429 Too Many Requests\r\nRetry-After: 0", ""),
        ("200 OK", ""),
    ]);
    let finished = run(&folder, &pipeline(&receiver.url("/"), "")).ok();
    let (first, second) = ("{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n{\"n\":4}\n");
    let again = ("numbers/out/1000/0/0-2", first);
    assert_eq!(told(&receiver.rest()), [again, again, again, ("numbers/out/2000/0/0-1", second)]);
    let count = |text: &str| finished.stderr.matches(text).count();
    assert_eq!(count("the sink is not available; the batch waits for it"), 1, "{}", finished.stderr);
    assert_eq!(count("it answers 503 Service Unavailable: later"), 1, "{}", finished.stderr);
    assert_eq!(count("the sink is available again"), 1, "{}", finished.stderr);
}

#[test]
fn given_a_receiver_that_refuses_rows_when_they_are_sent_then_the_run_ends_and_shows_its_words() {
    let folder = Folder::empty();
    let refusing = receiver(&[("400 Bad Request", "row 2:\n no such field `n`")]);
    let says = ["sink `out`", "batch 1970-01-01T00:00:01.000Z", "400 Bad Request: row 2: no such field `n`"];
    run(&folder, &pipeline(&refusing.url("/"), "")).refused(&says);
    assert_eq!(refusing.rest().len(), 1);

    let moved = receiver(&[("301 Moved Permanently\r\nLocation: http://new.example/", "")]);
    run(&folder, &pipeline(&moved.url("/"), "")).refused(&["301", "set `url` to http://new.example/"]);
}

#[test]
fn given_nobody_to_send_to_when_a_host_is_told_to_stop_twice_then_it_ends_at_once() {
    let folder = Folder::empty();
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let pipeline = pipeline(&format!("http://{address}/"), "");
    folder.write("p.toml", format!("batch = {{ interval = \"100ms\" }}\n{pipeline}"));
    let mut command = folder.command(&["run", "p.toml"]);
    command.env("TOKEN", "abc");
    let mut host = Live::start(command).started();
    host.wait_for("the outage", |event| event.is("the sink is not available; the batch waits for it"));
    host.terminate();
    host.wait_for("the stop", |event| event.is("stopping: processing what was received; once more to end at once"));
    host.terminate();
    assert_eq!(host.finish().status.code(), Some(143));
    assert!(host.seen("batch committed").all(|event| event.number("rows_out") == 0), "{}", host.log());
}
