//! Operators: what each one is, and which keys go with that.

use std::collections::HashSet;

use super::batch::MOST_PARTITIONS;
use super::{Findings, rejects};
use crate::operator::Reference;
use crate::pipeline::suggest::hint;
use crate::pipeline::{LimitsSpec, OperatorKind, OperatorSpec, Pipeline};
use crate::units::Size;

/// Checks an operator, all but its inputs and its window.
pub(super) fn check(name: &str, operator: &OperatorSpec, pipeline: &Pipeline, findings: &mut Findings<'_>) {
    match operator.kind() {
        None => one_kind(name, operator, findings),
        Some(OperatorKind::Transform(component)) => a_component("operators", name, "transform", component, findings),
        Some(OperatorKind::Aggregate(component)) => a_component("operators", name, "aggregate", component, findings),
        Some(OperatorKind::State(component)) => {
            a_component("operators", name, "state", component, findings);
            state(name, operator, pipeline, findings);
        }
        Some(OperatorKind::Sql(query)) if query.trim().is_empty() => {
            findings.at_key(&["operators", name, "sql"], format!("`sql` in [operators.{name}] is empty"));
        }
        Some(OperatorKind::Sample(sample)) if !(0.0..=1.0).contains(&sample.fraction) => {
            let message =
                format!("`fraction` in [operators.{name}.sample] is {}: it must be from 0 to 1", sample.fraction);
            findings.at_key(&["operators", name, "sample", "fraction"], message);
        }
        Some(OperatorKind::Snapshot(_)) => snapshot(name, operator, pipeline, findings),
        Some(OperatorKind::Repartition(partitions)) if partitions.get() > MOST_PARTITIONS => {
            let message = format!("`repartition` in [operators.{name}] is {partitions}; the most is {MOST_PARTITIONS}");
            findings.at_key(&["operators", name, "repartition"], message);
        }
        Some(_) => {}
    }
    misplaced(name, operator, findings);
    key(name, operator, findings);
    limits("operators", name, &operator.limits, findings);
    if is_component(operator) {
        rejects::check(["operators", name], operator.on_reject, operator.max_rejects, findings);
    }
}

fn is_component(operator: &OperatorSpec) -> bool {
    matches!(operator.kind(), Some(OperatorKind::Transform(_) | OperatorKind::Aggregate(_) | OperatorKind::State(_)))
}

fn one_kind(name: &str, operator: &OperatorSpec, findings: &mut Findings<'_>) {
    let quoted = |keys: &mut dyn Iterator<Item = &'static str>| keys.map(|key| format!("`{key}`")).collect::<Vec<_>>();
    let written = quoted(&mut operator.kinds());
    let found = if written.is_empty() { "none".to_owned() } else { written.join(" and ") };
    let known = quoted(&mut OperatorSpec::KINDS.into_iter());
    let (last, others) = known.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    let others = others.join(", ");
    let message =
        format!("[operators.{name}] must have exactly one of {others} and {last}, or only a `window`; but has {found}");
    findings.at_key(&["operators", name], message);
}

fn state(name: &str, operator: &OperatorSpec, pipeline: &Pipeline, findings: &mut Findings<'_>) {
    if operator.key.is_empty() {
        let message = format!(
            "[operators.{name}] keeps a state for each key: name the columns of the key, as in `key = [\"user\"]`"
        );
        findings.at_key(&["operators", name, "state"], message);
    }
    if operator.timeout.is_some_and(|timeout| timeout.0.as_millis() == 0) {
        let message = format!("`timeout` in [operators.{name}] must be at least 1ms");
        findings.at_key(&["operators", name, "timeout"], message);
    }
    if let Some(table) = operator.initial.as_ref().filter(|table| !pipeline.tables.contains_key(*table)) {
        let known = pipeline.tables.keys().map(String::as_str);
        let message =
            format!("`initial` in [operators.{name}] names `{table}`, which is no table{}", hint(table, known));
        findings.at_key(&["operators", name, "initial"], message);
    }
}

fn snapshot(name: &str, operator: &OperatorSpec, pipeline: &Pipeline, findings: &mut Findings<'_>) {
    let of_state = |input: &String| pipeline.operators.get(input).is_some_and(|of| of.state.is_some());
    if operator.inputs.len() != 1 || !operator.inputs.iter().all(of_state) {
        let message = format!("[operators.{name}] takes snapshots: its one input must be an operator with `state`");
        findings.at_key(&["operators", name, "inputs"], message);
    }
}

