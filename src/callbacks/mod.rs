//! Tells others what has happened: a run has ended, findings are new or gone, a verdict has changed. Off unless the service
//! is given a key to seal what opens a callback.

mod address;
mod deliver;
mod event;
mod quiet;
mod seal;
mod send;
mod signature;
mod subscribe;
mod target;

pub use address::{Allowed, Refused};
pub use deliver::{deliver_due, keep_delivering};
pub use event::{EventKind, document};
pub use quiet::QuietHours;
pub use seal::{SHORTEST_KEY, Seal};
pub use send::Sender;
pub use signature::headers as signed_headers;
pub use subscribe::{Interest, announce, tell_of_run};
pub use target::{MessageForm, Target};

use uuid::Uuid;

/// What sends messages.
pub struct Callbacks {
    seal: Seal,
    sender: Sender,
}

impl Callbacks {
    pub fn new(seal: Seal, sender: Sender) -> Self {
        Self { seal, sender }
    }

    /// Whether a message may go there.
    pub fn check(&self, url: &str) -> Result<url::Url, Refused> {
        self.sender.check(url)
    }

    pub fn seal(&self, callback: Uuid, target: &Target) -> Option<String> {
        let text = serde_json::to_string(target).ok()?;
        self.seal.seal(&callback.to_string(), &text)
    }

    fn open(&self, callback: Uuid, sealed: &str) -> Option<Target> {
        serde_json::from_str(&self.seal.open(&callback.to_string(), sealed)?).ok()
    }
}
