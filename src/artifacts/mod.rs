//! Files that runs leave, such as the archive of a bug report: a folder with one folder for each run. A file is written
//! under another name and gets its own when it is complete, so that nobody reads half of one.

use std::fs::{self, DirBuilder};
use std::io::{self, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::Stream;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

/// Read at a time while a file is sent.
const CHUNK: usize = 64 << 10;

/// The folder with the files of runs.
pub struct Artifacts {
    root: PathBuf,
    /// Bytes of all files together; beyond it, those of the oldest runs go.
    pub limit_bytes: u64,
    /// Removed with the service, where the history does not outlive it either.
    _temporary: Option<TempDir>,
}

/// What lies in the folder of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub run: Uuid,
    pub bytes: u64,
}

impl Artifacts {
    /// The files below this folder, which is made when it is not there, for nobody else to read.
    pub fn open(root: &Path, limit_bytes: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        // Shows at the start that the folder cannot be written, and not after half an hour.
        tempfile::tempfile_in(root)?;
        Ok(Self { root: root.to_owned(), limit_bytes, _temporary: None })
    }

    /// The same in a folder for temporary files, where somebody else may have made one of that name.
    pub fn open_shared_place(root: &Path, limit_bytes: u64) -> io::Result<Self> {
        let artifacts = Self::open(root, limit_bytes)?;
        let metadata = fs::symlink_metadata(root)?;
        if !metadata.is_dir() || metadata.mode() & 0o077 != 0 {
            return Err(io::Error::other("others may read or change this folder"));
        }
        Ok(artifacts)
    }

    /// A folder of its own, gone with the service.
    pub fn temporary(limit_bytes: u64) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("meshtriage-artifacts-").tempdir()?;
        Ok(Self { root: folder.path().to_owned(), limit_bytes, _temporary: Some(folder) })
    }

    /// Where they are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn of(&self, run: Uuid) -> PathBuf {
        self.root.join(run.to_string())
    }

    /// Makes the folder of a run.
    pub fn make(&self, run: Uuid) -> io::Result<PathBuf> {
        let folder = self.of(run);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(folder)
    }

    /// The bytes `start..end` of a file of a run. The name must be one that the history has of this run.
    pub async fn read(
        &self,
        run: Uuid,
        name: &str,
        start: u64,
        end: u64,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
        if name.contains(['/', '\\', '\0']) || name.starts_with('.') {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut file = tokio::fs::File::open(self.of(run).join(name)).await?;
        file.seek(SeekFrom::Start(start)).await?;
        Ok(ReaderStream::with_capacity(file.take(end.saturating_sub(start)), CHUNK))
    }

    /// Removes everything that a run has left.
    pub fn remove(&self, run: Uuid) -> io::Result<()> {
        match fs::remove_dir_all(self.of(run)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what a run has not finished writing.
    pub fn remove_unfinished(&self, run: Uuid) -> io::Result<()> {
        for entry in fs::read_dir(self.of(run))? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())
                } else {
                    fs::remove_file(entry.path())
                }?;
            }
        }
        Ok(())
    }

    /// What there is, the oldest first: ids of runs are in the order of time.
    pub fn kept(&self) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let Some(run) = entry.file_name().to_str().and_then(|name| Uuid::parse_str(name).ok()) else { continue };
            let mut bytes = 0;
            for file in fs::read_dir(entry.path())? {
                bytes += file?.metadata().map(|metadata| metadata.len()).unwrap_or_default();
            }
            kept.push(Kept { run, bytes });
        }
        kept.sort_by_key(|kept| kept.run);
        Ok(kept)
    }
}
