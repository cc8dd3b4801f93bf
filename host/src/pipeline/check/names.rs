//! Names: of the pipeline, and of what is in it.

use std::collections::HashMap;

use super::Findings;
use crate::pipeline::Pipeline;

/// Checks that names can be used, are used once, and that there is something to run.
pub(super) fn check(pipeline: &Pipeline, findings: &mut Findings<'_>) {
    pipeline_name(pipeline.name.as_deref().unwrap_or_default(), findings);
    if pipeline.sources.is_empty() {
        findings.at_key(&["sources"], "there are no sources: add a table `[sources.NAME]`".to_owned());
    }
    if pipeline.sinks.is_empty() {
        findings.at_key(&["sinks"], "there are no sinks: add a table `[sinks.NAME]`".to_owned());
    }
    let names = (pipeline.sources.keys().map(|name| ("sources", name)))
        .chain(pipeline.tables.keys().map(|name| ("tables", name)))
        .chain(pipeline.operators.keys().map(|name| ("operators", name)))
        .chain(pipeline.sinks.keys().map(|name| ("sinks", name)));
    let mut taken = HashMap::new();
    for (kind, name) in names {
        if !is_sql_name(name) {
            let message = format!(
                "`{name}` cannot be a name in [{kind}]: use lower-case letters, digits and `_`, beginning with a \
                 letter or `_`, so that a query can name it without quotes"
            );
            findings.at_key(&[kind, name], message);
        }
        if let Some(other) = taken.insert(name, kind) {
            let message = format!("[{kind}.{name}] has the name of [{other}.{name}]: give one of them another");
            findings.at_key(&[kind, name], message);
        }
    }
}

fn pipeline_name(name: &str, findings: &mut Findings<'_>) {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
        return;
    }
    let rule = "letters, digits, `_` and `-`";
    let message = match findings.has(&["name"]) {
        true => format!("`{name}` cannot be the pipeline's name: use {rule}"),
        false => format!("`{name}`, from the file's path, cannot be the pipeline's name: write `name`, of {rule}"),
    };
    findings.at_key(&["name"], message);
}

fn is_sql_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
