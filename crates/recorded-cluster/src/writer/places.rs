//! How many calls are under way at a time. A call that is kept waiting gives its place away, so that a pod that hangs
//! costs its own time and nobody else's.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// After so long without an answer, a call counts as waiting. It then costs next to nothing.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Places {
    places: Semaphore,
    /// For an answer to begin, and as much again for it to end.
    limit: Duration,
}

/// Leave to read an answer.
pub(super) type Place<'a> = SemaphorePermit<'a>;

impl Places {
    pub(super) fn new(count: usize, limit: Duration) -> Self {
        Self { places: Semaphore::new(count.max(1)), limit }
    }

    async fn take(&self) -> Place<'_> {
        self.places.acquire().await.expect("the places are never closed")
    }

    /// Waits for an answer to begin. `None` when it did not in time; the wait for a place does not count.
    pub(super) async fn begin<T>(&self, answer: impl Future<Output = T>) -> Option<(T, Place<'_>)> {
        let place = self.take().await;
        tokio::pin!(answer);
        if let Ok(answer) = timeout(PATIENCE.min(self.limit), &mut answer).await {
            return Some((answer, place));
        }
        drop(place);
        let answer = timeout(self.limit.saturating_sub(PATIENCE), answer).await.ok()?;
        Some((answer, self.take().await))
    }

    /// Waits for an answer that has begun to end.
    pub(super) async fn end<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        timeout(self.limit, answer).await.ok()
    }

    pub(super) fn too_late(&self) -> String {
        format!("no answer within {} s", self.limit.as_secs())
    }
}
