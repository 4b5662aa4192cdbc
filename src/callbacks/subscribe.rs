//! Who hears of what. A subscription hears of nothing that its owner may not read, of no finding that somebody has decided
//! to live with, and of one cause once an hour.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    event::{EventKind, document},
    quiet::QuietHours,
};
use crate::{
    app::App,
    cluster::chain,
    history::{self, Change, Delivery, FindingState, RunFilter, RunHeader, Subscription},
    report::{Severity, State, Verdict},
    runs::RunsAs,
};

/// Between two messages of one cause.
const REST: Duration = Duration::from_hours(1);
/// Runs that are looked through for the one before.
const MOST_LOOKED_AT: u32 = 50;

/// What a subscription is about. An empty list restricts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Interest {
    #[schema(max_items = 4)]
    pub events: Vec<EventKind>,
    /// Findings in these namespaces; of runs, those that looked there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub namespace: Vec<String>,
    /// The least severity of findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_severity: Option<Severity>,
    /// Codes of findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub code: Vec<String>,
    /// Steps and checklists whose runs are of interest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub step: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
}

/// Tells whoever wants to know that a run has ended and what it has changed.
pub async fn announce(app: Arc<App>, run: RunHeader, changes: Vec<Change>) {
    if let Err(error) = tell(&app, &run, &changes).await {
        tracing::warn!(run.id = %run.id, "not everybody was told of run {}: {}", run.id, chain(&error));
    }
}

async fn tell(app: &App, run: &RunHeader, changes: &[Change]) -> history::Result<()> {
    tell_of_run(app, run).await?;
    if run.state != State::Succeeded || run.cluster != app.cluster.id() {
        return Ok(());
    }
    let subscriptions = app.history.subscriptions(app.cluster.id()).await?;
    if subscriptions.is_empty() {
        return Ok(());
    }
    let suppressions = app.history.suppressions_in_force(app.cluster.id(), app.clock.now()).await?;
    let wanted = |change: &&Change| {
        let Change { code, kind, namespace, name, fingerprint, .. } = change;
        !suppressions.iter().any(|it| it.fits(code, kind, namespace.as_deref(), name, fingerprint))
    };
    let changes: Vec<Change> = changes.iter().filter(wanted).cloned().collect();
    let mut before = None;
    for subscription in subscriptions {
        let Ok(interest) = serde_json::from_str::<Interest>(&subscription.wanted) else { continue };
        if !interest.step.is_empty() && !interest.step.contains(&run.step) {
            continue;
        }
        if !may_read(app, &subscription, run).await {
            continue;
        }
        for kind in &interest.events {
            let (findings, told) = match kind {
                EventKind::RunEnded => (Vec::new(), interest.is_in_place(run)),
                EventKind::VerdictChanged => {
                    if before.is_none() {
                        before = Some(verdict_before(app, run).await?);
                    }
                    let changed = before.flatten().is_some_and(|before| Some(before) != run.verdict);
                    (Vec::new(), changed && interest.is_in_place(run))
                }
                EventKind::FindingsNew | EventKind::FindingsResolved => {
                    let mut findings: Vec<Change> = Vec::new();
                    for change in changes.iter().filter(|change| interest.is_about(*kind, change)) {
                        let cause = format!("{}:{}", kind.name(), change.fingerprint);
                        if app.history.may_tell(subscription.id, &cause, REST).await? {
                            findings.push(change.clone());
                        }
                    }
                    let any = !findings.is_empty();
                    (findings, any)
                }
            };
            if told {
                let quiet = interest.quiet_hours.as_ref().map_or(Duration::ZERO, |hours| hours.wait(app.clock.now()));
                add(app, subscription.callback, *kind, run, &findings, quiet).await?;
            }
        }
    }
    Ok(())
}

/// Tells those who wait for the end of this run.
pub async fn tell_of_run(app: &App, run: &RunHeader) -> history::Result<()> {
    for callback in app.history.callbacks_of_run(run.id).await? {
        add(app, callback.id, EventKind::RunEnded, run, &[], Duration::ZERO).await?;
    }
    Ok(())
}

async fn add(
    app: &App,
    callback: Uuid,
    kind: EventKind,
    run: &RunHeader,
    findings: &[Change],
    after: Duration,
) -> history::Result<()> {
    let (id, now) = (Uuid::now_v7(), app.clock.now());
    let delivery = Delivery {
        id,
        cluster: app.cluster.id().to_owned(),
        callback,
        event: kind.name().to_owned(),
        body: document(kind, id, app.cluster.id(), run, now, findings).to_string(),
        state: "waiting".to_owned(),
        attempts: 0,
        created_at: now,
        last_status: None,
        last_error: None,
    };
    app.history.add_delivery(&delivery, after).await
}

/// What was read of the cluster must be the owner's to read, now.
async fn may_read(app: &App, subscription: &Subscription, run: &RunHeader) -> bool {
    let Ok(owner) = serde_json::from_str::<RunsAs>(&subscription.caller) else { return false };
    let owner = Arc::new(owner.caller());
    for access in &run.access {
        if !matches!(app.authority.may(&owner, access).await, Ok(true)) {
            return false;
        }
    }
    true
}

/// The verdict of the last run before that asked for the same.
async fn verdict_before(app: &App, run: &RunHeader) -> history::Result<Option<Verdict>> {
    let filter = RunFilter {
        step: vec![run.step.clone()],
        state: vec![State::Succeeded],
        until: Some(run.started_at),
        ..RunFilter::default()
    };
    let runs = app.history.runs(&run.cluster, &filter, None, MOST_LOOKED_AT).await?;
    Ok(runs.into_iter().find(|before| before.inputs == run.inputs).and_then(|before| before.verdict))
}

impl Interest {
    fn is_in_place(&self, run: &RunHeader) -> bool {
        self.namespace.is_empty()
            || run.namespaces.is_empty()
            || run.namespaces.iter().any(|namespace| self.namespace.contains(namespace))
    }

    fn is_about(&self, kind: EventKind, change: &Change) -> bool {
        let of_kind = match change.state {
            FindingState::New | FindingState::Reopened => kind == EventKind::FindingsNew,
            FindingState::Resolved => kind == EventKind::FindingsResolved,
            FindingState::Persisting => false,
        };
        let there = |namespace: &String| self.namespace.contains(namespace);
        of_kind
            && (self.namespace.is_empty() || change.namespace.as_ref().is_some_and(there))
            && self.min_severity.is_none_or(|least| change.severity >= least)
            && (self.code.is_empty() || self.code.contains(&change.code))
    }
}
