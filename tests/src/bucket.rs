//! A server of a test's own that speaks S3: moto, which keeps its buckets in memory.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::http;

/// The command `moto_server`, where it is not on the path.
const COMMAND: &str = "WEIR_TESTS_MOTO";
/// Set by whoever runs the tests where moto cannot be installed.
const WITHOUT: &str = "WEIR_TESTS_WITHOUT_S3";

/// A server with one empty bucket, `weir`. It ends when this is dropped, and forgets all.
#[derive(Debug)]
pub struct Bucket {
    server: Child,
    address: String,
}

impl Bucket {
    /// Starts a server. None, and a line that says so, where moto is not installed and cannot be.
    pub fn start() -> Option<Self> {
        let command = env::var_os(COMMAND).unwrap_or_else(|| "moto_server".into());
        let server = Command::new(command).args(["-H", "127.0.0.1", "-p", "0"]).stderr(Stdio::piped()).spawn();
        let started = server.map_err(|error| error.to_string()).and_then(listening);
        let (server, address) = match started {
            Ok(started) => started,
            Err(why) => {
                assert!(
                    env::var_os(WITHOUT).is_some(),
                    "moto does not start: `pip install 'moto[server]'` and have moto_server on the path or in {COMMAND}, or \
                     set {WITHOUT}=1 to go without these tests: {why}"
                );
                eprintln!("skipped: moto is not installed, and there is no bucket to write to");
                return None;
            }
        };
        let bucket = Self { server, address };
        assert_eq!(bucket.ask("PUT", "").0, 200);
        Some(bucket)
    }

    /// Has a command find the server, and be let in.
    pub fn reach(&self, command: &mut Command) {
        command.env("AWS_ENDPOINT", &self.address).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "weir").env("AWS_SECRET_ACCESS_KEY", "secret");
    }

    /// The names of all objects in the bucket.
    pub fn names(&self) -> Vec<String> {
        let (status, listing) = self.ask("GET", "?list-type=2");
        assert_eq!(status, 200, "{listing}");
        let names = listing.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    fn ask(&self, method: &str, path: &str) -> (u16, String) {
        http::send(method, &format!("{}/weir{path}", self.address), None, "")
    }
}

/// Waits until a server says where it listens; where it does not, what it says instead.
fn listening(mut server: Child) -> Result<(Child, String), String> {
    let mut log = BufReader::new(server.stderr.take().expect("it is piped"));
    let mut seen = String::new();
    loop {
        if log.read_line(&mut seen).expect("the server's log can be read") == 0 {
            server.wait().expect("a child can be waited for");
            return Err(seen);
        }
        if let Some((_, address)) = seen.trim_end().rsplit_once("Running on ") {
            // It must not block on a full pipe.
            thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            return Ok((server, address.to_owned()));
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // One that has ended by itself is gone as well.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
