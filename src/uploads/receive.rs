//! Takes an upload: piece by piece to disk, never as a whole in memory, and kept only when it can be opened.

use std::{error::Error as StdError, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::{io::AsyncWriteExt as _, time::timeout};
use uuid::Uuid;

use super::{
    Uploads,
    description::{File, UploadedCapture},
    error::{Error, Result},
    shelf::Wanted,
};
use crate::{
    auth::Caller,
    capture::{self, check_room},
};

/// Bytes after which it is looked again whether the disk has room.
const ROOM_EVERY: u64 = 8 << 20;

/// What a caller says about the capture that he sends.
#[derive(Debug, Default)]
pub struct Offer {
    /// For people; without one, the id is the name.
    pub name: Option<String>,
    /// Bytes that are announced.
    pub length: Option<u64>,
}

impl Uploads {
    /// Takes a capture. Whatever goes wrong, nothing of it stays.
    pub async fn receive<E: StdError>(
        &self,
        caller: &Caller,
        offer: Offer,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<UploadedCapture> {
        let limits = &self.shared.limits;
        let _place = Arc::clone(&self.shared.places).try_acquire_owned().map_err(|_| Error::Busy)?;
        if offer.length.is_some_and(|length| length > limits.upload_bytes) {
            return Err(Error::TooLarge { limit: limits.upload_bytes });
        }
        let announced = offer.length.unwrap_or_default();
        self.check_quota(caller, announced).await?;

        let uploaded_at = self.shared.clock.now();
        let expires_at = uploaded_at.saturating_add(limits.keep).unwrap_or(jiff::Timestamp::MAX);
        let id = Uuid::now_v7();
        let name = offer.name.unwrap_or_else(|| id.to_string());
        let whole = timeout(limits.upload_time, self.write(offer.length, body)).await;
        let (path, file) = whole.map_err(|_| Error::TooLong(limits.upload_time))??;

        self.check_quota(caller, file.bytes).await?;
        let folder = self.working().await?.folder.clone();
        let wanted = Wanted { id, name: name.clone(), file: path.to_path_buf(), folder };
        let opened = self.shared.shelf.open_file(wanted).await?;
        let capture = opened.capture();
        let uploaded = UploadedCapture::new(id, name, caller, uploaded_at, expires_at, file, capture);

        let _turn = self.shared.keeping.lock().await;
        self.check_quota(caller, uploaded.bytes).await?;
        let described = uploaded.clone();
        self.blocking(move |folder| folder.keep(path, &described)).await?;
        self.shared.shelf.put(id, opened);
        Ok(uploaded)
    }

    /// Whether there is room for one more of this size.
    async fn check_quota(&self, caller: &Caller, bytes: u64) -> Result<()> {
        let limits = &self.shared.limits;
        let all = self.all().await?;
        let own: Vec<_> =
            all.iter().filter(|capture| caller.is(&capture.uploaded_by, capture.uploaded_by_uid.as_deref())).collect();
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.sum::<u64>().saturating_add(bytes);
        let full = |what: String| Err(Error::Full { what });
        if own.len() >= limits.kept_per_caller {
            return full(format!("you keep {} captures, the most that one caller may", own.len()));
        }
        if sum(&mut own.iter().map(|capture| capture.bytes)) > limits.kept_per_caller_bytes {
            return full(format!("your captures would exceed {} bytes together", limits.kept_per_caller_bytes));
        }
        if all.len() >= limits.kept {
            return full(format!("there are {} captures, the most that are kept", all.len()));
        }
        if sum(&mut all.iter().map(|capture| capture.bytes)) > limits.kept_bytes {
            return full(format!("all captures would exceed {} bytes together", limits.kept_bytes));
        }
        Ok(())
    }

    /// Writes the body into the working folder. The file goes with its path.
    async fn write<E: StdError>(
        &self,
        announced: Option<u64>,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<(TempPath, File)> {
        let limits = &self.shared.limits;
        let working = &self.working().await?.folder;
        check_room(working, limits.free_bytes.saturating_add(announced.unwrap_or_default()))
            .map_err(Error::io("write to", working))?;
        let file = tempfile::Builder::new().prefix("upload-").tempfile_in(working);
        let (file, path) = file.map_err(Error::io("write to", working))?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let (mut bytes, mut checked, mut digest) = (0, 0, Sha256::new());
        let mut body = std::pin::pin!(body);
        while let Some(piece) = timeout(limits.stall, body.next()).await.map_err(|_| Error::Stalled(limits.stall))? {
            let piece = piece.map_err(|error| Error::Broken(crate::cluster::chain(&error)))?;
            bytes += piece.len() as u64;
            if bytes > limits.upload_bytes {
                return Err(Error::TooLarge { limit: limits.upload_bytes });
            }
            if bytes - checked >= ROOM_EVERY {
                checked = bytes;
                check_room(working, limits.free_bytes).map_err(Error::io("write to", working))?;
            }
            digest.update(&piece);
            file.write_all(&piece).await.map_err(Error::io("write", &*path))?;
        }
        if let Some(announced) = announced.filter(|announced| *announced != bytes) {
            return Err(Error::WrongLength { announced, received: bytes });
        }
        file.flush().await.map_err(Error::io("write", &*path))?;
        file.sync_all().await.map_err(Error::io("write", &*path))?;
        Ok((path, File { bytes, sha256: capture::hexadecimal(&digest.finalize()) }))
    }
}
