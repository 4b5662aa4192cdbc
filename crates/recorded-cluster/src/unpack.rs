//! Unpacks an archive into a temporary folder. An archive is hostile until proven otherwise: nothing is written
//! outside of the folder, only ordinary files are taken, and what it unpacks to is bounded.
//!
//! The blocks are read here and not by `tar`'s own iterator, which keeps long names of any size in memory and does not
//! tell a cut archive from a damaged one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use tar::{EntryType, Header};
use tempfile::TempDir;

use super::Error;
use super::disk::check_room;
use super::tree::{DEPTH, FileTree, Limits};

const BLOCK: usize = 512;
/// Longer names, and longer lists of extended attributes, are no part of a recording.
const LONGEST_PATH: usize = 1024;
const LONGEST_EXTENSION: u64 = 64 * 1024;
/// Bytes after which it is looked again whether the disk has room.
const ROOM_EVERY: u64 = 16 << 20;
/// Small archives may be packed tightly; from here on the ratio counts.
const RATIO_FROM: u64 = 64 << 20;

/// Whether these first bytes are those of a gzip file.
pub(super) fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

/// Whether this first block is a header of a tar archive, by its checksum.
pub(super) fn is_tar(start: &[u8]) -> bool {
    start.try_into().is_ok_and(|block| header(block).is_some())
}

/// Unpacks `path`. What was unpacked is removed with the tree, and at once when it fails.
pub(super) fn unpack(path: &Path, gzip: bool, limits: &Limits) -> Result<FileTree, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let packed = file.metadata().map_err(Error::io("read", path))?.len();
    let folder = temporary_folder(limits)?;
    let file = BufReader::with_capacity(64 * 1024, file);
    let source: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let by_ratio = packed.saturating_mul(limits.ratio).max(RATIO_FROM);
    let mut unpacking = Unpacking {
        path,
        source,
        root: folder.path().to_path_buf(),
        limits,
        allowed: if gzip { by_ratio.min(limits.total_bytes) } else { limits.total_bytes },
        read: 0,
        read_since_room: ROOM_EVERY,
        files: 0,
        folders: BTreeSet::new(),
        entries: 0,
    };
    unpacking.run()?;
    if unpacking.files == 0 {
        return Err(Error::NotACapture { path: path.into(), why: "the archive holds no files".into() });
    }
    let root = folder.path().to_path_buf();
    FileTree::folder(&root, limits, Some(folder))
}

fn temporary_folder(limits: &Limits) -> Result<TempDir, Error> {
    let parent = limits.temporary_folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("meshtriage-capture-").tempdir_in(&parent);
    folder.map_err(Error::io("make a folder in", parent))
}

fn header(block: &[u8; BLOCK]) -> Option<Header> {
    let mut header = Header::new_old();
    *header.as_mut_bytes() = *block;
    // The checksum counts its own eight bytes as blanks.
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let expected = sum(&block[..148]) + sum(&block[156..]) + 8 * u32::from(b' ');
    header.cksum().is_ok_and(|found| found == expected).then_some(header)
}

struct Unpacking<'a> {
    path: &'a Path,
    source: Box<dyn Read + 'a>,
    root: PathBuf,
    limits: &'a Limits,
    /// Bytes that may still come out of the archive, in all.
    allowed: u64,
    read: u64,
    /// Since it was looked whether the disk has room.
    read_since_room: u64,
    files: u64,
    /// Those that were made.
    folders: BTreeSet<PathBuf>,
    /// Headers, whatever they describe.
    entries: u64,
}

