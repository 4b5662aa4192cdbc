//! The streams of HTTP/2. A client may open many over one connection and take nothing from one of them, which does not
//! show at the connection itself; such a stream is reset, and the others go on.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::time::{Instant, sleep};

tokio::task_local! {
    static STREAM: Waiting;
}

/// Since when a piece of an answer waits to be taken.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<Option<Instant>>>);

impl Waiting {
    /// That of the stream that is being answered, if it is one of HTTP/2.
    pub(super) fn of_stream() -> Option<Self> {
        STREAM.try_with(Clone::clone).ok()
    }

    pub(super) fn given(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(super) fn taken(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is_longer_than(&self, stall: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| since.elapsed() >= stall)
    }
}

/// Carries out the streams of a connection.
#[derive(Clone)]
pub(super) struct Streams {
    stall: Duration,
}

impl Streams {
    pub(super) fn new(stall: Duration) -> Self {
        Self { stall }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let (stall, waiting) = (self.stall, Waiting::default());
        let watched = async move {
            tokio::pin!(stream);
            loop {
                tokio::select! {
                    () = &mut stream => return,
                    () = sleep(stall / 4) => {
                        let late = STREAM.try_with(|waiting| waiting.is_longer_than(stall)).unwrap_or_default();
                        if late {
                            // Dropped, it is reset.
                            return;
                        }
                    }
                }
            }
        };
        tokio::spawn(STREAM.scope(waiting, watched));
    }
}
