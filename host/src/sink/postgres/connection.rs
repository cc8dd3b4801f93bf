//! A connection to the server, and what its errors mean.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use anyhow::anyhow;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Error, NoTls};
use tracing::debug;

use crate::sink::SinkError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that is gone without a word is noticed after about a minute.
const SILENCE: Duration = Duration::from_secs(30);

/// Connects. What the user's URL does not say about patience is said here.
pub(super) async fn connect(config: &Config) -> Result<Client, SinkError> {
    let mut config = config.clone();
    if config.get_application_name().is_none() {
        config.application_name("weir");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    if config.get_keepalives_interval().is_none() && config.get_keepalives_retries().is_none() {
        config.keepalives_idle(SILENCE).keepalives_interval(SILENCE / 3).keepalives_retries(3);
    }
    let (client, connection) = config.connect(NoTls).await.map_err(sink_error)?;
    tokio::spawn(async move {
        // Whoever uses the client is told, too.
        if let Err(error) = connection.await {
            debug!("a connection to PostgreSQL ended: {}", told(&error));
        }
    });
    Ok(client)
}

/// The database as people are told of it: without the password.
pub(super) fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => config.get_hostaddrs().first().map_or_else(String::new, ToString::to_string),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("PostgreSQL {host}:{port}/{database}")
}

/// Whether trying again can help, and what is wrong.
pub(super) fn sink_error(error: Error) -> SinkError {
    if passes(&error) { SinkError::unavailable(told(&error)) } else { SinkError::Fatal(anyhow!(told(&error))) }
}

/// Whether this is about the server's state, not about what it was asked.
fn passes(error: &Error) -> bool {
    match error.code() {
        Some(code) => is_passing_state(code.code()),
        None => error.is_closed() || io_kind(error).is_some_and(|kind| !is_about_data(kind)),
    }
}

/// By SQLSTATE, appendix A of the manual.
fn is_passing_state(code: &str) -> bool {
    // Connection exceptions, insufficient resources, errors of its system (I/O).
    ["08", "53", "58"].iter().any(|class| code.starts_with(class))
        || [
            "25006", // Read-only: a standby, or a primary that has become one.
            "25P03", // Idle for too long in a transaction, as while the host's machine stood still.
            "40001", // Serialization failure.
            "40P01", // Deadlock.
            "55P03", // Lock not available.
            "57014", // Canceled, as by statement_timeout.
            "57P01", "57P02", "57P03", // Shutdown, crash, not yet up.
            "57P05", // Idle for too long.
        ]
        .contains(&code)
}

fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// The library tells of bytes that it cannot read or write in errors of this kind, too.
fn is_about_data(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
}

/// The error in one line, with what the server adds.
fn told(error: &Error) -> String {
    if let Some(server) = error.as_db_error() {
        let more = [server.detail(), server.hint()].into_iter().flatten();
        return more.fold(server.message().to_owned(), |text, more| format!("{text} ({more})"));
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use super::*;

    #[test]
    fn given_a_url_with_a_password_when_a_database_is_named_then_it_is_not_told() {
        for (url, expected) in [
            ("postgres://ann:secret@db.example.org:6432/shop", "PostgreSQL db.example.org:6432/shop"),
            ("postgres://ann:secret@db", "PostgreSQL db:5432/ann"),
            ("host=/run/postgresql user=ann password=secret dbname=shop", "PostgreSQL /run/postgresql:5432/shop"),
        ] {
            assert_eq!(place(&url.parse().unwrap()), expected);
        }
    }

    #[test]
    fn given_an_error_of_the_server_when_judged_then_its_state_passes_and_what_it_was_asked_does_not() {
        for (code, expected) in [
            ("08006", true),
            ("53100", true),
            ("53300", true),
            ("57P01", true),
            ("57P03", true),
            ("40P01", true),
            ("55P03", true),
            ("58030", true),
            ("22021", false),
            ("23505", false),
            ("28P01", false),
            ("42P01", false),
            ("42501", false),
        ] {
            assert_eq!(is_passing_state(code), expected, "{code}");
        }
    }
}
