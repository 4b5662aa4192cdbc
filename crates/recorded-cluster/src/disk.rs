//! How much room a disk has left. A full one breaks more than what filled it, such as the history.

use std::{io, path::Path};

/// Bytes that may still be written to the file system of this path.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Fails when less than `reserve` bytes are left.
pub fn check_room(path: &Path, reserve: u64) -> io::Result<()> {
    let free = free_bytes(path)?;
    if free >= reserve {
        return Ok(());
    }
    let why = format!("{} MiB are left, and {} MiB are kept free", free >> 20, reserve >> 20);
    Err(io::Error::new(io::ErrorKind::StorageFull, why))
}
