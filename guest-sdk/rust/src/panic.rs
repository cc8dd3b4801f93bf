//! What a panic says goes to the task's log, since the trap that follows says nothing.

use std::panic::PanicHookInfo;
use std::sync::Once;

/// From here on, a panic logs its message and place. Called by the exports before anything of the operator's runs.
pub fn log_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| std::panic::set_hook(Box::new(log)));
}

fn log(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(place) => crate::log::error!("panicked at {}:{}: {message}", place.file(), place.line()),
        None => crate::log::error!("panicked: {message}"),
    }
}
