//! The captures on disk: for each its file as it was sent, and beside it what is known of it. The description comes last
//! and goes first, so that what has one is complete. Everything here blocks.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use tempfile::{NamedTempFile, TempDir, TempPath};
use uuid::Uuid;

use super::{
    description::UploadedCapture,
    error::{Error, Result},
    working,
};

const DESCRIPTION: &str = "json";
const FILE: &str = "capture";
/// A file without description that is older was left behind, and does not wait for it.
const ORPHANED_AFTER: Duration = Duration::from_hours(1);

/// Where captures are kept.
pub struct Folder {
    root: PathBuf,
    /// Where everybody may make folders, one that others can read is not used.
    private: bool,
    /// Removed at the end, where captures are not to be kept longer than the process.
    _temporary: Option<TempDir>,
}

impl Folder {
    /// A folder that the operator chose, or one beside the database.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), private: false, _temporary: None }
    }

    /// The same folder of the system's temporary files after each start.
    pub fn lasting_temporary() -> Self {
        Self { root: std::env::temp_dir().join("meshtriage-captures"), private: true, _temporary: None }
    }

    /// One that goes with the process.
    pub fn temporary() -> io::Result<Self> {
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("meshtriage-captures-").permissions(private).tempdir()?;
        Ok(Self { root: folder.path().to_path_buf(), private: true, _temporary: Some(folder) })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folder, for nobody else to read, when it is needed first.
    pub(super) fn prepare(&self) -> Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.root);
        made.map_err(Error::io("create", &self.root))?;
        let metadata = fs::symlink_metadata(&self.root).map_err(Error::io("read", &self.root))?;
        if self.private && (!metadata.is_dir() || metadata.permissions().mode() & 0o077 != 0) {
            let error = io::Error::new(io::ErrorKind::PermissionDenied, "others can read it");
            return Err(Error::io("use", &self.root)(error));
        }
        Ok(())
    }

    pub(super) fn file(&self, id: Uuid) -> PathBuf {
        self.root.join(id.to_string()).with_extension(FILE)
    }

    fn description(&self, id: Uuid) -> PathBuf {
        self.root.join(id.to_string()).with_extension(DESCRIPTION)
    }

    /// A capture that has not expired.
    pub(super) fn find(&self, id: Uuid, now: Timestamp) -> Result<Option<UploadedCapture>> {
        let path = self.description(id);
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        let found: UploadedCapture = serde_json::from_slice(&content).map_err(|error| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            Error::io("understand", &path)(error)
        })?;
        Ok(Some(found).filter(|found| found.expires_at > now))
    }

    /// Those that have not expired, the newest first.
    pub(super) fn list(&self, now: Timestamp) -> Result<Vec<UploadedCapture>> {
        let mut found = Vec::new();
        for id in self.ids(DESCRIPTION)? {
            match self.find(id, now) {
                Ok(capture) => found.extend(capture),
                // It costs only itself.
                Err(error) => tracing::warn!("{}", crate::cluster::chain(&error)),
            }
        }
        found.sort_by_key(|capture| std::cmp::Reverse(capture.id));
        Ok(found)
    }

    /// Keeps a file that is complete and was opened.
    pub(super) fn keep(&self, file: TempPath, capture: &UploadedCapture) -> Result<()> {
        let working = file.parent().unwrap_or(&self.root).to_path_buf();
        let mut description = NamedTempFile::new_in(&working).map_err(Error::io("write to", &working))?;
        let content = serde_json::to_vec_pretty(capture).expect("a description is JSON");
        let written = description.write_all(&content).and_then(|()| description.as_file().sync_all());
        written.map_err(Error::io("write to", &working))?;
        let (to, described) = (self.file(capture.id), self.description(capture.id));
        file.persist(&to).map_err(|error| Error::io("write", &to)(error.error))?;
        if let Err(error) = description.persist(&described) {
            let _ = fs::remove_file(&to);
            return Err(Error::io("write", described)(error.error));
        }
        Ok(())
    }

    /// Removes a capture, if it is there.
    pub(super) fn remove(&self, id: Uuid) -> Result<()> {
        remove(&self.description(id))?;
        remove(&self.file(id))
    }

    /// Removes what has expired, and what was left behind by a process that is no more. Says which captures expired.
    pub(super) fn sweep(&self, now: Timestamp) -> Result<Vec<Uuid>> {
        if !self.root.exists() {
            return Ok(Vec::new());
        }
        let abandoned = working::remove_abandoned(&self.root)?;
        if abandoned > 0 {
            tracing::info!(abandoned, "removed what {abandoned} earlier processes left among the captures");
        }
        let mut expired = Vec::new();
        for id in self.ids(DESCRIPTION)? {
            // One that cannot be read stays, for somebody to look at.
            if matches!(self.find(id, now), Ok(None)) {
                self.remove(id)?;
                expired.push(id);
            }
        }
        for id in self.ids(FILE)? {
            if !self.description(id).exists() && is_old(id, now) {
                remove(&self.file(id))?;
            }
        }
        Ok(expired)
    }

    /// The captures that have a file of this kind.
    fn ids(&self, extension: &str) -> Result<Vec<Uuid>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("list", &self.root)(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::io("list", &self.root))?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if let Ok(id) = Uuid::parse_str(stem)
                && path.extension().is_some_and(|found| found == extension)
            {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// By the time in the id itself.
fn is_old(id: Uuid, now: Timestamp) -> bool {
    let made = id.get_timestamp().and_then(|time| i64::try_from(time.to_unix().0).ok());
    let limit = i64::try_from(ORPHANED_AFTER.as_secs()).unwrap_or(i64::MAX);
    made.is_some_and(|made| now.as_second().saturating_sub(made) > limit)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn temporary_folder_is_private() {
        let folder = Folder::temporary().unwrap();
        folder.prepare().unwrap();
        assert_eq!(fs::metadata(folder.root()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