impl Unpacking<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let mut long_name = None;
        while let Some(block) = self.block()? {
            if block.iter().all(|byte| *byte == 0) {
                break;
            }
            let Some(header) = header(&block) else {
                return Err(self.no_tar("one of its headers has a wrong checksum"));
            };
            let size = header.entry_size().map_err(|error| self.damaged(error.to_string()))?;
            match header.entry_type() {
                EntryType::GNULongName => {
                    let name = self.extension(size)?;
                    long_name = Some(name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
                }
                EntryType::XHeader => long_name = pax_path(&self.extension(size)?).or(long_name),
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                kind => {
                    let name = long_name.take().unwrap_or_else(|| header.path_bytes().into_owned());
                    self.entry(kind, &name, size)?;
                }
            }
        }
        // What follows the end is read all the same: a cut or damaged archive shows there.
        while self.fill(&mut [0; 8192])? > 0 {}
        Ok(())
    }

    fn entry(&mut self, kind: EntryType, name: &[u8], size: u64) -> Result<(), Error> {
        self.entries += 1;
        self.bounded("the number of entries", self.entries, self.limits.files.saturating_add(self.limits.folders))?;
        let entry = String::from_utf8_lossy(name).chars().take(200).collect::<String>();
        let refused = |why| Error::UnsafePath { path: self.path.into(), entry: entry.clone(), why };
        match kind {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory => return self.skip(size),
            EntryType::Symlink => return Err(refused("is a symbolic link")),
            EntryType::Link | EntryType::GNULongLink => return Err(refused("is a hard link")),
            EntryType::GNUSparse => return Err(refused("is a sparse file")),
            _ => return Err(refused("is neither a file nor a folder")),
        }
        let inside = safe_path(name).map_err(refused)?;
        if inside.components().count() > DEPTH {
            return Err(refused("lies too deep"));
        }
        // Each takes a block of the disk, whatever it holds.
        let mut missing = inside.parent();
        while let Some(folder) = missing.filter(|folder| !folder.as_os_str().is_empty()) {
            if !self.folders.insert(folder.to_owned()) {
                break;
            }
            missing = folder.parent();
        }
        self.bounded("the number of folders", self.folders.len() as u64, self.limits.folders)?;
        let target = self.root.join(&inside);
        self.files += 1;
        self.bounded("the number of files", self.files, self.limits.files)?;
        self.bounded("the size of one file", size, self.limits.file_bytes)?;
        let parent = target.parent().unwrap_or(&self.root);
        let unwritable = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                self.damaged(format!("the entry {entry:?} is there twice, as a file and as a folder"))
            }
            io::ErrorKind::InvalidFilename => {
                Error::UnsafePath { path: self.path.into(), entry: entry.clone(), why: "has a name that is too long" }
            }
            _ => Error::io("unpack", self.path)(error),
        };
        fs::create_dir_all(parent).map_err(unwritable)?;
        let file = File::create(&target).map_err(unwritable)?;
        self.copy(size, &mut BufWriter::new(file))
    }

    fn copy(&mut self, size: u64, to: &mut impl Write) -> Result<(), Error> {
        let mut buffer = [0; 16 * 1024];
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let length = self.fill(&mut buffer[..wanted])?;
            if length == 0 {
                return Err(self.truncated());
            }
            to.write_all(&buffer[..length]).map_err(Error::io("unpack", self.path))?;
            left -= length as u64;
        }
        to.flush().map_err(Error::io("unpack", self.path))?;
        self.padding(size)
    }

    fn skip(&mut self, size: u64) -> Result<(), Error> {
        self.copy(size, &mut io::sink())
    }

    /// The content of a header that describes the next entry.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        self.bounded("a name or an attribute", size, LONGEST_EXTENSION)?;
        let mut content = Vec::new();
        self.copy(size, &mut content)?;
        Ok(content)
    }

    /// Files are filled up to whole blocks.
    fn padding(&mut self, size: u64) -> Result<(), Error> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
        let mut rest = [0; BLOCK];
        let wanted = if over == 0 { 0 } else { BLOCK - over };
        match self.fill(&mut rest[..wanted])? {
            length if length == wanted => Ok(()),
            _ => Err(self.truncated()),
        }
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        let mut block = [0; BLOCK];
        match self.fill(&mut block)? {
            // The two empty blocks at the end may be missing; some writers leave them out.
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ if self.files == 0 => Err(self.no_tar("it is shorter than one block")),
            _ => Err(self.truncated()),
        }
    }

    /// Reads until `buffer` is full or the archive ends, and counts.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut length = 0;
        while length < buffer.len() {
            match self.source.read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.truncated()),
                Err(error) if error.raw_os_error().is_some() => return Err(Error::io("read", self.path)(error)),
                Err(error) => return Err(self.damaged(format!("it cannot be decompressed: {error}"))),
            }
        }
        if self.limits.is_late() {
            return Err(Error::TooSlow { path: self.path.into() });
        }
        self.read += length as u64;
        self.read_since_room += length as u64;
        if self.read_since_room >= ROOM_EVERY {
            self.read_since_room = 0;
            check_room(&self.root, self.limits.free_bytes).map_err(Error::io("unpack", self.path))?;
        }
        if self.read > self.allowed {
            let what = if self.allowed < self.limits.total_bytes {
                "what it unpacks to, compared with its own size,"
            } else {
                "what it unpacks to"
            };
            return Err(Error::TooLarge { path: self.path.into(), what, limit: self.allowed });
        }
        Ok(length)
    }

    fn bounded(&self, what: &'static str, value: u64, limit: u64) -> Result<(), Error> {
        if value > limit { Err(Error::TooLarge { path: self.path.into(), what, limit }) } else { Ok(()) }
    }

    /// A wrong first header means that it never was an archive.
    fn no_tar(&self, why: &str) -> Error {
        if self.files == 0 {
            Error::NotACapture { path: self.path.into(), why: format!("it is compressed, but no tar archive: {why}") }
        } else {
            self.damaged(why.to_owned())
        }
    }

    fn truncated(&self) -> Error {
        Error::Truncated { path: self.path.into() }
    }

    fn damaged(&self, why: String) -> Error {
        Error::Damaged { path: self.path.into(), why }
    }
}

/// The path of an entry if it stays inside, whatever system wrote it.
fn safe_path(name: &[u8]) -> Result<PathBuf, &'static str> {
    let Ok(name) = std::str::from_utf8(name) else { return Err("has a name that is not UTF-8") };
    if name.len() > LONGEST_PATH {
        return Err("has a name that is too long");
    }
    if name.starts_with(['/', '\\']) || name.as_bytes().get(1) == Some(&b':') {
        return Err("has an absolute path");
    }
    if name.contains(['\0', '\\']) {
        return Err("has a name that is not allowed");
    }
    let mut path = PathBuf::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("leads out of the archive"),
            part => path.push(part),
        }
    }
    if path.as_os_str().is_empty() { Err("has no name") } else { Ok(path) }
}

/// The record `path` of extended attributes: each is its length, a blank, `name=value` and a line end.
fn pax_path(mut records: &[u8]) -> Option<Vec<u8>> {
    let mut found = None;
    while let Some(blank) = records.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&records[..blank]).ok()?.parse().ok()?;
        let record = records.get(blank + 1..length)?;
        if let Some(value) = record.strip_prefix(b"path=") {
            found = Some(value.strip_suffix(b"\n").unwrap_or(value).to_vec());
        }
        records = &records[length..];
    }
    found
}
