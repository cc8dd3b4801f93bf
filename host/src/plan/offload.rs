//! The pool on which CPU-bound work runs, away from the reactor's threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use tokio::sync::oneshot;

/// A rayon pool that async code can wait on.
#[derive(Debug, Clone)]
pub struct Pool {
    threads: Arc<rayon::ThreadPool>,
}

impl Pool {
    /// A pool of this many threads.
    pub fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("weir-compute-{i}"))
            .build()?;
        Ok(Self { threads: Arc::new(threads) })
    }

    /// Runs `work` on the pool and waits for it without holding a thread. A panic in it becomes an error.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (done, wait) = oneshot::channel();
        self.threads.spawn(move || {
            // The receiver is gone when the batch was given up; nobody misses the result then.
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
        });
        match wait.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => Err(DataFusionError::Execution(format!("a task panicked: {}", panic_text(&*panic)))),
            Err(_) => Err(DataFusionError::Execution("a task was dropped: the host is shutting down".to_owned())),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
