//! The captures that are open. There is room for a few: each takes disk and memory. One that several ask for is opened
//! once; the one that was not used for longest makes room for another, and none is closed while it is used.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tempfile::TempDir;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::Instant,
};
use uuid::Uuid;

use super::{
    error::{Error, Result},
    limits::Limits,
};
use crate::{
    capture::{Capture, Error as CaptureError},
    cluster::{Cluster, Settings},
};

/// Between two looks whether a capture is no longer used.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Opening looks at its deadline itself, but not inside of a document.
const GRACE: Duration = Duration::from_secs(10);

/// A capture that is open for as long as somebody holds this.
#[derive(Clone)]
pub struct Opened(Arc<Inner>);

struct Inner {
    capture: Capture,
    cluster: Cluster,
    /// What was unpacked. Connections to the capture may end a moment later, and need it no more.
    _unpacked: TempDir,
    _room: OwnedSemaphorePermit,
}

impl Opened {
    pub fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    pub(super) fn capture(&self) -> &Capture {
        &self.0.capture
    }
}

/// What is to be opened.
pub(super) struct Wanted {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) file: PathBuf,
    /// Where to unpack it.
    pub(super) folder: PathBuf,
}

#[derive(Clone)]
pub(super) struct Shelf(Arc<Places>);

struct Places {
    entries: Mutex<BTreeMap<Uuid, Entry>>,
    room: Arc<Semaphore>,
    limits: Limits,
    settings: Settings,
}

struct Entry {
    opening: Shared<BoxFuture<'static, Result<Opened>>>,
    used: Instant,
}

impl Entry {
    fn has_failed(&self) -> bool {
        matches!(self.opening.peek(), Some(Err(_)))
    }

    /// Open, and held by the shelf alone.
    fn is_idle(&self) -> bool {
        matches!(self.opening.peek(), Some(Ok(opened)) if Arc::strong_count(&opened.0) == 1)
    }
}

impl Shelf {
    pub(super) fn new(limits: Limits, settings: Settings) -> Self {
        let room = Arc::new(Semaphore::new(usize::try_from(limits.room()).unwrap_or(usize::MAX)));
        Self(Arc::new(Places { entries: Mutex::default(), room, limits, settings }))
    }

    /// The open capture; opens it where it is not. That goes on when whoever asked gives up: the next one needs it.
    pub(super) async fn open(&self, wanted: Wanted) -> Result<Opened> {
        let opening = {
            let mut entries = self.entries();
            let known = entries.get_mut(&wanted.id).filter(|entry| !entry.has_failed());
            if let Some(entry) = known {
                entry.used = Instant::now();
                entry.opening.clone()
            } else {
                let id = wanted.id;
                let (shelf, name) = (self.clone(), wanted.name.clone());
                let task = tokio::spawn(async move { shelf.open_file(wanted).await });
                let opening = async move {
                    task.await.unwrap_or_else(|error| {
                        tracing::error!("opening capture {name:?} ended: {error}");
                        Err(Error::Failed)
                    })
                };
                let entry = Entry { opening: opening.boxed().shared(), used: Instant::now() };
                let opening = entry.opening.clone();
                entries.insert(id, entry);
                opening
            }
        };
        opening.await
    }

    /// Opens a file that is not on the shelf.
    pub(super) async fn open_file(&self, wanted: Wanted) -> Result<Opened> {
        let mut room = self.make_room().await?;
        let limits = self.0.limits.clone();
        let (file, folder) = (wanted.file.clone(), wanted.folder);
        let task = spawn_blocking(move || {
            let unpacked = tempfile::Builder::new().prefix("opened-").tempdir_in(&folder);
            let unpacked = unpacked.map_err(Error::io("make a folder in", folder))?;
            let capture = Capture::open(&file, &limits.of_capture(unpacked.path().to_path_buf()))?;
            let surplus = limits.largest() - limits.needed(&capture);
            drop(room.split(usize::try_from(surplus).unwrap_or_default()));
            Ok::<_, Error>((capture, unpacked, room))
        });
        let too_slow = || CaptureError::TooSlow { path: wanted.file };
        let (capture, unpacked, room) = match tokio::time::timeout(self.0.limits.open_time + GRACE, task).await {
            Ok(Ok(result)) => result?,
            Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return Err(too_slow().into()),
        };
        let cluster = capture.cluster(wanted.id.to_string(), wanted.name, self.0.settings.clone());
        Ok(Opened(Arc::new(Inner { capture, cluster, _unpacked: unpacked, _room: room })))
    }

    /// Puts one there that was opened already.
    pub(super) fn put(&self, id: Uuid, opened: Opened) {
        let opening = std::future::ready(Ok(opened)).boxed().shared();
        // From now on it can be seen to be open.
        let _ = opening.clone().now_or_never();
        self.entries().insert(id, Entry { opening, used: Instant::now() });
    }

    /// Closes a capture; whoever uses it keeps it until he is done.
    pub(super) async fn close(&self, id: Uuid) {
        let entry = self.entries().remove(&id);
        dropped(entry).await;
    }

    /// Closes those that were not used for long.
    pub(super) async fn close_idle(&self) {
        let unused: Vec<_> = {
            let mut entries = self.entries();
            let old = |entry: &Entry| entry.used.elapsed() >= self.0.limits.idle;
            entries.extract_if(.., |_, entry| entry.has_failed() || entry.is_idle() && old(entry)).collect()
        };
        dropped(unused).await;
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.entries().values().filter(|entry| matches!(entry.opening.peek(), Some(Ok(_)))).count()
    }

    /// Room for the largest capture there may be; what this one does not need is given back once it is known.
    async fn make_room(&self) -> Result<OwnedSemaphorePermit> {
        let deadline = Instant::now() + self.0.limits.patience;
        loop {
            if let Ok(room) = Arc::clone(&self.0.room).try_acquire_many_owned(self.0.limits.largest()) {
                return Ok(room);
            }
            let unused = self.longest_unused();
            if unused.is_some() {
                dropped(unused).await;
            } else if Instant::now() < deadline {
                tokio::time::sleep(LOOK_AGAIN).await;
            } else {
                return Err(Error::Busy);
            }
        }
    }

    fn longest_unused(&self) -> Option<Entry> {
        let mut entries = self.entries();
        let idle = entries.iter().filter(|(_, entry)| entry.is_idle());
        let id = *idle.min_by_key(|(_, entry)| entry.used)?.0;
        entries.remove(&id)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Uuid, Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what may be the last of a capture: removing thousands of files blocks.
async fn dropped<T: Send + 'static>(last: T) {
    let _ = spawn_blocking(move || drop(last)).await;
}
