//! A line on standard error that says how far long work is. It is drawn on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::report::Progress;

/// Work that is under way.
pub(super) struct Shown(ProgressBar);

/// Shows the line, once work takes long enough to be noticed.
pub(super) fn start(what: &str) -> Shown {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {msg} ({elapsed})").expect("the template is well formed"));
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    Shown(bar)
}

impl Shown {
    /// Follows work that tells its progress, until it is dropped.
    pub(super) fn follow(&self) -> watch::Sender<Progress> {
        let (sender, mut progress) = watch::channel(Progress::default());
        let bar = self.0.clone();
        tokio::spawn(async move {
            while progress.changed().await.is_ok() {
                let now = progress.borrow_and_update().clone();
                bar.set_message(format!(
                    "{}: {} of {} parts, {} MiB",
                    now.section,
                    now.parts_done,
                    now.parts_total,
                    now.bytes >> 20
                ));
            }
        });
        sender
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
