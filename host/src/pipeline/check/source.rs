//! Sources and tables: where rows come from, and how bytes become rows.

use std::path::Path;

use indexmap::IndexMap;

use super::{Findings, rejects};
use crate::pipeline::{EventTimeSpec, Format, GeneratedColumn, SourceSpec, TableSpec};
use crate::rows::ColumnType;
use crate::units::{Rate, Size};

/// A body is one record of the block log.
const LARGEST_BODY: u64 = 1 << 30;

type Columns = IndexMap<String, ColumnType>;

/// Checks a source.
pub(super) fn check(name: &str, source: &SourceSpec, findings: &mut Findings<'_>) {
    let place = ["sources", name];
    match source {
        SourceSpec::File { path, rate, format, schema, .. } => {
            a_path(place, path, findings);
            a_rate(place, "rate", *rate, findings);
            a_schema(place, *format, schema.as_ref(), findings);
        }
        SourceSpec::Socket { connect, listen, format, schema, max_rate, .. } => {
            peer(name, connect.as_deref(), listen.as_deref(), findings);
            a_rate(place, "max_rate", *max_rate, findings);
            a_schema(place, *format, schema.as_ref(), findings);
            declared(name, "a socket has", *format, schema.as_ref(), findings);
        }
        SourceSpec::Http { listen, path, format, schema, max_body, max_rate, .. } => {
            address_of(name, "listen", listen, findings);
            url_path(name, path, findings);
            a_rate(place, "max_rate", *max_rate, findings);
            a_schema(place, *format, schema.as_ref(), findings);
            declared(name, "requests have", *format, schema.as_ref(), findings);
            if !(1..=LARGEST_BODY).contains(&max_body.0) {
                let message = format!(
                    "`max_body` in [sources.{name}] must be from 1 B to {}, not {max_body}",
                    Size(LARGEST_BODY)
                );
                findings.at_key(&["sources", name, "max_body"], message);
            }
        }
        SourceSpec::Generator { rate, columns, .. } => {
            a_rate(place, "rate", Some(*rate), findings);
            generated(name, columns, findings);
        }
    }
    rejects::check(place, source.on_reject(), source.max_rejects(), findings);
    if let Some(spec) = source.event_time() {
        event_time(name, spec, findings);
    }
}

/// What is received tells its columns too late.
fn declared(name: &str, has: &str, format: Format, schema: Option<&Columns>, findings: &mut Findings<'_>) {
    if format != Format::Text && schema.is_none() {
        let message = format!(
            "[sources.{name}] needs a `schema`, as in `schema = {{ user = \"utf8\" }}`: {has} no first rows to infer it \
             from"
        );
        findings.at_key(&["sources", name, "format"], message);
    }
}

fn url_path(name: &str, path: &str, findings: &mut Findings<'_>) {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'<' | b'>');
    if !path.starts_with('/') || !path.bytes().all(plain) {
        let message = format!(
            "`path` in [sources.{name}] must be the path of a URL, as in \"/rows\", not \"{path}\": it begins with `/`, \
             and what is not plain ASCII is written with `%`"
        );
        findings.at_key(&["sources", name, "path"], message);
    }
}

/// Checks the column that says when a row happened.
fn event_time(name: &str, event_time: &EventTimeSpec, findings: &mut Findings<'_>) {
    if event_time.column.is_empty() {
        let message = format!("`event_time` in [sources.{name}] names a column without a name");
        findings.at_key(&["sources", name, "event_time", "column"], message);
    }
}

/// Checks a table.
pub(super) fn check_table(name: &str, table: &TableSpec, findings: &mut Findings<'_>) {
    a_path(["tables", name], &table.path, findings);
    match table.format.records() {
        Some(format) => a_schema(["tables", name], format, table.schema.as_ref(), findings),
        None if table.schema.is_some() => {
            let message =
                format!("[tables.{name}] is Parquet, which says itself what columns it has: leave out `schema`");
            findings.at_key(&["tables", name, "schema"], message);
        }
        None => {}
    }
}

