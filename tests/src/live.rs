//! A host that runs, followed through what it logs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::Value;

use crate::folder::resident;
use crate::{Finished, PATIENCE};

/// A line of the host's log.
#[derive(Debug, Clone)]
pub struct Event {
    /// The line as it came.
    pub line: String,
    /// Its fields, where it is JSON.
    pub fields: Value,
}

impl Event {
    fn new(line: String) -> Self {
        let fields = serde_json::from_str(&line).unwrap_or(Value::Null);
        Self { line, fields }
    }

    /// Whether it is a log line with this message.
    pub fn is(&self, message: &str) -> bool {
        self.fields["message"] == message
    }

    /// Whether it is a log line whose message begins so.
    pub fn is_about(&self, message: &str) -> bool {
        self.fields["message"].as_str().is_some_and(|told| told.starts_with(message))
    }

    /// A number among its fields.
    pub fn number(&self, field: &str) -> u64 {
        self.fields[field].as_u64().unwrap_or_else(|| panic!("no number `{field}` in {}", self.line))
    }
}

/// A running host. It is killed when it is dropped.
#[derive(Debug)]
pub struct Live {
    child: Child,
    events: Receiver<Event>,
    seen: Vec<Event>,
    stdout: Option<JoinHandle<String>>,
}

impl Live {
    /// Starts a host; [`started`](Self::started) waits until it is at work.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("weir can be started");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut stdout = child.stdout.take().expect("it is piped");
        let (sender, events) = channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                let event = Event::new(line.expect("weir logs UTF-8"));
                if sender.send(event).is_err() {
                    // Nobody listens, but the host must not block on a full pipe.
                    continue;
                }
            }
        });
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("weir prints UTF-8");
            text
        });
        Self { child, events, seen: Vec::new(), stdout: Some(stdout) }
    }

    /// Waits until the host is at work.
    pub fn started(mut self) -> Self {
        self.wait_for("the start", |event| event.is("started"));
        self
    }

    /// Waits for an event. Fails when the log ends without it, or it takes too long.
    pub fn wait_for(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.recv_timeout(left) else {
                panic!("waited for {what} in vain; the host logged:\n{}", self.log());
            };
            self.seen.push(event.clone());
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Waits for the next committed batch.
    pub fn batch(&mut self) -> Event {
        self.wait_for("a batch", |event| event.is("batch committed"))
    }

    /// Waits until so many rows have come in, over all batches from now on.
    pub fn rows_in(&mut self, rows: u64) {
        let mut so_far = 0;
        while so_far < rows {
            so_far += self.batch().number("rows_in");
        }
        assert_eq!(so_far, rows, "more rows came in than were sent");
    }

    /// All lines so far.
    pub fn log(&self) -> String {
        self.seen.iter().map(|event| event.line.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Events so far with this message.
    pub fn seen(&self, message: &str) -> impl Iterator<Item = &Event> {
        self.seen.iter().filter(move |event| event.is(message))
    }

    /// The most memory that the host has had resident so far, in bytes; nothing where that cannot be told.
    pub fn peak_memory(&self) -> Option<u64> {
        resident(self.child.id())
    }

    /// Asks the host to process what it received and to end, as a service manager does.
    pub fn terminate(&self) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.expect("kill can be started").success());
    }

    /// Ends the host where it stands, as a power cut does.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Waits until the host ends by itself.
    pub fn finish(&mut self) -> Finished {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(event) = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.push(event);
        }
        assert!(Instant::now() < deadline, "the host does not end; it logged:\n{}", self.log());
        let status = self.child.wait().expect("a child can be waited for");
        let stdout = self.stdout.take().map(|reader| reader.join().expect("the reader does not panic"));
        Finished { status, stdout: stdout.unwrap_or_default(), stderr: self.log(), peak_memory: 0 }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
