//! What the types of a pipeline cannot say: names that must exist, keys that exclude each other, values that make no
//! sense. Nothing here touches a file, a socket or a component.

mod batch;
mod inputs;
mod names;
mod operator;
mod rejects;
mod sink;
mod source;
mod window;

use super::document::Document;
use super::problem::Problem;
use super::{Graph, OperatorKind, Pipeline};

/// Checks a whole pipeline.
pub(super) fn check(pipeline: &Pipeline, findings: &mut Findings<'_>) {
    names::check(pipeline, findings);
    batch::check(&pipeline.batch, findings);
    for (name, source) in &pipeline.sources {
        source::check(name, source, findings);
    }
    for (name, table) in &pipeline.tables {
        source::check_table(name, table, findings);
    }
    for (name, operator) in &pipeline.operators {
        operator::check(name, operator, pipeline, findings);
        window::check(name, operator, pipeline, findings);
    }
    sink::check(&pipeline.sinks, findings);
    inputs::check(pipeline, findings);
}

/// What is probably a mistake, in a pipeline that is sound.
pub(super) fn warnings(pipeline: &Pipeline, graph: &Graph, document: &Document<'_>) -> Vec<Problem> {
    let mut findings = Findings::new(document);
    for name in graph.unused() {
        let kind = if pipeline.sources.contains_key(name) { "sources" } else { "operators" };
        findings.at_key(&[kind, name], format!("[{kind}.{name}] does not run, because nobody reads its rows"));
    }
    let queries = pipeline.operators.values().any(|operator| matches!(operator.kind(), Some(OperatorKind::Sql(_))));
    let initial = |table: &String| pipeline.operators.values().any(|operator| operator.initial.as_ref() == Some(table));
    for name in pipeline.tables.keys().filter(|name| !queries && !initial(name)) {
        findings.at_key(&["tables", name], format!("[tables.{name}] is not used, because no operator has a query"));
    }
    for (name, sink) in &pipeline.sinks {
        sink::warn(name, sink, &mut findings);
    }
    let mut warnings: Vec<_> = findings.list.into_iter().map(|finding| finding.problem).collect();
    warnings.sort_by_key(|warning| (warning.line, warning.column));
    warnings
}

/// What the check has found, and the document that it points into.
pub(super) struct Findings<'d> {
    document: &'d Document<'d>,
    list: Vec<Finding>,
}

struct Finding {
    path: Vec<String>,
    problem: Problem,
}

impl<'d> Findings<'d> {
    /// None yet.
    pub(super) fn new(document: &'d Document<'d>) -> Self {
        Self { document, list: Vec::new() }
    }

    /// Those about entries that were read whole: of an entry that has lost a key, the check may say what is not so.
    pub(super) fn beside(self, faulty: &[Vec<String>]) -> impl Iterator<Item = Problem> {
        let kept = move |finding: &Finding| !faulty.iter().any(|path| entry(path) == entry(&finding.path));
        self.list.into_iter().filter(kept).map(|finding| finding.problem)
    }

    /// Whether the file has this key.
    fn has(&self, path: &[&str]) -> bool {
        self.document.has(path)
    }

    /// Something about the key at `path`.
    fn at_key(&mut self, path: &[&str], message: String) {
        self.push(path, self.document.key(path), message);
    }

    /// Something about an item of the array at `path`.
    fn at_item(&mut self, path: &[&str], index: usize, message: String) {
        self.push(path, self.document.item(path, index), message);
    }

    fn push(&mut self, path: &[&str], at: usize, message: String) {
        let path = path.iter().map(ToString::to_string).collect();
        self.list.push(Finding { path, problem: self.document.problem(at, message) });
    }
}

/// The part of a path that names what is checked as a whole: `[batch]`, or one source, table, operator or sink.
fn entry(path: &[String]) -> &[String] {
    let length = if path.first().is_some_and(|first| first == "batch") { 1 } else { 2 };
    path.get(..length).unwrap_or(path)
}
