//! `mesh.changes`: what somebody changed, newest first. Objects tell it themselves: when they were created, and for each
//! manager when it last changed which fields (`managedFields`); ReplicaSets tell the rollouts, pods their restarts. What
//! controllers write all the time (status, leases, endpoints) is left out.

mod managed;
mod object;
mod rollout;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

use std::collections::BTreeSet;

use diagnosis::Change;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    About, Cost, Invalid, Judgement, Permission, Step, counted,
    input::{check, duration},
};
use cluster::{Cluster, Error, Resource, Scope, read as part};
use mesh::Kind;
use object::Changed;
use report::Skipped;

/// Lists at once.
const AT_ONCE: usize = 6;
const SINCE: &str = "2h";
const LIMIT: u32 = 200;

/// The step.
pub struct Changes;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesInput {
    /// Changes of objects in these namespaces.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Of all namespaces, and of objects without one; the default when none is named.
    pub all_namespaces: bool,
    /// How far back, like `90s`, `10m` or `2h30m` (default 2h).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The newest so many (default 200).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 2000)]
    pub limit: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ChangesData {
    /// Nothing before this moment is shown.
    pub since: String,
    pub changes: Vec<Change>,
    /// Older ones that were left out.
    pub left_out: usize,
}

pub struct ChangesEvidence {
    changes: Vec<Change>,
    skipped: Vec<Skipped>,
    now: Timestamp,
}

impl Step for Changes {
    const ABOUT: About = About {
        id: "mesh.changes",
        title: "What changed",
        description: "Objects that were created, changed or deleted, by which manager and in which fields; rollouts with the \
            difference of their pod templates; restarts. Newest first, without what controllers write all the time.",
        guide: "mesh/2-changes",
        method: "GET",
        endpoint: "/v1/changes",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission { verb: "list", group: "apps", resource: "replicasets" },
            Permission { verb: "list", group: "*", resource: "*" },
        ],
        cost: Cost::Medium,
        command: "kubectl get --show-managed-fields -o yaml <kind> -A",
        docs: "https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management",
    };
    type Input = ChangesInput;
    type Evidence = ChangesEvidence;
    type Data = ChangesData;

    fn check(input: &ChangesInput) -> Vec<Invalid> {
        let mut invalid = check::place(&input.namespace, input.all_namespaces);
        invalid.extend(duration::check("since", input.since.as_deref()));
        invalid.extend(check::range("limit", input.limit, 1, 2000));
        invalid
    }

    async fn gather(cluster: &Cluster, _: &ChangesInput) -> Result<ChangesEvidence, Error> {
        let (changes, skipped) = read(cluster).await?;
        Ok(ChangesEvidence { changes, skipped, now: cluster.now() })
    }

    fn judge(input: &ChangesInput, evidence: ChangesEvidence) -> Judgement<ChangesData> {
        let ChangesEvidence { mut changes, skipped, now } = evidence;
        let seconds = duration::seconds(input.since.as_deref().unwrap_or(SINCE)).unwrap_or(7200);
        let since = now.saturating_sub(SignedDuration::from_secs(seconds.into())).unwrap_or(now);
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let namespaces: BTreeSet<&str> = input.namespace.iter().map(String::as_str).collect();
        changes.retain(|change| {
            let namespace = change.subject.namespace.as_deref().unwrap_or(&change.subject.name);
            change.at >= since && (namespaces.is_empty() || namespaces.contains(namespace))
        });
        let most = input.limit.unwrap_or(LIMIT) as usize;
        let left_out = changes.len().saturating_sub(most);
        changes.truncate(most);
        let summary = format!("{} since {since}", counted(changes.len() + left_out, "change"));
        let commands = vec!["kubectl get events -A --sort-by=.lastTimestamp".to_owned()];
        let data = ChangesData { since, changes, left_out };
        Judgement { data, findings: Vec::new(), skipped, commands, summary }
    }
}

/// Kinds whose objects are written by controllers alone.
const GENERATED: &[Kind] = &[Kind::Event, Kind::EndpointSlice, Kind::Node];

/// Everything that changed, newest first, and what could not be read.
pub(crate) async fn read(cluster: &Cluster) -> Result<(Vec<Change>, Vec<Skipped>), Error> {
    let discovery = cluster.discovery().await?;
    let mut wanted: Vec<(String, Resource)> = vec![("ReplicaSet".to_owned(), Resource::replica_sets())];
    for kind in Kind::readable().filter(|kind| !GENERATED.contains(kind) && !kind.plural().is_empty()) {
        let served = |it: &&Resource| it.group == kind.group() && it.plural == kind.plural();
        if let Some(resource) = discovery.resources.iter().find(served) {
            wanted.push((kind.name().to_owned(), Resource { version: kind.version().to_owned(), ..resource.clone() }));
        }
    }
    let lists: Vec<_> = stream::iter(wanted)
        .map(|(kind, resource)| async move {
            let listed = cluster.list::<Changed>(&resource, &Scope::All, None).await;
            (kind, resource, listed)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut changes, mut skipped, mut replica_sets) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, resource, listed) in lists {
        if matches!(listed, Err(Error::NotFound { .. })) {
            continue;
        }
        match part(listed)? {
            Ok(listed) => {
                skipped.extend(listed.skipped);
                if kind == "ReplicaSet" {
                    replica_sets = listed.items;
                    continue;
                }
                listed.items.iter().for_each(|object| managed::changes(&kind, object, &mut changes));
            }
            Err(why) => skipped.push(Skipped { what: format!("changes of {}", resource.plural), ..why }),
        }
    }
    rollout::changes(&replica_sets, &mut changes);
    changes.sort_by(|a, b| b.cmp(a));
    changes.dedup();
    Ok((changes, skipped))
}
