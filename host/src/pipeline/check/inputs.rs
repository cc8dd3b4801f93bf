//! Inputs: what operators and sinks read must exist, be readable by them, and not follow from itself.

use std::collections::HashSet;

use super::Findings;
use crate::pipeline::Pipeline;
use crate::pipeline::graph::loops;
use crate::pipeline::suggest::hint;

/// Checks who reads what.
pub(super) fn check(pipeline: &Pipeline, findings: &mut Findings<'_>) {
    for (name, operator) in &pipeline.operators {
        let reader = Reader { kind: "operators", name, is_query: operator.sql.is_some() };
        reader.check(&operator.inputs, pipeline, findings);
    }
    for (name, sink) in &pipeline.sinks {
        let reader = Reader { kind: "sinks", name, is_query: false };
        reader.check(sink.inputs(), pipeline, findings);
    }
    // Where a source and an operator share a name, which is refused, a loop may be none.
    if pipeline.operators.keys().any(|name| pipeline.sources.contains_key(name)) {
        return;
    }
    for found in loops(pipeline) {
        let first = found.operators.first().map_or("", String::as_str);
        findings.at_key(&["operators", first, "inputs"], found.to_string());
    }
}

/// An operator or sink.
#[derive(Clone, Copy)]
struct Reader<'a> {
    kind: &'a str,
    name: &'a str,
    is_query: bool,
}

impl Reader<'_> {
    fn check(self, inputs: &[String], pipeline: &Pipeline, findings: &mut Findings<'_>) {
        let Self { kind, name, is_query } = self;
        let path = [kind, name, "inputs"];
        if inputs.is_empty() {
            let message = format!("[{kind}.{name}] reads nothing: name a source or an operator in `inputs`");
            findings.at_key(&path, message);
        } else if is_query && inputs.iter().all(|input| pipeline.tables.contains_key(input)) {
            let message = format!(
                "[{kind}.{name}] reads only tables: name a source or an operator in `inputs`; every table is there for \
                 its query anyway"
            );
            findings.at_key(&path, message);
        }
        let mut seen = HashSet::new();
        for (index, input) in inputs.iter().enumerate() {
            let wrong = if !seen.insert(input) { Some(self.twice(input)) } else { self.wrong(input, pipeline) };
            if let Some(message) = wrong {
                findings.at_item(&path, index, message);
            }
        }
    }

    fn twice(self, input: &str) -> String {
        format!("`inputs` of [{}.{}] names `{input}` twice", self.kind, self.name)
    }

    /// Why an input cannot be read, if it cannot.
    fn wrong(self, input: &str, pipeline: &Pipeline) -> Option<String> {
        let Self { kind, name, is_query } = self;
        if pipeline.sources.contains_key(input) || pipeline.operators.contains_key(input) {
            return None;
        }
        if pipeline.tables.contains_key(input) {
            return (!is_query).then(|| {
                format!("[{kind}.{name}] cannot read the table `{input}`: only an operator with `sql` can, by its name")
            });
        }
        if pipeline.sinks.contains_key(input) {
            return Some(format!(
                "[{kind}.{name}] cannot read the sink `{input}`: name the source or operator that the sink reads"
            ));
        }
        let streams = pipeline.sources.keys().chain(pipeline.operators.keys()).map(String::as_str);
        let known = streams.filter(|stream| *stream != name);
        Some(format!("[{kind}.{name}] reads `{input}`, which is no source or operator{}", hint(input, known)))
    }
}
