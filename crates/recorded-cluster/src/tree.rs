//! The files of a recording: a folder on disk, read lazily. Only files that were found when it was opened can be
//! read, so that no request can reach outside of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use super::Error;

/// How much a recording may hold. The defaults fit a cluster of some thousand proxies.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of all files together, unpacked.
    pub total_bytes: u64,
    /// Bytes of one file, unpacked.
    pub file_bytes: u64,
    /// Bytes of one file that is read into memory as a whole (a list of objects, a YAML file).
    pub document_bytes: u64,
    /// Bytes of all such files together: what a recording takes of the memory grows with them.
    pub documents_bytes: u64,
    pub files: u64,
    /// Folders that are made while an archive is unpacked.
    pub folders: u64,
    /// Bytes that stay free on the disk where an archive is unpacked.
    pub free_bytes: u64,
    /// How many times larger than the archive its content may be, once it is past 64 MiB.
    pub ratio: u64,
    /// Where archives are unpacked; the system's folder for temporary files by default.
    pub temporary_folder: Option<PathBuf>,
    /// When opening is given up; it looks at the time between files and blocks, not inside of a document.
    pub deadline: Option<Instant>,
}

impl Limits {
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total_bytes: 4 << 30,
            file_bytes: 1 << 30,
            document_bytes: 512 << 20,
            documents_bytes: 2 << 30,
            files: 200_000,
            folders: 100_000,
            free_bytes: 64 << 20,
            ratio: 100,
            temporary_folder: None,
            deadline: None,
        }
    }
}

/// Deeper folders than this are no recording; it bounds the walk.
pub(super) const DEPTH: usize = 32;

/// The files of a recording by their path inside of it, with `/` between the parts.
pub(super) struct FileTree {
    root: PathBuf,
    files: BTreeMap<String, u64>,
    /// Symbolic links and the like, which are never followed.
    pub(super) ignored: Vec<String>,
    limits: Limits,
    /// Bytes of the documents that were read.
    documents: AtomicU64,
    /// Holds what was unpacked, until the recording is dropped.
    _unpacked: Option<TempDir>,
}

impl FileTree {
    /// A folder and everything below it.
    pub(super) fn folder(root: &Path, limits: &Limits, unpacked: Option<TempDir>) -> Result<Self, Error> {
        let mut tree = Self::new(root, BTreeMap::new(), limits, unpacked);
        let mut total = 0_u64;
        let mut open = vec![(root.to_path_buf(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = open.pop() {
            for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
                let entry = entry.map_err(Error::io("list", &folder))?;
                let Ok(name) = entry.file_name().into_string() else {
                    tree.ignored.push(format!("{prefix}{}: its name is not UTF-8", entry.file_name().display()));
                    continue;
                };
                let inside = format!("{prefix}{name}");
                let metadata = entry.metadata().map_err(Error::io("read", entry.path()))?;
                if metadata.is_dir() && depth < DEPTH {
                    open.push((entry.path(), format!("{inside}/"), depth + 1));
                } else if metadata.is_file() {
                    total += metadata.len();
                    let count = tree.files.len() as u64;
                    for (what, value, limit) in [
                        ("the number of files", count + 1, limits.files),
                        ("the size of all files", total, limits.total_bytes),
                        ("the size of one file", metadata.len(), limits.file_bytes),
                    ] {
                        if value > limit {
                            return Err(Error::TooLarge { path: root.into(), what, limit });
                        }
                    }
                    tree.files.insert(inside, metadata.len());
                } else {
                    tree.ignored.push(format!("{inside}: neither a file nor a folder (links are not followed)"));
                }
            }
        }
        tree.ignored.sort();
        Ok(tree)
    }

    /// One file.
    pub(super) fn single(path: &Path, length: u64, limits: &Limits) -> Result<Self, Error> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(Error::NotFound { path: path.into() });
        };
        let files = BTreeMap::from([(name.to_owned(), length)]);
        Ok(Self::new(folder, files, limits, None))
    }

    fn new(root: &Path, files: BTreeMap<String, u64>, limits: &Limits, unpacked: Option<TempDir>) -> Self {
        Self {
            root: root.into(),
            files,
            ignored: Vec::new(),
            limits: limits.clone(),
            documents: AtomicU64::new(0),
            _unpacked: unpacked,
        }
    }

    /// The same without the one folder that holds everything, as archives often have.
    pub(super) fn without_top_folder(mut self) -> Self {
        let Some(top) = self.files.keys().next().and_then(|first| first.split_once('/')).map(|(top, _)| top.to_owned())
        else {
            return self;
        };
        let prefix = format!("{top}/");
        if self.files.keys().all(|path| path.starts_with(&prefix)) {
            self.root.push(&top);
            self.files = self.files.into_iter().map(|(path, size)| (path[prefix.len()..].to_owned(), size)).collect();
        }
        self
    }

    /// Paths and sizes, in order.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files.iter().map(|(path, size)| (path.as_str(), *size))
    }

    /// The paths that begin with `prefix`.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.files
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded))
            .map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(prefix))
    }

    pub(super) fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Forgets a file that must not be served.
    pub(super) fn forget(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// Where it is on disk.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The whole file; an error of kind `NotFound` when it is not one of ours.
    pub(super) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut reader = self.reader(path)?;
        let mut content = Vec::with_capacity(usize::try_from(reader.limit()).unwrap_or_default());
        reader.read_to_end(&mut content)?;
        Ok(content)
    }

    /// A file that is kept in memory as a whole, if the limits allow it; else why not.
    pub(super) fn document(&self, path: &str) -> Result<Vec<u8>, String> {
        let size = self.files.get(path).copied().unwrap_or_default();
        if size > self.limits.document_bytes {
            return Err(format!("larger than the limit of {} bytes", self.limits.document_bytes));
        }
        if self.limits.is_late() {
            return Err("there was no time left to read it".to_owned());
        }
        if self.documents.fetch_add(size, Ordering::Relaxed) + size > self.limits.documents_bytes {
            self.documents.fetch_sub(size, Ordering::Relaxed);
            let limit = self.limits.documents_bytes;
            return Err(format!("with it, the documents would be larger than the limit of {limit} bytes together"));
        }
        self.read(path).map_err(|error| format!("cannot be read: {error}"))
    }

    /// Bytes of the documents that were read.
    pub(super) fn documents_bytes(&self) -> u64 {
        self.documents.load(Ordering::Relaxed)
    }

    /// Bytes of all files.
    pub(super) fn total_bytes(&self) -> u64 {
        self.files.values().sum()
    }

    /// The file as a stream, never longer than it was when the recording was opened.
    pub(super) fn reader(&self, path: &str) -> io::Result<io::Take<File>> {
        let size = *self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(File::open(self.place(path))?.take(size))
    }

    /// At most the first `length` bytes of the first file.
    pub(super) fn start(&self, length: u64) -> io::Result<Vec<u8>> {
        let Some(first) = self.files.keys().next() else { return Ok(Vec::new()) };
        let mut content = Vec::new();
        self.reader(first)?.take(length).read_to_end(&mut content)?;
        Ok(content)
    }

    /// At most the last `length` bytes.
    pub(super) fn read_end(&self, path: &str, length: u64) -> io::Result<Vec<u8>> {
        let size = *self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        let mut file = File::open(self.place(path))?;
        file.seek(SeekFrom::Start(size.saturating_sub(length)))?;
        let mut content = Vec::new();
        file.take(length).read_to_end(&mut content)?;
        Ok(content)
    }
}
