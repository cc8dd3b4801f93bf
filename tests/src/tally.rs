//! A host that keeps a tally, with components that can take each other's place.

use serde_json::{Value, json};

use crate::http::{free_address, post};
use crate::{Finished, Folder, Live};

/// A host that keeps a tally of the amounts that are posted.
pub struct Tally {
    /// Where it runs.
    pub folder: Folder,
    /// The host.
    pub live: Live,
    /// Where amounts are posted to.
    pub url: String,
    /// The pipeline file.
    pub pipeline: String,
}

impl Tally {
    /// Starts it, with more of the operator's table.
    pub fn start(config: &str) -> Self {
        let (folder, free) = (Folder::new(), free_address());
        let pipeline = format!(
            r#"
            [batch]
            interval = "100ms"
            backpressure = {{ enabled = false }}
            [checkpoint]
            interval = "200ms"
            keep = "1h"
            [sources.amounts]
            type = "http"
            listen = "{free}"
            format = "json"
            schema = {{ key = "utf8", value = "int64" }}
            [operators.tally]
            state = "tally@0.1.0"
            inputs = ["amounts"]
            key = ["key"]
            {config}
            [sinks.out]
            type = "files"
            path = "out"
            inputs = ["tally"]
            "#
        );
        let live = folder.start(&pipeline).started();
        Self { folder, live, url: format!("http://{free}/"), pipeline }
    }

    /// Sends amounts of one key, and waits until they have come out.
    pub fn send(&mut self, values: &[i64]) {
        let rows: String = values.iter().map(|value| format!("{}\n", json!({"key": "k", "value": value}))).collect();
        post(&self.url, None, rows);
        self.live.rows_in(values.len() as u64);
    }

    /// Swaps the operator's component.
    pub fn swap(&self, args: &[&str]) -> Finished {
        self.folder.weir(&[&["swap", "tally"], args].concat())
    }

    /// What the operator runs.
    pub fn runs(&self) -> String {
        self.folder.status()["operators"][0]["component"].as_str().expect("a component").to_owned()
    }

    /// Kills it where it stands, and starts it again.
    pub fn restart(self) -> Self {
        let Self { folder, live, url, pipeline } = self;
        live.kill();
        let live = folder.start(&pipeline).started();
        Self { folder, live, url, pipeline }
    }

    /// Ends it; what came out, in order.
    pub fn stop(mut self) -> (Folder, Vec<(i64, i64)>) {
        self.live.terminate();
        self.live.finish().ok();
        let batches = self.folder.batches("out");
        let number = |value: &Value| value.as_i64().expect("a number");
        let reports = batches.rows().map(|row| (number(&row["count"]), number(&row["total"]))).collect();
        (self.folder, reports)
    }
}

/// Fails unless a text has all of these in it.
#[track_caller]
pub fn says(text: &str, all: &[&str]) {
    all.iter().for_each(|part| assert!(text.contains(part), "no `{part}` in:\n{text}"));
}
