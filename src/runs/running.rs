//! The runs that this process carries out: how far they are, and ending them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use super::feed::Feeds;
use crate::{history::QueueBounds, report::Progress};

/// Each costs a connection and little else.
const WATCHERS: usize = 2000;

/// The runs that this process carries out.
pub struct Background {
    /// By which the queue knows this process.
    pub(super) holder: Uuid,
    pub(super) places: Arc<Semaphore>,
    pub(super) bounds: QueueBounds,
    running: Mutex<BTreeMap<Uuid, Arc<Running>>>,
    /// Set when the service stops: nothing new is begun.
    stopping: watch::Sender<bool>,
    /// A place for each who watches a run.
    pub watchers: Arc<Semaphore>,
    pub(super) feeds: Feeds,
    /// Changes whenever something has happened to a run of this process.
    pub(super) news: watch::Sender<u64>,
}

/// A run that is being carried out.
pub struct Running {
    pub(super) progress: watch::Sender<Progress>,
    pub(super) stop: watch::Sender<Option<Stop>>,
    pub(super) done: watch::Sender<bool>,
}

/// Why a run ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Cancelled,
    ServiceStops,
    /// Another process has taken it over, because this one seemed dead.
    Lost,
}

impl Background {
    /// At most so many runs at a time, and so many that wait.
    pub fn new(most: usize, bounds: QueueBounds) -> Self {
        Self {
            holder: Uuid::now_v7(),
            places: Arc::new(Semaphore::new(most)),
            bounds,
            running: Mutex::default(),
            stopping: watch::Sender::default(),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            feeds: Feeds::default(),
            news: watch::Sender::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn find(&self, run: Uuid) -> Option<Arc<Running>> {
        self.running().get(&run).cloned()
    }

    pub(super) fn begin(&self, run: Uuid) -> Arc<Running> {
        let running = Arc::new(Running {
            progress: watch::Sender::default(),
            stop: watch::Sender::default(),
            done: watch::Sender::default(),
        });
        if *self.stopping.borrow() {
            running.stop(Stop::ServiceStops);
        }
        self.running().insert(run, Arc::clone(&running));
        running
    }

    pub(super) fn end(&self, run: Uuid) {
        let ended = self.running().remove(&run);
        if let Some(ended) = ended {
            ended.done.send_replace(true);
        }
        self.tell();
    }

    /// Tells those who watch a run of this process to look again.
    pub(super) fn tell(&self) {
        self.news.send_modify(|news| *news += 1);
    }

    /// Waits for news of a run of this process, but no longer than this.
    pub async fn news_or(&self, time: Duration) {
        let mut news = self.news.subscribe();
        let _ = tokio::time::timeout(time, news.changed()).await;
    }

    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Gives all runs back, and waits for a while until that is recorded and what changes the cluster has ended.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.send_replace(true);
        let running: Vec<_> = self.running().values().cloned().collect();
        for run in &running {
            run.stop(Stop::ServiceStops);
        }
        let all = futures::future::join_all(running.iter().map(|run| run.done()));
        let _ = tokio::time::timeout(patience, all).await;
    }
}

impl Running {
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    pub fn cancel(&self) {
        self.stop(Stop::Cancelled);
    }

    /// The first reason stays.
    pub(super) fn stop(&self, stop: Stop) {
        self.stop.send_if_modified(|reason| reason.is_none() && reason.replace(stop).is_none());
    }

    /// Waits until the run's end is recorded.
    pub async fn done(&self) {
        // The sender lives in the same structure.
        let _ = self.done.subscribe().wait_for(|done| *done).await;
    }
}
