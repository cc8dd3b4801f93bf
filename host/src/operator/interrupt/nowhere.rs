//! A system on which no call can be ended.

use std::ops::Range;

use super::{Code, Trap};

pub(super) fn trap(_: &wasmtime::Engine) -> Option<Trap> {
    None
}

pub(super) fn functions(_: Range<*const u8>) -> Option<Box<[Range<usize>]>> {
    None
}

pub(super) fn is_ready() -> bool {
    false
}

pub(super) fn ends_here() -> bool {
    false
}

pub(super) fn within<T>(_: u32, _: &Code, call: impl FnOnce() -> T) -> (T, bool) {
    (call(), false)
}
