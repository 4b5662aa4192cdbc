//! The archive on disk: files go in one after the other, under a name of their own until all are there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};
use tempfile::{SpooledTempFile, TempPath};
use tokio::sync::mpsc;

use super::super::Error;
use super::super::layout::hexadecimal;
use super::super::manifest::{FORMAT, Manifest, PATH, Sum};
use super::Layout;
use report::Skipped;

/// What goes into an archive.
pub(super) enum Part {
    /// In memory, or in a file that has no name where it is large.
    File { path: String, content: SpooledTempFile, size: u64 },
    /// Everything was recorded. An archive that does not get this is thrown away.
    Finish(Finish),
}

pub(super) struct Finish {
    pub(super) generator: String,
    pub(super) recorded_at: Timestamp,
    pub(super) cluster_id: Option<String>,
    pub(super) skipped: Vec<Skipped>,
}

/// An archive that has got its name.
pub(super) struct Finished {
    pub(super) bytes: u64,
    pub(super) files: usize,
    pub(super) sha256: String,
}

type Tar = tar::Builder<GzEncoder<Summed<BufWriter<File>>>>;

pub(super) struct Archive {
    path: PathBuf,
    /// Removed when it is dropped, unless it got its name.
    part: TempPath,
    tar: Tar,
    manifest: &'static str,
    files: BTreeMap<String, Sum>,
}

impl Archive {
    pub(super) fn create(path: &Path, layout: Layout) -> Result<Self, Error> {
        // A name of its own, so that neither another recording nor what a crash left behind is in the way.
        let part = tempfile::Builder::new().prefix(".capture-").suffix(".part").tempfile_in(folder(path));
        let (file, part) = part.map_err(Error::io("create", path))?.into_parts();
        let tar = tar::Builder::new(GzEncoder::new(Summed::new(BufWriter::new(file)), Compression::default()));
        let manifest = match layout {
            Layout::Own => PATH,
            // By the usual name, it would be taken for one of ours.
            Layout::Istioctl => "meshtriage-manifest.json",
        };
        Ok(Self { path: path.into(), part, tar, manifest, files: BTreeMap::new() })
    }

    /// Writes until everything is there.
    pub(super) fn run(mut self, mut parts: mpsc::Receiver<Part>) -> Result<Finished, Error> {
        while let Some(part) = parts.blocking_recv() {
            let written = match part {
                Part::File { path, mut content, size } => {
                    content.rewind().and_then(|()| self.append(&path, size, content))
                }
                Part::Finish(finish) => return self.finish(finish),
            };
            written.map_err(Error::io("write", &self.path))?;
        }
        let source = io::Error::other("the recording was given up");
        Err(Error::Io { doing: "finish", path: self.path, source })
    }

    fn append(&mut self, path: &str, size: u64, content: impl Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o644);
        let mut content = Summed::new(content);
        self.tar.append_data(&mut header, path, &mut content)?;
        let sum = Sum { size, sha256: hexadecimal(&content.digest.finalize()) };
        self.files.insert(path.to_owned(), sum);
        Ok(())
    }

    fn finish(mut self, finish: Finish) -> Result<Finished, Error> {
        let manifest = Manifest {
            format: FORMAT,
            generator: finish.generator,
            recorded_at: finish.recorded_at,
            cluster_id: finish.cluster_id,
            skipped: finish.skipped,
            files: std::mem::take(&mut self.files),
        };
        let files = manifest.files.len() + 1;
        let (path, name) = (self.path.clone(), self.manifest);
        let closed = serde_json::to_vec_pretty(&manifest)
            .map_err(io::Error::from)
            .and_then(|content| self.append(name, content.len() as u64, content.as_slice()))
            .and_then(|()| self.close());
        let (bytes, sha256) = closed.map_err(Error::io("write", path))?;
        Ok(Finished { bytes, files, sha256 })
    }

    /// On the disk first, then under its name.
    fn close(self) -> io::Result<(u64, String)> {
        let mut writer = self.tar.into_inner()?.finish()?;
        writer.flush()?;
        let sha256 = hexadecimal(&writer.digest.finalize());
        let file = writer.content.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        self.part.persist(&self.path).map_err(|error| error.error)?;
        Ok((file.metadata()?.len(), sha256))
    }
}

/// The folder that an archive lies in. Large parts wait there too, because it has room for them.
pub(super) fn folder(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Sums up what is read or written through it.
struct Summed<C> {
    content: C,
    digest: Sha256,
}

impl<C> Summed<C> {
    fn new(content: C) -> Self {
        Self { content, digest: Sha256::new() }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.content.write(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.content.flush()
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}
