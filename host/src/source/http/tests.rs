//! Requests over loopback connections, by a real client. Nothing sleeps: each wait is for an answer.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::path::Path;

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::*;
use crate::block::{BlockData, BlockStore, CutBlocks};
use crate::storage::{Fault, SimulatedDisk};

fn rules(format: Format) -> Rules {
    let columns = vec!["user".to_owned(), "n".to_owned()];
    Rules { path: "/rows".into(), format, columns, max_body: 1 << 20, max_rate: None }
}

fn context(store: BlockStore) -> SourceContext {
    SourceContext {
        store,
        interval: Duration::from_secs(3),
        block_interval: Duration::from_millis(200),
        block_size: 16 << 10,
        mode: Mode::Live,
        runtime: Handle::current(),
    }
}

struct Bench {
    source: HttpSource,
    store: BlockStore,
    address: SocketAddr,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    status: u16,
    text: String,
    retry_after: Option<u64>,
}

impl Bench {
    fn start(rules: Rules, store: BlockStore) -> Self {
        let listener = socket::bind("127.0.0.1:0", &Handle::current()).unwrap();
        let address = listener.local_addr().unwrap();
        let source = HttpSource::serve("s", listener, rules, &context(store.clone()));
        Self { source, store, address }
    }

    fn in_memory(format: Format) -> Self {
        Self::start(rules(format), BlockStore::new(4 << 20))
    }

    fn on(disk: &SimulatedDisk) -> Self {
        let store = BlockStore::open(Arc::new(disk.clone()), Path::new("/b"), 4 << 20, &CutBlocks::new()).unwrap();
        Self::start(rules(Format::Text), store)
    }

    fn request(
        &self,
        method: &'static str,
        path: &str,
        key: Option<&str>,
        body: impl Into<Vec<u8>>,
    ) -> JoinHandle<Answer> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.body(body.into()).unwrap();
        spawn_blocking(move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true);
            let mut answer = ureq::Agent::new_with_config(config.build()).run(request).unwrap();
            let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
            let status = answer.status().as_u16();
            Answer { status, text: answer.body_mut().read_to_string().unwrap(), retry_after }
        })
    }

    async fn post(&self, key: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
        self.request("POST", "/rows", key, body).await.unwrap()
    }

    /// What can be cut now; its memory is given back.
    fn cut(&mut self) -> String {
        let cut = self.source.cut(BatchTime::from_millis(1000), None).unwrap();
        let mut text = String::new();
        for block in cut.blocks {
            let BlockData::Stored(id) = block.data else { unreachable!("received") };
            let bytes = self.store.get(id).unwrap();
            assert_eq!(NonZeroU64::new(memchr::memchr_iter(b'\n', &bytes).count() as u64), block.rows);
            text += str::from_utf8(&bytes).unwrap();
            self.store.release([id]);
        }
        text
    }
}

