//! The task's log. The host keeps it with the task, bounded; it is the only thing that an operator can call.
//!
//! ```
//! use weir_guest::log;
//!
//! log::warn!("{} lines without a user", 3);
//! ```
//!
//! Outside a host, lines go to stderr, or to [`testing`](crate::testing) while it runs the operator.

use std::fmt;

/// Says something to the operator's author.
#[doc(inline)]
pub use crate::__log_debug as debug;
/// Says that something is wrong.
#[doc(inline)]
pub use crate::__log_error as error;
/// Says something worth knowing.
#[doc(inline)]
pub use crate::__log_info as info;
/// Says something worth a look.
#[doc(inline)]
pub use crate::__log_warn as warn;
pub use crate::bindings::log::Level;

/// Appends a line to the task's log.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(message) => sink(level, message),
        None => sink(level, &message.to_string()),
    }
}

#[cfg(target_arch = "wasm32")]
fn sink(level: Level, message: &str) {
    crate::bindings::log::log(level, message);
}

#[cfg(not(target_arch = "wasm32"))]
fn sink(level: Level, message: &str) {
    native::CAPTURED.with_borrow_mut(|captured| match captured {
        Some(lines) => lines.push((level, message.to_owned())),
        None => eprintln!("{level:?}: {message}"),
    });
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native {
    use std::cell::RefCell;

    use super::Level;

    thread_local! {
        pub(super) static CAPTURED: RefCell<Option<Vec<(Level, String)>>> = const { RefCell::new(None) };
    }

    /// Runs `f` and returns what it logged on this thread.
    pub(crate) fn capture<T>(f: impl FnOnce() -> T) -> (T, Vec<(Level, String)>) {
        CAPTURED.set(Some(Vec::new()));
        let result = f();
        (result, CAPTURED.take().unwrap_or_default())
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::std::format_args!($($message)+)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Info, ::std::format_args!($($message)+)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::std::format_args!($($message)+)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Error, ::std::format_args!($($message)+)) };
}
