//! Harm that needs no answer.

use std::hint::black_box;

/// Never returns.
pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Allocates until the allocator gives up, which traps.
pub(crate) fn grab_memory() -> ! {
    let mut grabbed: Vec<Vec<u8>> = Vec::new();
    loop {
        grabbed.push(black_box(vec![1; 1 << 20]));
    }
}

/// Calls itself `depth` times with nothing in memory, so that it is the engine's stack which gets full.
pub(crate) fn recurse(depth: u64) -> u64 {
    if depth == 0 {
        return 1;
    }
    // No order of these can be swapped, so the compiler cannot make it a loop.
    recurse(depth - 1).rotate_left(7) ^ depth
}

/// Calls itself `depth` times with much in memory, so that it is the guest's own stack, in its memory, which gets full.
pub(crate) fn recurse_in_memory(depth: u64) -> u64 {
    let frame = black_box([depth; 1024]);
    if depth == 0 {
        return 1;
    }
    recurse_in_memory(depth - 1).rotate_left(7) ^ black_box(frame)[0]
}

/// Traps without a word.
pub(crate) fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}
