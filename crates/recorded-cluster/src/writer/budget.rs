//! How much each section of a recording may take, in bytes and in time, so that none of them takes the place of the
//! others.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A part of a recording with a budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Objects,
    ControlPlane,
    Proxies,
    Logs,
}

impl Section {
    const ALL: [Self; 4] = [Self::Objects, Self::ControlPlane, Self::Proxies, Self::Logs];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::ControlPlane => "pages of istiod",
            Self::Proxies => "pages of proxies",
            Self::Logs => "logs",
        }
    }
}

/// What a section may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Unpacked.
    pub bytes: u64,
    /// From its first call on.
    pub time: Duration,
}

/// The budgets of all sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    pub objects: Budget,
    pub control_plane: Budget,
    pub proxies: Budget,
    pub logs: Budget,
    /// For the recording as a whole.
    pub time: Duration,
}

impl Default for Budgets {
    /// For some thousand proxies.
    fn default() -> Self {
        let budget =
            |gibibytes: u64, minutes: u64| Budget { bytes: gibibytes << 30, time: Duration::from_secs(minutes * 60) };
        Self {
            objects: budget(1, 10),
            control_plane: budget(1, 10),
            proxies: budget(6, 20),
            logs: budget(2, 20),
            time: Duration::from_mins(30),
        }
    }
}

/// What has been taken so far.
pub(super) struct Spent {
    budgets: Budgets,
    started: Instant,
    sections: [(OnceLock<Instant>, AtomicU64); 4],
}

impl Spent {
    pub(super) fn new(budgets: Budgets) -> Self {
        Self { budgets, started: Instant::now(), sections: Default::default() }
    }

    fn of(&self, section: Section) -> (&OnceLock<Instant>, &AtomicU64, Budget) {
        let budget = match section {
            Section::Objects => self.budgets.objects,
            Section::ControlPlane => self.budgets.control_plane,
            Section::Proxies => self.budgets.proxies,
            Section::Logs => self.budgets.logs,
        };
        let index = Section::ALL.iter().position(|one| *one == section).expect("it is one of them");
        let (started, bytes) = &self.sections[index];
        (started, bytes, budget)
    }

    /// Whether one more call may be made; the reason when not.
    pub(super) fn allows(&self, section: Section) -> Result<(), String> {
        let now = Instant::now();
        let (started, bytes, budget) = self.of(section);
        if now.duration_since(self.started) > self.budgets.time {
            return Err(format!("the time of {} s for the recording is over", self.budgets.time.as_secs()));
        }
        if now.duration_since(*started.get_or_init(|| now)) > budget.time {
            return Err(format!("the time of {} s for {} is over", budget.time.as_secs(), section.name()));
        }
        if bytes.load(Ordering::Relaxed) >= budget.bytes {
            return Err(format!("the {} bytes for {} are used up", budget.bytes, section.name()));
        }
        Ok(())
    }

    pub(super) fn take(&self, section: Section, bytes: u64) {
        self.of(section).1.fetch_add(bytes, Ordering::Relaxed);
    }
}