fn ok(rows: u64) -> Answer {
    Answer { status: 200, text: format!("{{\"rows\":{rows}}}"), retry_after: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_rows_when_posted_then_they_are_answered_and_in_the_next_cut() {
    let mut bench = Bench::in_memory(Format::Json);
    assert_eq!(bench.post(None, "{\"n\":1}\n\n{\"n\":2}").await, ok(2));
    assert_eq!(bench.post(None, "{\"n\":3}\n").await, ok(1));
    assert_eq!(bench.cut(), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    assert_eq!((bench.cut().as_str(), bench.store.used()), ("", 0));
    let mut bench = Bench::in_memory(Format::Csv);
    assert_eq!(bench.post(None, "user,n\nann,1\nbob,2\n").await, ok(2));
    assert_eq!(bench.cut(), "ann,1\nbob,2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_requests_that_cannot_be_taken_when_sent_then_each_is_told_what_to_do_and_leaves_nothing() {
    let mut bench = Bench::in_memory(Format::Csv);
    let long_key = "k".repeat(256);
    let large = [b"user,n\n", &vec![b'1'; 3 << 20][..]].concat();
    let cases: [(_, _, _, &[u8], _, _); 8] = [
        ("POST", "/", None, b"user,n\na,1\n", 404, "POST rows to /rows\n"),
        ("POST", "/rows/", None, &large, 404, "POST rows to /rows\n"),
        ("PUT", "/rows", None, b"user,n\na,1\n", 405, "POST rows to /rows\n"),
        ("POST", "/rows", None, &large, 413, "larger than 1 MiB: send the rows in several requests"),
        ("POST", "/rows", None, b"", 400, "the header `user,n`"),
        ("POST", "/rows", None, b"n,user\n1,a\n", 400, "the header `user,n`"),
        ("POST", "/rows", None, b"user,n\na\xFF,1\n", 400, "not UTF-8 at byte 8"),
        ("POST", "/rows", Some(&*long_key), b"user,n\na,1\n", 400, "from 1 to 255 bytes"),
    ];
    for (method, path, key, body, status, text) in cases {
        let answer = bench.request(method, path, key, body).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert!(answer.text.contains(text), "{method} {path}: {}", answer.text);
    }
    assert_eq!(bench.request("GET", "/rows", None, "").await.unwrap().status, 405);
    assert_eq!((bench.cut().as_str(), bench.store.used()), ("", 0));
    assert_eq!(bench.post(None, "user,n\na,1\n").await, ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_body_in_pieces_without_a_length_when_posted_then_it_is_taken_up_to_the_limit() {
    let mut bench = Bench::in_memory(Format::Text);
    let send = |head: &'static str, bodies: Vec<Vec<u8>>| {
        let address = bench.address;
        spawn_blocking(move || {
            let mut connection = TcpStream::connect(address).unwrap();
            write!(connection, "POST /rows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n").unwrap();
            for body in bodies {
                write!(connection, "{:x}\r\n", body.len()).unwrap();
                connection.write_all(&[&body[..], b"\r\n"].concat()).unwrap();
            }
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            answer
        })
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    let answer = send(chunked, vec![b"a".to_vec(), b"b\nc".to_vec(), vec![]]).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = send(chunked, vec![vec![b'x'; 600 << 10], vec![b'x'; 600 << 10], vec![]]).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = send("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", vec![vec![]]).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 415") && answer.contains("the body is gzip: send the rows as they are"),
        "{answer}"
    );
    assert_eq!((bench.cut().as_str(), bench.store.used()), ("ab\nc\n", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn given_the_same_key_when_posted_again_then_the_first_answer_comes_and_no_rows() {
    let mut bench = Bench::in_memory(Format::Text);
    assert_eq!(bench.post(Some("k1"), "a\nb\n").await, ok(2));
    assert_eq!(bench.post(Some("k1"), "c\n").await, ok(2));
    assert_eq!(bench.post(Some("k2"), "d\n").await, ok(1));
    assert_eq!(bench.post(None, "e\n").await, ok(1));
    assert_eq!(bench.cut(), "a\nb\nd\ne\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_many_requests_with_few_keys_at_the_same_time_when_posted_then_each_key_is_taken_once() {
    let mut bench = Bench::on(&SimulatedDisk::default());
    let answers: Vec<_> = (0..60)
        .map(|n| {
            let key = format!("key {}", n % 6);
            bench.request("POST", "/rows", Some(&key), format!("{key}\n{key}\n"))
        })
        .collect();
    for answer in answers {
        assert_eq!(answer.await.unwrap(), ok(2));
    }
    let cut = bench.cut();
    let mut lines: Vec<_> = cut.lines().collect();
    lines.sort_unstable();
    let expected: Vec<_> = (0..6).flat_map(|n| [format!("key {n}"), format!("key {n}")]).collect();
    assert_eq!(lines, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_rows_that_were_answered_when_the_host_dies_then_they_are_offered_again_and_their_keys_are_known() {
    let disk = SimulatedDisk::default();
    let bench = Bench::on(&disk);
    assert_eq!(bench.post(Some("k1"), "a\nb\n").await, ok(2));
    assert_eq!(bench.post(None, "c\n").await, ok(1));
    let disk = disk.after_power_cut(0, false);
    drop(bench);

    let mut bench = Bench::on(&disk);

    assert_eq!(bench.post(Some("k1"), "a\nb\n").await, ok(2));
    assert_eq!(bench.post(None, "d\n").await, ok(1));
    assert_eq!(bench.cut(), "a\nb\nc\nd\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_disk_that_fails_when_rows_are_posted_then_they_are_not_acknowledged_and_the_store_says_why() {
    let disk = SimulatedDisk::default();
    let mut bench = Bench::on(&disk);
    disk.set_fault(Some(Fault::Stop { at: disk.changes(), torn: 5 }));
    let answer = bench.post(Some("k"), "a\n").await;
    assert_eq!((answer.status, answer.text.contains("cannot be written to the disk")), (503, true), "{}", answer.text);
    assert_eq!(bench.cut(), "");
    let error = bench.store.durable(&[]).await.unwrap_err().to_string();
    assert!(error.contains("the block log /b"), "{error}");
    assert_eq!(bench.post(Some("k"), "a\n").await.status, 503, "the key of what was not kept is not known");
    assert_eq!(bench.store.used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_no_room_or_too_many_rows_when_posted_then_the_sender_is_told_when_to_come_back() {
    let mut bench = Bench::start(rules(Format::Text), BlockStore::new(100));
    assert_eq!(bench.post(None, "x".repeat(80)).await, ok(1));
    let full = bench.post(None, "y".repeat(40)).await;
    assert_eq!((full.status, full.retry_after), (429, Some(3)), "an interval: {}", full.text);
    assert!(full.text.contains("memory for received rows is full"), "{}", full.text);
    bench.cut();
    assert_eq!(bench.post(None, "y".repeat(40)).await, ok(1));

    bench.source.set_rate(0.1);
    let fast = bench.post(None, "z").await;
    assert_eq!((fast.status, fast.retry_after), (429, Some(10)), "{}", fast.text);
    bench.source.set_rate(0.001);
    assert_eq!(bench.post(None, "z").await.retry_after, Some(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn given_requests_under_way_when_stopped_then_whole_ones_are_answered_and_others_refused() {
    let mut bench = Bench::in_memory(Format::Text);
    assert_eq!(bench.post(None, "a\n").await, ok(1));
    let mut half = TcpStream::connect(bench.address).unwrap();
    write!(half, "POST /rows HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nb\n").unwrap();
    // It is being read once its memory is reserved: the first one's, and this one's four bytes and newline.
    while bench.store.used() < 3 + 5 {
        tokio::task::yield_now().await;
    }

    bench.source.stop();

    let refused = spawn_blocking(move || {
        // The rest of the body, so that the refusal is read at once.
        half.write_all(b"c\n").unwrap();
        let mut answer = String::new();
        half.read_to_string(&mut answer).unwrap();
        answer
    });
    bench.source.ready().await.unwrap();
    let refused = refused.await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("the host is stopping"), "{refused}");
    assert!(!bench.source.ended());
    assert_eq!(bench.cut(), "a\n");
    assert!(bench.source.ended());
}

#[tokio::test]
async fn given_no_end_or_a_port_in_use_when_opened_then_the_error_says_so() {
    let context = context(BlockStore::new(1));
    let taken = socket::bind("127.0.0.1:0", &Handle::current()).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = HttpSource::open("s", &address, rules(Format::Text), &context).unwrap_err().to_string();
    assert!(error.starts_with("cannot listen on 127.0.0.1:"), "{error}");
    let once = SourceContext { mode: Mode::Once, ..context };
    let error = HttpSource::open("s", &address, rules(Format::Text), &once).unwrap_err().to_string();
    assert!(error.contains("run the pipeline live"), "{error}");
}
