//! The disk on which the service keeps what outlives a request: whether it has room, and whether the database is still there.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::capture::check_room;

/// Where things are kept.
#[derive(Debug, Default)]
pub struct Disk {
    folders: Vec<PathBuf>,
    /// The file of SQLite.
    database: Option<PathBuf>,
    /// By which the file is known once it was seen: its device and its number.
    seen: Mutex<Option<(u64, u64)>>,
    /// Bytes that are kept free, so that what is read can still be recorded.
    reserve_bytes: u64,
}

impl Disk {
    pub fn new(folders: Vec<PathBuf>, database: Option<PathBuf>, reserve_bytes: u64) -> Self {
        Self { folders, database, seen: Mutex::default(), reserve_bytes }
    }

    /// Fails when one of the folders has no room for more.
    pub fn check_room(&self) -> io::Result<()> {
        self.folders.iter().map(|folder| existing(folder)).try_for_each(|folder| check_room(folder, self.reserve_bytes))
    }

    /// Fails when the database's file was removed or replaced: what is written to it then is gone with the process.
    pub fn check_database(&self) -> io::Result<()> {
        let Some(path) = &self.database else { return Ok(()) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match (std::fs::metadata(path), *seen) {
            (Ok(found), None) => {
                *seen = Some((found.dev(), found.ino()));
                Ok(())
            }
            (Ok(found), Some(before)) if (found.dev(), found.ino()) == before => Ok(()),
            (Ok(_), Some(_)) => Err(io::Error::other("the file of the database was replaced; restart the service")),
            // It is made by the first call that needs it.
            (Err(error), None) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            (Err(error), Some(_)) if error.kind() == io::ErrorKind::NotFound => {
                Err(io::Error::other("the file of the database was removed; restore it and restart the service"))
            }
            (Err(error), _) => Err(error),
        }
    }
}

/// A folder may be made when it is needed first.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn database_that_was_removed_or_replaced_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.db");
        let disk = Disk::new(Vec::new(), Some(file.clone()), 0);
        disk.check_database().unwrap();
        std::fs::write(&file, "a").unwrap();
        disk.check_database().unwrap();
        std::fs::rename(&file, folder.path().join("other")).unwrap();
        assert!(disk.check_database().unwrap_err().to_string().contains("removed"));
        std::fs::write(&file, "b").unwrap();
        assert!(disk.check_database().unwrap_err().to_string().contains("replaced"));
    }

    #[test]
    fn full_disk_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("not/made/yet");
        Disk::new(vec![missing.clone()], None, 1).check_room().unwrap();
        let error = Disk::new(vec![missing], None, u64::MAX / 2).check_room().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
