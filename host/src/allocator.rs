//! The C library's allocator, told what a stream processor is like: what a batch frees, the next takes again.
//!
//! By default glibc gives large pieces of memory back to the system as they are freed, and to have them again each page is
//! cleared and mapped anew. That took a tenth of a stream's time.

/// Keeps what is freed, up to [`KEPT`] for each thread that allocates, for what is allocated next.
pub(crate) fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (option, bytes) in [(libc::M_MMAP_THRESHOLD, MAPPED), (libc::M_TRIM_THRESHOLD, KEPT)] {
        // SAFETY: any value is allowed; one that is out of range is refused, and the allocator stays as it was.
        unsafe { libc::mallopt(option, bytes) };
    }
}

/// Gives back what is free: after work whose like does not come again, as when a component was compiled.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it touches nothing but memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// What is larger is mapped by itself: the most that glibc allows.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED: libc::c_int = 32 << 20;

/// What a thread's heap keeps at its end.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 64 << 20;
