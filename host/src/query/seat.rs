//! Where queries run: on threads of their own, a few at once, away from the compute pool and the reactor.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use super::ReadError;

/// Seats for so many queries at once.
#[derive(Debug)]
pub(super) struct Seats {
    free: Arc<Semaphore>,
}

impl Seats {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)) }
    }

    /// Starts work on a thread of its own, which it has until it is done. It is given up when the answer is not waited for
    /// any more.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ReadError>> + Send + 'static,
    ) -> Result<BoxFuture<'static, Result<T, ReadError>>, ReadError> {
        let seat = self.free.clone().try_acquire_owned().map_err(|_| ReadError::Busy)?;
        let (mut answer, wait) = oneshot::channel();
        let thread = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
            let done = runtime.block_on(async {
                tokio::select! { done = work => Some(done), () = answer.closed() => None }
            });
            // Before the answer: who has it may ask again.
            drop(seat);
            if let Some(done) = done {
                // Nobody waits any more: nobody misses it.
                let _ = answer.send(done);
            }
        };
        let name = "weir-query".to_owned();
        std::thread::Builder::new().name(name).spawn(thread).map_err(|_| ReadError::Busy)?;
        // A thread that panicked drops its end.
        Ok(Box::pin(async move { wait.await.unwrap_or(Err(ReadError::Broke)) }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use super::*;

    #[tokio::test]
    async fn a_seat_is_taken_until_the_work_is_done() {
        let seats = Seats::new(1);
        let (go, wait) = oneshot::channel::<()>();
        let first = seats.run(async { Ok(wait.await.is_ok()) }).unwrap();
        assert!(matches!(seats.run(async { Ok(()) }).err(), Some(ReadError::Busy)));
        go.send(()).unwrap();
        assert!(first.await.unwrap());
        let _free = seats.free.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_given_up() {
        let seats = Seats::new(1);
        drop(seats.run(std::future::pending::<Result<(), ReadError>>()).unwrap());
        let _free = seats.free.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_the_seat() {
        let seats = Seats::new(1);
        let broken = async { std::panic::resume_unwind(Box::new("on purpose")) };
        let answer: Result<(), ReadError> = seats.run(broken).unwrap().await;
        assert!(matches!(answer, Err(ReadError::Broke)));
        let _free = seats.free.acquire().await.unwrap();
    }
}