/// A component that is named under `key`, in a table `[KIND.NAME]`.
pub(super) fn a_component(kind: &str, name: &str, key: &str, component: &str, findings: &mut Findings<'_>) {
    if let Err(error) = component.parse::<Reference>() {
        findings.at_key(&[kind, name, key], format!("`{key}` in [{kind}.{name}]: {error}"));
    }
}

/// Keys that the operator's kind cannot make use of.
fn misplaced(name: &str, operator: &OperatorSpec, findings: &mut Findings<'_>) {
    let Some(kind) = operator.kind() else { return };
    let defaults = OperatorSpec::default();
    let is_component = is_component(operator);
    let is_state = matches!(kind, OperatorKind::State(_));
    let (what, key_reason) = match kind {
        OperatorKind::Sql(_) => ("`sql`", "a query sees all rows of its inputs, and says GROUP BY or JOIN"),
        OperatorKind::Transform(_) => ("`transform`", ""),
        OperatorKind::Aggregate(_) => ("`aggregate`", ""),
        OperatorKind::State(_) => ("`state`", ""),
        OperatorKind::Sample(_) => ("`sample`", "it takes each row by itself"),
        OperatorKind::Repartition(_) => ("`repartition`", "it deals rows out evenly"),
        OperatorKind::Snapshot(_) => ("`snapshot`", "its key is that of the state"),
        OperatorKind::Window => ("a `window` alone", "it is for the operator that reads the window"),
    };
    let wrong = [
        (!is_component && !operator.key.is_empty(), "key", key_reason),
        (
            !is_component && operator.partitions.is_some(),
            "partitions",
            "it is for components, after a shuffle by `key`",
        ),
        (!is_component && operator.config.is_some(), "config", "it is passed to a component"),
        (
            !is_component && operator.on_reject != defaults.on_reject,
            "on_reject",
            "it is for components; nothing is rejected here",
        ),
        (
            !is_component && operator.max_rejects.is_some(),
            "max_rejects",
            "it is for components; nothing is rejected here",
        ),
        (!is_component && operator.limits != defaults.limits, "limits", "they are for components"),
        (!is_state && operator.touch != defaults.touch, "touch", "it is for operators with `state`"),
        (!is_state && operator.timeout.is_some(), "timeout", "it is for operators with `state`"),
        (!is_state && operator.initial.is_some(), "initial", "it is for operators with `state`"),
        (
            operator.whole_partition && !matches!(kind, OperatorKind::Transform(_)),
            "whole_partition",
            "it is for operators with `transform`",
        ),
        (
            operator.window.is_some() && matches!(kind, OperatorKind::Snapshot(_)),
            "window",
            "a snapshot is of one moment; put a window over its rows in another operator",
        ),
    ];
    for (_, key, reason) in wrong.into_iter().filter(|(wrong, _, _)| *wrong) {
        let message = format!("`{key}` does not go with {what} in [operators.{name}]: {reason}");
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
    let shuffles = !operator.key.is_empty() || operator.transform.is_none();
    if operator.partitions.is_some() && !shuffles {
        let message = format!(
            "`partitions` in [operators.{name}] needs a `key`: without one the rows stay in the partitions they are in"
        );
        findings.at_key(&["operators", name, "partitions"], message);
    }
}

/// What WebAssembly can address.
const MOST_MEMORY: Size = Size(4 << 30);

/// The limits of a component, in a table `[KIND.NAME]`.
pub(super) fn limits(kind: &str, name: &str, limits: &LimitsSpec, findings: &mut Findings<'_>) {
    for (key, size) in [("memory", limits.memory), ("output", limits.output)] {
        if size > MOST_MEMORY {
            let message = format!("`{key}` in [{kind}.{name}.limits] is {size}; the most is {MOST_MEMORY}");
            findings.at_key(&[kind, name, "limits", key], message);
        }
    }
    for (key, value) in [("memory", limits.memory.0), ("fuel", limits.fuel), ("output", limits.output.0)] {
        if value == 0 {
            let message = format!("`{key}` in [{kind}.{name}.limits] must be more than 0, or nothing can run");
            findings.at_key(&[kind, name, "limits", key], message);
        }
    }
}
