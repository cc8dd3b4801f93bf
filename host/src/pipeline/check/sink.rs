//! Sinks: where results go.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;
use tokio_postgres::config::SslMode;
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::Findings;
use super::operator::{a_component, limits};
use crate::pipeline::SinkSpec;

/// Checks the sinks, all but their inputs.
pub(super) fn check(sinks: &IndexMap<String, SinkSpec>, findings: &mut Findings<'_>) {
    let mut folders: HashMap<PathBuf, &str> = HashMap::new();
    for (name, sink) in sinks {
        match sink {
            SinkSpec::Stdout { .. } => {}
            SinkSpec::Files { path, .. } => folder(name, path, &mut folders, findings),
            SinkSpec::Postgres { url, table, key, .. } => {
                postgres_url(name, url, findings);
                postgres_table(name, table, findings);
                key_columns(name, key, findings);
            }
            SinkSpec::Http { url, headers, timeout, max_bytes, .. } => {
                http_url(name, url, findings);
                http_headers(name, headers, findings);
                above_zero(name, &[("timeout", timeout.0.is_zero()), ("max_bytes", max_bytes.0 == 0)], findings);
            }
            SinkSpec::Component { component, timeout, limits: most, .. } => {
                a_component("sinks", name, "component", component, findings);
                above_zero(name, &[("timeout", timeout.0.is_zero())], findings);
                limits("sinks", name, most, findings);
            }
        }
    }
}

/// What is probably a mistake in a sink that is sound.
pub(super) fn warn(name: &str, sink: &SinkSpec, findings: &mut Findings<'_>) {
    let SinkSpec::Component { allow, .. } = sink else { return };
    for (index, origin) in allow.iter().enumerate().filter(|(_, origin)| origin.is_https()) {
        let message = format!(
            "[sinks.{name}] may send to {origin}, but sinks have no TLS yet: let it send to a proxy on this machine that \
             adds TLS"
        );
        findings.at_item(&["sinks", name, "allow"], index, message);
    }
}

fn above_zero(name: &str, keys: &[(&str, bool)], findings: &mut Findings<'_>) {
    for (key, _) in keys.iter().filter(|(_, is_zero)| *is_zero) {
        findings.at_key(&["sinks", name, key], format!("`{key}` in [sinks.{name}] must be more than 0"));
    }
}

/// Two sinks of files must not share a folder.
fn folder<'s>(name: &'s str, path: &Path, folders: &mut HashMap<PathBuf, &'s str>, findings: &mut Findings<'_>) {
    let key = ["sinks", name, "path"];
    if path.as_os_str().is_empty() {
        findings.at_key(&key, format!("`path` in [sinks.{name}] is empty"));
    }
    // Compared by component, so that `out` and `./out/` are the same.
    let folder = path.components().filter(|c| *c != Component::CurDir).collect();
    if let Some(other) = folders.insert(folder, name) {
        let message = format!(
            "[sinks.{name}] writes into the folder of [sinks.{other}], where each batch has one place: give it \
             another `path`"
        );
        findings.at_key(&key, message);
    }
}

fn postgres_url(name: &str, url: &str, findings: &mut Findings<'_>) {
    let wrong = match url.parse::<tokio_postgres::Config>() {
        Err(error) => {
            // The URL itself is not told, as it may hold a password.
            let why = error.into_source().map_or_else(|| "it cannot be read".to_owned(), |why| why.to_string());
            format!(
                "`url` in [sinks.{name}] is no address of a PostgreSQL database ({why}): write it as \
                 postgres://USER:PASSWORD@HOST:PORT/DATABASE"
            )
        }
        Ok(config) if config.get_ssl_mode() == SslMode::Require => format!(
            "`url` in [sinks.{name}] requires TLS, which this sink does not have yet: leave out `sslmode`, and connect \
             over a network that you trust or through a tunnel"
        ),
        Ok(config) if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() => {
            format!("`url` in [sinks.{name}] has no host: write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE")
        }
        Ok(_) => return,
    };
    findings.at_key(&["sinks", name, "url"], wrong);
}

fn postgres_table(name: &str, table: &str, findings: &mut Findings<'_>) {
    if table.split('.').count() > 2 || table.split('.').any(str::is_empty) || table.contains('\0') {
        let message = format!("`table` in [sinks.{name}] must be `NAME` or `SCHEMA.NAME`");
        findings.at_key(&["sinks", name, "table"], message);
    }
}

fn key_columns(name: &str, key: &[String], findings: &mut Findings<'_>) {
    for (index, column) in key.iter().enumerate() {
        if column.is_empty() {
            findings.at_item(
                &["sinks", name, "key"],
                index,
                format!("`key` in [sinks.{name}] names a column without a name"),
            );
        } else if key[..index].contains(column) {
            findings.at_item(&["sinks", name, "key"], index, format!("`key` in [sinks.{name}] names `{column}` twice"));
        }
    }
}

fn http_url(name: &str, url: &str, findings: &mut Findings<'_>) {
    let uri = url.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(|uri| uri.scheme_str().filter(|_| uri.host().is_some_and(|h| !h.is_empty())));
    let message = match scheme {
        Some("http") if uri.as_ref().and_then(Uri::authority).is_some_and(|place| place.as_str().contains('@')) => {
            format!(
                "`url` in [sinks.{name}] has a user in it, which is not sent: write \
                 headers.Authorization = \"Basic ${{NAME}}\", where NAME holds USER:PASSWORD in Base64"
            )
        }
        Some("http") => return,
        Some("https") => format!(
            "`url` in [sinks.{name}] is https, which this sink does not have yet: send to a proxy on this machine that adds \
             TLS"
        ),
        _ => format!("`url` in [sinks.{name}] is no address to send to: write it as http://HOST:PORT/PATH"),
    };
    findings.at_key(&["sinks", name, "url"], message);
}

/// Headers that the sink or HTTP itself sets.
const OWN_HEADERS: [&str; 5] = ["content-type", "content-length", "transfer-encoding", "host", "idempotency-key"];

fn http_headers(name: &str, headers: &IndexMap<String, String>, findings: &mut Findings<'_>) {
    for (header, value) in headers {
        let message = if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(header)) {
            format!("`{header}` cannot be set in [sinks.{name}.headers]: the sink sets it itself")
        } else if HeaderName::from_bytes(header.as_bytes()).is_err() {
            format!("`{header}` in [sinks.{name}.headers] cannot be the name of a header")
        } else if HeaderValue::from_str(value).is_err() {
            format!(
                "the value of `{header}` in [sinks.{name}.headers] cannot stand in a header: is there a line break?"
            )
        } else {
            continue;
        };
        findings.at_key(&["sinks", name, "headers", header], message);
    }
}
