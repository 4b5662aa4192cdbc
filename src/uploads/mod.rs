//! Captures that callers uploaded: takes them, keeps them on disk for a while, and opens them for steps.
//!
//! Inside of a recording there are no permissions that could be asked for, so that a capture belongs to whoever uploaded
//! it: he may use it, and callers with all rights. To everybody else it does not exist.

mod description;
mod error;
mod folder;
mod limits;
mod receive;
mod shelf;
mod working;

use std::sync::Arc;

use tokio::{
    sync::{Mutex, OnceCell, Semaphore},
    task::spawn_blocking,
};
use uuid::Uuid;

pub use description::UploadedCapture;
pub use error::{Error, Result};
pub use folder::Folder;
pub use limits::Limits;
pub use receive::Offer;
pub use shelf::Opened;

use self::{
    shelf::{Shelf, Wanted},
    working::Working,
};
use crate::{
    auth::{Caller, Rights},
    clock::Clock,
    cluster::Settings,
};

/// The uploaded captures of this service. Cheap to clone.
#[derive(Clone)]
pub struct Uploads {
    shared: Arc<Shared>,
    /// The folder goes last, when nothing lies open in it any more.
    folder: Arc<Folder>,
}

struct Shared {
    limits: Limits,
    clock: Clock,
    shelf: Shelf,
    /// Made when it is needed first.
    working: OnceCell<Working>,
    /// A place for each upload.
    places: Arc<Semaphore>,
    /// One upload at a time is counted and kept.
    keeping: Mutex<()>,
}

impl Uploads {
    /// `settings` are those for reading a capture.
    pub fn new(folder: Folder, limits: Limits, clock: Clock, settings: Settings) -> Self {
        let shared = Shared {
            clock,
            shelf: Shelf::new(limits.clone(), settings),
            working: OnceCell::new(),
            places: Arc::new(Semaphore::new(limits.uploads)),
            keeping: Mutex::default(),
            limits,
        };
        Self { shared: Arc::new(shared), folder: Arc::new(folder) }
    }

    /// The captures that the caller may use, the newest first, of those that are older than `after`.
    pub async fn list(&self, caller: &Caller, after: Option<Uuid>) -> Result<Vec<UploadedCapture>> {
        let mut captures = self.all().await?;
        captures.retain(|capture| may_use(caller, capture) && after.is_none_or(|after| capture.id < after));
        Ok(captures)
    }

    /// A capture that the caller may use.
    pub async fn find(&self, caller: &Caller, id: Uuid) -> Result<UploadedCapture> {
        let now = self.shared.clock.now();
        let found = self.blocking(move |folder| folder.find(id, now)).await?;
        found.filter(|capture| may_use(caller, capture)).ok_or(Error::NotFound)
    }

    /// Deletes a capture. Steps that read it come to their end.
    pub async fn delete(&self, caller: &Caller, id: Uuid) -> Result<()> {
        self.find(caller, id).await?;
        self.delete_any(id).await
    }

    /// Deletes a capture, whoever uploaded it.
    pub async fn delete_any(&self, id: Uuid) -> Result<()> {
        let now = self.shared.clock.now();
        self.blocking(move |folder| folder.find(id, now)).await?.ok_or(Error::NotFound)?;
        self.blocking(move |folder| folder.remove(id)).await?;
        self.shared.shelf.close(id).await;
        Ok(())
    }

    /// Opens a capture that the caller may use.
    pub async fn open(&self, caller: &Caller, id: Uuid) -> Result<Opened> {
        let capture = self.find(caller, id).await?;
        let folder = self.working().await?.folder.clone();
        let wanted = Wanted { id, name: capture.name, file: self.folder.file(id), folder };
        self.shared.shelf.open(wanted).await
    }

    /// Where captures are kept.
    pub fn root(&self) -> &std::path::Path {
        self.folder.root()
    }

    /// How many captures are open.
    pub fn opened(&self) -> usize {
        self.shared.shelf.count()
    }

    /// Deletes what has expired or was left behind, and closes what nobody uses. Says how many captures expired.
    pub async fn tend(&self) -> Result<usize> {
        self.shared.shelf.close_idle().await;
        let now = self.shared.clock.now();
        let expired = self.blocking(move |folder| folder.sweep(now)).await?;
        for id in &expired {
            self.shared.shelf.close(*id).await;
        }
        Ok(expired.len())
    }

    async fn all(&self) -> Result<Vec<UploadedCapture>> {
        let now = self.shared.clock.now();
        self.blocking(move |folder| folder.list(now)).await
    }

    async fn working(&self) -> Result<&Working> {
        let begin = || {
            self.blocking(|folder| {
                folder.prepare()?;
                Working::begin(folder.root())
            })
        };
        self.shared.working.get_or_try_init(begin).await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Folder) -> Result<T> + Send + 'static) -> Result<T> {
        let folder = Arc::clone(&self.folder);
        match spawn_blocking(move || work(&folder)).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

fn may_use(caller: &Caller, capture: &UploadedCapture) -> bool {
    caller.rights == Rights::All || caller.is(&capture.uploaded_by, capture.uploaded_by_uid.as_deref())
}
