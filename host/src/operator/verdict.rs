//! What it means that a call gave no result, in words that are the same on every host.

use std::fmt;

use crate::units::Size;

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The operator went wrong on what it was given; the same on every host, so the rows may be rejected for it.
    Verdict(Verdict),
    /// The operator said that it cannot go on: the job stops and shows the text.
    Failure(String),
    /// Something is wrong with this host, not with the operator or its rows.
    Host(String),
    /// The call was too long for code that counts no fuel: it is to be made again, on code that does.
    Long,
    /// No call was made: those before it have used up what the operator may use in the batch. The last of them, if it went
    /// wrong.
    Overspent(Option<Verdict>),
}

/// How an operator went wrong. Shown to people as the reason of a rejected row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Verdict {
    /// An `unreachable`, a division by zero, an access out of bounds and so on; with what the guest logged as error.
    #[error("trapped: {}", told(.trap, .message))]
    Trap {
        /// wasmtime's name of the trap.
        trap: String,
        /// The guest's last word, usually its panic message.
        message: Option<String>,
    },
    /// The call used up its fuel.
    #[error("used up its fuel of {limit} for one call; raise `limits.fuel` if so much work is meant")]
    Fuel {
        /// The limit.
        limit: u64,
    },
    /// The call trapped after the guest was denied memory.
    #[error("wanted more memory than its limit of {limit}; raise `limits.memory` if so much is meant")]
    Memory {
        /// The limit.
        limit: Size,
    },
    /// Too deep a recursion.
    #[error("overflowed its stack of 512 KiB; look for a recursion that does not end")]
    Stack,
    /// The answer is larger than allowed.
    #[error("answered with more than its limit of {limit}; raise `limits.output` if so much is meant")]
    Output {
        /// The limit.
        limit: Size,
    },
    /// The answer breaks the interface's rules.
    #[error("broke the operator interface: {0}")]
    Contract(String),
}

fn told(trap: &str, message: &Option<String>) -> String {
    match message {
        // What every panic and exception ends in tells nobody anything beside its message.
        Some(message) if trap == wasmtime::Trap::UnreachableCodeReached.to_string() => message.clone(),
        Some(message) => format!("{trap}; the operator said: {message}"),
        None => trap.to_owned(),
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(verdict) => verdict.fmt(f),
            Self::Failure(text) => write!(f, "gave up: {text}"),
            Self::Host(text) => write!(f, "could not be run by this host: {text}"),
            Self::Long => f.write_str("could not be run by this host: a call took long, and was not made again"),
            Self::Overspent(before) => {
                let before = before.as_ref().map(|verdict| format!("; a call before {verdict}")).unwrap_or_default();
                write!(f, "used more fuel than it may in a batch of its trial{before}")
            }
        }
    }
}

impl std::error::Error for CallError {}

impl CallError {
    /// The same, of a call that was to be made because the one before went wrong.
    pub(super) fn after(self, verdict: &Verdict) -> Self {
        match self {
            Self::Overspent(None) => Self::Overspent(Some(verdict.clone())),
            other => other,
        }
    }
}

impl From<Verdict> for CallError {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(verdict)
    }
}

pub(super) fn contract(text: impl Into<String>) -> CallError {
    Verdict::Contract(text.into()).into()
}

/// What an operator said when it gave up.
pub(super) fn failure(text: String) -> CallError {
    CallError::Failure(bounded(text))
}

/// Most bytes that are kept of a text of a guest's: a reason, a failure, a panic message.
const SHOWN: usize = 1024;

/// A guest's text, cut to what a person can read.
pub(super) fn bounded(mut text: String) -> String {
    if text.len() > SHOWN {
        let end = (0..=SHOWN).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use wasmtime::Trap;

    use super::*;

    #[test]
    fn a_panic_is_told_in_its_own_words_and_another_trap_by_its_name_first() {
        let told = |trap: Trap, message: Option<&str>| {
            Verdict::Trap { trap: trap.to_string(), message: message.map(str::to_owned) }.to_string()
        };
        assert_eq!(told(Trap::UnreachableCodeReached, Some("no such word")), "trapped: no such word");
        let zero = Trap::IntegerDivisionByZero;
        assert_eq!(told(zero, Some("last")), format!("trapped: {zero}; the operator said: last"));
        assert_eq!(told(zero, None), format!("trapped: {zero}"));
    }
}