fn a_path([kind, name]: [&str; 2], path: &Path, findings: &mut Findings<'_>) {
    if path.as_os_str().is_empty() {
        findings.at_key(&[kind, name, "path"], format!("`path` in [{kind}.{name}] is empty"));
    }
}

fn a_rate([kind, name]: [&str; 2], key: &str, rate: Option<Rate>, findings: &mut Findings<'_>) {
    if rate.is_some_and(|Rate(rate)| rate <= 0.0) {
        findings.at_key(&[kind, name, key], format!("`{key}` in [{kind}.{name}] must be more than 0/s"));
    }
}

fn a_schema([kind, name]: [&str; 2], format: Format, schema: Option<&Columns>, findings: &mut Findings<'_>) {
    let Some(schema) = schema else { return };
    let path = [kind, name, "schema"];
    if schema.is_empty() {
        findings.at_key(&path, format!("`schema` in [{kind}.{name}] has no columns: name some, or leave it out"));
    } else if schema.contains_key("") {
        findings.at_key(&path, format!("`schema` in [{kind}.{name}] has a column without a name"));
    } else if format == Format::Text {
        let message = format!(
            "[{kind}.{name}] reads text, whose one column is `line` of type `utf8`: leave out `schema`, or say `format`"
        );
        findings.at_key(&path, message);
    }
    for (column, _) in schema.iter().filter(|(_, column_type)| **column_type == ColumnType::Binary) {
        if format == Format::Csv {
            let message = format!(
                "the column `{column}` of [{kind}.{name}] is `binary`, which CSV cannot carry: make it `utf8`, or \
                 use json"
            );
            findings.at_key(&[kind, name, "schema", column], message);
        }
    }
}

/// A socket's other end: exactly one of the two ways.
fn peer(name: &str, connect: Option<&str>, listen: Option<&str>, findings: &mut Findings<'_>) {
    match (connect, listen) {
        (Some(address), None) => address_of(name, "connect", address, findings),
        (None, Some(address)) => address_of(name, "listen", address, findings),
        (Some(_), Some(_)) => {
            let message = format!("[sources.{name}] has both `connect` and `listen`: leave one out");
            findings.at_key(&["sources", name, "listen"], message);
        }
        (None, None) => {
            let message = format!("[sources.{name}] needs `connect` or `listen`, as in `connect = \"localhost:9999\"`");
            findings.at_key(&["sources", name], message);
        }
    }
}

fn address_of(name: &str, key: &str, address: &str, findings: &mut Findings<'_>) {
    let port = match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() => port.parse::<u16>().ok(),
        _ => None,
    };
    // Listening on port 0 takes any that is free.
    if port.is_none() || (port == Some(0) && key == "connect") {
        let message = format!(
            "`{key}` in [sources.{name}] must be a host and a port, as in \"localhost:9999\", not \"{address}\""
        );
        findings.at_key(&["sources", name, key], message);
    }
}

fn generated(name: &str, columns: &IndexMap<String, GeneratedColumn>, findings: &mut Findings<'_>) {
    if columns.is_empty() {
        let message = format!(
            "[sources.{name}] makes rows without columns: add some, as in `columns.n = {{ kind = \"sequence\" }}`"
        );
        findings.at_key(&["sources", name, "columns"], message);
    }
    for (column, made) in columns {
        let wrong = match made {
            _ if column.is_empty() => "it has no name".to_owned(),
            GeneratedColumn::Integer { min, max } if min > max => format!("`min` {min} is more than `max` {max}"),
            GeneratedColumn::Float { min, max } if min >= max => format!("`min` {min} is not less than `max` {max}"),
            GeneratedColumn::Choice { of } if of.is_empty() => "`of` has nothing to choose from".to_owned(),
            _ => continue,
        };
        let message = format!("the column `{column}` of [sources.{name}] cannot be made: {wrong}");
        findings.at_key(&["sources", name, "columns", column], message);
    }
}
