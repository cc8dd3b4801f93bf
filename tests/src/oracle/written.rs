//! Pipelines as the files that a host reads.

use serde_json::{Map, Value, json};

use super::pipeline::{Cut, Format, Operator, Pipeline, Policy, Sink, Source, What, Window};
use super::query::KNOWN;
use super::source::JSON_COLUMNS;
use super::tally::Tally;

impl Pipeline {
    /// The pipeline file, for work that is cut in one way.
    pub fn to_toml(&self, cut: Cut) -> String {
        let sources: Map<_, _> = self.sources.iter().map(|source| (source.name.clone(), source.to_json())).collect();
        let operators: Map<_, _> = self.operators.iter().map(|o| (o.name.clone(), o.to_json())).collect();
        let sinks: Map<_, _> = self.sinks.iter().map(|sink| (sink.name.clone(), sink.to_json())).collect();
        let schema = json!({"word": "utf8", "value": "int64"});
        let file = json!({
            "name": "p",
            "batch": {
                "interval": millis(self.interval),
                "block_size": format!("{} B", self.block_size),
                "partitions": cut.partitions,
                "chunk_rows": cut.chunk_rows,
            },
            "sources": sources,
            "tables": {"known": {"path": "known.jsonl", "format": "json", "schema": schema}},
            "operators": operators,
            "sinks": sinks,
        });
        toml::to_string(&file).expect("a pipeline without nulls can be written as TOML")
    }

    /// The files that the pipeline reads, by name.
    pub fn files(&self) -> Vec<(String, String)> {
        let known: String =
            KNOWN.iter().map(|(word, value)| format!("{}\n", json!({"word": word, "value": value}))).collect();
        let sources = self.sources.iter().map(|source| (source.path(), source.file.clone()));
        sources.chain([("known.jsonl".to_owned(), known)]).collect()
    }

    /// When it starts, as the command line has it.
    pub fn start_argument(&self) -> String {
        format!("1970-01-01T00:{:02}:{:02}Z", self.start / 60, self.start % 60)
    }
}

fn millis(millis: u64) -> String {
    format!("{millis}ms")
}

impl Policy {
    fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::DeadLetter => "dead-letter",
        }
    }
}

impl Source {
    fn path(&self) -> String {
        format!("{}.input", self.name)
    }

    fn to_json(&self) -> Value {
        let mut spec = json!({"type": "file", "path": self.path(), "on_reject": self.policy.name()});
        if let Some(rate) = self.rate {
            spec["rate"] = format!("{rate}/s").into();
        }
        if self.format == Format::Json {
            spec["format"] = "json".into();
            let columns = JSON_COLUMNS.iter().map(|(name, kind)| (name.to_string(), kind.name().into()));
            spec["schema"] = Value::Object(columns.collect());
        }
        spec
    }
}

impl Operator {
    fn to_json(&self) -> Value {
        let mut spec = json!({"inputs": self.inputs});
        if let Some(window) = self.window {
            spec["window"] = window.to_json();
        }
        match &self.what {
            What::Query(query) => spec["sql"] = query.sql(&self.inputs).into(),
            What::Snapshot(every) => spec["snapshot"] = json!({ "every": every }),
            What::Sample(all) => spec["sample"] = json!({ "fraction": if *all { 1.0 } else { 0.0 } }),
            What::Repartition(partitions) => spec["repartition"] = (*partitions).into(),
            What::Grep(pattern) => spec["config"] = json!({ "pattern": pattern }),
            What::Tally(tally) => tally.write(&mut spec),
            _ => {}
        }
        let Some((kind, component)) = self.what.component() else { return spec };
        spec[kind] = component.into();
        spec["on_reject"] = self.policy.name().into();
        spec["key"] = self.key.clone().into();
        if let Some(partitions) = self.partitions {
            spec["partitions"] = partitions.into();
        }
        if self.whole_partition {
            spec["whole_partition"] = true.into();
        }
        spec
    }
}

impl Window {
    fn to_json(self) -> Value {
        let mut spec = json!({ "length": millis(self.length) });
        if let Some(slide) = self.slide {
            spec["slide"] = millis(slide).into();
        }
        if self.ago > 0 {
            spec["ago"] = millis(self.ago).into();
        }
        spec
    }
}

impl Tally {
    fn write(&self, spec: &mut Value) {
        let mut config = json!({});
        if let Some(count) = self.remove_at {
            config["remove_at"] = count.into();
        }
        if let Some(wake) = self.wake {
            config["wake"] = wake.into();
        }
        for (name, set) in [("quiet", self.quiet), ("reject_negative", self.reject_negative)] {
            if set {
                config[name] = true.into();
            }
        }
        spec["config"] = config;
        if self.touch_all {
            spec["touch"] = "all".into();
        }
        if let Some(timeout) = self.timeout {
            spec["timeout"] = millis(timeout).into();
        }
    }
}

impl Sink {
    fn to_json(&self) -> Value {
        json!({"type": "files", "path": format!("out/{}", self.name), "inputs": self.inputs})
    }
}
