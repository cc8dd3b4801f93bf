//! The pool on which CPU-bound work runs, away from the reactor's threads.
//!
//! A stage's rows are computed on the pool, and a stage below it in the same partition is asked for its own from there: so a
//! chunk of rows goes through one stage after the other on one thread, while it is in that core's cache.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::task::AtomicWaker;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Room for long chains of operators, each of which asks the one before.
const STACK: usize = 16 << 20;

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
            .stack_size(STACK)
            .build()?;
        Ok(Self { threads: Arc::new(threads) })
    }

    /// Runs `work` on the pool and blocks until it is done: for the start, when nothing else runs.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.install(work)
    }

    /// Runs `work` on the pool and waits for it without holding a thread. A panic in it becomes an error.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        done(self.start(work).await)
    }

    fn start<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<Ended<T>> {
        let (ended, wait) = oneshot::channel();
        self.threads.spawn(move || {
            // The receiver is gone when the batch was given up; nobody misses the result then.
            let _ = ended.send(catch_unwind(AssertUnwindSafe(work)));
        });
        wait
    }

    /// Has the rows of a stream computed on the pool.
    pub(super) fn compute(&self, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
        Box::pin(Computed {
            schema: rows.schema(),
            pool: self.clone(),
            alarm: Arc::default(),
            state: State::Idle(rows),
        })
    }
}

/// What became of work: its result, or the panic that it ended in.
type Ended<T> = std::thread::Result<T>;

fn done<T>(ended: Result<Ended<T>, oneshot::error::RecvError>) -> Result<T> {
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => Err(DataFusionError::Execution(format!("a task panicked: {}", panic_text(&*panic)))),
        Err(_) => Err(DataFusionError::Execution("a task was dropped: the host is shutting down".to_owned())),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// A stream that is polled on the pool only.
struct Computed {
    schema: SchemaRef,
    pool: Pool,
    alarm: Arc<Alarm>,
    state: State,
}

enum State {
    Idle(SendableRecordBatchStream),
    /// It is being polled.
    Busy(oneshot::Receiver<Ended<Polled>>),
    Over,
}

type Polled = (SendableRecordBatchStream, Poll<Option<Result<RecordBatch>>>);

/// Wakes whoever waits for the stream, and remembers it: the stream may have more to say before it is known that it had
/// nothing.
#[derive(Default)]
struct Alarm {
    rung: AtomicBool,
    waiting: AtomicWaker,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.waiting.wake();
    }
}

impl Stream for Computed {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let State::Idle(rows) = &mut this.state
            && this.pool.threads.current_thread_index().is_some()
        {
            return rows.poll_next_unpin(cx);
        }
        this.alarm.waiting.register(cx.waker());
        loop {
            match std::mem::replace(&mut this.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Idle(rows) => {
                    this.alarm.rung.store(false, Ordering::Release);
                    this.state = State::Busy(this.pool.start(poll(rows, this.alarm.clone())));
                }
                State::Busy(mut wait) => match wait.poll_unpin(cx).map(done) {
                    Poll::Pending => {
                        this.state = State::Busy(wait);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok((_, Poll::Ready(None)))) => {}
                    Poll::Ready(Ok((rows, Poll::Ready(next)))) => {
                        this.state = State::Idle(rows);
                        return Poll::Ready(next);
                    }
                    Poll::Ready(Ok((rows, Poll::Pending))) => {
                        this.state = State::Idle(rows);
                        if !this.alarm.rung.load(Ordering::Acquire) {
                            return Poll::Pending;
                        }
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                },
            }
        }
    }
}

impl RecordBatchStream for Computed {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

/// Polls a stream once, on a thread that is none of the reactor's.
fn poll(mut rows: SendableRecordBatchStream, alarm: Arc<Alarm>) -> impl FnOnce() -> Polled + Send {
    let reactor = Handle::current();
    move || {
        // DataFusion's nodes start tasks when they are polled for the first time.
        let _entered = reactor.enter();
        let polled = rows.poll_next_unpin(&mut Context::from_waker(&Waker::from(alarm)));
        (rows, polled)
    }
}

/// What becomes of rows, batch by batch.
pub(super) trait Work: Send + 'static {
    /// What comes of a batch.
    fn take(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>>;

    /// What comes after the last batch.
    fn finish(self) -> Result<Vec<RecordBatch>>;
}

/// Sends all of `input` through a worker.
pub(super) fn through(
    worker: impl Work,
    input: SendableRecordBatchStream,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    stream::try_unfold((Some(worker), input), |(worker, mut input)| async move {
        let Some(mut worker) = worker else { return Ok::<_, DataFusionError>(None) };
        let (worker, rows) = match input.next().await.transpose()? {
            Some(batch) => {
                let rows = worker.take(&batch)?;
                (Some(worker), rows)
            }
            None => (None, worker.finish()?),
        };
        Ok(Some((stream::iter(rows.into_iter().map(Ok)), (worker, input))))
    })
    .try_flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use std::future::poll_fn;
    use std::thread;

    use arrow::datatypes::Schema;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    fn rows() -> RecordBatch {
        RecordBatch::new_empty(Arc::new(Schema::empty()))
    }

    fn boxed(rows: impl Stream<Item = Result<RecordBatch>> + Send + 'static) -> SendableRecordBatchStream {
        Box::pin(RecordBatchStreamAdapter::new(Arc::new(Schema::empty()), rows))
    }

    /// As many batches, for each of which it is asked twice: the first time it wakes who asks, at once or from a thread of its
    /// own, and has nothing.
    fn hesitant(batches: usize) -> SendableRecordBatchStream {
        boxed(stream::unfold(0, move |given| async move {
            let mut asked = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut asked, true) {
                    return Poll::Ready(());
                }
                let waker = cx.waker().clone();
                if given % 2 == 0 {
                    waker.wake();
                } else {
                    thread::spawn(|| waker.wake());
                }
                Poll::Pending
            })
            .await;
            (given < batches).then(|| (Ok(rows()), given + 1))
        }))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stream_that_wakes_before_it_is_known_to_wait_is_asked_again() {
        let pool = Pool::new(2).unwrap();
        let streams: Vec<_> = (0..4).map(|_| tokio::spawn(pool.compute(hesitant(2_000)).count())).collect();
        for counted in streams {
            assert_eq!(counted.await.unwrap(), 2_000);
        }
    }

    #[tokio::test]
    async fn stages_of_a_partition_run_on_one_thread_of_the_pool() {
        let pool = Pool::new(2).unwrap();
        let ran_on = || thread::current().name().unwrap().to_owned();
        let (tell, told) = std::sync::mpsc::channel();
        let below = pool.compute(boxed(stream::iter(0..20).map(move |_| {
            tell.send(ran_on()).unwrap();
            Ok(rows())
        })));
        let above = pool.compute(boxed(below.map(move |rows| {
            let here = ran_on();
            assert!(here.starts_with("weir-compute-") && told.recv().unwrap() == here);
            rows
        })));
        assert_eq!(above.try_collect::<Vec<_>>().await.unwrap().len(), 20);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_end() {
        let pool = Pool::new(1).unwrap();
        let mut rows = pool.compute(boxed(stream::once(async { panic!("too deep") })));
        let error = rows.next().await.unwrap().unwrap_err().to_string();
        assert!(error.contains("a task panicked: too deep"), "{error}");
        assert!(rows.next().await.is_none());
    }
}
