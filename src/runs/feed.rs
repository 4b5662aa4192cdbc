//! What happens to runs, for those who watch them. However many watch a run, one task looks at it, at whichever process it
//! is carried out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use futures::{Stream, stream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::{
    app::App,
    cluster::chain,
    history::{RunEvent, RunHeader},
    report::{Progress, State},
};

/// How often a run is looked at that another process carries out.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// News of this process come in bursts.
const REST: Duration = Duration::from_millis(50);

/// The runs that are watched.
#[derive(Default)]
pub(super) struct Feeds(Mutex<HashMap<Uuid, Weak<Feed>>>);

/// Something to tell those who watch a run.
#[derive(Debug, Clone)]
pub enum News {
    Event(RunEvent),
    Progress(Progress),
    /// The last. Its number follows that of the events.
    Ended(u64, Arc<RunHeader>),
}

/// One run. The task ends when nobody watches any more.
struct Feed {
    seen: watch::Receiver<Seen>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Clone, Default)]
struct Seen {
    events: Arc<Vec<RunEvent>>,
    progress: Option<Progress>,
    ended: Option<Arc<RunHeader>>,
}

/// What happens to a run from event `from` on, until it ends.
pub fn watch_run(app: &Arc<App>, run: Uuid, from: u64) -> impl Stream<Item = News> + Send + use<> {
    let feed = feed(app, run);
    let reader = Reader { seen: feed.seen.clone(), _feed: feed, next: from, progress: None, done: false };
    stream::unfold(reader, |mut reader| async move { reader.next().await.map(|news| (news, reader)) })
}

fn feed(app: &Arc<App>, run: Uuid) -> Arc<Feed> {
    let mut feeds = app.background.feeds.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(feed) = feeds.get(&run).and_then(Weak::upgrade) {
        return feed;
    }
    feeds.retain(|_, feed| feed.strong_count() > 0);
    let (sender, seen) = watch::channel(Seen::default());
    let task = tokio::spawn(look(Arc::clone(app), run, sender));
    let feed = Arc::new(Feed { seen, _task: AbortOnDropHandle::new(task) });
    feeds.insert(run, Arc::downgrade(&feed));
    feed
}

async fn look(app: Arc<App>, run: Uuid, sender: watch::Sender<Seen>) {
    let mut news = app.background.news.subscribe();
    let mut seen = Seen::default();
    loop {
        match look_once(&app, run, &mut seen).await {
            Ok(()) => {
                sender.send_replace(seen.clone());
            }
            Err(error) => tracing::debug!(run.id = %run, "run {run} could not be looked at: {}", chain(&error)),
        }
        if seen.ended.is_some() {
            return;
        }
        tokio::time::sleep(REST).await;
        let mut progress = app.background.find(run).map(|running| running.progress.subscribe());
        let progressed = async {
            match &mut progress {
                Some(progress) => progress.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = news.changed() => {}
            _ = progressed => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look_once(app: &App, run: Uuid, seen: &mut Seen) -> Result<(), crate::history::Error> {
    // Before the events, so that there are none after an end.
    let state = app.history.state(run).await?;
    let more = app.history.events(run, seen.events.len() as u64).await?;
    if !more.is_empty() {
        let mut events = Vec::clone(&seen.events);
        events.extend(more);
        seen.events = Arc::new(events);
    }
    seen.progress = match app.background.find(run) {
        Some(running) => Some(running.progress()),
        None => app.history.progress(run).await?,
    };
    if !matches!(state, Some(State::Queued | State::Running)) {
        seen.ended = app.history.run(app.cluster.id(), run).await?.map(|run| Arc::new(run.header));
    }
    Ok(())
}

struct Reader {
    seen: watch::Receiver<Seen>,
    _feed: Arc<Feed>,
    next: u64,
    progress: Option<Progress>,
    done: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<News> {
        loop {
            if self.done {
                return None;
            }
            let seen = self.seen.borrow_and_update().clone();
            let at = usize::try_from(self.next).unwrap_or(usize::MAX);
            if let Some(event) = seen.events.get(at) {
                self.next += 1;
                return Some(News::Event(event.clone()));
            }
            if let Some(header) = seen.ended {
                self.done = true;
                return Some(News::Ended(seen.events.len() as u64, header));
            }
            if let Some(progress) = seen.progress
                && self.progress.as_ref() != Some(&progress)
            {
                self.progress = Some(progress.clone());
                return Some(News::Progress(progress));
            }
            if self.seen.changed().await.is_err() {
                // The run is gone.
                return None;
            }
        }
    }
}
