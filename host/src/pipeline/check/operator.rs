//! Operators: what each one is, and which keys go with that.

use std::collections::HashSet;

use super::Findings;
use crate::operator::Reference;
use crate::pipeline::{LimitsSpec, OperatorKind, OperatorSpec};
use crate::units::Size;

/// Checks an operator, all but its inputs.
pub(super) fn check(name: &str, operator: &OperatorSpec, findings: &mut Findings<'_>) {
    match operator.kind() {
        None => one_kind(name, operator, findings),
        Some(OperatorKind::Transform(component)) => a_component(name, "transform", component, findings),
        Some(OperatorKind::Aggregate(component)) => a_component(name, "aggregate", component, findings),
        Some(OperatorKind::Sql(query)) => a_query(name, query, operator, findings),
    }
    key(name, operator, findings);
    limits(name, &operator.limits, findings);
}

fn one_kind(name: &str, operator: &OperatorSpec, findings: &mut Findings<'_>) {
    let written = [("transform", &operator.transform), ("aggregate", &operator.aggregate), ("sql", &operator.sql)];
    let written: Vec<_> =
        written.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| format!("`{key}`")).collect();
    let found = if written.is_empty() { "none".to_owned() } else { written.join(" and ") };
    let message =
        format!("[operators.{name}] must have exactly one of `transform`, `aggregate` and `sql`, but has {found}");
    findings.at_key(&["operators", name], message);
}

fn a_component(name: &str, key: &str, component: &str, findings: &mut Findings<'_>) {
    if let Err(error) = component.parse::<Reference>() {
        findings.at_key(&["operators", name, key], format!("`{key}` in [operators.{name}]: {error}"));
    }
}

/// A query, and the keys that only a component can make use of.
fn a_query(name: &str, query: &str, operator: &OperatorSpec, findings: &mut Findings<'_>) {
    if query.trim().is_empty() {
        findings.at_key(&["operators", name, "sql"], format!("`sql` in [operators.{name}] is empty"));
    }
    let defaults = OperatorSpec::default();
    let misplaced = [
        (!operator.key.is_empty(), "key", "a query sees all rows of its inputs, and says GROUP BY or JOIN"),
        (operator.partitions.is_some(), "partitions", "a query runs in one partition, so that its rows have an order"),
        (operator.config.is_some(), "config", "it is passed to a component; write the values into the query"),
        (operator.on_reject != defaults.on_reject, "on_reject", "it is for components; a query rejects no rows"),
        (operator.limits != defaults.limits, "limits", "they are for components; a query runs in the host"),
    ];
    for (_, key, reason) in misplaced.into_iter().filter(|(misplaced, _, _)| *misplaced) {
        let message = format!("`{key}` does not go with `sql` in [operators.{name}]: {reason}");
        findings.at_key(&["operators", name, key], message);
    }
}

fn key(name: &str, operator: &OperatorSpec, findings: &mut Findings<'_>) {
    let path = ["operators", name, "key"];
    let mut seen = HashSet::new();
    for (index, column) in operator.key.iter().enumerate() {
        if column.is_empty() {
            findings.at_item(&path, index, format!("`key` in [operators.{name}] names a column without a name"));
        } else if !seen.insert(column) {
            findings.at_item(&path, index, format!("`key` in [operators.{name}] names `{column}` twice"));
        }
    }
    if operator.partitions.is_some() && operator.key.is_empty() && operator.sql.is_none() {
        let message = format!(
            "`partitions` in [operators.{name}] needs a `key`: without one the rows stay in the partitions they are in"
        );
        findings.at_key(&["operators", name, "partitions"], message);
    }
}

/// What WebAssembly can address.
const MOST_MEMORY: Size = Size(4 << 30);

fn limits(name: &str, limits: &LimitsSpec, findings: &mut Findings<'_>) {
    for (key, size) in [("memory", limits.memory), ("output", limits.output)] {
        if size > MOST_MEMORY {
            let message = format!("`{key}` in [operators.{name}.limits] is {size}; the most is {MOST_MEMORY}");
            findings.at_key(&["operators", name, "limits", key], message);
        }
    }
    for (key, value) in [("memory", limits.memory.0), ("fuel", limits.fuel), ("output", limits.output.0)] {
        if value == 0 {
            let message = format!("`{key}` in [operators.{name}.limits] must be more than 0, or nothing can run");
            findings.at_key(&["operators", name, "limits", key], message);
        }
    }
}
