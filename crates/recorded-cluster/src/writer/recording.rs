//! What all jobs of a recording share: calls with their bounds, and the way into the archive.

use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;

use http_body_util::BodyExt;
use tempfile::SpooledTempFile;
use tokio::sync::{Semaphore, mpsc, watch};

use super::super::Error;
use super::WriteOptions;
use super::archive::Part;
use super::budget::{Section, Spent};
use super::notes::Notes;
use super::places::Places;
use cluster::chain;
use report::Progress;

/// Larger contents wait on disk.
const IN_MEMORY: usize = 128 << 10;

pub(super) struct Recording {
    pub(super) client: kube::Client,
    pub(super) options: Arc<WriteOptions>,
    /// Where large parts wait until their size is known.
    pub(super) folder: Arc<PathBuf>,
    pub(super) parts: mpsc::Sender<Part>,
    pub(super) notes: Arc<Notes>,
    pub(super) spent: Spent,
    /// For calls to pods, and for logs, which the API server fetches from the nodes.
    pub(super) places: Places,
    /// For lists, which the API server answers itself.
    lists: Semaphore,
    /// For what is searched for secrets, which is in memory as a whole meanwhile.
    searches: Semaphore,
}

impl Recording {
    pub(super) fn new(
        client: kube::Client,
        options: &WriteOptions,
        folder: PathBuf,
        parts: mpsc::Sender<Part>,
    ) -> Self {
        Self {
            client,
            options: Arc::new(options.clone()),
            folder: Arc::new(folder),
            parts,
            notes: Arc::default(),
            spent: Spent::new(options.budgets),
            places: Places::new(options.concurrency, options.call_timeout),
            lists: Semaphore::new(options.concurrency.clamp(1, super::LISTS_AT_ONCE)),
            searches: Semaphore::new(2),
        }
    }

    pub(super) fn spool(&self) -> SpooledTempFile {
        SpooledTempFile::new_in(IN_MEMORY, self.folder.as_path())
    }

    pub(super) fn progress(&self) -> &watch::Sender<Progress> {
        &self.options.progress
    }

    /// Hands a file to the archive. A failure there shows when the archive is finished.
    pub(super) async fn put(&self, section: Section, path: impl Into<String>, mut content: SpooledTempFile) {
        let Ok(size) = content.seek(std::io::SeekFrom::End(0)) else { return };
        self.spent.take(section, size);
        self.progress().send_modify(|progress| progress.bytes += size);
        let _ = self.parts.send(Part::File { path: path.into(), content, size }).await;
    }

    pub(super) async fn add(&self, path: impl Into<String>, content: &[u8]) {
        let mut spool = self.spool();
        let path = path.into();
        match spool.write_all(content) {
            Ok(()) => self.put(Section::Objects, path, spool).await,
            Err(error) => self.skip(path, format!("cannot be kept: {error}")),
        }
    }

    pub(super) fn skip(&self, what: impl Into<String>, why: impl Into<String>) {
        self.notes.skip(what, why);
    }

    /// Notes that a file could not be had, and says so where somebody looks for it.
    pub(super) async fn fail(&self, file: &str, what: &str, why: &str) {
        self.progress().send_modify(|progress| progress.failures += 1);
        self.skip(what, why);
        self.add(format!("{file}.error"), format!("{why}\n").as_bytes()).await;
    }

    /// Adds text, changed by `edit` and without the secrets in it.
    pub(super) async fn add_text(
        &self,
        section: Section,
        path: &str,
        content: SpooledTempFile,
        edit: impl FnOnce(Vec<u8>, &Notes) -> Vec<u8> + Send + 'static,
    ) {
        let _search = self.searches.acquire().await.expect("the searches are never closed");
        let (notes, spool) = (self.notes.clone(), self.spool());
        let searched = tokio::task::spawn_blocking(move || {
            let content = edit(whole(content)?, &notes);
            let text = String::from_utf8_lossy(&content);
            let (redacted, count) = redact::redact_page_counted(&text);
            notes.redacted(count);
            let mut spool = spool;
            // Text that is no UTF-8 stays as it is when there is nothing to hide in it.
            spool.write_all(if count == 0 { &content } else { redacted.as_bytes() })?;
            Ok::<_, std::io::Error>(spool)
        });
        match searched.await {
            Ok(Ok(content)) => self.put(section, path, content).await,
            Ok(Err(error)) => self.skip(path, format!("cannot be kept: {error}")),
            Err(error) => self.skip(path, format!("cannot be searched for secrets: {error}")),
        }
    }

    /// A GET of the API server for a list or a document, bounded in time and size; the reason when it fails.
    pub(super) async fn get(&self, path: &str, accept: &str, limit: usize) -> Result<Vec<u8>, String> {
        let _place = self.lists.acquire().await.expect("the lists are never closed");
        let whole = async {
            let (status, body) = self.send(path, accept).await?;
            let body = http_body_util::Limited::new(body, limit).collect().await.map_err(|error| error.to_string())?;
            answered(status, &body.to_bytes()).map(<[u8]>::to_vec)
        };
        match tokio::time::timeout(self.options.call_timeout, whole).await {
            Ok(result) => result,
            Err(_) => Err(self.places.too_late()),
        }
    }

    pub(super) async fn send(
        &self,
        path: &str,
        accept: &str,
    ) -> Result<(http::StatusCode, kube::client::Body), String> {
        let request = http::Request::get(path).header(http::header::ACCEPT, accept).body(kube::client::Body::empty());
        let answer = self.client.send(request.map_err(|error| error.to_string())?).await;
        let (head, body) = answer.map_err(|error| chain(&error))?.into_parts();
        Ok((head.status, body))
    }

    /// The same where nothing can be recorded without it.
    pub(super) async fn get_once(&self, what: &'static str, path: &str) -> Result<Vec<u8>, Error> {
        const LIMIT: usize = 16 << 20;
        let answer = self.get(path, "application/json", LIMIT).await;
        answer.map_err(|why| Error::Cluster { what, why })
    }
}

/// The body of a good answer; of another, the reason in it.
pub(super) fn answered(status: http::StatusCode, body: &[u8]) -> Result<&[u8], String> {
    if status.is_success() {
        return Ok(body);
    }
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = said.get("message").and_then(serde_json::Value::as_str).unwrap_or("no reason was given");
    Err(format!("{}: {message}", status.as_u16()))
}

/// All of it, from its beginning.
pub(super) fn whole(mut content: SpooledTempFile) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.rewind()?;
    content.read_to_end(&mut bytes)?;
    Ok(bytes)
}
