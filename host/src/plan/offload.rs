//! The pool on which CPU-bound work runs, away from the reactor's threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
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

    /// Runs `work` on the pool and blocks until it is done: for the start, when nothing else runs.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.install(work)
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

/// Rows go through it on the pool, batch by batch.
pub(super) trait Work: Send + 'static {
    /// What comes of a batch.
    fn take(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>>;

    /// What comes after the last batch. Drops an instance, which takes a while: not for the reactor either.
    fn finish(self) -> Result<Vec<RecordBatch>>;
}

/// Sends all of `input` through a worker.
pub(super) fn through(
    worker: impl Work,
    input: SendableRecordBatchStream,
    pool: Pool,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    stream::try_unfold((Some(worker), input), move |(worker, mut input)| {
        let pool = pool.clone();
        async move {
            let Some(mut worker) = worker else { return Ok::<_, DataFusionError>(None) };
            let next = input.next().await.transpose()?;
            let work = move || match next {
                Some(batch) => {
                    let rows = worker.take(&batch);
                    (Some(worker), rows)
                }
                None => (None, worker.finish()),
            };
            let (worker, rows) = pool.run(work).await?;
            Ok(Some((stream::iter(rows?.into_iter().map(Ok)), (worker, input))))
        }
    })
    .try_flatten()
}
