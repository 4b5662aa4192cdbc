//! How much may be uploaded, kept and opened.

use std::{path::PathBuf, time::Duration};

use tokio::time::Instant;

use crate::capture;

const MIB: u64 = 1 << 20;
/// JSON and YAML take several times their size in memory, so that documents count as much more than files on disk.
const DOCUMENT_FACTOR: u64 = 8;

/// Bounds on uploaded captures.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one upload, as it is sent.
    pub upload_bytes: u64,
    /// Bytes that one capture may unpack to.
    pub unpacked_bytes: u64,
    /// Files of one capture.
    pub files: u64,
    /// Folders that one capture unpacks to.
    pub folders: u64,
    /// Bytes that stay free on the disk.
    pub free_bytes: u64,
    /// Captures that are kept in all, and their bytes as they were sent.
    pub kept: usize,
    pub kept_bytes: u64,
    /// The same for the captures of one caller.
    pub kept_per_caller: usize,
    pub kept_per_caller_bytes: u64,
    /// How long a capture is kept.
    pub keep: Duration,
    /// Uploads at once.
    pub uploads: usize,
    /// Between two pieces of an upload.
    pub stall: Duration,
    /// For an upload as a whole.
    pub upload_time: Duration,
    /// For opening a capture.
    pub open_time: Duration,
    /// Captures that are open at once, two or more. Their bytes together are at most twice those of one.
    pub opened: u64,
    /// How long a step waits for others to be closed.
    pub patience: Duration,
    /// An open capture that was not used for so long is closed.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes: 256 * MIB,
            unpacked_bytes: 1024 * MIB,
            files: 50_000,
            folders: 20_000,
            free_bytes: 256 * MIB,
            kept: 100,
            kept_bytes: 2048 * MIB,
            kept_per_caller: 25,
            kept_per_caller_bytes: 1024 * MIB,
            keep: Duration::from_hours(7 * 24),
            uploads: 4,
            stall: Duration::from_secs(30),
            upload_time: Duration::from_mins(15),
            open_time: Duration::from_secs(45),
            opened: 8,
            patience: Duration::from_secs(10),
            idle: Duration::from_mins(10),
        }
    }
}

impl Limits {
    /// Those for opening a capture now, unpacked into `folder`.
    pub(super) fn of_capture(&self, folder: PathBuf) -> capture::Limits {
        let documents_bytes = self.unpacked_bytes / DOCUMENT_FACTOR;
        capture::Limits {
            total_bytes: self.unpacked_bytes,
            file_bytes: self.unpacked_bytes,
            document_bytes: documents_bytes,
            documents_bytes,
            files: self.files,
            folders: self.folders,
            free_bytes: self.free_bytes,
            temporary_folder: Some(folder),
            deadline: Some((Instant::now() + self.open_time).into_std()),
            ..capture::Limits::default()
        }
    }

    /// Room for all open captures, in MiB.
    pub(super) fn room(&self) -> u32 {
        self.largest().saturating_mul(2)
    }

    /// Room that one capture may need.
    pub(super) fn largest(&self) -> u32 {
        mebibytes(self.unpacked_bytes).max(1)
    }

    /// Room that this capture needs: by its bytes, or by its share of the number that may be open.
    pub(super) fn needed(&self, capture: &capture::Capture) -> u32 {
        let documents = capture.documents_bytes().saturating_mul(DOCUMENT_FACTOR);
        let bytes = mebibytes(capture.total_bytes().max(documents));
        let share = u64::from(self.room()).div_ceil(self.opened.max(2));
        bytes.max(u32::try_from(share).unwrap_or(u32::MAX)).clamp(1, self.largest())
    }
}

fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX)
}
