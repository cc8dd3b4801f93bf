//! Sources over loopback connections. Nothing sleeps: each wait is for bytes, or for the receiver.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::*;
use crate::block::{BlockData, BlockStore};

fn context(mode: Mode, memory: u64) -> SourceContext {
    SourceContext {
        store: BlockStore::new(memory),
        interval: Duration::from_secs(1),
        block_interval: Duration::from_millis(200),
        block_size: 16 << 10,
        mode,
        runtime: Handle::current(),
    }
}

/// A peer that the source is to connect to.
async fn peer() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn connect(address: &str, format: Format, context: &SourceContext) -> SocketSource {
    SocketSource::open("s", &Address::Connect(address.into()), format, None, context).unwrap()
}

/// What can be cut now; its memory is given back.
fn cut(source: &mut SocketSource, context: &SourceContext) -> String {
    let cut = source.cut(BatchTime::from_millis(1000), None).unwrap();
    let mut text = String::new();
    for block in cut.blocks {
        let BlockData::Stored(id) = block.data else { unreachable!("received") };
        let bytes = context.store.get(id).unwrap();
        assert_eq!(NonZeroU64::new(memchr::memchr_iter(b'\n', &bytes).count() as u64), block.rows);
        text += str::from_utf8(&bytes).unwrap();
        context.store.release([id]);
    }
    text
}

