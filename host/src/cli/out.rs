//! Printing to standard output, which may be a full disk or a pipe that nobody reads any more.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stdout};

use anyhow::{Error, Result};

/// `print!` that gives an error instead of panicking.
macro_rules! out {
    ($($text:tt)+) => { $crate::cli::out::write(format_args!($($text)+)) };
}

/// `println!` that gives an error instead of panicking.
macro_rules! outln {
    () => { $crate::cli::out::write_line(format_args!("")) };
    ($($text:tt)+) => { $crate::cli::out::write_line(format_args!($($text)+)) };
}

pub(super) fn write(text: Arguments<'_>) -> Result<()> {
    stdout().write_fmt(text).map_err(NotPrinted).map_err(Error::from)
}

pub(super) fn write_line(text: Arguments<'_>) -> Result<()> {
    write(format_args!("{text}\n"))
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
struct NotPrinted(std::io::Error);

/// Whether this is about standard output being closed by its reader.
pub(super) fn is_closed(error: &Error) -> bool {
    error.downcast_ref::<NotPrinted>().is_some_and(|e| e.0.kind() == ErrorKind::BrokenPipe)
}
