//! The block log: what was received outlives the host, and damage to it is not passed over.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use weir_tests::{Folder, Live};

/// What comes over a socket, as it is. No batch is due for a day.
const PIPELINE: &str = r#"
    [batch]
    interval = "INTERVAL"
    block_interval = "10ms"
    [sources.lines]
    type = "socket"
    listen = "ADDRESS"
    [sinks.out]
    type = "files"
    path = "out"
    inputs = ["lines"]
"#;

fn start(folder: &Folder, interval: &str, listen: &str) -> Live {
    folder.start(&PIPELINE.replace("INTERVAL", interval).replace("ADDRESS", listen)).started()
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").to_string()
}

fn segments(folder: &Folder) -> Vec<PathBuf> {
    let folder = folder.data().join("pipelines/p/live/blocks");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// Sends lines to a host that takes none of them into a batch, waits until they are on disk, and kills the host.
fn killed_with(lines: &[&str]) -> Folder {
    let folder = Folder::new();
    let address = free_address();
    let host = start(&folder, "1day", &address);
    for line in lines {
        let mut client = TcpStream::connect(&address).expect("the host listens");
        client.write_all(line.as_bytes()).expect("the host reads");
        drop(client);
        let text = line.trim_end().as_bytes();
        let written = || segments(&folder).iter().any(|path| holds(path, text));
        while !written() {
            std::thread::yield_now();
        }
    }
    host.kill();
    folder
}

fn holds(path: &PathBuf, text: &[u8]) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text))
}

#[test]
fn given_rows_that_no_batch_has_taken_when_the_host_is_killed_then_the_next_run_takes_them_once_and_first() {
    let folder = killed_with(&["first\n", "second\n"]);
    let address = free_address();
    let mut host = start(&folder, "100ms", &address);
    host.rows_in(2);
    let mut client = TcpStream::connect(&address).expect("the host listens");
    client.write_all(b"third\n").expect("the host reads");
    host.rows_in(1);
    host.terminate();
    host.finish().ok();
    let mut host = start(&folder, "100ms", &free_address());
    host.batch();
    host.terminate();
    host.finish().ok();
    assert_eq!(folder.batches("out").column("line"), ["first", "second", "third"]);
    let bytes: u64 = segments(&folder).iter().map(|path| fs::metadata(path).expect("it is there").len()).sum();
    assert!(bytes < 100, "{bytes} bytes are kept of blocks that nobody needs");
}

#[test]
fn given_a_damaged_segment_when_the_host_starts_then_it_names_file_and_blocks_and_goes_on_without_the_file() {
    let folder = killed_with(&["first\n", "second\n", "third\n"]);
    let path = segments(&folder).pop().expect("there is a segment");
    let mut bytes = fs::read(&path).expect("it can be read");
    let at = bytes.windows(6).position(|window| window == b"second").expect("it was written");
    bytes[at] ^= 1;
    fs::write(&path, &bytes).expect("it can be written");

    let says = ["the block log", "is damaged; nothing was changed", "block 1, which no batch has taken", "move"];
    let finished = folder.weir(&["run", "p.toml"]).refused(&says);

    assert!(finished.message().contains(path.to_str().expect("UTF-8")), "{}", finished.message());
    assert_eq!(fs::read(&path).expect("it is there"), bytes);
    fs::rename(&path, folder.path("damaged")).expect("it can be moved");
    let mut host = start(&folder, "100ms", &free_address());
    host.batch();
    host.terminate();
    host.finish().ok();
}