/// Waits until `rows` rows have been received in all.
async fn received(source: &SocketSource, rows: u64) {
    while source.receiver.received() < rows {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn given_a_peer_that_closes_when_read_once_then_all_is_there_in_one_cut_and_the_source_has_ended() {
    let (listener, address) = peer().await;
    let context = context(Mode::Once, 1 << 20);
    let mut source = connect(&address, Format::Text, &context);
    let (mut connection, _) = listener.accept().await.unwrap();
    connection.write_all(b"a\n\nb\r\nlast").await.unwrap();
    drop(connection);

    source.ready().await.unwrap();

    assert!(!source.ended());
    assert_eq!(cut(&mut source, &context), "a\n\nb\r\nlast\n");
    assert!(source.ended());
    source.ready().await.unwrap();
}

#[tokio::test]
async fn given_json_when_received_then_blank_lines_are_not_rows() {
    let (listener, address) = peer().await;
    let context = context(Mode::Once, 1 << 20);
    let mut source = connect(&address, Format::Json, &context);
    let (mut connection, _) = listener.accept().await.unwrap();
    connection.write_all(b"\n{}\n \n").await.unwrap();
    drop(connection);
    source.ready().await.unwrap();
    assert_eq!(cut(&mut source, &context), "{}\n");
}

#[tokio::test]
async fn given_nobody_to_connect_to_when_read_once_then_the_error_names_source_and_address() {
    let (listener, address) = peer().await;
    drop(listener);
    let mut source = connect(&address, Format::Text, &context(Mode::Once, 1 << 20));
    let error = format!("{:#}", source.ready().await.unwrap_err());
    assert!(error.contains("source `s`") && error.contains(&format!("cannot connect to {address}")), "{error}");
}

#[tokio::test]
async fn given_more_than_memory_holds_when_read_once_then_batches_follow_each_other_within_the_bound() {
    let (listener, address) = peer().await;
    let memory = 100 << 10;
    let context = context(Mode::Once, memory);
    let mut source = connect(&address, Format::Text, &context);
    let (mut connection, _) = listener.accept().await.unwrap();
    let lines: String = (0..40_000).map(|n| format!("line number {n}\n")).collect();
    let sent = lines.clone();
    let peer = tokio::spawn(async move { connection.write_all(sent.as_bytes()).await });

    let (mut text, mut cuts) = (String::new(), 0);
    while !source.ended() {
        source.ready().await.unwrap();
        assert!(context.store.used() <= memory);
        text += &cut(&mut source, &context);
        cuts += 1;
    }

    peer.await.unwrap().unwrap();
    assert_eq!(text, lines);
    assert!(cuts >= lines.len() / (100 << 10), "{cuts} cuts");
}

#[tokio::test]
async fn given_a_full_store_when_live_then_the_sender_is_held_back_until_blocks_are_released() {
    let (listener, address) = peer().await;
    let memory = 64 << 10;
    let context = context(Mode::Live, memory);
    let mut source = connect(&address, Format::Text, &context);
    let (mut connection, _) = listener.accept().await.unwrap();
    let line = [b'x'; 1023];
    // More than the buffers of the two kernels' ends can hold.
    let lines = 64 << 10;
    let peer = tokio::spawn(async move {
        for _ in 0..lines {
            connection.write_all(&line).await.unwrap();
            connection.write_all(b"\n").await.unwrap();
        }
    });

    source.receiver.builder.until_stalled().await;
    assert!(!peer.is_finished());
    assert!(source.receiver.received() < lines);
    let mut rows = 0;
    while rows < lines {
        assert!(context.store.used() <= memory);
        rows += cut(&mut source, &context).len() as u64 / 1024;
        tokio::task::yield_now().await;
    }
    peer.await.unwrap();
}

#[tokio::test]
async fn given_a_peer_that_goes_away_when_live_then_the_source_connects_again() {
    let (listener, address) = peer().await;
    let context = context(Mode::Live, 1 << 20);
    let mut source = connect(&address, Format::Text, &context);
    for turn in 1..=3 {
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.write_all(format!("turn {turn}\n").as_bytes()).await.unwrap();
        drop(connection);
        received(&source, turn).await;
    }
    assert_eq!(cut(&mut source, &context), "turn 1\nturn 2\nturn 3\n");
    assert!(!source.ended());
}

#[tokio::test]
async fn given_several_connections_when_listening_then_lines_of_each_stay_whole() {
    let context = context(Mode::Live, 1 << 20);
    let listener = listen::bind("127.0.0.1:0", &context.runtime).unwrap();
    let address = listener.local_addr().unwrap();
    let mut source = SocketSource::listen("s", listener, Format::Text, None, &context);
    let mut one = TcpStream::connect(address).await.unwrap();
    let mut two = TcpStream::connect(address).await.unwrap();
    one.write_all(b"on").await.unwrap();
    two.write_all(b"two\n").await.unwrap();
    received(&source, 1).await;
    one.write_all(b"e\n").await.unwrap();
    received(&source, 2).await;
    assert_eq!(cut(&mut source, &context), "two\none\n");

    one.write_all(b"after\n").await.unwrap();
    received(&source, 3).await;
    source.stop();
    assert!(!source.ended());
    source.ready().await.unwrap();
    assert_eq!(cut(&mut source, &context), "after\n");
    assert!(source.ended());
}

#[tokio::test]
async fn given_a_line_that_is_too_long_when_received_then_it_is_refused_and_counted() {
    let (listener, address) = peer().await;
    let context = context(Mode::Once, 8 << 20);
    let mut source = connect(&address, Format::Text, &context);
    let (mut connection, _) = listener.accept().await.unwrap();
    let long = vec![b'x'; (1 << 20) + 1];
    connection.write_all(&[b"a\n", &long[..], b"\nb\n"].concat()).await.unwrap();
    drop(connection);
    source.ready().await.unwrap();
    assert_eq!((cut(&mut source, &context).as_str(), source.refused()), ("a\nb\n", 1));
}

#[tokio::test]
async fn given_a_rate_when_live_then_rows_wait_until_a_higher_one_is_set() {
    let (listener, address) = peer().await;
    let context = context(Mode::Live, 1 << 20);
    let mut source = connect(&address, Format::Text, &context);
    source.set_rate(0.001);
    let (mut connection, _) = listener.accept().await.unwrap();
    connection.write_all(b"a\nb\n").await.unwrap();
    // The bucket is empty at first, so nothing has come before the rate is raised.
    assert_eq!(source.receiver.received(), 0);
    source.set_rate(1e9);
    received(&source, 2).await;
}

#[tokio::test]
async fn given_addresses_that_cannot_be_when_opened_then_the_error_says_what_to_write() {
    assert!(Address::of(Some("a:1"), Some("b:1")).is_err());
    assert!(Address::of(None, None).is_err());
    for bad in ["localhost", ":1", "localhost:http", "localhost:99999"] {
        assert!(Address::of(Some(bad), None).unwrap_err().to_string().contains("host:port"), "{bad}");
    }
    let context = context(Mode::Live, 1);
    let taken = listen::bind("127.0.0.1:0", &context.runtime).unwrap();
    let address = Address::Listen(taken.local_addr().unwrap().to_string());
    let error = SocketSource::open("s", &address, Format::Text, None, &context).unwrap_err().to_string();
    assert!(error.starts_with("cannot listen on 127.0.0.1:"), "{error}");
    let once = SourceContext { mode: Mode::Once, ..context };
    let error = SocketSource::open("s", &address, Format::Text, None, &once).unwrap_err().to_string();
    assert!(error.contains("use `connect`"), "{error}");
}
