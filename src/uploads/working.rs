//! The working folder of one process: uploads that are not complete, and captures that are unpacked. A process that was
//! killed leaves it behind; the lock beside it tells the others that nobody needs it any more, also where several
//! replicas share the captures' folder.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::error::{Error, Result};

const PREFIX: &str = "working-";
const LOCK: &str = ".lock";

/// A folder below the captures' folder, and the lock that says that it is in use.
pub(super) struct Working {
    pub(super) folder: PathBuf,
    lock: PathBuf,
    /// Locked for as long as it is open.
    _locked: File,
}

impl Working {
    pub(super) fn begin(root: &Path) -> Result<Self> {
        loop {
            let folder = root.join(format!("{PREFIX}{}", Uuid::now_v7()));
            let lock = folder.with_extension(&LOCK[1..]);
            let file =
                OpenOptions::new().write(true).create_new(true).open(&lock).map_err(Error::io("create", &lock))?;
            // Somebody who cleans up may have been faster: he holds the lock, or has removed it already.
            if file.try_lock().is_ok() && lock.exists() {
                fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
                return Ok(Self { folder, lock, _locked: file });
            }
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // What stays is removed by the next start.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock);
    }
}

/// Removes what processes left behind that are no more. Says how many there were.
pub(super) fn remove_abandoned(root: &Path) -> Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(root).map_err(Error::io("list", root))? {
        let path = entry.map_err(Error::io("list", root))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) || !name.ends_with(LOCK) {
            continue;
        }
        // Another replica may have removed it in between.
        let Ok(file) = File::open(&path) else { continue };
        match file.try_lock() {
            Ok(()) => {
                let folder = path.with_extension("");
                if folder.exists() {
                    fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
                }
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
                removed += 1;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
    }
    Ok(removed)
}
