//! Why a row cannot be taken.

use std::fmt;

/// Why a row cannot be taken: made from anything that can be displayed, also by `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    reason: String,
}

impl<E: fmt::Display> From<E> for Reject {
    fn from(reason: E) -> Self {
        Self { reason: reason.to_string() }
    }
}

impl Reject {
    /// The reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(crate) fn at(self, row: usize) -> crate::bindings::rows::Reject {
        crate::bindings::rows::Reject { row: row as u32, reason: self.reason }
    }
}
