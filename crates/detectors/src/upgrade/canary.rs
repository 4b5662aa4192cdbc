//! An upgrade that is under way: two revisions side by side
//! (<https://istio.io/latest/docs/setup/upgrade/canary/>).

use jiff::{SignedDuration, Timestamp};

use mesh::{ControlPlane, Mesh};
use report::Severity;

/// How long two revisions may stay before somebody should finish the upgrade.
const LONG: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The revisions that are installed side by side.
pub(super) struct Canary<'m> {
    pub(super) older: Vec<ControlPlane<'m>>,
    pub(super) newer: ControlPlane<'m>,
    /// How long there have been two.
    pub(super) age: Option<SignedDuration>,
}

impl<'m> Canary<'m> {
    /// None where there is one revision, or none.
    pub(super) fn of(mesh: &'m Mesh) -> Option<Self> {
        let mut older = mesh.control_planes();
        let newer = older.pop()?;
        if older.is_empty() {
            return None;
        }
        let made = newer.deployment.metadata().get("creationTimestamp").text().parse::<Timestamp>();
        let age = made.ok().map(|made| mesh.taken_at().duration_since(made));
        Some(Self { older, newer, age })
    }

    pub(super) fn is_old(&self, revision: &str) -> bool {
        self.older.iter().any(|found| found.revision == revision)
    }

    /// The older revisions in a sentence.
    pub(super) fn olds(&self) -> String {
        self.older.iter().map(|found| found.revision).collect::<Vec<_>>().join(", ")
    }

    /// To have two revisions is what an upgrade is. That it goes on for weeks is not.
    pub(super) fn severity(&self) -> Severity {
        if self.age.is_some_and(|age| age > LONG) { Severity::Warning } else { Severity::Info }
    }

    pub(super) fn days(&self) -> Option<i64> {
        self.age.map(|age| age.as_hours() / 24).filter(|days| *days >= 0)
    }
}
