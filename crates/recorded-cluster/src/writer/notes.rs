//! What is to be said of a recording once it is made: what it lacks, what was hidden, which logs are worth reading.

use std::sync::{Mutex, MutexGuard, PoisonError};

use report::Skipped;

/// So many logs are named.
const LOGS: usize = 20;

#[derive(Default)]
pub(super) struct Notes(Mutex<Noted>);

#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) skipped: Vec<Skipped>,
    /// How many secrets were replaced.
    pub(super) redacted: u64,
    /// How urgent each log is, with its file; the most urgent first.
    pub(super) logs: Vec<(u64, String)>,
}

impl Notes {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Noted {
        let mut noted = std::mem::take(&mut *self.noted());
        // Jobs end in any order.
        noted.skipped.sort_by(|a, b| (&a.what, &a.why).cmp(&(&b.what, &b.why)));
        noted
    }

    /// What is lacking so far.
    pub(super) fn skipped(&self) -> Vec<Skipped> {
        self.noted().skipped.clone()
    }

    pub(super) fn skip(&self, what: impl Into<String>, why: impl Into<String>) {
        self.noted().skipped.push(Skipped::new(what, why));
    }

    pub(super) fn redacted(&self, count: u64) {
        self.noted().redacted += count;
    }

    pub(super) fn log(&self, importance: u64, file: &str) {
        if importance == 0 {
            return;
        }
        let logs = &mut self.noted().logs;
        let at = logs.partition_point(|(other, name)| (*other, file) > (importance, name.as_str()));
        if at < LOGS {
            logs.insert(at, (importance, file.to_owned()));
            logs.truncate(LOGS);
        }
    }
}
