//! What goes wrong with a sink: what passes, and what does not.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Why a sink did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It cannot be done now, and nothing was done that doing it again would double. The batch waits.
    #[error("{reason}")]
    Unavailable {
        /// What is in the way, in one line.
        reason: String,
        /// How long the destination asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// It will not be done, however often it is tried.
    #[error(transparent)]
    Fatal(anyhow::Error),
}

/// A disk that is full passes; what else goes wrong on this machine does not.
impl From<anyhow::Error> for SinkError {
    fn from(error: anyhow::Error) -> Self {
        if error.chain().any(is_full) { Self::unavailable(format!("{error:#}")) } else { Self::Fatal(error) }
    }
}

impl SinkError {
    /// Something that passes.
    pub(super) fn unavailable(reason: String) -> Self {
        Self::Unavailable { reason, retry_after: None }
    }

    /// The same with what was being done before it.
    pub(super) fn context(self, doing: impl std::fmt::Display) -> Self {
        match self {
            Self::Unavailable { reason, retry_after } => {
                Self::Unavailable { reason: format!("{doing}: {reason}"), retry_after }
            }
            Self::Fatal(error) => Self::Fatal(error.context(doing.to_string())),
        }
    }
}

fn is_full(error: &(dyn Error + 'static)) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// A sink's error with the sink's name.
#[derive(Debug, thiserror::Error)]
#[error("sink `{sink}`: {error:#}")]
pub struct SinkFailed {
    /// The sink.
    pub sink: String,
    /// What went wrong.
    pub error: SinkError,
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn given_a_full_disk_when_told_then_the_batch_is_to_wait_and_after_any_other_error_it_is_not() {
        for (kind, passes) in [
            (ErrorKind::StorageFull, true),
            (ErrorKind::QuotaExceeded, true),
            (ErrorKind::PermissionDenied, false),
            (ErrorKind::NotFound, false),
        ] {
            let error = SinkError::from(Err::<(), _>(io::Error::from(kind)).context("writing").unwrap_err());
            assert_eq!(matches!(error, SinkError::Unavailable { .. }), passes, "{kind}: {error:#}");
            let told = SinkFailed { sink: "out".into(), error: error.context("batch 7") }.to_string();
            assert_eq!(told, format!("sink `out`: batch 7: writing: {}", io::Error::from(kind)));
        }
    }
}
