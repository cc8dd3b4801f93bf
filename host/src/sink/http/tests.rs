//! What is sent, and what is sent again.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use arrow::array::{ArrayRef, Int64Array};
use futures::executor::block_on;

use super::*;

const BATCH: BatchTime = BatchTime::from_millis(1000);

/// A receiver that gives these answers and ends: its address, and the key and rows of each request.
fn receiver(answers: Vec<&'static str>) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/rows?token=secret", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        for answer in answers {
            let (connection, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&connection);
            let (mut key, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                match line.trim_end().to_ascii_lowercase().split_once(": ") {
                    Some(("idempotency-key", value)) => key = value.to_owned(),
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    _ if line.trim_end().is_empty() => break,
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            sender.send((key, String::from_utf8(body).unwrap())).unwrap();
            write!(&connection, "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    (url, requests)
}

fn sink(url: &str, rows: usize, folder: &tempfile::TempDir) -> HttpSink {
    let endpoint = Endpoint {
        url: url.to_owned(),
        headers: IndexMap::new(),
        key: "p/out".into(),
        timeout: Duration::from_secs(60),
        limits: Limits { rows, bytes: 1 << 20 },
    };
    HttpSink::new(endpoint, Spool::at(folder.path()).unwrap())
}

fn stage(sink: &HttpSink, numbers: &[i64]) {
    let numbers: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
    block_on(async {
        sink.begin(BATCH).await.unwrap();
        let mut part = sink.stage(BATCH, 0).await.unwrap();
        part.write(RecordBatch::try_from_iter([("n", numbers)]).unwrap()).await.unwrap();
        part.finish().await.unwrap();
    });
}

#[test]
fn given_a_receiver_that_is_busy_in_between_when_committed_again_then_each_request_is_taken_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (url, requests) = receiver(vec!["200 OK", "429 Too Many Requests\r\nRetry-After: 7", "202 Accepted", "200 OK"]);
    let sink = sink(&url, 2, &folder);
    stage(&sink, &[1, 2, 3, 4, 5]);

    let busy = block_on(sink.commit(BATCH)).unwrap_err();
    let place = url.strip_suffix("?token=secret").unwrap();
    assert_eq!(
        busy.to_string(),
        format!("sending batch 1970-01-01T00:00:01.000Z to {place}: it answers 429 Too Many Requests")
    );
    let SinkError::Unavailable { retry_after: Some(wait), .. } = busy else { panic!("{busy:?}") };
    assert_eq!(wait, Duration::from_secs(7));
    block_on(sink.commit(BATCH)).unwrap();
    // There is nothing left to send.
    block_on(sink.commit(BATCH)).unwrap();

    let sent: Vec<_> = requests.iter().collect();
    let request = |range: &str, rows: &str| (format!("p/out/1000/0/{range}"), rows.to_owned());
    let (first, second) = (request("0-1", "{\"n\":1}\n{\"n\":2}\n"), request("2-3", "{\"n\":3}\n{\"n\":4}\n"));
    assert_eq!(sent, [first, second.clone(), second, request("4-4", "{\"n\":5}\n")]);
}

#[test]
fn given_nobody_who_listens_when_committed_then_the_batch_is_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sink = sink(&format!("http://{address}/"), 2, &folder);
    stage(&sink, &[1]);
    let error = block_on(sink.commit(BATCH)).unwrap_err();
    assert!(matches!(error, SinkError::Unavailable { retry_after: None, .. }), "{error:?}");
    stage(&sink, &[]);
    block_on(sink.commit(BATCH)).unwrap();
}
