//! Printing to standard output, which may be a full disk or a pipe that nobody reads any more.

use std::fmt::Arguments;
use std::io::{ErrorKind, Read, Write, stdout};

use anyhow::{Context, Error, Result};

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

/// Prints what a host answers, as it comes.
pub(super) fn copy(mut from: impl Read) -> Result<()> {
    let mut piece = vec![0; 64 << 10];
    let mut out = stdout().lock();
    loop {
        match from.read(&mut piece).context("the host broke its answer off; is it still running?")? {
            0 => break,
            length => out.write_all(&piece[..length]).map_err(NotPrinted)?,
        }
    }
    Ok(out.flush().map_err(NotPrinted)?)
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
struct NotPrinted(std::io::Error);

/// Whether this is about standard output being closed by its reader.
pub(super) fn is_closed(error: &Error) -> bool {
    error.downcast_ref::<NotPrinted>().is_some_and(|e| e.0.kind() == ErrorKind::BrokenPipe)
}
